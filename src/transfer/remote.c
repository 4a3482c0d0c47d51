#define _GNU_SOURCE
#include "transfer/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"

enum { CONNECT_MS = 5000, SILENCE_MS = 60000, READ_BYTES = 65536, RETRY_MS = 200 };

int64_t remote_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void remote_sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

void remote_init(struct remote *r, const struct transfer_options *options)
{
    *r = (struct remote){.options = options, .next_address = options->addresses, .fd = -1};
}

static void forget_value(struct remote *r)
{
    resp_value_free(r->value);
    r->value = NULL;
    buf_consume(&r->in, r->to_drop);
    r->to_drop = 0;
}

void remote_disconnect(struct remote *r)
{
    forget_value(r);
    if (r->fd >= 0) {
        (void)close(r->fd);
        r->fd = -1;
    }
    buf_clear(&r->in, READ_BYTES);
    buf_clear(&r->out, READ_BYTES);
    r->reader = (struct resp_value_reader){0};
}

void remote_deinit(struct remote *r)
{
    remote_disconnect(r);
    buf_deinit(&r->in);
    buf_deinit(&r->out);
    buf_deinit(&r->trouble);
}

bool remote_is_connected(const struct remote *r)
{
    return r->fd >= 0;
}

static void set_trouble(struct remote *r, const char *what, const char *detail)
{
    buf_clear(&r->trouble, READ_BYTES);
    buf_printf(&r->trouble, "%s%s%s", what, detail[0] ? ": " : "", detail);
}

/* --- connecting --- */

/* Takes the next of the addresses, in turn. */
static void take_address(struct remote *r, char *out, size_t room)
{
    size_t n = strcspn(r->next_address, ",");

    (void)snprintf(out, room, "%.*s", (int)n, r->next_address);
    r->next_address += n + (r->next_address[n] ? 1 : 0);
    if (!r->next_address[0]) {
        r->next_address = r->options->addresses;
    }
}

static bool connect_within(int fd, const struct addrinfo *a, int timeout_ms)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
        return true;
    }
    if (errno != EINPROGRESS) {
        return false;
    }
    if (poll(&p, 1, timeout_ms) <= 0) {
        errno = ETIMEDOUT;
        return false;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return false;
    }
    return true;
}

static bool open_socket(struct remote *r, const char *text)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct address_text parts;
    int on = 1;

    if (!address_split(text, &parts)) {
        set_trouble(r, "an address is host:port, not", text);
        return false;
    }
    int failed = getaddrinfo(parts.host, parts.port, &hints, &found);
    if (failed != 0) {
        set_trouble(r, text, gai_strerror(failed));
        return false;
    }
    for (struct addrinfo *a = found; a && r->fd < 0; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd >= 0 && connect_within(fd, a, CONNECT_MS)) {
            r->fd = fd;
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        } else {
            set_trouble(r, text, strerror(errno));
            if (fd >= 0) {
                (void)close(fd);
            }
        }
    }
    freeaddrinfo(found);
    return r->fd >= 0;
}

/* The password, then a PING: a node that doesn't want us says so now. */
static bool introduce(struct remote *r, bool *is_refused)
{
    struct slice word[3] = {SLICE_LITERAL("AUTH")};
    size_t count = 1;

    if (r->options->password) {
        if (r->options->user) {
            word[count++] = slice_from_cstr(r->options->user);
        }
        word[count++] = slice_from_cstr(r->options->password);
        remote_add(r, word, count);
    }
    remote_add_text(r, "PING");
    if (!remote_send(r)) {
        return false;
    }
    for (int replies = r->options->password ? 2 : 1; replies > 0; replies--) {
        const struct resp_value *v = remote_reply(r);

        if (!v) {
            return false;
        }
        if (v->type == RESP_ERROR && !remote_may_retry(v)) {
            buf_clear(&r->trouble, READ_BYTES);
            buf_append_slice(&r->trouble, v->text);
            *is_refused = true;
            return false;
        }
    }
    return true;
}

bool remote_connect(struct remote *r, bool *is_refused)
{
    char address[LIMIT_ADDRESS_BYTES];
    const char *first = r->next_address;

    *is_refused = false;
    do {
        take_address(r, address, sizeof address);
        if (open_socket(r, address) && introduce(r, is_refused)) {
            return true;
        }
        remote_disconnect(r);
    } while (!*is_refused && r->next_address != first);
    return false;
}

