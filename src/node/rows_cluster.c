#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "node/announce.h"
#include "node/client_internal.h"

/* The Cluster API (`cluster-enabled yes`): one shard with all 16,384 slots, the leader its master, the followers replicas. A follower
 * sends commands with keys to the leader (-MOVED), reads of READONLY clients excepted; while no leader is known it holds them as in plain
 * mode, so clients see a delay, not an error. Keys of different slots are fine in one command: there is one shard. */

#define SLOTS 16384u

static bool is_enabled(struct client *c, struct reply *reply)
{
    if (!node_options(c->node)->cluster_enabled) {
        reply_error(reply, "ERR This instance has cluster support disabled");
        return false;
    }
    return true;
}

/* CRC16-XMODEM of the key, or of what stands between the first '{' and the '}' behind it, if that is not empty. */
static unsigned key_slot(struct slice key)
{
    const uint8_t *open = key.n > 0 ? memchr(key.p, '{', key.n) : NULL;
    unsigned crc = 0;

    if (open) {
        struct slice rest = {open + 1, (size_t)(key.p + key.n - open) - 1};
        const uint8_t *close = rest.n > 0 ? memchr(rest.p, '}', rest.n) : NULL;

        if (close && close != rest.p) {
            key = (struct slice){rest.p, (size_t)(close - rest.p)};
        }
    }
    for (size_t i = 0; i < key.n; i++) {
        crc ^= (unsigned)key.p[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
        }
    }
    return crc % SLOTS;
}

const char *cluster_redirect(struct client *c, const struct command_row *row, const struct command *command)
{
    struct node_leader leader;
    struct place at;

    if (!node_options(c->node)->cluster_enabled || row->kind != COMMAND_DATA || row->keys.first <= 0 || c->http ||
        c->mode != CLIENT_MODE_REDIS || (size_t)row->keys.first >= command->arg_count) {
        return NULL;
    }
    node_find_leader(c->node, &leader);
    if (leader.is_self || !leader.is_alive || (c->is_readonly && (row->flags & COMMAND_READONLY))) {
        return NULL;
    }
    client_find_place(c, leader.id, &at);
    (void)snprintf(c->moved, sizeof c->moved, "MOVED %u %s:%u", key_slot(command->arg[row->keys.first]), at.host, at.port);
    return c->moved;
}

/* --- nodes ---------------------------------------------------------------------------------------- */

static uint32_t get_members(struct client *c, struct node_member *member)
{
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);

    if (count == 0) { /* BLANK: a cluster of this node. */
        struct node_status status;

        node_get_status(c->node, &status);
        member[count++] = (struct node_member){.id = status.id, .address = "", .is_self = true, .is_reachable = true};
    }
    return count;
}

static void reply_node(struct client *c, const struct node_member *m, struct reply *reply)
{
    struct place at;
    char name[41];

    client_find_place(c, m->id, &at);
    member_name(m->id, name);
    reply_array(reply, 4);
    reply_bulk_cstr(reply, at.host);
    reply_int(reply, at.port);
    reply_bulk_cstr(reply, name);
    reply_array(reply, 0);
}

static void row_slots(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    struct node_leader leader;
    size_t shown = 0;

    if (!is_enabled(c, reply) || client_hold_for_leader(c, command, reply)) {
        return;
    }
    uint32_t count = get_members(c, member);
    node_find_leader(c->node, &leader);
    if (!leader.is_alive) {
        reply_array(reply, 0);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        shown += member[i].id == leader.id || member[i].is_reachable ? 1 : 0;
    }
    reply_array(reply, 1);
    reply_array(reply, 2 + shown);
    reply_int(reply, 0);
    reply_int(reply, SLOTS - 1);
    for (int is_follower = 0; is_follower < 2; is_follower++) {
        for (uint32_t i = 0; i < count; i++) {
            bool is_leader = member[i].id == leader.id;

            if (is_follower ? !is_leader && member[i].is_reachable : is_leader) {
                reply_node(c, &member[i], reply);
            }
        }
    }
}

