#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "node/announce.h"
#include "node/client_internal.h"
#include "node/membership.h"
#include "node/version.h"

/* SENTINEL: Redis Sentinel's answers about this cluster, on a port of their own (some clients take a data node that knows SENTINEL for a
 * sentinel). Every node answers alike, from what Raft knows. Answers that name the leader are held until one is known and alive, at
 * most request-timeout; the flags s_down,o_down,disconnected say after that that there is none. */

bool sentinel_knows(const struct command_row *row)
{
    static const char *const known[] = {"auth", "client", "command", "hello", "info", "ping", "psubscribe", "publish", "punsubscribe",
                                        "quit", "reset", "role", "subscribe", "unsubscribe"};

    if (row->flags & COMMAND_SENTINEL_ONLY) {
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i]);

        if (strncmp(row->name, known[i], n) == 0 && (row->name[n] == '\0' || row->name[n] == '|')) {
            return true;
        }
    }
    return false;
}

void member_name(raft_id id, char name[41])
{
    (void)snprintf(name, 41, "%016llx%016llx%08x", (unsigned long long)id, (unsigned long long)id, 0u);
}

void client_find_place(struct client *c, raft_id id, struct place *place)
{
    node_find_place(c->node, id, c->info.address, place);
    if (place->host[0] == '\0') { /* A node that nobody ever named: as this client found it. */
        struct place here;

        place_from_address(c->info.local_address, &here);
        memcpy(place->host, here.host, sizeof place->host);
    }
}

const char *client_fail_over(struct client *c, const char *to)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    struct change_plan plan;
    uint32_t others = 0;

    for (uint32_t i = 0; i < count; i++) {
        others += member[i].is_voter && !member[i].is_leader && member[i].is_reachable ? 1 : 0;
    }
    if (others == 0) {
        return "NOGOODSLAVE No suitable replica to promote";
    }
    change_plan_one(CHANGE_TRANSFER, to, &plan);
    uint64_t number = membership_ask(c->node, &plan);
    if (number == 0) {
        return "INPROG Failover already in progress";
    }
    membership_forget(c->node, number);
    return NULL;
}

/* --- instances ------------------------------------------------------------------------------------ */

struct instance {
    struct client *client;
    struct reply *reply;
    struct node_leader leader;
    struct place leader_place;
};

static struct instance instance_of(struct client *c, struct reply *reply)
{
    struct instance i = {.client = c, .reply = reply};

    node_find_leader(c->node, &i.leader);
    client_find_place(c, i.leader.id, &i.leader_place);
    return i;
}

static void field(const struct instance *i, const char *name, const char *value)
{
    reply_bulk_cstr(i->reply, name);
    reply_bulk_cstr(i->reply, value);
}

static void field_int(const struct instance *i, const char *name, int64_t value)
{
    reply_bulk_cstr(i->reply, name);
    reply_bulk_int(i->reply, value);
}

static void field_pings(const struct instance *i)
{
    field(i, "link-pending-commands", "0");
    field(i, "link-refcount", "1");
    field(i, "last-ping-sent", "0");
    field(i, "last-ok-ping-reply", "0");
    field(i, "last-ping-reply", "0");
    field_int(i, "down-after-milliseconds", node_options(i->client->node)->election_timeout);
}

static void reply_master(const struct instance *i)
{
    uint32_t count;
    struct node_member member[LIMIT_MEMBERS];
    char name[41];

    count = node_get_members(i->client->node, member, LIMIT_MEMBERS);
    count = count > 0 ? count - 1 : 0;
    member_name(i->leader.id, name);
    reply_map(i->reply, 20);
    field(i, "name", node_options(i->client->node)->sentinel_master_name);
    field(i, "ip", i->leader_place.host);
    field_int(i, "port", i->leader_place.port);
    field(i, "runid", name);
    field(i, "flags", i->leader.is_alive ? "master" : "master,s_down,o_down,disconnected");
    field_pings(i);
    field(i, "info-refresh", "0");
    field(i, "role-reported", "master");
    field(i, "role-reported-time", "0");
    struct node_status status;
    node_get_status(i->client->node, &status);
    field_int(i, "config-epoch", (int64_t)status.raft.term);
    field_int(i, "num-slaves", count);
    field_int(i, "num-other-sentinels", count);
    field_int(i, "quorum", (count + 1) / 2 + 1);
    field_int(i, "failover-timeout", node_options(i->client->node)->request_timeout);
    field(i, "parallel-syncs", "1");
}

