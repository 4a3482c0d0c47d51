#include "node/watch.h"

#include <string.h>

#include "http/api.h"
#include "keyspace/changes.h"
#include "keyspace/value.h"
#include "node/watch_internal.h"

/* How changes reach watchers.
 *
 *   history (state) --watches_pump, once per iteration--> rings of frames, one per form --client_output--> sockets
 *
 * W1  A frame is made once for all watchers of its form (without a prefix); they send from the ring itself, each from its own
 *     offset. A watcher costs no copy and no memory but for what the others have sent already.
 * W2  A ring is bounded. Who falls off its end is closed with 1013, after the rest of the frame it was in the middle of: what it got
 *     is whole, and it knows where to go on (from=). What was made since the last round is nobody's fault: only who has left
 *     something of an earlier one is slow, however long one entry's frames are.
 * W3  A watcher begins at (index, part), takes the history in bounded pieces until it has caught up, then the ring. It gets every
 *     change once and in order; where the history doesn't hold what it needs it is told `compacted`, never given a gap.
 * W4  Control frames (ping, close) go between frames only.
 * W5  With a prefix or a database of its own a watcher gets copies of the frames it wants, bounded likewise.
 * W6  Many watchers are told in rounds: a round begins a while after the one before, the longer the more they are, so that one system call
 *     carries the news of many entries; and it goes on in pieces of TELL_AT_ONCE, so that no turn of the loop is a long one. */

#define FILL_BYTES 262144u          /* of history, encoded at once for one watcher */
#define FILTERED_BYTES_MAX 1048576u /* unsent of one filtered watcher */
#define PING_US 30000000u
#define SILENCE_US 90000000u        /* no pong, no byte: gone */
#define GATHER_ABOVE 8u             /* watchers; fewer are told at once */
#define GATHER_US_EACH 40u          /* between two rounds, per watcher: several times what a system call takes */
#define GATHER_US_MAX 100000u
#define TELL_AT_ONCE 128u           /* watchers in one turn of the loop */
#define CLOSE_US 10000000u          /* a closing connection that isn't read */

void watches_init(struct watches *w)
{
    *w = (struct watches){0};
    list_init(&w->all);
    list_init(&w->live);
}

void watches_deinit(struct watches *w)
{
    for (size_t i = 0; i < FEED_FORMS; i++) {
        buf_deinit(&w->ring[i].bytes);
    }
}

const struct watches *watches_of(const struct clients *cs)
{
    return &cs->watches;
}

bool watches_want_feed(const struct clients *cs)
{
    return cs->watches.count + cs->watches.readers > 0;
}

void watches_add_reader(struct clients *cs, int change)
{
    cs->watches.readers = (size_t)((int64_t)cs->watches.readers + change);
}

static uint64_t ring_end(const struct watch_ring *ring)
{
    return ring->base + buf_size(&ring->bytes);
}

static struct watch_ring *ring_of(const struct watcher *w)
{
    return &w->client->clients->watches.ring[w->form];
}

static bool uses_ring(const struct watcher *w)
{
    return w->is_started && w->is_caught_up && !w->is_filtered && !w->is_live;
}

/* --- ending ---------------------------------------------------------------------------------------- */

void watch_close(struct client *c)
{
    struct watcher *w = c->watcher;

    if (!w) {
        return;
    }
    struct watches *all = &c->clients->watches;
    if (uses_ring(w)) {
        ring_of(w)->users--;
    }
    if (w->is_started && !w->is_live) {
        all->count--;
        all->filtered -= w->is_filtered;
    }
    list_remove(&w->in_watches);
    slice_replace(&w->prefix, (struct slice){0});
    ws_reader_free(w->reader);
    mem_free(w);
    c->watcher = NULL;
}

/* Bytes that are no part of the feed's order, between two frames (W4). */
static void append_between(struct watcher *w, struct slice bytes)
{
    struct client *c = w->client;

    if (uses_ring(w) && w->at > w->boundary) {
        const struct watch_ring *ring = ring_of(w);
        struct slice rest = slice_skip(buf_slice(&ring->bytes), (size_t)(w->boundary - ring->base));
        uint64_t end = w->boundary + feed_frame_size(rest, w->form);

        ASSERT(end > w->at);
        buf_append(&c->output, rest.p + (w->at - w->boundary), (size_t)(end - w->at));
        w->at = w->boundary = end;
    }
    buf_append_slice(&c->output, bytes);
    client_mark_dirty(c);
}

static void watcher_end(struct watcher *w, unsigned code, const char *reason)
{
    struct client *c = w->client;
    struct buf bytes = {0};

    if (w->is_closing) {
        return;
    }
    if (w->reader) {
        ws_append_close(&bytes, code, reason);
    }
    append_between(w, buf_slice(&bytes));
    buf_deinit(&bytes);
    if (uses_ring(w)) {
        ring_of(w)->users--;
        w->is_caught_up = false;
    }
    w->is_closing = true;
    w->closing_us = c->now_us;
    c->is_closing = true;
    client_mark_dirty(c);
}

