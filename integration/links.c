/* Links between nodes that break, hang in one direction, or lose what they carried; and reads that need none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/cluster.h"
#include "integration/lib/writers.h"

/* A follower answers reads from its own state: its counter moves, the leader's does not. */
ITEST(follower_reads_its_own_state, ITEST_CLUSTER, 60)
{
    enum { READS = 1000 };
    static struct cluster c;
    struct wire w;
    cluster_start(&c, 3, 0, "");
    int leader = cluster_leader(&c, -1, 5000);
    size_t follower = cluster_follower(&c);
    REQUIRE(leader >= 0 && wire_open(&w, c.node[follower].port, 5000));
    for (int i = 0; i < 10; i++) {
        CHECK_STR(wire_call(&w, "SET r:%d %d", i, i), "+OK\r\n");
    }
    for (int round = 0; round < 2; round++) {
        uint64_t own = cluster_info_u64(&c, follower, "raft_reads_served_locally");
        uint64_t leaders = cluster_info_u64(&c, (size_t)leader, "raft_reads_served_locally");
        for (int i = 0; i < READS; i++) {
            char want[32];
            snprintf(want, sizeof want, "$1\r\n%d\r\n", i % 10);
            CHECK_STR(wire_call(&w, "GET r:%d", i % 10), want);
        }
        own = cluster_info_u64(&c, follower, "raft_reads_served_locally") - own;
        leaders = cluster_info_u64(&c, (size_t)leader, "raft_reads_served_locally") - leaders;
        itest_note("%s: %d reads on a follower: it served %llu, the leader %llu", round == 0 ? "quorum" : "lease", READS,
                   (unsigned long long)own, (unsigned long long)leaders);
        CHECK(own >= READS && own <= READS + 10);
        CHECK(leaders <= 10);
        cluster_config_set(&c, "read-consistency", "lease");
    }
    wire_close(&w);
}

/* The follower's commands reach the leader and are appended; then the links are cut before the follower hears of it.
 * It sends them again or learns that they were done: each takes effect once, and its client gets the right number. */
ITEST(link_cut_between_append_and_reply, ITEST_CLUSTER, 120)
{
    enum { ROUNDS = 30, DEPTH = 10 };
    static struct cluster c;
    struct wire w;
    long long counter = 0;
    cluster_start(&c, 3, CLUSTER_PROXIED, "");
    int leader = cluster_leader(&c, -1, 5000);
    int follower = (int)cluster_follower(&c);
    REQUIRE(leader >= 0 && wire_open(&w, c.node[follower].port, 5000));
    CHECK_STR(wire_call(&w, "INCR n"), ":1\r\n");
    counter = 1;
    for (int round = 0; round < ROUNDS && !itest_has_failed(); round++) {
        uint64_t appended = cluster_info_u64(&c, (size_t)leader, "raft_last_index");
        proxy_rule_from_to(c.proxy, leader, follower, PROXY_ANY_ROLE, PROXY_HOLD);
        for (int i = 0; i < DEPTH; i++) {
            wire_send(&w, "INCR n");
        }
        for (int i = 0; i < 40 && cluster_info_u64(&c, (size_t)leader, "raft_last_index") < appended + 1; i++) {
            itest_sleep_ms(2);
        }
        itest_sleep_ms(round % 3 * 20);
        CHECK(proxy_cut_between(c.proxy, leader, follower, PROXY_ANY_ROLE) > 0);
        proxy_clear_rules(c.proxy);
        for (int i = 0; i < DEPTH; i++) {
            const char *reply = "(none)";
            char want[32];
            snprintf(want, sizeof want, ":%lld\r\n", ++counter);
            CHECK(wire_read(&w, 15000, &reply, NULL) == WIRE_OK);
            CHECK_STR(reply, want);
        }
        int now = cluster_leader(&c, -1, 10000);
        leader = now >= 0 ? now : leader;
        if (leader == follower) { /* It lost its leader for too long once: go on with another follower. */
            wire_close(&w);
            follower = (int)cluster_follower(&c);
            REQUIRE(wire_open(&w, c.node[follower].port, 5000));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        char reply[64];
        char text[64];
        char want[64];
        snprintf(want, sizeof want, "%lld", counter);
        wire_once(c.node[i].port, 5000, reply, sizeof reply, "GET n");
        CHECK(resp_string(reply, text, sizeof text));
        CHECK_STR(text, want);
    }
    wire_close(&w);
}

/* Links reset at random while INCRs run on every node, one counter per connection: each count is exact. */
ITEST(random_link_cuts_count_exactly, ITEST_CLUSTER, 90)
{
    enum { DEPTH = 20 };
    static struct cluster c;
    struct wire w[3];
    long long counter[3] = {0, 0, 0};
    cluster_start(&c, 3, CLUSTER_PROXIED, "");
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(wire_open(&w[i], c.node[i].port, 5000));
    }
    for (int round = 0; round < 100 && !itest_has_failed(); round++) {
        for (size_t i = 0; i < 3; i++) {
            for (int k = 0; k < DEPTH; k++) {
                wire_send(&w[i], "INCR counter:%zu", i);
            }
        }
        itest_sleep_ms((int)(itest_random() % 4));
        proxy_cut(c.proxy, (struct proxy_match){PROXY_ANY, (int)(itest_random() % 3), (enum proxy_role)(1 + itest_random() % 2)});
        for (size_t i = 0; i < 3; i++) {
            for (int k = 0; k < DEPTH; k++) {
                const char *reply = "(none)";
                char want[32];
                snprintf(want, sizeof want, ":%lld\r\n", ++counter[i]);
                CHECK(wire_read(&w[i], 15000, &reply, NULL) == WIRE_OK);
                CHECK_STR(reply, want);
            }
        }
    }
    for (size_t i = 0; i < 3; i++) {
        char want[64];
        char text[64];
        snprintf(want, sizeof want, "%lld", counter[i]);
        const char *reply = wire_call(&w[(i + 1) % 3], "GET counter:%zu", i);
        CHECK(resp_string(reply, text, sizeof text));
        CHECK_STR(text, want);
    }
    for (size_t i = 0; i < 3; i++) {
        wire_close(&w[i]);
    }
}

