#include "cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/chunk.h"
#include "base/mem.h"
#include "ghost.h"

#define CLUSTER_BEGIN_US 1000000u

struct raft_options cluster_options(void)
{
    return (struct raft_options){
        .heartbeat_us = 50000,
        .election_timeout_us = 300000,
        .memory_bytes = 1u << 20,
        .uncommitted_bytes = 1u << 20,
        .inflight_messages = 16,
        .inflight_bytes = 1u << 20,
        .append_bytes = 4096,
    };
}

void cluster_fail(struct cluster *c, const char *format, ...)
{
    va_list args;
    if (c->failure[0] != 0) {
        return;
    }
    va_start(args, format);
    vsnprintf(c->failure, sizeof(c->failure), format, args);
    va_end(args);
}

struct cluster_node *cluster_node(struct cluster *c, raft_id id)
{
    ASSERT(id >= 1 && id <= c->node_count);
    return &c->node[id];
}

uint64_t cluster_clock(const struct cluster *c, const struct cluster_node *n)
{
    int64_t elapsed = (int64_t)(c->now_us - CLUSTER_BEGIN_US);
    return n->id * 1000000000u + CLUSTER_BEGIN_US +
           (uint64_t)(elapsed + elapsed / 1000000 * n->rate_ppm +
                      elapsed % 1000000 * n->rate_ppm / 1000000);
}

struct raft_status cluster_status(const struct cluster *c, raft_id id)
{
    struct raft_status status = {0};
    if (c->node[id].raft != NULL) {
        raft_get_status(c->node[id].raft, &status);
    }
    return status;
}

raft_id cluster_leader(const struct cluster *c)
{
    raft_id leader = 0;
    raft_term term = 0;
    for (raft_id id = 1; id <= c->node_count; id++) {
        struct raft_status s = cluster_status(c, id);
        if (c->node[id].raft != NULL && s.role == RAFT_LEADER && s.term > term) {
            leader = id;
            term = s.term;
        }
    }
    return leader;
}

void cluster_conf(struct raft_conf *conf, uint32_t voters, uint32_t learners)
{
    memset(conf, 0, sizeof(*conf));
    for (raft_id id = 1; id <= CLUSTER_NODES; id++) {
        if (((voters | learners) >> id & 1) != 0) {
            struct raft_member *m = &conf->member[conf->member_count++];
            m->id = id;
            m->flags = (voters >> id & 1) != 0 ? RAFT_VOTER_NEW : RAFT_LEARNER;
            snprintf(m->address, sizeof(m->address), "n%d:1", (int)id);
        }
    }
}

/* Wires. */

static struct wire wire_copy(const struct raft_message *m)
{
    struct wire w = {.message = *m};
    if (m->type != RAFT_APPEND || m->u.append.entry_count == 0) {
        return w;
    }
    size_t size = 0;
    uint32_t count = m->u.append.entry_count;
    for (uint32_t i = 0; i < count; i++) {
        size += m->u.append.entry[i].bytes.n;
    }
    w.bytes = mem_alloc(size);
    w.entry = mem_alloc_array(count, sizeof(*w.entry));
    uint8_t *at = w.bytes;
    for (uint32_t i = 0; i < count; i++) {
        struct slice bytes = m->u.append.entry[i].bytes;
        memcpy(at, bytes.p, bytes.n);
        enum err e = entry_decode((struct slice){at, bytes.n}, &w.entry[i]);
        ASSERT(e == ERR_OK);
        at += bytes.n;
    }
    w.message.u.append.entry = w.entry;
    return w;
}

static void wire_free(struct wire *w)
{
    mem_free(w->entry);
    mem_free(w->bytes);
}

static void cluster_enqueue(struct cluster *c, struct wire w)
{
    if (c->wire_count == c->wire_capacity) {
        c->wire_capacity = c->wire_capacity * 2 + 16;
        c->wire = mem_realloc_array(c->wire, c->wire_capacity, sizeof(*c->wire));
    }
    w.sent_us = c->now_us;
    c->wire[c->wire_count++] = w;
}

static struct wire cluster_take(struct cluster *c, uint32_t i)
{
    ASSERT(i < c->wire_count);
    struct wire w = c->wire[i];
    memmove(&c->wire[i], &c->wire[i + 1], (c->wire_count - i - 1) * sizeof(*c->wire));
    c->wire_count--;
    return w;
}

