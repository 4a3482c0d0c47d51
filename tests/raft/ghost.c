#include "ghost.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/quorum.h"

/* The ghost: what must never happen, judged from outside. */

void ghost_on_commit(struct cluster *c,
                     struct cluster_node *n,
                     const struct raft_conf *conf,
                     raft_index from,
                     raft_index to)
{
    struct ghost *g = &c->ghost;
    for (raft_index index = from + 1; index <= to; index++) {
        struct raft_entry entry;
        raft_term term = raft_get_term(n->raft, index);
        if (index <= g->committed_count) {
            if (term != g->committed[index].term) {
                cluster_fail(c, "node %d commits %d of term %d, committed before was term %d",
                             (int)n->id, (int)index, (int)term, (int)g->committed[index].term);
            }
            continue;
        }
        struct raft_status s = cluster_status(c, n->id);
        if (s.role != RAFT_LEADER && g->leader_of[s.term] != n->id) {
            cluster_fail(c, "node %d commits %d, which no leader did", (int)n->id, (int)index);
            return;
        }
        if (!raft_get_entry(n->raft, index, &entry) &&
            (index > n->disk_count ||
             entry_decode((struct slice){n->disk[index].bytes, n->disk[index].size}, &entry) !=
                 ERR_OK)) {
            cluster_fail(c, "node %d commits %d, which it does not hold", (int)n->id, (int)index);
            return;
        }
        if (index + 1 >= g->committed_capacity) {
            g->committed_capacity = g->committed_capacity * 2 + 64;
            g->committed =
                mem_realloc_array(g->committed, g->committed_capacity, sizeof(*g->committed));
        }
        memcpy(&g->committed[index].crc, entry.bytes.p + 4, 4);
        g->committed[index].term = term;
        g->committed_count = index;
    }
    /* Justified: the last of them is on the disks of a quorum, as this leader's configuration was
     * before the step. */
    uint64_t has[LIMIT_MEMBERS] = {0};
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct cluster_node *m = &c->node[conf->member[i].id];
        uint32_t crc;
        if (to <= m->disk_count) {
            memcpy(&crc, m->disk[to].bytes + 4, 4);
            has[i] = crc == g->committed[to].crc ? 1 : 0;
        }
    }
    if (cluster_status(c, n->id).role == RAFT_LEADER && quorum_value(conf, has) != 1) {
        cluster_fail(c, "node %d commits %d without a durable quorum", (int)n->id, (int)to);
    }
}

void ghost_on_leader(struct cluster *c, struct cluster_node *n, raft_term term)
{
    struct ghost *g = &c->ghost;
    ASSERT(term < CLUSTER_TERMS);
    if (g->leader_of[term] != 0 && g->leader_of[term] != n->id) {
        cluster_fail(c, "two leaders of term %d: %d and %d", (int)term, (int)g->leader_of[term],
                     (int)n->id);
    }
    g->leader_of[term] = n->id;
    for (raft_index i = 1; i <= g->committed_count; i++) {
        if (raft_get_term(n->raft, i) != g->committed[i].term) {
            cluster_fail(c, "leader %d of term %d lacks committed entry %d", (int)n->id, (int)term,
                         (int)i);
            return;
        }
    }
}

void ghost_on_send(struct cluster *c, const struct raft_message *m)
{
    if (m->type == RAFT_VOTE_REPLY && m->u.vote_reply.is_granted) {
        raft_id *vote = &c->ghost.vote_of[m->from][m->u.vote_reply.campaign_term];
        if (*vote != 0 && *vote != m->to) {
            cluster_fail(c, "node %d votes for %d and %d in term %d", (int)m->from, (int)*vote,
                         (int)m->to, (int)m->u.vote_reply.campaign_term);
        }
        *vote = m->to;
    }
}

void ghost_on_read(struct cluster *c, struct cluster_node *n, const struct raft_read *read)
{
    struct ghost *g = &c->ghost;
    for (uint32_t i = 0; i < g->read_count; i++) {
        if (g->read[i].context == read->context && g->read[i].node == n->id) {
            if (read->status == RAFT_READ_READY && read->index < g->read[i].floor) {
                cluster_fail(c, "node %d serves a read at %d, %d was committed before it was asked",
                             (int)n->id, (int)read->index, (int)g->read[i].floor);
            }
            g->read[i] = g->read[--g->read_count];
            break;
        }
    }
    c->result = mem_realloc_array(c->result, c->result_count + 1, sizeof(*c->result));
    c->result[c->result_count++] =
        (struct read_result){read->context, n->id, read->index, read->status == RAFT_READ_READY};
}

/* What a leader counts against its limit (R7) are the bytes of the entries that it holds above its commit index: no more, else proposals are
 * refused for nothing, and no fewer. */
void ghost_uncommitted(struct cluster *c, struct cluster_node *n)
{
    struct raft_status s = cluster_status(c, n->id);
    struct raft_entry entry;
    uint64_t bytes = 0;
    for (raft_index i = s.commit + 1; i <= s.last_index; i++) {
        bytes += raft_get_entry(n->raft, i, &entry) ? entry.bytes.n : 0;
    }
    if (s.role == RAFT_LEADER && bytes != s.uncommitted_bytes) {
        cluster_fail(c, "leader %d counts %d uncommitted bytes, and holds %d", (int)n->id, (int)s.uncommitted_bytes, (int)bytes);
    }
}

/* Two logs that hold an entry of one index and term hold the same up to it (log matching). */
void ghost_log_matching(struct cluster *c, struct cluster_node *n)
{
    struct raft_status s = cluster_status(c, n->id);
    struct raft_entry mine;
    struct raft_entry theirs;
    for (raft_id id = 1; id <= c->node_count; id++) {
        struct cluster_node *m = &c->node[id];
        if (m == n || m->raft == NULL) {
            continue;
        }
        bool is_same = false;
        for (raft_index i = s.last_index; i > 0; i--) {
            if (!raft_get_entry(n->raft, i, &mine) || !raft_get_entry(m->raft, i, &theirs)) {
                continue;
            }
            bool is_equal = slice_equal(mine.bytes, theirs.bytes);
            if ((is_same || mine.term == theirs.term) && !is_equal) {
                cluster_fail(c, "logs of %d and %d differ at %d", (int)n->id, (int)m->id, (int)i);
                return;
            }
            is_same = is_same || is_equal;
        }
    }
}
