#include <string.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "base/mem.h"
#include "storage/wal_format.h"
#include "tests/storage/model.h"
#include "tests/test.h"

/* The bytes of a batch: what goes in comes out, and nothing else ever does. */

static const struct wal_identity identity = {
    .cluster_id = 11, .node_id = 22, .incarnation = 3, .hash_seed = {44, 55}};

/* A head batch with one of each record. */
static void make_batch(struct buf *out, uint32_t sector_bytes)
{
    static struct model m;
    struct buf entry = {0};
    struct buf conf = {0};
    struct raft_conf c = {.member_count = 1};
    struct wal_batch_builder b;
    const uint32_t key = wal_key(&identity, 5);
    const struct wal_batch_header h = {.sector_bytes = sector_bytes,
                                       .segment = 5,
                                       .durable = wal_lsn_at(4, 4096),
                                       .chain_before = key,
                                       .node_id = 22};
    const struct wal_head head = {
        .previous = h.durable, .first_index = 10, .prev_term = 2, .identity = identity};
    const struct wal_node_state state = {.hard = {3, 4}, .session_number = 6};
    const struct wal_taint taint = {
        .health = WAL_SUSPECT, .suspect_term = 7, .suspect_last_index = 8, .suspect_last_term = 9};
    c.member[0] = (struct raft_member){.id = 22, .flags = RAFT_VOTER_NEW, .address = "h:1"};
    raft_conf_encode(&c, &conf);
    m.entry[7] = (struct model_entry){.term = 3, .payload_bytes = 333};
    model_entry_bytes(&m, 7, &entry);
    wal_batch_begin(&b, out, &h, key);
    wal_batch_add_head(&b, &head);
    wal_batch_add_state(&b, &state, &taint);
    wal_batch_add_conf(&b, 9, buf_slice(&conf));
    wal_batch_add_truncate(&b, 7, 1);
    wal_batch_add(&b, WAL_RECORD_ENTRY, buf_slice(&entry), (struct slice){NULL, 0});
    const struct wal_footer footer = {
        .state = state, .last_index = 7, .last_term = 3, .identity = identity};
    wal_batch_end(&b, &footer);
    buf_deinit(&entry);
    buf_deinit(&conf);
}

TEST(a_batch_comes_out_as_it_went_in)
{
    static const uint32_t sector[] = {512, 4096};
    for (size_t s = 0; s < 2; s++) {
        struct buf out = {0};
        make_batch(&out, sector[s]);
        struct slice bytes = buf_slice(&out);
        const uint32_t key = wal_key(&identity, 5);
        struct wal_batch_header h;
        struct wal_head head;
        REQUIRE(bytes.n % sector[s] == 0);
        REQUIRE(wal_batch_check(bytes, key, 5, 0, key, &h));
        CHECK_EQ_UINT(h.record_count, 5);
        CHECK_EQ_UINT(h.durable, wal_lsn_at(4, 4096));
        CHECK_EQ_UINT(bytes.n, wal_batch_bytes(h.body_bytes, h.sector_bytes));
        CHECK_EQ_INT(wal_head_probe((struct slice){bytes.p, WAL_HEAD_PROBE_BYTES}, 5, &head),
                     ERR_OK);
        CHECK(memcmp(&head.identity, &identity, sizeof(identity)) == 0);
        CHECK_EQ_UINT(head.first_index, 10);
        CHECK_EQ_INT(wal_head_probe(bytes, 6, &head), ERR_CORRUPT); /* another segment's number */

        struct slice rest = slice_skip(bytes, WAL_BATCH_HEADER_BYTES);
        uint32_t chain = key;
        struct wal_record record;
        static const enum wal_record_type type[] = {WAL_RECORD_HEAD, WAL_RECORD_STATE,
                                                    WAL_RECORD_CONF, WAL_RECORD_TRUNCATE,
                                                    WAL_RECORD_ENTRY};
        for (size_t i = 0; i < 5; i++) {
            REQUIRE(wal_record_decode(rest, key, chain, &record));
            CHECK_EQ_INT(record.type, type[i]);
            if (record.type == WAL_RECORD_STATE) {
                struct wal_node_state state;
                struct wal_taint taint;
                CHECK(wal_state_decode(record.payload, &state, &taint));
                CHECK(state.hard.term == 3 && state.hard.vote == 4 && state.session_number == 6);
                CHECK(taint.health == WAL_SUSPECT && taint.suspect_term == 7);
                CHECK(taint.suspect_last_index == 8 && taint.suspect_last_term == 9);
            }
            chain = record.chain;
            rest = slice_skip(rest, WAL_RECORD_HEADER_BYTES + record.payload.n);
        }
        CHECK_EQ_UINT(chain, h.chain_after);

        struct wal_footer f;
        const uint8_t *crc;
        const size_t at = (size_t)wal_padded_bytes(h.body_bytes, h.sector_bytes);
        REQUIRE(wal_footer_decode(slice_skip(bytes, at), 5, &f, &crc));
        CHECK(f.offset == 0 && f.body_bytes == h.body_bytes && f.unit_count == at / 512);
        CHECK(f.state.hard.term == 3 && f.state.hard.vote == 4 && f.last_index == 7);
        CHECK(f.last_term == 3 && memcmp(&f.identity, &identity, sizeof(identity)) == 0);
        buf_deinit(&out);
    }
}

