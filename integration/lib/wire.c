#include "integration/lib/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "integration/lib/harness.h"

bool wire_open(struct wire *w, uint16_t port, int timeout_ms)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    int one = 1;
    *w = (struct wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(w->fd, (struct sockaddr *)&in, sizeof in) != 0) {
        close(w->fd);
        w->fd = -1;
    }
    return w->fd >= 0;
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    free(w->in);
    free(w->out);
    *w = (struct wire){.fd = -1};
}

bool wire_write(struct wire *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0 && w->fd >= 0) {
        ssize_t sent = send(w->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return n == 0;
}

static void wire_drop_used(struct wire *w)
{
    if (w->in_used > 0) {
        memmove(w->in, w->in + w->in_used, w->in_len - w->in_used);
    }
    w->in_len -= w->in_used;
    w->in_used = 0;
}

/* Reads once more into the buffer. */
static enum wire_result wire_fill(struct wire *w, int64_t deadline_ms)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    int64_t left = deadline_ms - itest_now_ms();
    if (w->fd < 0) {
        return WIRE_CLOSED;
    }
    int n = poll(&p, 1, left > 0 ? (int)left : 0);
    if (n <= 0) {
        return n == 0 || errno == EINTR ? WIRE_TIMEOUT : WIRE_CLOSED;
    }
    if (w->in_cap - w->in_len < 65536) {
        w->in_cap = w->in_cap * 2 + 131072;
        w->in = realloc(w->in, w->in_cap);
    }
    ssize_t got = recv(w->fd, w->in + w->in_len, w->in_cap - w->in_len - 1, 0);
    if (got <= 0) {
        return WIRE_CLOSED;
    }
    w->in_len += (size_t)got;
    return WIRE_OK;
}

/* Hands out a copy of the first n buffered bytes: replies of a pipeline lie back to back, so there is no room for a NUL. */
static const char *wire_take(struct wire *w, size_t n)
{
    if (w->out_cap < n + 1) {
        w->out_cap = n + 1;
        w->out = realloc(w->out, w->out_cap);
    }
    if (n > 0) {
        memcpy(w->out, w->in, n);
    }
    w->out[n] = '\0';
    w->in_used = n;
    return w->out;
}

enum wire_result wire_read_many(struct wire *w, size_t count, int timeout_ms, const char **replies, size_t *len)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    enum wire_result r = WIRE_OK;
    long n = 0;
    if (w->in_used > 0) {
        wire_drop_used(w);
    }
    while (r == WIRE_OK && (n = resp_length_many(w->in, w->in_len, count)) == 0) {
        r = wire_fill(w, deadline);
    }
    *len = r == WIRE_OK && n > 0 ? (size_t)n : w->in_len;
    *replies = wire_take(w, *len);
    return n < 0 ? WIRE_BAD : r;
}

enum wire_result wire_read(struct wire *w, int timeout_ms, const char **reply, size_t *len)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    enum wire_result r = WIRE_OK;
    long size = 0;
    if (w->in_used > 0) {
        wire_drop_used(w);
    }
    while (r == WIRE_OK && (size = resp_length(w->in, w->in_len)) == 0) {
        r = wire_fill(w, deadline);
    }
    if (r != WIRE_OK || size < 0) {
        return size < 0 ? WIRE_BAD : r; /* What came of a half reply stays for the next call. */
    }
    if (len != NULL) {
        *len = (size_t)size;
    }
    *reply = wire_take(w, (size_t)size);
    return WIRE_OK;
}

enum wire_result wire_read_bytes(struct wire *w, size_t n, int timeout_ms, const char **bytes, size_t *len)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    enum wire_result r = WIRE_OK;
    if (w->in_used > 0) {
        wire_drop_used(w);
    }
    while (w->in_len < n && r == WIRE_OK) {
        r = wire_fill(w, deadline);
    }
    *len = w->in_len < n ? w->in_len : n;
    *bytes = wire_take(w, *len);
    return r;
}

bool wire_is_closed_within(struct wire *w, int timeout_ms)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    enum wire_result r;
    do {
        w->in_used = w->in_len;
        wire_drop_used(w);
        r = wire_fill(w, deadline);
    } while (r == WIRE_OK);
    return r == WIRE_CLOSED;
}

