#include "resp/front_door.h"

#include "base/limits.h"
#include "base/mem.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

static const char *const kind_names[] = {
    [FRONT_DOOR_NEED_MORE] = "more", [FRONT_DOOR_RESP] = "resp", [FRONT_DOOR_PEER] = "peer",
    [FRONT_DOOR_HTTP] = "http",      [FRONT_DOOR_TEXT] = "text", [FRONT_DOOR_INLINE] = "inline",
    [FRONT_DOOR_TOO_BIG] = "big",
};

/* The first decision counts: what comes behind it belongs to a session. */
struct door_state {
    struct front_door door;
    enum front_door_kind kind;
};

static void *door_start(void)
{
    struct door_state *s = mem_alloc_zero(sizeof *s);
    front_door_init(&s->door);
    return s;
}

static bool door_step(void *state, struct slice input, size_t *consumed, struct buf *log)
{
    struct door_state *s = state;
    (void)consumed;
    (void)log;
    if (s->kind == FRONT_DOOR_NEED_MORE) {
        s->kind = front_door_decide(&s->door, input);
    }
    return false;
}

static void door_finish(void *state, struct slice rest, struct buf *log)
{
    struct door_state *s = state;
    (void)rest;
    buf_printf(log, "%s", kind_names[s->kind]);
    mem_free(s);
}

static const struct feed_target door_target = {door_start, door_step, door_finish};

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
    const char *input;
    size_t n;
    const char *kind;
} rows[] = {
    {BYTES(""), "more"},
    {BYTES("*"), "resp"},
    {BYTES("*1\r\n$4\r\nPING\r\n"), "resp"},
    {BYTES("\r\n\n*1\r\n"), "resp"},
    {BYTES(" *1\r\n"), "inline"},
    {BYTES("\xC0"), "peer"},
    {BYTES("\xC0\x01\x02"), "peer"},
    {BYTES("\n\xC0"), "inline"},
    {BYTES("\x01\x02\n"), "inline"},
    {BYTES("\x16\x03\x01"), "inline"},
    {BYTES("\xC3\xA9\n"), "inline"},
    {BYTES("\0\0"), "inline"},
    {BYTES("$4\r\nPING\r\n"), "inline"},
    {BYTES("+PING\r\n"), "inline"},
    {BYTES(":1\r\n"), "inline"},
    {BYTES("%1\r\n"), "inline"},
    /* The first complete line decides, not its first word. */
    {BYTES("get k"), "more"},
    {BYTES("PING"), "more"},
    {BYTES("PING\r"), "more"},
    {BYTES("PING\n"), "inline"},
    {BYTES("PING\r\n"), "inline"},
    {BYTES("SET a 1\r\nget a\r\n"), "inline"},
    {BYTES("SELECT 1\n"), "inline"},
    /* Verbs, in any case. */
    {BYTES("put key1 value1\n"), "text"},
    {BYTES("get k\n"), "text"},
    {BYTES("GET k\r\n"), "text"},
    {BYTES("gEt\r\n"), "text"},
    {BYTES("update a b\n"), "text"},
    {BYTES("delete a\n"), "text"},
    {BYTES("add-node h:1\n"), "text"},
    {BYTES("REMOVE-NODE h\n"), "text"},
    {BYTES("status\n"), "text"},
    {BYTES("help\n"), "text"},
    {BYTES("quit\n"), "text"},
    {BYTES("QUIT\r\n"), "text"},
    {BYTES("auth x\n"), "text"},
    {BYTES("  \tget k\n"), "text"},
    {BYTES("\r\n \t\r\n\nget k\n"), "text"},
    {BYTES("\r\n\r\nPING\n"), "inline"},
    {BYTES("\r\n  \n"), "more"},
    {BYTES("\"get\" k\n"), "text"},
    {BYTES("'put' k v\n"), "text"},
    {BYTES("\"\\x67\\x65\\x74\" k\n"), "text"},
    {BYTES("ge\"t\" k\n"), "text"},
    {BYTES("\"get\n"), "inline"},
    {BYTES("get \"k\n"), "text"},
    {BYTES("getx k\n"), "inline"},
    {BYTES("get: k\n"), "inline"},
    {BYTES("DEL k\n"), "inline"},
    {BYTES("AUTHX\n"), "inline"},
    /* HTTP. */
    {BYTES("GET / HTTP/1.1\r\n"), "http"},
    {BYTES("GET / HTTP/1.0\n"), "http"},
    {BYTES("GET / HTTP/1.1"), "more"},
    {BYTES("\r\nGET /x HTTP/1.1\r\n"), "http"},
    {BYTES("POST /api HTTP/1.1\r\nHost: x\r\n"), "http"},
    {BYTES("PUT k HTTP/1.1\r\n"), "http"},
    {BYTES("DELETE /k HTTP/1.1\r\n"), "http"},
    {BYTES("OPTIONS * HTTP/1.1\r\n"), "http"},
    {BYTES("M-SEARCH * HTTP/1.1\r\n"), "http"},
    {BYTES("GET /a b HTTP/1.1\r\n"), "http"},
    {BYTES("GET / HTTP/1.1 \r\n"), "http"},
    {BYTES("get / HTTP/1.1\r\n"), "text"},
    {BYTES("put /k HTTP/1.1\r\n"), "text"},
    {BYTES("GEt / HTTP/1.1\r\n"), "text"},
    {BYTES("POSt / HTTP/1.1\r\n"), "inline"},
    {BYTES("POST\t/ HTTP/1.1\r\n"), "inline"},
    {BYTES("GET / HTTP/2.0\r\n"), "text"},
    {BYTES("POST / HTTP/2.0\r\n"), "inline"},
    {BYTES("GET / HTTP/1.x\r\n"), "text"},
    {BYTES("GET / HTTP/1.\r\n"), "text"},
    {BYTES("GET HTTP/1.1\r\n"), "text"},
    {BYTES("GET /\r\n"), "text"},
    {BYTES("GET  HTTP/1.1\r\n"), "text"},
    {BYTES("HTTP/1.1\r\n"), "inline"},
    {BYTES("Host: x\r\n"), "inline"},
};

