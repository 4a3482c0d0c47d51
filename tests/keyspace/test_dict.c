#include "keyspace/dict.h"

#include <stdio.h>

#include "base/checksum.h"
#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

enum { KEYS = 4000 };

static const struct siphash_key seed = {{9, 8, 7, 6, 5, 4, 3, 2, 1}};

static struct slice key_of(unsigned i, char text[16])
{
    int n = snprintf(text, 16, "key%u", i);
    return (struct slice){(const uint8_t *)text, (size_t)n};
}

static uint64_t hash_of(struct slice key)
{
    return siphash64_fast(&seed, key.p, key.n);
}

static struct dict_entry *find(const struct dict *d, unsigned i)
{
    char text[16];
    struct slice key = key_of(i, text);
    return dict_find(d, hash_of(key), key);
}

static void add(struct dict *d, unsigned i)
{
    char text[16];
    struct slice key = key_of(i, text);
    dict_insert(d, hash_of(key), key)->last_change = i;
}

static void drop(struct dict *d, unsigned i)
{
    struct dict_entry *e = find(d, i);
    REQUIRE(e != NULL);
    dict_remove(d, e);
    dict_entry_free(e);
}

static void clear(struct dict *d)
{
    size_t chain = 0;
    size_t budget = SIZE_MAX;
    struct dict_entry *e;
    while ((e = dict_take_any(d, &chain, &budget))) {
        dict_entry_free(e);
    }
    dict_deinit(d);
}

/* Random inserts and removals in waves, so that the table grows and shrinks many times, against an
 * array of flags. */
TEST(agrees_with_a_simple_model_while_resizing)
{
    static bool is_present[KEYS];
    memset(is_present, 0, sizeof is_present);
    struct dict d;
    dict_init(&d);
    struct prng random;
    prng_seed(&random, 4);
    size_t count = 0;
    size_t seen_growing = 0;
    size_t seen_shrinking = 0;
    for (unsigned step = 0; step < 200000; step++) {
        unsigned i = (unsigned)prng_below(&random, KEYS);
        bool wants_more = (step / 20000) % 2 == 0;
        bool adds = prng_below(&random, 100) < (wants_more ? 80 : 3);
        CHECK((find(&d, i) != NULL) == is_present[i]);
        if (adds && !is_present[i]) {
            add(&d, i);
            is_present[i] = true;
            count++;
        } else if (!adds && is_present[i]) {
            drop(&d, i);
            is_present[i] = false;
            count--;
        }
        seen_growing += d.old && d.bits > d.old_bits;
        seen_shrinking += d.old && d.bits < d.old_bits;
        REQUIRE(d.count == count);
        if (step % 500 == 0) {
            dict_check(&d);
            for (unsigned k = 0; k < KEYS; k++) {
                struct dict_entry *e = find(&d, k);
                REQUIRE((e != NULL) == is_present[k]);
                REQUIRE(!e || e->last_change == k);
            }
        }
    }
    CHECK(seen_growing > 100);
    CHECK(seen_shrinking > 100);
    clear(&d);
}

TEST(no_operation_moves_more_than_a_few_chains)
{
    struct dict d;
    dict_init(&d);
    size_t most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        size_t before = d.old ? d.moved : 0;
        add(&d, i);
        if (d.old && d.moved > before) {
            most = d.moved - before > most ? d.moved - before : most;
        }
    }
    CHECK(most > 0);
    CHECK(most <= 16);
    CHECK(d.bits >= 16);
    for (unsigned i = 0; i < 100000 - 10; i++) {
        size_t before = d.old ? d.moved : 0;
        drop(&d, i);
        if (d.old && d.moved > before) {
            most = d.moved - before > most ? d.moved - before : most;
        }
    }
    CHECK(most <= 16);
    CHECK(d.bits <= 12);
    while (dict_resize_step(&d, 100)) {
    }
    dict_check(&d);
    clear(&d);
    CHECK(d.table == NULL);
}

