#include "node/formation.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"
#include "node/settings.h"

/* A data directory is BLANK or belongs to one cluster for ever; leaving BLANK is one durable record: cluster id, hard state, entry
 * 1 (the configuration) and entry 2 (GENESIS: the hash seed).
 *
 *   BLANK, --cluster list --probes every listed address; finds itself (its own id answers)--+
 *     | smallest address, and EVERY other answers "BLANK, my id is X, same list" lately     |
 *     |    -> draws the cluster, makes it durable, starts Raft, hands it to the others      |
 *     | gets ADOPT from a member whose entry 1 names its id -> durable, starts Raft         |
 *     | some listed node is in a cluster already -> never forms one: its disk is new        |
 *   BLANK, no list --first write--> forms a cluster of one
 *     | a cluster's node looks here for another one -> never while it does: the disk is new
 *
 * N1  Nothing about the cluster is sent before it is durable here.
 * N2  All ids in entry 1 are different and were answered within PROBE_FRESH_US of each other, each by the node at its own address.
 * N3  A node adopts only an entry 1 that names its own id, and only while nothing of its own is on the way to the disk.
 * N4  A BLANK node that ever saw a listed node in a cluster does not form one while that answer is fresh.
 * N5  A lone BLANK node that a cluster takes for the one that was here before takes no write and answers no read: its clients would
 *     take it for the cluster. It learns of it when a member dials, DIAL_ANYWAY_US after it is gone at the latest. */

#define LOG_EVERY_US 10000000
#define MISSED_FRESH_US 10000000 /* they call again every half second while it runs, at most */

bool formation_is_lone(const struct node *n)
{
    return n->raft == NULL && n->formation.probe_count == 0 && !join_is_wanted(&n->join) && !formation_is_missed(n);
}

void formation_missed(struct node *n, const char *address)
{
    struct formation *f = &n->formation;
    if (!node_is_blank(n) || f->is_forming)
        return;
    f->missed_us = n->now_us;
    snprintf(f->missed_by, sizeof f->missed_by, "%s", address);
}

bool formation_is_missed(const struct node *n)
{
    const struct formation *f = &n->formation;
    return node_is_blank(n) && f->missed_us != 0 && n->now_us - f->missed_us <= MISSED_FRESH_US;
}

/* --- forming --- */

/* Entries 1 and 2 into one chunk. */
static void formation_encode(struct node *n, const struct raft_conf *conf, const uint64_t seed[2])
{
    struct formation *f = &n->formation;
    struct buf text = {0};
    raft_conf_encode(conf, &text);
    uint8_t seed_bytes[16];
    put_u64(seed_bytes, seed[0]);
    put_u64(seed_bytes + 8, seed[1]);
    struct slice arg[1 + 2 * SETTING_COUNT] = {{seed_bytes, 16}};
    struct buf values = {0};
    size_t settings = settings_to_genesis(n->options, &values, arg + 1);
    size_t arg_count = 1 + 2 * settings;
    size_t first = ENTRY_HEADER_BYTES + buf_size(&text);
    size_t second = ENTRY_HEADER_BYTES + proposal_size(arg, arg_count);
    chunk_unref(f->chunk);
    f->chunk = chunk_new(first + second);
    uint8_t *at = f->chunk->data;
    entry_begin(at, RAFT_ENTRY_CONF, 0, buf_size(&text));
    memcpy(at + ENTRY_HEADER_BYTES, buf_slice(&text).p, buf_size(&text));
    entry_seal(at, 1, 1);
    entry_begin(at + first, RAFT_ENTRY_COMMAND, 0, second - ENTRY_HEADER_BYTES);
    struct proposal genesis = {.number = PROPOSAL_GENESIS, .version = settings > 0 ? GENESIS_VERSION : 1};
    proposal_encode(at + first + ENTRY_HEADER_BYTES, &genesis, arg, arg_count);
    entry_seal(at + first, 2, 1);
    f->chunk->used = first + second;
    f->entry[0] = (struct slice){at, first};
    f->entry[1] = (struct slice){at + first, second};
    buf_deinit(&values);
    buf_deinit(&text);
}

