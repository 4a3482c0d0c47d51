#include "node/rows_changes.h"

#include <string.h>

#include "base/number.h"
#include "commands/arguments.h"
#include "http/api.h"
#include "keyspace/changes.h"
#include "keyspace/value.h"
#include "node/client_internal.h"

/* __changes__: entry ids are <index>-<part>, fields event, key, value, old, db (value and old only where there is one; of a value
 * that isn't copied, type and size). It begins where nothing is missing; an id from before that is answered -COMPACTED. */

#define COUNT_MAX 10000u

struct stream_id {
    uint64_t index;
    uint64_t part;
};

/* "12", "12-3"; `part` when there is none. */
static bool parse_id(struct slice text, uint64_t part, struct stream_id *id)
{
    const uint8_t *dash = text.n > 0 ? memchr(text.p, '-', text.n) : NULL;

    id->part = part;
    return number_parse_u64((struct slice){text.p, dash ? (size_t)(dash - text.p) : text.n}, &id->index) &&
           (!dash || number_parse_u64(slice_skip(text, (size_t)(dash - text.p) + 1), &id->part));
}

static void reply_id(struct reply *reply, uint64_t index, uint64_t part)
{
    struct buf text = {0};

    buf_printf(&text, "%llu-%llu", (unsigned long long)index, (unsigned long long)part);
    reply_bulk(reply, buf_slice(&text));
    buf_deinit(&text);
}

static void reply_value(struct reply *reply, const char *name, const struct change_value *v)
{
    if (v->kind == CHANGE_ABSENT) {
        return;
    }
    struct buf field = {0};
    buf_printf(&field, "%s%s", name, v->kind == CHANGE_REFERENCE ? "-type" : "");
    reply_bulk(reply, buf_slice(&field));
    buf_deinit(&field);
    if (v->kind == CHANGE_BYTES) {
        reply_bulk(reply, v->bytes);
    } else {
        reply_bulk_cstr(reply, value_type_name((enum value_type)v->type));
    }
}

static void feed_reply_change(const struct keyspace *k, uint64_t position, struct reply *reply)
{
    struct change change;

    changes_get(k, position, &change);
    size_t values = (change.before.kind != CHANGE_ABSENT) + (size_t)(change.after.kind != CHANGE_ABSENT);
    reply_array(reply, 2);
    reply_id(reply, change.index, change.part);
    reply_array(reply, 2 * (3 + values));
    reply_bulk_cstr(reply, "event");
    reply_bulk(reply, change.event);
    reply_bulk_cstr(reply, "key");
    reply_bulk(reply, change.key);
    reply_value(reply, "value", &change.after);
    reply_value(reply, "old", &change.before);
    reply_bulk_cstr(reply, "db");
    reply_bulk_int(reply, change.db);
}

/* --- XREAD ------------------------------------------------------------------------------------------- */

struct xread {
    bool is_blocking;
    uint64_t block_ms;
    uint64_t count;
    size_t stream; /* position of the key; its id follows the last key */
    size_t stream_count;
};

static bool parse_xread(const struct command *command, struct xread *x)
{
    *x = (struct xread){.count = COUNT_MAX};
    for (size_t i = 1; i < command->arg_count; i++) {
        bool has_next = i + 1 < command->arg_count;

        if (argument_is(command->arg[i], "streams")) {
            x->stream = i + 1;
            x->stream_count = (command->arg_count - i - 1) / 2;
            return x->stream_count > 0 && (command->arg_count - i - 1) % 2 == 0;
        }
        if (argument_is(command->arg[i], "count") && has_next) {
            if (!number_parse_u64(command->arg[++i], &x->count)) {
                return false;
            }
        } else if (argument_is(command->arg[i], "block") && has_next) {
            x->is_blocking = true;
            if (!number_parse_u64(command->arg[++i], &x->block_ms)) {
                return false;
            }
        } else {
            return false;
        }
    }
    return false;
}

/* The first position behind `id`. False: an error was written. */
static bool find_after(const struct keyspace *k, const struct stream_id *id, uint64_t *position, struct reply *reply)
{
    uint32_t part;
    raft_index dropped = changes_dropped(k, &part);

    if (changes_are_on(k) && (id->index < dropped || (id->index == dropped && id->part < part))) {
        reply_errorf(reply, "COMPACTED the changes before %llu are not held any more; the first id to go on from is %llu-%u",
                     (unsigned long long)changes_first(k), (unsigned long long)dropped, part);
        return false;
    }
    bool is_whole = id->part >= UINT32_MAX;
    *position = changes_find(k, is_whole ? id->index + 1 : id->index, is_whole ? 0 : (uint32_t)id->part + 1);
    return true;
}

static void reply_xread(const struct keyspace *k, const struct command *command, const struct xread *x, const struct stream_id *id,
                        struct reply *reply)
{
    uint64_t position = 0;

