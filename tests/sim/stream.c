#include "allocation.h"
#include "stream.h"

#include <string.h>

#include "base/mem.h"
#include "node/link.h"

/* The network in stream mode: the server's own link codec (node/link.c: handshake, frames, fragments, MACs) at both ends of a connection, and
 * between them two streams of bytes, as TCP carries them.
 *
 *   node --send--> codec --output--> [kernel: at most stream_window bytes] --latency--> a piece of any size --> codec --message--> node
 *
 * Bytes come in order and once, or the connection ends. What goes wrong: pieces end anywhere (in the middle of a header, of the handshake);
 * the window is full and the rest stays in the sender's output; a lost segment comes late, and all behind it; a partition holds bytes back
 * until it heals; a reset throws away what is under way, in the middle of a frame; a machine that lost its power leaves the other end open
 * for seconds. What net/peer_connection.c does with a socket is done here with a stream, in the same order; its own code is not simulated. */

#define HANDSHAKE_US 1000000u /* as net/: four times peer-connect-timeout */
#define READ_BYTES 65536u
#define SEGMENT_BYTES 1460u

enum end_state { END_GONE, END_SHAKING, END_UP, END_ENDING };

struct stream {
    bool is_used;
    uint64_t serial;
    int busy;                /* node's calls under way */
    uint32_t host[2];        /* 0 dialler, 1 acceptor */
    uint64_t life[2];
    link_id id[2];
    enum end_state end[2];
    struct link *link[2];    /* kept until the stream is released */
    struct buf pipe[2];      /* what end e's kernel has taken */
    bool is_closed[2];       /* end e closed: the other one learns it behind the bytes */
    bool is_scheduled[2];
    bool is_reset;           /* nothing is carried any more */
    char address[LIMIT_ADDRESS_BYTES];
};

static struct stream streams[SIM_LINKS];
static size_t streams_ever; /* none behind these was ever used: looked for after each event, also where there are frames alone */

static uint64_t stream_latency(struct sim *s)
{
    return s->plan.latency_us / 4 + world_exponential(&s->world, s->plan.latency_us * 3 / 4 + 1);
}

/* An event's two numbers: which stream and end, and which use of that slot. */
static void stream_at(struct sim *s, struct stream *st, int e, uint64_t delay, world_fn *fn)
{
    world_at(&s->world, delay, fn, s, (uint64_t)(st - streams) | (uint64_t)e << 32, st->serial);
}

static struct stream *stream_of(uint64_t a, uint64_t serial, int *e)
{
    struct stream *st = &streams[a & 0xffffffff];
    *e = (int)(a >> 32);
    return st->is_used && st->serial == serial ? st : NULL;
}

static bool end_lives(const struct sim *s, const struct stream *st, int e)
{
    const struct sim_host *h = &s->host[st->host[e]];
    return st->end[e] != END_GONE && h->node && h->life == st->life[e];
}

/* True: the host is stopped; the event comes again when it goes on. */
static bool wait_for_host(struct sim *s, struct stream *st, int e, world_fn *fn, int tell)
{
    struct sim_host *h = &s->host[st->host[e]];
    if (!end_lives(s, st, e) || host_is_running(h))
        return false;
    stream_at(s, st, tell, h->paused_until_us - s->world.now_us + 1, fn);
    return true;
}

static void stream_release(struct stream *st)
{
    if (!st->is_used || st->busy > 0 || st->end[0] != END_GONE || st->end[1] != END_GONE)
        return;
    for (int e = 0; e < 2; e++) {
        link_free(st->link[e]);
        buf_deinit(&st->pipe[e]);
    }
    *st = (struct stream){.is_used = false};
}

static void stream_deliver(struct world *w, void *ctx, uint64_t a, uint64_t serial);

