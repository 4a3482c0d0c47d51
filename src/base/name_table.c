#include "base/name_table.h"

#include "base/assert.h"
#include "base/mem.h"

#define BUCKETS_FIRST 8u

void name_table_init(struct name_table *t, const struct siphash_key *key)
{
    *t = (struct name_table){.key = *key};
}

void name_table_deinit(struct name_table *t)
{
    mem_free(t->bucket);
    t->bucket = NULL;
    t->bucket_count = t->bucket_capacity = t->count = 0;
}

/* The buckets at or above half the present power of two exist only up to bucket_count; others are still one with their lower half. */
static size_t bucket_of(const struct name_table *t, uint64_t hash)
{
    size_t round = BUCKETS_FIRST;

    while (round < t->bucket_count) {
        round *= 2;
    }
    size_t at = (size_t)hash & (round - 1);
    return at < t->bucket_count ? at : at - round / 2;
}

struct name_node *name_table_find(const struct name_table *t, struct slice name)
{
    if (t->count == 0) {
        return NULL;
    }
    uint64_t hash = siphash64_fast(&t->key, name.p, name.n);
    struct name_node *node = t->bucket[bucket_of(t, hash)];
    while (node && (node->hash != hash || !slice_equal(node->name, name))) {
        node = node->next;
    }
    return node;
}

/* One more bucket: takes its part of the one it was one with. */
static void name_table_grow(struct name_table *t)
{
    if (t->bucket_count == t->bucket_capacity) {
        t->bucket_capacity *= 2;
        t->bucket = mem_realloc_array(t->bucket, t->bucket_capacity, sizeof t->bucket[0]);
    }
    size_t made = t->bucket_count++;
    size_t round = BUCKETS_FIRST;
    while (round < t->bucket_count) {
        round *= 2;
    }
    struct name_node **from = &t->bucket[made - round / 2];
    t->bucket[made] = NULL;
    while (*from) {
        struct name_node *node = *from;

        if (bucket_of(t, node->hash) == made) {
            *from = node->next;
            node->next = t->bucket[made];
            t->bucket[made] = node;
        } else {
            from = &node->next;
        }
    }
}

static void name_table_shrink(struct name_table *t)
{
    size_t gone = --t->bucket_count;

    for (struct name_node *node = t->bucket[gone], *next; node; node = next) {
        size_t at = bucket_of(t, node->hash);

        next = node->next;
        node->next = t->bucket[at];
        t->bucket[at] = node;
    }
}

void name_table_add(struct name_table *t, struct name_node *node)
{
    if (!t->bucket) {
        t->bucket_count = t->bucket_capacity = BUCKETS_FIRST;
        t->bucket = mem_alloc_zero(BUCKETS_FIRST * sizeof t->bucket[0]);
    }
    ASSERT_SLOW(!name_table_find(t, node->name));
    node->hash = siphash64_fast(&t->key, node->name.p, node->name.n);
    size_t at = bucket_of(t, node->hash);
    node->next = t->bucket[at];
    t->bucket[at] = node;
    t->count++;
    if (t->count > t->bucket_count) {
        name_table_grow(t);
    }
}

void name_table_remove(struct name_table *t, struct name_node *node)
{
    struct name_node **at = &t->bucket[bucket_of(t, node->hash)];

    while (*at != node) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    t->count--;
    if (t->count == 0) {
        name_table_deinit(t);
        return;
    }
    for (int i = 0; i < 8 && t->count < t->bucket_count / 4 && t->bucket_count > BUCKETS_FIRST; i++) {
        name_table_shrink(t);
    }
}

static struct name_node *first_from(const struct name_table *t, size_t bucket)
{
    for (; bucket < t->bucket_count; bucket++) {
        if (t->bucket[bucket]) {
            return t->bucket[bucket];
        }
    }
    return NULL;
}

struct name_node *name_table_first(const struct name_table *t)
{
    return first_from(t, 0);
}

struct name_node *name_table_next(const struct name_table *t, const struct name_node *node)
{
    return node->next ? node->next : first_from(t, bucket_of(t, node->hash) + 1);
}

struct name_node *name_table_near(const struct name_table *t, uint64_t cursor)
{
    if (t->count == 0) {
        return NULL;
    }
    struct name_node *node = first_from(t, (size_t)(cursor % t->bucket_count));
    return node ? node : first_from(t, 0);
}

struct name_node *name_table_pop(struct name_table *t, size_t *cursor)
{
    while (*cursor < t->bucket_count && !t->bucket[*cursor]) {
        (*cursor)++;
    }
    if (*cursor >= t->bucket_count) {
        ASSERT(t->count == 0);
        return NULL;
    }
    struct name_node *node = t->bucket[*cursor];
    t->bucket[*cursor] = node->next;
    node->next = NULL;
    if (--t->count == 0) {
        name_table_deinit(t);
    }
    return node;
}
