#include "allocation.h"
#include "stream.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

/* The network in frame mode: whole messages, each late, lost, doubled or out of order as the plan says; connections
 * that are refused, reset, or dead without a word. In a run with a stream_window: stream.c. */

struct sim_message {
    struct list queue;
    size_t size;
    uint8_t bytes[];
};

/* Messages under way, per link slot and direction; kept outside struct sim_link so that the header stays small. */
static struct list *net_queue(struct sim *s, struct sim_link *l, int direction)
{
    static struct list queue[SIM_LINKS][2];
    struct list *q = &queue[l - s->link][direction];
    if (!q->next)
        list_init(q);
    return q;
}

static uint64_t net_latency(struct sim *s)
{
    return s->plan.latency_us / 4 + world_exponential(&s->world, s->plan.latency_us * 3 / 4 + 1);
}

static void net_clear(struct sim *s, struct sim_link *l)
{
    for (int d = 0; d < 2; d++) {
        struct list *q = net_queue(s, l, d);
        while (!list_empty(q)) {
            struct sim_message *m = CONTAINER_OF(q->next, struct sim_message, queue);
            list_remove(&m->queue);
            mem_free(m);
        }
    }
}

static void net_release(struct sim *s, struct sim_link *l)
{
    net_clear(s, l);
    l->is_used = false;
}

static struct sim_link *net_find(struct sim *s, uint32_t slot, link_id id, int *end)
{
    for (size_t i = 0; i < SIM_LINKS; i++) {
        struct sim_link *l = &s->link[i];
        for (int e = 0; l->is_used && e < 2; e++) {
            if (l->host[e] == slot && l->id[e] == id && l->life[e] == s->host[slot].life) {
                *end = e;
                return l;
            }
        }
    }
    return NULL;
}

static bool net_end_alive(const struct sim *s, const struct sim_link *l, int end)
{
    const struct sim_host *h = &s->host[l->host[end]];
    return h->node && h->life == l->life[end];
}

/* --- end of a connection, as one end learns of it. a: link slot | end << 32, b: serial --- */

static void net_tell_down(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    struct sim_link *l = &s->link[a & 0xffffffff];
    int end = (int)(a >> 32);
    if (!l->is_used || l->serial != serial)
        return;
    struct sim_host *h = &s->host[l->host[end]];
    if (net_end_alive(s, l, end) && l->is_up[end]) {
        if (!host_is_running(h)) {
            world_at(w, h->paused_until_us - w->now_us + 1, net_tell_down, s, a, serial);
            return;
        }
        l->is_up[end] = false;
        node_link_down(h->node, l->id[end], "connection reset", false);
        host_kick(h);
    }
    if (!l->is_up[0] && !l->is_up[1])
        net_release(s, l);
}

static void net_break(struct sim *s, struct sim_link *l, int end, uint64_t delay)
{
    world_at(&s->world, delay, net_tell_down, s, (uint64_t)(l - s->link) | (uint64_t)end << 32, l->serial);
}

/* --- dialling --- */

struct net_dialling {
    struct sim *sim;
    uint32_t from;
    uint64_t life;
    link_id id;
    char address[LIMIT_ADDRESS_BYTES];
    struct peer_hello hello[2];
    struct sim_link *link;
    uint64_t serial;
    char reason[256];
};

static void net_dial_failed(struct world *w, void *ctx, uint64_t was_refused, uint64_t b)
{
    struct net_dialling *d = ctx;
    struct sim_host *h = &d->sim->host[d->from];
    (void)b;
    if (h->life == d->life && h->node && !host_is_running(h)) {
        world_at(w, h->paused_until_us - w->now_us + 1, net_dial_failed, d, was_refused, 0);
        return;
    }
    if (h->life == d->life && h->node) {
        node_link_down(h->node, d->id, d->reason, was_refused != 0);
        host_kick(h);
    }
    mem_free(d);
}

/* The acceptor agreed and its hello has come back. */
static void net_dial_answered(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct net_dialling *d = ctx;
    struct sim *s = d->sim;
    struct sim_host *h = &s->host[d->from];
    struct sim_link *l = d->link;
    (void)a;
    (void)b;
    if (h->life == d->life && h->node && !host_is_running(h)) {
        world_at(w, h->paused_until_us - w->now_us + 1, net_dial_answered, d, 0, 0);
        return;
    }
    bool is_same = l->is_used && l->serial == d->serial;
    if (h->life != d->life || !h->node || !is_same || !l->is_up[0]) {
        if (is_same) {
            l->is_up[0] = false;
            net_break(s, l, 1, net_latency(s));
        }
    } else if (!l->is_up[1]) {
        l->is_up[0] = false;
        node_link_down(h->node, d->id, "connection reset", false);
        net_release(s, l);
    } else {
        link_id id = d->id;
        if (!node_link_up(h->node, &id, false, &d->hello[1], d->reason)) {
            l->is_up[0] = false;
            net_break(s, l, 1, net_latency(s));
        }
    }
    host_kick(h);
    mem_free(d);
}

