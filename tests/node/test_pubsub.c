/* PUBLISH across a cluster: every node's subscribers, the cluster's count, cut off members. */
#include "rig.h"

#include <stdio.h>

#include "tests/test.h"

TEST(a_message_reaches_subscribers_on_every_node_and_all_are_counted)
{
    struct rig *r = rig_three();
    struct rig_client sub[3];
    struct rig_client p;
    for (int i = 0; i < 3; i++) {
        rig_connect(r, i, &sub[i]);
        CHECK_EQ_STR(rig_ask(&sub[i], "SUBSCRIBE x\r\n", 1000), "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
        rig_forget(&sub[i]);
    }
    for (int i = 0; i < 3; i++) {
        rig_connect(r, i, &p);
        CHECK_EQ_STR(rig_ask(&p, "PUBLISH x hi\r\n", 1000), ":3\r\n");
        CHECK_EQ_STR(rig_ask(&p, "SPUBLISH x hi\r\n", 1000), ":0\r\n");
        CHECK_CONTAINS(rig_ask(&p, "MULTI\r\nSET k 1\r\nPUBLISH x ho\r\nEXEC\r\n", 1000), "+OK\r\n");
        rig_run(r, 500);
        rig_collect(r);
        CHECK_CONTAINS(p.text, "*2\r\n+OK\r\n:3\r\n");
        rig_disconnect(&p);
    }
    rig_collect(r);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_STR(sub[i].text, "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nho\r\n"
                                  "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nho\r\n"
                                  "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nho\r\n");
        rig_disconnect(&sub[i]);
    }
    rig_free(r);
}

/* One that doesn't answer costs one election timeout, once; then nobody waits for it. */
TEST(a_member_that_is_cut_off_is_not_counted_nor_waited_for)
{
    struct rig *r = rig_three();
    struct rig_client sub;
    struct rig_client p;
    int leader = rig_leader(r);
    int cut = (leader + 1) % 3;
    rig_connect(r, cut, &sub);
    rig_connect(r, leader, &p);
    rig_ask(&sub, "SUBSCRIBE x\r\n", 1000);
    CHECK_EQ_STR(rig_ask(&p, "PUBLISH x a\r\n", 1000), ":1\r\n");
    rig_isolate(r, cut, true);
    CHECK_EQ_STR(rig_ask(&p, "PUBLISH x b\r\n", 1000), ":0\r\n");
    rig_run(r, 2000);
    uint64_t before = r->now_us;
    CHECK_EQ_STR(rig_ask(&p, "PUBLISH x c\r\n", 1000), ":0\r\n");
    CHECK(r->now_us - before < 100000);
    rig_isolate(r, cut, false);
    rig_run(r, 5000);
    CHECK_EQ_STR(rig_ask(&p, "PUBLISH x d\r\n", 1000), ":1\r\n");
    rig_collect(r);
    /* At most once each, in order; what was sent into the cut may be lost. */
    CHECK_CONTAINS(sub.text, "$1\r\na\r\n");
    CHECK_CONTAINS(sub.text, "$1\r\nd\r\n");
    rig_disconnect(&sub);
    rig_disconnect(&p);
    rig_free(r);
}

TEST(a_message_that_is_too_long_is_refused)
{
    struct rig *r = rig_three();
    struct rig_client p;
    static char text[300];
    rig_connect(r, 0, &p);
    snprintf(text, sizeof text, "*3\r\n$7\r\nPUBLISH\r\n$1\r\nx\r\n$%u\r\n", LIMIT_PUBLISH_BYTES);
    rig_say(&p, text);
    memset(text, 'y', sizeof text - 1);
    for (size_t left = LIMIT_PUBLISH_BYTES; left > 0;) {
        size_t n = left < sizeof text - 1 ? left : sizeof text - 1;
        text[n] = '\0';
        rig_say(&p, text);
        left -= n;
    }
    rig_say(&p, "\r\n");
    rig_run(r, 100);
    rig_collect(r);
    CHECK_EQ_STR(p.text, "-ERR channel and message are longer than 4194304 bytes together, nothing was published\r\n");
    rig_disconnect(&p);
    rig_free(r);
}

TEST_MAIN()