void watcher_compacted(struct watcher *w)
{
    struct buf bytes = {0};
    struct buf json = {0};

    buf_printf(&json, "{\"error\":\"compacted\",\"first\":%llu}", (unsigned long long)changes_first(node_keyspace(w->client->node)));
    if (w->reader) {
        ws_append_frame(&bytes, WS_TEXT, buf_slice(&json));
    } else {
        buf_printf(&bytes, "event: compacted\ndata: ");
        buf_append_slice(&bytes, buf_slice(&json));
        buf_printf(&bytes, "\n\n");
    }
    append_between(w, buf_slice(&bytes));
    watcher_end(w, WS_CLOSE_POLICY, "compacted");
    buf_deinit(&bytes);
    buf_deinit(&json);
}

static void watcher_slow(struct watcher *w)
{
    COVER("watch: a watcher is too slow");
    w->client->clients->watches.slow++;
    if (!w->reader) {
        append_between(w, SLICE_LITERAL("event: slow\ndata: {\"error\":\"too slow\",\"code\":1013}\n\n"));
    }
    watcher_end(w, WS_CLOSE_TRY_LATER, "too slow");
}

/* --- frames ------------------------------------------------------------------------------------------ */

static void value_of(const struct change_value *from, struct feed_value *to)
{
    *to = (struct feed_value){
        .is_absent = from->kind == CHANGE_ABSENT,
        .is_reference = from->kind == CHANGE_REFERENCE,
        .type_name = value_type_name((enum value_type)from->type),
        .size = from->size,
        .bytes = from->bytes,
    };
}

static void event_at(const struct keyspace *k, uint64_t position, struct feed_event *e)
{
    struct change change;

    changes_get(k, position, &change);
    *e = (struct feed_event){.index = change.index, .part = change.part, .db = change.db, .event = change.event, .key = change.key};
    e->is_database = change.key.n == 0 && (slice_equal(change.event, SLICE_LITERAL("flushdb")) || slice_equal(change.event, SLICE_LITERAL("swapdb")));
    value_of(&change.before, &e->before);
    value_of(&change.after, &e->after);
}

static bool watcher_wants(const struct watcher *w, const struct feed_event *e)
{
    bool is_db = w->db < 0 || e->db == (uint32_t)w->db;
    bool is_prefix = e->is_database || (e->key.n >= w->prefix.n && (w->prefix.n == 0 || memcmp(e->key.p, w->prefix.p, w->prefix.n) == 0));

    return is_db && is_prefix && !(w->form == FEED_PLAIN && feed_is_about_expiry_only(e));
}

void watch_fill(struct client *c)
{
    struct watcher *w = c->watcher;
    const struct keyspace *k = node_keyspace(c->node);
    struct watches *all = &c->clients->watches;

    if (!w || !w->is_started || w->is_live || w->is_caught_up || w->is_closing) {
        return;
    }
    if (w->next_index < changes_first(k) || !changes_are_on(k)) {
        watcher_compacted(w);
        return;
    }
    uint64_t position = changes_find(k, w->next_index, w->next_part);
    while (position < all->seen && buf_size(&c->output) < FILL_BYTES) {
        struct feed_event e;

        event_at(k, position++, &e);
        w->next_index = e.index;
        w->next_part = e.part + 1;
        if (watcher_wants(w, &e)) {
            feed_append(&c->output, &e, w->form);
        }
    }
    if (position >= all->seen) {
        w->is_caught_up = true;
        if (uses_ring(w)) {
            ring_of(w)->users++;
            w->at = w->boundary = ring_end(ring_of(w));
        }
    }
}

/* One change for everybody who has caught up. */
static void pump_change(struct watches *all, const struct feed_event *e)
{
    bool is_plain = !feed_is_about_expiry_only(e);

    for (int form = 0; form < FEED_FORMS; form++) {
        if (all->ring[form].users > 0 && e->db == 0 && (form != FEED_PLAIN || is_plain)) {
            feed_append(&all->ring[form].bytes, e, (enum feed_form)form);
            all->frames++;
        }
    }
    if (all->filtered == 0) {
        return;
    }
    struct buf frame[FEED_FORMS] = {{0}, {0}, {0}};
    for (struct list *at = all->all.next; at != &all->all; at = at->next) {
        struct watcher *w = CONTAINER_OF(at, struct watcher, in_watches);

        if (w->is_filtered && w->is_caught_up && !w->is_closing && watcher_wants(w, e)) {
            if (buf_size(&frame[w->form]) == 0) {
                feed_append(&frame[w->form], e, w->form);
                all->frames++;
            }
            buf_append_slice(&w->client->output, buf_slice(&frame[w->form]));
        }
    }
    for (int form = 0; form < FEED_FORMS; form++) {
        buf_deinit(&frame[form]);
    }
}

