/* Requests: RESP arrays of bulks, and inline lines.
 *
 *   *2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n        state           position
 *   ^                                        AT_COMMAND      0
 *         ^                                  AT_BULK_HEADER  offset of '$'
 *             ^                              IN_BULK         offset of the first byte
 *
 * RESP_AT_COMMAND -> RESP_AT_BULK_HEADER   resp_read_count
 * RESP_AT_BULK_HEADER -> RESP_IN_BULK      resp_read_bulk_header
 * RESP_IN_BULK -> RESP_AT_BULK_HEADER      resp_read_args, which takes the argument
 * any -> RESP_AT_COMMAND                   the command is complete
 * any -> RESP_FAILED                       resp_fail; final
 *
 * Invariants:
 * P1  Nothing is consumed before a command is complete, so arguments are kept as offsets from the
 *     front of the input; they become slices in one pass at the end.
 * P2  Memory grows with the arguments that arrived, never with the count that was announced.
 * P3  No byte is looked at twice for a line end: `scanned` remembers how far the search came.
 *
 * Redis searches line ends with strchr, so a NUL in a line hides what follows: resp_find_byte
 * keeps that. It also takes any byte for the LF behind a CR and for the two bytes behind a bulk. */
#include "resp/resp_parser.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"

#define RESP_FIRST_ARGS 16u  /* room of the first allocation */
#define RESP_KEEP_ARGS 1024u /* a larger array is given back before the next command */

/* An argument while the command is read, and afterwards: see P1. */
union resp_arg {
    struct {
        size_t offset;
        size_t size;
    } at;
    struct slice slice;
};

/* struct command walks the array by slices. */
STATIC_ASSERT(sizeof(union resp_arg) == sizeof(struct slice), "an argument is exactly one slice");

void resp_parser_init(struct resp_parser *p)
{
    *p = (struct resp_parser){
        .is_authenticated = true,
        .max_bulk_bytes = LIMIT_BULK_BYTES,
        .state = RESP_AT_COMMAND,
    };
    word_list_init(&p->words);
}

void resp_parser_deinit(struct resp_parser *p)
{
    mem_free(p->args);
    p->args = NULL;
    word_list_deinit(&p->words);
}

static enum parse_result resp_fail(struct resp_parser *p, const char *message)
{
    p->state = RESP_FAILED;
    (void)snprintf(p->error, sizeof p->error, "ERR Protocol error: %s", message);
    return PARSE_ERROR;
}

static enum parse_result resp_fail_expected_dollar(struct resp_parser *p, uint8_t got)
{
    char message[] = "expected '$', got '?'";
    /* An error is one line. */
    message[sizeof message - 3] = (char)(got == '\r' || got == '\n' ? ' ' : got);
    return resp_fail(p, message);
}

/* Offset of the first `wanted` in line.p[from..], as strchr would find it; line.n if there is
 * none, or the offset of a NUL that hides it. The caller looks which byte it got. */
static size_t resp_find_byte(struct slice line, size_t from, uint8_t wanted)
{
    if (from >= line.n || line.p[from] == 0) {
        return from;
    }
    const uint8_t *hit = memchr(line.p + from, wanted, line.n - from);
    size_t end = hit ? (size_t)(hit - line.p) : line.n;
    const uint8_t *nul = memchr(line.p + from, 0, end - from);
    return nul ? (size_t)(nul - line.p) : end;
}

/* The common header: one to nine digits, CR and another byte, all there. Returns its length with
 * the line end, or 0: then the slow way decides. */
static size_t resp_short_number(struct slice s, size_t *value)
{
    size_t limit = s.n < 9 ? s.n : 9;
    size_t n = 0;
    size_t v = 0;
    while (n < limit && s.p[n] >= '0' && s.p[n] <= '9') {
        v = v * 10 + (size_t)(s.p[n] - '0');
        n++;
    }
    bool is_canonical = n > 0 && (n == 1 || s.p[0] != '0');
    if (!is_canonical || n + 2 > s.n || s.p[n] != '\r') {
        return 0;
    }
    *value = v;
    return n + 2;
}

