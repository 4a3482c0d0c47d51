/* Replies, whatever the bytes: the reader of tests and tools must survive a bad server, and must
 * say the same whole and in two pieces. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "resp/resp_value.h"
#include "tests/fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void log_value(struct buf *log, const struct resp_value *v, size_t depth)
{
    ASSERT(depth <= RESP_VALUE_DEPTH_MAX);
    buf_printf(log, "%d %lld %zu:", (int)v->type, (long long)v->integer, v->child_count);
    buf_append_slice(log, v->text);
    for (size_t i = 0; i < v->child_count; i++) {
        log_value(log, &v->child[i], depth + 1);
    }
}

static size_t
read_values(struct resp_value_reader *r, struct slice shown, struct buf *log, bool *is_bad)
{
    uint8_t *copy = mem_alloc(shown.n > 0 ? shown.n : 1);
    if (shown.n > 0) {
        memcpy(copy, shown.p, shown.n);
    }
    size_t begin = 0;
    while (!*is_bad) {
        struct slice input = {copy + begin, shown.n - begin};
        struct resp_value *value = NULL;
        size_t consumed = 0;
        enum parse_result result = resp_value_next(r, input, &value, &consumed);
        ASSERT((result == PARSE_OK) == (value != NULL) && consumed <= input.n);
        if (result != PARSE_OK) {
            *is_bad = result == PARSE_ERROR;
            break;
        }
        log_value(log, value, 0);
        resp_value_free(value);
        begin += consumed;
    }
    mem_free(copy);
    return begin;
}

static void read_in_two(struct slice input, size_t cut, struct buf *log)
{
    struct resp_value_reader r = {0};
    bool is_bad = false;
    size_t begin = read_values(&r, (struct slice){input.p, cut}, log, &is_bad);
    begin += read_values(&r, slice_skip(input, begin), log, &is_bad);
    buf_printf(log, "%s %zu", is_bad ? "bad" : "left", input.n - begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) {
        return 0;
    }
    struct slice input = {data + 1, size - 1};
    arena_begin();
    struct buf whole = {0};
    struct buf two = {0};
    read_in_two(input, input.n, &whole);
    read_in_two(input, data[0] % (input.n + 1), &two);
    ASSERT(slice_equal(buf_slice(&whole), buf_slice(&two)));
    buf_deinit(&whole);
    buf_deinit(&two);
    arena_end();
    return 0;
}
