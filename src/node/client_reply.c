#include "node/client_internal.h"

#include "base/mem.h"
#include "node/client_http.h"
#include "resp/text.h"

/* Replies of one client leave in the order of its commands, whatever order they are made in.
 *
 * Every command takes its place in the FIFO client->slots unless the FIFO is empty and its reply is made at once: then it goes
 * straight to client->output (the hot path). The reply of the first slot is written straight to the output
 * too; others collect theirs in slot->reply until everything before them has gone.
 *
 * S1 client->output never holds a byte of a reply while an earlier one is incomplete.
 * S2 The first slot of the FIFO is never ready: ready ones leave at once (slots_flush).
 * S3 client->requests holds exactly the slots with is_request, in the same order.
 * S4 A reply that lacks numbers (PUBLISH waits for other nodes' counts) stays in its slot until it has them.
 *
 * Pushes (messages, invalidations) have no command, but their place is as strict: an invalidation must not overtake the reply whose
 * value it takes back.
 *
 * S5 A push stands behind every reply made before it. Usually that is the end of the output; when replies wait in the FIFO behind one that
 *    is not made yet, the push waits behind them.
 * S6 A push never stands inside a reply: while one is open, pushes gather in client->pushes. */

static struct client_slot *slot_of(struct request *request)
{
    return CONTAINER_OF(request, struct client_slot, request);
}

static bool slot_is_first(const struct client *c, const struct client_slot *slot)
{
    return c->slots.next == &slot->in_client;
}

static void slots_flush(struct client *c)
{
    while (!list_empty(&c->slots)) {
        struct client_slot *slot = CONTAINER_OF(c->slots.next, struct client_slot, in_client);

        if (slot->holes) { /* S4 */
            break;
        }
        if (slot->exchange && !slot->is_ready) {
            break; /* A reply becomes a response only as a whole. */
        }
        if (slot->exchange) {
            client_http_finish(c, slot);
        } else {
            buf_append_slice(&c->output, buf_slice(&slot->reply));
            buf_clear(&slot->reply, 0);
        }
        if (!slot->is_ready) {
            break;
        }
        c->slot_count--;
        c->made_count -= slot->is_made ? 1 : 0;
        client_slot_free(c->clients, slot);
    }
    client_mark_dirty(c);
}

bool client_has_undecided(const struct client *c)
{
    return !list_empty(&c->requests);
}

void client_slot_made(struct client *c, struct client_slot *slot)
{
    if (!slot->is_made) {
        slot->is_made = true;
        c->made_count++;
    }
}

/* --- pushes -------------------------------------------------------------------------------------- */

static struct client_slot *slot_add_ready(struct client *c, enum reply_protocol protocol)
{
    struct client_slot *slot = client_slot_new(c, protocol);

    slot->is_ready = true;
    client_slot_made(c, slot);
    return slot;
}

static struct client_slot *slot_last(struct client *c)
{
    return CONTAINER_OF(c->slots.prev, struct client_slot, in_client);
}

/* S5 */
static struct buf *push_place(struct client *c)
{
    if (c->made_count == 0) {
        return &c->output;
    }
    COVER("client: a push waits behind replies");
    return slot_last(c)->is_ready ? &slot_last(c)->reply : &slot_add_ready(c, c->protocol)->reply;
}

static void pushes_flush(struct client *c)
{
    c->is_replying = false;
    if (buf_size(&c->pushes) > 0) {
        buf_append_slice(push_place(c), buf_slice(&c->pushes));
        buf_clear(&c->pushes, 4096);
        client_mark_dirty(c);
    }
}

void client_push(struct client *c, struct slice bytes)
{
    size_t limit = (size_t)node_options(c->node)->client_output_limit_pubsub;

    if (c->is_killed || c->is_closing || c->http) {
        return;
    }
    buf_append_slice(c->is_replying ? &c->pushes : push_place(c), bytes);
    c->pushed_bytes += bytes.n;
    if (c->pushed_bytes > limit && (c->made_count > 0 || buf_size(&c->output) + buf_size(&c->pushes) > limit)) {
        COVER("client: a subscriber does not read");
        log_line(&node_environment(c->node)->log, LOG_WARNING,
                 "Closing the client %s: more than client-output-limit-pubsub bytes of messages wait for it.", c->info.address);
        c->clients->pushes_refused++;
        c->is_killed = true;
    }
    client_mark_dirty(c);
}

/* --- replies made at once ------------------------------------------------------------------------ */

/* In RESP, or the text grammar's "ERROR: ...". */
static bool is_error_reply(struct slice made)
{
    return made.n > 0 && (made.p[0] == '-' || made.p[0] == 'E');
}

