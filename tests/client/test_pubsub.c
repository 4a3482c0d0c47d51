/* Subscribers as a client machine: confirmations, messages, their place among replies, their bounds. */
#include "tests/client/fake_node.h"

#include <stdio.h>
#include <string.h>

#include "node/notify.h"
#include "tests/test.h"

TEST(subscribers_of_two_protocols_get_a_message)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    struct client *b = fake_client(n);
    struct client *p = fake_client(n);
    fake_feed(a, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nx\r\n");
    CHECK_EQ_STR(fake_output(a), "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    fake_feed(b, "HELLO 3\r\n");
    fake_output(b);
    fake_feed(b, "*2\r\n$10\r\nPSUBSCRIBE\r\n$3\r\n[x]\r\n");
    CHECK_EQ_STR(fake_output(b), ">3\r\n$10\r\npsubscribe\r\n$3\r\n[x]\r\n:1\r\n");
    fake_feed(p, "PUBLISH x hi\r\nSPUBLISH x no\r\nPUBSUB NUMSUB x y\r\nPUBSUB NUMPAT\r\n");
    CHECK_EQ_STR(fake_output(p), ":2\r\n:0\r\n*4\r\n$1\r\nx\r\n:1\r\n$1\r\ny\r\n:0\r\n:1\r\n");
    CHECK_EQ_STR(fake_output(a), "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n");
    CHECK_EQ_STR(fake_output(b), ">4\r\n$8\r\npmessage\r\n$3\r\n[x]\r\n$1\r\nx\r\n$2\r\nhi\r\n");
    client_close(a);
    fake_feed(p, "PUBLISH x hi\r\n");
    CHECK_EQ_STR(fake_output(p), ":1\r\n");
    client_close(b);
    fake_feed(p, "PUBLISH x hi\r\nPUBSUB CHANNELS\r\n");
    CHECK_EQ_STR(fake_output(p), ":0\r\n*0\r\n");
    client_close(p);
    fake_free(n);
}

TEST(a_resp2_subscriber_may_send_little)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    fake_feed(a, "SUBSCRIBE x\r\nclient id\r\nPING\r\nPING hi\r\nSUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nPING\r\n");
    CHECK_EQ_STR(fake_output(a),
                 "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"
                 "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
                 "context\r\n"
                 "*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$2\r\nhi\r\n"
                 "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n"
                 "*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n+PONG\r\n");
    client_close(a);
    fake_free(n);
}

TEST(reset_ends_subscriptions)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    struct client *p = fake_client(n);
    fake_feed(a, "SUBSCRIBE x\r\nPSUBSCRIBE y*\r\nSSUBSCRIBE z\r\nRESET\r\nPING\r\n");
    CHECK_CONTAINS(fake_output(a), "+RESET\r\n+PONG\r\n");
    fake_feed(p, "PUBLISH x 1\r\nPUBLISH y 1\r\nSPUBLISH z 1\r\n");
    CHECK_EQ_STR(fake_output(p), ":0\r\n:0\r\n:0\r\n");
    client_close(a);
    client_close(p);
    fake_free(n);
}

/* S5: a confirmation and the messages behind it never come before replies that were asked for earlier. */
TEST(subscribing_waits_for_the_replies_in_front_of_it)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    struct client *p = fake_client(n);
    fake_feed(a, "HELLO 3\r\n");
    fake_output(a);
    fake_feed(a, "SET k v\r\nSUBSCRIBE x\r\nPING\r\n");
    fake_feed(p, "PUBLISH x 1\r\n");
    CHECK_EQ_STR(fake_output(p), ":0\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    fake_decide_all(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(a), "+OK\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n+PONG\r\n");
    /* A message finds the output's end while a write is under way, but not the middle of replies that wait behind it. */
    fake_feed(a, "SET k w\r\n");
    fake_feed(p, "PUBLISH x 2\r\n");
    CHECK_EQ_STR(fake_output(a), ">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n2\r\n");
    fake_feed(a, "PING\r\n");
    fake_feed(p, "PUBLISH x 3\r\n");
    CHECK_EQ_STR(fake_output(a), "");
    fake_decide_all(n);
    CHECK_EQ_STR(fake_output(a), "+OK\r\n+PONG\r\n>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n3\r\n");
    client_close(a);
    client_close(p);
    fake_free(n);
}