struct sim_host *net_host_at(struct sim *s, const char *address)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (strcmp(s->host[i].address, address) == 0)
            return &s->host[s->has_alias[i] ? s->alias[i] : i];
    }
    return NULL;
}

static struct sim_link *net_new_link(struct sim *s)
{
    for (size_t i = 0; i < SIM_LINKS; i++) {
        if (!s->link[i].is_used) {
            s->link[i] = (struct sim_link){.is_used = true, .serial = ++s->link_serial};
            return &s->link[i];
        }
    }
    return NULL;
}

/* The dialler's hello reached the other host. */
static void net_dial_arrived(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct net_dialling *d = ctx;
    struct sim *s = d->sim;
    struct sim_host *to = net_host_at(s, d->address);
    (void)a;
    (void)b;
    const char *why = NULL;
    if (!to || !to->node)
        why = "connection refused";
    else if (s->is_cut[d->from][to->slot] || s->is_cut[to->slot][d->from])
        why = "no answer in time";
    if (!why && !host_is_running(to)) {
        world_at(w, to->paused_until_us - w->now_us + 1, net_dial_arrived, d, 0, 0);
        return;
    }
    struct sim_link *l = why ? NULL : net_new_link(s);
    if (!l) {
        snprintf(d->reason, sizeof d->reason, "%s", why ? why : "too many connections");
        world_count("connection refused or timed out");
        world_at(w, why && why[0] == 'n' ? 250000 : net_latency(s), net_dial_failed, d, 0, 0);
        return;
    }
    l->role = d->hello[0].role;
    l->host[0] = d->from;
    l->life[0] = d->life;
    l->id[0] = d->id;
    l->host[1] = to->slot;
    l->life[1] = to->life;
    node_get_hello(to->node, l->role, &d->hello[1]);
    /* The acceptor may send from within node_link_up; that must not overtake its own hello. */
    uint64_t latency = net_latency(s);
    l->is_up[0] = l->is_up[1] = true;
    l->last_delivery_us[1] = w->now_us + latency + 1;
    if (!node_link_up(to->node, &l->id[1], true, &d->hello[0], d->reason)) {
        net_release(s, l);
        world_count("peer refused");
        world_at(w, net_latency(s), net_dial_failed, d, 1, 0);
    } else {
        d->link = l;
        d->serial = l->serial;
        world_at(w, latency, net_dial_answered, d, 0, 0);
    }
    host_kick(to);
}

void net_dial(struct sim_host *from, link_id id, const char *address, const struct peer_hello *mine)
{
    struct sim *s = from->sim;
    if (s->plan.stream_window) {
        stream_dial(from, id, address, mine);
        return;
    }
    struct net_dialling *d = mem_alloc_zero(sizeof *d);
    d->sim = s;
    d->from = from->slot;
    d->life = from->life;
    d->id = id;
    snprintf(d->address, sizeof d->address, "%s", address);
    d->hello[0] = *mine;
    world_at(&s->world, net_latency(s), net_dial_arrived, d, 0, 0);
}

/* --- messages --- */

static void net_deliver(struct world *w, void *ctx, uint64_t a, uint64_t serial)
{
    struct sim *s = ctx;
    struct sim_link *l = &s->link[a & 0xffffffff];
    int from = (int)(a >> 32);
    int to = 1 - from;
    if (!l->is_used || l->serial != serial)
        return;
    struct sim_host *h = &s->host[l->host[to]];
    struct list *q = net_queue(s, l, from);
    if (list_empty(q))
        return;
    if (net_end_alive(s, l, to) && !host_is_running(h)) {
        world_at(w, h->paused_until_us - w->now_us + 1, net_deliver, s, a, serial);
        return;
    }
    struct sim_message *m = CONTAINER_OF(q->next, struct sim_message, queue);
    list_remove(&m->queue);
    if (!net_end_alive(s, l, to)) {
        world_count("message to a dead node");
    } else if (s->is_cut[l->host[from]][l->host[to]]) {
        world_count("message lost in a partition");
    } else if (l->is_up[to]) {
        allocation_enter(h);
        node_link_message(h->node, l->id[to], (struct slice){m->bytes, m->size});
        allocation_leave();
        host_kick(h);
    }
    mem_free(m);
}

static void net_enqueue(struct sim *s, struct sim_link *l, int from, const struct slice *part, size_t part_count)
{
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += part[i].n;
    struct sim_message *m = mem_alloc(sizeof *m + size);
    m->size = 0;
    for (size_t i = 0; i < part_count; i++) {
        if (part[i].n)
            memcpy(m->bytes + m->size, part[i].p, part[i].n);
        m->size += part[i].n;
    }
    ghost_check_message(s->ghost, l->host[from], l->host[1 - from], (struct slice){m->bytes, m->size});
    struct list *q = net_queue(s, l, from);
    if (!list_empty(q) && world_chance(&s->world, s->plan.reorder) && !s->is_calm) {
        list_prepend(q, &m->queue);
        world_count("message out of order");
    } else {
        list_append(q, &m->queue);
    }
    uint64_t at = s->world.now_us + net_latency(s) + s->delay_us[l->host[from]][l->host[1 - from]];
    if (at <= l->last_delivery_us[from])
        at = l->last_delivery_us[from] + 1;
    l->last_delivery_us[from] = at;
    world_at(&s->world, at - s->world.now_us, net_deliver, s, (uint64_t)(l - s->link) | (uint64_t)from << 32,
             l->serial);
}

