/* The table of one database.
 *
 * The chain of a key is chosen by the TOP bits of its hash and each chain is sorted by (hash, key),
 * so walking the chains from the first to the last visits all keys in hash order, whatever the size
 * of the table and however it came to it:
 *
 *      bits = 2          bits = 3
 *
 *      0 [00.. ]         0 [000..]  1 [001..]
 *
 *      1 [01.. ]   ->    2 [010..]  3 [011..]
 *
 *      2 [10.. ]         4 [100..]  5 [101..]
 *
 *      3 [11.. ]         6 [110..]  7 [111..]
 *
 * Growing cuts one sorted chain in two, shrinking joins two neighbours: no comparing, no rehashing.
 * The order is what SCAN cursors, digests and snapshots stand on: a cursor is a place in it, not a
 * place in a table.
 *
 * A resize is incremental: `old` is the table before, and its chains [0, moved) have been moved.
 * Each insert and each removal moves DICT_STEP chains more, so no operation does more than a
 * bounded piece of it.
 *
 * D1  Chain i of a table of b bits holds exactly keys with hash >> (64 - b) == i, strictly
 *     ascending by (hash, key).
 *
 * D2  During a resize a hash lives in `table` if hash >> (64 - old_bits) < moved, else in `old`:
 *     one place, never both.
 *
 * D3  When shrinking, `moved` is even: both halves of a new chain move together, so every chain
 *     covers one range of hashes.
 *
 * D4  bits <= 52, so keys with the same top 52 bits are in one chain and a cursor never points into
 *     the middle of them.
 *
 * D5  A resize ends before the next one becomes due (DICT_STEP chains per change, against factors
 *     of 2 and 8). */

#include "keyspace/dict.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"

enum {
    DICT_MIN_BITS = 4,
    DICT_MAX_BITS = 52,
    DICT_CURSOR_SHIFT = 12,    /* 64 - 52 */
    DICT_STEP = 16,            /* chains moved per insert or removal while resizing */
    DICT_SHRINK_FACTOR = 8,    /* shrink below 1/8 full */
    DICT_EMPTY_PER_VISIT = 10, /* as Redis's scanGenericCommand */
    DICT_SCAN_AHEAD = 8,       /* chains between the steps of a walk's loads ahead */
};

STATIC_ASSERT(DICT_STEP % 2 == 0, "D3");

static size_t dict_chain_count(uint8_t bits)
{
    return (size_t)1 << bits;
}

static size_t dict_chain_index(uint64_t hash, uint8_t bits)
{
    return (size_t)(hash >> (64 - bits));
}

/* The first link of the chain where `hash` lives (D2). The table must exist. */
static struct dict_entry **dict_chain(const struct dict *d, uint64_t hash)
{
    if (d->old) {
        size_t i = dict_chain_index(hash, d->old_bits);
        if (i >= d->moved) {
            return &d->old[i];
        }
    }
    return &d->table[dict_chain_index(hash, d->bits)];
}

/* The greatest hash that could live in the same chain as `hash`. */
static uint64_t dict_chain_last(const struct dict *d, uint64_t hash)
{
    uint8_t bits = d->bits;
    if (d->old && dict_chain_index(hash, d->old_bits) >= d->moved) {
        bits = d->old_bits;
    }
    return hash | (UINT64_MAX >> bits);
}

static struct dict_entry **dict_table_new(uint8_t bits)
{
    ASSERT(bits <= DICT_MAX_BITS);
    return mem_alloc_zero(dict_chain_count(bits) * sizeof(struct dict_entry *));
}

void dict_init(struct dict *d)
{
    memset(d, 0, sizeof *d);
}

void dict_deinit(struct dict *d)
{
    ASSERT(d->count == 0);
    mem_free(d->table);
    mem_free(d->old);
    dict_init(d);
}

void dict_reserve(struct dict *d, uint64_t count)
{
    ASSERT(d->count == 0 && !d->old);
    uint8_t bits = DICT_MIN_BITS;
    while (bits < DICT_MAX_BITS && dict_chain_count(bits) < count) {
        bits++;
    }
    mem_free(d->table);
    d->table = dict_table_new(bits);
    d->bits = bits;
}

static bool dict_key_is(const struct dict_entry *e, struct slice key)
{
    return e->key_size == key.n && (key.n == 0 || memcmp(e->key, key.p, key.n) == 0);
}

struct dict_entry *dict_find(const struct dict *d, uint64_t hash, struct slice key)
{
    if (!d->table) {
        return NULL;
    }
    struct dict_entry *e = *dict_chain(d, hash);
    while (e && e->hash < hash) {
        e = e->next;
    }
    while (e && e->hash == hash) {
        if (dict_key_is(e, key)) {
            return e;
        }
        e = e->next;
    }
    return NULL;
}

/* --- loads ahead --- */

