#include "node/client_internal.h"
#include "node/info_internal.h"
#include "node/pace.h"

/* INFO raft: coracle's own fields. */

static void raft_members(struct info *i)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(i->node, member, LIMIT_MEMBERS);

    info_number(i, "raft_members", count);
    for (uint32_t m = 0; m < count; m++) {
        buf_printf(i->out, "raft_member%u:id=%016llx,address=%s,role=%s,self=%s,reachable=%s,in_sync=%s,match=%llu\r\n", m,
                   (unsigned long long)member[m].id, member[m].address,
                   member[m].is_learner ? "learner" : member[m].is_leader ? "leader" : "follower",
                   member[m].is_self ? "yes" : "no", member[m].is_reachable ? "yes" : "no",
                   member[m].is_in_sync ? "yes" : "no", (unsigned long long)member[m].match);
    }
}

void info_section_raft(struct info *i)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    const struct node_status *s = &i->status;
    const struct pace *pace = node_pace(i->node);

    info_text(i, "raft_role", s->is_blank ? "blank" : role[s->raft.role]);
    info_number(i, "raft_term", s->raft.term);
    buf_printf(i->out, "raft_id:%016llx\r\nraft_cluster_id:%016llx\r\nraft_leader_id:%016llx\r\n",
               (unsigned long long)s->id, (unsigned long long)s->cluster_id, (unsigned long long)s->raft.leader);
    info_text(i, "raft_leader_address", s->leader_address ? s->leader_address : "");
    info_text(i, "raft_address", s->own_address ? s->own_address : "");
    info_number(i, "raft_incarnation", s->incarnation);
    info_number(i, "raft_first_index", s->raft.first_index);
    info_number(i, "raft_last_index", s->raft.last_index);
    info_number(i, "raft_durable_index", s->raft.durable_index);
    info_number(i, "raft_commit_index", s->raft.commit);
    info_number(i, "raft_applied_index", s->applied);
    info_number(i, "raft_elections", s->elections);
    info_number(i, "raft_log_time_ms", (uint64_t)s->log_time_ms);
    info_number(i, "raft_session", s->session_number);
    info_number(i, "raft_session_open", s->session_is_open ? 1 : 0);
    info_number(i, "raft_writes_pending", s->forwards_pending);
    info_number(i, "raft_write_bytes_pending", s->forward_bytes);
    info_number(i, "raft_reads_served_locally", s->reads_served_locally);
    info_number(i, "raft_reads_at_once", i->counters->reads_at_once);
    info_number(i, "raft_reads_pending", s->reads_pending);
    info_number(i, "raft_disk_syncs", s->disk_syncs);
    info_number(i, "raft_disk_bytes", s->disk_bytes);
    info_number(i, "raft_disk_bytes_512", s->disk_bytes_512);
    info_number(i, "raft_disk_bytes_4096", s->disk_bytes_4096);
    info_number(i, "raft_log_file_bytes", s->log_file_bytes);
    info_number(i, "raft_log_record_bytes", s->log_record_bytes);
    info_number(i, "raft_loop_turns", pace->turns);
    info_number(i, "raft_loop_longest_us", pace->turn_longest_us);
    info_number(i, "raft_loop_over_5ms", pace->turns_slow);
    info_number(i, "raft_heartbeat_gap_us", pace->heartbeat_gap_us);
    info_number(i, "raft_digest_us", pace->digest_us);
    info_number(i, "raft_disk_full", s->is_disk_full ? 1 : 0);
    info_text(i, "raft_change", s->change);
    info_text(i, "raft_trouble", s->trouble ? s->trouble : "");
    raft_members(i);
}
