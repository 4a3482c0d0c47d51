#include <stdlib.h>

#include "base/codec.h"
#include "base/mem.h"
#include "tests/storage/model.h"
#include "tests/test.h"

/* The log as its users see it: what is appended is read back, now and after every kind of restart. */

static const struct model_shape ordinary = {
    .entry_max = 12, .payload_max = 1500, .big_millionths = 5000, .big_bytes = 60000, .truncates = true, .forms = true,
    .has_confs = true,
};

struct rig {
    struct sim_disk *disk;
    struct wal *wal;
    struct wal_recovery recovery;
    struct prng prng;
    struct model now;
    struct model next;
    struct model_append append;
};

static struct rig *rig_new(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes)
{
    struct rig *g = mem_alloc_zero(sizeof(*g));
    prng_seed(&g->prng, seed);
    g->disk = sim_disk_new(seed, sector_bytes);
    model_init(&g->now);
    CHECK_EQ_INT(model_open(g->disk, segment_bytes, &g->wal, &g->recovery), ERR_OK);
    return g;
}

static void rig_free(struct rig *g)
{
    wal_close(g->wal);
    model_recovery_free(&g->recovery);
    sim_disk_free(g->disk);
    mem_free(g);
}

static enum err rig_step(struct rig *g, const struct model_shape *shape)
{
    model_draw(&g->prng, shape, &g->now, &g->next, &g->append);
    enum err e = wal_append(g->wal, &g->append.append);
    model_append_free(&g->append);
    if (e == ERR_OK) {
        memcpy(&g->now, &g->next, sizeof(g->now));
    }
    return e;
}

static enum err rig_reopen(struct rig *g, uint64_t segment_bytes)
{
    wal_close(g->wal);
    g->wal = NULL;
    model_recovery_free(&g->recovery);
    return model_open(g->disk, segment_bytes, &g->wal, &g->recovery);
}

TEST(a_new_directory_is_blank)
{
    struct rig *g = rig_new(1, 512, 1 << 20);
    CHECK(g->recovery.was_blank_directory);
    CHECK_EQ_UINT(g->recovery.identity.node_id, MODEL_NODE_ID);
    CHECK_EQ_UINT(g->recovery.identity.cluster_id, 0);
    CHECK_EQ_UINT(g->recovery.identity.incarnation, 1);
    CHECK_EQ_UINT(g->recovery.first_index, 1);
    CHECK_EQ_UINT(g->recovery.last_index, 0);
    CHECK_EQ_INT(g->recovery.health, WAL_CLEAN);
    sim_disk_crash(g->disk);
    CHECK_EQ_INT(rig_reopen(g, 1 << 20), ERR_OK);
    CHECK(!g->recovery.was_blank_directory);
    CHECK_EQ_UINT(g->recovery.identity.incarnation, 2);
    CHECK_EQ_UINT(g->recovery.identity.node_id, MODEL_NODE_ID);
    rig_free(g);
}

TEST(a_small_batch_is_two_sectors)
{
    static const uint32_t sector[] = {512, 4096};
    for (size_t i = 0; i < 2; i++) {
        struct rig *g = rig_new(1, sector[i], 1 << 20);
        struct wal_stats before;
        struct wal_stats after;
        struct buf bytes = {0};
        g->now.entry[1] = (struct model_entry){.term = 1, .payload_bytes = 150};
        model_entry_bytes(&g->now, 1, &bytes);
        struct slice entry = buf_slice(&bytes);
        wal_get_stats(g->wal, &before);
        CHECK_EQ_INT(wal_append(g->wal, &(struct wal_append){.entry = &entry, .entry_count = 1}), ERR_OK);
        wal_get_stats(g->wal, &after);
        CHECK_EQ_UINT(after.append_bytes - before.append_bytes, 2 * sector[i]);
        CHECK_EQ_UINT(after.sync_count - before.sync_count, 1);
        buf_deinit(&bytes);
        rig_free(g);
    }
}

/* Many segments, restarts in between, segments dropped from the front. */
TEST(random_workloads_are_read_back)
{
    static const uint64_t segment[] = {4096, 20000, 1 << 20};
    for (uint64_t seed = 1; seed <= 24; seed++) {
        test_context("seed %llu", (unsigned long long)seed);
        uint64_t segment_bytes = segment[seed % 3];
        struct rig *g = rig_new(seed, seed % 2 ? 512 : 4096, segment_bytes);
        const char *why = "";
        for (int i = 0; i < 120; i++) {
            CHECK_EQ_INT(rig_step(g, &ordinary), ERR_OK);
            if (prng_below(&g->prng, 3) == 0) {
                (void)wal_prepare_ahead(g->wal);
            }
            if (prng_below(&g->prng, 20) == 0 && g->now.last > 10) {
                struct wal_stats stats;
                CHECK_EQ_INT(wal_drop_front(g->wal, g->now.last - prng_below(&g->prng, 8)), ERR_OK);
                wal_get_stats(g->wal, &stats);
                g->now.first = stats.first_index;
            }
            if (prng_below(&g->prng, 12) == 0) {
                if (prng_below(&g->prng, 2)) {
                    sim_disk_power_loss(g->disk);
                } else {
                    sim_disk_crash(g->disk);
                }
                CHECK_EQ_INT(rig_reopen(g, segment_bytes), ERR_OK);
                CHECK_EQ_INT(g->recovery.health, WAL_CLEAN);
                if (!model_matches(&g->now, g->wal, &g->recovery, &why)) {
                    CHECK_EQ_STR(why, "match");
                }
            }
            if (prng_below(&g->prng, 6) == 0 &&
                !model_entries_match(&g->now, g->wal, g->now.first, g->now.last, &why)) {
                CHECK_EQ_STR(why, "match");
            }
        }
        CHECK(g->now.last > 0);
        rig_free(g);
    }
    test_context("%s", "");
}

TEST(a_directory_is_locked_once)
{
    struct rig *g = rig_new(1, 512, 1 << 20);
    struct wal *other = NULL;
    struct wal_recovery r;
    CHECK_EQ_INT(model_open(g->disk, 1 << 20, &other, &r), ERR_LOCKED);
    rig_free(g);
}

TEST_MAIN()
