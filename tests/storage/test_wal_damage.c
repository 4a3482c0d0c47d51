#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/wal_segment.h"
#include "tests/storage/rig.h"
#include "tests/test.h"

/* Damage of what was durable (P8, P9, W4): each byte, each sector, each cut of a sample log. The
 * result is an exact prefix, and unless the verdict says so, nothing that was reported durable is
 * missing, but for the cases that W4 names. */

static const struct model_shape sample_shape = {
    .entry_max = 4,
    .payload_max = 500,
    .truncates = true,
    .forms = false,
    .has_confs = true,
};

#define STEPS 14

/* A log of a few segments, and the model after each step. */
struct sample {
    struct sim_disk *disk;
    struct model after[STEPS + 1]; /* [i] after i steps */
    char name[16][WAL_NAME_BYTES];
    uint32_t name_count;
};

static void on_name(void *ctx, const char *name)
{
    struct sample *s = ctx;
    if (wal_segment_id_of(name) != 0 && s->name_count < 16) {
        snprintf(s->name[s->name_count++], WAL_NAME_BYTES, "%s", name);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct sample *sample_new(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes)
{
    struct sample *s = mem_alloc_zero(sizeof(*s));
    struct rig *g = rig_new(seed, sector_bytes, segment_bytes);
    /* It belongs to a cluster of several voters from its second batch on. */
    struct wal_identity identity = {
        .cluster_id = 4711, .node_id = MODEL_NODE_ID, .hash_seed = {123, 456}};
    struct buf conf = {0};
    g->now.entry[1] = (struct model_entry){.term = 1, .is_conf = true};
    model_entry_bytes(&g->now, 1, &conf);
    struct slice entry = buf_slice(&conf);
    CHECK_EQ_INT(
        wal_append(g->wal,
                   &(struct wal_append){.identity = &identity, .entry = &entry, .entry_count = 1}),
        ERR_OK);
    buf_deinit(&conf);
    g->now.identity = identity;
    g->now.last = 1;
    model_copy(&s->after[0], &g->now);
    for (int i = 1; i <= STEPS; i++) {
        do {
            CHECK_EQ_INT(rig_append(g, &sample_shape), ERR_OK);
        } while (g->now.last ==
                 s->after[i - 1].last); /* Each step is seen in the last index or the terms. */
        model_copy(&s->after[i], &g->now);
    }
    sim_disk_crash(g->disk);
    wal_close(g->wal);
    g->wal = NULL;
    s->disk = g->disk;
    g->disk = NULL;
    rig_free(g);
    sim_disk_each(s->disk, on_name, s);
    qsort(s->name, s->name_count, WAL_NAME_BYTES, compare_names);
    CHECK(s->name_count >= 2);
    return s;
}

static void sample_free(struct sample *s)
{
    sim_disk_free(s->disk);
    mem_free(s);
}

struct outcome {
    enum err error;
    enum wal_health health;
    bool is_complete; /* all that was durable is there */
};

/* Opens a damaged copy and checks what must hold whatever the damage. */
static struct outcome examine(const struct sample *s, struct sim_disk *d)
{
    struct outcome out = {0};
    struct wal *w = NULL;
    struct wal_recovery r;
    const char *why = "";
    const struct model *last = &s->after[STEPS];
    out.error = model_open(d, 1 << 20, &w, &r);
    if (out.error != ERR_OK) {
        return out;
    }
    out.health = r.health;
    out.is_complete = model_matches(last, w, &r, &why);
    if (!out.is_complete) {
        /* Then it is what some earlier moment left, entry by entry. */
        bool is_prefix = false;
        for (int i = STEPS; i >= 0 && !is_prefix; i--) {
            is_prefix =
                r.last_index <= s->after[i].last && r.first_index == 1 &&
                (r.last_index == 0 || r.last_term == s->after[i].entry[r.last_index].term) &&
                model_entries_match(&s->after[i], w, 1, r.last_index, &why);
        }
        CHECK(is_prefix);
        CHECK(r.identity.node_id == MODEL_NODE_ID || r.was_blank_directory);
    }
    if (out.health == WAL_SUSPECT) {
        /* The footer's word for what was in force. */
        CHECK(r.suspect_term <= last->state.hard.term);
        CHECK_EQ_UINT(r.state.hard.term, r.suspect_term);
    }
    /* The verdict stays until it is cleared. */
    sim_disk_power_loss(d);
    wal_close(w);
    model_recovery_free(&r);
    enum err again = model_open(d, 1 << 20, &w, &r);
    CHECK_EQ_INT(again, ERR_OK);
    if (again == ERR_OK) {
        CHECK_EQ_INT(r.health, out.health);
        wal_close(w);
        model_recovery_free(&r);
    }
    return out;
}

struct tally {
    uint32_t complete;
    uint32_t cut; /* CLEAN, but something is missing */
    uint32_t suspect;
    uint32_t corrupt;
    uint32_t refused;
};

static void count(struct tally *t, struct outcome o)
{
    t->refused += o.error != ERR_OK;
    t->suspect += o.error == ERR_OK && o.health == WAL_SUSPECT;
    t->corrupt += o.error == ERR_OK && o.health == WAL_CORRUPT;
    t->complete += o.error == ERR_OK && o.health == WAL_CLEAN && o.is_complete;
    t->cut += o.error == ERR_OK && o.health == WAL_CLEAN && !o.is_complete;
}

/* Where the last batch of a segment file begins: the last header magic on a sector whose file says
 * so. */
static uint64_t last_batch_offset(struct slice file)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i + 512 <= file.n; i += 512) {
        if (memcmp(file.p + i, "CWB1", 4) == 0) {
            at = i;
        }
    }
    return at;
}

