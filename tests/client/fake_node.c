#include "tests/client/fake_node.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/announce.h"
#include "node/cut.h"
#include "node/http_live.h"
#include "node/membership.h"
#include "node/proposal.h"
#include "tests/lib/whole_table.h"

static uint64_t fake_now_us(void *ctx)
{
    struct node *n = ctx;

    return n->now_us + (n->command_us > 0 ? n->command_us * clients_counters(n->clients)->commands : 0);
}

static void fake_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void fake_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 0x5a, n);
}

struct node *fake_new(void)
{
    struct node *n = mem_alloc_zero(sizeof *n);
    struct siphash_key seed = {{1, 2, 3}};

    options_init(&n->options);
    n->now_us = 1000000;
    n->env = (struct node_env){.ctx = n, .now_us = fake_now_us, .random = fake_random, .log = {LOG_WARNING, fake_log, NULL}};
    n->table = whole_table();
    changes_init(&n->changes);
    n->changes.is_history = false;
    struct keyspace_hooks hooks = changes_hooks(&n->changes);
    n->keyspace = keyspace_new(&seed, &hooks);
    n->has_leader = true;
    n->clients = clients_new(n);
    return n;
}

static void fake_drop(struct fake_request *r)
{
    mem_free(r->arg);
    mem_free(r->bytes);
    r->arg = NULL;
    r->bytes = NULL;
    r->request = NULL;
}

void fake_free(struct node *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->queue[i].request) {
            request_free(n->queue[i].request);
        }
        fake_drop(&n->queue[i]);
    }
    fake_tell_counts(n, 0);
    clients_free(n->clients);
    keyspace_free(n->keyspace);
    options_deinit(&n->options);
    mem_free(n);
}

/* --- what clients call -------------------------------------------------------------------------- */

const struct options *node_options(const struct node *n)
{
    return &n->options;
}

struct options *node_options_edit(struct node *n)
{
    return &n->options;
}

const char *node_read_refusal(struct node *n)
{
    (void)n;
    return NULL;
}

const struct keyspace *node_settings(struct node *n)
{
    return n->keyspace;
}

const struct node_env *node_environment(const struct node *n)
{
    return &n->env;
}

struct keyspace *node_keyspace(struct node *n)
{
    return n->keyspace;
}

const struct command_table *node_commands(const struct node *n)
{
    return n->table;
}

struct pace *node_pace(struct node *n)
{
    return &n->pace;
}

struct changes *node_changes(struct node *n)
{
    return &n->changes;
}

struct clients *node_clients(struct node *n)
{
    return n->clients;
}

bool node_window_is_full(const struct node *n)
{
    return n->is_window_full;
}

bool node_has_leader(const struct node *n)
{
    return n->has_leader;
}

const char *node_write_refusal(struct node *n, const struct command_row *row)
{
    return row->flags & COMMAND_DENYOOM ? n->refusal : NULL;
}

void node_get_snapshot(const struct node *n, struct node_snapshot_status *status)
{
    (void)n;
    *status = (struct node_snapshot_status){0};
}

void node_unblock(struct node *n, struct request *request, bool is_error)
{
    (void)n;
    (void)request;
    (void)is_error;
}

size_t node_blocked_count(const struct node *n)
{
    (void)n;
    return 0;
}

void node_get_status(struct node *n, struct node_status *status)
{
    *status = (struct node_status){.id = 7, .leader_address = n->has_leader ? "127.0.0.1:7001" : "",
                                   .own_address = "127.0.0.1:7001", .change = "idle"};
    status->raft.role = RAFT_LEADER;
    status->raft.term = 3;
    status->raft.durable_index = n->index;
}

uint32_t node_get_members(struct node *n, struct node_member *member, uint32_t capacity)
{
    (void)capacity;
    member[0] = (struct node_member){.id = 7, .address = "127.0.0.1:7001", .is_self = true, .is_leader = n->has_leader,
                                     .is_voter = true, .is_reachable = true, .is_in_sync = true};
    member[1] = (struct node_member){.id = 8, .address = "127.0.0.1:7002", .is_voter = true, .match = n->other_match};
    return 2;
}

bool node_is_cut(const struct node *n)
{
    (void)n;
    return false;
}

bool cut_ask(struct node *n, raft_id id, bool is_cut)
{
    (void)n;
    (void)id;
    return is_cut;
}

const struct events *node_events(const struct node *n)
{
    (void)n;
    return NULL;
}

const struct stages *node_stages(const struct node *n)
{
    (void)n;
    return NULL;
}

const struct raft *node_raft(const struct node *n)
{
    (void)n;
    return NULL;
}

void node_find_leader(struct node *n, struct node_leader *leader)
{
    *leader = (struct node_leader){.id = 7, .is_self = !n->is_follower, .is_alive = n->has_leader};
}

