#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/clients.h"
#include "node/node_internal.h"

/* From a data directory to a running node, and back. */

#define LEASE_DRIFT_PPM 10000
#define OPEN_READ_BYTES (4u * 1024u * 1024u)

void node_fatal(struct node *n, const char *format, ...)
{
    char text[512];
    va_list list;
    if (n->is_dead)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    n->is_dead = true;
    n->env.fatal(n->env.ctx, text);
}

void node_bulk_memory(const struct node *n, bool begins)
{
    if (n->env.bulk_memory)
        n->env.bulk_memory(n->env.ctx, begins);
}

void node_enter(struct node *n)
{
    uint64_t now_us = n->env.now_us(n->env.ctx);
    if (now_us > n->now_us)
        n->now_us = now_us;
}

static struct raft_options node_raft_options(struct node *n)
{
    const struct options *o = n->options;
    uint64_t timeout_us = node_election_timeout_us(n);
    /* A lease ends before any voter that promised it can be asked for its vote, whatever the drift of their clocks. */
    uint64_t longest_us = timeout_us - timeout_us * 2 * LEASE_DRIFT_PPM / 1000000 - 1;
    uint64_t lease_us = (uint64_t)o->lease * 1000;
    uint32_t frame_bytes = LIMIT_FRAME_BYTES - LIMIT_FRAME_BYTES / 64;
    return (struct raft_options){
        .id = n->identity.node_id,
        .seed = prng_next(&n->prng),
        .heartbeat_us = (uint32_t)(o->heartbeat * 1000),
        .election_timeout_us = (uint32_t)timeout_us,
        .lease_us = (uint32_t)(lease_us < longest_us ? lease_us : longest_us),
        .lease_drift_ppm = LEASE_DRIFT_PPM,
        .lease_wait_us = (uint32_t)timeout_us, /* Leases of other nodes are shorter than that, whatever is set here. */
        .memory_bytes = (uint64_t)o->log_memory,
        .uncommitted_bytes = (uint64_t)o->uncommitted_bytes,
        .inflight_messages = (uint32_t)o->peer_inflight_messages,
        .inflight_bytes = (uint64_t)o->peer_inflight_bytes,
        .append_bytes = o->peer_append_bytes < frame_bytes ? (uint32_t)o->peer_append_bytes : frame_bytes,
        .burst_bytes = 2 * LIMIT_FRAME_BYTES,
    };
}

void node_start_raft(struct node *n, const struct raft_start *start)
{
    ASSERT(n->raft == NULL && n->identity.cluster_id != 0);
    struct siphash_key seed;
    memcpy(seed.bytes, n->identity.hash_seed, sizeof seed.bytes);
    keyspace_set_seed(n->keyspace, &seed);
    struct raft_options options = node_raft_options(n);
    n->apply.told = start->commit; /* of its snapshot, which is being loaded */
    n->raft = raft_new(&options, start, n->now_us);
    raft_get_status(n->raft, &n->driver.status);
    n->driver.commit = n->driver.status.commit;
    node_on_conf_change(n);
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    enum err e = driver_step(n, &event); /* To learn when to wake. */
    ASSERT(e == ERR_OK);
    session_start(n);
}

/* --- what the log held --- */

struct log_reading {
    struct buf bytes;              /* the newest entries, encoded */
    struct raft_entry *entry;
    uint32_t entry_count;
};

static void reading_deinit(struct log_reading *l)
{
    buf_deinit(&l->bytes);
    mem_free(l->entry);
}

/* The newest `memory_bytes` of the log, whole entries. wal_open has looked at every byte of all of it: nothing older is read again. */
static enum err reading_scan(struct node *n, const struct wal_recovery *rec, struct log_reading *l)
{
    size_t memory_bytes = (size_t)n->options->log_memory;
    uint64_t margin = 2 * (uint64_t)n->options->log_segment_size; /* files are counted whole */
    raft_index next = wal_front_for_bytes(n->wal, memory_bytes + margin);
    next = next < rec->first_index ? rec->first_index : next;
    if (next > rec->last_index && rec->last_index >= rec->first_index)
        next = rec->last_index;
    buf_reserve(&l->bytes, memory_bytes < rec->file_bytes ? memory_bytes : (size_t)rec->file_bytes);
    while (next <= rec->last_index) {
        struct buf piece = {0};
        uint32_t count = 0;
        raft_term prev_term;
        enum err e = wal_read(n->wal, next, OPEN_READ_BYTES, &piece, &count, &prev_term);
        struct slice rest = buf_slice(&piece);
        for (uint32_t i = 0; i < count && e == ERR_OK; i++) {
            struct raft_entry entry;
            e = entry_decode(rest, &entry);
            if (e != ERR_OK)
                break;
            if (entry.index != next) {
                e = ERR_CORRUPT;
                break;
            }
            buf_append_slice(&l->bytes, entry.bytes);
            rest = slice_skip(rest, entry.bytes.n);
            next++;
        }
        buf_deinit(&piece);
        if (e != ERR_OK)
            return e;
        /* Keep whole entries of the newest bytes only. */
        struct raft_entry oldest;
        while (buf_size(&l->bytes) > memory_bytes && entry_decode(buf_slice(&l->bytes), &oldest) == ERR_OK &&
               oldest.bytes.n < buf_size(&l->bytes))
            buf_consume(&l->bytes, oldest.bytes.n);
    }
    return ERR_OK;
}

