#ifndef KEYSPACE_KEYSPACE_H
#define KEYSPACE_KEYSPACE_H

#include "base/checksum.h"
#include "base/err.h"
#include "base/slice.h"
#include "raft/types.h"

/* The replicated data. Commands change it only through this funnel, so that its two hooks see every
 * change: snapshots, WATCH, blocked clients, notifications and the change feed hang on them.
 * Deterministic: same entries, same bytes, on every node; no clock, no rand, no address or capacity
 * dependent order (DESIGN §6).
 *
 * Time is log time. A key whose expiry is <= the time of the running step is absent to it. */
struct keyspace;
struct value; /* keyspace/value.h: a typed value built of bounded chunks */

struct keyspace_hooks {
    /* The key is about to change or vanish; its old value is still there. */
    void (*before_change)(void *ctx, uint32_t db, struct slice key);
    /* It has changed. `event` is the Redis notification name ("set", "del", "expired", "incrby",
     * ...). */
    void (*changed)(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index);
    void *ctx;
    /* A database or all of them were emptied at once: no key is announced one by one, the keys are
     * gone already. Once per FLUSHDB or FLUSHALL, also where there was nothing to remove, as in
     * Redis. */
    void (*flushed)(void *ctx, raft_index index);
    /* Two databases changed places (SWAPDB): no key is announced one by one. */
    void (*swapped)(void *ctx, uint32_t a, uint32_t b, raft_index index);
    /* What Redis notifies of besides the change itself, in the same step: "new" (the key did not
     * exist; fires before `changed`), the "expire" of a SET with EX. Never without a `changed`. */
    void (*noticed)(
        void *ctx, uint32_t db, struct slice key, const char *event, raft_index index);
};

/* `seed` keys the hash (drawn at formation). Hooks may be NULL functions. Returns owned. */
struct keyspace *keyspace_new(const struct siphash_key *seed, const struct keyspace_hooks *hooks);
void keyspace_free(struct keyspace *k);
/* A BLANK node learns its seed before anything is stored. */
void keyspace_set_seed(struct keyspace *k, const struct siphash_key *seed);

/* Everything that is state in `k` is replaced by what `from` holds (takes): what a snapshot was read
 * into. What was there is freed in pieces later. Hooks stay and are not fired. */
void keyspace_take_over(struct keyspace *k, struct keyspace *from);

/* Begin applying the entry `index` at log time `time_ms` (0: the entry carries none, time stays).
 * Removes up to LIMIT_EXPIRED_PER_ENTRY due keys first, in expiry order (ties by insertion), the
 * same everywhere. */
void keyspace_begin_entry(struct keyspace *k, raft_index index, int64_t time_ms);
raft_index keyspace_index(const struct keyspace *k); /* of the last begun entry */
int64_t
keyspace_time_ms(const struct keyspace *k); /* log time of the last begun entry that had one */

/* A view to run one command in. A write runs at the entry's time; a read at `read_time_ms`, the
 * leader's stamp. */
struct keyspace_view {
    struct keyspace *keyspace;
    uint32_t db;
    int64_t time_ms; /* due at or before this: absent */
    bool is_write;   /* changes allowed */
    bool met_due; /* set by a read that met a key due at time_ms but not yet at the state's time: it
                     must not be answered before an entry with that time is applied (DESIGN §6,
                     pulses) */
};

/* What decides whether a key is due: log time, for a read the later of its stamp and the state's.
 * Unix ms. */
int64_t keyspace_view_time(const struct keyspace_view *view);

/* Lookup. NULL when absent. The value is borrowed until the next change. A write that meets a due
 * key removes it ("expired"). */
const struct value *keyspace_get(struct keyspace_view *view, struct slice key);

/* The funnel. All need view->is_write (where there is something to change: commands/vain.h); `event` is a static string. */
/* Replace or create; takes `value`. Keeps the expiry only if keep_expiry. */
void keyspace_set(struct keyspace_view *view,
                  struct slice key,
                  struct value *value,
                  bool keep_expiry,
                  const char *event);
/* The same with a string of these bytes; reuses the memory of the value it replaces where that
 * fits. */
void keyspace_set_string(struct keyspace_view *view,
                         struct slice key,
                         struct slice bytes,
                         bool keep_expiry,
                         const char *event);
/* Replace or create, with this expiry (KEYSPACE_NO_EXPIRY: none); takes `value`. */
void keyspace_set_expiring(struct keyspace_view *view,
                           struct slice key,
                           struct value *value,
                           int64_t at_ms,
                           const char *event);
/* The value goes with its expiry to the key `to` of `to_db`, in place of what is there: two changes,
 * of `from` and of `to`. They must be different keys. False: `from` was absent. O(1) in the value's
 * size. */
bool keyspace_move(struct keyspace_view *view,
                   struct slice from,
                   uint32_t to_db,
                   struct slice to,
                   const char *from_event,
                   const char *to_event);
/* Two different databases change places. O(1); counts as a change of every key in both. */
void keyspace_swap(struct keyspace_view *view, uint32_t a, uint32_t b);
bool keyspace_delete(struct keyspace_view *view,
                     struct slice key,
                     const char *event); /* false: was absent */
/* For in-place changes: fires before_change and returns the mutable value (NULL when absent), whose
 * root has one owner (value_unshare); then keyspace_changed. */
