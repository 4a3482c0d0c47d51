#include "rig.h"

#include <stdio.h>

#include "tests/test.h"

/* Waiters whose member is out of sight (blocked.c, B2 and B4). */
static const char *ask(struct rig *r, int slot, const char *line)
{
    static char text[256];
    struct rig_client c;
    rig_connect(r, slot, &c);
    snprintf(text, sizeof text, "%s", rig_ask(&c, line, 20000));
    rig_disconnect(&c);
    return text;
}

/* A waiter on a follower that is cut off until the leader has logged SUSPEND, and an element that is pushed then. */
static int cut_off_waiter(struct rig *r, struct rig_client *waiter)
{
    int member = (rig_leader(r) + 1) % 3;
    rig_connect(r, member, waiter);
    rig_say(waiter, "BLPOP k 0\r\n");
    rig_run(r, 200);
    rig_isolate(r, member, true);
    rig_run(r, 4000);
    CHECK_EQ_STR(ask(r, rig_leader(r), "RPUSH k e\r\n"), ":1\r\n");
    CHECK_EQ_STR(ask(r, rig_leader(r), "LLEN k\r\n"), ":1\r\n"); /* passed over */
    return member;
}

TEST(a_member_that_comes_back_resumes_its_waiters)
{
    struct rig *r = rig_three();
    struct rig_client waiter;
    int member = cut_off_waiter(r, &waiter);
    rig_isolate(r, member, false);
    rig_run(r, 5000);
    rig_collect(r);
    CHECK_EQ_STR(waiter.text, "*2\r\n$1\r\nk\r\n$1\r\ne\r\n");
    CHECK_EQ_STR(ask(r, rig_leader(r), "LLEN k\r\n"), ":0\r\n");
    rig_disconnect(&waiter);
    rig_free(r);
}

TEST(nothing_is_popped_for_who_left_meanwhile)
{
    struct rig *r = rig_three();
    struct rig_client waiter;
    int member = cut_off_waiter(r, &waiter);
    rig_disconnect(&waiter);
    rig_run(r, 200);
    rig_isolate(r, member, false);
    rig_run(r, 5000);
    CHECK_EQ_STR(ask(r, member, "LLEN k\r\n"), ":1\r\n");
    rig_free(r);
}

TEST_MAIN()
