#include "cells.h"

#include "node/node_internal.h"
#include "raft/raft_internal.h"

/* One value of each dimension holds at a time; where two could, the one that is named last here.
 *
 *   role      as the node sees itself. Learner: a follower without a vote by its newest configuration, also one that is in none yet or any
 *             more. Candidate: before the votes or the pre-votes. Who campaigns or leads is that, whatever the configuration says.
 *   phase     of the newest configuration in its log, which is what it goes by. Whether a joint one is committed makes no phase of its own: a
 *             leader leaves it in the step that commits it. A final one that isn't committed, as the ghost knows, follows a joint one, or
 *             is a change of learners alone.
 *   snapshot  taken of its own state; received, up to where it takes the place of the state; sent to somebody. One loaded at start counts
 *             for none: the states here are read in one piece, before anything else happens.
 *   transfer  this node leads and gives leadership away.
 *   disk      stalled: a job waits for it. Full: a write met that. Damaged: the log's end was not as it should be, and has not caught up
 *             (P9). Failed: a call has failed, and the node ends.
 *
 * A node that is BLANK or down is in no cell. */

enum cell_role { ROLE_FOLLOWER, ROLE_LEARNER, ROLE_CANDIDATE, ROLE_LEADER, ROLES };
enum cell_phase { PHASE_SIMPLE, PHASE_JOINT, PHASE_LEAVING, PHASES };
enum cell_snapshot { SNAPSHOT_NONE, SNAPSHOT_TAKEN, SNAPSHOT_RECEIVED, SNAPSHOT_SENT, SNAPSHOTS };
enum cell_transfer { TRANSFER_NONE, TRANSFER_UNDER_WAY, TRANSFERS };
enum cell_disk { DISK_WELL, DISK_STALLED, DISK_FULL, DISK_DAMAGED, DISK_FAILED, DISKS };

static const char *const role_name[] = {"follower", "learner", "candidate", "leader"};
static const char *const phase_name[] = {"simple", "joint", "final uncommitted"};
static const char *const snapshot_name[] = {"no snapshot", "snapshot taken", "snapshot received", "snapshot sent"};
static const char *const transfer_name[] = {"no transfer", "transfer"};
static const char *const disk_name[] = {"disk well", "disk stalled", "disk full", "log damaged", "disk failed"};

struct cell {
    enum cell_role role;
    enum cell_phase phase;
    enum cell_snapshot snapshot;
    enum cell_transfer transfer;
    enum cell_disk disk;
};

/* The program's own bookkeeping over all seeds, as world.c's counts. */
static unsigned long hits[ROLES][PHASES][SNAPSHOTS][TRANSFERS][DISKS];

/* --- which can't be --- */

#define BIT(x) (1u << (x))
#define NOT_LEADER (BIT(ROLE_FOLLOWER) | BIT(ROLE_LEARNER) | BIT(ROLE_CANDIDATE))
static const struct {
    unsigned role, phase, snapshot, transfer, disk; /* bits of values; 0: any */
    const char *why;
} rules[] = {
    {NOT_LEADER, 0, 0, BIT(TRANSFER_UNDER_WAY), 0, "only a leader has something to give away (raft_check)"},
    {0, BIT(PHASE_JOINT), 0, BIT(TRANSFER_UNDER_WAY), 0,
     "refused while joint, and ended by a change (membership_transfer, membership_append)"},
    {NOT_LEADER, 0, BIT(SNAPSHOT_SENT), 0, 0, "only a leader feeds others"},
    {BIT(ROLE_LEADER), 0, BIT(SNAPSHOT_RECEIVED), 0, 0,
     "received for what the node lacks, and who is elected lacks nothing: the log must have brought it, which takes longer than a file here"},
};

static bool is_among(unsigned bits, unsigned value) { return bits == 0 || (bits >> value & 1) != 0; }

