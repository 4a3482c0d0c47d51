/* Blocking commands: their order, their time and their ends, while nodes come and go. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "integration/lib/cluster.h"

enum { CROWD = 1000 };
static struct cluster blocking_cluster;
static struct wire crowd[2][CROWD];

/* Waits until so many clients of node i are blocked: what they sent is applied by then. */
static bool blocked_are(const struct cluster *c, size_t i, unsigned count, int timeout_ms)
{
    char out[4096];
    char want[64];
    snprintf(want, sizeof want, "\nblocked_clients:%u\r", count);
    for (int64_t end = itest_now_ms() + timeout_ms; itest_now_ms() < end; itest_sleep_ms(10)) {
        if (wire_once(c->node[i].port, 2000, out, sizeof out, "INFO clients") && strstr(out, want)) {
            return true;
        }
    }
    itest_note("node %zu: %s", i + 1, out);
    return false;
}

/* The reply, or what went wrong. */
static const char *blocking_read(struct wire *w, int timeout_ms)
{
    const char *reply;
    size_t len;
    switch (wire_read(w, timeout_ms, &reply, &len)) {
    case WIRE_OK:
        return reply;
    case WIRE_TIMEOUT:
        return "(nothing in time)";
    case WIRE_CLOSED:
        return "(closed)";
    case WIRE_BAD:
        break;
    }
    return "(no RESP)";
}

/* A write that must succeed in the end. It is repeated only where it is sure that it was not done. */
static void blocking_write(const struct cluster *c, size_t i, const char *line)
{
    char out[300] = "";
    for (int64_t end = itest_now_ms() + 20000; itest_now_ms() < end; itest_sleep_ms(20)) {
        wire_once(c->node[i].port, 10000, out, sizeof out, line);
        if (out[0] != '-' || strncmp(out, "-UNKNOWN", 8) == 0) {
            break;
        }
    }
    if (out[0] == '-' || out[0] == '\0') {
        itest_fail("%s: %s", line, out);
    }
}

/* Clients of two followers wait in turns; the leader dies; elements pushed at the new one go to them in their order. */
ITEST(order_of_waiters_through_failover, ITEST_CLUSTER, 60)
{
    enum { WAITERS = 12 };
    struct cluster *c = &blocking_cluster;
    struct wire *w = crowd[0];
    char line[100];
    char want[100];
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t one = (leader + 1) % 3;
    size_t two = (leader + 2) % 3;
    for (unsigned i = 0; i < WAITERS; i++) {
        size_t node = i % 2 ? one : two;
        REQUIRE(wire_open(&w[i], c->node[node].port, 5000));
        REQUIRE(wire_send(&w[i], i % 3 == 0 ? "BLPOP other queue 0" : i % 3 == 1 ? "BLMPOP 0 1 queue LEFT" : "BRPOP queue 60"));
        REQUIRE(blocked_are(c, node, i / 2 + 1, 10000));
    }
    cluster_node_kill(c, leader);
    REQUIRE(cluster_leader(c, -1, 15000) >= 0);
    REQUIRE(cluster_wait_writable(c, one, 15000));
    for (unsigned i = 0; i < WAITERS; i++) {
        snprintf(line, sizeof line, "RPUSH queue e%02u", i);
        blocking_write(c, i % 3 ? one : two, line);
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        snprintf(want, sizeof want, i % 3 == 1 ? "*2\r\n$5\r\nqueue\r\n*1\r\n$3\r\ne%02u\r\n" : "*2\r\n$5\r\nqueue\r\n$3\r\ne%02u\r\n", i);
        CHECK_STR(blocking_read(&w[i], 10000), want);
        wire_close(&w[i]);
    }
    CHECK(blocked_are(c, one, 0, 5000) && blocked_are(c, two, 0, 5000));
}

