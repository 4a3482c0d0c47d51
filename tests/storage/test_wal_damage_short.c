#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/wal_segment.h"
#include "tests/storage/model.h"
#include "tests/test.h"

/* Damage of what was durable, in short logs: every row of a few steps (a start, a vote, entries, a cluster's identity, a snapshot in
 * the log's place, zeros ahead) makes one, and each of its sectors is damaged in turn. A long log's damage, and damage upon damage, is
 * test_wal_damage.c's. What must hold (P9, W4):
 *  - CLEAN means that nothing is missing, unless what was damaged is of the log's last batch and reads as zeros (W4 b);
 *  - otherwise term, vote, session number and incarnation do not go back, nor does what a SUSPECT log says of its end. */

enum { NODE = MODEL_NODE_ID, FILES = 16 };

/* What was reported as durable. */
struct truth {
    struct wal_identity identity;
    struct wal_node_state state;
    raft_index first;
    raft_index last;
    raft_term last_term;
    enum wal_health health;
    raft_term suspect_last_term;
    raft_index suspect_last_index;
};

struct log {
    struct sim_disk *disk;
    struct wal *wal;
    struct truth truth;
};

static struct raft_conf conf_of_three(void)
{
    struct raft_conf conf = {.member_count = 3};
    for (uint32_t i = 0; i < 3; i++) {
        conf.member[i] = (struct raft_member){.id = NODE + i, .flags = RAFT_VOTER_NEW, .address = "a:1"};
    }
    return conf;
}

/* Opens and says what is found. */
static enum err start(struct log *l, struct wal_recovery *r)
{
    wal_close(l->wal);
    l->wal = NULL;
    sim_disk_crash(l->disk);
    enum err e = model_open(l->disk, 8192, &l->wal, r);
    if (e != ERR_OK) {
        l->wal = NULL;
    }
    return e;
}

static void append_entries(struct log *l, struct wal_append *a, uint32_t count)
{
    uint8_t bytes[2][ENTRY_HEADER_BYTES + 500];
    struct slice entry[2];
    memset(bytes, 'e', sizeof(bytes));
    const raft_term term = a->state ? a->state->hard.term : l->truth.state.hard.term;
    for (uint32_t i = 0; i < count; i++) {
        entry_begin(bytes[i], RAFT_ENTRY_COMMAND, 5, sizeof(bytes[i]) - ENTRY_HEADER_BYTES);
        entry_seal(bytes[i], ++l->truth.last, term);
        entry[i] = (struct slice){bytes[i], sizeof(bytes[i])};
        l->truth.last_term = term;
    }
    a->entry = entry;
    a->entry_count = count;
    REQUIRE(wal_append(l->wal, a) == ERR_OK);
}

static void do_step(struct log *l, char step)
{
    struct truth *t = &l->truth;
    struct wal_node_state state = t->state;
    struct wal_append a = {0};
    struct raft_conf conf = conf_of_three();
    switch (step) {
    case 'o': { /* a start */
        struct wal_recovery r;
        REQUIRE(start(l, &r) == ERR_OK);
        CHECK(r.health == t->health && r.last_index == t->last);
        CHECK(memcmp(&r.state, &t->state, sizeof(r.state)) == 0);
        CHECK(r.identity.incarnation > t->identity.incarnation);
        t->identity = r.identity;
        model_recovery_free(&r);
        break;
    }
    case 'v': /* a vote in a new term, or in this one */
        state.hard.vote = state.hard.vote == 0 ? 2 : 0;
        state.hard.term += state.hard.vote == 0;
        state.session_number++;
        a.state = &state;
        append_entries(l, &a, 0);
        t->state = state;
        break;
    case 'e': /* entries alone */
        append_entries(l, &a, 2);
        break;
    case 'f': { /* the node leaves BLANK, in term 1 */
        if (t->identity.cluster_id != 0) {
            break;
        }
        struct wal_identity identity = t->identity;
        identity.cluster_id = 4711;
        identity.hash_seed[0] = 123;
        identity.hash_seed[1] = 456;
        state.hard.term++;
        a.state = &state;
        a.identity = &identity;
        append_entries(l, &a, 1);
        t->identity = identity;
        t->state = state;
        break;
    }
    case 'r': /* a snapshot takes the log's place */
        a.reset_index = t->last + 10;
        a.reset_term = t->state.hard.term;
        a.reset_conf = &conf;
        a.reset_conf_index = t->last + 1;
        t->last = a.reset_index;
        t->last_term = a.reset_term;
        t->first = t->last + 1;
        append_entries(l, &a, 0);
        break;
    case 'p': /* zeros are written ahead */
        while (wal_prepare_ahead(l->wal)) {
        }
        break;
    case 'd': /* what a snapshot covers goes */
        CHECK_EQ_INT(wal_drop_front(l->wal, t->last + 1), ERR_OK);
        break;
    default:
        CHECK(false);
    }
}

