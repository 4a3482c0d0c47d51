#include <string.h>

#include "node/client_internal.h"
#include "tests/client/fake_node.h"
#include "tests/test.h"

/* What is counted and shown about commands, and clients that stand still. */

TEST(calls_and_errors_are_counted)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    const struct command_stats *stats = clients_command_stats(n->clients);
    struct buf text = {0};

    (void)fake_feed(c, "SET a b\r\nGET\r\nINCR x y\r\nNOSUCH\r\nSELECT 99\r\n");
    fake_decide_all(n);
    const struct command_stat *set = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("set")));
    const struct command_stat *get = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("get")));
    const struct command_stat *select = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("select")));
    CHECK(set && set->calls == 1 && set->rejected == 0 && set->failed == 0);
    CHECK(get && get->calls == 0 && get->rejected == 1);
    CHECK(select && select->calls == 1 && select->failed == 1);
    command_stats_append_errors(stats, &text);
    buf_append_byte(&text, 0);
    CHECK_EQ_STR((const char *)buf_slice(&text).p, "errorstat_ERR:count=4\r\n");
    clients_reset_counters(n->clients);
    CHECK(!command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("set"))));
    buf_deinit(&text);
    client_close(c);
    fake_free(n);
}

TEST(a_transaction_counts_its_commands)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    const struct command_stats *stats = clients_command_stats(n->clients);

    (void)fake_feed(c, "MULTI\r\nSET a b\r\nGET a\r\nEXEC\r\n");
    CHECK(!command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("set"))));
    fake_decide_all(n);
    const struct command_stat *set = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("set")));
    const struct command_stat *exec = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("exec")));
    CHECK(set && set->calls == 1);
    CHECK(exec && exec->calls == 1);
    client_close(c);
    fake_free(n);
}

TEST(an_error_in_a_transaction_is_its_commands)
{
    static const char *const with[] = {"SET a b\r\n", ""}; /* through the log; of local commands alone */

    for (size_t i = 0; i < 2; i++) {
        struct node *n = fake_new();
        struct client *c = fake_client(n);
        const struct command_stats *stats = clients_command_stats(n->clients);
        struct buf text = {0};

        (void)fake_feed(c, "MULTI\r\n");
        (void)fake_feed(c, with[i]);
        (void)fake_feed(c, "AUTH x\r\nSELECT 1\r\nSELECT 77\r\nEXEC\r\n");
        fake_decide_all(n);
        const struct command_stat *auth = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("auth")));
        const struct command_stat *select = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("select")));
        const struct command_stat *exec = command_stats_find(stats, command_table_by_name(n->table, SLICE_LITERAL("exec")));
        CHECK(auth && auth->calls == 1 && auth->failed == 1);
        CHECK(select && select->calls == 2 && select->failed == 1);
        CHECK(exec && exec->calls == 1 && exec->failed == 0);
        command_stats_append_errors(stats, &text);
        buf_append_byte(&text, 0);
        CHECK_EQ_STR((const char *)buf_slice(&text).p, "errorstat_ERR:count=2\r\n");
        CHECK_EQ_INT((int64_t)clients_counters(n->clients)->errors, 2);
        buf_deinit(&text);
        client_close(c);
        fake_free(n);
    }
}

TEST(lookups_are_counted_by_what_was_found)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "SET a b\r\nGET a\r\nGET no\r\nMGET a no a\r\nEXISTS a no\r\nTTL no\r\n");
    fake_decide_all(n);
    CHECK_EQ_INT((int64_t)clients_counters(n->clients)->keyspace_hits, 4);
    CHECK_EQ_INT((int64_t)clients_counters(n->clients)->keyspace_misses, 4);
    client_close(c);
    fake_free(n);
}

TEST(percentiles_and_buckets)
{
    static const struct command_row row = {.name = "x"};
    struct command_stats *s = command_stats_new();

    for (uint64_t i = 1; i <= 1000; i++) {
        command_stats_time(command_stats_call(s, &row, i, false), i);
    }
    /* Not timed: counted all the same, and no percentile moves. */
    command_stats_call(s, &row, 1, false);
    const struct command_stat *stat = command_stats_find(s, &row);
    CHECK(stat->calls == 1001 && stat->timed == 1000);
    CHECK(stat->usec == 500501);
    CHECK(command_stats_percentile(stat, 50) >= 500 && command_stats_percentile(stat, 50) <= 500 * 9 / 8);
    CHECK(command_stats_percentile(stat, 99.9) >= 999);
    CHECK_EQ_INT((int64_t)command_stats_up_to(stat, 40), 1000);
    CHECK_EQ_INT((int64_t)command_stats_up_to(stat, 3), 8);
    CHECK(command_stats_up_to(stat, 6) >= 60 && command_stats_up_to(stat, 6) <= 64);
    command_stats_free(s);
}

