#include "node/command_docs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* A syntax line and the tree it means:
 *
 *   line     := choice
 *   choice   := sequence ('|' sequence)*            more than one: a `oneof`
 *   sequence := (word | '[' choice ']' | '<' choice '>')*   brackets: `optional`; the others only keep a choice together
 *   word     := lower case: an argument; upper case: a token, alone or naming the argument behind it ("EX seconds")
 *   "x [x ...]"  x is `multiple`; "a b [a b ...]" makes a `block` of a and b that is `multiple` */

#define NODES_MAX 64
#define NAME_MAX_BYTES 48
#define NO_NODE (-1)

enum argument_flag { ARGUMENT_OPTIONAL = 1, ARGUMENT_MULTIPLE = 2 };

struct argument {
    char name[NAME_MAX_BYTES];
    char token[NAME_MAX_BYTES];
    const char *type;
    unsigned flags;
    int first_child;
    int next;
};

struct syntax {
    struct argument node[NODES_MAX];
    int count;
    const char *at;
};

/* A list of siblings under construction. */
struct siblings {
    int first;
    int last;
    int count;
};

static void skip_blanks(struct syntax *s)
{
    while (*s->at == ' ') {
        s->at++;
    }
}

static int node_new(struct syntax *s, const char *type)
{
    ASSERT(s->count < NODES_MAX);
    s->node[s->count] = (struct argument){.type = type, .first_child = NO_NODE, .next = NO_NODE};
    return s->count++;
}

static void siblings_add(struct syntax *s, struct siblings *list, int node)
{
    if (list->count == 0) {
        list->first = node;
    } else {
        s->node[list->last].next = node;
    }
    list->last = node;
    list->count++;
}

static size_t word_size(const char *at)
{
    return strcspn(at, " []<>|");
}

static bool is_token(const char *word, size_t n)
{
    bool has_letter = false;

    for (size_t i = 0; i < n; i++) {
        if (islower((unsigned char)word[i])) {
            return false;
        }
        has_letter |= isupper((unsigned char)word[i]) != 0;
    }
    return has_letter;
}

static const char *type_of(const char *name)
{
    static const char *const integer[] = {"seconds", "milliseconds", "increment", "decrement", "index", "client-id", "protover",
                                          "db", "destination-db", "index1", "index2", "cursor", "count",
                                          "rank", "num-matches", "len", "numkeys", "start", "stop", "offset", "weight"};
    static const char *const real[] = {"score", "timeout", "longitude", "latitude", "radius", "width", "height"};
    static const char *const key[] = {"key", "newkey", "source", "destination"};

    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        if (strcmp(name, key[i]) == 0) {
            return "key";
        }
    }
    if (strcmp(name, "pattern") == 0) {
        return name;
    }
    if (strncmp(name, "unix-time", 9) == 0) {
        return "unix-time";
    }
    for (size_t i = 0; i < sizeof integer / sizeof integer[0]; i++) {
        if (strcmp(name, integer[i]) == 0) {
            return "integer";
        }
    }
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        if (strcmp(name, real[i]) == 0) {
            return "double";
        }
    }
    return "string";
}

static void copy_word(char *to, const char *word, size_t n, bool is_lower)
{
    ASSERT(n < NAME_MAX_BYTES);
    for (size_t i = 0; i < n; i++) {
        to[i] = is_lower ? (char)tolower((unsigned char)word[i]) : word[i];
    }
    to[n] = '\0';
}

static int parse_word(struct syntax *s)
{
    int node = node_new(s, "string");
    struct argument *a = &s->node[node];
    size_t n = word_size(s->at);

    ASSERT(n > 0);
    if (is_token(s->at, n)) {
        copy_word(a->token, s->at, n, false);
        copy_word(a->name, s->at, n, true);
        s->at += n;
        skip_blanks(s);
        size_t next = word_size(s->at);
        if (next == 0 || is_token(s->at, next)) {
            a->type = "pure-token";
            return node;
        }
        n = next;
    }
    copy_word(a->name, s->at, n, false);
    a->type = type_of(a->name);
    s->at += n;
    return node;
}

