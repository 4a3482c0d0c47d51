#include "observers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "client_internal.h"
#include "feed_chain.h"

/* Clients that are told things. Subscribers and publishers share one channel; watchers read /v1/watch as Server-Sent Events and go on elsewhere from
 * the last id they were shown. All of them hang up now and then, and lose their node like everybody.
 *
 * U1  A subscriber gets a message at most once, and none that was not published.
 * U2  Messages of one publisher's connection come in the order in which they were published. (Some may be missing: it is at most once.)
 * U3  PUBLISH counts no more subscribers than there were while it was under way.
 * W1  A watcher is shown changes in order, each once, also across reconnections; every watcher the same at the same place.
 * W2  Behind one change every watcher is shown the same next one: who is not has a gap, unless it was told so (compacted, slow, 410).
 * W3  At the end, the newest change of a register that anyone was shown holds what is there. */

enum { SUBSCRIBERS = 2, PUBLISHERS = 2, WATCHERS = 3, OBSERVERS = SUBSCRIBERS + PUBLISHERS + WATCHERS, REGISTERS = 8 };
#define STEP_US 30000
#define IDLE_US 3000000 /* a publisher that gets no answer hangs up */

enum observer_kind { SUBSCRIBER, PUBLISHER, WATCHER };

struct observer {
    enum observer_kind kind;
    struct sim_client *client; /* NULL: not connected */
    uint64_t said_us;
    bool is_waiting;           /* PUBLISHER: for a count */
    uint32_t publisher;        /* PUBLISHER: the number of this connection */
    uint64_t dialled;          /* PUBLISHER: subscribers' connections ever, when it published */
    uint32_t *heard;           /* SUBSCRIBER: the newest message of each publisher's connection, on this connection */
    uint32_t heard_count;
    bool has_head;             /* WATCHER: the response's head was read */
    struct feed_place last;    /* WATCHER: index 0: begins anew */
};

struct observers {
    struct observer item[OBSERVERS];
    struct feed_chain *chain;
    uint32_t *published; /* messages, of each publisher's connection */
    uint32_t publisher_count;
    uint64_t dialled; /* subscribers' connections, ever */
    struct feed_place newest[REGISTERS]; /* change of r<i> that was shown, and its value */
    uint64_t value[REGISTERS];
};

static void observer_step(struct world *w, void *ctx, uint64_t number, uint64_t b);

static void hang_up(struct observer *o)
{
    if (o->client)
        manual_close(o->client);
    o->client = NULL;
    o->is_waiting = false;
    o->has_head = false;
    mem_free(o->heard);
    o->heard = NULL;
    o->heard_count = 0;
}

static void say(struct sim *s, struct observer *o, const char *text)
{
    client_say(o->client, text);
    client_process(o->client->connection);
    host_kick(&s->host[o->client->slot]);
    o->said_us = s->world.now_us;
}

