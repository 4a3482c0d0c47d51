/* Nodes that are not who they seem: a new disk under an old name, two clusters mixed up, handshakes recorded and
 * reflected. All are refused, in words that say what to do, and nothing is harmed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "integration/lib/cluster.h"
#include "integration/lib/writers.h"

/* A follower's disk is lost and it comes back under its address, blank: it must not vote or hold entries as if it were the
 * old one. The two others go on. */
ITEST(wiped_disk_under_its_old_name, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char text[8192] = "";
    cluster_start(&c, 3, 0, "--request-timeout 1500");
    struct writers *w = writers_start(&c, 3, 10, "w");
    REQUIRE(writers_wait_progress(w, 500, 20000));
    size_t wiped = cluster_follower(&c);
    cluster_node_kill(&c, wiped);
    cluster_node_wipe(&c, wiped);
    cluster_node_start(&c, wiped);
    CHECK(cluster_log_contains_within(&c, wiped, "RAFT REPLACE", 15000));
    CHECK(writers_wait_progress(w, 500, 20000));
    writers_stop(w);
    writers_note(w);
    /* For some seconds it may still hope to be adopted by a cluster that is being formed. */
    for (int64_t deadline = itest_now_ms() + 12000; itest_now_ms() < deadline && strstr(text, "RAFT REPLACE") == NULL;) {
        CHECK(wire_once(c.node[wiped].port, 5000, text, sizeof text, "SET a 1") && text[0] == '-');
    }
    if (strstr(text, "RAFT REPLACE") == NULL) {
        itest_fail("SET on the wiped node is answered %s", text);
    }
    CHECK(wire_once(c.node[wiped].port, 5000, text, sizeof text, "GET w:0:0"));
    CHECK(text[0] == '-');
    itest_shell(text, sizeof text, "printf 'status\\n' | timeout 10 nc -N 127.0.0.1 %u", c.node[wiped].port);
    if (strstr(text, "RAFT REPLACE") == NULL) {
        itest_fail("status on the wiped node does not name RAFT REPLACE:\n%s", text);
    }
    cluster_info(&c, wiped, "raft_role", text, sizeof text);
    CHECK(strcmp(text, "leader") != 0 && strcmp(text, "candidate") != 0);
    /* Its vote does not exist: with one more node gone nobody leads. */
    int leader = cluster_leader(&c, -1, 10000);
    REQUIRE(leader >= 0);
    size_t other = 3 - (size_t)leader - wiped;
    cluster_node_kill(&c, (size_t)leader);
    itest_sleep_ms(2500);
    CHECK(cluster_leader(&c, -1, 100) < 0);
    cluster_node_start(&c, (size_t)leader);
    REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    CHECK(cluster_log_contains(&c, wiped, "RAFT REPLACE"));
    writers_verify(w, &c, other);
    writers_verify(w, &c, (size_t)leader);
    writers_free(w);
}

/* A member is started with a copy of its directory from before, whose log is a beginning of the others' (checklist J11): it is a member that
 * lags, gets what it has forgotten from the leader, and counts again. */
ITEST(an_old_copy_of_a_member, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char text[4096];
    cluster_start(&c, 3, 0, "");
    struct writers *w = writers_start(&c, 3, 10, "w");
    REQUIRE(writers_wait_progress(w, 500, 20000));
    size_t old = cluster_follower(&c);
    size_t other = (old + 1) % 3;
    CHECK(cluster_node_stop(&c, old) == 0);
    itest_shell(text, sizeof text, "cp -a '%s' '%s/copy' && echo copied", c.node[old].dir, itest_dir());
    CHECK_STR(text, "copied\n");
    cluster_node_start(&c, old);
    CHECK(writers_wait_progress(w, 500, 20000));
    REQUIRE(cluster_wait_writable(&c, old, 15000));
    CHECK(cluster_node_stop(&c, old) == 0);
    cluster_node_wipe(&c, old);
    itest_shell(text, sizeof text, "mv '%s/copy' '%s' && echo restored", itest_dir(), c.node[old].dir);
    CHECK_STR(text, "restored\n");
    cluster_node_start(&c, old);
    CHECK(writers_wait_progress(w, 500, 20000));
    writers_stop(w);
    REQUIRE(cluster_wait_caught_up(&c, 20000));
    /* With it and one other node the cluster goes on. */
    cluster_node_kill(&c, other);
    CHECK(cluster_wait_writable(&c, old, 15000));
    writers_verify(w, &c, old);
    cluster_node_start(&c, other);
    REQUIRE(cluster_wait_caught_up(&c, 20000));
    cluster_check_equal(&c, other, 30000);
    writers_free(w);
}

