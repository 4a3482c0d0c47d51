#include "base/codec.h"

#include "tests/test.h"

#include "base/buf.h"

TEST(little_endian_layout)
{
    uint8_t p[8];
    put_u16(p, 0x0102);
    CHECK_EQ_BYTES(p, 2, "\x02\x01", 2);
    put_u32(p, 0x01020384);
    CHECK_EQ_BYTES(p, 4, "\x84\x03\x02\x01", 4);
    CHECK_EQ_UINT(get_u32(p), 0x01020384);
    put_u64(p, 0xf102030405060788u);
    CHECK_EQ_BYTES(p, 8, "\x88\x07\x06\x05\x04\x03\x02\xf1", 8);
    CHECK_EQ_UINT(get_u64(p), 0xf102030405060788u);
    CHECK_EQ_UINT(get_u16(p), 0x0788);
}

static void write_everything(struct buf *b)
{
    write_u8(b, 0xab);
    write_u16(b, 0xfffe);
    write_u32(b, 0xdeadbeef);
    write_u64(b, UINT64_MAX - 1);
    write_blob(b, SLICE_LITERAL("blob"));
    write_blob(b, (struct slice){NULL, 0});
    buf_append(b, "xyz", 3);
}

TEST(writes_and_reads_back)
{
    struct buf b = {0};
    write_everything(&b);
    struct reader r = reader_of(buf_slice(&b));
    CHECK_EQ_UINT(read_u8(&r), 0xab);
    CHECK_EQ_UINT(read_u16(&r), 0xfffe);
    CHECK_EQ_UINT(read_u32(&r), 0xdeadbeef);
    CHECK_EQ_UINT(read_u64(&r), UINT64_MAX - 1);
    CHECK_EQ_SLICE(read_blob(&r), "blob");
    CHECK_EQ_SLICE(read_blob(&r), "");
    CHECK(!reader_done(&r));
    CHECK_EQ_SLICE(read_bytes(&r, 3), "xyz");
    CHECK(reader_done(&r));
    CHECK_EQ_UINT(read_u8(&r), 0);
    CHECK(r.failed && !reader_done(&r));
    buf_deinit(&b);
}

TEST(every_prefix_fails_and_reads_nothing_beyond)
{
    struct buf b = {0};
    write_everything(&b);
    for (size_t n = 0; n < buf_size(&b); n++) {
        uint8_t *copy = test_guard_copy(b.data, n);
        struct reader r = reader_of((struct slice){copy, n});
        read_u8(&r);
        read_u16(&r);
        read_u32(&r);
        read_u64(&r);
        read_blob(&r);
        read_blob(&r);
        struct slice rest = read_bytes(&r, 3);
        test_context("prefix of %zu bytes", n);
        CHECK(r.failed && !reader_done(&r));
        CHECK_EQ_INT(rest.n, 0);
        test_guard_free(copy, n);
    }
    buf_deinit(&b);
}

TEST(a_failure_is_sticky)
{
    struct reader r = reader_of(SLICE_LITERAL("\x01\x02\x03"));
    CHECK_EQ_UINT(read_u32(&r), 0);
    CHECK_EQ_UINT(read_u8(&r), 0);
    CHECK_EQ_INT(read_bytes(&r, 0).n, 0);
    CHECK(r.failed);
}

TEST(a_blob_length_beyond_the_end_fails)
{
    struct reader r = reader_of(SLICE_LITERAL("\xff\xff\xff\xff"
                                              "abc"));
    CHECK_EQ_INT(read_blob(&r).n, 0);
    CHECK(r.failed);
}

TEST_MAIN()
