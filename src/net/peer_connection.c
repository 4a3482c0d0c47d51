#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/server_internal.h"

/* A peer's socket under a `struct link`. Dialled ones look the name up (numbers at once, names on the resolver thread),
 * connect, shake hands; accepted ones begin at the handshake. Each step has its time: connecting peer-connect-timeout, the handshake
 * four times that. What the node sends is framed into the link's output at once and written once per link and iteration.
 *
 * The node's calls (dial, send, hang_up) come from inside node functions, so nothing here calls the node back from them: a dial that
 * fails at once reports later, from its timer, and a connection hung up is freed in peers_flush. */

enum peer_state {
    PEER_RESOLVING,
    PEER_CONNECTING,
    PEER_SHAKING,
    PEER_UP,
    PEER_ENDING, /* refused: what is left is written, then closed */
    PEER_DEAD,   /* to be freed */
};

struct peer_connection {
    struct list in_server;
    struct server *server;
    link_id id; /* 0: accepted and not up yet, or the node knows no more of it */
    enum peer_state state;
    bool is_inbound;
    struct link *link;
    int fd; /* -1: none yet */
    ev_io read;
    ev_io write;
    ev_timer timer;
    const char *failed; /* reported when the timer fires; static */
    char address[LIMIT_ADDRESS_BYTES];
};

/* A name lookup under way. Outlives the connection that asked. */
struct resolve_job {
    struct disk_job job;
    link_id id;
    struct address_text parts;
    bool is_found;
    struct sockaddr_storage address;
    socklen_t size;
};

#define PEER_OF(watcher) ((struct peer_connection *)(watcher)->data)

static struct peer_connection *peer_find(struct server *s, link_id id)
{
    for (struct list *at = s->peers.next; at != &s->peers; at = at->next) {
        struct peer_connection *p = CONTAINER_OF(at, struct peer_connection, in_server);

        if (p->id == id && id != 0 && p->state != PEER_DEAD) {
            return p;
        }
    }
    return NULL;
}

