/* Walks over the keys of a database, in hash order. A walk changes nothing, also in a write: what
 * is due is left out, not removed, so nothing depends on how far a walk went. */

#include "base/assert.h"
#include "base/prng.h"
#include "keyspace/keyspace_internal.h"

enum {
    KEYSPACE_RANDOM_WINDOW = 32, /* neighbours a random key is chosen among */
};

struct keyspace_each_call {
    const struct keyspace_db *db;
    void (*fn)(void *ctx,
               struct slice key,
               const struct value *value,
               int64_t expiry_ms,
               raft_index last_change);
    void *ctx;
};

static void keyspace_each_entry(void *ctx, const struct dict_entry *e)
{
    const struct keyspace_each_call *call = ctx;
    call->fn(call->ctx, dict_entry_key(e), e->value, keyspace_entry_expiry(call->db, e),
             e->last_change);
}

void keyspace_each(const struct keyspace *k,
                   uint32_t db,
                   void (*fn)(void *ctx,
                              struct slice key,
                              const struct value *value,
                              int64_t expiry_ms,
                              raft_index last_change),
                   void *ctx)
{
    struct keyspace_each_call call = {&k->db[db], fn, ctx};
    dict_scan(&k->db[db].dict, 0, SIZE_MAX, keyspace_each_entry, &call);
}

/* --- what a view sees --- */

struct keyspace_scan_call {
    struct keyspace_view *view;
    const struct keyspace_db *db;
    keyspace_scan_fn fn;
    void *ctx;
};

static void keyspace_scan_entry(void *ctx, const struct dict_entry *e)
{
    const struct keyspace_scan_call *call = ctx;
    struct keyspace_view *view = call->view;
    int64_t at_ms = keyspace_entry_expiry(call->db, e);
    if (at_ms == KEYSPACE_NO_EXPIRY || at_ms > keyspace_view_time(view)) {
        call->fn(call->ctx, dict_entry_key(e), e->value);
    } else if (at_ms > view->keyspace->time_ms) {
        view->met_due = true;
    }
}

uint64_t keyspace_scan(
    struct keyspace_view *view, uint64_t cursor, size_t count, keyspace_scan_fn fn, void *ctx)
{
    ASSERT(view->db < LIMIT_DATABASES);
    const struct keyspace_db *db = &view->keyspace->db[view->db];
    struct keyspace_scan_call call = {view, db, fn, ctx};
    return dict_scan(&db->dict, cursor, count, keyspace_scan_entry, &call);
}

/* --- a random key --- */

/* Reservoir sampling: the n-th key seen replaces the one held with probability 1/n. */
struct keyspace_random_call {
    struct prng random;
    uint64_t seen;
    struct slice key;
};

static void keyspace_random_entry(void *ctx, struct slice key, const struct value *value)
{
    struct keyspace_random_call *call = ctx;
    (void)value;
    if (prng_below(&call->random, ++call->seen) == 0) {
        call->key = key;
    }
}

bool keyspace_random_key(struct keyspace_view *view, uint64_t seed, struct slice *key)
{
    struct keyspace_random_call call = {.seen = 0};
    prng_seed(&call.random, seed);
    if (keyspace_count(view->keyspace, view->db) <= 2 * (uint64_t)KEYSPACE_RANDOM_WINDOW) {
        keyspace_scan(view, 0, SIZE_MAX, keyspace_random_entry, &call);
        *key = call.key;
        return call.seen > 0;
    }
    uint64_t start = 1 + prng_below(&call.random, DICT_CURSOR_MAX);
    uint64_t cursor = start;
    bool has_wrapped = false;
    /* Empty chains and keys that are due don't count; at the end it goes on at the beginning. */
    while (call.seen < KEYSPACE_RANDOM_WINDOW && !(has_wrapped && cursor >= start)) {
        cursor = keyspace_scan(view, cursor, KEYSPACE_RANDOM_WINDOW, keyspace_random_entry, &call);
        if (cursor == 0) {
            if (has_wrapped) {
                break;
            }
            has_wrapped = true;
        }
    }
    *key = call.key;
    return call.seen > 0;
}
