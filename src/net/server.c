#define _GNU_SOURCE
#include "net/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/bulk_memory.h"
#include "net/clock.h"
#include "net/config_file.h"
#include "net/server_internal.h"
#include "node/pace.h"
#include "node/rows.h"
#include "node/version.h"

/* The loop. One iteration: libev polls; peers' sockets, timers and finished disk jobs feed the node (node_link_message,
 * node_disk_done); then, before the loop sleeps again (ev_prepare), clients are read in the order in which they spoke
 * (client_process), node_iterate takes all of it as one batch, and what it made is written: one write per client and per link. */

static void server_describe(void *ctx, char *text, unsigned room)
{
    struct server *s = ctx;
    char own[32];
    const char *who = s->options->announce;

    if (who[0] == '\0') {
        (void)snprintf(own, sizeof own, "port %d", (int)s->options->port);
        who = own;
    }
    if (s->node && pthread_equal(pthread_self(), s->thread) && node_raft(s->node)) {
        struct raft_status status;

        raft_get_status(node_raft(s->node), &status);
        atomic_store_explicit(&s->term, status.term, memory_order_relaxed);
    }
    (void)snprintf(text, room, "%s term %llu", who,
                   (unsigned long long)atomic_load_explicit(&s->term, memory_order_relaxed));
}

/* --- the environment -------------------------------------------------------------------------- */

static int64_t env_wall_ms(void *ctx)
{
    (void)ctx;
    return clock_wall_ms();
}

static uint64_t env_now_us(void *ctx)
{
    (void)ctx;
    return clock_boot_us();
}

static void env_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    clock_random(p, n);
}

static void env_submit(void *ctx, struct disk_job *job)
{
    struct server *s = ctx;

    list_init(&job->queue);
    list_append(&s->submitted, &job->queue);
}

static void env_fatal(void *ctx, const char *reason)
{
    struct server *s = ctx;

    log_line(&s->env.log, LOG_WARNING, "The node ends: %s", reason);
    _exit(1);
}

static void env_option_changed(void *ctx, const char *name)
{
    struct server *s = ctx;

    if (strcmp(name, "loglevel") == 0) {
        s->log.level = (enum log_level)s->options->loglevel;
    }
}

static bool env_rewrite_config(void *ctx, struct buf *why)
{
    struct server *s = ctx;

    return config_file_rewrite(s->config_file, s->options, why);
}

static void env_shut_down(void *ctx, bool at_once)
{
    struct server *s = ctx;

    log_line(&s->env.log, LOG_NOTICE, "Shutting down: finishing what is under way.");
    server_begin_drain(s, at_once);
}

static bool env_abort_shutdown(void *ctx)
{
    (void)ctx;
    /* A node that drains has let go of its session and its leadership: there is no way back, and it is over soon. */
    return false;
}

static enum err env_open_directory(void *ctx, const char *path, struct vfs **vfs)
{
    (void)ctx;
    return vfs_posix_open(path, vfs);
}

static void env_close_directory(void *ctx, struct vfs *vfs)
{
    (void)ctx;
    vfs_posix_close(vfs);
}

static void env_bulk_memory(void *ctx, bool begins)
{
    (void)ctx;
    bulk_memory(begins);
}

static void server_make_env(struct server *s, struct vfs *vfs)
{
    s->env = (struct node_env){
        .ctx = s,
        .vfs = vfs,
        .log = log_file_sink(&s->log),
        .wall_ms = env_wall_ms,
        .now_us = env_now_us,
        .random = env_random,
        .dial = peer_dial,
        .send = peer_send,
        .hang_up = peer_hang_up,
        .unsent_bytes = peer_unsent_bytes,
        .submit = env_submit,
        .fatal = env_fatal,
        .open_directory = env_open_directory,
        .close_directory = env_close_directory,
        .process_info = server_process_info,
        .bulk_memory = env_bulk_memory,
        .option_changed = env_option_changed,
        .rewrite_config = s->config_file ? env_rewrite_config : NULL,
        .shut_down = env_shut_down,
        .abort_shutdown = env_abort_shutdown,
    };
}

/* --- the iteration ---------------------------------------------------------------------------- */

