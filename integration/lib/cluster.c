#include "integration/lib/cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLUSTER_LOG_LINES = 30, CLUSTER_STOP_MS = 10000, CLUSTER_ARGS = 48 };

/* Below the range from which the kernel takes ports of outgoing connections, so that none of those is in the way. */
/* Tests run side by side, with one ITEST_SEED even with the same numbers: whoever has the UDP port of that number, until it ends, has the
 * TCP port. */
uint16_t cluster_free_port(void)
{
    for (;;) {
        uint16_t port = (uint16_t)(15000 + itest_random() % 16000);
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int claim = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = bind(claim, (struct sockaddr *)&in, sizeof in) == 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
        close(fd);
        if (is_free) {
            return port;
        }
        close(claim);
    }
}

static const char *cluster_binary(void)
{
    const char *binary = getenv("CORACLE");
    return binary != NULL ? binary : "build/release/coracle";
}

/* ---- processes ---- */

static void cluster_exec(char *const *argv, const char *log, pid_t parent)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    close(0);
    open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* A signal for the test is not for its nodes. */
    if (getppid() == parent) {
        execvp(argv[0], argv);
    }
    _exit(127);
}

static size_t cluster_add_flags(char **argv, size_t n, char *flags)
{
    for (char *save = NULL, *word = strtok_r(flags, " ", &save); word != NULL && n < CLUSTER_ARGS - 1; word = strtok_r(NULL, " ", &save)) {
        argv[n++] = word;
    }
    argv[n] = NULL;
    return n;
}

void cluster_node_start_as(struct cluster *c, size_t i, const char *members, const char *dir)
{
    struct cluster_node *n = &c->node[i];
    char flags[4096];
    char *argv[CLUSTER_ARGS];
    if (itest_server_is_redis()) {
        snprintf(flags, sizeof flags, "redis-server --port %u --dir %s --appendonly no --save 900 1000000 --slowlog-log-slower-than 10000000 --enable-debug-command yes %s", n->port, dir, c->flags);
    } else {
        int len = snprintf(flags, sizeof flags, "%s --port %u --dir %s %s%s %s", cluster_binary(), n->port, dir,
                           members[0] != '\0' ? "--cluster " : "", members, c->flags);
        if (n->sentinel_port != 0) {
            len += snprintf(flags + len, sizeof flags - (size_t)len, " --sentinel-port %u", n->sentinel_port);
        }
        if (n->peer_port != n->port) {
            len += snprintf(flags + len, sizeof flags - (size_t)len, " --announce 127.0.0.1:%u", n->peer_port);
        }
        if (c->secret_file[0] != '\0') {
            snprintf(flags + len, sizeof flags - (size_t)len, " --cluster-secret-file %s", c->secret_file);
        }
    }
    cluster_add_flags(argv, 0, flags);
    mkdir(dir, 0700);
    fflush(stdout);
    pid_t parent = getpid();
    n->is_suspended = false;
    n->pid = fork();
    if (n->pid == 0) {
        cluster_exec(argv, n->log, parent);
    }
    if (c->proxy != NULL) {
        proxy_set_process(c->proxy, (int)i, n->pid);
    }
}

void cluster_node_start(struct cluster *c, size_t i)
{
    cluster_node_start_as(c, i, c->members, c->node[i].dir);
}

bool cluster_node_has_exited(struct cluster *c, size_t i, int timeout_ms, int *status)
{
    struct cluster_node *n = &c->node[i];
    int64_t deadline = itest_now_ms() + timeout_ms;
    while (n->pid != 0) {
        if (waitpid(n->pid, status, WNOHANG) == n->pid) {
            n->pid = 0;
            return true;
        }
        if (itest_now_ms() >= deadline) {
            return false;
        }
        itest_sleep_ms(2);
    }
    return true;
}

void cluster_node_kill(struct cluster *c, size_t i)
{
    int status;
    if (c->node[i].pid != 0) {
        kill(c->node[i].pid, SIGKILL);
        cluster_node_has_exited(c, i, CLUSTER_STOP_MS, &status);
    }
}

