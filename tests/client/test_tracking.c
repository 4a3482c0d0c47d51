/* Client side caching: who is told, when, and in which place among the replies. */
#include "tests/client/fake_node.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static struct client *client3(struct node *n)
{
    struct client *c = fake_client(n);
    fake_feed(c, "HELLO 3\r\n");
    fake_output(c);
    return c;
}

/* Runs requests to their end, then what an iteration does. */
static const char *ask(struct node *n, struct client *c, const char *text)
{
    size_t before = n->count;
    fake_feed(c, text);
    for (; before < n->count; before++) {
        fake_decide(n, before);
    }
    fake_poll(n);
    return fake_output(c);
}

#define INVALIDATE_K ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
#define INVALIDATE_ALL ">2\r\n$10\r\ninvalidate\r\n_\r\n"

TEST(a_change_tells_who_read_once)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKING ON\r\n"), "+OK\r\n");
    ask(n, w, "SET k 1\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    CHECK_EQ_STR(ask(n, a, "GET k\r\n"), "$1\r\n1\r\n");
    ask(n, w, "SET j 1\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    ask(n, w, "SET k 2\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    ask(n, w, "SET k 3\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    /* Its own change, behind the reply; a deleted key; an absent one that comes. */
    CHECK_EQ_STR(ask(n, a, "GET k\r\nSET k 4\r\n"), "$1\r\n3\r\n+OK\r\n" INVALIDATE_K);
    ask(n, a, "GET k\r\n");
    ask(n, w, "DEL k\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    CHECK_EQ_STR(ask(n, a, "GET k\r\n"), "_\r\n");
    ask(n, w, "SET k 5\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    client_close(a);
    client_close(w);
    fake_free(n);
}

/* I2: the read's reply waits behind a write that is not decided; the change of what it read must not overtake it. */
TEST(an_invalidation_never_overtakes_the_value_it_takes_back)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    ask(n, a, "CLIENT TRACKING ON\r\n");
    ask(n, w, "SET k 1\r\n");
    n->has_others = true;
    size_t first = n->count;
    fake_feed(a, "PUBLISH x y\r\nGET k\r\n");
    fake_decide(n, first); /* the GET, while PUBLISH waits for other nodes */
    ask(n, w, "SET k 2\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    fake_tell_counts(n, 0);
    CHECK_EQ_STR(fake_output(a), ":0\r\n$1\r\n1\r\n" INVALIDATE_K);
    /* An EXEC that reads and then writes the key; and one whose reply waits for a count. */
    CHECK_EQ_STR(ask(n, a, "MULTI\r\nGET k\r\nSET k 3\r\nEXEC\r\n"),
                 "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\n2\r\n+OK\r\n" INVALIDATE_K);
    ask(n, a, "MULTI\r\nGET k\r\nPUBLISH x y\r\nEXEC\r\n");
    ask(n, w, "SET k 4\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    fake_tell_counts(n, 0);
    CHECK_EQ_STR(fake_output(a), "*2\r\n$1\r\n3\r\n:0\r\n" INVALIDATE_K);
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST(noloop_optin_and_optout)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    ask(n, a, "CLIENT TRACKING ON NOLOOP\r\n");
    ask(n, a, "GET k\r\n");
    CHECK_EQ_STR(ask(n, a, "SET k 1\r\n"), "+OK\r\n");
    ask(n, a, "CLIENT TRACKING OFF\r\n");
    ask(n, a, "CLIENT TRACKING ON OPTIN\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT CACHING NO\r\n"), "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n");
    ask(n, a, "GET k\r\n");
    ask(n, w, "SET k 2\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    CHECK_EQ_STR(ask(n, a, "CLIENT CACHING YES\r\nGET k\r\nGET j\r\n"), "+OK\r\n$1\r\n2\r\n_\r\n");
    ask(n, w, "SET k 3\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    ask(n, w, "SET j 3\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    ask(n, a, "CLIENT CACHING YES\r\nMULTI\r\nGET k\r\nGET j\r\nEXEC\r\n");
    ask(n, w, "SET k 3\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    ask(n, a, "CLIENT TRACKING OFF\r\nCLIENT TRACKING ON OPTOUT\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT CACHING NO\r\nGET k\r\n"), "+OK\r\n$1\r\n3\r\n");
    ask(n, w, "SET k 4\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    ask(n, a, "GET k\r\n");
    ask(n, w, "SET k 5\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_K);
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST(broadcasts_by_prefix)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *b = client3(n);
    struct client *w = fake_client(n);
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKING ON BCAST PREFIX x: PREFIX x\r\n"),
                 "-ERR Prefix 'x:' overlaps with another provided prefix 'x'. Prefixes for a single client must not overlap.\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKING ON BCAST PREFIX x PREFIX y\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(n, b, "CLIENT TRACKING ON BCAST NOLOOP\r\n"), "+OK\r\n");
    ask(n, w, "MSET x1 1 z 1 x1 2 y 3\r\n");
    CHECK_EQ_STR(fake_output(b), ">2\r\n$10\r\ninvalidate\r\n*3\r\n$2\r\nx1\r\n$1\r\nz\r\n$1\r\ny\r\n");
    const char *both = fake_output(a);
    CHECK_CONTAINS(both, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nx1\r\n");
    CHECK_CONTAINS(both, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\ny\r\n");
    CHECK_EQ_STR(ask(n, b, "SET q 1\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKINGINFO\r\n"),
                 "%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*2\r\n$1\r\nx\r\n"
                 "$1\r\ny\r\n");
    CHECK_CONTAINS(ask(n, a, "CLIENT TRACKING ON\r\n"), "-ERR You can't switch BCAST mode");
    ask(n, a, "RESET\r\n");
    ask(n, w, "SET x1 1\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    client_close(a);
    client_close(b);
    client_close(w);
    fake_free(n);
}

TEST(redirecting_to_another_connection)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    struct client *to = fake_client(n);
    struct client *w = fake_client(n);
    ask(n, to, "SUBSCRIBE __redis__:invalidate\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKING ON REDIRECT 99\r\n"), "-ERR The client ID you want redirect to does not exist\r\n");
    CHECK_EQ_STR(ask(n, a, "CLIENT TRACKING ON REDIRECT 2\r\nCLIENT GETREDIR\r\n"), "+OK\r\n:2\r\n");
    ask(n, a, "GET k\r\n");
    ask(n, w, "SET k 1\r\n");
    CHECK_EQ_STR(fake_output(to), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
    ask(n, w, "FLUSHALL\r\n");
    CHECK_EQ_STR(fake_output(to), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
    ask(n, a, "HELLO 3\r\nGET k\r\n");
    client_close(to);
    ask(n, w, "SET k 1\r\n");
    CHECK_EQ_STR(fake_output(a), ">2\r\n$21\r\ntracking-redir-broken\r\n:2\r\n");
    CHECK_CONTAINS(ask(n, a, "CLIENT TRACKINGINFO\r\n"), "broken_redirect");
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST(the_table_of_keys_is_bounded_and_forgets_aloud)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    n->options.tracking_table_max_keys = 10;
    ask(n, a, "CLIENT TRACKING ON\r\n");
    size_t told = 0;
    for (int i = 0; i < 100; i++) {
        char text[40];
        snprintf(text, sizeof text, "GET key%d\r\n", i);
        const char *answer = ask(n, a, text);
        CHECK_CONTAINS(answer, "_\r\n");
        CHECK_EQ_INT(answer[0], '_');
        told += strstr(answer, "invalidate") ? 1 : 0;
    }
    CHECK_EQ_UINT(told, 90);
    fake_feed(a, "INFO stats\r\n");
    CHECK_CONTAINS(fake_output(a), "tracking_total_keys:10\r\ntracking_total_items:10\r\n");
    n->options.tracking_table_max_keys = 4; /* a limit that is lowered takes effect without another read */
    fake_poll(n);
    told = 0;
    for (const char *at = fake_output(a); (at = strstr(at, "invalidate")); at++) {
        told++;
    }
    CHECK_EQ_UINT(told, 6);
    client_close(a);
    fake_free(n);
}

TEST(keys_that_a_number_counts_are_tracked)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    ask(n, a, "CLIENT TRACKING ON\r\n");
    ask(n, a, "ZUNION 2 za zb\r\n");
    ask(n, w, "ZADD zb 1 m\r\n");
    CHECK_CONTAINS(fake_output(a), "invalidate\r\n*1\r\n$2\r\nzb\r\n");
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST(who_stops_and_starts_again_has_nothing_left_to_hear_of)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    ask(n, a, "CLIENT TRACKING ON\r\n");
    ask(n, a, "GET k\r\n");
    ask(n, a, "CLIENT TRACKING OFF\r\n");
    CHECK_CONTAINS(ask(n, w, "INFO stats\r\n"), "tracking_total_keys:0\r\n");
    ask(n, w, "SET k 1\r\n");
    ask(n, a, "CLIENT TRACKING ON\r\n");
    ask(n, w, "SET k 2\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST(losing_the_leader_and_flushing_voids_every_cache)
{
    struct node *n = fake_new();
    struct client *a = client3(n);
    struct client *w = fake_client(n);
    ask(n, a, "CLIENT TRACKING ON\r\n");
    ask(n, w, "SET k 1\r\n");
    ask(n, a, "GET k\r\n");
    n->has_leader = false;
    fake_poll(n);
    CHECK_EQ_STR(fake_output(a), INVALIDATE_ALL);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(a), "");
    n->has_leader = true;
    fake_poll(n);
    ask(n, a, "GET k\r\n");
    ask(n, w, "FLUSHALL\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_ALL);
    ask(n, w, "FLUSHDB\r\n"); /* of nothing: Redis tells, too */
    CHECK_EQ_STR(fake_output(a), INVALIDATE_ALL);
    ask(n, w, "SET k 1\r\nSELECT 1\r\nSET k 1\r\nFLUSHALL\r\nSELECT 0\r\n"); /* two databases, one message */
    CHECK_EQ_STR(fake_output(a), INVALIDATE_ALL);
    ask(n, w, "SET k 1\r\nSWAPDB 0 1\r\n");
    CHECK_EQ_STR(fake_output(a), INVALIDATE_ALL);
    client_close(a);
    client_close(w);
    fake_free(n);
}

TEST_MAIN()
