#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "http/head.h"
#include "http/pages.h"
#include "http/route.h"
#include "http/websocket.h"
#include "tests/client/fake_node.h"
#include "tests/test.h"

/* A client connection that speaks HTTP, without sockets and with a node that decides when the test says so. Date is left out: the
 * fake node has no wall clock. */

#define OPEN                     \
    struct node *n = fake_new(); \
    struct client *c = fake_client(n)
#define CLOSE        \
    client_close(c); \
    fake_free(n)
#define SKIP_UNBUILT          \
    if (!http_is_built) {     \
        CHECK(!http_is_built); \
        return;               \
    }

#define COMMON "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(without_the_library_the_answer_is_501)
{
    OPEN;
    (void)fake_feed(c, "GET /get/a HTTP/1.1\r\n" HOST "\r\n");
    if (!http_is_built) {
        CHECK_CONTAINS(fake_output(c), "HTTP/1.1 501 Not Implemented\r\n");
        CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    } else {
        CHECK_EQ_UINT(fake_undecided(n), 1);
    }
    CLOSE;
}

TEST(a_write_and_a_read)
{
    SKIP_UNBUILT;
    OPEN;
    CHECK_EQ_INT(fake_feed(c, "POST /set/a/x%2Fy HTTP/1.1\r\n" HOST "\r\n"), CLIENT_READ);
    CHECK_EQ_STR(fake_output(c), "");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c),
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n" COMMON "\r\n{\"key\":\"a\",\"value\":\"x/y\"}");
    (void)fake_feed(c, "HEAD /v1/keys/a HTTP/1.1\r\n" HOST "\r\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n" COMMON
                                 "X-Coracle-Index: 1\r\nETag: \"1\"\r\n\r\n");
    CLOSE;
}

TEST(responses_keep_the_order_of_their_requests)
{
    static const size_t order[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    SKIP_UNBUILT;
    for (size_t i = 0; i < 3; i++) {
        OPEN;
        struct buf said = {0};
        (void)fake_feed(c, "POST /set/a/1 HTTP/1.1\r\n" HOST "\r\nGET /nope HTTP/1.1\r\n" HOST "\r\nPOST /set/b/2 HTTP/1.1\r\n" HOST
                           "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\nDELETE /delete/zz HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n");
        for (size_t k = 0; k < 3; k++) {
            fake_decide(n, order[i][k]);
            buf_append_slice(&said, slice_from_cstr(fake_output(c)));
        }
        buf_append_byte(&said, '\0');
        const char *at = (const char *)buf_slice(&said).p;
        static const char *const part[] = {"\"key\":\"a\"", "no such path", "\"key\":\"b\"", "\r\n\r\nok\n", "Key does not exist", "\r\n\r\nok\n"};
        for (size_t k = 0; k < 6 && at; k++) {
            at = strstr(at, part[k]);
            CHECK(at != NULL);
            at = at ? at + 1 : NULL;
        }
        buf_deinit(&said);
        CLOSE;
    }
}

/* A request in pieces of every size, and a body in chunks. */
TEST(requests_in_pieces)
{
    static const char text[] = "POST /write HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n"
                               "9\r\n{\"key\":\"a\r\n10\r\n\",\"value\":\"b c\"}\r\n0\r\n\r\n"
                               "PUT /v1/keys/raw HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n\0\r\n\xff\xfe"
                               "GET /read/a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    SKIP_UNBUILT;
    for (size_t step = 1; step < 60; step += 3) {
        OPEN;
        for (size_t at = 0; at + 1 < sizeof text; at += step) {
            (void)fake_feed_bytes(c, text + at, sizeof text - 1 - at < step ? sizeof text - 1 - at : step);
        }
        test_context("pieces of %zu", step);
        fake_decide_all(n);
        fake_poll(n);
        const char *said = fake_output(c);
        CHECK_CONTAINS(said, "{\"status\":\"success\",\"message\":\"Key a written successfully\"}HTTP/1.1 204 No Content\r\n");
        CHECK_CONTAINS(said, "X-Coracle-Index: 2\r\n");
        CHECK_CONTAINS(said, "Connection: close\r\n");
        CHECK_CONTAINS(said, "{\"key\":\"a\",\"value\":\"b c\",\"message\":\"Read from replica 0\",\"status\":\"success\"}");
        CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
        CLOSE;
    }
    test_context("%s", "");
}

TEST(a_pipeline_is_one_response)
{
    SKIP_UNBUILT;
    OPEN;
    static const char body[] = "[[\"SET\",\"x\",5],[\"SELECT\",\"1\"],[\"INCR\",\"x\"],[\"MULTI\"],[\"SET\",\"y\",\"z\"],[\"EXEC\"],[\"NOPE\"],[\"MONITOR\"]]";
    char text[512];
    (void)snprintf(text, sizeof text, "POST /v1/pipeline HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n%sGET /get/x HTTP/1.1\r\n" HOST "\r\n", sizeof body - 1,
                   body);
    (void)fake_feed(c, text);
    for (int i = 0; i < 4; i++) {
        fake_decide_all(n);
        fake_poll(n);
    }
    const char *said = fake_output(c);
    CHECK_CONTAINS(said, "[\"OK\",\"OK\",1,\"OK\",\"QUEUED\",[\"OK\"],{\"error\":\"ERR unknown command 'NOPE', with args beginning with: \"},"
                         "{\"error\":\"ERR 'monitor' needs a connection of its own: use the Redis protocol\"}]");
    /* SELECT ended with its request. */
    CHECK_CONTAINS(said, "{\"key\":\"x\",\"value\":\"5\"}");
    CLOSE;
}

TEST(a_transaction_left_open_ends_with_its_request)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "POST /v1/pipeline HTTP/1.1\r\n" HOST JSON "Content-Length: 38\r\n\r\n[[\"WATCH\",\"w\"],[\"MULTI\"],[\"GET\",\"q\"]] "
                       "GET /get/x HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 4; i++) {
        fake_decide_all(n);
        fake_poll(n);
    }
    const char *said = fake_output(c);
    CHECK_CONTAINS(said, "[\"OK\",\"OK\",\"QUEUED\"]");
    CHECK_CONTAINS(said, "No such value present with key x");
    CLOSE;
}

