#include "node/info.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "node/announce.h"
#include "node/client_internal.h"
#include "node/info_internal.h"
#include "node/pace.h"
#include "node/version.h"

/* INFO: the fields that Redis tools read (COMPAT §1), under Redis's names, and coracle's own in "# Raft". A field whose thing does
 * not exist here has the value Redis shows when it is off. */

#define LRU_CLOCK_MAX 0xffffffu /* seconds of the wall clock, as in Redis; no key has one here */

void info_number(struct info *i, const char *name, uint64_t value)
{
    buf_printf(i->out, "%s:%llu\r\n", name, (unsigned long long)value);
}

void info_signed(struct info *i, const char *name, int64_t value)
{
    buf_printf(i->out, "%s:%lld\r\n", name, (long long)value);
}

void info_ratio(struct info *i, const char *name, double part, double whole)
{
    buf_printf(i->out, "%s:%.2f\r\n", name, whole > 0 ? part / whole : 0.0);
}

void info_percent(struct info *i, const char *name, uint64_t part, uint64_t whole)
{
    buf_printf(i->out, "%s:%.2f%%\r\n", name, whole > 0 ? 100.0 * (double)part / (double)whole : 0.0);
}

static void info_zeros(struct info *i, const char *const *name)
{
    for (; *name; name++) {
        info_number(i, *name, 0);
    }
}

void info_text(struct info *i, const char *name, const char *value)
{
    buf_printf(i->out, "%s:%s\r\n", name, value);
}

void info_human(struct info *i, const char *name, uint64_t bytes)
{
    static const char unit[] = "BKMGTP";
    double value = (double)bytes;
    size_t u = 0;

    while (value >= 1024 && u < sizeof unit - 2) {
        value /= 1024;
        u++;
    }
    if (u == 0) {
        buf_printf(i->out, "%s:%lluB\r\n", name, (unsigned long long)bytes);
    } else {
        buf_printf(i->out, "%s:%.2f%c\r\n", name, value, unit[u]);
    }
}

/* As clients are told: from its first commit on. */
static bool is_leader(const struct info *i)
{
    return i->leader.is_self && i->leader.is_alive;
}

