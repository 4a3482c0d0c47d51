#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/server_internal.h"

/* A client's socket: moves bytes between it and a `struct client`, and obeys what the client's state asks for. Reading fills the
 * client and starts its commands; writing happens once per connection and iteration, in connections_flush, so that the
 * replies of everything read in an iteration leave with one system call.
 *
 * A connection that is closed by us shuts its sending side first and throws away what still arrives for a moment (lingers), because a
 * close with unread input resets the connection and may cost the peer the last reply. */

#define READ_TURN_US 500u /* then the rest of the clients is read in the next turn, before all others; poll finds them again */
#define LINGER_US 1000000u
#define LINGER_AT_END_US 5000000u /* the same when the server stops */
#define SILENT_US 2000000u /* then its empty buffers are given back */

struct connection {
    struct list in_server;
    struct list in_readable; /* from its event until it is read; else on its own */
    struct server *server;
    struct client *client; /* NULL while lingering */
    int fd;
    bool is_loopback;
    uint64_t active_us;
    uint64_t linger_until_us; /* 0: not lingering */
    ev_io read;
    ev_io write;
    char address[LIMIT_ADDRESS_BYTES];
};

#define CONNECTION_OF(watcher) ((struct connection *)(watcher)->data)

static void connection_pause_reading(struct connection *c)
{
    ev_io_stop(c->server->loop, &c->read);
    list_remove(&c->in_readable);
}

static void connection_free(struct connection *c, bool keep_fd)
{
    struct server *s = c->server;

    connection_pause_reading(c);
    ev_io_stop(s->loop, &c->write);
    if (c->client) {
        client_close(c->client);
    }
    if (!keep_fd) {
        (void)close(c->fd);
    }
    list_remove(&c->in_server);
    s->connection_count--;
    mem_free(c);
}

static void connection_linger(struct connection *c)
{
    client_close(c->client);
    c->client = NULL;
    ev_io_stop(c->server->loop, &c->write);
    ev_io_start(c->server->loop, &c->read);
    (void)shutdown(c->fd, SHUT_WR);
    c->linger_until_us = clock_boot_us() + (c->server->stage == SERVER_SERVES ? LINGER_US : LINGER_AT_END_US);
}

static void connection_become_peer(struct connection *c)
{
    struct slice input = client_take_input(c->client);
    char address[LIMIT_ADDRESS_BYTES];
    int fd = c->fd;
    bool is_loopback = c->is_loopback;
    struct server *s = c->server;
    struct buf copy = {0};

    memcpy(address, c->address, sizeof address);
    buf_append_slice(&copy, input);
    connection_free(c, true);
    peer_accept(s, fd, is_loopback, address, buf_slice(&copy));
    buf_deinit(&copy);
}

/* Sends what is there; false when the connection is gone. */
static bool connection_write(struct connection *c)
{
    for (;;) {
        struct slice out = client_output(c->client);

        if (out.n == 0) {
            return true;
        }
        ssize_t n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);
        if (n > 0) {
            client_output_sent(c->client, (size_t)n);
            c->active_us = clock_boot_us();
            if ((size_t)n < out.n) {
                return true;
            }
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            return n < 0 && errno == EAGAIN;
        }
    }
}

/* After anything happened to the client: what to wait for now. May free `c`. */
static void connection_settle(struct connection *c)
{
    struct ev_loop *loop = c->server->loop;
    enum client_state state = client_get_state(c->client);
    bool has_output = client_output(c->client).n > 0;

    if (state == CLIENT_CLOSE_NOW) {
        connection_free(c, false);
        return;
    }
    if (state == CLIENT_IS_PEER) {
        connection_become_peer(c);
        return;
    }
    if (state == CLIENT_CLOSE && !has_output) {
        connection_linger(c);
        return;
    }
    if (state == CLIENT_READ && c->server->stage < SERVER_ANSWERS) {
        ev_io_start(loop, &c->read);
    } else {
        connection_pause_reading(c);
    }
    if (has_output) {
        ev_io_start(loop, &c->write);
    } else {
        ev_io_stop(loop, &c->write);
    }
}

/* Write, and let a client that had to pause because of its output go on. May free `c`. */
static void connection_flush(struct connection *c)
{
    do {
        if (!connection_write(c)) {
            connection_free(c, false);
            return;
        }
    } while (client_output(c->client).n == 0 && client_get_state(c->client) == CLIENT_PAUSED &&
             (client_resume(c->client), client_output(c->client).n > 0));
    connection_settle(c);
}

void connections_flush(struct server *s)
{
    struct client *client;

    while ((client = node_next_dirty_client(s->node)) != NULL) {
        connection_flush(client_owner(client));
    }
}

/* --- events ----------------------------------------------------------------------------------- */

static void linger_read(struct connection *c)
{
    uint8_t sink[4096];
    ssize_t n = recv(c->fd, sink, sizeof sink, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        connection_free(c, false);
    }
}

/* One recv. False: the connection is gone. */
static bool connection_fill(struct connection *c)
{
    size_t room = 0;
    uint8_t *at = client_input_reserve(c->client, SERVER_READ_BYTES, &room);
    ssize_t n = recv(c->fd, at, room, 0);

    if (n > 0) {
        client_input_commit(c->client, (size_t)n);
        return true;
    }
    if (n == 0) {
        client_input_end(c->client);
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}

static void connection_read(struct connection *c, uint64_t now_us)
{
    if (!c->client) {
        linger_read(c);
        return;
    }
    c->active_us = now_us;
    if (!connection_fill(c)) {
        connection_free(c, false);
        return;
    }
    /* Output waits for the end of the iteration; everything else is settled now. */
    enum client_state state = client_process(c->client);
    if (state != CLIENT_READ && (state != CLIENT_CLOSE || client_output(c->client).n == 0)) {
        connection_settle(c);
    }
}

/* libev calls what one poll found in the reverse order. Clients are read in the order in which their bytes came, as Redis does:
 * who unsubscribes and publishes then through another connection relies on it. Who had to wait for this turn keeps its place in front
 * of those that were read in the last one, or a few that send without end would have all of every turn. */
static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct connection *c = CONNECTION_OF(io);

    (void)loop;
    (void)events;
    if (list_empty(&c->in_readable)) {
        list_prepend(&c->server->arrived, &c->in_readable);
    }
}