/* HTTP: a slot even when it is the only one, since what is written there is no response yet. */
static struct reply local_begin_http(struct client *c, enum reply_protocol protocol)
{
    struct client_slot *slot = client_slot_new(c, protocol);

    slot->exchange = http_exchange_keep(c->http->exchange);
    c->local_mark = 0;
    return (struct reply){.out = &slot->reply, .protocol = protocol};
}

struct reply client_local_begin(struct client *c, enum reply_protocol protocol)
{
    struct reply reply = {.out = &c->output, .protocol = protocol};

    if (c->http) {
        return local_begin_http(c, protocol);
    }
    if (!list_empty(&c->slots)) {
        struct client_slot *last = CONTAINER_OF(c->slots.prev, struct client_slot, in_client);

        if (!last->is_ready) {
            last = slot_add_ready(c, protocol);
        }
        reply.out = &last->reply;
    }
    c->local_mark = buf_size(reply.out);
    c->is_replying = true;
    return reply;
}

void client_local_cancel(struct client *c, const struct reply *reply)
{
    ASSERT(buf_size(reply->out) == c->local_mark);
    pushes_flush(c);
    if (c->http) {
        c->slot_count--;
        client_slot_free(c->clients, CONTAINER_OF(reply->out, struct client_slot, reply));
    }
}

/* The row made a request or waits, and its reply comes later: then nothing was written. */
static void local_end_http(struct client *c, const struct reply *reply)
{
    struct client_slot *slot = CONTAINER_OF(reply->out, struct client_slot, reply);

    if (buf_size(reply->out) == 0) {
        client_local_cancel(c, reply);
        return;
    }
    slot->is_ready = true;
    if (slot_is_first(c, slot)) {
        slots_flush(c);
    }
}

void client_local_end(struct client *c, const struct reply *reply)
{
    struct slice made = slice_skip(buf_slice(reply->out), c->local_mark);

    /* Errors inside an array are those of a transaction's commands, which are counted by client_note_nested. */
    if (reply->is_error && is_error_reply(made)) {
        client_note_error(c, made);
    }
    if (c->is_muted) {
        buf_truncate(reply->out, c->local_mark);
    }
    pushes_flush(c);
    client_mark_dirty(c);
    if (c->http) {
        local_end_http(c, reply);
    }
}

void client_error(struct client *c, enum reply_protocol protocol, const char *text)
{
    struct reply reply = client_local_begin(c, protocol);

    reply_error(&reply, text);
    client_local_end(c, &reply);
}

void client_tell_to_wait(struct client_slot *slot)
{
    struct client *c = slot->request.client;

    if (!slot->is_request || !c || slot->is_told_to_wait || slot->is_muted || slot->protocol != REPLY_TEXT) {
        return;
    }
    struct reply reply = {.out = slot_is_first(c, slot) ? &c->output : &slot->reply, .protocol = REPLY_TEXT};
    reply_line(&reply, slice_from_cstr(TEXT_LEADER_RETRYING));
    slot->is_told_to_wait = true;
    client_mark_dirty(c);
}

/* --- replies of requests ------------------------------------------------------------------------- */

void client_reply_begin(struct request *request, struct reply *reply)
{
    struct client_slot *slot = slot_of(request);
    struct client *c = request->client;

    *reply = (struct reply){.protocol = REPLY_DISCARD};
    slot->open = reply;
    if (!c) {
        return;
    }
    reply->protocol = slot->protocol;
    bool has_holes = slot->transaction && transaction_publishes(slot->transaction);
    reply->out = slot_is_first(c, slot) && !has_holes && !slot->exchange ? &c->output : &slot->reply;
    slot->mark = buf_size(reply->out);
    c->is_replying = true;
}

void client_reply_abort(struct request *request)
{
    struct client_slot *slot = slot_of(request);

    if (slot->open && slot->open->out) {
        buf_truncate(slot->open->out, slot->mark);
    }
    slot->open = NULL;
    if (request->client) {
        pushes_flush(request->client);
    }
}

static void client_note_reply(struct client *c, const struct client_slot *slot)
{
    size_t size = slot->open && slot->open->out ? buf_size(slot->open->out) : 0;
    size_t bytes = size > slot->mark ? size - slot->mark : 0;
    size_t faded = c->reply_bytes_recent - c->reply_bytes_recent / 64;

    c->reply_bytes_recent = bytes + 1 > faded ? bytes + 1 : faded;
}