static void log_free(struct log *l)
{
    wal_close(l->wal);
    sim_disk_free(l->disk);
}

static struct log log_build(const char *steps)
{
    struct log l = {.disk = sim_disk_new(1, 512), .truth = {.first = 1}};
    struct wal_recovery r;
    REQUIRE(start(&l, &r) == ERR_OK);
    l.truth.identity = r.identity;
    model_recovery_free(&r);
    for (; *steps; steps++) {
        do_step(&l, *steps);
    }
    return l;
}

struct names {
    char name[FILES][WAL_NAME_BYTES];
    uint32_t count;
};

static void on_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    if (wal_segment_id_of(name) != 0 && n->count < FILES) {
        snprintf(n->name[n->count++], WAL_NAME_BYTES, "%s", name);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct names names_of(const struct sim_disk *d)
{
    struct names n = {.count = 0};
    sim_disk_each(d, on_name, &n);
    qsort(n.name, n.count, WAL_NAME_BYTES, compare_names);
    return n;
}

/* Where the log's last batch lies: the last header in the newest file that holds one. */
static void last_batch(const struct sim_disk *d, const struct names *n, uint32_t *file, uint64_t *offset)
{
    for (uint32_t f = 0; f < n->count; f++) {
        struct slice bytes = sim_disk_file(d, n->name[f]);
        for (uint64_t i = 0; i + 512 <= bytes.n; i += 512) {
            if (memcmp(bytes.p + i, "CWB1", 4) == 0) {
                *file = f;
                *offset = i;
            }
        }
    }
}

static bool reaches(const struct truth *t, raft_term term, raft_index index)
{
    return term > t->last_term || (term == t->last_term && index >= t->last);
}

/* Opens the damaged log; `t` becomes what is known now. False when it refuses to start. */
static bool examine(struct log *l, bool may_be_cut)
{
    struct truth *t = &l->truth;
    struct wal_recovery r;
    enum err e = start(l, &r);
    if (e != ERR_OK) {
        CHECK_EQ_INT(e, ERR_CORRUPT);
        return false;
    }
    const bool is_clean = r.health == WAL_CLEAN;
    const bool is_complete = r.last_index == t->last && r.last_term == t->last_term &&
                             memcmp(&r.state, &t->state, sizeof(r.state)) == 0 &&
                             r.identity.cluster_id == t->identity.cluster_id;
    CHECK(may_be_cut || !is_clean || (is_complete && t->health == WAL_CLEAN));
    CHECK(may_be_cut || r.health >= t->health);
    if (!may_be_cut || !is_clean) {
        CHECK(r.identity.node_id == NODE && r.identity.cluster_id == t->identity.cluster_id &&
              r.identity.hash_seed[1] == t->identity.hash_seed[1]);
    }
    if (!may_be_cut) {
        CHECK(r.identity.incarnation > t->identity.incarnation);
        CHECK(r.state.hard.term >= t->state.hard.term);
        CHECK(r.state.hard.term > t->state.hard.term || r.state.hard.vote == t->state.hard.vote);
        CHECK(r.state.session_number >= t->state.session_number);
        CHECK(r.health != WAL_SUSPECT || r.suspect_term >= t->state.hard.term);
        CHECK(r.health != WAL_SUSPECT || reaches(t, r.suspect_last_term, r.suspect_last_index) ||
              reaches(t, r.last_term, r.last_index));
        CHECK(r.suspect_last_term >= t->suspect_last_term);
    }
    CHECK(r.last_index <= t->last);
    CHECK(!r.was_blank_directory || t->identity.cluster_id == 0);
    t->identity = r.identity;
    t->state = r.state;
    t->health = r.health;
    t->suspect_last_term = r.suspect_last_term;
    t->suspect_last_index = r.suspect_last_index;
    if (is_clean) {
        t->last = r.last_index;
        t->last_term = r.last_term;
    } /* otherwise what it once held counts */
    t->first = r.first_index;
    model_recovery_free(&r);
    return true;
}

struct damage {
    const char *steps;
    uint32_t tried;
    uint32_t refused;
};

static void damage_each(struct damage *d, const struct log *l)
{
    static const uint16_t bytes[] = {0, 9, 33, 70, 127, 131, 200, 500};
    const struct names n = names_of(l->disk);
    uint32_t last_file = 0;
    uint64_t last_offset = 0;
    last_batch(l->disk, &n, &last_file, &last_offset);
    for (uint32_t f = 0; f < n.count; f++) {
        const uint64_t size = sim_disk_file(l->disk, n.name[f]).n;
        for (uint64_t at = 0; at + 512 <= size && at < 16384; at += 512) {
            for (uint32_t how = 0; how < 2 + sizeof(bytes) / sizeof(bytes[0]); how++) {
                struct log copy = {.disk = sim_disk_copy(l->disk, at + how), .truth = l->truth};
                const bool ok =
                    how == 0   ? sim_disk_corrupt(copy.disk, n.name[f], at, 512, SIM_ROT_ZERO)
                    : how == 1 ? sim_disk_corrupt(copy.disk, n.name[f], at, 512, SIM_ROT_GARBAGE)
                               : sim_disk_corrupt(copy.disk, n.name[f], at + bytes[how - 2], 1, SIM_ROT_FLIP_BIT);
                CHECK(ok);
                test_context("[%s] %s at %u, %u", d->steps, n.name[f], (unsigned)at, how);
                const bool may_be_cut = how == 0 && f == last_file && at >= last_offset;
                d->tried++;
                d->refused += !examine(&copy, may_be_cut);
                log_free(&copy);
            }
        }
    }
    test_context("%s", "");
}

/* Every row of so many steps. */
static void each_row(uint32_t length, const char *alphabet, struct damage *sum)
{
    uint64_t count = 1;
    const uint64_t kinds = strlen(alphabet);
    for (uint32_t i = 0; i < length; i++) {
        count *= kinds;
    }
    for (uint64_t row = 0; row < count; row++) {
        char steps[16] = "";
        uint64_t rest = row;
        for (uint32_t i = 0; i < length; i++, rest /= kinds) {
            steps[i] = alphabet[rest % kinds];
        }
        struct log l = log_build(steps);
        struct damage d = {.steps = steps};
        damage_each(&d, &l);
        sum->tried += d.tried;
        sum->refused += d.refused;
        log_free(&l);
    }
}

TEST(damage_of_a_short_log_is_never_silent)
{
    struct damage sum = {0};
    for (uint32_t length = 0; length <= 3; length++) {
        each_row(length, "ovefrp", &sum);
    }
    /* A log of three voters starts, unless the only head there is reads as zeros. */
    CHECK(sum.tried > 20000 && sum.refused < 100);
}

TEST_MAIN()
