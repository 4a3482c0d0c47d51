#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "keyspace/changes.h"
#include "keyspace/keyspace.h"
#include "keyspace/value.h"
#include "base/limits.h"
#include "tests/test.h"

/* The history of the change feed: what an entry leaves in it, its bound, its way through a snapshot. */
static const struct siphash_key seed = {{7}};

static struct keyspace_view entry(struct keyspace *k, raft_index index, int64_t time_ms)
{
    keyspace_begin_entry(k, index, time_ms);
    return (struct keyspace_view){.keyspace = k, .time_ms = time_ms, .is_write = true};
}

static void set(struct keyspace *k, raft_index index, const char *key, const char *value)
{
    struct keyspace_view view = entry(k, index, 1000);
    keyspace_set_string(&view, slice_from_cstr(key), slice_from_cstr(value), false, "set");
}

static struct keyspace *watched(void)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    (void)entry(k, 1, 1000);
    changes_touch(k);
    return k;
}

TEST(off_holds_nothing)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    set(k, 1, "a", "1");
    CHECK(!changes_are_on(k));
    CHECK_EQ_UINT(changes_count(k), 0);
    keyspace_free(k);
}

TEST(what_an_entry_leaves)
{
    struct keyspace *k = watched();
    struct change c;
    set(k, 2, "a", "1");
    set(k, 3, "a", "2");
    struct keyspace_view view = entry(k, 4, 1000);
    keyspace_delete(&view, SLICE_LITERAL("a"), "del");
    keyspace_set_string(&view, SLICE_LITERAL("b"), SLICE_LITERAL("x"), false, "set");
    keyspace_flush(&view, true);
    REQUIRE(changes_count(k) == 5);
    changes_get(k, changes_begin(k) + 1, &c);
    CHECK_EQ_UINT(c.index, 3);
    CHECK_EQ_SLICE(c.event, "set");
    CHECK_EQ_SLICE(c.before.bytes, "1");
    CHECK_EQ_SLICE(c.after.bytes, "2");
    changes_get(k, changes_begin(k) + 2, &c);
    CHECK_EQ_SLICE(c.event, "del");
    CHECK_EQ_INT(c.after.kind, CHANGE_ABSENT);
    CHECK_EQ_UINT(c.part, 0);
    changes_get(k, changes_begin(k) + 3, &c);
    CHECK_EQ_UINT(c.part, 1);
    CHECK_EQ_INT(c.before.kind, CHANGE_ABSENT);
    changes_get(k, changes_begin(k) + 4, &c);
    CHECK_EQ_SLICE(c.event, "flushdb");
    CHECK_EQ_UINT(changes_find(k, 4, 1), changes_begin(k) + 3);
    CHECK_EQ_UINT(changes_find(k, 5, 0), changes_end(k));
    CHECK_EQ_UINT(changes_first(k), 1);
    keyspace_free(k);
}

TEST(long_values_are_named)
{
    struct keyspace *k = watched();
    struct change c;
    char *text = mem_alloc(LIMIT_CHANGE_VALUE_BYTES + 2);
    memset(text, 'x', LIMIT_CHANGE_VALUE_BYTES + 1);
    text[LIMIT_CHANGE_VALUE_BYTES + 1] = '\0';
    set(k, 2, "a", text);
    changes_get(k, changes_begin(k), &c);
    CHECK_EQ_INT(c.after.kind, CHANGE_REFERENCE);
    CHECK_EQ_UINT(c.after.size, LIMIT_CHANGE_VALUE_BYTES + 1);
    mem_free(text);
    keyspace_free(k);
}

TEST(the_oldest_goes_first)
{
    struct keyspace *k = watched();
    char value[1001];
    memset(value, 'x', 1000);
    value[1000] = '\0';
    uint32_t part;
    raft_index last = 1 + 2 * LIMIT_CHANGES_BYTES / 1000;
    for (raft_index i = 2; i <= last; i++) {
        set(k, i, "a", value);
    }
    CHECK(changes_bytes(k) <= LIMIT_CHANGES_BYTES);
    CHECK(changes_first(k) > 2);
    CHECK_EQ_UINT(changes_first(k), last - changes_count(k) + 1);
    CHECK_EQ_UINT(changes_dropped(k, &part), changes_first(k) - 1);
    CHECK_EQ_UINT(changes_last(k, &part), last);
    keyspace_free(k);
}

TEST(log_time_switches_it_off)
{
    struct keyspace *k = watched();
    set(k, 2, "a", "1");
    CHECK_EQ_INT(keyspace_next_due(k), 1000 + LIMIT_CHANGES_IDLE_MS);
    (void)entry(k, 3, 1000 + LIMIT_CHANGES_IDLE_MS - 1);
    CHECK(changes_are_on(k));
    uint64_t generation = changes_generation(k);
    (void)entry(k, 4, 1000 + LIMIT_CHANGES_IDLE_MS);
    CHECK(!changes_are_on(k));
    CHECK_EQ_UINT(changes_count(k), 0);
    CHECK(changes_generation(k) != generation);
    changes_set_always(k, true);
    (void)entry(k, 5, 100 * LIMIT_CHANGES_IDLE_MS);
    CHECK(changes_are_on(k));
    keyspace_free(k);
}

TEST(through_a_snapshot)
{
    struct keyspace *k = watched();
    struct keyspace *other = keyspace_new(&seed, NULL);
    struct buf bytes = {0};
    struct buf again = {0};
    set(k, 2, "a", "1");
    set(k, 3, "b", "2");
    changes_encode(k, &bytes);
    REQUIRE(changes_decode(other, buf_slice(&bytes)) == ERR_OK);
    changes_encode(other, &again);
    CHECK(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    CHECK_EQ_UINT(changes_count(other), 2);
    /* Every cut of it is refused. */
    for (size_t n = 0; n < buf_size(&bytes); n++) {
        struct keyspace *cut = keyspace_new(&seed, NULL);
        CHECK(changes_decode(cut, (struct slice){buf_slice(&bytes).p, n}) != ERR_OK);
        keyspace_free(cut);
    }
    buf_deinit(&bytes);
    buf_deinit(&again);
    keyspace_free(k);
    keyspace_free(other);
}

TEST_MAIN()
