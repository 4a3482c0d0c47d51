#include "tests/commands/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "resp/resp_value.h"

/* A port that was free a moment ago. */
static uint16_t redis_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    uint16_t port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)(void *)&address, &size) == 0) {
        port = ntohs(address.sin_port);
    }
    if (fd >= 0) {
        close(fd);
    }
    return port;
}

static void redis_exec(const char *folder, uint16_t port)
{
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", port);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
    }
    execlp("redis-server", "redis-server", "--port", port_text, "--bind", "127.0.0.1", "--dir",
           folder, "--save", "", "--appendonly", "no", (char *)NULL);
    _exit(127);
}

static bool redis_connect(struct redis_server *s, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int tries = 0; tries < 500; tries++) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            s->pid = 0; /* not installed, or the port was taken after all */
            return false;
        }
        s->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (s->fd >= 0 &&
            connect(s->fd, (struct sockaddr *)(void *)&address, sizeof address) == 0) {
            int one = 1;
            setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return true;
        }
        if (s->fd >= 0) {
            close(s->fd);
        }
        s->fd = -1;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    return false;
}

bool redis_server_start(struct redis_server *s)
{
    *s = (struct redis_server){.fd = -1};
    snprintf(s->folder, sizeof s->folder, "/tmp/coracle-redis-XXXXXX");
    if (!mkdtemp(s->folder)) {
        s->folder[0] = 0;
        return false;
    }
    uint16_t port = redis_free_port();
    s->pid = port ? fork() : -1;
    if (s->pid == 0) {
        redis_exec(s->folder, port);
    }
    if (s->pid < 0 || !redis_connect(s, port)) {
        redis_server_stop(s);
        return false;
    }
    return true;
}

void redis_server_stop(struct redis_server *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    if (s->folder[0]) {
        rmdir(s->folder); /* nothing is ever saved */
    }
    buf_deinit(&s->in);
    *s = (struct redis_server){.fd = -1};
}

static bool redis_send(struct redis_server *s, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(s->fd, bytes.p, bytes.n);
        if (n <= 0) {
            if (n < 0 && errno == EINTR) {
                continue;
            }
            return false;
        }
        bytes = slice_skip(bytes, (size_t)n);
    }
    return true;
}

static bool redis_receive(struct redis_server *s, struct buf *reply)
{
    struct resp_value_reader reader = {0};
    for (;;) {
        struct resp_value *value;
        size_t consumed;
        switch (resp_value_next(&reader, buf_slice(&s->in), &value, &consumed)) {
        case PARSE_OK:
            buf_append(reply, buf_slice(&s->in).p, consumed);
            resp_value_free(value);
            buf_consume(&s->in, consumed);
            return true;
        case PARSE_ERROR:
        case PARSE_EMPTY:
            return false;
        case PARSE_NEED_MORE:
            break;
        }
        uint8_t *at = buf_reserve(&s->in, 65536);
        ssize_t n = read(s->fd, at, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        buf_commit(&s->in, (size_t)n);
    }
}

bool redis_server_run(struct redis_server *s,
                      const struct slice *arg,
                      size_t arg_count,
                      struct buf *reply)
{
    struct buf out;
    buf_init(&out);
    buf_printf(&out, "*%zu\r\n", arg_count);
    for (size_t i = 0; i < arg_count; i++) {
        buf_printf(&out, "$%zu\r\n", arg[i].n);
        buf_append_slice(&out, arg[i]);
        buf_append(&out, "\r\n", 2);
    }
    bool is_ok = redis_send(s, buf_slice(&out)) && redis_receive(s, reply);
    buf_deinit(&out);
    return is_ok;
}