static void formation_make_durable(struct node *n, uint64_t cluster_id, const struct raft_conf *conf, const uint64_t seed[2])
{
    struct formation *f = &n->formation;
    struct wal_identity identity = n->identity;
    identity.cluster_id = cluster_id;
    identity.hash_seed[0] = seed[0];
    identity.hash_seed[1] = seed[1];
    struct raft_hard_state hard = {.term = 1};
    f->is_forming = true;
    f->conf = *conf;
    disk_add_formation(n, &identity, &hard, f->chunk, f->entry, 2);
}

void formation_taken_in(struct node *n, uint64_t cluster_id, const uint64_t seed[2], const char *own_address)
{
    struct formation *f = &n->formation;
    struct wal_identity identity = n->identity;
    struct raft_hard_state hard = {0};
    identity.cluster_id = cluster_id;
    identity.hash_seed[0] = seed[0];
    identity.hash_seed[1] = seed[1];
    f->is_forming = true;
    f->is_taken_in = true;
    f->was_adopted = true;
    snprintf(f->own_address, sizeof f->own_address, "%s", own_address);
    disk_add_formation(n, &identity, &hard, NULL, NULL, 0);
}

static void conf_insert(struct raft_conf *conf, raft_id id, const char *address)
{
    uint32_t at = conf->member_count++;
    while (at > 0 && conf->member[at - 1].id > id) {
        conf->member[at] = conf->member[at - 1];
        at--;
    }
    conf->member[at] = (struct raft_member){.id = id, .flags = RAFT_VOTER_NEW};
    snprintf(conf->member[at].address, sizeof conf->member[at].address, "%s", address);
}

static void formation_form(struct node *n, const struct raft_conf *conf)
{
    uint64_t drawn[3];
    do
        n->env.random(n->env.ctx, drawn, sizeof drawn);
    while (drawn[0] == 0);
    enum err e = raft_conf_check(conf);
    ASSERT(e == ERR_OK); /* N2 was checked. */
    log_line(&n->env.log,
             LOG_NOTICE,
             "Forming cluster %016llx of %u node%s.",
             (unsigned long long)drawn[0],
             conf->member_count,
             conf->member_count == 1 ? "" : "s");
    formation_encode(n, conf, drawn + 1);
    formation_make_durable(n, drawn[0], conf, drawn + 1);
}

/* N2. False: an error that a human has to solve was reported, or an answer is missing. */
static bool formation_gather(struct node *n, struct raft_conf *conf)
{
    struct formation *f = &n->formation;
    for (uint32_t i = 0; i < f->probe_count; i++) {
        const struct probe *p = &f->probe[i];
        if (!p->is_self && (!formation_probe_is_fresh(n, p) || p->hello.cluster_id != 0 || p->hello.list_hash != f->list_hash))
            return false;
        raft_id id = p->is_self ? n->identity.node_id : p->hello.id;
        if (raft_conf_find(conf, id)) {
            if (MUT(38))
                continue;
            COVER("formation: two addresses, one id");
            node_fatal(n,
                       "Two addresses of --cluster, %s and %s, lead to the same node %016llx.",
                       raft_conf_find(conf, id)->address,
                       p->address,
                       (unsigned long long)id);
            return false;
        }
        conf_insert(conf, id, p->address);
    }
    return true;
}

void formation_want(struct node *n)
{
    if (formation_is_lone(n))
        n->formation.is_wanted = true;
}

/* What is missing: when it changes, and every ten seconds. */
static void formation_log_trouble(struct node *n)
{
    struct formation *f = &n->formation;
    const char *trouble = formation_trouble(n);
    if (!trouble || (n->now_us < f->log_us && strcmp(trouble, f->logged) == 0))
        return;
    bool is_new = strcmp(trouble, f->logged) != 0;
    f->log_us = n->now_us + LOG_EVERY_US;
    snprintf(f->logged, sizeof f->logged, "%s", trouble);
    log_line(&n->env.log,
             is_new && formation_looks_wiped(n) ? LOG_WARNING : LOG_NOTICE,
             "No cluster yet: %s.",
             trouble);
}