/* Stops everything; the memory goes in peers_flush. */
static void peer_kill(struct peer_connection *p)
{
    struct server *s = p->server;

    if (p->state == PEER_DEAD) {
        return;
    }
    if (p->is_inbound && p->state == PEER_SHAKING) {
        s->unproven_count--;
    }
    ev_timer_stop(s->loop, &p->timer);
    ev_io_stop(s->loop, &p->read);
    ev_io_stop(s->loop, &p->write);
    if (p->fd >= 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
    p->state = PEER_DEAD;
}

/* A wrong secret is tried again and again; one line in a while is enough. */
#define WARN_AGAIN_US 10000000u
#define ENDED_AGAIN_US 1000000u

/* How long ago (us) this was noted in the last ten seconds; 0: it was not, and is now. */
static uint64_t peer_note(struct server *s, uint64_t key)
{
    uint64_t now_us = clock_boot_us();
    size_t oldest = 0;

    for (size_t i = 0; i < SERVER_PEER_WARNINGS; i++) {
        if (s->warned[i].key == key && s->warned[i].at_us != 0 && now_us - s->warned[i].at_us < WARN_AGAIN_US) {
            return now_us - s->warned[i].at_us;
        }
        if (s->warned[i].at_us < s->warned[oldest].at_us) {
            oldest = i;
        }
    }
    s->warned[oldest].key = key;
    s->warned[oldest].at_us = now_us;
    return 0;
}

static bool peer_may_warn(struct server *s, uint64_t key)
{
    return peer_note(s, key) == 0;
}

/* A handshake that did not come to its end, told in this node's log: the other side knows only that we went away. */
static void peer_log_handshake(struct peer_connection *p, const char *why, bool is_link_error)
{
    struct server *s = p->server;
    const struct peer_hello *remote = link_remote(p->link);
    bool is_probe = remote->role == LINK_PROBE;
    enum log_level level = is_link_error || (p->is_inbound && remote->id != 0 && !is_probe) ? LOG_WARNING : LOG_VERBOSE;
    uint64_t key = p->is_inbound ? remote->id : siphash64(&(struct siphash_key){{0}}, p->address, strlen(p->address));

    /* On a busy machine a dialler may lose patience with all its links at once; with another secret it goes on and on. */
    if (level == LOG_WARNING && !is_link_error && peer_note(s, ~key) < ENDED_AGAIN_US) {
        level = LOG_VERBOSE;
    }
    if (level == LOG_WARNING && !peer_may_warn(s, key)) {
        return;
    }
    if (!p->is_inbound) {
        log_line(&s->env.log, level, "The peer connection to %s was dropped in its handshake: %s.", p->address, why);
    } else if (is_link_error || level == LOG_VERBOSE) {
        log_line(&s->env.log, level, "The peer connection from %s was dropped in its handshake: %s.", p->address, why);
    } else {
        log_line(&s->env.log, level,
                 "The peer connection from %s (node %s) ended in its handshake: %s; is cluster-secret-file the same there?",
                 p->address, remote->address[0] != '\0' ? remote->address : "without an address", why);
    }
}

/* It ended by itself: the node is told. Not to be called from inside a call of the node. */
static void peer_lost(struct peer_connection *p, const char *why, bool was_refused)
{
    link_id id = p->state == PEER_ENDING ? 0 : p->id;
    struct server *s = p->server;
    bool is_link_error = p->link && why == link_error(p->link);

    if (p->state == PEER_SHAKING && (p->is_inbound || is_link_error)) {
        peer_log_handshake(p, why, is_link_error);
    }
    peer_kill(p);
    if (id != 0) {
        node_link_down(s->node, id, why, was_refused);
    }
}

static void peer_flush(struct peer_connection *p)
{
    struct buf *out = p->link ? link_output(p->link) : NULL;

    if (!out || p->fd < 0 || p->state < PEER_SHAKING || p->state == PEER_DEAD) {
        return;
    }
    while (buf_size(out) > 0) {
        ssize_t n = send(p->fd, buf_slice(out).p, buf_size(out), MSG_NOSIGNAL);

        if (n > 0) {
            clients_counters(node_clients(p->server->node))->peer_output_bytes += (uint64_t)n;
            buf_consume(out, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            ev_io_start(p->server->loop, &p->write);
            return;
        } else {
            /* The reading side will say what happened. */
            buf_clear(out, 0);
            break;
        }
    }
    buf_clear(out, (size_t)1 << 20);
    ev_io_stop(p->server->loop, &p->write);
    if (p->state == PEER_ENDING) {
        (void)shutdown(p->fd, SHUT_WR);
    }
}

static void peer_set_timer(struct peer_connection *p, double seconds)
{
    ev_timer_stop(p->server->loop, &p->timer);
    ev_now_update(p->server->loop);
    ev_timer_set(&p->timer, seconds, 0.);
    ev_timer_start(p->server->loop, &p->timer);
}

static double handshake_seconds(const struct server *s)
{
    return 4. * (double)s->options->peer_connect_timeout / 1000.;
}

/* --- link events ------------------------------------------------------------------------------ */

static void peer_refuse(struct peer_connection *p, const char *reason)
{
    link_refuse(p->link, reason);
    p->state = PEER_ENDING;
    p->id = 0;
    peer_set_timer(p, handshake_seconds(p->server));
    peer_flush(p);
}

static void peer_on_up(struct peer_connection *p)
{
    struct server *s = p->server;
    char reason[512] = "";

    if (p->is_inbound) {
        s->unproven_count--;
    }
    p->state = PEER_UP;
    ev_timer_stop(s->loop, &p->timer);
    /* The node may send or hang up before it returns: it fills p->id first. */
    const struct peer_hello *remote = link_remote(p->link);
    if (!node_link_up(s->node, &p->id, p->is_inbound, remote, reason) && p->state == PEER_UP) {
        peer_refuse(p, reason); /* The node has logged why. */
    }
}

static void peer_on_events(struct peer_connection *p)
{
    struct server *s = p->server;
    struct slice message;
    struct peer_hello mine;

    while (p->state == PEER_SHAKING || p->state == PEER_UP) {
        switch (link_next(p->link, &message)) {
        case LINK_NOTHING:
            if (p->state == PEER_UP && link_pending_bytes(p->link) > 0) {
                node_link_progress(s->node, p->id, link_pending_bytes(p->link));
            }
            return;
        case LINK_WANT_HELLO:
            node_get_hello(s->node, link_remote(p->link)->role, &mine);
            link_answer(p->link, &mine);
            break;
        case LINK_UP:
            peer_on_up(p);
            break;
        case LINK_MESSAGE:
            node_link_message(s->node, p->id, message);
            break;
        case LINK_FAILED:
            peer_lost(p, link_error(p->link), false);
            return;
        case LINK_REFUSED: {
            char reason[256];

            (void)snprintf(reason, sizeof reason, "%s", link_error(p->link));
            /* What belongs to a peer is told by the node. */
            if (p->is_inbound && link_remote(p->link)->role == LINK_PROBE && peer_may_warn(s, link_remote(p->link)->id)) {
                log_line(&s->env.log, LOG_WARNING, "The node at %s refuses this one: %s.", p->address, reason);
            }
            peer_lost(p, reason, true);
            return;
        }
        }
    }
}

static void on_peer_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct peer_connection *p = PEER_OF(io);
    struct server *s = p->server;

    (void)loop;
    (void)events;
    ssize_t n = recv(p->fd, s->read_buffer, sizeof s->read_buffer, 0);
    if (n > 0) {
        clients_counters(node_clients(s->node))->peer_input_bytes += (uint64_t)n;
        if (p->state == PEER_ENDING) {
            return;
        }
        link_feed(p->link, (struct slice){s->read_buffer, (size_t)n});
        peer_on_events(p);
    } else if (n == 0) {
        peer_lost(p, "the other side closed the connection", false);
    } else if (errno != EAGAIN && errno != EINTR) {
        peer_lost(p, strerror(errno), false);
    }
}

static void peer_on_connected(struct peer_connection *p)
{
    int error = 0;
    socklen_t size = sizeof error;

    ev_io_stop(p->server->loop, &p->write);
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        peer_lost(p, strerror(error), false);
        return;
    }
    p->state = PEER_SHAKING;
    peer_set_timer(p, handshake_seconds(p->server));
    ev_io_start(p->server->loop, &p->read);
    peer_flush(p);
}

