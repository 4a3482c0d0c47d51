#include "node/clients.h"

#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "node/client_http.h"
#include "node/client_internal.h"
#include "node/http_live.h"

#define SPARE_SLOTS_MAX 4096

/* The order of topics is nobody's business, but foreign names must not be able to collide. */
static void clients_open_pubsub(struct clients *cs)
{
    const struct node_env *env = node_environment(cs->node);
    struct siphash_key key = {{0}};

    if (env->random) {
        env->random(env->ctx, key.bytes, sizeof key.bytes);
    }
    pubsub_init(&cs->pubsub[0], &key);
    pubsub_init(&cs->pubsub[1], &key);
    name_table_init(&cs->by_id, &key);
    tracking_init(&cs->tracking, cs, node_changes(cs->node), &key);
    notify_init(&cs->notify, node_changes(cs->node), &cs->pubsub[0], &node_options(cs->node)->notify_keyspace_events);
}

struct clients *clients_new(struct node *n)
{
    struct clients *cs = mem_alloc_zero(sizeof *cs);

    cs->node = n;
    list_init(&cs->all);
    list_init(&cs->dirty);
    list_init(&cs->paused);
    list_init(&cs->skipped);
    list_init(&cs->spare);
    cs->next_id = 1;
    cs->had_leader = true;
    list_init(&cs->monitors);
    watches_init(&cs->watches);
    cs->memory_at_start = mem_used();
    cs->stats = command_stats_new();
    cs->slowlog = slowlog_new();
    clients_open_pubsub(cs);
    return cs;
}

void clients_free(struct clients *cs)
{
    if (!cs) {
        return;
    }
    ASSERT(list_empty(&cs->all));
    while (!list_empty(&cs->spare)) {
        struct list *first = cs->spare.next;

        list_remove(first);
        mem_free(CONTAINER_OF(first, struct client_slot, in_client));
    }
    watches_deinit(&cs->watches);
    command_stats_free(cs->stats);
    slowlog_free(cs->slowlog);
    notify_deinit(&cs->notify);
    tracking_deinit(&cs->tracking);
    name_table_deinit(&cs->by_id);
    pubsub_deinit(&cs->pubsub[0]);
    pubsub_deinit(&cs->pubsub[1]);
    mem_free(cs);
}

struct watches *clients_watches(struct clients *cs)
{
    return &cs->watches;
}

struct client *client_by_id(struct clients *cs, uint64_t id)
{
    uint8_t bytes[8];

    put_u64(bytes, id);
    struct name_node *found = name_table_find(&cs->by_id, (struct slice){bytes, sizeof bytes});
    return found ? CONTAINER_OF(found, struct client, by_id) : NULL;
}

struct client_counters *clients_counters(struct clients *cs)
{
    return &cs->counters;
}

const struct command_stats *clients_command_stats(const struct clients *cs)
{
    return cs->stats;
}

void clients_reset_counters(struct clients *cs)
{
    cs->counters = (struct client_counters){0};
    cs->last_second = cs->counters;
    cs->memory_peak = mem_used();
    command_stats_reset(cs->stats);
}

/* Half of the last second, half of what was before, as Redis's averages move slowly too. */
static double rate_of(uint64_t now, uint64_t before, double seconds, double old)
{
    return (now >= before ? (double)(now - before) / seconds : 0) * 0.5 + old * 0.5;
}

void clients_each_second(struct clients *cs, uint64_t now_us)
{
    double seconds = (double)(now_us - cs->last_second_us) / 1e6;
    const struct client_counters *now = &cs->counters;
    struct client_rates *r = &cs->rates;

    if (cs->last_second_us != 0 && seconds > 0) {
        r->commands_per_second = (uint64_t)rate_of(now->commands, cs->last_second.commands, seconds, (double)r->commands_per_second);
        r->input_kib_per_second =
            rate_of(now->input_bytes, cs->last_second.input_bytes, seconds * 1024, r->input_kib_per_second);
        r->output_kib_per_second =
            rate_of(now->output_bytes, cs->last_second.output_bytes, seconds * 1024, r->output_kib_per_second);
        r->peer_input_kib_per_second =
            rate_of(now->peer_input_bytes, cs->last_second.peer_input_bytes, seconds * 1024, r->peer_input_kib_per_second);
        r->peer_output_kib_per_second =
            rate_of(now->peer_output_bytes, cs->last_second.peer_output_bytes, seconds * 1024, r->peer_output_kib_per_second);
    }
    cs->last_second = *now;
    cs->last_second_us = now_us;
    http_live_each_second(cs);
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        client_http_each_second(CONTAINER_OF(at, struct client, in_all), now_us);
        watch_each_second(CONTAINER_OF(at, struct client, in_all), now_us);
    }
    cs->memory_peak = mem_used() > cs->memory_peak ? mem_used() : cs->memory_peak;
}

const struct client_rates *clients_rates(const struct clients *cs)
{
    return &cs->rates;
}

size_t clients_memory_at_start(const struct clients *cs)
{
    return cs->memory_at_start;
}

