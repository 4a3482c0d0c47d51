/* Writes replies. Ints, bulks and simple strings are the hot path and use no printf; their bytes
 * are the ones Redis 7.0 sends (COMPAT.md §5, tests/data/protocol_corpus.txt).
 *
 * REPLY_TEXT serves rows of the text grammar: each value becomes a line. Those rows write
 * reply_line themselves; what reaches the other functions is an error of the common path
 * (no leader, memory, arguments), which text_append_error words. */
#include "resp/reply.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "resp/text.h"

/* A mark, 20 digits and a sign at most, CR, LF. */
#define REPLY_HEADER_MAX (1 + NUMBER_TEXT_MAX + 2)

static bool reply_is_written(const struct reply *r)
{
    return r->protocol != REPLY_DISCARD;
}

static bool reply_is_text(const struct reply *r)
{
    return r->protocol == REPLY_TEXT;
}

static void reply_append(struct reply *r, const char *text)
{
    buf_append(r->out, text, strlen(text));
}

/* <mark><number>\r\n, and room for `more` bytes behind it. */
static void reply_header(struct reply *r, char mark, int64_t number, size_t more)
{
    uint8_t *start = buf_reserve(r->out, REPLY_HEADER_MAX + more);
    uint8_t *p = start;
    *p++ = (uint8_t)mark;
    char digits[NUMBER_TEXT_MAX];
    size_t n = number_format_i64(number, digits);
    memcpy(p, digits, n);
    p += n;
    *p++ = '\r';
    *p++ = '\n';
    buf_commit(r->out, (size_t)(p - start));
}

/* Append `text` with CR and LF as blanks: a reply of one line stays one. */
static void reply_append_one_line(struct buf *out, struct slice text)
{
    uint8_t *p = buf_reserve(out, text.n);
    for (size_t i = 0; i < text.n; i++) {
        p[i] = text.p[i] == '\r' || text.p[i] == '\n' ? ' ' : text.p[i];
    }
    buf_commit(out, text.n);
}

static void reply_text_line(struct reply *r, const char *text)
{
    reply_append(r, text);
    buf_append_byte(r->out, '\n');
}

void reply_simple(struct reply *r, const char *text)
{
    if (!reply_is_written(r)) {
        return;
    }
    if (!reply_is_text(r)) {
        buf_append_byte(r->out, '+');
    }
    reply_append_one_line(r->out, slice_from_cstr(text));
    reply_append(r, reply_is_text(r) ? "\n" : "\r\n");
}

void reply_error_slice(struct reply *r, struct slice text)
{
    r->is_error = true;
    if (!reply_is_written(r)) {
        return;
    }
    if (reply_is_text(r)) {
        text_append_error(r->out, text);
        buf_append_byte(r->out, '\n');
        return;
    }
    buf_append_byte(r->out, '-');
    reply_append_one_line(r->out, text);
    reply_append(r, "\r\n");
}

void reply_error(struct reply *r, const char *text)
{
    reply_error_slice(r, slice_from_cstr(text));
}