void node_find_place(struct node *n, raft_id id, const char *client, struct place *place)
{
    (void)n;
    (void)client;
    *place = (struct place){.host = "127.0.0.1", .port = id == 7 ? 7001 : 7002, .sentinel_port = id == 7 ? 27001 : 27002};
}

bool node_publish(struct node *n, enum pubsub_kind kind, struct slice channel, struct slice message, struct publish_hole *hole)
{
    (void)kind;
    (void)channel;
    (void)message;
    if (!n->has_others || n->hole_count == sizeof n->hole / sizeof n->hole[0]) {
        return false;
    }
    n->hole[n->hole_count++] = hole;
    return true;
}

void fake_tell_counts(struct node *n, uint64_t receivers)
{
    for (size_t i = 0; i < n->hole_count; i++) {
        n->hole[i]->count += receivers;
        client_publish_told(n->hole[i]);
    }
    n->hole_count = 0;
}

static struct fake_request *fake_push(struct node *n, struct request *request)
{
    ASSERT(n->count < FAKE_REQUESTS_MAX);
    struct fake_request *r = &n->queue[n->count++];

    *r = (struct fake_request){.request = request, .row = request->row};
    return r;
}

void node_submit_write(struct node *n, struct request *request, const struct command *command)
{
    struct fake_request *r = fake_push(n, request);
    size_t bytes = 0;

    for (size_t i = 0; i < command->arg_count; i++) {
        bytes += command->arg[i].n;
    }
    r->arg_count = command->arg_count;
    r->arg = mem_alloc_array(command->arg_count, sizeof *r->arg);
    r->bytes = mem_alloc(bytes + 1);
    uint8_t *at = r->bytes;
    for (size_t i = 0; i < command->arg_count; i++) {
        if (command->arg[i].n > 0) {
            memcpy(at, command->arg[i].p, command->arg[i].n);
        }
        r->arg[i] = (struct slice){at, command->arg[i].n};
        at += command->arg[i].n;
    }
}

void node_submit_read(struct node *n, struct request *request)
{
    (void)fake_push(n, request);
}

bool node_is_vain(struct node *n, const struct command_row *row, uint32_t db, const struct command *command)
{
    struct command_run run = {.view = {.keyspace = n->keyspace, .db = db, .time_ms = 1000}};

    return n->knows_vain && row->is_vain(row, &run, command);
}

void node_submit_after_all(struct node *n, struct request *request)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->queue[i].request == request) {
            fake_drop(&n->queue[i]);
        }
    }
    request->is_vain = false;
    request->kind = REQUEST_WRITE;
    node_submit_write(n, request, &request->command);
}

bool node_try_read_now(struct node *n, enum read_level level, uint32_t db, struct command_run *run)
{
    if (!n->allows_read_now || level == READ_QUORUM) {
        return false;
    }
    *run = (struct command_run){.view = {.keyspace = n->keyspace, .db = db, .time_ms = 1000}, .index = n->index};
    return true;
}

bool node_abandon(struct node *n, struct request *request)
{
    n->abandoned++;
    for (size_t i = 0; i < n->count; i++) {
        if (n->queue[i].request == request && request->kind == REQUEST_READ) {
            fake_drop(&n->queue[i]);
            return true;
        }
    }
    return false;
}

/* --- deciding ----------------------------------------------------------------------------------- */

static void fake_run_exec(struct node *n, struct fake_request *r, struct command_run *run, struct reply *reply)
{
    uint32_t count = 0;
    struct slice rest;
    bool is_changed = false;

    ASSERT(exec_watch_open(r->arg[1], &count, &rest) == ERR_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct exec_watch watch;
        struct keyspace_view view = run->view;

        ASSERT(exec_watch_next(&rest, &watch) == ERR_OK);
        view.db = watch.db;
        is_changed |= keyspace_last_change(&view, watch.key) != watch.index;
    }
    if (is_changed) {
        reply_null_array(reply);
        return;
    }
    reply_array(reply, r->arg_count - 2);
    for (size_t i = 2; i < r->arg_count; i++) {
        struct exec_item item;

        ASSERT(exec_item_decode(r->arg[i], &item) == ERR_OK);
        if (item.number == 0) {
            client_reply_local(r->request, i - 2, reply);
            continue;
        }
        client_reply_item(r->request, i - 2);
        const struct command_row *row = command_table_by_number(n->table, item.number);
        struct slice *arg = mem_alloc_array(item.arg_count, sizeof *arg);
        struct command command = {arg, item.arg_count};
        ASSERT(exec_item_args(&item, arg) == ERR_OK);
        arg[0] = slice_from_cstr(row->name);
        run->view.db = item.db;
        row->run(run, &command, reply);
        mem_free(arg);
    }
}

