/* Everything clients saw while nodes were killed and suspended, judged by coracle-check. */
#include <stdio.h>
#include <string.h>

#include "integration/lib/recorder.h"

/* The recorder's own proof: one server, nothing happens to it. */
ITEST(history_of_a_quiet_server, ITEST_ANY_SERVER, 60)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct recorder *r = recorder_start(&c, NULL);
    CHECK(recorder_wait_progress(r, 6000, 40000));
    recorder_finish(r);
}

ITEST(history_leader_killed, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct recorder *r = recorder_start(&c, NULL);
    for (int round = 0; round < 4; round++) {
        REQUIRE(recorder_wait_progress(r, 700, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        cluster_node_kill(&c, (size_t)leader);
        REQUIRE(recorder_wait_progress(r, 700, 20000));
        cluster_node_start(&c, (size_t)leader);
    }
    CHECK(recorder_wait_progress(r, 700, 20000));
    recorder_finish(r);
}

ITEST(history_all_nodes_killed, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct recorder *r = recorder_start(&c, NULL);
    for (int round = 0; round < 3; round++) {
        REQUIRE(recorder_wait_progress(r, 1000, 20000));
        for (size_t i = 0; i < 3; i++) {
            cluster_node_kill(&c, i);
        }
        for (size_t i = 0; i < 3; i++) {
            cluster_node_start(&c, i);
        }
        REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    }
    CHECK(recorder_wait_progress(r, 700, 20000));
    recorder_finish(r);
}

static void history_suspend(const char *level)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct recorder *r = recorder_start(&c, level);
    for (int round = 0; round < 5; round++) {
        REQUIRE(recorder_wait_progress(r, 500, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        cluster_node_suspend(&c, (size_t)leader);
        REQUIRE(cluster_leader(&c, leader, 10000) >= 0);
        itest_sleep_ms(round == 4 ? 6000 : 200 * round); /* once longer than the request timeout */
        cluster_node_resume(&c, (size_t)leader);
    }
    CHECK(recorder_wait_progress(r, 500, 20000));
    recorder_finish(r);
}

ITEST(history_leader_suspended, ITEST_CLUSTER, 120) { history_suspend("quorum"); }
ITEST(history_leader_suspended_lease, ITEST_CLUSTER, 120) { history_suspend("lease"); }

ITEST_MAIN()