TEST(an_emptied_dict_gives_its_arrays_back)
{
    struct dict d;
    dict_init(&d);
    for (unsigned i = 0; i < 1000; i++) {
        add(&d, i);
    }
    CHECK(dict_table_memory(&d) >= 1000 * sizeof(void *));
    for (unsigned i = 0; i < 1000; i++) {
        drop(&d, i);
    }
    CHECK_EQ_UINT(dict_table_memory(&d), 0);
    CHECK(find(&d, 1) == NULL);
    add(&d, 1);
    CHECK(find(&d, 1) != NULL);
    clear(&d);
}

/* Equal hashes (as no attacker can make, but chance could) are kept apart by the key. */
TEST(keys_with_equal_hashes_are_kept_apart)
{
    struct dict d;
    dict_init(&d);
    static const char *const name[] = {"b", "", "a", "ab", "c"};
    for (size_t i = 0; i < 5; i++) {
        dict_insert(&d, 42, slice_from_cstr(name[i]))->last_change = i;
    }
    dict_check(&d);
    for (size_t i = 0; i < 5; i++) {
        struct dict_entry *e = dict_find(&d, 42, slice_from_cstr(name[i]));
        REQUIRE(e != NULL);
        CHECK_EQ_UINT(e->last_change, i);
    }
    CHECK(dict_find(&d, 42, slice_from_cstr("d")) == NULL);
    CHECK(dict_find(&d, 43, slice_from_cstr("a")) == NULL);
    clear(&d);
}

static void insert_twice(void *ctx)
{
    struct dict *d = ctx;
    dict_insert(d, 1, SLICE_LITERAL("a"));
    dict_insert(d, 1, SLICE_LITERAL("a"));
}

TEST(a_key_is_inserted_once)
{
    struct dict d;
    dict_init(&d);
    CHECK_ABORTS(insert_twice, &d);
    clear(&d);
}

/* --- scanning --- */

struct scan_seen {
    unsigned times[2 * KEYS];
    uint64_t last_hash;
    size_t count;
    bool is_ordered;
};

static void scan_one(void *ctx, const struct dict_entry *e)
{
    struct scan_seen *seen = ctx;
    seen->times[e->last_change]++;
    seen->is_ordered = seen->is_ordered && (seen->count == 0 || e->hash > seen->last_hash);
    seen->last_hash = e->hash;
    seen->count++;
}

TEST(a_scan_returns_each_key_once_in_hash_order)
{
    for (unsigned size = 0; size < 300; size += 7) {
        for (size_t count = 1; count < 40; count += 6) {
            struct dict d;
            dict_init(&d);
            for (unsigned i = 0; i < size; i++) {
                add(&d, i);
            }
            static struct scan_seen seen;
            memset(&seen, 0, sizeof seen);
            seen.is_ordered = true;
            uint64_t cursor = 0;
            size_t calls = 0;
            do {
                cursor = dict_scan(&d, cursor, count, scan_one, &seen);
                REQUIRE(cursor <= DICT_CURSOR_MAX);
                REQUIRE(++calls < 1000);
            } while (cursor);
            CHECK(seen.is_ordered);
            CHECK_EQ_UINT(seen.count, size);
            clear(&d);
        }
    }
}

/* Keys [0, KEYS/2) stay; others come and go between the calls, in waves that resize the table up
 * and down; every other call goes to a second table with the same keys and another history: as a
 * client that changes nodes. */
TEST(a_scan_misses_nothing_that_stays)
{
    struct prng random;
    prng_seed(&random, 77);
    for (int round = 0; round < 30; round++) {
        struct dict d[2];
        dict_init(&d[0]);
        dict_init(&d[1]);
        for (unsigned i = 0; i < 2 * KEYS;
             i++) { /* d[1] was big once, and is still on its way back */
            add(&d[1], i);
        }
        for (unsigned i = 2 * KEYS; i-- > KEYS / 2;) {
            drop(&d[1], i);
        }
        for (unsigned i = 0; i < KEYS / 2; i++) {
            add(&d[0], i);
        }
        static bool is_present[KEYS];
        memset(is_present, 0, sizeof is_present);
        static struct scan_seen seen;
        memset(&seen, 0, sizeof seen);
        uint64_t cursor = 0;
        unsigned calls = 0;
        do {
            seen.is_ordered = true;
            cursor = dict_scan(&d[calls % 2], cursor, 1 + prng_below(&random, 50), scan_one, &seen);
            REQUIRE(cursor < ((uint64_t)1 << 53));
            bool grows = prng_below(&random, 2);
            for (unsigned change = 0; change < 300; change++) {
                unsigned i = KEYS / 2 + (unsigned)prng_below(&random, KEYS / 2);
                if (grows && !is_present[i]) {
                    add(&d[0], i);
                    add(&d[1], i);
                    is_present[i] = true;
                } else if (!grows && is_present[i]) {
                    drop(&d[0], i);
                    drop(&d[1], i);
                    is_present[i] = false;
                }
            }
            dict_resize_step(&d[1], (size_t)prng_below(&random, 64));
            calls++;
        } while (cursor);
        for (unsigned i = 0; i < KEYS / 2; i++) {
            test_context("round %d key %u", round, i);
            REQUIRE(seen.times[i] == 1); /* exactly once: the order does not move */
        }
        test_context("%s", "");
        clear(&d[0]);
        clear(&d[1]);
    }
}