/* At "[a b ...]" whose words repeat the last ones of `list`: marks them and returns true. */
static bool parse_repetition(struct syntax *s, struct siblings *list)
{
    const char *end = strchr(s->at, ']');
    int words = 0;

    if (!end || end - s->at < 5 || strncmp(end - 4, " ...", 4) != 0 || memchr(s->at + 1, '[', (size_t)(end - s->at - 1))) {
        return false;
    }
    for (const char *p = s->at + 1; p < end - 4; p += strcspn(p, " ") + 1) {
        words++;
    }
    s->at = end + 1;
    if (words == 1 || words > list->count) {
        s->node[list->last].flags |= ARGUMENT_MULTIPLE;
        return true;
    }
    /* The last `words` siblings become a block. */
    int before = NO_NODE;
    int first = list->first;
    for (int i = 0; i < list->count - words; i++) {
        before = first;
        first = s->node[first].next;
    }
    int block = node_new(s, "block");
    s->node[block].flags = ARGUMENT_MULTIPLE;
    s->node[block].first_child = first;
    char joined[NAME_MAX_BYTES];
    (void)snprintf(joined, sizeof joined, "%.20s_%.20s", s->node[first].name, s->node[list->last].name);
    memcpy(s->node[block].name, joined, sizeof joined);
    if (before == NO_NODE) {
        list->first = block;
    } else {
        s->node[before].next = block;
    }
    list->last = block;
    list->count -= words - 1;
    return true;
}

static int parse_choice(struct syntax *s);

static struct siblings parse_sequence(struct syntax *s)
{
    struct siblings list = {NO_NODE, NO_NODE, 0};

    for (;;) {
        skip_blanks(s);
        if (*s->at == '\0' || *s->at == ']' || *s->at == '>' || *s->at == '|') {
            return list;
        }
        if (*s->at == '<') {
            s->at++;
            siblings_add(s, &list, parse_choice(s));
            ASSERT(*s->at == '>');
            s->at++;
        } else if (*s->at != '[') {
            siblings_add(s, &list, parse_word(s));
        } else if (list.count == 0 || !parse_repetition(s, &list)) {
            s->at++;
            int node = parse_choice(s);
            ASSERT(*s->at == ']' && node != NO_NODE);
            s->at++;
            s->node[node].flags |= ARGUMENT_OPTIONAL;
            siblings_add(s, &list, node);
        }
    }
}

/* What a oneof is called: rows don't say. */
static const char *choice_name(const struct syntax *s, int first)
{
    bool is_tokens = true;

    for (int i = first; i != NO_NODE; i = s->node[i].next) {
        is_tokens &= strcmp(s->node[i].type, "pure-token") == 0;
        if (strcmp(s->node[i].name, "seconds") == 0) {
            return "expiration";
        }
    }
    return is_tokens ? "condition" : "option";
}

/* The sequence as one node: itself if it has one member, else a block. */
static int sequence_node(struct syntax *s, struct siblings list)
{
    if (list.count <= 1) {
        return list.first;
    }
    int block = node_new(s, "block");
    s->node[block].first_child = list.first;
    memcpy(s->node[block].name, s->node[list.first].name, NAME_MAX_BYTES);
    return block;
}

static int parse_choice(struct syntax *s)
{
    struct siblings choices = {NO_NODE, NO_NODE, 0};

    for (;;) {
        siblings_add(s, &choices, sequence_node(s, parse_sequence(s)));
        if (*s->at != '|') {
            break;
        }
        s->at++;
    }
    if (choices.count == 1) {
        return choices.first;
    }
    int oneof = node_new(s, "oneof");
    s->node[oneof].first_child = choices.first;
    (void)snprintf(s->node[oneof].name, NAME_MAX_BYTES, "%s", choice_name(s, choices.first));
    return oneof;
}

/* The whole line; its top level as siblings. */
static int parse_line(struct syntax *s, const char *line)
{
    s->at = line;
    s->count = 0;
    struct siblings list = parse_sequence(s);
    if (*s->at == '|') {
        s->at = line;
        s->count = 0;
        return parse_choice(s);
    }
    return list.first;
}

/* --- replies ------------------------------------------------------------------------------------ */

static size_t count_siblings(const struct syntax *s, int node)
{
    size_t count = 0;

    for (; node != NO_NODE; node = s->node[node].next) {
        count++;
    }
    return count;
}

static void pair(struct reply *reply, const char *name, const char *value)
{
    reply_bulk_cstr(reply, name);
    reply_bulk_cstr(reply, value ? value : "");
}