struct value *keyspace_edit(struct keyspace_view *view, struct slice key);
void keyspace_changed(struct keyspace_view *view, struct slice key, const char *event);
/* Tells hooks.noticed; for rows whose command is more than one event to Redis. Changes nothing. */
void keyspace_notice(struct keyspace_view *view, struct slice key, const char *event);
/* The same for changes that may move the value (append, conversion): the caller may store another
 * one in *slot, having freed or handed on the old one. Borrowed until keyspace_changed, which must
 * follow. */
struct value **keyspace_edit_slot(struct keyspace_view *view, struct slice key);
/* Takes what an edit took out of a value (tree_remove_range, or a whole value that was replaced in
 * its slot): freed at once when small, else in pieces later. NULL is allowed. */
void keyspace_bury(struct keyspace_view *view, struct value *value);
/* The keyed hash that orders what collections hold: the same on every node. */
uint64_t keyspace_hash(const struct keyspace_view *view, struct slice bytes);
const struct siphash_key *keyspace_seed(const struct keyspace *k); /* its key */
/* The trees are freed in pieces later (keyspace_begin_entry, keyspace_idle), so this is O(1) in the
 * number of keys. */
void keyspace_flush(struct keyspace_view *view, bool all_databases);

/* Expiry: Unix ms in log time. */
#define KEYSPACE_NO_EXPIRY INT64_MIN
int64_t keyspace_expiry(struct keyspace_view *view,
                        struct slice key); /* KEYSPACE_NO_EXPIRY also when absent */
void keyspace_set_expiry(struct keyspace_view *view,
                         struct slice key,
                         int64_t at_ms,
                         const char *event);
/* True if there was one. */
bool keyspace_clear_expiry(struct keyspace_view *view, struct slice key, const char *event);
int64_t keyspace_next_due(
    const struct keyspace *k); /* earliest expiry of all, KEYSPACE_NO_EXPIRY if none */

/* What WATCH records and EXEC compares: a number that is another one after every change of the key,
 * also when it was created and is gone again, or comes back. Of a key that is present the index of
 * its last change. Of one that is absent KEYSPACE_ABSENT plus the index of the last creation of any
 * key, in any database, that shares 16 bits of its hash; 0 where nothing was created yet. So a key
 * watched while absent may seem changed when one of 65,536 keys is created: the EXEC is refused and
 * the client tries again, never the other way round. */
#define KEYSPACE_ABSENT ((raft_index)1 << 63)
raft_index keyspace_last_change(struct keyspace_view *view, struct slice key);

uint64_t keyspace_count(const struct keyspace *k,
                        uint32_t db); /* keys present, due ones not yet removed included */
uint64_t keyspace_count_all(const struct keyspace *k); /* in all databases */
uint64_t keyspace_expiry_count(const struct keyspace *k, uint32_t db);
/* How long keys that expire have left on average, in milliseconds of log time, from a sample of them; 0 when none does. */
uint64_t keyspace_average_ttl_ms(const struct keyspace *k, uint32_t db);
/* Keys and values that are gone and not freed yet, and all that were freed so, piece by piece. For INFO. */
uint64_t keyspace_freeing(const struct keyspace *k);
uint64_t keyspace_freed_later(const struct keyspace *k);
uint64_t keyspace_memory(const struct keyspace *k); /* bytes, approximate, for maxmemory and INFO */
/* Bytes that the key and its value take; 0 when absent. */
size_t keyspace_key_memory(struct keyspace_view *view, struct slice key);
uint64_t keyspace_expired_total(const struct keyspace *k); /* since start */

/* Full digest of everything that is state (keys, values, expiries, last-change indices, log time,
 * sessions, settings): order-independent sum of per-key keyed hashes. O(n). Equal on nodes that applied the
 * same entries. */
uint64_t keyspace_digest(const struct keyspace *k);

/* Work that can wait: a bounded piece (tens of µs) of freeing dropped values and resizing tables.
 * Not state: call it whenever the loop has nothing better to do. True while there is more. */
bool keyspace_idle(struct keyspace *k);

/* Walk in hash order: calls fn for every key of `db` present (due or not). For SCAN (52-bit
 * cursors), digest and snapshots. fn must not change the keyspace. */
void keyspace_each(const struct keyspace *k,
                   uint32_t db,
                   void (*fn)(void *ctx,
                              struct slice key,
                              const struct value *value,
                              int64_t expiry_ms,
                              raft_index last_change),
                   void *ctx);

/* A piece of that walk as a view sees it: keys that are due are left out (a read's met_due is set,
 * but a write doesn't remove them). `cursor`, `count` and the result as dict_scan: 0 starts, 0 is
 * the end. fn must not change the keyspace; its slices are borrowed until the next change. */
typedef void (*keyspace_scan_fn)(void *ctx, struct slice key, const struct value *value);
uint64_t keyspace_scan(
    struct keyspace_view *view, uint64_t cursor, size_t count, keyspace_scan_fn fn, void *ctx);
/* A key of the view's database, each about as likely as the next: one of the 32 that follow a random
 * place in hash order. False: there is none. Depends on the keys and `seed` alone. Expected O(1),
 * O(due keys not yet removed) at worst. */
bool keyspace_random_key(struct keyspace_view *view, uint64_t seed, struct slice *key);

#endif
