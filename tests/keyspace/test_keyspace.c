#include "keyspace/keyspace.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/value.h"
#include "tests/test.h"

static const struct siphash_key seed = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct seen {
    size_t before, after, flushed;
    char last_event[16];
    raft_index last_index;
};

static void seen_before(void *ctx, uint32_t db, struct slice key)
{
    (void)db;
    (void)key;
    ((struct seen *)ctx)->before++;
}

static void
seen_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    (void)db;
    (void)key;
    struct seen *s = ctx;
    s->after++;
    snprintf(s->last_event, sizeof s->last_event, "%s", event);
    s->last_index = index;
}

static void seen_flushed(void *ctx, raft_index index)
{
    (void)index;
    ((struct seen *)ctx)->flushed++;
}

static struct slice s(const char *text)
{
    return slice_from_cstr(text);
}

static struct keyspace_view writer(struct keyspace *k, uint32_t db)
{
    return (struct keyspace_view){
        .keyspace = k, .db = db, .time_ms = keyspace_time_ms(k), .is_write = true};
}

static struct keyspace_view reader(struct keyspace *k, int64_t time_ms)
{
    return (struct keyspace_view){.keyspace = k, .time_ms = time_ms};
}

TEST(a_change_fires_both_hooks_and_stores_its_index)
{
    struct seen seen = {0};
    struct keyspace_hooks hooks = {seen_before, seen_changed, &seen, seen_flushed, NULL, NULL};
    struct keyspace *k = keyspace_new(&seed, &hooks);
    keyspace_begin_entry(k, 7, 1000);
    struct keyspace_view view = writer(k, 0);
    keyspace_set(&view, s("a"), value_new_string(s("1")), false, "set");
    CHECK_EQ_UINT(seen.before, 1);
    CHECK_EQ_UINT(seen.after, 1);
    CHECK_EQ_STR(seen.last_event, "set");
    CHECK_EQ_UINT(seen.last_index, 7);
    CHECK_EQ_UINT(keyspace_last_change(&view, s("a")), 7);
    CHECK_EQ_UINT(keyspace_last_change(&view, s("b")), 0);

    keyspace_begin_entry(k, 9, 1001);
    struct value **slot = keyspace_edit_slot(&view, s("a"));
    REQUIRE(slot != NULL);
    CHECK_EQ_UINT(seen.before, 2);
    CHECK_EQ_UINT(seen.after, 1);
    *slot = value_string_append(*slot, s("23"));
    keyspace_changed(&view, s("a"), "append");
    CHECK_EQ_UINT(seen.after, 2);
    CHECK_EQ_UINT(keyspace_last_change(&view, s("a")), 9);
    CHECK(slice_equal(value_string_part(keyspace_get(&view, s("a")), 0), s("123")));

    keyspace_begin_entry(k, 10, 1002);
    keyspace_set_expiry(&view, s("a"), 5000, "expire");
    CHECK_EQ_UINT(keyspace_last_change(&view, s("a")), 10);
    CHECK(keyspace_clear_expiry(&view, s("a"), "persist"));
    CHECK(!keyspace_clear_expiry(&view, s("a"), "persist"));
    CHECK_EQ_UINT(seen.after, 4);
    CHECK(keyspace_delete(&view, s("a"), "del"));
    CHECK(!keyspace_delete(&view, s("a"), "del"));
    CHECK_EQ_UINT(keyspace_last_change(&view, s("a")), KEYSPACE_ABSENT | 7); /* created at 7 */
    CHECK_EQ_UINT(seen.before, 5);
    CHECK_EQ_UINT(seen.after, 5);
    CHECK_EQ_STR(seen.last_event, "del");
    CHECK(keyspace_edit(&view, s("a")) == NULL);
    keyspace_free(k);
}

