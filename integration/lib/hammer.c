#include "integration/lib/hammer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HAMMER_MOST = 256, HAMMER_PATIENCE_MS = 1000, HAMMER_STRICT_PATIENCE_MS = 20000, HAMMER_REDIAL_MS = 4, HAMMER_CODES = 8 };

enum hammer_state { HAMMER_IDLE, HAMMER_CONNECTING, HAMMER_WAITING };

struct hammer_connection {
    enum hammer_state state;
    int fd;
    size_t node[2];
    int side;            /* which of the two it is at */
    uint64_t wake_ns;    /* IDLE: go on; else: give up */
    bool is_write;
    uint64_t acknowledged;
    uint64_t uncertain;  /* increments that may or may not have been done */
    uint64_t turn;
    char in[512];
    size_t in_len;
};

struct hammer {
    const struct cluster *cluster;
    enum hammer_mode mode;
    size_t count;
    struct hammer_connection c[HAMMER_MOST];
    pthread_t thread;
    atomic_bool is_over;
    atomic_uint_fast64_t writes;
    atomic_uint_fast64_t last_ns;    /* of the last acknowledged write */
    atomic_uint_fast64_t longest_ns; /* in the window */
    uint64_t reads, repeated, wrong, resets, silences, unknown;
    struct {
        char code[24];
        uint64_t count;
    } error[HAMMER_CODES];
    char first_wrong[300];
};

static uint64_t hammer_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void hammer_note_wrong(struct hammer *h, const struct hammer_connection *c, const char *what)
{
    if (h->wrong++ == 0) {
        snprintf(h->first_wrong, sizeof h->first_wrong, "connection %zu (node %zu, %llu acknowledged, %llu uncertain): %.150s",
                 (size_t)(c - h->c), c->node[c->side] + 1, (unsigned long long)c->acknowledged, (unsigned long long)c->uncertain, what);
    }
}

static void hammer_note_error(struct hammer *h, const char *reply)
{
    char code[24];
    snprintf(code, sizeof code, "%.*s", (int)strcspn(reply + 1, " \r\n"), reply + 1);
    for (int i = 0; i < HAMMER_CODES; i++) {
        if (h->error[i].count == 0 || strcmp(h->error[i].code, code) == 0) {
            memcpy(h->error[i].code, code, sizeof code);
            h->error[i].count++;
            return;
        }
    }
}

/* Away from this node; `may_have_run`: the request under way. */
static void hammer_leave(struct hammer *h, struct hammer_connection *c, bool may_have_run, uint64_t now)
{
    if (c->state == HAMMER_WAITING && c->is_write) {
        if (may_have_run) {
            c->uncertain++;
        } else {
            h->repeated++;
        }
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    c->in_len = 0;
    c->state = HAMMER_IDLE;
    c->side = !c->side;
    c->wake_ns = now + HAMMER_REDIAL_MS * 1000000u;
}

static void hammer_dial(struct hammer *h, struct hammer_connection *c, uint64_t now)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(h->cluster->node[c->node[c->side]].port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = HAMMER_CONNECTING;
    c->wake_ns = now + HAMMER_PATIENCE_MS * 1000000u;
    if (connect(c->fd, (struct sockaddr *)&in, sizeof in) != 0 && errno != EINPROGRESS) {
        hammer_leave(h, c, false, now);
    }
}

static void hammer_ask(struct hammer *h, struct hammer_connection *c, uint64_t now)
{
    char request[128];
    c->is_write = c->turn++ % 4 != 3;
    int n = snprintf(request, sizeof request, "%s hammer:%zu\r\n", c->is_write ? "INCR" : "GET", (size_t)(c - h->c));
    c->state = HAMMER_WAITING;
    c->wake_ns = now + (h->mode == HAMMER_STRICT ? HAMMER_STRICT_PATIENCE_MS : HAMMER_PATIENCE_MS) * (uint64_t)1000000;
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
        hammer_leave(h, c, false, now); /* Not even the kernel took it. */
    }
}

static void hammer_acknowledge(struct hammer *h, uint64_t now)
{
    uint64_t silence = now - atomic_load(&h->last_ns);
    if (silence > atomic_load(&h->longest_ns)) {
        atomic_store(&h->longest_ns, silence);
    }
    atomic_store(&h->last_ns, now);
    atomic_fetch_add(&h->writes, 1);
}

