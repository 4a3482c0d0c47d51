#include <string.h>

#include "base/mem.h"
#include "tests/storage/rig.h"
#include "tests/test.h"

/* Power failures, kills and disk errors at every call: what was reported durable is there, what was
 * under way is there as a whole or not at all, and hard state is one of the two, never older (P1,
 * P6, P7, P10, P12, P13). */

static const struct model_shape short_entries = {
    .entry_max = 5,
    .payload_max = 700,
    .big_millionths = 20000,
    .big_bytes = 9000,
    .truncates = true,
    .forms = true,
    .has_confs = true,
};

/* Recovers, the power failing again and again inside recovery itself. */
static enum err recover_through_failures(struct rig *g, bool fails_again)
{
    for (uint64_t k = prng_below(&g->prng, 3);; k += 1 + prng_below(&g->prng, 4)) {
        sim_disk_revive(g->disk);
        sim_disk_power_fail_after(g->disk, fails_again ? k : UINT64_MAX);
        enum err e = rig_reopen(g);
        if (!sim_disk_is_dead(g->disk)) {
            sim_disk_power_fail_after(g->disk, UINT64_MAX);
            return e;
        }
        sim_disk_power_loss(g->disk);
    }
}

/* One run: power fails inside call `k` of the workload of `seed`; `draw` varies what the failure
 * leaves. True when the workload ended before that. */
static bool run_until_failure(
    uint64_t seed, uint64_t draw, uint64_t k, uint32_t sector_bytes, bool tears_anywhere)
{
    test_context("seed %llu draw %llu call %llu", (unsigned long long)seed,
                 (unsigned long long)draw, (unsigned long long)k);
    struct rig *g = rig_make(draw, sector_bytes, 6000);
    prng_seed(&g->prng, seed);
    sim_disk_set_tear_anywhere(g->disk, tears_anywhere);
    sim_disk_power_fail_after(g->disk, k);
    bool was_opened = false;
    enum err e = rig_reopen(g);
    for (int i = 0; i < 25 && e == ERR_OK; i++) {
        was_opened = true;
        e = rig_step(g, &short_entries);
    }
    bool survived = !sim_disk_is_dead(g->disk);
    if (!survived) {
        uint64_t incarnation = was_opened ? g->recovery.identity.incarnation : 0;
        sim_disk_power_loss(g->disk);
        e = recover_through_failures(g, draw % 2 == 1);
        CHECK_EQ_INT(e, ERR_OK);
        REQUIRE(e == ERR_OK);
        CHECK(g->recovery.health == WAL_CLEAN || tears_anywhere);
        CHECK(g->recovery.identity.incarnation > incarnation);
        if (g->recovery.health == WAL_CLEAN) {
            CHECK(rig_check(g));
            for (int i = 0; i < 6; i++) {
                CHECK_EQ_INT(rig_step(g, &short_entries), ERR_OK);
            }
            sim_disk_power_loss(g->disk);
            CHECK_EQ_INT(rig_reopen(g), ERR_OK);
            CHECK(rig_check_now(g));
        }
    }
    rig_free(g);
    return survived;
}

static void enumerate(uint64_t seed, uint32_t draws, uint32_t sector_bytes, bool tears_anywhere)
{
    for (uint64_t k = 0;; k++) {
        bool survived = false;
        for (uint64_t draw = 0; draw < draws; draw++) {
            survived = run_until_failure(seed, seed * 100 + draw, k, sector_bytes, tears_anywhere);
        }
        if (survived) {
            CHECK(k > 40);
            break;
        }
    }
    test_context("%s", "");
}

TEST(power_fails_inside_every_call_512)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        enumerate(seed, 8, 512, false);
    }
}

TEST(power_fails_inside_every_call_4096)
{
    for (uint64_t seed = 11; seed <= 14; seed++) {
        enumerate(seed, 8, 4096, false);
    }
}

/* No disk tears a sector in the middle of 512 bytes; if one did, the verdict may be SUSPECT, but
 * never wrong entries. */
TEST(sectors_torn_anywhere_never_lie)
{
    for (uint64_t seed = 21; seed <= 23; seed++) {
        enumerate(seed, 4, 512, true);
    }
}

