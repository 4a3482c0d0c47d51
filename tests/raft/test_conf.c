#include "raft/conf.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/prng.h"
#include "tests/test.h"

#define OLD ((uint32_t)RAFT_VOTER_OLD)
#define NEW ((uint32_t)RAFT_VOTER_NEW)
#define LEARNER ((uint32_t)RAFT_LEARNER)

/* From text: "1v 2v 3l", joint members as "1o 2on 3ol 4n". */
static struct raft_conf conf_of(const char *text)
{
    struct raft_conf conf = {0};
    for (const char *p = text; *p != 0;) {
        struct raft_member *m = &conf.member[conf.member_count++];
        int used = 0;
        unsigned long id = 0;
        char kind[4] = "";
        REQUIRE(sscanf(p, "%lu%3[a-z]%n", &id, kind, &used) == 2);
        m->id = id;
        snprintf(m->address, sizeof(m->address), "node%lu:7000", id);
        for (const char *k = kind; *k != 0; k++) {
            m->flags |= *k == 'o' ? OLD : *k == 'l' ? LEARNER : NEW;
            conf.is_joint = conf.is_joint || *k == 'o';
        }
        p += used;
        p += *p == ' ' ? 1 : 0;
    }
    return conf;
}

TEST(check_table)
{
    static const struct {
        const char *text;
        enum err expected;
    } row[] = {
        {"1v", ERR_OK},           {"1v 2v 3l", ERR_OK},     {"", ERR_INVALID},
        {"1l", ERR_INVALID},      {"2v 1v", ERR_INVALID},   {"1v 1v", ERR_INVALID},
        {"0v", ERR_INVALID},      {"1o 2n", ERR_OK},        {"1o", ERR_INVALID},
        {"1on 2o 3n 4l", ERR_OK}, {"1ol 2n", ERR_OK},       {"1nl 2o", ERR_INVALID},
        {"1o 2l", ERR_INVALID},   {"1onl 2o", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct raft_conf conf = conf_of(row[i].text);
        test_context("\"%s\"", row[i].text);
        CHECK_EQ_INT(raft_conf_check(&conf), row[i].expected);
    }
}

TEST(check_refuses_what_text_cannot_say)
{
    struct raft_conf conf = conf_of("1v 2v");
    conf.member[0].flags = 0;
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
    conf = conf_of("1v 2v");
    conf.member[0].flags = 8;
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
    conf = conf_of("1v 2v");
    conf.is_joint = true;
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
    conf = conf_of("1o 2n");
    conf.is_joint = false;
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
    conf = conf_of("1v 2v");
    memset(conf.member[0].address, 'a', sizeof(conf.member[0].address));
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
    conf.member_count = LIMIT_MEMBERS + 1;
    CHECK_EQ_INT(raft_conf_check(&conf), ERR_INVALID);
}

TEST(find_and_is_voter)
{
    struct raft_conf conf = conf_of("2on 3o 5n 7l 9ol");
    CHECK(raft_conf_find(&conf, 2) == &conf.member[0]);
    CHECK(raft_conf_find(&conf, 4) == NULL);
    CHECK_EQ_INT(raft_conf_position(&conf, 7), 3);
    CHECK_EQ_INT(raft_conf_position(&conf, 8), -1);
    CHECK(raft_conf_is_voter(&conf, 2) && raft_conf_is_voter(&conf, 3) &&
          raft_conf_is_voter(&conf, 5));
    CHECK(!raft_conf_is_voter(&conf, 7) && raft_conf_is_voter(&conf, 9) &&
          !raft_conf_is_voter(&conf, 1));
}

TEST(join_and_leave_table)
{
    static const struct {
        const char *from, *to, *joint;
    } row[] = {
        {"1v 2v 3v", "1v 2v 3v 4v", "1on 2on 3on 4n"},
        {"1v 2v 3v", "4v 5v 6v", "1o 2o 3o 4n 5n 6n"},
        {"1v 2v", "1v", "1on 2o"},
        {"1v", "2v", "1o 2n"},
        {"1v 2v 3l", "1v 2v 3v", "1on 2on 3n"},
        {"1v 2v 3v", "1v 2v 3l", "1on 2on 3ol"},
        {"1v 2l", "1v", "1on"},
        {"1v 2v", "1v 2v 3l", "1on 2on 3l"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct raft_conf from = conf_of(row[i].from);
        struct raft_conf to = conf_of(row[i].to);
        struct raft_conf joint;
        struct raft_conf final;
        struct raft_conf expected = conf_of(row[i].joint);
        test_context("%s -> %s", row[i].from, row[i].to);
        REQUIRE(raft_conf_join(&from, &to, &joint) == ERR_OK);
        CHECK(raft_conf_equal(&joint, &expected));
        CHECK_EQ_INT(raft_conf_check(&joint), ERR_OK);
        raft_conf_leave(&joint, &final);
        CHECK(raft_conf_equal(&final, &to));
    }
}

TEST(join_refuses)
{
    struct raft_conf from = conf_of("1v 2v");
    struct raft_conf to = conf_of("1o 2n");
    struct raft_conf joint;
    CHECK_EQ_INT(raft_conf_join(&from, &to, &joint), ERR_INVALID);
    CHECK_EQ_INT(raft_conf_join(&to, &from, &joint), ERR_INVALID);
    to = conf_of("2l");
    CHECK_EQ_INT(raft_conf_join(&from, &to, &joint), ERR_INVALID);
    /* More members in the union than a configuration holds. */
    from.member_count = to.member_count = 20;
    for (uint32_t i = 0; i < 20; i++) {
        from.member[i] = (struct raft_member){.id = i + 1, .flags = NEW};
        to.member[i] = (struct raft_member){.id = i + 15, .flags = NEW};
    }
    CHECK_EQ_INT(raft_conf_join(&from, &to, &joint), ERR_INVALID);
}

TEST(join_takes_the_new_address)
{
    struct raft_conf from = conf_of("1v 2v");
    struct raft_conf to = conf_of("1v 2v 3v");
    struct raft_conf joint;
    snprintf(to.member[1].address, sizeof(to.member[1].address), "moved:1");
    REQUIRE(raft_conf_join(&from, &to, &joint) == ERR_OK);
    CHECK_EQ_STR(joint.member[1].address, "moved:1");
    CHECK(!raft_conf_equal(&from, &to));
}

static void random_conf(struct prng *prng, struct raft_conf *conf)
{
    do {
        memset(conf, 0, sizeof(*conf));
        conf->is_joint = prng_below(prng, 2) == 0;
        conf->member_count = (uint32_t)prng_below(prng, LIMIT_MEMBERS + 1);
        raft_id id = 0;
        for (uint32_t i = 0; i < conf->member_count; i++) {
            struct raft_member *m = &conf->member[i];
            id += 1 + prng_below(prng, 1ull << 50);
            m->id = id;
            m->flags = 1 + (uint32_t)prng_below(prng, 7);
            uint64_t n = prng_below(prng, 10) == 0 ? LIMIT_ADDRESS_BYTES - 1 : prng_below(prng, 30);
            memset(m->address, 'a' + (int)prng_below(prng, 26), (size_t)n);
        }
        for (uint32_t i = 0; i < conf->member_count && !conf->is_joint; i++) {
            conf->member[i].flags = prng_below(prng, 2) == 0 ? NEW : LEARNER;
        }
        for (uint32_t i = 0; i < conf->member_count && conf->is_joint; i++) {
            static const uint32_t flags[] = {1, 2, 3, 4, 5};
            conf->member[i].flags = flags[prng_below(prng, 5)];
        }
    } while (raft_conf_check(conf) != ERR_OK);
}

TEST(encoding_round_trip_and_every_truncation)
{
    static struct raft_conf conf;
    static struct raft_conf back;
    struct prng prng;
    prng_seed(&prng, 3);
    for (int n = 0; n < 30; n++) {
        struct buf b = {0};
        random_conf(&prng, &conf);
        raft_conf_encode(&conf, &b);
        struct slice bytes = buf_slice(&b);
        REQUIRE(raft_conf_decode(bytes, &back) == ERR_OK);
        CHECK(raft_conf_equal(&conf, &back));
        for (size_t cut = 0; cut < bytes.n; cut++) {
            uint8_t *copy = test_guard_copy(bytes.p, cut);
            enum err e = raft_conf_decode((struct slice){copy, cut}, &back);
            test_guard_free(copy, cut);
            REQUIRE(e == ERR_CORRUPT);
        }
        buf_append_byte(&b, 0);
        CHECK_EQ_INT(raft_conf_decode(buf_slice(&b), &back), ERR_CORRUPT);
        buf_deinit(&b);
    }
}

TEST(decoding_survives_any_flipped_byte)
{
    struct raft_conf conf = conf_of("1on 2o 3n 4l 5ol");
    struct raft_conf back;
    struct buf b = {0};
    raft_conf_encode(&conf, &b);
    for (size_t i = 0; i < buf_size(&b); i++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = b.data[b.start + i];
            b.data[b.start + i] = (uint8_t)v;
            if (raft_conf_decode(buf_slice(&b), &back) == ERR_OK) {
                REQUIRE(raft_conf_check(&back) == ERR_OK);
            }
            b.data[b.start + i] = was;
        }
    }
    b.data[b.start] = 2;
    CHECK_EQ_INT(raft_conf_decode(buf_slice(&b), &back), ERR_FORMAT);
    b.data[b.start] = 1;
    b.data[b.start + 1] = 2; /* neither joint nor not */
    CHECK_EQ_INT(raft_conf_decode(buf_slice(&b), &back), ERR_CORRUPT);
    b.data[b.start + 1] = 0;
    memset(buf_reserve(&b, (LIMIT_MEMBERS + 1) * 16), 1, (LIMIT_MEMBERS + 1) * 16);
    buf_commit(&b, (LIMIT_MEMBERS + 1) * 16);
    b.data[b.start + 2] = LIMIT_MEMBERS + 1; /* more than there is room for, and bytes for all of them */
    b.data[b.start + 3] = 0;
    for (size_t i = 0; i <= LIMIT_MEMBERS; i++) {
        memcpy(b.data + b.start + 4 + 11 * i, (uint8_t[11]){(uint8_t)(i + 1), 0, 0, 0, 0, 0, 0, 0, RAFT_VOTER_NEW, 0, 0}, 11);
    }
    CHECK_EQ_INT(raft_conf_decode((struct slice){b.data + b.start, 4 + 11 * (LIMIT_MEMBERS + 1)}, &back), ERR_CORRUPT);
    buf_deinit(&b);
}

TEST_MAIN()
