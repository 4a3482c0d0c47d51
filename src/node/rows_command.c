#include "node/rows.h"

#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "node/client_internal.h"
#include "node/command_docs.h"

/* COMMAND and its subcommands: what the table says about itself, in Redis 7.0's shape. Text verbs and subcommands are no entries of
 * their own; a container shows its subcommands. */

static const struct {
    uint32_t flag;
    const char *name;
} flag_name[] = {
    {COMMAND_WRITE, "write"},       {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},   {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},     {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"}, {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},       {COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {COMMAND_FAST, "fast"},         {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"}, {COMMAND_ALLOW_BUSY, "allow_busy"},
    {COMMAND_NO_MULTI, "no_multi"},
};

static bool row_is_hidden(const struct command_row *row)
{
    return (row->flags & COMMAND_TEXT_ONLY) || strchr(row->name, '|');
}

static size_t visible_count(const struct command_table *t)
{
    size_t count = 0;

    for (size_t i = 0; i < command_table_count(t); i++) {
        count += row_is_hidden(command_table_at(t, i)) ? 0 : 1;
    }
    return count;
}

/* Row by a client's name for it ("get", "config|get"); NULL for unknown and hidden ones. */
static const struct command_row *row_named(const struct command_table *t, struct slice name)
{
    const struct command_row *row = command_table_by_name(t, name);

    return row && !(row->flags & COMMAND_TEXT_ONLY) ? row : NULL;
}

/* --- INFO and the bare command ---------------------------------------------------------------- */

static void reply_flags(struct reply *reply, uint32_t flags)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof flag_name / sizeof flag_name[0]; i++) {
        count += flags & flag_name[i].flag ? 1 : 0;
    }
    reply_set(reply, count);
    for (size_t i = 0; i < sizeof flag_name / sizeof flag_name[0]; i++) {
        if (flags & flag_name[i].flag) {
            reply_simple(reply, flag_name[i].name);
        }
    }
}

/* "@write @string" as a set, of simple strings or bulks. NULL is none. */
static void reply_words(struct reply *reply, const char *words, bool is_bulk)
{
    const char *text = words ? words : "";
    size_t count = text[0] != '\0' ? 1 : 0;

    for (const char *p = text; *p; p++) {
        count += *p == ' ' ? 1 : 0;
    }
    reply_set(reply, count);
    while (*text) {
        char word[96];
        size_t n = strcspn(text, " ");

        ASSERT(n < sizeof word);
        memcpy(word, text, n);
        word[n] = '\0';
        if (is_bulk) {
            reply_bulk_cstr(reply, word);
        } else {
            reply_simple(reply, word);
        }
        text += n + (text[n] == ' ' ? 1 : 0);
    }
}

static void reply_pair_int(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int(reply, value);
}

/* Keys from keys.first on. */
static void reply_key_range(struct reply *reply, struct command_keys keys)
{
    reply_bulk_cstr(reply, "range");
    reply_bulk_cstr(reply, "spec");
    reply_map(reply, 3);
    reply_pair_int(reply, "lastkey", keys.last < 0 ? keys.last : keys.last - keys.first);
    reply_pair_int(reply, "keystep", keys.step);
    reply_pair_int(reply, "limit", 0);
}

/* Keys behind their number. */
static void reply_key_number(struct reply *reply)
{
    reply_bulk_cstr(reply, "keynum");
    reply_bulk_cstr(reply, "spec");
    reply_map(reply, 3);
    reply_pair_int(reply, "keynumidx", 0);
    reply_pair_int(reply, "firstkey", 1);
    reply_pair_int(reply, "keystep", 1);
}

/* One key specification (Redis 7): where the keys begin and how far they go. `flags` ends at its NUL or ';'. keys.step 0: their
 * number stands at keys.first. */
