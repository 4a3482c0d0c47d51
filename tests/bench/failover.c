/* How long do writes stop when a node dies? Connections spread over all nodes each write unique values, one at a
 * time; the time of every acknowledgement is noted and the longest time between two of them, over all connections, is
 * the figure. A lost connection goes to the next node after 5 ms; a connection attempt or a request without an
 * answer for 1 s is given up the same way (a stopped node accepts connections and says nothing). Error replies
 * are counted by code word and retried after 1 ms: refusals are a server's right here, silence is what is measured.
 *
 * At the end every connection's last acknowledged value is read back (its key has one writer): a lost one makes the
 * run invalid. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum failover_state { FAILOVER_IDLE, FAILOVER_CONNECTING, FAILOVER_WAITING };
enum { FAILOVER_ERRORS = 8 };

#define FAILOVER_PATIENCE_NS 1000000000u

struct failover_client {
    enum failover_state state;
    int fd;
    size_t node;
    uint64_t wake_ns;      /* IDLE: when to go on; else when to give up */
    uint64_t sequence;     /* of the write under way */
    uint64_t acknowledged; /* sequence of the last acknowledged write; 0: none */
    char in[256];
    size_t in_len;
};

struct failover {
    const struct load_options *options;
    struct failover_client *client;
    uint64_t sequence;
    uint64_t begin_ns;
    uint64_t last_ack_ns;
    uint64_t longest_ns;
    uint64_t longest_at_ns; /* when the longest silence began */
    uint64_t acks;
    uint64_t lost_connections;
    struct {
        char word[32];
        uint64_t count;
    } error[FAILOVER_ERRORS];
};

static void failover_note_error(struct failover *f, const char *line)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(line + 1, " \r\n"), line + 1);
    for (int i = 0; i < FAILOVER_ERRORS; i++) {
        if (f->error[i].count == 0 || strcmp(f->error[i].word, word) == 0) {
            memcpy(f->error[i].word, word, sizeof word);
            f->error[i].count++;
            return;
        }
    }
}

static void failover_drop(struct failover *f, struct failover_client *c, uint64_t now)
{
    if (c->fd >= 0) {
        close(c->fd);
        f->lost_connections++;
    }
    c->fd = -1;
    c->in_len = 0;
    c->state = FAILOVER_IDLE;
    c->node = (c->node + 1) % f->options->node_count;
    c->wake_ns = now + 5000000u;
}

static void failover_write(struct failover *f, struct failover_client *c, uint64_t now)
{
    char request[256];
    char key[48];
    char value[128];
    c->sequence = ++f->sequence;
    int key_len = snprintf(key, sizeof key, "failover:%zu", (size_t)(c - f->client));
    int value_len = snprintf(value, sizeof value, "%020llu:%079d", (unsigned long long)c->sequence, 0);
    int n = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", key_len, key, value_len, value);
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
        failover_drop(f, c, now);
        return;
    }
    c->state = FAILOVER_WAITING;
    c->wake_ns = now + FAILOVER_PATIENCE_NS;
}

static void failover_acknowledge(struct failover *f, struct failover_client *c, uint64_t now)
{
    uint64_t silence = now - f->last_ack_ns;
    if (f->acks > 0 && silence > f->longest_ns) {
        f->longest_ns = silence;
        f->longest_at_ns = f->last_ack_ns;
    }
    f->last_ack_ns = now;
    f->acks++;
    c->acknowledged = c->sequence;
}

static void failover_on_readable(struct failover *f, struct failover_client *c, uint64_t now)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - 1 - c->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        failover_drop(f, c, now);
        return;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    if (strchr(c->in, '\n') == NULL) {
        if (c->in_len == sizeof c->in - 1) {
            failover_drop(f, c, now);
        }
        return;
    }
    bool is_ok = strncmp(c->in, "+OK\r\n", 5) == 0;
    if (is_ok) {
        failover_acknowledge(f, c, now);
    } else {
        failover_note_error(f, c->in);
    }
    c->in_len = 0;
    if (is_ok) {
        failover_write(f, c, now);
    } else {
        c->state = FAILOVER_IDLE;
        c->wake_ns = now + 1000000u;
    }
}

/* What is due on this client without a socket event. */
static void failover_on_time(struct failover *f, struct failover_client *c, uint64_t now)
{
    if (now < c->wake_ns) {
        return;
    }
    if (c->state != FAILOVER_IDLE) {
        failover_drop(f, c, now);
    } else if (c->fd >= 0) {
        failover_write(f, c, now);
    } else {
        c->fd = load_connect(&f->options->node[c->node], false);
        c->state = FAILOVER_CONNECTING;
        c->wake_ns = now + FAILOVER_PATIENCE_NS;
        if (c->fd < 0) {
            failover_drop(f, c, now);
        }
    }
}