/* The number must be one that the acknowledged and the uncertain increments allow. */
static void hammer_take_number(struct hammer *h, struct hammer_connection *c, uint64_t value, const char *reply, uint64_t now)
{
    uint64_t least = c->acknowledged + (c->is_write ? 1 : 0);
    if (value < least || value > least + c->uncertain) {
        hammer_note_wrong(h, c, reply);
    }
    c->uncertain -= value > least && value - least <= c->uncertain ? value - least : 0;
    c->acknowledged = value;
    if (c->is_write) {
        hammer_acknowledge(h, now);
    } else {
        h->reads++;
    }
}

/* A whole reply, or NULL. */
static const char *hammer_reply(struct hammer_connection *c)
{
    c->in[c->in_len] = '\0';
    return resp_length(c->in, c->in_len) > 0 ? c->in : NULL;
}

static void hammer_take(struct hammer *h, struct hammer_connection *c, const char *reply, uint64_t now)
{
    char text[64];
    if (reply[0] == '-') {
        hammer_note_error(h, reply);
        bool is_unknown = strncmp(reply, "-UNKNOWN", 8) == 0;
        h->unknown += is_unknown;
        c->uncertain += is_unknown && c->is_write ? 1 : 0;
        if (h->mode == HAMMER_STRICT) {
            hammer_note_wrong(h, c, reply);
        }
        c->state = HAMMER_IDLE;
        c->wake_ns = now + 1000000u;
    } else if (reply[0] == ':' && c->is_write) {
        hammer_take_number(h, c, strtoull(reply + 1, NULL, 10), reply, now);
        hammer_ask(h, c, now);
    } else if (strcmp(reply, "$-1\r\n") == 0 && !c->is_write) {
        hammer_take_number(h, c, 0, reply, now);
        hammer_ask(h, c, now);
    } else if (resp_string(reply, text, sizeof text) && !c->is_write) {
        hammer_take_number(h, c, strtoull(text, NULL, 10), reply, now);
        hammer_ask(h, c, now);
    } else {
        hammer_note_wrong(h, c, reply);
        hammer_leave(h, c, true, now);
    }
}

static void hammer_on_readable(struct hammer *h, struct hammer_connection *c, uint64_t now)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - 1 - c->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0) {
        h->resets++;
        if (h->mode == HAMMER_STRICT) {
            hammer_note_wrong(h, c, strerror(errno));
        }
        hammer_leave(h, c, true, now);
        return;
    }
    if (n == 0) {
        hammer_leave(h, c, h->mode == HAMMER_DEATHS, now);
        return;
    }
    c->in_len += (size_t)n;
    const char *reply = hammer_reply(c);
    if (reply != NULL) {
        c->in_len = 0;
        hammer_take(h, c, reply, now);
    }
}

static void hammer_on_time(struct hammer *h, struct hammer_connection *c, uint64_t now)
{
    if (now < c->wake_ns) {
        return;
    }
    if (c->state == HAMMER_IDLE && c->fd < 0) {
        hammer_dial(h, c, now);
    } else if (c->state == HAMMER_IDLE) {
        hammer_ask(h, c, now);
    } else {
        h->silences++;
        if (h->mode == HAMMER_STRICT && c->state == HAMMER_WAITING) {
            hammer_note_wrong(h, c, "no answer in time");
        }
        hammer_leave(h, c, c->state == HAMMER_WAITING, now);
    }
}

static void hammer_on_event(struct hammer *h, struct hammer_connection *c, uint64_t now)
{
    if (c->state != HAMMER_CONNECTING) {
        hammer_on_readable(h, c, now);
        return;
    }
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        hammer_leave(h, c, false, now);
    } else {
        hammer_ask(h, c, now);
    }
}

static void *hammer_main(void *ctx)
{
    struct hammer *h = ctx;
    struct pollfd p[HAMMER_MOST];
    while (!atomic_load(&h->is_over)) {
        for (size_t i = 0; i < h->count; i++) {
            p[i] = (struct pollfd){.fd = h->c[i].fd, .events = h->c[i].state == HAMMER_CONNECTING ? POLLOUT : POLLIN};
        }
        poll(p, h->count, 1);
        uint64_t now = hammer_now_ns();
        for (size_t i = 0; i < h->count; i++) {
            if (p[i].fd >= 0 && p[i].revents != 0) {
                hammer_on_event(h, &h->c[i], now);
            }
            hammer_on_time(h, &h->c[i], now);
        }
    }
    return NULL;
}