TEST(replies_off_and_skipped)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "CLIENT REPLY OFF\r\nPING\r\nSET a b\r\nNOSUCH\r\nGET a\r\nCLIENT REPLY ON\r\nGET a\r\n");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n$1\r\nb\r\n");
    (void)fake_feed(c, "CLIENT REPLY SKIP\r\nGET a\r\nPING\r\n");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n");
    (void)fake_feed(c, "CLIENT REPLY MAYBE\r\n");
    CHECK_EQ_STR(fake_output(c), "-ERR syntax error\r\n");
    client_close(c);
    fake_free(n);
}

TEST(a_pause_holds_writes_or_everything)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    struct client *other = fake_client(n);

    (void)fake_feed(c, "CLIENT PAUSE 100 WRITE\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n");
    (void)fake_feed(other, "PING\r\nSET a b\r\nPING\r\n");
    fake_poll(n);
    CHECK_EQ_STR(fake_output(other), "+PONG\r\n");
    CHECK_EQ_INT((int64_t)fake_undecided(n), 0);
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 1);
    CHECK(clients_wake_us(n->clients) == n->now_us + 100000);
    n->now_us += 100000;
    fake_poll(n);
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(other), "+OK\r\n+PONG\r\n");
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 0);
    (void)fake_feed(c, "CLIENT PAUSE 100\r\n");
    (void)fake_feed(other, "PING\r\n");
    CHECK_EQ_STR(fake_output(other), "");
    client_close(other); /* while it is held */
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 0);
    client_close(c);
    fake_free(n);
}

TEST(a_pause_of_writes_holds_what_redis_would_replicate)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    struct client *other = fake_client(n);

    (void)fake_feed(c, "CLIENT PAUSE 100 WRITE\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n");
    (void)fake_feed(c, "PUBLISH there hello\r\n");
    (void)fake_feed(other, "MULTI\r\nPFCOUNT k\r\n");
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "");
    CHECK_EQ_STR(fake_output(other), "+OK\r\n"); /* held before it is queued, as in Redis */
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 2);
    n->now_us += 100000;
    fake_poll(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), ":0\r\n");
    CHECK_EQ_STR(fake_output(other), "+QUEUED\r\n");
    (void)fake_feed(c, "CLIENT PAUSE 100 WRITE\r\n");
    (void)fake_feed(other, "EXEC\r\n");
    fake_poll(n);
    CHECK_EQ_STR(fake_output(other), "");
    client_close(other);
    client_close(c);
    fake_free(n);
}

TEST(a_pause_may_last_for_ever)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    struct client *other = fake_client(n);

    (void)fake_feed(c, "CLIENT PAUSE 9223372036854775807 WRITE\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n");
    (void)fake_feed(other, "SET a b\r\n");
    n->now_us += 1000000000000;
    fake_poll(n);
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 1);
    (void)fake_feed(c, "CLIENT UNPAUSE\r\n");
    fake_poll(n);
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(other), "+OK\r\n");
    client_close(other);
    (void)fake_feed(c, "CLIENT PAUSE 9223372036854775808\r\nCLIENT PAUSE -1\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n-ERR timeout is not an integer or out of range\r\n-ERR timeout is negative\r\n");
    client_close(c);
    fake_free(n);
}

/* Redis's suite sets it before tests of lists. */
TEST(debug_takes_the_threshold_of_packed_elements)
{
    static const char wrong[] = "-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n";
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    n->options.enable_debug_command = 1;
    (void)fake_feed(c, "DEBUG QUICKLIST-PACKED-THRESHOLD 1b\r\nDEBUG quicklist-packed-threshold 0\r\n");
    CHECK_EQ_STR(fake_output(c), "+OK\r\n+OK\r\n");
    (void)fake_feed(c, "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb\r\n");
    CHECK_EQ_STR(fake_output(c), wrong);
    (void)fake_feed(c, "DEBUG QUICKLIST-PACKED-THRESHOLD -1\r\n");
    CHECK_EQ_STR(fake_output(c), wrong);
    (void)fake_feed(c, "DEBUG QUICKLIST-PACKED-THRESHOLD\r\n");
    CHECK_CONTAINS(fake_output(c), "unknown subcommand or wrong number of arguments");
    client_close(c);
    fake_free(n);
}

/* What it did not read is bounded; the client that it watches goes on. */
TEST(a_monitor_that_does_not_read_is_ended)
{
    struct node *n = fake_new();
    struct client *slow = fake_client(n);
    struct client *c = fake_client(n);
    n->options.client_output_limit = 4096;
    (void)fake_feed(slow, "MONITOR\r\n");
    for (int i = 0; i < 200; i++) {
        (void)fake_feed(c, "ECHO 12345678901234567890\r\n");
        (void)fake_output(c);
    }
    CHECK_EQ_INT(client_get_state(slow), CLIENT_CLOSE_NOW);
    CHECK(client_output(slow).n < 4096 + 200);
    CHECK_EQ_INT(client_get_state(c), CLIENT_READ);
    client_close(slow);
    client_close(c);
    fake_free(n);
}