/* Everything this node knew about its cluster was damaged, the configuration too: it looks for the others in the list. */
static uint64_t formation_find_members(struct node *n)
{
    struct formation *f = &n->formation;
    uint64_t next = NODE_NEVER;
    for (uint32_t i = 0; i < f->probe_count; i++) {
        struct probe *p = &f->probe[i];
        if (p->answered_us != 0 && !p->is_self && p->hello.cluster_id == n->identity.cluster_id &&
            !peers_find(n, p->hello.id)) {
            COVER("formation: a node without a configuration finds a member");
            peers_add_unconfirmed(n, p->hello.id, p->address);
        }
        next = earlier_us(next, formation_probe_tick(n, p));
    }
    return next;
}

static void formation_end_probes(struct node *n)
{
    struct formation *f = &n->formation;
    for (uint32_t i = 0; f->is_probing && i < f->probe_count; i++) {
        if (f->probe[i].id != 0)
            n->env.hang_up(n->env.ctx, f->probe[i].id, NULL);
        f->probe[i].id = 0;
    }
    f->is_probing = false;
}

uint64_t formation_tick(struct node *n)
{
    struct formation *f = &n->formation;
    uint64_t next = NODE_NEVER;
    if (node_lacks_configuration(n))
        return formation_find_members(n);
    if (!node_is_blank(n) || f->is_forming || n->is_dead) {
        formation_end_probes(n);
        return next;
    }
    struct raft_conf conf = {0};
    if (f->probe_count == 0) {
        if (!f->is_wanted || join_is_wanted(&n->join) || formation_is_missed(n))
            return next;
        conf_insert(&conf, n->identity.node_id, f->own_address);
        formation_form(n, &conf);
        return next;
    }
    for (uint32_t i = 0; i < f->probe_count; i++)
        next = earlier_us(next, formation_probe_tick(n, &f->probe[i]));
    if (!formation_probe_in_cluster(n))
        f->formed_us = 0;
    else if (f->formed_us == 0)
        f->formed_us = n->now_us;
    formation_log_trouble(n);
    next = earlier_us(next, f->log_us);
    /* The smallest address forms; N4. */
    if (f->probe[0].is_self && !formation_probe_in_cluster(n) && formation_gather(n, &conf))
        formation_form(n, &conf);
    return next;
}

/* Entries 1 and 2, as they are in memory. */
static void formation_start_raft(struct node *n)
{
    struct formation *f = &n->formation;
    struct raft_entry entry[2];
    raft_index conf_index = 1;
    if (f->is_taken_in) {
        struct raft_start empty = {.hard_state = n->disk.state.hard, .first_index = 1};
        node_start_raft(n, &empty);
        return;
    }
    for (int i = 0; i < 2; i++) {
        enum err e = entry_decode(f->entry[i], &entry[i]);
        ASSERT(e == ERR_OK);
        entry[i].chunk = f->chunk;
    }
    struct raft_start start = {
        .hard_state = n->disk.state.hard,
        .first_index = 1,
        .last_index = 2,
        .last_term = 1,
        .entry = entry,
        .entry_count = 2,
        .conf_count = 1,
        .conf = &f->conf,
        .conf_index = &conf_index,
    };
    node_start_raft(n, &start);
}

void formation_done(struct node *n)
{
    struct formation *f = &n->formation;
    f->is_forming = false;
    formation_start_raft(n);
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        if (!f->was_adopted)
            peers_mark_blank(n, p);
        if (f->is_taken_in && peer_is_up(p, PEER_CONTROL))
            p->is_member = true; /* Whoever took it in: the one it can talk to until it has the configuration. */
        write_u64(peers_begin(n), n->identity.cluster_id);
        peers_send(n, p, PEER_CONTROL, PEER_ADOPTED);
    }
}

/* --- handing it over --- */

/* Was that node in the cluster from its first entry on? */
static bool formation_names(const struct formation *f, raft_id id)
{
    struct raft_entry entry;
    struct raft_conf conf;
    return f->chunk && entry_decode(f->entry[0], &entry) == ERR_OK && raft_conf_decode(entry.payload, &conf) == ERR_OK &&
           raft_conf_find(&conf, id);
}

