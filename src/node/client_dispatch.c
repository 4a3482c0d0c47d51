#include "node/client_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/client_http.h"
#include "node/cut.h"
#include "node/planned.h"
#include "node/rows.h"
#include "node/rows_changes.h"

/* What Redis's processCommand does, in its order (COMPAT §2.1): unknown command, arity, password, not in a transaction, memory and disk,
 * then queue in MULTI, or run.
 *
 *   data write          -> check -> request -> the log (node_submit_write), or in vain: as a read (client_vain.c)
 *   data read           -> check -> at once where the level allows it, else request (node_submit_read)
 *   node, connection    -> run here; INFO and the like after everything in front of them is decided */

bool client_needs_password(const struct client *c)
{
    return node_options(c->node)->requirepass[0] != '\0';
}

void client_set_authenticated(struct client *c, bool is_authenticated)
{
    c->is_authenticated = is_authenticated;
    c->resp.is_authenticated = is_authenticated;
}

void client_reset(struct client *c)
{
    transaction_discard(c);
    pubsub_close(&c->subscriptions);
    tracking_stop(c);
    list_remove(&c->in_monitors);
    c->is_reply_off = false;
    c->is_skip_next = false;
    c->is_muted = false;
    c->is_no_evict = false;
    c->is_readonly = false;
    c->db = 0;
    c->protocol = REPLY_RESP2;
    c->read_level = -1;
    slice_replace(&c->name, (struct slice){0});
    client_set_authenticated(c, !client_needs_password(c));
}

/* --- refusals --------------------------------------------------------------------------------- */

/* `text` with its code, as reply_error takes it. In a transaction the refusal makes EXEC fail, and a refused
 * EXEC ends it. */
static void client_reject(struct client *c, const struct command_row *row, struct slice text, enum reply_protocol protocol)
{
    struct reply reply = client_local_begin(c, protocol);

    if (c->transaction) {
        c->transaction->is_aborted = true;
    }
    if (row) {
        command_stats_rejected(c->clients->stats, row);
    }
    if (row && row->run_local == row_exec) {
        bool is_plain = text.n > 4 && memcmp(text.p, "ERR ", 4) == 0;
        struct slice shown = is_plain ? slice_skip(text, 4) : text;

        transaction_discard(c);
        reply_errorf(&reply, "EXECABORT Transaction discarded because of: %.*s", (int)shown.n, (const char *)shown.p);
    } else {
        reply_error_slice(&reply, text);
    }
    client_local_end(c, &reply);
}

/* At most `max` bytes, up to a NUL as C's %s sees it. */
static void append_shown(struct buf *out, struct slice s, size_t max)
{
    size_t n = s.n < max ? s.n : max;
    const uint8_t *nul = n > 0 ? memchr(s.p, 0, n) : NULL;

    buf_append(out, s.p, nul ? (size_t)(nul - s.p) : n);
}

static void client_reject_unknown(struct client *c, bool is_subcommand_unknown, const struct command *command,
                                  enum reply_protocol protocol)
{
    struct buf text = {0};
    const char *family = planned_family(command->arg[0]);

    if (family) {
        buf_printf(&text, "ERR '");
        append_shown(&text, command->arg[0], 128);
        buf_printf(&text, "' is not available yet: %s are planned", family);
    } else if (is_subcommand_unknown) {
        buf_printf(&text, "ERR unknown subcommand '");
        append_shown(&text, command->arg[1], 128);
        buf_printf(&text, "'. Try ");
        for (size_t i = 0; i < command->arg[0].n; i++) {
            buf_append_byte(&text, (uint8_t)toupper(command->arg[0].p[i]));
        }
        buf_printf(&text, " HELP.");
    } else {
        buf_printf(&text, "ERR unknown command '");
        append_shown(&text, command->arg[0], 128);
        buf_printf(&text, "', with args beginning with: ");
        size_t args_start = buf_size(&text);
        for (size_t i = 1; i < command->arg_count && buf_size(&text) - args_start < 128; i++) {
            size_t room = 128 - (buf_size(&text) - args_start);

            buf_append_byte(&text, '\'');
            append_shown(&text, command->arg[i], room);
            buf_append(&text, "' ", 2);
        }
    }
    client_reject(c, NULL, buf_slice(&text), protocol);
    buf_deinit(&text);
}

/* The bytes one log entry would need, about, against max-write-size (DESIGN §8: refused before it is appended). */
static bool command_is_too_big(const struct client *c, const struct command *command)
{
    size_t limit = (size_t)node_options(c->node)->max_write_size;
    size_t bytes = 0;

    for (size_t i = 1; i < command->arg_count; i++) {
        bytes += command->arg[i].n + 4;
        if (bytes > limit) {
            return true;
        }
    }
    return false;
}

