#include "base/codec.h"
#include "base/prng.h"
#include "node/exec_payload.h"
#include "node/peer_message.h"
#include "node/proposal.h"
#include "tests/test.h"

/* Bytes of other nodes, and of the log: decoders refuse nonsense and read nothing beyond it. */

TEST(envelopes_round_trip_and_refuse_nonsense)
{
    const struct peer_envelope made = {
        .kind = PEER_TAIL, .refuses = 3, .log_time_ms = 5, .wall_ms = 1ll << 52, .bulk_sent = 7, .bulk_received = 8, .applied = 9};
    uint8_t bytes[PEER_ENVELOPE_BYTES + 1];
    struct peer_envelope e;
    struct slice body;
    peer_envelope_encode(&made, bytes);
    bytes[PEER_ENVELOPE_BYTES] = 'x';
    REQUIRE(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &e, &body) == ERR_OK);
    CHECK(e.kind == made.kind && e.refuses == 3 && e.log_time_ms == 5 && e.wall_ms == 1ll << 52 && e.bulk_sent == 7 &&
          e.bulk_received == 8 && e.applied == 9 && body.n == 1);
    for (size_t n = 0; n < PEER_ENVELOPE_BYTES; n++)
        CHECK_EQ_INT(peer_envelope_decode((struct slice){test_guard_copy(bytes, n), n}, &e, &body), ERR_CORRUPT);
    static const struct {
        size_t at;
        uint64_t value;
    } bad[] = {{4, UINT64_MAX}, {4, 1ull << 53}, {12, 1ull << 63}, {12, UINT64_MAX / 1000}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        peer_envelope_encode(&made, bytes);
        put_u64(bytes + bad[i].at, bad[i].value);
        CHECK_EQ_INT(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &e, &body), ERR_CORRUPT);
    }
    peer_envelope_encode(&made, bytes);
    bytes[0] = 200;
    CHECK_EQ_INT(peer_envelope_decode((struct slice){bytes, sizeof bytes}, &e, &body), ERR_FORMAT);
}

TEST(proposals_are_decoded_within_their_bytes)
{
    struct prng prng;
    uint8_t bytes[128];
    uint32_t whole = 0;
    prng_seed(&prng, 9);
    for (int round = 0; round < 20000; round++) {
        struct slice arg[4] = {{(const uint8_t *)"key", 3}, {(const uint8_t *)"", 0}, {(const uint8_t *)"value", 5}, {bytes, 0}};
        size_t count = (size_t)prng_below(&prng, 5);
        struct proposal head = {.number = 1, .version = 1, .db = 2, .member = 3, .session = 4, .seq = 5};
        size_t n = proposal_size(arg, count);
        proposal_encode(bytes, &head, arg, count);
        for (uint64_t flips = prng_below(&prng, 3); flips > 0; flips--)
            bytes[prng_below(&prng, n)] = (uint8_t)prng_below(&prng, 256);
        if (prng_below(&prng, 3) == 0)
            n = (size_t)prng_below(&prng, n + 1);
        struct proposal p;
        struct slice out[32];
        enum err e = proposal_decode((struct slice){bytes, n}, &p);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        if (e != ERR_OK)
            continue;
        REQUIRE(p.arg_count <= 32);
        if (proposal_args(&p, out) != ERR_OK)
            continue;
        whole++;
        for (uint32_t i = 0; i < p.arg_count; i++)
            CHECK(out[i].n == 0 || (out[i].p >= bytes && out[i].p + out[i].n <= bytes + n));
    }
    CHECK(whole > 1000);
}

TEST(exec_items_promise_no_more_than_their_bytes)
{
    uint8_t item_bytes[12] = {1, 0, 1, 0, 255, 255, 255, 255, 0, 0, 0, 0};
    struct exec_item item;
    CHECK_EQ_INT(exec_item_decode((struct slice){item_bytes, 12}, &item), ERR_CORRUPT);
    put_u32(item_bytes + 4, 1);
    REQUIRE(exec_item_decode((struct slice){item_bytes, 12}, &item) == ERR_OK);
    CHECK_EQ_UINT(item.arg_count, 2);
    uint8_t watch[4] = {255, 255, 255, 255};
    uint32_t count;
    struct slice rest;
    CHECK_EQ_INT(exec_watch_open((struct slice){watch, 4}, &count, &rest), ERR_CORRUPT);
}

TEST_MAIN()
