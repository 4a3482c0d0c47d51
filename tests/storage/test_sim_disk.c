#include <string.h>

#include "tests/storage/model.h"
#include "tests/test.h"

/* The simulator's disk does to unsynced bytes and names what a real one may, and nothing to synced
 * ones. */

static struct vfs_file *open_file(struct vfs *v, const char *name)
{
    struct vfs_file *f = NULL;
    CHECK_EQ_INT(v->call->open(v, name, true, &f), ERR_OK);
    return f;
}

static void fill(struct vfs_file *f, struct vfs *v, uint64_t offset, uint8_t byte, size_t n)
{
    uint8_t bytes[8192];
    memset(bytes, byte, sizeof(bytes));
    CHECK_EQ_INT(v->call->write(f, offset, bytes, n), ERR_OK);
}

TEST(synced_bytes_and_names_survive)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *d = sim_disk_new(seed, 512);
        struct vfs *v = sim_disk_vfs(d);
        struct vfs_file *f = open_file(v, "a");
        fill(f, v, 0, 1, 4096);
        CHECK_EQ_INT(v->call->sync(f), ERR_OK);
        CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
        fill(f, v, 4096, 2, 4096);
        sim_disk_power_loss(d);
        v->call->close(f);
        struct slice a = sim_disk_file(d, "a");
        REQUIRE(a.n >= 4096);
        for (size_t i = 0; i < 4096; i++) {
            if (a.p[i] != 1) {
                CHECK_EQ_INT(a.p[i], 1);
            }
        }
        sim_disk_free(d);
    }
}

TEST(a_kill_keeps_the_cache_and_makes_handles_stale)
{
    struct sim_disk *d = sim_disk_new(1, 512);
    struct vfs *v = sim_disk_vfs(d);
    struct vfs_file *f = open_file(v, "a");
    uint8_t byte;
    size_t got;
    CHECK_EQ_INT(v->call->lock(v), ERR_OK);
    CHECK_EQ_INT(v->call->lock(v), ERR_LOCKED);
    fill(f, v, 0, 7, 100);
    sim_disk_crash(d);
    CHECK_EQ_INT(v->call->read(f, 0, &byte, 1, &got), ERR_IO);
    CHECK_EQ_INT(v->call->write(f, 0, &byte, 1), ERR_IO);
    CHECK_EQ_INT(v->call->sync(f), ERR_IO);
    v->call->close(f);
    CHECK_EQ_UINT(sim_disk_file(d, "a").n, 100);
    CHECK_EQ_INT(v->call->lock(v), ERR_OK);
    sim_disk_free(d);
}

/* Every fate of an unsynced sector and of an unsynced name comes up. */
TEST(unsynced_things_take_every_fate)
{
    struct sim_disk_counts sum = {0};
    int renamed = 0;
    int removed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_disk *d = sim_disk_new(seed, 4096);
        struct vfs *v = sim_disk_vfs(d);
        struct vfs_file *a = open_file(v, "a");
        struct vfs_file *b = open_file(v, "b");
        fill(a, v, 0, 1, 8192);
        CHECK_EQ_INT(v->call->sync(a), ERR_OK);
        CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
        fill(a, v, 0, 2, 8192);
        CHECK_EQ_INT(v->call->rename(v, "a", "c"), ERR_OK);
        CHECK_EQ_INT(v->call->remove(v, "b"), ERR_OK);
        struct vfs_file *e = open_file(v, "e");
        sim_disk_power_loss(d);
        CHECK((sim_disk_file(d, "a").n > 0) != (sim_disk_file(d, "c").n > 0));
        renamed += sim_disk_file(d, "c").n > 0;
        struct vfs_file *again;
        enum err found = v->call->open(v, "b", false, &again);
        removed += found == ERR_NOT_FOUND;
        if (found == ERR_OK) {
            v->call->close(again);
        }
        v->call->close(a);
        v->call->close(b);
        v->call->close(e);
        struct sim_disk_counts c;
        sim_disk_get_counts(d, &c);
        sum.sectors_old += c.sectors_old;
        sum.sectors_new += c.sectors_new;
        sum.sectors_torn += c.sectors_torn;
        sum.sectors_zero += c.sectors_zero;
        sum.names_lost += c.names_lost;
        sum.names_kept += c.names_kept;
        sim_disk_free(d);
    }
    CHECK(sum.sectors_old > 50 && sum.sectors_new > 50);
    CHECK(sum.sectors_torn > 20 && sum.sectors_zero > 20);
    CHECK(sum.names_lost > 100 && sum.names_kept > 100);
    CHECK(renamed > 50 && renamed < 150);
    CHECK(removed > 50 && removed < 150);
}

