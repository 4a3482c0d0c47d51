#include "rig.h"

#include <string.h>

#include "keyspace/sessions.h"
#include "node/exec_payload.h"
#include "node/node_internal.h"
#include "tests/test.h"

/* Rules of the checklist that one look at whole nodes shows: who decides about memory (C12), entries of another program (C13), a copied data
 * directory (P18). */

static uint64_t digest(struct rig *r, int slot)
{
    return keyspace_digest(node_keyspace(r->host[slot].node));
}

static void check_equal(struct rig *r)
{
    rig_run(r, 300);
    for (int i = 1; i < 3; i++)
        CHECK_EQ_UINT(digest(r, i), digest(r, 0));
}

/* C12: the leader decides before it appends. What is appended every node applies, however little memory it may use. */
TEST(memory_is_the_leaders_decision)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    int follower = (leader + 1) % 3;
    struct rig_client at_leader;
    struct rig_client at_follower;
    rig_connect(r, leader, &at_leader);
    rig_connect(r, follower, &at_follower);
    r->host[follower].options.maxmemory = 1;
    r->host[(leader + 2) % 3].options.maxmemory = 2;
    CHECK_EQ_STR(rig_ask(&at_leader, "SET a 1\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&at_leader, "RPUSH l x y z\r\n", 1000), ":3\r\n");
    check_equal(r);
    raft_index before = rig_status(r, leader).applied;
    uint64_t held = digest(r, leader);
    r->host[leader].options.maxmemory = 1;
    rig_run(r, 200);
    CHECK(strncmp(rig_ask(&at_leader, "SET b 1\r\n", 1000), "-OOM", 4) == 0);
    CHECK(strncmp(rig_ask(&at_follower, "SET b 1\r\n", 1000), "-OOM", 4) == 0);
    check_equal(r);
    CHECK_EQ_UINT(digest(r, leader), held);
    CHECK_EQ_STR(rig_ask(&at_leader, "DEL a\r\n", 1000), ":1\r\n"); /* what frees memory goes on */
    CHECK(rig_status(r, leader).applied > before);
    check_equal(r);
    rig_disconnect(&at_leader);
    rig_disconnect(&at_follower);
    rig_free(r);
}

/* Applies an entry that this program would not make; what the node says when it stops, "" when it goes on. */
static const char *apply_foreign(struct rig *r, const struct proposal *head, const struct slice *arg, size_t arg_count)
{
    struct node *n = r->host[0].node;
    uint8_t bytes[512];
    struct raft_entry e;
    size_t size = proposal_size(arg, arg_count);
    entry_begin(bytes, RAFT_ENTRY_COMMAND, 0, size);
    proposal_encode(bytes + ENTRY_HEADER_BYTES, head, arg, arg_count);
    entry_seal(bytes, n->apply.applied + 1, 1);
    entry_view(bytes, &e);
    r->host[0].fatal[0] = '\0';
    n->is_dead = false;
    apply_entry(n, &e);
    return r->host[0].fatal;
}

/* C13: an entry of a newer program stops the node, at the top and inside a transaction; it is never skipped. */
TEST(an_entry_of_another_program_stops_the_node)
{
    struct rig *r = rig_three();
    struct node *n = r->host[0].node;
    const struct session_state *own = sessions_find(n->keyspace, n->identity.node_id);
    REQUIRE(own != NULL && own->is_open);
    struct proposal head = {.number = 0x7fff, .version = 1};
    CHECK(strstr(apply_foreign(r, &head, NULL, 0), "newer version") != NULL);
    head = (struct proposal){.number = PROPOSAL_TIME, .version = 9};
    CHECK(strstr(apply_foreign(r, &head, NULL, 0), "newer version") != NULL);
    head.version = 1;
    CHECK_EQ_STR(apply_foreign(r, &head, NULL, 0), "");
    /* Commands, of a session. */
    raft_id member = 4711;
    struct slice arg[2] = {SLICE_LITERAL("k"), SLICE_LITERAL("v")};
    CHECK(sessions_open(n->keyspace, member, 1));
    head = (struct proposal){.number = 1, .version = 99, .member = member, .session = 1, .seq = 1};
    CHECK(strstr(apply_foreign(r, &head, arg, 2), "newer version") != NULL);
    head = (struct proposal){.number = 0x7ffe, .version = 1, .member = member, .session = 1, .seq = 2};
    CHECK(strstr(apply_foreign(r, &head, arg, 2), "newer version") != NULL);
    struct buf list = {0};
    uint8_t item[8] = {0xfe, 0x7f, 1, 0, 0, 0, 0, 0};
    exec_watch_begin(&list, 0);
    struct slice exec[2] = {buf_slice(&list), {item, sizeof item}};
    head = (struct proposal){.number = PROPOSAL_EXEC, .version = EXEC_VERSION, .member = member, .session = 1, .seq = 3};
    CHECK(strstr(apply_foreign(r, &head, exec, 2), "newer version") != NULL);
    head = (struct proposal){.number = PROPOSAL_EXEC, .version = EXEC_VERSION + 1, .member = member, .session = 1, .seq = 4};
    CHECK(strstr(apply_foreign(r, &head, exec, 1), "newer version") != NULL);
    buf_deinit(&list);
    rig_free(r);
}

/* P9, R4: with the first link of a member's new life the other one of its former life ends, and what comes on it late with it: the leader
 * would take an old acknowledgement for one of what a damaged disk may have lost. A second link of the same life ends nothing. */
TEST(a_new_life_ends_both_links_of_the_one_before)
{
    static const struct {
        enum link_role role;
        int which;
    } link[] = {{LINK_BULK, PEER_BULK}, {LINK_CONTROL, PEER_CONTROL}};
    for (int first = 0; first < 2; first++) {
        struct rig *r = rig_three();
        struct node *n = r->host[0].node;
        struct peer_hello theirs;
        link_id id = 0;
        link_id second = 0;
        char reason[256] = "";
        const int then = 1 - first;
        node_get_hello(r->host[1].node, link[first].role, &theirs);
        theirs.expected_id = n->identity.node_id;
        theirs.incarnation++;
        const struct peer *peer = peers_find(n, theirs.id);
        REQUIRE(peer != NULL && peer_is_up(peer, PEER_CONTROL) && peer_is_up(peer, PEER_BULK));
        CHECK(node_link_up(n, &id, true, &theirs, reason));
        CHECK(peer_is_up(peer, link[first].which) && peer->link[link[first].which].id == id);
        CHECK(!peer_is_up(peer, link[then].which));
        theirs.role = link[then].role;
        CHECK(node_link_up(n, &second, true, &theirs, reason));
        CHECK(peer_is_up(peer, link[then].which) && peer->link[link[first].which].id == id);
        rig_free(r);
    }
}

/* P18: the same member twice. The one that was started later counts, whichever calls last. */
TEST(a_copy_of_a_data_directory_is_told_by_its_incarnation)
{
    struct rig *r = rig_three();
    struct node *n = r->host[0].node;
    struct peer_hello theirs;
    link_id id = 0;
    char reason[256] = "";
    node_get_hello(r->host[1].node, LINK_CONTROL, &theirs);
    theirs.expected_id = n->identity.node_id;
    const struct peer *peer = peers_find(n, theirs.id);
    REQUIRE(peer != NULL && peer_is_up(peer, PEER_CONTROL));
    link_id original = peer->link[PEER_CONTROL].id;
    theirs.incarnation--;
    CHECK(!node_link_up(n, &id, true, &theirs, reason));
    CHECK(strstr(reason, "newer incarnation") != NULL);
    CHECK_EQ_UINT(peer->link[PEER_CONTROL].id, original);
    theirs.incarnation += 2;
    CHECK(node_link_up(n, &id, true, &theirs, reason));
    CHECK_EQ_UINT(peer->link[PEER_CONTROL].id, id);
    CHECK(id != original);
    theirs.id = n->identity.node_id; /* a copy of this very node */
    CHECK(!node_link_up(n, &id, true, &theirs, reason));
    CHECK(strstr(reason, "copy of its data directory") != NULL || strstr(reason, "own id") != NULL);
    rig_free(r);
}

TEST_MAIN()
