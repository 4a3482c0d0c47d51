#include <stdlib.h>

#include "base/codec.h"
#include "base/mem.h"
#include "storage/wal_format.h"
#include "storage/wal_segment.h"
#include "tests/storage/rig.h"
#include "tests/test.h"

/* The log as its users see it: what is appended is read back, now and after every kind of restart.
 */

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
    CHECK_EQ_INT(rig_reopen(g), ERR_OK);
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
        CHECK_EQ_INT(wal_append(g->wal, &(struct wal_append){.entry = &entry, .entry_count = 1}),
                     ERR_OK);
        wal_get_stats(g->wal, &after);
        CHECK_EQ_UINT(after.append_bytes - before.append_bytes, 2 * sector[i]);
        CHECK_EQ_UINT(after.append_bytes_512 - before.append_bytes_512, 2 * 512);
        CHECK_EQ_UINT(after.append_bytes_4096 - before.append_bytes_4096, 2 * 4096);
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
        struct rig *g = rig_new(seed, seed % 2 ? 512 : 4096, segment[seed % 3]);
        const char *why = "";
        for (int i = 0; i < 120; i++) {
            CHECK_EQ_INT(rig_step(g, &rig_ordinary), ERR_OK);
            if (prng_below(&g->prng, 12) == 0) {
                if (prng_below(&g->prng, 2)) {
                    sim_disk_power_loss(g->disk);
                } else {
                    sim_disk_crash(g->disk);
                }
                CHECK_EQ_INT(rig_reopen(g), ERR_OK);
                CHECK_EQ_INT(g->recovery.health, WAL_CLEAN);
                CHECK(rig_check_now(g));
            }
            if (prng_below(&g->prng, 6) == 0 &&
                !model_entries_match(&g->now, g->wal, g->now.first, g->now.last, &why)) {
                CHECK_EQ_STR(why, "nothing differs");
            }
        }
        CHECK(g->now.last > 0);
        rig_free(g);
    }
    test_context("%s", "");
}

/* A truncation back into a segment whose successor begins above it, and then the older ones
 * dropped: the first index goes below what the successor's head says. */
TEST(truncation_below_a_segments_head_survives_dropping)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        test_context("seed %llu", (unsigned long long)seed);
        struct rig *g = rig_new(seed, 512, 4096);
        struct model_shape shape = rig_ordinary;
        shape.payload_max = 600;
        shape.big_bytes = 0;
        while (g->now.last < 60) {
            CHECK_EQ_INT(rig_append(g, &shape), ERR_OK);
        }
        for (int round = 0; round < 10; round++) {
            CHECK_EQ_INT(rig_append(g, &shape), ERR_OK);
            struct wal_stats stats;
            CHECK_EQ_INT(wal_drop_front(g->wal, g->now.last - 3), ERR_OK);
            wal_get_stats(g->wal, &stats);
            g->now.first = stats.first_index;
            sim_disk_power_loss(g->disk);
            CHECK_EQ_INT(rig_reopen(g), ERR_OK);
            CHECK(rig_check_now(g));
        }
        rig_free(g);
    }
    test_context("%s", "");
}

struct footer_search {
    const struct sim_disk *disk;
    bool is_found;
    struct wal_footer newest;
};

static void look_for_footers(void *ctx, const char *name)
{
    struct footer_search *s = ctx;
    const struct slice file = sim_disk_file(s->disk, name);
    for (uint64_t segment = 0; segment < 40; segment++) {
        for (size_t at = 0; at < file.n; at += 512) {
            struct wal_footer footer;
            const uint8_t *unit_crc;
            if (wal_footer_decode(slice_skip(file, at), segment, &footer, &unit_crc) &&
                (!s->is_found || footer.segment > s->newest.segment ||
                 (footer.segment == s->newest.segment && footer.offset >= s->newest.offset))) {
                s->is_found = true;
                s->newest = footer;
            }
        }
    }
}

/* By the newest footer a SUSPECT node votes (P9): it says how long the log is and of which term its end, whatever the batch did. */
TEST(the_newest_footer_says_where_the_log_ends)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rig *g = rig_new(seed, 512, 1 << 16);
        struct model_shape shape = rig_ordinary;
        int truncations_alone = 0;
        shape.entry_max = 2;
        shape.payload_max = 300;
        shape.big_bytes = 0;
        for (int i = 0; i < 60; i++) {
            test_context("seed %llu append %d", (unsigned long long)seed, i);
            const raft_index before = g->now.last;
            CHECK_EQ_INT(rig_append(g, &shape), ERR_OK);
            truncations_alone += g->now.last < before;
            struct footer_search s = {.disk = g->disk};
            sim_disk_each(g->disk, look_for_footers, &s);
            REQUIRE(s.is_found);
            CHECK_EQ_UINT(s.newest.last_index, g->now.last);
            CHECK_EQ_UINT(s.newest.last_term, g->now.last > 0 ? g->now.entry[g->now.last].term : 0);
        }
        CHECK(truncations_alone > 0);
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

static void append_some(struct rig *g, raft_index count, uint32_t payload_bytes)
{
    for (raft_index i = 0; i < count; i++) {
        struct buf bytes = {0};
        g->now.last++;
        g->now.entry[g->now.last] = (struct model_entry){.term = 1, .payload_bytes = payload_bytes};
        model_entry_bytes(&g->now, g->now.last, &bytes);
        struct slice entry = buf_slice(&bytes);
        CHECK_EQ_INT(wal_append(g->wal, &(struct wal_append){.entry = &entry, .entry_count = 1}), ERR_OK);
        buf_deinit(&bytes);
    }
}

/* A batch that does not fit into the rest of a file begins another; and as soon as nothing in a file is needed it goes. */
TEST(files_are_as_long_as_was_said_and_go_when_they_can)
{
    struct rig *g = rig_new(1, 512, 8192);
    struct wal_stats stats;
    append_some(g, 100, 150); /* two sectors each, the first of a file more: seven to a file */
    wal_get_stats(g->wal, &stats);
    CHECK(stats.file_bytes >= 100 / 8 * 8192 && stats.file_bytes <= (100 / 7 + 2) * 8192);
    raft_index second = 0;
    for (raft_index kept = 2; second == 0; kept++) {
        CHECK_EQ_INT(wal_drop_front(g->wal, kept), ERR_OK);
        wal_get_stats(g->wal, &stats);
        second = stats.first_index > 1 ? stats.first_index : 0;
        /* The file behind the first begins with `second`: keeping from there on was the first time that it could go. */
        if (second != 0) {
            CHECK_EQ_UINT(second, kept);
        }
    }
    CHECK(second > 4 && second < 10);
    rig_free(g);
}

/* Zeros are written ahead as far as wal_ahead_bytes says, over the end of a file too, and at most a piece further. */
TEST(zeros_are_written_ahead_as_far_as_is_said)
{
    const uint64_t segment = 2 << 20;
    struct rig *g = rig_new(1, 512, segment);
    for (unsigned kib = 0; kib < 5000; kib += 600) {
        append_some(g, 20, 30000);
        while (wal_prepare_ahead(g->wal)) {
        }
        struct wal_stats stats;
        wal_get_stats(g->wal, &stats);
        test_context("behind %u KiB", kib);
        CHECK(stats.file_bytes - stats.record_bytes >= wal_ahead_bytes(segment));
        CHECK(stats.file_bytes - stats.record_bytes <= wal_ahead_bytes(segment) + WAL_ZERO_PIECE_BYTES + 32768);
    }
    test_context("%s", "");
    rig_free(g);
}

TEST_MAIN()
