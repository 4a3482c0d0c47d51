#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/client/fake_node.h"
#include "tests/test.h"

#define OPEN                          \
    struct node *n = fake_new();      \
    struct client *c = fake_client(n)
#define CLOSE        \
    client_close(c); \
    fake_free(n)

/* --- the order of replies ------------------------------------------------------------------------ */

TEST(replies_keep_their_order_however_they_are_decided)
{
    static const size_t order[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        OPEN;

        test_context("order %zu", i);
        CHECK_EQ_INT(fake_feed(c, "PING\r\nSET a 1\r\nECHO x\r\nINCR n\r\nPING\r\nSET b 2\r\nAPPEND s ab\r\nECHO y\r\n"), CLIENT_READ);
        CHECK_EQ_STR(fake_output(c), "+PONG\r\n");
        for (size_t k = 0; k < 4; k++) {
            fake_decide(n, order[i][k]);
        }
        CHECK_EQ_STR(fake_output(c), "+OK\r\n$1\r\nx\r\n:1\r\n+PONG\r\n+OK\r\n:2\r\n$1\r\ny\r\n");
        CLOSE;
    }
    test_context("");
}

TEST(nothing_leaves_before_what_is_in_front_of_it)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nSET a 1\r\nGET a\r\nPING\r\n");
    (void)fake_output(c);
    fake_decide(n, 1);
    CHECK_EQ_STR(fake_output(c), "");
    fake_decide(n, 0);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n$-1\r\n+PONG\r\n");
    CLOSE;
}

TEST(unknown_outcome_frees_the_place_but_not_the_request)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nINCR a\r\nINCR b\r\nPING\r\n");
    (void)fake_output(c);
    fake_give_up(n, 1, "UNKNOWN the outcome of this write is not known: test");
    CHECK_EQ_STR(fake_output(c), "");
    fake_give_up(n, 0, "UNKNOWN the outcome of this write is not known: test");
    CHECK_EQ_STR(fake_output(c), "-UNKNOWN the outcome of this write is not known: test\r\n"
                                 "-UNKNOWN the outcome of this write is not known: test\r\n+PONG\r\n");
    CHECK(client_first_request(c) == NULL);
    /* The late decision writes nothing. */
    fake_decide(n, 0);
    fake_forget(n, 1);
    CHECK_EQ_STR(fake_output(c), "");
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    CLOSE;
}

TEST(unknown_outcome_behind_others_that_were_told_to_wait)
{
    OPEN;

    n->has_leader = false;
    (void)fake_feed(c, "put a 1\nput b 2\n");
    (void)fake_output(c);
    fake_give_up(n, 1, "UNKNOWN the outcome of this write is not known: test");
    CHECK_EQ_STR(fake_output(c), "");
    fake_give_up(n, 0, "UNKNOWN the outcome of this write is not known: test");
    CHECK_EQ_STR(fake_output(c), "ERROR: Outcome unknown: the change may or may not have happened.\n"
                                 "ERROR: Leader unavailable. Retrying...\n"
                                 "ERROR: Outcome unknown: the change may or may not have happened.\n");
    fake_forget(n, 0);
    fake_forget(n, 1);
    CLOSE;
}

TEST(an_aborted_reply_leaves_nothing)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nGET a\r\nMGET a b\r\n");
    (void)fake_output(c);
    fake_abort(n, 0);
    fake_abort(n, 1);
    CHECK_EQ_STR(fake_output(c), "");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "$-1\r\n*2\r\n$-1\r\n$-1\r\n");
    CLOSE;
}

TEST(undecided_requests_are_listed_in_program_order)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nGET a\r\nSET a 1\r\nGET a\r\n");
    struct request *r = client_first_request(c);
    CHECK(r == n->queue[0].request);
    r = client_next_request(r);
    CHECK(r == n->queue[1].request);
    r = client_next_request(r);
    CHECK(r == n->queue[2].request);
    CHECK(client_next_request(r) == NULL);
    CLOSE;
}