/* Timeouts are log time: they go on through a fail-over, and nobody is answered early. */
ITEST(timeouts_of_waiters, ITEST_CLUSTER, 60)
{
    struct cluster *c = &blocking_cluster;
    struct wire w[4];
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t follower = (leader + 1) % 3;
    for (size_t i = 0; i < 4; i++) {
        REQUIRE(wire_open(&w[i], c->node[follower].port, 5000));
    }
    int64_t began = itest_now_ms();
    REQUIRE(wire_send(&w[0], "BLPOP k 0.3") && wire_send(&w[1], "BLMOVE k to LEFT RIGHT 0.4"));
    CHECK_STR(blocking_read(&w[0], 10000), "*-1\r\n");
    CHECK(itest_now_ms() - began >= 295);
    CHECK_STR(blocking_read(&w[1], 10000), "*-1\r\n");
    CHECK(itest_now_ms() - began >= 395);
    began = itest_now_ms();
    REQUIRE(wire_send(&w[0], "BZPOPMIN k 4") && wire_send(&w[1], "BRPOP k 4") && wire_send(&w[2], "BZMPOP 4 2 k l MAX") &&
            wire_send(&w[3], "BLPOP still 0"));
    REQUIRE(blocked_are(c, follower, 4, 5000));
    cluster_node_kill(c, leader);
    CHECK_STR(blocking_read(&w[0], 30000), "*-1\r\n");
    int64_t took = itest_now_ms() - began;
    CHECK(took >= 3990);
    itest_note("a timeout of 4000 ms, with a fail-over in between: %lld ms", (long long)took);
    CHECK_STR(blocking_read(&w[1], 5000), "*-1\r\n");
    CHECK_STR(blocking_read(&w[2], 5000), "*-1\r\n");
    blocking_write(c, follower, "RPUSH still x");
    CHECK_STR(blocking_read(&w[3], 5000), "*2\r\n$5\r\nstill\r\n$1\r\nx\r\n");
    for (size_t i = 0; i < 4; i++) {
        wire_close(&w[i]);
    }
}

/* The client's id, of a connection. */
static long long client_id(struct wire *w)
{
    const char *reply = wire_call(w, "CLIENT ID");
    return reply && reply[0] == ':' ? strtoll(reply + 1, NULL, 10) : -1;
}

