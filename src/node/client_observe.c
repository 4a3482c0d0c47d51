#include "node/client_internal.h"

#include <ctype.h>
#include <string.h>

#include "base/number.h"
#include "resp/resp_value.h"

/* What is counted and shown about commands: INFO's statistics, the slow log, latency spikes, MONITOR.
 *
 * A command's time runs from its beginning here to its reply; for a write that includes a majority's disks. The clock is read once
 * per finished command, and that reading is the next one's beginning (client->now_us). */

/* --- keyspace_hits, keyspace_misses -------------------------------------------------------------- */

/* Elements of an array of bulks that are null. */
static uint64_t count_nulls(struct slice reply)
{
    const uint8_t *end = reply.n > 0 ? memchr(reply.p, '\n', reply.n) : NULL;
    uint64_t nulls = 0;

    while (end) {
        struct slice rest = slice_skip(reply, (size_t)(end + 1 - reply.p));
        int64_t size = 0;
        const uint8_t *cr = rest.n > 0 ? memchr(rest.p, '\r', rest.n) : NULL;

        if (!cr) {
            break;
        }
        bool is_null = rest.p[0] == '_' || (rest.n > 1 && rest.p[0] == '$' && rest.p[1] == '-');
        nulls += is_null ? 1 : 0;
        size_t line = (size_t)(cr - rest.p) + 2;
        if (!is_null && rest.p[0] == '$' && number_parse_i64((struct slice){rest.p + 1, (size_t)(cr - rest.p) - 1}, &size)) {
            line += (size_t)size + 2;
        }
        if (line > rest.n) {
            break;
        }
        reply = rest;
        end = rest.p + line - 1;
    }
    return nulls;
}

/* Read commands look their keys up once each; what they answer tells what they found. */
static void note_lookups(struct client_counters *counters, const struct command_row *row, size_t arg_count, struct slice reply)
{
    uint64_t keys = 1;
    uint64_t found = 1;
    int64_t number = 0;

    if (reply.n < 3 || reply.p[0] == '-') {
        return;
    }
    if (row->keys.last < 0 && arg_count > (size_t)row->keys.first) {
        keys = arg_count - (size_t)row->keys.first;
        found = keys;
    }
    if (reply.p[0] == '_' || memcmp(reply.p, "$-1", 3) == 0 || memcmp(reply.p, ":-2", 3) == 0 || memcmp(reply.p, "+no", 3) == 0) {
        found = 0;
    } else if (row->keys.last < 0 && reply.p[0] == '*') {
        uint64_t nulls = count_nulls(reply);

        found = nulls < keys ? keys - nulls : 0;
    } else if (row->keys.last < 0 && reply.p[0] == ':' && number_parse_i64((struct slice){reply.p + 1, reply.n - 3}, &number)) {
        found = number >= 0 && (uint64_t)number < keys ? (uint64_t)number : keys;
    }
    counters->keyspace_hits += found;
    counters->keyspace_misses += keys - found;
}

/* --- a command is answered ----------------------------------------------------------------------- */

void client_note_error(struct client *c, struct slice reply)
{
    c->clients->counters.errors++;
    command_stats_error(c->clients->stats, reply);
}

void client_note_call(struct client *c, const struct command_row *row, const struct command *command, uint64_t started_us,
                      struct slice reply, bool is_error)
{
    const struct node_env *env = node_environment(c->node);
    const struct options *o = node_options(c->node);
    uint64_t now_us = env->now_us(env->ctx);
    uint64_t usec = now_us > started_us ? now_us - started_us : 0;
    bool has_failed = is_error && reply.n > 0 && (reply.p[0] == '-' || reply.p[0] == 'E');

    c->now_us = now_us;
    struct command_stat *stat = command_stats_call(c->clients->stats, row, usec, has_failed);
    if (o->latency_tracking) {
        command_stats_time(stat, usec);
    }
    if (row->kind == COMMAND_DATA && (row->flags & COMMAND_READONLY) && row->keys.first > 0) {
        note_lookups(&c->clients->counters, row, command ? command->arg_count : 0, reply);
    }
    if (command && o->slowlog_log_slower_than >= 0 && usec >= (uint64_t)o->slowlog_log_slower_than &&
        !(row->flags & COMMAND_SKIP_SLOWLOG)) {
        struct command_copy hidden = {0};
        struct command shown = client_redact(row, command, &hidden);

        slowlog_push(c->clients->slowlog, &shown, env->wall_ms ? env->wall_ms(env->ctx) : 0, usec, c->info.address, c->name,
                     (size_t)o->slowlog_max_len);
        mem_free(hidden.arg);
    }
    if (o->latency_monitor_threshold > 0 && usec / 1000 >= (uint64_t)o->latency_monitor_threshold) {
        latency_add(&c->clients->latency, row->flags & COMMAND_FAST ? "fast-command" : "command",
                    (env->wall_ms ? env->wall_ms(env->ctx) : 0) / 1000, usec / 1000);
    }
}

