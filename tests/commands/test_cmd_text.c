#include "base/mem.h"
#include "base/limits.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

static struct slice run3(struct rows *r, struct slice a, struct slice b, struct slice c)
{
    return rows_run(r, (const struct slice[]){a, b, c}, 3);
}

TEST(replies_are_the_lines_of_the_grammar)
{
    struct rows r;
    rows_init(&r);
    r.protocol = REPLY_TEXT;
    static const struct {
        const char *line;
        const char *reply;
    } row[] = {{"text.get key1", "ERROR: Key not found.\n"},
               {"text.update key1 v", "ERROR: Key not found.\n"},
               {"text.delete key1", "ERROR: Key not found.\n"},
               {"text.put key1 value1", "SUCCESS: key1 -> value1 added.\n"},
               {"text.put key1 other", "ERROR: Key already exists.\n"},
               {"text.get key1", "key1 -> value1\n"},
               {"text.update key1 value2", "SUCCESS: key1 updated to value2.\n"},
               {"text.get key1", "key1 -> value2\n"},
               {"text.delete key1", "SUCCESS: key1 removed.\n"},
               {"text.get key1", "ERROR: Key not found.\n"},
               {"text.put key1 again", "SUCCESS: key1 -> again added.\n"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        CHECK(r.is_error == (row[i].reply[0] == 'E'));
    }
    rows_deinit(&r);
}

TEST(a_value_stays_on_its_line)
{
    struct rows r;
    rows_init(&r);
    r.protocol = REPLY_TEXT;
    struct slice reply =
        run3(&r, SLICE_LITERAL("text.put"), SLICE_LITERAL("a b"), SLICE_LITERAL("x\ny\"\xff"));
    CHECK_EQ_SLICE(reply, "SUCCESS: a b -> \"x\\ny\\\"\\xff\" added.\n");
    reply =
        rows_run(&r, (const struct slice[]){SLICE_LITERAL("text.get"), SLICE_LITERAL("a b")}, 2);
    CHECK_EQ_SLICE(reply, "a b -> \"x\\ny\\\"\\xff\"\n");
    rows_deinit(&r);
}

/* A value of many chunks, clean but for its last byte: the whole of it decides about quotes. */
TEST(a_value_of_many_chunks_is_one_line)
{
    struct rows r;
    rows_init(&r);
    size_t size = 3 * (size_t)LIMIT_VALUE_CHUNK_BYTES + 5;
    uint8_t *bytes = mem_alloc(size);
    memset(bytes, 'a', size);
    run3(&r, SLICE_LITERAL("set"), SLICE_LITERAL("k"), (struct slice){bytes, size});
    r.protocol = REPLY_TEXT;
    struct slice reply =
        rows_run(&r, (const struct slice[]){SLICE_LITERAL("text.get"), SLICE_LITERAL("k")}, 2);
    CHECK_EQ_UINT(reply.n, size + 6);
    CHECK_EQ_BYTES(reply.p + 5, size, bytes, size);
    bytes[size - 1] = '\n';
    r.protocol = REPLY_RESP2;
    run3(&r, SLICE_LITERAL("set"), SLICE_LITERAL("k"), (struct slice){bytes, size});
    r.protocol = REPLY_TEXT;
    reply = rows_run(&r, (const struct slice[]){SLICE_LITERAL("text.get"), SLICE_LITERAL("k")}, 2);
    CHECK_EQ_UINT(reply.n, size + 6 + 3);
    CHECK_EQ_BYTES(reply.p, 6, "k -> \"", 6);
    mem_free(bytes);
    rows_deinit(&r);
}

TEST(expired_keys_can_be_put_again)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k v px 5");
    r.time_ms += 4;
    CHECK_EQ_STR(rows_line(&r, "text.put k w"), "ERROR: Key already exists.\n");
    r.time_ms += 1;
    CHECK_EQ_STR(rows_line(&r, "text.update k w"), "ERROR: Key not found.\n");
    CHECK_EQ_STR(rows_line(&r, "text.put k w"), "SUCCESS: k -> w added.\n");
    CHECK_EQ_STR(rows_line(&r, "ttl k"), ":-1\r\n");
    rows_deinit(&r);
}

TEST_MAIN()
