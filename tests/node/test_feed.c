/* Watchers of the change feed on a node whose state is replaced by a snapshot, and when the feed goes off: each gets every change once
 * and in order, or is told from where on nothing is missing. Never a gap that looks like none, never a repeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"
#include "keyspace/changes.h"
#include "node/client_internal.h"
#include "rig.h"
#include "tests/test.h"

struct feed_rig {
    struct rig *rig;
    int leader;
    int lagging;
    struct rig_client writer;  /* on the leader */
    struct rig_client before;  /* a watcher on the lagging node, from before it was cut off */
    struct rig_client witness; /* the same on the leader */
};

static bool have_all_applied(struct rig *r)
{
    struct node_status a = rig_status(r, rig_leader(r) < 0 ? 0 : rig_leader(r));
    for (int i = 0; i < r->count; i++) {
        struct node_status b = rig_status(r, i);
        if (a.applied != b.applied || a.raft.commit != b.raft.commit || b.applied != b.raft.last_index)
            return false;
    }
    return true;
}

static const struct keyspace *keyspace_on(const struct feed_rig *f, int slot)
{
    return node_keyspace(f->rig->host[slot].node);
}

static raft_index last_change_on(const struct feed_rig *f, int slot)
{
    uint32_t part;
    return changes_last(keyspace_on(f, slot), &part);
}

/* An event stream; what was answered first is left in c->text. */
static void watch(struct feed_rig *f, int slot, const char *query, const char *fields, struct rig_client *c)
{
    static const struct client_info info = {.address = "127.0.0.1:50001", .local_address = "127.0.0.1:7000", .fd = 9, .is_local = true};
    char text[512];
    *c = (struct rig_client){.rig = f->rig, .slot = slot};
    c->client = client_open(f->rig->host[slot].node, &info, c);
    snprintf(text, sizeof text, "GET /v1/watch%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", query, fields);
    rig_ask(c, text, 5000);
}

static struct feed_rig *feed_rig_new(void)
{
    struct feed_rig *f = calloc(1, sizeof *f);
    REQUIRE(f != NULL);
    f->rig = rig_new(3, "n1:7000,n2:7000,n3:7000");
    for (int i = 0; i < 3; i++) {
        f->rig->host[i].options.log_retention_entries = 1;
        rig_start(f->rig, i);
    }
    REQUIRE(rig_until(f->rig, rig_has_leader, 10000));
    f->leader = rig_leader(f->rig);
    f->lagging = (f->leader + 1) % 3;
    rig_connect(f->rig, f->leader, &f->writer);
    watch(f, f->lagging, "?prefix=n", "", &f->before);
    watch(f, f->leader, "?prefix=n", "", &f->witness);
    CHECK_CONTAINS(f->before.text, "HTTP/1.1 200 OK\r\n");
    CHECK_CONTAINS(f->witness.text, "HTTP/1.1 200 OK\r\n");
    rig_forget(&f->before);
    rig_forget(&f->witness);
    return f;
}

static void feed_rig_free(struct feed_rig *f)
{
    rig_disconnect(&f->before);
    rig_disconnect(&f->witness);
    rig_disconnect(&f->writer);
    rig_free(f->rig);
    free(f);
}

static void write_numbers(struct feed_rig *f, int from, int to)
{
    char text[64];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "SET n%03d %d\r\n", i, i);
        REQUIRE(strcmp(rig_ask(&f->writer, text, 5000), "+OK\r\n") == 0);
    }
}

/* Until the history of the leader begins behind `index`: long values of no watcher's. */
static void overrun_history(struct feed_rig *f, raft_index index)
{
    enum { SIZE = 60000 };
    char *text = malloc(SIZE + 64);
    REQUIRE(text != NULL);
    for (int i = 0; changes_first(keyspace_on(f, f->leader)) <= index; i++) {
        int n = snprintf(text, 64, "*3\r\n$3\r\nSET\r\n$6\r\nbig%03d\r\n$%d\r\n", i % 1000, SIZE);
        memset(text + n, 'x', SIZE);
        memcpy(text + n + SIZE, "\r\n", 3);
        REQUIRE(strcmp(rig_ask(&f->writer, text, 5000), "+OK\r\n") == 0);
    }
    free(text);
}

