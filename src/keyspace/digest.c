/* The digest of the whole state: a sum of keyed hashes, one per key, one per session, one per used id
 * and one per setting that is not at its default, plus one of the clock. A sum does not depend on the
 * order of its terms, so nodes whose tables have
 * different sizes agree, and a running digest can be kept by adding and subtracting terms. The seed
 * keys it: nobody outside can construct a collision.
 *
 * A key's term hashes (db, type, expiry, last change, hash of the key, size of the key, digest of
 * the value); the last depends on the content alone (value_piece.c). */

#include "base/codec.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/keyspace_running.h"
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

uint64_t digest_key(const struct keyspace *k,
                    uint32_t db,
                    uint64_t hash,
                    size_t key_size,
                    const struct value *v,
                    int64_t expiry_ms,
                    raft_index last_change,
                    uint64_t value_digest)
{
    const uint64_t word[] = {
        DIGEST_KEY,  db,   (uint64_t)value_get_type(v), (uint64_t)expiry_ms,
        last_change, hash, key_size,                    value_digest,
    };
    return digest_words(k, word, sizeof word / sizeof word[0]);
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
    call->sum +=
        digest_key(k, call->db, e->hash, e->key_size, e->value,
                   keyspace_entry_expiry(&k->db[call->db], e), e->last_change,
                   digest_value(k, e->value));
}

uint64_t digest_creation(const struct keyspace *k, size_t slot, raft_index index)
{
    return digest_words(k, (const uint64_t[]){DIGEST_CREATION, slot, index}, 3);
}

/* By name, since a place in the table is this program's own. */
static uint64_t digest_setting(const struct keyspace *k, enum setting s)
{
    const struct setting_row *row = setting_at(s);
    if (k->setting[s] == row->value) {
        return 0;
    }
    struct slice name = slice_from_cstr(row->name);
    const uint64_t word[] = {DIGEST_SETTING, siphash64_fast(&k->seed, name.p, name.n),
                             (uint64_t)k->setting[s]};
    return digest_words(k, word, sizeof word / sizeof word[0]);
}

uint64_t digest_rest(const struct keyspace *k)
{
    uint64_t sum = 0;
    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        if (k->db[db].swapped) {
            sum += digest_words(k, (const uint64_t[]){DIGEST_SWAP, db, k->db[db].swapped}, 3);
        }
    }
    for (size_t i = 0; i < k->session_count; i++) {
        const struct session_state *s = &k->session[i];
        const uint64_t word[] = {DIGEST_SESSION, s->member,       s->number,
                                 s->is_open,     s->is_suspended, s->last};
        sum += digest_words(k, word, sizeof word / sizeof word[0]);
    }
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        sum += digest_setting(k, (enum setting)i);
    }
    sum += k->creation_digest;
    sum += used_ids_digest(k);
    sum += changes_digest(k);
    sum += waiters_digest(k);
    sum += digest_words(k, (const uint64_t[]){DIGEST_RUNNING, k->running_digest}, 2);
    return sum + digest_words(k, (const uint64_t[]){DIGEST_CLOCK, (uint64_t)k->time_ms}, 2);
}

uint64_t keyspace_digest(const struct keyspace *k)
{
    struct digest_call call = {.keyspace = k};
    for (call.db = 0; call.db < LIMIT_DATABASES; call.db++) {
        dict_scan(&k->db[call.db].dict, 0, SIZE_MAX, digest_entry, &call);
    }
    return call.sum + digest_rest(k);
}

/* --- the running digest: a chain of all changes ---
 *
 * Each change folds in the entry's index, the key's hash, its expiry, and what of its value is cheap
 * to look at (value_glance): so nodes that apply differently disagree from the first difference on,
 * at a few nanoseconds a change. What changes without a command (memory that rots) it doesn't see;
 * the full digest does. */

static uint64_t digest_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void digest_change(struct keyspace *k, uint32_t db, uint64_t hash, const struct dict_entry *e)
{
    uint64_t x = k->running_digest + hash;
    x = digest_mix(x ^ k->index);
    if (e) {
        x += value_glance(e->value);
        x = digest_mix(x ^ (uint64_t)keyspace_entry_expiry(&k->db[db], e));
    }
    k->running_digest = x + db;
}

uint64_t keyspace_running_digest(const struct keyspace *k)
{
    return k->running_digest;
}

bool keyspace_corrupt(struct keyspace *k, uint32_t db, struct slice key)
{
    struct dict_entry *e =
        dict_find(&k->db[db].dict, siphash64_fast(&k->seed, key.p, key.n), key);
    if (!e) {
        return false;
    }
    if (value_get_type(e->value) != VALUE_STRING || value_string_size(e->value) == 0) {
        e->last_change ^= 1;
        return true;
    }
    uint8_t byte = value_string_part(e->value, 0).p[0] ^ 1;
    e->value = value_unshare(e->value);
    value_string_write(e->value, 0, (struct slice){&byte, 1});
    return true;
}