TEST(a_monitor_sees_commands_but_no_secrets)
{
    struct node *n = fake_new();
    struct client *monitor = fake_client(n);
    struct client *c = fake_client(n);

    (void)fake_feed(monitor, "MONITOR\r\n");
    CHECK_EQ_STR(fake_output(monitor), "+OK\r\n");
    (void)fake_feed(c, "*3\r\n$3\r\nSET\r\n$2\r\n\"\x01\r\n$1\r\nb\r\nAUTH me secret\r\nCONFIG GET port\r\nHELLO 2 AUTH x y\r\n");
    fake_decide_all(n); /* CONFIG waits for what is in front of it. */
    fake_poll(n);
    CHECK_EQ_STR(fake_output(monitor), "+0.000000 [0 127.0.0.1:50001] \"SET\" \"\\\"\\x01\" \"b\"\r\n"
                                       "+0.000000 [0 127.0.0.1:50001] \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n"
                                       "+0.000000 [0 127.0.0.1:50001] \"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n");
    (void)fake_feed(monitor, "RESET\r\n");
    (void)fake_output(monitor);
    (void)fake_feed(c, "PING\r\n");
    CHECK_EQ_STR(fake_output(monitor), "");
    fake_decide_all(n);
    client_close(monitor);
    client_close(c);
    fake_free(n);
}

TEST(the_slow_log_cuts_and_keeps_the_newest)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "CONFIG SET slowlog-log-slower-than 1000 slowlog-max-len 2\r\n");
    (void)fake_feed(c, "SET a b\r\n");
    fake_decide_all(n);
    CHECK_EQ_INT((int64_t)slowlog_size(n->clients->slowlog), 0);
    for (int i = 0; i < 3; i++) {
        (void)fake_feed(c, "SET key value\r\n");
        n->now_us += 5000;
        fake_decide_all(n);
    }
    (void)fake_output(c);
    (void)fake_feed(c, "SLOWLOG GET\r\n");
    CHECK_EQ_STR(fake_output(c), "*2\r\n"
                                 "*6\r\n:2\r\n:0\r\n:5000\r\n*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n$15\r\n127.0.0.1:50001\r\n$0\r\n\r\n"
                                 "*6\r\n:1\r\n:0\r\n:5000\r\n*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n$15\r\n127.0.0.1:50001\r\n$0\r\n\r\n");
    client_close(c);
    fake_free(n);
}

/* One that was in vain, and one that went into the log after all. */
TEST(the_slow_log_knows_what_was_tried_as_a_read)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    n->knows_vain = true;
    (void)fake_feed(c, "CONFIG SET slowlog-log-slower-than 1000\r\n");
    (void)fake_output(c);
    (void)fake_feed(c, "LPOP q\r\n");
    CHECK(client_first_request(c)->kind == REQUEST_READ);
    n->now_us += 5000;
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "$-1\r\n");
    (void)fake_feed(c, "GETDEL a\r\nSET a x\r\n");
    CHECK(client_first_request(c)->kind == REQUEST_WRITE);
    n->now_us += 5000;
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(c), "$-1\r\n+OK\r\n");
    (void)fake_feed(c, "SLOWLOG GET\r\n");
    CHECK_EQ_STR(fake_output(c), "*3\r\n"
                                 "*6\r\n:2\r\n:0\r\n:5000\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nx\r\n$15\r\n127.0.0.1:50001\r\n$0\r\n\r\n"
                                 "*6\r\n:1\r\n:0\r\n:5000\r\n*2\r\n$6\r\nGETDEL\r\n$1\r\na\r\n$15\r\n127.0.0.1:50001\r\n$0\r\n\r\n"
                                 "*6\r\n:0\r\n:0\r\n:5000\r\n*2\r\n$4\r\nLPOP\r\n$1\r\nq\r\n$15\r\n127.0.0.1:50001\r\n$0\r\n\r\n");
    client_close(c);
    fake_free(n);
}

/* WAIT counts what the others hold of this connection's last write, and only that. */
TEST(wait_counts_copies_on_disk)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "SET a b\r\nWAIT 1 0\r\nPING\r\n");
    fake_decide_all(n);
    n->other_match = n->index - 1;
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "+OK\r\n");
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 1);
    n->other_match = n->index;
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), ":1\r\n+PONG\r\n");
    (void)fake_feed(c, "WAIT 2 50\r\n");
    CHECK_EQ_STR(fake_output(c), "");
    n->now_us += 50000;
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), ":1\r\n");
    (void)fake_feed(c, "WAITAOF 1 1 0\r\nWAITAOF 2 0 0\r\nMULTI\r\nWAIT 5 0\r\nEXEC\r\n");
    CHECK_EQ_STR(fake_output(c), "*2\r\n:1\r\n:1\r\n-ERR value is out of range, must be between 0 and 1\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    client_close(c);
    fake_free(n);
}

