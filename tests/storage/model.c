#include "tests/storage/model.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"

void model_init(struct model *m)
{
    memset(m, 0, offsetof(struct model, entry) + sizeof(m->entry[0]));
    m->first = 1;
    m->identity.node_id = MODEL_NODE_ID;
}

void model_copy(struct model *to, const struct model *from)
{
    memcpy(to, from, offsetof(struct model, entry) + (from->last + 1) * sizeof(from->entry[0]));
}

/* Configurations of one to five members, different at each index. */
static void make_conf(raft_index index, raft_term term, struct raft_conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->member_count = 2 + (uint32_t)(index % 4);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        conf->member[i].id = MODEL_NODE_ID + i * 1000 + (i ? index + term : 0);
        conf->member[i].flags = RAFT_VOTER_NEW;
        snprintf(conf->member[i].address, sizeof(conf->member[i].address), "127.0.0.1:%u",
                 7000 + i);
    }
}

void model_entry_bytes(const struct model *m, raft_index index, struct buf *out)
{
    const struct model_entry *e = &m->entry[index];
    struct buf payload = {0};
    buf_truncate(out, 0);
    if (e->is_conf) {
        struct raft_conf conf;
        make_conf(index, e->term, &conf);
        raft_conf_encode(&conf, &payload);
    } else {
        uint8_t *p = buf_reserve(&payload, e->payload_bytes + 1);
        uint64_t x = index * 0x9e3779b97f4a7c15u + e->term;
        for (uint32_t i = 0; i < e->payload_bytes; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            p[i] = e->payload_bytes % 5 == 0 ? 0 : (uint8_t)x; /* some are all zeros */
        }
        buf_commit(&payload, e->payload_bytes);
    }
    const size_t n = buf_size(&payload);
    uint8_t *at = buf_reserve(out, ENTRY_HEADER_BYTES + n);
    entry_begin(at, e->is_conf ? RAFT_ENTRY_CONF : RAFT_ENTRY_COMMAND,
                e->is_conf ? 0 : 1700000000000, n);
    memcpy(at + ENTRY_HEADER_BYTES, buf_slice(&payload).p, n);
    entry_seal(at, index, e->term);
    buf_commit(out, ENTRY_HEADER_BYTES + n);
    buf_deinit(&payload);
}

static bool chance(struct prng *p, uint32_t percent)
{
    return prng_below(p, 100) < percent;
}

void model_draw(struct prng *p,
                const struct model_shape *shape,
                const struct model *now,
                struct model *next,
                struct model_append *a)
{
    model_copy(next, now);
    memset(a, 0, sizeof(*a));
    if (chance(p, 30)) {
        next->state.hard.term += prng_below(p, 3);
        if (next->state.hard.term > now->state.hard.term) {
            next->state.hard.vote = prng_below(p, 3);
        } else if (next->state.hard.vote == 0) {
            next->state.hard.vote = 1 + prng_below(p, 3);
        }
        next->state.session_number += prng_below(p, 2);
        a->state = next->state;
        a->append.state = &a->state;
    }
    if (shape->forms && now->identity.cluster_id == 0 && chance(p, 20)) {
        next->identity.cluster_id = 4711;
        next->identity.hash_seed[0] = 123;
        next->identity.hash_seed[1] = 456;
        a->identity = next->identity;
        a->append.identity = &a->identity;
    }
    if (shape->truncates && chance(p, 15) && now->last > now->first + 2) {
        uint64_t depth = chance(p, 80) ? 4 : 40;
        uint64_t most = now->last - now->first;
        a->append.truncate_from = now->last - prng_below(p, most < depth ? most : depth);
        next->last = a->append.truncate_from - 1;
    }
    uint32_t count = (uint32_t)prng_below(p, shape->entry_max + 1);
    for (uint32_t i = 0; i < count && next->last + 1 < MODEL_ENTRIES; i++) {
        struct model_entry *e = &next->entry[++next->last];
        raft_term before = next->last > 1 ? next->entry[next->last - 1].term : 1;
        /* A replaced entry is of a later term, as Raft guarantees. */
        e->term = next->state.hard.term > before ? next->state.hard.term : before;
        if (a->append.truncate_from) {
            e->term += a->append.truncate_from + now->last;
        }
        e->is_conf = shape->has_confs && chance(p, 8);
        e->payload_bytes = (uint32_t)prng_below(
            p, 1 + (chance(p, 20) ? shape->payload_max : shape->payload_max / 10));
        if (shape->big_bytes && prng_chance(p, shape->big_millionths)) {
            e->payload_bytes = (uint32_t)prng_below(p, shape->big_bytes);
        }
        model_entry_bytes(next, next->last, &a->bytes[i]);
        a->slice[i] = buf_slice(&a->bytes[i]);
        a->append.entry_count++;
    }
    a->append.entry = a->slice;
}

