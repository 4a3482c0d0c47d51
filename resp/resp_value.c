/* Two passes. The scan walks headers forward with an explicit stack of how many values each open
 * aggregate still misses, remembers where it was, and counts nodes; it allocates nothing, so a
 * reply that announces a billion elements costs nothing until they came. When the value is
 * whole, the build makes the tree in one array of exactly that many nodes.
 *
 * V1  The build sees only what the scan accepted, so its recursion is at most
 *     RESP_VALUE_DEPTH_MAX deep and it reads nothing past the value. */
#include "resp/resp_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"

#define RESP_VALUE_LINE_MAX (64u * 1024u)
/* Twice a map's count must not overflow; more can't be in memory anyway. */
#define RESP_VALUE_COUNT_MAX (INT64_C(1) << 40)

/* One header line, and where what it announces begins. */
struct resp_header {
    uint8_t mark;
    struct slice line; /* behind the mark, without CR LF */
    int64_t number;    /* of the marks that carry a size or count */
    size_t next;       /* offset behind the line end */
};

enum resp_shape { RESP_SHAPE_LINE, RESP_SHAPE_BULK, RESP_SHAPE_AGGREGATE, RESP_SHAPE_BAD };

static enum resp_shape resp_value_shape(uint8_t mark)
{
    static const char line_marks[] = "+-:_,#(";
    static const char bulk_marks[] = "$=!";
    static const char aggregate_marks[] = "*%~>|";
    if (mark == 0) {
        return RESP_SHAPE_BAD; /* strchr would find the string's own NUL */
    }
    if (strchr(line_marks, mark)) {
        return RESP_SHAPE_LINE;
    }
    if (strchr(bulk_marks, mark)) {
        return RESP_SHAPE_BULK;
    }
    return strchr(aggregate_marks, mark) ? RESP_SHAPE_AGGREGATE : RESP_SHAPE_BAD;
}

static bool resp_value_is_pairs(uint8_t mark)
{
    return mark == '%' || mark == '|';
}

/* Values inside an aggregate; -1 (a null) has none. */
static size_t resp_value_children(const struct resp_header *h)
{
    size_t count = h->number > 0 ? (size_t)h->number : 0;
    return resp_value_is_pairs(h->mark) ? count * 2 : count;
}

/* Is the line what its mark promises? Fills h->number. */
static bool resp_value_check_line(struct resp_header *h)
{
    switch (resp_value_shape(h->mark)) {
    case RESP_SHAPE_LINE:
        if (h->mark == '#') {
            h->number = h->line.n == 1 && h->line.p[0] == 't';
            return h->line.n == 1 && (h->line.p[0] == 't' || h->line.p[0] == 'f');
        }
        return h->mark != ':' || number_parse_i64(h->line, &h->number);
    case RESP_SHAPE_BULK:
    case RESP_SHAPE_AGGREGATE: {
        bool may_be_null = h->mark == '$' || h->mark == '*';
        return number_parse_i64(h->line, &h->number) && h->number >= (may_be_null ? -1 : 0) &&
               h->number <= RESP_VALUE_COUNT_MAX;
    }
    case RESP_SHAPE_BAD:
        break;
    }
    return false;
}

static enum parse_result
resp_value_header(struct slice input, size_t position, size_t *scanned, struct resp_header *h)
{
    struct slice rest = slice_skip(input, position);
    if (rest.n == 0) {
        return PARSE_NEED_MORE;
    }
    h->mark = rest.p[0];
    if (resp_value_shape(h->mark) == RESP_SHAPE_BAD) {
        return PARSE_ERROR;
    }
    size_t from = *scanned > 0 ? *scanned : 1;
    const uint8_t *cr = from < rest.n ? memchr(rest.p + from, '\r', rest.n - from) : NULL;
    if (!cr) {
        *scanned = rest.n;
        return rest.n > RESP_VALUE_LINE_MAX ? PARSE_ERROR : PARSE_NEED_MORE;
    }
    size_t end = (size_t)(cr - rest.p);
    *scanned = end;
    if (end + 2 > rest.n) {
        return PARSE_NEED_MORE;
    }
    *scanned = 0;
    h->line = (struct slice){rest.p + 1, end - 1};
    h->next = position + end + 2;
    h->number = 0;
    bool is_good = rest.p[end + 1] == '\n' && resp_value_check_line(h);
    return is_good ? PARSE_OK : PARSE_ERROR;
}

/* Check that a bulk's bytes and line end are there; *next is moved behind them. */
static enum parse_result
resp_value_bulk_end(struct slice input, const struct resp_header *h, size_t *next)
{
    *next = h->next;
    if (h->number < 0) {
        return PARSE_OK;
    }
    size_t size = (size_t)h->number;
    size_t left = input.n - h->next;
    if (left < 2 || left - 2 < size) {
        return PARSE_NEED_MORE;
    }
    const uint8_t *end = input.p + h->next + size;
    if (h->mark == '=' && (size < 4 || input.p[h->next + 3] != ':')) {
        return PARSE_ERROR;
    }
    *next = h->next + size + 2;
    return end[0] == '\r' && end[1] == '\n' ? PARSE_OK : PARSE_ERROR;
}