static void reply_replica(const struct instance *i, const struct node_member *m)
{
    struct place at;
    char text[LIMIT_ADDRESS_BYTES + 8];
    char id[41];

    client_find_place(i->client, m->id, &at);
    member_name(m->id, id);
    (void)snprintf(text, sizeof text, "%s:%u", at.host, at.port);
    reply_map(i->reply, 21);
    field(i, "name", text);
    field(i, "ip", at.host);
    field_int(i, "port", at.port);
    field(i, "runid", id);
    field(i, "flags", m->is_reachable ? "slave" : "slave,s_down,disconnected");
    field_pings(i);
    field(i, "info-refresh", "0");
    field(i, "role-reported", "slave");
    field(i, "role-reported-time", "0");
    field(i, "master-link-down-time", "0");
    field(i, "master-link-status", i->leader.is_alive && m->is_reachable ? "ok" : "err");
    field(i, "master-host", i->leader_place.host);
    field_int(i, "master-port", i->leader_place.port);
    field(i, "slave-priority", "100");
    field_int(i, "slave-repl-offset", (int64_t)m->match);
    field(i, "replica-announced", "1");
}

static void reply_sentinel(const struct instance *i, const struct node_member *m)
{
    struct place at;
    char id[41];

    client_find_place(i->client, m->id, &at);
    member_name(m->id, id);
    reply_map(i->reply, 14);
    field(i, "name", id);
    field(i, "ip", at.host);
    field_int(i, "port", at.sentinel_port);
    field(i, "runid", id);
    field(i, "flags", m->is_reachable ? "sentinel" : "sentinel,s_down,disconnected");
    field_pings(i);
    field(i, "last-hello-message", "0");
    field(i, "voted-leader", "?");
    field(i, "voted-leader-epoch", "0");
}

/* Every member but one, each by `fn`. */
static void reply_members(const struct instance *i, raft_id but, void (*fn)(const struct instance *i, const struct node_member *m))
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(i->client->node, member, LIMIT_MEMBERS);
    size_t shown = 0;

    for (uint32_t m = 0; m < count; m++) {
        shown += member[m].id != but ? 1 : 0;
    }
    reply_array(i->reply, shown);
    for (uint32_t m = 0; m < count; m++) {
        if (member[m].id != but) {
            fn(i, &member[m]);
        }
    }
}

/* --- the rows ------------------------------------------------------------------------------------- */

static bool is_our_name(struct client *c, const struct command *command)
{
    return slice_equal(command->arg[2], slice_from_cstr(node_options(c->node)->sentinel_master_name));
}

/* False after an answer was written or put off. */
static bool may_answer(struct client *c, const struct command *command, struct reply *reply)
{
    if (command->arg_count > 2 && !is_our_name(c, command)) {
        reply_error(reply, "ERR No such master with that name");
        return false;
    }
    return !client_hold_for_leader(c, command, reply);
}

static void row_get_master(struct client *c, const struct command *command, struct reply *reply)
{
    if (!is_our_name(c, command)) {
        reply_null_array(reply);
    } else if (may_answer(c, command, reply)) {
        struct instance i = instance_of(c, reply);

        reply_array(reply, 2);
        reply_bulk_cstr(reply, i.leader_place.host);
        reply_bulk_int(reply, i.leader_place.port);
    }
}

static void row_masters(struct client *c, const struct command *command, struct reply *reply)
{
    if (may_answer(c, command, reply)) {
        struct instance i = instance_of(c, reply);

        reply_array(reply, 1);
        reply_master(&i);
    }
}

static void row_master(struct client *c, const struct command *command, struct reply *reply)
{
    if (may_answer(c, command, reply)) {
        struct instance i = instance_of(c, reply);

        reply_master(&i);
    }
}

static void row_replicas(struct client *c, const struct command *command, struct reply *reply)
{
    if (may_answer(c, command, reply)) {
        struct instance i = instance_of(c, reply);

        reply_members(&i, i.leader.id, reply_replica);
    }
}

static void row_sentinels(struct client *c, const struct command *command, struct reply *reply)
{
    if (may_answer(c, command, reply)) {
        struct instance i = instance_of(c, reply);
        struct node_status status;

        node_get_status(c->node, &status);
        reply_members(&i, status.id, reply_sentinel);
    }
}

static void row_ckquorum(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    uint32_t reachable = 0;

    if (!is_our_name(c, command)) {
        reply_error(reply, "ERR No such master with that name");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        reachable += member[i].is_reachable ? 1 : 0;
    }
    char text[160];
    if (count == 0 || reachable * 2 > count) {
        (void)snprintf(text, sizeof text, "OK %u usable Sentinels. Quorum and failover authorization can be reached",
                       count == 0 ? 1 : reachable);
        reply_simple(reply, text);
    } else {
        reply_errorf(reply, "NOQUORUM %u usable Sentinels. Not enough available Sentinels to reach the majority and authorize a failover",
                     reachable);
    }
}