void client_note_nested(struct client *c, const struct transaction *t, struct slice reply, bool has_errors)
{
    struct resp_value_reader reader = {0};
    struct resp_value *all = NULL;
    size_t consumed = 0;

    /* Too deep for the reader is nothing that a command answers. */
    if (has_errors && resp_value_next(&reader, reply, &all, &consumed) != PARSE_OK) {
        all = NULL;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct resp_value *one = all && i < all->child_count ? &all->child[i] : NULL;
        bool has_failed = one && one->type == RESP_ERROR;

        command_stats_nested(c->clients->stats, t->item[i].row, has_failed);
        if (has_failed) {
            client_note_error(c, (struct slice){one->text.p - 1, one->text.n + 1});
        }
    }
    resp_value_free(all);
}

/* --- MONITOR ------------------------------------------------------------------------------------- */

/* The command without what must not be seen: passwords. Arguments of the copy are borrowed; its block is owned. */
struct command client_redact(const struct command_row *row, const struct command *command, struct command_copy *block)
{
    bool is_auth = strcmp(row->name, "auth") == 0 || strcmp(row->name, "text.auth") == 0;
    bool is_hello = strcmp(row->name, "hello") == 0;
    bool is_config = strcmp(row->name, "config|set") == 0;

    if (!is_auth && !is_hello && !is_config) {
        return *command;
    }
    block->arg = mem_alloc_array(command->arg_count, sizeof *block->arg);
    memcpy(block->arg, command->arg, command->arg_count * sizeof *block->arg);
    for (size_t i = 1; i < command->arg_count; i++) {
        const struct option_row *option = is_config && i >= 2 && i % 2 == 0 ? options_find(command->arg[i]) : NULL;

        if (is_auth) {
            block->arg[i] = SLICE_LITERAL("(redacted)");
        } else if (is_hello && slice_equal_nocase(command->arg[i], "auth")) {
            for (size_t hidden = i + 1; hidden <= i + 2 && hidden < command->arg_count; hidden++) {
                block->arg[hidden] = SLICE_LITERAL("(redacted)");
            }
            i += 2;
        } else if (option && (option->flags & OPTION_SECRET) && i + 1 < command->arg_count) {
            block->arg[i + 1] = SLICE_LITERAL("(redacted)");
        }
    }
    return (struct command){block->arg, command->arg_count};
}

/* As Redis's sdscatrepr. */
static void append_quoted(struct buf *out, struct slice s)
{
    static const char escaped[] = "\\\"\n\r\t\a\b";
    static const char letter[] = "\\\"nrtab";

    buf_append_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(escaped, s.p[i]) : NULL;

        if (at) {
            buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)letter[at - escaped]);
        } else if (isprint(s.p[i])) {
            buf_append_byte(out, s.p[i]);
        } else {
            buf_printf(out, "\\x%02x", s.p[i]);
        }
    }
    buf_append_byte(out, '"');
}

void client_show(struct client *c, const struct command_row *row, const struct command *command)
{
    struct list *monitors = &c->clients->monitors;
    const struct node_env *env = node_environment(c->node);

    if (list_empty(monitors) || (row->flags & COMMAND_ADMIN)) {
        return;
    }
    struct command_copy hidden = {0};
    struct command shown = client_redact(row, command, &hidden);
    struct buf line = {0};
    int64_t wall_ms = env->wall_ms ? env->wall_ms(env->ctx) : 0;
    buf_printf(&line, "+%lld.%06lld [%u ", (long long)(wall_ms / 1000),
               (long long)(wall_ms % 1000 * 1000 + (int64_t)(env->now_us(env->ctx) % 1000)), c->db);
    buf_printf(&line, c->info.is_unix ? "unix:%.*s]" : "%.*s]",
               (int)(strlen(c->info.address) - (c->info.is_unix ? 2 : 0)), c->info.address);
    for (size_t i = 0; i < shown.arg_count; i++) {
        buf_append_byte(&line, ' ');
        append_quoted(&line, shown.arg[i]);
    }
    buf_append(&line, "\r\n", 2);
    for (struct list *at = monitors->next; at != monitors; at = at->next) {
        struct client *monitor = CONTAINER_OF(at, struct client, in_monitors);
        if (monitor->is_killed)
            continue;
        buf_append_slice(&monitor->output, buf_slice(&line));
        if (buf_size(&monitor->output) > (size_t)node_options(c->node)->client_output_limit) {
            COVER("client: a monitor does not read");
            monitor->is_killed = true;
        }
        client_mark_dirty(monitor);
    }
    buf_deinit(&line);
    mem_free(hidden.arg);
}
