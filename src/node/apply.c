#include "node/apply.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"
#include "node/settings.h"

/* Which entry comes next, from memory or, after a restart, from disk; and how many in one iteration (R9). What an entry does is
 * in apply_entry.c. Committed entries may be applied before they are durable here (DESIGN §2). */

#define APPLY_ENTRIES 2000
#define APPLY_TIME_US 1000
#define APPLY_CLOCK_EVERY 8 /* entries between two looks at the clock, at most: some take milliseconds each, */
#define APPLY_SLOW_US 200   /* then each is looked at */
#define APPLY_FETCH_BYTES (1024u * 1024u)
/* Entries behind after a start, beyond which commands are answered LOADING instead of kept waiting. */
#ifdef CORACLE_SLOW_CHECKS
#define REPLAY_LAG 500
#else
#define REPLAY_LAG 100000
#endif
#define REPLAY_PROGRESS_US 1000000

void apply_deinit(struct apply *a)
{
    buf_deinit(&a->fetched);
    mem_free(a->arg);
    *a = (struct apply){0};
}

void apply_fetched(struct node *n, raft_index first, struct buf *entries)
{
    struct apply *a = &n->apply;
    struct buf empty = a->fetched;
    a->is_fetching = false;
    buf_clear(&empty, 0);
    a->fetched = *entries;
    *entries = empty;
    a->fetched_first = first;
}

/* From what was read back. ERR_OK, ERR_NOT_FOUND (not among it), or a damaged entry's error. */
static enum err apply_take_fetched(struct node *n, raft_index index, struct raft_entry *e)
{
    struct apply *a = &n->apply;
    while (buf_size(&a->fetched) > 0) {
        enum err result = entry_decode(buf_slice(&a->fetched), e);
        if (result != ERR_OK)
            return result;
        if (e->index == index)
            return ERR_OK;
        if (e->index > index)
            return ERR_NOT_FOUND;
        buf_consume(&a->fetched, e->bytes.n);
    }
    return ERR_NOT_FOUND;
}

/* False: nothing to apply now. */
static bool apply_find(struct node *n, raft_index index, struct raft_entry *e)
{
    struct apply *a = &n->apply;
    if (raft_get_entry(n->raft, index, e)) {
        if (a->fetched.capacity > 0)
            buf_clear(&a->fetched, 0);
        return true;
    }
    enum err result = apply_take_fetched(n, index, e);
    if (result == ERR_OK)
        return true;
    if (result != ERR_NOT_FOUND) {
        node_fatal(n, "The log is damaged at entry %llu: %s.", (unsigned long long)index, err_text(result));
        return false;
    }
    if (!a->is_fetching) {
        COVER("apply: entries are read back from disk");
        a->is_fetching = true;
        disk_fetch_for_apply(n, index, APPLY_FETCH_BYTES);
    }
    return false;
}

bool apply_is_held(const struct node *n)
{
    const struct snapshots *s = &n->snapshots;
    return (s->loading.is_active && s->loading.at_start) || snapshot_holds_apply(n);
}

/* --- the log behind the snapshot, after a start --- */

bool apply_is_replaying(const struct node *n)
{
    return !n->apply.has_caught_up && n->apply.applied + REPLAY_LAG < n->driver.commit;
}

unsigned apply_replayed_percent(const struct node *n)
{
    const struct apply *a = &n->apply;
    if (n->driver.commit <= a->replay_from || a->applied < a->replay_from)
        return 0;
    return (unsigned)((a->applied - a->replay_from) * 100 / (n->driver.commit - a->replay_from));
}

/* A line per second, while it is far behind. */
static void apply_tell_progress(struct node *n)
{
    struct apply *a = &n->apply;
    if (!apply_is_replaying(n))
        return;
    if (a->replay_begun_us == 0) {
        COVER("apply: a long log is replayed");
        a->replay_from = a->applied;
        a->replay_begun_us = n->now_us;
        a->replay_told_us = n->now_us;
    }
    raft_index done = a->applied - a->replay_from;
    if (n->now_us - a->replay_told_us < REPLAY_PROGRESS_US || done == 0)
        return;
    a->replay_told_us = n->now_us;
    uint64_t ms = (n->now_us - a->replay_begun_us) / 1000;
    log_line(&n->env.log,
             LOG_NOTICE,
             "Replaying the log: entry %llu of %llu, %u %%, about %llu s left.",
             (unsigned long long)a->applied,
             (unsigned long long)n->driver.commit,
             apply_replayed_percent(n),
             (unsigned long long)(ms * (n->driver.commit - a->applied) / done / 1000));
}

static void apply_caught_up(struct node *n)
{
    struct apply *a = &n->apply;
    if (!a->has_caught_up && a->replay_begun_us != 0)
        log_line(&n->env.log,
                 LOG_NOTICE,
                 "Replayed the log up to entry %llu: %llu entries in %llu ms.",
                 (unsigned long long)a->applied,
                 (unsigned long long)(a->applied - a->replay_from),
                 (unsigned long long)((n->now_us - a->replay_begun_us) / 1000));
    a->has_caught_up = true;
    n->changes.is_history = false;
}

void apply_run(struct node *n)
{
    struct apply *a = &n->apply;
    uint64_t end_us = n->now_us + APPLY_TIME_US;
    uint64_t looked_us = n->now_us;
    uint32_t count = 0;
    uint32_t look_every = 1;
    uint32_t look_at = 1; /* 1, 3, 7, 15, 23, ...: also a short run of long entries ends in time */
    a->has_more = false;
    apply_tell_progress(n);
    while (a->applied < n->driver.commit && !n->is_dead && !apply_is_held(n)) {
        struct raft_entry e;
        if (count % APPLY_AHEAD == 0)
            apply_ahead(n);
        if (count == look_at) {
            uint64_t now_us = n->env.now_us(n->env.ctx);
            bool is_slow = now_us > looked_us + APPLY_SLOW_US;
            a->has_more = count >= APPLY_ENTRIES || now_us > end_us;
            look_every = is_slow ? 1 : look_every < APPLY_CLOCK_EVERY ? 2 * look_every : APPLY_CLOCK_EVERY;
            look_at += look_every;
            looked_us = now_us;
        }
        if (a->has_more)
            return;
        if (!apply_find(n, a->applied + 1, &e))
            return;
        ASSERT(e.index == a->applied + 1);
        apply_entry(n, &e);
        count++;
    }
    if (n->stages.sample == SAMPLE_COMMITTED)
        stages_applied(&n->stages, a->applied, n->env.now_us(n->env.ctx));
    if (a->applied == n->driver.commit && n->driver.status.leader != 0)
        apply_caught_up(n);
    if (a->has_caught_up && !a->has_settings && a->applied >= FORMATION_ENTRIES) {
        a->has_settings = true;
        settings_warn(&n->env.log, n->options, n->keyspace);
    }
}

void apply_report(struct node *n)
{
    struct apply *a = &n->apply;
    if (a->applied == a->told)
        return;
    a->told = a->applied;
    struct raft_event event = {.type = RAFT_EVENT_APPLIED, .u.applied = a->applied};
    enum err e = driver_step(n, &event);
    ASSERT(e == ERR_OK);
}