static void dial(struct sim *s, struct observer *o)
{
    struct observers *all = s->observers;
    struct sim_host *h = &s->host[world_below(&s->world, s->plan.host_count)];
    char text[128];
    if (!host_is_running(h) || h->fatal_reason)
        return;
    o->client = manual_open(s, h->slot);
    switch (o->kind) {
    case SUBSCRIBER:
        all->dialled++;
        say(s, o, "SUBSCRIBE news\r\n");
        break;
    case PUBLISHER:
        o->publisher = all->publisher_count++;
        all->published = mem_realloc(all->published, all->publisher_count * sizeof *all->published);
        all->published[o->publisher] = 0;
        say(s, o, "PING\r\n");
        o->is_waiting = true;
        break;
    case WATCHER:
        if (o->last.index != 0) {
            world_count("a watcher resumes");
            snprintf(text, sizeof text, "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %llu-%llu\r\n\r\n", (unsigned long long)o->last.index,
                     (unsigned long long)o->last.part);
        } else {
            snprintf(text, sizeof text, "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        say(s, o, text);
        break;
    }
}

/* --- what they are told --- */

static void on_message(struct sim *s, struct observer *o, struct slice text)
{
    struct observers *all = s->observers;
    char copy[32];
    unsigned publisher;
    unsigned number;
    snprintf(copy, sizeof copy, "%.*s", (int)(text.n < 31 ? text.n : 31), (const char *)text.p);
    if (sscanf(copy, "%u:%u", &publisher, &number) != 2 || publisher >= all->publisher_count || number == 0 || number > all->published[publisher]) {
        world_fail(&s->world, "U1 a subscriber got %s, which nobody published", copy);
        return;
    }
    if (publisher >= o->heard_count) {
        uint32_t count = publisher + 16;
        o->heard = mem_realloc(o->heard, count * sizeof *o->heard);
        memset(o->heard + o->heard_count, 0, (count - o->heard_count) * sizeof *o->heard);
        o->heard_count = count;
    }
    if (number <= o->heard[publisher])
        world_fail(&s->world, "%s a subscriber got message %u of publisher %u behind %u", number == o->heard[publisher] ? "U1" : "U2", number, publisher,
                   o->heard[publisher]);
    world_count("a subscriber got a message");
    o->heard[publisher] = number;
}

static void read_resp(struct sim *s, struct observer *o)
{
    struct sim_client *c = o->client;
    struct resp_value *v;
    size_t consumed;
    while (!s->world.failure && resp_value_next(&c->reader, buf_slice(&c->input), &v, &consumed) == PARSE_OK) {
        if (o->kind == SUBSCRIBER && v->type == RESP_ARRAY && v->child_count == 3 && slice_equal(v->child[0].text, SLICE_LITERAL("message")))
            on_message(s, o, v->child[2].text);
        if (o->kind == PUBLISHER && v->type == RESP_INTEGER && v->integer > SUBSCRIBERS + (int64_t)(s->observers->dialled - o->dialled))
            world_fail(&s->world, "U3 a message is said to have reached %lld subscribers", (long long)v->integer);
        if (o->kind == PUBLISHER && v->type == RESP_INTEGER)
            world_count(v->integer > 0 ? "a message was counted" : "a message had no subscriber");
        o->is_waiting = false;
        resp_value_free(v);
        buf_consume(&c->input, consumed);
        memset(&c->reader, 0, sizeof c->reader);
    }
}

/* {"key":"r3","value":"17","old":...: what W3 compares. */
static void note_register(struct observers *all, struct feed_place at, const char *json)
{
    unsigned key;
    unsigned long long value = 0;
    if (sscanf(json, "{\"key\":\"r%u\",\"value\":\"%llu\"", &key, &value) < 1 || key >= REGISTERS)
        return;
    struct feed_place *newest = &all->newest[key];
    if (at.index > newest->index || (at.index == newest->index && at.part >= newest->part)) {
        *newest = at;
        all->value[key] = value;
    }
}

/* A block of lines. False: the stream ends with it. */
static bool on_event(struct sim *s, struct observer *o, struct slice block)
{
    char line[512];
    unsigned long long index;
    unsigned long long part;
    if (block.n == 0 || block.p[0] == ':')
        return true;
    snprintf(line, sizeof line, "%.*s", (int)(block.n < sizeof line - 1 ? block.n : sizeof line - 1), (const char *)block.p);
    if (strncmp(line, "event: compacted", 16) == 0 || strncmp(line, "event: slow", 11) == 0) {
        world_count("a watcher is told that it misses something");
        if (line[7] == 'c')
            o->last.index = 0;
        return false;
    }
    const char *data = strstr(line, "\ndata: ");
    if (sscanf(line, "id: %llu-%llu", &index, &part) != 2)
        return true; /* retry: and the like */
    struct feed_place at = {index, part};
    if (!data) { /* where it begins, with nothing there */
        o->last = at;
        return true;
    }
    world_count("a watcher was shown a change");
    feed_chain_add(s->observers->chain, o->last, at, block);
    note_register(s->observers, at, data + 7);
    o->last = at;
    return true;
}

static size_t find_text(struct slice s, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= s.n; i++) {
        if (memcmp(s.p + i, text, n) == 0)
            return i + n;
    }
    return 0;
}

static void read_feed(struct sim *s, struct observer *o)
{
    struct buf *input = &o->client->input;
    size_t n;
    if (!o->has_head) {
        struct slice head = buf_slice(input);
        n = find_text(head, "\r\n\r\n");
        if (n == 0)
            return;
        if (head.n < 12 || memcmp(head.p, "HTTP/1.1 200", 12) != 0) {
            if (head.n >= 12 && memcmp(head.p, "HTTP/1.1 410", 12) == 0) {
                world_count("a watcher is told that it misses something");
                o->last.index = 0;
            }
            hang_up(o);
            return;
        }
        o->has_head = true;
        buf_consume(input, n);
    }
    while (!s->world.failure && (n = find_text(buf_slice(input), "\n\n")) > 0) {
        bool goes_on = on_event(s, o, (struct slice){buf_slice(input).p, n});
        buf_consume(input, n);
        if (!goes_on) {
            hang_up(o);
            return;
        }
    }
}

/* --- what they do --- */

static void publish(struct sim *s, struct observer *o)
{
    char text[96];
    if (o->is_waiting) {
        if (s->world.now_us > o->said_us + IDLE_US)
            hang_up(o);
        return;
    }
    snprintf(text, sizeof text, "PUBLISH news %u:%u\r\n", o->publisher, ++s->observers->published[o->publisher]);
    o->is_waiting = true;
    o->dialled = s->observers->dialled;
    say(s, o, text);
}

static void observer_work(struct sim *s, struct observer *o)
{
    if (!o->client) {
        dial(s, o);
        return;
    }
    struct sim_host *h = &s->host[o->client->slot];
    if (!host_is_running(h) || h->fatal_reason)
        return;
    enum client_state state = client_process(o->client->connection);
    if (o->kind == WATCHER)
        read_feed(s, o);
    else
        read_resp(s, o);
    if (!o->client)
        return;
    if (state == CLIENT_CLOSE || state == CLIENT_CLOSE_NOW || world_chance(&s->world, s->is_quiet ? 0 : 5000))
        hang_up(o);
    else if (o->kind == PUBLISHER && !s->is_quiet)
        publish(s, o);
}

static void observer_step(struct world *w, void *ctx, uint64_t number, uint64_t b)
{
    struct sim *s = ctx;
    (void)b;
    if (!s->observers)
        return;
    observer_work(s, &s->observers->item[number]);
    world_at(w, world_exponential(w, STEP_US), observer_step, s, number, 0);
}

/* W3. */
static void check_register(struct sim *s, uint32_t key)
{
    struct sim_client *c = manual_open(s, 0);
    struct resp_value *v = NULL;
    size_t consumed;
    char line[32];
    uint64_t value = 0;
    snprintf(line, sizeof line, "GET r%u", key);
    manual_say(c, line);
    for (int i = 0; i < 10000 && !v && !s->world.failure; i++) {
        sim_run(s, 500);
        if (manual_output(c).n > 0 && resp_value_next(&c->reader, manual_output(c), &v, &consumed) != PARSE_OK)
            v = NULL;
    }
    if (!v || (v->type != RESP_BULK && v->type != RESP_NULL))
        world_fail(&s->world, "L3 %s was not answered at the end", line);
    else if ((v->type == RESP_BULK && !number_parse_u64(v->text, &value)) || value != s->observers->value[key])
        world_fail(&s->world, "W3 r%u holds %llu at the end, and the newest change that was shown, %llu-%llu, made it %llu", key, (unsigned long long)value,
                   (unsigned long long)s->observers->newest[key].index, (unsigned long long)s->observers->newest[key].part,
                   (unsigned long long)s->observers->value[key]);
    resp_value_free(v);
    manual_close(c);
}

void observers_finish(struct sim *s)
{
    struct observers *all = s->observers;
    if (!all)
        return;
    sim_run(s, 2000000); /* who is connected catches up, who is not connects */
    bool has_watcher = false;
    for (int i = 0; i < OBSERVERS; i++)
        has_watcher = has_watcher || (all->item[i].kind == WATCHER && all->item[i].client && all->item[i].has_head && all->item[i].last.index != 0);
    for (uint32_t k = 0; has_watcher && k < s->plan.key_count && k < REGISTERS && !s->world.failure; k++) {
        if (all->newest[k].index != 0)
            check_register(s, k);
    }
}

void observers_host_died(struct sim *s, uint32_t slot)
{
    for (int i = 0; s->observers && i < OBSERVERS; i++) {
        if (s->observers->item[i].client && s->observers->item[i].client->slot == slot)
            hang_up(&s->observers->item[i]);
    }
}

void observers_start(struct sim *s)
{
    if (!s->plan.has_observers)
        return;
    s->observers = mem_alloc_zero(sizeof *s->observers);
    s->observers->chain = feed_chain_new(&s->world);
    for (uint32_t i = 0; i < OBSERVERS; i++) {
        s->observers->item[i].kind = i < SUBSCRIBERS ? SUBSCRIBER : i < SUBSCRIBERS + PUBLISHERS ? PUBLISHER : WATCHER;
        world_at(&s->world, world_between(&s->world, 1000, 500000), observer_step, s, i, 0);
    }
}

void observers_free(struct sim *s)
{
    if (!s->observers)
        return;
    for (int i = 0; i < OBSERVERS; i++)
        hang_up(&s->observers->item[i]);
    feed_chain_free(s->observers->chain);
    mem_free(s->observers->published);
    mem_free(s->observers);
    s->observers = NULL;
}