TEST(done_not_done_and_unknown)
{
    static const struct {
        const char *request;
        const char *not_done;
        const char *unknown;
    } row[] = {
        {"POST /set/a/1", "no leader: test", "not known: test"},
        {"DELETE /delete/a", "{\"error\":\"Not done\",", "{\"error\":\"Outcome unknown\","},
        {"DELETE /items/a", "{\"status\":\"I do not know who is the leader now\"", "{\"status\":\"the operation request timeout has expired on the server\""},
        {"DELETE /v1/keys/a", "{\"error\":\"CLUSTERDOWN no leader: test\"}", "{\"error\":\"UNKNOWN the outcome of this write is not known: test\"}"},
    };
    SKIP_UNBUILT;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        OPEN;
        char text[256];
        test_context("%s", row[i].request);
        (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\n" HOST "\r\n%s HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n", row[i].request, row[i].request);
        (void)fake_feed(c, text);
        fake_refuse(n, 0, "CLUSTERDOWN no leader: test");
        const char *said = fake_output(c);
        CHECK_CONTAINS(said, "HTTP/1.1 503 Service Unavailable\r\n");
        CHECK_CONTAINS(said, "Retry-After: 1\r\n");
        CHECK_CONTAINS(said, row[i].not_done);
        fake_give_up(n, 1, "UNKNOWN the outcome of this write is not known: test");
        said = fake_output(c);
        CHECK_CONTAINS(said, "HTTP/1.1 504 Gateway Timeout\r\n");
        CHECK(strstr(said, "Retry-After") == NULL);
        CHECK_CONTAINS(said, row[i].unknown);
        CHECK_CONTAINS(said, "ok\n"); /* the next request is served */
        fake_forget(n, 1);
        CLOSE;
    }
    test_context("%s", "");
}