/* Wake no later than the node wants. A timer that is set earlier is left alone: re-arming costs more than a wake-up. */
static void server_arm_wake(struct server *s)
{
    uint64_t now_us = clock_boot_us();
    uint64_t wake_us = node_wake_us(s->node);
    uint64_t clients_us = clients_wake_us(node_clients(s->node));

    wake_us = clients_us < wake_us ? clients_us : wake_us;
    if (wake_us >= s->wake_armed_us) {
        return;
    }
    ev_timer_stop(s->loop, &s->wake);
    ev_now_update(s->loop);
    uint64_t delay_us = wake_us > now_us ? wake_us - now_us : 0;
    ev_timer_set(&s->wake, delay_us > 1000000u ? 1. : (double)delay_us / 1e6, 0.);
    ev_timer_start(s->loop, &s->wake);
    s->wake_armed_us = wake_us;
}

/* What goes to members goes first, then the disk gets its part, then clients their replies: many, each a call of its own. So members
 * write the log while this node does, and where they share a disk, one flush of it serves them all. */
static void server_submit(struct server *s)
{
    while (!list_empty(&s->submitted)) {
        struct list *first = s->submitted.next;

        list_remove(first);
        exec_thread_submit(s->storage, CONTAINER_OF(first, struct disk_job, queue));
    }
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    struct server *s = SERVER_OF(prepare);

    (void)loop;
    (void)events;
    connections_read(s);
    server_drain(s);
    node_iterate(s->node);
    peers_flush(s);
    server_submit(s);
    connections_flush(s);
    server_arm_wake(s);
    pace_end_turn(node_pace(s->node), s->env.now_us(s->env.ctx));
}

/* Right after poll, before anything that it found is looked at: libev calls a watcher of the highest priority first. */
static void on_check(struct ev_loop *loop, ev_check *check, int events)
{
    struct server *s = SERVER_OF(check);

    (void)loop;
    (void)events;
    pace_begin_turn(node_pace(s->node), s->env.now_us(s->env.ctx));
}

static void on_wake(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *s = SERVER_OF(timer);

    (void)loop;
    (void)events;
    s->wake_armed_us = UINT64_MAX;
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    connections_each_second(SERVER_OF(timer));
}

static void on_storage_done(struct ev_loop *loop, ev_async *async, int events)
{
    struct server *s = SERVER_OF(async);
    struct disk_job *job;

    (void)loop;
    (void)events;
    while ((job = exec_thread_next_done(s->storage)) != NULL) {
        node_disk_done(s->node, job);
    }
}

static void on_resolver_done(struct ev_loop *loop, ev_async *async, int events)
{
    (void)loop;
    (void)events;
    peers_resolved(SERVER_OF(async));
}

static void notify_storage(void *ctx)
{
    struct server *s = ctx;

    ev_async_send(s->loop, &s->storage_done);
}

static void notify_resolver(void *ctx)
{
    struct server *s = ctx;

    ev_async_send(s->loop, &s->resolver_done);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_terminate(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct server *s = SERVER_OF(signal);

    (void)events;
    if (s->stage != SERVER_SERVES) {
        log_line(&s->env.log, LOG_NOTICE, "A second signal was received: ending at once.");
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    log_line(&s->env.log, LOG_NOTICE, "%s was received: finishing what is under way.",
             signal->signum == SIGINT ? "SIGINT" : "SIGTERM");
    server_begin_drain(s, false);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct server *s = SERVER_OF(signal);

    (void)loop;
    (void)events;
    if (!log_file_reopen(&s->log)) {
        log_line(&s->env.log, LOG_WARNING, "The log file could not be reopened: %s.", strerror(errno));
    }
    log_line(&s->env.log, LOG_NOTICE, "SIGHUP was received: the log file was reopened.");
}

/* --- start and stop --------------------------------------------------------------------------- */

static void server_watch(struct server *s)
{
    ev_prepare_init(&s->prepare, on_prepare);
    ev_check_init(&s->check, on_check);
    ev_set_priority(&s->check, EV_MAXPRI);
    ev_timer_init(&s->wake, on_wake, 0., 0.);
    ev_timer_init(&s->second, on_second, 1., 1.);
    ev_async_init(&s->storage_done, on_storage_done);
    ev_async_init(&s->resolver_done, on_resolver_done);
    ev_signal_init(&s->terminate, on_terminate, SIGTERM);
    ev_signal_init(&s->interrupt, on_terminate, SIGINT);
    ev_signal_init(&s->hangup, on_hangup, SIGHUP);
    s->prepare.data = s->check.data = s->wake.data = s->second.data = s->storage_done.data = s->resolver_done.data = s;
    s->terminate.data = s->interrupt.data = s->hangup.data = s;
    ev_timer_start(s->loop, &s->second);
    ev_async_start(s->loop, &s->storage_done);
    ev_async_start(s->loop, &s->resolver_done);
    ev_signal_start(s->loop, &s->terminate);
    ev_signal_start(s->loop, &s->interrupt);
    ev_signal_start(s->loop, &s->hangup);
}

static void server_raise_descriptor_limit(struct server *s)
{
    rlim_t wanted = (rlim_t)s->options->maxclients + 512;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
        log_line(&s->env.log, LOG_WARNING, "Only %llu file descriptors may be open: fewer than maxclients (%lld) needs.",
                 (unsigned long long)limit.rlim_cur, (long long)s->options->maxclients);
    }
}

/* Nodes on other machines are talked to with a secret or not at all (DESIGN §7). */
static bool server_check_secret(struct server *s)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(s->node, member, LIMIT_MEMBERS);

    for (uint32_t i = 0; s->secret.n == 0 && i < count; i++) {
        struct address_text parts;

        if (address_split(member[i].address, &parts) && !address_host_is_loopback(parts.host)) {
            log_line(&s->env.log, LOG_WARNING,
                     "The cluster's node %s is not on this machine, so cluster-secret-file must be set: a file with at least "
                     "16 bytes that only its owner can read, the same on all nodes.", member[i].address);
            return false;
        }
    }
    return true;
}