static void cut_off(struct feed_rig *f)
{
    rig_isolate(f->rig, f->lagging, true);
    rig_run(f->rig, 1500);
    REQUIRE(rig_leader(f->rig) == f->leader);
}

/* The others take snapshots and forget the log; then the lagging node is let in again. */
static void come_back_by_snapshot(struct feed_rig *f)
{
    struct node_snapshot_status s;
    for (int i = 0; i < 3; i++)
        if (i != f->lagging)
            node_snapshot(f->rig->host[i].node);
    rig_run(f->rig, 2000);
    rig_isolate(f->rig, f->lagging, false);
    REQUIRE(rig_until(f->rig, have_all_applied, 20000));
    node_get_snapshot(f->rig->host[f->lagging].node, &s);
    CHECK(s.index > 0 && s.taken == 0); /* it was sent one */
    rig_collect(f->rig);
}

/* The events in `text` are n<from>, n<from + 1>, ... n<to - 1>, each once. */
static void check_numbers(const char *text, int from, int to)
{
    char want[32];
    int next = from;
    for (const char *at = text; (at = strstr(at, "{\"key\":\"n")) != NULL; at++, next++) {
        snprintf(want, sizeof want, "{\"key\":\"n%03d\",", next);
        if (strncmp(at, want, strlen(want)) != 0)
            break;
    }
    CHECK_EQ_INT(next, to);
}

TEST(a_watcher_goes_on_through_an_installed_snapshot)
{
    if (!http_is_built) {
        CHECK(!http_is_built);
        return;
    }
    struct feed_rig *f = feed_rig_new();
    struct rig_client *later = calloc(1, sizeof *later);
    char query[64];
    REQUIRE(later != NULL);
    write_numbers(f, 0, 10);
    rig_run(f->rig, 200);
    raft_index tenth = last_change_on(f, f->leader);
    cut_off(f);
    write_numbers(f, 10, 40);
    rig_collect(f->rig);
    check_numbers(f->before.text, 0, 10); /* it heard nothing of the others */
    come_back_by_snapshot(f);
    check_numbers(f->before.text, 0, 40);
    write_numbers(f, 40, 45);
    rig_run(f->rig, 500);
    rig_collect(f->rig);
    check_numbers(f->before.text, 0, 45);
    CHECK_EQ_STR(f->before.text, f->witness.text); /* the same ids, values before and after */
    /* Whoever comes now finds the same history. */
    snprintf(query, sizeof query, "?prefix=n&from=%llu", (unsigned long long)tenth);
    watch(f, f->lagging, query, "", later);
    rig_run(f->rig, 100);
    rig_collect(f->rig);
    check_numbers(later->text, 9, 45);
    CHECK_EQ_UINT(changes_first(keyspace_on(f, f->lagging)), changes_first(keyspace_on(f, f->leader)));
    CHECK_EQ_UINT(keyspace_digest(keyspace_on(f, f->lagging)), keyspace_digest(keyspace_on(f, f->leader)));
    rig_disconnect(later);
    free(later);
    feed_rig_free(f);
}