static void row_myid(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status status;
    char name[41];

    (void)command;
    node_get_status(c->node, &status);
    member_name(status.id, name);
    reply_bulk_cstr(reply, name);
}

static void row_failover(struct client *c, const struct command *command, struct reply *reply)
{
    const char *error = is_our_name(c, command) ? client_fail_over(c, "") : "ERR No such master with that name";

    if (error) {
        reply_error(reply, error);
    } else {
        reply_simple(reply, "OK");
    }
}

/* Nothing is configured here: members and leader come from the cluster itself. */
static void row_unchangeable(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_error(reply, "ERR what is watched here can't be set: the cluster knows its members");
}

static void row_reset(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_int(reply, 0);
}

void sentinel_info(struct client *c, struct reply *reply)
{
    struct buf text = {0};
    struct instance i = instance_of(c, reply);
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);

    buf_printf(&text, "# Server\r\nredis_version:%s\r\ncoracle_version:%s\r\nredis_mode:sentinel\r\ntcp_port:%lld\r\n\r\n", REDIS_VERSION,
               CORACLE_VERSION, (long long)options_sentinel_port(node_options(c->node)));
    buf_printf(&text, "# Clients\r\nconnected_clients:%zu\r\n\r\n", clients_count(c->clients));
    buf_printf(&text, "# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\nsentinel_running_scripts:0"
                      "\r\nsentinel_scripts_queue_length:0\r\nsentinel_simulate_failure_flags:0\r\n");
    buf_printf(&text, "master0:name=%s,status=%s,address=%s:%u,slaves=%u,sentinels=%u\r\n", node_options(c->node)->sentinel_master_name,
               i.leader.is_alive ? "ok" : "odown", i.leader_place.host, i.leader_place.port, count > 0 ? count - 1 : 0,
               count > 0 ? count : 1);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

#define SENTINEL_ROW(row_name, row_arity, fn, text, syntax)                                                                  \
    {                                                                                                                        \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity,                                                    \
        .flags = COMMAND_SENTINEL_ONLY | COMMAND_TEXT_ONLY | COMMAND_ADMIN, .run_local = fn, .group = "sentinel",            \
        .acl_categories = "@admin @slow @dangerous", .summary = text, .since = "2.8.4", .complexity = "O(1)",                \
        .arguments = syntax                                                                                                  \
    }

static const struct command_row sentinel_row[] = {
    {.name = "sentinel", .kind = COMMAND_CONTAINER, .arity = -2, .flags = COMMAND_SENTINEL_ONLY | COMMAND_TEXT_ONLY,
     .group = "sentinel", .acl_categories = "@slow", .summary = "A container for Sentinel commands", .since = "2.8.4",
     .complexity = "Depends on subcommand.", .arguments = "subcommand"},
    SENTINEL_ROW("sentinel|ckquorum", 3, row_ckquorum, "Check whether a majority of the nodes is reachable", "master-name"),
    SENTINEL_ROW("sentinel|failover", 3, row_failover, "Hand over leadership", "master-name"),
    SENTINEL_ROW("sentinel|get-master-addr-by-name", 3, row_get_master, "Where the leader is", "master-name"),
    SENTINEL_ROW("sentinel|master", 3, row_master, "The state of the leader", "master-name"),
    SENTINEL_ROW("sentinel|masters", 2, row_masters, "The state of the leader, in a list of one", ""),
    SENTINEL_ROW("sentinel|monitor", 6, row_unchangeable, "Refused: nothing is configured here", "name ip port quorum"),
    SENTINEL_ROW("sentinel|myid", 2, row_myid, "The id of this node", ""),
    SENTINEL_ROW("sentinel|remove", 3, row_unchangeable, "Refused: nothing is configured here", "master-name"),
    SENTINEL_ROW("sentinel|replicas", 3, row_replicas, "The followers", "master-name"),
    SENTINEL_ROW("sentinel|reset", 3, row_reset, "Accepted: there is nothing to reset", "pattern"),
    SENTINEL_ROW("sentinel|sentinels", 3, row_sentinels, "The other nodes", "master-name"),
    SENTINEL_ROW("sentinel|set", -5, row_unchangeable, "Refused: nothing is configured here", "master-name option value"),
    SENTINEL_ROW("sentinel|slaves", 3, row_replicas, "The followers", "master-name"),
};
const struct command_family rows_sentinel = {sentinel_row, sizeof sentinel_row / sizeof sentinel_row[0]};
