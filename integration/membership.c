/* Clusters that grow, shrink and change on real processes: what an operator types, what clients see meanwhile, and what remains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>

#include "integration/lib/hammer.h"

/* A line of the text grammar on a connection of its own; everything that is answered within the time, up to `lines` lines. */
static const char *members_text(const struct cluster *c, size_t i, const char *line, size_t lines, int timeout_ms)
{
    static char text[4096];
    struct wire w;
    size_t len = 0;
    text[0] = '\0';
    REQUIRE(wire_open(&w, c->node[i].port, 5000));
    wire_write(&w, line, strlen(line));
    for (int64_t deadline = itest_now_ms() + timeout_ms; lines > 0 && itest_now_ms() < deadline && len + 1 < sizeof text;) {
        const char *byte;
        size_t n;
        if (wire_read_bytes(&w, 1, (int)(deadline - itest_now_ms()), &byte, &n) != WIRE_OK || n == 0) {
            break;
        }
        text[len++] = byte[0];
        text[len] = '\0';
        lines -= byte[0] == '\n' ? 1 : 0;
    }
    wire_close(&w);
    return text;
}

/* '@' in `wanted` stands for the node's address. */
static void members_add_line(const struct cluster *c, size_t by, const char *verb, size_t node, const char *wanted)
{
    char line[96];
    char want[160];
    int blank = (int)strcspn(wanted, "@");
    snprintf(line, sizeof line, "%s 127.0.0.1:%u\n", verb, c->node[node].peer_port);
    snprintf(want, sizeof want, "%.*s127.0.0.1:%u%s", blank, wanted, c->node[node].peer_port, wanted[blank] ? wanted + blank + 1 : "");
    want[wanted[blank] ? strlen(want) : (size_t)blank] = '\0';
    CHECK_STR(members_text(c, by, line, 1, 30000), want);
}

static void members_start_blank(struct cluster *c, size_t i)
{
    cluster_node_start_as(c, i, "", c->node[i].dir);
    for (int64_t deadline = itest_now_ms() + 10000; itest_now_ms() < deadline; itest_sleep_ms(10)) {
        char reply[64];
        if (wire_once(c->node[i].port, 500, reply, sizeof reply, "PING")) {
            return;
        }
    }
    itest_fail("node %zu does not start", i + 1);
    itest_leave();
}

