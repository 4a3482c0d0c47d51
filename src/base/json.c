#include "base/json.h"

#include <string.h>

#include "base/assert.h"

/* One pass that checks the grammar of RFC 8259 §2-7; walking afterwards relies on it.
 *
 * J1  The check recurses at most JSON_DEPTH_MAX deep, whatever the text says.
 * J2  Walking never looks past the text: the check saw every bracket and quote closed. */

/* What is left to read. */
struct json_scan {
    const uint8_t *p;
    const uint8_t *end;
};

static bool json_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void scan_blanks(struct json_scan *s)
{
    while (s->p < s->end && json_is_blank(*s->p)) {
        s->p++;
    }
}

static bool scan_byte(struct json_scan *s, uint8_t byte)
{
    if (s->p == s->end || *s->p != byte) {
        return false;
    }
    s->p++;
    return true;
}

static bool scan_word(struct json_scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) {
        return false;
    }
    s->p += n;
    return true;
}

static size_t scan_digits(struct json_scan *s)
{
    const uint8_t *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        s->p++;
    }
    return (size_t)(s->p - start);
}

static bool scan_number(struct json_scan *s)
{
    (void)scan_byte(s, '-');
    bool is_zero = s->p < s->end && *s->p == '0';
    size_t whole = scan_digits(s);
    if (whole == 0 || (is_zero && whole > 1)) {
        return false;
    }
    if (scan_byte(s, '.') && scan_digits(s) == 0) {
        return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (!scan_byte(s, '+')) {
            (void)scan_byte(s, '-');
        }
        size_t digits = scan_digits(s);
        return digits > 0 && digits <= JSON_EXPONENT_DIGITS;
    }
    return true;
}

static bool scan_hex4(struct json_scan *s, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        if (s->p == s->end) {
            return false;
        }
        uint8_t c = *s->p;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return false;
        }
        *value = *value * 16 + digit;
    }
    return true;
}

static bool is_high_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low_surrogate(uint32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

/* What follows a backslash; *code is the character. */
static bool scan_escape(struct json_scan *s, uint32_t *code)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (s->p == s->end || *s->p == 0) {
        return false;
    }
    const char *at = strchr(from, *s->p);
    if (at) {
        *code = (uint8_t)to[at - from];
        s->p++;
        return true;
    }
    uint32_t low;
    if (!scan_byte(s, 'u') || !scan_hex4(s, code) || is_low_surrogate(*code)) {
        return false;
    }
    if (!is_high_surrogate(*code)) {
        return true;
    }
    if (!scan_byte(s, '\\') || !scan_byte(s, 'u') || !scan_hex4(s, &low) || !is_low_surrogate(low)) {
        return false;
    }
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool scan_string(struct json_scan *s)
{
    if (!scan_byte(s, '"')) {
        return false;
    }
    while (s->p < s->end) {
        uint32_t code;
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (*s->p == '\\') {
            s->p++;
            if (!scan_escape(s, &code)) {
                return false;
            }
        } else if (*s->p < 0x20) {
            return false;
        } else if (*s->p < 0x80) {
            s->p++;
        } else {
            size_t n = utf8_length((struct slice){s->p, (size_t)(s->end - s->p)});
            if (n == 0) {
                return false;
            }
            s->p += n;
        }
    }
    return false;
}

static bool scan_value(struct json_scan *s, unsigned depth);

/* Behind the opening bracket. */
static bool scan_items(struct json_scan *s, unsigned depth, bool is_object)
{
    uint8_t close = is_object ? '}' : ']';
    scan_blanks(s);
    if (scan_byte(s, close)) {
        return true;
    }
    for (;;) {
        scan_blanks(s);
        if (is_object) {
            if (!scan_string(s)) {
                return false;
            }
            scan_blanks(s);
            if (!scan_byte(s, ':')) {
                return false;
            }
            scan_blanks(s);
        }
        if (!scan_value(s, depth)) {
            return false;
        }
        scan_blanks(s);
        if (scan_byte(s, close)) {
            return true;
        }
        if (!scan_byte(s, ',')) {
            return false;
        }
    }
}

static bool scan_value(struct json_scan *s, unsigned depth)
{
    if (s->p == s->end) {
        return false;
    }
    switch (*s->p) {
    case '{':
    case '[':
        if (depth == JSON_DEPTH_MAX) {
            return false; /* J1 */
        }
        return scan_items(s, depth + 1, *s->p++ == '{');
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default: /* Any byte may stand there. */
        return scan_number(s);
    }
}

bool json_check(struct slice text, struct slice *value)
{
    if (text.n == 0) {
        return false;
    }
    struct json_scan s = {text.p, text.p + text.n};
    scan_blanks(&s);
    const uint8_t *start = s.p;
    if (!scan_value(&s, 0)) {
        return false;
    }
    *value = (struct slice){start, (size_t)(s.p - start)};
    scan_blanks(&s);
    return s.p == s.end;
}

/* --- walking --- */

enum json_type json_type_of(struct slice value)
{
    ASSERT(value.n > 0);
    switch (value.p[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default: /* A digit or a sign: the check saw it. */
        break;
    }
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '.' || value.p[i] == 'e' || value.p[i] == 'E') {
            return JSON_REAL;
        }
    }
    return JSON_INTEGER;
}