/* One request, the status it is answered with, and whether the connection goes on. */
TEST(who_may_ask_and_how)
{
    static const struct {
        const char *request;
        const char *status;
        bool goes_on;
    } row[] = {
        {"GET /nope HTTP/1.1\r\n" HOST "\r\n", "404", true},
        {"PUT /get/a HTTP/1.1\r\n" HOST "\r\n", "405", true},
        {"PATCH /get/a HTTP/1.1\r\n" HOST "\r\n", "405", true},
        {"GET /set/a/1 HTTP/1.1\r\n" HOST "\r\n", "405", true},
        {"GET /get/%zz HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:7001\r\n\r\n", "200", true},
        {"GET /healthz HTTP/1.1\r\nHost: [::1]:7001\r\n\r\n", "200", true},
        {"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: abcd\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: localhost:80.evil.example\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\nHost: LOCALHOST:7001\r\n\r\n", "200", true},
        {"GET /healthz HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n", "403", true},
        {"GET /healthz HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n\r\n", "200", true},
        {"GET /healthz HTTP/1.1\r\n" HOST "Origin: http://localhost:1\r\n\r\n", "403", true},
        {"OPTIONS /items/a HTTP/1.1\r\n" HOST "\r\n", "204", true},
        {"OPTIONS /items/a HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n", "403", true},
        {"POST /write HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", "415", true},
        {"POST /write HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", "415", true},
        {"POST /write HTTP/1.1\r\n" HOST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b", "415", true},
        {"POST /write HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", "400", true},
        {"POST /write HTTP/1.1\r\n" HOST "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", "400", true},
        {"POST /write HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{]", "400", true},
        {"POST /keys/a HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", "400", true},
        {"POST /items/a HTTP/1.1\r\n" HOST JSON "Content-Length: 15\r\n\r\n{\"value\":null} ", "400", true},
        {"PUT /v1/keys/a HTTP/1.1\r\n" HOST "If-Match: \"1\"\r\nIf-None-Match: *\r\n\r\n", "400", true},
        {"POST /write HTTP/1.1\r\n" HOST JSON "Content-Length: 99999999\r\n\r\n{}", "413", false},
        {"POST /write HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", "413", false},
        {"POST /write HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400", false},
        {"POST /nope HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", "404", false},
        {"GET / HTTP/1.1\r\n\r\n", "400", false},
        {"POST /fail/0 HTTP/1.1\r\n" HOST "\r\n", "403", true},
        {"GET /ws HTTP/1.1\r\n" HOST "\r\n", "426", true},
        {"GET /ws HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n" UPGRADE "\r\n", "403", true},
        {"GET /v1/live HTTP/1.1\r\n" HOST "Origin: null\r\n" UPGRADE "\r\n", "403", true},
        {"GET /v1/watch HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n", "403", true},
        {"GET /v1/watch?from=%zz HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /v1/watch?from=%3 HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /v1/watch?from=0 HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /v1/watch?from=-1 HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /v1/watch?db=16x HTTP/1.1\r\n" HOST "\r\n", "400", true},
        {"GET /v1/watch HTTP/1.1\r\n" HOST "Last-Event-ID: x\r\n\r\n", "400", true},
        {"GET /v1/watch HTTP/1.1\r\n" HOST "Last-Event-ID: 12-4294967296\r\n\r\n", "400", true},
        {"POST /v1/cluster/transfer HTTP/1.1\r\n" HOST JSON "Content-Length: 13\r\n\r\n{\"address\":5}", "400", true},
        {"POST /v1/cluster/transfer HTTP/1.1\r\n" HOST JSON "Content-Length: 15\r\n\r\n{\"adress\":\"a:1\"", "400", true},
        {"POST /v1/cluster/transfer HTTP/1.1\r\n" HOST JSON "Content-Length: 16\r\n\r\n{\"adress\":\"a:1\"}", "400", true},
        {"POST /v1/cluster/members HTTP/1.1\r\n" HOST JSON "Content-Length: 14\r\n\r\n{\"address\":\"\"}", "400", true},
        {"POST /v1/command HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n[]", "400", true},
        {"POST /v1/command HTTP/1.1\r\n" HOST JSON "Content-Length: 10\r\n\r\n[[\"PING\"]]", "400", true},
        {"POST /v1/pipeline HTTP/1.1\r\n" HOST JSON "Content-Length: 8\r\n\r\n[\"PING\"]", "400", true},
        {"POST /items/a HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n[]", "400", true},
        {"DELETE /v1/keys/a HTTP/1.1\r\n" HOST "If-None-Match: *\r\n\r\n", "400", true},
    };
    SKIP_UNBUILT;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        OPEN;
        char want[32];
        test_context("%s", row[i].request);
        (void)fake_feed(c, row[i].request);
        const char *said = fake_output(c);
        (void)snprintf(want, sizeof want, "HTTP/1.1 %s ", row[i].status);
        CHECK_EQ_BYTES(said, strlen(want) < strlen(said) ? strlen(want) : strlen(said), want, strlen(want));
        CHECK_EQ_INT(client_get_state(c), row[i].goes_on ? CLIENT_READ : CLIENT_CLOSE);
        CHECK_EQ_INT(strstr(said, "Connection: close") == NULL, row[i].goes_on);
        if (row[i].goes_on) {
            (void)fake_feed(c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
            CHECK_CONTAINS(fake_output(c), "\r\n\r\nok\n");
        }
        CHECK_EQ_UINT(fake_undecided(n), 0);
        CLOSE;
    }
    test_context("%s", "");
}

static const char *status_with(const char *password, const char *token, const char *path, const char *field)
{
    static char status[16];
    struct node *n = fake_new();
    char text[512];
    mem_free(n->options.requirepass);
    mem_free(n->options.http_token);
    n->options.requirepass = mem_copy_string(password, strlen(password));
    n->options.http_token = mem_copy_string(token, strlen(token));
    struct client *c = fake_client(n);
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "%s\r\n", path, field);
    (void)fake_feed(c, text);
    fake_decide_all(n);
    (void)snprintf(status, sizeof status, "%.3s", fake_output(c) + 9);
    client_close(c);
    fake_free(n);
    return status;
}

