#include "node/info.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "node/announce.h"
#include "node/client_internal.h"
#include "node/pace.h"
#include "node/version.h"

/* INFO: the fields that Redis tools read (COMPAT §1), under Redis's names, and coracle's own in "# Raft". A field whose thing does
 * not exist here has the value Redis shows when it is off. */

struct info {
    struct node *node;
    const struct options *options;
    struct node_status status;
    struct node_leader leader;
    struct process_info process;
    const struct client_counters *counters;
    uint64_t uptime_s;
    uint64_t wall_s;
    struct buf *out;
};

static void line_number(struct info *i, const char *name, uint64_t value)
{
    buf_printf(i->out, "%s:%llu\r\n", name, (unsigned long long)value);
}

static void line_text(struct info *i, const char *name, const char *value)
{
    buf_printf(i->out, "%s:%s\r\n", name, value);
}

static void line_human(struct info *i, const char *name, uint64_t bytes)
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
    line_text(i, "redis_version", REDIS_VERSION);
    line_text(i, "redis_git_sha1", "00000000");
    line_number(i, "redis_git_dirty", 0);
    line_text(i, "redis_build_id", "0");
    line_text(i, "coracle_version", CORACLE_VERSION);
    line_text(i, "redis_mode", i->options->cluster_enabled ? "cluster" : "standalone");
    line_text(i, "os", "Linux");
    line_number(i, "arch_bits", sizeof(void *) * 8);
    line_text(i, "multiplexing_api", i->process.multiplexing);
    line_number(i, "process_id", (uint64_t)i->process.process_id);
    line_text(i, "run_id", i->process.run_id);
    line_number(i, "tcp_port", (uint64_t)i->options->port);
    line_number(i, "uptime_in_seconds", i->uptime_s);
    line_number(i, "uptime_in_days", i->uptime_s / 86400);
    line_number(i, "hz", (uint64_t)i->options->hz);
    line_number(i, "configured_hz", (uint64_t)i->options->hz);
    line_number(i, "io_threads_active", 0);
    line_text(i, "executable", i->process.executable);
    line_text(i, "config_file", i->process.config_file);
}

static void section_clients(struct info *i)
{
    line_number(i, "connected_clients", clients_count(node_clients(i->node)));
    line_number(i, "maxclients", (uint64_t)i->options->maxclients);
    line_number(i, "cluster_connections", 0);
    line_number(i, "blocked_clients", clients_blocked(node_clients(i->node)));
    line_number(i, "tracking_clients", node_clients(i->node)->tracking.client_count);
    line_number(i, "clients_in_timeout_table", clients_blocked(node_clients(i->node)));
}

static void section_memory(struct info *i)
{
    uint64_t used = mem_used();

    line_number(i, "used_memory", used);
    line_human(i, "used_memory_human", used);
    line_number(i, "used_memory_rss", i->process.resident_bytes);
    line_human(i, "used_memory_rss_human", i->process.resident_bytes);
    line_number(i, "used_memory_peak", clients_memory_peak(node_clients(i->node)));
    line_human(i, "used_memory_peak_human", clients_memory_peak(node_clients(i->node)));
    line_number(i, "used_memory_dataset", keyspace_memory(node_keyspace(i->node)));
    line_number(i, "maxmemory", (uint64_t)i->options->maxmemory);
    line_human(i, "maxmemory_human", (uint64_t)i->options->maxmemory);
    line_text(i, "maxmemory_policy", i->options->maxmemory_policy);
    line_number(i, "number_of_cached_scripts", 0);
    line_number(i, "mem_clients_slaves", 0);
    line_number(i, "mem_aof_buffer", 0);
    line_number(i, "mem_replication_backlog", 0);
    line_number(i, "active_defrag_running", 0);
    line_number(i, "lazyfree_pending_objects", 0);
    buf_printf(i->out, "mem_fragmentation_ratio:%.2f\r\n",
               used > 0 ? (double)i->process.resident_bytes / (double)used : 0.0);
}

