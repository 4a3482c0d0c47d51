/* Requests, whatever the bytes. The first byte of an input says where to cut the rest in two.
 *
 * Checked: fed whole, in two pieces and byte by byte, each time at another place, the parser says
 * the same; every argument lies inside the input or the parser's own words; memory stays within its
 * promise; the front door decides the same too, and what it calls RESP or inline is never HTTP. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "resp/front_door.h"
#include "resp/resp_parser.h"
#include "tests/fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void log_command(struct buf *log, const struct command *c)
{
    buf_printf(log, "%zu:", c->arg_count);
    for (size_t i = 0; i < c->arg_count; i++) {
        buf_printf(log, "%zu:", c->arg[i].n);
        buf_append_slice(log, c->arg[i]);
    }
}

/* Read all commands of `shown`, a copy on the heap of its own size, so that ASan sees any step
 * past it. Returns how many bytes were consumed. */
static size_t read_commands(struct resp_parser *p, struct slice shown, struct buf *log)
{
    uint8_t *copy = mem_alloc(shown.n > 0 ? shown.n : 1);
    if (shown.n > 0) {
        memcpy(copy, shown.p, shown.n);
    }
    size_t begin = 0;
    for (;;) {
        struct slice input = {copy + begin, shown.n - begin};
        struct command command = {0};
        size_t consumed = 0;
        enum parse_result result = resp_parser_next(p, input, &command, &consumed);
        ASSERT(consumed <= input.n);
        ASSERT((consumed > 0) == (result == PARSE_OK || result == PARSE_EMPTY));
        ASSERT(resp_parser_memory(p) <= 65536 + 8 * shown.n);
        if (result == PARSE_OK) {
            ASSERT(command.arg_count >= 1);
            log_command(log, &command);
        } else if (result != PARSE_EMPTY) {
            break;
        }
        begin += consumed;
    }
    mem_free(copy);
    return begin;
}

static void
read_in_pieces(struct slice input, size_t first, size_t then, bool is_open, struct buf *log)
{
    struct resp_parser p;
    resp_parser_init(&p);
    p.is_authenticated = is_open;
    size_t begin = 0;
    size_t end = first < input.n ? first : input.n;
    for (;;) {
        begin += read_commands(&p, (struct slice){input.p + begin, end - begin}, log);
        if (end == input.n) {
            break;
        }
        end = input.n - end < then ? input.n : end + then;
    }
    if (p.state == RESP_FAILED) {
        buf_printf(log, "error %s", resp_parser_error(&p));
    } else {
        buf_printf(log, "left %zu", input.n - begin);
    }
    resp_parser_deinit(&p);
}

static enum front_door_kind decide(struct slice input, size_t first, size_t then)
{
    struct front_door door;
    front_door_init(&door);
    size_t end = first < input.n ? first : input.n;
    for (;;) {
        enum front_door_kind kind = front_door_decide(&door, (struct slice){input.p, end});
        if (kind != FRONT_DOOR_NEED_MORE || end == input.n) {
            return kind;
        }
        end = input.n - end < then ? input.n : end + then;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Longer lines may be cut where it matters: Redis's own rule, see resp_parser.h. */
    if (size < 1 || size > LIMIT_INLINE_BYTES) {
        return 0;
    }
    struct slice input = {data + 1, size - 1};
    size_t cut = data[0] % (input.n + 1);
    bool is_open = data[0] < 200;
    arena_begin();
    struct buf whole = {0};
    struct buf two = {0};
    struct buf single = {0};
    read_in_pieces(input, input.n, 1, is_open, &whole);
    read_in_pieces(input, cut, input.n + 1, is_open, &two);
    ASSERT(slice_equal(buf_slice(&whole), buf_slice(&two)));
    enum front_door_kind kind = decide(input, input.n, 1);
    ASSERT(kind == decide(input, cut, input.n + 1));
    if (input.n < 512) { /* Copying all for each byte is quadratic. */
        read_in_pieces(input, 1, 1, is_open, &single);
        ASSERT(slice_equal(buf_slice(&whole), buf_slice(&single)));
        ASSERT(kind == decide(input, 1, 1));
    }
    buf_deinit(&whole);
    buf_deinit(&two);
    buf_deinit(&single);
    arena_end();
    return 0;
}
