/* Figures of the change feed, no test: N watchers (Server-Sent Events) while writers set keys at a given rate. Prints how many
 * writes per second were acknowledged, and fails when a watcher missed, repeated or reordered a change. tests/bench/http-figures runs it.
 *
 *   watchers PORT WATCHERS RATE SECONDS */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WRITERS = 8, WATCHERS_MAX = 4000 };

struct watching {
    int fd;
    unsigned long long last_index;
    unsigned long long last_part;
    unsigned long long seen;
    bool is_wrong;
    char line[128]; /* the beginning of the present line */
    size_t line_n;
};

struct writing {
    int fd;
    unsigned long long sent;
    unsigned long long acknowledged;
};

static struct watching watching[WATCHERS_MAX];
static struct writing writing[WRITERS];

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_connection(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(2);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Digits from *at on. */
static unsigned long long take_number(const char **at, const char *end)
{
    unsigned long long number = 0;
    while (*at < end && **at >= '0' && **at <= '9') {
        number = number * 10 + (unsigned long long)(*(*at)++ - '0');
    }
    return number;
}

/* "id: INDEX-PART": one key per entry, so each is one more change, later than the one before. Parsed by hand: with a
 * thousand watchers a million of them come in a second, on the processors that the nodes share. */
static void take_line(struct watching *w, const char *line, size_t n)
{
    const char *end = line + n;
    if (n < 7 || memcmp(line, "id: ", 4) != 0) {
        return;
    }
    line += 4;
    unsigned long long index = take_number(&line, end);
    w->is_wrong |= line == end || *line++ != '-';
    unsigned long long part = take_number(&line, end);
    bool is_later = index > w->last_index || (index == w->last_index && part == w->last_part + 1);
    w->is_wrong |= line != end || (w->seen > 0 && !is_later);
    w->last_index = index;
    w->last_part = part;
    w->seen++;
}

/* A piece of the stream; a line may begin in the piece before. */
static void take_bytes(struct watching *w, const char *p, size_t n)
{
    while (n > 0) {
        const char *lf = memchr(p, '\n', n);
        size_t piece = lf ? (size_t)(lf - p) : n;
        if (!lf || w->line_n > 0) {
            size_t room = sizeof w->line - w->line_n;
            size_t kept = piece < room ? piece : room;
            memcpy(w->line + w->line_n, p, kept);
            w->line_n += kept;
        }
        if (!lf) {
            return;
        }
        take_line(w, w->line_n > 0 ? w->line : p, w->line_n > 0 ? w->line_n : piece);
        w->line_n = 0;
        p += piece + 1;
        n -= piece + 1;
    }
}

static void read_watcher(struct watching *w)
{
    static char buffer[262144];
    ssize_t n = recv(w->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        w->is_wrong = true;
        close(w->fd);
        w->fd = -1;
        return;
    }
    if (n > 0) {
        take_bytes(w, buffer, (size_t)n);
    }
}

static void read_writer(struct writing *w)
{
    static char buffer[65536];
    ssize_t n = recv(w->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++) {
        w->acknowledged += buffer[i] == '+';
        if (buffer[i] == '-') {
            fprintf(stderr, "a write was refused: %.60s\n", buffer + i);
            exit(2);
        }
    }
}

/* As many writes as the rate allows by now, none of a writer that has 2,000 unanswered. */
static void write_some(double elapsed, double rate, unsigned long long *total)
{
    static char batch[65536];
    for (size_t i = 0; i < WRITERS; i++) {
        size_t n = 0;
        unsigned long long due = (unsigned long long)(elapsed * rate / WRITERS);
        struct writing *w = &writing[i];
        while (w->sent < due && w->sent - w->acknowledged < 2000 && n + 64 < sizeof batch) {
            n += (size_t)snprintf(batch + n, sizeof batch - n, "*3\r\n$3\r\nSET\r\n$8\r\nk%07llu\r\n$4\r\nabcd\r\n", *total % 10000);
            w->sent++;
            (*total)++;
        }
        for (size_t done = 0; done < n;) {
            ssize_t s = send(w->fd, batch + done, n - done, MSG_NOSIGNAL);
            if (s <= 0) {
                perror("send");
                exit(2);
            }
            done += (size_t)s;
        }
    }
}

static unsigned long long acknowledged(void)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < WRITERS; i++) {
        sum += writing[i].acknowledged;
    }
    return sum;
}

static void watch_all(int port, size_t count, int epoll)
{
    static const char request[] = "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &watching[i]};
        watching[i].fd = open_connection(port);
        if (send(watching[i].fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1) {
            exit(2);
        }
        epoll_ctl(epoll, EPOLL_CTL_ADD, watching[i].fd, &event);
    }
}

static void poll_watchers(int epoll, int timeout_ms)
{
    struct epoll_event event[512];
    int n = epoll_wait(epoll, event, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct watching *w = event[i].data.ptr;
        if (w->fd >= 0) {
            read_watcher(w);
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* Writes for so long, then until all is acknowledged; how long that took. */
static double write_all(int epoll, double rate, double seconds, unsigned long long *total)
{
    double start = now_s();
    double end = start;
    while (now_s() - start < seconds || acknowledged() < *total) {
        double elapsed = now_s() - start;
        if (elapsed < seconds) {
            write_some(elapsed, rate, total);
        } else if (elapsed > seconds + 30) {
            break;
        }
        poll_watchers(epoll, 1);
        for (size_t i = 0; i < WRITERS; i++) {
            read_writer(&writing[i]);
        }
        end = now_s();
    }
    return end - start;
}

/* Until every watcher has everything, or something that is wrong. */
static void watch_rest(int epoll, size_t count, unsigned long long total)
{
    for (double until = now_s() + 60; now_s() < until; poll_watchers(epoll, 100)) {
        unsigned long long behind = 0;
        for (size_t i = 0; i < count; i++) {
            behind += watching[i].seen < total && !watching[i].is_wrong;
        }
        if (behind == 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "watchers PORT WATCHERS RATE SECONDS\n");
        return 2;
    }
    int port = atoi(argv[1]);
    size_t count = (size_t)atoi(argv[2]);
    double rate = atof(argv[3]);
    double seconds = atof(argv[4]);
    struct rlimit limit = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &limit);
    int epoll = epoll_create1(0);
    count = count > WATCHERS_MAX ? WATCHERS_MAX : count;
    watch_all(port, count, epoll);
    for (double until = now_s() + 3; count > 0 && now_s() < until;) {
        poll_watchers(epoll, 100);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        writing[i].fd = open_connection(port);
    }
    unsigned long long total = 0;
    double cpu = cpu_seconds();
    double took = write_all(epoll, rate, seconds, &total);
    cpu = (cpu_seconds() - cpu) / took;
    watch_rest(epoll, count, total);
    unsigned long long wrong = 0;
    unsigned long long incomplete = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += watching[i].is_wrong || watching[i].seen > total;
        incomplete += watching[i].seen != total || watching[i].is_wrong;
    }
    printf("watchers=%zu writes=%llu acknowledged=%llu writes_per_second=%.0f incomplete=%llu wrong=%llu own_cpu=%.2f\n", count, total,
           acknowledged(), (double)acknowledged() / took, incomplete, wrong, cpu);
    return incomplete > 0 || wrong > 0 || acknowledged() < total;
}