static void section_server(struct info *i)
{
    info_text(i, "redis_version", REDIS_VERSION);
    info_text(i, "redis_git_sha1", "00000000");
    info_number(i, "redis_git_dirty", 0);
    info_text(i, "redis_build_id", "0");
    info_text(i, "coracle_version", CORACLE_VERSION);
    info_text(i, "redis_mode", i->options->cluster_enabled ? "cluster" : "standalone");
    info_text(i, "os", i->process.system);
    info_number(i, "arch_bits", sizeof(void *) * 8);
    info_text(i, "monotonic_clock", "POSIX clock_gettime");
    info_text(i, "multiplexing_api", i->process.multiplexing);
    info_text(i, "atomicvar_api", "c11-builtin"); /* <stdatomic.h> */
    buf_printf(i->out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    info_number(i, "process_id", (uint64_t)i->process.process_id);
    info_text(i, "process_supervised", "no");
    info_text(i, "run_id", i->process.run_id);
    info_number(i, "tcp_port", (uint64_t)i->options->port);
    info_number(i, "server_time_usec", i->wall_us);
    info_number(i, "uptime_in_seconds", i->uptime_s);
    info_number(i, "uptime_in_days", i->uptime_s / 86400);
    info_number(i, "hz", (uint64_t)i->options->hz);
    info_number(i, "configured_hz", (uint64_t)i->options->hz);
    info_number(i, "lru_clock", i->wall_us / 1000000 & LRU_CLOCK_MAX);
    info_text(i, "executable", i->process.executable);
    info_text(i, "config_file", i->process.config_file);
    info_number(i, "io_threads_active", 0);
}

static void section_clients(struct info *i)
{
    info_number(i, "connected_clients", clients_count(node_clients(i->node)));
    info_number(i, "maxclients", (uint64_t)i->options->maxclients);
    info_number(i, "cluster_connections", 0);
    info_number(i, "client_recent_max_input_buffer", i->clients.input_longest);
    info_number(i, "client_recent_max_output_buffer", i->clients.output_longest);
    info_number(i, "blocked_clients", clients_blocked(node_clients(i->node)));
    info_number(i, "tracking_clients", node_clients(i->node)->tracking.client_count);
    info_number(i, "clients_in_timeout_table", clients_blocked(node_clients(i->node)));
}

/* As Redis counts: "repl" is what goes between nodes, and the total has both. */
static void lines_of_network(struct info *i)
{
    const struct client_counters *c = i->counters;
    const struct client_rates *rates = clients_rates(node_clients(i->node));
    double input = rates->input_kib_per_second + rates->peer_input_kib_per_second;
    double output = rates->output_kib_per_second + rates->peer_output_kib_per_second;

    info_number(i, "total_net_input_bytes", c->input_bytes + c->peer_input_bytes);
    info_number(i, "total_net_output_bytes", c->output_bytes + c->peer_output_bytes);
    info_number(i, "total_net_repl_input_bytes", c->peer_input_bytes);
    info_number(i, "total_net_repl_output_bytes", c->peer_output_bytes);
    info_ratio(i, "instantaneous_input_kbps", input, 1);
    info_ratio(i, "instantaneous_output_kbps", output, 1);
    info_ratio(i, "instantaneous_input_repl_kbps", rates->peer_input_kib_per_second, 1);
    info_ratio(i, "instantaneous_output_repl_kbps", rates->peer_output_kib_per_second, 1);
}

static void section_stats(struct info *i)
{
    static const char *const of_eviction[] = {"evicted_keys", "evicted_clients", "total_eviction_exceeded_time",
                                              "current_eviction_exceeded_time", NULL};
    static const char *const of_defragmentation[] = {"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits",
                                                     "active_defrag_key_misses", "total_active_defrag_time",
                                                     "current_active_defrag_time", NULL};
    const struct pubsub *ps = &node_clients(i->node)->pubsub[0];
    const struct tracking *t = &node_clients(i->node)->tracking;

    info_number(i, "total_connections_received", i->counters->connections_received);
    info_number(i, "total_commands_processed", i->counters->commands);
    info_number(i, "instantaneous_ops_per_sec", clients_rates(node_clients(i->node))->commands_per_second);
    lines_of_network(i);
    info_number(i, "rejected_connections", i->counters->connections_rejected);
    info_number(i, "sync_full", 0);
    info_number(i, "sync_partial_ok", 0);
    info_number(i, "sync_partial_err", 0);
    info_number(i, "expired_keys", keyspace_expired_total(node_keyspace(i->node)));
    /* Keys go when the log's time says so: none stays behind. */
    info_text(i, "expired_stale_perc", "0.00");
    info_number(i, "expired_time_cap_reached_count", 0);
    info_number(i, "expire_cycle_cpu_milliseconds", 0);
    info_zeros(i, of_eviction);
    info_number(i, "keyspace_hits", i->counters->keyspace_hits);
    info_number(i, "keyspace_misses", i->counters->keyspace_misses);
    info_number(i, "pubsub_channels", pubsub_topics(ps, PUBSUB_CHANNEL));
    info_number(i, "pubsub_patterns", pubsub_topics(ps, PUBSUB_PATTERN));
    info_number(i, "pubsubshard_channels", pubsub_topics(ps, PUBSUB_SHARD));
    info_number(i, "latest_fork_usec", 0);
    info_number(i, "total_forks", 0);
    info_number(i, "migrate_cached_sockets", 0);
    info_number(i, "slave_expires_tracked_keys", 0);
    info_zeros(i, of_defragmentation);
    info_number(i, "tracking_total_keys", t->keys.count);
    info_number(i, "tracking_total_items", t->item_count);
    info_number(i, "tracking_total_prefixes", t->prefixes.count);
    info_number(i, "unexpected_error_replies", 0);
    info_number(i, "total_error_replies", i->counters->errors);
    info_number(i, "dump_payload_sanitizations", 0);
    info_number(i, "total_reads_processed", i->counters->reads);
    info_number(i, "total_writes_processed", i->counters->writes);
    info_number(i, "io_threaded_reads_processed", 0);
    info_number(i, "io_threaded_writes_processed", 0);
    info_number(i, "reply_buffer_shrinks", 0);
    info_number(i, "reply_buffer_expands", 0);
}

/* A snapshot that the leader sends is Redis's full synchronisation. `heard_s`: how long ago the leader was heard. */
static void lines_of_sync(struct info *i, int64_t heard_s)
{
    struct node_snapshot_status s;

    node_get_snapshot(i->node, &s);
    info_number(i, "master_sync_in_progress", s.is_receiving);
    if (s.is_receiving) {
        info_number(i, "master_sync_total_bytes", s.receiving_bytes);
        info_number(i, "master_sync_read_bytes", s.receiving_done);
        info_number(i, "master_sync_left_bytes", s.receiving_bytes - s.receiving_done);
        info_ratio(i, "master_sync_perc", 100.0 * (double)s.receiving_done, (double)s.receiving_bytes);
        info_signed(i, "master_sync_last_io_seconds_ago", heard_s);
    }
}

/* How long ago the leader was heard, and, while it is not, since when. */
static void lines_of_link(struct info *i)
{
    const struct pace *pace = node_pace(i->node);
    bool was_heard = pace->leader != 0 && pace->leader == i->leader.id && pace->heartbeat_us != 0;
    int64_t ago_s = was_heard ? (int64_t)((i->now_us - pace->heartbeat_us) / 1000000) : -1;

    info_text(i, "master_link_status", i->leader.is_alive ? "up" : "down");
    info_signed(i, "master_last_io_seconds_ago", !i->leader.is_alive ? -1 : ago_s > 0 ? ago_s : 0);
    lines_of_sync(i, ago_s);
    if (!i->leader.is_alive) {
        info_signed(i, "master_link_down_since_seconds", ago_s);
    }
}

static void section_replication(struct info *i)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(i->node, member, LIMIT_MEMBERS);
    struct place at = {0};
    uint32_t replicas = 0;

    info_text(i, "role", is_leader(i) ? "master" : "slave");
    if (!is_leader(i)) {
        if (i->leader.id != 0 && !i->leader.is_self) {
            node_find_place(i->node, i->leader.id, "", &at);
        }
        info_text(i, "master_host", at.host);
        info_number(i, "master_port", at.port);
        lines_of_link(i);
        info_number(i, "slave_read_repl_offset", i->status.raft.last_index);
        info_number(i, "slave_repl_offset", i->status.applied);
        info_number(i, "slave_priority", 100);
        info_number(i, "slave_read_only", 0);
        info_number(i, "replica_announced", 1);
    }
    for (uint32_t m = 0; is_leader(i) && m < count; m++) {
        replicas += member[m].is_self ? 0 : 1;
    }
    info_number(i, "connected_slaves", replicas);
    info_text(i, "master_failover_state", "no-failover");
    for (uint32_t m = 0, position = 0; replicas > 0 && m < count; m++) {
        if (member[m].is_self) {
            continue;
        }
        node_find_place(i->node, member[m].id, "", &at);
        buf_printf(i->out, "slave%u:ip=%s,port=%u,state=%s,offset=%llu,lag=%d\r\n", position++, at.host, at.port,
                   member[m].is_reachable ? "online" : "wait_bgsave", (unsigned long long)member[m].match,
                   member[m].is_in_sync ? 0 : 1);
    }
    buf_printf(i->out, "master_replid:%016llx%016llx00000000\r\n", (unsigned long long)i->status.cluster_id,
               (unsigned long long)i->status.cluster_id);
    info_text(i, "master_replid2", "0000000000000000000000000000000000000000");
    info_number(i, "master_repl_offset", i->status.applied);
    info_text(i, "second_repl_offset", "-1");
    info_number(i, "repl_backlog_active", 0);
    info_number(i, "repl_backlog_size", 0);
    info_number(i, "repl_backlog_first_byte_offset", 0);
    info_number(i, "repl_backlog_histlen", 0);
}

