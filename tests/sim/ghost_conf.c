#include "sim.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* I8: each node's configuration is the newest in its own log; committed ones follow from each other by joint consensus, whatever
 * anybody calls them: their voter sets are compared here, not by the code under test. */

#define CONFS 4096 /* distinct configuration entries of one run */
#define HOST_CONFS 64

struct seen_conf {
    uint32_t crc;
    struct raft_conf conf;
};

struct ghost_conf {
    struct sim *sim;
    struct seen_conf *seen; /* by crc */
    size_t seen_count;
    size_t seen_capacity;
    struct {
        raft_index index[HOST_CONFS]; /* rising; may name what was truncated since: the crc tells */
        uint32_t crc[HOST_CONFS];
        uint32_t count;
    } host[SIM_HOSTS];
    bool has_committed;
    struct raft_conf committed;
    uint64_t voter_until_us[SIM_HOSTS]; /* the host with that address was a voter up to then; UINT64_MAX: is */
    struct {
        raft_id id;
        uint64_t left_us; /* UINT64_MAX: is a member */
    } member[1024];
    size_t member_count;
};

struct ghost_conf *ghost_conf_new(struct sim *s)
{
    struct ghost_conf *c = mem_alloc_zero(sizeof *c);
    c->sim = s;
    return c;
}

void ghost_conf_free(struct ghost_conf *c)
{
    mem_free(c->seen);
    mem_free(c);
}

void ghost_conf_forget(struct ghost_conf *c)
{
    c->has_committed = false;
    c->member_count = 0;
    memset(c->voter_until_us, 0, sizeof c->voter_until_us);
}

static const struct raft_conf *seen_find(const struct ghost_conf *c, uint32_t crc)
{
    for (size_t i = 0; i < c->seen_count; i++)
        if (c->seen[i].crc == crc)
            return &c->seen[i].conf;
    return NULL;
}

static void note_conf(struct ghost_conf *c, uint32_t slot, raft_index index, uint32_t crc)
{
    while (c->host[slot].count > 0 && c->host[slot].index[c->host[slot].count - 1] >= index)
        c->host[slot].count--;
    if (c->host[slot].count == HOST_CONFS) {
        memmove(c->host[slot].index, c->host[slot].index + 1, (HOST_CONFS - 1) * sizeof c->host[slot].index[0]);
        memmove(c->host[slot].crc, c->host[slot].crc + 1, (HOST_CONFS - 1) * sizeof c->host[slot].crc[0]);
        c->host[slot].count--;
    }
    c->host[slot].index[c->host[slot].count] = index;
    c->host[slot].crc[c->host[slot].count++] = crc;
}

void ghost_conf_saw(struct ghost_conf *c, uint32_t slot, const struct raft_entry *e)
{
    struct raft_conf conf;
    if (e->type != RAFT_ENTRY_CONF || raft_conf_decode(e->payload, &conf) != ERR_OK)
        return;
    uint32_t crc;
    memcpy(&crc, e->bytes.p + 4, 4);
    if (!seen_find(c, crc) && c->seen_count < CONFS) {
        if (c->seen_count == c->seen_capacity) {
            c->seen_capacity = c->seen_capacity ? 2 * c->seen_capacity : 16;
            c->seen = mem_realloc_array(c->seen, c->seen_capacity, sizeof *c->seen);
        }
        c->seen[c->seen_count++] = (struct seen_conf){crc, conf};
    }
    note_conf(c, slot, e->index, crc);
}

void ghost_conf_skipped(struct ghost_conf *c, uint32_t slot, raft_index index, uint32_t crc)
{
    if (seen_find(c, crc))
        note_conf(c, slot, index, crc);
}

void ghost_conf_wiped(struct ghost_conf *c, uint32_t slot)
{
    c->host[slot].count = 0;
}

void ghost_conf_check(struct ghost_conf *c, uint32_t slot, const struct raft *r, raft_index last, uint32_t (*crc)(void *ctx, raft_index i),
                      void *ctx)
{
    raft_index index = 0;
    const struct raft_conf *conf = raft_get_conf(r, &index);
    for (uint32_t i = c->host[slot].count; i > 0; i--) {
        raft_index at = c->host[slot].index[i - 1];
        if (at > last || crc(ctx, at) != c->host[slot].crc[i - 1])
            continue;
        const struct raft_conf *seen = seen_find(c, c->host[slot].crc[i - 1]);
        if (index != at || (seen && !raft_conf_equal(seen, conf)))
            world_fail(&c->sim->world, "I8 node %u goes by configuration %llu, the newest in its log is %llu", slot,
                       (unsigned long long)index, (unsigned long long)at);
        return;
    }
}

/* --- committed ones ------------------------------------------------------------------------------ */

