/* Client libraries of other languages: the scripts of integration/clients drive them, in node, and ask for what shall happen
 * to the cluster meanwhile. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "integration/lib/cluster.h"
#include "integration/lib/script.h"

static struct cluster libraries_cluster;

/* node-redis 4 puts SCAN's cursors through a double, and its iterator hides them. */
ITEST(node_redis_scan_through_failover, ITEST_CLUSTER, 150)
{
    struct cluster *c = &libraries_cluster;
    static struct script s;
    signal(SIGPIPE, SIG_IGN);
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    size_t asked = cluster_follower(c);
    size_t other = 3 - leader - asked;
    script_start(&s, "scan.js %u %u", c->node[asked].port, c->node[other].port);
    REQUIRE(script_expect(&s, 60000, "kill the leader"));
    cluster_node_kill(c, leader);
    REQUIRE(script_answer(&s, "it is dead"));
    REQUIRE(script_expect(&s, 60000, "start it again"));
    cluster_node_start(c, leader);
    REQUIRE(cluster_wait_caught_up(c, 30000));
    REQUIRE(script_answer(&s, "it is back"));
    REQUIRE(script_expect(&s, 60000, "kill this node"));
    cluster_node_kill(c, asked);
    REQUIRE(script_answer(&s, "it is dead"));
    script_end(&s, 60000);
    REQUIRE(cluster_leader(c, (int)asked, 5000) >= 0);
}

ITEST_MAIN()
