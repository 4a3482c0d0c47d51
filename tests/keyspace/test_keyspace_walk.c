/* Keys that change places, and walks as a view sees them. */

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/value.h"
#include "tests/test.h"

static const struct siphash_key seed = {{7, 2, 3, 4}};

static struct slice s(const char *text)
{
    return slice_from_cstr(text);
}

static struct keyspace_view view_of(struct keyspace *k, uint32_t db, bool is_write)
{
    return (struct keyspace_view){
        .keyspace = k, .db = db, .time_ms = keyspace_time_ms(k), .is_write = is_write};
}

struct log {
    char text[256];
};

static void log_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index i)
{
    struct log *log = ctx;
    size_t n = strlen(log->text);
    snprintf(log->text + n, sizeof log->text - n, "%s %u:%.*s @%u;", event, (unsigned)db,
             (int)key.n, (const char *)key.p, (unsigned)i);
}

static void log_swapped(void *ctx, uint32_t a, uint32_t b, raft_index i)
{
    struct log *log = ctx;
    size_t n = strlen(log->text);
    snprintf(log->text + n, sizeof log->text - n, "swap %u %u @%u;", (unsigned)a, (unsigned)b,
             (unsigned)i);
}

TEST(a_moved_key_takes_its_expiry_along_and_changes_twice)
{
    struct log log = {""};
    struct keyspace_hooks hooks = {NULL, log_changed, &log, NULL, log_swapped, NULL};
    struct keyspace *k = keyspace_new(&seed, &hooks);
    keyspace_begin_entry(k, 5, 1000);
    struct keyspace_view v = view_of(k, 0, true);
    keyspace_set_string(&v, s("a"), s("one"), false, "set");
    keyspace_set_expiry(&v, s("a"), 9000, "expire");
    struct keyspace_view other = view_of(k, 3, true);
    keyspace_set_string(&other, s("b"), s("two"), false, "set");
    keyspace_set_expiry(&other, s("b"), 2000, "expire");
    log.text[0] = 0;
    keyspace_begin_entry(k, 6, 1001);
    CHECK(keyspace_move(&v, s("a"), 3, s("b"), "move_from", "move_to"));
    CHECK_EQ_STR(log.text, "move_from 0:a @6;move_to 3:b @6;");
    CHECK(!keyspace_get(&v, s("a")));
    CHECK_EQ_INT(keyspace_expiry(&other, s("b")), 9000);
    CHECK_EQ_UINT(keyspace_last_change(&other, s("b")), 6);
    CHECK_EQ_SLICE(value_string_part(keyspace_get(&other, s("b")), 0), "one");
    CHECK_EQ_UINT(keyspace_count(k, 0), 0);
    CHECK_EQ_UINT(keyspace_expiry_count(k, 0), 0);
    CHECK_EQ_UINT(keyspace_expiry_count(k, 3), 1);
    /* One without expiry takes the place of one that has one. */
    keyspace_set_string(&v, s("c"), s("three"), false, "set");
    CHECK(keyspace_move(&v, s("c"), 3, s("b"), "move_from", "move_to"));
    CHECK_EQ_INT(keyspace_expiry(&other, s("b")), KEYSPACE_NO_EXPIRY);
    CHECK(!keyspace_move(&v, s("c"), 3, s("b"), "move_from", "move_to"));
    keyspace_check(k);
    CHECK(keyspace_delete(&other, s("b"), "del"));
    CHECK_EQ_UINT(k->db[0].memory, 0);
    CHECK_EQ_UINT(k->db[3].memory, 0);
    keyspace_free(k);
}

TEST(a_due_key_does_not_move)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view v = view_of(k, 0, true);
    keyspace_set_string(&v, s("a"), s("x"), false, "set");
    keyspace_set_expiry(&v, s("a"), 2000, "expire");
    keyspace_begin_entry(k, 2, 2000);
    CHECK(!keyspace_move(&v, s("a"), 0, s("b"), "rename_from", "rename_to"));
    CHECK_EQ_UINT(keyspace_count(k, 0), 0);
    keyspace_free(k);
}

TEST(swapped_databases_change_all_their_keys)
{
    struct log log = {""};
    struct keyspace_hooks hooks = {NULL, NULL, &log, NULL, log_swapped, NULL};
    struct keyspace *k = keyspace_new(&seed, &hooks);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view v0 = view_of(k, 0, true);
    struct keyspace_view v1 = view_of(k, 1, true);
    keyspace_set_string(&v0, s("a"), s("zero"), false, "set"); /* both in one entry */
    keyspace_set_string(&v1, s("a"), s("one"), false, "set");
    keyspace_set_expiry(&v1, s("a"), 5000, "expire");
    uint64_t before = keyspace_digest(k);
    keyspace_begin_entry(k, 2, 1001);
    keyspace_swap(&v0, 0, 1);
    CHECK_EQ_STR(log.text, "swap 0 1 @2;");
    CHECK(keyspace_digest(k) != before);
    CHECK_EQ_SLICE(value_string_part(keyspace_get(&v0, s("a")), 0), "one");
    CHECK_EQ_SLICE(value_string_part(keyspace_get(&v1, s("a")), 0), "zero");
    CHECK_EQ_INT(keyspace_expiry(&v0, s("a")), 5000);
    CHECK_EQ_INT(keyspace_next_due(k), 5000);
    CHECK_EQ_UINT(keyspace_last_change(&v0, s("a")), 2); /* WATCH sees it */
    CHECK_EQ_UINT(keyspace_last_change(&v1, s("a")), 2);
    keyspace_begin_entry(k, 3, 1002);
    keyspace_set_string(&v0, s("a"), s("new"), false, "set");
    CHECK_EQ_UINT(keyspace_last_change(&v0, s("a")), 3);
    keyspace_check(k);
    keyspace_free(k);
}

