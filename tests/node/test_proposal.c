#include "node/proposal.h"

#include "base/mem.h"
#include "node/peer_message.h"
#include "tests/test.h"

TEST(a_proposal_comes_back_as_it_went)
{
    struct slice arg[3] = {SLICE_LITERAL("key"), SLICE_LITERAL(""), SLICE_LITERAL("a\0b")};
    struct proposal head = {.number = 7, .version = 2, .db = 15, .member = 0xabcdef0123456789, .session = 3, .seq = 99};
    size_t size = proposal_size(arg, 3);
    uint8_t *bytes = mem_alloc(size);
    proposal_encode(bytes, &head, arg, 3);
    uint8_t *guarded = test_guard_copy(bytes, size);
    struct proposal p;
    REQUIRE(proposal_decode((struct slice){guarded, size}, &p) == ERR_OK);
    CHECK_EQ_UINT(p.number, 7);
    CHECK_EQ_UINT(p.version, 2);
    CHECK_EQ_UINT(p.db, 15);
    CHECK_EQ_UINT(p.member, 0xabcdef0123456789);
    CHECK_EQ_UINT(p.session, 3);
    CHECK_EQ_UINT(p.seq, 99);
    struct slice back[3];
    REQUIRE(p.arg_count == 3 && proposal_args(&p, back) == ERR_OK);
    for (int i = 0; i < 3; i++)
        CHECK(slice_equal(arg[i], back[i]));
    proposal_set_session(bytes, 5, 6, 7);
    REQUIRE(proposal_decode((struct slice){bytes, size}, &p) == ERR_OK);
    CHECK(p.member == 5 && p.session == 6 && p.seq == 7 && p.number == 7);
    test_guard_free(guarded, size);
    mem_free(bytes);
}

TEST(a_cut_or_padded_proposal_is_refused)
{
    struct slice arg[2] = {SLICE_LITERAL("key"), SLICE_LITERAL("value")};
    struct proposal head = {.number = 1, .version = 1};
    size_t size = proposal_size(arg, 2);
    uint8_t bytes[128];
    proposal_encode(bytes, &head, arg, 2);
    bytes[size] = 0;
    for (size_t n = 0; n <= size + 1; n++) {
        uint8_t *guarded = test_guard_copy(bytes, n);
        struct proposal p;
        struct slice back[2];
        test_context("%zu bytes", n);
        enum err e = proposal_decode((struct slice){guarded, n}, &p);
        if (e == ERR_OK && p.arg_count == 2)
            e = proposal_args(&p, back);
        CHECK(e == (n == size ? ERR_OK : ERR_CORRUPT));
        test_guard_free(guarded, n);
    }
    test_context("");
}

TEST(a_count_beyond_the_bytes_is_refused_before_anything_is_allocated)
{
    uint8_t bytes[PROPOSAL_HEADER_BYTES + 8] = {0};
    struct proposal p;
    memset(bytes + 28, 0xff, 4);
    CHECK(proposal_decode((struct slice){bytes, sizeof bytes}, &p) == ERR_CORRUPT);
}

TEST(an_envelope_comes_back_as_it_went)
{
    struct peer_envelope e = {
        .kind = PEER_READ_INDEX,
        .refuses = PEER_REFUSES_DISK,
        .log_time_ms = 1700000000123,
        .wall_ms = 1700000000456,
        .bulk_sent = 1,
        .bulk_received = 2,
        .applied = 3,
        .bulk_number = 4,
        .bulk_number_heard = 5,
    };
    uint8_t bytes[PEER_ENVELOPE_BYTES + 3] = {0};
    struct peer_envelope back;
    struct slice body;
    peer_envelope_encode(&e, bytes);
    REQUIRE(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &back, &body) == ERR_OK);
    CHECK(back.kind == e.kind && back.refuses == e.refuses && back.log_time_ms == e.log_time_ms && back.wall_ms == e.wall_ms);
    CHECK(back.bulk_sent == 1 && back.bulk_received == 2 && back.applied == 3);
    CHECK(back.bulk_number == 4 && back.bulk_number_heard == 5);
    CHECK_EQ_UINT(body.n, 3);
    for (size_t n = 0; n < PEER_ENVELOPE_BYTES; n++)
        CHECK(peer_envelope_decode((struct slice){bytes, n}, &back, &body) == ERR_CORRUPT);
    bytes[1]++;
    CHECK(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &back, &body) == ERR_FORMAT);
    bytes[1]--;
    bytes[0] = 0;
    CHECK(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &back, &body) == ERR_FORMAT);
    bytes[0] = 200;
    CHECK(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &back, &body) == ERR_FORMAT);
}

TEST_MAIN()