TEST(first_line_at_every_cut)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf name = {0};
        buf_printf(&name, "row %zu", i);
        buf_append_byte(&name, 0);
        struct slice input = {(const uint8_t *)rows[i].input, rows[i].n};
        feed_check(&door_target, (const char *)buf_slice(&name).p, input, rows[i].kind);
        buf_deinit(&name);
    }
}

/* `head`, then `byte` until `size` bytes are there, and a LF when `has_end`. */
static void check_long(const char *head, uint8_t byte, size_t size, bool has_end, const char *kind)
{
    uint8_t *bytes = mem_alloc(size + 1);
    memset(bytes, byte, size);
    memcpy(bytes, head, strlen(head));
    bytes[size] = '\n';
    static const size_t pieces[] = {1u << 20, 1000, 65536, 65537};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        test_context("'%s', %zu bytes in pieces of %zu", head, size, pieces[i]);
        struct buf log = {0};
        struct slice input = {bytes, size + has_end};
        feed_pieces(&door_target, input, pieces[i], pieces[i], &log);
        CHECK_EQ_SLICE(buf_slice(&log), kind);
        buf_deinit(&log);
    }
    test_context("%s", "");
    mem_free(bytes);
}

TEST(long_first_lines)
{
    check_long("PING ", 'a', LIMIT_INLINE_BYTES, false, "more");
    check_long("PING ", 'a', LIMIT_INLINE_BYTES, true, "inline");
    check_long("PING ", 'a', LIMIT_INLINE_BYTES + 1u, false, "inline");
    check_long("ECHO ", 'a', 70000, true, "inline");
    check_long("", 'a', LIMIT_INLINE_BYTES + 1u, false, "inline");
    check_long("put k ", 'a', LIMIT_INLINE_BYTES + 1u, false, "text");
    check_long("GET a", 'a', LIMIT_INLINE_BYTES + 1u, false, "text");
    /* A request that may be HTTP never becomes anything else. */
    check_long("POST /", 'a', 70000, true, "big");
    check_long("GET /", 'a', LIMIT_INLINE_BYTES + 1u, false, "big");
    check_long("POST http://", 'a', 70000, false, "big");
    check_long("ECHO /", 'a', 70000, false, "big");
}

/* Bytes searched in vain are not searched again: were they, it would see the LF planted there. */
TEST(search_goes_on_where_it_ended)
{
    struct front_door door;
    front_door_init(&door);
    CHECK_EQ_INT(front_door_decide(&door, SLICE_LITERAL("\nget aaaa")), FRONT_DOOR_NEED_MORE);
    CHECK_EQ_INT(front_door_decide(&door, SLICE_LITERAL("\nget a\naab")), FRONT_DOOR_NEED_MORE);
    CHECK_EQ_INT(front_door_decide(&door, SLICE_LITERAL("\nget a\naab\n")), FRONT_DOOR_TEXT);
}

TEST(blank_lines_are_bounded)
{
    check_long("", '\n', LIMIT_INLINE_BYTES, false, "more");
    check_long("", '\n', LIMIT_INLINE_BYTES + 1u, false, "big");
    check_long("", ' ', LIMIT_INLINE_BYTES + 1u, false, "inline");
}

TEST_MAIN()