static enum err reading_decode(struct log_reading *l)
{
    struct slice rest = buf_slice(&l->bytes);
    uint32_t capacity = 0;
    while (rest.n > 0) {
        if (l->entry_count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            l->entry = mem_realloc_array(l->entry, capacity, sizeof l->entry[0]);
        }
        enum err e = entry_decode(rest, &l->entry[l->entry_count]);
        if (e != ERR_OK)
            return e;
        rest = slice_skip(rest, l->entry[l->entry_count].bytes.n);
        l->entry_count++;
    }
    return ERR_OK;
}

void node_take_birth(struct node *n, struct slice bytes)
{
    struct formation *f = &n->formation;
    struct raft_entry entry[2];
    if (f->chunk || bytes.n == 0 || entry_decode(bytes, &entry[0]) != ERR_OK ||
        entry_decode(slice_skip(bytes, entry[0].bytes.n), &entry[1]) != ERR_OK)
        return;
    size_t size = entry[0].bytes.n + entry[1].bytes.n;
    f->chunk = chunk_new(size);
    memcpy(f->chunk->data, bytes.p, size);
    f->chunk->used = size;
    f->entry[0] = (struct slice){f->chunk->data, entry[0].bytes.n};
    f->entry[1] = (struct slice){f->chunk->data + entry[0].bytes.n, entry[1].bytes.n};
}

static void node_keep_formation_entries(struct node *n, const struct wal_recovery *rec)
{
    struct buf first = {0};
    uint32_t count = 0;
    raft_term prev_term;
    if (rec->first_index == 1 && rec->last_index >= 2 &&
        wal_read(n->wal, 1, LIMIT_FRAME_BYTES, &first, &count, &prev_term) == ERR_OK && count >= 2)
        node_take_birth(n, buf_slice(&first));
    buf_deinit(&first);
}

static enum err node_recover_raft(struct node *n, const struct wal_recovery *rec)
{
    struct log_reading l = {0};
    enum err e = reading_scan(n, rec, &l);
    if (e == ERR_OK)
        e = reading_decode(&l);
    if (e != ERR_OK) {
        log_line(&n->env.log, LOG_WARNING, "The log can't be read back: %s.", err_text(e));
        reading_deinit(&l);
        return e;
    }
    struct raft_start start = {
        .hard_state = rec->state.hard,
        .first_index = rec->first_index,
        .last_index = rec->last_index,
        .last_term = rec->last_term,
        .prev_term = rec->prev_term,
        .entry = l.entry,
        .entry_count = l.entry_count,
        .term_run = rec->term_run,
        .term_run_count = rec->term_run_count,
        .conf_count = rec->conf_count,
        .conf = rec->conf,
        .conf_index = rec->conf_index,
        .may_not_vote = rec->health == WAL_CORRUPT,
    };
    if (rec->health == WAL_SUSPECT) {
        start.vote_only_above = rec->suspect_term;
        start.vote_last_term = rec->suspect_last_term;
        start.vote_last_index = rec->suspect_last_index;
    }
    n->disk.is_tainted = rec->health != WAL_CLEAN;
    node_keep_formation_entries(n, rec);
    struct raft_conf *conf = mem_alloc_array((size_t)start.conf_count + 1, sizeof *conf);
    raft_index *conf_index = mem_alloc_array((size_t)start.conf_count + 1, sizeof *conf_index);
    e = snapshot_open(n, &start, conf, conf_index);
    if (e == ERR_OK) {
        node_start_raft(n, &start);
        for (uint32_t i = 0; i < start.conf_count; i++) {
            const struct raft_member *self = raft_conf_find(&start.conf[i], n->identity.node_id);
            if (self && n->options->announce[0] == '\0') /* Else it may have moved: the leader sees to that (membership.c). */
                snprintf(n->formation.own_address, sizeof n->formation.own_address, "%s", self->address);
        }
    }
    mem_free(conf);
    mem_free(conf_index);
    reading_deinit(&l);
    return e;
}

/* --- open and close --- */