int cluster_node_stop(struct cluster *c, size_t i)
{
    int status = 0;
    if (c->node[i].pid == 0) {
        return 0;
    }
    if (c->node[i].is_suspended) {
        cluster_node_resume(c, i);
    }
    kill(c->node[i].pid, SIGTERM);
    if (!cluster_node_has_exited(c, i, CLUSTER_STOP_MS, &status)) {
        cluster_node_kill(c, i);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void cluster_node_suspend(struct cluster *c, size_t i)
{
    kill(c->node[i].pid, SIGSTOP);
    c->node[i].is_suspended = true;
}

void cluster_node_resume(struct cluster *c, size_t i)
{
    kill(c->node[i].pid, SIGCONT);
    c->node[i].is_suspended = false;
}

void cluster_node_wipe(struct cluster *c, size_t i)
{
    char out[64];
    REQUIRE(c->node[i].pid == 0 && strstr(c->node[i].dir, itest_dir()) == c->node[i].dir);
    itest_shell(out, sizeof out, "rm -rf '%s'", c->node[i].dir);
}

/* ---- beginning and end ---- */

static void cluster_print_log(const struct cluster *c, size_t i)
{
    char text[16384];
    itest_shell(text, sizeof text, "tail -n %d '%s' 2>&1 | cut -c1-300", CLUSTER_LOG_LINES, c->node[i].log);
    printf("    ---- the last lines of %s node %zu (port %u)\n%s", c->name, i + 1, c->node[i].port, text);
}

static void cluster_at_end(void *ctx)
{
    struct cluster *c = ctx;
    /* All at once: the last one alone has nobody left to say good-bye to. */
    for (size_t i = 0; i < c->count; i++) {
        int status;
        if (c->node[i].pid == 0) {
            continue;
        }
        if (cluster_node_has_exited(c, i, 0, &status)) {
            itest_fail("%s node %zu ended by itself: status %d, signal %d", c->name, i + 1, WEXITSTATUS(status), WTERMSIG(status));
            continue;
        }
        cluster_node_resume(c, i);
        kill(c->node[i].pid, SIGTERM);
    }
    for (size_t i = 0; i < c->count; i++) {
        int code = cluster_node_stop(c, i);
        if (code != 0) {
            itest_fail("%s node %zu did not stop cleanly on SIGTERM: %d", c->name, i + 1, code);
        }
    }
    if (c->proxy != NULL) {
        proxy_free(c->proxy);
        c->proxy = NULL;
    }
    for (size_t i = 0; i < c->count && itest_has_failed(); i++) {
        cluster_print_log(c, i);
    }
}

static void cluster_make_secret(struct cluster *c)
{
    snprintf(c->secret_file, sizeof c->secret_file, "%s/%s.secret", itest_dir(), c->name);
    int fd = open(c->secret_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dprintf(fd, "the secret of %s, long enough\n", c->name);
    close(fd);
}

void cluster_prepare(struct cluster *c, const char *name, size_t count, enum cluster_flag flags, const char *more_flags)
{
    *c = (struct cluster){.count = itest_server_is_redis() ? 1 : count, .flags = more_flags};
    size_t len = 0;
    snprintf(c->name, sizeof c->name, "%s", name);
    if (!itest_server_is_redis() && access(cluster_binary(), X_OK) != 0) {
        itest_skip("coracle is not built (make)");
    }
    if (flags & CLUSTER_PROXIED) {
        c->proxy = proxy_new();
    }
    if (flags & CLUSTER_SECRET) {
        cluster_make_secret(c);
    }
    for (size_t i = 0; i < c->count; i++) {
        struct cluster_node *n = &c->node[i];
        n->port = cluster_free_port();
        n->sentinel_port = cluster_free_port();
        n->peer_port = c->proxy != NULL ? proxy_listen(c->proxy, n->port, (int)i) : n->port;
        snprintf(n->dir, sizeof n->dir, "%s/%s-%zu", itest_dir(), name, i + 1);
        snprintf(n->log, sizeof n->log, "%s/%s-%zu.log", itest_dir(), name, i + 1);
        len += (size_t)snprintf(c->members + len, sizeof c->members - len, "%s127.0.0.1:%u", i > 0 ? "," : "", n->peer_port);
    }
    itest_at_end(cluster_at_end, c);
}

void cluster_start(struct cluster *c, size_t count, enum cluster_flag flags, const char *more_flags)
{
    cluster_prepare(c, "cluster", count, flags, more_flags);
    for (size_t i = 0; i < c->count; i++) {
        cluster_node_start(c, i);
    }
    if (cluster_leader(c, -1, 15000) < 0) {
        itest_fail("no leader within 15 s of the start");
        itest_leave();
    }
}

bool cluster_log_contains(const struct cluster *c, size_t i, const char *text)
{
    char line[4096];
    bool found = false;
    FILE *f = fopen(c->node[i].log, "r");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        found = strstr(line, text) != NULL;
    }
    if (f != NULL) {
        fclose(f);
    }
    return found;
}

bool cluster_log_contains_within(const struct cluster *c, size_t i, const char *text, int timeout_ms)
{
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(20)) {
        if (cluster_log_contains(c, i, text)) {
            return true;
        }
    }
    return cluster_log_contains(c, i, text);
}

/* ---- what nodes say about themselves ---- */

void cluster_info(const struct cluster *c, size_t i, const char *field, char *out, size_t size)
{
    char info[16384];
    out[0] = '\0';
    if (c->node[i].pid == 0 || c->node[i].is_suspended || !wire_once(c->node[i].port, 500, info, sizeof info, "INFO raft")) {
        return;
    }
    size_t len = strlen(field);
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, field, len) == 0 && line[len] == ':') {
            snprintf(out, size, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            return;
        }
    }
}