/* A second copy that comes much later, as after a retry somewhere below. */
struct net_late {
    struct sim *sim;
    struct sim_link *link;
    size_t size;
    uint8_t bytes[];
};

static void net_deliver_late(struct world *w, void *ctx, uint64_t to, uint64_t serial)
{
    struct net_late *late = ctx;
    struct sim *s = late->sim;
    struct sim_link *l = late->link;
    struct sim_host *h = &s->host[l->host[to]];
    if (l->is_used && l->serial == serial && net_end_alive(s, l, (int)to) && l->is_up[to] && host_is_running(h) && !s->is_calm) {
        world_count("message doubled, much later");
        node_link_message(h->node, l->id[to], (struct slice){late->bytes, late->size});
        host_kick(h);
    }
    (void)w;
    mem_free(late);
}

static void net_double_late(struct sim *s, struct sim_link *l, int from, const struct slice *part, size_t part_count)
{
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += part[i].n;
    struct net_late *late = mem_alloc(sizeof *late + size);
    *late = (struct net_late){.sim = s, .link = l};
    for (size_t i = 0; i < part_count; i++) {
        if (part[i].n)
            memcpy(late->bytes + late->size, part[i].p, part[i].n);
        late->size += part[i].n;
    }
    world_at(&s->world, world_exponential(&s->world, 100000), net_deliver_late, late, (uint64_t)(1 - from), l->serial);
}

/* In stream mode: the ghost sees the message as it is sent, as in frame mode. */
static void net_send_bytes(struct sim_host *from, link_id id, const struct slice *part, size_t part_count)
{
    uint32_t to;
    if (!stream_send(from, id, part, part_count, &to))
        return;
    struct buf whole = {0};
    for (size_t i = 0; i < part_count; i++)
        buf_append_slice(&whole, part[i]);
    ghost_check_message(from->sim->ghost, from->slot, to, buf_slice(&whole));
    buf_deinit(&whole);
}

void net_send(struct sim_host *from, link_id id, const struct slice *part, size_t part_count)
{
    struct sim *s = from->sim;
    if (s->plan.stream_window) {
        net_send_bytes(from, id, part, part_count);
        return;
    }
    int end = 0;
    struct sim_link *l = net_find(s, from->slot, id, &end);
    if (!l || !l->is_up[end])
        return;
    if (!s->is_calm && world_chance(&s->world, s->plan.drop)) {
        world_count("message lost");
        return;
    }
    net_enqueue(s, l, end, part, part_count);
    if (!s->is_calm && world_chance(&s->world, s->plan.duplicate)) {
        world_count("message doubled");
        if (world_chance(&s->world, 500000))
            net_enqueue(s, l, end, part, part_count);
        else
            net_double_late(s, l, end, part, part_count);
    }
    if (!s->is_calm && world_chance(&s->world, s->plan.reset)) {
        world_count("connection reset");
        net_clear(s, l);
        net_break(s, l, 0, net_latency(s));
        net_break(s, l, 1, net_latency(s));
    }
}

void net_hang_up(struct sim_host *from, link_id id, const char *reason)
{
    struct sim *s = from->sim;
    if (s->plan.stream_window) {
        stream_hang_up(from, id, reason);
        return;
    }
    int end = 0;
    struct sim_link *l = net_find(s, from->slot, id, &end);
    if (!l)
        return;
    l->is_up[end] = false;
    net_break(s, l, 1 - end, net_latency(s));
}

void net_host_died(struct sim_host *h, bool was_power_loss)
{
    struct sim *s = h->sim;
    stream_host_died(h, was_power_loss);
    for (size_t i = 0; i < SIM_LINKS; i++) {
        struct sim_link *l = &s->link[i];
        for (int e = 0; l->is_used && e < 2; e++) {
            if (l->host[e] != h->slot || l->life[e] != h->life)
                continue;
            l->is_up[e] = false;
            /* A killed process's kernel says so at once; after power loss the peer learns it much later. */
            uint64_t delay = was_power_loss ? world_between(&s->world, 100000, 3000000) : net_latency(s);
            if (was_power_loss)
                world_count("half-open connection");
            net_break(s, l, 1 - e, delay);
        }
    }
}

void net_heal(struct sim *s)
{
    memset(s->is_cut, 0, sizeof s->is_cut);
}

void net_teardown(struct sim *s)
{
    for (size_t i = 0; i < SIM_LINKS; i++)
        net_release(s, &s->link[i]);
    stream_teardown();
}
