#include "integration/lib/proxy.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "integration/lib/cluster.h"

/* One thread moves all bytes under one mutex; the test changes rules under the same mutex. It looks at least every
 * 2 ms whether a rule changed or a delayed chunk is due. */
enum {
    PROXY_CHUNK = 256 * 1024,
    PROXY_RECORD_MAX = 64 * 1024,
    PROXY_MAX_LISTENERS = 16,
    PROXY_MAX_RULES = 32,
    PROXY_MAX_CONNECTIONS = 16384, /* made in the life of one proxy */
    PROXY_TICK_MS = 2,
};

/* One direction of a connection: from `from` to the other socket. */
struct proxy_flow {
    uint8_t *chunk;
    size_t chunk_len;
    size_t chunk_sent;
    int64_t due_ms;
    bool is_ended;     /* EOF was read */
    bool is_shut;      /* and passed on */
    uint64_t bytes;
    uint8_t *record;
    size_t record_len;
};

struct proxy_connection {
    int source;
    int target;
    enum proxy_role role;
    int source_fd; /* -1: closed */
    int target_fd;
    int delay_ms;
    bool is_frozen[2];         /* by flow */
    struct proxy_flow flow[2]; /* 0: to the target, 1: to the source */
};

struct proxy_listener {
    int fd;
    int target;
    uint16_t port;
    uint16_t target_port;
};

struct proxy_rule {
    struct proxy_match match;
    enum proxy_direction direction;
    enum proxy_action action;
};

struct proxy {
    pthread_t thread;
    pthread_mutex_t mutex;
    bool is_over;
    size_t listener_count;
    struct proxy_listener listener[PROXY_MAX_LISTENERS];
    pid_t process[CLUSTER_MAX];
    size_t rule_count;
    struct proxy_rule rule[PROXY_MAX_RULES];
    struct proxy_match delay_match;
    int delay_ms;
    size_t connection_count;
    size_t first_open; /* connections before it are closed */
    struct proxy_connection *connection;
};

/* ---- who dialled, and what for ---- */