/* NULL when the command may be queued or run. */
static const char *client_refusal(struct client *c, const struct command_row *row, const struct command *command)
{
    if (row->run_local == row_debug && !debug_is_allowed(c)) {
        return "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a "
               "local connection, otherwise you need to set this option in the configuration file, and then restart the "
               "server.";
    }
    if (!c->is_authenticated && client_needs_password(c) && !(row->flags & COMMAND_NO_AUTH)) {
        return "NOAUTH Authentication required.";
    }
    if (node_is_cut(c->node) && (row->kind == COMMAND_DATA || row->run_local == row_exec)) {
        return "CLUSTERDOWN this node was asked to fail, the command was not executed";
    }
    const char *moved = cluster_redirect(c, row, command);
    if (moved) {
        return moved;
    }
    if (c->transaction && (row->flags & COMMAND_NO_MULTI)) {
        return "ERR Command not allowed inside a transaction";
    }
    if (row->kind == COMMAND_DATA && (row->flags & COMMAND_WRITE)) {
        if (command_is_too_big(c, command)) {
            return "ERR the write is bigger than max-write-size, it was not executed";
        }
        return node_write_refusal(c->node, row);
    }
    if (row->kind == COMMAND_DATA) {
        return node_read_refusal(c->node);
    }
    if (row->run_local == row_exec && c->transaction) {
        for (size_t i = 0; i < c->transaction->count; i++) {
            const struct command_row *queued = c->transaction->item[i].row;
            const char *refusal = queued->kind != COMMAND_DATA       ? NULL
                                  : queued->flags & COMMAND_WRITE ? node_write_refusal(c->node, queued)
                                                                  : node_read_refusal(c->node);

            if (refusal) {
                return refusal;
            }
        }
    }
    return NULL;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool slot_keeps(struct client_slot *slot, const struct command *command)
{
    size_t bytes = 0;

    for (size_t i = 0; i < command->arg_count; i++) {
        bytes += command->arg[i].n;
    }
    if (command->arg_count > SLOT_ARGS || bytes > SLOT_BYTES) {
        struct command_copy copy;

        command_copy_init(&copy, command);
        slot->block = copy.arg;
        slot->request.command = (struct command){copy.arg, copy.arg_count};
        slot->request.size = bytes;
        return false;
    }
    uint8_t *at = slot->bytes;
    for (size_t i = 0; i < command->arg_count; i++) {
        if (command->arg[i].n > 0) {
            memcpy(at, command->arg[i].p, command->arg[i].n);
        }
        slot->arg[i] = (struct slice){at, command->arg[i].n};
        at += command->arg[i].n;
    }
    slot->request.command = (struct command){slot->arg, command->arg_count};
    return true;
}

/* A write's arguments go into the log; what the slow log may want of them is kept here. */
static void slot_notes(struct client_slot *slot, const struct command *command)
{
    size_t bytes = 0;

    for (size_t i = 0; i < command->arg_count; i++) {
        bytes += command->arg[i].n;
    }
    if (command->arg_count <= SLOT_ARGS && bytes <= SLOT_BYTES) {
        (void)slot_keeps(slot, command);
        slot->noted = slot->request.command;
        slot->request.command = (struct command){0};
        return;
    }
    /* Long arguments: their beginnings only, in the words of the slow log when it is too late for their true size. */
    struct slice arg[SLOWLOG_ARGS_MAX];
    struct command cut = {arg, command->arg_count < SLOWLOG_ARGS_MAX ? command->arg_count : SLOWLOG_ARGS_MAX};
    struct buf text = {0};
    struct command_copy copy;
    size_t end[SLOWLOG_ARGS_MAX];
    for (size_t i = 0; i < cut.arg_count; i++) {
        slowlog_append_argument(&text, command, i);
        end[i] = buf_size(&text);
    }
    for (size_t i = 0; i < cut.arg_count; i++) {
        size_t start = i > 0 ? end[i - 1] : 0;

        arg[i] = (struct slice){buf_slice(&text).p + start, end[i] - start};
    }
    command_copy_init(&copy, &cut);
    slot->block = copy.arg;
    slot->noted = (struct command){copy.arg, copy.arg_count};
    buf_deinit(&text);
}

static struct client_slot *client_new_request(struct client *c, const struct command_row *row, enum request_kind kind,
                                              enum reply_protocol protocol)
{
    struct client_slot *slot = client_slot_new(c, protocol);
    struct request *request = &slot->request;

    slot->is_request = true;
    slot->exchange = c->http ? http_exchange_keep(c->http->exchange) : NULL;
    slot->is_muted = c->is_muted;
    slot->is_tracked = tracking_wants(c);
    slot->started_us = c->now_us;
    c->did_submit = true;
    request->client = c;
    request->row = row;
    request->kind = kind;
    request->state = kind == REQUEST_WRITE ? REQUEST_UNSENT : REQUEST_UNCONFIRMED;
    request->db = c->db;
    request->deadline_us = c->now_us + (uint64_t)node_options(c->node)->request_timeout * 1000;
    list_append(&c->requests, &request->in_client);
    if (protocol == REPLY_TEXT && !node_has_leader(c->node)) {
        client_tell_to_wait(slot);
    }
    return slot;
}

static enum read_level client_read_level(const struct client *c)
{
    return c->read_level >= 0 ? (enum read_level)c->read_level : (enum read_level)node_options(c->node)->read_consistency;
}

/* Lease and stale reads, when nothing of this connection is under way: no slot, no copy. */
static bool client_read_now(struct client *c, const struct command_row *row, const struct command *command,
                            enum reply_protocol protocol, enum read_level level)
{
    struct command_run run = {0};

    if (!list_empty(&c->slots) || !node_try_read_now(c->node, level, c->db, &run)) {
        return false;
    }
    if ((row->flags & COMMAND_WRITE) && (!row->is_vain(row, &run, command) || run.view.met_due)) {
        return false;
    }
    struct reply reply = client_local_begin(c, protocol);
    size_t mark = c->local_mark;
    row->run(&run, command, &reply);
    if (run.view.met_due && level != READ_STALE) {
        COVER("client: a read at once met a due key");
        buf_truncate(reply.out, mark);
        client_local_cancel(c, &reply);
        return false;
    }
    if (tracking_wants(c) && !(row->flags & COMMAND_WRITE)) {
        tracking_remember(c, row, command);
    }
    c->clients->counters.reads_at_once++;
    client_note_call(c, row, command, c->now_us, slice_skip(buf_slice(reply.out), mark), reply.is_error);
    client_local_end(c, &reply);
    return true;
}

void client_submit_read(struct client *c, const struct command_row *row, const struct command *command,
                        enum reply_protocol protocol,
                        void (*run_fn)(struct request *request, struct command_run *run, struct reply *reply))
{
    enum read_level level = run_fn ? READ_QUORUM : client_read_level(c);

    if (level != READ_QUORUM && client_read_now(c, row, command, protocol, level)) {
        return;
    }
    struct client_slot *slot = client_new_request(c, row, REQUEST_READ, protocol);
    slot_keeps(slot, command);
    slot->request.level = level;
    slot->request.run_fn = run_fn;
    node_submit_read(c->node, &slot->request);
}

void client_submit_vain_read(struct client *c, const struct command_row *row, const struct command *command,
                             enum reply_protocol protocol)
{
    enum read_level level = client_read_level(c) == READ_LEASE ? READ_LEASE : READ_QUORUM; /* N3 of client_vain.c */

    if (level == READ_LEASE && client_read_now(c, row, command, protocol, level)) {
        return;
    }
    struct client_slot *slot = client_new_request(c, row, REQUEST_READ, protocol);
    slot_keeps(slot, command);
    slot->request.level = MUT(42) ? READ_STALE : level;
    slot->request.is_vain = true;
    node_submit_read(c->node, &slot->request);
}

struct client_slot *client_submit_write(struct client *c, const struct command_row *row, const struct command *command,
                                        enum reply_protocol protocol, struct transaction *transaction)
{
    if (!MUT(43)) {
        client_submit_after_all(c); /* N2 of client_vain.c */
    }
    struct client_slot *slot = client_new_request(c, row, REQUEST_WRITE, protocol);

    slot->transaction = transaction;
    if (!transaction && node_options(c->node)->slowlog_log_slower_than >= 0) {
        slot_notes(slot, command);
    }
    node_submit_write(c->node, &slot->request, command);
    return slot;
}

static void client_run_data(struct client *c, const struct command_row *row, const struct command *command,
                            enum reply_protocol protocol)
{
    if (row->check) {
        struct reply reply = client_local_begin(c, protocol);
        size_t mark = buf_size(reply.out);

        if (!row->check(command, &reply)) {
            client_note_call(c, row, command, c->now_us, slice_skip(buf_slice(reply.out), mark), true);
            client_local_end(c, &reply);
            return;
        }
        ASSERT(buf_size(reply.out) == mark);
        client_local_cancel(c, &reply);
    }
    client_show(c, row, command);
    if (row->flags & COMMAND_WRITE) {
        if (client_submit_vain(c, row, command, protocol)) {
            return;
        }
        client_submit_write(c, row, command, protocol, NULL);
        c->is_barred |= (row->flags & COMMAND_BLOCKING) != 0; /* As in Redis, what is behind it waits with it. */
    } else {
        client_submit_read(c, row, command, protocol, NULL);
    }
}

static bool row_is_never_queued(const struct command_row *row)
{
    return row->run_local == row_exec || row->run_local == row_discard || row->run_local == row_multi ||
           row->run_local == row_watch || strcmp(row->name, "quit") == 0 || strcmp(row->name, "reset") == 0;
}

static void client_run_local(struct client *c, const struct command_row *row, const struct command *command,
                             enum reply_protocol protocol)
{
    struct reply reply = client_local_begin(c, protocol);

    size_t mark = c->local_mark;
    uint64_t started_us = c->now_us;

    c->did_submit = false;
    c->pushed_in_front = 0;
    row->run_local(c, command, &reply);
    mark += c->pushed_in_front;
    client_show(c, row, command);
    if (!c->did_submit) {
        client_note_call(c, row, command, started_us, slice_skip(buf_slice(reply.out), mark), reply.is_error);
    }
    c->local_mark = mark;
    client_local_end(c, &reply);
}

/* Commands that must see the outcome of everything in front of them, or change what it means. */
static bool client_must_hold(const struct client *c, const struct command_row *row)
{
    if ((row->flags & COMMAND_PUBSUB) && row->kind == COMMAND_CONNECTION && !list_empty(&c->slots)) {
        return true; /* Its messages must not come before the replies in front of it. */
    }
    return client_has_undecided(c) && (row->kind == COMMAND_NODE || transaction_must_wait(c, row));
}

static void client_hold(struct client *c, const struct command_row *row, const struct command *command,
                        enum reply_protocol protocol)
{
    command_copy_init(&c->held, command);
    c->held_row = row;
    c->held_protocol = protocol;
}

/* Nothing speaks against it: queue or run it, now or when its time has come. */
static void client_begin(struct client *c, const struct command_row *row, const struct command *command,
                         enum reply_protocol protocol)
{
    if (client_is_paused(c, row)) {
        client_hold(c, row, command, protocol);
        c->is_held_by_pause = true;
        c->clients->held_by_pause++;
    } else if (c->transaction && !row_is_never_queued(row)) {
        struct reply reply = client_local_begin(c, protocol);

        transaction_queue(c, row, command, &reply);
        client_local_end(c, &reply);
    } else if (client_must_hold(c, row)) {
        client_hold(c, row, command, protocol);
    } else if (row->kind == COMMAND_DATA) {
        client_run_data(c, row, command, protocol);
    } else {
        client_run_local(c, row, command, protocol);
    }
}

void client_dispatch(struct client *c, const struct command_row *row, bool is_subcommand_unknown,
                     const struct command *command, enum reply_protocol protocol)
{
    const struct command_row *feed_row = changes_row_for(command);
    row = feed_row ? feed_row : row;
    if (!row) {
        client_reject_unknown(c, is_subcommand_unknown, command, protocol);
        return;
    }
    c->last_row = row;
    tracking_begin_command(c);
    if (!command_arity_ok(row, command->arg_count) || (row->kind == COMMAND_CONTAINER && !row->run_local)) {
        char text[192];

        (void)snprintf(text, sizeof text, "ERR wrong number of arguments for '%s' command", row->name);
        client_reject(c, row, slice_from_cstr(text), protocol);
        return;
    }
    const char *refusal = client_refusal(c, row, command);
    if (refusal) {
        client_reject(c, row, slice_from_cstr(refusal), protocol);
        return;
    }
    if (c->protocol == REPLY_RESP2 && client_is_subscriber(c) && !client_may_as_subscriber(row)) {
        char text[192];

        (void)snprintf(text, sizeof text,
                       "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
                       "context", row->name);
        client_reject(c, row, slice_from_cstr(text), protocol);
        return;
    }
    client_begin(c, row, command, protocol);
}

void client_run_held(struct client *c)
{
    struct command_copy held = c->held;
    struct command command = {held.arg, held.arg_count};

    ASSERT(!client_has_undecided(c));
    c->held = (struct command_copy){0};
    c->clients->held_by_pause -= c->is_held_by_pause ? 1 : 0;
    c->is_held_by_pause = false;
    client_begin(c, c->held_row, &command, c->held_protocol);
    command_copy_deinit(&held);
}
