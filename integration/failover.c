/* What clients see while leaders come and go: every reply is checked against what may be true. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "integration/lib/cluster.h"
#include "integration/lib/model.h"
#include "integration/lib/writers.h"

/* ---- random pipelines ---- */

enum { PIPELINE_CLIENTS = 6, PIPELINE_MAX = 60 };

struct pipeline_client {
    const struct cluster *cluster;
    const atomic_bool *is_over;
    pthread_t thread;
    size_t node;
    uint64_t random;
    struct model *model;
    atomic_uint_fast64_t replies;
    uint64_t errors;
    uint64_t unknowns;
    uint64_t lost;
    char wrong[300]; /* the first reply that can't be right */
};

static uint64_t pipeline_random(struct pipeline_client *p)
{
    uint64_t z = (p->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Sends one pipeline and checks its replies; false when the connection is lost. */
static bool pipeline_round(struct pipeline_client *p, struct wire *w)
{
    struct model_op op[PIPELINE_MAX];
    char bytes[PIPELINE_MAX * 160];
    size_t len = 0;
    size_t count = 1 + pipeline_random(p) % PIPELINE_MAX;
    for (size_t i = 0; i < count; i++) {
        op[i] = (struct model_op){(enum model_op_type)(pipeline_random(p) % 3), (unsigned)(pipeline_random(p) % MODEL_KEYS),
                                  (long long)(pipeline_random(p) % 1000000)};
        len += model_request(p->model, &op[i], bytes + len, sizeof bytes - len);
    }
    bool is_up = wire_write(w, bytes, len);
    for (size_t i = 0; i < count; i++) {
        const char *reply;
        const char *why;
        if (!is_up || wire_read(w, 20000, &reply, NULL) != WIRE_OK) {
            is_up = false;
            model_lost(p->model, &op[i]);
            continue;
        }
        p->errors += reply[0] == '-';
        p->unknowns += strncmp(reply, "-UNKNOWN ", 9) == 0;
        if (!model_reply(p->model, &op[i], reply, &why) && p->wrong[0] == '\0') {
            snprintf(p->wrong, sizeof p->wrong, "reply %zu of %zu, %s: %.100s", i + 1, count, why, reply);
        }
        atomic_fetch_add(&p->replies, reply[0] != '-');
    }
    return is_up;
}

static void *pipeline_main(void *ctx)
{
    struct pipeline_client *p = ctx;
    while (!atomic_load(p->is_over)) {
        struct wire w;
        if (!wire_open(&w, p->cluster->node[p->node].port, 5000)) {
            p->node = (p->node + 1) % p->cluster->count;
            itest_sleep_ms(5);
            continue;
        }
        while (!atomic_load(p->is_over)) {
            if (!pipeline_round(p, &w)) {
                p->lost++;
                model_retire(p->model);
                break;
            }
        }
        wire_close(&w);
    }
    return NULL;
}

static uint64_t pipeline_replies(struct pipeline_client *client)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        uint64_t n = atomic_load(&client[i].replies);
        least = n < least ? n : least;
    }
    return least;
}

/* Every client gets `more` further good replies within the time. */
static bool pipeline_wait(struct pipeline_client *client, uint64_t more, int timeout_ms)
{
    uint64_t begin[PIPELINE_CLIENTS];
    int64_t deadline = itest_now_ms() + timeout_ms;
    size_t done = 0;
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        begin[i] = atomic_load(&client[i].replies);
    }
    while (done < PIPELINE_CLIENTS && itest_now_ms() < deadline) {
        done = 0;
        itest_sleep_ms(5);
        for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
            done += atomic_load(&client[i].replies) >= begin[i] + more;
        }
    }
    return done == PIPELINE_CLIENTS;
}

static void pipeline_finish(const struct cluster *c, struct pipeline_client *client, atomic_bool *is_over)
{
    atomic_store(is_over, true);
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        struct pipeline_client *p = &client[i];
        pthread_join(p->thread, NULL);
        itest_note("client %zu: %llu good replies, %llu errors (%llu UNKNOWN), %llu connections lost", i + 1,
                   (unsigned long long)atomic_load(&p->replies), (unsigned long long)p->errors, (unsigned long long)p->unknowns,
                   (unsigned long long)p->lost);
        if (p->wrong[0] != '\0') {
            itest_fail("client %zu: %s", i + 1, p->wrong);
        }
    }
    CHECK(itest_server_is_redis() || cluster_wait_caught_up(c, 20000));
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        struct wire w;
        REQUIRE(wire_open(&w, c->node[i % c->count].port, 5000));
        model_verify(client[i].model, &w);
        model_free(client[i].model);
        wire_close(&w);
    }
}