struct hammer *hammer_start(const struct cluster *c, size_t connections, enum hammer_mode mode)
{
    struct hammer *h = calloc(1, sizeof *h);
    h->cluster = c;
    h->mode = mode;
    h->count = connections < HAMMER_MOST ? connections : HAMMER_MOST;
    atomic_store(&h->last_ns, hammer_now_ns());
    for (size_t i = 0; i < h->count; i++) {
        h->c[i] = (struct hammer_connection){.fd = -1, .node = {i % c->count, (i + 1) % c->count}};
    }
    pthread_create(&h->thread, NULL, hammer_main, h);
    return h;
}

void hammer_mark(struct hammer *h)
{
    atomic_store(&h->longest_ns, 0);
}

double hammer_longest_ms(struct hammer *h)
{
    uint64_t silence = hammer_now_ns() - atomic_load(&h->last_ns);
    uint64_t longest = atomic_load(&h->longest_ns);
    return (double)(silence > longest ? silence : longest) / 1e6;
}

uint64_t hammer_acknowledged(const struct hammer *h)
{
    return atomic_load(&h->writes);
}

bool hammer_wait(const struct hammer *h, uint64_t more, int timeout_ms)
{
    uint64_t begin = hammer_acknowledged(h);
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(1)) {
        if (hammer_acknowledged(h) >= begin + more) {
            return true;
        }
    }
    return false;
}

/* Asks one node for every counter. */
static void hammer_verify(const struct hammer *h, size_t node)
{
    struct wire w;
    size_t bad = 0;
    if (!wire_open(&w, h->cluster->node[node].port, 5000)) {
        itest_fail("node %zu takes no connections", node + 1);
        return;
    }
    for (size_t i = 0; i < h->count; i++) {
        const struct hammer_connection *c = &h->c[i];
        const char *reply = wire_call(&w, "GET hammer:%zu", i);
        char text[64] = "";
        bool is_answer = reply != NULL && (strcmp(reply, "$-1\r\n") == 0 || resp_string(reply, text, sizeof text));
        uint64_t value = strtoull(text, NULL, 10);
        /* What was under way at the end is uncertain too. */
        if ((!is_answer || value < c->acknowledged || value > c->acknowledged + c->uncertain + 1) && bad++ == 0) {
            itest_fail("node %zu: counter %zu is %.40s, acknowledged %llu, uncertain %llu", node + 1, i, reply != NULL ? reply : "(no reply)",
                       (unsigned long long)c->acknowledged, (unsigned long long)c->uncertain);
        }
    }
    wire_close(&w);
}

void hammer_stop(struct hammer *h)
{
    char errors[256] = "";
    atomic_store(&h->is_over, true);
    pthread_join(h->thread, NULL);
    for (size_t i = 0; i < h->count; i++) {
        if (h->c[i].fd >= 0) {
            close(h->c[i].fd);
        }
    }
    for (int i = 0; i < HAMMER_CODES && h->error[i].count > 0; i++) {
        size_t len = strlen(errors);
        snprintf(errors + len, sizeof errors - len, ", %s %llu", h->error[i].code, (unsigned long long)h->error[i].count);
    }
    itest_note("%llu writes and %llu reads answered, %llu repeated after an end of file, %llu resets, %llu silences%s; %llu wrong",
               (unsigned long long)hammer_acknowledged(h), (unsigned long long)h->reads, (unsigned long long)h->repeated,
               (unsigned long long)h->resets, (unsigned long long)h->silences, errors, (unsigned long long)h->wrong);
    if (h->wrong > 0) {
        itest_fail("%s", h->first_wrong);
    }
    for (size_t i = 0; i < h->cluster->count; i++) {
        if (h->cluster->node[i].pid != 0 && !h->cluster->node[i].is_suspended) {
            hammer_verify(h, i);
        }
    }
    free(h);
}

static int hammer_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double hammer_quantiles(double *ms, size_t count, char *text, size_t size, double *p50)
{
    qsort(ms, count, sizeof *ms, hammer_compare);
    size_t last = count - 1;
    double p99 = ms[(count * 99 + 99) / 100 - 1];
    *p50 = ms[last / 2];
    snprintf(text, size, "p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms", *p50, ms[last * 90 / 100], p99, ms[last]);
    return p99;
}
