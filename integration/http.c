/* HTTP, WebSocket and the change feed against real processes: transcripts of each API on leader and follower, before and after a
 * fail-over; requests made to hurt; watchers on every node through a fail-over; the dashboard in a browser. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "integration/lib/cluster.h"
#include "integration/lib/script.h"

static struct cluster http_cluster;

/* Skips where the server has no HTTP parser. */
static void need_http(const struct cluster *c)
{
    char text[256];
    itest_shell(text, sizeof text, "curl -s -o /dev/null -w '%%{http_code}' http://127.0.0.1:%u/healthz", c->node[0].port);
    if (strcmp(text, "501") == 0) {
        itest_skip("this coracle was built without an HTTP parser");
    }
}

/* --- transcripts -------------------------------------------------------------------------------------- */

/* Replaces '@' by `name`. */
static void fill_name(const char *from, const char *name, char *to, size_t size)
{
    size_t n = 0;
    for (; *from && n + 32 < size; from++) {
        bool is_name = *from == '@' && from[1] != '-' ? true : *from == '@' && strncmp(from, "@- ", 3) != 0;
        n += (size_t)snprintf(to + n, size - n, "%.*s", is_name ? (int)strlen(name) : 1, is_name ? name : from);
    }
    to[n] = '\0';
}

static void trim_end(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '\n') {
        text[--n] = '\0';
    }
}

/* Line ends at the end of the output don't count. */
static void check_command(const struct cluster *c, size_t node, const char *command, char *want)
{
    static char said[65536];
    itest_shell(said, sizeof said, "B=http://127.0.0.1:%u P=%u; %s", c->node[node].port, c->node[node].port, command);
    trim_end(said);
    trim_end(want);
    if (strcmp(said, want) != 0) {
        itest_fail("node %zu: %s\n  is:\n%s  should be:\n%s", node, command, said, want);
    }
}

static void run_transcript(const struct cluster *c, size_t node, const char *file, const char *round)
{
    char line[4096];
    char command[4096] = "";
    static char want[65536];
    char name[64];
    size_t n = 0;
    FILE *f = fopen(file, "r");
    REQUIRE(f != NULL);
    snprintf(name, sizeof name, "%.3s-%s%zu", strrchr(file, '/') + 1, round, node);
    want[0] = '\0';
    while (fgets(line, sizeof line, f)) {
        char filled[4096];
        if (line[0] == '#' && !command[0]) {
            continue;
        }
        fill_name(line, name, filled, sizeof filled);
        if (line[0] == '$' && line[1] == ' ') {
            if (command[0]) {
                check_command(c, node, command, want);
            }
            snprintf(command, sizeof command, "%s", filled + 2);
            command[strcspn(command, "\n")] = '\0';
            n = 0;
            want[0] = '\0';
        } else {
            n += (size_t)snprintf(want + n, sizeof want - n, "%s", filled);
        }
    }
    check_command(c, node, command, want);
    fclose(f);
}

static void run_all(const struct cluster *c, size_t node, const char *round)
{
    static const char *const api[] = {"lists", "updates", "nodes", "items", "own"};
    for (size_t i = 0; i < sizeof api / sizeof api[0]; i++) {
        char file[128];
        snprintf(file, sizeof file, "integration/http/%s.txt", api[i]);
        run_transcript(c, node, file, round);
    }
}

ITEST(http_transcripts, ITEST_CLUSTER, 120)
{
    struct cluster *c = &http_cluster;
    cluster_start(c, 3, 0, "--test-mode yes");
    need_http(c);
    size_t leader = (size_t)cluster_leader(c, -1, 10000);
    size_t follower = cluster_follower(c);
    run_all(c, leader, "before");
    run_all(c, follower, "before");
    cluster_node_kill(c, leader);
    int next = cluster_leader(c, (int)leader, 10000);
    REQUIRE(next >= 0);
    REQUIRE(cluster_wait_writable(c, 3 - leader - (size_t)next, 10000) && cluster_wait_writable(c, (size_t)next, 10000));
    run_all(c, (size_t)next, "after");
    run_all(c, 3 - leader - (size_t)next, "after");
}

