#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/wal_segment.h"
#include "tests/storage/model.h"
#include "tests/test.h"

/* Damage of what was durable, in short logs: every row of a few steps (a start, a vote, entries, a cluster's identity, a snapshot in
 * the log's place, zeros ahead) makes one, and each of its sectors is damaged in turn; then what was made of that goes on for some
 * steps, and is damaged in its turn. A long log's damage is test_wal_damage.c's. What must hold (P9, W4):
 *  - CLEAN means that nothing is missing, unless what was damaged is of the log's last batch and reads as zeros (W4 b);
 *  - what is not CLEAN stays so, whatever happens to it (W10);
 *  - otherwise term, vote, session number and incarnation do not go back, nor does what a SUSPECT log says of its end. */

enum { NODE = MODEL_NODE_ID, FILES = 16 };

struct end {
    raft_term term;
    raft_index index;
};

/* What was reported as durable. */
struct truth {
    struct wal_identity identity;
    struct wal_node_state state;
    struct end reach; /* the furthest that it ever held */
    enum wal_health health;
    raft_term suspect_term;
    raft_term suspect_last_term;
    raft_index suspect_last_index;
};

struct log {
    struct sim_disk *disk;
    struct wal *wal;
    struct end end; /* what it holds now: of a damaged one, what is left */
    struct truth truth;
};

static bool is_before(struct end a, struct end b)
{
    return a.term < b.term || (a.term == b.term && a.index < b.index);
}

/* It holds more now. */
static void extend(struct log *l, raft_term term, raft_index index)
{
    l->end = (struct end){term, index};
    if (is_before(l->truth.reach, l->end)) {
        l->truth.reach = l->end;
    }
}

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
        extend(l, term, l->end.index + 1);
        entry_seal(bytes[i], l->end.index, term);
        entry[i] = (struct slice){bytes[i], sizeof(bytes[i])};
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
        CHECK(r.health == t->health && r.last_index == l->end.index);
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
        a.reset_index = t->reach.index + 10;
        a.reset_term = t->state.hard.term;
        a.reset_conf = &conf;
        a.reset_conf_index = t->reach.index + 1;
        extend(l, a.reset_term, a.reset_index);
        append_entries(l, &a, 0);
        break;
    case 'p': /* zeros are written ahead */
        while (wal_prepare_ahead(l->wal)) {
        }
        break;
    case 'd': /* what a snapshot covers goes */
        CHECK_EQ_INT(wal_drop_front(l->wal, l->end.index + 1), ERR_OK);
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
    struct log l = {.disk = sim_disk_new(1, 512), .truth = {.health = WAL_CLEAN}};
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
    const struct end end = {r.last_term, r.last_index};
    const struct end suspected = {r.suspect_last_term, r.suspect_last_index};
    const raft_term suspect_least = t->health == WAL_CLEAN ? t->state.hard.term : t->suspect_term;
    const bool is_complete = r.last_index == l->end.index && r.last_term == l->end.term &&
                             memcmp(&r.state, &t->state, sizeof(r.state)) == 0 &&
                             r.identity.cluster_id == t->identity.cluster_id;
    CHECK(may_be_cut || !is_clean || (is_complete && t->health == WAL_CLEAN));
    CHECK(may_be_cut || r.health >= t->health);
    CHECK(t->health == WAL_CLEAN || !is_clean);
    if (!may_be_cut || !is_clean) {
        CHECK(r.identity.node_id == NODE && r.identity.cluster_id == t->identity.cluster_id &&
              r.identity.hash_seed[1] == t->identity.hash_seed[1]);
    }
    if (!may_be_cut) {
        CHECK(r.identity.incarnation > t->identity.incarnation);
        CHECK(r.state.hard.term >= t->state.hard.term);
        CHECK(r.state.hard.term > t->state.hard.term || r.state.hard.vote == t->state.hard.vote);
        CHECK(r.state.session_number >= t->state.session_number);
        CHECK(r.health != WAL_SUSPECT || r.suspect_term >= suspect_least);
        CHECK(r.health != WAL_SUSPECT || !is_before(suspected, t->reach) || !is_before(end, t->reach));
        CHECK(r.suspect_last_term >= t->suspect_last_term);
    }
    CHECK(!is_before(t->reach, end));
    CHECK(!r.was_blank_directory || t->identity.cluster_id == 0);
    t->identity = r.identity;
    t->state = r.state;
    t->health = r.health;
    t->suspect_term = r.suspect_term;
    t->suspect_last_term = r.suspect_last_term;
    t->suspect_last_index = r.suspect_last_index;
    l->end = end;
    if (is_clean) {
        t->reach = end;
    } /* otherwise what it once held counts */
    model_recovery_free(&r);
    return true;
}

