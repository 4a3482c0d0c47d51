#include <stdio.h>
#include <string.h>

#include "node/client_internal.h"
#include "tests/client/fake_node.h"
#include "tests/test.h"

#define OPEN                          \
    struct node *n = fake_new();      \
    struct client *c = fake_client(n)
#define CLOSE        \
    client_close(c); \
    fake_free(n)

TEST(one_request_for_all)
{
    OPEN;

    (void)fake_feed(c, "PING\r\nMULTI\r\nSET a 1\r\nINCR a\r\nGET a\r\nEXEC\r\nGET a\r\n");
    CHECK_EQ_UINT(n->count, 2);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n$1\r\n2\r\n");
    CLOSE;
}

TEST(errors_while_queueing)
{
    OPEN;

    (void)fake_feed(c, "EXEC\r\nDISCARD\r\nMULTI\r\nMULTI\r\nWATCH a\r\nEXEC\r\nMULTI\r\nFOO\r\nEXEC\r\nMULTI\r\nGET\r\nSET a 1\r\nEXEC\r\n"
                       "MULTI\r\nEXEC x\r\nEXEC\r\nMULTI\r\nSET a 1\r\nDISCARD\r\n");
    CHECK_EQ_UINT(n->count, 0);
    CHECK_EQ_STR(fake_output(c),
                 "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n-ERR MULTI calls can not be nested\r\n"
                 "-ERR WATCH inside MULTI is not allowed\r\n*0\r\n+OK\r\n-ERR unknown command 'FOO', with args beginning with: \r\n"
                 "-EXECABORT Transaction discarded because of previous errors.\r\n+OK\r\n"
                 "-ERR wrong number of arguments for 'get' command\r\n+QUEUED\r\n"
                 "-EXECABORT Transaction discarded because of previous errors.\r\n+OK\r\n"
                 "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
                 "-ERR EXEC without MULTI\r\n+OK\r\n+QUEUED\r\n+OK\r\n");
    CLOSE;
}

/* Arguments that only their row finds wrong are an element's error, as in Redis; the rest runs. */
TEST(wrong_arguments_are_an_item)
{
    OPEN;

    (void)fake_feed(c, "MULTI\r\nSET a 1\r\nSET a 1 FOO\r\nINCRBY a x\r\nINCR a\r\nEXEC\r\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n+OK\r\n-ERR syntax error\r\n"
                                 "-ERR value is not an integer or out of range\r\n:2\r\n");
    CLOSE;
}

TEST(local_commands_are_spliced_in)
{
    OPEN;

    (void)fake_feed(c, "MULTI\r\nPING\r\nSET a 1\r\nSELECT 1\r\nSET a 2\r\nSELECT 99\r\nGET a\r\nHELLO 3\r\nGET none\r\nEXEC\r\nGET a\r\n");
    /* What follows waits: it depends on the SELECT. */
    CHECK_EQ_UINT(n->count, 1);
    CHECK_EQ_INT(client_get_state(c), CLIENT_PAUSED);
    (void)fake_output(c);
    fake_decide_all(n);
    const char *text = fake_output(c);
    CHECK_CONTAINS(text, "*8\r\n+PONG\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n$1\r\n2\r\n%7\r\n");
    CHECK_CONTAINS(text, "*0\r\n_\r\n");
    fake_poll(n);
    CHECK_EQ_UINT(n->count, 2);
    CHECK_EQ_UINT(n->queue[1].request->db, 1);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "$1\r\n2\r\n");
    CLOSE;
}

TEST(only_local_commands_need_no_entry)
{
    OPEN;

    (void)fake_feed(c, "MULTI\r\nPING\r\nECHO x\r\nSET a 1 FOO\r\nEXEC\r\n");
    CHECK_EQ_UINT(n->count, 0);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+PONG\r\n$1\r\nx\r\n-ERR syntax error\r\n");
    /* But they wait for what is in front of them. */
    (void)fake_feed(c, "SET a 1\r\nMULTI\r\nPING\r\nEXEC\r\nPING\r\n");
    CHECK_EQ_STR(fake_output(c), "");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n+PONG\r\n");
    CLOSE;
}

TEST(watch)
{
    OPEN;
    struct client *other = fake_client(n);

    (void)fake_feed(c, "WATCH a b\r\nMULTI\r\nSET a 1\r\nEXEC\r\n");
    CHECK_EQ_UINT(n->count, 1);
    CHECK_EQ_INT(n->queue[0].request->level, READ_QUORUM);
    fake_decide(n, 0);
    fake_poll(n);
    CHECK_EQ_UINT(n->count, 2);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");

    (void)fake_feed(c, "WATCH a\r\n");
    fake_decide_all(n);
    (void)fake_feed(other, "PING\r\nSET a 2\r\n");
    fake_decide_all(n);
    (void)fake_feed(c, "MULTI\r\nSET a 3\r\nSELECT 5\r\nEXEC\r\nCLIENT LIST ID 1\r\n");
    fake_decide_all(n);
    fake_poll(n);
    const char *text = fake_output(c);
    CHECK_CONTAINS(text, "+QUEUED\r\n*-1\r\n");
    /* The SELECT of a transaction that did not take place changes nothing. */
    CHECK_CONTAINS(text, " db=0 ");

    (void)fake_feed(c, "WATCH a\r\n");
    fake_decide_all(n);
    (void)fake_feed(other, "SET a 4\r\n");
    fake_decide_all(n);
    (void)fake_feed(c, "UNWATCH\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n4\r\n");
    client_close(other);
    CLOSE;
}