/* All disks but one are lost: the blank nodes never form a new cluster beside the old one. */
ITEST(majority_of_disks_wiped, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char text[4096];
    cluster_start(&c, 3, 0, "--request-timeout 1000");
    CHECK(cluster_wait_writable(&c, 0, 5000));
    for (size_t i = 0; i < 3; i++) {
        cluster_node_kill(&c, i);
    }
    cluster_node_wipe(&c, 0);
    cluster_node_wipe(&c, 1);
    for (size_t i = 0; i < 3; i++) {
        cluster_node_start(&c, i);
    }
    CHECK(cluster_log_contains_within(&c, 0, "RAFT REPLACE", 15000));
    CHECK(cluster_log_contains_within(&c, 1, "RAFT REPLACE", 15000));
    itest_sleep_ms(2000);
    CHECK(cluster_leader(&c, -1, 100) < 0);
    for (size_t i = 0; i < 2; i++) {
        CHECK(wire_once(c.node[i].port, 5000, text, sizeof text, "SET a 1") && text[0] == '-');
    }
}

static void identity_fill(const struct cluster *c, size_t i, const char *key, const char *value)
{
    char command[128];
    char reply[256];
    snprintf(command, sizeof command, "SET %s %s", key, value);
    wire_once(c->node[i].port, 8000, reply, sizeof reply, command);
    CHECK_STR(reply, "+OK\r\n");
}

static void identity_expect(const struct cluster *c, size_t i, const char *key, const char *want)
{
    char command[128];
    char reply[256];
    snprintf(command, sizeof command, "GET %s", key);
    wire_once(c->node[i].port, 8000, reply, sizeof reply, command);
    CHECK_STR(reply, want);
}

/* The node that the others dial: of each pair the smaller id does. */
static size_t identity_dialled(const struct cluster *c)
{
    char highest[64] = "";
    size_t found = 0;
    for (size_t i = 0; i < c->count; i++) {
        char id[64];
        cluster_info(c, i, "raft_id", id, sizeof id); /* 16 hex digits */
        if (strcmp(id, highest) > 0) {
            memcpy(highest, id, sizeof highest);
            found = i;
        }
    }
    return found;
}

/* A node of cluster Y is started with its data where a node of X should be, and the other way round: those who dial it
 * find the wrong cluster. Both sides say so, and neither data nor votes mix. */
ITEST(two_clusters_mixed_up, ITEST_CLUSTER, 90)
{
    static struct cluster x;
    static struct cluster y;
    cluster_prepare(&x, "x", 3, 0, "--request-timeout 2000");
    cluster_prepare(&y, "y", 3, 0, "--request-timeout 2000");
    for (size_t i = 0; i < 3; i++) {
        cluster_node_start(&x, i);
        cluster_node_start(&y, i);
    }
    REQUIRE(cluster_leader(&x, -1, 15000) >= 0 && cluster_leader(&y, -1, 15000) >= 0);
    identity_fill(&x, 0, "whose", "x");
    identity_fill(&y, 0, "whose", "y");
    CHECK(cluster_wait_caught_up(&x, 5000) && cluster_wait_caught_up(&y, 5000));
    size_t mx = identity_dialled(&x);
    size_t my = identity_dialled(&y);
    cluster_node_kill(&x, mx);
    cluster_node_kill(&y, my);
    cluster_node_start_as(&x, mx, x.members, y.node[my].dir);
    cluster_node_start_as(&y, my, y.members, x.node[mx].dir);
    CHECK(cluster_log_contains_within(&x, (mx + 1) % 3, "another cluster", 5000));
    CHECK(cluster_log_contains_within(&x, mx, "another cluster", 5000));
    CHECK(cluster_log_contains_within(&y, (my + 1) % 3, "another cluster", 5000));
    CHECK(cluster_log_contains_within(&y, my, "another cluster", 5000));
    CHECK(cluster_leader(&x, (int)mx, 5000) >= 0 && cluster_leader(&y, (int)my, 5000) >= 0);
    identity_fill(&x, (mx + 1) % 3, "later", "1");
    identity_fill(&y, (my + 1) % 3, "later", "2");
    for (size_t k = 1; k < 3; k++) {
        identity_expect(&x, (mx + k) % 3, "whose", "$1\r\nx\r\n");
        identity_expect(&y, (my + k) % 3, "whose", "$1\r\ny\r\n");
    }
    cluster_node_kill(&x, mx);
    cluster_node_kill(&y, my);
    cluster_node_start(&x, mx);
    cluster_node_start(&y, my);
    CHECK(cluster_wait_writable(&x, mx, 10000) && cluster_wait_writable(&y, my, 10000));
    CHECK(cluster_wait_caught_up(&x, 10000) && cluster_wait_caught_up(&y, 10000));
    for (size_t i = 0; i < 3; i++) {
        identity_expect(&x, i, "whose", "$1\r\nx\r\n");
        identity_expect(&x, i, "later", "$1\r\n1\r\n");
        identity_expect(&y, i, "whose", "$1\r\ny\r\n");
        identity_expect(&y, i, "later", "$1\r\n2\r\n");
    }
}