TEST(passwords_and_tokens)
{
    SKIP_UNBUILT;
    CHECK_EQ_STR(status_with("", "", "/get/a", ""), "404");
    CHECK_EQ_STR(status_with("pw", "", "/get/a", ""), "401");
    CHECK_EQ_STR(status_with("pw", "", "/get/a", "Authorization: Basic dXNlcjpwdw==\r\n"), "404");
    CHECK_EQ_STR(status_with("pw", "", "/get/a", "Authorization: Basic dXNlcjpwdzI=\r\n"), "401");
    CHECK_EQ_STR(status_with("pw", "", "/get/a", "Authorization: Basic !\r\n"), "401");
    CHECK_EQ_STR(status_with("pw", "", "/get/a", "Authorization: Bearer pw\r\n"), "404");
    CHECK_EQ_STR(status_with("", "tok", "/get/a", "Authorization: Bearer pw\r\n"), "401");
    CHECK_EQ_STR(status_with("", "tok", "/get/a", "Authorization: Bearer tok\r\n"), "404");
    CHECK_EQ_STR(status_with("", "tok", "/get/a", "Authorization: Bearer\r\n"), "401");
    CHECK_EQ_STR(status_with("", "tok", "/read/a", ""), "403");
    CHECK_EQ_STR(status_with("", "tok", "/read/a", "Authorization: bearer tok\r\n"), "404");
    CHECK_EQ_STR(status_with("pw", "tok", "/healthz", ""), "200");
    CHECK_EQ_STR(status_with("pw", "tok", "/nope", ""), "401");
}

/* The OpenAPI document names every path and method there is, and no other. */
TEST(openapi_is_what_the_server_does)
{
    static const struct {
        enum http_verb verb;
        const char *name;
    } method[] = {{VERB_GET, "get"}, {VERB_POST, "post"}, {VERB_PUT, "put"}, {VERB_DELETE, "delete"}};
    struct slice document;
    struct slice paths;
    size_t found = 0;
    REQUIRE(json_check(http_page_openapi(), &document) && json_member(document, "paths", &paths));
    for (size_t i = 0; i < http_route_count(); i++) {
        const struct http_route *route = http_route_at(i);
        struct slice path;
        struct slice operation;
        test_context("%s", route->pattern);
        REQUIRE(json_member(paths, route->pattern, &path));
        for (size_t k = 0; k < 4; k++) {
            CHECK_EQ_INT(json_member(path, method[k].name, &operation), http_route_takes(route, method[k].verb));
        }
        found++;
    }
    test_context("%s", "");
    CHECK_EQ_UINT(json_count(paths), found);
}