/* NULL: nothing is against it. */
static const char *ruled_out(const struct cell *c)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (is_among(rules[i].role, c->role) && is_among(rules[i].phase, c->phase) && is_among(rules[i].snapshot, c->snapshot) &&
            is_among(rules[i].transfer, c->transfer) && is_among(rules[i].disk, c->disk))
            return rules[i].why;
    }
    return NULL;
}

/* --- where a node is --- */

static enum cell_role role_of(const struct raft *r)
{
    if (r->role != RAFT_FOLLOWER)
        return r->role == RAFT_LEADER ? ROLE_LEADER : ROLE_CANDIDATE;
    raft_index index;
    const struct raft_member *m = raft_conf_find(raft_get_conf(r, &index), r->options.id);
    return !m || m->flags & RAFT_LEARNER ? ROLE_LEARNER : ROLE_FOLLOWER;
}

static enum cell_phase phase_of(const struct sim_host *h)
{
    raft_index index;
    if (raft_get_conf(h->node->raft, &index)->is_joint)
        return PHASE_JOINT;
    return ghost_is_committed(h->sim->ghost, h->slot, index) ? PHASE_SIMPLE : PHASE_LEAVING;
}

static bool is_sending(const struct raft *r)
{
    for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->peers.count; i++) {
        if (r->peers.item[i].state == PROGRESS_SNAPSHOT)
            return true;
    }
    return false;
}

static enum cell_snapshot snapshot_of(const struct node *n)
{
    const struct snapshots *s = &n->snapshots;
    if (is_sending(n->raft))
        return SNAPSHOT_SENT;
    if (s->receiving.id.index != 0)
        return SNAPSHOT_RECEIVED;
    return s->taking.phase != SNAPSHOT_IDLE ? SNAPSHOT_TAKEN : SNAPSHOT_NONE;
}

static enum cell_disk disk_of(const struct sim_host *h)
{
    const struct disk *d = &h->node->disk;
    if (h->fatal_reason)
        return DISK_FAILED;
    if (d->is_tainted)
        return DISK_DAMAGED;
    if (d->is_full)
        return DISK_FULL;
    return h->is_disk_busy && h->disk_stalled_until_us > h->sim->world.now_us ? DISK_STALLED : DISK_WELL;
}

static int cell_text(const struct cell *c, char *text, size_t size)
{
    return snprintf(text, size, "%s, %s, %s, %s, %s", role_name[c->role], phase_name[c->phase], snapshot_name[c->snapshot],
                    transfer_name[c->transfer], disk_name[c->disk]);
}

void cells_look(struct sim *s, uint32_t slot)
{
    const struct sim_host *h = &s->host[slot];
    const struct node *n = h->node;
    bool ends_otherwise = h->fatal_reason && (!h->fatal_expected || (n && n->leave.is_removed));
    if (!n || !n->raft || ends_otherwise)
        return;
    struct cell c = {role_of(n->raft), phase_of(h), snapshot_of(n),
                     n->raft->transfer_to != 0 ? TRANSFER_UNDER_WAY : TRANSFER_NONE, disk_of(h)};
    if (hits[c.role][c.phase][c.snapshot][c.transfer][c.disk]++ > 0)
        return;
    const char *why = ruled_out(&c);
    char text[128];
    cell_text(&c, text, sizeof text);
    if (why)
        world_fail(&s->world, "cell: node %u is in one that can't be: %s (%s)", slot, text, why);
}

void cells_print(FILE *out)
{
    for (unsigned i = 0; i < ROLES * PHASES * SNAPSHOTS * TRANSFERS * DISKS; i++) {
        struct cell c = {i / (PHASES * SNAPSHOTS * TRANSFERS * DISKS), i / (SNAPSHOTS * TRANSFERS * DISKS) % PHASES,
                         i / (TRANSFERS * DISKS) % SNAPSHOTS, i / DISKS % TRANSFERS, i % DISKS};
        char text[128];
        cell_text(&c, text, sizeof text);
        if (!ruled_out(&c))
            fprintf(out, "cell: %s\t%lu\n", text, hits[c.role][c.phase][c.snapshot][c.transfer][c.disk]);
    }
}