/* Cut at every length, against a guard page: never read past the end, never accepted. */
TEST(no_prefix_of_a_batch_is_one)
{
    struct buf out = {0};
    make_batch(&out, 512);
    const uint32_t key = wal_key(&identity, 5);
    struct wal_batch_header h;
    struct wal_head head;
    struct wal_footer f;
    const uint8_t *crc;
    REQUIRE(wal_batch_check(buf_slice(&out), key, 5, 0, key, &h));
    const size_t footer_at = (size_t)wal_padded_bytes(h.body_bytes, 512);
    for (size_t n = 0; n < buf_size(&out); n++) {
        test_context("%zu bytes", n);
        uint8_t *p = test_guard_copy(buf_slice(&out).p, n);
        CHECK(wal_batch_check((struct slice){p, n}, key, 5, 0, key, &h) == (n >= h.body_bytes));
        (void)!wal_head_probe((struct slice){p, n}, 5, &head);
        if (n > footer_at) {
            (void)wal_footer_decode((struct slice){p + footer_at, n - footer_at}, 5, &f, &crc);
        }
        test_guard_free(p, n);
    }
    test_context("%s", "");
    buf_deinit(&out);
}

/* The body or the footer notices every flipped bit; the other one still stands. */
TEST(every_bit_counts)
{
    struct buf out = {0};
    make_batch(&out, 512);
    const uint32_t key = wal_key(&identity, 5);
    struct wal_batch_header h;
    struct wal_footer f;
    const uint8_t *crc;
    uint8_t *p = out.data + out.start;
    REQUIRE(wal_batch_check(buf_slice(&out), key, 5, 0, key, &h));
    const size_t body = (size_t)h.body_bytes;
    const size_t padded = (size_t)wal_padded_bytes(body, 512);
    const size_t footer = WAL_FOOTER_BYTES + 4 * (padded / 512);
    for (size_t bit = 0; bit < buf_size(&out) * 8; bit++) {
        const size_t at = bit / 8;
        p[at] = (uint8_t)(p[at] ^ (1u << (bit % 8)));
        bool body_holds = wal_batch_check(buf_slice(&out), key, 5, 0, key, &h);
        bool footer_holds = wal_footer_decode(slice_skip(buf_slice(&out), padded), 5, &f, &crc);
        if (body_holds != (at >= body) || footer_holds != (at < padded || at >= padded + footer)) {
            test_context("bit %zu", bit);
            CHECK(false);
        }
        p[at] = (uint8_t)(p[at] ^ (1u << (bit % 8)));
    }
    CHECK(wal_batch_check(buf_slice(&out), key, 5, 0, key, &h));
    buf_deinit(&out);
}