TEST(a_client_that_goes_leaves_its_sent_writes)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nGET a\r\nSET a 1\r\nMULTI\r\nINCR x\r\nPING\r\nEXEC\r\n");
    client_close(c);
    CHECK_EQ_UINT(n->abandoned, 3);
    CHECK_EQ_UINT(fake_undecided(n), 2);
    fake_decide(n, 1);
    fake_decide(n, 2);
    fake_free(n);
}

/* --- parsing and sessions ------------------------------------------------------------------------ */

/* The same answers wherever the bytes are cut. */
TEST(every_split_point)
{
    static const char *const script[] = {
        "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\nINCR n\r\n*0\r\n\r\nGET n\r\n",
        "put k \"a b\"\nget k\r\n\nput k x\nupdate k \"\"\nget k\n*1\r\n$4\r\nPING\r\nINCR n\nfoo\ndelete k\nget\n",
        "PING\r\nMULTI\r\nSET a 1\r\nGET a\r\nEXEC\r\nQUIT\r\nPING\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    };

    for (size_t s = 0; s < sizeof script / sizeof script[0]; s++) {
        char whole[4096];
        OPEN;

        (void)fake_feed(c, script[s]);
        fake_decide_all(n);
        fake_poll(n);
        (void)snprintf(whole, sizeof whole, "%s", fake_output(c));
        CHECK(whole[0] != '\0');
        CLOSE;
        for (size_t cut = 1; cut < strlen(script[s]); cut++) {
            n = fake_new();
            c = fake_client(n);
            test_context("script %zu cut %zu", s, cut);
            (void)fake_feed_bytes(c, script[s], cut);
            (void)fake_feed_bytes(c, script[s] + cut, strlen(script[s]) - cut);
            fake_decide_all(n);
            fake_poll(n);
            CHECK_EQ_STR(fake_output(c), whole);
            CLOSE;
        }
    }
    test_context("");
}

TEST(text_session)
{
    OPEN;

    (void)fake_feed(c, "put k1 \"hello world\"\nget k1\nput k1 x\nget nope\nput k1\nput \"a\nfoo bar\nINCR n\nhelp me\nquit\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "SUCCESS: k1 -> hello world added.\nk1 -> hello world\nERROR: Key already exists.\n"
                                 "ERROR: Key not found.\nERROR: Invalid command format. Usage: put <key> <value>\n"
                                 "ERROR: Invalid command format. Usage: put <key> <value>\n"
                                 "ERROR: Unknown command 'foo'. Type help.\n:1\r\n"
                                 "ERROR: Invalid command format. Usage: help\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    CLOSE;
}

TEST(text_status)
{
    OPEN;

    (void)fake_feed(c, "status\n");
    CHECK_EQ_STR(fake_output(c), "Cluster Status:\nLeader: 127.0.0.1:7001\nActive Nodes: [127.0.0.1:7001]\n"
                                 "WARNING: Node 127.0.0.1:7002 out of sync.\n");
    n->has_leader = false;
    (void)fake_feed(c, "status\n");
    CHECK_EQ_STR(fake_output(c), "Cluster Status:\nLeader: none\nActive Nodes: [127.0.0.1:7001]\n"
                                 "WARNING: Node 127.0.0.1:7002 out of sync.\nWARNING: No quorum.\n");
    CLOSE;
}

TEST(text_session_waits_for_a_leader_aloud)
{
    OPEN;

    n->has_leader = false;
    (void)fake_feed(c, "put a 1\nget a\n");
    CHECK_EQ_STR(fake_output(c), "ERROR: Leader unavailable. Retrying...\n");
    n->has_leader = true;
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "SUCCESS: a -> 1 added.\nERROR: Leader unavailable. Retrying...\na -> 1\n");
    fake_poll(n);
    (void)fake_feed(c, "put b 1\n");
    CHECK_EQ_STR(fake_output(c), "");
    n->has_leader = false;
    fake_poll(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "ERROR: Leader unavailable. Retrying...\n");
    fake_refuse(n, 2, "CLUSTERDOWN no leader: test");
    CHECK_EQ_STR(fake_output(c), "ERROR: Leader unavailable. Try again later.\n");
    CLOSE;
}

/* --- turns ------------------------------------------------------------------------------------- */

static size_t pongs(struct client *c)
{
    return strlen(fake_output(c)) / strlen("+PONG\r\n");
}

/* 40 commands of 300 us each do not keep the loop for 12 ms: a few begin, then others have their turn, in which each goes on. */
TEST(slow_commands_take_turns)
{
    OPEN;
    struct client *other = fake_client(n);
    size_t done[2] = {0};
    size_t most = 0;
    size_t turns = 0;

    n->command_us = 300;
    for (int i = 0; i < 40; i++) {
        (void)memcpy(client_input_reserve(c, 6, &(size_t){0}), "PING\r\n", 6);
        client_input_commit(c, 6);
    }
    CHECK_EQ_INT(client_process(c), CLIENT_PAUSED);
    done[0] = pongs(c);
    CHECK(done[0] > 0 && done[0] < 16);
    for (int i = 0; i < 40; i++) {
        (void)memcpy(client_input_reserve(other, 6, &(size_t){0}), "PING\r\n", 6);
        client_input_commit(other, 6);
    }
    CHECK_EQ_INT(client_process(other), CLIENT_PAUSED);
    done[1] = pongs(other);
    while ((done[0] < 40 || done[1] < 40) && turns++ < 40) {
        struct client *dirty;
        size_t before = done[0] + done[1];

        CHECK_EQ_UINT(clients_wake_us(n->clients), 0);
        while ((dirty = node_next_dirty_client(n)) != NULL) {
            done[dirty == other] += pongs(dirty);
        }
        most = done[0] + done[1] - before > most ? done[0] + done[1] - before : most;
        CHECK(done[0] + done[1] > before);
        CHECK(done[0] < done[1] + 24 && done[1] < done[0] + 24);
    }
    CHECK(done[0] == 40 && done[1] == 40);
    CHECK(most < 16);
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    CHECK_EQ_UINT(clients_wake_us(n->clients), UINT64_MAX);
    client_close(other);
    CLOSE;
}

TEST(last_line_without_its_end)
{
    OPEN;

    (void)fake_feed(c, "put a 1\nget a");
    client_input_end(c);
    CHECK_EQ_INT(client_process(c), CLIENT_PAUSED);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "SUCCESS: a -> 1 added.\na -> 1\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    CLOSE;
}

TEST(end_of_input_waits_for_the_answers)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nSET a 1\r\n");
    client_input_end(c);
    CHECK_EQ_INT(client_process(c), CLIENT_PAUSED);
    fake_decide_all(n);
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n+OK\r\n");
    CLOSE;
}