TEST(a_flipped_bit_anywhere_is_never_silent)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct sample *s = sample_new(seed, 512, 4096);
        struct tally t = {0};
        for (uint32_t f = 0; f < s->name_count; f++) {
            const size_t n = sim_disk_file(s->disk, s->name[f]).n;
            for (size_t i = 0; i < n; i += 3) {
                test_context("seed %llu %s byte %zu", (unsigned long long)seed, s->name[f], i);
                struct sim_disk *d = sim_disk_copy(s->disk, i);
                CHECK(sim_disk_corrupt(d, s->name[f], i, 1, SIM_ROT_FLIP_BIT));
                struct outcome o = examine(s, d);
                CHECK_EQ_INT(o.error, ERR_OK);
                CHECK(o.is_complete || o.health != WAL_CLEAN);
                count(&t, o);
                sim_disk_free(d);
            }
        }
        test_context("%s", "");
        CHECK(t.complete > 0 && t.suspect > 0 &&
              t.corrupt > 0); /* padding and footers; last batch; others */
        CHECK_EQ_UINT(t.cut, 0);
        sample_free(s);
    }
}

static void damage_sectors(uint64_t seed, uint32_t sector_bytes, enum sim_rot how)
{
    struct sample *s = sample_new(seed, sector_bytes, 4 * sector_bytes + 2000);
    struct tally t = {0};
    for (uint32_t f = 0; f < s->name_count; f++) {
        struct slice file = sim_disk_file(s->disk, s->name[f]);
        const bool is_last_file = f + 1 == s->name_count;
        const uint64_t last_batch = last_batch_offset(file);
        for (size_t i = 0; i + sector_bytes <= file.n; i += sector_bytes) {
            test_context("seed %llu %s sector at %zu of %u", (unsigned long long)seed, s->name[f],
                         i, sector_bytes);
            struct sim_disk *d = sim_disk_copy(s->disk, i);
            CHECK(sim_disk_corrupt(d, s->name[f], i, sector_bytes, how));
            struct outcome o = examine(s, d);
            CHECK_EQ_INT(o.error, ERR_OK);
            /* W4 (b): zeros in the very last batch look like a torn write. */
            const bool may_be_cut = how == SIM_ROT_ZERO && is_last_file && i >= last_batch;
            CHECK(o.is_complete || o.health != WAL_CLEAN || may_be_cut);
            count(&t, o);
            sim_disk_free(d);
        }
    }
    test_context("%s", "");
    CHECK(t.complete > 0 && t.corrupt > 0);
    CHECK(how == SIM_ROT_ZERO ? t.cut > 0 : t.suspect > 0);
    sample_free(s);
}

TEST(a_bad_sector_anywhere_is_never_silent)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        damage_sectors(seed, seed % 2 ? 512 : 4096, SIM_ROT_GARBAGE);
        damage_sectors(seed, seed % 2 ? 512 : 4096, SIM_ROT_ZERO);
    }
}