static void section_persistence(struct info *i)
{
    struct node_snapshot_status s;
    uint64_t applied = i->status.applied;

    node_get_snapshot(i->node, &s);
    line_number(i, "loading", s.is_loading || s.is_replaying);
    line_number(i, "async_loading", s.is_receiving);
    /* What was answered is in the log on disk in any case; in entries, not in changes. */
    line_number(i, "rdb_changes_since_last_save", applied > s.index ? applied - s.index : 0);
    line_number(i, "rdb_bgsave_in_progress", s.is_running);
    line_number(i, "rdb_last_save_time", (uint64_t)s.saved_ms / 1000);
    line_text(i, "rdb_last_bgsave_status", s.last_failed ? "err" : "ok");
    line_number(i, "rdb_last_bgsave_time_sec", s.last_us / 1000000);
    if (s.is_running)
        line_number(i, "rdb_current_bgsave_time_sec", s.running_us / 1000000);
    else
        line_text(i, "rdb_current_bgsave_time_sec", "-1");
    line_number(i, "rdb_saves", s.taken);
    line_number(i, "rdb_last_cow_size", s.kept_bytes);
    line_number(i, "snapshot_index", s.index);
    line_number(i, "snapshot_bytes", s.bytes);
    line_number(i, "snapshot_last_us", s.last_us);
    if (s.is_loading) {
        uint64_t done = s.loading_done > 0 ? s.loading_done : 1;
        line_number(i, "loading_total_bytes", s.loading_bytes);
        line_number(i, "loading_loaded_bytes", s.loading_done);
        line_number(i, "loading_eta_seconds", s.loading_us / 1000 * (s.loading_bytes - s.loading_done) / done / 1000);
    }
    if (s.is_receiving) {
        line_number(i, "snapshot_receiving_bytes", s.receiving_bytes);
        line_number(i, "snapshot_receiving_done", s.receiving_done);
    }
    line_number(i, "aof_enabled", 1);
    line_number(i, "aof_rewrite_in_progress", 0);
    line_number(i, "aof_rewrite_scheduled", 0);
    line_text(i, "aof_last_rewrite_time_sec", "-1");
    line_text(i, "aof_current_rewrite_time_sec", "-1");
    line_text(i, "aof_last_bgrewrite_status", "ok");
    line_text(i, "aof_last_write_status", i->status.is_disk_full ? "err" : "ok");
    line_number(i, "aof_last_cow_size", 0);
    line_number(i, "aof_current_size", i->status.log_file_bytes);
}

static void section_stats(struct info *i)
{
    const struct client_rates *rates = clients_rates(node_clients(i->node));
    const struct pubsub *ps = &node_clients(i->node)->pubsub[0];
    const struct tracking *t = &node_clients(i->node)->tracking;

    line_number(i, "total_connections_received", i->counters->connections_received);
    line_number(i, "total_commands_processed", i->counters->commands);
    line_number(i, "instantaneous_ops_per_sec", rates->commands_per_second);
    line_number(i, "total_net_input_bytes", i->counters->input_bytes);
    line_number(i, "total_net_output_bytes", i->counters->output_bytes);
    buf_printf(i->out, "instantaneous_input_kbps:%.2f\r\n", rates->input_kib_per_second);
    buf_printf(i->out, "instantaneous_output_kbps:%.2f\r\n", rates->output_kib_per_second);
    line_number(i, "rejected_connections", i->counters->connections_rejected);
    line_number(i, "sync_full", 0);
    line_number(i, "sync_partial_ok", 0);
    line_number(i, "sync_partial_err", 0);
    line_number(i, "expired_keys", keyspace_expired_total(node_keyspace(i->node)));
    line_number(i, "evicted_keys", 0);
    line_number(i, "evicted_clients", 0);
    line_number(i, "keyspace_hits", i->counters->keyspace_hits);
    line_number(i, "keyspace_misses", i->counters->keyspace_misses);
    line_number(i, "pubsub_channels", pubsub_topics(ps, PUBSUB_CHANNEL));
    line_number(i, "pubsub_patterns", pubsub_topics(ps, PUBSUB_PATTERN));
    line_number(i, "pubsubshard_channels", pubsub_topics(ps, PUBSUB_SHARD));
    line_number(i, "latest_fork_usec", 0);
    line_number(i, "total_forks", 0);
    line_number(i, "migrate_cached_sockets", 0);
    line_number(i, "slave_expires_tracked_keys", 0);
    line_number(i, "active_defrag_hits", 0);
    line_number(i, "active_defrag_misses", 0);
    line_number(i, "active_defrag_key_hits", 0);
    line_number(i, "active_defrag_key_misses", 0);
    line_number(i, "tracking_total_keys", t->keys.count);
    line_number(i, "tracking_total_items", t->item_count);
    line_number(i, "tracking_total_prefixes", t->prefixes.count);
    line_number(i, "unexpected_error_replies", 0);
    line_number(i, "total_error_replies", i->counters->errors);
}

