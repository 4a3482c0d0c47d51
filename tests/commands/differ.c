#define _GNU_SOURCE
#include "tests/commands/differ.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "resp/resp_value.h"
#include "tests/test.h"

void differ_word(struct differ_command *c, const char *text)
{
    ASSERT(c->count < DIFFER_ARGS_MAX);
    c->arg[c->count++] = slice_from_cstr(text);
}

void differ_bytes(struct differ_command *c, struct slice bytes)
{
    ASSERT(c->count < DIFFER_ARGS_MAX && bytes.n <= sizeof c->room - c->used);
    if (bytes.n) {
        memcpy(c->room + c->used, bytes.p, bytes.n);
    }
    c->arg[c->count++] = (struct slice){c->room + c->used, bytes.n};
    c->used += bytes.n;
}

void differ_number(struct differ_command *c, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = number_format_i64(number, text);
    differ_bytes(c, (struct slice){(const uint8_t *)text, n});
}

bool differ_begin(struct differ *d, enum reply_protocol protocol, uint64_t seed, const char *what)
{
    memset(d, 0, sizeof *d);
    if (!redis_server_start(&d->server)) {
        printf("skip commands/differential %s: redis-server is not installed or did not start\n", what);
        return false;
    }
    rows_init(&d->rows);
    d->rows.protocol = protocol;
    prng_seed(&d->random, seed);
    if (protocol == REPLY_RESP3) {
        struct slice hello[] = {SLICE_LITERAL("HELLO"), SLICE_LITERAL("3")};
        REQUIRE(redis_server_run(&d->server, hello, 2, &d->theirs));
    }
    return true;
}

void differ_end(struct differ *d)
{
    test_context("%s", "");
    rows_deinit(&d->rows);
    redis_server_stop(&d->server);
    buf_deinit(&d->theirs);
}

/* --- comparing in any order --- */

static void append_value(struct buf *out, const struct resp_value *v);

static int compare_texts(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* The children, `group` at a time, sorted by what they say. */
static void append_sorted(struct buf *out, const struct resp_value *v, size_t group)
{
    size_t count = v->child_count / group;
    size_t *end = mem_alloc_array(count + 1, sizeof *end);
    struct slice *text = mem_alloc_array(count + 1, sizeof *text);
    struct buf all = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < group; j++) {
            append_value(&all, &v->child[i * group + j]);
        }
        end[i] = buf_size(&all);
    }
    for (size_t i = 0; i < count; i++) {
        size_t start = i ? end[i - 1] : 0;
        text[i] = (struct slice){buf_slice(&all).p + start, end[i] - start};
    }
    qsort(text, count, sizeof *text, compare_texts);
    for (size_t i = 0; i < count; i++) {
        buf_append_slice(out, text[i]);
    }
    buf_deinit(&all);
    mem_free(text);
    mem_free(end);
}

static void append_value(struct buf *out, const struct resp_value *v)
{
    buf_printf(out, "%d:%zu:%zu:", (int)v->type, v->text.n, v->child_count);
    buf_append_slice(out, v->text);
    buf_printf(out, ":%lld\n", (long long)v->integer);
    for (size_t i = 0; i < v->child_count; i++) {
        append_value(out, &v->child[i]);
    }
}

static void normalise(struct slice reply, enum differ_order order, struct buf *out)
{
    struct resp_value_reader reader = {0};
    struct resp_value *value;
    size_t consumed;
    REQUIRE(resp_value_next(&reader, reply, &value, &consumed) == PARSE_OK);
    buf_printf(out, "type %d, %zu children\n", (int)value->type, value->child_count);
    bool is_nested = value->child_count > 0 && value->child[0].child_count > 0;
    if (value->child_count == 0) {
        append_value(out, value);
    } else if (order == DIFFER_PAIRS && !is_nested && value->child_count % 2 == 0) {
        append_sorted(out, value, 2);
    } else {
        append_sorted(out, value, 1);
    }
    resp_value_free(value);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct slice differ_run(struct differ *d, const struct differ_command *c, enum differ_order order)
{
    struct buf text = {0};
    for (size_t i = 0; i < c->count; i++) {
        buf_append_byte(&text, ' ');
        reply_text_escape(&text, (struct slice){c->arg[i].p, c->arg[i].n < 60 ? c->arg[i].n : 60});
    }
    buf_append_byte(&text, 0);
    test_context("%s (RESP%d)", (const char *)buf_slice(&text).p, d->rows.protocol == REPLY_RESP3 ? 3 : 2);
    buf_deinit(&text);
    d->rows.time_ms = now_ms();
    buf_clear(&d->theirs, SIZE_MAX);
    struct slice ours = rows_run(&d->rows, c->arg, c->count);
    REQUIRE(redis_server_run(&d->server, c->arg, c->count, &d->theirs));
    struct slice theirs = buf_slice(&d->theirs);
    if (slice_equal(ours, theirs)) {
        return ours;
    }
    struct buf a = {0};
    struct buf b = {0};
    if (order != DIFFER_EXACT) {
        normalise(ours, order, &a);
        normalise(theirs, order, &b);
    }
    if (order == DIFFER_EXACT || !slice_equal(buf_slice(&a), buf_slice(&b))) {
        CHECK_EQ_BYTES(ours.p, ours.n, theirs.p, theirs.n);
    }
    buf_deinit(&a);
    buf_deinit(&b);
    return ours;
}

struct slice differ_line(struct differ *d, enum differ_order order, const char *format, ...)
{
    struct differ_command c = {.count = 0};
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        differ_word(&c, word);
    }
    return differ_run(d, &c, order);
}
