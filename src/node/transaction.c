#include "node/client_internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "node/exec_payload.h"
#include "node/proposal.h"
#include "node/settings.h"

/* MULTI, EXEC, DISCARD, WATCH, UNWATCH (DESIGN §6).
 *
 * T1 EXEC is ONE log entry: the watched keys with the index of their last change, then every data command, reads too. It is decided
 *    as one: all of it at one index, or nothing.
 * T2 A WATCH is a quorum read that records, on this node, the index of each key's last change. EXEC waits for its own
 *    connection's WATCHes; one that failed makes EXEC fail, never run unguarded.
 * T3 Connection and node commands in a transaction run at this node, when the entry is applied here and its watch held; their
 *    replies are spliced in (client_reply_local). As they may change what follows (SELECT, HELLO), nothing
 *    behind such an EXEC begins before it is decided (is_barred).
 * T4 Arguments that fail a row's check are an item's reply, as in Redis; such an item is local and never reaches the log.
 * T5 A transaction of local items only, with nothing watched, needs no entry. */

/* All of a transaction is one log entry. */
static size_t transaction_bytes_max(const struct client *c)
{
    return (size_t)node_options(c->node)->max_write_size;
}

struct transaction *transaction_new(void)
{
    return mem_alloc_zero(sizeof(struct transaction));
}

void transaction_free(struct transaction *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        command_copy_deinit(&t->item[i].command);
        mem_free(t->item[i].error);
    }
    mem_free(t->item);
    mem_free(t);
}

void client_unwatch(struct client *c)
{
    for (size_t i = 0; i < c->watch_count; i++) {
        slice_replace(&c->watch[i].key, (struct slice){0});
    }
    c->watch_count = 0;
    c->watch_bytes = 0;
    c->watches_void = c->watches_pending; /* a refused EXEC does not wait for its WATCH (transaction_must_wait) */
    c->is_watch_failed = false;
}

void transaction_discard(struct client *c)
{
    transaction_free(c->transaction);
    c->transaction = NULL;
    client_unwatch(c);
}

/* --- queueing --------------------------------------------------------------------------------- */

/* The error a row's check would answer, as "CODE message"; NULL when it is content. Returns owned. */
static char *transaction_check(const struct command_row *row, const struct command *command)
{
    struct buf out = {0};
    struct reply reply = {.out = &out, .protocol = REPLY_RESP2};
    char *error = NULL;

    if (row->kind == COMMAND_DATA && row->check && !row->check(command, &reply)) {
        struct slice text = buf_slice(&out);

        ASSERT(text.n > 3 && text.p[0] == '-');
        error = mem_copy_string(text.p + 1, text.n - 3);
    }
    buf_deinit(&out);
    return error;
}

void transaction_queue(struct client *c, const struct command_row *row, const struct command *command,
                       struct reply *reply)
{
    struct transaction *t = c->transaction;
    size_t bytes = 32;

    for (size_t i = 0; i < command->arg_count; i++) {
        bytes += command->arg[i].n + 4;
    }
    if (t->bytes + bytes > transaction_bytes_max(c)) {
        t->is_aborted = true;
        reply_error(reply, "ERR the transaction is bigger than max-write-size");
        return;
    }
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 8;
        t->item = mem_realloc_array(t->item, t->capacity, sizeof *t->item);
    }
    struct transaction_item *item = &t->item[t->count++];
    t->has_publish |= row->run_local == row_publish || row->run_local == row_spublish;
    *item = (struct transaction_item){.row = row, .error = transaction_check(row, command)};
    command_copy_init(&item->command, command);
    t->bytes += bytes;
    reply_simple(reply, "QUEUED");
}

/* --- EXEC ------------------------------------------------------------------------------------- */

/* CONFIG SET of options of the cluster changes the state, like a data command. */
static bool item_is_setting(const struct transaction_item *item)
{
    struct command command = {item->command.arg, item->command.arg_count};
    struct reply nobody = {.protocol = REPLY_DISCARD};

    return item->row->number == PROPOSAL_OPTION && settings_are_named(&command) && settings_check(&command, &nobody);
}

static bool item_is_local(const struct transaction_item *item)
{
    return (item->row->kind != COMMAND_DATA && !item_is_setting(item)) || item->error;
}

static bool transaction_has_local(const struct transaction *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->item[i].row->kind != COMMAND_DATA) {
            return true;
        }
    }
    return false;
}

static bool transaction_needs_entry(const struct client *c)
{
    for (size_t i = 0; i < c->transaction->count; i++) {
        if (!item_is_local(&c->transaction->item[i])) {
            return true;
        }
    }
    return c->watch_count > 0;
}

/* Its reply holds numbers that other nodes know. */
bool transaction_publishes(const struct transaction *t)
{
    return t->has_publish;
}

