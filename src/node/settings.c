#include "node/settings.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/number.h"

/* Options of the cluster. Their values are state (keyspace/settings.h), so that every replica computes the same whatever its own
 * file says:
 *
 *   file, flag --of the node that forms the cluster--> GENESIS --+
 *   CONFIG SET on any node --> PROPOSAL_OPTION, through the log --+--> the state --> commands, CONFIG GET
 *
 * On every other node, and at every later start, what file and flag say of them has no effect; the node says so once it knows better. */

/* --- CONFIG SET ------------------------------------------------------------------------------- */

/* The option that argument `i` names, if it is one of the cluster; NULL. */
static const struct option_row *settings_row(const struct command *command, size_t i)
{
    const struct option_row *row = options_find(command->arg[i]);
    return row && row->scope == OPTION_SCOPE_CLUSTER ? row : NULL;
}

bool settings_are_named(const struct command *command)
{
    for (size_t i = 2; i < command->arg_count; i += 2) {
        if (settings_row(command, i)) {
            return true;
        }
    }
    return false;
}

/* The number that `value` says, parsed as in a file. Else `why` has a phrase. */
static bool settings_parse(const struct option_row *row, struct slice value, int64_t *number, struct buf *why)
{
    struct options o;
    struct buf text = {0};

    options_init(&o);
    bool is_ok = options_set(&o, row, value, why) == ERR_OK;
    if (is_ok) {
        options_format(&o, row, &text);
        is_ok = number_parse_i64(buf_slice(&text), number);
        ASSERT(is_ok); /* settings.def has numbers only */
    }
    options_deinit(&o);
    buf_deinit(&text);
    return is_ok;
}

static void settings_failed(struct reply *reply, struct slice name, struct slice why)
{
    reply_errorf(reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s", (int)name.n, (const char *)name.p,
                 (int)why.n, (const char *)why.p);
}

static bool settings_check_pair(const struct command *command, size_t i, struct reply *reply)
{
    const struct option_row *row = settings_row(command, i);
    struct buf why = {0};
    int64_t number;

    if (!row) {
        settings_failed(reply, command->arg[i],
                        SLICE_LITERAL("an option of this node and one of the cluster can't be set together"));
        return false;
    }
    for (size_t j = 2; j < i; j += 2) {
        if (settings_row(command, j) == row) {
            settings_failed(reply, command->arg[i], SLICE_LITERAL("duplicate parameter"));
            return false;
        }
    }
    bool is_ok = settings_parse(row, command->arg[i + 1], &number, &why);
    if (!is_ok) {
        settings_failed(reply, command->arg[i], buf_slice(&why));
    }
    buf_deinit(&why);
    return is_ok;
}

bool settings_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count % 2 != 0) {
        reply_error(reply, "ERR wrong number of arguments for 'config|set' command");
        return false;
    }
    for (size_t i = 2; i < command->arg_count; i += 2) {
        if (!settings_check_pair(command, i, reply)) {
            return false;
        }
    }
    return true;
}

void settings_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!settings_check(command, reply)) {
        return;
    }
    for (size_t i = 2; i < command->arg_count; i += 2) {
        const struct option_row *row = settings_row(command, i);
        struct buf why = {0};
        enum setting s;
        int64_t number = 0;
        bool is_ok = settings_parse(row, command->arg[i + 1], &number, &why) && setting_find(slice_from_cstr(row->name), &s);

        ASSERT(is_ok);
        keyspace_set_setting(run->view.keyspace, s, number);
        buf_deinit(&why);
    }
    reply_simple(reply, "OK");
}

/* --- what is in force ------------------------------------------------------------------------- */

void settings_format(const struct options *o, const struct keyspace *state, const struct option_row *row, struct buf *out)
{
    enum setting s;

    if (!state || row->scope != OPTION_SCOPE_CLUSTER || !setting_find(slice_from_cstr(row->name), &s)) {
        options_format(o, row, out);
        return;
    }
    buf_printf(out, "%lld", (long long)keyspace_setting(state, s));
}

void settings_mirror(struct options *o, const struct keyspace *state)
{
    for (size_t i = 0; i < options_count(); i++) {
        const struct option_row *row = options_at(i);
        struct buf text = {0};
        struct buf why = {0};

        if (row->scope == OPTION_SCOPE_CLUSTER) {
            settings_format(o, state, row, &text);
            enum err e = options_set(o, row, buf_slice(&text), &why);
            ASSERT(e == ERR_OK);
        }
        buf_deinit(&text);
        buf_deinit(&why);
    }
}

/* What file and flags say. */
static int64_t settings_given(const struct options *o, enum setting s)
{
    const struct option_row *row = options_find(slice_from_cstr(setting_at(s)->name));
    struct buf text = {0};
    int64_t number = 0;

    options_format(o, row, &text);
    bool is_ok = number_parse_i64(buf_slice(&text), &number);
    ASSERT(is_ok);
    buf_deinit(&text);
    return number;
}

void settings_warn(const struct log_sink *log, const struct options *o, const struct keyspace *state)
{
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_at((enum setting)i);
        int64_t given = settings_given(o, (enum setting)i);
        int64_t value = keyspace_setting(state, (enum setting)i);

        if (given != row->value && given != value) {
            log_line(log, LOG_WARNING,
                     "Option '%s' is the cluster's, and there it is %lld: %lld, as this node was started with, has no effect. "
                     "CONFIG SET changes it, on all nodes.",
                     row->name, (long long)value, (long long)given);
        }
    }
}

/* --- formation -------------------------------------------------------------------------------- */

size_t settings_to_genesis(const struct options *o, struct buf *text, struct slice *arg)
{
    size_t end[SETTING_COUNT];
    size_t count = 0;

    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        int64_t given = settings_given(o, (enum setting)i);

        if (given != setting_at((enum setting)i)->value) {
            buf_printf(text, "%lld", (long long)given);
            end[count] = buf_size(text);
            arg[2 * count++] = slice_from_cstr(setting_at((enum setting)i)->name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t start = i > 0 ? end[i - 1] : 0;
        arg[2 * i + 1] = (struct slice){buf_slice(text).p + start, end[i] - start};
    }
    return count;
}

bool settings_from_genesis(const struct slice *arg, size_t arg_count, struct keyspace *k)
{
    enum setting s[SETTING_COUNT];
    int64_t value[SETTING_COUNT];
    size_t count = arg_count / 2;

    if (arg_count % 2 != 0 || count > SETTING_COUNT) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!setting_find(arg[2 * i], &s[i]) || !number_parse_i64(arg[2 * i + 1], &value[i]) ||
            value[i] < setting_at(s[i])->min || value[i] > setting_at(s[i])->max) {
            return false;
        }
    }
    for (size_t i = 0; k && i < count; i++) {
        keyspace_set_setting(k, s[i], value[i]);
    }
    return true;
}
