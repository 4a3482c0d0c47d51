#include "raft/message.h"

#include "base/buf.h"
#include "base/prng.h"
#include "tests/test.h"

#define ENTRIES 5

static struct raft_entry sent_entry[ENTRIES];
static uint8_t entry_bytes[ENTRIES][64];

static void random_append(struct prng *prng, struct raft_message *m)
{
    m->u.append.prev_index = prng_next(prng);
    m->u.append.prev_term = prng_next(prng);
    m->u.append.commit = prng_next(prng);
    m->u.append.entry_count = (uint32_t)prng_below(prng, ENTRIES + 1);
    m->u.append.entry = m->u.append.entry_count > 0 ? sent_entry : NULL;
    for (uint32_t i = 0; i < m->u.append.entry_count; i++) {
        uint8_t *at = entry_bytes[i];
        size_t n = prng_below(prng, 20);
        memset(at + ENTRY_HEADER_BYTES, (int)prng_below(prng, 256), n);
        entry_begin(at, RAFT_ENTRY_COMMAND, (int64_t)prng_next(prng), n);
        entry_seal(at, prng_next(prng), prng_next(prng));
        REQUIRE(entry_decode((struct slice){at, 64}, &sent_entry[i]) == ERR_OK);
    }
}

static void random_snapshot_id(struct prng *prng, struct raft_snapshot_id *id)
{
    *id = (struct raft_snapshot_id){prng_next(prng), prng_next(prng), (uint32_t)prng_next(prng),
                                    prng_next(prng)};
}

static void random_message(struct prng *prng, enum raft_message_type type, struct raft_message *m)
{
    memset(m, 0, sizeof(*m));
    m->type = type;
    m->term = prng_next(prng);
    switch (type) {
    case RAFT_PREVOTE_REQUEST:
    case RAFT_VOTE_REQUEST:
        m->u.vote_request.campaign_term = prng_next(prng);
        m->u.vote_request.last_term = prng_next(prng);
        m->u.vote_request.last_index = prng_next(prng);
        m->u.vote_request.is_transfer = prng_below(prng, 2) == 1;
        break;
    case RAFT_PREVOTE_REPLY:
    case RAFT_VOTE_REPLY:
        m->u.vote_reply.campaign_term = prng_next(prng);
        m->u.vote_reply.is_granted = prng_below(prng, 2) == 1;
        break;
    case RAFT_HEARTBEAT:
        m->u.heartbeat.round = prng_next(prng);
        m->u.heartbeat.commit = prng_next(prng);
        m->u.heartbeat.lease_us = (uint32_t)prng_next(prng);
        m->u.heartbeat.bulk_sent = prng_next(prng);
        break;
    case RAFT_HEARTBEAT_ACK:
        m->u.heartbeat_ack.round = prng_next(prng);
        m->u.heartbeat_ack.bulk_received = prng_next(prng);
        break;
    case RAFT_COMMIT:
        m->u.commit.commit = prng_next(prng);
        break;
    case RAFT_APPEND_ACK:
        m->u.append_ack.is_success = prng_below(prng, 2) == 1;
        m->u.append_ack.prev_index = prng_next(prng);
        m->u.append_ack.match = prng_next(prng);
        m->u.append_ack.hint_index = prng_next(prng);
        m->u.append_ack.hint_term = prng_next(prng);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    case RAFT_REMOVED:
        m->u.removed.conf_index = prng_next(prng);
        break;
    case RAFT_APPEND:
        random_append(prng, m);
        break;
    case RAFT_SNAPSHOT:
        random_snapshot_id(prng, &m->u.snapshot.id);
        m->u.snapshot.offset = prng_next(prng);
        m->u.snapshot.data = (struct slice){(const uint8_t *)"snapshot data",
                                            (size_t)prng_below(prng, 13)};
        break;
    case RAFT_SNAPSHOT_ACK:
        random_snapshot_id(prng, &m->u.snapshot_ack.id);
        m->u.snapshot_ack.offset = prng_next(prng);
        m->u.snapshot_ack.is_installed = prng_below(prng, 2) == 1;
        break;
    }
}

static void encode(const struct raft_message *m, struct buf *out)
{
    raft_message_encode_head(m, out);
    for (uint32_t i = 0; m->type == RAFT_APPEND && i < m->u.append.entry_count; i++) {
        buf_append_slice(out, m->u.append.entry[i].bytes);
    }
    if (m->type == RAFT_SNAPSHOT) {
        buf_append_slice(out, m->u.snapshot.data);
    }
}