/* Find the CR of the header line at p->position. PARSE_OK: *size is the line's length without
 * its end, which is complete. */
static enum parse_result
resp_header_end(struct resp_parser *p, struct slice line, const char *too_big, size_t *size)
{
    p->scanned = resp_find_byte(line, p->scanned, '\r');
    if (p->scanned == line.n || line.p[p->scanned] != '\r') {
        return line.n > LIMIT_INLINE_BYTES ? resp_fail(p, too_big) : PARSE_NEED_MORE;
    }
    if (p->scanned + 2 > line.n) {
        return PARSE_NEED_MORE;
    }
    *size = p->scanned;
    p->scanned = 0;
    return PARSE_OK;
}

/* "*<count>": PARSE_OK leaves the parser at the first bulk's header. */
static enum parse_result
resp_read_count(struct resp_parser *p, struct slice input, size_t *consumed)
{
    size_t count = 0;
    size_t size = resp_short_number(slice_skip(input, 1), &count);
    if (size > 0) {
        p->position = 1 + size;
        p->scanned = 0;
    } else {
        enum parse_result result = resp_header_end(p, input, "too big mbulk count string", &size);
        if (result != PARSE_OK) {
            return result;
        }
        int64_t value = 0;
        if (!number_parse_i64((struct slice){input.p + 1, size - 1}, &value) ||
            value > LIMIT_ARG_COUNT) {
            return resp_fail(p, "invalid multibulk length");
        }
        count = value > 0 ? (size_t)value : 0;
        p->position = size + 2;
    }
    if (count > LIMIT_UNAUTHENTICATED_ARGS && !p->is_authenticated) {
        return resp_fail(p, "unauthenticated multibulk length");
    }
    if (count == 0) {
        *consumed = p->position;
        p->position = 0;
        return PARSE_EMPTY;
    }
    p->args_expected = count;
    p->arg_count = 0;
    p->state = RESP_AT_BULK_HEADER;
    return PARSE_OK;
}

/* "$<size>": PARSE_OK leaves the parser at the bulk's first byte. */
static enum parse_result resp_read_bulk_header(struct resp_parser *p, struct slice input)
{
    struct slice line = slice_skip(input, p->position);
    size_t value = 0;
    size_t size = 0;
    if (line.n > 0 && line.p[0] == '$') {
        size = resp_short_number((struct slice){line.p + 1, line.n - 1}, &value);
    }
    if (size > 0) {
        p->scanned = 0;
        p->position += 1 + size;
    } else {
        enum parse_result result = resp_header_end(p, line, "too big bulk count string", &size);
        if (result != PARSE_OK) {
            return result;
        }
        if (line.p[0] != '$') {
            return resp_fail_expected_dollar(p, line.p[0]);
        }
        int64_t parsed = 0;
        if (!number_parse_i64((struct slice){line.p + 1, size - 1}, &parsed) || parsed < 0) {
            return resp_fail(p, "invalid bulk length");
        }
        value = (size_t)parsed;
        p->position += size + 2;
    }
    if (value > p->max_bulk_bytes) {
        return resp_fail(p, "invalid bulk length");
    }
    if (value > LIMIT_UNAUTHENTICATED_BULK_BYTES && !p->is_authenticated) {
        return resp_fail(p, "unauthenticated bulk length");
    }
    p->bulk_size = value;
    p->state = RESP_IN_BULK;
    return PARSE_OK;
}

static void resp_push_arg(struct resp_parser *p)
{
    if (p->arg_count == p->arg_capacity) {
        size_t capacity = p->arg_capacity ? p->arg_capacity * 2 : RESP_FIRST_ARGS;
        p->args = mem_realloc_array(p->args, capacity, sizeof *p->args);
        p->arg_capacity = capacity;
    }
    p->args[p->arg_count].at.offset = p->position;
    p->args[p->arg_count].at.size = p->bulk_size;
    p->arg_count++;
}