static void on_peer_writable(struct ev_loop *loop, ev_io *io, int events)
{
    struct peer_connection *p = PEER_OF(io);

    (void)loop;
    (void)events;
    if (p->state == PEER_CONNECTING) {
        peer_on_connected(p);
    } else {
        peer_flush(p);
    }
}

static void on_peer_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct peer_connection *p = PEER_OF(timer);

    (void)loop;
    (void)events;
    if (p->failed) {
        peer_lost(p, p->failed, false);
    } else if (p->state == PEER_SHAKING) {
        peer_lost(p, "the handshake took too long", false);
    } else if (p->state == PEER_ENDING) {
        peer_kill(p);
    } else {
        peer_lost(p, "no connection in time", false);
    }
}

static struct peer_connection *peer_new(struct server *s, int fd)
{
    struct peer_connection *p = mem_alloc_zero(sizeof *p);

    p->server = s;
    p->fd = fd;
    ev_io_init(&p->read, on_peer_readable, fd, EV_READ);
    ev_io_init(&p->write, on_peer_writable, fd, EV_WRITE);
    ev_timer_init(&p->timer, on_peer_timer, 0., 0.);
    p->read.data = p;
    p->write.data = p;
    p->timer.data = p;
    list_append(&s->peers, &p->in_server);
    return p;
}

static struct link_options peer_link_options(const struct server *s)
{
    struct link_options o = {.secret = s->secret, .has_frame_mac = s->options->peer_auth == 0};

    clock_random(o.nonce, sizeof o.nonce);
    return o;
}

/* --- accepting -------------------------------------------------------------------------------- */

void peer_accept(struct server *s, int fd, bool is_loopback, const char *address, struct slice input)
{
    if (s->secret.n == 0 && !is_loopback) {
        log_line(&s->env.log, LOG_WARNING,
                 "A peer connection from %s was dropped: without cluster-secret-file only this machine's nodes may connect.",
                 address);
        (void)close(fd);
        return;
    }
    if (s->unproven_count >= SERVER_UNPROVEN_PEERS_MAX) {
        (void)close(fd);
        return;
    }
    struct peer_connection *p = peer_new(s, fd);
    struct link_options options = peer_link_options(s);

    p->is_inbound = true;
    p->state = PEER_SHAKING;
    s->unproven_count++;
    (void)snprintf(p->address, sizeof p->address, "%s", address);
    p->link = link_new_acceptor(&options);
    socket_tune(s, fd, false);
    peer_set_timer(p, handshake_seconds(s));
    ev_io_start(s->loop, &p->read);
    link_feed(p->link, input);
    peer_on_events(p);
}

/* --- dialling --------------------------------------------------------------------------------- */

static void peer_fail_later(struct peer_connection *p, const char *why)
{
    p->failed = why;
    peer_set_timer(p, 0.);
}