bool transaction_must_wait(const struct client *c, const struct command_row *row)
{
    bool ends_watch = row->run_local == row_exec || row->run_local == row_discard || row->run_local == row_unwatch ||
                      strcmp(row->name, "reset") == 0;

    if (ends_watch && c->watches_pending > 0) {
        return true;
    }
    return row->run_local == row_exec && c->transaction && !c->transaction->is_aborted && !transaction_needs_entry(c);
}

void transaction_run_local(struct client *c, struct transaction *t, size_t position, struct reply *reply)
{
    ASSERT(position < t->count);
    struct transaction_item *item = &t->item[position];
    struct command command = {item->command.arg, item->command.arg_count};

    ASSERT(item_is_local(item));
    if (item->error) {
        reply_error(reply, item->error);
        return;
    }
    /* The item's own reply still has the protocol that HELLO sets. */
    c->is_in_exec = true;
    item->row->run_local(c, &command, reply);
    c->is_in_exec = false;
    if (reply->protocol != REPLY_DISCARD) {
        reply->protocol = c->protocol;
    }
}

/* With a PUBLISH among them its reply may have to wait for numbers: then it has a slot of its own. */
static void transaction_run_all_local(struct client *c, struct transaction *t, struct reply *reply)
{
    struct client_slot *slot = t->has_publish ? client_slot_new(c, reply->protocol) : NULL;
    struct reply own = {.protocol = reply->protocol};

    if (slot) {
        slot->request.client = c;
        slot->is_muted = c->is_muted;
        own.out = &slot->reply;
        c->exec_slot = slot;
        reply = &own;
    }
    size_t mark = reply->out ? buf_size(reply->out) : 0;
    reply_array(reply, t->count);
    for (size_t i = 0; i < t->count; i++) {
        transaction_run_local(c, t, i, reply);
    }
    c->exec_slot = NULL;
    client_note_nested(c, t, reply->out ? slice_skip(buf_slice(reply->out), mark) : (struct slice){0}, reply->is_error);
    transaction_free(t);
    if (slot) {
        client_slot_made(c, slot);
        if (slot->is_muted) {
            client_holes_drop(slot);
            buf_clear(&slot->reply, 0);
        }
        if (slot->holes) {
            client_holes_less(slot);
        } else {
            client_slot_filled(slot);
        }
    }
}

/* The database that a queued SELECT leads to, if it is a valid one. */
static uint32_t db_after(const struct transaction_item *item, uint32_t db)
{
    int64_t wanted = 0;

    if (strcmp(item->row->name, "select") == 0 && number_parse_i64(item->command.arg[1], &wanted) && wanted >= 0 &&
        wanted < LIMIT_DATABASES) {
        return (uint32_t)wanted;
    }
    return strcmp(item->row->name, "reset") == 0 ? 0 : db;
}

/* Encodes everything into `bytes`, and where its pieces end into `end` (count + 1 of them: watch list, items). */
static void transaction_encode(struct client *c, const struct transaction *t, struct buf *bytes, size_t *end)
{
    uint32_t db = c->db;

    exec_watch_begin(bytes, (uint32_t)c->watch_count);
    for (size_t i = 0; i < c->watch_count; i++) {
        struct exec_watch watch = {(uint8_t)c->watch[i].db, c->watch[i].index, c->watch[i].key};

        exec_watch_append(bytes, &watch);
    }
    end[0] = buf_size(bytes);
    for (size_t i = 0; i < t->count; i++) {
        const struct transaction_item *item = &t->item[i];
        struct command command = {item->command.arg, item->command.arg_count};
        bool is_local = item_is_local(item);

        exec_item_append(bytes, is_local ? 0 : item->row->number, is_local ? 0 : item->row->version, (uint8_t)db, &command);
        db = db_after(item, db);
        end[i + 1] = buf_size(bytes);
    }
}

static void transaction_submit(struct client *c, struct transaction *t, enum reply_protocol protocol)
{
    struct buf bytes = {0};
    size_t *end = mem_alloc_array(t->count + 1, sizeof *end);
    struct slice *arg = mem_alloc_array(t->count + 2, sizeof *arg);
    struct command command = {arg, t->count + 2};

    transaction_encode(c, t, &bytes, end);
    arg[0] = SLICE_LITERAL("exec");
    for (size_t i = 0; i < t->count + 1; i++) {
        size_t start = i == 0 ? 0 : end[i - 1];

        arg[i + 1] = (struct slice){buf_slice(&bytes).p + start, end[i] - start};
    }
    c->is_barred = transaction_has_local(t);
    client_submit_write(c, command_table_by_name(node_commands(c->node), arg[0]), &command, protocol, t);
    mem_free(arg);
    mem_free(end);
    buf_deinit(&bytes);
}