static void pipeline_start(const struct cluster *c, struct pipeline_client *client, const atomic_bool *is_over)
{
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        char prefix[24];
        snprintf(prefix, sizeof prefix, "p%zu", i);
        client[i] = (struct pipeline_client){.cluster = c, .is_over = is_over, .node = i % c->count, .random = itest_random(), .model = model_new(prefix)};
        pthread_create(&client[i].thread, NULL, pipeline_main, &client[i]);
    }
}

ITEST(random_pipelines, ITEST_ANY_SERVER, 60)
{
    static struct cluster c;
    static struct pipeline_client client[PIPELINE_CLIENTS];
    static atomic_bool is_over;
    cluster_start(&c, 3, 0, "");
    pipeline_start(&c, client, &is_over);
    CHECK(pipeline_wait(client, 2000, 20000));
    pipeline_finish(&c, client, &is_over);
    for (size_t i = 0; i < PIPELINE_CLIENTS; i++) {
        CHECK(client[i].errors == 0 && client[i].lost == 0);
    }
    CHECK(pipeline_replies(client) > 0);
}

ITEST(random_pipelines_through_failover, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    static struct pipeline_client client[PIPELINE_CLIENTS];
    static atomic_bool is_over;
    cluster_start(&c, 3, 0, "");
    pipeline_start(&c, client, &is_over);
    for (int round = 0; round < 4; round++) {
        REQUIRE(pipeline_wait(client, 500, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        cluster_node_kill(&c, (size_t)leader);
        REQUIRE(pipeline_wait(client, 500, 20000));
        cluster_node_start(&c, (size_t)leader);
    }
    CHECK(pipeline_wait(client, 500, 20000));
    pipeline_finish(&c, client, &is_over);
}

/* The leader is stopped and continued again and again: its clients wait, nobody is told anything wrong. */
ITEST(random_pipelines_through_suspended_leader, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    static struct pipeline_client client[PIPELINE_CLIENTS];
    static atomic_bool is_over;
    cluster_start(&c, 3, 0, "");
    pipeline_start(&c, client, &is_over);
    for (int round = 0; round < 4; round++) {
        REQUIRE(pipeline_wait(client, 500, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        cluster_node_suspend(&c, (size_t)leader);
        REQUIRE(cluster_leader(&c, leader, 10000) >= 0);
        itest_sleep_ms(round == 3 ? 6000 : 300); /* once longer than the request timeout */
        cluster_node_resume(&c, (size_t)leader);
    }
    CHECK(pipeline_wait(client, 500, 20000));
    pipeline_finish(&c, client, &is_over);
}

/* ---- no stale read ---- */

struct stale_register {
    const struct cluster *cluster;
    atomic_bool is_over;
    atomic_llong acknowledged; /* highest value whose write was answered +OK, or that was read */
    atomic_llong sent;         /* highest value sent */
    atomic_int stale;
    atomic_ullong reads;
    char first[200];
};

static void stale_raise(atomic_llong *a, long long value)
{
    long long now = atomic_load(a);
    while (now < value && !atomic_compare_exchange_weak(a, &now, value)) {
    }
}

/* The value of a GET reply; -1: an error reply or none. */
static long long stale_value(const char *reply)
{
    char text[64];
    if (reply == NULL || strcmp(reply, "$-1\r\n") == 0) {
        return reply == NULL ? -1 : 0;
    }
    return resp_string(reply, text, sizeof text) ? strtoll(text, NULL, 10) : -1;
}

/* A read invoked when `low` was already acknowledged or read must show at least that. */
static void stale_check(struct stale_register *s, long long low, long long value, const char *who)
{
    if (value < 0) {
        return;
    }
    if (value < low || value > atomic_load(&s->sent)) {
        if (atomic_fetch_add(&s->stale, 1) == 0) {
            snprintf(s->first, sizeof s->first, "%s: read %lld, but %lld was there before it began (sent up to %lld)", who, value, low,
                     (long long)atomic_load(&s->sent));
        }
    }
    atomic_fetch_add(&s->reads, 1);
    stale_raise(&s->acknowledged, value);
}

struct stale_client {
    struct stale_register *all;
    size_t node;
    pthread_t thread;
};

static void *stale_writer(void *ctx)
{
    struct stale_client *client = ctx;
    struct stale_register *s = client->all;
    struct wire w = {.fd = -1};
    for (long long value = 1; !atomic_load(&s->is_over); value++) {
        if (w.fd < 0 && !wire_open(&w, s->cluster->node[client->node].port, 5000)) {
            itest_sleep_ms(5);
            continue;
        }
        stale_raise(&s->sent, value);
        const char *reply = wire_call(&w, "SET register %lld", value);
        if (reply != NULL && strcmp(reply, "+OK\r\n") == 0) {
            stale_raise(&s->acknowledged, value);
        } else if (reply == NULL) {
            /* One session per node keeps the order of its writes; a new connection might overtake. Not expected here. */
            atomic_fetch_add(&s->stale, 1);
            snprintf(s->first, sizeof s->first, "the writer lost its connection to a node that was never stopped");
            break;
        }
    }
    wire_close(&w);
    return NULL;
}

static void *stale_reader(void *ctx)
{
    struct stale_client *client = ctx;
    struct stale_register *s = client->all;
    struct wire w = {.fd = -1};
    char who[32];
    snprintf(who, sizeof who, "reader on node %zu", client->node + 1);
    while (!atomic_load(&s->is_over)) {
        if (w.fd < 0 && !wire_open(&w, s->cluster->node[client->node].port, 5000)) {
            itest_sleep_ms(5);
            continue;
        }
        long long low = atomic_load(&s->acknowledged);
        const char *reply = wire_call(&w, "GET register");
        stale_check(s, low, stale_value(reply), who);
        if (reply == NULL) {
            wire_close(&w);
        }
    }
    wire_close(&w);
    return NULL;
}

/* Reads that were sent to the stopped leader while another one led and acknowledged writes: when it is continued it
 * may answer them late or with an error, never from its past. */
static void stale_round(struct stale_register *s, struct cluster *c)
{
    enum { LATE = 20 };
    struct wire old;
    struct wire late;
    int leader = cluster_leader(c, -1, 10000);
    REQUIRE(leader >= 0);
    REQUIRE(wire_open(&old, c->node[leader].port, 5000));
    CHECK(wire_call(&old, "GET register") != NULL);
    cluster_node_suspend(c, (size_t)leader);
    REQUIRE(cluster_leader(c, leader, 10000) >= 0);
    long long before = atomic_load(&s->acknowledged);
    for (int64_t deadline = itest_now_ms() + 10000; atomic_load(&s->acknowledged) < before + 50 && itest_now_ms() < deadline;) {
        itest_sleep_ms(2);
    }
    long long low = atomic_load(&s->acknowledged);
    REQUIRE(low >= before + 50);
    REQUIRE(wire_open(&late, c->node[leader].port, 5000));
    for (int i = 0; i < LATE; i++) {
        CHECK(wire_send(&old, "GET register") && wire_send(&late, "GET register"));
    }
    cluster_node_resume(c, (size_t)leader);
    for (int i = 0; i < 2 * LATE; i++) {
        const char *reply = NULL;
        CHECK(wire_read(i < LATE ? &old : &late, 15000, &reply, NULL) == WIRE_OK);
        stale_check(s, low, stale_value(reply), i < LATE ? "old connection to the stopped leader" : "new connection to the stopped leader");
    }
    wire_close(&old);
    wire_close(&late);
}

static void stale_run(const char *level)
{
    static struct cluster c;
    static struct stale_register s;
    struct stale_client client[7];
    cluster_start(&c, 3, 0, "");
    cluster_config_set(&c, "read-consistency", level);
    s.cluster = &c;
    int leader = cluster_leader(&c, -1, 5000);
    REQUIRE(leader >= 0);
    for (size_t i = 0; i < 7; i++) {
        client[i] = (struct stale_client){.all = &s, .node = i % 3};
    }
    client[6].node = ((size_t)leader + 1) % 3;
    for (size_t i = 0; i < 7; i++) {
        pthread_create(&client[i].thread, NULL, i < 6 ? stale_reader : stale_writer, &client[i]);
    }
    for (int round = 0; round < 4; round++) {
        itest_sleep_ms(300);
        /* The writer's own node is spared, so that its session goes on: if it leads now, the next leader is stopped. */
        int now = cluster_leader(&c, -1, 10000);
        if (now >= 0 && (size_t)now != client[6].node) {
            stale_round(&s, &c);
        } else {
            cluster_node_suspend(&c, client[6].node);
            itest_sleep_ms(1500);
            cluster_node_resume(&c, client[6].node);
        }
    }
    itest_sleep_ms(300);
    atomic_store(&s.is_over, true);
    for (size_t i = 0; i < 7; i++) {
        pthread_join(client[i].thread, NULL);
    }
    itest_note("%s: %lld writes sent, %llu reads", level, (long long)atomic_load(&s.sent), (unsigned long long)atomic_load(&s.reads));
    CHECK(atomic_load(&s.reads) > 100 && atomic_load(&s.sent) > 100);
    if (atomic_load(&s.stale) > 0) {
        itest_fail("%d wrong reads; first: %s", atomic_load(&s.stale), s.first);
    }
}

ITEST(suspended_leader_no_stale_read_quorum, ITEST_CLUSTER, 120)
{
    stale_run("quorum");
}

ITEST(suspended_leader_no_stale_read_lease, ITEST_CLUSTER, 120)
{
    stale_run("lease");
}

/* The leader is cut off from its peers but not from its clients: it answers late, with an error or not at all, but
 * never from its past, while another leader's writes go on; then the partition heals. */
ITEST(isolated_leader_no_stale_read, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    static struct stale_register s;
    struct stale_client client[7];
    cluster_start(&c, 3, CLUSTER_PROXIED, "--request-timeout 3000");
    s.cluster = &c;
    int leader = cluster_leader(&c, -1, 5000);
    REQUIRE(leader >= 0);
    for (size_t i = 0; i < 7; i++) {
        client[i] = (struct stale_client){.all = &s, .node = i % 3};
    }
    client[6].node = ((size_t)leader + 1) % 3;
    for (size_t i = 0; i < 7; i++) {
        pthread_create(&client[i].thread, NULL, i < 6 ? stale_reader : stale_writer, &client[i]);
    }
    for (int round = 0; round < 6; round++) {
        itest_sleep_ms(200);
        int now = cluster_leader(&c, -1, 10000);
        REQUIRE(now >= 0);
        for (int i = 0; i < 3; i++) {
            if (i != now) {
                proxy_rule_from_to(c.proxy, now, i, PROXY_ANY_ROLE, PROXY_HOLD);
                if (round % 2 == 0) { /* else it hears the others, but is not heard */
                    proxy_rule_from_to(c.proxy, i, now, PROXY_ANY_ROLE, PROXY_HOLD);
                }
            }
        }
        CHECK(cluster_leader(&c, now, 10000) >= 0);
        itest_sleep_ms(700);
        proxy_clear_rules(c.proxy);
    }
    long long sent = atomic_load(&s.sent);
    for (int64_t deadline = itest_now_ms() + 10000; atomic_load(&s.acknowledged) < sent + 50 && itest_now_ms() < deadline;) {
        itest_sleep_ms(5);
    }
    CHECK(atomic_load(&s.acknowledged) >= sent + 50);
    atomic_store(&s.is_over, true);
    for (size_t i = 0; i < 7; i++) {
        pthread_join(client[i].thread, NULL);
    }
    itest_note("%lld writes sent, %llu reads", (long long)atomic_load(&s.sent), (unsigned long long)atomic_load(&s.reads));
    if (atomic_load(&s.stale) > 0) {
        itest_fail("%d wrong reads; first: %s", atomic_load(&s.stale), s.first);
    }
}

/* Without a majority: no write, no linearizable read, but stale reads go on; and the refusal says NOT done. */
ITEST(minority_refuses, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    struct wire w;
    cluster_start(&c, 3, 0, "--request-timeout 1500");
    size_t left = cluster_follower(&c);
    REQUIRE(wire_open(&w, c.node[left].port, 5000));
    CHECK_STR(wire_call(&w, "SET a 1"), "+OK\r\n");
    for (size_t i = 0; i < 3; i++) {
        if (i != left) {
            cluster_node_kill(&c, i);
        }
    }
    itest_sleep_ms(1500);
    const char *reply = wire_call(&w, "SET a 2");
    CHECK(reply != NULL && (strncmp(reply, "-CLUSTERDOWN ", 13) == 0 || strncmp(reply, "-UNKNOWN ", 9) == 0));
    bool may_be_done = reply != NULL && reply[1] == 'U';
    reply = wire_call(&w, "GET a");
    CHECK(reply != NULL && (strncmp(reply, "-CLUSTERDOWN ", 13) == 0 || strncmp(reply, "-TRYAGAIN ", 10) == 0));
    CHECK_STR(wire_call(&w, "CONFIG SET read-consistency stale"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "GET a"), "$1\r\n1\r\n");
    CHECK_STR(wire_call(&w, "CONFIG SET read-consistency quorum"), "+OK\r\n");
    for (size_t i = 0; i < 3; i++) {
        if (i != left) {
            cluster_node_start(&c, i);
        }
    }
    REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    reply = wire_call(&w, "GET a");
    CHECK(reply != NULL && (strcmp(reply, "$1\r\n1\r\n") == 0 || (may_be_done && strcmp(reply, "$1\r\n2\r\n") == 0)));
    wire_close(&w);
}

/* ---- FAILOVER ---- */

ITEST(failover_by_command, ITEST_CLUSTER, 60)
{
    static const struct {
        const char *command;
        const char *answer;
    } row[] = {
        {"FAILOVER NOW", "-ERR syntax error\r\n"},
        {"FAILOVER TO 127.0.0.1", "-ERR syntax error\r\n"},
        {"FAILOVER TIMEOUT 0", "-ERR FAILOVER timeout must be greater than 0\r\n"},
        {"FAILOVER TIMEOUT soon", "-ERR value is not an integer or out of range\r\n"},
        {"FAILOVER TO 127.0.0.1 1", "-ERR FAILOVER target HOST and PORT is not a replica.\r\n"},
        {"FAILOVER FORCE", "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.\r\n"},
        {"FAILOVER TO 127.0.0.1 1 FORCE TIMEOUT 10", "-ERR FAILOVER FORCE is not there: a node that lacks answered writes never leads\r\n"},
        {"FAILOVER ABORT", "-ERR No failover in progress that could be aborted: one ends within an election timeout by itself.\r\n"},
    };
    static struct cluster c;
    struct wire w;
    char out[300];
    cluster_start(&c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(&c, -1, 5000);
    REQUIRE(wire_open(&w, c.node[leader].port, 5000));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        CHECK_STR(wire_call(&w, "%s", row[i].command), row[i].answer);
    }
    snprintf(out, sizeof out, "FAILOVER TO 127.0.0.1 %u", c.node[leader].port);
    CHECK_STR(wire_call(&w, "%s", out), "-ERR FAILOVER target HOST and PORT is not a replica.\r\n");
    wire_close(&w);
    /* To one that is named, and from there, asked of the third, to any. */
    REQUIRE(cluster_wait_caught_up(&c, 10000));
    size_t next = (leader + 1) % 3;
    char to[100];
    snprintf(to, sizeof to, "FAILOVER TO 127.0.0.1 %u TIMEOUT 5000", c.node[next].port);
    REQUIRE(wire_once(c.node[leader].port, 5000, out, sizeof out, to));
    CHECK_STR(out, "+OK\r\n");
    CHECK(cluster_leader(&c, (int)leader, 5000) == (int)next);
    REQUIRE(wire_once(c.node[3 - leader - next].port, 5000, out, sizeof out, "FAILOVER"));
    CHECK_STR(out, "+OK\r\n");
    CHECK(cluster_leader(&c, (int)next, 5000) >= 0);
}

/* ---- DEBUG SEGFAULT, as the Redis Cluster tutorial fails a node over ---- */

ITEST(debug_crashes_a_node_and_the_others_go_on, ITEST_CLUSTER, 60)
{
    static const char *const word[] = {"SEGFAULT", "PANIC"};
    static struct cluster c;
    struct wire w;
    char refusal[100];
    cluster_start(&c, 3, 0, "--enable-debug-command local");
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        int status = 0;
        snprintf(refusal, sizeof refusal, "-ERR unknown subcommand or wrong number of arguments for '%s'. Try DEBUG HELP.\r\n", word[i]);
        int leader = cluster_leader(&c, -1, 15000);
        REQUIRE(leader >= 0);
        REQUIRE(wire_open(&w, c.node[leader].port, 5000));
        CHECK_STR(wire_call(&w, "SET %s answered", word[i]), "+OK\r\n");
        CHECK_STR(wire_call(&w, "DEBUG %s now", word[i]), refusal);
        REQUIRE(wire_send(&w, "DEBUG %s", word[i]));
        CHECK(wire_is_closed_within(&w, 10000));
        wire_close(&w);
        REQUIRE(cluster_node_has_exited(&c, (size_t)leader, 10000, &status));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        CHECK(cluster_log_contains(&c, (size_t)leader, ": this node crashes now."));
        int next = cluster_leader(&c, leader, 15000);
        REQUIRE(next >= 0);
        REQUIRE(cluster_wait_writable(&c, (size_t)next, 10000));
        REQUIRE(wire_open(&w, c.node[next].port, 5000));
        CHECK_STR(wire_call(&w, "GET %s", word[i]), "$8\r\nanswered\r\n");
        wire_close(&w);
        cluster_node_start(&c, (size_t)leader);
        REQUIRE(cluster_wait_caught_up(&c, 15000));
    }
}

ITEST_MAIN()
