#define _GNU_SOURCE
#include "tests/commands/differential.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "resp/resp_value.h"
#include "tests/commands/redis_server.h"
#include "tests/test.h"

void line_add_slice(struct line *l, struct slice arg)
{
    if (l->count < LINE_ARGS_MAX) {
        l->arg[l->count++] = arg;
    }
}

void line_add(struct line *l, const char *arg)
{
    line_add_slice(l, slice_from_cstr(arg));
}

void line_printf(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *at = l->room + l->used;
    int n = vsnprintf(at, sizeof l->room - l->used, format, args);
    va_end(args);
    REQUIRE(n >= 0 && (size_t)n < sizeof l->room - l->used);
    l->used += (size_t)n;
    line_add_slice(l, (struct slice){(const uint8_t *)at, (size_t)n});
}

void line_spoil(struct line *l, struct prng *random)
{
    static const char *const more[] = {"more", "", "1", "-1", "COUNT", "foo"};
    uint64_t what = prng_below(random, 60);
    if (what == 0 && l->count > 1) {
        l->count--;
    } else if (what == 1) {
        line_add(l, CHOOSE(random, more));
    }
}

/* --- comparing --- */

static int order_of_bulks(const void *a, const void *b)
{
    return slice_compare(((const struct resp_value *)a)->text,
                         ((const struct resp_value *)b)->text);
}

/* The value as text; arrays that hold nothing but bulks are sorted, in groups of `group`. */
static void flatten(struct buf *out, struct resp_value *v, size_t group)
{
    buf_printf(out, "%d(%lld %.*s", (int)v->type, (long long)v->integer, (int)v->text.n,
               v->text.n ? (const char *)v->text.p : "");
    bool is_bulks = v->child_count > 1 && v->child_count % group == 0;
    for (size_t i = 0; i < v->child_count; i++) {
        is_bulks &= v->child[i].type == RESP_BULK || i % group > 0;
    }
    if (is_bulks) {
        qsort(v->child, v->child_count / group, group * sizeof v->child[0], order_of_bulks);
    }
    for (size_t i = 0; i < v->child_count; i++) {
        flatten(out, &v->child[i], group);
    }
    buf_append_byte(out, ')');
}

static void flatten_reply(struct buf *out, struct slice bytes, size_t group)
{
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed;
    REQUIRE(resp_value_next(&reader, bytes, &value, &consumed) == PARSE_OK && consumed == bytes.n);
    flatten(out, value, group);
    resp_value_free(value);
}

static void compare_unordered(struct slice ours, struct slice theirs, size_t group)
{
    struct buf flat_ours;
    struct buf flat_theirs;
    buf_init(&flat_ours);
    buf_init(&flat_theirs);
    flatten_reply(&flat_ours, ours, group);
    flatten_reply(&flat_theirs, theirs, group);
    CHECK_EQ_BYTES(buf_slice(&flat_ours).p, buf_size(&flat_ours), buf_slice(&flat_theirs).p,
                   buf_size(&flat_theirs));
    buf_deinit(&flat_ours);
    buf_deinit(&flat_theirs);
}

static void
compare(const struct differential *d, struct rows *r, struct redis_server *s, const struct line *l)
{
    char context[1024] = "";
    for (size_t i = 0; i < l->count; i++) {
        size_t n = strlen(context);
        snprintf(context + n, sizeof context - n, " '%.*s'", (int)l->arg[i].n,
                 l->arg[i].n ? (const char *)l->arg[i].p : "");
    }
    test_context("%s (RESP%d)", context, r->protocol == REPLY_RESP3 ? 3 : 2);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    r->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    struct buf theirs;
    buf_init(&theirs);
    struct slice ours = rows_run(r, l->arg, l->count);
    REQUIRE(redis_server_run(s, l->arg, l->count, &theirs));
    if (d->amend) {
        d->amend(&theirs);
    }
    struct slice want = buf_slice(&theirs);
    bool is_error = ours.n > 0 && want.n > 0 && (ours.p[0] == '-' || want.p[0] == '-');
    enum comparison how = d->how ? d->how(l) : COMPARE_BYTES;
    if (is_error && how != COMPARE_NOTHING) {
        how = COMPARE_BYTES;
    }
    switch (how) {
    case COMPARE_BYTES:
        CHECK_EQ_BYTES(ours.p, ours.n, want.p, want.n);
        break;
    case COMPARE_UNORDERED:
    case COMPARE_PAIRS:
        compare_unordered(ours, want, how == COMPARE_PAIRS ? 2 : 1);
        break;
    case COMPARE_NOTHING:
        CHECK(ours.n > 0);
        break;
    }
    buf_deinit(&theirs);
}

/* --- the run --- */

static void say_hello(struct redis_server *s, enum reply_protocol protocol)
{
    const struct slice arg[] = {SLICE_LITERAL("HELLO"),
                                slice_from_cstr(protocol == REPLY_RESP3 ? "3" : "2")};
    struct buf reply;
    buf_init(&reply);
    REQUIRE(redis_server_run(s, arg, 2, &reply));
    buf_deinit(&reply);
}

void differential_run(const struct differential *d, enum reply_protocol protocol)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/differential_%s: redis-server is not installed or did not start\n",
               d->name);
        return;
    }
    struct rows r;
    rows_init(&r);
    r.protocol = protocol;
    say_hello(&s, protocol);
    struct prng random;
    prng_seed(&random, d->seed + (protocol == REPLY_RESP3));
    const char *steps = getenv("DIFFERENTIAL_STEPS");
    for (size_t left = steps ? (size_t)strtoul(steps, NULL, 10) : d->steps; left > 0; left--) {
        struct line l = {.count = 0};
        d->make(&l, &random);
        compare(d, &r, &s, &l);
    }
    test_context("%s", "");
    rows_deinit(&r);
    redis_server_stop(&s);
}