TEST(memory_is_counted_back_to_nothing)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view view = writer(k, 3);
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "key%d", i);
        keyspace_set_string(&view, s(key), s("some value that is not short"), false, "set");
        keyspace_set_string(&view, s(key), s("another"), false, "set");
        struct value **slot = keyspace_edit_slot(&view, s(key));
        *slot = value_string_append(*slot, s(key));
        keyspace_changed(&view, s(key), "append");
        if (i % 3 == 0) {
            keyspace_set_expiry(&view, s(key), 2000, "expire");
        }
    }
    CHECK(keyspace_memory(k) > 500 * sizeof(struct dict_entry));
    CHECK(keyspace_memory(k) < 500 * 200);
    CHECK_EQ_UINT(keyspace_count(k, 3), 500);
    CHECK_EQ_UINT(keyspace_expiry_count(k, 3), 167);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "key%d", i);
        CHECK(keyspace_delete(&view, s(key), "del"));
        keyspace_check(k);
    }
    CHECK_EQ_UINT(k->db[3].memory, 0);
    CHECK_EQ_UINT(keyspace_expiry_count(k, 3), 0);
    keyspace_free(k);
}

TEST(a_due_key_is_absent_before_it_is_removed)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view write = writer(k, 0);
    keyspace_set_string(&write, s("a"), s("1"), false, "set");
    keyspace_set_expiry(&write, s("a"), 2000, "expire");
    CHECK_EQ_INT(keyspace_next_due(k), 2000);

    struct keyspace_view early = reader(k, 1999);
    CHECK(keyspace_get(&early, s("a")) != NULL);
    CHECK(!early.met_due);
    CHECK_EQ_INT(keyspace_expiry(&early, s("a")), 2000);
    struct keyspace_view late = reader(k, 2000);
    CHECK(keyspace_get(&late, s("a")) == NULL);
    CHECK(late.met_due); /* the state's time is 1000: a pulse is needed */
    late.met_due = false;
    CHECK(keyspace_last_change(&late, s("a")) & KEYSPACE_ABSENT);
    CHECK(late.met_due);
    CHECK_EQ_UINT(keyspace_count(k, 0), 1); /* a read removes nothing */

    /* A stamp behind the state's time does not bring it back. */
    k->time_ms = 2000;
    struct keyspace_view behind = reader(k, 1500);
    CHECK(keyspace_get(&behind, s("a")) == NULL);
    CHECK(!behind.met_due);

    /* A write that meets it removes it. */
    struct keyspace_view now = writer(k, 0);
    CHECK(!keyspace_delete(&now, s("a"), "del"));
    CHECK_EQ_UINT(keyspace_count(k, 0), 0);
    CHECK_EQ_UINT(keyspace_expired_total(k), 1);
    CHECK_EQ_INT(keyspace_next_due(k), KEYSPACE_NO_EXPIRY);
    keyspace_free(k);
}

TEST(a_set_over_a_due_key_starts_anew)
{
    struct seen seen = {0};
    struct keyspace_hooks hooks = {seen_before, seen_changed, &seen, NULL, NULL, NULL};
    struct keyspace *k = keyspace_new(&seed, &hooks);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view write = writer(k, 0);
    keyspace_set_string(&write, s("a"), s("1"), false, "set");
    keyspace_set_expiry(&write, s("a"), 1000, "expire"); /* due at once */
    CHECK(keyspace_get(&(struct keyspace_view){.keyspace = k, .time_ms = 1000}, s("a")) == NULL);
    keyspace_set_string(&write, s("a"), s("2"), true, "set"); /* keep_expiry keeps nothing */
    CHECK_EQ_INT(keyspace_expiry(&write, s("a")), KEYSPACE_NO_EXPIRY);
    CHECK_EQ_UINT(seen.after, 4); /* set, expire, expired, set */
    CHECK_EQ_UINT(seen.before, seen.after);
    keyspace_free(k);
}

struct order {
    char text[256];
    size_t count;
};

static void
order_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    (void)index;
    struct order *o = ctx;
    if (strcmp(event, "expired") == 0 && o->count++ < 32) {
        size_t n = strlen(o->text);
        snprintf(o->text + n, sizeof o->text - n, "%u%.*s ", db, (int)key.n, (const char *)key.p);
    }
}

