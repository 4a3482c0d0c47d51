#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/test.h"

/* Rules of the checklist that whole nodes show: clients that are sent elsewhere (C10), transactions that watch more than an entry can hold (C11). */

/* --- C10 --- */

/* Where this node sends a write right now; -1: nowhere, it keeps it. */
static int sent_to(struct rig *r, int slot)
{
    struct rig_client c;
    int to = -1;
    char host;
    if (!r->host[slot].node)
        return -1;
    rig_connect(r, slot, &c);
    rig_forget(&c);
    rig_say(&c, "SET a 1\r\n");
    if (sscanf(c.text, "-MOVED 15495 n%c:7000", &host) == 1)
        to = host - '1';
    else
        CHECK_EQ_STR(c.text, "");
    rig_disconnect(&c);
    return to;
}

/* Follows redirections from every node at this moment: at most five hops, and so in no circle. How many nodes sent it on. */
static int follow_all(struct rig *r)
{
    int to[5];
    int redirects = 0;
    for (int i = 0; i < r->count; i++) {
        to[i] = sent_to(r, i);
        redirects += to[i] >= 0;
        CHECK(to[i] != i);
    }
    for (int i = 0; i < r->count; i++) {
        int hops = 0;
        for (int at = i; to[at] >= 0 && hops <= 5; at = to[at])
            hops++;
        CHECK(hops <= 5);
    }
    return redirects;
}

static bool only_links_of(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)role, (void)message;
    return from % 2 == to % 2 || (r->now_us / 200000) % 2 == 0;
}

/* Leaders are killed, cut off, stopped, and come back; links flap. Whatever nodes believe in the meantime, nobody is sent in a circle, and where the
 * chain ends the command is taken. */
TEST(redirections_never_go_in_a_circle)
{
    struct rig *r = rig_new(5, "n1:7000,n2:7000,n3:7000,n4:7000,n5:7000");
    int redirects = 0;
    int leaders = 0;
    int last = -1;
    for (int i = 0; i < 5; i++) {
        r->host[i].options.cluster_enabled = true;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    CHECK_EQ_INT(follow_all(r), 4); /* all but the leader */
    for (int round = 0; round < 12; round++) {
        int leader = rig_leader(r);
        r->filter = round % 4 == 3 ? only_links_of : NULL;
        if (leader >= 0 && round % 4 == 0)
            rig_stop(r, leader, RIG_KILL);
        else if (leader >= 0 && round % 4 == 1)
            rig_isolate(r, leader, true);
        else if (leader >= 0 && round % 4 == 2)
            r->host[leader].is_paused = true;
        for (int ms = 0; ms < 1600; ms += 20) {
            rig_run(r, 20);
            redirects += follow_all(r);
            int now = rig_leader(r);
            leaders += now >= 0 && now != last;
            last = now >= 0 ? now : last;
        }
        for (int i = 0; i < 5; i++) {
            rig_isolate(r, i, false);
            r->host[i].is_paused = false;
            if (!r->host[i].node)
                rig_start(r, i);
        }
        for (int ms = 0; ms < 400; ms += 20) {
            rig_run(r, 20);
            redirects += follow_all(r);
        }
    }
    r->filter = NULL;
    CHECK(redirects > 1000);
    CHECK(leaders >= 8);
    CHECK(rig_until(r, rig_has_leader, 5000));
    CHECK_EQ_INT(follow_all(r), 4);
    rig_free(r);
}

/* --- C11 --- */

/* What a transaction watches stands in its entry. One that would be too long is refused whole, in words, and the connection goes on. */
TEST(a_transaction_that_watches_too_much_is_refused)
{
    struct rig *r = rig_new(1, "n1:7000");
    struct rig_client c;
    char *line = mem_alloc(40100);
    r->host[0].options.max_write_size = 65536;
    rig_start(r, 0);
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    rig_connect(r, 0, &c);
    for (int is_too_much = 0; is_too_much < 2; is_too_much++) {
        test_context("too much: %d", is_too_much);
        for (int i = 0; i <= is_too_much; i++) {
            int n = snprintf(line, 40100, "WATCH key%d", i);
            memset(line + n, 'k', 40000 - (size_t)n);
            memcpy(line + 40000, "\r\n", 3);
            CHECK_EQ_STR(rig_ask(&c, line, 1000), "+OK\r\n");
        }
        CHECK_EQ_STR(rig_ask(&c, "MULTI\r\n", 1000), "+OK\r\n");
        CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), "+QUEUED\r\n");
        const char *answer = rig_ask(&c, "EXEC\r\n", 1000);
        if (is_too_much)
            CHECK(strncmp(answer, "-EXECABORT", 10) == 0 && strstr(answer, "max-write-size") != NULL);
        else
            CHECK_EQ_STR(answer, "*1\r\n:1\r\n");
    }
    test_context("%s", "");
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 1000), "$1\r\n1\r\n"); /* nothing of it was done, and nothing is watched any more */
    CHECK_EQ_STR(rig_ask(&c, "MULTI\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), "+QUEUED\r\n");
    CHECK_EQ_STR(rig_ask(&c, "EXEC\r\n", 1000), "*1\r\n:2\r\n");
    rig_disconnect(&c);
    mem_free(line);
    rig_free(r);
}

TEST_MAIN()