void cluster_drop(struct cluster *c, uint32_t i)
{
    struct wire w = cluster_take(c, i);
    wire_free(&w);
}

void cluster_duplicate(struct cluster *c, uint32_t i)
{
    cluster_enqueue(c, wire_copy(&c->wire[i].message));
}

void cluster_deliver(struct cluster *c, uint32_t i)
{
    struct wire w = cluster_take(c, i);
    raft_id to = w.message.to;
    bool is_lost = c->is_bulk_cut && w.message.type == RAFT_APPEND;
    if (!is_lost && to <= c->node_count && c->node[to].raft != NULL &&
        !c->is_cut[w.message.from][to]) {
        struct raft_event event = {.type = RAFT_EVENT_RECEIVE};
        event.u.message = &w.message;
        enum err e = cluster_step(c, w.message.to, &event);
        if (e != ERR_OK) {
            struct buf line = {0};
            cluster_describe(&w.message, &line);
            cluster_fail(c, "%s: %.*s", err_text(e), (int)buf_size(&line), (const char *)line.data);
            buf_deinit(&line);
        }
    }
    wire_free(&w);
}

/* The driver. */

static void write_free(struct disk_write *w)
{
    for (uint32_t i = 0; i < w->entry_count; i++) {
        mem_free(w->entry[i].bytes);
    }
    mem_free(w->entry);
}

static void disk_apply(struct cluster_node *n, struct disk_write *w)
{
    if (w->has_hard_state) {
        n->hard_state = w->hard_state;
    }
    if (w->truncate_from != 0) {
        while (n->disk_count >= w->truncate_from) {
            mem_free(n->disk[n->disk_count--].bytes);
        }
    }
    for (uint32_t i = 0; i < w->entry_count; i++) {
        ASSERT(w->first + i == n->disk_count + 1);
        if (n->disk_count + 2 > n->disk_capacity) {
            n->disk_capacity = n->disk_capacity * 2 + 64;
            n->disk = mem_realloc_array(n->disk, n->disk_capacity, sizeof(*n->disk));
        }
        n->disk[++n->disk_count] = w->entry[i];
    }
    w->entry_count = 0;
    write_free(w);
}

static void cluster_take_persist(struct cluster_node *n, const struct raft_update *u)
{
    n->write = mem_realloc_array(n->write, n->write_count + 1, sizeof(*n->write));
    struct disk_write *w = &n->write[n->write_count++];
    *w = (struct disk_write){
        .token = u->token,
        .has_hard_state = u->has_hard_state,
        .hard_state = u->hard_state,
        .truncate_from = u->truncate_from,
        .first = u->entry_count > 0 ? u->entry[0].index : 0,
        .entry_count = u->entry_count,
    };
    w->entry = u->entry_count > 0 ? mem_alloc_array(u->entry_count, sizeof(*w->entry)) : NULL;
    for (uint32_t i = 0; i < u->entry_count; i++) {
        w->entry[i].size = u->entry[i].bytes.n;
        w->entry[i].bytes = mem_alloc(u->entry[i].bytes.n);
        memcpy(w->entry[i].bytes, u->entry[i].bytes.p, u->entry[i].bytes.n);
    }
}

static void
cluster_take_messages(struct cluster *c, struct cluster_node *n, const struct raft_update *u)
{
    for (uint32_t i = 0; i < u->outgoing_count; i++) {
        struct wire w = wire_copy(&u->outgoing[i].message);
        w.after_token = u->outgoing[i].after_token;
        if (w.after_token == 0) {
            ghost_on_send(c, &w.message);
            cluster_enqueue(c, w);
        } else {
            n->held = mem_realloc_array(n->held, n->held_count + 1, sizeof(*n->held));
            n->held[n->held_count++] = w;
        }
    }
}

