#include "node/settings.h"

#include <stdio.h>
#include <string.h>

#include "node/formation.h"
#include "node/proposal.h"
#include "rig.h"
#include "tests/test.h"

/* Options of the cluster: one value on all nodes, whatever their files say, changed through the log. */

#define LIST "n1:7000,n2:7000,n3:7000"

static const char *get(struct rig *r, int slot, const char *name)
{
    static char text[256];
    char line[128];
    struct rig_client c;
    rig_connect(r, slot, &c);
    snprintf(line, sizeof line, "CONFIG GET %s\r\n", name);
    const char *reply = rig_ask(&c, line, 2000);
    const char *value = strrchr(reply, '$');
    value = value ? strchr(value, '\n') : NULL;
    snprintf(text, sizeof text, "%.*s", value ? (int)strcspn(value + 1, "\r") : 0, value ? value + 1 : "");
    rig_disconnect(&c);
    return text;
}

TEST(the_node_that_forms_the_cluster_decides_and_config_set_reaches_all)
{
    struct rig *r = rig_new(3, LIST);
    struct rig_client c;
    r->host[0].options.hash_max_listpack_entries = 77; /* the smallest address */
    r->host[1].options.hash_max_listpack_entries = 99;
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    CHECK_EQ_STR(get(r, 1, "hash-max-listpack-entries"), "99"); /* BLANK: as it was told */
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_STR(get(r, i, "hash-max-listpack-entries"), "77");
        CHECK_EQ_STR(get(r, i, "HASH-MAX-ZIPLIST-ENTRIES"), "77");
        CHECK_EQ_STR(get(r, i, "set-max-intset-entries"), "512");
    }
    int follower = (rig_leader(r) + 1) % 3;
    rig_connect(r, follower, &c);
    CHECK_EQ_STR(rig_ask(&c, "CONFIG SET set-max-intset-entries 5 hash-max-ziplist-value 1kb\r\n", 3000), "+OK\r\n");
    rig_disconnect(&c);
    rig_run(r, 500);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_STR(get(r, i, "set-max-intset-entries"), "5");
        CHECK_EQ_STR(get(r, i, "hash-max-listpack-value"), "1024");
    }
    for (int i = 0; i < 3; i++) {
        rig_stop(r, i, RIG_KILL);
        r->host[i].options.set_max_intset_entries = 6; /* has no effect any more */
    }
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_STR(get(r, i, "set-max-intset-entries"), "5");
        CHECK_EQ_STR(get(r, i, "hash-max-listpack-entries"), "77");
    }
    rig_free(r);
}

TEST(without_a_majority_it_is_not_set)
{
    struct rig *r = rig_new(3, LIST);
    struct rig_client c;
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    int follower = (rig_leader(r) + 1) % 3;
    rig_isolate(r, follower, true);
    rig_run(r, 3000);
    rig_connect(r, follower, &c);
    const char *reply = rig_ask(&c, "CONFIG SET set-max-intset-entries 5\r\n", 10000);
    CHECK(strncmp(reply, "-CLUSTERDOWN", 12) == 0);
    CHECK_EQ_STR(get(r, follower, "set-max-intset-entries"), "512");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(what_is_wrong_is_refused_and_changes_nothing)
{
    static const struct {
        const char *line, *reply;
    } wrong[] = {
        {"CONFIG SET set-max-intset-entries -1",
         "-ERR CONFIG SET failed (possibly related to argument 'set-max-intset-entries') - argument must be between 0 and "
         "9223372036854775807 inclusive\r\n"},
        {"CONFIG SET hash-max-listpack-value 1x",
         "-ERR CONFIG SET failed (possibly related to argument 'hash-max-listpack-value') - argument must be a memory value\r\n"},
        {"CONFIG SET set-max-intset-entries 7 hll-sparse-max-bytes x",
         "-ERR CONFIG SET failed (possibly related to argument 'hll-sparse-max-bytes') - argument must be a memory value\r\n"},
        {"CONFIG SET hash-max-listpack-value 1 hash-max-ziplist-value 2",
         "-ERR CONFIG SET failed (possibly related to argument 'hash-max-ziplist-value') - duplicate parameter\r\n"},
        {"CONFIG SET set-max-intset-entries 7 maxmemory 1gb",
         "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - an option of this node and one of the cluster "
         "can't be set together\r\n"},
        {"CONFIG SET maxmemory 1gb set-max-intset-entries 7",
         "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - an option of this node and one of the cluster "
         "can't be set together\r\n"},
        {"CONFIG SET set-max-intset-entries 7 hash-max-listpack-value",
         "-ERR wrong number of arguments for 'config|set' command\r\n"},
    };
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[160];
        snprintf(line, sizeof line, "%s\r\n", wrong[i].line);
        test_context("%s", wrong[i].line);
        rig_forget(&c);
        CHECK_EQ_STR(rig_ask(&c, line, 3000), wrong[i].reply);
    }
    test_context("");
    CHECK_EQ_STR(get(r, 0, "set-max-intset-entries"), "512");
    CHECK_EQ_STR(get(r, 0, "maxmemory"), "0");
    rig_disconnect(&c);
    rig_free(r);
}

