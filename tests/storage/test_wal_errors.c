#include <string.h>

#include "base/mem.h"
#include "storage/wal_format.h"
#include "tests/storage/rig.h"
#include "tests/test.h"

/* Calls of the disk that fail one by one, at the start and while the log is read back: an error is told, never another log; and afterwards
 * everything is there. */

struct failing {
    struct vfs vfs;
    struct vfs *inner;
    uint64_t calls;   /* so far */
    uint64_t fail_at; /* this one, once; UINT64_MAX: none */
};
/* A file knows its directory's calls, not its directory: one at a time. */
static struct failing *now;

static bool fails(void)
{
    return now->calls++ == now->fail_at;
}

static enum err fail_open(struct vfs *v, const char *name, bool create, struct vfs_file **file)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->open(now->inner, name, create, file);
}
static void fail_close(struct vfs_file *f)
{
    now->inner->call->close(f);
}
static enum err fail_read(struct vfs_file *f, uint64_t offset, void *p, size_t n, size_t *got)
{
    return fails() ? ERR_IO : now->inner->call->read(f, offset, p, n, got);
}
static enum err fail_write(struct vfs_file *f, uint64_t offset, const void *p, size_t n)
{
    return fails() ? ERR_IO : now->inner->call->write(f, offset, p, n);
}
static enum err fail_sync(struct vfs_file *f)
{
    return fails() ? ERR_IO : now->inner->call->sync(f);
}
static void fail_begin_sync(struct vfs_file *f, uint64_t offset, uint64_t n)
{
    now->inner->call->begin_sync(f, offset, n);
}
static enum err fail_truncate(struct vfs_file *f, uint64_t size)
{
    return fails() ? ERR_IO : now->inner->call->truncate(f, size);
}
static enum err fail_size(struct vfs_file *f, uint64_t *size)
{
    return fails() ? ERR_IO : now->inner->call->size(f, size);
}
static enum err fail_rename(struct vfs *v, const char *from, const char *to)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->rename(now->inner, from, to);
}
static enum err fail_remove(struct vfs *v, const char *name)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->remove(now->inner, name);
}
static enum err fail_sync_names(struct vfs *v)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->sync_names(now->inner);
}
static enum err fail_list(struct vfs *v, void (*fn)(void *ctx, const char *name), void *ctx)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->list(now->inner, fn, ctx);
}
static enum err fail_free_bytes(struct vfs *v, uint64_t *bytes)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->free_bytes(now->inner, bytes);
}
static enum err fail_lock(struct vfs *v)
{
    (void)v;
    return fails() ? ERR_IO : now->inner->call->lock(now->inner);
}

static const struct vfs_calls failing_calls = {
    .open = fail_open,
    .close = fail_close,
    .read = fail_read,
    .write = fail_write,
    .sync = fail_sync,
    .begin_sync = fail_begin_sync,
    .truncate = fail_truncate,
    .size = fail_size,
    .rename = fail_rename,
    .remove = fail_remove,
    .sync_names = fail_sync_names,
    .list = fail_list,
    .free_bytes = fail_free_bytes,
    .lock = fail_lock,
};

static void failing_begin(struct failing *f, struct sim_disk *d, uint64_t fail_at)
{
    *f = (struct failing){.inner = sim_disk_vfs(d), .fail_at = fail_at};
    f->vfs = (struct vfs){.call = &failing_calls, .sector_bytes = f->inner->sector_bytes};
    now = f;
}

static enum err open_failing(struct failing *f, struct wal **w, struct wal_recovery *r)
{
    const struct wal_options options = {.segment_bytes = 4096};
    *r = (struct wal_recovery){0};
    return wal_open(&f->vfs, &options, MODEL_NODE_ID, NULL, w, r);
}

/* Several segments, their front dropped, closed. */
static struct rig *some_log(uint64_t seed)
{
    struct rig *g = rig_new(seed, 512, 4096);
    for (int i = 0; i < 40; i++) {
        CHECK_EQ_INT(rig_append(g, &rig_ordinary), ERR_OK);
    }
    sim_disk_crash(g->disk);
    wal_close(g->wal);
    model_recovery_free(&g->recovery);
    g->wal = NULL;
    return g;
}