void model_append_free(struct model_append *a)
{
    for (size_t i = 0; i < 64; i++) {
        buf_deinit(&a->bytes[i]);
    }
}

bool model_entries_match(
    const struct model *m, struct wal *w, raft_index first, raft_index last, const char **why)
{
    struct buf want = {0};
    struct buf got = {0};
    bool ok = true;
    for (raft_index i = first; ok && i <= last;) {
        uint32_t count;
        raft_term prev_term;
        buf_truncate(&got, 0);
        enum err e = wal_read(w, i, 1 + (i * 37) % 5000, &got, &count, &prev_term);
        if (e != ERR_OK || count == 0) {
            *why = "an entry can't be read";
            ok = false;
            break;
        }
        if (i > 1 && prev_term != m->entry[i - 1].term) {
            *why = "previous term";
            ok = false;
        }
        size_t at = 0;
        for (uint32_t k = 0; k < count && ok; k++, i++) {
            model_entry_bytes(m, i, &want);
            if (buf_size(&got) - at < buf_size(&want) ||
                memcmp(buf_slice(&got).p + at, buf_slice(&want).p, buf_size(&want)) != 0) {
                *why = "an entry's bytes";
                ok = false;
            }
            at += buf_size(&want);
        }
    }
    buf_deinit(&want);
    buf_deinit(&got);
    return ok;
}

static bool confs_match(const struct model *m, const struct wal_recovery *r)
{
    /* Newest before first_index, if any, and all from there on. */
    raft_index expected[MODEL_ENTRIES];
    uint32_t count = 0;
    for (raft_index i = 1; i <= m->last; i++) {
        if (m->entry[i].is_conf) {
            expected[count++] = i;
        }
    }
    uint32_t skip = 0;
    while (skip + 1 < count && expected[skip + 1] < r->first_index) {
        skip++;
    }
    uint32_t have_skip = 0;
    while (have_skip + 1 < r->conf_count && r->conf_index[have_skip + 1] < r->first_index) {
        have_skip++;
    }
    if (r->conf_count - have_skip != count - skip) {
        return false;
    }
    for (uint32_t i = skip; i < count; i++) {
        struct raft_conf conf;
        make_conf(expected[i], m->entry[expected[i]].term, &conf);
        uint32_t k = have_skip + i - skip;
        if (r->conf_index[k] != expected[i] || !raft_conf_equal(&conf, &r->conf[k])) {
            return false;
        }
    }
    return true;
}

static bool terms_match(const struct model *m, const struct wal_recovery *r)
{
    uint32_t run = 0;
    for (raft_index i = r->first_index; i <= r->last_index; i++) {
        if (run < r->term_run_count && r->term_run[run].first == i) {
            run++;
        }
        if (run == 0 || r->term_run[run - 1].term != m->entry[i].term) {
            return false;
        }
    }
    return run == r->term_run_count;
}

bool model_matches(const struct model *m,
                   struct wal *w,
                   const struct wal_recovery *r,
                   const char **why)
{
    *why = NULL;
    if (r->last_index != m->last) {
        *why = "last index";
    } else if (m->last > 0 && r->last_term != m->entry[m->last].term) {
        *why = "last term";
    } else if (r->first_index < m->first || (m->last > 0 && r->first_index > m->last + 1)) {
        *why = "first index";
    } else if (r->first_index > 1 && r->prev_term != m->entry[r->first_index - 1].term) {
        *why = "term before the first index";
    } else if (memcmp(&r->state, &m->state, sizeof(r->state)) != 0) {
        *why = "term, vote or session number";
    } else if (r->identity.cluster_id != m->identity.cluster_id ||
               r->identity.node_id != m->identity.node_id ||
               r->identity.hash_seed[1] != m->identity.hash_seed[1]) {
        *why = "identity";
    } else if (!confs_match(m, r)) {
        *why = "configurations";
    } else if (!terms_match(m, r)) {
        *why = "runs of terms";
    }
    return !*why && model_entries_match(m, w, r->first_index, r->last_index, why);
}

static void print_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "    %s\n", line);
}

enum err
model_open(struct sim_disk *d, uint64_t segment_bytes, struct wal **w, struct wal_recovery *r)
{
    const struct wal_options options = {.segment_bytes = segment_bytes};
    static struct log_sink sink = {.level = LOG_WARNING, .write_fn = print_line};
    static const struct log_sink quiet = {.level = LOG_WARNING};
    (void)quiet;
    return wal_open(sim_disk_vfs(d), &options, MODEL_NODE_ID, getenv("WAL_VERBOSE") ? &sink : NULL,
                    w, r);
}

void model_recovery_free(struct wal_recovery *r)
{
    mem_free(r->conf);
    mem_free(r->conf_index);
    mem_free(r->term_run);
    r->term_run = NULL;
    r->conf = NULL;
    r->conf_index = NULL;
}