/* The right address and the right data, but another secret: refused, and told so. */
ITEST(wrong_secret_is_refused, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    static struct cluster stranger;
    char text[256];
    cluster_start(&c, 3, CLUSTER_SECRET, "");
    size_t away = cluster_follower(&c);
    identity_fill(&c, (away + 1) % 3, "a", "1");
    cluster_node_kill(&c, away);
    cluster_prepare(&stranger, "stranger", 1, CLUSTER_SECRET, "");
    stranger.node[0].port = c.node[away].port;
    stranger.node[0].peer_port = c.node[away].port;
    cluster_node_start_as(&stranger, 0, c.members, c.node[away].dir);
    itest_sleep_ms(2500);
    uint64_t applied = cluster_info_u64(&stranger, 0, "raft_commit_index");
    identity_fill(&c, (away + 1) % 3, "b", "2");
    CHECK(cluster_log_contains(&stranger, 0, "secret"));
    CHECK(cluster_log_contains(&c, (away + 1) % 3, "secret") || cluster_log_contains(&c, (away + 2) % 3, "secret"));
    itest_sleep_ms(300);
    CHECK(cluster_info_u64(&stranger, 0, "raft_commit_index") == applied);
    cluster_info(&stranger, 0, "raft_role", text, sizeof text);
    CHECK(strcmp(text, "leader") != 0);
    CHECK(cluster_node_stop(&stranger, 0) == 0);
    cluster_node_start(&c, away);
    CHECK(cluster_wait_writable(&c, away, 10000));
    CHECK(cluster_wait_caught_up(&c, 10000));
}

/* ---- handshakes, seen by somebody on the path ---- */

/* A pair of nodes of which `source` dialled a link of this role to `target`. Bulk links are always dialled by the smaller
 * id; a control link may also be the one over which a blank node was adopted. */
static bool identity_find_dialler(const struct cluster *c, enum proxy_role role, int *source, int *target)
{
    for (*source = 0; *source < 3; ++*source) {
        for (*target = 0; *target < 3; ++*target) {
            if (proxy_count(c->proxy, (struct proxy_match){*source, *target, role}) > 0) {
                return true;
            }
        }
    }
    return false;
}

static void identity_check_unharmed(const struct cluster *c, int leader, uint64_t term)
{
    CHECK(cluster_leader(c, -1, 5000) == leader);
    CHECK(cluster_info_u64(c, (size_t)leader, "raft_term") == term);
    for (size_t i = 0; i < 3; i++) {
        CHECK(cluster_wait_writable(c, i, 5000));
    }
}

/* What a dialler once said, said again to the same node: refused before anything happens. */
ITEST(recorded_handshake_of_a_dialler, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    static uint8_t bytes[65536];
    int source;
    int target;
    cluster_start(&c, 3, CLUSTER_PROXIED | CLUSTER_SECRET, "");
    CHECK(cluster_wait_writable(&c, 0, 5000));
    int leader = cluster_leader(&c, -1, 5000);
    uint64_t term = cluster_info_u64(&c, (size_t)leader, "raft_term");
    for (enum proxy_role role = PROXY_CONTROL; role <= PROXY_BULK; role++) {
        REQUIRE(identity_find_dialler(&c, role, &source, &target));
        size_t n = proxy_recorded(c.proxy, (struct proxy_match){source, target, role}, PROXY_TO_TARGET, bytes, sizeof bytes);
        uint64_t commit = cluster_info_u64(&c, (size_t)target, "raft_commit_index");
        CHECK(n > 100);
        for (int try = 0; try < 5; try++) {
            struct wire w;
            const char *answer;
            size_t answer_len;
            /* All at once; also the greeting first and the rest when the answer came, as the real one did. */
            size_t first = try % 2 == 0 ? n : 80;
            REQUIRE(wire_open(&w, c.node[target].port, 5000));
            CHECK(wire_write(&w, bytes, first));
            if (first < n) {
                wire_read_bytes(&w, 64, 500, &answer, &answer_len);
                wire_write(&w, bytes + first, n - first);
            }
            CHECK(wire_is_closed_within(&w, 5000));
            wire_close(&w);
        }
        itest_note("%s: %zu bytes replayed to node %d, which had committed up to %llu", role == PROXY_CONTROL ? "control" : "bulk", n,
                   target + 1, (unsigned long long)commit);
    }
    identity_check_unharmed(&c, leader, term);
}

