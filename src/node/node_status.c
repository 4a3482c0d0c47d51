#include <stdio.h>
#include <string.h>

#include "keyspace/state.h"
#include "keyspace/used_ids.h"
#include "node/http_live.h"
#include "node/node_internal.h"

/* Views of a node for rows, INFO and tests. */

const struct options *node_options(const struct node *n)
{
    return n->options;
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

const struct events *node_events(const struct node *n)
{
    return &n->events;
}

const struct stages *node_stages(const struct node *n)
{
    return &n->stages;
}

struct pace *node_pace(struct node *n)
{
    return &n->pace;
}

struct changes *node_changes(struct node *n)
{
    return &n->changes;
}

const struct raft *node_raft(const struct node *n)
{
    return n->raft;
}

static const char *leader_address(struct node *n)
{
    if (node_is_leader(n))
        return n->formation.own_address;
    const struct peer *leader = peers_leader(n);
    return leader ? leader->address : "";
}

/* Who refuses writes is the leader, for its own disk. */
static const char *full_disk_trouble(struct node *n)
{
    const struct peer *leader = peers_leader(n);
    if (node_is_leader(n))
        return "the disk is full: writes are refused";
    if (!leader)
        return "this node's disk is full, and no leader is known";
    if (leader->last.refuses & PEER_REFUSES_DISK)
        return "this node's disk is full, and so is the leader's: writes are refused";
    return "this node's disk is full: it falls behind until there is room; writes go on through the leader";
}

static const char *node_trouble(struct node *n)
{
    if (n->leave.is_removed)
        return LEAVE_REMOVED_TEXT;
    if (node_is_blank(n) && join_is_wanted(&n->join))
        return join_trouble(n);
    if (node_is_blank(n))
        return formation_trouble(n);
    if (node_lacks_configuration(n))
        return "this node was taken in and waits for the cluster's log";
    if (n->verify.has_alarm)
        return node_verify_alarm(n);
    if (n->disk.is_full)
        return full_disk_trouble(n);
    if (n->disk.is_tainted)
        return "the end of the log was damaged; waiting to catch up with a leader";
    if (!node_has_leader(n))
        return "no leader is known: a majority of the nodes may be down";
    return NULL;
}

static const char *node_change_text(struct node *n)
{
    struct buf text = {0};
    membership_describe(n, &text);
    struct slice all = buf_slice(&text);
    snprintf(n->change_text, sizeof n->change_text, "%.*s", (int)all.n, (const char *)all.p);
    buf_deinit(&text);
    return n->change_text;
}

void node_get_status(struct node *n, struct node_status *s)
{
    *s = (struct node_status){
        .is_blank = node_is_blank(n),
        .cluster_id = n->identity.cluster_id,
        .id = n->identity.node_id,
        .incarnation = n->identity.incarnation,
        .applied = n->apply.applied,
        .leader_address = leader_address(n),
        .own_address = n->formation.own_address,
        .session_number = n->session.number,
        .session_is_open = n->session.phase == SESSION_OPEN,
        .forwards_pending = n->session.window_count,
        .forward_bytes = n->session.window_bytes,
        .reads_served_locally = n->reads.served,
        .reads_pending = n->reads.pending,
        .disk_syncs = n->disk.stats.sync_count,
        .disk_bytes = n->disk.stats.append_bytes,
        .disk_bytes_512 = n->disk.stats.append_bytes_512,
        .disk_bytes_4096 = n->disk.stats.append_bytes_4096,
        .log_file_bytes = n->disk.stats.file_bytes,
        .log_record_bytes = n->disk.stats.record_bytes,
        .elections = n->elections,
        .log_time_ms = keyspace_time_ms(n->keyspace),
        .is_disk_full = n->disk.is_full,
        .change = node_change_text(n),
        .used_ids = used_ids_count(n->keyspace),
        .trouble = node_trouble(n),
    };
    if (n->raft)
        raft_get_status(n->raft, &s->raft);
}

/* Followers hear nothing from each other: the leader's word counts while it is heard. */
static bool member_is_reachable(struct node *n, const struct peer *p)
{
    if (peers_is_heard(n, p))
        return true;
    const struct peer *leader = peers_leader(n);
    return leader && leader != p && peers_is_heard(n, leader) && p->is_reachable;
}

static void member_fill(struct node *n, const struct raft_member *from, struct node_member *m)
{
    const struct raft_status *status = &n->driver.status;
    *m = (struct node_member){
        .id = from->id,
        .address = from->address,
        .is_self = from->id == n->identity.node_id,
        .is_leader = from->id == status->leader,
        .is_voter = (from->flags & (RAFT_VOTER_OLD | RAFT_VOTER_NEW)) != 0,
        .is_learner = (from->flags & RAFT_LEARNER) != 0,
    };
    if (m->is_self) {
        m->is_reachable = true;
        m->is_in_sync = node_is_leader(n) || (node_has_leader(n) && n->peers.self_is_in_sync);
        m->match = status->last_index;
        m->last_contact_us = n->now_us;
        return;
    }
    const struct peer *p = peers_find(n, from->id);
    if (!p)
        return;
    struct raft_peer_status known;
    m->is_reachable = member_is_reachable(n, p);
    m->match = node_is_leader(n) && raft_get_peer(n->raft, p->id, &known) ? known.match : p->match;
    m->is_in_sync = m->is_reachable && (m->is_leader || (node_is_leader(n) ? m->match + 1000 >= status->last_index : p->is_in_sync));
    m->last_contact_us = p->heard_us;
}

uint32_t node_get_members(struct node *n, struct node_member *member, uint32_t capacity)
{
    if (!n->raft)
        return 0;
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    node_enter(n);
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->member_count && count < capacity; i++) {
        /* By address: people look at this. */
        uint32_t at = count++;
        for (; at > 0 && strcmp(member[at - 1].address, conf->member[i].address) > 0; at--)
            member[at] = member[at - 1];
        member_fill(n, &conf->member[i], &member[at]);
    }
    return count;
}

void node_get_snapshot(const struct node *n, struct node_snapshot_status *status)
{
    const struct snapshots *s = &n->snapshots;
    const struct snapshot_taking *t = &s->taking;
    const struct snapshot_loading *l = &s->loading;
    bool is_running = t->phase != SNAPSHOT_IDLE;
    *status = (struct node_snapshot_status){
        .index = s->newest.index,
        .bytes = s->newest.size,
        .saved_ms = s->saved_wall_ms,
        .is_running = is_running || s->is_wanted,
        .running_us = is_running ? n->now_us - t->started_us : 0,
        .last_us = s->last_took_us,
        .last_failed = s->last_failed,
        .taken = s->taken_total,
        .kept_bytes = snapshot_kept_bytes(t),
        .kept_peak_bytes = is_running ? t->kept_peak_bytes : 0,
        .last_kept_bytes = s->last_kept_bytes,
        .keys_walked = t->walk ? state_walk_keys(t->walk) : 0,
        .keys_total = t->walk ? t->keys_total : 0,
        .keys_loaded = s->keys_loaded,
        .is_loading = l->is_active && l->at_start,
        .is_replaying = n->raft && apply_is_replaying(n),
        .is_receiving = s->receiving.id.index != 0,
        .receiving_bytes = s->receiving.id.size,
        .receiving_done = s->receiving.offset,
    };
    if (status->is_loading) {
        status->loading_bytes = l->from->size;
        status->loading_done = l->decoder.file_bytes;
        status->loading_us = n->now_us - l->begun_us;
        status->loading_memory = l->keyspace ? keyspace_memory(l->keyspace) : 0;
    }
}