/* --- walks --- */

enum { WALK_KEYS = 1000 };

struct walked {
    size_t times[WALK_KEYS];
    size_t total;
};

static void walked_add(void *ctx, struct slice key, const struct value *value)
{
    struct walked *w = ctx;
    char text[16];
    (void)value;
    snprintf(text, sizeof text, "%.*s", (int)key.n, (const char *)key.p);
    w->times[atoi(text + 1)]++;
    w->total++;
}

/* Every third key is due at 2000. */
static struct keyspace *walk_keyspace(void)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view v = view_of(k, 0, true);
    for (int i = 0; i < WALK_KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        keyspace_set_string(&v, s(key), s("v"), false, "set");
        if (i % 3 == 0) {
            keyspace_set_expiry(&v, s(key), 2000, "expire");
        }
    }
    return k;
}

static void walk_all(struct keyspace_view *view, size_t count, struct walked *w)
{
    *w = (struct walked){.total = 0};
    uint64_t cursor = 0;
    size_t calls = 0;
    do {
        cursor = keyspace_scan(view, cursor, count, walked_add, w);
        CHECK(cursor < (uint64_t)1 << 53);
        REQUIRE(++calls < 100000);
    } while (cursor != 0);
}

TEST(a_scan_sees_each_key_once_and_none_that_is_due)
{
    struct keyspace *k = walk_keyspace();
    static const size_t count[] = {1, 7, 10, 999, SIZE_MAX};
    struct walked w;
    for (size_t c = 0; c < 5; c++) {
        struct keyspace_view early = view_of(k, 0, false);
        walk_all(&early, count[c], &w);
        CHECK_EQ_UINT(w.total, WALK_KEYS);
        CHECK(!early.met_due);
        struct keyspace_view late = early;
        late.time_ms = 2000;
        walk_all(&late, count[c], &w);
        CHECK(late.met_due); /* the node waits for an entry of that time first */
        for (size_t i = 0; i < WALK_KEYS; i++) {
            CHECK_EQ_UINT(w.times[i], i % 3 != 0);
        }
    }
    /* At the entry's own time they are simply absent, and a write's walk removes nothing. */
    keyspace_begin_entry(k, 2, 2000);
    uint64_t left = keyspace_count(k, 0);
    uint64_t digest = keyspace_digest(k);
    struct keyspace_view write = view_of(k, 0, true);
    walk_all(&write, 10, &w);
    CHECK_EQ_UINT(w.total, WALK_KEYS - (WALK_KEYS + 2) / 3);
    CHECK(!write.met_due);
    CHECK_EQ_UINT(keyspace_count(k, 0), left);
    CHECK(left > w.total);
    CHECK_EQ_UINT(keyspace_digest(k), digest);
    keyspace_free(k);
}

TEST(random_keys_are_spread_and_never_due)
{
    struct keyspace *k = walk_keyspace();
    struct keyspace_view v = view_of(k, 0, false);
    v.time_ms = 2000;
    struct walked w = {.total = 0};
    enum { DRAWS_PER_KEY = 100 };
    struct slice key;
    for (uint64_t i = 0; i < (uint64_t)WALK_KEYS * DRAWS_PER_KEY; i++) {
        REQUIRE(keyspace_random_key(&v, i, &key));
        walked_add(&w, key, NULL);
    }
    for (size_t i = 0; i < WALK_KEYS; i++) {
        if (i % 3 == 0) {
            CHECK_EQ_UINT(w.times[i], 0);
        } else { /* 150 expected */
            CHECK(w.times[i] > 30 && w.times[i] < 500);
        }
    }
    struct keyspace_view empty = view_of(k, 1, false);
    CHECK(!keyspace_random_key(&empty, 1, &key));
    keyspace_free(k);
}

TEST(few_random_keys_are_equally_likely)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 1, 1000);
    struct keyspace_view v = view_of(k, 0, true);
    for (int i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "k%d", i);
        keyspace_set_string(&v, s(text), s("v"), false, "set");
    }
    struct walked w = {.total = 0};
    for (uint64_t i = 0; i < 5000; i++) {
        struct slice key;
        REQUIRE(keyspace_random_key(&v, i, &key));
        walked_add(&w, key, NULL);
    }
    for (size_t i = 0; i < 5; i++) {
        CHECK(w.times[i] > 800 && w.times[i] < 1200);
    }
    keyspace_free(k);
}

TEST_MAIN()