static void node_log_recovery(struct node *n, const struct wal_recovery *rec)
{
    const struct log_sink *log = &n->env.log;
    if (rec->was_blank_directory)
        log_line(log, LOG_NOTICE, "The data directory is new: node %016llx.", (unsigned long long)n->identity.node_id);
    else
        log_line(log,
                 LOG_NOTICE,
                 "Node %016llx starts for the %llu. time, %llu entries in its log, term %llu.",
                 (unsigned long long)n->identity.node_id,
                 (unsigned long long)n->identity.incarnation,
                 (unsigned long long)rec->last_index,
                 (unsigned long long)rec->state.hard.term);
    if (rec->health != WAL_CLEAN)
        log_line(log,
                 LOG_WARNING,
                 "The end of the log is damaged (%s): this node %s until it has caught up with a leader.",
                 rec->health == WAL_SUSPECT ? "what was being written" : "what was durable",
                 rec->health == WAL_SUSPECT ? "votes only in later terms" : "does not vote");
}

static struct node *node_new(const struct node_env *env, struct options *options, const struct command_table *table)
{
    struct node *n = mem_alloc_zero(sizeof *n);
    uint64_t seed;
    n->env = *env;
    n->storage_log = env->log;
    n->env.log = events_init(&n->events, &env->log, env->wall_ms, env->ctx);
    n->options = options;
    n->table = table;
    n->env.random(n->env.ctx, &seed, sizeof seed);
    prng_seed(&n->prng, seed);
    node_enter(n);
    n->started_us = n->now_us;
    n->no_leader_since_us = n->now_us;
    struct siphash_key key = {{0}};
    changes_init(&n->changes);
    struct keyspace_hooks hooks = changes_hooks(&n->changes);
    n->keyspace = keyspace_new(&key, &hooks);
    peers_init(n);
    session_init(&n->session);
    reads_init(&n->reads);
    snapshots_init(n);
    publish_init(&n->publish);
    return n;
}

static enum err node_recover(struct node *n)
{
    struct wal_recovery rec = {0};
    raft_id id;
    do
        n->env.random(n->env.ctx, &id, sizeof id);
    while (id == 0);
    struct wal_options options = {
        .segment_bytes = (uint64_t)n->options->log_segment_size,
        .accept_damage = n->options->accept_damaged_log,
        .reserve_bytes = (uint64_t)n->options->disk_reserve,
    };
    enum err e = wal_open(n->env.vfs, &options, id, &n->storage_log, &n->wal, &rec);
    if (e != ERR_OK) {
        log_line(&n->env.log, LOG_WARNING, "The data directory can't be used: %s.", err_text(e));
        return e;
    }
    n->identity = rec.identity;
    n->incarnation = n->identity.incarnation << 20 | prng_below(&n->prng, 1u << 20);
    if (rec.health == WAL_SUSPECT && rec.suspect_term > rec.state.hard.term)
        rec.state.hard = (struct raft_hard_state){.term = rec.suspect_term};
    disk_init(n, &rec.state, rec.last_index);
    node_log_recovery(n, &rec);
    if (!formation_init(n))
        e = ERR_INVALID;
    else if (n->identity.cluster_id != 0)
        e = node_recover_raft(n, &rec);
    else if (snapshot_is_left_alone(n))
        e = ERR_CORRUPT;
    mem_free(rec.conf);
    mem_free(rec.conf_index);
    mem_free(rec.term_run);
    return e;
}

struct node *node_open(const struct node_env *env,
                       struct options *options,
                       const struct command_table *table,
                       enum err *error)
{
    struct node *n = node_new(env, options, table);
    node_bulk_memory(n, snapshot_is_there(n, SNAPSHOT_NAME));
    *error = node_recover(n);
    node_bulk_memory(n, n->snapshots.loading.is_active);
    n->clients = clients_new(n);
    if (*error != ERR_OK) {
        node_close(n);
        return NULL;
    }
    node_iterate(n);
    return n;
}

static void requests_drop(struct list *list)
{
    while (!list_empty(list)) {
        struct request *r = CONTAINER_OF(list->next, struct request, in_node);
        list_remove(&r->in_node);
        request_release(r);
        request_free(r);
    }
}

void node_close(struct node *n)
{
    if (!n)
        return;
    /* Clients are gone: what is left belongs to nobody. */
    requests_drop(&n->session.unsent);
    requests_drop(&n->session.window);
    publish_deinit(&n->publish);
    peers_deinit(n);
    batch_deinit(&n->batch);
    if (n->wal)
        disk_deinit(n);
    snapshots_deinit(n);
    verify_deinit(n);
    driver_deinit(&n->driver);
    reads_deinit(&n->reads);
    apply_deinit(&n->apply);
    raft_free(n->raft);
    chunk_unref(n->formation.chunk);
    keyspace_free(n->keyspace);
    clients_free(n->clients);
    if (n->wal)
        wal_close(n->wal);
    mem_free(n);
}