uint64_t cluster_info_u64(const struct cluster *c, size_t i, const char *field)
{
    char text[64];
    cluster_info(c, i, field, text, sizeof text);
    return strtoull(text, NULL, 10);
}

static bool cluster_redis_is_up(const struct cluster *c)
{
    char reply[64];
    return wire_once(c->node[0].port, 500, reply, sizeof reply, "PING");
}

int cluster_leader(const struct cluster *c, int except, int timeout_ms)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    do {
        int leader = -1;
        uint64_t highest = 0;
        if (itest_server_is_redis() && cluster_redis_is_up(c)) {
            return 0;
        }
        for (size_t i = 0; i < c->count; i++) {
            char role[32] = "";
            if ((int)i != except) {
                cluster_info(c, i, "raft_role", role, sizeof role);
            }
            uint64_t term = strcmp(role, "leader") == 0 ? cluster_info_u64(c, i, "raft_term") : 0;
            if (term > highest) {
                highest = term;
                leader = (int)i;
            }
        }
        if (leader >= 0) {
            return leader;
        }
        itest_sleep_ms(10);
    } while (itest_now_ms() < deadline);
    return -1;
}

size_t cluster_follower(const struct cluster *c)
{
    int leader = cluster_leader(c, -1, 5000);
    for (size_t i = 0; i < c->count; i++) {
        if ((int)i != leader && c->node[i].pid != 0 && !c->node[i].is_suspended) {
            return i;
        }
    }
    return 0;
}

bool cluster_wait_caught_up(const struct cluster *c, int timeout_ms)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    int leader = cluster_leader(c, -1, timeout_ms);
    uint64_t commit = leader >= 0 ? cluster_info_u64(c, (size_t)leader, "raft_commit_index") : 0;
    for (size_t i = 0; i < c->count && commit > 0; i++) {
        while (c->node[i].pid != 0 && !c->node[i].is_suspended && cluster_info_u64(c, i, "raft_applied_index") < commit) {
            if (itest_now_ms() > deadline) {
                return false;
            }
            itest_sleep_ms(10);
        }
    }
    return commit > 0;
}

void cluster_check_equal(const struct cluster *c, size_t i, int timeout_ms)
{
    char reply[4096] = "";
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(50)) {
        if (wire_once(c->node[i].port, timeout_ms, reply, sizeof reply, "RAFT VERIFY") && reply[0] != '-' &&
            strstr(reply, "incomplete") == NULL) {
            break;
        }
    }
    if (strstr(reply, "verdict\r\n$5\r\nequal\r\n") == NULL) {
        itest_fail("RAFT VERIFY answers %.300s", reply);
    }
}

bool cluster_wait_writable(const struct cluster *c, size_t i, int timeout_ms)
{
    char reply[512];
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(5)) {
        if (wire_once(c->node[i].port, timeout_ms, reply, sizeof reply, "SET itest:writable 1") && strcmp(reply, "+OK\r\n") == 0) {
            return true;
        }
    }
    return false;
}

void cluster_config_set(const struct cluster *c, const char *name, const char *value)
{
    char command[256];
    char reply[512];
    snprintf(command, sizeof command, "CONFIG SET %s %s", name, value);
    for (size_t i = 0; i < c->count; i++) {
        if (c->node[i].pid != 0 && !c->node[i].is_suspended) {
            wire_once(c->node[i].port, 5000, reply, sizeof reply, command);
            CHECK_STR(reply, "+OK\r\n");
        }
    }
}