static void
reply_key_spec(struct reply *reply, const struct command_row *row, const char *flags, struct command_keys keys)
{
    bool has_notes = row->key_notes && row->key_notes[0];
    char words[96];
    size_t n = strcspn(flags, ";");

    ASSERT(n < sizeof words);
    memcpy(words, flags, n);
    words[n] = '\0';
    reply_map(reply, 3 + (has_notes ? 1u : 0u));
    if (has_notes) {
        reply_bulk_cstr(reply, "notes");
        reply_bulk_cstr(reply, row->key_notes);
    }
    reply_bulk_cstr(reply, "flags");
    reply_words(reply, words, false);
    reply_bulk_cstr(reply, "begin_search");
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "type");
    reply_bulk_cstr(reply, "index");
    reply_bulk_cstr(reply, "spec");
    reply_map(reply, 1);
    reply_pair_int(reply, "index", keys.first);
    reply_bulk_cstr(reply, "find_keys");
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "type");
    if (keys.step > 0) {
        reply_key_range(reply, keys);
    } else {
        reply_key_number(reply);
    }
}

static void reply_unknown(struct reply *reply, const char *name)
{
    reply_bulk_cstr(reply, name);
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "type");
    reply_bulk_cstr(reply, "unknown");
    reply_bulk_cstr(reply, "spec");
    reply_map(reply, 0);
}

/* The lines of key_unknown; returns how many, and writes only where there is a reply. */
static size_t reply_unknown_specs(struct reply *reply, const char *lines)
{
    size_t count = 0;

    for (const char *line = lines; line && *line; count++) {
        char words[32];
        size_t n = strcspn(line, "|");
        size_t end = strcspn(line, "\n");

        ASSERT(n < sizeof words && n < end);
        memcpy(words, line, n);
        words[n] = '\0';
        if (reply) {
            reply_map(reply, 4);
            reply_bulk_cstr(reply, "notes");
            reply_bulk(reply, (struct slice){(const uint8_t *)line + n + 1, end - n - 1});
            reply_bulk_cstr(reply, "flags");
            reply_words(reply, words, false);
            reply_unknown(reply, "begin_search");
            reply_unknown(reply, "find_keys");
        }
        line += end + (line[end] == '\n');
    }
    return count;
}

/* A key behind each of row->key_word; returns how many, and writes only where there is a reply. */
static size_t reply_word_specs(struct reply *reply, const struct command_row *row)
{
    size_t count = 0;

    for (const char *word = row->key_word_flags ? row->key_word : NULL; word && *word; count++) {
        size_t n = strcspn(word, " ");

        if (reply) {
            reply_map(reply, 3);
            reply_bulk_cstr(reply, "flags");
            reply_words(reply, row->key_word_flags, false);
            reply_bulk_cstr(reply, "begin_search");
            reply_map(reply, 2);
            reply_bulk_cstr(reply, "type");
            reply_bulk_cstr(reply, "keyword");
            reply_bulk_cstr(reply, "spec");
            reply_map(reply, 2);
            reply_bulk_cstr(reply, "keyword");
            reply_bulk(reply, (struct slice){(const uint8_t *)word, n});
            reply_pair_int(reply, "startfrom", -row->arity);
            reply_bulk_cstr(reply, "find_keys");
            reply_map(reply, 2);
            reply_bulk_cstr(reply, "type");
            reply_key_range(reply, (struct command_keys){0, 0, 1});
        }
        word += n + (word[n] == ' ');
    }
    return count;
}

static void reply_key_specs(struct reply *reply, const struct command_row *row)
{
    const char *flags = row->key_flags ? row->key_flags : "RO";
    size_t count = command_key_spec_count(row);

    reply_set(reply, count + reply_word_specs(NULL, row) + reply_unknown_specs(NULL, row->key_unknown));
    for (size_t i = 0; i < count; i++) {
        struct command_keys keys = row->keys;

        if (row->key_number > 0 && i + 1 == count) {
            keys = (struct command_keys){row->key_number, 0, 0};
        } else if (count > 1) {
            keys.first = (int16_t)(keys.first + (int16_t)i);
            keys.last = i + 1 < count ? keys.first : row->keys.last;
        }
        reply_key_spec(reply, row, flags, keys);
        flags += strcspn(flags, ";");
        flags += *flags ? 1 : 0;
    }
    (void)reply_word_specs(reply, row);
    (void)reply_unknown_specs(reply, row->key_unknown);
}