/* Counts the command. */
static void slot_note(struct client *c, struct client_slot *slot)
{
    const struct request *request = &slot->request;
    bool is_write = request->kind == REQUEST_WRITE;
    struct slice made = {0};

    if (slot->open && slot->open->out) {
        made = slice_skip(buf_slice(slot->open->out), slot->mark);
    }
    if (slot->open && slot->open->is_error && is_error_reply(made)) {
        client_note_error(c, made);
    }
    if (slot->is_tracked && !is_write && !request->is_vain) {
        tracking_remember(c, request->row, &request->command);
    }
    if (is_write) {
        c->last_write = keyspace_index(node_keyspace(c->node));
    }
    if (slot->transaction && made.n > 1 && made.p[0] == '*' && made.p[1] != '-') {
        client_note_nested(c, slot->transaction, made, slot->open->is_error);
    }
    /* What went into the log after all has its arguments still. */
    const struct command *command = request->command.arg_count > 0 ? &request->command : &slot->noted;
    client_note_call(c, request->row, command->arg_count > 0 ? command : NULL, slot->started_us, made,
                     slot->open && slot->open->is_error);
}

/* The slot's reply is complete: leave the list of the undecided, and the FIFO if it is its turn. */
static void slot_complete(struct client *c, struct client_slot *slot)
{
    slot_note(c, slot);
    client_note_reply(c, slot);
    if (slot->is_muted && slot->open && slot->open->out) {
        buf_truncate(slot->open->out, slot->mark);
        client_holes_drop(slot);
    }
    slot->open = NULL;
    list_remove(&slot->request.in_client);
    slot->is_request = false;
    slot->is_ready = !slot->holes;
    client_slot_made(c, slot);
    if (slot->request.run_fn == watch_run) {
        c->watches_pending--;
        c->is_watch_failed |= !slot->did_run && c->watches_void == 0;
        c->watches_void -= c->watches_void > 0 ? 1 : 0;
    }
    if (!client_has_undecided(c)) {
        c->is_barred = false;
    }
    client_mark_dirty(c);
    if (slot->holes) {
        client_holes_less(slot);
    } else if (slot_is_first(c, slot)) {
        slots_flush(c);
    }
    pushes_flush(c);
}

void client_slot_filled(struct client_slot *slot)
{
    struct client *c = slot->request.client;

    slot->is_ready = true;
    client_slot_made(c, slot);
    if (slot_is_first(c, slot)) {
        slots_flush(c);
    }
}

void client_reply_end(struct request *request)
{
    struct client_slot *slot = slot_of(request);
    struct client *c = request->client;

    if (!c) {
        request_free(request);
        return;
    }
    slot_complete(c, slot);
}

void client_reply_detach(struct request *request)
{
    struct client_slot *slot = slot_of(request);
    struct client *c = request->client;

    slot->open = slot->open && c ? slot->open : NULL;
    if (!c) {
        return;
    }
    /* The slot is the request's memory and stays with it; a fresh one takes its place and its reply in the FIFO. */
    struct client_slot *heir = client_slot_new(c, slot->protocol);
    struct list *before = slot->in_client.prev;
    list_remove(&heir->in_client);
    list_remove(&slot->in_client);
    list_prepend(before, &heir->in_client);
    list_remove(&request->in_client);
    request->client = NULL;
    c->slot_count--;
    heir->reply = slot->reply;
    slot->reply = (struct buf){0};
    heir->open = slot->open;
    if (heir->open && heir->open->out == &slot->reply) {
        heir->open->out = &heir->reply;
    }
    heir->exchange = slot->exchange;
    slot->exchange = NULL;
    heir->mark = slot->mark;
    heir->is_muted = slot->is_muted;
    heir->started_us = slot->started_us;
    heir->request.row = request->row;
    heir->request.kind = REQUEST_READ; /* Nobody knows its index. */
    slot->open = NULL;
    slot->is_request = false;
    slot_complete(c, heir);
}

void client_reply_local(struct request *request, size_t position, struct reply *reply)
{
    struct client_slot *slot = slot_of(request);

    if (request->client && slot->transaction) {
        request->client->exec_slot = slot;
        transaction_run_local(request->client, slot->transaction, position, reply);
        request->client->exec_slot = NULL;
    }
}

void client_reply_item(struct request *request, size_t position)
{
    struct client_slot *slot = slot_of(request);

    if (request->client && slot->transaction && slot->is_tracked) {
        const struct transaction_item *item = &slot->transaction->item[position];
        struct command command = {item->command.arg, item->command.arg_count};

        tracking_remember(request->client, item->row, &command);
    }
}

struct request *client_first_request(struct client *c)
{
    return list_empty(&c->requests) ? NULL : CONTAINER_OF(c->requests.next, struct request, in_client);
}

struct request *client_next_request(struct request *request)
{
    struct list *next = request->in_client.next;

    return !request->client || next == &request->client->requests ? NULL : CONTAINER_OF(next, struct request, in_client);
}

void request_free(struct request *request)
{
    struct client_slot *slot = slot_of(request);

    ASSERT(!request->client);
    list_remove(&request->in_node);
    client_slot_free(NULL, slot);
}
