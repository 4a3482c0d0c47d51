/* The loader of `make bench`: the same program, with the same cost per operation, for every system compared.
 *
 * One thread and one epoll. Each client keeps `pipeline` requests under way: it writes them with one send, reads until
 * all are answered, records the time from that send to the arrival of each reply, and sends the next ones. Every
 * reply's type (for GET also its length) is checked; an error reply, a wrong type, a missing key or a lost connection
 * makes the run invalid: exit code 1 and the word INVALID, so a system can't look fast by failing.
 *
 * The loader's own CPU time is printed: where it is near 100 % of the elapsed time, the loader is what was measured. */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/histogram.h"
#include "tests/bench/load_workload.h"

enum { LOAD_INPUT_BYTES = 256 * 1024 };

struct load_client {
    int fd;
    size_t waiting;      /* replies not yet seen of the batch under way */
    uint64_t sent_at_ns;
    char *out;           /* one batch of requests */
    size_t out_len;
    size_t out_sent;
    size_t skip;         /* bytes of a bulk reply, CRLF included, that are still to come */
    char *in;            /* an incomplete reply line */
    size_t in_len;
};

struct load {
    const struct load_options *options;
    int epoll_fd;
    struct load_client *client;
    struct load_source source;
    uint64_t started_ns;   /* of measuring; 0 during warm-up and fill */
    uint64_t issued;       /* requests sent */
    uint64_t done;         /* replies that counted */
    uint64_t errors;       /* error replies */
    uint64_t wrong;        /* replies of a wrong type or length */
    uint64_t missing;      /* nil where a value must be */
    char first_error[160];
    bool is_over;
    struct histogram latency;
};

uint64_t load_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double load_cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int load_connect(const struct load_address *address, bool wait)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    if (inet_pton(AF_INET, address->host, &in.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) {
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!wait) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- requests ---- */

static void load_watch(struct load *l, struct load_client *c, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data = {.ptr = c}};
    if (epoll_ctl(l->epoll_fd, operation, c->fd, &event) != 0) {
        load_die("epoll_ctl");
    }
}