TEST(quit_closes_after_everything_in_front_of_it)
{
    OPEN;

    CHECK_EQ_INT(fake_feed(c, "PING\r\nSET a 1\r\nQUIT\r\nSET a 2\r\n"), CLIENT_PAUSED);
    CHECK_EQ_UINT(n->count, 1);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n+OK\r\n+OK\r\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_CLOSE);
    CLOSE;
}

TEST(protocol_error_is_the_last_reply)
{
    OPEN;

    CHECK_EQ_INT(fake_feed(c, "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nINCR\r\n*x\r\nPING\r\n"), CLIENT_CLOSE);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n-ERR wrong number of arguments for 'incr' command\r\n"
                                 "-ERR Protocol error: invalid multibulk length\r\n");
    CLOSE;
}

TEST(other_protocols_at_the_door)
{
    OPEN;

    CHECK_EQ_INT(fake_feed_bytes(c, "\xC0" "CRC", 4), CLIENT_IS_PEER);
    CHECK_EQ_UINT(client_take_input(c).n, 4);
    CLOSE;
    n = fake_new();
    c = fake_client(n);
    CHECK_EQ_INT(fake_feed(c, "POST /x HTTP/1.1\r\n\r\n"), CLIENT_CLOSE); /* 400: no Host; 501 without the library */
    CHECK_CONTAINS(fake_output(c), "HTTP/1.1 ");
    CLOSE;
    n = fake_new();
    c = fake_client(n);
    CHECK_EQ_INT(fake_feed(c, "PING\r\nhost: x\r\nSET a 1\r\n"), CLIENT_CLOSE_NOW);
    CHECK_EQ_UINT(n->count, 0);
    CLOSE;
}

