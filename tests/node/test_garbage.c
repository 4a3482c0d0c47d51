#include "rig.h"

#include <stdio.h>

#include "node/peer_message.h"
#include "tests/test.h"

/* Bytes that a correct peer never sends: cut, flipped and made-up messages of every kind. Raft's own are raft's tests. */

static uint32_t state = 1;
static uint32_t draw(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
}

static unsigned mangled;

static bool mangle(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)r;
    (void)from;
    (void)to;
    (void)role;
    uint8_t kind = message.p[0];
    if (kind == PEER_RAFT || kind == PEER_PROPOSE || draw(3) != 0)
        return true;
    uint8_t *bytes = (uint8_t *)(uintptr_t)message.p;
    size_t at = PEER_ENVELOPE_BYTES + draw((uint32_t)(message.n - PEER_ENVELOPE_BYTES) + 1);
    if (at < message.n)
        bytes[at] ^= (uint8_t)(1u << draw(8));
    mangled++;
    return true;
}

TEST(flipped_bits_in_what_nodes_tell_each_other_stop_nobody)
{
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct rig *r = rig_new(3, "n1:7000,n2:7000,n3:7000");
        state = seed;
        test_context("seed %u", seed);
        for (int i = 0; i < 3; i++)
            rig_start(r, i);
        REQUIRE(rig_until(r, rig_has_leader, 5000));
        r->filter = mangle;
        struct rig_client c[3];
        for (int i = 0; i < 3; i++)
            rig_connect(r, i, &c[i]);
        for (int round = 0; round < 200; round++) {
            for (int i = 0; i < 3; i++) {
                char line[64];
                snprintf(line, sizeof line, "SET k%d %d PX 200\r\nGET k%d\r\n", i, round, (i + 1) % 3);
                rig_forget(&c[i]);
                rig_say(&c[i], line);
            }
            rig_run(r, 3);
            rig_collect(r);
        }
        r->filter = NULL;
        rig_run(r, 8000);
        for (int i = 0; i < 3; i++)
            CHECK_EQ_STR(r->host[i].fatal, "");
        CHECK(rig_has_leader(r));
        for (int i = 0; i < 3; i++)
            rig_disconnect(&c[i]);
        rig_free(r);
    }
    CHECK(mangled > 100);
    test_context("");
}

TEST(made_up_messages_are_refused)
{
    struct rig *r = rig_new(3, "n1:7000,n2:7000,n3:7000");
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    for (uint32_t round = 0; round < 3000; round++) {
        uint8_t bytes[PEER_ENVELOPE_BYTES + 64] = {0};
        size_t n = draw(sizeof bytes + 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)draw(round % 2 ? 256 : 3);
        bytes[0] = (uint8_t)(2 + draw(12)); /* any kind but Raft's */
        bytes[1] = PEER_MESSAGE_VERSION;
        for (int i = 0; i < RIG_LINKS; i++) {
            struct rig_link *l = &r->link[i];
            if (l->is_used && l->is_up && l->id[1] != 0 && draw(8) == 0) {
                uint8_t *copy = test_guard_copy(bytes, n);
                node_link_message(r->host[l->host[1]].node, l->id[1], (struct slice){copy, n});
                test_guard_free(copy, n);
            }
        }
        rig_round(r);
        if (round % 10 == 0)
            rig_run(r, 1);
    }
    rig_run(r, 3000);
    for (int i = 0; i < 3; i++)
        CHECK_EQ_STR(r->host[i].fatal, "");
    CHECK(rig_has_leader(r));
    rig_free(r);
}

TEST_MAIN()
