/* Everybody who listens hears of every change, in the order of listening. */
#include "node/changes.h"

#include <string.h>

#include "base/buf.h"
#include "tests/test.h"

struct ear {
    struct changes_listener listener;
    const char *name;
    struct buf *heard;
};

static void hear_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct ear *e = ctx;
    buf_printf(e->heard, "%s:%u:%.*s:%s:%llu ", e->name, db, (int)key.n, (const char *)key.p, event, (unsigned long long)index);
}

static void hear_noticed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct ear *e = ctx;
    buf_printf(e->heard, "%s:%u:%.*s:+%s:%llu ", e->name, db, (int)key.n, (const char *)key.p, event, (unsigned long long)index);
}

static void hear_flushed(void *ctx, raft_index index)
{
    struct ear *e = ctx;
    buf_printf(e->heard, "%s:flush:%llu ", e->name, (unsigned long long)index);
}

static void hear_swapped(void *ctx, uint32_t a, uint32_t b, raft_index index)
{
    struct ear *e = ctx;
    buf_printf(e->heard, "%s:swap %u %u:%llu ", e->name, a, b, (unsigned long long)index);
}

static void check_heard(struct buf *heard, const char *expected)
{
    buf_append_byte(heard, 0);
    CHECK_EQ_STR((const char *)buf_slice(heard).p, expected);
    buf_clear(heard, 4096);
}

TEST(changes_reach_every_listener)
{
    struct changes changes;
    struct buf heard = {0};
    struct siphash_key seed = {{1}};
    changes_init(&changes);
    struct keyspace_hooks hooks = changes_hooks(&changes);
    struct keyspace *k = keyspace_new(&seed, &hooks);
    struct ear a = {.name = "a", .heard = &heard};
    struct ear b = {.name = "b", .heard = &heard};
    a.listener = (struct changes_listener){
        .ctx = &a, .changed = hear_changed, .noticed = hear_noticed, .flushed = hear_flushed, .swapped = hear_swapped};
    b.listener = (struct changes_listener){.ctx = &b, .changed = hear_changed};
    struct keyspace_view view = {.keyspace = k, .is_write = true};

    keyspace_begin_entry(k, 5, 1000);
    keyspace_set_string(&view, SLICE_LITERAL("k"), SLICE_LITERAL("v"), false, "set");
    changes_listen(&changes, &a.listener);
    changes_listen(&changes, &b.listener);
    keyspace_set_string(&view, SLICE_LITERAL("k"), SLICE_LITERAL("w"), false, "set");
    check_heard(&heard, "a:0:k:set:5 b:0:k:set:5 ");
    keyspace_begin_entry(k, 6, 1000);
    keyspace_set_string(&view, SLICE_LITERAL("n"), SLICE_LITERAL("w"), false, "set");
    check_heard(&heard, "a:0:n:+new:6 a:0:n:set:6 b:0:n:set:6 ");
    keyspace_swap(&view, 0, 3);
    check_heard(&heard, "a:swap 0 3:6 ");
    keyspace_swap(&view, 0, 3);
    keyspace_flush(&view, true);
    check_heard(&heard, "a:swap 0 3:6 a:flush:6 ");
    changes_forget(&a.listener);
    keyspace_set_string(&view, SLICE_LITERAL("k"), SLICE_LITERAL("w"), false, "set");
    check_heard(&heard, "b:0:k:set:6 ");
    changes_forget(&b.listener);
    keyspace_free(k);
    buf_deinit(&heard);
}

TEST_MAIN()