/* --- limits -------------------------------------------------------------------------------------- */

TEST(a_full_window_pauses)
{
    OPEN;

    n->is_window_full = true;
    CHECK_EQ_INT(fake_feed(c, "PING\r\n"), CLIENT_PAUSED);
    fake_poll(n);
    CHECK_EQ_INT(client_get_state(c), CLIENT_PAUSED);
    CHECK_EQ_STR(fake_output(c), "");
    n->is_window_full = false;
    fake_poll(n);
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n");
    CLOSE;
}

TEST(output_pauses_until_it_drains)
{
    OPEN;
    char echo[600];

    n->options.client_output_limit = 1000;
    (void)snprintf(echo, sizeof echo, "ECHO %0500d\r\n", 7);
    for (int i = 0; i < 3; i++) {
        (void)fake_feed(c, echo);
    }
    CHECK_EQ_INT(fake_feed(c, "PING\r\n"), CLIENT_PAUSED);
    size_t before = client_output(c).n;
    CHECK(before < 1600);
    (void)fake_output(c);
    CHECK_EQ_INT(client_process(c), CLIENT_READ);
    CHECK_CONTAINS(fake_output(c), "+PONG\r\n");
    CLOSE;
}

/* Long replies make a pipeline run in smaller steps. */
TEST(long_replies_shorten_the_queue)
{
    OPEN;
    char set[2100];
    char *gets = mem_alloc(64 * 7 + 1);

    (void)snprintf(set, sizeof set, "SET a %02000d\r\n", 7);
    (void)fake_feed(c, "PING\r\n");
    (void)fake_feed(c, set);
    (void)fake_feed(c, "GET a\r\n");
    fake_decide_all(n);
    (void)fake_output(c);
    n->options.client_output_limit = 65536;
    for (size_t i = 0; i < 64; i++) {
        memcpy(gets + 7 * i, "GET a\r\n", 8);
    }
    CHECK_EQ_INT(fake_feed(c, gets), CLIENT_PAUSED);
    CHECK_EQ_UINT(fake_undecided(n), 65536 / 2074);
    for (int i = 0; i < 10; i++) {
        fake_decide_all(n);
        (void)fake_output(c);
        fake_poll(n);
    }
    CHECK_EQ_UINT(n->count, 66);
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    mem_free(gets);
    CLOSE;
}

TEST(an_endless_command_is_cut_off)
{
    OPEN;
    static char bytes[1 << 16];

    n->options.client_query_buffer_limit = 100000;
    memset(bytes, 'x', sizeof bytes);
    CHECK_EQ_INT(fake_feed(c, "*2\r\n$4\r\nECHO\r\n$400000\r\n"), CLIENT_READ);
    CHECK_EQ_INT(fake_feed_bytes(c, bytes, sizeof bytes), CLIENT_READ);
    CHECK_EQ_INT(fake_feed_bytes(c, bytes, sizeof bytes), CLIENT_CLOSE_NOW);
    CLOSE;
}

TEST(too_many_clients)
{
    OPEN;
    struct client *other = fake_client(n);

    n->options.maxclients = 1;
    (void)fake_feed(c, "PING\r\n");
    CHECK_EQ_INT(fake_feed(other, "PING\r\n"), CLIENT_CLOSE);
    CHECK_EQ_STR(fake_output(other), "-ERR max number of clients reached\r\n");
    client_close(other);
    other = fake_client(n);
    CHECK_EQ_INT(fake_feed_bytes(other, "\xC0", 1), CLIENT_IS_PEER);
    client_close(other);
    CHECK_EQ_UINT(clients_count(n->clients), 1);
    CLOSE;
}

TEST(protected_mode)
{
    struct node *n = fake_new();
    struct client_info info = {.address = "10.0.0.9:50001"};
    struct client *c = client_open(n, &info, NULL);

    CHECK_EQ_INT(fake_feed(c, "PING\r\n"), CLIENT_CLOSE);
    CHECK_CONTAINS(fake_output(c), "-DENIED ");
    client_close(c);
    n->options.protected_mode = false;
    c = client_open(n, &info, NULL);
    (void)fake_feed(c, "PING\r\n");
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n");
    CLOSE;
}

