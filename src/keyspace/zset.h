#ifndef KEYSPACE_ZSET_H
#define KEYSPACE_ZSET_H

#include "base/checksum.h"
#include "keyspace/tree.h"

/* Sorted sets. A small one ("listpack") is a tree ordered by (score, member), searched from end to
 * end for a member. A larger one ("skiplist") has an index besides: a tree ordered by (keyed hash,
 * member) that holds the scores. It never goes back to the small form; neither does Redis.
 *
 * Scores are doubles but NaN, as keys in an order that keeps theirs. -0 is ordered as 0; the small
 * form makes it 0, the large one keeps it, as in Redis. */
uint64_t zset_key(double score); /* of -0 that of 0 */
double zset_score(uint64_t key);

/* What decides the form, and what keys the index. */
struct zset_rules {
    const struct siphash_key *seed;
    uint64_t listpack_entries; /* most members of the small form */
    uint64_t listpack_value;   /* longest member of it */
};

/* Empty, in the form that a set whose first member has so many bytes gets. Returns owned. */
struct value *zset_new(const struct zset_rules *rules, size_t member_size);
struct value *zset_new_large(void);
uint64_t zset_count(const struct value *z);
/* The tree by (score, member): keys are zset_key's, bytes are the member. */
const struct value *zset_order(const struct value *z);
/* The tree by hash, `extra` being the score's key; NULL in the small form. */
const struct value *zset_index(const struct value *z);

bool zset_find(const struct value *z,
               const struct zset_rules *rules,
               struct slice member,
               double *score);
/* Of an item of zset_order's tree. O(1), but of a score of 0 in a large set that has a -0. */
double zset_item_score(const struct value *z,
                       const struct zset_rules *rules,
                       const struct tree_item *item);
/* Of a member with this score: it is there. */
uint64_t zset_rank(const struct value *z, struct slice member, double score);

/* Changes; the root must have one owner. `member` may not point into the set. */
void zset_add(struct value **z, const struct zset_rules *rules, struct slice member, double score);
void zset_move(struct value **z,
               const struct zset_rules *rules,
               struct slice member,
               double from,
               double to);
void zset_remove(struct value **z,
                 const struct zset_rules *rules,
                 struct slice member,
                 double score);
/* A set that was built in the large form gets the small one if its members fit the rules; scores of
 * -0 are 0 then. O(listpack_entries). */
void zset_make_small(struct value **z, const struct zset_rules *rules);
/* As tree_remove_range, but O(count) in the large form: each member leaves the index. */
struct value *zset_remove_range(struct value **z,
                                const struct zset_rules *rules,
                                uint64_t rank,
                                uint64_t count) MUST_CHECK;

/* Asserts the invariants. O(n log n). */
void zset_check(const struct value *z, const struct zset_rules *rules);

#endif
