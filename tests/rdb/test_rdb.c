#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/dump_format.h"
#include "rdb/rdb_reader.h"
#include "rdb/rdb_value.h"
#include "rdb/rdb_writer.h"
#include "base/mem.h"
#include "tests/test.h"

/* tests/data/redis7.rdb was saved by redis-server 7.0.15: every type in its encodings, a library of functions, an expiry,
 * two databases. */

static struct slice read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t bytes[4096];
    size_t n;

    REQUIRE(f != NULL);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0) {
        buf_append(out, bytes, n);
    }
    (void)fclose(f);
    return buf_slice(out);
}

/* A line per key: "db type name expiry". */
static enum err list_keys(struct slice file, struct buf *text, struct buf *why)
{
    struct rdb_reader r;
    struct rdb_key key;
    enum err error = rdb_reader_init(&r, file, why);

    while (!error && (error = rdb_reader_next(&r, &key, why)) == ERR_OK) {
        buf_printf(text, "%llu %s %.*s", (unsigned long long)key.db, rdb_type_name(key.type), (int)key.name.n,
                   (const char *)key.name.p);
        if (key.expiry_ms != RDB_NO_EXPIRY) {
            buf_printf(text, " %lld", (long long)key.expiry_ms);
        }
        buf_append_byte(text, '\n');
    }
    rdb_reader_deinit(&r);
    return error;
}

static bool has_line(const struct buf *text, const char *line)
{
    struct slice all = buf_slice(text);
    size_t n = strlen(line);

    for (size_t i = 0; i + n < all.n; i++) {
        if ((i == 0 || all.p[i - 1] == '\n') && memcmp(all.p + i, line, n) == 0 && all.p[i + n] == '\n') {
            return true;
        }
    }
    return false;
}

TEST(a_file_of_redis_is_read)
{
    static const char *const line[] = {"0 string plain", "0 string number", "0 string repeated", "0 string empty",
                                       "0 string 77 4102444800123", "0 list list", "0 list biglist", "0 set ints", "0 set words",
                                       "0 zset zsmall", "0 zset zbig", "0 hash hsmall", "0 hash hbig", "0 stream stream",
                                       "0 stream trimmed", "0 string hll", "0 string bits", "5 string in5"};
    struct buf file = {0};
    struct buf text = {0};
    struct buf why = {0};
    size_t lines = 0;

    CHECK_EQ_INT(list_keys(read_file("tests/data/redis7.rdb", &file), &text, &why), ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        test_context("%s", line[i]);
        CHECK(has_line(&text, line[i]));
    }
    for (size_t i = 0; i < buf_size(&text); i++) {
        lines += buf_slice(&text).p[i] == '\n' ? 1 : 0;
    }
    CHECK_EQ_INT((int64_t)lines, 21);
    buf_deinit(&file);
    buf_deinit(&text);
    buf_deinit(&why);
}

/* The same file, its checksum switched off (0), so that the reader itself must notice. */
TEST(a_file_that_is_cut_or_damaged_is_refused)
{
    struct buf file = {0};
    struct buf text = {0};
    struct buf why = {0};
    struct slice whole = read_file("tests/data/redis7.rdb", &file);
    uint8_t *copy = mem_alloc(whole.n);

    for (size_t n = 0; n < whole.n; n++) { /* cut: always refused */
        memcpy(copy, whole.p, n);
        memset(copy + (n > 8 ? n - 8 : 0), 0, n > 8 ? 8 : n);
        buf_clear(&why, 0);
        enum err error = list_keys((struct slice){copy, n}, &text, &why);
        test_context("%zu bytes", n);
        CHECK(error == ERR_CORRUPT || error == ERR_INVALID);
        CHECK(buf_size(&why) > 0);
        buf_clear(&text, 0);
    }
    for (size_t at = 9; at < whole.n - 8; at++) { /* one byte: the checksum says so */
        memcpy(copy, whole.p, whole.n);
        copy[at] = (uint8_t)(copy[at] ^ 0x41);
        buf_clear(&why, 0);
        test_context("byte %zu", at);
        CHECK_EQ_INT(list_keys((struct slice){copy, whole.n}, &text, &why), ERR_CORRUPT);
        CHECK(strncmp((const char *)buf_slice(&why).p, "the checksum does not fit", 25) == 0);
        memset(copy + whole.n - 8, 0, 8); /* without one: anything but a crash, a hang or a read outside */
        (void)list_keys((struct slice){copy, whole.n}, &text, &why);
        buf_clear(&text, 0);
    }
    mem_free(copy);
    buf_deinit(&file);
    buf_deinit(&text);
    buf_deinit(&why);
}