/* Many lives on one disk, ended by power failures, kills and failed syncs. */
TEST(long_lives_with_crashes)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        test_context("seed %llu", (unsigned long long)seed);
        struct rig *g = rig_new(seed, seed % 2 ? 512 : 4096, 30000);
        struct sim_disk_counts counts;
        for (int life = 0; life < 40; life++) {
            uint64_t how = prng_below(&g->prng, 3);
            if (how == 0) {
                sim_disk_power_fail_after(g->disk, prng_below(&g->prng, 30));
            } else if (how == 1) {
                sim_disk_fail_sync(g->disk, prng_below(&g->prng, 12));
            }
            enum err e = ERR_OK;
            for (int i = 0; i < 15 && e == ERR_OK; i++) {
                e = rig_step(g, &rig_ordinary);
            }
            CHECK(e == ERR_OK || e == ERR_IO);
            if (e == ERR_IO && !sim_disk_is_dead(g->disk)) {
                CHECK(wal_append(g->wal, &(struct wal_append){0}) == ERR_IO); /* Never retried. */
            }
            if (how == 0) {
                sim_disk_power_fail_after(g->disk, UINT64_MAX);
                sim_disk_power_loss(g->disk);
                sim_disk_revive(g->disk);
            } else {
                sim_disk_fail_sync(g->disk, UINT64_MAX);
                sim_disk_crash(g->disk);
            }
            CHECK_EQ_INT(rig_reopen(g), ERR_OK);
            CHECK_EQ_INT(g->recovery.health, WAL_CLEAN);
            CHECK(rig_check(g));
            /* What recovery showed is durable now, whatever the cache held (P6). */
            if (prng_below(&g->prng, 2)) {
                sim_disk_power_loss(g->disk);
                CHECK_EQ_INT(rig_reopen(g), ERR_OK);
                CHECK(rig_check_now(g));
            }
        }
        sim_disk_get_counts(g->disk, &counts);
        CHECK(counts.failed_syncs > 0 && counts.cut_calls > 0);
        rig_free(g);
    }
    test_context("%s", "");
}

/* The k-th write finds the disk full, or its file system's quota is gone: nothing of that append is
 * ever seen again, and the log goes on once there is room. */
TEST(full_disk_at_every_write)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        for (uint64_t k = 0; k < 45; k++) {
            for (uint64_t ending = 0; ending < 3; ending++) {
                test_context("seed %llu write %llu ending %llu", (unsigned long long)seed,
                             (unsigned long long)k, (unsigned long long)ending);
                struct rig *g = rig_make(seed * 1000 + k, seed % 2 ? 512 : 4096, 6000);
                prng_seed(&g->prng, seed);
                sim_disk_fail_write(g->disk, k, ERR_FULL);
                enum err e = rig_reopen(g);
                if (e == ERR_FULL) {
                    sim_disk_crash(g->disk);
                    e = rig_reopen(g);
                }
                CHECK_EQ_INT(e, ERR_OK);
                int i = 0;
                for (; i < 30 && e == ERR_OK; i++) {
                    e = rig_step(g, &short_entries);
                }
                CHECK(e == ERR_OK || e == ERR_FULL);
                sim_disk_fail_write(g->disk, UINT64_MAX, ERR_FULL);
                if (ending == 0) { /* at once, and again later */
                    CHECK(rig_append(g, &short_entries) == ERR_OK);
                } else if (ending == 1) {
                    sim_disk_power_loss(g->disk);
                } else {
                    sim_disk_crash(g->disk);
                }
                if (ending == 0) {
                    sim_disk_power_loss(g->disk);
                }
                CHECK_EQ_INT(rig_reopen(g), ERR_OK);
                CHECK(rig_check_now(g));
                rig_free(g);
            }
        }
    }
    test_context("%s", "");
}