/* From the codec's output into the kernel, as far as there is room; and on its way. */
static void stream_flush(struct sim *s, struct stream *st, int e)
{
    struct buf *out = st->link[e] && st->end[e] != END_GONE ? link_output(st->link[e]) : NULL;
    if (st->is_reset)
        return;
    size_t room = s->plan.stream_window > buf_size(&st->pipe[e]) ? s->plan.stream_window - buf_size(&st->pipe[e]) : 0;
    if (out && buf_size(out) > 0) {
        size_t n = buf_size(out) < room ? buf_size(out) : room;
        if (n < buf_size(out))
            world_count("stream: the send buffer is full");
        buf_append(&st->pipe[e], buf_slice(out).p, n);
        buf_consume(out, n);
        if (buf_size(out) == 0)
            buf_clear(out, 0);
    }
    if (st->end[e] == END_ENDING && out && buf_size(out) == 0)
        st->is_closed[e] = true;
    bool has_work = buf_size(&st->pipe[e]) > 0 || st->is_closed[e];
    if (has_work && !st->is_scheduled[e] && st->link[1 - e]) {
        st->is_scheduled[e] = true;
        stream_at(s, st, e, stream_latency(s), stream_deliver);
    }
}

/* The end closes its socket. */
static void end_kill(struct sim *s, struct stream *st, int e)
{
    if (st->end[e] == END_GONE)
        return;
    st->end[e] = END_GONE;
    st->is_closed[e] = true;
    stream_flush(s, st, e);
}

/* The connection ended by itself: the node is told. */
static void end_lost(struct sim *s, struct stream *st, int e, const char *why, bool was_refused)
{
    struct sim_host *h = &s->host[st->host[e]];
    link_id id = st->end[e] == END_ENDING ? 0 : st->id[e];
    bool lives = end_lives(s, st, e);
    end_kill(s, st, e);
    if (lives && id != 0) {
        node_link_down(h->node, id, why, was_refused);
        host_kick(h);
    }
}

static void stream_tell_lost(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    int e;
    struct stream *st = stream_of(a, serial, &e);
    (void)w;
    if (!st || wait_for_host(s, st, e, stream_tell_lost, e))
        return;
    end_lost(s, st, e, "connection reset", false);
    stream_release(st);
}

/* Neither end gets anything more. */
static void stream_reset(struct sim *s, struct stream *st)
{
    st->is_reset = true;
    for (int e = 0; e < 2; e++) {
        buf_clear(&st->pipe[e], 0);
        stream_at(s, st, e, stream_latency(s), stream_tell_lost);
    }
}

static void stream_end_timer(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    int e;
    struct stream *st = stream_of(a, serial, &e);
    (void)w;
    if (!st || wait_for_host(s, st, e, stream_end_timer, e))
        return;
    if (st->end[e] == END_SHAKING) {
        world_count("stream: a handshake took too long");
        end_lost(s, st, e, "the handshake took too long", false);
    } else if (st->end[e] == END_ENDING) {
        end_kill(s, st, e);
    }
    stream_release(st);
}

static void end_refuse(struct sim *s, struct stream *st, int e, const char *reason)
{
    link_refuse(st->link[e], reason);
    st->end[e] = END_ENDING;
    st->id[e] = 0;
    stream_at(s, st, e, HANDSHAKE_US, stream_end_timer);
}

/* --- what the codec says --- */

static void end_up(struct sim *s, struct stream *st, int e)
{
    char reason[512] = "";
    st->end[e] = END_UP;
    if (!node_link_up(s->host[st->host[e]].node, &st->id[e], e == 1, link_remote(st->link[e]), reason) && st->end[e] == END_UP) {
        world_count("peer refused");
        end_refuse(s, st, e, reason);
    }
}

static void end_events(struct sim *s, struct stream *st, int e)
{
    struct sim_host *h = &s->host[st->host[e]];
    struct slice message;
    struct peer_hello mine;
    char reason[256];
    st->busy++;
    while (st->end[e] == END_SHAKING || st->end[e] == END_UP) {
        enum link_event event = link_next(st->link[e], &message);
        if (event == LINK_NOTHING)
            break;
        switch (event) {
        case LINK_NOTHING:
            break;
        case LINK_WANT_HELLO:
            node_get_hello(h->node, link_remote(st->link[e])->role, &mine);
            link_answer(st->link[e], &mine);
            break;
        case LINK_UP:
            end_up(s, st, e);
            break;
        case LINK_MESSAGE:
            allocation_enter(h);
            node_link_message(h->node, st->id[e], message);
            allocation_leave();
            break;
        case LINK_FAILED:
            world_fail(&s->world, "the link codec of node %u failed: %s", st->host[e], link_error(st->link[e]));
            end_lost(s, st, e, link_error(st->link[e]), false);
            break;
        case LINK_REFUSED:
            snprintf(reason, sizeof reason, "%s", link_error(st->link[e]));
            end_lost(s, st, e, reason, true);
            break;
        }
    }
    if (st->end[e] == END_UP && link_pending_bytes(st->link[e]) > 0)
        node_link_progress(h->node, st->id[e], link_pending_bytes(st->link[e]));
    st->busy--;
    stream_flush(s, st, e);
    host_kick(h);
}