/* Ordered by (expiry, last change, db, key), in whatever order they were given their expiry. */
TEST(due_keys_go_in_the_order_of_the_state)
{
    static const struct {
        raft_index index;
        uint32_t db;
        const char *key;
        int64_t at_ms;
    } row[] = {{2, 1, "z", 500}, {3, 0, "y", 500}, {4, 0, "b", 500}, {4, 0, "a", 500},
               {4, 2, "Z", 500}, {5, 0, "x", 400}, {6, 5, "w", 300}, {7, 0, "later", 501}};
    for (unsigned shift = 0; shift < 8; shift++) {
        struct order order = {.count = 0};
        struct keyspace_hooks hooks = {NULL, order_changed, &order, NULL, NULL, NULL};
        struct keyspace *k = keyspace_new(&seed, &hooks);
        for (size_t i = 0; i < 8;
             i++) { /* insertion order differs from round to round, the state does not */
            size_t r = (i * 3 + shift) % 8;
            keyspace_begin_entry(k, row[r].index, 100);
            struct keyspace_view write = writer(k, row[r].db);
            keyspace_set_string(&write, s(row[r].key), s("v"), false, "set");
            keyspace_set_expiry(&write, s(row[r].key), row[r].at_ms, "expire");
        }
        keyspace_check(k);
        CHECK_EQ_INT(keyspace_next_due(k), 300);
        keyspace_begin_entry(k, 20, 500);
        CHECK_EQ_STR(order.text, "5w 0x 1z 0y 0a 0b 2Z ");
        CHECK_EQ_UINT(keyspace_count(k, 0), 1);
        keyspace_free(k);
    }
}

TEST(removal_per_entry_is_bounded)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 100);
    struct keyspace_view write = writer(k, 0);
    char key[16];
    for (int i = 0; i < 3 * LIMIT_EXPIRED_PER_ENTRY + 1; i++) {
        snprintf(key, sizeof key, "%d", i);
        keyspace_set_string(&write, s(key), s("v"), false, "set");
        keyspace_set_expiry(&write, s(key), 200, "expire");
    }
    keyspace_begin_entry(k, 2, 200);
    CHECK_EQ_UINT(keyspace_count(k, 0), 2 * LIMIT_EXPIRED_PER_ENTRY + 1);
    keyspace_begin_entry(k, 3, 0); /* without time: time stays, removal goes on */
    CHECK_EQ_INT(keyspace_time_ms(k), 200);
    CHECK_EQ_UINT(keyspace_count(k, 0), LIMIT_EXPIRED_PER_ENTRY + 1);
    keyspace_begin_entry(k, 4, 150); /* never back */
    CHECK_EQ_INT(keyspace_time_ms(k), 200);
    CHECK_EQ_UINT(keyspace_count(k, 0), 1);
    keyspace_begin_entry(k, 5, 201);
    CHECK_EQ_UINT(keyspace_count(k, 0), 0);
    CHECK_EQ_UINT(keyspace_expired_total(k), 3 * LIMIT_EXPIRED_PER_ENTRY + 1);
    keyspace_free(k);
}

TEST(a_flush_of_many_keys_frees_them_in_pieces)
{
    struct seen seen = {0};
    struct keyspace_hooks hooks = {NULL, NULL, &seen, seen_flushed, NULL, NULL};
    struct keyspace *k = keyspace_new(&seed, &hooks);
    keyspace_begin_entry(k, 1, 100);
    char key[16];
    for (int i = 0; i < 20000; i++) {
        struct keyspace_view write = writer(k, i % 2 ? 0 : 7);
        snprintf(key, sizeof key, "%d", i);
        keyspace_set_string(&write, s(key), s("some value of some length"), false, "set");
        keyspace_set_expiry(&write, s(key), 1000 + i, "expire");
    }
    size_t fixed = KEYSPACE_CREATION_SLOTS * sizeof(raft_index); /* of any keyspace */
    size_t full = mem_used() - fixed;
    struct keyspace_view write = writer(k, 0);
    keyspace_flush(&write, false);
    CHECK_EQ_UINT(keyspace_count(k, 0), 0);
    CHECK_EQ_UINT(keyspace_count(k, 7), 10000);
    CHECK_EQ_UINT(seen.flushed, 1);
    keyspace_flush(&write, true);
    CHECK_EQ_UINT(keyspace_count(k, 7), 0);
    CHECK_EQ_UINT(seen.flushed, 2);
    keyspace_flush(&write, false); /* of nothing */
    CHECK_EQ_UINT(seen.flushed, 3);
    CHECK_EQ_INT(keyspace_next_due(k), KEYSPACE_NO_EXPIRY);
    CHECK(keyspace_memory(k) == 0);
    CHECK(mem_used() - fixed > full / 2); /* nothing was freed yet but the heaps */

    /* The same keys again, at once, while the old ones are still being freed. */
    CHECK_EQ_UINT(keyspace_freeing(k), 20000);
    uint64_t before = k->graveyard.freed_total;
    keyspace_begin_entry(k, 2, 101);
    CHECK(k->graveyard.freed_total - before <= 64);
    CHECK(keyspace_get(&write, s("1")) == NULL);
    keyspace_set_string(&write, s("1"), s("new"), false, "set");
    size_t rounds = 0;
    while (keyspace_idle(k)) {
        REQUIRE(++rounds < 1000);
    }
    CHECK(rounds > 10);
    CHECK_EQ_UINT(keyspace_freeing(k), 0);
    CHECK_EQ_UINT(keyspace_freed_later(k), 20000);
    CHECK(mem_used() - fixed < full / 10);
    CHECK(slice_equal(value_string_part(keyspace_get(&write, s("1")), 0), s("new")));
    keyspace_free(k);
}