TEST(a_wait_is_unblocked_or_goes_with_its_client)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);
    struct client *other = fake_client(n);

    (void)fake_feed(c, "PING\r\nWAIT 9 0\r\nPING\r\n");
    (void)fake_feed(other, "CLIENT UNBLOCK 1 ERROR\r\nCLIENT UNBLOCK 1\r\nCLIENT UNBLOCK 2\r\n");
    CHECK_EQ_STR(fake_output(other), ":1\r\n:0\r\n:0\r\n");
    fake_poll(n);
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n");
    (void)fake_feed(c, "WAIT 9 0\r\n");
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 1);
    client_close(c);
    CHECK_EQ_INT((int64_t)clients_blocked(n->clients), 0);
    fake_poll(n);
    client_close(other);
    fake_free(n);
}

TEST(acl_of_the_one_user)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "ACL WHOAMI\r\nACL USERS\r\nACL LIST\r\nACL GETUSER nobody\r\nACL SETUSER bob on\r\nACL DELUSER bob\r\nACL FROB\r\n");
    CHECK_EQ_STR(fake_output(c), "$7\r\ndefault\r\n*1\r\n$7\r\ndefault\r\n*1\r\n$34\r\nuser default on nopass ~* &* +@all\r\n$-1\r\n"
                                 "-ERR 'acl|SETUSER' is not available yet: users with rights of their own are planned\r\n"
                                 "-ERR 'acl|DELUSER' is not available yet: users with rights of their own are planned\r\n"
                                 "-ERR unknown subcommand 'FROB'. Try ACL HELP.\r\n");
    (void)fake_feed(c, "ACL GETUSER default\r\n");
    CHECK_EQ_STR(fake_output(c), "*12\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$6\r\nnopass\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n$5\r\n+@all\r\n"
                                 "$4\r\nkeys\r\n$2\r\n~*\r\n$8\r\nchannels\r\n$2\r\n&*\r\n$9\r\nselectors\r\n*0\r\n");
    (void)fake_feed(c, "ACL CAT nope\r\nACL CAT HYPERLOGLOG\r\nACL CAT a b\r\n");
    CHECK_EQ_STR(fake_output(c), "-ERR Unknown category 'nope'\r\n*5\r\n$5\r\npfadd\r\n$7\r\npfcount\r\n$7\r\npfdebug\r\n$7\r\npfmerge\r\n"
                                 "$10\r\npfselftest\r\n"
                                 "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n");
    (void)fake_feed(c, "ACL GENPASS 0\r\nACL GENPASS 4097\r\nACL GENPASS x\r\n");
    CHECK_EQ_STR(fake_output(c),
                 "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n"
                 "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n"
                 "-ERR value is not an integer or out of range\r\n");
    (void)fake_feed(c, "ACL GENPASS\r\n");
    CHECK_EQ_UINT(strlen(fake_output(c)), 5 + 64 + 2);
    (void)fake_feed(c, "ACL GENPASS 5\r\n");
    CHECK_EQ_UINT(strlen(fake_output(c)), 4 + 2 + 2);
    (void)fake_feed(c, "CONFIG SET requirepass x\r\nAUTH x\r\nACL LIST\r\n");
    CHECK_CONTAINS(fake_output(c), "user default on #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~* &* +@all\r\n");
    (void)fake_feed(c, "CONFIG SET requirepass \"\"\r\n");
    (void)fake_output(c);
    client_close(c);
    fake_free(n);
}

TEST(what_is_planned_and_what_is_unknown)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "PING\r\nEVAL a 0\r\nXADD\r\nhse t\r\nDEBUG SLEEP 0\r\nCLUSTER INFO\r\nSHUTDOWN ABORT\r\n");
    CHECK_EQ_STR(fake_output(c), "+PONG\r\n-ERR 'EVAL' is not available yet: scripts and functions are planned\r\n"
                                 "-ERR 'XADD' is not available yet: streams are planned\r\n"
                                 "-ERR unknown command 'hse', with args beginning with: 't' \r\n"
                                 "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run "
                                 "it from a local connection, otherwise you need to set this option in the configuration file, and "
                                 "then restart the server.\r\n"
                                 "-ERR This instance has cluster support disabled\r\n-ERR No shutdown in progress.\r\n");
    client_close(c);
    fake_free(n);
}

TEST_MAIN()
