#include "allocation.h"
#include "stream.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "commands/arguments.h"

/* One host: the node's environment made of virtual time and the simulated disk. */

#define WALL_EPOCH_MS 1700000000000

uint64_t host_clock_us(const struct sim_host *h)
{
    int64_t real = (int64_t)(h->sim->world.now_us - h->boot_us);
    return (uint64_t)(real + real / 1000000 * h->rate_ppm + real % 1000000 * h->rate_ppm / 1000000) + 1000000;
}

bool host_is_running(const struct sim_host *h)
{
    return h->node && h->paused_until_us <= h->sim->world.now_us;
}

static uint64_t host_env_now(void *ctx) { return host_clock_us(ctx); }

static int64_t host_env_wall(void *ctx)
{
    const struct sim_host *h = ctx;
    return WALL_EPOCH_MS + (int64_t)(h->sim->world.now_us / 1000) + h->wall_offset_ms;
}

static void host_env_random(void *ctx, void *p, size_t n)
{
    struct sim_host *h = ctx;
    uint8_t *out = p;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)prng_next(&h->sim->world.prng);
}

/* The process has ended inside this step: nothing more gets out. */
static bool host_has_ended(struct sim_host *h)
{
    if (h->calls_left > 1)
        h->calls_left--;
    return h->calls_left == 1;
}

static void host_env_dial(void *ctx, link_id id, const char *address, const struct peer_hello *mine)
{
    if (!host_has_ended(ctx))
        net_dial(ctx, id, address, mine);
}

static void host_env_send(void *ctx, link_id id, const struct slice *part, size_t part_count)
{
    if (!host_has_ended(ctx))
        net_send(ctx, id, part, part_count);
}

static void host_env_hang_up(void *ctx, link_id id, const char *reason)
{
    if (!host_has_ended(ctx))
        net_hang_up(ctx, id, reason);
}

static size_t host_env_unsent(void *ctx, link_id id) { return stream_unsent(ctx, id); }

static void host_env_fatal(void *ctx, const char *reason)
{
    struct sim_host *h = ctx;
    if (h->calls_left == 1)
        return; /* it has ended before it came to this */
    if (!h->fatal_reason) {
        snprintf(h->fatal_text, sizeof h->fatal_text, "%s", reason);
        h->fatal_reason = h->fatal_text;
    }
    world_trace(&h->sim->world, "node %u stops: %s", h->slot, reason);
}

static void host_log(void *ctx, enum log_level level, const char *line)
{
    struct sim_host *h = ctx;
    (void)level;
    world_trace(&h->sim->world, "node %u: %s", h->slot, line);
}

/* --- the storage thread --- */

static void host_disk_finish(struct world *w, void *ctx, uint64_t life, uint64_t b);

static void host_disk_start(struct sim_host *h)
{
    struct sim *s = h->sim;
    if (h->is_disk_busy || list_empty(&h->jobs))
        return;
    h->is_disk_busy = true;
    uint64_t delay = world_exponential(&s->world, s->plan.disk_us);
    if (h->disk_stalled_until_us > s->world.now_us)
        delay += h->disk_stalled_until_us - s->world.now_us;
    world_at(&s->world, delay, host_disk_finish, h, h->life, 0);
}

static void host_env_submit(void *ctx, struct disk_job *job)
{
    struct sim_host *h = ctx;
    if (host_has_ended(h))
        return;
    list_append(&h->jobs, &job->queue);
    host_disk_start(h);
}

static void host_disk_done(struct world *w, void *ctx, uint64_t life, uint64_t job)
{
    struct sim_host *h = ctx;
    if (h->life != life || !h->node)
        return;
    if (!host_is_running(h)) {
        world_at(w, h->paused_until_us - w->now_us + 1, host_disk_done, h, life, job);
        return;
    }
    struct disk_job *done = CONTAINER_OF(h->jobs.next, struct disk_job, queue);
    list_remove(&done->queue);
    h->is_disk_busy = false;
    allocation_enter(h);
    node_disk_done(h->node, done);
    allocation_leave();
    host_disk_start(h);
    host_kick(h);
}