/* A sector is damaged in so many ways. */
enum { ZEROS, GARBAGE, FIRST_FLIP, WAYS_BRIEF = FIRST_FLIP, WAYS = FIRST_FLIP + 8 };

struct damage {
    const char *steps;
    int ways;
    const char *const *then; /* then these steps, and damage again; NULL: no */
    uint32_t tried;
    uint32_t refused;
};

static void damage_sector(struct sim_disk *d, const char *name, uint64_t at, int way)
{
    static const uint16_t flipped[] = {0, 9, 33, 70, 127, 131, 200, 500};
    const bool ok = way == ZEROS     ? sim_disk_corrupt(d, name, at, 512, SIM_ROT_ZERO)
                    : way == GARBAGE ? sim_disk_corrupt(d, name, at, 512, SIM_ROT_GARBAGE)
                                     : sim_disk_corrupt(d, name, at + flipped[way - FIRST_FLIP], 1, SIM_ROT_FLIP_BIT);
    CHECK(ok);
}

static void damage_each(struct damage *d, const struct log *l);

static void damage_again(struct damage *d, struct log *l, const char *what, const char *then)
{
    char steps[192];
    for (const char *step = then; *step; step++) {
        do_step(l, *step);
    }
    (void)snprintf(steps, sizeof(steps), "%s, then %s", what, then);
    struct damage again = {.steps = steps, .ways = WAYS_BRIEF};
    damage_each(&again, l);
    d->tried += again.tried;
    d->refused += again.refused;
}

/* A sector of a copy is damaged, and what is left is examined; and goes on, if so. */
static void damage_one(struct damage *d, const struct log *l, const char *name, uint64_t at, int way, bool may_be_cut)
{
    static const char *const nothing[] = {NULL};
    const char *const *then = d->then ? d->then : nothing;
    char what[160];
    (void)snprintf(what, sizeof(what), "[%s] %s at %u, %d", d->steps, name, (unsigned)at, way);
    bool is_up = true;
    do {
        struct log copy = {.disk = sim_disk_copy(l->disk, at + (uint64_t)way), .truth = l->truth, .end = l->end};
        test_context("%s", what);
        damage_sector(copy.disk, name, at, way);
        is_up = examine(&copy, may_be_cut);
        if (is_up && *then) {
            damage_again(d, &copy, what, *then);
        }
        log_free(&copy);
    } while (is_up && *then && *++then);
    d->tried++;
    d->refused += !is_up;
}

static void damage_each(struct damage *d, const struct log *l)
{
    const struct names n = names_of(l->disk);
    uint32_t last_file = 0;
    uint64_t last_offset = 0;
    last_batch(l->disk, &n, &last_file, &last_offset);
    for (uint32_t f = 0; f < n.count; f++) {
        const uint64_t size = sim_disk_file(l->disk, n.name[f]).n;
        for (uint64_t at = 0; at + 512 <= size && at < 16384; at += 512) {
            for (int way = 0; way < d->ways; way++) {
                damage_one(d, l, n.name[f], at, way, way == ZEROS && f == last_file && at >= last_offset);
            }
        }
    }
    test_context("%s", "");
}

/* Every row of so many steps. */
static void each_row(uint32_t length, struct damage how, struct damage *sum)
{
    static const char alphabet[] = "ovefrp";
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
        struct damage d = how;
        d.steps = steps;
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
        each_row(length, (struct damage){.ways = WAYS}, &sum);
    }
    /* A log of three voters starts, unless the only head there is reads as zeros. */
    CHECK(sum.tried > 20000 && sum.refused < 100);
}

TEST(damage_upon_damage_is_never_silent)
{
    static const char *const then[] = {"", "e", "v", "d", "ed", "r", "o", "er", NULL};
    struct damage sum = {0};
    for (uint32_t length = 0; length <= 2; length++) {
        each_row(length, (struct damage){.ways = WAYS_BRIEF, .then = then}, &sum);
    }
    CHECK(sum.tried > 60000 && sum.refused < 3000); /* to refuse to start is safe, and seldom */
}

TEST_MAIN()
