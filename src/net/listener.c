#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/server_internal.h"

#define ACCEPTS_PER_EVENT 256

void socket_tune(const struct server *s, int fd, bool is_client)
{
    int on = 1;
    int idle = (int)s->options->tcp_keepalive;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (is_client && idle > 0) {
        int interval = idle / 3 > 0 ? idle / 3 : 1;
        int count = 3;

        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    }
}

/* Out of descriptors: take the connection with the one kept for that, and close it, so that the backlog does not spin the loop. */
static void accept_and_drop(struct server *s, int listen_fd)
{
    (void)close(s->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        (void)close(fd);
    }
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log_line(&s->env.log, LOG_WARNING, "A connection was dropped: the process is out of file descriptors.");
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct server *s = SERVER_OF(io);

    (void)loop;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;

        memset(&address, 0, sizeof address);
        int fd = accept4(io->fd, (struct sockaddr *)(void *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            connection_open(s, fd, &address, CONTAINER_OF(io, struct listener, io)->is_sentinel);
        } else if (errno == EMFILE || errno == ENFILE) {
            accept_and_drop(s, io->fd);
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
}

void server_accept_waiting(struct server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        on_accept(s->loop, &s->listener[i].io, EV_READ);
    }
}

static void listener_add(struct server *s, int fd, bool is_sentinel)
{
    struct listener *l = &s->listener[s->listener_count++];

    l->fd = fd;
    l->is_sentinel = is_sentinel;
    ev_io_init(&l->io, on_accept, fd, EV_READ);
    l->io.data = s;
    ev_io_start(s->loop, &l->io);
}

/* Binds one resolved address. Returns 0 or an errno. */
static int listen_on(struct server *s, const struct addrinfo *a, bool is_sentinel)
{
    int on = 1;

    if (s->listener_count == SERVER_LISTENERS_MAX) {
        return ENOBUFS;
    }
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, (int)s->options->tcp_backlog) != 0) {
        int error = errno;

        (void)close(fd);
        return error;
    }
    listener_add(s, fd, is_sentinel);
    return 0;
}

/* One word of `bind`. Returns NULL or why not. */
static const char *listen_on_word(struct server *s, const char *host, int64_t number)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];

    (void)snprintf(port, sizeof port, "%d", (int)number);
    host = strcmp(host, "*") == 0 ? "0.0.0.0" : strcmp(host, "::*") == 0 ? "::" : host;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        return gai_strerror(failed);
    }
    int error = listen_on(s, found, number != s->options->port);
    freeaddrinfo(found);
    return error == 0 ? NULL : strerror(error);
}

/* One word of `bind`, its '-' included. False when the server can't do without it. */
static bool listen_on_or_say(struct server *s, const char *word, int64_t number)
{
    bool is_optional = word[0] == '-';
    const char *host = is_optional ? word + 1 : word;
    const char *why = listen_on_word(s, host, number);

    if (why && !is_optional) {
        log_line(&s->env.log, LOG_WARNING, "Can't listen on %s port %d: %s.", host, (int)number, why);
        return false;
    }
    if (why) {
        log_line(&s->env.log, LOG_VERBOSE, "Not listening on %s port %d: %s.", host, (int)number, why);
    }
    return true;
}

/* --- the unix socket ---------------------------------------------------------------------------- */

/* A socket file that nobody listens on any more is left over from a crash, and is replaced; one in use is not. */
static bool remove_stale(const struct sockaddr_un *address)
{
    struct stat what;

    if (lstat(address->sun_path, &what) != 0) {
        return true;
    }
    if (!S_ISSOCK(what.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_used = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)address, sizeof *address) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (is_used) {
        errno = EADDRINUSE;
        return false;
    }
    return unlink(address->sun_path) == 0;
}

static bool listen_on_path(struct server *s, const char *path, const char *permissions)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *end = NULL;
    unsigned long mode = strtoul(permissions, &end, 8);

    if (*end != '\0' || mode > 0777) {
        log_line(&s->env.log, LOG_WARNING, "option 'unixsocketperm': '%s' is no octal number up to 777.", permissions);
        return false;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_fine = fd >= 0 && s->listener_count < SERVER_LISTENERS_MAX && remove_stale(&address) &&
                   bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    if (is_fine) {
        s->has_unix_socket = true;
        is_fine = (mode == 0 || chmod(path, (mode_t)mode) == 0) && listen(fd, (int)s->options->tcp_backlog) == 0;
    }
    if (!is_fine) {
        log_line(&s->env.log, LOG_WARNING, "Can't listen on the unix socket %s: %s.", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    listener_add(s, fd, false);
    return true;
}

/* All words of `bind`. False when one that is not optional can't be listened on. */
static bool listen_on_all(struct server *s, int64_t number, bool is_optional)
{
    const char *at = s->options->bind;
    bool is_fine = true;

    while (is_fine && *at) {
        size_t n = strcspn(at, " \t");

        if (n > 0 && is_optional) {
            char *word = mem_copy_string(at, n);

            is_fine = listen_on_word(s, word[0] == '-' ? word + 1 : word, number) == NULL || word[0] == '-';
            mem_free(word);
        } else if (n > 0) {
            char *word = mem_copy_string(at, n);

            is_fine = listen_on_or_say(s, word, number);
            mem_free(word);
        }
        at += n + (at[n] ? 1 : 0);
    }
    return is_fine;
}

static void listener_drop(struct server *s, size_t count)
{
    while (s->listener_count > count) {
        struct listener *l = &s->listener[--s->listener_count];

        ev_io_stop(s->loop, &l->io);
        (void)close(l->fd);
    }
}

/* The Sentinel API's port. The one it has by default may be another's: then there is none. */
static bool listen_for_sentinel(struct server *s)
{
    int64_t number = options_sentinel_port(s->options);
    bool is_default = s->options->sentinel_port < 0;
    size_t count = s->listener_count;

    if (number == 0 || number == s->options->port) {
        s->options->sentinel_port = 0;
        return true;
    }
    if (!listen_on_all(s, number, is_default)) {
        listener_drop(s, count);
        if (!is_default) {
            return false;
        }
        log_line(&s->env.log, LOG_NOTICE, "The Sentinel API is off: port %d is taken (sentinel-port chooses another).", (int)number);
        s->options->sentinel_port = 0;
    }
    return true;
}

bool server_listen(struct server *s)
{
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool is_fine = listen_on_all(s, s->options->port, false);
    if (is_fine && s->listener_count == 0) {
        log_line(&s->env.log, LOG_WARNING, "None of the addresses in 'bind' could be listened on.");
        is_fine = false;
    }
    is_fine = is_fine && listen_for_sentinel(s);
    if (is_fine && s->options->unixsocket[0] != '\0') {
        is_fine = listen_on_path(s, s->options->unixsocket, s->options->unixsocketperm);
    }
    return is_fine;
}

void server_stop_listening(struct server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        ev_io_stop(s->loop, &s->listener[i].io);
        (void)close(s->listener[i].fd);
    }
    s->listener_count = 0;
    if (s->has_unix_socket) {
        (void)unlink(s->options->unixsocket);
        s->has_unix_socket = false;
    }
}
