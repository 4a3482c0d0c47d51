/* Sessions: per member (number, open, last), DESIGN §2.
 *
 *   none         --OPEN n-->      open n, last 0
 *
 *   open n       --OPEN m > n-->  open m, last 0
 *
 *   open n       --CLOSE n-->     closed n, last is final
 *
 *   closed n     --OPEN m > n-->  open m, last 0
 *
 *   open n       take of last + 1, cancel from <= last + 1: last grows
 *
 * N1  A member's number never falls: OPEN and CLOSE of an older one do nothing. So a copy of an old
 *     entry is harmless.
 *
 * N2  Within a number `last` never falls, and every seq in [1, last] was decided exactly once: took
 *     effect or was cancelled.
 *
 * N3  seq last + 1 is the only one that takes effect: order within a session is order of seq. */

#include "keyspace/sessions.h"

#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/keyspace_internal.h"

/* Position of the member, or where it would be. */
static size_t sessions_position(const struct keyspace *k, raft_id member)
{
    size_t low = 0;
    size_t high = k->session_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->session[middle].member < member) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct session_state *sessions_lookup(const struct keyspace *k, raft_id member)
{
    size_t i = sessions_position(k, member);
    return i < k->session_count && k->session[i].member == member ? &k->session[i] : NULL;
}

/* The member's session if it is open under that number. */
static struct session_state *
sessions_open_one(const struct keyspace *k, raft_id member, uint64_t number)
{
    struct session_state *s = sessions_lookup(k, member);
    return s && s->is_open && s->number == number ? s : NULL;
}

const struct session_state *sessions_find(const struct keyspace *k, raft_id member)
{
    return sessions_lookup(k, member);
}

size_t sessions_count(const struct keyspace *k)
{
    return k->session_count;
}

const struct session_state *sessions_at(const struct keyspace *k, size_t position)
{
    return position < k->session_count ? &k->session[position] : NULL;
}

enum session_verdict
sessions_take(struct keyspace *k, raft_id member, uint64_t number, uint64_t seq)
{
    struct session_state *s = sessions_open_one(k, member, number);
    if (!s) {
        return SESSION_NOT_OPEN;
    }
    if (seq <= s->last) {
        return SESSION_DONE_BEFORE;
    }
    if (seq != s->last + 1 && !MUT(36)) {
        return SESSION_GAP;
    }
    s->last = seq;
    return SESSION_TAKES_EFFECT;
}

static struct session_state *sessions_add(struct keyspace *k, raft_id member)
{
    size_t i = sessions_position(k, member);
    k->session = mem_realloc_array(k->session, k->session_count + 1, sizeof k->session[0]);
    memmove(&k->session[i + 1], &k->session[i], (k->session_count - i) * sizeof k->session[0]);
    k->session_count++;
    k->session[i] = (struct session_state){.member = member};
    return &k->session[i];
}

bool sessions_open(struct keyspace *k, raft_id member, uint64_t number)
{
    struct session_state *s = sessions_lookup(k, member);
    if (s && number <= s->number && !MUT(34)) { /* N1 */
        if (MUT(33) && number == s->number) {
            s->last = 0;
        }
        return false;
    }
    if (!s) {
        s = sessions_add(k, member);
    }
    s->number = number;
    s->is_open = true;
    s->is_suspended = false;
    s->last = 0;
    return true;
}

bool sessions_close(struct keyspace *k, raft_id member, uint64_t number)
{
    struct session_state *s = sessions_lookup(k, member);
    if (!s || !s->is_open || (number != s->number && !(MUT(34) && number < s->number))) {
        return false;
    }
    s->is_open = false;
    s->is_suspended = false;
    return true;
}

uint64_t
sessions_cancel(struct keyspace *k, raft_id member, uint64_t number, uint64_t from, uint64_t to)
{
    struct session_state *s = sessions_open_one(k, member, number);
    if (!s || to < from || from > s->last + 1 || to <= s->last) {
        return 0;
    }
    uint64_t first = s->last + 1;
    s->last = to;
    return first;
}

void sessions_set_suspended(struct keyspace *k, raft_id member, uint64_t number, bool is_suspended)
{
    struct session_state *s = sessions_open_one(k, member, number);
    if (s) {
        s->is_suspended = is_suspended;
    }
}

void sessions_remove(struct keyspace *k, raft_id member)
{
    struct session_state *s = sessions_lookup(k, member);
    if (!s) {
        return;
    }
    size_t behind = k->session_count - (size_t)(s - k->session) - 1;
    memmove(s, s + 1, behind * sizeof *s);
    k->session_count--;
}
