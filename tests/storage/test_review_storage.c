/* What damage on damage leaves of the limits on votes (P9). */
#include "storage/wal_internal.h"
#include "base/codec.h"
#include "base/mem.h"
#include "rig.h"
#include "tests/test.h"

static raft_index append_entries(struct wal *w, raft_index first, uint32_t count, raft_term term)
{
    uint8_t bytes[8][ENTRY_HEADER_BYTES];
    struct slice entry[8];
    const struct wal_node_state state = {.hard = {.term = term}};
    for (uint32_t i = 0; i < count; i++) {
        entry_begin(bytes[i], RAFT_ENTRY_NOOP, 0, 0);
        entry_seal(bytes[i], first + i, term);
        entry[i] = (struct slice){bytes[i], sizeof(bytes[i])};
    }
    struct wal_append a = {.state = &state, .entry = entry, .entry_count = count};
    CHECK_EQ_INT(wal_append(w, &a), ERR_OK);
    return first + count;
}

/* Appends, and spoils the body of what was appended; opens again. */
static void append_and_spoil(struct sim_disk *d, struct wal **w, struct wal_recovery *r, raft_index first, uint32_t count, raft_term term)
{
    char name[WAL_NAME_BYTES];
    const struct wal_segment *segment = wal_current(*w);
    REQUIRE(segment != NULL);
    uint64_t offset = segment->tail;
    uint64_t id = segment->id;
    (void)append_entries(*w, first, count, term);
    CHECK(wal_current(*w) == segment);
    wal_segment_name(id, name);
    sim_disk_crash(d);
    wal_close(*w);
    model_recovery_free(r);
    sim_disk_revive(d);
    CHECK(sim_disk_corrupt(d, name, offset, 512, SIM_ROT_GARBAGE));
    REQUIRE(model_open(d, 1 << 20, w, r) == ERR_OK);
}

TEST(a_second_damage_does_not_lower_what_a_candidate_must_have)
{
    struct sim_disk *d = sim_disk_new(1, 512);
    struct wal *w;
    struct wal_recovery r;
    REQUIRE(model_open(d, 1 << 20, &w, &r) == ERR_OK);
    (void)append_entries(w, 1, 2, 3);
    append_and_spoil(d, &w, &r, 3, 8, 3); /* 3..10 of term 3 are lost */
    CHECK_EQ_INT(r.health, WAL_SUSPECT);
    CHECK_EQ_UINT(r.last_index, 2);
    CHECK_EQ_UINT(r.suspect_last_index, 10);
    CHECK_EQ_UINT(r.suspect_last_term, 3);
    append_and_spoil(d, &w, &r, 3, 1, 3); /* the leader had sent 3 again */
    CHECK_EQ_INT(r.health, WAL_SUSPECT);
    CHECK_EQ_UINT(r.suspect_last_index, 10);
    CHECK_EQ_UINT(r.suspect_last_term, 3);
    append_and_spoil(d, &w, &r, 3, 1, 4); /* a later leader did */
    CHECK_EQ_UINT(r.suspect_last_index, 3);
    CHECK_EQ_UINT(r.suspect_last_term, 4);
    CHECK_EQ_UINT(r.suspect_term, 4);
    wal_close(w);
    model_recovery_free(&r);
    sim_disk_free(d);
}

TEST_MAIN()
