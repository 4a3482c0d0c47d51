#include "node/client_internal.h"

#include "base/number.h"
#include "node/membership.h"
#include "node/rows_changes.h"

/* Clients that stand still: in WAIT and WAITAOF until enough copies are on disk, in a membership command until it is decided, in
 * DEBUG SLEEP, and by CLIENT PAUSE.
 *
 * WAIT is truthful: it counts the members whose log is known to hold this connection's last answered write on disk
 * (their match index; this node's own durable index), one taken off for the copy that a Redis master has. A leader knows
 * matches at once, followers hear of them twice a second. Looked at once per iteration of the loop. */

#define FOREVER UINT64_MAX

/* --- CLIENT PAUSE -------------------------------------------------------------------------------- */

static uint64_t clients_now_us(const struct clients *cs)
{
    const struct node_env *env = node_environment(cs->node);

    return env->now_us(env->ctx);
}

static bool row_writes(const struct command_row *row)
{
    return (row->kind == COMMAND_DATA && (row->flags & COMMAND_WRITE)) || (row->flags & COMMAND_MAY_REPLICATE);
}

/* Would it change anything? EXEC is judged by what is queued. */
static bool client_would_write(const struct client *c, const struct command_row *row)
{
    if (row->run_local == row_exec && c->transaction) {
        for (size_t i = 0; i < c->transaction->count; i++) {
            if (row_writes(c->transaction->item[i].row)) {
                return true;
            }
        }
        return false;
    }
    return row_writes(row);
}

bool client_is_paused(const struct client *c, const struct command_row *row)
{
    const struct clients *cs = c->clients;

    return cs->pause_until_us > c->now_us && (!cs->is_pause_for_writes || client_would_write(c, row));
}

static void clients_wake_held(struct clients *cs)
{
    for (struct list *at = cs->all.next; cs->held_by_pause > 0 && at != &cs->all; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (c->is_held_by_pause) {
            client_mark_dirty(c);
        }
    }
}

void clients_unpause(struct clients *cs)
{
    cs->pause_until_us = 0;
    cs->is_pause_for_writes = false;
    clients_wake_held(cs);
}

/* As in Redis a new pause never shortens or weakens the one under way. */
void clients_pause(struct clients *cs, uint64_t until_us, bool is_for_writes)
{
    bool is_paused = cs->pause_until_us > clients_now_us(cs);

    cs->is_pause_for_writes = is_for_writes && (!is_paused || cs->is_pause_for_writes);
    if (!is_paused || until_us > cs->pause_until_us) {
        cs->pause_until_us = until_us;
    }
}

/* --- WAIT ---------------------------------------------------------------------------------------- */

struct copies client_copies(struct client *c)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    struct node_status status;
    struct copies copies = {0, 0};

    node_get_status(c->node, &status);
    copies.here = status.is_blank || status.raft.durable_index >= c->last_write ? 1 : 0;
    for (uint32_t i = 0; i < count; i++) {
        bool has_it = member[i].match != 0 && member[i].match >= c->last_write;

        copies.elsewhere += !member[i].is_self && has_it ? 1 : 0;
    }
    return copies;
}

static int64_t replica_count(struct client *c)
{
    struct copies copies = client_copies(c);
    int64_t all = copies.here + copies.elsewhere;

    return all > 0 ? all - 1 : 0;
}

static bool wait_is_over(struct client *c)
{
    const struct client_wait *w = &c->wait;
    struct copies copies;

    switch (w->kind) {
    case CLIENT_WAITS_NOT:
    case CLIENT_SLEEPS:
        return false;
    case CLIENT_WAITS_COPIES:
        return replica_count(c) >= w->copies_wanted;
    case CLIENT_WAITS_AOF:
        copies = client_copies(c);
        return copies.here >= w->local_wanted && copies.elsewhere >= w->copies_wanted;
    case CLIENT_WAITS_VERIFY:
        return verify_is_over(c);
    case CLIENT_WAITS_BACKUP: {
        const char *error;
        raft_index index;
        uint64_t bytes;

        return node_backup_ended(c->node, w->change, &error, &index, &bytes);
    }
    case CLIENT_WAITS_CHANGE: {
        const char *text;

        return membership_answer(c->node, w->change, &text) != ASK_PENDING;
    }
    case CLIENT_WAITS_LEADER: {
        struct node_leader leader;

        node_find_leader(c->node, &leader);
        return leader.is_alive;
    }
    case CLIENT_WAITS_FEED:
        return changes_wait_is_over(c, &(struct command){w->command.arg, w->command.arg_count});
    }
    UNREACHABLE();
}