static void reply_row(struct reply *reply, const struct command_table *t, const struct command_row *row, bool is_nested)
{
    size_t subcommands = is_nested ? 0 : command_subcommand_count(t, row);

    reply_array(reply, 10);
    reply_bulk_cstr(reply, row->name);
    reply_int(reply, row->arity);
    reply_flags(reply, row->flags);
    reply_int(reply, row->keys.first);
    reply_int(reply, row->keys.last);
    reply_int(reply, row->keys.step);
    reply_words(reply, row->acl_categories, false);
    reply_words(reply, row->tips, true);
    reply_key_specs(reply, row);
    reply_set(reply, subcommands);
    for (size_t i = 0; subcommands > 0 && i < command_table_count(t); i++) {
        if (command_is_subcommand_of(command_table_at(t, i), row)) {
            reply_row(reply, t, command_table_at(t, i), true);
        }
    }
}

static void reply_all_rows(struct reply *reply, const struct command_table *t)
{
    reply_array(reply, visible_count(t));
    for (size_t i = 0; i < command_table_count(t); i++) {
        if (!row_is_hidden(command_table_at(t, i))) {
            reply_row(reply, t, command_table_at(t, i), false);
        }
    }
}

static void row_command(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_all_rows(reply, node_commands(c->node));
}

static void row_command_info(struct client *c, const struct command *command, struct reply *reply)
{
    const struct command_table *t = node_commands(c->node);

    if (command->arg_count == 2) {
        reply_all_rows(reply, t);
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        const struct command_row *row = row_named(t, command->arg[i]);

        if (row) {
            reply_row(reply, t, row, false);
        } else {
            reply_null(reply);
        }
    }
}

static void row_command_count(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)visible_count(node_commands(c->node)));
}

/* --- DOCS ------------------------------------------------------------------------------------- */

static void row_command_docs(struct client *c, const struct command *command, struct reply *reply)
{
    const struct command_table *t = node_commands(c->node);

    if (command->arg_count == 2) {
        reply_map(reply, visible_count(t));
        for (size_t i = 0; i < command_table_count(t); i++) {
            if (!row_is_hidden(command_table_at(t, i))) {
                command_docs_reply(reply, t, command_table_at(t, i));
            }
        }
        return;
    }
    size_t known = 0;
    for (size_t i = 2; i < command->arg_count; i++) {
        known += row_named(t, command->arg[i]) ? 1 : 0;
    }
    reply_map(reply, known);
    for (size_t i = 2; i < command->arg_count; i++) {
        const struct command_row *row = row_named(t, command->arg[i]);

        if (row) {
            command_docs_reply(reply, t, row);
        }
    }
}

/* --- GETKEYS ---------------------------------------------------------------------------------- */