static bool in_set(const struct raft_conf *conf, raft_id id, uint32_t set)
{
    const struct raft_member *m = raft_conf_find(conf, id);
    return m && (m->flags & set) != 0;
}

/* The `x` set of a is the `y` set of b. */
static bool sets_equal(const struct raft_conf *a, uint32_t x, const struct raft_conf *b, uint32_t y)
{
    for (uint32_t i = 0; i < a->member_count; i++)
        if ((a->member[i].flags & x) != 0 && !in_set(b, a->member[i].id, y))
            return false;
    for (uint32_t i = 0; i < b->member_count; i++)
        if ((b->member[i].flags & y) != 0 && !in_set(a, b->member[i].id, x))
            return false;
    return true;
}

static bool is_connected(const struct raft_conf *from, const struct raft_conf *to)
{
    if (!from->is_joint && !to->is_joint)
        return sets_equal(from, RAFT_VOTER_NEW, to, RAFT_VOTER_NEW);
    if (!from->is_joint)
        return sets_equal(from, RAFT_VOTER_NEW, to, RAFT_VOTER_OLD);
    if (!to->is_joint)
        return sets_equal(from, RAFT_VOTER_NEW, to, RAFT_VOTER_NEW);
    /* Cancelled: back to the old set. */
    return sets_equal(from, RAFT_VOTER_OLD, to, RAFT_VOTER_OLD) && sets_equal(from, RAFT_VOTER_OLD, to, RAFT_VOTER_NEW);
}

static void note_members(struct ghost_conf *c, const struct raft_conf *conf)
{
    uint64_t now_us = c->sim->world.now_us;
    for (uint32_t slot = 0; slot < c->sim->plan.host_count; slot++) {
        bool is_voter = false;
        for (uint32_t i = 0; i < conf->member_count; i++)
            is_voter = is_voter || (strcmp(conf->member[i].address, c->sim->host[slot].address) == 0 && conf->member[i].flags == RAFT_VOTER_NEW);
        if (is_voter)
            c->voter_until_us[slot] = UINT64_MAX;
        else if (c->voter_until_us[slot] == UINT64_MAX)
            c->voter_until_us[slot] = now_us;
    }
    /* A learner that goes is in no joint configuration any more, and comes back if that one is cancelled. */
    for (size_t i = 0; i < c->member_count && !conf->is_joint; i++)
        if (c->member[i].left_us == UINT64_MAX && !raft_conf_find(conf, c->member[i].id))
            c->member[i].left_us = now_us;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        size_t at = 0;
        while (at < c->member_count && c->member[at].id != conf->member[i].id)
            at++;
        if (at < c->member_count && c->member[at].left_us != UINT64_MAX)
            world_fail(&c->sim->world, "I8 node id %016llx is used a second time", (unsigned long long)conf->member[i].id);
        if (at == c->member_count && at < sizeof c->member / sizeof c->member[0]) {
            c->member[c->member_count].id = conf->member[i].id;
            c->member[c->member_count++].left_us = UINT64_MAX;
        }
    }
}

void ghost_conf_committed(struct ghost_conf *c, raft_index index, uint32_t crc)
{
    const struct raft_conf *conf = seen_find(c, crc);
    if (!conf)
        return;
    char text[400] = "";
    for (uint32_t i = 0; i < conf->member_count && strlen(text) < 360; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %04llx:%u", (unsigned long long)conf->member[i].id >> 48, conf->member[i].flags);
    world_trace(&c->sim->world, "configuration in entry %llu is committed:%s", (unsigned long long)index, text);
    if (c->has_committed && !is_connected(&c->committed, conf))
        world_fail(&c->sim->world, "I8 the configuration in entry %llu does not follow from the one before it", (unsigned long long)index);
    c->has_committed = true;
    c->committed = *conf;
    world_count(conf->is_joint ? "joint configuration committed" : "configuration committed");
    note_members(c, conf);
}

const struct raft_conf *ghost_conf_now(const struct ghost_conf *c)
{
    return c->has_committed ? &c->committed : NULL;
}

uint64_t ghost_conf_voter_until(const struct ghost_conf *c, uint32_t slot)
{
    return c->voter_until_us[slot];
}

uint64_t ghost_conf_absent_until(const struct ghost_conf *c, raft_id id)
{
    for (size_t i = 0; i < c->member_count; i++)
        if (c->member[i].id == id)
            return c->member[i].left_us == UINT64_MAX ? 0 : UINT64_MAX;
    return UINT64_MAX;
}

bool ghost_conf_left(const struct ghost_conf *c, raft_id id)
{
    for (size_t i = 0; i < c->member_count; i++)
        if (c->member[i].id == id)
            return c->member[i].left_us != UINT64_MAX;
    return false;
}