struct json_cursor json_begin(struct slice value)
{
    enum json_type type = json_type_of(value);
    ASSERT(type == JSON_ARRAY || type == JSON_OBJECT);
    return (struct json_cursor){slice_skip(value, 1), type == JSON_OBJECT};
}

/* Behind one value of a checked text: brackets are counted, strings skipped. */
static void skip_value(struct json_scan *s)
{
    size_t depth = 0;
    do {
        uint8_t c = *s->p;
        if (c == '"') {
            for (s->p++; *s->p != '"'; s->p++) {
                s->p += *s->p == '\\';
            }
            s->p++;
        } else if (c == '{' || c == '[') {
            depth++;
            s->p++;
        } else if (c == '}' || c == ']') {
            depth--;
            s->p++;
        } else if (depth == 0) {
            while (s->p < s->end && *s->p != ',' && *s->p != '}' && *s->p != ']' && *s->p != ':' && !json_is_blank(*s->p)) {
                s->p++;
            }
        } else {
            s->p++;
        }
    } while (depth > 0);
    ASSERT(s->p <= s->end); /* J2 */
}

static struct slice take_value(struct json_scan *s)
{
    const uint8_t *start = s->p;
    skip_value(s);
    return (struct slice){start, (size_t)(s->p - start)};
}

bool json_next(struct json_cursor *c, struct slice *name, struct slice *item)
{
    struct json_scan s = {c->rest.p, c->rest.p + c->rest.n};
    scan_blanks(&s);
    (void)scan_byte(&s, ',');
    scan_blanks(&s);
    if (*s.p == '}' || *s.p == ']') {
        return false;
    }
    *name = (struct slice){0};
    if (c->is_object) {
        *name = take_value(&s);
        scan_blanks(&s);
        (void)scan_byte(&s, ':');
        scan_blanks(&s);
    }
    *item = take_value(&s);
    c->rest = (struct slice){s.p, (size_t)(s.end - s.p)};
    return true;
}

/* Compares what a string value stands for. */
static bool string_is(struct slice string, const char *text)
{
    if (!memchr(string.p, '\\', string.n)) {
        return slice_equal((struct slice){string.p + 1, string.n - 2}, slice_from_cstr(text));
    }
    struct buf plain = {0};
    json_unescape(string, &plain);
    bool is_same = slice_equal(buf_slice(&plain), slice_from_cstr(text));
    buf_deinit(&plain);
    return is_same;
}

bool json_member(struct slice object, const char *name, struct slice *item)
{
    bool is_found = false;
    if (json_type_of(object) != JSON_OBJECT) {
        return false;
    }
    struct slice member;
    struct slice value;
    for (struct json_cursor at = json_begin(object); json_next(&at, &member, &value);) {
        if (string_is(member, name)) {
            *item = value;
            is_found = true; /* The last one counts. */
        }
    }
    return is_found;
}

size_t json_count(struct slice value)
{
    size_t count = 0;
    struct slice name;
    struct slice item;
    for (struct json_cursor at = json_begin(value); json_next(&at, &name, &item);) {
        count++;
    }
    return count;
}

static void append_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_append_byte(out, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        buf_append_byte(out, (uint8_t)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_append_byte(out, (uint8_t)(0xe0 | code >> 12));
        } else {
            buf_append_byte(out, (uint8_t)(0xf0 | code >> 18));
            buf_append_byte(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_append_byte(out, (uint8_t)(0x80 | (code & 0x3f)));
}

void json_unescape(struct slice string, struct buf *out)
{
    ASSERT(string.n >= 2 && string.p[0] == '"');
    struct json_scan s = {string.p + 1, string.p + string.n - 1};
    while (s.p < s.end) {
        const uint8_t *back = memchr(s.p, '\\', (size_t)(s.end - s.p));
        const uint8_t *stop = back ? back : s.end;
        uint32_t code;
        buf_append(out, s.p, (size_t)(stop - s.p));
        s.p = stop;
        if (back) {
            s.p++;
            bool is_good = scan_escape(&s, &code);
            ASSERT(is_good);
            append_utf8(out, code);
        }
    }
}