/* A port of the test's own. */
static int identity_listen(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *port = cluster_free_port();
    in.sin_port = htons(*port);
    REQUIRE(bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 16) == 0);
    return fd;
}

/* What an acceptor once answered, answered again to the same dialler: it hangs up and never takes it for its peer. */
ITEST(recorded_handshake_of_an_acceptor, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    static uint8_t bytes[65536];
    int source;
    int target;
    uint16_t port;
    cluster_start(&c, 3, CLUSTER_PROXIED | CLUSTER_SECRET, "");
    CHECK(cluster_wait_writable(&c, 0, 5000));
    REQUIRE(identity_find_dialler(&c, PROXY_BULK, &source, &target));
    size_t n = proxy_recorded(c.proxy, (struct proxy_match){source, target, PROXY_BULK}, PROXY_TO_SOURCE, bytes, sizeof bytes);
    CHECK(n > 100);
    int fd = identity_listen(&port);
    proxy_retarget(c.proxy, target, port);
    cluster_node_kill(&c, (size_t)target);
    for (int i = 0; i < 4; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        REQUIRE(poll(&p, 1, 10000) == 1);
        struct wire w = {.fd = accept(fd, NULL, NULL)};
        CHECK(wire_write(&w, bytes, n));
        CHECK(wire_is_closed_within(&w, 5000));
        wire_close(&w);
    }
    close(fd);
    proxy_retarget(c.proxy, target, c.node[target].port);
    cluster_node_start(&c, (size_t)target);
    for (size_t i = 0; i < 3; i++) {
        CHECK(cluster_wait_writable(&c, i, 10000));
    }
    CHECK(cluster_wait_caught_up(&c, 10000));
}

/* Whatever a node sends to its peers comes back to itself: it must not find a majority in the mirror. */
ITEST(reflected_handshake, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char reply[512];
    int source;
    int target;
    cluster_start(&c, 3, CLUSTER_PROXIED | CLUSTER_SECRET, "--request-timeout 1000");
    CHECK(cluster_wait_writable(&c, 0, 5000));
    REQUIRE(identity_find_dialler(&c, PROXY_BULK, &source, &target));
    /* One that dials both others, if there is such a node; else this one dials one of them at least. */
    for (int i = 0; i < 3; i++) {
        if (proxy_count(c.proxy, (struct proxy_match){i, PROXY_ANY, PROXY_BULK}) == 2) {
            source = i;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (i != source) {
            cluster_node_kill(&c, (size_t)i);
            proxy_retarget(c.proxy, i, c.node[source].port);
        }
    }
    size_t made = proxy_made(c.proxy, (struct proxy_match){source, PROXY_ANY, PROXY_ANY_ROLE});
    itest_sleep_ms(4000);
    made = proxy_made(c.proxy, (struct proxy_match){source, PROXY_ANY, PROXY_ANY_ROLE}) - made;
    itest_note("node %d dialled its own mirror %zu times", source + 1, made);
    CHECK(made > 0);
    CHECK(cluster_leader(&c, -1, 100) < 0);
    CHECK(wire_once(c.node[source].port, 5000, reply, sizeof reply, "SET a 1") && reply[0] == '-');
    for (int i = 0; i < 3; i++) {
        if (i != source) {
            proxy_retarget(c.proxy, i, c.node[i].port);
            cluster_node_start(&c, (size_t)i);
        }
    }
    REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    CHECK(cluster_wait_writable(&c, (size_t)source, 5000));
    CHECK(cluster_wait_caught_up(&c, 10000));
}

/* Noise where a peer's greeting should be, and greetings that stop in the middle: closed, nothing harmed, and no
 * connection kept for ever. */
ITEST(noise_on_the_peer_port, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    static uint8_t bytes[4096];
    cluster_start(&c, 3, CLUSTER_SECRET, "");
    int leader = cluster_leader(&c, -1, 5000);
    uint64_t term = cluster_info_u64(&c, (size_t)leader, "raft_term");
    for (int i = 0; i < 50; i++) {
        struct wire w;
        size_t n = 1 + itest_random() % sizeof bytes;
        static const uint8_t magic[] = {0xC0, 'C', 'R', 'C', 1};
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (uint8_t)itest_random();
        }
        memcpy(bytes, magic, (size_t)(i % 5) + 1);
        REQUIRE(wire_open(&w, c.node[i % 3].port, 5000));
        wire_write(&w, bytes, n);
        if (n >= 2048) {
            CHECK(wire_is_closed_within(&w, 15000));
        }
        wire_close(&w);
    }
    identity_check_unharmed(&c, leader, term);
}

ITEST_MAIN()