/* The names stand in the EXEC's entry: their size is bounded. */
TEST(too_many_watched_keys_are_refused)
{
    OPEN;

    c->watch_bytes = 64u * 1024u * 1024u - 20;
    (void)fake_feed(c, "WATCH abcdefg\r\nWATCH a\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    fake_decide_all(n);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_CONTAINS(fake_output(c), "+OK\r\n-ERR too many watched keys\r\n+OK\r\n");
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    CLOSE;
}

TEST(watched_keys_alone_are_checked_too)
{
    OPEN;

    (void)fake_feed(c, "WATCH a\r\nSET a 1\r\nMULTI\r\nEXEC\r\n");
    fake_decide_all(n);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+OK\r\n*-1\r\n");
    CLOSE;
}

TEST(a_failed_watch_fails_the_exec)
{
    OPEN;

    (void)fake_feed(c, "WATCH a\r\nMULTI\r\nSET a 1\r\nEXEC\r\nMULTI\r\nSET a 2\r\nEXEC\r\n");
    fake_refuse(n, 0, "CLUSTERDOWN no leader: test");
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "-CLUSTERDOWN no leader: test\r\n+OK\r\n+QUEUED\r\n"
                                 "-EXECABORT Transaction discarded because a WATCH before it failed.\r\n"
                                 "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    CLOSE;
}

/* An EXEC that is refused for its arguments ends the transaction at once, also while its WATCH is under way. */
TEST(a_watch_does_not_outlive_a_refused_exec)
{
    OPEN;

    (void)fake_feed(c, "WATCH a\r\nMULTI\r\nEXEC x\r\nSET a 1\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    fake_decide_all(n);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c),
                 "+OK\r\n+OK\r\n-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
                 "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n");
    /* The next one counts again. */
    (void)fake_feed(c, "WATCH a\r\nSET a 2\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    fake_decide_all(n);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    CLOSE;
}

TEST(unwatch_waits_for_its_watch)
{
    OPEN;

    (void)fake_feed(c, "WATCH a\r\nUNWATCH\r\nSET a 1\r\nMULTI\r\nGET a\r\nEXEC\r\n");
    fake_decide(n, 0);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n");
    CLOSE;
}

TEST(exec_that_is_not_done_runs_nothing_local)
{
    OPEN;

    (void)fake_feed(c, "MULTI\r\nSET a 1\r\nSELECT 2\r\nEXEC\r\nPING\r\n");
    fake_give_up(n, 0, "UNKNOWN the outcome of this write is not known: test");
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+QUEUED\r\n+QUEUED\r\n-UNKNOWN the outcome of this write is not known: test\r\n+PONG\r\n");
    (void)fake_feed(c, "CLIENT LIST ID 1\r\n");
    CHECK_CONTAINS(fake_output(c), " db=0 ");
    fake_decide(n, 0);
    CLOSE;
}

TEST(reset_ends_a_transaction)
{
    OPEN;

    (void)fake_feed(c, "SELECT 2\r\nCLIENT SETNAME x\r\nMULTI\r\nSET a 1\r\nRESET\r\nEXEC\r\nCLIENT GETNAME\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n$-1\r\n");
    CLOSE;
}

TEST(text_verbs_are_not_queued)
{
    OPEN;

    (void)fake_feed(c, "get x\nMULTI\nput a 1\nEXEC\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "ERROR: Key not found.\n+OK\r\n"
                                 "ERROR: the text grammar has no transactions; send EXEC or DISCARD first.\n"
                                 "-EXECABORT Transaction discarded because of previous errors.\r\n");
    CLOSE;
}

TEST(payload_round_trip_and_damage)
{
    struct buf list = {0};
    struct buf bytes = {0};
    struct slice arg[3] = {SLICE_LITERAL("set"), SLICE_LITERAL("key"), SLICE_LITERAL("")};
    struct command command = {arg, 3};
    struct exec_watch watch = {3, 77, SLICE_LITERAL("k")};
    struct exec_item item;
    struct slice rest, back[3];
    uint32_t count = 0;

    exec_watch_begin(&list, 1);
    exec_watch_append(&list, &watch);
    exec_item_append(&bytes, 9, 2, 5, &command);
    REQUIRE(exec_watch_open(buf_slice(&list), &count, &rest) == ERR_OK && count == 1);
    REQUIRE(exec_watch_next(&rest, &watch) == ERR_OK);
    CHECK(watch.db == 3 && watch.index == 77 && rest.n == 0);
    REQUIRE(exec_item_decode(buf_slice(&bytes), &item) == ERR_OK);
    CHECK(item.number == 9 && item.version == 2 && item.db == 5 && item.arg_count == 3);
    REQUIRE(exec_item_args(&item, back) == ERR_OK);
    CHECK_EQ_SLICE(back[1], "key");
    CHECK_EQ_UINT(back[2].n, 0);
    for (size_t n = 0; n < buf_size(&bytes); n++) {
        struct slice cut = {buf_slice(&bytes).p, n};

        test_context("cut at %zu", n);
        CHECK(exec_item_decode(cut, &item) != ERR_OK || exec_item_args(&item, back) != ERR_OK);
    }
    for (size_t n = 0; n < buf_size(&list); n++) {
        struct slice cut = {buf_slice(&list).p, n};

        test_context("list cut at %zu", n);
        CHECK(exec_watch_open(cut, &count, &rest) != ERR_OK || exec_watch_next(&rest, &watch) != ERR_OK);
    }
    test_context("");
    buf_deinit(&list);
    buf_deinit(&bytes);
}

TEST_MAIN()