/* Two damages at once: still never a wrong entry; silent only within the last batch (W4 a). */
TEST(two_bad_sectors)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sample *s = sample_new(seed, 512, 4096);
        struct prng p;
        prng_seed(&p, seed);
        for (int i = 0; i < 300; i++) {
            struct sim_disk *d = sim_disk_copy(s->disk, (uint64_t)i + seed * 1000);
            bool outside = false;
            for (int k = 0; k < 2; k++) {
                uint32_t f = (uint32_t)prng_below(&p, s->name_count);
                struct slice file = sim_disk_file(s->disk, s->name[f]);
                uint64_t at = prng_below(&p, file.n / 512) * 512;
                test_context("seed %llu try %d %s at %llu", (unsigned long long)seed, i, s->name[f],
                             (unsigned long long)at);
                CHECK(sim_disk_corrupt(d, s->name[f], at, 512, SIM_ROT_GARBAGE));
                outside = outside || f + 1 < s->name_count || at < last_batch_offset(file);
            }
            struct outcome o = examine(s, d);
            CHECK(o.error == ERR_OK || o.error == ERR_CORRUPT);
            CHECK(o.error != ERR_OK || o.is_complete || o.health != WAL_CLEAN || !outside);
            sim_disk_free(d);
        }
        sample_free(s);
    }
    test_context("%s", "");
}

/* Files cut short. The newest one cut at a batch's end is what it was before that batch (W4 d);
 * others are corruption. */
TEST(files_cut_short)
{
    struct sample *s = sample_new(3, 512, 4096);
    struct tally older = {0};
    struct tally newest = {0};
    for (uint32_t f = 0; f < s->name_count; f++) {
        struct slice file = sim_disk_file(s->disk, s->name[f]);
        for (size_t n = 0; n < file.n; n += 128) {
            test_context("%s cut to %zu of %zu", s->name[f], n, file.n);
            struct sim_disk *d = sim_disk_copy(s->disk, n);
            sim_disk_put_file(d, s->name[f], (struct slice){file.p, n});
            struct outcome o = examine(s, d);
            CHECK_EQ_INT(o.error, ERR_OK);
            if (f + 1 < s->name_count) {
                CHECK(o.is_complete || o.health != WAL_CLEAN);
            }
            count(f + 1 < s->name_count ? &older : &newest, o);
            sim_disk_free(d);
        }
    }
    test_context("%s", "");
    CHECK(older.cut == 0 && older.corrupt > 0);
    CHECK(newest.cut > 0);
    sample_free(s);
}

TEST(a_missing_segment_is_corruption)
{
    struct sample *s = sample_new(4, 512, 3000);
    REQUIRE(s->name_count >= 4);
    for (uint32_t f = 0; f + 1 < s->name_count; f++) {
        test_context("without %s", s->name[f]);
        struct sim_disk *d = sim_disk_copy(s->disk, f);
        struct vfs *v = sim_disk_vfs(d);
        CHECK_EQ_INT(v->call->remove(v, s->name[f]), ERR_OK);
        CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
        struct wal *w;
        struct wal_recovery r;
        const char *why;
        CHECK_EQ_INT(model_open(d, 4096, &w, &r), ERR_OK);
        /* The first one missing is as after a wal_drop_front; the snapshot's keeper will know
         * better. */
        CHECK_EQ_INT(r.health, f == 0 ? WAL_CLEAN : WAL_CORRUPT);
        CHECK(f == 0 ? r.last_index == s->after[STEPS].last : r.last_index < s->after[STEPS].last);
        CHECK(f != 0 ||
              model_entries_match(&s->after[STEPS], w, r.first_index, r.last_index, &why));
        CHECK(r.state.hard.term == s->after[STEPS].state.hard.term); /* from the footers */
        wal_close(w);
        model_recovery_free(&r);
        sim_disk_free(d);
    }
    test_context("%s", "");
    sample_free(s);
}

/* The tainted node keeps its files, refetches what is missing, and is healed by one append; then
 * the ruins go. */