static size_t wire_format(char *out, size_t size, const char *line)
{
    int words = 1;
    for (const char *p = line; *p != '\0'; p++) {
        words += *p == ' ';
    }
    size_t len = (size_t)snprintf(out, size, "*%d\r\n", words);
    for (const char *p = line; words > 0 && len < size; words--) {
        size_t n = strcspn(p, " ");
        len += (size_t)snprintf(out + len, size - len, "$%zu\r\n%.*s\r\n", n, (int)n, p);
        p += n + 1;
    }
    return len;
}

__attribute__((format(printf, 2, 0))) static bool wire_vsend(struct wire *w, const char *format, va_list args)
{
    char line[8192];
    char bytes[16384];
    int n = vsnprintf(line, sizeof line, format, args);
    if (n < 0 || (size_t)n >= sizeof line) {
        itest_fail("a command of %d bytes is too long for wire_send", n);
        return false;
    }
    return wire_write(w, bytes, wire_format(bytes, sizeof bytes, line));
}

bool wire_send(struct wire *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = wire_vsend(w, format, args);
    va_end(args);
    return ok;
}

const char *wire_call(struct wire *w, const char *format, ...)
{
    const char *reply = NULL;
    va_list args;
    va_start(args, format);
    bool ok = wire_vsend(w, format, args);
    va_end(args);
    return ok && wire_read(w, 10000, &reply, NULL) == WIRE_OK ? reply : NULL;
}

bool wire_once(uint16_t port, int timeout_ms, char *out, size_t size, const char *command)
{
    struct wire w;
    const char *reply;
    size_t len;
    bool ok = false;
    out[0] = '\0';
    if (!wire_open(&w, port, timeout_ms)) {
        return false;
    }
    if (wire_send(&w, "%s", command) && wire_read(&w, timeout_ms, &reply, &len) == WIRE_OK) {
        len = len < size ? len : size - 1;
        memcpy(out, reply, len);
        out[len] = '\0';
        ok = true;
    }
    wire_close(&w);
    return ok;
}

/* ---- RESP ---- */

/* Length of the line at p with its CRLF, 0 if incomplete. */
static size_t resp_line(const char *p, size_t n)
{
    const char *lf = n > 0 ? memchr(p, '\n', n) : NULL;
    return lf != NULL ? (size_t)(lf - p) + 1 : 0;
}

long resp_length(const char *p, size_t n)
{
    size_t line = resp_line(p, n);
    if (line == 0) {
        return 0;
    }
    long count = strtol(p + 1, NULL, 10);
    size_t used = line;
    switch (p[0]) {
    case '+': case '-': case ':': case '_': case ',': case '#': case '(':
        return (long)line;
    case '$': case '=': case '!':
        if (count >= 0) {
            used += (size_t)count + 2;
        }
        return used <= n ? (long)used : 0;
    case '%': case '|':
        count *= 2;
        break;
    case '*': case '~': case '>':
        break;
    default:
        return -1;
    }
    for (; count > 0; count--) {
        long item = resp_length(p + used, n - used);
        if (item <= 0) {
            return item;
        }
        used += (size_t)item;
    }
    /* An attribute goes before the value it belongs to. */
    if (p[0] == '|') {
        long value = resp_length(p + used, n - used);
        return value <= 0 ? value : (long)used + value;
    }
    return (long)used;
}

long resp_length_many(const char *p, size_t n, size_t count)
{
    size_t used = 0;
    for (; count > 0; count--) {
        long one = resp_length(p + used, n - used);
        if (one <= 0) {
            return one;
        }
        used += (size_t)one;
    }
    return (long)used;
}

bool resp_string(const char *reply, char *out, size_t size)
{
    out[0] = '\0';
    if (reply == NULL || (reply[0] != '$' && reply[0] != '=')) {
        return false;
    }
    long n = strtol(reply + 1, NULL, 10);
    const char *text = strchr(reply, '\n') + 1;
    if (n < 0) {
        return false;
    }
    if (reply[0] == '=') {
        text += 4;
        n -= 4;
    }
    snprintf(out, size, "%.*s", (int)n, text);
    return true;
}
