/* The corpus cases whose answer only the parser decides, against a server of three commands. The
 * whole corpus runs against real servers in integration/; what is left out here is printed. */
#include "base/mem.h"
#include "resp/reply.h"
#include "resp/resp_parser.h"
#include "tests/lib/corpus.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

#include <stdio.h>

#define CORPUS_PATH "tests/data/protocol_corpus.txt"

/* --- A server of PING, ECHO, and the answers to all it doesn't know --------------------------- */

/* As Redis 7.0 commandCheckExistence words it; %s and %.*s end at a NUL there too. */
static void answer_unknown(struct reply *r, const struct command *c)
{
    struct buf args = {0};
    for (size_t i = 1; i < c->arg_count && buf_size(&args) < 128; i++) {
        int room = (int)(128 - buf_size(&args));
        int n = c->arg[i].n < (size_t)room ? (int)c->arg[i].n : room;
        buf_printf(&args, "'%.*s' ", n, (const char *)c->arg[i].p);
    }
    buf_append_byte(&args, 0);
    int n = c->arg[0].n < 128 ? (int)c->arg[0].n : 128;
    reply_errorf(r, "ERR unknown command '%.*s', with args beginning with: %s", n,
                 (const char *)c->arg[0].p, (const char *)buf_slice(&args).p);
    buf_deinit(&args);
}

static void answer(struct reply *r, const struct command *c)
{
    if (slice_equal_nocase(c->arg[0], "ping") && c->arg_count == 1) {
        reply_simple(r, "PONG");
    } else if (slice_equal_nocase(c->arg[0], "ping") && c->arg_count == 2) {
        reply_bulk(r, c->arg[1]);
    } else if (slice_equal_nocase(c->arg[0], "echo") && c->arg_count == 2) {
        reply_bulk(r, c->arg[1]);
    } else if (slice_equal_nocase(c->arg[0], "echo")) {
        reply_error(r, "ERR wrong number of arguments for 'echo' command");
    } else {
        answer_unknown(r, c);
    }
}

struct server {
    struct resp_parser parser;
    bool is_closed;
};

static void *server_start(void)
{
    struct server *s = mem_alloc_zero(sizeof *s);
    resp_parser_init(&s->parser);
    return s;
}

static void *server_start_unauthenticated(void)
{
    struct server *s = server_start();
    s->parser.is_authenticated = false;
    return s;
}

static bool server_step(void *state, struct slice input, size_t *consumed, struct buf *out)
{
    struct server *s = state;
    struct reply r = {.out = out, .protocol = REPLY_RESP2};
    struct command command = {0};
    if (s->is_closed) {
        *consumed = input.n;
        return false;
    }
    switch (resp_parser_next(&s->parser, input, &command, consumed)) {
    case PARSE_OK:
        answer(&r, &command);
        return true;
    case PARSE_EMPTY:
        return true;
    case PARSE_NEED_MORE:
        return false;
    case PARSE_ERROR:
        reply_error(&r, resp_parser_error(&s->parser));
        s->is_closed = true;
        *consumed = input.n;
        return false;
    }
    return false;
}

/* The state of the connection stands behind the answer, after a NUL-free mark no answer ends in. */
static void server_finish(void *state, struct slice rest, struct buf *out)
{
    struct server *s = state;
    (void)rest;
    buf_printf(out, "%s", s->is_closed ? "=CLOSED" : "=OPEN");
    resp_parser_deinit(&s->parser);
    mem_free(s);
}

static const struct feed_target server_target = {server_start, server_step, server_finish};
static const struct feed_target unauthenticated_target = {server_start_unauthenticated, server_step,
                                                          server_finish};

/* --- Which cases, and how ----------------------------------------------------------------------
 */

/* Cases of the sections below whose answer needs more than the parser. */
static const char *const needs_more[] = {
    "mbulk/big-arg-32k",   /* SET, STRLEN */
    "inline/set-get",      /* SET, GET */
    "inline/empty-quoted", /* SET, GET */
    "inline/http-get",     /* the front door */
    "inline/post",         /* the front door */
    "inline/host",         /* refused as a command */
    "inline/host-after-ping",
};

static bool is_in_list(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The target that can answer this case, NULL if none can. */
static const struct feed_target *target_of(const struct corpus_case *item)
{
    static const char *const errors[] = {"err/unknown",           "err/unknown-args",
                                         "err/unknown-newline",   "err/unknown-long-name",
                                         "err/unknown-long-args", "err/unknown-quote",
                                         "err/empty-cmd",         "err/sentinel-on-standalone"};
    static const char *const unauthenticated[] = {"auth/unknown", "auth/mbulk-10", "auth/mbulk-11",
                                                  "auth/bulk-16384", "auth/bulk-16385"};
    if (is_in_list(item->name, unauthenticated, sizeof unauthenticated / sizeof *unauthenticated)) {
        return &unauthenticated_target;
    }
    bool is_taken = (corpus_case_is_in(item, "mbulk") || corpus_case_is_in(item, "inline") ||
                     is_in_list(item->name, errors, sizeof errors / sizeof *errors)) &&
                    !is_in_list(item->name, needs_more, sizeof needs_more / sizeof *needs_more);
    return is_taken ? &server_target : NULL;
}

/* A line longer than 64 KiB is taken only when it arrives whole, so its cuts matter. */
#define ALL_CUTS_BELOW 2000u

static void check_case(const struct corpus_case *item, const struct feed_target *target)
{
    struct buf sent = {0};
    struct buf expected = {0};
    for (size_t i = 0; i < item->step_count; i++) {
        buf_append_slice(&sent, buf_slice(&item->step[i].sent));
        buf_append_slice(&expected, buf_slice(&item->step[i].expected));
    }
    buf_printf(&expected, "%s", item->is_closed ? "=CLOSED" : "=OPEN");
    struct slice wanted = buf_slice(&expected);
    if (buf_size(&sent) < ALL_CUTS_BELOW && !memchr(wanted.p, 0, wanted.n)) {
        buf_append_byte(&expected, 0);
        feed_check(target, item->name, buf_slice(&sent), (const char *)buf_slice(&expected).p);
    } else {
        test_context("%s", item->name);
        struct buf got = {0};
        feed_pieces(target, buf_slice(&sent), buf_size(&sent), 1, &got);
        CHECK_EQ_BYTES(buf_slice(&got).p, buf_size(&got), wanted.p, wanted.n);
        buf_deinit(&got);
        test_context("%s", "");
    }
    buf_deinit(&sent);
    buf_deinit(&expected);
}

TEST(cases_that_the_parser_decides)
{
    struct corpus c;
    char error[256] = "";
    bool is_read = corpus_load(&c, CORPUS_PATH, error, sizeof error);
    test_context("%s", error);
    REQUIRE(is_read);
    CHECK_EQ_INT(c.count, 276);
    size_t checked = 0;
    for (size_t i = 0; i < c.count; i++) {
        const struct feed_target *target = target_of(&c.item[i]);
        if (target) {
            check_case(&c.item[i], target);
            checked++;
        }
    }
    /* A renamed section must not go unnoticed. */
    CHECK_EQ_INT(checked, 56 + 27 + 8 + 5);
    printf("  %zu of %zu corpus cases; the others need more than a parser\n", checked, c.count);
    corpus_free(&c);
}

TEST_MAIN()
