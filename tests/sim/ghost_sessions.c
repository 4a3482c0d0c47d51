#include "ghost_sessions.h"

#include "base/assert.h"
#include "base/codec.h"
#include "raft/conf.h"

static struct ghost_session *session_of(struct ghost_sessions *g, raft_id member)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->session[i].member == member)
            return &g->session[i];
    }
    ASSERT(g->count < GHOST_SESSIONS);
    g->session[g->count] = (struct ghost_session){.member = member};
    return &g->session[g->count++];
}

bool ghost_sessions_take(struct ghost_sessions *g, struct world *w, const struct proposal *p, raft_index index)
{
    struct slice arg[3];
    if (p->member == 0)
        return true; /* of no session: a pulse */
    struct ghost_session *s = session_of(g, p->member);
    if (p->number == PROPOSAL_OPEN) {
        if (p->session > s->session)
            *s = (struct ghost_session){.member = p->member, .session = p->session, .is_open = true};
    } else if (p->session != s->session || !s->is_open) {
        return false;
    } else if (p->number == PROPOSAL_CLOSE) {
        s->is_open = false;
    } else if (p->number == PROPOSAL_CANCEL && p->arg_count == 3 && proposal_args(p, arg) == ERR_OK) {
        if (get_u64(arg[0].p) <= s->last + 1 && get_u64(arg[1].p) > s->last)
            s->last = get_u64(arg[1].p);
    } else if (p->seq != 0) {
        if (p->seq != s->last + 1)
            world_fail(w, "I12 entry %llu is command %llu of a session whose last one was %llu", (unsigned long long)index,
                       (unsigned long long)p->seq, (unsigned long long)s->last);
        s->last = p->seq;
        return true;
    }
    return false;
}

void ghost_sessions_end(struct ghost_sessions *g, struct slice encoded)
{
    struct raft_conf conf;
    if (raft_conf_decode(encoded, &conf) != ERR_OK)
        return;
    for (size_t i = 0; i < g->count; i++) {
        if (!raft_conf_find(&conf, g->session[i].member))
            g->session[i].is_open = false;
    }
}