TEST(a_tainted_log_is_refilled_and_healed)
{
    struct sample *s = sample_new(5, 512, 3000);
    const struct model *full = &s->after[STEPS];
    struct rig *g = rig_make(1, 512, 3000);
    sim_disk_free(g->disk);
    g->disk = sim_disk_copy(s->disk, 1);
    CHECK(sim_disk_corrupt(g->disk, s->name[1], 0, 512, SIM_ROT_GARBAGE));
    CHECK_EQ_INT(rig_reopen(g), ERR_OK);
    CHECK_EQ_INT(g->recovery.health, WAL_CORRUPT);
    struct wal_stats stats;
    wal_get_stats(g->wal, &stats);
    CHECK(stats.is_tainted);
    const raft_index good = g->recovery.last_index;
    CHECK_EQ_INT(wal_drop_front(g->wal, good + 1), ERR_OK); /* nothing, until it is healed (W10) */
    CHECK(good < full->last);
    for (uint32_t f = 0; f < s->name_count; f++) {
        CHECK(sim_disk_file(g->disk, s->name[f]).n > 0);
    }
    /* Entries from the leader, one by one, with power losses between. */
    struct buf bytes = {0};
    for (raft_index i = good + 1; i <= full->last; i++) {
        model_entry_bytes(full, i, &bytes);
        struct slice entry = buf_slice(&bytes);
        struct wal_append a = {.entry = &entry, .entry_count = 1, .clear_taint = i == full->last};
        CHECK_EQ_INT(wal_append(g->wal, &a), ERR_OK);
        sim_disk_power_loss(g->disk);
        CHECK_EQ_INT(rig_reopen(g), ERR_OK);
        CHECK_EQ_INT(g->recovery.health, i == full->last ? WAL_CLEAN : WAL_CORRUPT);
        CHECK_EQ_UINT(g->recovery.last_index, i);
    }
    buf_deinit(&bytes);
    model_copy(&g->now, full);
    CHECK(rig_check_now(g));
    CHECK_EQ_UINT(sim_disk_file(g->disk, s->name[1]).n, 0); /* gone */
    rig_free(g);
    sample_free(s);
}

/* n = 1: nobody can give back what is lost, so it does not start, unless the operator says so. */
TEST(the_only_node_refuses_a_damaged_log)
{
    struct sim_disk *disk = sim_disk_new(1, 512);
    struct wal *w;
    struct wal_recovery r;
    REQUIRE(model_open(disk, 1 << 20, &w, &r) == ERR_OK);
    model_recovery_free(&r);
    struct raft_conf conf = {.member_count = 1};
    conf.member[0] = (struct raft_member){
        .id = MODEL_NODE_ID, .flags = RAFT_VOTER_NEW, .address = "127.0.0.1:1"};
    struct buf payload = {0};
    struct buf bytes = {0};
    struct wal_identity identity = {.cluster_id = 4711, .node_id = MODEL_NODE_ID};
    raft_conf_encode(&conf, &payload);
    for (raft_index i = 1; i <= 5; i++) {
        const size_t n = i == 1 ? buf_size(&payload) : 100;
        buf_truncate(&bytes, 0);
        uint8_t *at = buf_reserve(&bytes, ENTRY_HEADER_BYTES + n);
        entry_begin(at, i == 1 ? RAFT_ENTRY_CONF : RAFT_ENTRY_COMMAND, 1, n);
        memset(at + ENTRY_HEADER_BYTES, 'x', n);
        if (i == 1) {
            memcpy(at + ENTRY_HEADER_BYTES, buf_slice(&payload).p, n);
        }
        entry_seal(at, i, 1);
        buf_commit(&bytes, ENTRY_HEADER_BYTES + n);
        struct slice entry = buf_slice(&bytes);
        struct wal_append a = {
            .entry = &entry, .entry_count = 1, .identity = i == 1 ? &identity : NULL};
        CHECK_EQ_INT(wal_append(w, &a), ERR_OK);
    }
    sim_disk_crash(disk);
    wal_close(w);
    char name[WAL_NAME_BYTES];
    wal_segment_name(2, name);
    const uint64_t last = last_batch_offset(sim_disk_file(disk, name));
    CHECK(last > 0);
    for (int in_last = 0; in_last < 2; in_last++) {
        struct sim_disk *d = sim_disk_copy(disk, 1);
        struct wal_options options = {.segment_bytes = 1 << 20};
        CHECK(sim_disk_corrupt(d, name, in_last ? last + 100 : last - 1024 + 100, 1,
                               SIM_ROT_FLIP_BIT));
        CHECK_EQ_INT(wal_open(sim_disk_vfs(d), &options, 9, NULL, &w, &r), ERR_CORRUPT);
        sim_disk_crash(d);
        CHECK_EQ_INT(wal_open(sim_disk_vfs(d), &options, 9, NULL, &w, &r), ERR_CORRUPT);
        sim_disk_crash(d);
        options.accept_damage = true;
        CHECK_EQ_INT(wal_open(sim_disk_vfs(d), &options, 9, NULL, &w, &r), ERR_OK);
        CHECK_EQ_INT(r.health, WAL_CLEAN);
        CHECK_EQ_UINT(r.last_index, in_last ? 4 : 3);
        CHECK_EQ_UINT(r.identity.node_id, MODEL_NODE_ID);
        sim_disk_crash(d);
        wal_close(w);
        model_recovery_free(&r);
        sim_disk_free(d);
    }
    buf_deinit(&payload);
    buf_deinit(&bytes);
    sim_disk_free(disk);
}