static enum parse_result resp_read_args(struct resp_parser *p, struct slice input)
{
    while (p->arg_count < p->args_expected) {
        if (p->state == RESP_AT_BULK_HEADER) {
            enum parse_result result = resp_read_bulk_header(p, input);
            if (result != PARSE_OK) {
                return result;
            }
        }
        ASSERT(p->position <= input.n);
        /* max_bulk_bytes is an option: + 2 must not overflow on the left. */
        size_t left = input.n - p->position;
        if (left < 2 || left - 2 < p->bulk_size) {
            return PARSE_NEED_MORE;
        }
        resp_push_arg(p);
        p->position += p->bulk_size + 2;
        p->state = RESP_AT_BULK_HEADER;
    }
    return PARSE_OK;
}

static void resp_finish_args(struct resp_parser *p, struct slice input, struct command *command)
{
    for (size_t i = 0; i < p->arg_count; i++) {
        size_t offset = p->args[i].at.offset;
        size_t size = p->args[i].at.size;
        p->args[i].slice = (struct slice){input.p + offset, size};
    }
    *command = (struct command){&p->args[0].slice, p->arg_count};
}

static enum parse_result resp_read_inline(struct resp_parser *p,
                                          struct slice input,
                                          struct command *command,
                                          size_t *consumed)
{
    size_t end = resp_find_byte(input, p->scanned, '\n');
    if (end == input.n || input.p[end] != '\n') {
        p->scanned = end;
        return input.n > LIMIT_INLINE_BYTES ? resp_fail(p, "too big inline request")
                                            : PARSE_NEED_MORE;
    }
    p->scanned = 0;
    size_t size = end > 0 && input.p[end - 1] == '\r' ? end - 1 : end;
    if (!word_list_split(&p->words, (struct slice){input.p, size})) {
        return resp_fail(p, "unbalanced quotes in request");
    }
    *consumed = end + 1;
    if (p->words.count == 0) {
        return PARSE_EMPTY;
    }
    *command = (struct command){p->words.word, p->words.count};
    return PARSE_OK;
}

/* Memory that one unusual command made grow is not kept for all the connection's life. The
 * command borrowed from it, so this waits for the next one. */
static void resp_shrink(struct resp_parser *p)
{
    if (p->arg_capacity > RESP_KEEP_ARGS) {
        mem_free(p->args);
        p->args = NULL;
        p->arg_capacity = 0;
    }
    word_list_shrink(&p->words);
}

enum parse_result resp_parser_next(struct resp_parser *p,
                                   struct slice input,
                                   struct command *command,
                                   size_t *consumed)
{
    *consumed = 0;
    if (p->state == RESP_FAILED) {
        return PARSE_ERROR;
    }
    if (p->state == RESP_AT_COMMAND) {
        resp_shrink(p);
        if (input.n == 0) {
            return PARSE_NEED_MORE;
        }
        if (input.p[0] != '*') {
            return resp_read_inline(p, input, command, consumed);
        }
        enum parse_result result = resp_read_count(p, input, consumed);
        if (result != PARSE_OK) {
            return result;
        }
    }
    enum parse_result result = resp_read_args(p, input);
    if (result != PARSE_OK) {
        return result;
    }
    resp_finish_args(p, input, command);
    *consumed = p->position;
    p->position = 0;
    p->state = RESP_AT_COMMAND;
    return PARSE_OK;
}

const char *resp_parser_error(const struct resp_parser *p)
{
    ASSERT(p->state == RESP_FAILED);
    return p->error;
}

size_t resp_parser_missing_bytes(const struct resp_parser *p, size_t input_size)
{
    if (p->state != RESP_IN_BULK) {
        return 0;
    }
    ASSERT(p->position <= input_size);
    size_t left = input_size - p->position;
    size_t needed = p->bulk_size + 2;
    return needed > left ? needed - left : 0;
}

size_t resp_parser_memory(const struct resp_parser *p)
{
    return p->arg_capacity * sizeof *p->args + word_list_memory(&p->words);
}