static void reply_wait(struct client *c, enum client_wait_kind kind, struct reply *reply)
{
    struct copies copies;

    switch (kind) {
    case CLIENT_WAITS_NOT:
    case CLIENT_WAITS_CHANGE:
        UNREACHABLE();
    case CLIENT_WAITS_LEADER:
        c->is_hold_over = true;
        c->wait.row->run_local(c, &(struct command){c->wait.command.arg, c->wait.command.arg_count}, reply);
        c->is_hold_over = false;
        return;
    case CLIENT_WAITS_FEED:
        changes_wait_reply(c, &(struct command){c->wait.command.arg, c->wait.command.arg_count}, reply);
        return;
    case CLIENT_WAITS_VERIFY:
        reply_verify(c, reply);
        return;
    case CLIENT_WAITS_BACKUP:
        reply_backup(c, reply);
        return;
    case CLIENT_SLEEPS:
        reply_simple(reply, "OK");
        return;
    case CLIENT_WAITS_COPIES:
        reply_int(reply, replica_count(c));
        return;
    case CLIENT_WAITS_AOF:
        copies = client_copies(c);
        reply_array(reply, 2);
        reply_int(reply, copies.here);
        reply_int(reply, copies.elsewhere);
        return;
    }
    UNREACHABLE();
}

void client_drop_wait(struct client *c)
{
    if (c->wait.kind != CLIENT_WAITS_NOT) {
        watches_add_reader(c->clients, c->wait.kind == CLIENT_WAITS_FEED ? -1 : 0);
        command_copy_deinit(&c->wait.command);
        if (c->wait.kind == CLIENT_WAITS_CHANGE) {
            membership_forget(c->node, c->wait.change);
        }
        c->wait.kind = CLIENT_WAITS_NOT;
        c->clients->waiting--;
    }
}

void client_end_wait(struct client *c, const char *error)
{
    struct client_wait *w = &c->wait;
    struct reply reply = client_local_begin(c, w->protocol);
    struct command command = {w->command.arg, w->command.arg_count};

    if (error) {
        reply_error(&reply, error);
    } else if (w->kind == CLIENT_WAITS_CHANGE) {
        reply_change(c, &command, &reply);
    } else {
        reply_wait(c, w->kind, &reply);
    }
    client_note_call(c, w->row, &command, w->started_us, slice_skip(buf_slice(reply.out), c->local_mark), reply.is_error);
    client_local_end(c, &reply);
    client_drop_wait(c);
}

static void client_wait_begin(struct client *c, enum client_wait_kind kind, const struct command_row *row,
                              const struct command *command, uint64_t timeout_us, struct reply *reply)
{
    c->wait.kind = kind;
    if (c->is_in_exec || wait_is_over(c)) {
        c->wait.kind = CLIENT_WAITS_NOT;
        reply_wait(c, kind, reply);
        return;
    }
    c->wait.protocol = reply->protocol;
    c->wait.row = row;
    c->wait.started_us = c->now_us;
    c->wait.deadline_us = timeout_us == 0 ? FOREVER : c->now_us + timeout_us;
    command_copy_init(&c->wait.command, command);
    c->clients->waiting++;
    c->did_submit = true;
}

void client_wait_for_changes(struct client *c, const struct command *command, uint64_t timeout_us, struct reply *reply)
{
    client_wait_begin(c, CLIENT_WAITS_FEED, c->last_row, command, timeout_us, reply);
    watches_add_reader(c->clients, c->wait.kind == CLIENT_WAITS_FEED ? 1 : 0);
}

bool client_hold_for_leader(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_leader leader;

    node_find_leader(c->node, &leader);
    if (leader.is_alive || c->is_hold_over || c->is_in_exec || c->http) {
        return false;
    }
    COVER("client: an answer waits for a live leader");
    client_wait_begin(c, CLIENT_WAITS_LEADER, c->last_row, command, (uint64_t)node_options(c->node)->request_timeout * 1000, reply);
    return true;
}