static bool members_ended(struct cluster *c, size_t i)
{
    int status = -1;
    return cluster_node_has_exited(c, i, 15000, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* From one node to three and back, from nc alone. */
ITEST(grows_and_shrinks_by_nc, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    char want[512];
    cluster_prepare(&c, "grown", 3, 0, "");
    for (size_t i = 0; i < 3; i++) {
        members_start_blank(&c, i);
    }
    CHECK_STR(members_text(&c, 0, "put a 1\n", 1, 10000), "SUCCESS: a -> 1 added.\n");
    members_add_line(&c, 0, "add-node", 1, "SUCCESS: Node @ added to cluster.\n");
    members_add_line(&c, 1, "add-node", 2, "SUCCESS: Node @ added to cluster.\n");
    members_add_line(&c, 2, "add-node", 1, "ERROR: Node @ already exists in cluster.\n");
    for (size_t i = 0; i < 3; i++) {
        CHECK_STR(members_text(&c, i, "get a\n", 1, 10000), "a -> 1\n");
    }
    size_t leader = (size_t)cluster_leader(&c, -1, 5000);
    size_t first = 0;
    for (size_t i = 1; i < 3; i++) {
        first = c.node[i].port < c.node[first].port ? i : first;
    }
    size_t last = 0;
    for (size_t i = 1; i < 3; i++) {
        last = c.node[i].port > c.node[last].port ? i : last;
    }
    snprintf(want, sizeof want,
             "Cluster Status:\nLeader: 127.0.0.1:%u\nActive Nodes: [127.0.0.1:%u, 127.0.0.1:%u, 127.0.0.1:%u]\nSync Status: All nodes in sync.\n",
             c.node[leader].port, c.node[first].port, c.node[3 - first - last].port, c.node[last].port);
    for (int64_t deadline = itest_now_ms() + 5000; itest_now_ms() < deadline; itest_sleep_ms(100)) {
        if (strcmp(members_text(&c, 1, "status\n", 4, 5000), want) == 0) {
            break;
        }
    }
    CHECK_STR(members_text(&c, 1, "status\n", 4, 5000), want);
    /* The leader itself goes first. */
    members_add_line(&c, leader, "remove-node", leader, "SUCCESS: Node @ removed from cluster.\n");
    CHECK(members_ended(&c, leader));
    size_t next = (leader + 1) % 3;
    members_add_line(&c, next, "remove-node", leader, "ERROR: Node @ does not exist in cluster.\n");
    members_add_line(&c, next, "remove-node", (leader + 2) % 3, "SUCCESS: Node @ removed from cluster.\n");
    CHECK(members_ended(&c, (leader + 2) % 3));
    members_add_line(&c, next, "remove-node", next, "ERROR: the last voter can't be removed or demoted; the cluster is unchanged\n");
    CHECK_STR(members_text(&c, next, "get a\n", 1, 10000), "a -> 1\n");
    members_add_line(&c, next, "add-node", leader, "ERROR: Node @ can't be reached (Connection refused); the cluster is unchanged.\n");
}

/* Two nodes that are started with --join, one after the other's address; and clients of theirs that came too early. */
ITEST(join_adds_itself, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    char flags[2][64];
    char reply[256];
    cluster_prepare(&c, "joined", 3, 0, "");
    members_start_blank(&c, 0);
    REQUIRE(wire_once(c.node[0].port, 5000, reply, sizeof reply, "SET a 1") && strcmp(reply, "+OK\r\n") == 0);
    for (size_t i = 1; i < 3; i++) {
        snprintf(flags[i - 1], sizeof flags[i - 1], "--join 127.0.0.1:%u", c.node[i - 1].port);
        c.flags = flags[i - 1];
        members_start_blank(&c, i);
        c.flags = "";
        CHECK(cluster_wait_writable(&c, i, 20000));
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK(cluster_info_u64(&c, i, "raft_members") == 3);
        CHECK(wire_once(c.node[i].port, 5000, reply, sizeof reply, "GET a") && strcmp(reply, "$1\r\n1\r\n") == 0);
    }
    /* --join means nothing any more to a node that has data. */
    CHECK(cluster_node_stop(&c, 2) == 0);
    c.flags = flags[1];
    members_start_blank(&c, 2);
    c.flags = "";
    CHECK(cluster_wait_writable(&c, 2, 10000));
}

/* A disk is lost, and its node gets its place back. */
ITEST(replace_a_wiped_disk, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    char reply[512];
    char line[96];
    cluster_start(&c, 3, 0, "");
    CHECK(cluster_wait_writable(&c, 0, 10000));
    size_t wiped = cluster_follower(&c);
    cluster_node_kill(&c, wiped);
    cluster_node_wipe(&c, wiped);
    cluster_node_start(&c, wiped);
    CHECK(cluster_log_contains_within(&c, wiped, "RAFT REPLACE", 15000));
    snprintf(line, sizeof line, "RAFT REPLACE 127.0.0.1:%u", c.node[wiped].port);
    CHECK(wire_once(c.node[(wiped + 1) % 3].port, 30000, reply, sizeof reply, line));
    CHECK_STR(reply, "+OK\r\n");
    CHECK(cluster_wait_writable(&c, wiped, 10000));
    CHECK(cluster_wait_caught_up(&c, 10000));
    /* Once more: the member itself is there now. */
    CHECK(wire_once(c.node[(wiped + 2) % 3].port, 30000, reply, sizeof reply, line) && strncmp(reply, "-ERR Node ", 10) == 0);
}

/* SIGTERM while a pipeline is being sent: the replies that come are right and in order, then the end; what was not answered was never
 * executed. */
ITEST(sigterm_answers_what_was_read, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    enum { COMMANDS = 8000 };
    cluster_start(&c, 3, 0, "");
    for (int round = 0; round < 2; round++) {
        size_t victim = round % 2 == 0 ? (size_t)cluster_leader(&c, -1, 10000) : cluster_follower(&c);
        size_t other = (victim + 1) % 3;
        struct wire w;
        char text[64];
        char line[64];
        uint64_t answered = 0;
        const char *reply;
        CHECK(cluster_wait_writable(&c, victim, 10000));
        REQUIRE(wire_open(&w, c.node[victim].port, 5000));
        bool is_sent = true;
        for (int i = 0; i < COMMANDS && is_sent; i++) {
            is_sent = wire_send(&w, "INCR pipeline:%d", round);
            if (i == COMMANDS / 4) {
                kill(c.node[victim].pid, SIGTERM);
            }
        }
        enum wire_result r;
        while ((r = wire_read(&w, 15000, &reply, NULL)) == WIRE_OK) {
            snprintf(line, sizeof line, ":%llu\r\n", (unsigned long long)answered + 1);
            if (strcmp(reply, line) != 0) {
                itest_fail("reply %llu is %.60s", (unsigned long long)answered + 1, reply);
                break;
            }
            answered++;
        }
        CHECK(r == WIRE_CLOSED);
        wire_close(&w);
        CHECK(members_ended(&c, victim));
        CHECK(cluster_wait_writable(&c, other, 10000));
        snprintf(line, sizeof line, "GET pipeline:%d", round);
        CHECK(wire_once(c.node[other].port, 5000, text, sizeof text, line));
        const char *digits = strchr(text, '\n');
        uint64_t value = digits != NULL ? strtoull(digits + 1, NULL, 10) : 0;
        itest_note("%llu of %d were answered, the counter is at %llu", (unsigned long long)answered, COMMANDS, (unsigned long long)value);
        CHECK(value == answered && answered > 0);
        cluster_node_start(&c, victim);
        CHECK(cluster_wait_writable(&c, victim, 15000));
    }
}

/* Without a majority: stale reads, and everybody says so; with one again: everything by itself. */
ITEST(no_quorum_is_said_and_heals, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    char reply[1024];
    cluster_start(&c, 3, 0, "--request-timeout 1500");
    CHECK(cluster_wait_writable(&c, 0, 10000));
    REQUIRE(wire_once(c.node[0].port, 5000, reply, sizeof reply, "SET a 1"));
    CHECK(cluster_wait_caught_up(&c, 10000));
    cluster_node_kill(&c, 1);
    cluster_node_kill(&c, 2);
    for (int64_t deadline = itest_now_ms() + 10000; itest_now_ms() < deadline && cluster_leader(&c, -1, 0) >= 0;) {
        itest_sleep_ms(50);
    }
    struct wire w;
    REQUIRE(wire_open(&w, c.node[0].port, 5000));
    CHECK_STR(wire_call(&w, "RAFT CONSISTENCY stale"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "GET a"), "$1\r\n1\r\n");
    const char *text = wire_call(&w, "SET a 2");
    CHECK(text != NULL && strncmp(text, "-CLUSTERDOWN no leader", 22) == 0);
    text = wire_call(&w, "RAFT REMOVE 127.0.0.1:%u", c.node[1].port);
    CHECK(text != NULL && strncmp(text, "-CLUSTERDOWN no leader", 22) == 0);
    CHECK(wire_once(c.node[0].port, 5000, reply, sizeof reply, "INFO raft") && strstr(reply, "no leader is known") != NULL);
    CHECK(strstr(members_text(&c, 0, "status\n", 8, 2000), "WARNING: No quorum.\n") != NULL);
    CHECK_STR(members_text(&c, 0, "put b 1\n", 2, 10000), "ERROR: Leader unavailable. Retrying...\nERROR: Leader unavailable. Try again later.\n");
    wire_close(&w);
    cluster_node_start(&c, 1);
    CHECK(cluster_wait_writable(&c, 0, 15000));
    cluster_node_start(&c, 2);
    CHECK(cluster_wait_writable(&c, 2, 15000));
}

/* ---- random changes under load, with kills ---- */

struct churn_run {
    struct cluster c;
    bool is_in[CLUSTER_MAX];
    size_t done, failed, kills;
};

static bool churn_listed(const char *members, const struct cluster *c, size_t i)
{
    char address[48];
    snprintf(address, sizeof address, "127.0.0.1:%u\r\n", c->node[i].port);
    return strstr(members, address) != NULL;
}

/* What the cluster itself says, when nothing is under way; ends the test when that takes too long: something is stuck. */
static void churn_look(struct churn_run *r)
{
    char members[8192];
    char status[4096];
    for (int64_t deadline = itest_now_ms() + 60000; itest_now_ms() < deadline; itest_sleep_ms(30)) {
        int leader = cluster_leader(&r->c, -1, 20000);
        if (leader < 0 || !wire_once(r->c.node[leader].port, 2000, status, sizeof status, "RAFT STATUS") ||
            strstr(status, "$4\r\nidle\r\n") == NULL ||
            !wire_once(r->c.node[leader].port, 2000, members, sizeof members, "RAFT MEMBERS")) {
            continue;
        }
        if (strstr(members, "learner") == NULL) {
            for (size_t i = 0; i < r->c.count; i++) {
                r->is_in[i] = churn_listed(members, &r->c, i);
            }
            return;
        }
        /* Left by one who died over it: the next one ends it. */
        for (size_t i = 0; i < r->c.count; i++) {
            char line[64];
            char reply[512];
            snprintf(line, sizeof line, "RAFT REMOVE 127.0.0.1:%u", r->c.node[i].port);
            if (churn_listed(members, &r->c, i) && !r->is_in[i]) {
                wire_once(r->c.node[leader].port, 30000, reply, sizeof reply, line);
            }
        }
    }
    itest_fail("no settled configuration in 60 s: something is stuck");
    itest_leave();
}

static void churn_clean(struct churn_run *r, size_t i)
{
    int status;
    if (!cluster_node_has_exited(&r->c, i, 4000, &status)) {
        cluster_node_kill(&r->c, i); /* It was down when it was removed, or can't find anybody to tell it. */
    }
    cluster_node_wipe(&r->c, i);
}

static size_t churn_pick(const struct churn_run *r, bool is_in)
{
    for (;;) {
        size_t i = itest_random() % r->c.count;
        if (r->is_in[i] == is_in) {
            return i;
        }
    }
}

static size_t churn_count(const struct churn_run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->c.count; i++) {
        n += r->is_in[i];
    }
    return n;
}

/* Sends the command to a random member, kills one perhaps, and waits for an answer. */
static void churn_command(struct churn_run *r, const char *line, size_t spared)
{
    struct wire w;
    const char *reply = NULL;
    size_t asked = churn_pick(r, true);
    size_t victim = churn_pick(r, true);
    bool kills = itest_random() % 5 == 0 && victim != spared && churn_count(r) >= 3;
    if (!wire_open(&w, r->c.node[asked].port, 5000)) {
        return;
    }
    wire_send(&w, "%s", line);
    if (kills) {
        itest_sleep_ms((int)(itest_random() % 150));
        cluster_node_kill(&r->c, victim);
        r->kills++;
        itest_sleep_ms((int)(itest_random() % 300));
        cluster_node_start_as(&r->c, victim, "", r->c.node[victim].dir);
    }
    enum wire_result result = wire_read(&w, 60000, &reply, NULL);
    if (result == WIRE_TIMEOUT) {
        itest_fail("'%s' was not answered in 60 s", line);
    }
    bool is_ok = result == WIRE_OK && strcmp(reply, "+OK\r\n") == 0;
    r->done += is_ok;
    r->failed += !is_ok;
    wire_close(&w);
}

static void churn_step(struct churn_run *r)
{
    char line[160];
    size_t members = churn_count(r);
    unsigned dice = (unsigned)(itest_random() % 100);
    if (members < r->c.count && (members <= 2 || dice < 40)) {
        size_t in = churn_pick(r, false);
        /* With a list that never gets complete: else a client's first write would make a cluster of its own of it. */
        snprintf(line, sizeof line, "127.0.0.1:%u,127.0.0.1:1", r->c.node[in].port);
        cluster_node_start_as(&r->c, in, line, r->c.node[in].dir);
        cluster_log_contains_within(&r->c, in, "is ready on port", 10000);
        if (members > 2 && dice < 12) {
            size_t out = churn_pick(r, true);
            snprintf(line, sizeof line, "RAFT REPLACE 127.0.0.1:%u 127.0.0.1:%u", r->c.node[out].port, r->c.node[in].port);
        } else {
            snprintf(line, sizeof line, "RAFT ADD 127.0.0.1:%u", r->c.node[in].port);
        }
        churn_command(r, line, in);
    } else if (dice < 80) {
        size_t out = churn_pick(r, true);
        snprintf(line, sizeof line, "RAFT REMOVE 127.0.0.1:%u", r->c.node[out].port);
        churn_command(r, line, r->c.count);
    } else {
        snprintf(line, sizeof line, "RAFT TRANSFER");
        churn_command(r, line, r->c.count);
    }
    churn_look(r);
    for (size_t i = 0; i < r->c.count; i++) {
        if (!r->is_in[i]) {
            churn_clean(r, i);
        }
    }
}

/* CHANGES says how many. */
ITEST(random_changes_under_load, ITEST_CLUSTER, 7200)
{
    static struct churn_run r;
    const char *text = getenv("CHANGES");
    size_t changes = text != NULL ? strtoul(text, NULL, 10) : 12;
    char digest[2][128] = {"", ""};
    cluster_prepare(&r.c, "churn", 5, 0, "--enable-debug-command yes");
    members_start_blank(&r.c, 0);
    REQUIRE(cluster_wait_writable(&r.c, 0, 10000));
    r.is_in[0] = true;
    for (size_t i = 1; i < 3; i++) {
        char line[64];
        char reply[256];
        members_start_blank(&r.c, i);
        snprintf(line, sizeof line, "RAFT ADD 127.0.0.1:%u", r.c.node[i].port);
        REQUIRE(wire_once(r.c.node[0].port, 30000, reply, sizeof reply, line) && strcmp(reply, "+OK\r\n") == 0);
        r.is_in[i] = true;
    }
    struct hammer *h = hammer_start(&r.c, 12, HAMMER_DEATHS);
    while (r.done < changes && !itest_has_failed() && r.failed < changes * 3 + 20) {
        churn_step(&r);
    }
    for (size_t i = 0; i < r.c.count; i++) {
        if (r.is_in[i]) {
            CHECK(cluster_wait_writable(&r.c, i, 20000));
        }
    }
    hammer_stop(h);
    CHECK(r.done >= changes);
    CHECK(cluster_wait_caught_up(&r.c, 20000));
    itest_sleep_ms(1500);
    for (size_t i = 0, n = 0; i < r.c.count; i++) {
        if (r.is_in[i] && wire_once(r.c.node[i].port, 10000, digest[n > 0], sizeof digest[0], "DEBUG DIGEST")) {
            CHECK(digest[n > 0][0] == '+' || digest[n > 0][0] == '$');
            if (n++ > 0) {
                CHECK_STR(digest[1], digest[0]);
            }
        }
    }
    itest_note("%zu changes done, %zu answered otherwise, %zu kills", r.done, r.failed, r.kills);
}

ITEST_MAIN()