    if (!find_after(k, id, &position, reply)) {
        return;
    }
    uint64_t count = changes_end(k) - position;
    count = x->count > 0 && count > x->count ? x->count : count;
    count = count > COUNT_MAX ? COUNT_MAX : count;
    if (count == 0) {
        reply_null_array(reply);
        return;
    }
    if (reply->protocol == REPLY_RESP3) {
        reply_map(reply, 1);
    } else {
        reply_array(reply, 1);
        reply_array(reply, 2);
    }
    reply_bulk(reply, command->arg[x->stream]);
    reply_array(reply, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        feed_reply_change(k, position + i, reply);
    }
}

/* What XREAD waits behind: "$" is the newest now. */
static bool xread_id(const struct keyspace *k, const struct command *command, const struct xread *x, struct stream_id *id)
{
    struct slice text = command->arg[x->stream + x->stream_count];

    if (slice_equal(text, SLICE_LITERAL("$"))) {
        *id = (struct stream_id){keyspace_index(k), UINT32_MAX};
        return true;
    }
    return parse_id(text, 0, id);
}

static bool xread_is_right(const struct command *command, struct xread *x, struct reply *reply)
{
    if (!parse_xread(command, x)) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    if (x->stream_count != 1) {
        reply_error(reply, "ERR " CHANGES_STREAM " is read alone: XREAD [COUNT n] [BLOCK ms] STREAMS " CHANGES_STREAM " id");
        return false;
    }
    return true;
}

static void row_xread(struct client *c, const struct command *command, struct reply *reply)
{
    const struct keyspace *k = node_keyspace(c->node);
    struct xread x;
    struct stream_id id;

    if (!xread_is_right(command, &x, reply)) {
        return;
    }
    if (!xread_id(k, command, &x, &id)) {
        reply_error(reply, "ERR Invalid stream ID specified as stream command argument");
        return;
    }
    if (!x.is_blocking || (changes_are_on(k) && changes_find(k, id.index, 0) < changes_end(k))) {
        struct buf probe = {0};
        struct reply now = {.out = &probe, .protocol = reply->protocol};

        reply_xread(k, command, &x, &id, &now);
        if (!x.is_blocking || now.is_error || !reply_is_null(buf_slice(&probe))) {
            buf_append_slice(reply->out, buf_slice(&probe));
            reply->is_error = now.is_error;
            buf_deinit(&probe);
            return;
        }
        buf_deinit(&probe);
    }
    c->wait.is_feed_new = slice_equal(command->arg[x.stream + 1], SLICE_LITERAL("$"));
    c->wait.feed_index = id.index;
    c->wait.feed_part = id.part;
    client_wait_for_changes(c, command, x.block_ms * 1000, reply);
}

bool changes_wait_is_over(struct client *c, const struct command *command)
{
    const struct keyspace *k = node_keyspace(c->node);
    bool is_whole = c->wait.feed_part >= UINT32_MAX;

    (void)command;
    return changes_are_on(k) && changes_find(k, is_whole ? c->wait.feed_index + 1 : c->wait.feed_index,
                                             is_whole ? 0 : (uint32_t)c->wait.feed_part + 1) < changes_end(k);
}

void changes_wait_reply(struct client *c, const struct command *command, struct reply *reply)
{
    struct xread x;
    struct stream_id id = {c->wait.feed_index, c->wait.feed_part};

    if (command->arg_count == 0 || !parse_xread(command, &x) || !changes_are_on(node_keyspace(c->node))) {
        reply_null_array(reply);
        return;
    }
    uint32_t part;
    raft_index dropped = changes_dropped(node_keyspace(c->node), &part);
    if (c->wait.is_feed_new && id.index < dropped) {
        id = (struct stream_id){dropped, part};
    }
    reply_xread(node_keyspace(c->node), command, &x, &id, reply);
}

/* --- XRANGE, XLEN, XINFO --------------------------------------------------------------------------------- */

static bool parse_bound(struct slice text, bool is_start, struct stream_id *id)
{
    bool is_open = text.n > 0 && text.p[0] == '(';

    if (slice_equal(text, SLICE_LITERAL("-")) || slice_equal(text, SLICE_LITERAL("+"))) {
        *id = text.p[0] == '-' ? (struct stream_id){0, 0} : (struct stream_id){UINT64_MAX, UINT32_MAX};
        return true;
    }
    if (!parse_id(slice_skip(text, is_open ? 1 : 0), is_start ? 0 : UINT32_MAX, id)) {
        return false;
    }
    if (is_open && is_start) {
        id->part++;
    } else if (is_open) {
        id->index -= id->part == 0;
        id->part = id->part == 0 ? UINT32_MAX : id->part - 1;
    }
    return true;
}