/* P6: after a failed sync the bytes are still read, but no later sync writes them. */
TEST(a_failed_sync_marks_pages_clean)
{
    struct sim_disk *d = sim_disk_new(3, 512);
    struct vfs *v = sim_disk_vfs(d);
    struct vfs_file *f = open_file(v, "a");
    uint8_t byte = 0;
    size_t got;
    fill(f, v, 0, 1, 512);
    CHECK_EQ_INT(v->call->sync(f), ERR_OK);
    CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
    fill(f, v, 0, 2, 512);
    sim_disk_fail_next_sync(d);
    CHECK_EQ_INT(v->call->sync(f), ERR_IO);
    CHECK_EQ_INT(v->call->sync(f), ERR_OK);
    CHECK_EQ_INT(v->call->read(f, 0, &byte, 1, &got), ERR_OK);
    CHECK_EQ_INT(byte, 2);
    sim_disk_power_loss(d);
    v->call->close(f);
    CHECK_EQ_INT(sim_disk_file(d, "a").p[0], 1);
    sim_disk_free(d);
}

TEST(a_quota_cuts_writes_short)
{
    struct sim_disk *d = sim_disk_new(3, 512);
    struct vfs *v = sim_disk_vfs(d);
    struct vfs_file *f = open_file(v, "a");
    uint8_t bytes[1000] = {1};
    uint64_t room;
    sim_disk_set_quota(d, 1500);
    CHECK_EQ_INT(v->call->write(f, 0, bytes, 1000), ERR_OK);
    CHECK_EQ_INT(v->call->write(f, 1000, bytes, 1000), ERR_FULL);
    CHECK(sim_disk_used(d) <= 1500);
    CHECK_EQ_INT(v->call->write(f, 0, bytes, 1000), ERR_OK); /* what it has may be written again */
    CHECK_EQ_INT(v->call->truncate(f, 500), ERR_OK);
    CHECK_EQ_INT(v->call->free_bytes(v, &room), ERR_OK);
    CHECK_EQ_UINT(room, 1000);
    v->call->close(f);
    sim_disk_free(d);
}

TEST(same_seed_same_outcome)
{
    struct slice kept[2];
    struct sim_disk *disk[2];
    for (int i = 0; i < 2; i++) {
        struct sim_disk *d = disk[i] = sim_disk_new(99, 512);
        struct vfs *v = sim_disk_vfs(d);
        struct vfs_file *f = open_file(v, "a");
        CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
        fill(f, v, 0, 5, 8192);
        sim_disk_power_loss(d);
        v->call->close(f);
        kept[i] = sim_disk_file(d, "a");
    }
    CHECK_EQ_BYTES(kept[0].p, kept[0].n, kept[1].p, kept[1].n);
    sim_disk_free(disk[0]);
    sim_disk_free(disk[1]);
}

TEST(power_fails_inside_a_call)
{
    struct sim_disk *d = sim_disk_new(4, 512);
    struct vfs *v = sim_disk_vfs(d);
    struct vfs_file *f = open_file(v, "a");
    uint8_t bytes[1000] = {1};
    sim_disk_power_fail_after(d, 1);
    CHECK_EQ_INT(v->call->write(f, 0, bytes, 1000), ERR_OK);
    CHECK(!sim_disk_is_dead(d));
    CHECK_EQ_INT(v->call->write(f, 1000, bytes, 1000), ERR_IO);
    CHECK(sim_disk_is_dead(d));
    CHECK_EQ_INT(v->call->sync(f), ERR_IO);
    v->call->close(f);
    sim_disk_power_loss(d);
    sim_disk_revive(d);
    f = open_file(v, "b");
    CHECK_EQ_INT(v->call->sync(f), ERR_OK);
    v->call->close(f);
    sim_disk_free(d);
}

TEST_MAIN()