void connections_read(struct server *s)
{
    uint64_t now_us = clock_boot_us();
    uint64_t end_us = now_us + READ_TURN_US;

    while (!list_empty(&s->arrived)) {
        struct list *first = s->arrived.next;

        list_remove(first);
        list_append(&s->readable, first);
    }
    while (!list_empty(&s->readable) && now_us < end_us) {
        struct connection *c = CONTAINER_OF(s->readable.next, struct connection, in_readable);

        list_remove(&c->in_readable);
        connection_read(c, now_us);
        now_us = clock_boot_us();
    }
}

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    connection_flush(CONNECTION_OF(io));
}

/* --- opening and closing ---------------------------------------------------------------------- */

void connection_open(struct server *s, int fd, const struct sockaddr_storage *address, bool is_sentinel)
{
    struct client_info info = {.fd = fd, .is_local = address_is_loopback(address) || address->ss_family == AF_UNIX};
    struct sockaddr_storage local;
    socklen_t size = sizeof local;
    struct client_counters *counters;

    info.is_unix = address->ss_family == AF_UNIX;
    info.is_sentinel = is_sentinel;
    address_format(address, info.address, sizeof info.address);
    memset(&local, 0, sizeof local);
    if (getsockname(fd, (struct sockaddr *)(void *)&local, &size) == 0) {
        address_format(&local, info.local_address, sizeof info.local_address);
    }
    if (info.is_unix) {
        (void)snprintf(info.address, sizeof info.address, "%s:0", s->options->unixsocket);
        memcpy(info.local_address, info.address, sizeof info.local_address);
    }
    counters = clients_counters(node_clients(s->node));
    counters->connections_received++;
    /* Peers come through this door too, so the exact limit is checked when a connection turns out to be a client's. */
    if (s->connection_count >= (size_t)s->options->maxclients + SERVER_UNPROVEN_PEERS_MAX) {
        static const char text[] = "-ERR max number of clients reached\r\n";
        ssize_t n = send(fd, text, sizeof text - 1, MSG_NOSIGNAL);

        (void)n;
        (void)close(fd);
        counters->connections_rejected++;
        return;
    }
    struct connection *c = mem_alloc_zero(sizeof *c);
    list_init(&c->in_readable);
    c->server = s;
    c->fd = fd;
    c->is_loopback = info.is_local;
    c->active_us = clock_boot_us();
    memcpy(c->address, info.address, sizeof c->address);
    socket_tune(s, fd, true);
    ev_io_init(&c->read, on_readable, fd, EV_READ);
    ev_io_init(&c->write, on_writable, fd, EV_WRITE);
    c->read.data = c;
    c->write.data = c;
    list_append(&s->connections, &c->in_server);
    s->connection_count++;
    c->client = client_open(s->node, &info, c);
    ev_io_start(s->loop, &c->read);
}

void connections_each_second(struct server *s)
{
    uint64_t now_us = clock_boot_us();
    uint64_t timeout_us = (uint64_t)s->options->timeout * 1000000u;
    struct list *next;

    clients_each_second(node_clients(s->node), now_us);
    for (struct list *at = s->connections.next; at != &s->connections; at = next) {
        struct connection *c = CONTAINER_OF(at, struct connection, in_server);

        next = at->next;
        if (c->client && now_us - c->active_us > SILENT_US) {
            client_trim(c->client);
        }
        bool is_idle = timeout_us > 0 && c->client && now_us - c->active_us > timeout_us && client_is_idle(c->client);
        if (is_idle || (c->linger_until_us > 0 && now_us >= c->linger_until_us)) {
            connection_free(c, false);
        }
    }
}

void connections_stop_reading(struct server *s)
{
    for (struct list *at = s->connections.next; at != &s->connections; at = at->next) {
        struct connection *c = CONTAINER_OF(at, struct connection, in_server);

        if (c->client) {
            connection_pause_reading(c);
        }
    }
}

bool connections_linger_answered(struct server *s)
{
    bool are_answered = true;
    struct list *next;

    for (struct list *at = s->connections.next; at != &s->connections; at = next) {
        struct connection *c = CONTAINER_OF(at, struct connection, in_server);

        next = at->next;
        if (!c->client) {
            continue;
        }
        if (client_is_answered(c->client)) {
            connection_linger(c);
        } else {
            are_answered = false;
        }
    }
    return are_answered;
}

bool connections_end_lingering(struct server *s)
{
    uint64_t now_us = clock_boot_us();
    bool is_over = true;

    for (struct list *at = s->connections.next; at != &s->connections; at = at->next) {
        const struct connection *c = CONTAINER_OF(at, struct connection, in_server);

        is_over = is_over && (c->client != NULL || now_us >= c->linger_until_us);
    }
    return is_over;
}

void connections_close_all(struct server *s)
{
    while (!list_empty(&s->connections)) {
        connection_free(CONTAINER_OF(s->connections.next, struct connection, in_server), false);
    }
}