/* Bytes of another node, cluster, seed, segment, place or predecessor are not this log's (P8). */
TEST(a_batch_is_valid_in_its_place_only)
{
    struct buf out = {0};
    make_batch(&out, 512);
    struct slice bytes = buf_slice(&out);
    const uint32_t key = wal_key(&identity, 5);
    struct wal_batch_header h;
    CHECK(wal_batch_check(bytes, key, 5, 0, key, &h));
    CHECK(!wal_batch_check(bytes, key, 5, 512, key, &h));
    CHECK(!wal_batch_check(bytes, key, 6, 0, key, &h));
    CHECK(!wal_batch_check(bytes, key, 5, 0, key + 1, &h));
    for (int i = 0; i < 5; i++) {
        struct wal_identity other = identity;
        uint64_t *const field[] = {&other.cluster_id, &other.node_id, &other.hash_seed[0],
                                   &other.hash_seed[1], &other.incarnation};
        ++*field[i];
        const uint32_t k = wal_key(&other, 5);
        CHECK(wal_batch_check(bytes, k, 5, 0, k, &h) ==
              (i == 4)); /* a later start is no stranger */
    }
    CHECK(wal_key(&identity, 5) != wal_key(&identity, 6));
    buf_deinit(&out);
}

TEST(a_later_version_is_not_damage)
{
    struct buf out = {0};
    struct wal_head head;
    make_batch(&out, 512);
    uint8_t *p = out.data + out.start;
    CHECK_EQ_INT(wal_head_probe(buf_slice(&out), 5, &head), ERR_OK);
    put_u16(p + 8, WAL_FORMAT_VERSION + 1);
    CHECK_EQ_INT(wal_head_probe(buf_slice(&out), 5, &head), ERR_CORRUPT); /* a flipped bit */
    put_u32(p + 4, crc32c(wal_key(&identity, 5), p + 8, WAL_BATCH_HEADER_BYTES - 8));
    CHECK_EQ_INT(wal_head_probe(buf_slice(&out), 5, &head), ERR_FORMAT);
    buf_deinit(&out);
}

/* One footer sector covers 48 KiB; the footer of 64 MiB is 0.8 %. */
TEST(sizes_on_disk)
{
    CHECK_EQ_UINT(wal_batch_bytes(200, 512), 1024);
    CHECK_EQ_UINT(wal_batch_bytes(512, 512), 1024);
    CHECK_EQ_UINT(wal_batch_bytes(513, 512), 1536);
    CHECK_EQ_UINT(wal_batch_bytes(96 * 512, 512), 97 * 512);
    CHECK_EQ_UINT(wal_batch_bytes(96 * 512 + 1, 512), 99 * 512);
    CHECK_EQ_UINT(wal_batch_bytes(200, 4096), 8192);
    CHECK(wal_batch_bytes(64u << 20, 4096) < (64u << 20) / 100 * 101);
}

/* Checksums that are right around a content that isn't: a key that leaked, a program of another kind. Lengths are looked at before they are
 * used, numbers before they are believed (P8). */
TEST(a_record_that_says_nonsense_is_none)
{
    static const uint8_t bytes[200];
    static const struct {
        uint32_t type;
        size_t size;
        uint8_t first; /* byte of the payload ... */
        size_t at;     /* ... here */
    } bad[] = {
        {WAL_RECORD_HEAD, 63, 1, 8},  {WAL_RECORD_HEAD, 64, 0, 0},      {WAL_RECORD_STATE, 55, 0, 0},   {WAL_RECORD_STATE, 57, 0, 0},
        {WAL_RECORD_STATE, 56, 9, 24}, {WAL_RECORD_CONF, 7, 0, 0},      {WAL_RECORD_CONF, 8, 0, 0},     {WAL_RECORD_CONF, 60, 255, 8},
        {WAL_RECORD_TRUNCATE, 15, 1, 0}, {WAL_RECORD_TRUNCATE, 16, 0, 0}, {WAL_RECORD_ENTRY, 0, 0, 0},  {WAL_RECORD_ENTRY, 39, 39, 0},
        {WAL_RECORD_ENTRY, 41, 40, 0}, {0, 20, 0, 0},                   {6, 20, 0, 0},                  {UINT32_MAX, 20, 0, 0},
        {WAL_RECORD_HEAD, 64, 1, 8},  /* right, but nowhere than at the front */
    };
    const uint32_t key = wal_key(&identity, 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_context("%zu", i);
        struct buf out = {0};
        struct wal_batch_builder b;
        struct wal_batch_header h = {.sector_bytes = 512, .segment = 5, .offset = 512, .chain_before = 9, .node_id = 22};
        uint8_t payload[200];
        memcpy(payload, bytes, sizeof payload);
        payload[bad[i].at] = bad[i].first;
        wal_batch_begin(&b, &out, &h, key);
        wal_batch_add(&b, (enum wal_record_type)bad[i].type, (struct slice){payload, bad[i].size}, (struct slice){NULL, 0});
        wal_batch_end(&b, &(struct wal_footer){.identity = identity});
        CHECK(!wal_batch_check(buf_slice(&out), key, 5, 512, 9, &h));
        buf_deinit(&out);
    }
}

