#ifndef KEYSPACE_KEYSPACE_INTERNAL_H
#define KEYSPACE_KEYSPACE_INTERNAL_H

#include "base/limits.h"
#include "keyspace/changes_internal.h"
#include "keyspace/dict.h"
#include "keyspace/expiry.h"
#include "keyspace/graveyard.h"
#include "keyspace/keyspace.h"
#include "keyspace/sessions.h"
#include "keyspace/settings.h"
#include "keyspace/state.h"
#include "keyspace/waiters_internal.h"

/* For the files of keyspace/ and their tests. */
struct keyspace_db {
    struct dict dict;
    struct expiry_heap expiry;
    raft_index swapped; /* entry of the last SWAPDB that brought these keys here, or 0 */
    uint64_t memory;    /* of entries and values; not state */
    uint64_t expected_keys; /* while it is filled from a stream: what that said; not state */
};

#ifdef CORACLE_FUZZ
enum { KEYSPACE_CREATION_SLOTS = 256 }; /* fuzzers make keyspaces by the million */
#else
enum { KEYSPACE_CREATION_SLOTS = 65536 };
#endif

struct keyspace {
    /* State: the same on every node that applied the same entries. */
    struct siphash_key seed;
    raft_index index;
    int64_t time_ms;
    struct keyspace_db db[LIMIT_DATABASES];
    struct session_state *session; /* sorted by member */
    size_t session_count;
    int64_t setting[SETTING_COUNT];
    /* K6: index of the last creation of a key, by the low bits of its hash; 0: none. Snapshots must
     * carry them. */
    raft_index *creation;     /* KEYSPACE_CREATION_SLOTS of them */
    uint64_t creation_digest; /* follows from them: digest_creation of all that are not 0, summed */
    raft_id *used; /* used_ids.h; sorted */
    size_t used_count;
    size_t used_capacity; /* not state */
    /* Of all changes so far, in order; see digest.c. State, so that a node made of a snapshot goes
     * on with it. */
    uint64_t running_digest;
    struct change_history changes;
    struct waiters waiters;

    /* Not state. */
    struct keyspace_hooks hooks;
    struct dict_entry *edited; /* between keyspace_edit and keyspace_changed */
    uint32_t edited_db;
    size_t edited_memory; /* of its value, as counted in `memory` of its database */
    uint64_t expired_total;
    struct graveyard graveyard;
    struct state_walk *walk[STATE_WALKS]; /* by enum state_purpose; NULL: none */
    size_t walk_count;
};

static inline int64_t keyspace_entry_expiry(const struct keyspace_db *db,
                                            const struct dict_entry *e)
{
    return e->expiry_position ? expiry_at(&db->expiry, e) : KEYSPACE_NO_EXPIRY;
}

static inline size_t keyspace_creation_slot(uint64_t hash)
{
    return (size_t)(hash % KEYSPACE_CREATION_SLOTS);
}
enum digest_kind {
    DIGEST_KEY = 1,
    DIGEST_SESSION = 2,
    DIGEST_CLOCK = 3,
    DIGEST_SWAP = 4,
    DIGEST_CREATION = 5,
    DIGEST_USED_ID = 6,
    DIGEST_RUNNING = 7,
    DIGEST_SETTING = 8, /* of those that differ from their default: new ones change no digest */
}; /* first word of what is hashed: terms of different kinds differ */

/* What a key adds to the digest; `value_digest` of its value (value_digest_step). */
uint64_t digest_key(const struct keyspace *k,
                    uint32_t db,
                    uint64_t hash,
                    size_t key_size,
                    const struct value *v,
                    int64_t expiry_ms,
                    raft_index last_change,
                    uint64_t value_digest);
/* What everything but the keys adds. */
uint64_t digest_rest(const struct keyspace *k);
/* Fold a change into the running digest: `e` as it is now, NULL when the key is gone. */
void digest_change(struct keyspace *k, uint32_t db, uint64_t hash, const struct dict_entry *e);
/* What a slot adds to the digest. */
uint64_t digest_creation(const struct keyspace *k, size_t slot, raft_index index);

/* Asserts the invariants of all tables and heaps. O(n). */
void keyspace_check(const struct keyspace *k);

#endif