static void cluster_serve_fetches(struct cluster *c,
                                  struct cluster_node *n,
                                  const struct raft_fetch *fetch,
                                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry[64];
        struct raft_event event = {.type = RAFT_EVENT_FETCHED};
        size_t bytes = 0;
        uint32_t n_entries = 0;
        for (raft_index k = fetch[i].first; k <= n->disk_count && n_entries < 64; k++) {
            struct slice s = {n->disk[k].bytes, n->disk[k].size};
            if (n_entries > 0 && bytes + s.n > fetch[i].max_bytes) {
                break;
            }
            enum err e = entry_decode(s, &entry[n_entries]);
            ASSERT(e == ERR_OK);
            bytes += s.n;
            n_entries++;
        }
        event.u.fetched.peer = fetch[i].peer;
        event.u.fetched.prev_index = fetch[i].first - 1;
        event.u.fetched.entry = entry;
        event.u.fetched.entry_count = n_entries;
        if (fetch[i].first > 1) {
            struct raft_entry prev;
            struct slice s = {n->disk[fetch[i].first - 1].bytes, n->disk[fetch[i].first - 1].size};
            enum err e = entry_decode(s, &prev);
            ASSERT(e == ERR_OK);
            event.u.fetched.prev_term = prev.term;
        }
        enum err e = cluster_step(c, n->id, &event);
        ASSERT(e == ERR_OK);
    }
}

void cluster_apply(struct cluster *c, raft_id id)
{
    struct cluster_node *n = &c->node[id];
    struct raft_status s = cluster_status(c, id);
    if (n->raft == NULL || n->applied == s.commit) {
        return;
    }
    while (n->applied < s.commit) {
        struct raft_entry entry;
        uint32_t crc = 0;
        n->applied++;
        if (raft_get_entry(n->raft, n->applied, &entry)) {
            memcpy(&crc, entry.bytes.p + 4, 4);
        } else if (n->applied <= n->disk_count) {
            memcpy(&crc, n->disk[n->applied].bytes + 4, 4);
        }
        if (n->applied > c->ghost.committed_count || crc != c->ghost.committed[n->applied].crc) {
            cluster_fail(c, "node %d applies something else at %d", (int)id, (int)n->applied);
            return;
        }
    }
    struct raft_event event = {.type = RAFT_EVENT_APPLIED, .u.applied = n->applied};
    enum err e = cluster_step(c, id, &event);
    ASSERT(e == ERR_OK);
}

static void cluster_trace_role(struct cluster *c, struct cluster_node *n)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    struct raft_status s = cluster_status(c, n->id);
    buf_printf(&c->trace, "%d is %s in term %d", (int)n->id, role[s.role], (int)s.term);
    if (s.leader != 0 && s.leader != n->id) {
        buf_printf(&c->trace, ", leader %d", (int)s.leader);
    }
    buf_printf(&c->trace, "\n");
}

static void cluster_trace_conf(struct cluster *c, struct cluster_node *n)
{
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    buf_printf(&c->trace, "%d has configuration %d:", (int)n->id, (int)index);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        uint32_t f = conf->member[i].flags;
        buf_printf(&c->trace, " %d", (int)conf->member[i].id);
        if (conf->is_joint) {
            buf_printf(&c->trace, "(%s%s%s)", (f & RAFT_VOTER_OLD) != 0 ? "o" : "",
                       (f & RAFT_VOTER_NEW) != 0 ? "n" : "", (f & RAFT_LEARNER) != 0 ? "l" : "");
        } else if ((f & RAFT_LEARNER) != 0) {
            buf_printf(&c->trace, "(l)");
        }
    }
    buf_printf(&c->trace, "\n");
}

static void cluster_trace_update(struct cluster *c,
                                 struct cluster_node *n,
                                 const struct raft_update *u,
                                 raft_index commit_before)
{
    if (u->role_changed) {
        cluster_trace_role(c, n);
    }
    if (u->conf_changed) {
        cluster_trace_conf(c, n);
    }
    if (u->truncate_from != 0) {
        buf_printf(&c->trace, "%d truncates from %d\n", (int)n->id, (int)u->truncate_from);
    }
    if (u->commit > commit_before) {
        buf_printf(&c->trace, "%d commits %d\n", (int)n->id, (int)u->commit);
    }
    for (uint32_t i = 0; i < u->read_count; i++) {
        if (u->read[i].status == RAFT_READ_READY) {
            buf_printf(&c->trace, "%d read %d ready at %d\n", (int)n->id, (int)u->read[i].context,
                       (int)u->read[i].index);
        } else {
            buf_printf(&c->trace, "%d read %d failed\n", (int)n->id, (int)u->read[i].context);
        }
    }
    for (uint32_t i = 0; i < u->fetch_count; i++) {
        buf_printf(&c->trace, "%d fetches from %d for %d\n", (int)n->id, (int)u->fetch[i].first,
                   (int)u->fetch[i].peer);
    }
    if (u->change_result != RAFT_CHANGE_NONE) {
        buf_printf(&c->trace, "%d change %s\n", (int)n->id,
                   u->change_result == RAFT_CHANGE_DONE ? "done" : "failed");
    }
    if (u->is_removed) {
        buf_printf(&c->trace, "%d knows that it is removed\n", (int)n->id);
    }
}