TEST(slow_requests_are_ended)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "GET /healthz HTTP/1.1\r\n");
    n->now_us += 5000000;
    clients_each_second(n->clients, n->now_us);
    CHECK_EQ_STR(fake_output(c), "");
    n->now_us += 6500000;
    clients_each_second(n->clients, n->now_us);
    CHECK_CONTAINS(fake_output(c), "HTTP/1.1 408 Request Timeout\r\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    CLOSE;
}

/* What came before buys no patience: neither a long body, nor a body that trickles. */
TEST(a_slow_request_behind_a_long_one_is_ended)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "POST /write HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n40000\r\n{\"key\":\"a\",\"value\":\"");
    struct buf body = {0};
    for (size_t i = 0; i < 0x40000 - 22; i++) {
        buf_append_byte(&body, 'x');
    }
    (void)fake_feed_bytes(c, buf_slice(&body).p, buf_size(&body));
    (void)fake_feed(c, "\"}\r\n0\r\n\r\n");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_CONTAINS(fake_output(c), "Key a written successfully");
    (void)fake_feed(c, "POST /write HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 13; i++) {
        (void)fake_feed(c, "1\r\n \r\n");
        n->now_us += 1000000;
        clients_each_second(n->clients, n->now_us);
    }
    CHECK_CONTAINS(fake_output(c), "HTTP/1.1 408 Request Timeout\r\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    buf_deinit(&body);
    CLOSE;
}

TEST(an_idle_connection_is_no_slow_request)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    (void)fake_output(c);
    n->now_us += 100000000;
    clients_each_second(n->clients, n->now_us);
    CHECK_EQ_STR(fake_output(c), "");
    (void)fake_feed(c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    CHECK_CONTAINS(fake_output(c), "200 OK");
    CLOSE;
}

/* --- watchers ------------------------------------------------------------------------------------- */

static struct client *watch(struct node *n, const char *target, const char *fields)
{
    struct client *c = fake_client(n);
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "%s\r\n", target, fields);
    (void)fake_feed(c, text);
    fake_decide_all(n);
    fake_poll(n);
    return c;
}

static void write_key(struct node *n, struct client *writer, const char *command)
{
    (void)fake_feed(writer, command);
    fake_decide_all(n);
    fake_poll(n);
    (void)fake_output(writer);
}

TEST(watchers_get_every_change_once)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "PING\r\n");
    struct client *all = watch(n, "/v1/watch", "");
    struct client *some = watch(n, "/v1/watch?prefix=b", "");
    CHECK_CONTAINS(fake_output(all), "text/event-stream");
    CHECK_CONTAINS(fake_output(some), "text/event-stream");
    write_key(n, c, "SET a 1\r\n");
    write_key(n, c, "SET b 2\r\n");
    write_key(n, c, "DEL a\r\n");
    CHECK_EQ_STR(fake_output(all), "id: 3-0\ndata: {\"key\":\"a\",\"value\":\"1\",\"old\":null,\"event\":\"set\",\"index\":3,\"part\":0}\n\n"
                                   "id: 4-0\ndata: {\"key\":\"b\",\"value\":\"2\",\"old\":null,\"event\":\"set\",\"index\":4,\"part\":0}\n\n"
                                   "id: 5-0\ndata: {\"key\":\"a\",\"value\":null,\"old\":\"1\",\"event\":\"del\",\"index\":5,\"part\":0}\n\n");
    CHECK_EQ_STR(fake_output(some), "id: 4-0\ndata: {\"key\":\"b\",\"value\":\"2\",\"old\":null,\"event\":\"set\",\"index\":4,\"part\":0}\n\n");
    /* Resumed behind the second one. */
    struct client *again = watch(n, "/v1/watch", "Last-Event-ID: 4-0\r\n");
    CHECK_CONTAINS(fake_output(again), "\r\n\r\nid: 5-0\n");
    struct client *old = watch(n, "/v1/watch?from=1", "");
    CHECK_EQ_INT(strncmp(fake_output(old), "HTTP/1.1 200", 12), 0);
    client_close(all);
    client_close(some);
    client_close(again);
    client_close(old);
    CLOSE;
}

