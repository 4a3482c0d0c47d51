#include "raft/entry.h"

#include "base/codec.h"
#include "tests/test.h"

static size_t make(uint8_t *at, const char *payload)
{
    size_t n = strlen(payload);
    entry_begin(at, RAFT_ENTRY_COMMAND, -5, n);
    memcpy(at + ENTRY_HEADER_BYTES, payload, n);
    entry_seal(at, 7, 3);
    return ENTRY_HEADER_BYTES + n;
}

TEST(round_trip)
{
    uint8_t bytes[128];
    struct raft_entry e;
    size_t n = make(bytes, "hello");
    REQUIRE(entry_decode((struct slice){bytes, sizeof(bytes)}, &e) == ERR_OK);
    CHECK_EQ_UINT(e.index, 7);
    CHECK_EQ_UINT(e.term, 3);
    CHECK_EQ_INT(e.time_ms, -5);
    CHECK_EQ_INT(e.type, RAFT_ENTRY_COMMAND);
    CHECK_EQ_UINT(e.bytes.n, n);
    CHECK_EQ_SLICE(e.payload, "hello");
    CHECK(e.chunk == NULL);
}

TEST(layout_is_fixed)
{
    uint8_t bytes[64];
    make(bytes, "x");
    CHECK_EQ_UINT(get_u32(bytes), 41);
    CHECK_EQ_UINT(get_u64(bytes + 8), 7);
    CHECK_EQ_UINT(get_u64(bytes + 16), 3);
    CHECK_EQ_UINT(get_u64(bytes + 24), (uint64_t)-5);
    CHECK_EQ_UINT(bytes[32], 3);
    CHECK_EQ_UINT(bytes[33], RAFT_ENTRY_VERSION);
    CHECK_EQ_UINT(get_u16(bytes + 34), 0);
    CHECK_EQ_UINT(get_u32(bytes + 36), 0);
    /* CRC32C of bytes 8..40, computed once by another implementation's algorithm: bit by bit. */
    uint32_t crc = 0xffffffffu;
    for (size_t i = 8; i < 41; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        }
    }
    CHECK_EQ_UINT(get_u32(bytes + 4), crc ^ 0xffffffffu);
}

TEST(sealing_again_changes_index_and_term_only)
{
    uint8_t a[64];
    uint8_t b[64];
    size_t n = make(a, "abc");
    make(b, "abc");
    entry_seal(b, 8, 4);
    CHECK_EQ_BYTES(a + 24, n - 24, b + 24, n - 24);
    CHECK(memcmp(a + 4, b + 4, 4) != 0);
}

TEST(every_truncation_is_partial)
{
    uint8_t bytes[128];
    struct raft_entry e;
    size_t n = make(bytes, "some payload");
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = test_guard_copy(bytes, cut);
        enum err got = entry_decode((struct slice){copy, cut}, &e);
        test_guard_free(copy, cut);
        test_context("cut at %zu", cut);
        CHECK_EQ_INT(got, ERR_TOO_BIG);
    }
}

TEST(every_flipped_bit_is_found)
{
    uint8_t bytes[128];
    struct raft_entry e;
    size_t n = make(bytes, "payload");
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum err got = entry_decode((struct slice){bytes, n}, &e);
        test_context("bit %zu", bit);
        CHECK(got == ERR_CORRUPT || (bit < 32 && got == ERR_TOO_BIG));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST(unknown_types_and_versions)
{
    uint8_t bytes[64];
    struct raft_entry e;
    size_t n = make(bytes, "x");
    for (unsigned type = 0; type < 256; type++) {
        bytes[32] = (uint8_t)type;
        entry_seal(bytes, 1, 1);
        CHECK_EQ_INT(entry_decode((struct slice){bytes, n}, &e),
                     type >= 1 && type <= 3 ? ERR_OK : ERR_FORMAT);
    }
    bytes[32] = 1;
    bytes[33] = 2;
    entry_seal(bytes, 1, 1);
    CHECK_EQ_INT(entry_decode((struct slice){bytes, n}, &e), ERR_FORMAT);
    bytes[33] = 1;
    bytes[35] = 1;
    entry_seal(bytes, 1, 1);
    CHECK_EQ_INT(entry_decode((struct slice){bytes, n}, &e), ERR_CORRUPT);
}

TEST(sizes_out_of_range)
{
    uint8_t bytes[64] = {0};
    struct raft_entry e;
    put_u32(bytes, ENTRY_HEADER_BYTES - 1);
    CHECK_EQ_INT(entry_decode((struct slice){bytes, sizeof(bytes)}, &e), ERR_CORRUPT);
    put_u32(bytes, LIMIT_ENTRY_BYTES + 1);
    CHECK_EQ_INT(entry_decode((struct slice){bytes, sizeof(bytes)}, &e), ERR_CORRUPT);
    put_u32(bytes, LIMIT_ENTRY_BYTES);
    CHECK_EQ_INT(entry_decode((struct slice){bytes, sizeof(bytes)}, &e), ERR_TOO_BIG);
    /* Zeros are no entry. */
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQ_INT(entry_decode((struct slice){bytes, sizeof(bytes)}, &e), ERR_CORRUPT);
}

TEST_MAIN()
