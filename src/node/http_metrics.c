#include <stdio.h>
#include <string.h>

#include "keyspace/changes.h"
#include "node/client_http.h"
#include "node/http_live.h"
#include "node/stages.h"
#include "node/version.h"

/* /metrics in Prometheus's text format 0.0.4: one family after the other, each with HELP and TYPE, base units, counters in
 * _total. Labels hold names of ours and members' addresses only, so nothing needs escaping. */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP coracle_%s %s\n# TYPE coracle_%s %s\n", name, help, name, type);
}

static void metric(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    family(out, name, type, help);
    buf_printf(out, "coracle_%s %llu\n", name, (unsigned long long)value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metric(out, name, "gauge", help, value);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metric(out, name, "counter", help, value);
}

static void metrics_raft(struct node *n, struct buf *out)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    struct node_status s;

    node_get_status(n, &s);
    family(out, "raft_role", "gauge", "1 for the role this node has.");
    for (int i = 0; i < 4; i++) {
        buf_printf(out, "coracle_raft_role{role=\"%s\"} %d\n", role[i], !s.is_blank && (int)s.raft.role == i);
    }
    gauge(out, "raft_has_leader", "1 while this node knows a leader.", node_has_leader(n));
    gauge(out, "raft_term", "Raft's term.", s.raft.term);
    gauge(out, "raft_commit_index", "Index of the newest committed entry known here.", s.raft.commit);
    gauge(out, "raft_applied_index", "Index of the newest applied entry.", s.applied);
    gauge(out, "raft_last_index", "Index of the newest entry of the log.", s.raft.last_index);
    gauge(out, "raft_durable_index", "Index of the newest entry on this node's disk.", s.raft.durable_index);
    gauge(out, "raft_first_index", "Index of the oldest entry of the log.", s.raft.first_index);
    counter(out, "raft_elections_total", "Elections this node began.", s.elections);
    gauge(out, "raft_writes_pending", "Writes of this node's clients under way.", s.forwards_pending);
    gauge(out, "raft_write_pending_bytes", "Bytes of those writes.", s.forward_bytes);
    gauge(out, "raft_reads_pending", "Reads that wait for a majority or for apply.", s.reads_pending);
    counter(out, "raft_reads_served_total", "Reads answered from this node's state.", s.reads_served_locally);
    counter(out, "disk_syncs_total", "Group commits written to disk.", s.disk_syncs);
    counter(out, "disk_written_bytes_total", "Bytes written to the log.", s.disk_bytes);
    gauge(out, "disk_full", "1 while this node's disk is full; writes are refused while the leader's is.", s.is_disk_full);
    gauge(out, "log_file_bytes", "Bytes of all log files.", s.log_file_bytes);
}

static void metrics_members(struct node *n, struct buf *out)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(n, member, LIMIT_MEMBERS);
    const struct node_env *env = node_environment(n);
    uint64_t now_us = env->now_us(env->ctx);

    gauge(out, "members", "Members of the cluster.", count);
    family(out, "member_reachable", "gauge", "1 for members heard of lately.");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "coracle_member_reachable{member=\"%s\"} %d\n", member[i].address, member[i].is_reachable);
    }
    family(out, "member_match_index", "gauge", "Index up to which a member's log is known to be on its disk.");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "coracle_member_match_index{member=\"%s\"} %llu\n", member[i].address, (unsigned long long)member[i].match);
    }
    family(out, "member_last_contact_seconds", "gauge", "Time since a member was heard by this node; not given for those it doesn't talk to.");
    for (uint32_t i = 0; i < count; i++) {
        if (member[i].is_self || member[i].last_contact_us) {
            uint64_t us = member[i].is_self || member[i].last_contact_us > now_us ? 0 : now_us - member[i].last_contact_us;

            buf_printf(out, "coracle_member_last_contact_seconds{member=\"%s\"} %.6f\n", member[i].address, (double)us / 1e6);
        }
    }
}