static bool ring_is_full(const struct watch_ring *ring)
{
    return buf_size(&ring->bytes) > LIMIT_WATCH_BYTES;
}

/* W2: drops what everybody has sent, and those who are too far behind. */
static void ring_trim(struct watches *all, int form)
{
    struct watch_ring *ring = &all->ring[form];
    uint64_t end = ring_end(ring);
    uint64_t oldest = end;
    bool is_full = ring_is_full(ring);

    for (struct list *at = all->all.next; at != &all->all; at = at->next) {
        struct watcher *w = CONTAINER_OF(at, struct watcher, in_watches);

        if (!uses_ring(w) || w->form != (enum feed_form)form) {
            continue;
        }
        if (is_full && w->at < ring->told && w->at < end - LIMIT_WATCH_BYTES / 2) {
            watcher_slow(w);
        } else if (w->boundary < oldest) {
            oldest = w->boundary;
        }
    }
    buf_consume(&ring->bytes, (size_t)(oldest - ring->base));
    ring->base = oldest;
}

static bool ring_any_is_full(const struct watches *all)
{
    bool is_any = false;

    for (int form = 0; form < FEED_FORMS; form++) {
        is_any |= ring_is_full(&all->ring[form]);
    }
    return is_any;
}

/* What was told in earlier rounds is trimmed; looks at every watcher, once per round. */
static void round_begin(struct watches *all, uint64_t now_us)
{
    for (int form = 0; form < FEED_FORMS; form++) {
        struct watch_ring *ring = &all->ring[form];

        if (buf_size(&ring->bytes) > 0) {
            ring_trim(all, form);
        }
        ring->told = ring_end(ring);
    }
    all->has_news = false;
    all->told_us = now_us;
    all->untold = all->count;
}

/* The history is another one (it went off and on, or came with a snapshot). */
static void pump_again(struct clients *cs, const struct keyspace *k)
{
    struct watches *all = &cs->watches;
    bool has_gap = !changes_are_on(k) || changes_first(k) > all->seen_index + 1;

    all->seen = has_gap ? changes_end(k) : changes_find(k, all->seen_index + 1, 0);
    for (struct list *at = all->all.next; at != &all->all; at = at->next) {
        struct watcher *w = CONTAINER_OF(at, struct watcher, in_watches);

        if (has_gap && w->is_caught_up && !w->is_closing) {
            watcher_compacted(w);
        }
    }
}

static uint64_t gather_us(const struct watches *all)
{
    uint64_t wanted = all->count > GATHER_ABOVE ? all->count * GATHER_US_EACH : 0;

    return wanted < GATHER_US_MAX ? wanted : GATHER_US_MAX;
}

/* Lets a watcher be written to, and puts it behind the others. */
static void tell_first(struct watches *all)
{
    struct watcher *w = CONTAINER_OF(all->all.next, struct watcher, in_watches);

    list_remove(&w->in_watches);
    list_append(&all->all, &w->in_watches);
    bool is_late = w->is_filtered && !w->is_closing && w->is_caught_up && buf_size(&w->client->output) > FILTERED_BYTES_MAX;
    if (is_late && w->is_late) {
        watcher_slow(w);
    }
    w->is_late = is_late;
    client_mark_dirty(w->client);
}

/* W6. Who comes or goes meanwhile is told one time too many or waits for the next piece, never for the next round. */
static void tell_watchers(struct clients *cs)
{
    struct watches *all = &cs->watches;
    const struct node_env *env = node_environment(cs->node);

    if (all->untold == 0 && all->has_news) {
        uint64_t now_us = env->now_us(env->ctx);

        if (now_us - all->told_us < gather_us(all) && !ring_any_is_full(all)) {
            return;
        }
        round_begin(all, now_us);
    }
    all->untold = all->untold < all->count ? all->untold : all->count;
    for (size_t i = 0; i < TELL_AT_ONCE && all->untold > 0; i++) {
        tell_first(all);
        all->untold--;
    }
}

void watches_pump(struct clients *cs)
{
    struct watches *all = &cs->watches;
    const struct keyspace *k = node_keyspace(cs->node);

    if (all->count == 0) {
        all->seen = changes_end(k);
        all->seen_index = keyspace_index(k);
        all->generation = changes_generation(k);
        all->history = k;
        return;
    }
    if (all->history != k || changes_generation(k) != all->generation || all->seen < changes_begin(k)) {
        pump_again(cs, k);
        all->history = k;
        all->generation = changes_generation(k);
    }
    all->seen_index = keyspace_index(k);
    if (all->seen == changes_end(k)) {
        tell_watchers(cs);
        return;
    }
    for (; all->seen < changes_end(k); all->seen++) {
        struct feed_event e;

        event_at(k, all->seen, &e);
        pump_change(all, &e);
    }
    all->has_news = true;
    tell_watchers(cs);
}