/* --- bytes arrive --- */

/* How much of what is there is read at once: whole, or cut anywhere. */
static size_t piece_of(struct sim *s, size_t n)
{
    if (world_chance(&s->world, 300000)) {
        n = 1 + world_below(&s->world, n < SEGMENT_BYTES ? n : SEGMENT_BYTES);
        world_count("stream: a piece that ends anywhere");
    }
    return n < READ_BYTES ? n : READ_BYTES;
}

static void stream_feed(struct sim *s, struct stream *st, int from)
{
    int to = 1 - from;
    size_t n = piece_of(s, buf_size(&st->pipe[from]));
    if (st->end[to] != END_ENDING)
        link_feed(st->link[to], (struct slice){buf_slice(&st->pipe[from]).p, n});
    buf_consume(&st->pipe[from], n);
    if (buf_size(&st->pipe[from]) == 0)
        buf_clear(&st->pipe[from], 0);
    end_events(s, st, to);
}

/* True: not now, and it comes again. */
static bool is_held_back(struct sim *s, struct stream *st, int from)
{
    uint64_t wait = 0;
    if (s->is_cut[st->host[from]][st->host[1 - from]]) {
        world_count("stream: bytes wait for a partition to heal");
        wait = world_between(&s->world, 5000, 60000);
    } else if (!s->is_calm && world_chance(&s->world, s->plan.drop)) {
        world_count("stream: a segment is lost and sent again");
        wait = world_between(&s->world, 1000, 50000);
    }
    if (wait == 0)
        return false;
    st->is_scheduled[from] = true;
    stream_at(s, st, from, wait, stream_deliver);
    return true;
}

static void stream_deliver(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    int from;
    struct stream *st = stream_of(a, serial, &from);
    (void)w;
    if (!st)
        return;
    int to = 1 - from;
    if (!end_lives(s, st, to) || st->is_reset) {
        buf_clear(&st->pipe[from], 0);
        st->is_scheduled[from] = false;
        stream_release(st);
        return;
    }
    if (wait_for_host(s, st, to, stream_deliver, from) || is_held_back(s, st, from))
        return;
    st->is_scheduled[from] = false;
    if (buf_size(&st->pipe[from]) > 0 && !s->is_calm && world_chance(&s->world, s->plan.reset)) {
        world_count("stream: reset with bytes under way");
        stream_reset(s, st);
        return;
    }
    if (buf_size(&st->pipe[from]) > 0)
        stream_feed(s, st, from);
    if (buf_size(&st->pipe[from]) == 0 && st->is_closed[from])
        end_lost(s, st, to, "the other side closed the connection", false);
    else
        stream_flush(s, st, from);
    stream_release(st);
}

/* --- dialling --- */

static struct link_options stream_options(struct sim *s)
{
    struct link_options o = {.secret = s->seed & 1 ? SLICE_LITERAL("sixteen bytes or more") : SLICE_LITERAL(""), .has_frame_mac = (s->seed & 2) != 0};
    for (size_t i = 0; i < sizeof o.nonce; i++)
        o.nonce[i] = (uint8_t)prng_next(&s->world.prng);
    return o;
}

static void stream_dial_failed(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    int e;
    struct stream *st = stream_of(a, serial, &e);
    (void)w;
    if (!st || wait_for_host(s, st, 0, stream_dial_failed, 0))
        return;
    end_lost(s, st, 0, "connection refused", false);
    stream_release(st);
}