/* The header of a batch, changed and sealed again. */
TEST(a_header_that_says_nonsense_is_none)
{
    static const struct {
        size_t at;
        uint64_t value; /* eight bytes from there */
        enum err probe;
        bool is_sound; /* as a batch: HEAD alone repeats it, or the key says it already */
    } bad[] = {
        {8, 2 | 9 << 16 | 5ull << 32, ERR_FORMAT, false},     /* a later version */
        {8, 1 | 8 << 16 | 5ull << 32, ERR_CORRUPT, false},    /* sectors of 256 bytes */
        {8, 1 | 17 << 16 | 5ull << 32, ERR_CORRUPT, false},
        {8, 1 | 9 << 16 | 6ull << 32, ERR_OK, false},         /* a record too many: seen by who reads them */
        {16, 6, ERR_CORRUPT, false},                          /* another segment */
        {24, 512, ERR_CORRUPT, false},                        /* another place */
        {32, 77, ERR_CORRUPT, true},                         /* not what HEAD says of it */
        {40, 63, ERR_CORRUPT, false},                         /* a body shorter than its header */
        {40, 1ull << 40, ERR_CORRUPT, false},                 /* ... longer than a segment can be */
        {48, 1, ERR_CORRUPT, false},                          /* another chain */
        {56, 23, ERR_CORRUPT, true},                         /* another node */
    };
    const uint32_t key = wal_key(&identity, 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_context("%zu", i);
        struct buf out = {0};
        struct wal_batch_header h;
        struct wal_head head;
        make_batch(&out, 512);
        uint8_t *p = out.data + out.start;
        put_u64(p + bad[i].at, bad[i].value);
        put_u32(p + 4, crc32c(key, p + 8, WAL_BATCH_HEADER_BYTES - 8));
        CHECK_EQ_INT(wal_head_probe(buf_slice(&out), 5, &head), bad[i].probe);
        CHECK_EQ_INT(wal_batch_check(buf_slice(&out), key, 5, 0, key, &h), bad[i].is_sound);
        buf_deinit(&out);
    }
}

/* A head by itself: of its length only, from entry 1 on, of some node. */
TEST(a_head_says_where_it_begins_and_whose_it_is)
{
    uint8_t bytes[65] = {0};
    struct wal_head head;
    struct slice whole = {bytes, 64};
    put_u64(bytes + 8, 10);
    put_u64(bytes + 32, 22);
    CHECK(wal_head_decode(whole, &head));
    CHECK_EQ_UINT(head.first_index, 10);
    CHECK_EQ_UINT(head.identity.node_id, 22);
    CHECK(!wal_head_decode((struct slice){bytes, 63}, &head));
    CHECK(!wal_head_decode((struct slice){bytes, 65}, &head));
    put_u64(bytes + 8, 0);
    CHECK(!wal_head_decode(whole, &head));
    put_u64(bytes + 8, UINT64_MAX / 2);
    CHECK(!wal_head_decode(whole, &head));
    put_u64(bytes + 8, 10);
    put_u64(bytes + 32, 0);
    CHECK(!wal_head_decode(whole, &head));
}

TEST_MAIN()
