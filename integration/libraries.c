/* Client libraries of other languages: the scripts of integration/clients drive them, in node, and ask for what shall happen
 * to the cluster meanwhile. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/lib/cluster.h"
#include "integration/lib/script.h"

static struct cluster libraries_cluster;
static pid_t libraries_redis;

static void libraries_redis_kill(void *ctx)
{
    (void)ctx;
    kill(libraries_redis, SIGKILL);
    waitpid(libraries_redis, NULL, 0);
}

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

static uint16_t libraries_start_redis(void)
{
    uint16_t port = cluster_free_port();
    char out[200];
    libraries_redis = fork();
    REQUIRE(libraries_redis >= 0);
    if (libraries_redis == 0) {
        char text[8];
        snprintf(text, sizeof text, "%u", port);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", text, "--dir", itest_dir(), "--save", "", "--appendonly", "no", "--logfile",
               "redis.log", (char *)NULL);
        _exit(127);
    }
    itest_at_end(libraries_redis_kill, NULL);
    for (int64_t deadline = itest_now_ms() + 15000; itest_now_ms() < deadline; itest_sleep_ms(20)) {
        wire_once(port, 500, out, sizeof out, "PING");
        if (strcmp(out, "+PONG\r\n") == 0) {
            break;
        }
    }
    CHECK_STR(out, "+PONG\r\n");
    return port;
}

/* Random commands to a node, each to a redis-server too: the same bytes. Half of them in RESP2, half in RESP3. DIFFERENTIAL_COMMANDS
 * says how many; `make differential` does. A disk that is slow may hold a write up: no answer shall be UNKNOWN for that. */
static void libraries_compare(const struct cluster *c, size_t node)
{
    static struct script s;
    const char *commands = getenv("DIFFERENTIAL_COMMANDS");
    uint16_t redis = libraries_start_redis();
    script_start(&s, "differential.js %u %u %s %llu", c->node[node].port, redis, commands != NULL ? commands : "4000",
                 (unsigned long long)(itest_random() % 1000000));
    script_end(&s, commands != NULL ? 3600000 : 110000);
}

#define DIFFERENTIAL_OPTIONS "--request-timeout 60000"

ITEST(differential_on_leader, ITEST_CLUSTER, 120)
{
    struct cluster *c = &libraries_cluster;
    cluster_start(c, 3, 0, DIFFERENTIAL_OPTIONS);
    libraries_compare(c, (size_t)cluster_leader(c, -1, 5000));
}

ITEST(differential_on_follower, ITEST_CLUSTER, 120)
{
    struct cluster *c = &libraries_cluster;
    cluster_start(c, 3, 0, DIFFERENTIAL_OPTIONS);
    libraries_compare(c, cluster_follower(c));
}

ITEST_MAIN()