/* EXEC waits for its WATCH: it begins when the client is looked at again. */
static void settle(struct rig *r)
{
    for (int i = 0; i < 3; i++) {
        rig_run(r, 500);
        rig_collect(r);
    }
}

TEST(in_a_transaction_it_is_part_of_the_entry)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_say(&c, "SET k 1\r\nWATCH k\r\nMULTI\r\nCONFIG SET set-max-intset-entries 7\r\nCONFIG SET set-max-intset-entries x\r\n"
                "CONFIG SET maxmemory 1gb\r\nGET k\r\nEXEC\r\n");
    settle(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n+OK\r\n-ERR CONFIG SET failed "
                         "(possibly related to argument 'set-max-intset-entries') - argument couldn't be parsed into an integer"
                         "\r\n+OK\r\n$1\r\n1\r\n");
    CHECK_EQ_STR(get(r, 0, "set-max-intset-entries"), "7");
    CHECK_EQ_STR(get(r, 0, "maxmemory"), "1073741824");
    rig_forget(&c);
    rig_say(&c, "WATCH k\r\nSET k 2\r\nMULTI\r\nCONFIG SET set-max-intset-entries 8\r\nEXEC\r\n");
    settle(r);
    CHECK_EQ_STR(c.text, "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    CHECK_EQ_STR(get(r, 0, "set-max-intset-entries"), "7");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(genesis_carries_them_and_is_looked_at)
{
    struct options o;
    struct buf text = {0};
    struct slice arg[1 + 2 * SETTING_COUNT];
    uint8_t seed[16] = {1};
    uint8_t payload[1024];
    struct proposal p;
    uint64_t read[2];
    struct siphash_key key = {{0}};
    struct keyspace *k = keyspace_new(&key, NULL);
    uint64_t digest = keyspace_digest(k);

    options_init(&o);
    CHECK_EQ_UINT(settings_to_genesis(&o, &text, arg + 1), 0);
    o.list_max_listpack_size = -5;
    o.hll_sparse_max_bytes = 0;
    REQUIRE(settings_to_genesis(&o, &text, arg + 1) == 2);
    arg[0] = (struct slice){seed, 16};
    struct proposal head = {.number = PROPOSAL_GENESIS, .version = GENESIS_VERSION};
    proposal_encode(payload, &head, arg, 5);
    REQUIRE(proposal_decode((struct slice){payload, proposal_size(arg, 5)}, &p) == ERR_OK);
    CHECK(genesis_read(&p, read, k));
    CHECK_EQ_UINT(read[0], 1);
    CHECK_EQ_INT(keyspace_setting(k, SETTING_LIST_MAX_LISTPACK_SIZE), -5);
    CHECK_EQ_INT(keyspace_setting(k, SETTING_HLL_SPARSE_MAX_BYTES), 0);
    CHECK(keyspace_digest(k) != digest);
    keyspace_set_setting(k, SETTING_LIST_MAX_LISTPACK_SIZE, -2);
    keyspace_set_setting(k, SETTING_HLL_SPARSE_MAX_BYTES, 3000);
    CHECK_EQ_UINT(keyspace_digest(k), digest);
    p.version = 1;
    CHECK(!genesis_read(&p, read, k));
    p.version = 3;
    CHECK(!genesis_read(&p, read, k));
    static const char *const bad[][2] = {{"list-max-listpack-size", "x"}, {"list-max-listpack-size", "99999999999"}, {"port", "1"}, {"", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        arg[1] = slice_from_cstr(bad[i][0]);
        arg[2] = slice_from_cstr(bad[i][1]);
        proposal_encode(payload, &head, arg, 3);
        REQUIRE(proposal_decode((struct slice){payload, proposal_size(arg, 3)}, &p) == ERR_OK);
        CHECK(!genesis_read(&p, read, k));
    }
    CHECK_EQ_UINT(keyspace_digest(k), digest);
    keyspace_free(k);
    buf_deinit(&text);
    options_deinit(&o);
}

TEST_MAIN()