static void row_shards(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    struct node_leader leader;

    if (!is_enabled(c, reply) || client_hold_for_leader(c, command, reply)) {
        return;
    }
    uint32_t count = get_members(c, member);
    node_find_leader(c->node, &leader);
    reply_array(reply, 1);
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "slots");
    reply_array(reply, 2);
    reply_int(reply, 0);
    reply_int(reply, SLOTS - 1);
    reply_bulk_cstr(reply, "nodes");
    reply_array(reply, count);
    for (uint32_t i = 0; i < count; i++) {
        struct place at;
        char name[41];

        client_find_place(c, member[i].id, &at);
        member_name(member[i].id, name);
        reply_map(reply, 7);
        reply_bulk_cstr(reply, "id");
        reply_bulk_cstr(reply, name);
        reply_bulk_cstr(reply, "port");
        reply_int(reply, at.port);
        reply_bulk_cstr(reply, "ip");
        reply_bulk_cstr(reply, at.host);
        reply_bulk_cstr(reply, "endpoint");
        reply_bulk_cstr(reply, at.host);
        reply_bulk_cstr(reply, "role");
        reply_bulk_cstr(reply, member[i].id == leader.id ? "master" : "replica");
        reply_bulk_cstr(reply, "replication-offset");
        reply_int(reply, (int64_t)member[i].match);
        reply_bulk_cstr(reply, "health");
        reply_bulk_cstr(reply, member[i].is_reachable && (member[i].id != leader.id || leader.is_alive) ? "online" : "failed");
    }
}

static void append_node(struct client *c, const struct node_member *m, const struct node_leader *leader, struct buf *out)
{
    struct node_status status;
    struct place at;
    char name[41];
    char master[41];
    bool is_leader = m->id == leader->id;
    bool is_up = m->is_self || (m->is_reachable && (!is_leader || leader->is_alive));

    node_get_status(c->node, &status);
    client_find_place(c, m->id, &at);
    member_name(m->id, name);
    member_name(leader->id, master);
    buf_printf(out, "%s %s:%u@%u %s%s%s %s 0 0 %llu %s%s\n", name, at.host, at.port, at.port, m->is_self ? "myself," : "",
               is_leader ? "master" : "slave", is_up ? "" : ",fail", is_leader ? "-" : master, (unsigned long long)status.raft.term,
               is_up ? "connected" : "disconnected", is_leader ? " 0-16383" : "");
}