TEST(a_big_value_is_freed_in_pieces)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 100);
    size_t size = (size_t)200 * LIMIT_VALUE_CHUNK_BYTES;
    uint8_t *bytes = mem_alloc_zero(size);
    struct keyspace_view write = writer(k, 0);
    keyspace_set_string(&write, s("big"), (struct slice){bytes, size}, false, "set");
    keyspace_set_string(&write, s("big"), (struct slice){bytes, size - 1}, false, "set");
    CHECK_EQ_UINT(value_string_size(keyspace_get(&write, s("big"))), size - 1);
    CHECK(keyspace_delete(&write, s("big"), "del"));
    CHECK_EQ_UINT(k->db[0].memory, 0);
    CHECK(k->graveyard.first != NULL);
    CHECK(keyspace_freeing(k) >= 1);
    size_t rounds = 0;
    while (graveyard_step(&k->graveyard, 64)) {
        rounds++;
    }
    CHECK(rounds >= 5);
    CHECK_EQ_UINT(keyspace_freeing(k), 0);
    CHECK(keyspace_freed_later(k) >= 1);
    mem_free(bytes);
    keyspace_free(k);
}

/* --- same entries, same state --- */

enum { HISTORY_KEYS = 300 };

/* One entry's random change; `noise` adds reads and idle work, which must leave no trace. */
static void history_apply(struct keyspace *k,
                          struct prng *random,
                          raft_index index,
                          bool noise,
                          struct prng *noise_random)
{
    char key[16];
    char text[128];
    int64_t time_ms = (int64_t)(1000 + index * 10);
    keyspace_begin_entry(k, index, index % 17 ? time_ms : 0);
    struct keyspace_view write = writer(k, (uint32_t)prng_below(random, 3));
    snprintf(key, sizeof key, "k%u", (unsigned)prng_below(random, HISTORY_KEYS));
    snprintf(text, sizeof text, "value %u", (unsigned)prng_below(random, 1000000));
    uint64_t what = prng_below(random, 100);
    if (what < 40) {
        keyspace_set_string(&write, s(key), s(text), what < 10, "set");
    } else if (what < 60) {
        keyspace_set_expiry(&write, s(key), time_ms + (int64_t)prng_below(random, 400), "expire");
    } else if (what < 75) {
        struct value **slot = keyspace_edit_slot(&write, s(key));
        if (slot) {
            *slot = value_string_append(*slot, s(text));
            keyspace_changed(&write, s(key), "append");
        }
    } else if (what < 82) {
        char to[16];
        snprintf(to, sizeof to, "k%u", (unsigned)prng_below(random, HISTORY_KEYS));
        uint32_t to_db = (uint32_t)prng_below(random, 3);
        if (to_db != write.db || !slice_equal(s(key), s(to))) {
            keyspace_move(&write, s(key), to_db, s(to), "rename_from", "rename_to");
        }
    } else if (what < 84) {
        keyspace_swap(&write, write.db, (write.db + 1) % 3);
    } else if (what < 95) {
        keyspace_delete(&write, s(key), "del");
    } else if (what < 97) {
        keyspace_clear_expiry(&write, s(key), "persist");
    } else if (what < 98 && index % 7 == 0) {
        keyspace_flush(&write, index % 2);
    } else {
        sessions_open(k, 5, index);
        sessions_take(k, 5, index, 1);
    }
    if (noise) {
        for (int i = 0; i < 3; i++) {
            struct keyspace_view read = reader(k, time_ms + (int64_t)prng_below(noise_random, 300));
            snprintf(key, sizeof key, "k%u", (unsigned)prng_below(noise_random, HISTORY_KEYS));
            keyspace_get(&read, s(key));
            keyspace_last_change(&read, s(key));
            struct slice any;
            keyspace_random_key(&read, prng_next(noise_random), &any);
        }
        if (prng_below(noise_random, 5) == 0) {
            keyspace_idle(k);
        }
    }
}