static void section_replication(struct info *i)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(i->node, member, LIMIT_MEMBERS);
    struct place at = {0};
    uint32_t replicas = 0;

    line_text(i, "role", is_leader(i) ? "master" : "slave");
    if (!is_leader(i)) {
        if (i->leader.id != 0 && !i->leader.is_self) {
            node_find_place(i->node, i->leader.id, "", &at);
        }
        line_text(i, "master_host", at.host);
        line_number(i, "master_port", at.port);
        line_text(i, "master_link_status", i->leader.is_alive ? "up" : "down");
        line_number(i, "master_last_io_seconds_ago", 0);
        line_number(i, "master_sync_in_progress", 0);
        line_number(i, "slave_repl_offset", i->status.applied);
        line_number(i, "slave_priority", 100);
        line_number(i, "slave_read_only", 0);
    }
    for (uint32_t m = 0; is_leader(i) && m < count; m++) {
        replicas += member[m].is_self ? 0 : 1;
    }
    line_number(i, "connected_slaves", replicas);
    line_text(i, "master_failover_state", "no-failover");
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
    line_text(i, "master_replid2", "0000000000000000000000000000000000000000");
    line_number(i, "master_repl_offset", i->status.applied);
    line_text(i, "second_repl_offset", "-1");
    line_number(i, "repl_backlog_active", 0);
    line_number(i, "repl_backlog_size", 0);
    line_number(i, "repl_backlog_first_byte_offset", 0);
    line_number(i, "repl_backlog_histlen", 0);
}

static void section_cpu(struct info *i)
{
    buf_printf(i->out, "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", (double)i->process.cpu_system_us / 1e6,
               (double)i->process.cpu_user_us / 1e6);
    buf_printf(i->out, "used_cpu_sys_children:0.000000\r\nused_cpu_user_children:0.000000\r\n");
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
    line_number(i, "cluster_enabled", i->options->cluster_enabled ? 1 : 0);
}

static void section_keyspace(struct info *i)
{
    const struct keyspace *k = node_keyspace(i->node);

    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        uint64_t keys = keyspace_count(k, db);

        if (keys > 0) {
            buf_printf(i->out, "db%u:keys=%llu,expires=%llu,avg_ttl=0\r\n", db, (unsigned long long)keys,
                       (unsigned long long)keyspace_expiry_count(k, db));
        }
    }
}

static void raft_members(struct info *i)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(i->node, member, LIMIT_MEMBERS);

    line_number(i, "raft_members", count);
    for (uint32_t m = 0; m < count; m++) {
        buf_printf(i->out, "raft_member%u:id=%016llx,address=%s,role=%s,self=%s,reachable=%s,in_sync=%s,match=%llu\r\n", m,
                   (unsigned long long)member[m].id, member[m].address,
                   member[m].is_learner ? "learner" : member[m].is_leader ? "leader" : "follower",
                   member[m].is_self ? "yes" : "no", member[m].is_reachable ? "yes" : "no",
                   member[m].is_in_sync ? "yes" : "no", (unsigned long long)member[m].match);
    }
}