TEST(a_count_from_other_nodes_takes_its_place)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    n->has_others = true;
    fake_feed(a, "HELLO 3\r\n");
    fake_output(a);
    fake_feed(a, "SUBSCRIBE x\r\nPUBLISH x hi\r\nPING\r\nPUBLISH y ho\r\n");
    CHECK_EQ_STR(fake_output(a), ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n");
    fake_tell_counts(n, 4);
    CHECK_EQ_STR(fake_output(a), ":5\r\n+PONG\r\n:4\r\n");
    /* In a transaction, alone and with data; its own message comes behind the reply. */
    fake_feed(a, "MULTI\r\nPING\r\nPUBLISH x 1\r\nPUBLISH y 2\r\nPING\r\nEXEC\r\n");
    CHECK_EQ_STR(fake_output(a), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    fake_tell_counts(n, 1);
    CHECK_EQ_STR(fake_output(a), "*4\r\n+PONG\r\n:2\r\n:1\r\n+PONG\r\n>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n");
    fake_feed(a, "MULTI\r\nSET k 1\r\nPUBLISH y 2\r\nGET k\r\nEXEC\r\nPING\r\n");
    fake_output(a);
    fake_decide_all(n);
    fake_poll(n);
    CHECK_EQ_STR(fake_output(a), "");
    fake_tell_counts(n, 7);
    CHECK_EQ_STR(fake_output(a), "*3\r\n+OK\r\n:7\r\n$1\r\n1\r\n+PONG\r\n");
    /* The count comes when the client has gone. */
    fake_feed(a, "PUBLISH x 1\r\nMULTI\r\nPUBLISH x 1\r\nEXEC\r\n");
    client_close(a);
    fake_tell_counts(n, 1);
    fake_free(n);
}

TEST(a_subscriber_that_does_not_read_is_closed_and_nobody_else)
{
    struct node *n = fake_new();
    struct client *slow = fake_client(n);
    struct client *fast = fake_client(n);
    struct client *p = fake_client(n);
    char text[3000];
    n->options.client_output_limit_pubsub = 65536;
    snprintf(text, sizeof text, "PUBLISH x %02000d\r\n", 7);
    fake_feed(slow, "SUBSCRIBE x\r\n");
    fake_feed(fast, "SUBSCRIBE x\r\n");
    for (int i = 0; i < 100; i++) {
        fake_feed(p, text);
        fake_output(fast);
    }
    CHECK_EQ_INT(client_get_state(slow), CLIENT_CLOSE_NOW);
    CHECK(client_output(slow).n < 65536 + 3000);
    CHECK_EQ_INT(client_get_state(fast), CLIENT_READ);
    CHECK_EQ_INT(client_get_state(p), CLIENT_READ);
    client_close(slow);
    client_close(fast);
    client_close(p);
    fake_free(n);
}

TEST(client_reply_off_does_not_silence_messages)
{
    struct node *n = fake_new();
    struct client *a = fake_client(n);
    fake_feed(a, "HELLO 3\r\n");
    fake_output(a);
    fake_feed(a, "CLIENT REPLY OFF\r\nSUBSCRIBE x\r\nPUBLISH x 1\r\nPING\r\n");
    CHECK_EQ_STR(fake_output(a), ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n");
    client_close(a);
    fake_free(n);
}

/* Runs a write to its end. */
static void write_now(struct node *n, struct client *w, const char *text)
{
    size_t before = n->count;
    fake_feed(w, text);
    REQUIRE(n->count > before);
    for (; before < n->count; before++) {
        fake_decide(n, before);
    }
    fake_output(w);
}

static void set_events(struct node *n, struct client *w, const char *letters, const char *shown)
{
    char text[200];
    (void)n;
    snprintf(text, sizeof text, "CONFIG SET notify-keyspace-events \"%s\"\r\n", letters);
    fake_feed(w, text);
    CHECK_EQ_STR(fake_output(w), "+OK\r\n");
    fake_feed(w, "CONFIG GET notify-keyspace-events\r\n");
    snprintf(text, sizeof text, "$%zu\r\n%s\r\n", strlen(shown), shown);
    CHECK_CONTAINS(fake_output(w), text);
}

#define KEYSPACE(key, size, event, event_size) \
    "*4\r\n$8\r\npmessage\r\n$3\r\n__*\r\n$" size "\r\n__keyspace@0__:" key "\r\n$" event_size "\r\n" event "\r\n"
#define KEYEVENT(event, size, key, key_size) \
    "*4\r\n$8\r\npmessage\r\n$3\r\n__*\r\n$" size "\r\n__keyevent@0__:" event "\r\n$" key_size "\r\n" key "\r\n"

TEST(changes_are_told_by_class)
{
    struct node *n = fake_new();
    struct client *w = fake_client(n);
    struct client *s = fake_client(n);
    fake_feed(s, "PSUBSCRIBE __*\r\n");
    fake_output(s);
    write_now(n, w, "SET k v\r\n");
    CHECK_EQ_STR(fake_output(s), "");
    set_events(n, w, "KEA", "AKE");
    write_now(n, w, "SET k v\r\n");
    CHECK_EQ_STR(fake_output(s), KEYSPACE("k", "16", "set", "3") KEYEVENT("set", "18", "k", "1"));
    write_now(n, w, "SET n v\r\n"); /* A has no n */
    CHECK_EQ_STR(fake_output(s), KEYSPACE("n", "16", "set", "3") KEYEVENT("set", "18", "n", "1"));
    set_events(n, w, "En$", "$nE");
    write_now(n, w, "SET z v\r\n");
    CHECK_EQ_STR(fake_output(s), KEYEVENT("new", "18", "z", "1") KEYEVENT("set", "18", "z", "1"));
    set_events(n, w, "gK", "gK");
    write_now(n, w, "APPEND z v\r\nRENAME z y\r\nEXPIRE y 10000\r\nDEL y\r\n");
    CHECK_EQ_STR(fake_output(s), KEYSPACE("z", "16", "rename_from", "11") KEYSPACE("y", "16", "rename_to", "9")
                                     KEYSPACE("y", "16", "expire", "6") KEYSPACE("y", "16", "del", "3"));
    set_events(n, w, "l", "l");
    set_events(n, w, "", "");
    n->changes.is_history = true;
    set_events(n, w, "KEA", "AKE");
    write_now(n, w, "SET k v\r\n");
    CHECK_EQ_STR(fake_output(s), "");
    fake_feed(w, "CONFIG SET notify-keyspace-events KQ\r\n");
    CHECK_CONTAINS(fake_output(w), "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    CHECK_EQ_INT(n->options.notify_keyspace_events, NOTIFY_ALL | NOTIFY_KEYSPACE | NOTIFY_KEYEVENT);
    client_close(s);
    client_close(w);
    fake_free(n);
}

TEST_MAIN()