static void load_flush(struct load *l, struct load_client *c)
{
    bool was_blocked = c->out_sent > 0;
    ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        load_die("send");
    }
    c->out_sent += n > 0 ? (size_t)n : 0;
    if (c->out_sent < c->out_len) {
        load_watch(l, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    } else if (was_blocked) {
        load_watch(l, c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

/* Sends the next batch, or nothing when the requests are used up. */
static void load_send_batch(struct load *l, struct load_client *c)
{
    size_t batch = l->options->pipeline;
    if (l->options->requests > 0) {
        uint64_t left = l->options->requests - l->issued;
        batch = left < batch ? (size_t)left : batch;
    }
    if (batch == 0) {
        return;
    }
    char *end = c->out;
    for (size_t i = 0; i < batch; i++) {
        end = load_put_request(&l->source, end);
    }
    c->out_len = (size_t)(end - c->out);
    c->out_sent = 0;
    c->waiting = batch;
    l->issued += batch;
    c->sent_at_ns = load_now_ns();
    load_flush(l, c);
}

/* ---- replies ---- */

static void load_note_wrong(struct load *l, const char *line, size_t len)
{
    if (l->first_error[0] == '\0') {
        snprintf(l->first_error, sizeof l->first_error, "%.*s", (int)(len < 150 ? len : 150), line);
    }
}

/* Checks one reply's first line (without CRLF). Returns how many bytes of a bulk follow it. */
static size_t load_check_line(struct load *l, const char *line, size_t len)
{
    char type = load_reply_type(l->options->workload);
    if (len == 0 || line[0] != type) {
        *(len > 0 && line[0] == '-' ? &l->errors : &l->wrong) += 1;
        load_note_wrong(l, line, len);
        return 0;
    }
    if (type == '$') {
        long size = strtol(line + 1, NULL, 10);
        if (size < 0) {
            l->missing++;
            return 0;
        }
        if ((size_t)size != l->options->value_size) {
            l->wrong++;
            load_note_wrong(l, line, len);
        }
        return (size_t)size + 2;
    }
    if (type == '+' && !(len == 3 && memcmp(line, "+OK", 3) == 0) && !(len == 5 && memcmp(line, "+PONG", 5) == 0)) {
        l->wrong++;
        load_note_wrong(l, line, len);
    }
    return 0;
}

static void load_count_reply(struct load *l, struct load_client *c, uint64_t now)
{
    if (c->waiting == 0) {
        l->wrong++;
        load_note_wrong(l, "(a reply that nobody asked for)", 31);
        return;
    }
    c->waiting--;
    if (l->started_ns != 0) {
        l->done++;
        histogram_record(&l->latency, now - c->sent_at_ns);
    }
}

/* Consumes what it can of `len` bytes at `p`; returns how many were consumed. */
static size_t load_parse(struct load *l, struct load_client *c, const char *p, size_t len, uint64_t now)
{
    size_t used = 0;
    while (used < len) {
        if (c->skip > 0) {
            size_t n = len - used < c->skip ? len - used : c->skip;
            used += n;
            c->skip -= n;
            if (c->skip > 0) {
                break;
            }
            load_count_reply(l, c, now);
            continue;
        }
        const char *lf = memchr(p + used, '\n', len - used);
        if (lf == NULL) {
            break;
        }
        const char *line = p + used;
        size_t line_len = (size_t)(lf - line);
        used += line_len + 1;
        c->skip = load_check_line(l, line, line_len > 0 && lf[-1] == '\r' ? line_len - 1 : line_len);
        if (c->skip == 0) {
            load_count_reply(l, c, now);
        }
    }
    return used;
}

static void load_on_readable(struct load *l, struct load_client *c)
{
    static char input[LOAD_INPUT_BYTES];
    memcpy(input, c->in, c->in_len);
    ssize_t n = recv(c->fd, input + c->in_len, sizeof input - c->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        errno = n == 0 ? ECONNRESET : errno;
        load_die("the server closed a connection");
    }
    size_t len = c->in_len + (size_t)n;
    size_t used = load_parse(l, c, input, len, load_now_ns());
    c->in_len = len - used;
    if (c->in_len > 1024) {
        errno = EPROTO;
        load_die("a reply line longer than 1024 bytes");
    }
    memcpy(c->in, input + used, c->in_len);
    if (c->waiting == 0 && !l->is_over) {
        load_send_batch(l, c);
    }
}

/* ---- the run ---- */

static void load_authenticate(const struct load_options *o, int fd)
{
    char line[700];
    if (o->password == NULL) {
        return;
    }
    int n = snprintf(line, sizeof line, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(o->password), o->password);
    fcntl(fd, F_SETFL, 0);
    if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n || recv(fd, line, 5, MSG_WAITALL) != 5 || memcmp(line, "+OK\r\n", 5) != 0) {
        errno = EACCES;
        load_die("AUTH");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void load_open(struct load *l, const struct load_options *o)
{
    *l = (struct load){.options = o, .epoll_fd = epoll_create1(0)};
    load_source_init(&l->source, o);
    l->client = calloc(o->clients, sizeof *l->client);
    for (size_t i = 0; i < o->clients; i++) {
        struct load_client *c = &l->client[i];
        c->out = malloc(load_request_bound(o) * o->pipeline);
        c->in = malloc(1024);
        c->fd = load_connect(&o->node[0], true);
        if (c->fd < 0) {
            load_die("connect");
        }
        load_authenticate(o, c->fd);
        load_watch(l, c, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void load_close(struct load *l)
{
    for (size_t i = 0; i < l->options->clients; i++) {
        close(l->client[i].fd);
        free(l->client[i].out);
        free(l->client[i].in);
    }
    free(l->client);
    load_source_deinit(&l->source);
    close(l->epoll_fd);
}

static bool load_is_idle(const struct load *l)
{
    for (size_t i = 0; i < l->options->clients; i++) {
        if (l->client[i].waiting > 0) {
            return false;
        }
    }
    return true;
}

static void load_wait(struct load *l)
{
    struct epoll_event event[256];
    int n = epoll_wait(l->epoll_fd, event, 256, 1000);
    for (int i = 0; i < n; i++) {
        struct load_client *c = event[i].data.ptr;
        if (event[i].events & EPOLLOUT) {
            load_flush(l, c);
        }
        if (event[i].events & ~(uint32_t)EPOLLOUT) {
            load_on_readable(l, c);
        }
    }
}

/* Returns how long was measured, in seconds; the CPU time of that span in *cpu. */
static double load_run(struct load *l, double *cpu)
{
    const struct load_options *o = l->options;
    uint64_t begin = load_now_ns();
    for (size_t i = 0; i < o->clients; i++) {
        load_send_batch(l, &l->client[i]);
    }
    *cpu = load_cpu_seconds();
    if (o->warmup <= 0) {
        l->started_ns = begin;
    }
    for (;;) {
        load_wait(l);
        uint64_t now = load_now_ns();
        if (l->started_ns == 0 && (double)(now - begin) / 1e9 >= o->warmup) {
            l->started_ns = now;
            *cpu = load_cpu_seconds();
        }
        if (o->requests > 0 ? l->issued >= o->requests && load_is_idle(l)
                            : l->started_ns != 0 && (double)(now - l->started_ns) / 1e9 >= o->seconds) {
            *cpu = load_cpu_seconds() - *cpu;
            return (double)(now - l->started_ns) / 1e9;
        }
    }
}

/* The rest of the batches under way is waited for, so that the server is idle when the loader ends. */
static void load_drain(struct load *l)
{
    uint64_t begin = load_now_ns();
    l->is_over = true;
    l->started_ns = 0;
    while (!load_is_idle(l)) {
        load_wait(l);
        if (load_now_ns() - begin > 10000000000u) {
            errno = ETIMEDOUT;
            load_die("replies missing 10 s after the last request");
        }
    }
}

static void load_fill(const struct load_options *o)
{
    struct load_options fill = *o;
    struct load l;
    double cpu;
    fill.workload = load_fill_workload(o->workload);
    fill.clients = 8;
    fill.pipeline = fill.workload == LOAD_SET ? 64 : 1;
    fill.requests = load_fill_requests(fill.workload, o->keys);
    fill.warmup = 0;
    load_open(&l, &fill);
    load_run(&l, &cpu);
    if (l.errors + l.wrong > 0) {
        fprintf(stderr, "load: INVALID: filling failed: %s\n", l.first_error);
        exit(1);
    }
    load_close(&l);
}

static int load_print(const struct load *l, double seconds, double cpu)
{
    const struct histogram *h = &l->latency;
    bool is_invalid = l->errors + l->wrong + l->missing > 0 || l->done == 0;
    double ops = (double)l->done / seconds;
    double us = l->done > 0 ? cpu * 1e6 / (double)l->done : 0;
    if (l->options->tab) {
        printf("valid=%d ops=%.0f done=%llu seconds=%.3f p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f cpu_s=%.3f cpu_us_per_op=%.2f\n",
               !is_invalid, ops, (unsigned long long)l->done, seconds, (double)histogram_quantile(h, 0.5) / 1e3,
               (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_quantile(h, 0.999) / 1e3, (double)h->max / 1e3, cpu, us);
    } else {
        printf("%llu requests in %.2f s: %.0f per second\n", (unsigned long long)l->done, seconds, ops);
        printf("latency: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms\n", (double)histogram_quantile(h, 0.5) / 1e6,
               (double)histogram_quantile(h, 0.99) / 1e6, (double)histogram_quantile(h, 0.999) / 1e6, (double)h->max / 1e6);
        printf("the loader itself: %.2f s of CPU, %.1f us per request, %.0f %% of the time\n", cpu, us, 100 * cpu / seconds);
    }
    if (is_invalid) {
        fprintf(stderr, "load: INVALID: %llu error replies, %llu wrong replies, %llu missing keys, %llu counted; first: %s\n",
                (unsigned long long)l->errors, (unsigned long long)l->wrong, (unsigned long long)l->missing, (unsigned long long)l->done,
                l->first_error);
    }
    return is_invalid ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct load_options o = {.node = {{.host = "127.0.0.1", .port = 6379}}, .node_count = 1, .clients = 50, .pipeline = 1,
        .workload = LOAD_SET, .value_size = 100, .keys = 100000, .seconds = 5, .warmup = 0.5, .seed = 1};
    load_parse_options(&o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (o.requests > 0) {
        o.warmup = 0;
    }
    if (o.syncs_dir != NULL) {
        return syncs_run(o.syncs_dir);
    }
    if (o.pauses_mib != 0) {
        return pauses_run((size_t)o.pauses_mib);
    }
    if (o.failover) {
        return failover_run(&o);
    }
    if (o.fill) {
        load_fill(&o);
        o.fill = false;
    }
    struct load l;
    double cpu;
    load_open(&l, &o);
    double seconds = load_run(&l, &cpu);
    load_drain(&l);
    int code = load_print(&l, seconds, cpu);
    load_close(&l);
    return code;
}