/* The job's calls happen here, at one instant; that it is done is told a moment later, so that a crash may fall between. */
static void host_disk_finish(struct world *w, void *ctx, uint64_t life, uint64_t b)
{
    struct sim_host *h = ctx;
    struct sim *s = h->sim;
    (void)b;
    if (h->life != life || !h->node)
        return;
    struct disk_job *job = CONTAINER_OF(h->jobs.next, struct disk_job, queue);
    h->sim->touched |= 1u << h->slot;
    allocation_enter(h);
    job->run(job);
    allocation_leave();
    if (h->calls_left == 1)
        return; /* memory ran out: main.c takes it down */
    if (sim_disk_is_dead(h->disk)) { /* power failed in the middle */
        world_count("power loss inside a disk call");
        host_stop(h, HOST_POWER_LOSS);
        return;
    }
    world_at(w, world_between(&s->world, 1, 30), host_disk_done, h, life, 0);
}

/* --- the loop --- */

static void host_iterate(struct world *w, void *ctx, uint64_t life, uint64_t b);

static void host_wake(struct world *w, void *ctx, uint64_t life, uint64_t b)
{
    struct sim_host *h = ctx;
    (void)b;
    if (h->life != life || !h->node || h->wake_scheduled_us != w->now_us)
        return; /* or an earlier one took its place */
    h->wake_scheduled_us = 0;
    host_kick(h);
}

static void host_schedule_wake(struct sim_host *h)
{
    struct world *w = &h->sim->world;
    uint64_t wake = node_wake_us(h->node);
    uint64_t local = host_clock_us(h);
    uint64_t delta = wake > local ? wake - local : 1;
    if (delta > 10000000)
        delta = 10000000;
    delta += delta / 1000 + 1; /* timers fire late, never early */
    if (h->wake_scheduled_us > w->now_us && h->wake_scheduled_us <= w->now_us + delta)
        return;
    h->wake_scheduled_us = w->now_us + delta;
    world_at(w, delta, host_wake, h, h->life, 0);
}

static void host_iterate(struct world *w, void *ctx, uint64_t life, uint64_t b)
{
    struct sim_host *h = ctx;
    (void)b;
    if (h->life != life || !h->node)
        return;
    if (!host_is_running(h)) {
        world_at(w, h->paused_until_us - w->now_us + 1, host_iterate, h, life, 0);
        return;
    }
    h->is_iterating = false;
    h->sim->touched |= 1u << h->slot;
#ifdef CORACLE_MUTANTS
    mutant_local_clock_ms = host_env_wall(h);
#endif
    allocation_enter(h);
    node_iterate(h->node);
    allocation_leave();
    if (!h->fatal_reason)
        ghost_check_host(h->sim->ghost, h->slot); /* the oracle must know what is committed before clients see answers */
    if (h->calls_left == 1)
        return; /* main.c takes it down */
    if (!h->fatal_reason)
        h->sim->touched &= ~(1u << h->slot);
    sim_clients_collect(h);
    if (!h->fatal_reason)
        host_schedule_wake(h);
}

void host_kick(struct sim_host *h)
{
    h->sim->touched |= 1u << h->slot;
    if (h->is_iterating || !h->node)
        return;
    h->is_iterating = true;
    world_at(&h->sim->world, h->slow_us + world_between(&h->sim->world, 2, 40), host_iterate, h, h->life, 0);
}

/* --- life and death --- */

static void host_set_string(char **field, const char *text)
{
    mem_free(*field);
    *field = mem_copy_string(text, strlen(text));
}

void host_set_newcomer(struct sim_host *h)
{
    struct sim *s = h->sim;
    host_set_string(&h->options.cluster, "");
    host_set_string(&h->options.join, "");
    uint64_t other = world_below(&s->world, s->plan.host_count);
    if (other != h->slot && world_chance(&s->world, 500000))
        host_set_string(&h->options.join, s->host[other].address[0] ? s->host[other].address : s->host[0].address);
}