/* Redis trims line ends at both ends of a formatted error before it makes blanks of the others. */
static struct slice reply_trim_line_ends(struct slice s)
{
    while (s.n > 0 && (s.p[0] == '\r' || s.p[0] == '\n')) {
        s = slice_skip(s, 1);
    }
    while (s.n > 0 && (s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n')) {
        s.n--;
    }
    return s;
}

void reply_errorf(struct reply *r, const char *format, ...)
{
    char small[512];
    char *text = small;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    ASSERT(n >= 0);
    if ((size_t)n >= sizeof small) {
        text = mem_alloc((size_t)n + 1);
        va_start(args, format);
        (void)vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    reply_error_slice(r, reply_trim_line_ends((struct slice){(const uint8_t *)text, (size_t)n}));
    if (text != small) {
        mem_free(text);
    }
}

void reply_int(struct reply *r, int64_t value)
{
    if (!reply_is_written(r)) {
        return;
    }
    if (reply_is_text(r)) {
        buf_printf(r->out, "%lld\n", (long long)value);
        return;
    }
    reply_header(r, ':', value, 0);
}

void reply_bulk(struct reply *r, struct slice bytes)
{
    if (!reply_is_written(r)) {
        return;
    }
    if (reply_is_text(r)) {
        reply_text_escape(r->out, bytes);
        buf_append_byte(r->out, '\n');
        return;
    }
    reply_header(r, '$', (int64_t)bytes.n, bytes.n + 2);
    /* The header reserved room for these too: one growth for a reply. */
    uint8_t *p = buf_reserve(r->out, bytes.n + 2);
    if (bytes.n > 0) {
        memcpy(p, bytes.p, bytes.n);
    }
    p[bytes.n] = '\r';
    p[bytes.n + 1] = '\n';
    buf_commit(r->out, bytes.n + 2);
}

void reply_bulk_cstr(struct reply *r, const char *text)
{
    reply_bulk(r, slice_from_cstr(text));
}

void reply_bulk_int(struct reply *r, int64_t value)
{
    char digits[NUMBER_TEXT_MAX];
    size_t n = number_format_i64(value, digits);
    reply_bulk(r, (struct slice){(const uint8_t *)digits, n});
}

void reply_bulk_begin(struct reply *r, size_t size)
{
    if (!reply_is_written(r) || reply_is_text(r)) {
        return;
    }
    reply_header(r, '$', (int64_t)size, size + 2);
}

void reply_bulk_part(struct reply *r, struct slice bytes)
{
    if (!reply_is_written(r)) {
        return;
    }
    if (reply_is_text(r)) {
        reply_append_one_line(r->out, bytes);
        return;
    }
    buf_append_slice(r->out, bytes);
}

void reply_bulk_end(struct reply *r)
{
    if (reply_is_written(r)) {
        reply_append(r, reply_is_text(r) ? "\n" : "\r\n");
    }
}

static void reply_nothing(struct reply *r, const char *resp2)
{
    switch (r->protocol) {
    case REPLY_RESP2:
        reply_append(r, resp2);
        break;
    case REPLY_RESP3:
        reply_append(r, "_\r\n");
        break;
    case REPLY_TEXT:
        reply_text_line(r, "(nil)");
        break;
    case REPLY_DISCARD:
        break;
    }
}

void reply_null(struct reply *r)
{
    reply_nothing(r, "$-1\r\n");
}

void reply_null_array(struct reply *r)
{
    reply_nothing(r, "*-1\r\n");
}

/* `mark` in RESP3; a plain array of `resp2_count` in RESP2; text has its elements' lines only. */
static void reply_aggregate(struct reply *r, char mark, size_t count, size_t resp2_count)
{
    switch (r->protocol) {
    case REPLY_RESP2:
        reply_header(r, '*', (int64_t)resp2_count, 0);
        break;
    case REPLY_RESP3:
        reply_header(r, mark, (int64_t)count, 0);
        break;
    case REPLY_TEXT:
    case REPLY_DISCARD:
        break;
    }
}

void reply_array(struct reply *r, size_t count)
{
    reply_aggregate(r, '*', count, count);
}

void reply_map(struct reply *r, size_t pair_count)
{
    reply_aggregate(r, '%', pair_count, pair_count * 2);
}

void reply_set(struct reply *r, size_t count)
{
    reply_aggregate(r, '~', count, count);
}

void reply_push(struct reply *r, size_t count)
{
    reply_aggregate(r, '>', count, count);
}

void reply_bool(struct reply *r, bool value)
{
    if (r->protocol == REPLY_RESP3) {
        reply_append(r, value ? "#t\r\n" : "#f\r\n");
    } else {
        reply_int(r, value);
    }
}

void reply_double(struct reply *r, double value)
{
    char text[64];
    if (isinf(value)) {
        (void)snprintf(text, sizeof text, "%s", value > 0 ? "inf" : "-inf");
    } else if (isnan(value)) {
        (void)snprintf(text, sizeof text, "nan"); /* printf may show a sign that says nothing. */
    } else if (value >= -1e15 && value <= 1e15 && (double)(int64_t)value == value && (value != 0 || !signbit(value))) {
        text[number_format_i64((int64_t)value, text)] = '\0'; /* the same, several times faster */
    } else {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    reply_double_text(r, text);
}

void reply_double_text(struct reply *r, const char *text)
{
    if (r->protocol == REPLY_RESP3) {
        buf_append_byte(r->out, ',');
        reply_append(r, text);
        reply_append(r, "\r\n");
    } else {
        reply_bulk_cstr(r, text);
    }
}

void reply_attribute_begin(struct reply *r, size_t pair_count)
{
    ASSERT(r->protocol == REPLY_RESP3);
    reply_aggregate(r, '|', pair_count, pair_count * 2);
}

void reply_big_number(struct reply *r, const char *digits)
{
    if (r->protocol != REPLY_RESP3) {
        reply_bulk_cstr(r, digits);
        return;
    }
    reply_append(r, "(");
    reply_append(r, digits);
    reply_append(r, "\r\n");
}

void reply_verbatim(struct reply *r, const char *format3, struct slice text)
{
    if (r->protocol != REPLY_RESP3) {
        reply_bulk(r, text);
        return;
    }
    ASSERT(strlen(format3) == 3);
    reply_header(r, '=', (int64_t)(text.n + 4), text.n + 4 + 2);
    reply_append(r, format3);
    buf_append_byte(r->out, ':');
    buf_append_slice(r->out, text);
    reply_append(r, "\r\n");
}

void reply_line(struct reply *r, struct slice text)
{
    if (reply_is_written(r)) {
        buf_append_slice(r->out, text);
        buf_append_byte(r->out, '\n');
    }
}