/* The history that came with the snapshot begins behind what the watcher has: it is told where, and so is who resumes. */
TEST(a_watcher_behind_the_snapshots_history_is_told)
{
    if (!http_is_built) {
        CHECK(!http_is_built);
        return;
    }
    struct feed_rig *f = feed_rig_new();
    struct rig_client *again = calloc(1, sizeof *again);
    char want[128];
    REQUIRE(again != NULL);
    write_numbers(f, 0, 10);
    rig_run(f->rig, 200);
    raft_index seen = rig_status(f->rig, f->lagging).applied;
    raft_index tenth = last_change_on(f, f->lagging);
    cut_off(f);
    write_numbers(f, 10, 12);
    overrun_history(f, seen + 2);
    come_back_by_snapshot(f);
    raft_index first = changes_first(keyspace_on(f, f->lagging));
    CHECK(first > seen + 2);
    CHECK_EQ_UINT(first, changes_first(keyspace_on(f, f->leader)));
    check_numbers(f->before.text, 0, 10);
    snprintf(want, sizeof want, "event: compacted\ndata: {\"error\":\"compacted\",\"first\":%llu}\n\n", (unsigned long long)first);
    CHECK_CONTAINS(f->before.text, want);
    CHECK_EQ_INT(client_get_state(f->before.client), CLIENT_CLOSE);
    check_numbers(f->witness.text, 0, 12); /* who was there all the time missed nothing */
    /* Resuming behind what it got last. */
    char fields[64];
    snprintf(fields, sizeof fields, "Last-Event-ID: %llu-0\r\n", (unsigned long long)tenth);
    watch(f, f->lagging, "?prefix=n", fields, again);
    CHECK_CONTAINS(again->text, "HTTP/1.1 410 Gone\r\n");
    snprintf(want, sizeof want, "\r\n\r\n{\"error\":\"compacted\",\"first\":%llu}", (unsigned long long)first);
    CHECK_CONTAINS(again->text, want);
    rig_disconnect(again);
    /* At the first index held it goes on. */
    snprintf(fields, sizeof fields, "?prefix=n&from=%llu", (unsigned long long)first);
    watch(f, f->lagging, fields, "", again);
    CHECK_CONTAINS(again->text, "HTTP/1.1 200 OK\r\n");
    write_numbers(f, 12, 15);
    rig_run(f->rig, 500);
    rig_collect(f->rig);
    check_numbers(again->text, 12, 15);
    rig_disconnect(again);
    free(again);
    feed_rig_free(f);
}

/* Without watchers that the leader can hear it goes off, by log time, on every node at the same entry; the watcher that was cut off
 * meanwhile is told, and the next one begins anew. */
TEST(a_watcher_is_told_that_the_feed_was_off)
{
    if (!http_is_built) {
        CHECK(!http_is_built);
        return;
    }
    struct feed_rig *f = feed_rig_new();
    write_numbers(f, 0, 5);
    rig_run(f->rig, 200);
    cut_off(f);
    rig_disconnect(&f->witness);
    rig_run(f->rig, LIMIT_CHANGES_IDLE_MS + 2000);
    write_numbers(f, 5, 7); /* an entry carries the time */
    CHECK(!changes_are_on(keyspace_on(f, f->leader)));
    CHECK(changes_are_on(keyspace_on(f, f->lagging)));
    rig_isolate(f->rig, f->lagging, false);
    REQUIRE(rig_until(f->rig, have_all_applied, 20000));
    rig_collect(f->rig);
    check_numbers(f->before.text, 0, 5);
    CHECK_CONTAINS(f->before.text, "event: compacted\ndata: {\"error\":\"compacted\",\"first\":");
    watch(f, f->leader, "?prefix=n", "", &f->witness);
    CHECK_CONTAINS(f->witness.text, "HTTP/1.1 200 OK\r\n");
    CHECK(changes_are_on(keyspace_on(f, f->leader)));
    write_numbers(f, 7, 9);
    rig_run(f->rig, 500);
    rig_collect(f->rig);
    check_numbers(f->witness.text, 7, 9);
    CHECK_EQ_UINT(keyspace_digest(keyspace_on(f, f->lagging)), keyspace_digest(keyspace_on(f, f->leader)));
    feed_rig_free(f);
}

/* --- as a stream --- */

/* "$6\r\n12-0..\r\n" and the fields of SET key value, of a key that was not there. */
static const char *stream_entry(raft_index index, const char *key, const char *value)
{
    static char text[256];
    char id[32];
    int n = snprintf(id, sizeof id, "%llu-0", (unsigned long long)index);
    snprintf(text, sizeof text, "*2\r\n$%d\r\n%s\r\n*8\r\n$5\r\nevent\r\n$3\r\nset\r\n$3\r\nkey\r\n$%zu\r\n%s\r\n$5\r\nvalue\r\n$%zu\r\n%s\r\n$2\r\ndb\r\n$1\r\n0\r\n",
             n, id, strlen(key), key, strlen(value), value);
    return text;
}