static void metrics_stages(struct node *n, struct buf *out)
{
    const struct stages *s = node_stages(n);

    family(out, "write_stage_seconds", "histogram",
           "Where writes spend their time on the leader: queue, fsync (own disk), replication (until a majority has it), apply.");
    for (int stage = 0; s && stage < STAGES; stage++) {
        const struct stage_histogram *h = &s->histogram[stage];
        const char *name = stage_name((enum stage)stage);
        uint64_t sum = 0;

        for (unsigned i = 0; i + 1 < STAGE_BUCKETS; i++) {
            sum += h->bucket[i];
            buf_printf(out, "coracle_write_stage_seconds_bucket{stage=\"%s\",le=\"%g\"} %llu\n", name, (double)stage_bound_us(i) / 1e6,
                       (unsigned long long)sum);
        }
        buf_printf(out, "coracle_write_stage_seconds_bucket{stage=\"%s\",le=\"+Inf\"} %llu\n", name, (unsigned long long)h->count);
        buf_printf(out, "coracle_write_stage_seconds_sum{stage=\"%s\"} %.6f\n", name, (double)h->sum_us / 1e6);
        buf_printf(out, "coracle_write_stage_seconds_count{stage=\"%s\"} %llu\n", name, (unsigned long long)h->count);
    }
}

/* Powers of two of microseconds, from 64 µs to 2^23, about eight seconds. */
static void command_histogram(struct buf *out, const struct command_stat *stat, const char *name)
{
    uint64_t timed = command_stats_up_to(stat, 40);

    for (unsigned power = 6; power <= 23; power++) {
        buf_printf(out, "coracle_command_seconds_bucket{command=\"%s\",le=\"%g\"} %llu\n", name, (double)(UINT64_C(1) << power) / 1e6,
                   (unsigned long long)command_stats_up_to(stat, power));
    }
    buf_printf(out, "coracle_command_seconds_bucket{command=\"%s\",le=\"+Inf\"} %llu\n", name, (unsigned long long)timed);
    buf_printf(out, "coracle_command_seconds_sum{command=\"%s\"} %.6f\n", name, (double)stat->usec / 1e6);
    buf_printf(out, "coracle_command_seconds_count{command=\"%s\"} %llu\n", name, (unsigned long long)timed);
}

static void metrics_commands(struct node *n, struct buf *out)
{
    const struct command_table *table = node_commands(n);
    const struct command_stats *stats = clients_command_stats(node_clients(n));

    family(out, "command_seconds", "histogram", "Time of commands from their beginning at this node to their reply.");
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command_row *row = command_table_at(table, i);
        const struct command_stat *stat = command_stats_find(stats, row);

        if (stat && stat->histogram) {
            command_histogram(out, stat, row->name);
        }
    }
    family(out, "command_failures_total", "counter", "Commands that were refused or answered an error.");
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command_row *row = command_table_at(table, i);
        const struct command_stat *stat = command_stats_find(stats, row);

        if (stat && stat->rejected + stat->failed > 0) {
            buf_printf(out, "coracle_command_failures_total{command=\"%s\"} %llu\n", row->name,
                       (unsigned long long)(stat->rejected + stat->failed));
        }
    }
}

static void metrics_clients(struct node *n, struct buf *out)
{
    struct clients *cs = node_clients(n);
    const struct client_counters *c = clients_counters(cs);
    const struct watches *w = watches_of(cs);
    const struct keyspace *k = node_keyspace(n);

    gauge(out, "clients", "Client connections.", clients_count(cs));
    counter(out, "connections_received_total", "Connections accepted.", c->connections_received);
    counter(out, "connections_rejected_total", "Connections refused.", c->connections_rejected);
    counter(out, "commands_total", "Commands begun, in any protocol.", c->commands);
    counter(out, "error_replies_total", "Error replies.", c->errors);
    counter(out, "received_bytes_total", "Bytes received from clients.", c->input_bytes);
    counter(out, "sent_bytes_total", "Bytes sent to clients.", c->output_bytes);
    counter(out, "keyspace_hits_total", "Keys that reads found.", c->keyspace_hits);
    counter(out, "keyspace_misses_total", "Keys that reads did not find.", c->keyspace_misses);
    counter(out, "expired_keys_total", "Keys removed because their time was over.", keyspace_expired_total(k));
    gauge(out, "watchers", "Connections that get the change feed.", w->count);
    counter(out, "watch_frames_total", "Frames made for watchers, each once for all of them.", w->frames);
    counter(out, "watchers_too_slow_total", "Watchers closed because they did not read.", w->slow);
    gauge(out, "change_feed_on", "1 while changes are kept.", changes_are_on(k));
    gauge(out, "change_feed_first_index", "The feed holds every change from this index on.", changes_first(k));
    gauge(out, "change_feed_changes", "Changes held.", changes_count(k));
    gauge(out, "change_feed_bytes", "Bytes of the changes held.", changes_bytes(k));
}