static void section_raft(struct info *i)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    const struct node_status *s = &i->status;
    const struct pace *pace = node_pace(i->node);

    line_text(i, "raft_role", s->is_blank ? "blank" : role[s->raft.role]);
    line_number(i, "raft_term", s->raft.term);
    buf_printf(i->out, "raft_id:%016llx\r\nraft_cluster_id:%016llx\r\nraft_leader_id:%016llx\r\n",
               (unsigned long long)s->id, (unsigned long long)s->cluster_id, (unsigned long long)s->raft.leader);
    line_text(i, "raft_leader_address", s->leader_address ? s->leader_address : "");
    line_text(i, "raft_address", s->own_address ? s->own_address : "");
    line_number(i, "raft_incarnation", s->incarnation);
    line_number(i, "raft_first_index", s->raft.first_index);
    line_number(i, "raft_last_index", s->raft.last_index);
    line_number(i, "raft_durable_index", s->raft.durable_index);
    line_number(i, "raft_commit_index", s->raft.commit);
    line_number(i, "raft_applied_index", s->applied);
    line_number(i, "raft_elections", s->elections);
    line_number(i, "raft_log_time_ms", (uint64_t)s->log_time_ms);
    line_number(i, "raft_session", s->session_number);
    line_number(i, "raft_session_open", s->session_is_open ? 1 : 0);
    line_number(i, "raft_writes_pending", s->forwards_pending);
    line_number(i, "raft_write_bytes_pending", s->forward_bytes);
    line_number(i, "raft_reads_served_locally", s->reads_served_locally);
    line_number(i, "raft_reads_at_once", i->counters->reads_at_once);
    line_number(i, "raft_reads_pending", s->reads_pending);
    line_number(i, "raft_disk_syncs", s->disk_syncs);
    line_number(i, "raft_disk_bytes", s->disk_bytes);
    line_number(i, "raft_disk_bytes_512", s->disk_bytes_512);
    line_number(i, "raft_disk_bytes_4096", s->disk_bytes_4096);
    line_number(i, "raft_log_file_bytes", s->log_file_bytes);
    line_number(i, "raft_log_record_bytes", s->log_record_bytes);
    line_number(i, "raft_loop_turns", pace->turns);
    line_number(i, "raft_loop_longest_us", pace->turn_longest_us);
    line_number(i, "raft_loop_over_5ms", pace->turns_slow);
    line_number(i, "raft_heartbeat_gap_us", pace->heartbeat_gap_us);
    line_number(i, "raft_digest_us", pace->digest_us);
    line_number(i, "raft_disk_full", s->is_disk_full ? 1 : 0);
    line_text(i, "raft_change", s->change);
    line_text(i, "raft_trouble", s->trouble ? s->trouble : "");
    raft_members(i);
}

static const struct {
    const char *name;
    void (*fn)(struct info *i);
    bool is_extra; /* shown only when it or "all" is asked for */
} info_section[] = {
    {"Server", section_server, false},
    {"Clients", section_clients, false},
    {"Memory", section_memory, false},
    {"Persistence", section_persistence, false},
    {"Stats", section_stats, false},
    {"Replication", section_replication, false},
    {"CPU", section_cpu, false},
    {"Modules", section_modules, false},
    {"Commandstats", section_commandstats, true},
    {"Errorstats", section_errorstats, false},
    {"Latencystats", section_latencystats, true},
    {"Cluster", section_cluster, false},
    {"Raft", section_raft, false},
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
    i.uptime_s = (env->now_us(env->ctx) - clients_started_us(cs)) / 1000000;
    i.wall_s = env->wall_ms ? (uint64_t)(env->wall_ms(env->ctx) / 1000) : 0;
    for (size_t s = 0; s < sizeof info_section / sizeof info_section[0]; s++) {
        if (is_asked(info_section[s].name, info_section[s].is_extra, section, section_count)) {
            buf_printf(out, "%s# %s\r\n", buf_size(out) > start ? "\r\n" : "", info_section[s].name);
            info_section[s].fn(&i);
        }
    }
}