static void row_nodes(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    struct node_leader leader;
    struct buf text = {0};

    if (!is_enabled(c, reply) || client_hold_for_leader(c, command, reply)) {
        return;
    }
    uint32_t count = get_members(c, member);
    node_find_leader(c->node, &leader);
    for (uint32_t i = 0; i < count; i++) {
        append_node(c, &member[i], &leader, &text);
    }
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static void row_replicas(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    struct node_leader leader;
    char name[41];

    if (!is_enabled(c, reply) || client_hold_for_leader(c, command, reply)) {
        return;
    }
    uint32_t count = get_members(c, member);
    node_find_leader(c->node, &leader);
    member_name(leader.id, name);
    if (!slice_equal(command->arg[2], slice_from_cstr(name))) {
        reply_error(reply, "ERR The specified node is not a master");
        return;
    }
    reply_array(reply, count - 1);
    for (uint32_t i = 0; i < count; i++) {
        if (member[i].id != leader.id) {
            struct buf line = {0};

            append_node(c, &member[i], &leader, &line);
            reply_bulk(reply, (struct slice){buf_slice(&line).p, buf_size(&line) - 1});
            buf_deinit(&line);
        }
    }
}

/* --- the rest ------------------------------------------------------------------------------------- */

static void row_info(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    struct node_leader leader;
    struct node_status status;
    struct buf text = {0};

    if (!is_enabled(c, reply) || client_hold_for_leader(c, command, reply)) {
        return;
    }
    uint32_t count = get_members(c, member);
    node_find_leader(c->node, &leader);
    node_get_status(c->node, &status);
    unsigned good = leader.is_alive ? SLOTS : 0;
    unsigned long long epoch = (unsigned long long)status.raft.term;
    buf_printf(&text, "cluster_state:%s\r\ncluster_slots_assigned:%u\r\ncluster_slots_ok:%u\r\ncluster_slots_pfail:0\r\n"
                      "cluster_slots_fail:%u\r\ncluster_known_nodes:%u\r\ncluster_size:1\r\ncluster_current_epoch:%llu\r\n"
                      "cluster_my_epoch:%llu\r\ncluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
                      "total_cluster_links_buffer_limit_exceeded:0\r\n",
               leader.is_alive ? "ok" : "fail", SLOTS, good, SLOTS - good, count, epoch, epoch);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static void row_keyslot(struct client *c, const struct command *command, struct reply *reply)
{
    if (is_enabled(c, reply)) {
        reply_int(reply, key_slot(command->arg[2]));
    }
}

static void row_myid(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status status;
    char name[41];

    (void)command;
    if (is_enabled(c, reply)) {
        node_get_status(c->node, &status);
        member_name(status.id, name);
        reply_bulk_cstr(reply, name);
    }
}

static void row_links(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (is_enabled(c, reply)) {
        reply_array(reply, 0); /* Links of the cluster bus; nodes here speak another protocol. */
    }
}

/* Keys of a slot are found by looking at all of them: at most so many are looked at. */
struct slot_search {
    unsigned slot;
    int64_t most;
    int64_t found;
    struct buf keys;
};

static void slot_search_key(void *ctx, struct slice key, const struct value *value)
{
    struct slot_search *s = ctx;
    struct reply reply = {.out = &s->keys, .protocol = REPLY_RESP2};

    (void)value;
    if (key_slot(key) == s->slot && s->found < s->most) {
        s->found++;
        reply_bulk(&reply, key);
    }
}

static bool slot_search(struct client *c, struct slice slot, int64_t most, struct slot_search *s, struct reply *reply)
{
    int64_t number = 0;
    struct keyspace_view view = {.keyspace = node_keyspace(c->node), .db = 0};
    uint64_t cursor = 0;

    if (!is_enabled(c, reply)) {
        return false;
    }
    if (!number_parse_i64(slot, &number) || number < 0 || number >= SLOTS) {
        reply_error(reply, "ERR Invalid slot");
        return false;
    }
    if (keyspace_count(view.keyspace, 0) > LIMIT_KEYS_PER_WALK) {
        reply_errorf(reply, "ERR there are more than %u keys, too many to look at each for its slot", LIMIT_KEYS_PER_WALK);
        return false;
    }
    view.time_ms = keyspace_time_ms(view.keyspace);
    *s = (struct slot_search){.slot = (unsigned)number, .most = most};
    do {
        cursor = keyspace_scan(&view, cursor, 1000, slot_search_key, s);
    } while (cursor != 0 && s->found < s->most);
    return true;
}

static void row_countkeys(struct client *c, const struct command *command, struct reply *reply)
{
    struct slot_search s;

    if (slot_search(c, command->arg[2], INT64_MAX, &s, reply)) {
        reply_int(reply, s.found);
        buf_deinit(&s.keys);
    }
}

static void row_getkeys(struct client *c, const struct command *command, struct reply *reply)
{
    struct slot_search s;
    int64_t most = 0;

    if (!number_parse_i64(command->arg[3], &most) || most < 0) {
        reply_error(reply, "ERR Invalid number of keys");
    } else if (slot_search(c, command->arg[2], most, &s, reply)) {
        reply_array(reply, (size_t)s.found);
        buf_append_slice(reply->out, buf_slice(&s.keys));
        buf_deinit(&s.keys);
    }
}

static void row_failover(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (is_enabled(c, reply)) {
        const char *error = client_fail_over(c, "");

        if (error) {
            reply_error(reply, error);
        } else {
            reply_simple(reply, "OK");
        }
    }
}

static void row_fixed(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (is_enabled(c, reply)) {
        reply_error(reply, "ERR slots and nodes can't be set: there is one shard, and RAFT ADD and REMOVE change its members");
    }
}

static void row_readonly(struct client *c, const struct command *command, struct reply *reply)
{
    if (is_enabled(c, reply)) {
        c->is_readonly = slice_equal_nocase(command->arg[0], "readonly");
        reply_simple(reply, "OK");
    }
}

static void row_asking(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (is_enabled(c, reply)) {
        reply_simple(reply, "OK");
    }
}

static void row_cluster_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "COUNTKEYSINSLOT <slot>", "    Return the number of keys in <slot>.",
        "FAILOVER [FORCE|TAKEOVER]", "    Make this node the leader.",
        "GETKEYSINSLOT <slot> <count>", "    Return key names stored by current node in a slot.",
        "INFO", "    Return information about the cluster.",
        "KEYSLOT <key>", "    Return the hash slot for <key>.",
        "LINKS", "    Return information about all network links between this node and its peers.",
        "MYID", "    Return the node id.",
        "NODES", "    Return cluster configuration seen by node. Output format:",
        "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
        "REPLICAS <node-id>", "    Return <node-id> replicas.",
        "SLOTS", "    Return information about slots range mappings.",
        "SHARDS", "    Return information about slot range mappings and the nodes associated with them.",
        "HELP", "    Prints this help.", NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define CLUSTER_ROW(row_name, row_arity, fn, text, version, syntax)                                                          \
    {                                                                                                                        \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity, .flags = COMMAND_STALE, .run_local = fn,           \
        .group = "cluster", .acl_categories = "@slow", .summary = text, .since = version, .complexity = "O(1)",              \
        .arguments = syntax                                                                                                  \
    }
#define MODE_ROW(row_name, fn, text)                                                                                         \
    {                                                                                                                        \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = 1,                                                            \
        .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST, .run_local = fn, .group = "cluster",                        \
        .acl_categories = "@fast @connection", .summary = text, .since = "3.0.0", .complexity = "O(1)", .arguments = ""      \
    }

static const struct command_row cluster_row[] = {
    {.name = "asking", .kind = COMMAND_CONNECTION, .arity = 1, .flags = COMMAND_FAST, .run_local = row_asking, .group = "cluster",
     .acl_categories = "@fast @connection", .summary = "Sent by cluster clients after an -ASK redirect", .since = "3.0.0",
     .complexity = "O(1)", .arguments = ""},
    {.name = "cluster", .kind = COMMAND_CONTAINER, .arity = -2, .group = "cluster", .acl_categories = "@slow",
     .summary = "A container for cluster commands", .since = "3.0.0", .complexity = "Depends on subcommand.",
     .arguments = "subcommand"},
    CLUSTER_ROW("cluster|addslots", -3, row_fixed, "Refused: there is one shard", "3.0.0", "slot [slot ...]"),
    CLUSTER_ROW("cluster|addslotsrange", -4, row_fixed, "Refused: there is one shard", "7.0.0", "start-slot end-slot [start-slot end-slot ...]"),
    CLUSTER_ROW("cluster|bumpepoch", 2, row_fixed, "Refused: there is one shard", "3.0.0", ""),
    CLUSTER_ROW("cluster|countkeysinslot", 3, row_countkeys, "Return the number of local keys in the specified hash slot", "3.0.0", "slot"),
    CLUSTER_ROW("cluster|delslots", -3, row_fixed, "Refused: there is one shard", "3.0.0", "slot [slot ...]"),
    CLUSTER_ROW("cluster|delslotsrange", -4, row_fixed, "Refused: there is one shard", "7.0.0", "start-slot end-slot [start-slot end-slot ...]"),
    CLUSTER_ROW("cluster|failover", -2, row_failover, "Hand over leadership", "3.0.0", "[FORCE | TAKEOVER]"),
    CLUSTER_ROW("cluster|flushslots", 2, row_fixed, "Refused: there is one shard", "3.0.0", ""),
    CLUSTER_ROW("cluster|forget", 3, row_fixed, "Refused: see RAFT REMOVE", "3.0.0", "node-id"),
    CLUSTER_ROW("cluster|getkeysinslot", 4, row_getkeys, "Return local key names in the specified hash slot", "3.0.0", "slot count"),
    CLUSTER_ROW("cluster|help", 2, row_cluster_help, "Show helpful text about the different subcommands", "5.0.0", ""),
    CLUSTER_ROW("cluster|info", 2, row_info, "Provides info about Redis Cluster node state", "3.0.0", ""),
    CLUSTER_ROW("cluster|keyslot", 3, row_keyslot, "Returns the hash slot of the specified key", "3.0.0", "key"),
    CLUSTER_ROW("cluster|links", 2, row_links, "Returns a list of all TCP links to and from peer nodes in cluster", "7.0.0", ""),
    CLUSTER_ROW("cluster|meet", -4, row_fixed, "Refused: see RAFT ADD", "3.0.0", "ip port [cluster-bus-port]"),
    CLUSTER_ROW("cluster|myid", 2, row_myid, "Return the node id", "3.0.0", ""),
    CLUSTER_ROW("cluster|nodes", 2, row_nodes, "Get Cluster config for the node", "3.0.0", ""),
    CLUSTER_ROW("cluster|replicas", 3, row_replicas, "List replica nodes of the specified master node", "5.0.0", "node-id"),
    CLUSTER_ROW("cluster|replicate", 3, row_fixed, "Refused: the cluster elects its leader", "3.0.0", "node-id"),
    CLUSTER_ROW("cluster|reset", -2, row_fixed, "Refused: see RAFT REMOVE", "3.0.0", "[HARD | SOFT]"),
    CLUSTER_ROW("cluster|saveconfig", 2, row_fixed, "Refused: there is one shard", "3.0.0", ""),
    CLUSTER_ROW("cluster|set-config-epoch", 3, row_fixed, "Refused: there is one shard", "3.0.0", "config-epoch"),
    CLUSTER_ROW("cluster|setslot", -4, row_fixed, "Refused: there is one shard", "3.0.0", "slot state [node-id]"),
    CLUSTER_ROW("cluster|shards", 2, row_shards, "Get array of cluster slots to node mappings", "7.0.0", ""),
    CLUSTER_ROW("cluster|slaves", 3, row_replicas, "List replica nodes of the specified master node", "3.0.0", "node-id"),
    CLUSTER_ROW("cluster|slots", 2, row_slots, "Get array of Cluster slot to node mappings", "3.0.0", ""),
    MODE_ROW("readonly", row_readonly, "Enables read queries for a connection to a cluster replica node"),
    MODE_ROW("readwrite", row_readonly, "Disables read queries for a connection to a cluster replica node"),
};
const struct command_family rows_cluster = {cluster_row, sizeof cluster_row / sizeof cluster_row[0]};