/* Milliseconds, 0: for ever. False after an error was written. */
static bool parse_timeout(struct slice text, uint64_t *timeout_us, struct reply *reply)
{
    int64_t ms = 0;

    if (!number_parse_i64(text, &ms) || ms > INT64_MAX / 2000) {
        reply_error(reply, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (ms < 0) {
        reply_error(reply, "ERR timeout is negative");
        return false;
    }
    *timeout_us = (uint64_t)ms * 1000;
    return true;
}

void row_wait(struct client *c, const struct command *command, struct reply *reply)
{
    uint64_t timeout_us = 0;

    if (!number_parse_i64(command->arg[1], &c->wait.copies_wanted)) {
        reply_error(reply, REPLY_NOT_INTEGER);
    } else if (parse_timeout(command->arg[2], &timeout_us, reply)) {
        client_wait_begin(c, CLIENT_WAITS_COPIES, c->last_row, command, timeout_us, reply);
    }
}

void row_waitaof(struct client *c, const struct command *command, struct reply *reply)
{
    uint64_t timeout_us = 0;

    if (!number_parse_i64(command->arg[1], &c->wait.local_wanted) || c->wait.local_wanted < 0 || c->wait.local_wanted > 1) {
        reply_error(reply, "ERR value is out of range, must be between 0 and 1");
    } else if (!number_parse_i64(command->arg[2], &c->wait.copies_wanted) || c->wait.copies_wanted < 0) {
        reply_error(reply, "ERR value is out of range, must be positive");
    } else if (parse_timeout(command->arg[3], &timeout_us, reply)) {
        client_wait_begin(c, CLIENT_WAITS_AOF, c->last_row, command, timeout_us, reply);
    }
}

void client_sleep(struct client *c, const struct command_row *row, const struct command *command, uint64_t us,
                  struct reply *reply)
{
    if (us == 0) {
        reply_simple(reply, "OK");
    } else {
        client_wait_begin(c, CLIENT_SLEEPS, row, command, us, reply);
    }
}

void client_wait_for_change(struct client *c, uint64_t number, const struct command *command, struct reply *reply)
{
    c->wait.change = number;
    client_wait_begin(c, CLIENT_WAITS_CHANGE, c->last_row, command, 0, reply);
}

#define VERIFY_MOST_US 30000000

void client_wait_for_verify(struct client *c, raft_index applied, const struct command *command, struct reply *reply)
{
    c->wait.change = applied;
    client_wait_begin(c, CLIENT_WAITS_VERIFY, c->last_row, command, VERIFY_MOST_US, reply);
}

void client_wait_for_backup(struct client *c, uint64_t number, const struct command *command, struct reply *reply)
{
    c->wait.change = number;
    client_wait_begin(c, CLIENT_WAITS_BACKUP, c->last_row, command, 0, reply);
}

void clients_stop_waiting(struct clients *cs)
{
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (c->wait.kind == CLIENT_WAITS_CHANGE && !wait_is_over(c)) {
            client_end_wait(c, "UNKNOWN the outcome of this change is not known: this node is shutting down; RAFT MEMBERS on another "
                               "one shows what is");
        }
    }
}

/* --- once per iteration -------------------------------------------------------------------------- */

void clients_poll_waits(struct clients *cs)
{
    if (cs->pause_until_us == 0 && cs->waiting == 0) {
        return;
    }
    uint64_t now_us = clients_now_us(cs);
    if (cs->pause_until_us != 0 && now_us >= cs->pause_until_us) {
        clients_unpause(cs);
    }
    for (struct list *at = cs->all.next; cs->waiting > 0 && at != &cs->all; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (c->wait.kind != CLIENT_WAITS_NOT && (now_us >= c->wait.deadline_us || wait_is_over(c))) {
            client_end_wait(c, NULL);
        }
    }
}

uint64_t clients_wake_us(const struct clients *cs)
{
    uint64_t wake_us = cs->held_by_pause > 0 && cs->pause_until_us != 0 ? cs->pause_until_us : FOREVER;

    uint64_t watch_us = watches_wake_us(&cs->watches);

    wake_us = watch_us < wake_us ? watch_us : wake_us;
    if ((!list_empty(&cs->paused) || !list_empty(&cs->skipped)) && !node_window_is_full(cs->node)) {
        return 0;
    }
    for (struct list *at = cs->all.next; cs->waiting > 0 && at != &cs->all; at = at->next) {
        const struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (c->wait.kind != CLIENT_WAITS_NOT && c->wait.deadline_us < wake_us) {
            wake_us = c->wait.deadline_us;
        }
    }
    return wake_us;
}

size_t clients_blocked(const struct clients *cs)
{
    return cs->waiting + cs->held_by_pause + node_blocked_count(cs->node);
}