void formation_send_adopt(struct node *n, struct peer *p)
{
    struct formation *f = &n->formation;
    if (!formation_names(f, p->id)) {
        join_send_take_in(n, p);
        return;
    }
    struct buf *head = peers_begin(n);
    write_u64(head, n->identity.cluster_id);
    write_u64(head, f->list_hash);
    write_u32(head, 2);
    peers_add_part(n, f->entry[0]);
    peers_add_part(n, f->entry[1]);
    peers_send(n, p, PEER_CONTROL, PEER_ADOPT);
}

bool genesis_read(const struct proposal *p, uint64_t seed[2], struct keyspace *k)
{
    struct slice arg[1 + 2 * SETTING_COUNT];
    bool has_settings = p->arg_count > 1;
    if (p->version != (has_settings ? GENESIS_VERSION : 1) || p->arg_count < 1 || p->arg_count > sizeof arg / sizeof arg[0] ||
        proposal_args(p, arg) != ERR_OK || arg[0].n != 16 || !settings_from_genesis(arg + 1, p->arg_count - 1, k))
        return false;
    seed[0] = get_u64(arg[0].p);
    seed[1] = get_u64(arg[0].p + 8);
    return true;
}

/* Entries 1 and 2 as they came; false: not what ADOPT should hold. */
static bool adopt_decode(struct slice bytes, struct raft_conf *conf, uint64_t seed[2], struct raft_entry entry[2])
{
    struct proposal genesis;
    if (entry_decode(bytes, &entry[0]) != ERR_OK || entry[0].index != 1 || entry[0].type != RAFT_ENTRY_CONF ||
        raft_conf_decode(entry[0].payload, conf) != ERR_OK)
        return false;
    if (entry_decode(slice_skip(bytes, entry[0].bytes.n), &entry[1]) != ERR_OK || entry[1].index != 2 ||
        entry[1].type != RAFT_ENTRY_COMMAND || proposal_decode(entry[1].payload, &genesis) != ERR_OK ||
        genesis.number != PROPOSAL_GENESIS)
        return false;
    return genesis_read(&genesis, seed, NULL);
}

void formation_receive_adopt(struct node *n, struct peer *p, struct slice body)
{
    struct formation *f = &n->formation;
    struct reader r = reader_of(body);
    uint64_t cluster_id = read_u64(&r);
    uint64_t list_hash = read_u64(&r);
    uint32_t count = read_u32(&r);
    if (r.failed || count != 2 || cluster_id == 0)
        return;
    if (!node_is_blank(n)) {
        if (cluster_id == n->identity.cluster_id) {
            write_u64(peers_begin(n), cluster_id);
            peers_send(n, p, PEER_CONTROL, PEER_ADOPTED);
        }
        return;
    }
    struct raft_conf conf;
    struct raft_entry entry[2];
    uint64_t seed[2];
    struct slice bytes = {r.p, r.n};
    if (f->is_forming || !adopt_decode(bytes, &conf, seed, entry))
        return;
    /* N3. */
    if (!raft_conf_find(&conf, n->identity.node_id) || (f->probe_count > 0 && list_hash != f->list_hash)) {
        log_line(&n->env.log, LOG_WARNING, "%s offered a cluster that this node is not named in.", p->address);
        return;
    }
    snprintf(f->own_address, sizeof f->own_address, "%s", raft_conf_find(&conf, n->identity.node_id)->address);
    chunk_unref(f->chunk);
    f->chunk = chunk_new(bytes.n);
    memcpy(f->chunk->data, bytes.p, bytes.n);
    f->chunk->used = bytes.n;
    f->entry[0] = (struct slice){f->chunk->data, entry[0].bytes.n};
    f->entry[1] = (struct slice){f->chunk->data + entry[0].bytes.n, entry[1].bytes.n};
    f->was_adopted = true;
    log_line(&n->env.log, LOG_NOTICE, "Adopted into cluster %016llx by %s.", (unsigned long long)cluster_id, p->address);
    formation_make_durable(n, cluster_id, &conf, seed);
}
