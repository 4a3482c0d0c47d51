/* A log that a snapshot replaces (wal.c W11): at every crash the old log or the new one. */
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim_disk.h"
#include "storage/wal.h"
#include "storage/wal_segment.h"
#include "tests/test.h"

enum { NODE = 77 };

static const struct log_sink silent = {LOG_WARNING, NULL, NULL};

struct log {
    struct sim_disk *disk;
    struct wal *wal;
    struct wal_recovery recovery;
};

static enum err log_open(struct log *l)
{
    struct wal_options options = {.segment_bytes = 4096};
    mem_free(l->recovery.conf);
    mem_free(l->recovery.conf_index);
    mem_free(l->recovery.term_run);
    l->recovery = (struct wal_recovery){.health = WAL_CLEAN};
    return wal_open(sim_disk_vfs(l->disk), &options, NODE, &silent, &l->wal, &l->recovery);
}

static void log_close(struct log *l)
{
    if (l->wal) {
        wal_close(l->wal);
    }
    l->wal = NULL;
}

static void log_free(struct log *l)
{
    log_close(l);
    mem_free(l->recovery.conf);
    mem_free(l->recovery.conf_index);
    mem_free(l->recovery.term_run);
    sim_disk_free(l->disk);
}

static void conf_of(struct raft_conf *conf, uint32_t count)
{
    memset(conf, 0, sizeof *conf);
    conf->member_count = count;
    for (uint32_t i = 0; i < count; i++) {
        conf->member[i] = (struct raft_member){.id = NODE + i, .flags = RAFT_VOTER_NEW, .address = "a:1"};
    }
}

/* One append of `count` entries of 300 bytes from `first` on. */
static enum err add(struct log *l, raft_index first, raft_term term, uint32_t count, struct wal_append append)
{
    uint8_t bytes[8][ENTRY_HEADER_BYTES + 300];
    struct slice entry[8];
    memset(bytes, 7, sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
        entry_begin(bytes[i], RAFT_ENTRY_COMMAND, 5, 300);
        entry_seal(bytes[i], first + i, term);
        entry[i] = (struct slice){bytes[i], sizeof bytes[i]};
    }
    append.entry = entry;
    append.entry_count = count;
    return wal_append(l->wal, &append);
}

static enum err begin(struct log *l)
{
    struct wal_identity identity = {.cluster_id = 5, .node_id = NODE, .hash_seed = {1, 2}};
    struct wal_node_state state = {.hard = {.term = 3, .vote = NODE}, .session_number = 9};
    struct wal_append append = {.identity = &identity, .state = &state};
    enum err e = add(l, 1, 1, 4, append);
    for (raft_index i = 5; e == ERR_OK && i < 60; i += 5) {
        e = add(l, i, 2, 5, (struct wal_append){.entry_count = 0});
    }
    return e;
}

static enum err reset_to(struct log *l, raft_index index, uint32_t count)
{
    struct raft_conf conf;
    conf_of(&conf, 3);
    struct wal_append append = {
        .reset_index = index, .reset_term = 3, .reset_conf = &conf, .reset_conf_index = 2};
    return add(l, index + 1, 3, count, append);
}

static void check_reset(struct log *l, raft_index index, raft_index last)
{
    const struct wal_recovery *r = &l->recovery;
    CHECK(r->health == WAL_CLEAN);
    CHECK_EQ_UINT(r->first_index, index + 1);
    CHECK_EQ_UINT(r->prev_term, 3);
    CHECK_EQ_UINT(r->last_index, last);
    CHECK_EQ_UINT(r->last_term, 3);
    CHECK_EQ_UINT(r->state.hard.term, 3); /* term, vote and session stay (P2, S2) */
    CHECK_EQ_UINT(r->state.hard.vote, NODE);
    CHECK_EQ_UINT(r->state.session_number, 9);
    REQUIRE(r->conf_count == 1);
    CHECK_EQ_UINT(r->conf_index[0], 2);
    CHECK_EQ_UINT(r->conf[0].member_count, 3);
}

TEST(a_reset_log_goes_on_behind_the_snapshot)
{
    for (uint32_t with = 0; with < 3; with++) {
        struct log l = {.disk = sim_disk_new(4, 512)};
        REQUIRE(log_open(&l) == ERR_OK && begin(&l) == ERR_OK);
        REQUIRE(reset_to(&l, 200, with) == ERR_OK);
        raft_index last = 200 + with;
        for (int life = 0; life < 4; life++) {
            log_close(&l);
            if (life % 2) {
                sim_disk_power_loss(l.disk);
            } else {
                sim_disk_crash(l.disk);
            }
            REQUIRE(log_open(&l) == ERR_OK);
            check_reset(&l, 200, last);
            REQUIRE(add(&l, last + 1, 3, 3, (struct wal_append){.entry_count = 0}) == ERR_OK);
            last += 3;
        }
        log_free(&l);
    }
}