/* A client stores a value that looks like the log's own batches, and the batch that holds it is
 * torn: no forged evidence. */
TEST(bytes_that_clients_store_are_no_evidence)
{
    struct sim_disk *disk = sim_disk_new(1, 512);
    struct wal *w;
    struct wal_recovery r;
    struct prng p;
    prng_seed(&p, 1);
    REQUIRE(model_open(disk, 1 << 20, &w, &r) == ERR_OK);
    model_recovery_free(&r);
    /* All that a client can know of a log is what another one of the same node, without the seed,
     * looks like. */
    uint8_t value[8192];
    struct buf out = {0};
    struct wal_batch_builder b;
    memset(value, 0, sizeof(value));
    for (uint64_t at = 0; at + 2048 <= sizeof(value); at += 2048) {
        struct wal_identity guess = {.cluster_id = 4711, .node_id = MODEL_NODE_ID};
        const struct wal_batch_header h = {.sector_bytes = 512,
                                           .segment = 2,
                                           .offset = 512 + at,
                                           .durable = wal_lsn_at(2, 512 + at),
                                           .node_id = MODEL_NODE_ID};
        wal_batch_begin(&b, &out, &h, wal_key(&guess, 2));
        const struct wal_footer f = {.identity = guess};
        wal_batch_end(&b, &f);
        /* The entry's payload begins 64 + 16 + 40 bytes (and the head's) behind the batch; try
         * every alignment. */
        for (uint64_t k = 0; k < 2048 && k + buf_size(&out) <= 2048; k += 512) {
            memcpy(value + at + k, buf_slice(&out).p, buf_size(&out));
        }
    }
    buf_deinit(&out);
    struct wal_identity identity = {
        .cluster_id = 4711, .node_id = MODEL_NODE_ID, .hash_seed = {prng_next(&p), 5}};
    CHECK_EQ_INT(wal_append(w, &(struct wal_append){.identity = &identity}), ERR_OK);
    for (uint32_t shift = 0; shift < 512; shift += 8) {
        test_context("shift %u", shift);
        struct sim_disk *d = sim_disk_copy(disk, shift);
        struct wal *w2;
        REQUIRE(model_open(d, 1 << 20, &w2, &r) == ERR_OK);
        const raft_index next = r.last_index + 1;
        model_recovery_free(&r);
        uint8_t bytes[ENTRY_HEADER_BYTES + 512 + sizeof(value)];
        memset(bytes, 'v', sizeof(bytes));
        entry_begin(bytes, RAFT_ENTRY_COMMAND, 1, sizeof(bytes) - ENTRY_HEADER_BYTES);
        memcpy(bytes + ENTRY_HEADER_BYTES + shift, value, sizeof(value));
        entry_seal(bytes, next, 1);
        struct slice entry = {bytes, sizeof(bytes)};
        /* Power fails inside the write or its fdatasync. */
        sim_disk_power_fail_after(d, shift % 16 ? 0 : 1);
        CHECK_EQ_INT(wal_append(w2, &(struct wal_append){.entry = &entry, .entry_count = 1}),
                     ERR_IO);
        sim_disk_power_loss(d);
        sim_disk_revive(d);
        wal_close(w2);
        CHECK_EQ_INT(model_open(d, 1 << 20, &w2, &r), ERR_OK);
        CHECK_EQ_INT(r.health, WAL_CLEAN);
        CHECK(r.last_index == next || r.last_index == next - 1);
        wal_close(w2);
        model_recovery_free(&r);
        sim_disk_free(d);
    }
    test_context("%s", "");
    wal_close(w);
    sim_disk_free(disk);
}