enum err cluster_step(struct cluster *c, raft_id id, struct raft_event *event)
{
    struct cluster_node *n = cluster_node(c, id);
    struct raft_update u;
    struct raft_status before = cluster_status(c, id);
    raft_index conf_index;
    struct raft_conf conf = *raft_get_conf(n->raft, &conf_index);
    event->now_us = cluster_clock(c, n);
    enum err e = raft_step(n->raft, event, &u);
    raft_check(n->raft);
    n->wake_us = u.wake_at_us;
    if (e != ERR_OK) {
        return e;
    }
    struct raft_status after = cluster_status(c, id);
    cluster_trace_update(c, n, &u, before.commit);
    if (u.has_persist) {
        cluster_take_persist(n, &u);
    }
    cluster_take_messages(c, n, &u);
    if (after.role == RAFT_LEADER && (before.role != RAFT_LEADER || before.term != after.term)) {
        ghost_on_leader(c, n, after.term);
    }
    if (u.commit > before.commit) {
        ghost_on_commit(c, n, &conf, before.commit, u.commit);
    }
    if (u.entry_count > 0) {
        ghost_log_matching(c, n);
    }
    ghost_uncommitted(c, n);
    for (uint32_t i = 0; i < u.read_count; i++) {
        ghost_on_read(c, n, &u.read[i]);
    }
    n->was_removed = n->was_removed || u.is_removed;
    n->change_result = u.change_result != RAFT_CHANGE_NONE ? u.change_result : n->change_result;
    struct raft_fetch fetch[CLUSTER_NODES];
    uint32_t fetch_count = u.fetch_count;
    ASSERT(fetch_count <= CLUSTER_NODES);
    if (fetch_count > 0) {
        memcpy(fetch, u.fetch, fetch_count * sizeof(*fetch));
    }
    cluster_serve_fetches(c, n, fetch, fetch_count);
    if (!n->is_manual_disk) {
        cluster_persist(c, id, n->write_count);
    }
    cluster_apply(c, id);
    return ERR_OK;
}

void cluster_tick(struct cluster *c, raft_id id)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    enum err e = cluster_step(c, id, &event);
    ASSERT(e == ERR_OK);
}

void cluster_advance(struct cluster *c, uint64_t us)
{
    c->now_us += us;
    for (raft_id id = 1; id <= c->node_count; id++) {
        struct cluster_node *n = &c->node[id];
        if (n->raft != NULL && cluster_clock(c, n) >= n->wake_us) {
            cluster_tick(c, id);
        }
    }
}

void cluster_persist(struct cluster *c, raft_id id, uint32_t count)
{
    struct cluster_node *n = cluster_node(c, id);
    for (; count > 0 && n->write_count > 0 && n->raft != NULL; count--) {
        struct disk_write w = n->write[0];
        uint64_t token = w.token;
        memmove(&n->write[0], &n->write[1], --n->write_count * sizeof(*n->write));
        disk_apply(n, &w);
        struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .u.persisted_token = token};
        enum err e = cluster_step(c, id, &event);
        ASSERT(e == ERR_OK);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < n->held_count; i++) {
            struct wire held = n->held[i];
            if (held.after_token > token) {
                n->held[kept++] = held;
            } else if (raft_message_is_stale(n->raft, &held.message)) {
                wire_free(&held);
            } else {
                ghost_on_send(c, &held.message);
                cluster_enqueue(c, held);
            }
        }
        n->held_count = kept;
    }
}

void cluster_persist_all(struct cluster *c)
{
    for (raft_id id = 1; id <= c->node_count; id++) {
        cluster_persist(c, id, UINT32_MAX);
    }
}

