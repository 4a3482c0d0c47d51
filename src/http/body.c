#include "http/body.h"

#include <string.h>

#define CHUNK_LINE_MAX 1024u
#define TRAILER_BYTES_MAX 8192u

static unsigned hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                  : 16;
}

/* A line without its CR LF from the front of `input`. */
static enum http_body_result take_line(struct slice input, size_t max, struct slice *line)
{
    const uint8_t *lf = memchr(input.p, '\n', input.n < max ? input.n : max);
    if (!lf) {
        return input.n >= max ? BODY_BAD : BODY_NEED_MORE;
    }
    size_t n = (size_t)(lf - input.p);
    if (n == 0 || lf[-1] != '\r' || memchr(input.p, '\r', n - 1)) {
        return BODY_BAD;
    }
    *line = (struct slice){input.p, n - 1};
    return BODY_OK;
}

/* "1a" or "1a;extension". */
static bool parse_size(struct slice line, uint64_t *size)
{
    size_t i = 0;
    *size = 0;
    for (; i < line.n && hex_digit(line.p[i]) < 16; i++) {
        *size = *size * 16 + hex_digit(line.p[i]);
    }
    if (i == 0 || i > 15) {
        return false;
    }
    for (size_t k = i; k < line.n; k++) {
        if (line.p[k] < ' ' || line.p[k] == 0x7f) {
            return false;
        }
    }
    return i == line.n || line.p[i] == ';';
}

static enum http_body_result step_size(struct http_chunks *c, struct slice input, size_t max, size_t *used)
{
    struct slice line;
    enum http_body_result result = take_line(input, CHUNK_LINE_MAX, &line);
    if (result != BODY_OK) {
        return result;
    }
    if (!parse_size(line, &c->left)) {
        return BODY_BAD;
    }
    if (c->left > max || c->total > max - c->left) {
        return BODY_TOO_BIG;
    }
    *used = line.n + 2;
    c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    return BODY_OK;
}

static enum http_body_result step_data_end(struct http_chunks *c, struct slice input, size_t *used)
{
    if (input.p[0] != '\r' || (input.n > 1 && input.p[1] != '\n')) {
        return BODY_BAD;
    }
    if (input.n < 2) {
        return BODY_NEED_MORE;
    }
    *used = 2;
    c->state = CHUNK_SIZE;
    return BODY_OK;
}

/* *is_over: the empty line that ends it. */
static enum http_body_result step_trailer(struct http_chunks *c, struct slice input, size_t *used, bool *is_over)
{
    struct slice line;
    enum http_body_result result = take_line(input, TRAILER_BYTES_MAX, &line);
    if (result != BODY_OK) {
        return result;
    }
    *used = line.n + 2;
    c->trailer_size += *used;
    *is_over = line.n == 0;
    return c->trailer_size > TRAILER_BYTES_MAX ? BODY_BAD : BODY_OK;
}

enum http_body_result http_chunks_take(struct http_chunks *c, struct slice input, size_t max, struct buf *out, size_t *consumed)
{
    enum http_body_result result = BODY_OK;
    bool is_over = false;
    *consumed = 0;
    while (result == BODY_OK && !is_over) {
        size_t used = 0;
        if (input.n == 0) {
            return BODY_NEED_MORE;
        }
        switch (c->state) {
        case CHUNK_SIZE:
            result = step_size(c, input, max, &used);
            break;
        case CHUNK_DATA:
            used = c->left < input.n ? (size_t)c->left : input.n;
            if (out) {
                buf_append(out, input.p, used);
            }
            c->total += used;
            c->left -= used;
            c->state = c->left > 0 ? CHUNK_DATA : CHUNK_DATA_END;
            break;
        case CHUNK_DATA_END:
            result = step_data_end(c, input, &used);
            break;
        case CHUNK_TRAILER:
            result = step_trailer(c, input, &used, &is_over);
            break;
        }
        *consumed += used;
        input = slice_skip(input, used);
    }
    return result;
}