static void row_command_getkeys(struct client *c, const struct command *command, struct reply *reply)
{
    struct command inner = {command->arg + 2, command->arg_count - 2};
    bool is_subcommand_unknown = false;
    const struct command_row *row = command_table_find(node_commands(c->node), &inner, &is_subcommand_unknown);

    if (!row || (row->flags & COMMAND_TEXT_ONLY)) {
        reply_error(reply, "ERR Invalid command specified");
        return;
    }
    if (row->keys.first <= 0 && row->key_number == 0) {
        reply_error(reply, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(row, inner.arg_count)) {
        reply_error(reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    size_t count = command_key_count(row, &inner);
    if (count == 0) {
        reply_error(reply, "ERR Invalid arguments specified for command");
        return;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk(reply, inner.arg[command_key_position(row, &inner, i)]);
    }
}

/* --- LIST ------------------------------------------------------------------------------------- */

/* Does FILTERBY's category ("string", any case, without '@') stand among the row's? */
static bool row_has_category(const struct command_row *row, struct slice category)
{
    const char *text = row->acl_categories ? row->acl_categories : "";

    while (*text) {
        size_t n = strcspn(text, " ");

        if (n == category.n + 1 && strncasecmp(text + 1, (const char *)category.p, category.n) == 0) {
            return true;
        }
        text += n + (text[n] == ' ' ? 1 : 0);
    }
    return false;
}

enum list_filter { FILTER_NONE, FILTER_MODULE, FILTER_CATEGORY, FILTER_PATTERN };

static bool row_is_listed(const struct command_row *row, enum list_filter filter, struct slice value)
{
    bool is_listed = !(row->flags & COMMAND_TEXT_ONLY);

    switch (filter) {
    case FILTER_NONE:
        return is_listed;
    case FILTER_MODULE:
        return false;
    case FILTER_CATEGORY:
        return is_listed && row_has_category(row, value);
    case FILTER_PATTERN:
        return is_listed && glob_match(value, slice_from_cstr(row->name), true);
    }
    UNREACHABLE();
}

static void reply_filtered(struct client *c, enum list_filter filter, struct slice value, struct reply *reply)
{
    const struct command_table *t = node_commands(c->node);
    size_t count = 0;

    for (size_t i = 0; i < command_table_count(t); i++) {
        count += row_is_listed(command_table_at(t, i), filter, value) ? 1 : 0;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < command_table_count(t); i++) {
        if (row_is_listed(command_table_at(t, i), filter, value)) {
            reply_bulk_cstr(reply, command_table_at(t, i)->name);
        }
    }
}

void rows_of_category(struct client *c, struct slice category, struct reply *reply)
{
    reply_filtered(c, FILTER_CATEGORY, category, reply);
}

static void row_command_list(struct client *c, const struct command *command, struct reply *reply)
{
    enum list_filter filter = FILTER_NONE;
    struct slice value = {0};

    if (command->arg_count == 5 && slice_equal_nocase(command->arg[2], "filterby")) {
        value = command->arg[4];
        if (slice_equal_nocase(command->arg[3], "module")) {
            filter = FILTER_MODULE;
        } else if (slice_equal_nocase(command->arg[3], "aclcat")) {
            filter = FILTER_CATEGORY;
        } else if (slice_equal_nocase(command->arg[3], "pattern")) {
            filter = FILTER_PATTERN;
        }
    }
    if (command->arg_count != 2 && filter == FILTER_NONE) {
        reply_error(reply, REPLY_SYNTAX);
        return;
    }
    reply_filtered(c, filter, value, reply);
}

static void row_command_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)", "    Return details about all Redis commands.",
        "COUNT", "    Return the total number of commands in this Redis server.",
        "LIST", "    Return a list of all commands in this Redis server.",
        "INFO [<command-name> ...]", "    Return details about multiple Redis commands.",
        "    If no command names are given, documentation details for all", "    commands are returned.",
        "DOCS [<command-name> ...]", "    Return documentation details about multiple Redis commands.",
        "    If no command names are given, documentation details for all", "    commands are returned.",
        "GETKEYS <full-command>", "    Return the keys from a full Redis command.",
        "HELP", "    Prints this help.", NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define COMMAND_ROW(row_name, row_kind, row_arity, fn, text, version, cost, syntax)                              \
    {                                                                                                            \
        .name = row_name, .kind = row_kind, .arity = row_arity, .flags = COMMAND_LOADING | COMMAND_STALE,        \
        .run_local = fn, .group = "server", .acl_categories = "@slow @connection", .summary = text,              \
        .since = version, .complexity = cost, .arguments = syntax                                                \
    }

static const struct command_row command_rows[] = {
    COMMAND_ROW("command", COMMAND_CONTAINER, -1, row_command, "Get array of Redis command details", "2.8.13",
                "O(N) where N is the total number of Redis commands", ""),
    COMMAND_ROW("command|count", COMMAND_CONNECTION, 2, row_command_count, "Get total number of Redis commands", "2.8.13",
                "O(1)", ""),
    COMMAND_ROW("command|docs", COMMAND_CONNECTION, -2, row_command_docs, "Get array of specific Redis command documentation",
                "7.0.0", "O(N) where N is the number of commands to look up", "[command-name [command-name ...]]"),
    COMMAND_ROW("command|getkeys", COMMAND_CONNECTION, -4, row_command_getkeys, "Extract keys given a full Redis command",
                "2.8.13", "O(N) where N is the number of arguments to the command", "command [arg [arg ...]]"),
    COMMAND_ROW("command|help", COMMAND_CONNECTION, 2, row_command_help, "Show helpful text about the different subcommands",
                "5.0.0", "O(1)", ""),
    COMMAND_ROW("command|info", COMMAND_CONNECTION, -2, row_command_info,
                "Get array of specific Redis command details, or all when no argument is given.", "2.8.13",
                "O(N) where N is the number of commands to look up", "[command-name [command-name ...]]"),
    COMMAND_ROW("command|list", COMMAND_CONNECTION, -2, row_command_list, "Get an array of Redis command names", "7.0.0",
                "O(N) where N is the total number of Redis commands",
                "[FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]"),
};
const struct command_family rows_command = {command_rows, sizeof command_rows / sizeof command_rows[0]};