/* Watched keys stand in the entry, too. */
static bool transaction_fits(const struct client *c, const struct transaction *t)
{
    size_t most = transaction_bytes_max(c);
    size_t left = most > t->bytes ? most - t->bytes : 0;

    for (size_t i = 0; i < c->watch_count; i++) {
        size_t bytes = c->watch[i].key.n + 13;

        if (bytes > left) {
            return false;
        }
        left -= bytes;
    }
    return true;
}

void row_exec(struct client *c, const struct command *command, struct reply *reply)
{
    struct transaction *t = c->transaction;

    (void)command;
    if (!t) {
        reply_error(reply, "ERR EXEC without MULTI");
        return;
    }
    if (t->is_aborted) {
        transaction_discard(c);
        reply_error(reply, "EXECABORT Transaction discarded because of previous errors.");
        return;
    }
    if (c->is_watch_failed) {
        COVER("transaction: EXEC after a WATCH that failed");
        transaction_discard(c);
        reply_error(reply, "EXECABORT Transaction discarded because a WATCH before it failed.");
        return;
    }
    if (!transaction_fits(c, t)) {
        transaction_discard(c);
        reply_error(reply, "EXECABORT Transaction discarded because it is bigger than max-write-size.");
        return;
    }
    bool needs_entry = transaction_needs_entry(c);
    c->transaction = NULL;
    for (size_t i = 0; i < t->count; i++) {
        struct command queued = {t->item[i].command.arg, t->item[i].command.arg_count};

        client_show(c, t->item[i].row, &queued);
    }
    if (needs_entry) {
        transaction_submit(c, t, reply->protocol);
    } else {
        transaction_run_all_local(c, t, reply);
    }
    client_unwatch(c);
}

/* --- the other rows --------------------------------------------------------------------------- */

void row_multi(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (c->transaction) {
        reply_error(reply, "ERR MULTI calls can not be nested");
        return;
    }
    c->transaction = transaction_new();
    reply_simple(reply, "OK");
}

void row_discard(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (!c->transaction) {
        reply_error(reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_discard(c);
    reply_simple(reply, "OK");
}

void row_unwatch(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    client_unwatch(c);
    reply_simple(reply, "OK");
}

/* Looking for doubles among many keys would take longer than keeping them: a key watched twice is checked twice, and the older index
 * decides, as it must. */
#define WATCH_SEARCH_MAX 64
/* Keys watched by one connection, in the bytes an EXEC carries. */
#define WATCH_BYTES_MAX (64u * 1024u * 1024u)

static bool client_watches(const struct client *c, uint32_t db, struct slice key)
{
    for (size_t i = 0; i < c->watch_count; i++) {
        if (c->watch[i].db == db && slice_equal(c->watch[i].key, key)) {
            return true;
        }
    }
    return false;
}

static void client_watch(struct client *c, uint32_t db, struct slice key, raft_index index)
{
    if (c->watch_count < WATCH_SEARCH_MAX && client_watches(c, db, key)) {
        return;
    }
    if (c->watch_count == c->watch_capacity) {
        c->watch_capacity = c->watch_capacity ? 2 * c->watch_capacity : 4;
        c->watch = mem_realloc_array(c->watch, c->watch_capacity, sizeof *c->watch);
    }
    struct client_watch *watch = &c->watch[c->watch_count++];
    *watch = (struct client_watch){.db = db, .index = index};
    slice_replace(&watch->key, key);
    c->watch_bytes += key.n + 13;
}

/* Runs when the read is confirmed. Nothing is recorded if a due key was met: then the core runs it again. */
void watch_run(struct request *request, struct command_run *run, struct reply *reply)
{
    struct client_slot *slot = CONTAINER_OF(request, struct client_slot, request);
    const struct command *command = &request->command;

    for (size_t i = 1; i < command->arg_count; i++) {
        (void)keyspace_last_change(&run->view, command->arg[i]);
    }
    if (run->view.met_due) {
        return;
    }
    size_t bytes = request->client ? request->client->watch_bytes : 0;
    for (size_t i = 1; i < command->arg_count; i++) {
        bytes += command->arg[i].n + 13;
    }
    if (bytes > WATCH_BYTES_MAX) {
        COVER("transaction: too many keys are watched");
        reply_error(reply, "ERR too many watched keys");
        return;
    }
    for (size_t i = 1; request->client && request->client->watches_void == 0 && i < command->arg_count; i++) {
        client_watch(request->client, request->db, command->arg[i], keyspace_last_change(&run->view, command->arg[i]));
    }
    slot->did_run = true;
    reply_simple(reply, "OK");
}

void row_watch(struct client *c, const struct command *command, struct reply *reply)
{
    if (c->transaction) {
        reply_error(reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    c->watches_pending++;
    client_submit_read(c, command_table_by_name(node_commands(c->node), SLICE_LITERAL("watch")), command, reply->protocol,
                       watch_run);
}