void host_init(struct sim *s, uint32_t slot, const char *cluster_list)
{
    struct sim_host *h = &s->host[slot];
    h->sim = s;
    h->slot = slot;
    snprintf(h->address, sizeof h->address, "127.0.0.1:%u", 7001 + slot);
    h->disk = sim_disk_new(prng_next(&s->world.prng), s->plan.sector_bytes);
    options_init(&h->options);
    host_set_string(&h->options.announce, h->address);
    host_set_string(&h->options.cluster, cluster_list);
    h->options.port = 7001 + slot;
    if (slot >= s->plan.host_count - s->plan.spare_count)
        host_set_newcomer(h);
    h->options.log_segment_size = (int64_t)s->plan.segment_bytes;
    h->options.log_memory = (int64_t)s->plan.log_memory_bytes;
    h->options.disk_reserve = 0;
    h->options.peer_append_bytes = s->plan.append_bytes ? (int64_t)s->plan.append_bytes : 258048;
    if (s->plan.window_bytes > 0) {
        h->options.forward_window_bytes = (int64_t)s->plan.window_bytes;
        h->options.uncommitted_bytes = (int64_t)s->plan.window_bytes;
        h->options.peer_inflight_bytes = (int64_t)s->plan.window_bytes;
    }
    if (s->plan.snapshot_log_bytes > 0) {
        h->options.snapshot_log_size = (int64_t)s->plan.snapshot_log_bytes;
        h->options.snapshot_log_ratio = 0;
        h->options.log_retention_entries = s->plan.retention_entries;
        h->options.snapshot_slice = 0;
        h->options.snapshot_transfer_rate = 1000000;
    }
    list_init(&h->jobs);
    int64_t rate = (int64_t)s->plan.clock_rate_ppm;
    h->rate_ppm = (int64_t)world_between(&s->world, 0, (uint64_t)(2 * rate)) - rate;
    h->env = (struct node_env){
        .ctx = h,
        .log = {LOG_VERBOSE, host_log, h},
        .wall_ms = host_env_wall,
        .now_us = host_env_now,
        .random = host_env_random,
        .dial = host_env_dial,
        .send = host_env_send,
        .hang_up = host_env_hang_up,
        .unsent_bytes = host_env_unsent,
        .submit = host_env_submit,
        .fatal = host_env_fatal,
    };
}

void host_start(struct sim_host *h)
{
    struct sim *s = h->sim;
    ASSERT(!h->node);
    h->life++;
    h->is_iterating = false;
    h->wake_scheduled_us = 0;
    h->is_disk_busy = false;
    h->fatal_reason = NULL;
    h->calls_left = 0;
    h->paused_until_us = 0;
    list_init(&h->jobs);
    sim_disk_revive(h->disk);
    h->env.vfs = ghost_watch_disk(s->ghost, h->slot, sim_disk_vfs(h->disk));
    enum err error;
    world_trace(&s->world, "node %u starts, life %llu", h->slot, (unsigned long long)h->life);
    allocation_enter(h);
    h->node = node_open(&h->env, &h->options, s->table, &error);
    allocation_leave();
    if (h->calls_left == 1) {
        world_count("memory ran out at a start");
        host_stop(h, HOST_KILL);
        h->calls_left = 0;
        return;
    }
    if (sim_disk_is_dead(h->disk)) {
        host_stop(h, HOST_POWER_LOSS);
        return;
    }
    if (!h->node) {
        sim_disk_crash(h->disk); /* the process ends, and its lock with it */
        if (!h->fatal_expected && !(h->has_quota && error == ERR_FULL)) /* Not a byte left: it says so, and is started again later. */
            world_fail(&s->world, "I16 node %u could not start: %s", h->slot, err_text(error));
        return;
    }
    ghost_host_started(s->ghost, h->slot);
    host_kick(h);
}

void host_stop(struct sim_host *h, enum host_end how)
{
    struct sim *s = h->sim;
    static const char *const word[] = {"killed", "lost power", "lost its disk", "shut down"};
    world_trace(&s->world, "node %u %s", h->slot, word[how]);
    sim_clients_host_died(s, h->slot);
    churn_host_died(s, h->slot);
    net_host_died(h, how != HOST_KILL);
    if (how == HOST_POWER_LOSS)
        sim_disk_power_loss(h->disk);
    else
        sim_disk_crash(h->disk);
    ghost_host_stopped(s->ghost, h->slot, how == HOST_POWER_LOSS, how == HOST_WIPE);
    h->life++;
    if (h->node)
        node_close(h->node);
    h->node = NULL;
    list_init(&h->jobs);
    if (how == HOST_WIPE)
        sim_disk_wipe(h->disk);
    if (how == HOST_POWER_LOSS || how == HOST_WIPE)
        h->boot_us = s->world.now_us;
}

void host_deinit(struct sim_host *h)
{
    if (h->node)
        host_stop(h, HOST_KILL);
    options_deinit(&h->options);
    sim_disk_free(h->disk);
}

uint32_t sim_leader(const struct sim *s)
{
    raft_term best = 0;
    uint32_t leader = UINT32_MAX;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        const struct raft *r = s->host[i].node ? node_raft(s->host[i].node) : NULL;
        struct raft_status status;
        if (!r)
            continue;
        raft_get_status(r, &status);
        if (status.role == RAFT_LEADER && status.term > best) {
            best = status.term;
            leader = i;
        }
    }
    return leader;
}
