#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

/* --- strings --- */

size_t utf8_length(struct slice s)
{
    if (s.n == 0) {
        return 0;
    }
    uint8_t first = s.p[0];
    if (first < 0x80) {
        return 1;
    }
    /* The second byte's range tells overlong forms, surrogates and what is past U+10FFFF (Unicode, table 3-7). */
    size_t n = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (n == 0 || s.n < n || s.p[1] < low || s.p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool utf8_is_valid(struct slice s)
{
    while (s.n > 0) {
        size_t n = utf8_length(s);
        if (n == 0) {
            return false;
        }
        s = slice_skip(s, n);
    }
    return true;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* One character that is not plain; returns how many bytes it took. */
static size_t append_character(struct buf *out, struct slice s)
{
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    const char *at = s.p[0] ? strchr(escaped, s.p[0]) : NULL;
    if (at) {
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)letter[at - escaped]);
        return 1;
    }
    if (s.p[0] < 0x20 || s.p[0] == 0x7f) {
        buf_printf(out, "\\u%04x", s.p[0]);
        return 1;
    }
    size_t n = utf8_length(s);
    if (n == 0) {
        buf_append(out, "\\ufffd", 6);
        return 1;
    }
    buf_append(out, s.p, n);
    return n;
}

void json_append_string(struct buf *out, struct slice bytes)
{
    buf_append_byte(out, '"');
    while (bytes.n > 0) {
        size_t n = 0;
        while (n < bytes.n && is_plain(bytes.p[n])) {
            n++;
        }
        buf_append(out, bytes.p, n);
        bytes = slice_skip(bytes, n);
        if (bytes.n > 0) {
            bytes = slice_skip(bytes, append_character(out, bytes));
        }
    }
    buf_append_byte(out, '"');
}

void json_append_cstr(struct buf *out, const char *text)
{
    json_append_string(out, slice_from_cstr(text));
}

/* --- the canonical form --- */

/* A real as digits without zeros at either end, 'e', and the power of ten: 12.50 is 125e-1. Decimal, not binary, so that no
 * floating point unit has a say. */
static void append_canonical_real(struct slice value, struct buf *out)
{
    struct buf digits = {0};
    int64_t power = 0;
    size_t i = 0;
    bool is_negative = value.p[0] == '-';
    bool is_fraction = false;
    for (i = is_negative ? 1 : 0; i < value.n && value.p[i] != 'e' && value.p[i] != 'E'; i++) {
        if (value.p[i] == '.') {
            is_fraction = true;
            continue;
        }
        power -= is_fraction ? 1 : 0;
        if (buf_size(&digits) > 0 || value.p[i] != '0') {
            buf_append_byte(&digits, value.p[i]);
        }
    }
    bool is_down = false;
    int64_t exponent = 0;
    for (i++; i < value.n; i++) {
        is_down |= value.p[i] == '-';
        if (value.p[i] >= '0' && value.p[i] <= '9') {
            exponent = exponent * 10 + (value.p[i] - '0');
        }
    }
    power += is_down ? -exponent : exponent;
    while (buf_size(&digits) > 0 && buf_slice(&digits).p[buf_size(&digits) - 1] == '0') {
        buf_truncate(&digits, buf_size(&digits) - 1);
        power++;
    }
    if (buf_size(&digits) == 0) {
        buf_append(out, "0e0", 3);
    } else {
        buf_printf(out, "%s%.*se%lld", is_negative ? "-" : "", (int)buf_size(&digits), (const char *)buf_slice(&digits).p,
                   (long long)power);
    }
    buf_deinit(&digits);
}

struct canonical_member {
    size_t name_start;
    size_t name_size;
    size_t item_size; /* behind the name */
    size_t position;
    const uint8_t *base;
};

static int canonical_compare(const void *left, const void *right)
{
    const struct canonical_member *a = left;
    const struct canonical_member *b = right;
    int order = slice_compare((struct slice){a->base + a->name_start, a->name_size},
                              (struct slice){b->base + b->name_start, b->name_size});
    return order != 0 ? order : a->position < b->position ? -1 : 1;
}

static void append_canonical_string(struct slice value, struct buf *out)
{
    struct buf plain = {0};
    json_unescape(value, &plain);
    json_append_string(out, buf_slice(&plain));
    buf_deinit(&plain);
}

static void append_canonical_object(struct slice value, struct buf *out)
{
    struct buf work = {0};
    size_t count = json_count(value);
    struct canonical_member *member = mem_alloc_array(count + 1, sizeof *member);
    size_t i = 0;
    struct slice name;
    struct slice item;
    for (struct json_cursor at = json_begin(value); json_next(&at, &name, &item); i++) {
        member[i].name_start = buf_size(&work);
        member[i].position = i;
        append_canonical_string(name, &work);
        member[i].name_size = buf_size(&work) - member[i].name_start;
        json_append_canonical(item, &work);
        member[i].item_size = buf_size(&work) - member[i].name_start - member[i].name_size;
    }
    const uint8_t *base = buf_slice(&work).p;
    for (i = 0; i < count; i++) {
        member[i].base = base;
    }
    if (count > 1) {
        qsort(member, count, sizeof *member, canonical_compare);
    }
    const char *separator = "{";
    for (i = 0; i < count; i++) {
        struct slice whole = {base + member[i].name_start, member[i].name_size};
        bool is_repeated = i + 1 < count && slice_equal(whole, (struct slice){base + member[i + 1].name_start, member[i + 1].name_size});
        if (is_repeated) {
            continue;
        }
        buf_append(out, separator, 1);
        buf_append_slice(out, whole);
        buf_append_byte(out, ':');
        buf_append(out, whole.p + whole.n, member[i].item_size);
        separator = ",";
    }
    if (count == 0) {
        buf_append_byte(out, '{');
    }
    buf_append_byte(out, '}');
    mem_free(member);
    buf_deinit(&work);
}

static void append_canonical_array(struct slice value, struct buf *out)
{
    bool is_first = true;
    struct slice name;
    struct slice item;
    buf_append_byte(out, '[');
    for (struct json_cursor at = json_begin(value); json_next(&at, &name, &item); is_first = false) {
        if (!is_first) {
            buf_append_byte(out, ',');
        }
        json_append_canonical(item, out);
    }
    buf_append_byte(out, ']');
}

void json_append_canonical(struct slice value, struct buf *out)
{
    switch (json_type_of(value)) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        buf_append_slice(out, value);
        break;
    case JSON_INTEGER:
        buf_append_slice(out, slice_equal(value, SLICE_LITERAL("-0")) ? SLICE_LITERAL("0") : value);
        break;
    case JSON_REAL:
        append_canonical_real(value, out);
        break;
    case JSON_STRING:
        append_canonical_string(value, out);
        break;
    case JSON_ARRAY:
        append_canonical_array(value, out);
        break;
    case JSON_OBJECT:
        append_canonical_object(value, out);
        break;
    }
}

bool json_equal(struct slice a, struct slice b)
{
    if (slice_equal(a, b)) {
        return true;
    }
    if (json_type_of(a) != json_type_of(b)) {
        return false;
    }
    struct buf left = {0};
    struct buf right = {0};
    json_append_canonical(a, &left);
    json_append_canonical(b, &right);
    bool is_same = slice_equal(buf_slice(&left), buf_slice(&right));
    buf_deinit(&left);
    buf_deinit(&right);
    return is_same;
}