bool remote_connect_patiently(struct remote *r)
{
    int64_t deadline = remote_now_ms() + r->options->patience_ms;
    bool is_refused;

    while (!remote_connect(r, &is_refused)) {
        if (is_refused || remote_now_ms() >= deadline) {
            return false;
        }
        remote_sleep_ms(RETRY_MS);
    }
    return true;
}

/* --- sending and reading --- */

void remote_add(struct remote *r, const struct slice *word, size_t count)
{
    buf_printf(&r->out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&r->out, "$%zu\r\n", word[i].n);
        buf_append_slice(&r->out, word[i]);
        buf_append(&r->out, "\r\n", 2);
    }
}

void remote_add_text(struct remote *r, const char *text)
{
    struct slice word[8];
    size_t count = 0;

    while (*text && count < 8) {
        size_t n = strcspn(text, " ");

        word[count++] = (struct slice){(const uint8_t *)text, n};
        text += n + (text[n] ? 1 : 0);
    }
    remote_add(r, word, count);
}

static bool lost(struct remote *r, const char *why)
{
    set_trouble(r, "the connection is lost", why);
    remote_disconnect(r);
    return false;
}

static bool read_some(struct remote *r)
{
    uint8_t *at = buf_reserve(&r->in, READ_BYTES);
    ssize_t n = recv(r->fd, at, READ_BYTES, 0);

    if (n > 0) {
        buf_commit(&r->in, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    return lost(r, n == 0 ? "the other side closed it" : strerror(errno));
}

static bool write_some(struct remote *r)
{
    struct slice out = buf_slice(&r->out);
    ssize_t n = send(r->fd, out.p, out.n, MSG_NOSIGNAL);

    if (n > 0) {
        buf_consume(&r->out, (size_t)n);
        return true;
    }
    return (n < 0 && (errno == EAGAIN || errno == EINTR)) || lost(r, strerror(errno));
}

/* Waits until the socket can be read, or written where there is something to write, and does it. */
static bool move_bytes(struct remote *r)
{
    struct pollfd p = {.fd = r->fd, .events = (short)(POLLIN | (buf_size(&r->out) > 0 ? POLLOUT : 0))};
    int n = poll(&p, 1, SILENCE_MS);

    if (n == 0) {
        return lost(r, "nothing came for a minute");
    }
    if (n < 0) {
        return errno == EINTR || lost(r, strerror(errno));
    }
    if ((p.revents & POLLOUT) && !write_some(r)) {
        return false;
    }
    return !(p.revents & (POLLIN | POLLHUP | POLLERR)) || read_some(r);
}

bool remote_send(struct remote *r)
{
    forget_value(r);
    if (r->fd < 0) {
        return false;
    }
    while (buf_size(&r->out) > 0) {
        if (!move_bytes(r)) {
            return false;
        }
    }
    buf_clear(&r->out, READ_BYTES);
    return true;
}

const struct resp_value *remote_reply(struct remote *r)
{
    forget_value(r);
    while (r->fd >= 0) {
        switch (resp_value_next(&r->reader, buf_slice(&r->in), &r->value, &r->to_drop)) {
        case PARSE_OK:
            return r->value;
        case PARSE_NEED_MORE:
            if (!move_bytes(r)) {
                return NULL;
            }
            break;
        case PARSE_EMPTY:
        case PARSE_ERROR:
            lost(r, "what came is no Redis protocol");
            return NULL;
        }
    }
    return NULL;
}

const struct resp_value *remote_call(struct remote *r, const char *text)
{
    remote_add_text(r, text);
    return remote_send(r) ? remote_reply(r) : NULL;
}

bool remote_is_error(const struct resp_value *v, const char *code)
{
    size_t n = strlen(code);

    return v->type == RESP_ERROR && v->text.n >= n && memcmp(v->text.p, code, n) == 0 &&
           (v->text.n == n || v->text.p[n] == ' ');
}

bool remote_may_retry(const struct resp_value *v)
{
    return remote_is_error(v, "CLUSTERDOWN") || remote_is_error(v, "TRYAGAIN") || remote_is_error(v, "LOADING") ||
           remote_is_error(v, "BUSY");
}