/* Read one header (and its bulk) at r->position and account for it on the stack. */
static enum parse_result resp_value_scan_one(struct resp_value_reader *r, struct slice input)
{
    struct resp_header h;
    enum parse_result result = resp_value_header(input, r->position, &r->scanned, &h);
    if (result != PARSE_OK) {
        return result;
    }
    enum resp_shape shape = resp_value_shape(h.mark);
    size_t next = h.next;
    if (shape == RESP_SHAPE_BULK) {
        result = resp_value_bulk_end(input, &h, &next);
        if (result != PARSE_OK) {
            return result;
        }
    }
    r->position = next;
    if (h.mark != '|') { /* An attribute stands beside the value it describes, it is none. */
        r->missing[r->depth]--;
        r->node_count++;
    }
    if (shape == RESP_SHAPE_AGGREGATE && resp_value_children(&h) > 0) {
        if (r->depth == RESP_VALUE_DEPTH_MAX) {
            return PARSE_ERROR;
        }
        r->missing[++r->depth] = resp_value_children(&h);
    }
    while (r->depth > 0 && r->missing[r->depth] == 0) {
        r->depth--;
    }
    return PARSE_OK;
}

struct resp_builder {
    struct slice input;
    size_t position;
    struct resp_value *node;
    size_t used;
};

static enum resp_type resp_value_type(uint8_t mark)
{
    switch (mark) {
    case '+':
        return RESP_SIMPLE;
    case '-':
    case '!':
        return RESP_ERROR;
    case ':':
        return RESP_INTEGER;
    case '_':
        return RESP_NULL;
    case ',':
        return RESP_DOUBLE;
    case '#':
        return RESP_BOOLEAN;
    case '(':
        return RESP_BIG_NUMBER;
    case '=':
        return RESP_VERBATIM;
    case '%':
        return RESP_MAP;
    case '~':
        return RESP_SET;
    case '>':
        return RESP_PUSH;
    case '*':
        return RESP_ARRAY;
    default:
        return RESP_BULK;
    }
}

static double resp_value_double(struct slice text)
{
    char copy[64];
    size_t n = text.n < sizeof copy - 1 ? text.n : sizeof copy - 1;
    if (n > 0) {
        memcpy(copy, text.p, n);
    }
    copy[n] = '\0';
    return strtod(copy, NULL);
}

/* The three functions that follow call one another, RESP_VALUE_DEPTH_MAX deep at most (V1).
 * NOLINTBEGIN(misc-no-recursion) */
static void resp_value_build(struct resp_builder *b, struct resp_value *value);

/* The next header that is no attribute's. The scan has been here: nothing can fail. */
static struct resp_header resp_value_next_header(struct resp_builder *b)
{
    struct resp_header h;
    for (;;) {
        size_t scanned = 0;
        enum parse_result result = resp_value_header(b->input, b->position, &scanned, &h);
        ASSERT(result == PARSE_OK);
        b->position = h.next;
        if (h.mark != '|') {
            return h;
        }
        for (size_t i = resp_value_children(&h); i > 0; i--) {
            struct resp_value ignored;
            resp_value_build(b, &ignored);
        }
    }
}

static void
resp_value_build_children(struct resp_builder *b, struct resp_value *value, size_t count)
{
    value->child = b->node + b->used;
    value->child_count = count;
    b->used += count;
    for (size_t i = 0; i < count; i++) {
        resp_value_build(b, &value->child[i]);
    }
}

static void resp_value_build(struct resp_builder *b, struct resp_value *value)
{
    struct resp_header h = resp_value_next_header(b);
    *value = (struct resp_value){.type = resp_value_type(h.mark), .text = h.line};
    switch (resp_value_shape(h.mark)) {
    case RESP_SHAPE_LINE:
        value->integer = h.number;
        if (value->type == RESP_DOUBLE) {
            value->number = resp_value_double(h.line);
        }
        return;
    case RESP_SHAPE_BULK:
        if (h.number >= 0) {
            value->text = (struct slice){b->input.p + h.next, (size_t)h.number};
            b->position = h.next + (size_t)h.number + 2;
        }
        if (value->type == RESP_VERBATIM) {
            value->text = slice_skip(value->text, 4);
        }
        break;
    case RESP_SHAPE_AGGREGATE:
        value->text = (struct slice){NULL, 0};
        resp_value_build_children(b, value, resp_value_children(&h));
        break;
    case RESP_SHAPE_BAD:
        UNREACHABLE();
    }
    if (h.number < 0) {
        *value = (struct resp_value){.type = RESP_NULL};
    }
}
/* NOLINTEND(misc-no-recursion) */

enum parse_result resp_value_next(struct resp_value_reader *r,
                                  struct slice input,
                                  struct resp_value **value,
                                  size_t *consumed)
{
    *consumed = 0;
    *value = NULL;
    if (r->position == 0 && r->node_count == 0) {
        r->missing[0] = 1;
    }
    while (r->missing[0] > 0 || r->depth > 0) {
        enum parse_result result = resp_value_scan_one(r, input);
        if (result != PARSE_OK) {
            return result;
        }
    }
    struct resp_builder b = {.input = input};
    b.node = mem_alloc_array(r->node_count, sizeof *b.node);
    b.used = 1;
    resp_value_build(&b, &b.node[0]);
    ASSERT(b.position == r->position && b.used <= r->node_count);
    *consumed = r->position;
    *value = b.node;
    *r = (struct resp_value_reader){0};
    return PARSE_OK;
}

void resp_value_free(struct resp_value *value)
{
    mem_free(value);
}