static void count_one(void *ctx, const struct dict_entry *e)
{
    (void)e;
    ++*(size_t *)ctx;
}

/* All keys that share the 52 bits of a cursor come in one reply, or some would be lost or repeated.
 */
TEST(keys_that_share_a_cursor_come_together)
{
    struct dict d;
    dict_init(&d);
    char text[16];
    for (unsigned i = 0; i < 20; i++) {
        dict_insert(&d, ((uint64_t)5 << 60) | i, key_of(i, text));
    }
    dict_insert(&d, ((uint64_t)5 << 60) | 0x1000, SLICE_LITERAL("next"));
    size_t seen = 0;
    uint64_t cursor = dict_scan(&d, 0, 1, count_one, &seen);
    CHECK_EQ_UINT(seen, 20);
    CHECK_EQ_UINT(cursor, (((uint64_t)5 << 48) | 1) + 1);
    cursor = dict_scan(&d, cursor, 1, count_one, &seen);
    CHECK_EQ_UINT(seen, 21);
    while (cursor) {
        cursor = dict_scan(&d, cursor, 1, count_one, &seen);
    }
    CHECK_EQ_UINT(seen, 21);
    clear(&d);
}

TEST(cursors_at_the_ends_of_the_range)
{
    struct dict d;
    dict_init(&d);
    size_t seen = 0;
    CHECK_EQ_UINT(dict_scan(&d, 0, 10, count_one, &seen), 0);
    CHECK_EQ_UINT(dict_scan(&d, 12345, 10, count_one, &seen), 0);
    dict_insert(&d, UINT64_MAX, SLICE_LITERAL("last"));
    dict_insert(&d, 0, SLICE_LITERAL("first"));
    uint64_t cursor = dict_scan(&d, 0, 1, count_one, &seen);
    CHECK_EQ_UINT(seen, 1);
    while (cursor > 0 && cursor < DICT_CURSOR_MAX) {
        cursor = dict_scan(&d, cursor, 1, count_one, &seen);
    }
    CHECK_EQ_UINT(dict_scan(&d, DICT_CURSOR_MAX, 1, count_one, &seen),
                  0); /* the greatest cursor there is */
    CHECK(seen >= 2);
    size_t before = seen;
    CHECK_EQ_UINT(dict_scan(&d, DICT_CURSOR_MAX + 1, 10, count_one, &seen), 0);
    CHECK_EQ_UINT(dict_scan(&d, UINT64_MAX, 10, count_one, &seen), 0);
    CHECK_EQ_UINT(seen, before);
    clear(&d);
}

/* A nearly empty big table does not make one call walk all of it. */
TEST(a_scan_call_is_bounded_in_a_sparse_table)
{
    struct dict d;
    dict_init(&d);
    for (unsigned i = 0; i < 50000; i++) {
        add(&d, i);
    }
    size_t chain = 0;
    while (d.count > 3) { /* without shrinking */
        size_t budget = SIZE_MAX;
        dict_entry_free(dict_take_any(&d, &chain, &budget));
    }
    size_t seen = 0;
    size_t calls = 0;
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&d, cursor, 10, count_one, &seen);
        calls++;
    } while (cursor);
    CHECK_EQ_UINT(seen, 3);
    CHECK(calls >= 32768 / 110);
    clear(&d);
}

TEST_MAIN()