static void failover_on_event(struct failover *f, struct failover_client *c, uint64_t now)
{
    if (c->state == FAILOVER_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            failover_drop(f, c, now);
        } else {
            failover_write(f, c, now);
        }
    } else {
        failover_on_readable(f, c, now);
    }
}

static void failover_step(struct failover *f, struct pollfd *poll_fd)
{
    size_t count = f->options->clients;
    for (size_t i = 0; i < count; i++) {
        const struct failover_client *c = &f->client[i];
        poll_fd[i] = (struct pollfd){.fd = c->fd, .events = c->state == FAILOVER_CONNECTING ? POLLOUT : POLLIN};
    }
    poll(poll_fd, count, 1);
    uint64_t now = load_now_ns();
    for (size_t i = 0; i < count; i++) {
        if (poll_fd[i].fd >= 0 && poll_fd[i].revents != 0) {
            failover_on_event(f, &f->client[i], now);
        }
        failover_on_time(f, &f->client[i], now);
    }
}

/* A connection's value is its last acknowledged write or a later one of its own (sent, not answered). Asks each node
 * in turn for up to 10 s. Returns whether it is there. */
static bool failover_verify(const struct failover *f, size_t index)
{
    const struct failover_client *c = &f->client[index];
    for (uint64_t begin = load_now_ns(), node = 0; load_now_ns() - begin < 10000000000u; node++) {
        int fd = load_connect(&f->options->node[node % f->options->node_count], false);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        char text[256];
        char key[48];
        int key_len = snprintf(key, sizeof key, "failover:%zu", index);
        int n = snprintf(text, sizeof text, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_len, key);
        ssize_t got = -1;
        if (fd >= 0 && poll(&p, 1, 1000) == 1 && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n) {
            p.events = POLLIN;
            got = poll(&p, 1, 1000) == 1 ? recv(fd, text, sizeof text - 1, 0) : -1;
        }
        if (fd >= 0) {
            close(fd);
        }
        if (got > 0 && text[0] == '$') {
            text[got] = '\0';
            const char *value = strchr(text, '\n');
            return value != NULL && strtoull(value + 1, NULL, 10) >= c->acknowledged;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

static int failover_print(struct failover *f, double seconds)
{
    size_t lost = 0;
    for (size_t i = 0; i < f->options->clients; i++) {
        lost += f->client[i].acknowledged > 0 && !failover_verify(f, i);
    }
    printf("valid=%d acks=%llu seconds=%.3f longest_ms=%.1f longest_at_ms=%.1f lost_connections=%llu lost_writes=%zu", lost == 0 && f->acks > 0,
           (unsigned long long)f->acks, seconds, (double)f->longest_ns / 1e6, (double)(f->longest_at_ns - f->begin_ns) / 1e6,
           (unsigned long long)f->lost_connections, lost);
    for (int i = 0; i < FAILOVER_ERRORS && f->error[i].count > 0; i++) {
        printf(" error_%s=%llu", f->error[i].word, (unsigned long long)f->error[i].count);
    }
    printf("\n");
    if (lost > 0 || f->acks == 0) {
        fprintf(stderr, "load: INVALID: %zu acknowledged writes lost, %llu acknowledged\n", lost, (unsigned long long)f->acks);
    }
    return lost == 0 && f->acks > 0 ? 0 : 1;
}

int failover_run(const struct load_options *options)
{
    struct failover f = {.options = options, .begin_ns = load_now_ns()};
    struct pollfd *poll_fd = calloc(options->clients, sizeof *poll_fd);
    f.client = calloc(options->clients, sizeof *f.client);
    f.longest_at_ns = f.begin_ns;
    for (size_t i = 0; i < options->clients; i++) {
        f.client[i].fd = -1;
        f.client[i].node = i % options->node_count;
    }
    uint64_t end = f.begin_ns + (uint64_t)(options->seconds * 1e9);
    while (load_now_ns() < end) {
        failover_step(&f, poll_fd);
    }
    /* A silence that lasts to the end counts too. */
    uint64_t silence = load_now_ns() - f.last_ack_ns;
    if (f.acks > 0 && silence > f.longest_ns) {
        f.longest_ns = silence;
        f.longest_at_ns = f.last_ack_ns;
    }
    for (size_t i = 0; i < options->clients; i++) {
        if (f.client[i].fd >= 0) {
            close(f.client[i].fd);
        }
    }
    int code = failover_print(&f, (double)(load_now_ns() - f.begin_ns) / 1e9);
    free(f.client);
    free(poll_fd);
    return code;
}