static void xrange_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct keyspace *k = run->view.keyspace;
    bool is_backwards = argument_is(command->arg[0], "xrevrange");
    struct stream_id from;
    struct stream_id to;
    uint64_t count = COUNT_MAX;

    if (!parse_bound(command->arg[is_backwards ? 3 : 2], true, &from) || !parse_bound(command->arg[is_backwards ? 2 : 3], false, &to)) {
        reply_error(reply, "ERR Invalid stream ID specified as stream command argument");
        return;
    }
    if (command->arg_count != 4 &&
        (command->arg_count != 6 || !argument_is(command->arg[4], "count") || !number_parse_u64(command->arg[5], &count))) {
        reply_error(reply, REPLY_SYNTAX);
        return;
    }
    uint64_t first = changes_find(k, from.index, from.part > UINT32_MAX ? UINT32_MAX : (uint32_t)from.part);
    uint64_t end = to.index == UINT64_MAX ? changes_end(k)
                   : to.part >= UINT32_MAX ? changes_find(k, to.index + 1, 0)
                                           : changes_find(k, to.index, (uint32_t)to.part + 1);
    uint64_t size = end > first ? end - first : 0;
    count = count > COUNT_MAX ? COUNT_MAX : count;
    size = size > count ? count : size;
    reply_array(reply, (size_t)size);
    for (uint64_t i = 0; i < size; i++) {
        feed_reply_change(k, is_backwards ? end - 1 - i : first + i, reply);
    }
}

static void xlen_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)changes_count(run->view.keyspace));
}

static void reply_edge(const struct keyspace *k, const char *name, uint64_t position, struct reply *reply)
{
    reply_bulk_cstr(reply, name);
    if (changes_count(k) == 0) {
        reply_null(reply);
    } else {
        feed_reply_change(k, position, reply);
    }
}

static void xinfo_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct keyspace *k = run->view.keyspace;
    uint32_t part;
    raft_index last = changes_last(k, &part);

    (void)command;
    reply_map(reply, 10);
    reply_bulk_cstr(reply, "length");
    reply_int(reply, (int64_t)changes_count(k));
    reply_bulk_cstr(reply, "radix-tree-keys");
    reply_int(reply, 0);
    reply_bulk_cstr(reply, "radix-tree-nodes");
    reply_int(reply, 0);
    reply_bulk_cstr(reply, "last-generated-id");
    reply_id(reply, last, part);
    reply_bulk_cstr(reply, "max-deleted-entry-id");
    last = changes_dropped(k, &part);
    reply_id(reply, last, part);
    reply_bulk_cstr(reply, "entries-added");
    reply_int(reply, (int64_t)changes_end(k));
    reply_bulk_cstr(reply, "recorded-first-entry-id");
    reply_id(reply, changes_first(k), 0);
    reply_bulk_cstr(reply, "groups");
    reply_int(reply, 0);
    reply_edge(k, "first-entry", changes_begin(k), reply);
    reply_edge(k, "last-entry", changes_end(k) - (changes_count(k) > 0), reply);
}

/* Every other command on a stream: it can only be read. */
static void row_read_only(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_error(reply, "ERR " CHANGES_STREAM " is the change feed: it can only be read, with XREAD, XRANGE, XREVRANGE, XLEN or XINFO STREAM");
}

#define FEED_ROW(row_name, row_arity) .name = row_name, .arity = row_arity, .group = "stream", .acl_categories = "@read @stream @slow", .since = "7.0.0"

const struct command_row *changes_row_for(const struct command *command)
{
    static const struct command_row xread_row = {FEED_ROW("xread", -4), .kind = COMMAND_CONNECTION, .flags = COMMAND_READONLY | COMMAND_BLOCKING | COMMAND_NO_MULTI, .run_local = row_xread};
    static const struct command_row xrange_row = {FEED_ROW("xrange", -4), .kind = COMMAND_DATA, .flags = COMMAND_READONLY | COMMAND_NO_MULTI, .run = xrange_run};
    static const struct command_row xlen_row = {FEED_ROW("xlen", 2), .kind = COMMAND_DATA, .flags = COMMAND_READONLY | COMMAND_NO_MULTI, .run = xlen_run};
    static const struct command_row xinfo_row = {FEED_ROW("xinfo|stream", -3), .kind = COMMAND_DATA, .flags = COMMAND_READONLY | COMMAND_NO_MULTI, .run = xinfo_run};
    static const struct command_row other_row = {FEED_ROW("xadd", -2), .kind = COMMAND_CONNECTION, .flags = COMMAND_NO_MULTI, .run_local = row_read_only};
    struct slice name = command->arg[0];
    struct slice feed = SLICE_LITERAL(CHANGES_STREAM);

    if (name.n < 4 || (name.p[0] | 0x20) != 'x') {
        return NULL;
    }
    if (slice_equal_nocase(name, "xread")) {
        for (size_t i = 2; i < command->arg_count; i++) {
            if (slice_equal(command->arg[i], feed)) {
                return &xread_row;
            }
        }
        return NULL;
    }
    if (slice_equal_nocase(name, "xinfo") && command->arg_count > 2 && slice_equal(command->arg[2], feed)) {
        return slice_equal_nocase(command->arg[1], "stream") ? &xinfo_row : &other_row;
    }
    if (command->arg_count < 2 || !slice_equal(command->arg[1], feed)) {
        return NULL;
    }
    if (slice_equal_nocase(name, "xrange") || slice_equal_nocase(name, "xrevrange")) {
        return &xrange_row;
    }
    return slice_equal_nocase(name, "xlen") ? &xlen_row : &other_row;
}