static unsigned long proxy_inode_of(uint16_t local_port, uint16_t remote_port)
{
    char line[512];
    unsigned long inode = 0;
    FILE *f = fopen("/proc/net/tcp", "r");
    while (f != NULL && inode == 0 && fgets(line, sizeof line, f) != NULL) {
        unsigned local;
        unsigned remote;
        unsigned long found;
        if (sscanf(line, " %*d: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &local, &remote, &found) == 3 && local == local_port &&
            remote == remote_port) {
            inode = found;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return inode;
}

static bool proxy_process_has(pid_t pid, unsigned long inode)
{
    char path[64];
    char want[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(want, sizeof want, "socket:[%lu]", inode);
    DIR *dir = opendir(path);
    for (struct dirent *d; dir != NULL && !found && (d = readdir(dir)) != NULL;) {
        char file[400];
        char link[64];
        snprintf(file, sizeof file, "%s/%s", path, d->d_name);
        ssize_t n = readlink(file, link, sizeof link - 1);
        if (n > 0) {
            link[n] = '\0';
            found = strcmp(link, want) == 0;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

static int proxy_source_of(const struct proxy *p, int fd, uint16_t proxy_port)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
        return PROXY_ANY;
    }
    unsigned long inode = proxy_inode_of(ntohs(peer.sin_port), proxy_port);
    for (int i = 0; i < CLUSTER_MAX && inode != 0; i++) {
        if (p->process[i] != 0 && proxy_process_has(p->process[i], inode)) {
            return i;
        }
    }
    return PROXY_ANY;
}

/* The dialler's greeting, see the essay of src/node/link.c: magic (5), hello size (2), format (2), feature level (2), role. */
static enum proxy_role proxy_role_of(const uint8_t *p, size_t n)
{
    enum { ROLE_OFFSET = 11 };
    if (n > 0 && p[0] != 0xC0) {
        return PROXY_CLIENT;
    }
    return n > ROLE_OFFSET && p[ROLE_OFFSET] <= PROXY_PROBE ? (enum proxy_role)p[ROLE_OFFSET] : PROXY_UNKNOWN;
}

/* ---- matching ---- */

static bool proxy_matches(const struct proxy_match *m, const struct proxy_connection *c)
{
    return (m->source == PROXY_ANY || m->source == c->source) && (m->target == PROXY_ANY || m->target == c->target) &&
           (m->role == PROXY_ANY_ROLE || m->role == c->role);
}

static enum proxy_action proxy_action_of(const struct proxy *p, const struct proxy_connection *c, int flow)
{
    if (c->is_frozen[flow]) {
        return PROXY_HOLD;
    }
    for (size_t i = p->rule_count; i-- > 0;) {
        const struct proxy_rule *r = &p->rule[i];
        if (proxy_matches(&r->match, c) && (r->direction == PROXY_BOTH || r->direction == (flow == 0 ? PROXY_TO_TARGET : PROXY_TO_SOURCE))) {
            return r->action;
        }
    }
    return PROXY_PASS;
}

static bool proxy_is_open(const struct proxy_connection *c)
{
    return c->source_fd >= 0;
}

static void proxy_reset(struct proxy_connection *c, bool with_rst)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? c->source_fd : c->target_fd;
        if (fd >= 0) {
            if (with_rst) {
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
            }
            close(fd);
        }
        free(c->flow[i].chunk);
        c->flow[i].chunk = NULL;
    }
    c->source_fd = -1;
    c->target_fd = -1;
}

/* ---- moving bytes ---- */

static void proxy_on_accept(struct proxy *p, const struct proxy_listener *l)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(l->target_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    int fd = accept(l->fd, NULL, NULL);
    if (fd < 0 || p->connection_count == PROXY_MAX_CONNECTIONS) {
        close(fd);
        return;
    }
    struct proxy_connection *c = &p->connection[p->connection_count++];
    *c = (struct proxy_connection){.target = l->target, .source_fd = fd, .target_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    c->source = proxy_source_of(p, fd, l->port);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    c->delay_ms = p->delay_ms > 0 && proxy_matches(&p->delay_match, c) ? p->delay_ms : 0;
    if (proxy_action_of(p, c, 0) == PROXY_REFUSE || connect(c->target_fd, (struct sockaddr *)&in, sizeof in) != 0) {
        proxy_reset(c, true);
        return;
    }
    setsockopt(c->source_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->target_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->source_fd, F_SETFL, O_NONBLOCK);
    fcntl(c->target_fd, F_SETFL, O_NONBLOCK);
}

static void proxy_record(struct proxy_flow *f, const uint8_t *bytes, size_t n)
{
    f->bytes += n;
    if (n > PROXY_RECORD_MAX - f->record_len) {
        n = PROXY_RECORD_MAX - f->record_len;
    }
    if (n > 0) {
        f->record = realloc(f->record, f->record_len + n);
        memcpy(f->record + f->record_len, bytes, n);
        f->record_len += n;
    }
}

static bool proxy_read(struct proxy_connection *c, int flow)
{
    struct proxy_flow *f = &c->flow[flow];
    if (f->chunk == NULL) {
        f->chunk = malloc(PROXY_CHUNK);
    }
    ssize_t n = recv(flow == 0 ? c->source_fd : c->target_fd, f->chunk, PROXY_CHUNK, 0);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0) {
        f->is_ended = true;
        return true;
    }
    f->chunk_len = (size_t)n;
    f->chunk_sent = 0;
    f->due_ms = c->delay_ms > 0 ? itest_now_ms() + c->delay_ms : 0;
    proxy_record(f, f->chunk, (size_t)n);
    if (flow == 0 && c->role == PROXY_UNKNOWN) {
        c->role = proxy_role_of(f->record, f->record_len);
    }
    return true;
}

static bool proxy_write(struct proxy_connection *c, int flow)
{
    struct proxy_flow *f = &c->flow[flow];
    int to = flow == 0 ? c->target_fd : c->source_fd;
    if (f->chunk_sent < f->chunk_len && itest_now_ms() >= f->due_ms) {
        ssize_t n = send(to, f->chunk + f->chunk_sent, f->chunk_len - f->chunk_sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        f->chunk_sent += n > 0 ? (size_t)n : 0;
    }
    if (f->is_ended && f->chunk_sent == f->chunk_len && !f->is_shut) {
        f->is_shut = true;
        shutdown(to, SHUT_WR);
    }
    return true;
}

/* Can this direction read now? Not while a chunk waits or the rules hold it. */
static bool proxy_wants_read(const struct proxy *p, const struct proxy_connection *c, int flow)
{
    const struct proxy_flow *f = &c->flow[flow];
    return proxy_is_open(c) && !f->is_ended && f->chunk_sent == f->chunk_len && proxy_action_of(p, c, flow) == PROXY_PASS;
}

static void proxy_serve(struct proxy *p, struct proxy_connection *c, const struct pollfd *fds)
{
    for (int flow = 0; flow < 2 && proxy_is_open(c); flow++) {
        enum proxy_action action = proxy_action_of(p, c, flow);
        bool ok = action != PROXY_REFUSE;
        if (ok && action == PROXY_PASS && fds[flow].fd >= 0 && (fds[flow].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            ok = proxy_read(c, flow);
        }
        if (ok && action == PROXY_PASS) {
            ok = proxy_write(c, flow);
        }
        if (!ok || (c->flow[0].is_shut && c->flow[1].is_shut)) {
            proxy_reset(c, !ok);
        }
    }
}

/* fds: the listeners, then two for each connection from first_open on. */
static size_t proxy_fill_poll(struct proxy *p, struct pollfd *fds)
{
    size_t n = 0;
    for (size_t i = 0; i < p->listener_count; i++) {
        fds[n++] = (struct pollfd){.fd = p->listener[i].fd, .events = POLLIN};
    }
    while (p->first_open < p->connection_count && !proxy_is_open(&p->connection[p->first_open])) {
        p->first_open++;
    }
    for (size_t i = p->first_open; i < p->connection_count; i++) {
        const struct proxy_connection *c = &p->connection[i];
        for (int flow = 0; flow < 2; flow++) {
            int fd = flow == 0 ? c->source_fd : c->target_fd;
            fds[n++] = (struct pollfd){.fd = proxy_wants_read(p, c, flow) ? fd : -1, .events = POLLIN};
        }
    }
    return n;
}

static void *proxy_main(void *ctx)
{
    struct proxy *p = ctx;
    struct pollfd *fds = calloc(PROXY_MAX_LISTENERS + 2 * PROXY_MAX_CONNECTIONS, sizeof *fds);
    pthread_mutex_lock(&p->mutex);
    while (!p->is_over) {
        size_t listeners = p->listener_count;
        size_t n = proxy_fill_poll(p, fds);
        size_t first = p->first_open;
        size_t connections = p->connection_count;
        pthread_mutex_unlock(&p->mutex);
        poll(fds, n, PROXY_TICK_MS);
        pthread_mutex_lock(&p->mutex);
        for (size_t i = first; i < connections; i++) {
            proxy_serve(p, &p->connection[i], &fds[listeners + 2 * (i - first)]);
        }
        for (size_t i = 0; i < listeners; i++) {
            if (fds[i].revents & POLLIN) {
                proxy_on_accept(p, &p->listener[i]);
            }
        }
    }
    pthread_mutex_unlock(&p->mutex);
    free(fds);
    return NULL;
}

/* ---- the interface ---- */

struct proxy *proxy_new(void)
{
    struct proxy *p = calloc(1, sizeof *p);
    p->connection = calloc(PROXY_MAX_CONNECTIONS, sizeof *p->connection);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_create(&p->thread, NULL, proxy_main, p);
    return p;
}

void proxy_free(struct proxy *p)
{
    pthread_mutex_lock(&p->mutex);
    p->is_over = true;
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->connection_count; i++) {
        proxy_reset(&p->connection[i], true);
        free(p->connection[i].flow[0].record);
        free(p->connection[i].flow[1].record);
    }
    for (size_t i = 0; i < p->listener_count; i++) {
        close(p->listener[i].fd);
    }
    pthread_mutex_destroy(&p->mutex);
    free(p->connection);
    free(p);
}

uint16_t proxy_listen(struct proxy *p, uint16_t target_port, int target)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    uint16_t port;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    do {
        port = cluster_free_port();
        in.sin_port = htons(port);
    } while (bind(fd, (struct sockaddr *)&in, sizeof in) != 0);
    listen(fd, 256);
    pthread_mutex_lock(&p->mutex);
    p->listener[p->listener_count++] = (struct proxy_listener){.fd = fd, .target = target, .port = port, .target_port = target_port};
    pthread_mutex_unlock(&p->mutex);
    return port;
}

void proxy_retarget(struct proxy *p, int target, uint16_t target_port)
{
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->listener_count; i++) {
        if (p->listener[i].target == target) {
            p->listener[i].target_port = target_port;
        }
    }
    pthread_mutex_unlock(&p->mutex);
}

void proxy_set_process(struct proxy *p, int node, pid_t pid)
{
    pthread_mutex_lock(&p->mutex);
    p->process[node] = pid;
    pthread_mutex_unlock(&p->mutex);
}

void proxy_rule(struct proxy *p, struct proxy_match match, enum proxy_direction direction, enum proxy_action action)
{
    pthread_mutex_lock(&p->mutex);
    if (p->rule_count < PROXY_MAX_RULES) {
        p->rule[p->rule_count++] = (struct proxy_rule){match, direction, action};
    }
    pthread_mutex_unlock(&p->mutex);
}

void proxy_clear_rules(struct proxy *p)
{
    pthread_mutex_lock(&p->mutex);
    p->rule_count = 0;
    for (size_t i = 0; i < p->connection_count; i++) {
        p->connection[i].is_frozen[0] = false;
        p->connection[i].is_frozen[1] = false;
    }
    pthread_mutex_unlock(&p->mutex);
}

size_t proxy_freeze(struct proxy *p, struct proxy_match match, enum proxy_direction direction)
{
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = p->first_open; i < p->connection_count; i++) {
        struct proxy_connection *c = &p->connection[i];
        if (proxy_is_open(c) && proxy_matches(&match, c)) {
            c->is_frozen[0] |= direction != PROXY_TO_SOURCE;
            c->is_frozen[1] |= direction != PROXY_TO_TARGET;
            n++;
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return n;
}

void proxy_rule_from_to(struct proxy *p, int from, int to, enum proxy_role role, enum proxy_action action)
{
    proxy_rule(p, (struct proxy_match){from, to, role}, PROXY_TO_TARGET, action);
    proxy_rule(p, (struct proxy_match){to, from, role}, PROXY_TO_SOURCE, action);
}

size_t proxy_freeze_from_to(struct proxy *p, int from, int to, enum proxy_role role)
{
    return proxy_freeze(p, (struct proxy_match){from, to, role}, PROXY_TO_TARGET) +
           proxy_freeze(p, (struct proxy_match){to, from, role}, PROXY_TO_SOURCE);
}

size_t proxy_cut_between(struct proxy *p, int a, int b, enum proxy_role role)
{
    return proxy_cut(p, (struct proxy_match){a, b, role}) + proxy_cut(p, (struct proxy_match){b, a, role});
}

size_t proxy_cut(struct proxy *p, struct proxy_match match)
{
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = p->first_open; i < p->connection_count; i++) {
        if (proxy_is_open(&p->connection[i]) && proxy_matches(&match, &p->connection[i])) {
            proxy_reset(&p->connection[i], true);
            n++;
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return n;
}

void proxy_delay(struct proxy *p, struct proxy_match match, int delay_ms)
{
    pthread_mutex_lock(&p->mutex);
    p->delay_match = match;
    p->delay_ms = delay_ms;
    for (size_t i = p->first_open; i < p->connection_count; i++) {
        p->connection[i].delay_ms = proxy_matches(&match, &p->connection[i]) ? delay_ms : 0;
    }
    pthread_mutex_unlock(&p->mutex);
}

/* Sums over matching connections; open ones only unless `with_closed`. */
static uint64_t proxy_sum(struct proxy *p, const struct proxy_match *match, bool with_closed, enum proxy_direction bytes_of, bool is_count)
{
    uint64_t sum = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->connection_count; i++) {
        const struct proxy_connection *c = &p->connection[i];
        if (!proxy_matches(match, c) || (!with_closed && !proxy_is_open(c))) {
            continue;
        }
        sum += is_count ? 1 : 0;
        sum += !is_count && bytes_of != PROXY_TO_SOURCE ? c->flow[0].bytes : 0;
        sum += !is_count && bytes_of != PROXY_TO_TARGET ? c->flow[1].bytes : 0;
    }
    pthread_mutex_unlock(&p->mutex);
    return sum;
}

size_t proxy_count(struct proxy *p, struct proxy_match match)
{
    return (size_t)proxy_sum(p, &match, false, PROXY_BOTH, true);
}

size_t proxy_made(struct proxy *p, struct proxy_match match)
{
    return (size_t)proxy_sum(p, &match, true, PROXY_BOTH, true);
}

uint64_t proxy_bytes(struct proxy *p, struct proxy_match match, enum proxy_direction direction)
{
    return proxy_sum(p, &match, true, direction, false);
}

size_t proxy_recorded(struct proxy *p, struct proxy_match match, enum proxy_direction direction, uint8_t *out, size_t size)
{
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = p->connection_count; i-- > 0;) {
        const struct proxy_flow *f = &p->connection[i].flow[direction == PROXY_TO_SOURCE];
        if (proxy_matches(&match, &p->connection[i]) && f->record_len > n && n < size) {
            n = f->record_len < size ? f->record_len : size;
            memcpy(out, f->record, n);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return n;
}
