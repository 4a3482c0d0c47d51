/* reply_text_escape: how the text grammar prints a key or a value.
 *
 * As it is where that can't mislead a terminal or a reader of lines, else like redis-cli's
 * sdscatrepr: in double quotes, every byte that is not printable ASCII as an escape. */
#include "resp/reply.h"

/* The length of the UTF-8 sequence in front of `s`, 0 if it is none (RFC 3629 §4: no overlong
 * forms, no surrogates, nothing above U+10FFFF). */
static size_t text_utf8_length(struct slice s)
{
    uint8_t first = s.p[0];
    if (first < 0x80) {
        return 1;
    }
    size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || s.n < n) {
        return 0;
    }
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    if (first == 0xE0) {
        low = 0xA0;
    } else if (first == 0xED) {
        high = 0x9F;
    } else if (first == 0xF0) {
        low = 0x90;
    } else if (first == 0xF4) {
        high = 0x8F;
    }
    if (s.p[1] < low || s.p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (s.p[i] < 0x80 || s.p[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

/* True for C0, DEL and, as UTF-8, C1 (0xC2 0x80..0x9F: a terminal may obey those too). */
static bool text_is_control(struct slice s)
{
    return s.p[0] < 0x20 || s.p[0] == 0x7F || (s.p[0] == 0xC2 && s.n > 1 && s.p[1] < 0xA0);
}

static bool text_needs_quotes(struct slice s)
{
    while (s.n > 0) {
        size_t n = text_utf8_length(s);
        if (n == 0 || text_is_control(s) || s.p[0] == '"' || s.p[0] == '\'') {
            return true;
        }
        s = slice_skip(s, n);
    }
    return false;
}

static char text_escape_letter(uint8_t byte)
{
    switch (byte) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '"':
        return '"';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static void text_append_escaped(struct buf *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    char letter = text_escape_letter(byte);
    if (letter) {
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)letter);
    } else if (byte >= 0x20 && byte < 0x7F) {
        buf_append_byte(out, byte);
    } else {
        const char escape[4] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        buf_append(out, escape, sizeof escape);
    }
}

void reply_text_escape(struct buf *out, struct slice value)
{
    if (!text_needs_quotes(value)) {
        buf_append_slice(out, value);
        return;
    }
    buf_append_byte(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        text_append_escaped(out, value.p[i]);
    }
    buf_append_byte(out, '"');
}
