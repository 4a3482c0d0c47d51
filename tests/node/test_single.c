#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

TEST(a_blank_node_answers_empty_and_forms_at_the_first_write)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 1000), "$-1\r\n");
    CHECK(rig_status(r, 0).is_blank);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    CHECK(!rig_status(r, 0).is_blank);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 1000), "$1\r\n1\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(writes_survive_kill_and_power_loss)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    rig_disconnect(&c);
    uint64_t first = rig_status(r, 0).session_number;
    rig_stop(r, 0, RIG_KILL);
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 3000), ":2\r\n");
    uint64_t second = rig_status(r, 0).session_number;
    CHECK(second > first);
    rig_disconnect(&c);
    rig_stop(r, 0, RIG_POWER_LOSS);
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 3000), "$1\r\n2\r\n");
    CHECK(rig_status(r, 0).session_number > second);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_pipeline_keeps_its_order_both_ways)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_say(&c, "SET a 1\r\nGET a\r\nSET a 2\r\nGET a\r\nGET a\r\nINCR a\r\nGET a\r\n");
    rig_run(r, 1000);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n$1\r\n2\r\n:3\r\n$1\r\n3\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_write_beyond_max_write_size_is_refused)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    static char text[80000];
    int n = snprintf(text, sizeof text, "SET a ");
    memset(text + n, 'x', 70000);
    snprintf(text + n + 70000, sizeof text - (size_t)n - 70000, "\r\n");
    r->host[0].options.max_write_size = 65536;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "PING\r\n", 2000), "+PONG\r\n"); /* a Redis session */
    CHECK_EQ_STR(rig_ask(&c, text, 2000), "-ERR the write is bigger than max-write-size, it was not executed\r\n");
    CHECK_EQ_STR(rig_ask(&c, "STRLEN a\r\n", 2000), ":0\r\n");
    r->host[0].options.max_write_size = 100000;
    CHECK_EQ_STR(rig_ask(&c, text, 2000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "STRLEN a\r\n", 2000), ":70000\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_transaction_is_one_entry)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    struct rig_client other;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_connect(r, 0, &other);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    raft_index before = rig_status(r, 0).raft.last_index;
    rig_forget(&c);
    rig_say(&c, "MULTI\r\nINCR a\r\nPING\r\nGET a\r\nEXEC\r\n");
    rig_run(r, 50);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:2\r\n+PONG\r\n$1\r\n2\r\n");
    CHECK_EQ_UINT(rig_status(r, 0).raft.last_index, before + 1);
    CHECK_EQ_STR(rig_ask(&c, "WATCH a\r\n", 100), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&other, "SET a 5\r\n", 100), "+OK\r\n");
    rig_forget(&c);
    rig_say(&c, "MULTI\r\nSET a 9\r\nEXEC\r\n");
    rig_run(r, 50);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+QUEUED\r\n*-1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 100), "$1\r\n5\r\n");
    rig_disconnect(&c);
    rig_disconnect(&other);
    rig_free(r);
}

TEST(a_watched_key_that_came_and_went_fails_the_exec)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    struct rig_client other;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_connect(r, 0, &other);
    CHECK_EQ_STR(rig_ask(&c, "WATCH lock\r\n", 2000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&other, "SET lock mine\r\n", 2000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&other, "DEL lock\r\n", 100), ":1\r\n");
    rig_forget(&c);
    rig_say(&c, "MULTI\r\nSET a 9\r\nEXEC\r\n");
    rig_run(r, 50);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+QUEUED\r\n*-1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "WATCH lock\r\n", 100), "+OK\r\n");
    rig_forget(&c);
    rig_say(&c, "MULTI\r\nSET a 8\r\nEXEC\r\n");
    rig_run(r, 50);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    rig_disconnect(&c);
    rig_disconnect(&other);
    rig_free(r);
}

TEST(an_expired_key_is_gone_by_log_time_and_removed_by_a_pulse)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1 PX 300\r\n", 2000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 100), "$1\r\n1\r\n");
    rig_run(r, 400);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 500), "$-1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "SET b 1 PX 100\r\n", 2000), "+OK\r\n");
    rig_run(r, 600); /* nobody reads: the leader's own pulse */
    CHECK_EQ_STR(rig_ask(&c, "DBSIZE\r\n", 100), ":0\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* The wall clock is told in whole milliseconds. Who asks for ten seconds from its own clock on is not told by PTTL that there
 * are more than ten left. */
TEST(an_entry_is_stamped_no_earlier_than_its_client_s_clock)
{
    struct rig *r = rig_new(1, "");
    struct rig_host *h = &r->host[0];
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    for (unsigned i = 0; i < 400; i++) {
        r->now_us += 1000 + i * 377 % 1000; /* at any moment of the wall clock's millisecond */
        int64_t asked_ms = h->env.wall_ms(h->env.ctx);
        CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 100), "+OK\r\n");
        int64_t stamp_ms = rig_status(r, 0).log_time_ms;
        if (i >= 200) /* by then the wall clock was seen at many moments */
            CHECK(stamp_ms >= asked_ms && stamp_ms <= h->env.wall_ms(h->env.ctx));
    }
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_full_disk_refuses_writes_and_resumes)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    rig_run(r, 200);
    sim_disk_set_quota(r->host[0].disk, sim_disk_used(r->host[0].disk));
    char big[8300] = "SET big ";
    memset(big + 8, 'x', 8000);
    memcpy(big + 8008, "\r\n", 3);
    bool was_refused = false;
    for (int i = 0; i < 40 && !was_refused; i++) {
        const char *answer = rig_ask(&c, big, 400);
        was_refused = strncmp(answer, "-MISCONF", 8) == 0;
        if (answer[0] == '\0')
            break; /* The first that did not fit waits for the disk. */
    }
    struct rig_client other;
    rig_connect(r, 0, &other);
    CHECK_CONTAINS(rig_ask(&other, "SET c 1\r\n", 400), "-MISCONF disk full");
    CHECK_EQ_STR(rig_ask(&other, "GET a\r\n", 400), "$1\r\n1\r\n");
    sim_disk_set_quota(r->host[0].disk, UINT64_MAX);
    rig_run(r, 300);
    CHECK_EQ_STR(rig_ask(&other, "SET c 1\r\n", 400), "+OK\r\n");
    rig_disconnect(&other);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(nothing_is_answered_before_the_disk_has_it)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    r->host[0].is_disk_held = true;
    CHECK_EQ_STR(rig_ask(&c, "SET a 2\r\n", 100), "");
    r->host[0].is_disk_held = false;
    rig_run(r, 10);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_long_log_is_read_back_from_disk)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    r->host[0].options.log_memory = 65536;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    char line[2100];
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "SET k%d %01900d\r\n", i, i);
        CHECK_EQ_STR(rig_ask(&c, line, 2000), "+OK\r\n");
    }
    rig_disconnect(&c);
    rig_stop(r, 0, RIG_KILL);
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "DBSIZE\r\n", 3000), ":200\r\n");
    CHECK_EQ_STR(rig_ask(&c, "INCR x\r\n", 3000), ":1\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST_MAIN()