TEST(heads_and_versions)
{
    static const struct {
        const char *file;
        enum err error;
        const char *why;
    } row[] = {
        {"", ERR_INVALID, "it does not begin as an RDB file does (REDIS and four digits)"},
        {"REDIS00", ERR_INVALID, "it does not begin as an RDB file does (REDIS and four digits)"},
        {"REDIS00x9\xff", ERR_INVALID, "it does not begin as an RDB file does (REDIS and four digits)"},
        {"REDIS0011\xff........", ERR_FORMAT, "RDB version 11; versions 1 to 10 are read, which Redis up to 7.0 writes"},
        {"REDIS0000\xff", ERR_FORMAT, "RDB version 0; versions 1 to 10 are read, which Redis up to 7.0 writes"},
        {"REDIS0003\xff", ERR_NOT_FOUND, ""}, /* no checksum yet in that version */
        {"REDIS0003", ERR_CORRUPT, "damaged or cut short at byte 9 of 9: the mark of its end is missing"},
        {"REDIS0003\xff.", ERR_CORRUPT, "damaged or cut short at byte 10 of 11: there is more behind its end"},
        {"REDIS0003\xfc.", ERR_CORRUPT, "damaged or cut short at byte 9 of 11: a record that is not understood"},
        {"REDIS0003\x06.", ERR_CORRUPT, "byte 9 of 11: value type 6 is none of Redis 7.0's"},
        {"REDIS0009\xff...", ERR_CORRUPT, "the file ends after 13 bytes, before its checksum"},
    };
    struct buf text = {0};
    struct buf why = {0};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        test_context("row %zu", i);
        buf_clear(&why, 0);
        CHECK_EQ_INT(list_keys(slice_from_cstr(row[i].file), &text, &why), row[i].error);
        buf_append_byte(&why, 0);
        CHECK_EQ_STR((const char *)buf_slice(&why).p, row[i].why);
    }
    buf_deinit(&text);
    buf_deinit(&why);
}

/* What stands in the file is what RESTORE takes, and what DUMP answers makes the same file again. */
TEST(a_file_is_written_as_it_was_read)
{
    struct buf file = {0};
    struct buf before = {0};
    struct buf after = {0};
    struct buf payload = {0};
    struct buf why = {0};
    struct buf written = {0};
    struct rdb_reader r;
    struct rdb_writer w;
    struct rdb_key key;
    uint64_t db = UINT64_MAX;

    struct slice whole = read_file("tests/data/redis7.rdb", &file);
    REQUIRE(list_keys(whole, &before, &why) == ERR_NOT_FOUND);
    REQUIRE(rdb_reader_init(&r, whole, &why) == ERR_OK);
    rdb_writer_init(&w);
    rdb_writer_begin(&w, "7.0.15", 1000);
    while (rdb_reader_next(&r, &key, &why) == ERR_OK) {
        buf_clear(&payload, 0);
        rdb_append_payload(&r, &key, &payload);
        if (key.db != db) {
            db = key.db;
            rdb_writer_select(&w, (uint32_t)db, 20, 1);
        }
        CHECK(rdb_writer_key(&w, key.name, key.expiry_ms, buf_slice(&payload)));
        buf_append_slice(&written, buf_slice(&w.out));
        rdb_writer_written(&w);
        payload.data[payload.start + 1] ^= 1;
        CHECK(!rdb_writer_key(&w, key.name, key.expiry_ms, buf_slice(&payload)));
    }
    rdb_writer_end(&w);
    buf_append_slice(&written, buf_slice(&w.out));
    CHECK_EQ_INT((int64_t)r.functions, 1);
    CHECK_EQ_INT(list_keys(buf_slice(&written), &after, &why), ERR_NOT_FOUND);
    CHECK(slice_equal(buf_slice(&before), buf_slice(&after)));
    rdb_writer_deinit(&w);
    rdb_reader_deinit(&r);
    buf_deinit(&file);
    buf_deinit(&before);
    buf_deinit(&after);
    buf_deinit(&payload);
    buf_deinit(&why);
    buf_deinit(&written);
}

/* Old files: whole seconds, lists and sets of plain strings, scores as text. */
TEST(older_encodings)
{
    static const char file[] = "REDIS0003\xfe\x02"
                               "\xfd\x78\x56\x34\x12\x00\x01k\x01v"
                               "\x01\x01l\x02\x01"
                               "a\xc0\x05"
                               "\x03\x01z\x03\x01"
                               "a\x03"
                               "1.5\x01"
                               "b\xfe\x01"
                               "c\xfd"
                               "\x04\x01h\x01\x01"
                               "f\xc3\x04\x05\x00"
                               "aa\x00" /* LZF: 4 bytes make 5 */
                               "\xf8\x3f\xf9\x07\x00\x01i\x01j"
                               "\xff";
    struct buf text = {0};
    struct buf why = {0};

    CHECK_EQ_INT(list_keys((struct slice){(const uint8_t *)file, sizeof file - 1}, &text, &why), ERR_NOT_FOUND);
    buf_append_byte(&text, 0);
    CHECK_EQ_STR((const char *)buf_slice(&text).p, "2 string k 305419896000\n2 list l\n2 zset z\n2 hash h\n2 string i\n");
    buf_deinit(&text);
    buf_deinit(&why);
}

TEST_MAIN()