void clients_measure(const struct clients *cs, struct clients_memory *memory)
{
    *memory = (struct clients_memory){0};
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        const struct client *c = CONTAINER_OF(at, struct client, in_all);
        size_t in = buf_size(&c->input), out = buf_size(&c->output);

        memory->bytes += client_memory(c);
        memory->input_longest = in > memory->input_longest ? in : memory->input_longest;
        memory->output_longest = out > memory->output_longest ? out : memory->output_longest;
    }
}

size_t clients_memory_peak(const struct clients *cs)
{
    return mem_used() > cs->memory_peak ? mem_used() : cs->memory_peak;
}

size_t clients_count(const struct clients *cs)
{
    return cs->count;
}

uint64_t clients_started_us(const struct clients *cs)
{
    return cs->started_us;
}

void slice_replace(struct slice *owned, struct slice bytes)
{
    uint8_t *copy = NULL;

    if (bytes.n > 0) {
        copy = mem_alloc(bytes.n);
        memcpy(copy, bytes.p, bytes.n);
    }
    /* The old bytes were made here: the cast drops a const that only borrowers need. */
    mem_free((void *)(uintptr_t)owned->p);
    *owned = (struct slice){copy, bytes.n};
}

void command_copy_init(struct command_copy *copy, const struct command *command)
{
    size_t bytes = 0;

    for (size_t i = 0; i < command->arg_count; i++) {
        bytes += command->arg[i].n;
    }
    copy->arg = mem_alloc(command->arg_count * sizeof *copy->arg + bytes);
    copy->arg_count = command->arg_count;
    uint8_t *at = (uint8_t *)(copy->arg + command->arg_count);
    for (size_t i = 0; i < command->arg_count; i++) {
        struct slice from = command->arg[i];

        if (from.n > 0) {
            memcpy(at, from.p, from.n);
        }
        copy->arg[i] = (struct slice){at, from.n};
        at += from.n;
    }
}

void command_copy_deinit(struct command_copy *copy)
{
    mem_free(copy->arg);
    *copy = (struct command_copy){0};
}

/* --- slots ------------------------------------------------------------------------------------ */

struct client_slot *client_slot_new(struct client *c, enum reply_protocol protocol)
{
    struct clients *cs = c->clients;
    struct client_slot *slot;

    if (list_empty(&cs->spare)) {
        slot = mem_alloc(sizeof *slot);
    } else {
        struct list *first = cs->spare.next;

        list_remove(first);
        cs->spare_count--;
        slot = CONTAINER_OF(first, struct client_slot, in_client);
    }
    /* The inline argument room needs no clearing; it is most of the slot. */
    memset(slot, 0, offsetof(struct client_slot, arg));
    slot->protocol = protocol;
    list_init(&slot->request.in_client);
    list_init(&slot->request.in_node);
    list_append(&c->slots, &slot->in_client);
    c->slot_count++;
    return slot;
}

void client_slot_free(struct clients *cs, struct client_slot *slot)
{
    buf_deinit(&slot->reply);
    client_holes_drop(slot);
    mem_free(slot->block);
    http_exchange_release(slot->exchange);
    transaction_free(slot->transaction);
    list_remove(&slot->in_client);
    if (cs && cs->spare_count < SPARE_SLOTS_MAX) {
        list_prepend(&cs->spare, &slot->in_client);
        cs->spare_count++;
    } else {
        mem_free(slot);
    }
}

/* --- dirty clients ---------------------------------------------------------------------------- */

void client_mark_dirty(struct client *c)
{
    if (list_empty(&c->in_dirty)) {
        list_append(&c->clients->dirty, &c->in_dirty);
    }
}

/* A text session whose first unanswered command waits for a leader is told so at once (TEXT-GRAMMAR). */
static void clients_leader_lost(struct clients *cs)
{
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (c->mode != CLIENT_MODE_TEXT) {
            continue;
        }
        for (struct list *s = c->slots.next; s != &c->slots; s = s->next) {
            client_tell_to_wait(CONTAINER_OF(s, struct client_slot, in_client));
        }
    }
}

static void clients_go_on(struct list *paused)
{
    while (!list_empty(paused)) {
        struct client *c = CONTAINER_OF(paused->next, struct client, in_paused);

        list_remove(&c->in_paused);
        client_mark_dirty(c);
    }
}

static void clients_begin_poll(struct clients *cs)
{
    bool has_leader = node_has_leader(cs->node);

    if (cs->had_leader && !has_leader) {
        clients_leader_lost(cs);
        tracking_void_all(&cs->tracking);
    }
    cs->had_leader = has_leader;
    cs->resume_until_us = 0;
    watches_pump(cs);
    tracking_flush(&cs->tracking);
    sentinel_poll(cs);
    clients_poll_waits(cs);
    if (!node_window_is_full(cs->node)) {
        clients_go_on(&cs->skipped);
        clients_go_on(&cs->paused);
    }
}

struct client *node_next_dirty_client(struct node *n)
{
    struct clients *cs = node_clients(n);

    if (!cs->is_polling) {
        clients_begin_poll(cs);
        cs->is_polling = true;
    }
    if (list_empty(&cs->dirty)) {
        cs->is_polling = false;
        return NULL;
    }
    struct client *c = CONTAINER_OF(cs->dirty.next, struct client, in_dirty);
    if (c->is_stalled) {
        client_resume(c);
    }
    watch_fill(c);
    list_remove(&c->in_dirty);
    return c;
}