static void metrics_data(struct node *n, struct buf *out)
{
    const struct keyspace *k = node_keyspace(n);

    family(out, "keys", "gauge", "Keys per database.");
    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        if (db == 0 || keyspace_count(k, db) > 0) {
            buf_printf(out, "coracle_keys{db=\"%u\"} %llu\n", db, (unsigned long long)keyspace_count(k, db));
        }
    }
    family(out, "keys_expiring", "gauge", "Keys with a time to live, per database.");
    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        if (db == 0 || keyspace_expiry_count(k, db) > 0) {
            buf_printf(out, "coracle_keys_expiring{db=\"%u\"} %llu\n", db, (unsigned long long)keyspace_expiry_count(k, db));
        }
    }
    gauge(out, "data_bytes", "Memory of keys and values.", keyspace_memory(k));
    gauge(out, "memory_used_bytes", "Memory in use.", mem_used());
    gauge(out, "memory_max_bytes", "maxmemory; 0: no limit.", (uint64_t)node_options(n)->maxmemory);
}

static void metrics_snapshots(struct node *n, struct buf *out)
{
    struct node_snapshot_status s;

    node_get_snapshot(n, &s);
    gauge(out, "snapshot_index", "Index of the newest snapshot; 0: none yet.", s.index);
    gauge(out, "snapshot_bytes", "Size of its file.", s.bytes);
    family(out, "snapshot_timestamp_seconds", "gauge", "When the newest one was durable; the time of the start if there is none.");
    buf_printf(out, "coracle_snapshot_timestamp_seconds %lld.%03lld\n", (long long)(s.saved_ms / 1000), (long long)(s.saved_ms % 1000));
    gauge(out, "snapshot_running", "1 while one is taken.", s.is_running);
    gauge(out, "snapshot_last_failed", "1 when the last attempt failed.", s.last_failed);
    family(out, "snapshot_last_duration_seconds", "gauge", "How long the last one took.");
    buf_printf(out, "coracle_snapshot_last_duration_seconds %.6f\n", (double)s.last_us / 1e6);
    counter(out, "snapshots_total", "Snapshots taken.", s.taken);
}

static void metrics_process(struct node *n, struct buf *out)
{
    const struct node_env *env = node_environment(n);
    struct process_info info = {0};
    int64_t uptime_us = (int64_t)(env->now_us(env->ctx) - clients_started_us(node_clients(n)));

    family(out, "build_info", "gauge", "1; the version is a label.");
    buf_printf(out, "coracle_build_info{version=\"%s\",redis_version=\"%s\"} 1\n", CORACLE_VERSION, REDIS_VERSION);
    gauge(out, "uptime_seconds", "Time since the first client came.", (uint64_t)uptime_us / 1000000);
    if (!env->process_info) {
        return;
    }
    env->process_info(env->ctx, &info);
    buf_printf(out, "# HELP process_resident_memory_bytes Resident memory of the process.\n# TYPE process_resident_memory_bytes gauge\n"
                    "process_resident_memory_bytes %llu\n", (unsigned long long)info.resident_bytes);
    buf_printf(out, "# HELP process_cpu_seconds_total User and system time of the process.\n# TYPE process_cpu_seconds_total counter\n"
                    "process_cpu_seconds_total %.6f\n", (double)(info.cpu_user_us + info.cpu_system_us) / 1e6);
}

void http_metrics_append(struct node *n, struct buf *out)
{
    metrics_process(n, out);
    metrics_raft(n, out);
    metrics_members(n, out);
    metrics_snapshots(n, out);
    metrics_stages(n, out);
    metrics_commands(n, out);
    metrics_clients(n, out);
    metrics_data(n, out);
}
