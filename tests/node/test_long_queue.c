#include "rig.h"

#include <string.h>

#include "node/node_internal.h"
#include "tests/test.h"

#define THREE "n1:7000,n2:7000,n3:7000"

/* Long queues of committed entries (R9). */

/* A node's clock that goes on by `entry_us` for each entry it applied: every command takes so long. */
static uint64_t entry_us;
static uint64_t longest_us; /* between two returns to the loop */
static raft_index seen_applied[RIG_NODES];

static uint64_t slow_now(void *ctx)
{
    struct rig_host *h = ctx;
    raft_index applied = h->node ? h->node->apply.applied : seen_applied[h->slot];
    if (applied > seen_applied[h->slot])
        h->rig->now_us += (applied - seen_applied[h->slot]) * entry_us;
    seen_applied[h->slot] = applied;
    return h->rig->now_us;
}

/* Every command takes 30 ms, and 200 of them wait, six seconds of work. No iteration takes longer than a few of them, so the leader's heartbeats
 * go out in between: nobody campaigns, and all of them are done. */
TEST(a_queue_of_long_commands_elects_nobody)
{
    struct rig *r = rig_new(3, THREE);
    struct rig_client c;
    entry_us = 0;
    memset(seen_applied, 0, sizeof seen_applied);
    for (int i = 0; i < 3; i++) {
        r->host[i].env.now_us = slow_now;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    int leader = rig_leader(r);
    raft_term term = rig_status(r, leader).raft.term;
    rig_connect(r, leader, &c);
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), ":1\r\n");
    raft_index before = rig_status(r, leader).applied;
    entry_us = 30000;
    longest_us = 0;
    uint64_t begun_us = r->now_us;
    for (int i = 0; i < 200; i++)
        rig_say(&c, "INCR a\r\n");
    for (int i = 0; i < 4000 && (rig_status(r, 0).applied < before + 200 || rig_status(r, 1).applied < before + 200 || rig_status(r, 2).applied < before + 200); i++) {
        uint64_t round_us = r->now_us;
        rig_round(r);
        rig_collect(r);
        longest_us = r->now_us - round_us > longest_us ? r->now_us - round_us : longest_us;
        r->now_us += 100;
    }
    entry_us = 0;
    CHECK(r->now_us - begun_us >= 3 * 6000000u); /* three nodes, one after the other */
    CHECK(longest_us <= 3 * 9 * 30000u);
    CHECK_EQ_UINT(rig_status(r, leader).raft.term, term);
    CHECK_EQ_INT(rig_leader(r), leader);
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), ":202\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST_MAIN()