static bool server_open_node(struct server *s, struct vfs *vfs)
{
    struct command_family family[ROWS_FAMILY_COUNT];
    enum err error = ERR_OK;

    server_make_env(s, vfs);
    server_raise_descriptor_limit(s);
    s->table = command_table_new(family, rows_all(family));
    list_init(&s->submitted);
    s->storage = exec_thread_new("storage", notify_storage, s);
    s->resolver = exec_thread_new("resolver", notify_resolver, s);
    s->node = node_open(&s->env, s->options, s->table, &error);
    if (!s->node) {
        log_line(&s->env.log, LOG_WARNING, "The node could not start: %s.", err_text(error));
        return false;
    }
    return server_check_secret(s);
}

static void server_loop(struct server *s)
{
    log_line(&s->env.log, LOG_NOTICE, "coracle %s is ready on port %d, data in %s.", CORACLE_VERSION, (int)s->options->port,
             s->options->dir);
    ev_prepare_start(s->loop, &s->prepare);
    ev_check_start(s->loop, &s->check);
    ev_run(s->loop, 0);
}

static void server_close(struct server *s)
{
    server_stop_listening(s);
    connections_close_all(s);
    peers_close_all(s);
    exec_thread_free(s->resolver);
    exec_thread_free(s->storage);
    if (s->node) {
        node_close(s->node);
    }
    if (s->table) {
        command_table_free(s->table);
    }
}

int server_run(struct options *options, const char *file, struct slice secret)
{
    struct server *s = mem_alloc_zero(sizeof *s);
    struct vfs *vfs = NULL;
    int status = 1;
    uint8_t id[20];

    s->options = options;
    s->config_file = file;
    s->secret = secret;
    s->thread = pthread_self();
    bulk_memory_begin();
    s->wake_armed_us = UINT64_MAX;
    s->spare_fd = -1;
    list_init(&s->connections);
    list_init(&s->arrived);
    list_init(&s->readable);
    list_init(&s->peers);
    clock_random(id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++) {
        (void)snprintf(s->run_id + 2 * i, 3, "%02x", id[i]);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    /* A file past `ulimit -f` is a full disk (EFBIG), not the end. */
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    if (!log_file_open(&s->log, options->logfile, (enum log_level)options->loglevel)) {
        (void)fprintf(stderr, "coracle: the log file %s can't be opened: %s\n", options->logfile, strerror(errno));
        mem_free(s);
        return 1;
    }
    s->log.describe = server_describe;
    s->log.describe_ctx = s;
    s->env.log = log_file_sink(&s->log);
    s->loop = ev_default_loop(0);
    enum err error = vfs_posix_open(options->dir, &vfs);
    if (error) {
        log_line(&s->env.log, LOG_WARNING, "The data directory %s can't be used: %s.", options->dir, err_text(error));
    } else {
        server_watch(s);
        if (server_listen(s) && server_open_node(s, vfs)) {
            server_loop(s);
            status = 0;
        }
        server_close(s);
        vfs_posix_close(vfs);
    }
    ev_loop_destroy(s->loop);
    log_file_close(&s->log);
    if (s->spare_fd >= 0) {
        (void)close(s->spare_fd);
    }
    mem_free(s);
    return status;
}
