#include "node/client_internal.h"
#include "node/info_internal.h"

/* INFO persistence. "rdb" is the snapshot, which is taken on the loop, without a child: "cow" is what its walk keeps in memory of
 * what was changed meanwhile, "fork" and "save" are how far it is. "aof" is the log; it is not rewritten but given up behind a
 * snapshot, so what tells of rewriting has the value of a server that never did. */

static void lines_of_loading(struct info *i, const struct node_snapshot_status *s)
{
    uint64_t done = s->loading_done > 0 ? s->loading_done : 1;
    uint64_t left = s->loading_bytes > s->loading_done ? s->loading_bytes - s->loading_done : 0;

    info_number(i, "loading_start_time", (i->wall_us - s->loading_us) / 1000000);
    info_number(i, "loading_total_bytes", s->loading_bytes);
    info_number(i, "loading_rdb_used_mem", s->loading_memory);
    info_number(i, "loading_loaded_bytes", s->loading_done);
    info_ratio(i, "loading_loaded_perc", 100.0 * (double)s->loading_done, (double)s->loading_bytes);
    info_number(i, "loading_eta_seconds", s->loading_us / 1000 * left / done / 1000);
}

static void lines_of_snapshot(struct info *i, const struct node_snapshot_status *s)
{
    uint64_t applied = i->status.applied;

    info_number(i, "current_cow_peak", s->kept_peak_bytes > s->kept_bytes ? s->kept_peak_bytes : s->kept_bytes);
    info_number(i, "current_cow_size", s->kept_bytes);
    info_number(i, "current_cow_size_age", 0); /* it is looked at now */
    info_ratio(i, "current_fork_perc", 100.0 * (double)s->keys_walked, (double)s->keys_total);
    info_number(i, "current_save_keys_processed", s->keys_walked);
    info_number(i, "current_save_keys_total", s->keys_total);
    /* What was answered is in the log on disk in any case; in entries, not in changes. */
    info_number(i, "rdb_changes_since_last_save", applied > s->index ? applied - s->index : 0);
    info_number(i, "rdb_bgsave_in_progress", s->is_running);
    info_number(i, "rdb_last_save_time", (uint64_t)s->saved_ms / 1000);
    info_text(i, "rdb_last_bgsave_status", s->last_failed ? "err" : "ok");
    info_signed(i, "rdb_last_bgsave_time_sec", s->taken > 0 ? (int64_t)(s->last_us / 1000000) : -1);
    info_signed(i, "rdb_current_bgsave_time_sec", s->is_running ? (int64_t)(s->running_us / 1000000) : -1);
    info_number(i, "rdb_saves", s->taken);
    info_number(i, "rdb_last_cow_size", s->last_kept_bytes);
    info_number(i, "rdb_last_load_keys_expired", 0); /* only the log's time removes keys */
    info_number(i, "rdb_last_load_keys_loaded", s->keys_loaded);
    info_number(i, "snapshot_index", s->index);
    info_number(i, "snapshot_bytes", s->bytes);
    info_number(i, "snapshot_last_us", s->last_us);
}

static void lines_of_log(struct info *i)
{
    info_number(i, "aof_enabled", 1);
    info_number(i, "aof_rewrite_in_progress", 0);
    info_number(i, "aof_rewrite_scheduled", 0);
    info_signed(i, "aof_last_rewrite_time_sec", -1);
    info_signed(i, "aof_current_rewrite_time_sec", -1);
    info_text(i, "aof_last_bgrewrite_status", "ok");
    info_number(i, "aof_rewrites", 0);
    info_number(i, "aof_rewrites_consecutive_failures", 0);
    info_text(i, "aof_last_write_status", i->status.is_disk_full ? "err" : "ok");
    info_number(i, "aof_last_cow_size", 0);
    info_number(i, "module_fork_in_progress", 0);
    info_number(i, "module_fork_last_cow_size", 0);
    info_number(i, "aof_current_size", i->status.log_file_bytes);
    info_number(i, "aof_base_size", 0);
    info_number(i, "aof_pending_rewrite", 0);
    info_number(i, "aof_buffer_length", 0);
    info_number(i, "aof_pending_bio_fsync", i->status.raft.durable_index < i->status.raft.last_index);
    info_number(i, "aof_delayed_fsync", 0);
}

void info_section_persistence(struct info *i)
{
    struct node_snapshot_status s;

    node_get_snapshot(i->node, &s);
    info_number(i, "loading", s.is_loading || s.is_replaying);
    info_number(i, "async_loading", s.is_receiving);
    lines_of_snapshot(i, &s);
    lines_of_log(i);
    if (s.is_loading) {
        lines_of_loading(i, &s);
    }
    if (s.is_receiving) {
        info_number(i, "snapshot_receiving_bytes", s.receiving_bytes);
        info_number(i, "snapshot_receiving_done", s.receiving_done);
    }
}
