#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/body.h"
#include "http/head.h"
#include "tests/test.h"

/* --- heads --- */

static enum http_head_result parse(const char *text, struct http_head *head, int *status, const char **why)
{
    size_t scanned = 0;
    size_t size = 0;
    return http_head_parse(slice_from_cstr(text), &scanned, head, &size, status, why);
}

TEST(a_good_head)
{
    struct http_head head;
    int status;
    const char *why;
    const char *text = "PUT /v1/keys/a%20b?x=1 HTTP/1.1\r\nHost: localhost:7001\r\ncontent-length:  12 \r\nIf-Match: \"7\"\r\nX: y\r\n\r\nbody";
    size_t scanned = 0;
    size_t size = 0;
    if (!http_is_built) {
        CHECK_EQ_INT(http_head_parse(slice_from_cstr(text), &scanned, &head, &size, &status, &why), HEAD_BAD);
        return;
    }
    /* At every split. */
    for (size_t n = 1; n < strlen(text); n++) {
        uint8_t *copy = test_guard_copy(text, n);
        scanned = 0;
        enum http_head_result result = http_head_parse((struct slice){copy, n}, &scanned, &head, &size, &status, &why);
        CHECK_EQ_INT(result, n < strlen(text) - 4 ? HEAD_NEED_MORE : HEAD_OK);
        test_guard_free(copy, n);
    }
    scanned = 0;
    REQUIRE(http_head_parse(slice_from_cstr(text), &scanned, &head, &size, &status, &why) == HEAD_OK);
    CHECK_EQ_UINT(size, strlen(text) - 4);
    CHECK_EQ_INT(head.verb, VERB_PUT);
    CHECK_EQ_SLICE(head.target, "/v1/keys/a%20b?x=1");
    CHECK_EQ_UINT(head.content_length, 12);
    CHECK_EQ_SLICE(head.field[FIELD_IF_MATCH], "\"7\"");
    CHECK(head.is_kept_alive && !head.is_chunked && !head.is_upgrade);
}

/* A target that names the server too: its host replaces the field's. */
TEST(absolute_targets)
{
    static const struct {
        const char *target;
        const char *host; /* NULL: refused */
        const char *rest;
    } row[] = {
        {"/v1/keys/a", "field", "/v1/keys/a"},
        {"http://localhost:7001/v1/keys/a?x=http://b/", "localhost:7001", "/v1/keys/a?x=http://b/"},
        {"HTTPS://10.0.0.1", "10.0.0.1", "/"},
        {"http://evil.example@localhost/", "evil.example@localhost", "/"}, /* no host that is known (safety.c) */
        {"http:///v1", NULL, NULL},
        {"http://localhost?x", NULL, NULL},
    };
    for (size_t i = 0; http_is_built && i < sizeof row / sizeof row[0]; i++) {
        struct http_head head;
        int status = 0;
        const char *why;
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: field\r\n\r\n", row[i].target);
        bool is_ok = parse(text, &head, &status, &why) == HEAD_OK;
        CHECK_EQ_INT(is_ok, row[i].host != NULL);
        if (is_ok) {
            CHECK_EQ_SLICE(head.field[FIELD_HOST], row[i].host);
            CHECK_EQ_SLICE(head.target, row[i].rest);
        } else {
            CHECK_EQ_INT(status, 400);
        }
    }
}

/* What comes before the empty line, and what it is answered; 0: it is good. */
TEST(bad_heads)
{
    static const struct {
        const char *text;
        int status;
    } row[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\n\r\n", 400},                                       /* no Host */
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},                 /* two */
        {"GET / HTTP/1.1\nHost: a\n\n", 400},                                  /* bare LF */
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},                      /* bare CR */
        {"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", 400},      /* blank before the colon */
        {"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 3\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: 3\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400}, /* the library: no length */
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417},
    };
    if (!http_is_built) {
        CHECK(!http_is_built);
        return;
    }
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct http_head head;
        int status = 0;
        const char *why = "";
        test_context("%s", row[i].text);
        enum http_head_result result = parse(row[i].text, &head, &status, &why);
        CHECK_EQ_INT(result, row[i].status ? HEAD_BAD : HEAD_OK);
        CHECK_EQ_INT(result == HEAD_BAD ? status : 0, row[i].status);
    }
    test_context("%s", "");
}