/* --- requests made to hurt ------------------------------------------------------------------------------ */

/* Sends bytes on a connection of their own; the first line of what comes back, "" when nothing does. */
static const char *first_line(uint16_t port, const char *bytes, size_t n)
{
    static char line[128];
    struct wire w = {.fd = -1};
    const char *got = "";
    size_t len = 0;
    line[0] = '\0';
    if (wire_open(&w, port, 2000) && wire_write(&w, bytes, n)) {
        (void)wire_read_bytes(&w, 12, 5000, &got, &len);
        snprintf(line, sizeof line, "%.*s", (int)(len < 12 ? len : 12), got);
    }
    wire_close(&w);
    return line;
}

static void check_first(uint16_t port, const char *request, const char *want)
{
    const char *got = first_line(port, request, strlen(request));
    if (strcmp(got, want) != 0) {
        itest_fail("%.80s...: is '%s', should be '%s'", request, got, want);
    }
}

#define HIDDEN "POST /set/hacked/yes HTTP/1.1\r\nHost: localhost\r\n\r\n"

ITEST(http_hostile_requests, ITEST_CLUSTER, 90)
{
    struct cluster *c = &http_cluster;
    char reply[256];
    cluster_start(c, 1, 0, "");
    need_http(c);
    uint16_t p = c->node[0].port;
    struct wire slow = {.fd = -1};
    REQUIRE(wire_open(&slow, p, 2000) && wire_write(&slow, "GET /healthz HTTP/1.1\r\nX-A: ", 28));
    check_first(p, "GET /get/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET /get/a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "OPTIONS /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET http://evil.example/get/a HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200");
    check_first(p, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 204");
    /* A form of another site that holds commands. */
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\nSET hacked yes\r\n\r\n\r\n", "HTTP/1.1 415");
    check_first(p, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n*1\r\n$8\r\nFLUSHALL\r\n", "HTTP/1.1 405");
    /* Two readings of one request. */
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400");
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc", "HTTP/1.1 400");
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400");
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "HTTP/1.1 400");
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeX\r\n0\r\n\r\n", "HTTP/1.1 400");
    check_first(p, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n", "HTTP/1.1 413");
    check_first(p, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400");
    /* A second request hidden in the first: whoever reads the length otherwise would run it. */
    check_first(p, "POST /set/a/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /set/a/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /set/a/1 HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /set/a/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /set/a/1 HTTP/1.1\r\nHost: localhost\nContent-Length: 0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /set/a/1 HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Content-Length: 0\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "POST /keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n\r\n" HIDDEN, "HTTP/1.1 400");
    check_first(p, "GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET /get/a HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", "HTTP/1.1 403");
    check_first(p, "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", ""); /* no HTTP/1.x: not this protocol */
    /* A head, and a target, that don't end. */
    char *big = malloc(70000);
    REQUIRE(big != NULL);
    memset(big, 'a', 70000);
    memcpy(big, "GET /get/a HTTP/1.1\r\nHost: localhost\r\nX: ", 41);
    CHECK_STR(first_line(p, big, 40000), "HTTP/1.1 431");
    memcpy(big, "GET /get/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 41);
    memcpy(big + 9000, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 30);
    CHECK_STR(first_line(p, big, 9030), "HTTP/1.1 414");
    free(big);
    /* A WebSocket whose frames are not masked, or longer than anything there is to say. */
    static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const struct {
        const char *frame;
        size_t n;
        const char *close; /* close code, big endian */
    } bad[] = {
        {"\x81\x01X", 3, "\x03\xea"},
        {"\x81\xff\x00\x00\x00\x00\x7f\x00\x00\x00\x00\x00\x00\x00X", 15, "\x03\xf1"},
        {"\x83\x80\x00\x00\x00\x00", 6, "\x03\xea"},
        {"\x09\x80\x00\x00\x00\x00", 6, "\x03\xea"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wire w = {.fd = -1};
        const char *got;
        size_t len = 0;
        REQUIRE(wire_open(&w, p, 2000) && wire_write(&w, upgrade, sizeof upgrade - 1));
        (void)wire_read_bytes(&w, 129, 5000, &got, &len);
        CHECK(len == 129 && strncmp(got, "HTTP/1.1 101", 12) == 0 && strstr(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL);
        CHECK(wire_write(&w, bad[i].frame, bad[i].n));
        (void)wire_read_bytes(&w, 4, 5000, &got, &len);
        if (len < 4 || (unsigned char)got[0] != 0x88 || memcmp(got + 2, bad[i].close, 2) != 0) {
            itest_fail("bad frame %zu is not answered with the right close", i);
        }
        CHECK(wire_is_closed_within(&w, 5000));
        wire_close(&w);
    }
    /* Nobody else noticed. */
    CHECK(wire_once(p, 5000, reply, sizeof reply, "EXISTS hacked"));
    CHECK_STR(reply, ":0\r\n");
    const char *got;
    size_t len = 0;
    (void)wire_read_bytes(&slow, 12, 20000, &got, &len);
    CHECK(len == 12 && strncmp(got, "HTTP/1.1 408", 12) == 0);
    wire_close(&slow);
}

/* --- the change feed through a fail-over ------------------------------------------------------------------ */

/* Watchers on every node see every change in order; the ones whose node lives, without a gap or a repeat when the leader is
 * killed; XREAD on the node that comes back holds the same. */
ITEST(http_feed_through_failover, ITEST_CLUSTER, 120)
{
    struct cluster *c = &http_cluster;
    static char text[262144];
    const char *dir = itest_dir();
    cluster_start(c, 3, 0, "");
    need_http(c);
    size_t leader = (size_t)cluster_leader(c, -1, 10000);
    size_t other = cluster_follower(c);
    size_t third = 3 - leader - other;
    itest_shell(text, sizeof text,
                "for n in %u %u; do curl -sN -m 60 \"http://127.0.0.1:$n/v1/watch?prefix=n\" >%s/feed.$n 2>/dev/null & done; sleep 1",
                c->node[other].port, c->node[third].port, dir);
    /* 300 increments, the leader killed in the middle; each is acknowledged or repeated by its own key. */
    for (int i = 1; i <= 300; i++) {
        char command[64];
        char reply[256] = "";
        if (i == 150) {
            cluster_node_kill(c, leader);
        }
        snprintf(command, sizeof command, "SET n%03d %d NX", i, i);
        for (int64_t deadline = itest_now_ms() + 15000; reply[0] != '+' && reply[0] != '$' && itest_now_ms() < deadline;) {
            (void)wire_once(c->node[other].port, 8000, reply, sizeof reply, command);
        }
        REQUIRE(reply[0] == '+' || reply[0] == '$');
    }
    for (size_t i = 0; i < 2; i++) {
        uint16_t port = c->node[i == 0 ? other : third].port;
        int64_t deadline = itest_now_ms() + 15000;
        do {
            itest_shell(text, sizeof text, "grep -c '^data' %s/feed.%u", dir, port);
        } while (atoi(text) < 300 && itest_now_ms() < deadline);
        CHECK_STR(text, "300\n");
        /* In order, each once. */
        itest_shell(text, sizeof text, "sed -n 's/^data: {\"key\":\"\\(n[0-9]*\\)\".*/\\1/p' %s/feed.%u | sort -c -u && echo sorted", dir, port);
        CHECK_STR(text, "sorted\n");
    }
    itest_shell(text, sizeof text, "cmp %s/feed.%u %s/feed.%u && echo same", dir, c->node[other].port, dir, c->node[third].port);
    CHECK_STR(text, "same\n");
    cluster_node_start(c, leader);
    REQUIRE(cluster_wait_caught_up(c, 20000));
    char want[64];
    itest_shell(text, sizeof text, "redis-cli -p %u --csv xrange __changes__ - + | cksum", c->node[other].port);
    snprintf(want, sizeof want, "%.60s", text);
    itest_shell(text, sizeof text, "redis-cli -p %u --csv xrange __changes__ - + | cksum", c->node[leader].port);
    CHECK_STR(text, want);
}

/* --- membership, and two documents beside the server ----------------------------------------------------------- */

/* A node that belongs to nobody yet. */
static struct cluster fresh_node;

static void start_fresh(void)
{
    char reply[64] = "";
    cluster_prepare(&fresh_node, "fresh", 1, 0, "--test-mode yes");
    cluster_node_start_as(&fresh_node, 0, "", fresh_node.node[0].dir);
    for (int64_t deadline = itest_now_ms() + 10000; reply[0] != '+' && itest_now_ms() < deadline; itest_sleep_ms(20)) {
        (void)wire_once(fresh_node.node[0].port, 500, reply, sizeof reply, "PING");
    }
    REQUIRE(reply[0] == '+');
}

static bool fresh_has_left(void)
{
    int status = -1;
    return cluster_node_has_exited(&fresh_node, 0, 15000, &status) && status == 0;
}

/* What POST to a path of /v1/cluster is answered: body and status. */
static void check_post(const struct cluster *c, size_t node, const char *path, const char *json, const char *want)
{
    char said[2048];
    itest_shell(said, sizeof said, "curl -s -m 60 -w ' %%{http_code}' http://127.0.0.1:%u/v1/cluster/%s -H 'Content-Type: application/json' -d '%s'",
                c->node[node].port, path, json);
    CHECK_STR(said, want);
}

ITEST(http_membership, ITEST_CLUSTER, 120)
{
    struct cluster *c = &http_cluster;
    char json[128];
    char said[1024];
    cluster_start(c, 3, 0, "");
    need_http(c);
    start_fresh();
    size_t leader = (size_t)cluster_leader(c, -1, 10000);
    size_t asked = cluster_follower(c);
    unsigned port = fresh_node.node[0].port;
    snprintf(json, sizeof json, "{\"address\":\"127.0.0.1:%u\"}", port);
    check_post(c, asked, "members", json, "{\"status\":\"success\",\"reply\":\"OK\"} 200");
    itest_shell(said, sizeof said, "curl -s http://127.0.0.1:%u/v1/cluster | grep -o '\"node_id\":[0-9]' | tr '\n' ' '", port);
    CHECK_STR(said, "\"node_id\":0 \"node_id\":1 \"node_id\":2 \"node_id\":3 ");
    /* Again, what is no address, what isn't JSON's string. */
    snprintf(said, sizeof said, "{\"error\":\"ERR Node 127.0.0.1:%u already exists in cluster.\"} 400", port);
    check_post(c, asked, "members", json, said);
    check_post(c, asked, "members", "{\"address\":5}", "{\"error\":\"ERR the body must be {\\\"address\\\":\\\"host:port\\\"}\"} 400");
    /* The leader moves where it is told to, from any node. */
    size_t third = 3 - leader - asked;
    snprintf(json, sizeof json, "{\"address\":\"127.0.0.1:%u\"}", c->node[third].port);
    check_post(c, asked, "transfer", json, "{\"status\":\"success\",\"reply\":\"OK\"} 200");
    for (int64_t deadline = itest_now_ms() + 10000; cluster_leader(c, -1, 1000) != (int)third && itest_now_ms() < deadline;) {
        itest_sleep_ms(20);
    }
    CHECK(cluster_leader(c, -1, 1000) == (int)third);
    itest_shell(said, sizeof said, "curl -s -m 60 -w ' %%{http_code}' -X DELETE http://127.0.0.1:%u/v1/cluster/members/127.0.0.1:%u", c->node[asked].port, port);
    CHECK_STR(said, "{\"status\":\"success\",\"reply\":\"OK\"} 200");
    CHECK(fresh_has_left());
    itest_shell(said, sizeof said, "curl -s -m 60 -o /dev/null -w '%%{http_code}' -X DELETE http://127.0.0.1:%u/v1/cluster/members/127.0.0.1:%u", c->node[asked].port, port);
    CHECK_STR(said, "400");
}

/* The OpenAPI document beside real answers, also those of a node that lost its majority. */
ITEST(openapi_beside_the_server, ITEST_CLUSTER, 120)
{
    struct cluster *c = &http_cluster;
    static struct script s;
    signal(SIGPIPE, SIG_IGN);
    cluster_start(c, 3, 0, "--test-mode yes --request-timeout 2000");
    need_http(c);
    size_t leader = (size_t)cluster_leader(c, -1, 10000);
    size_t other = cluster_follower(c);
    start_fresh();
    script_start(&s, "openapi.js %u %u %u", c->node[leader].port, c->node[other].port, fresh_node.node[0].port);
    REQUIRE(script_expect(&s, 60000, "leave one node"));
    for (size_t i = 0; i < 3; i++) {
        if (i != leader) {
            cluster_node_kill(c, i);
        }
    }
    CHECK(fresh_has_left());
    REQUIRE(script_answer(&s, "it is alone"));
    script_end(&s, 60000);
}

/* docs/grafana.json is JSON, names only metrics that there are, and its queries are PromQL as promtool understands it. */
ITEST(grafana_beside_the_server, ITEST_CLUSTER, 60)
{
    struct cluster *c = &http_cluster;
    static char text[65536];
    cluster_start(c, 3, 0, "");
    need_http(c);
    unsigned port = c->node[cluster_leader(c, -1, 10000)].port;
    itest_shell(text, sizeof text,
                "redis-cli -p %u set a b >%s/said; curl -s http://127.0.0.1:%u/metrics >%s/metrics;"
                "for m in $(grep -o 'coracle_[a-z_]*' docs/grafana.json | sort -u); do grep -q \"^$m[ {]\" %s/metrics || echo \"$m\"; done",
                port, itest_dir(), port, itest_dir(), itest_dir());
    CHECK_STR(text, "");
    itest_shell(text, sizeof text,
                "node -e 'const d = JSON.parse(require(\"fs\").readFileSync(\"docs/grafana.json\"));"
                "const rules = d.panels.flatMap((p) => (p.targets || []).map((t) => t.expr.replace(/\\$__[a-z_]+/g, \"1m\")));"
                "if (new Set(d.panels.map((p) => p.id)).size !== d.panels.length || rules.length < d.panels.length) throw 1;"
                "console.log(JSON.stringify({groups: [{name: \"g\", rules: rules.map((expr, i) => ({record: \"r:\" + i, expr}))}]}))' >%s/rules.yml && echo good",
                itest_dir());
    CHECK_STR(text, "good\n");
    if (itest_shell(text, sizeof text, "command -v promtool") == 0) {
        CHECK(itest_shell(text, sizeof text, "promtool check rules %s/rules.yml 2>&1", itest_dir()) == 0);
    }
}

/* --- the dashboard ------------------------------------------------------------------------------------------ */

ITEST(dashboard_in_a_browser, ITEST_CLUSTER, 210)
{
    struct cluster *c = &http_cluster;
    static struct script s;
    char text[256];
    signal(SIGPIPE, SIG_IGN);
    if (itest_shell(text, sizeof text, "command -v chromium") != 0) {
        itest_skip("no chromium here (apt-get install chromium)");
    }
    cluster_start(c, 3, 0, "--test-mode yes");
    need_http(c);
    start_fresh();
    size_t leader = (size_t)cluster_leader(c, -1, 10000);
    size_t asked = cluster_follower(c);
    script_start(&s, "dashboard.js %u %u %u %u", c->node[asked].port, c->node[leader].port, c->node[3 - asked - leader].port,
                 fresh_node.node[0].port);
    const char *line = script_line(&s, 60000);
    unsigned port = 0;
    REQUIRE(line != NULL && sscanf(line, "kill %u", &port) == 1);
    size_t dead = 0;
    while (dead < c->count && c->node[dead].port != port) {
        dead++;
    }
    REQUIRE(dead < c->count);
    cluster_node_kill(c, dead);
    REQUIRE(script_answer(&s, "it is dead"));
    REQUIRE(script_expect(&s, 60000, "start it again"));
    cluster_node_start(c, dead);
    REQUIRE(script_answer(&s, "it is back"));
    script_end(&s, 120000);
    CHECK(fresh_has_left());
}

ITEST_MAIN()