static void fake_run(struct node *n, struct fake_request *r, struct reply *reply)
{
    struct request *request = r->request;
    bool is_write = request->kind == REQUEST_WRITE;
    struct command_run run = {.view = {.keyspace = n->keyspace, .db = request->db, .time_ms = 1000, .is_write = is_write}};
    struct command command = is_write ? (struct command){r->arg, r->arg_count} : request->command;

    if (is_write) {
        keyspace_begin_entry(n->keyspace, ++n->index, 1000);
    }
    run.index = n->index;
    if (request->run_fn) {
        request->run_fn(request, &run, reply);
    } else if (request->row->number == PROPOSAL_EXEC) {
        fake_run_exec(n, r, &run, reply);
    } else {
        request->row->run(&run, &command, reply);
    }
}

void fake_decide(struct node *n, size_t position)
{
    struct fake_request *r = &n->queue[position];
    struct reply reply;

    ASSERT(position < n->count && r->request);
    client_reply_begin(r->request, &reply);
    n->changes.origin = r->request->kind == REQUEST_WRITE ? r->request->client : NULL;
    fake_run(n, r, &reply);
    n->changes.origin = NULL;
    client_reply_end(r->request);
    fake_drop(r);
}

void fake_decide_all(struct node *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->queue[i].request) {
            fake_decide(n, i);
        }
    }
}

void fake_refuse(struct node *n, size_t position, const char *error)
{
    struct fake_request *r = &n->queue[position];
    struct reply reply;

    client_reply_begin(r->request, &reply);
    reply_error(&reply, error);
    client_reply_end(r->request);
    fake_drop(r);
}

void fake_give_up(struct node *n, size_t position, const char *error)
{
    struct request *request = n->queue[position].request;
    struct reply reply;

    client_reply_begin(request, &reply);
    reply_error(&reply, error);
    client_reply_detach(request);
    request->state = REQUEST_GIVEN_UP;
}

void fake_forget(struct node *n, size_t position)
{
    request_free(n->queue[position].request);
    fake_drop(&n->queue[position]);
}

void fake_abort(struct node *n, size_t position)
{
    struct fake_request *r = &n->queue[position];
    struct reply reply;

    client_reply_begin(r->request, &reply);
    fake_run(n, r, &reply);
    client_reply_abort(r->request);
}

size_t fake_undecided(const struct node *n)
{
    size_t count = 0;

    for (size_t i = 0; i < n->count; i++) {
        count += n->queue[i].request ? 1 : 0;
    }
    return count;
}

/* --- clients ------------------------------------------------------------------------------------ */

struct client *fake_client(struct node *n)
{
    struct client_info info = {.address = "127.0.0.1:50001", .local_address = "127.0.0.1:7001", .fd = 8, .is_local = true};

    return client_open(n, &info, NULL);
}

enum client_state fake_feed_bytes(struct client *c, const void *p, size_t n)
{
    size_t room = 0;
    uint8_t *at = client_input_reserve(c, n > 0 ? n : 1, &room);

    ASSERT(room >= n);
    if (n > 0) {
        memcpy(at, p, n);
    }
    client_input_commit(c, n);
    return client_process(c);
}

enum client_state fake_feed(struct client *c, const char *text)
{
    return fake_feed_bytes(c, text, strlen(text));
}

void fake_poll(struct node *n)
{
    while (node_next_dirty_client(n)) {
    }
}

const char *fake_output(struct client *c)
{
    static char text[1 << 16];
    struct slice out = client_output(c);

    ASSERT(out.n < sizeof text);
    if (out.n > 0) {
        memcpy(text, out.p, out.n);
    }
    text[out.n] = '\0';
    client_output_sent(c, out.n);
    return text;
}

/* --- what needs a whole node: refused --- */

bool node_snapshot(struct node *n)
{
    (void)n;
    return false;
}

bool node_verify(struct node *n)
{
    (void)n;
    return false;
}

uint32_t node_get_verify(struct node *n, raft_index after, struct node_verify_member *member, uint32_t capacity, raft_index *index)
{
    (void)n;
    (void)after;
    (void)member;
    (void)capacity;
    *index = 0;
    return 0;
}

uint64_t node_backup(struct node *n, struct slice path, const char **error)
{
    (void)n;
    (void)path;
    *error = "ERR not in this test";
    return 0;
}

bool node_backup_ended(const struct node *n, uint64_t number, const char **error, raft_index *index, uint64_t *bytes)
{
    (void)n;
    (void)number;
    (void)error;
    (void)index;
    (void)bytes;
    return false;
}

uint64_t membership_ask(struct node *n, const struct change_plan *plan)
{
    (void)n;
    (void)plan;
    return 0;
}

enum ask_state membership_answer(struct node *n, uint64_t number, const char **text)
{
    (void)n;
    (void)number;
    *text = "ERR not in this test";
    return ASK_FAILED;
}

void membership_forget(struct node *n, uint64_t number)
{
    (void)n;
    (void)number;
}