TEST(writes_are_refused_before_they_are_logged)
{
    OPEN;

    n->refusal = "OOM command not allowed when used memory > 'maxmemory'.";
    (void)fake_feed(c, "PING\r\nSET a 1\r\nDEL a\r\nMULTI\r\nSET a 1\r\nEXEC\r\nMULTI\r\n");
    n->refusal = NULL;
    (void)fake_feed(c, "SET a 1\r\n");
    n->refusal = "OOM command not allowed when used memory > 'maxmemory'.";
    (void)fake_feed(c, "EXEC\r\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c),
                 "+PONG\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n:0\r\n+OK\r\n"
                 "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
                 "-EXECABORT Transaction discarded because of previous errors.\r\n+OK\r\n+QUEUED\r\n"
                 "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n");
    CHECK_EQ_UINT(n->count, 1);
    CLOSE;
}

/* --- read levels ---------------------------------------------------------------------------------- */

TEST(lease_reads_at_once_unless_something_is_under_way)
{
    OPEN;

    n->allows_read_now = true;
    (void)fake_feed(c, "RAFT CONSISTENCY\r\nRAFT CONSISTENCY lease\r\nGET a\r\n");
    CHECK_EQ_STR(fake_output(c), "$6\r\nquorum\r\n+OK\r\n$-1\r\n");
    CHECK_EQ_UINT(n->count, 0);
    (void)fake_feed(c, "SET a 1\r\nGET a\r\n");
    CHECK_EQ_UINT(n->count, 2);
    CHECK_EQ_INT(n->queue[1].request->level, READ_LEASE);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n$1\r\n1\r\n");
    (void)fake_feed(c, "RAFT CONSISTENCY default\r\nGET a\r\nRAFT CONSISTENCY fast\r\n");
    CHECK_EQ_UINT(n->count, 3);
    CHECK_EQ_INT(n->queue[2].request->level, READ_QUORUM);
    CLOSE;
}

/* --- passwords ------------------------------------------------------------------------------------ */

static struct node *node_with_password(void)
{
    struct node *n = fake_new();

    mem_free(n->options.requirepass);
    n->options.requirepass = mem_copy_string("secret", 6);
    return n;
}

TEST(password)
{
    struct node *n = node_with_password();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "PING\r\nAUTH x\r\nAUTH default secret\r\nPING\r\nRESET\r\nPING\r\nAUTH secret\r\nPING\r\n");
    CHECK_EQ_STR(fake_output(c),
                 "-NOAUTH Authentication required.\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                 "+OK\r\n+PONG\r\n+RESET\r\n-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n");
    CLOSE;
    n = node_with_password();
    c = fake_client(n);
    (void)fake_feed(c, "get a\nauth x\nauth secret\nget a\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "ERROR: Authentication required.\nERROR: Wrong password.\nSUCCESS: Authenticated.\n"
                                 "ERROR: Key not found.\n");
    CLOSE;
    n = node_with_password();
    c = fake_client(n);
    CHECK_EQ_INT(fake_feed(c, "*11\r\n"), CLIENT_CLOSE);
    CHECK_EQ_STR(fake_output(c), "-ERR Protocol error: unauthenticated multibulk length\r\n");
    CLOSE;
}

/* --- CLIENT and CONFIG ----------------------------------------------------------------------------- */

TEST(replies_pile_up_only_for_who_gave_the_password)
{
    struct node *n = node_with_password();
    struct client *c = fake_client(n);
    enum client_state state = CLIENT_READ;

    for (int i = 0; i < 10000 && state == CLIENT_READ; i++) {
        state = fake_feed(c, "GET x\r\n");
    }
    CHECK_EQ_INT(state, CLIENT_CLOSE_NOW);
    CLOSE;
    n = node_with_password();
    c = fake_client(n);
    state = fake_feed(c, "AUTH secret\r\n");
    for (int i = 0; i < 10000 && state == CLIENT_READ; i++) {
        state = fake_feed(c, "NOSUCH COMMAND\r\n");
    }
    CHECK_EQ_INT(state, CLIENT_READ);
    CLOSE;
}

