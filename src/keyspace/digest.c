/* The digest of the whole state: a sum of keyed hashes, one per key, one per session and
 * one per used id, plus one of the clock. A sum does not depend on the order of its terms, so nodes whose tables have
 * different sizes agree, and a running digest can be kept by adding and subtracting terms. The seed
 * keys it: nobody outside can construct a collision.
 *
 * A key's term hashes (db, type, expiry, last change, hash of the key, size of the key, digest of
 * the value); the last depends on the content alone (value_piece.c). */

#include "base/codec.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/used_ids.h"
#include "keyspace/value.h"

static uint64_t digest_words(const struct keyspace *k, const uint64_t *word, size_t count)
{
    uint8_t bytes[8 * 8];
    for (size_t i = 0; i < count; i++) {
        put_u64(bytes + 8 * i, word[i]);
    }
    return siphash64_fast(&k->seed, bytes, 8 * count);
}

static uint64_t digest_value(const struct keyspace *k, const struct value *v)
{
    struct value_digest digest = {.hash = 0};
    while (value_digest_step(v, &k->seed, &digest)) {
    }
    return digest.hash;
}

struct digest_call {
    const struct keyspace *keyspace;
    uint32_t db;
    uint64_t sum;
};

static void digest_entry(void *ctx, const struct dict_entry *e)
{
    struct digest_call *call = ctx;
    const struct keyspace *k = call->keyspace;
    int64_t expiry_ms =
        e->expiry_position ? expiry_at(&k->db[call->db].expiry, e) : KEYSPACE_NO_EXPIRY;
    const uint64_t word[] = {
        DIGEST_KEY,
        call->db,
        (uint64_t)value_get_type(e->value),
        (uint64_t)expiry_ms,
        e->last_change,
        e->hash,
        e->key_size,
        digest_value(k, e->value),
    };
    call->sum += digest_words(k, word, sizeof word / sizeof word[0]);
}

uint64_t digest_creation(const struct keyspace *k, size_t slot, raft_index index)
{
    return digest_words(k, (const uint64_t[]){DIGEST_CREATION, slot, index}, 3);
}

uint64_t keyspace_digest(const struct keyspace *k)
{
    struct digest_call call = {.keyspace = k};
    for (call.db = 0; call.db < LIMIT_DATABASES; call.db++) {
        dict_scan(&k->db[call.db].dict, 0, SIZE_MAX, digest_entry, &call);
        if (k->db[call.db].swapped) {
            const uint64_t word[] = {DIGEST_SWAP, call.db, k->db[call.db].swapped};
            call.sum += digest_words(k, word, 3);
        }
    }
    for (size_t i = 0; i < k->session_count; i++) {
        const struct session_state *s = &k->session[i];
        const uint64_t word[] = {DIGEST_SESSION, s->member,       s->number,
                                 s->is_open,     s->is_suspended, s->last};
        call.sum += digest_words(k, word, sizeof word / sizeof word[0]);
    }
    call.sum += k->creation_digest + used_ids_digest(k);
    return call.sum + digest_words(k, (const uint64_t[]){DIGEST_CLOCK, (uint64_t)k->time_ms}, 2);
}