TEST(quota_runs_out_and_comes_back)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_context("seed %llu", (unsigned long long)seed);
        struct rig *g = rig_new(seed, 512, 20000);
        struct sim_disk_counts counts;
        for (int round = 0; round < 10; round++) {
            sim_disk_set_quota(g->disk, sim_disk_used(g->disk) + prng_below(&g->prng, 30000));
            uint32_t full = 0;
            for (int i = 0; i < 40 && full < 3; i++) {
                enum err e = rig_step(g, &rig_ordinary);
                CHECK(e == ERR_OK || e == ERR_FULL);
                full += e == ERR_FULL;
            }
            if (prng_below(&g->prng, 2)) {
                if (prng_below(&g->prng, 2)) {
                    sim_disk_power_loss(g->disk);
                } else {
                    sim_disk_crash(g->disk);
                }
                enum err e = rig_reopen(g);
                if (e == ERR_FULL) { /* Not even room for a head: more comes. */
                    sim_disk_crash(g->disk);
                    sim_disk_set_quota(g->disk, UINT64_MAX);
                    e = rig_reopen(g);
                }
                CHECK_EQ_INT(e, ERR_OK);
                CHECK(rig_check_now(g));
            }
            sim_disk_set_quota(g->disk, UINT64_MAX);
            CHECK_EQ_INT(rig_append(g, &rig_ordinary), ERR_OK);
        }
        sim_disk_get_counts(g->disk, &counts);
        CHECK(counts.full_writes > 0);
        rig_free(g);
    }
    test_context("%s", "");
}

/* A disk filled to the last byte: restarts still work, from what the log itself had set aside. */
TEST(restarts_on_a_full_disk)
{
    struct rig *g = rig_make(5, 512, 2 << 20);
    const struct wal_options options = {.segment_bytes = 2 << 20, .reserve_bytes = 1 << 20};
    REQUIRE(wal_open(sim_disk_vfs(g->disk), &options, MODEL_NODE_ID, NULL, &g->wal, &g->recovery) ==
            ERR_OK);
    for (int i = 0; i < 30; i++) {
        CHECK_EQ_INT(rig_append(g, &short_entries), ERR_OK);
    }
    while (wal_prepare_ahead(g->wal)) {
    }
    sim_disk_set_quota(g->disk, sim_disk_used(g->disk));
    for (int i = 0; i < 20; i++) {
        test_context("restart %d", i);
        sim_disk_power_loss(g->disk);
        wal_close(g->wal);
        model_recovery_free(&g->recovery);
        enum err e =
            wal_open(sim_disk_vfs(g->disk), &options, MODEL_NODE_ID, NULL, &g->wal, &g->recovery);
        CHECK_EQ_INT(e, ERR_OK);
        REQUIRE(e == ERR_OK);
        CHECK(rig_check_now(g));
    }
    test_context("%s", "");
    rig_free(g);
}

TEST(the_reserve_is_kept_for_what_may_use_it)
{
    struct rig *g = rig_make(5, 512, 16 << 10);
    const struct wal_options options = {.segment_bytes = 16 << 10, .reserve_bytes = 100000};
    CHECK_EQ_INT(
        wal_open(sim_disk_vfs(g->disk), &options, MODEL_NODE_ID, NULL, &g->wal, &g->recovery),
        ERR_OK);
    sim_disk_set_quota(g->disk, sim_disk_used(g->disk) + 150000);
    struct model_shape shape = short_entries;
    shape.forms = false;
    enum err e = ERR_OK;
    for (int i = 0; i < 500 && e == ERR_OK; i++) {
        e = rig_append(g, &shape);
    }
    CHECK_EQ_INT(e, ERR_FULL);
    uint64_t free_bytes;
    CHECK_EQ_INT(sim_disk_vfs(g->disk)->call->free_bytes(sim_disk_vfs(g->disk), &free_bytes),
                 ERR_OK);
    CHECK(free_bytes >= 100000);
    struct wal_node_state state = g->now.state;
    state.hard.term++;
    state.hard.vote = 1;
    CHECK_EQ_INT(wal_append(g->wal, &(struct wal_append){.state = &state}), ERR_OK);
    g->now.state = state;
    model_draw(&g->prng, &shape, &g->now, &g->next, &g->append);
    g->append.append.may_use_reserve = true;
    CHECK_EQ_INT(wal_append(g->wal, &g->append.append), ERR_OK);
    model_copy(&g->now, &g->next);
    model_append_free(&g->append);
    sim_disk_power_loss(g->disk);
    CHECK_EQ_INT(rig_reopen(g), ERR_OK);
    CHECK(rig_check_now(g));
    rig_free(g);
}

TEST_MAIN()