/* Damage upon damage that is not healed yet: what was lost first is not forgotten. */
TEST(suspicion_never_falls)
{
    struct sample *s = sample_new(6, 512, 1 << 20);
    struct rig *g = rig_make(1, 512, 1 << 20);
    sim_disk_free(g->disk);
    g->disk = sim_disk_copy(s->disk, 1);
    raft_term term = 0;
    raft_index last = 0;
    for (int i = 0; i < 6; i++) {
        test_context("damage %d", i);
        CHECK(sim_disk_corrupt_newest(g->disk, SIM_ROT_GARBAGE, 1));
        CHECK_EQ_INT(rig_reopen(g), ERR_OK);
        CHECK(g->recovery.health != WAL_CLEAN);
        CHECK(g->recovery.suspect_term >= term && g->recovery.suspect_last_index >= last);
        CHECK(g->recovery.state.hard.term >= s->after[STEPS].state.hard.term);
        term = g->recovery.suspect_term;
        last = g->recovery.suspect_last_index;
        sim_disk_crash(g->disk);
    }
    CHECK_EQ_UINT(last, s->after[STEPS].last);
    test_context("%s", "");
    rig_free(g);
    sample_free(s);
}

/* A bit in the body of the last batch of the first segment; started again. */
static void damage_last_batch(struct rig *g)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(1, name);
    uint64_t body = last_batch_offset(sim_disk_file(g->disk, name)) + WAL_BATCH_HEADER_BYTES;
    sim_disk_crash(g->disk);
    CHECK(sim_disk_corrupt(g->disk, name, body, 1, SIM_ROT_FLIP_BIT));
    CHECK_EQ_INT(rig_reopen(g), ERR_OK);
}

/* The record of a vote is lost, the footer behind it is not: in a term that was known before, too, the vote was given. */
TEST(the_vote_in_a_footer_of_the_same_term_counts)
{
    struct rig *g = rig_new(7, 512, 1 << 20);
    struct wal_node_state state = g->recovery.state;
    state.hard = (struct raft_hard_state){.term = 5, .vote = 0};
    struct wal_append a = {.state = &state};
    CHECK_EQ_INT(wal_append(g->wal, &a), ERR_OK);
    state.hard.vote = 2;
    CHECK_EQ_INT(wal_append(g->wal, &a), ERR_OK);
    damage_last_batch(g);
    CHECK_EQ_INT(g->recovery.health, WAL_SUSPECT);
    CHECK_EQ_UINT(g->recovery.state.hard.term, 5);
    CHECK_EQ_UINT(g->recovery.state.hard.vote, 2);
    rig_free(g);
}

/* The batch behind the log's very first one (so does a log begin that a snapshot took the place of) is damaged: that is no torn
 * write, its footer is evidence already. */
TEST(the_second_batch_of_a_log_is_missed)
{
    struct rig *g = rig_new(7, 512, 1 << 20);
    struct wal_node_state state = g->recovery.state;
    state.hard = (struct raft_hard_state){.term = 5, .vote = 2};
    CHECK_EQ_INT(wal_append(g->wal, &(struct wal_append){.state = &state}), ERR_OK);
    damage_last_batch(g);
    CHECK_EQ_INT(g->recovery.health, WAL_SUSPECT);
    CHECK_EQ_UINT(g->recovery.state.hard.term, 5);
    CHECK_EQ_UINT(g->recovery.state.hard.vote, 2);
    rig_free(g);
}

TEST(files_of_two_nodes_are_refused)
{
    struct sim_disk *a = sim_disk_new(1, 512);
    struct sim_disk *b = sim_disk_new(2, 512);
    const struct wal_options options = {.segment_bytes = 1 << 20};
    struct wal *w;
    struct wal_recovery r;
    for (int i = 0; i < 2; i++) {
        struct sim_disk *d = i ? b : a;
        for (int k = 0; k < 1 + i; k++) {
            CHECK_EQ_INT(wal_open(sim_disk_vfs(d), &options, i ? 5 : 6, NULL, &w, &r), ERR_OK);
            sim_disk_crash(d);
            wal_close(w);
            model_recovery_free(&r);
        }
    }
    char name[WAL_NAME_BYTES];
    wal_segment_name(2, name);
    sim_disk_put_file(a, name, sim_disk_file(b, name));
    CHECK_EQ_INT(wal_open(sim_disk_vfs(a), &options, 7, NULL, &w, &r), ERR_MISMATCH);
    sim_disk_free(a);
    sim_disk_free(b);
}

TEST_MAIN()
