#include <stdio.h>

#include "cluster.h"

static void describe_append(const struct raft_message *m, struct buf *out)
{
    buf_printf(out, "append %llu/%llu", (unsigned long long)m->u.append.prev_index,
               (unsigned long long)m->u.append.prev_term);
    for (uint32_t i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *e = &m->u.append.entry[i];
        static const char *const type[] = {"?", "noop", "conf", "cmd"};
        buf_printf(out, " [%llu/%llu %s", (unsigned long long)e->index, (unsigned long long)e->term,
                   type[e->type]);
        if (e->type == RAFT_ENTRY_COMMAND) {
            buf_printf(out, " %.*s", (int)e->payload.n, (const char *)e->payload.p);
        }
        buf_printf(out, "]");
    }
    buf_printf(out, " commit %llu", (unsigned long long)m->u.append.commit);
}

static void describe_vote_request(const struct raft_message *m, const char *name, struct buf *out)
{
    buf_printf(out, "%s for %llu last %llu/%llu%s", name,
               (unsigned long long)m->u.vote_request.campaign_term,
               (unsigned long long)m->u.vote_request.last_index,
               (unsigned long long)m->u.vote_request.last_term,
               m->u.vote_request.is_transfer ? " transfer" : "");
}

static void describe_vote_reply(const struct raft_message *m, const char *name, struct buf *out)
{
    buf_printf(out, "%s for %llu %s", name, (unsigned long long)m->u.vote_reply.campaign_term,
               m->u.vote_reply.is_granted ? "granted" : "refused");
}

void cluster_describe(const struct raft_message *m, struct buf *out)
{
    buf_printf(out, "%d>%d t%llu ", (int)m->from, (int)m->to, (unsigned long long)m->term);
    switch (m->type) {
    case RAFT_PREVOTE_REQUEST:
        describe_vote_request(m, "prevote", out);
        break;
    case RAFT_VOTE_REQUEST:
        describe_vote_request(m, "vote", out);
        break;
    case RAFT_PREVOTE_REPLY:
        describe_vote_reply(m, "prevote-reply", out);
        break;
    case RAFT_VOTE_REPLY:
        describe_vote_reply(m, "vote-reply", out);
        break;
    case RAFT_HEARTBEAT:
        buf_printf(out, "heartbeat round %llu commit %llu",
                   (unsigned long long)m->u.heartbeat.round,
                   (unsigned long long)m->u.heartbeat.commit);
        if (m->u.heartbeat.lease_us > 0) {
            buf_printf(out, " lease %ums", m->u.heartbeat.lease_us / 1000);
        }
        break;
    case RAFT_HEARTBEAT_ACK:
        buf_printf(out, "heartbeat-ack round %llu", (unsigned long long)m->u.heartbeat_ack.round);
        break;
    case RAFT_COMMIT:
        buf_printf(out, "commit %llu", (unsigned long long)m->u.commit.commit);
        break;
    case RAFT_APPEND_ACK:
        if (m->u.append_ack.is_success) {
            buf_printf(out, "append-ack match %llu", (unsigned long long)m->u.append_ack.match);
        } else {
            buf_printf(out, "append-reject %llu hint %llu/%llu",
                       (unsigned long long)m->u.append_ack.prev_index,
                       (unsigned long long)m->u.append_ack.hint_index,
                       (unsigned long long)m->u.append_ack.hint_term);
        }
        break;
    case RAFT_TIMEOUT_NOW:
        buf_printf(out, "timeout-now");
        break;
    case RAFT_REMOVED:
        buf_printf(out, "removed since %llu", (unsigned long long)m->u.removed.conf_index);
        break;
    case RAFT_APPEND:
        describe_append(m, out);
        break;
    case RAFT_SNAPSHOT:
        buf_printf(out, "snapshot %llu/%llu at %llu +%zu of %llu",
                   (unsigned long long)m->u.snapshot.id.index,
                   (unsigned long long)m->u.snapshot.id.term,
                   (unsigned long long)m->u.snapshot.offset, m->u.snapshot.data.n,
                   (unsigned long long)m->u.snapshot.id.size);
        break;
    case RAFT_SNAPSHOT_ACK:
        buf_printf(out, "snapshot-ack %llu %s %llu", (unsigned long long)m->u.snapshot_ack.id.index,
                   m->u.snapshot_ack.is_installed ? "installed" : "has",
                   (unsigned long long)m->u.snapshot_ack.offset);
        break;
    }
}