TEST(same_entries_same_digest_whatever_else_happened)
{
    for (uint64_t seed_number = 1; seed_number <= 6; seed_number++) {
        test_context("seed %u", (unsigned)seed_number);
        struct keyspace *a = keyspace_new(&seed, NULL);
        struct keyspace *b = keyspace_new(&seed, NULL);
        /* b's tables have another history of sizes. */
        keyspace_begin_entry(b, 0, 0);
        struct keyspace_view write = writer(b, 1);
        char key[16];
        for (int i = 0; i < 3000; i++) {
            snprintf(key, sizeof key, "x%d", i);
            keyspace_set_string(&write, s(key), s("x"), false, "set");
        }
        for (int i = 0; i < 3000; i++) {
            snprintf(key, sizeof key, "x%d", i);
            keyspace_delete(&write, s(key), "del");
        }
        b->running_digest = a->running_digest; /* as if that had never been */
        struct prng random_a;
        struct prng random_b;
        struct prng noise;
        prng_seed(&random_a, seed_number);
        prng_seed(&random_b, seed_number);
        prng_seed(&noise, seed_number + 1000);
        for (raft_index i = 1; i <= 4000; i++) {
            history_apply(a, &random_a, i, false, &noise);
            history_apply(b, &random_b, i, true, &noise);
            if (i % 100 == 0) {
                keyspace_check(a);
                keyspace_check(b);
                REQUIRE(keyspace_digest(a) == keyspace_digest(b));
                REQUIRE(keyspace_count(a, 0) == keyspace_count(b, 0));
                REQUIRE(keyspace_expired_total(a) == keyspace_expired_total(b));
                REQUIRE(a->db[0].memory == b->db[0].memory);
            }
        }
        CHECK(keyspace_expired_total(a) > 100);
        keyspace_free(a);
        keyspace_free(b);
    }
    test_context("%s", "");
}

/* A small state, one difference at a time. */
static uint64_t digest_of(int difference)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, difference == 1 ? 2 : 1, difference == 2 ? 1001 : 1000);
    struct keyspace_view write = writer(k, difference == 3 ? 1 : 0);
    keyspace_set_string(&write, difference == 4 ? s("b") : s("a"),
                        difference == 5 ? s("2") : s("1"), false, "set");
    if (difference != 6) {
        keyspace_set_expiry(&write, difference == 4 ? s("b") : s("a"),
                            difference == 7 ? 5001 : 5000, "expire");
    }
    sessions_open(k, difference == 8 ? 4 : 3, difference == 9 ? 2 : 1);
    sessions_take(k, 3, 1, difference == 10 ? 9 : 1);
    if (difference == 11) {
        sessions_close(k, 3, 1);
    }
    sessions_set_suspended(k, 3, 1, difference == 12);
    if (difference == 13) {
        keyspace_set_string(&write, s(""), s(""), false, "set");
    }
    uint64_t digest = keyspace_digest(k);
    keyspace_free(k);
    return digest;
}

TEST(any_difference_changes_the_digest)
{
    uint64_t digest[14];
    for (int i = 0; i < 14; i++) {
        digest[i] = digest_of(i);
        CHECK(digest[i] == digest_of(i));
        for (int j = 0; j < i; j++) {
            test_context("difference %d against %d", i, j);
            CHECK(digest[i] != digest[j]);
        }
    }
    test_context("%s", "");
}

struct walk {
    uint64_t last_hash;
    size_t count;
    bool is_ordered;
};