/* CLIENT UNBLOCK; clients that go; what EXEC sees and makes others see. */
ITEST(waiters_end_and_transactions, ITEST_CLUSTER, 60)
{
    struct cluster *c = &blocking_cluster;
    struct wire a;
    struct wire b;
    struct wire other;
    char out[300];
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t follower = (leader + 1) % 3;
    REQUIRE(wire_open(&a, c->node[follower].port, 5000) && wire_open(&b, c->node[follower].port, 5000) &&
            wire_open(&other, c->node[follower].port, 5000));
    long long ids[2] = {client_id(&a), client_id(&b)};
    REQUIRE(ids[0] > 0 && ids[1] > 0);
    REQUIRE(wire_send(&a, "BLPOP k 0"));
    REQUIRE(blocked_are(c, follower, 1, 5000));
    REQUIRE(wire_send(&b, "BLPOP k 0"));
    REQUIRE(blocked_are(c, follower, 2, 5000));
    CHECK_STR(wire_call(&other, "CLIENT UNBLOCK %lld", ids[0]), ":1\r\n");
    CHECK_STR(blocking_read(&a, 5000), "*-1\r\n");
    CHECK_STR(wire_call(&other, "CLIENT UNBLOCK %lld", ids[0]), ":0\r\n");
    CHECK_STR(wire_call(&other, "CLIENT UNBLOCK %lld ERROR", ids[1]), ":1\r\n");
    CHECK_STR(blocking_read(&b, 5000), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    CHECK(blocked_are(c, follower, 0, 5000));
    /* A client that goes takes no element with it that is pushed once its waiter is gone. */
    REQUIRE(wire_send(&a, "BLPOP k 0"));
    REQUIRE(blocked_are(c, follower, 1, 5000));
    wire_close(&a);
    REQUIRE(blocked_are(c, follower, 0, 5000));
    REQUIRE(wire_send(&b, "BLPOP k 0"));
    REQUIRE(blocked_are(c, follower, 1, 5000));
    REQUIRE(cluster_wait_caught_up(c, 10000));
    blocking_write(c, leader, "RPUSH k last");
    CHECK_STR(blocking_read(&b, 5000), "*2\r\n$1\r\nk\r\n$4\r\nlast\r\n");
    /* What is gone at the end of an EXEC was never there; in it nothing blocks. */
    REQUIRE(wire_send(&b, "BRPOPLPUSH k to 0"));
    REQUIRE(blocked_are(c, follower, 1, 5000));
    CHECK_STR(wire_call(&other, "MULTI"), "+OK\r\n");
    wire_call(&other, "RPUSH k x");
    wire_call(&other, "LPOP k");
    wire_call(&other, "BLPOP k 0");
    CHECK_STR(wire_call(&other, "EXEC"), "*3\r\n:1\r\n$1\r\nx\r\n*-1\r\n");
    CHECK_STR(wire_call(&other, "MULTI"), "+OK\r\n");
    wire_call(&other, "RPUSH k y");
    wire_call(&other, "RPUSH k z");
    CHECK_STR(wire_call(&other, "EXEC"), "*2\r\n:1\r\n:2\r\n");
    CHECK_STR(blocking_read(&b, 5000), "$1\r\nz\r\n");
    CHECK_STR(wire_call(&other, "LRANGE to 0 -1"), "*1\r\n$1\r\nz\r\n");
    CHECK_STR(wire_call(&other, "LRANGE k 0 -1"), "*1\r\n$1\r\ny\r\n");
    /* A key of another type does not wake, and harms nobody. */
    wire_call(&other, "DEL k");
    REQUIRE(wire_send(&b, "BZPOPMAX k 0"));
    REQUIRE(blocked_are(c, follower, 1, 5000));
    CHECK_STR(wire_call(&other, "RPUSH k a"), ":1\r\n");
    CHECK_STR(wire_call(&other, "DEL k"), ":1\r\n");
    CHECK_STR(wire_call(&other, "ZADD k 1 a 2 b"), ":2\r\n");
    CHECK_STR(blocking_read(&b, 5000), "*3\r\n$1\r\nk\r\n$1\r\nb\r\n$1\r\n2\r\n");
    wire_once(c->node[leader].port, 5000, out, sizeof out, "ZCARD k");
    CHECK_STR(out, ":1\r\n");
    wire_close(&b);
    wire_close(&other);
}

/* What `(echo PING; echo BLPOP k 0) | nc` does: it ends its input and reads on. It gets what was answered before, its connection ends, and
 * nothing is popped for it. */
ITEST(who_ends_its_input_waits_no_more, ITEST_CLUSTER, 60)
{
    struct cluster *c = &blocking_cluster;
    struct wire half;
    char out[300];
    cluster_start(c, 3, 0, "");
    size_t follower = ((size_t)cluster_leader(c, -1, 5000) + 1) % 3;
    for (unsigned i = 0; i < 64; i++) { /* more than a socket takes at once, while nobody reads */
        blocking_write(c, follower, "APPEND big 0123456789012345678901234567890123456789012345678901234567890123456789");
    }
    REQUIRE(wire_open(&half, c->node[follower].port, 5000));
    for (unsigned i = 0; i < 2000; i++) {
        REQUIRE(wire_send(&half, "GET big"));
    }
    REQUIRE(wire_send(&half, "BLPOP k 0"));
    REQUIRE(shutdown(half.fd, SHUT_WR) == 0);
    itest_sleep_ms(300);
    for (unsigned i = 0; i < 2000; i++) {
        if (strncmp(blocking_read(&half, 10000), "$4480\r\n", 7) != 0) {
            itest_fail("reply %u of 2000 did not come", i);
            break;
        }
    }
    CHECK_STR(blocking_read(&half, 10000), "(closed)");
    wire_close(&half);
    REQUIRE(blocked_are(c, follower, 0, 5000));
    REQUIRE(cluster_wait_caught_up(c, 10000));
    blocking_write(c, follower, "RPUSH k kept");
    wire_once(c->node[follower].port, 5000, out, sizeof out, "LLEN k");
    CHECK_STR(out, ":1\r\n");
}

/* A node that is stopped: its waiters are passed over, and keep their place. */
ITEST(waiters_of_a_suspended_node, ITEST_CLUSTER, 60)
{
    struct cluster *c = &blocking_cluster;
    struct wire first;
    struct wire second;
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t stopped = (leader + 1) % 3;
    REQUIRE(wire_open(&first, c->node[stopped].port, 5000) && wire_open(&second, c->node[leader].port, 5000));
    REQUIRE(wire_send(&first, "BLPOP k 0"));
    REQUIRE(blocked_are(c, stopped, 1, 5000));
    REQUIRE(wire_send(&second, "BLPOP k 0"));
    REQUIRE(blocked_are(c, leader, 1, 5000));
    cluster_node_suspend(c, stopped);
    itest_sleep_ms(4000); /* several election timeouts: the leader has logged SUSPEND */
    blocking_write(c, leader, "RPUSH k one");
    CHECK_STR(blocking_read(&second, 5000), "*2\r\n$1\r\nk\r\n$3\r\none\r\n");
    blocking_write(c, leader, "RPUSH k two"); /* stays: the only one that waits is passed over */
    CHECK_STR(wire_call(&second, "LLEN k"), ":1\r\n");
    cluster_node_resume(c, stopped);
    CHECK_STR(blocking_read(&first, 20000), "*2\r\n$1\r\nk\r\n$3\r\ntwo\r\n"); /* RESUME serves what is there */
    CHECK_STR(wire_call(&second, "LLEN k"), ":0\r\n");
    /* Again, but its client goes while it is stopped: what was pushed meanwhile is for others. */
    REQUIRE(wire_send(&first, "BLPOP k 0"));
    REQUIRE(blocked_are(c, stopped, 1, 5000));
    cluster_node_suspend(c, stopped);
    itest_sleep_ms(4000);
    wire_close(&first);
    blocking_write(c, leader, "RPUSH k three");
    cluster_node_resume(c, stopped);
    CHECK(blocked_are(c, stopped, 0, 20000));
    REQUIRE(cluster_wait_caught_up(c, 20000));
    CHECK_STR(wire_call(&second, "LLEN k"), ":1\r\n");
    wire_close(&second);
}

static bool crowd_waits(struct cluster *c, struct wire *w, size_t node)
{
    for (unsigned i = 0; i < CROWD; i++) {
        if (!wire_open(&w[i], c->node[node].port, 10000) || !wire_send(&w[i], "BLPOP queue 0")) {
            return false;
        }
    }
    return blocked_are(c, node, CROWD, 60000);
}

/* The number of the element that a BLPOP returned; -1: something else, which fails the test. */
static int element_of(struct wire *w, int timeout_ms)
{
    const char *reply = blocking_read(w, timeout_ms);
    const char *at = strstr(reply, "\r\ne");
    if (reply[0] != '*' || !at) {
        itest_fail("a waiter got %s", reply);
        return -1;
    }
    return atoi(at + 3);
}

/* Whether any of them got something, within 10 ms. */
static bool crowd_got_something(struct wire *w)
{
    static struct pollfd fd[CROWD];
    for (unsigned i = 0; i < CROWD; i++) {
        fd[i] = (struct pollfd){.fd = w[i].fd, .events = POLLIN};
    }
    return poll(fd, CROWD, 10) > 0;
}

/* A node dies with a thousand clients that wait; as many wait behind them at another. No element is lost once its SUSPEND is
 * applied, so what was lost is the beginning of what was pushed, and whoever lives gets the rest, each element once. */
ITEST(origin_killed_with_1000_waiters, ITEST_CLUSTER, 180)
{
    static unsigned times[2 * CROWD];
    struct cluster *c = &blocking_cluster;
    struct wire push;
    unsigned pushed = 0;
    unsigned lost = 0;
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t dead = (leader + 1) % 3;
    size_t alive = (leader + 2) % 3;
    REQUIRE(crowd_waits(c, crowd[0], dead));
    REQUIRE(crowd_waits(c, crowd[1], alive));
    REQUIRE(wire_open(&push, c->node[leader].port, 5000));
    cluster_node_suspend(c, dead); /* silent, so that the leader has to find out by itself, */
    for (unsigned i = 0; i < 20; i++) {
        const char *reply = wire_call(&push, "RPUSH queue e%u", pushed++);
        REQUIRE(reply && reply[0] == ':');
    }
    cluster_node_kill(c, dead); /* and then dead */
    int64_t killed = itest_now_ms();
    while (!crowd_got_something(crowd[1])) { /* one after the other, until one gets through */
        REQUIRE(itest_now_ms() - killed < 30000 && pushed < CROWD);
        const char *reply = wire_call(&push, "RPUSH queue e%u", pushed++);
        REQUIRE(reply && reply[0] == ':');
    }
    int64_t took = itest_now_ms() - killed;
    for (unsigned i = 0; i < CROWD; i++) { /* more than enough: the rest stays */
        const char *reply = wire_call(&push, "RPUSH queue e%u", pushed++);
        REQUIRE(reply && reply[0] == ':');
    }
    for (unsigned i = 0; i < CROWD; i++) {
        int element = element_of(&crowd[1][i], 10000);
        REQUIRE(element >= 0 && element < (int)pushed);
        times[element]++;
    }
    while (lost < pushed && times[lost] == 0) {
        lost++;
    }
    itest_note("killed with %d waiters: %u elements went to the dead, until its SUSPEND was applied within %lld ms", CROWD, lost,
               (long long)took);
    CHECK(lost < CROWD);
    for (unsigned i = lost; i < lost + CROWD; i++) {
        if (times[i] != 1) {
            itest_fail("e%u was delivered %u times", i, times[i]);
        }
    }
    char want[32];
    snprintf(want, sizeof want, ":%u\r\n", pushed - lost - CROWD);
    CHECK_STR(wire_call(&push, "LLEN queue"), want);
    for (unsigned i = 0; i < CROWD; i++) {
        wire_close(&crowd[0][i]);
        wire_close(&crowd[1][i]);
    }
    /* The dead comes back as another session: its old waiters are gone. */
    cluster_node_start(c, dead);
    REQUIRE(cluster_wait_caught_up(c, 30000));
    CHECK(blocked_are(c, dead, 0, 5000) && blocked_are(c, alive, 0, 5000));
    wire_call(&push, "DEL queue");
    CHECK_STR(wire_call(&push, "RPUSH queue kept"), ":1\r\n");
    CHECK_STR(wire_call(&push, "LLEN queue"), ":1\r\n");
    wire_close(&push);
}

ITEST_MAIN()