static void peer_connect(struct peer_connection *p, const struct sockaddr_storage *address, socklen_t size)
{
    struct server *s = p->server;

    p->fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0) {
        peer_fail_later(p, "no socket could be made");
        return;
    }
    socket_tune(s, p->fd, false);
    ev_io_set(&p->read, p->fd, EV_READ);
    ev_io_set(&p->write, p->fd, EV_WRITE);
    p->state = PEER_CONNECTING;
    if (connect(p->fd, (const struct sockaddr *)(const void *)address, size) != 0 && errno != EINPROGRESS) {
        peer_fail_later(p, errno == ECONNREFUSED ? "connection refused" : "the address can't be reached");
        return;
    }
    ev_io_start(s->loop, &p->write);
}

static void resolve_run(struct disk_job *job)
{
    struct resolve_job *r = CONTAINER_OF(job, struct resolve_job, job);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    if (getaddrinfo(r->parts.host, r->parts.port, &hints, &found) == 0) {
        memcpy(&r->address, found->ai_addr, found->ai_addrlen);
        r->size = found->ai_addrlen;
        r->is_found = true;
        freeaddrinfo(found);
    }
}

void peers_resolved(struct server *s)
{
    struct disk_job *job;

    while ((job = exec_thread_next_done(s->resolver)) != NULL) {
        struct resolve_job *r = CONTAINER_OF(job, struct resolve_job, job);
        struct peer_connection *p = peer_find(s, r->id);

        if (p && p->state == PEER_RESOLVING) {
            if (r->is_found) {
                peer_connect(p, &r->address, r->size);
            } else {
                peer_lost(p, "its name is not known", false);
            }
        }
        mem_free(r);
    }
}

void peer_dial(void *ctx, link_id id, const char *address, const struct peer_hello *mine)
{
    struct server *s = ctx;
    struct peer_connection *p = peer_new(s, -1);
    struct link_options options = peer_link_options(s);
    struct address_text parts;
    struct sockaddr_storage resolved;
    socklen_t size = 0;

    p->id = id;
    p->state = PEER_RESOLVING;
    p->link = link_new_dialler(&options, mine);
    (void)snprintf(p->address, sizeof p->address, "%s", address);
    if (!address_split(address, &parts)) {
        peer_fail_later(p, "its address has no port");
        return;
    }
    peer_set_timer(p, (double)s->options->peer_connect_timeout / 1000.);
    if (address_parse_numeric(&parts, &resolved, &size)) {
        peer_connect(p, &resolved, size);
        return;
    }
    struct resolve_job *r = mem_alloc_zero(sizeof *r);
    r->job.run = resolve_run;
    r->id = id;
    r->parts = parts;
    exec_thread_submit(s->resolver, &r->job);
}

/* --- what the node asks for ------------------------------------------------------------------- */

void peer_send(void *ctx, link_id id, const struct slice *part, size_t part_count)
{
    struct peer_connection *p = peer_find(ctx, id);

    if (p && p->state == PEER_UP) {
        link_send(p->link, part, part_count);
    }
}

void peer_hang_up(void *ctx, link_id id, const char *reason)
{
    struct peer_connection *p = peer_find(ctx, id);

    if (!p) {
        return;
    }
    if (reason && p->state == PEER_UP) {
        peer_refuse(p, reason);
    } else {
        peer_kill(p);
    }
}

size_t peer_unsent_bytes(void *ctx, link_id id)
{
    struct peer_connection *p = peer_find(ctx, id);

    return p ? buf_size(link_output(p->link)) : 0;
}

/* --- once per iteration ----------------------------------------------------------------------- */

static void peer_free(struct peer_connection *p)
{
    list_remove(&p->in_server);
    link_free(p->link);
    mem_free(p);
}

void peers_flush(struct server *s)
{
    struct list *next;

    for (struct list *at = s->peers.next; at != &s->peers; at = next) {
        struct peer_connection *p = CONTAINER_OF(at, struct peer_connection, in_server);

        next = at->next;
        if (p->state == PEER_DEAD) {
            peer_free(p);
        } else if (p->state >= PEER_SHAKING && buf_size(link_output(p->link)) > 0) {
            peer_flush(p);
        }
    }
}

void peers_close_all(struct server *s)
{
    while (!list_empty(&s->peers)) {
        struct peer_connection *p = CONTAINER_OF(s->peers.next, struct peer_connection, in_server);

        peer_kill(p);
        peer_free(p);
    }
}