void dict_ahead_chain(const struct dict *d, uint64_t hash)
{
    if (d->table) {
        __builtin_prefetch(dict_chain(d, hash));
    }
}

void dict_ahead_entry(const struct dict *d, uint64_t hash)
{
    if (d->table) {
        __builtin_prefetch(*dict_chain(d, hash));
    }
}

void dict_ahead_value(const struct dict *d, uint64_t hash)
{
    const struct dict_entry *e = d->table ? *dict_chain(d, hash) : NULL;
    if (e && e->hash < hash) {
        e = e->next;
    }
    if (e) {
        __builtin_prefetch(e->key);
        __builtin_prefetch(e->value);
        __builtin_prefetch((const char *)e->value + 64); /* its next cache line: small values are overwritten in place */
    }
}

/* A walk is about to visit the chain that begins with `from`: nearly each entry and each value behind it is a cache miss. The first
 * entries of a chain are loaded furthest ahead, then the second ones, then the values. */
static void dict_scan_ahead(const struct dict *d, uint64_t from)
{
    uint64_t span = dict_chain_last(d, from) - from + 1;
    if ((UINT64_MAX - from) / span < 3 * DICT_SCAN_AHEAD) {
        return;
    }
    __builtin_prefetch(*dict_chain(d, from + 3 * DICT_SCAN_AHEAD * span));
    const struct dict_entry *e = *dict_chain(d, from + 2 * DICT_SCAN_AHEAD * span);
    if (e) {
        __builtin_prefetch(e->next);
    }
    for (e = *dict_chain(d, from + DICT_SCAN_AHEAD * span); e; e = e->next) {
        __builtin_prefetch(e->value);
    }
}

/* --- resizing --- */

static void dict_resize_begin(struct dict *d, uint8_t bits)
{
    ASSERT(!d->old);
    d->old = d->table;
    d->old_bits = d->bits;
    d->moved = 0;
    d->table = dict_table_new(bits);
    d->bits = bits;
}

/* Cut the sorted chain in two. */
static void dict_split_chain(struct dict *d, size_t i)
{
    struct dict_entry **link = &d->old[i];
    while (*link && dict_chain_index((*link)->hash, d->bits) == 2 * i) {
        link = &(*link)->next;
    }
    d->table[2 * i + 1] = *link;
    *link = NULL;
    d->table[2 * i] = d->old[i];
    d->old[i] = NULL;
}

/* Put the sorted chain i + 1 behind the sorted chain i. */
static void dict_join_chains(struct dict *d, size_t i)
{
    struct dict_entry **link = &d->old[i];
    while (*link) {
        link = &(*link)->next;
    }
    *link = d->old[i + 1];
    d->table[i / 2] = d->old[i];
    d->old[i] = NULL;
    d->old[i + 1] = NULL;
}

bool dict_resize_step(struct dict *d, size_t chain_count)
{
    if (!d->old) {
        return false;
    }
    bool is_growing = d->bits > d->old_bits;
    size_t old_count = dict_chain_count(d->old_bits);
    for (size_t done = 0; done < chain_count && d->moved < old_count; done += is_growing ? 1 : 2) {
        if (is_growing) {
            dict_split_chain(d, d->moved);
            d->moved += 1;
        } else {
            dict_join_chains(d, d->moved);
            d->moved += 2;
        }
    }
    if (d->moved < old_count) {
        return true;
    }
    mem_free(d->old);
    d->old = NULL;
    d->old_bits = 0;
    d->moved = 0;
    return false;
}

/* Called on every change: go on with a resize, or begin one that is due. */
static void dict_adapt(struct dict *d)
{
    if (dict_resize_step(d, DICT_STEP)) {
        return;
    }
    size_t chains = dict_chain_count(d->bits);
    if (d->count > chains && d->bits < DICT_MAX_BITS) {
        COVER("dict grows");
        dict_resize_begin(d, (uint8_t)(d->bits + 1));
    } else if (d->bits > DICT_MIN_BITS && d->count < chains / DICT_SHRINK_FACTOR) {
        COVER("dict shrinks");
        dict_resize_begin(d, (uint8_t)(d->bits - 1));
    }
}

/* --- changes --- */

static bool dict_is_before(const struct dict_entry *e, uint64_t hash, struct slice key)
{
    if (e->hash != hash) {
        return e->hash < hash;
    }
    return slice_compare(dict_entry_key(e), key) < 0;
}