TEST(client_list_and_kill)
{
    OPEN;
    struct client *other = fake_client(n);

    (void)fake_feed(other, "CLIENT SETNAME bob\r\nCLIENT SETINFO lib-name x\r\nSELECT 3\r\n");
    CHECK_EQ_STR(fake_output(other), "+OK\r\n+OK\r\n+OK\r\n");
    (void)fake_feed(c, "CLIENT LIST ID 2\r\n");
    const char *list = fake_output(c);
    CHECK_CONTAINS(list, "id=2 addr=127.0.0.1:50001 laddr=127.0.0.1:7001 fd=8 name=bob age=0 idle=0 flags=N db=3 ");
    CHECK_CONTAINS(list, " cmd=select user=default redir=-1 resp=2 lib-name=x lib-ver=\n");
    (void)fake_feed(c, "CLIENT KILL ID 2\r\nCLIENT KILL ID 99\r\nCLIENT KILL ADDR 1.2.3.4:5\r\nCLIENT KILL 1.1.1.1:1\r\n"
                       "CLIENT KILL ID x\r\nCLIENT KILL FOO bar\r\n");
    CHECK_EQ_STR(fake_output(c), ":1\r\n:0\r\n:0\r\n-ERR No such client\r\n"
                                 "-ERR client-id should be greater than 0\r\n-ERR syntax error\r\n");
    CHECK_EQ_INT(client_get_state(other), CLIENT_CLOSE_NOW);
    CHECK(node_next_dirty_client(n) != NULL);
    client_close(other);
    CHECK_EQ_INT(fake_feed(c, "CLIENT KILL ID 1 SKIPME no\r\nPING\r\n"), CLIENT_CLOSE);
    CHECK_EQ_STR(fake_output(c), ":1\r\n");
    CLOSE;
}

TEST(config_set_is_all_or_nothing)
{
    OPEN;

    (void)fake_feed(c, "CONFIG SET maxmemory 100mb timeout 5\r\nCONFIG GET maxmemory timeout\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n*4\r\n$7\r\ntimeout\r\n$1\r\n5\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n");
    (void)fake_feed(c, "CONFIG SET maxmemory 1 timeout x\r\nCONFIG GET maxmemory\r\n");
    CHECK_EQ_STR(fake_output(c), "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed "
                                 "into an integer\r\n*2\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n");
    (void)fake_feed(c, "CONFIG SET port 1\r\nCONFIG SET nope 1\r\nCONFIG SET timeout 1 timeout 2\r\nCONFIG SET timeout\r\n"
                       "CONFIG GET nope*\r\nCONFIG FOO\r\nCONFIG GET TimeOut\r\nCONFIG GET TIMEOU?\r\n");
    CHECK_EQ_STR(fake_output(c),
                 "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n"
                 "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n"
                 "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter\r\n"
                 "-ERR wrong number of arguments for 'config|set' command\r\n*0\r\n"
                 "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"
                 "*2\r\n$7\r\nTimeOut\r\n$1\r\n5\r\n*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n");
    CLOSE;
}

/* What is true anyway may be set, as scripts written for Redis do; what would be a lie may not. */
TEST(config_set_of_what_cannot_be_otherwise)
{
    OPEN;

    (void)fake_feed(c, "CONFIG SET maxmemory-policy noeviction appendonly yes appendfsync ALWAYS replica-read-only no\r\n"
                       "CONFIG SET maxmemory-policy allkeys-lfu\r\nCONFIG GET maxmemory-policy\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n"
                                 "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - only 'noeviction' is "
                                 "possible here: nothing is evicted; writes that would pass maxmemory are refused\r\n"
                                 "*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n");
    CLOSE;
}

