#include "resp/front_door.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "resp/text.h"
#include "resp/words.h"

/* Room for the longest verb with every byte written as \xHH, quotes around it, and one more. */
#define FRONT_DOOR_VERB_WINDOW 64u

void front_door_init(struct front_door *d)
{
    *d = (struct front_door){0};
}

static bool front_door_is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The length of an HTTP method in front of `line`: upper-case letters and '-', then one blank. */
static size_t front_door_method(struct slice line)
{
    size_t n = 0;
    while (n < line.n && ((line.p[n] >= 'A' && line.p[n] <= 'Z') || line.p[n] == '-')) {
        n++;
    }
    return n > 0 && n < line.n && line.p[n] == ' ' ? n : 0;
}

static bool front_door_is_blank(struct slice line)
{
    size_t i = 0;
    while (i < line.n && word_is_blank(line.p[i])) {
        i++;
    }
    return i == line.n;
}

/* A whole line "METHOD target HTTP/1.x". Blanks inside the target don't excuse a request from
 * being HTTP: its parser answers 400. */
static bool front_door_is_http(struct slice line)
{
    static const char version[] = " HTTP/1.";
    size_t method = front_door_method(line);
    if (method == 0) {
        return false;
    }
    while (line.n > 0 && word_is_blank(line.p[line.n - 1])) {
        line.n--;
    }
    size_t tail = sizeof version; /* The version's text and one digit in place of its NUL. */
    if (line.n < method + 1 + tail) {
        return false;
    }
    const uint8_t *p = line.p + line.n - tail;
    uint8_t digit = line.p[line.n - 1];
    struct slice target = {line.p + method + 1, line.n - method - 1 - tail};
    return !front_door_is_blank(target) && memcmp(p, version, sizeof version - 1) == 0 &&
           digit >= '0' && digit <= '9';
}

/* The cut beginning of a line that may be an HTTP request's: a method and a target in one of its
 * forms (RFC 9112 §3.2), not just two words of a Redis command. */
static bool front_door_may_be_http(struct slice line)
{
    size_t method = front_door_method(line);
    if (method == 0) {
        return false;
    }
    struct slice target = slice_skip(line, method + 1);
    static const char scheme[] = "http";
    return target.n > 0 &&
           (target.p[0] == '/' || target.p[0] == '*' ||
            (target.n >= sizeof scheme - 1 && memcmp(target.p, scheme, sizeof scheme - 1) == 0));
}

static enum front_door_kind front_door_by_verb(struct slice line)
{
    uint8_t scratch[FRONT_DOOR_VERB_WINDOW];
    struct slice word = {0};
    while (line.n > 0 && word_is_blank(line.p[0])) {
        line = slice_skip(line, 1);
    }
    if (line.n > FRONT_DOOR_VERB_WINDOW) {
        line.n = FRONT_DOOR_VERB_WINDOW;
    }
    bool is_verb = word_next(&line, scratch, &word) == WORD_FOUND && text_verb_find(word);
    return is_verb ? FRONT_DOOR_TEXT : FRONT_DOOR_INLINE;
}

/* The first line that isn't blank, whole. */
static enum front_door_kind front_door_by_line(struct slice line)
{
    return front_door_is_http(line) ? FRONT_DOOR_HTTP : front_door_by_verb(line);
}

static enum front_door_kind front_door_by_long_line(struct slice line)
{
    return front_door_may_be_http(line) ? FRONT_DOOR_TOO_BIG : front_door_by_verb(line);
}

/* What the line's first byte decides alone: FRONT_DOOR_NEED_MORE when the line is needed. */
static enum front_door_kind front_door_by_byte(uint8_t byte)
{
    if (byte == '*') {
        return FRONT_DOOR_RESP;
    }
    bool may_begin_verb =
        front_door_is_letter(byte) || word_is_blank(byte) || byte == '"' || byte == '\'';
    return may_begin_verb ? FRONT_DOOR_NEED_MORE : FRONT_DOOR_INLINE;
}

enum front_door_kind front_door_decide(struct front_door *d, struct slice input)
{
    if (input.n > 0 && input.p[0] == PEER_MAGIC_BYTE) {
        return FRONT_DOOR_PEER;
    }
    while (d->line_start < input.n) {
        struct slice line = slice_skip(input, d->line_start);
        enum front_door_kind kind = front_door_by_byte(line.p[0]);
        if (kind != FRONT_DOOR_NEED_MORE) {
            return kind;
        }
        size_t window = line.n <= LIMIT_INLINE_BYTES ? line.n : (size_t)LIMIT_INLINE_BYTES + 1;
        ASSERT(d->scanned <= window);
        const uint8_t *lf = memchr(line.p + d->scanned, '\n', window - d->scanned);
        if (!lf) {
            d->scanned = window;
            return window > LIMIT_INLINE_BYTES ? front_door_by_long_line(line)
                                               : FRONT_DOOR_NEED_MORE;
        }
        size_t size = (size_t)(lf - line.p);
        line.n = size;
        if (!front_door_is_blank(line)) {
            return front_door_by_line(line);
        }
        d->line_start += size + 1;
        d->scanned = 0;
        if (d->line_start > LIMIT_INLINE_BYTES) {
            return FRONT_DOOR_TOO_BIG;
        }
    }
    return FRONT_DOOR_NEED_MORE;
}