/* `key_spec` is the specification of the next key; the last of `key_specs` covers all further ones. */
static void reply_arguments(struct reply *reply, const struct syntax *s, int node, size_t key_specs, size_t *key_spec)
{
    reply_array(reply, count_siblings(s, node));
    for (; node != NO_NODE; node = s->node[node].next) {
        const struct argument *a = &s->node[node];
        bool is_key = strcmp(a->type, "key") == 0;
        size_t flags = (a->flags & ARGUMENT_OPTIONAL ? 1u : 0u) + (a->flags & ARGUMENT_MULTIPLE ? 1u : 0u);

        reply_map(reply, 2 + (is_key ? 1u : 0u) + (a->token[0] ? 1u : 0u) + (flags ? 1u : 0u) +
                             (a->first_child != NO_NODE ? 1u : 0u));
        pair(reply, "name", a->name);
        pair(reply, "type", a->type);
        if (is_key) {
            reply_bulk_cstr(reply, "key_spec_index");
            reply_int(reply, (int64_t)*key_spec);
            *key_spec += *key_spec + 1 < key_specs ? 1 : 0;
        }
        if (a->token[0]) {
            pair(reply, "token", a->token);
        }
        if (flags) {
            reply_bulk_cstr(reply, "flags");
            reply_set(reply, flags);
            if (a->flags & ARGUMENT_OPTIONAL) {
                reply_simple(reply, "optional");
            }
            if (a->flags & ARGUMENT_MULTIPLE) {
                reply_simple(reply, "multiple");
            }
        }
        if (a->first_child != NO_NODE) {
            reply_bulk_cstr(reply, "arguments");
            reply_arguments(reply, s, a->first_child, key_specs, key_spec);
        }
    }
}

/* Lines "6.2.0 Added ...". */
static void reply_history(struct reply *reply, const char *history)
{
    size_t lines = 1;

    for (const char *p = history; *p; p++) {
        lines += *p == '\n' ? 1 : 0;
    }
    reply_bulk_cstr(reply, "history");
    reply_set(reply, lines);
    while (*history) {
        size_t n = strcspn(history, "\n");
        size_t version = strcspn(history, " ");

        ASSERT(version < n);
        reply_array(reply, 2);
        reply_bulk(reply, (struct slice){(const uint8_t *)history, version});
        reply_bulk(reply, (struct slice){(const uint8_t *)history + version + 1, n - version - 1});
        history += n + (history[n] ? 1 : 0);
    }
}

bool command_is_subcommand_of(const struct command_row *row, const struct command_row *container)
{
    size_t n = strlen(container->name);

    return strncmp(row->name, container->name, n) == 0 && row->name[n] == '|';
}

size_t command_key_spec_count(const struct command_row *row)
{
    size_t count = row->keys.first > 0 || row->key_number > 0 ? 1 : 0;

    for (const char *p = row->key_flags ? row->key_flags : ""; count > 0 && *p; p++) {
        count += *p == ';' ? 1 : 0;
    }
    return count;
}

size_t command_subcommand_count(const struct command_table *t, const struct command_row *container)
{
    size_t count = 0;

    if (container->kind != COMMAND_CONTAINER) {
        return 0;
    }
    for (size_t i = 0; i < command_table_count(t); i++) {
        count += command_is_subcommand_of(command_table_at(t, i), container) ? 1 : 0;
    }
    return count;
}

void command_docs_reply(struct reply *reply, const struct command_table *t, const struct command_row *row)
{
    size_t subcommands = command_subcommand_count(t, row);
    bool has_history = row->history && row->history[0];
    bool has_arguments = row->arguments && row->arguments[0] && subcommands == 0;
    size_t key_spec = 0;
    struct syntax syntax;

    reply_bulk_cstr(reply, row->name);
    reply_map(reply, 4 + (has_history ? 1u : 0u) + (has_arguments ? 1u : 0u) + (subcommands > 0 ? 1u : 0u));
    pair(reply, "summary", row->summary);
    pair(reply, "since", row->since);
    pair(reply, "group", row->group ? row->group : "generic");
    pair(reply, "complexity", row->complexity);
    if (has_history) {
        reply_history(reply, row->history);
    }
    if (has_arguments) {
        reply_bulk_cstr(reply, "arguments");
        reply_arguments(reply, &syntax, parse_line(&syntax, row->arguments), command_key_spec_count(row), &key_spec);
    }
    if (subcommands == 0) {
        return;
    }
    reply_bulk_cstr(reply, "subcommands");
    reply_map(reply, subcommands);
    for (size_t i = 0; i < command_table_count(t); i++) {
        if (command_is_subcommand_of(command_table_at(t, i), row)) {
            command_docs_reply(reply, t, command_table_at(t, i));
        }
    }
}