uint64_t watches_wake_us(const struct watches *w)
{
    return w->untold > 0 ? w->told_us : w->has_news ? w->told_us + gather_us(w) : UINT64_MAX;
}

/* --- output ------------------------------------------------------------------------------------------- */

struct slice watch_output(const struct client *c)
{
    const struct watcher *w = c->watcher;

    if (buf_size(&c->output) > 0 || !uses_ring(w)) {
        return buf_slice(&c->output);
    }
    const struct watch_ring *ring = ring_of(w);
    ASSERT(w->at >= ring->base && w->at <= ring_end(ring));
    return slice_skip(buf_slice(&ring->bytes), (size_t)(w->at - ring->base));
}

void watch_output_sent(struct client *c, size_t n)
{
    struct watcher *w = c->watcher;

    if (buf_size(&c->output) > 0 || !uses_ring(w)) {
        buf_consume(&c->output, n);
        if (n > 0 && buf_size(&c->output) == 0 && w->is_started && !w->is_caught_up && !w->is_closing) {
            client_mark_dirty(c); /* More of the history. */
        }
        return;
    }
    const struct watch_ring *ring = ring_of(w);
    w->at += n;
    if (w->at == ring_end(ring)) {
        w->boundary = w->at;
        return;
    }
    for (;;) {
        struct slice rest = slice_skip(buf_slice(&ring->bytes), (size_t)(w->boundary - ring->base));
        uint64_t end = w->boundary + feed_frame_size(rest, w->form);

        if (end > w->at) {
            return;
        }
        w->boundary = end;
    }
}

/* --- input -------------------------------------------------------------------------------------------- */

static void take_frame(struct watcher *w, enum ws_event event, struct slice payload, unsigned code)
{
    struct buf bytes = {0};

    switch (event) {
    case WS_NEED_MORE:
    case WS_IS_PONG:
    case WS_IS_MESSAGE:
        break;
    case WS_IS_PING:
        ws_append_frame(&bytes, WS_PONG, payload);
        append_between(w, buf_slice(&bytes));
        break;
    case WS_IS_CLOSE:
        watcher_end(w, code, "");
        break;
    case WS_IS_BAD:
        watcher_end(w, code, code == WS_CLOSE_TOO_BIG ? "the message is longer than 4096 bytes" : "not as RFC 6455 asks");
        break;
    }
    buf_deinit(&bytes);
}

bool watch_step(struct client *c)
{
    struct watcher *w = c->watcher;

    if (buf_size(&c->input) == 0 || w->is_closing) {
        return false;
    }
    w->heard_us = c->now_us;
    if (!w->reader) {
        buf_consume(&c->input, buf_size(&c->input)); /* An event stream's client has nothing to say. */
        return false;
    }
    struct slice payload = {0};
    size_t consumed = 0;
    unsigned code = 0;
    enum ws_event event = ws_read(w->reader, buf_slice(&c->input), &consumed, &payload, &code);
    take_frame(w, event, payload, code);
    buf_consume(&c->input, consumed);
    return event != WS_NEED_MORE && !w->is_closing;
}

/* --- time --------------------------------------------------------------------------------------------- */

void watch_each_second(struct client *c, uint64_t now_us)
{
    struct watcher *w = c->watcher;
    struct buf bytes = {0};

    if (!w || !w->is_started) {
        return;
    }
    if (w->is_closing) {
        c->is_killed |= now_us - w->closing_us > CLOSE_US;
    } else if (w->reader && now_us - w->heard_us > SILENCE_US) {
        c->is_killed = true;
    } else if (now_us - w->pinged_us >= PING_US) {
        w->pinged_us = now_us;
        if (w->reader) {
            ws_append_frame(&bytes, WS_PING, (struct slice){0});
        } else {
            buf_printf(&bytes, ":\n\n");
        }
        append_between(w, buf_slice(&bytes));
    }
    buf_deinit(&bytes);
    if (c->is_killed) {
        client_mark_dirty(c);
    }
}

void watches_tell_live(struct clients *cs, struct slice json)
{
    struct watches *all = &cs->watches;
    struct buf frame = {0};

    ws_append_frame(&frame, WS_TEXT, json);
    for (struct list *at = all->live.next; at != &all->live; at = at->next) {
        struct watcher *w = CONTAINER_OF(at, struct watcher, in_watches);

        /* Who doesn't read misses some: only the newest state counts. */
        if (!w->is_closing && buf_size(&w->client->output) < FILL_BYTES) {
            buf_append_slice(&w->client->output, buf_slice(&frame));
            client_mark_dirty(w->client);
        }
    }
    buf_deinit(&frame);
}