TEST(a_call_that_fails_at_the_start_makes_no_other_log)
{
    struct rig *g = some_log(3);
    uint64_t refused = 0;
    bool is_over = false;
    for (uint64_t k = 0; !is_over; k++) {
        test_context("call %llu", (unsigned long long)k);
        struct sim_disk *d = sim_disk_copy(g->disk, k);
        struct failing f;
        struct wal *w = NULL;
        struct wal_recovery r;
        const char *why = "";
        failing_begin(&f, d, k);
        enum err e = open_failing(&f, &w, &r);
        is_over = f.calls <= k;
        f.fail_at = UINT64_MAX;
        if (e == ERR_OK) {
            CHECK(model_matches(&g->now, w, &r, &why));
        } else {
            refused++;
        }
        sim_disk_crash(d);
        wal_close(w);
        model_recovery_free(&r);
        w = NULL;
        REQUIRE(model_open(d, 4096, &w, &r) == ERR_OK);
        CHECK(model_matches(&g->now, w, &r, &why));
        sim_disk_crash(d);
        wal_close(w);
        model_recovery_free(&r);
        sim_disk_free(d);
    }
    CHECK(refused > 20);
    rig_free(g);
}

/* A cursor that met an error begins anew: what it says next is right. */
TEST(reading_goes_on_behind_an_error)
{
    struct rig *g = some_log(4);
    struct failing f;
    const char *why = "";
    uint64_t errors = 0;
    failing_begin(&f, g->disk, UINT64_MAX);
    REQUIRE(open_failing(&f, &g->wal, &g->recovery) == ERR_OK);
    for (uint64_t k = 0; k < 60; k++) {
        test_context("call %llu", (unsigned long long)k);
        f.fail_at = f.calls + k;
        errors += !model_entries_match(&g->now, g->wal, g->now.first, g->now.last, &why);
        f.fail_at = UINT64_MAX;
        CHECK(model_entries_match(&g->now, g->wal, g->now.first, g->now.last, &why));
    }
    CHECK(errors > 0);
    sim_disk_crash(g->disk);
    rig_free(g);
}

/* Entry `i` is read exactly, or an error is told. True: exactly. */
static bool entry_is_exact(struct rig *g, struct wal *w, raft_index i)
{
    struct buf out = {0};
    struct buf wanted = {0};
    uint32_t count = 0;
    raft_term term;
    enum err e = wal_read(w, i, 1, &out, &count, &term);
    if (e == ERR_OK) {
        model_entry_bytes(&g->now, i, &wanted);
        CHECK(count == 1 && slice_equal(buf_slice(&out), buf_slice(&wanted)));
    } else {
        CHECK_EQ_INT(e, ERR_CORRUPT);
    }
    buf_deinit(&out);
    buf_deinit(&wanted);
    return e == ERR_OK;
}

/* P8 for a log that is open: what rots meanwhile is never read as something else. */
TEST(what_rots_under_an_open_log_is_told)
{
    struct rig *g = some_log(5);
    REQUIRE(model_open(g->disk, 4096, &g->wal, &g->recovery) == ERR_OK);
    struct prng prng;
    uint64_t bad = 0;
    prng_seed(&prng, 6);
    for (int round = 0; round < 40; round++) {
        CHECK(sim_disk_corrupt_any(g->disk, (enum sim_rot)prng_below(&prng, 4)));
        for (raft_index i = g->now.first; i <= g->now.last; i++) {
            bad += !entry_is_exact(g, g->wal, i);
        }
    }
    CHECK(bad > 0);
    sim_disk_crash(g->disk);
    rig_free(g);
}

TEST(what_is_not_there_is_not_read)
{
    struct rig *g = some_log(7);
    struct failing f;
    struct buf out = {0};
    uint32_t count;
    raft_term term;
    failing_begin(&f, g->disk, UINT64_MAX);
    REQUIRE(open_failing(&f, &g->wal, &g->recovery) == ERR_OK);
    CHECK_EQ_INT(wal_read(g->wal, 0, 100, &out, &count, &term), ERR_COMPACTED);
    CHECK_EQ_INT(wal_read(g->wal, g->now.last + 1, 100, &out, &count, &term), ERR_NOT_FOUND);
    REQUIRE(wal_drop_front(g->wal, g->now.last) == ERR_OK);
    CHECK_EQ_INT(wal_read(g->wal, 1, 100, &out, &count, &term), ERR_COMPACTED);
    /* P6: after a write that failed nothing more is said about this log. */
    f.fail_at = f.calls;
    CHECK_EQ_INT(rig_append(g, &rig_ordinary), ERR_IO);
    CHECK_EQ_INT(wal_read(g->wal, g->now.last, 100, &out, &count, &term), ERR_IO);
    buf_deinit(&out);
    sim_disk_crash(g->disk);
    rig_free(g);
}

TEST_MAIN()