static void seconds_of(struct info *i, const char *name, uint64_t us)
{
    buf_printf(i->out, "%s:%llu.%06llu\r\n", name, (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void section_cpu(struct info *i)
{
    seconds_of(i, "used_cpu_sys", i->process.cpu_system_us);
    seconds_of(i, "used_cpu_user", i->process.cpu_user_us);
    seconds_of(i, "used_cpu_sys_children", 0);
    seconds_of(i, "used_cpu_user_children", 0);
    seconds_of(i, "used_cpu_sys_main_thread", i->process.cpu_system_loop_us);
    seconds_of(i, "used_cpu_user_main_thread", i->process.cpu_user_loop_us);
}

static void section_modules(struct info *i)
{
    (void)i;
}

static void section_commandstats(struct info *i)
{
    command_stats_append_calls(clients_command_stats(node_clients(i->node)), node_commands(i->node), i->out);
}

static void section_errorstats(struct info *i)
{
    command_stats_append_errors(clients_command_stats(node_clients(i->node)), i->out);
}

static void section_latencystats(struct info *i)
{
    struct percentiles percentiles;
    const char *why = NULL;
    bool is_fine = percentiles_parse(slice_from_cstr(i->options->latency_tracking_info_percentiles), &percentiles, &why);

    ASSERT(is_fine); /* options_set saw to it */
    command_stats_append_latencies(clients_command_stats(node_clients(i->node)), node_commands(i->node), &percentiles, i->out);
}

static void section_cluster(struct info *i)
{
    info_number(i, "cluster_enabled", i->options->cluster_enabled ? 1 : 0);
}

static void section_keyspace(struct info *i)
{
    const struct keyspace *k = node_keyspace(i->node);

    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        uint64_t keys = keyspace_count(k, db);

        if (keys > 0) {
            buf_printf(i->out, "db%u:keys=%llu,expires=%llu,avg_ttl=%llu\r\n", db, (unsigned long long)keys,
                       (unsigned long long)keyspace_expiry_count(k, db), (unsigned long long)keyspace_average_ttl_ms(k, db));
        }
    }
}

static const struct {
    const char *name;
    void (*fn)(struct info *i);
    bool is_extra; /* shown only when it or "all" is asked for */
} info_section[] = {
    {"Server", section_server, false},
    {"Clients", section_clients, false},
    {"Memory", info_section_memory, false},
    {"Persistence", info_section_persistence, false},
    {"Stats", section_stats, false},
    {"Replication", section_replication, false},
    {"CPU", section_cpu, false},
    {"Modules", section_modules, false},
    {"Commandstats", section_commandstats, true},
    {"Errorstats", section_errorstats, false},
    {"Latencystats", section_latencystats, true},
    {"Cluster", section_cluster, false},
    {"Raft", info_section_raft, false},
    {"Keyspace", section_keyspace, false},
};

static bool is_asked(const char *name, bool is_extra, const struct slice *section, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_all = slice_equal_nocase(section[i], "all") || slice_equal_nocase(section[i], "everything");

        if (slice_equal_nocase(section[i], name) || is_all || (slice_equal_nocase(section[i], "default") && !is_extra)) {
            return true;
        }
    }
    return count == 0 && !is_extra;
}

void info_append(struct node *n, const struct slice *section, size_t section_count, struct buf *out)
{
    const struct node_env *env = node_environment(n);
    struct clients *cs = node_clients(n);
    struct info i = {.node = n, .options = node_options(n), .counters = clients_counters(cs), .out = out};
    size_t start = buf_size(out);

    node_get_status(n, &i.status);
    node_find_leader(n, &i.leader);
    if (env->process_info) {
        env->process_info(env->ctx, &i.process);
    }
    clients_measure(cs, &i.clients);
    i.now_us = env->now_us(env->ctx);
    i.uptime_s = (i.now_us - clients_started_us(cs)) / 1000000;
    i.wall_us = env->wall_ms ? (uint64_t)env->wall_ms(env->ctx) * 1000 : 0;
    for (size_t s = 0; s < sizeof info_section / sizeof info_section[0]; s++) {
        if (is_asked(info_section[s].name, info_section[s].is_extra, section, section_count)) {
            buf_printf(out, "%s# %s\r\n", buf_size(out) > start ? "\r\n" : "", info_section[s].name);
            info_section[s].fn(&i);
        }
    }
}