/* The dialler's SYN reached the other host, whose kernel answers though its process may be stopped. */
static void stream_arrived(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    int e;
    struct stream *st = stream_of(a, serial, &e);
    (void)w;
    if (!st)
        return;
    if (!end_lives(s, st, 0)) {
        st->end[0] = END_GONE;
        stream_release(st);
        return;
    }
    struct sim_host *to = net_host_at(s, st->address);
    bool is_cut = to && (s->is_cut[st->host[0]][to->slot] || s->is_cut[to->slot][st->host[0]]);
    if (!to || !to->node || is_cut) {
        world_count("connection refused or timed out");
        stream_at(s, st, 0, is_cut ? 250000 : stream_latency(s), stream_dial_failed);
        return;
    }
    struct link_options options = stream_options(s);
    st->host[1] = to->slot;
    st->life[1] = to->life;
    st->end[1] = END_SHAKING;
    st->link[1] = link_new_acceptor(&options);
    stream_at(s, st, 0, HANDSHAKE_US, stream_end_timer);
    stream_at(s, st, 1, HANDSHAKE_US, stream_end_timer);
    stream_flush(s, st, 0);
}

void stream_dial(struct sim_host *from, link_id id, const char *address, const struct peer_hello *mine)
{
    struct sim *s = from->sim;
    struct stream *st = streams;
    while (st < streams + SIM_LINKS && st->is_used)
        st++;
    if (st == streams + SIM_LINKS) {
        world_fail(&s->world, "more than %d connections", SIM_LINKS);
        return;
    }
    struct link_options options = stream_options(s);
    *st = (struct stream){.is_used = true, .serial = ++s->link_serial};
    if ((size_t)(st - streams) >= streams_ever)
        streams_ever = (size_t)(st - streams) + 1;
    st->host[0] = from->slot;
    st->life[0] = from->life;
    st->id[0] = id;
    st->end[0] = END_SHAKING;
    st->link[0] = link_new_dialler(&options, mine);
    snprintf(st->address, sizeof st->address, "%s", address);
    stream_at(s, st, 0, stream_latency(s), stream_arrived);
}

/* --- what the node asks for --- */

static struct stream *stream_find(struct sim_host *from, link_id id, int *end)
{
    for (struct stream *st = streams; st < streams + streams_ever; st++) {
        for (int e = 0; st->is_used && id != 0 && e < 2; e++) {
            if (st->host[e] == from->slot && st->life[e] == from->life && st->id[e] == id && st->end[e] != END_GONE) {
                *end = e;
                return st;
            }
        }
    }
    return NULL;
}

bool stream_send(struct sim_host *from, link_id id, const struct slice *part, size_t part_count, uint32_t *to)
{
    int e;
    struct stream *st = stream_find(from, id, &e);
    if (!st || st->end[e] != END_UP)
        return false;
    *to = st->host[1 - e];
    link_send(st->link[e], part, part_count);
    stream_flush(from->sim, st, e);
    return true;
}

void stream_hang_up(struct sim_host *from, link_id id, const char *reason)
{
    int e;
    struct stream *st = stream_find(from, id, &e);
    if (!st)
        return;
    if (reason && st->end[e] == END_UP) {
        end_refuse(from->sim, st, e, reason);
        stream_flush(from->sim, st, e);
    } else {
        end_kill(from->sim, st, e);
    }
}

size_t stream_unsent(struct sim_host *from, link_id id)
{
    int e;
    struct stream *st = stream_find(from, id, &e);
    return st ? buf_size(link_output(st->link[e])) : 0;
}

void stream_host_died(struct sim_host *h, bool was_power_loss)
{
    struct sim *s = h->sim;
    for (struct stream *st = streams; st < streams + SIM_LINKS; st++) {
        for (int e = 0; st->is_used && e < 2; e++) {
            if (st->host[e] != h->slot || st->life[e] != h->life || !st->link[e] || st->end[e] == END_GONE)
                continue;
            if (was_power_loss) { /* nobody says so: what is under way comes, then nothing for a long time */
                world_count("half-open connection");
                st->end[e] = END_GONE;
                if (st->link[1 - e])
                    stream_at(s, st, 1 - e, world_between(&s->world, 100000, 3000000), stream_tell_lost);
            } else {
                end_kill(s, st, e);
            }
        }
    }
}

void stream_teardown(void)
{
    for (struct stream *st = streams; st < streams + SIM_LINKS; st++) {
        st->end[0] = st->end[1] = END_GONE;
        st->busy = 0;
        stream_release(st);
    }
}