/* The front of what follows goes, too. */
TEST(the_front_is_dropped_after_a_reset)
{
    for (int life = 0; life < 2; life++) {
        struct log l = {.disk = sim_disk_new(5, 512)};
        REQUIRE(log_open(&l) == ERR_OK && begin(&l) == ERR_OK);
        REQUIRE(reset_to(&l, 200, 2) == ERR_OK);
        raft_index last = 202;
        for (int i = 0; i < 30; i++) {
            REQUIRE(add(&l, last + 1, 3, 3, (struct wal_append){.entry_count = 0}) == ERR_OK);
            last += 3;
            while (wal_prepare_ahead(l.wal)) {
            }
            if (i % 5 == 4) {
                REQUIRE(wal_drop_front(l.wal, last - 2) == ERR_OK);
            }
        }
        log_close(&l);
        if (life) {
            sim_disk_power_loss(l.disk);
        } else {
            sim_disk_crash(l.disk);
        }
        REQUIRE(log_open(&l) == ERR_OK);
        CHECK(l.recovery.health == WAL_CLEAN);
        CHECK_EQ_UINT(l.recovery.last_index, last);
        CHECK(l.recovery.first_index > 250);
        log_free(&l);
    }
}

static void note_name(void *ctx, const char *name)
{
    uint64_t *ids = ctx;
    const uint64_t id = wal_segment_id_of(name);
    if (id != 0 && id < 64) {
        *ids |= UINT64_C(1) << id;
    }
}

static uint64_t segments_of(const struct sim_disk *d)
{
    uint64_t ids = 0;
    sim_disk_each(d, note_name, &ids);
    return ids;
}

/* Each removal is durable before the next, so of those that the reset made garbage the oldest go first, wherever the process ends (W7). */
TEST(garbage_goes_oldest_first)
{
    int in_between = 0;
    bool survived = false;
    for (uint64_t call = 0; !survived; call++) {
        struct log l = {.disk = sim_disk_new(200 + call, 512)};
        test_context("call %d", (int)call);
        REQUIRE(log_open(&l) == ERR_OK && begin(&l) == ERR_OK);
        const uint64_t before = segments_of(l.disk);
        sim_disk_power_fail_after(l.disk, call);
        (void)reset_to(&l, 200, 1); /* fails, but in the last round */
        survived = !sim_disk_is_dead(l.disk);
        log_close(&l);
        sim_disk_power_fail_after(l.disk, UINT64_MAX);
        sim_disk_power_loss(l.disk);
        const uint64_t left = segments_of(l.disk) & before;
        const uint64_t gone = before & ~left;
        CHECK(left == 0 || gone < (left & -left)); /* each that is gone is older than the oldest left */
        in_between += left != 0 && gone != 0;
        log_free(&l);
    }
    CHECK(in_between > 2);
    test_context("%s", "");
}

/* Power fails inside every call of a reset and of what comes after it. */
TEST(power_failures_at_every_call_of_a_reset)
{
    bool survived = false;
    int both[2] = {0, 0};
    for (uint64_t call = 0; !survived; call++) {
        for (uint64_t draw = 0; draw < 6; draw++) {
            struct log l = {.disk = sim_disk_new(100 + draw, draw % 2 ? 512 : 4096)};
            test_context("call %d draw %d", (int)call, (int)draw);
            REQUIRE(log_open(&l) == ERR_OK && begin(&l) == ERR_OK);
            sim_disk_power_fail_after(l.disk, call);
            raft_index sure = 0; /* reported durable behind the reset */
            enum err e = reset_to(&l, 200, 1);
            for (int i = 0; i < 8 && e == ERR_OK; i++) {
                sure = 201 + (raft_index)i * 3;
                e = add(&l, sure + 1, 3, 3, (struct wal_append){.entry_count = 0});
                if (e == ERR_OK) {
                    sure += 3;
                }
                if (e == ERR_OK && i % 3 == 2) {
                    e = wal_drop_front(l.wal, sure);
                }
            }
            survived = !sim_disk_is_dead(l.disk);
            log_close(&l);
            sim_disk_power_fail_after(l.disk, UINT64_MAX);
            sim_disk_power_loss(l.disk);
            sim_disk_revive(l.disk);
            REQUIRE(log_open(&l) == ERR_OK);
            const struct wal_recovery *r = &l.recovery;
            CHECK(r->health == WAL_CLEAN);
            CHECK(r->last_index >= sure);
            CHECK(r->last_index >= 200 ? r->prev_term == 3 : r->last_index == 59);
            both[r->last_index >= 200]++;
            log_free(&l);
        }
    }
    CHECK(both[0] > 5 && both[1] > 50);
    test_context("%s", "");
}

TEST_MAIN()