/* A watcher that never reads is cut off; one that reads in small pieces is not, and gets whole frames in order. */
TEST(slow_watchers_are_bounded_and_told)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "PING\r\n");
    struct client *slow = watch(n, "/v1/watch", "");
    struct client *good = watch(n, "/v1/watch", "");
    (void)fake_output(slow);
    (void)fake_output(good);
    struct buf command = {0};
    struct buf value = {0};
    for (int i = 0; i < 30000; i++) {
        buf_append_byte(&value, 'x');
    }
    size_t sent = 0;
    bool is_told = false;
    for (int i = 0; i < 700 && !is_told; i++) {
        buf_clear(&command, SIZE_MAX);
        buf_printf(&command, "SET k%d ", i);
        buf_append_slice(&command, buf_slice(&value));
        buf_append(&command, "\r\n", 2);
        (void)fake_feed_bytes(c, buf_slice(&command).p, buf_size(&command));
        fake_decide_all(n);
        fake_poll(n);
        client_output_sent(c, client_output(c).n);
        n->count = 0;
        if (i == 0) {
            client_output_sent(slow, 10); /* In the middle of a frame. */
        }
        for (struct slice out = client_output(good); out.n > 0; out = client_output(good)) {
            client_output_sent(good, out.n < 7777 ? out.n : 7777);
            sent += out.n < 7777 ? out.n : 7777;
        }
        is_told = client_get_state(slow) != CLIENT_READ;
    }
    CHECK(is_told);
    CHECK(sent > LIMIT_WATCH_BYTES / 2);
    CHECK_EQ_INT(client_get_state(good), CLIENT_READ);
    const char *said = fake_output(slow);
    CHECK_CONTAINS(said, "\n\nevent: slow\ndata: {\"error\":\"too slow\",\"code\":1013}\n\n");
    CHECK_EQ_INT(client_get_state(slow), CLIENT_CLOSE);
    buf_deinit(&command);
    buf_deinit(&value);
    client_close(slow);
    client_close(good);
    CLOSE;
}

#define MANY 20

/* Told in rounds: at once, then not before a while has passed; what gathered meanwhile comes whole and in order. */
TEST(many_watchers_are_told_in_rounds)
{
    SKIP_UNBUILT;
    OPEN;
    struct client *w[MANY];
    (void)fake_feed(c, "PING\r\n");
    for (size_t i = 0; i < MANY; i++) {
        w[i] = watch(n, "/v1/watch", "");
        (void)fake_output(w[i]);
    }
    n->now_us += 1000000;
    write_key(n, c, "SET a 1\r\n");
    CHECK_EQ_UINT(clients_wake_us(n->clients), UINT64_MAX);
    for (size_t i = 0; i < MANY; i++) {
        CHECK_CONTAINS(fake_output(w[i]), "{\"key\":\"a\",\"value\":\"1\",");
    }
    write_key(n, c, "SET b 2\r\n");
    write_key(n, c, "SET c 3\r\n");
    uint64_t wake_us = clients_wake_us(n->clients);
    CHECK(wake_us > n->now_us && wake_us < n->now_us + 10000);
    n->now_us = wake_us;
    fake_poll(n);
    for (size_t i = 0; i < MANY; i++) {
        const char *b = fake_output(w[i]);
        CHECK(strncmp(b, "id: 22-0\ndata: {\"key\":\"b\"", 25) == 0 && strstr(b, "\n\nid: 23-0\n") != NULL);
    }
    CHECK_EQ_UINT(clients_wake_us(n->clients), UINT64_MAX);
    /* One that leaves in the middle takes nobody's turn. */
    n->now_us += 1000000;
    (void)fake_feed(c, "DEL a\r\n");
    client_close(w[3]);
    fake_decide_all(n);
    fake_poll(n);
    for (size_t i = 0; i < MANY; i++) {
        if (i != 3) {
            CHECK_CONTAINS(fake_output(w[i]), "id: 24-0\n");
            client_close(w[i]);
        }
    }
    CLOSE;
}