TEST(long_heads)
{
    struct http_head head;
    size_t scanned = 0;
    size_t size;
    int status = 0;
    const char *why;
    char *text = mem_alloc(40000);
    memset(text, 'a', 40000);
    memcpy(text, "GET /", 5);
    if (http_is_built) {
        CHECK_EQ_INT(http_head_parse((struct slice){(uint8_t *)text, 16000}, &scanned, &head, &size, &status, &why), HEAD_NEED_MORE);
        CHECK_EQ_INT(http_head_parse((struct slice){(uint8_t *)text, 40000}, &scanned, &head, &size, &status, &why), HEAD_BAD);
        CHECK_EQ_INT(status, 414);
        memcpy(text, "GET / HTTP/1.1\r\nX:", 18);
        scanned = 0;
        CHECK_EQ_INT(http_head_parse((struct slice){(uint8_t *)text, 40000}, &scanned, &head, &size, &status, &why), HEAD_BAD);
        CHECK_EQ_INT(status, 431);
    }
    CHECK(text != NULL);
    mem_free(text);
}

/* --- chunks --- */

/* Feeds `text` in pieces of `step` bytes; the data, or "?" and the result. */
static const char *dechunk(const char *text, size_t step, size_t max, struct buf *out)
{
    struct http_chunks chunks = {0};
    struct buf input = {0};
    enum http_body_result result = BODY_NEED_MORE;
    size_t n = strlen(text);
    buf_clear(out, SIZE_MAX);
    for (size_t at = 0; at < n && result == BODY_NEED_MORE; at += step) {
        size_t consumed;
        buf_append(&input, text + at, n - at < step ? n - at : step);
        result = http_chunks_take(&chunks, buf_slice(&input), max, out, &consumed);
        buf_consume(&input, consumed);
    }
    if (result != BODY_OK) {
        buf_clear(out, SIZE_MAX);
        buf_printf(out, "?%d", (int)result);
    } else {
        buf_printf(out, "|");
        buf_append_slice(out, buf_slice(&input));
    }
    buf_deinit(&input);
    buf_append_byte(out, '\0');
    return (const char *)buf_slice(out).p;
}

TEST(chunks)
{
    static const struct {
        const char *text;
        const char *result; /* data, '|', what is left; ?0 more is needed, ?2 too big, ?3 bad */
    } row[] = {
        {"0\r\n\r\n", "|"},
        {"3\r\nabc\r\n0\r\n\r\n", "abc|"},
        {"3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n", "abc0123456789|"},
        {"3;x=y\r\nabc\r\n000\r\nTrailer: x\r\n\r\n", "abc|"},
        {"3\r\nabc\r\n", "?0"},
        {"3\nabc\r\n0\r\n\r\n", "?3"},
        {"3\r\nabcd\r\n0\r\n\r\n", "?3"},
        {"3\r\nabc0\r\n\r\n", "?3"},
        {"\r\nabc\r\n", "?3"},
        {"x\r\nabc\r\n", "?3"},
        {"0x3\r\nabc\r\n", "?3"},
        {"-3\r\nabc\r\n", "?3"},
        {"3 \r\nabc\r\n", "?3"},
        {"fffffffffffffffff\r\n", "?3"},
        {"fffffffff\r\n", "?2"},
        {"40\r\n", "?2"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        for (size_t step = 1; step < 40; step++) {
            test_context("%s in pieces of %zu", row[i].text, step);
            const char *result = dechunk(row[i].text, step, 20, &out);
            const char *bar = strchr(row[i].result, '|');
            size_t size = bar ? (size_t)(bar - row[i].result) + 1 : strlen(row[i].result);
            CHECK_EQ_BYTES(result, size, row[i].result, size);
        }
    }
    test_context("%s", "");
    CHECK_EQ_STR(dechunk("3\r\nabc\r\n0\r\n\r\nGET", 100, 20, &out), "abc|GET");
    buf_deinit(&out);
}

TEST_MAIN()