enum err cluster_propose(struct cluster *c, raft_id id, const char *const *payload, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += ENTRY_HEADER_BYTES + strlen(payload[i]);
    }
    struct chunk *chunk = chunk_new(size);
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strlen(payload[i]);
        entry_begin(chunk->data + chunk->used, RAFT_ENTRY_COMMAND, 1, n);
        memcpy(chunk->data + chunk->used + ENTRY_HEADER_BYTES, payload[i], n);
        chunk->used += ENTRY_HEADER_BYTES + n;
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.u.propose.chunk = chunk;
    event.u.propose.count = count;
    enum err e = cluster_step(c, id, &event);
    chunk_unref(chunk);
    return e;
}

enum err cluster_read(struct cluster *c, raft_id id, uint64_t context, enum raft_read_level level)
{
    struct ghost *g = &c->ghost;
    struct raft_event event = {.type = RAFT_EVENT_READ};
    event.u.read.context = context;
    event.u.read.level = level;
    g->read = mem_realloc_array(g->read, g->read_count + 1, sizeof(*g->read));
    g->read[g->read_count++] = (struct ghost_read){context, g->committed_count, id};
    enum err e = cluster_step(c, id, &event);
    if (e != ERR_OK) {
        g->read_count--;
    }
    return e;
}

void cluster_settle(struct cluster *c, bool and_persist)
{
    for (uint32_t rounds = 0; c->failure[0] == 0 && rounds < 100000; rounds++) {
        if (c->wire_count > 0) {
            cluster_deliver(c, 0);
            continue;
        }
        uint32_t writes = 0;
        for (raft_id id = 1; id <= c->node_count; id++) {
            writes += c->node[id].write_count;
        }
        if (!and_persist || writes == 0) {
            return;
        }
        cluster_persist_all(c);
    }
}

void cluster_run(struct cluster *c, uint64_t us, bool and_persist)
{
    for (uint64_t passed = 0; passed < us && c->failure[0] == 0; passed += 5000) {
        cluster_advance(c, 5000);
        cluster_settle(c, and_persist);
    }
}

/* Campaigning without waiting: the node's world jumps to its own deadline, the others' clocks with
 * it but they are not ticked. */
void cluster_campaign(struct cluster *c, raft_id id)
{
    struct cluster_node *n = cluster_node(c, id);
    uint64_t clock = cluster_clock(c, n);
    if (n->wake_us > clock && n->wake_us != UINT64_MAX) {
        c->now_us += n->wake_us - clock + (n->wake_us - clock) / 1000 + 1;
    }
    cluster_tick(c, id);
}

/* Life. */

static void cluster_write_first(struct cluster_node *n, const struct raft_conf *conf)
{
    struct buf payload = {0};
    raft_conf_encode(conf, &payload);
    size_t size = ENTRY_HEADER_BYTES + buf_size(&payload);
    n->disk_capacity = 64;
    n->disk = mem_alloc_array(n->disk_capacity, sizeof(*n->disk));
    n->disk[1].bytes = mem_alloc(size);
    n->disk[1].size = size;
    n->disk_count = 1;
    entry_begin(n->disk[1].bytes, RAFT_ENTRY_CONF, 0, buf_size(&payload));
    memcpy(n->disk[1].bytes + ENTRY_HEADER_BYTES, payload.data, buf_size(&payload));
    entry_seal(n->disk[1].bytes, 1, 1);
    n->hard_state.term = 1;
    buf_deinit(&payload);
}

void cluster_init(struct cluster *c,
                  uint32_t node_count,
                  uint32_t voter_count,
                  const struct raft_options *options,
                  uint64_t seed)
{
    struct raft_conf conf;
    memset(c, 0, sizeof(*c));
    ASSERT(node_count <= CLUSTER_NODES);
    c->node_count = node_count;
    c->now_us = CLUSTER_BEGIN_US;
    cluster_conf(&conf, (2u << voter_count) - 2u, 0);
    /* The first entry was made durable by the formation. */
    cluster_write_first(&c->node[1], &conf);
    c->ghost.committed_capacity = 64;
    c->ghost.committed = mem_alloc_array(64, sizeof(*c->ghost.committed));
    memcpy(&c->ghost.committed[1].crc, c->node[1].disk[1].bytes + 4, 4);
    c->ghost.committed[1].term = 1;
    c->ghost.committed_count = 1;
    for (raft_id id = 1; id <= node_count; id++) {
        struct cluster_node *n = &c->node[id];
        n->id = id;
        n->options = *options;
        n->options.id = id;
        n->boot_seed = seed * 100 + id;
        if (id <= voter_count) {
            if (id > 1) {
                cluster_write_first(n, &conf);
            }
            cluster_start(c, id);
        }
    }
}