/* One entry whose frames are longer than a ring may be: who reads is not called slow for it. */
TEST(one_long_entry_makes_nobody_slow)
{
    SKIP_UNBUILT;
    OPEN;
    struct buf command = {0};
    size_t keys = LIMIT_WATCH_BYTES / 30000 + 20;
    size_t size = LIMIT_WATCH_BYTES > 1000000 ? 30000 : 20;
    (void)fake_feed(c, "PING\r\n");
    struct client *all = watch(n, "/v1/watch", "");
    struct client *some = watch(n, "/v1/watch?prefix=k", "");
    (void)fake_output(all);
    (void)fake_output(some);
    buf_printf(&command, "*%zu\r\n$4\r\nMSET\r\n", 2 * keys + 1);
    for (size_t i = 0; i < keys; i++) {
        buf_printf(&command, "$5\r\nk%04zu\r\n$%zu\r\n", i, size);
        for (size_t b = 0; b < size; b++) {
            buf_append_byte(&command, 'x');
        }
        buf_printf(&command, "\r\n");
    }
    (void)fake_feed_bytes(c, buf_slice(&command).p, buf_size(&command));
    fake_decide_all(n);
    fake_poll(n);
    client_output_sent(c, client_output(c).n);
    struct client *who[] = {all, some};
    for (size_t i = 0; i < 2; i++) {
        size_t frames = 0;
        fake_poll(n);
        for (struct slice out = client_output(who[i]); out.n > 0; out = client_output(who[i])) {
            size_t piece = out.n < 100000 ? out.n : 100000;
            for (size_t at = 0; at < piece; at++) {
                frames += out.p[at] == '{';
            }
            client_output_sent(who[i], piece);
        }
        CHECK_EQ_UINT(frames, keys);
        CHECK_EQ_INT(client_get_state(who[i]), CLIENT_READ);
    }
    buf_deinit(&command);
    client_close(all);
    client_close(some);
    CLOSE;
}

TEST(resuming_where_nothing_is_yet_is_refused)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "PING\r\n");
    write_key(n, c, "SET a 1\r\n");
    struct client *w = watch(n, "/v1/watch?from=1000", "");
    CHECK_CONTAINS(fake_output(w), "HTTP/1.1 400 Bad Request\r\n");
    (void)fake_feed(w, "GET /v1/watch?from=4 HTTP/1.1\r\n" HOST "\r\n");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_CONTAINS(fake_output(w), "{\"error\":\"from is later than the newest entry\",\"last\":3}");
    (void)fake_feed(w, "GET /v1/watch?prefix=b+%2b&from=4 HTTP/1.1\r\n" HOST "\r\n");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_CONTAINS(fake_output(w), "HTTP/1.1 200 OK\r\n");
    write_key(n, c, "MSET b 1 \"b +c\" 2\r\n");
    CHECK_CONTAINS(fake_output(w), "id: 5-1\ndata: {\"key\":\"b +c\"");
    client_close(w);
    CLOSE;
}

TEST(a_websocket)
{
    SKIP_UNBUILT;
    OPEN;
    (void)fake_feed(c, "PING\r\n");
    struct client *w = watch(n, "/ws", UPGRADE);
    const char *said = fake_output(w);
    if (!ws_is_built) {
        CHECK_CONTAINS(said, "HTTP/1.1 501");
        client_close(w);
        CLOSE;
        return;
    }
    CHECK_CONTAINS(said, "HTTP/1.1 101 Switching Protocols\r\n");
    CHECK_CONTAINS(said, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"); /* RFC 6455 1.3 */
    write_key(n, c, "SET a 1\r\n");
    CHECK_EQ_STR(fake_output(w), "\x81\x17{\"key\":\"a\",\"value\":\"1\"}");
    (void)fake_feed_bytes(w, "\x89\x82\x01\x02\x03\x04ij", 8); /* a ping of "hh" */
    CHECK_EQ_STR(fake_output(w), "\x8a\x02hh");
    (void)fake_feed_bytes(w, "\x88\x82\x00\x00\x00\x00\x03\xe8", 8);
    CHECK_EQ_STR(fake_output(w), "\x88\x02\x03\xe8");
    CHECK_EQ_INT(client_get_state(w), CLIENT_CLOSE);
    client_close(w);
    CLOSE;
}

TEST_MAIN()