TEST(info_has_what_tools_read)
{
    static const char *const field[] = {
        "# Server\r\n", "redis_version:7.0.15\r\n", "redis_mode:standalone\r\n", "tcp_port:6379\r\n", "# Clients\r\n",
        "connected_clients:1\r\n", "blocked_clients:0\r\n", "# Memory\r\n", "used_memory:", "maxmemory_policy:noeviction\r\n",
        "loading:0\r\n", "rdb_bgsave_in_progress:0\r\n", "aof_rewrite_in_progress:0\r\n", "total_commands_processed:",
        "role:master\r\n", "cluster_enabled:0\r\n", "# Raft\r\n", "raft_role:leader\r\n", "raft_term:3\r\n",
        "raft_leader_id:", "raft_reads_served_locally:", "raft_disk_syncs:", "raft_members:2\r\n", "# Keyspace\r\n", "db0:keys=1,expires=0"};
    OPEN;

    (void)fake_feed(c, "PING\r\nSET a 1\r\n");
    fake_decide_all(n);
    (void)fake_output(c);
    (void)fake_feed(c, "INFO\r\n");
    const char *text = fake_output(c);
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        CHECK_CONTAINS(text, field[i]);
    }
    (void)fake_feed(c, "EXPIRE a 100\r\n");
    fake_decide_all(n);
    (void)fake_output(c);
    (void)fake_feed(c, "INFO keyspace\r\n");
    CHECK_CONTAINS(fake_output(c), "db0:keys=1,expires=1,avg_ttl=100000\r\n");
    (void)fake_feed(c, "INFO cluster\r\n");
    CHECK_EQ_STR(fake_output(c), "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
    CLOSE;
}

/* What redis_exporter makes a metric of, and Redis 7.0 shows when nothing special is going on. */
TEST(info_has_what_redis_exporter_reads)
{
    static const char *const field[] = {
        "uptime_in_seconds", "process_id", "connected_clients", "blocked_clients", "tracking_clients", "client_recent_max_output_buffer",
        "client_recent_max_input_buffer", "allocator_active", "allocator_allocated", "allocator_resident", "allocator_frag_ratio",
        "allocator_frag_bytes", "allocator_rss_ratio", "allocator_rss_bytes", "used_memory", "used_memory_rss", "used_memory_peak",
        "used_memory_lua", "used_memory_overhead", "used_memory_startup", "used_memory_dataset", "used_memory_scripts", "maxmemory",
        "mem_fragmentation_ratio", "mem_fragmentation_bytes", "mem_clients_slaves", "mem_clients_normal", "expired_stale_perc",
        "mem_not_counted_for_evict", "lazyfree_pending_objects", "lazyfreed_objects", "active_defrag_running",
        "migrate_cached_sockets", "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
        "expired_time_cap_reached_count", "loading", "rdb_changes_since_last_save", "rdb_bgsave_in_progress", "rdb_last_save_time",
        "rdb_last_bgsave_status", "rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec", "rdb_last_cow_size", "aof_enabled",
        "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec",
        "aof_last_cow_size", "aof_current_size", "aof_pending_rewrite", "aof_buffer_length", "aof_pending_bio_fsync",
        "aof_delayed_fsync", "aof_last_bgrewrite_status", "aof_last_write_status", "module_fork_in_progress",
        "module_fork_last_cow_size", "pubsub_channels", "pubsub_patterns", "latest_fork_usec", "connected_slaves", "repl_backlog_size",
        "repl_backlog_active", "repl_backlog_first_byte_offset", "repl_backlog_histlen", "master_repl_offset", "second_repl_offset",
        "slave_expires_tracked_keys", "sync_full", "sync_partial_ok", "sync_partial_err", "total_connections_received",
        "total_commands_processed", "rejected_connections", "total_net_input_bytes", "total_net_output_bytes", "expired_keys",
        "evicted_keys", "keyspace_hits", "keyspace_misses", "used_cpu_sys", "used_cpu_user", "used_cpu_sys_children",
        "used_cpu_user_children", "total_reads_processed", "total_writes_processed", "total_system_memory", "mem_allocator"};
    OPEN;

    (void)fake_feed(c, "INFO all\r\n");
    const char *text = fake_output(c);
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        char line[64];

        snprintf(line, sizeof line, "\n%s:", field[i]);
        CHECK_CONTAINS(text, line);
    }
    CLOSE;
}

TEST_MAIN()