void cluster_start(struct cluster *c, raft_id id)
{
    struct cluster_node *n = cluster_node(c, id);
    struct raft_start start = {.hard_state = n->hard_state, .first_index = 1};
    uint32_t count = n->disk_count;
    struct raft_entry *entry = mem_alloc_array(count + 1, sizeof(*entry));
    struct raft_conf *conf = mem_alloc_array(count + 1, sizeof(*conf));
    raft_index *conf_index = mem_alloc_array(count + 1, sizeof(*conf_index));
    struct raft_term_run *run = mem_alloc_array(count + 1, sizeof(*run));
    ASSERT(n->raft == NULL);
    for (uint32_t i = 0; i < count; i++) {
        enum err e =
            entry_decode((struct slice){n->disk[i + 1].bytes, n->disk[i + 1].size}, &entry[i]);
        ASSERT(e == ERR_OK);
        if (entry[i].type == RAFT_ENTRY_CONF) {
            e = raft_conf_decode(entry[i].payload, &conf[start.conf_count]);
            ASSERT(e == ERR_OK);
            conf_index[start.conf_count++] = i + 1;
        }
        if (i == 0 || entry[i].term != entry[i - 1].term) {
            run[start.term_run_count++] = (struct raft_term_run){i + 1, entry[i].term};
        }
        start.last_term = entry[i].term;
    }
    uint32_t skip = c->has_tail_only && count > 4 ? count - 4 : 0;
    start.last_index = count;
    start.entry = entry + skip;
    start.entry_count = count - skip;
    start.conf = conf;
    start.conf_index = conf_index;
    start.term_run = run;
    start.may_not_vote = n->is_tainted;
    n->is_tainted = false;
    n->options.seed = n->boot_seed;
    n->boot_seed += 1000003; /* no two lives of any nodes draw the same timeouts */
    n->raft = raft_new(&n->options, &start, cluster_clock(c, n));
    n->applied = 0;
    n->was_removed = false;
    mem_free(entry);
    mem_free(conf);
    mem_free(conf_index);
    mem_free(run);
    cluster_tick(c, id);
}

void cluster_crash(struct cluster *c, raft_id id, uint32_t surviving)
{
    struct cluster_node *n = cluster_node(c, id);
    ASSERT(n->raft != NULL);
    raft_free(n->raft);
    n->raft = NULL;
    for (uint32_t i = 0; i < n->write_count; i++) {
        if (i < surviving) {
            disk_apply(n, &n->write[i]);
        } else {
            write_free(&n->write[i]);
        }
    }
    n->write_count = 0;
    for (uint32_t i = 0; i < n->held_count; i++) {
        wire_free(&n->held[i]);
    }
    n->held_count = 0;
    for (uint32_t i = 0; i < c->ghost.read_count; i++) {
        if (c->ghost.read[i].node == id) {
            c->ghost.read[i--] = c->ghost.read[--c->ghost.read_count];
        }
    }
}

void cluster_damage(struct cluster *c, raft_id id, raft_index keep)
{
    struct cluster_node *n = cluster_node(c, id);
    ASSERT(n->raft == NULL);
    while (n->disk_count > keep) {
        mem_free(n->disk[n->disk_count--].bytes);
    }
    n->is_tainted = true;
}

void cluster_deinit(struct cluster *c)
{
    for (raft_id id = 1; id <= c->node_count; id++) {
        struct cluster_node *n = &c->node[id];
        if (n->raft != NULL) {
            cluster_crash(c, id, 0);
        }
        for (uint32_t i = 1; i <= n->disk_count; i++) {
            mem_free(n->disk[i].bytes);
        }
        mem_free(n->disk);
        mem_free(n->write);
        mem_free(n->held);
    }
    while (c->wire_count > 0) {
        cluster_drop(c, 0);
    }
    mem_free(c->wire);
    mem_free(c->result);
    mem_free(c->ghost.committed);
    mem_free(c->ghost.read);
    buf_deinit(&c->trace);
}