/* The bulk links from the leader hang, control goes on: they are closed for lack of progress and dialled again, and
 * writes resume. */
ITEST(bulk_links_hang, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, CLUSTER_PROXIED, "");
    struct writers *w = writers_start(&c, 3, 5, "w");
    for (int round = 0; round < 4 && !itest_has_failed(); round++) {
        REQUIRE(writers_wait_progress(w, 500, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        uint64_t term = cluster_info_u64(&c, (size_t)leader, "raft_term");
        size_t frozen = 0;
        for (int i = 0; i < 3; i++) {
            if (i != leader) {
                frozen += round % 2 == 0 ? proxy_freeze_from_to(c.proxy, leader, i, PROXY_BULK) : proxy_freeze_from_to(c.proxy, i, leader, PROXY_BULK);
            }
        }
        CHECK(frozen == 2);
        int64_t begin = itest_now_ms();
        itest_sleep_ms(50);
        CHECK(writers_wait_progress(w, 200, 5000));
        int64_t took = itest_now_ms() - begin;
        leader = cluster_leader(&c, -1, 10000);
        itest_note("bulk links %s the leader frozen: 200 writes were acknowledged again after %lld ms, term %llu -> %llu",
                   round % 2 == 0 ? "from" : "to", (long long)took, (unsigned long long)term,
                   (unsigned long long)(leader >= 0 ? cluster_info_u64(&c, (size_t)leader, "raft_term") : 0));
        proxy_clear_rules(c.proxy);
    }
    writers_stop(w);
    writers_note(w);
    CHECK(cluster_wait_caught_up(&c, 20000));
    for (size_t i = 0; i < 3; i++) {
        writers_verify(w, &c, i);
    }
    writers_free(w);
}

/* No bulk byte from this leader to anybody gets through, on new connections neither, while its heartbeats do: it must
 * make room for another leader. */
ITEST(bulk_path_of_leader_black_holed, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, CLUSTER_PROXIED, "");
    struct writers *w = writers_start(&c, 3, 5, "w");
    for (int round = 0; round < 3 && !itest_has_failed(); round++) {
        REQUIRE(writers_wait_progress(w, 500, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        for (int i = 0; i < 3; i++) {
            if (i != leader) {
                proxy_rule_from_to(c.proxy, leader, i, PROXY_BULK, PROXY_HOLD);
            }
        }
        int64_t begin = itest_now_ms();
        itest_sleep_ms(50);
        CHECK(writers_wait_progress(w, 100, 10000));
        itest_note("bulk path of the leader black-holed: 100 writes were acknowledged again after %lld ms", (long long)(itest_now_ms() - begin));
        CHECK(cluster_leader(&c, leader, 5000) >= 0);
        proxy_clear_rules(c.proxy);
    }
    writers_stop(w);
    writers_note(w);
    CHECK(cluster_wait_caught_up(&c, 20000));
    for (size_t i = 0; i < 3; i++) {
        writers_verify(w, &c, i);
    }
    writers_free(w);
}

/* A follower cut off in one direction, then healed: no election storm while it is away (its pre-votes are refused), and
 * it follows again. */
ITEST(one_way_partition_of_a_follower, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, CLUSTER_PROXIED, "");
    struct writers *w = writers_start(&c, 1, 5, "w");
    REQUIRE(writers_wait_progress(w, 200, 20000));
    int leader = cluster_leader(&c, -1, 10000);
    int follower = (int)cluster_follower(&c);
    REQUIRE(leader >= 0);
    uint64_t term = cluster_info_u64(&c, (size_t)leader, "raft_term");
    for (int i = 0; i < 3; i++) {
        if (i != follower) {
            proxy_rule_from_to(c.proxy, i, follower, PROXY_ANY_ROLE, PROXY_HOLD);
        }
    }
    itest_sleep_ms(3000);
    CHECK(cluster_leader(&c, follower, 1000) == leader);
    CHECK(cluster_info_u64(&c, (size_t)leader, "raft_term") == term);
    proxy_clear_rules(c.proxy);
    CHECK(cluster_wait_caught_up(&c, 20000));
    CHECK(cluster_info_u64(&c, (size_t)leader, "raft_term") == term);
    writers_stop(w);
    CHECK(cluster_wait_caught_up(&c, 20000));
    for (size_t i = 0; i < 3; i++) {
        writers_verify(w, &c, i);
    }
    writers_free(w);
}

/* ---- the proxy itself, on redis-server ---- */

ITEST(proxy_passes_holds_and_cuts, ITEST_ANY_SERVER, 30)
{
    static struct cluster c;
    struct wire w;
    const char *reply;
    struct proxy_match all = {PROXY_ANY, PROXY_ANY, PROXY_ANY_ROLE};
    cluster_start(&c, 1, CLUSTER_PROXIED, "");
    uint16_t port = c.node[0].peer_port;
    REQUIRE(wire_open(&w, port, 5000));
    CHECK_STR(wire_call(&w, "SET a 1"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "GET a"), "$1\r\n1\r\n");
    CHECK(proxy_count(c.proxy, (struct proxy_match){PROXY_ANY, 0, PROXY_CLIENT}) == 1);
    CHECK(proxy_count(c.proxy, (struct proxy_match){0, 0, PROXY_ANY_ROLE}) == 0);
    proxy_rule(c.proxy, all, PROXY_TO_SOURCE, PROXY_HOLD);
    CHECK(wire_send(&w, "INCR a"));
    CHECK(wire_read(&w, 200, &reply, NULL) == WIRE_TIMEOUT);
    char direct[64];
    CHECK(wire_once(c.node[0].port, 1000, direct, sizeof direct, "GET a"));
    CHECK_STR(direct, "$1\r\n2\r\n");
    proxy_clear_rules(c.proxy);
    CHECK(wire_read(&w, 2000, &reply, NULL) == WIRE_OK);
    CHECK_STR(reply, ":2\r\n");
    CHECK(proxy_freeze(c.proxy, all, PROXY_BOTH) == 1);
    CHECK(wire_send(&w, "INCR a") && wire_read(&w, 100, &reply, NULL) == WIRE_TIMEOUT);
    CHECK(wire_once(port, 1000, direct, sizeof direct, "GET a"));
    CHECK_STR(direct, "$1\r\n2\r\n");
    CHECK(proxy_cut(c.proxy, all) >= 1);
    CHECK(wire_is_closed_within(&w, 2000));
    wire_close(&w);
    proxy_clear_rules(c.proxy);
    proxy_delay(c.proxy, all, 50);
    REQUIRE(wire_open(&w, port, 5000));
    int64_t begin = itest_now_ms();
    CHECK_STR(wire_call(&w, "GET a"), "$1\r\n2\r\n");
    CHECK(itest_now_ms() - begin >= 99);
    static const char said[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    uint8_t bytes[sizeof said - 1]; /* the first connection said most */
    size_t n = proxy_recorded(c.proxy, all, PROXY_TO_TARGET, bytes, sizeof bytes);
    CHECK(n == sizeof bytes && memcmp(bytes, said, n) == 0);
    proxy_rule(c.proxy, all, PROXY_BOTH, PROXY_REFUSE);
    CHECK(wire_is_closed_within(&w, 2000));
    wire_close(&w);
    CHECK(!wire_once(port, 500, direct, sizeof direct, "PING"));
}

ITEST_MAIN()