/* Every field is encoded, so messages are equal when their encodings are. */
static bool is_equal(struct slice bytes, const struct raft_message *m)
{
    struct buf b = {0};
    encode(m, &b);
    bool is_same = slice_equal(bytes, buf_slice(&b));
    buf_deinit(&b);
    return is_same;
}

TEST(round_trip_and_every_truncation_of_every_type)
{
    struct prng prng;
    prng_seed(&prng, 4);
    for (int type = RAFT_PREVOTE_REQUEST; type <= RAFT_SNAPSHOT_ACK; type++) {
        for (int n = 0; n < 100; n++) {
            struct raft_message m;
            struct raft_message back;
            struct raft_entry entry[ENTRIES];
            struct buf b = {0};
            random_message(&prng, (enum raft_message_type)type, &m);
            encode(&m, &b);
            struct slice bytes = buf_slice(&b);
            test_context("type %d", type);
            REQUIRE(raft_message_decode(bytes, &back, entry, ENTRIES) == ERR_OK);
            CHECK(is_equal(bytes, &back));
            for (size_t cut = 0; cut < bytes.n; cut++) {
                uint8_t *copy = test_guard_copy(bytes.p, cut);
                enum err e = raft_message_decode((struct slice){copy, cut}, &back, entry, ENTRIES);
                test_guard_free(copy, cut);
                REQUIRE(e == ERR_CORRUPT);
            }
            buf_append_byte(&b, 0);
            CHECK_EQ_INT(raft_message_decode(buf_slice(&b), &back, entry, ENTRIES), ERR_CORRUPT);
            buf_deinit(&b);
        }
    }
}

TEST(unknown_version_and_types)
{
    struct raft_message m = {.type = RAFT_TIMEOUT_NOW, .term = 1};
    struct raft_message back;
    struct buf b = {0};
    encode(&m, &b);
    for (unsigned type = 0; type < 256; type++) {
        b.data[b.start + 1] = (uint8_t)type;
        enum err e = raft_message_decode(buf_slice(&b), &back, NULL, 0);
        bool is_known = type >= RAFT_PREVOTE_REQUEST && type <= RAFT_SNAPSHOT_ACK;
        CHECK(is_known ? (e == ERR_OK) == (type == RAFT_TIMEOUT_NOW) : e == ERR_FORMAT);
    }
    b.data[b.start] = 9;
    CHECK_EQ_INT(raft_message_decode(buf_slice(&b), &back, NULL, 0), ERR_FORMAT);
    buf_deinit(&b);
}

TEST(entries_beyond_capacity_and_damaged)
{
    struct prng prng;
    struct raft_message m = {.type = RAFT_APPEND, .term = 1};
    struct raft_message back;
    struct raft_entry entry[ENTRIES];
    struct buf b = {0};
    prng_seed(&prng, 5);
    do {
        random_append(&prng, &m);
    } while (m.u.append.entry_count < 2);
    encode(&m, &b);
    CHECK_EQ_INT(raft_message_decode(buf_slice(&b), &back, entry, m.u.append.entry_count - 1),
                 ERR_TOO_BIG);
    size_t head = 10 + 8 + 8 + 8 + 4;
    for (size_t i = head; i < buf_size(&b); i++) {
        b.data[b.start + i] ^= 0x40;
        enum err e = raft_message_decode(buf_slice(&b), &back, entry, ENTRIES);
        b.data[b.start + i] ^= 0x40;
        REQUIRE(e == ERR_CORRUPT);
    }
    buf_deinit(&b);
}

TEST(booleans_are_0_or_1)
{
    struct raft_message m = {.type = RAFT_VOTE_REPLY, .term = 1};
    struct raft_message back;
    struct buf b = {0};
    encode(&m, &b);
    b.data[b.end - 1] = 2;
    CHECK_EQ_INT(raft_message_decode(buf_slice(&b), &back, NULL, 0), ERR_CORRUPT);
    buf_deinit(&b);
}

TEST(only_appends_are_bulk)
{
    for (int type = RAFT_PREVOTE_REQUEST; type <= RAFT_APPEND; type++) {
        CHECK((type == RAFT_APPEND) == raft_message_is_bulk((enum raft_message_type)type));
    }
}

TEST_MAIN()