static void check_xread(const char *said, const char *head, raft_index index, const char *key, const char *value)
{
    char want[512];
    snprintf(want, sizeof want, "%s$11\r\n__changes__\r\n*1\r\n%s", head, stream_entry(index, key, value));
    CHECK_EQ_STR(said, want);
}

/* Waiting, on a follower: the reader itself switches the feed on, and gets what comes after it began to wait. */
TEST(a_redis_client_waits_for_changes)
{
    struct rig *r = rig_new(3, "n1:7000,n2:7000,n3:7000");
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    struct feed_rig f = {.rig = r, .leader = rig_leader(r), .lagging = (rig_leader(r) + 1) % 3};
    struct rig_client *reader = calloc(2, sizeof *reader);
    REQUIRE(reader != NULL);
    rig_connect(r, f.leader, &f.writer);
    rig_connect(r, f.lagging, &reader[0]);
    rig_connect(r, f.leader, &reader[1]);
    CHECK(!changes_are_on(keyspace_on(&f, f.lagging)));
    rig_say(&reader[0], "XREAD BLOCK 0 STREAMS __changes__ $\r\n");
    rig_run(r, 500);
    rig_collect(r);
    CHECK_EQ_STR(reader[0].text, "");
    CHECK(changes_are_on(keyspace_on(&f, f.leader)));
    CHECK_EQ_STR(rig_ask(&f.writer, "SET a 1\r\n", 5000), "+OK\r\n");
    rig_run(r, 200);
    rig_collect(r);
    raft_index first = last_change_on(&f, f.lagging);
    check_xread(reader[0].text, "*1\r\n*2\r\n", first, "a", "1");
    /* Nothing new within the time; then what is behind the id, at once, in RESP3. */
    char text[128];
    snprintf(text, sizeof text, "XREAD BLOCK 50 STREAMS __changes__ %llu-0\r\n", (unsigned long long)first);
    CHECK_EQ_STR(rig_ask(&reader[0], text, 1000), "*-1\r\n");
    CHECK_EQ_STR(rig_ask(&f.writer, "MSET b 2 c 3\r\n", 5000), "+OK\r\n");
    rig_run(r, 200);
    CHECK(strstr(rig_ask(&reader[0], "HELLO 3\r\n", 1000), "proto") != NULL);
    snprintf(text, sizeof text, "XREAD COUNT 1 BLOCK 0 STREAMS __changes__ %llu\r\n", (unsigned long long)first);
    check_xread(rig_ask(&reader[0], text, 1000), "%1\r\n", last_change_on(&f, f.lagging), "b", "2");
    /* The same on another node, by every command that reads a stream. */
    CHECK_EQ_STR(rig_ask(&reader[1], "XLEN __changes__\r\n", 2000), ":3\r\n");
    snprintf(text, sizeof text, "*1\r\n%s", stream_entry(first, "a", "1"));
    CHECK_EQ_STR(rig_ask(&reader[1], "XRANGE __changes__ - + COUNT 1\r\n", 2000), text);
    CHECK(strstr(rig_ask(&reader[1], "XREVRANGE __changes__ + - COUNT 1\r\n", 2000), "$1\r\nc\r\n") != NULL);
    snprintf(text, sizeof text, "XRANGE __changes__ (%llu-0 + COUNT 5\r\n", (unsigned long long)first);
    CHECK_EQ_BYTES(rig_ask(&reader[1], text, 2000), 4, "*2\r\n", 4);
    snprintf(text, sizeof text, "$17\r\nlast-generated-id\r\n$%d\r\n%llu-1\r\n", snprintf(NULL, 0, "%llu-1", (unsigned long long)last_change_on(&f, f.leader)),
             (unsigned long long)last_change_on(&f, f.leader));
    CHECK_CONTAINS(rig_ask(&reader[1], "XINFO STREAM __changes__\r\n", 2000), text);
    CHECK_EQ_BYTES(rig_ask(&reader[1], "XREAD STREAMS __changes__ 0\r\n", 2000), 11, "-COMPACTED ", 11);
    for (int i = 0; i < 2; i++)
        rig_disconnect(&reader[i]);
    free(reader);
    rig_disconnect(&f.writer);
    rig_free(r);
}

TEST_MAIN()