static void walk_one(void *ctx,
                     struct slice key,
                     const struct value *value,
                     int64_t expiry_ms,
                     raft_index last_change)
{
    struct walk *w = ctx;
    uint64_t hash = siphash64_fast(&seed, key.p, key.n);
    w->is_ordered = w->is_ordered && (w->count == 0 || hash > w->last_hash);
    w->last_hash = hash;
    w->count++;
    CHECK(value_string_size(value) == 1);
    CHECK_EQ_INT(expiry_ms, KEYSPACE_NO_EXPIRY);
    CHECK_EQ_UINT(last_change, 1);
}

TEST(each_walks_all_keys_in_hash_order)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1);
    struct keyspace_view write = writer(k, 2);
    char key[16];
    for (int i = 0; i < 777; i++) {
        snprintf(key, sizeof key, "%d", i);
        keyspace_set_string(&write, s(key), s("v"), false, "set");
    }
    struct walk w = {.is_ordered = true};
    keyspace_each(k, 2, walk_one, &w);
    CHECK_EQ_UINT(w.count, 777);
    CHECK(w.is_ordered);
    keyspace_free(k);
}

/* What WATCH stands on: the number of an absent key tells whether it came and went. */
TEST(a_key_that_came_and_went_is_noticed)
{
    static const char *const how[] = {"del", "flush", "expire", "swap", "move", "by another name"};
    for (size_t i = 0; i < sizeof how / sizeof how[0]; i++) {
        test_context("%s", how[i]);
        struct keyspace *k = keyspace_new(&seed, NULL);
        keyspace_begin_entry(k, 5, 1000);
        struct keyspace_view w = writer(k, 0);
        struct keyspace_view other = writer(k, 1);
        keyspace_set_string(&w, s("other"), s("1"), false, "set");
        raft_index seen = keyspace_last_change(&w, s("a"));
        uint64_t digest = keyspace_digest(k);
        keyspace_begin_entry(k, 6, 1000);
        CHECK_EQ_UINT(keyspace_last_change(&w, s("a")), seen); /* an entry alone is no change */
        struct keyspace_view *where = i == 3 ? &other : &w;
        keyspace_set_string(where, s(i == 5 ? "b" : "a"), s("1"), false, "set");
        keyspace_begin_entry(k, 7, 1000);
        if (i == 0) {
            keyspace_delete(&w, s("a"), "del");
        } else if (i == 1) {
            keyspace_flush(&w, true);
        } else if (i == 2) {
            keyspace_set_expiry(&w, s("a"), 1500, "expire");
            keyspace_begin_entry(k, 8, 1500);
        } else if (i == 3) {
            keyspace_swap(&w, 0, 1);
            keyspace_delete(&w, s("a"), "del");
        } else if (i == 4) {
            keyspace_move(&w, s("a"), 1, s("a"), "move_from", "move_to");
        } else {
            keyspace_move(&w, s("b"), 0, s("a"), "rename_from", "rename_to");
            keyspace_move(&w, s("a"), 0, s("b"), "rename_from", "rename_to");
        }
        CHECK(keyspace_get(&w, s("a")) == NULL);
        CHECK(keyspace_last_change(&w, s("a")) != seen);
        CHECK(keyspace_digest(k) != digest);
        keyspace_free(k);
    }
    test_context("%s", "");
}

TEST(a_key_that_stays_away_seems_unchanged)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view w = writer(k, 0);
    keyspace_set_string(&w, s("a"), s("1"), false, "set");
    keyspace_delete(&w, s("a"), "del");
    raft_index seen = keyspace_last_change(&w, s("a"));
    CHECK_EQ_UINT(seen, KEYSPACE_ABSENT | 1);
    for (unsigned i = 2; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        keyspace_begin_entry(k, i, 1000);
        keyspace_set_string(&w, s(key), s("1"), false, "set");
        keyspace_delete(&w, s(i % 2 ? key : "a"), "del");
        CHECK_EQ_UINT(keyspace_last_change(&w, s("a")), seen);
    }
    keyspace_flush(&w, true);
    CHECK_EQ_UINT(keyspace_last_change(&w, s("a")), seen);
    keyspace_begin_entry(k, 200, 1000);
    keyspace_set_string(&w, s("a"), s("1"), false, "set"); /* the same content anew */
    CHECK_EQ_UINT(keyspace_last_change(&w, s("a")), 200);
    keyspace_free(k);
}

TEST_MAIN()