struct dict_entry *dict_insert(struct dict *d, uint64_t hash, struct slice key)
{
    ASSERT(key.n <= UINT32_MAX);
    if (!d->table) {
        d->bits = DICT_MIN_BITS;
        d->table = dict_table_new(d->bits);
    }
    struct dict_entry *e = mem_alloc(sizeof *e + key.n);
    *e = (struct dict_entry){.hash = hash, .key_size = (uint32_t)key.n};
    if (key.n) {
        memcpy(e->key, key.p, key.n);
    }
    struct dict_entry **link = dict_chain(d, hash);
    while (*link && dict_is_before(*link, hash, key)) {
        link = &(*link)->next;
    }
    ASSERT(!*link || (*link)->hash != hash || !dict_key_is(*link, key));
    e->next = *link;
    *link = e;
    d->count++;
    dict_adapt(d);
    return e;
}

void dict_remove(struct dict *d, struct dict_entry *entry)
{
    struct dict_entry **link = dict_chain(d, entry->hash);
    while (*link != entry) {
        ASSERT(*link);
        link = &(*link)->next;
    }
    *link = entry->next;
    entry->next = NULL;
    d->count--;
    if (d->count == 0) {
        /* Nothing to move: back to the start at once. */
        dict_deinit(d);
        return;
    }
    dict_adapt(d);
}

void dict_entry_free(struct dict_entry *entry)
{
    mem_free(entry);
}

size_t dict_entry_memory(const struct dict_entry *entry)
{
    return sizeof *entry + entry->key_size;
}

size_t dict_table_memory(const struct dict *d)
{
    size_t chains =
        (d->table ? dict_chain_count(d->bits) : 0) + (d->old ? dict_chain_count(d->old_bits) : 0);
    return chains * sizeof(struct dict_entry *);
}

struct dict_entry *dict_take_any(struct dict *d, size_t *chain, size_t *chain_budget)
{
    size_t old_count = d->old ? dict_chain_count(d->old_bits) : 0;
    while (d->count > 0 && *chain_budget > 0) {
        ASSERT(*chain < old_count + dict_chain_count(d->bits));
        struct dict_entry **link =
            *chain < old_count ? &d->old[*chain] : &d->table[*chain - old_count];
        struct dict_entry *e = *link;
        if (e) {
            *link = e->next;
            e->next = NULL;
            d->count--;
            return e;
        }
        ++*chain;
        --*chain_budget;
    }
    return NULL;
}

/* --- the walk --- */

static uint64_t dict_cursor_of(uint64_t hash)
{
    return (hash >> DICT_CURSOR_SHIFT) + 1;
}

bool dict_is_passed(uint64_t hash, uint64_t cursor)
{
    ASSERT(cursor > 0);
    return dict_cursor_of(hash) < cursor;
}

uint64_t dict_scan(const struct dict *d,
                   uint64_t cursor,
                   size_t count,
                   void (*fn)(void *ctx, const struct dict_entry *entry),
                   void *ctx)
{
    if (d->count == 0 || cursor > DICT_CURSOR_MAX) {
        return 0;
    }
    uint64_t from = cursor ? (cursor - 1) << DICT_CURSOR_SHIFT : 0;
    size_t empty_budget =
        count < SIZE_MAX / DICT_EMPTY_PER_VISIT ? count * DICT_EMPTY_PER_VISIT : SIZE_MAX;
    size_t visited = 0;
    uint64_t group = 0; /* cursor of the last one visited */
    for (;;) {
        const struct dict_entry *e = *dict_chain(d, from);
        if (!e && empty_budget-- == 0) {
            return dict_cursor_of(from);
        }
        for (; e; e = e->next) {
            if (e->hash < from) {
                continue;
            }
            if (visited >= count && dict_cursor_of(e->hash) != group) {
                return dict_cursor_of(e->hash);
            }
            group = dict_cursor_of(e->hash);
            visited++;
            fn(ctx, e);
        }
        uint64_t last = dict_chain_last(d, from);
        if (last == UINT64_MAX) {
            return 0;
        }
        from = last + 1;
        dict_scan_ahead(d, from);
    }
}

static void dict_check_chain(const struct dict_entry *e, size_t chain, uint8_t bits, size_t *count)
{
    const struct dict_entry *before = NULL;
    for (; e; e = e->next) {
        ASSERT(dict_chain_index(e->hash, bits) == chain); /* D1 */
        ASSERT(!before || dict_is_before(before, e->hash, dict_entry_key(e)));
        before = e;
        ++*count;
    }
}

void dict_check(const struct dict *d)
{
    size_t count = 0;
    for (size_t i = 0; d->table && i < dict_chain_count(d->bits); i++) {
        dict_check_chain(d->table[i], i, d->bits, &count);
    }
    for (size_t i = 0; d->old && i < dict_chain_count(d->old_bits); i++) {
        ASSERT(i >= d->moved || !d->old[i]); /* D2 */
        dict_check_chain(d->old[i], i, d->old_bits, &count);
    }
    ASSERT(count == d->count);
    ASSERT(!d->old || d->bits > d->old_bits || d->moved % 2 == 0); /* D3 */
    ASSERT(!d->old || d->count <= 2 * dict_chain_count(d->bits));  /* D5 */
}
