/* Recovery of a log directory, whatever is in it. The first byte of an input says how the rest is
 * used:
 *
 *   0  raw bytes of one to four segment files;
 *   1  a script that writes batches whose checksums are right and whose content is not;
 *   2  a good log, and a list of edits of its bytes.
 *
 * Checked: opening ends in an error or in a log that can be read to its end and appended to, and
 * that a second opening finds again, entry by entry; a good log with edits never yields an entry
 * that was not in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "storage/wal_segment.h"
#include "tests/fuzz/arena.h"
#include "tests/fuzz/harness.h"
#include "tests/sim/sim_disk.h"
HARNESS_BEGIN
#include "tests/sim/sim_disk_inode.c"
#include "tests/sim/sim_disk_look.c"
#include "tests/sim/sim_disk_names.c"
#include "tests/sim/sim_disk.c" /* the simulator's disk is no part of the libraries */
HARNESS_END

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODE_ID 7u
#define ENTRY_COUNT 24u

static uint8_t take(struct slice *in)
{
    uint8_t byte = in->n > 0 ? in->p[0] : 0;
    *in = slice_skip(*in, in->n > 0 ? 1 : 0);
    return byte;
}

static void put_segment(struct sim_disk *d, uint64_t id, struct slice bytes)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(id, name);
    sim_disk_put_file(d, name, bytes);
}

static size_t make_entry(uint8_t out[256], raft_index index, raft_term term, uint8_t kind)
{
    const size_t n = (size_t)(index * 7 % 100);
    enum raft_entry_type type = kind % 8 == 7 ? RAFT_ENTRY_CONF : RAFT_ENTRY_COMMAND;
    entry_begin(out, type, 5, n);
    memset(out + ENTRY_HEADER_BYTES, (int)(index & 0xff), n);
    entry_seal(out, index, term);
    return ENTRY_HEADER_BYTES + n;
}

static void make_raw(struct sim_disk *d, struct slice in)
{
    const uint8_t files = (uint8_t)(1 + take(&in) % 4);
    for (uint8_t i = 0; i < files; i++) {
        size_t n = i + 1 == files ? in.n : in.n / files;
        put_segment(d, i + 1u, (struct slice){in.p, n});
        in = slice_skip(in, n);
    }
}

/* One record from the script, small numbers, often nonsense. */
static void add_record(struct wal_batch_builder *b, struct slice *in, raft_index *index)
{
    static const struct wal_taint none = {.health = WAL_CLEAN};
    uint8_t bytes[256];
    uint8_t what = take(in);
    switch (what % 7) {
    case 0: {
        const struct wal_node_state state = {.hard = {take(in), take(in)},
                                             .session_number = take(in)};
        const struct wal_taint taint = {.health = (enum wal_health)(take(in) % 4),
                                        .suspect_term = 3};
        wal_batch_add_state(b, &state, what & 64 ? &taint : &none);
        break;
    }
    case 1:
        wal_batch_add_truncate(b, take(in), take(in));
        break;
    case 2:
        *index = take(in);
        break;
    case 3: {
        const struct wal_head head = {.previous = wal_lsn_at(take(in) % 4, take(in) * 512u),
                                      .first_index = take(in),
                                      .identity = {.node_id = NODE_ID}};
        wal_batch_add_head(b, &head);
        break;
    }
    case 4: {
        size_t n = take(in) % 32;
        n = n < in->n ? n : in->n;
        wal_batch_add(b, (enum wal_record_type)(1 + what / 32 % 6), (struct slice){in->p, n},
                      (struct slice){NULL, 0});
        *in = slice_skip(*in, n);
        break;
    }
    default:
        wal_batch_add(b, WAL_RECORD_ENTRY,
                      (struct slice){bytes, make_entry(bytes, *index, what / 16, take(in))},
                      (struct slice){NULL, 0});
        ++*index;
        break;
    }
}

static void make_scripted(struct sim_disk *d, struct slice in)
{
    struct buf file = {0};
    struct buf batch = {0};
    raft_index index = 1;
    wal_lsn end = 0;
    for (uint64_t id = 1; id <= 4 && in.n > 0; id++) {
        const struct wal_identity identity = {.node_id = NODE_ID, .cluster_id = take(&in) % 2};
        const uint32_t key = wal_key(&identity, id);
        uint32_t chain = key;
        buf_truncate(&file, 0);
        const uint8_t batches = take(&in) % 6;
        for (uint8_t k = 0; k < batches; k++) {
            struct wal_batch_builder b;
            const uint64_t at = buf_size(&file);
            const struct wal_batch_header h = {.sector_bytes = 512,
                                               .segment = id,
                                               .offset = at,
                                               .durable = k ? wal_lsn_at(id, at) : end,
                                               .chain_before = chain,
                                               .node_id = NODE_ID};
            const uint8_t how = take(&in);
            wal_batch_begin(&b, &batch, &h, key);
            if (k == 0 && how % 8 != 0) {
                const struct wal_head head = {.previous = end,
                                              .first_index = index,
                                              .prev_term = how / 64,
                                              .identity = identity};
                wal_batch_add_head(&b, &head);
            }
            for (uint8_t i = 0; i < how / 8 % 8; i++) {
                add_record(&b, &in, &index);
            }
            const struct wal_footer footer = {.identity = identity, .state = {.hard = {how, 1}}};
            wal_batch_end(&b, &footer);
            chain = b.chain;
            buf_append_slice(&file, buf_slice(&batch));
            if (how % 32 == 31) {
                memset(buf_reserve(&file, 512), 0, 512);
                buf_commit(&file, 512);
            }
        }
        end = wal_lsn_at(id, buf_size(&file));
        put_segment(d, id, buf_slice(&file));
    }
    buf_deinit(&file);
    buf_deinit(&batch);
}

static enum err open_log(struct sim_disk *d, struct wal **w, struct wal_recovery *r)
{
    const struct wal_options options = {.segment_bytes = 4096};
    return wal_open(sim_disk_vfs(d), &options, NODE_ID, NULL, w, r);
}

static void close_log(struct sim_disk *d, struct wal *w, struct wal_recovery *r)
{
    sim_disk_crash(d);
    wal_close(w);
    mem_free(r->conf);
    mem_free(r->conf_index);
    mem_free(r->term_run);
}

static void append_one(struct wal *w, raft_index index, raft_term term)
{
    uint8_t bytes[256];
    struct slice entry = {bytes, make_entry(bytes, index, term, 0)};
    enum err e = wal_append(w, &(struct wal_append){.entry = &entry, .entry_count = 1});
    ASSERT(e == ERR_OK);
}

static const struct sim_disk *good_log(void)
{
    static struct sim_disk *good;
    if (!good) {
        struct wal *w;
        struct wal_recovery r;
        good = sim_disk_new(1, 512);
        enum err e = open_log(good, &w, &r);
        ASSERT(e == ERR_OK);
        for (raft_index i = 1; i <= ENTRY_COUNT; i++) {
            append_one(w, i, 1 + i / 8);
        }
        close_log(good, w, &r);
    }
    return good;
}

/* A copy of a file; put back when all edits are made. */
struct edited {
    uint8_t *bytes; /* owned; NULL: not edited */
    size_t n;
};

#define SEGMENTS 5
static void apply_edits(struct sim_disk *d, struct slice in)
{
    struct edited edited[SEGMENTS] = {{0}};
    while (in.n > 0) {
        struct edited *e = &edited[take(&in) % SEGMENTS];
        size_t at = (size_t)take(&in) * 256 + take(&in);
        if (!e->bytes) {
            char name[WAL_NAME_BYTES];
            wal_segment_name((uint64_t)(e - edited) + 1, name);
            struct slice old = sim_disk_file(d, name);
            if (old.n > 0) {
                e->bytes = mem_alloc(old.n);
                e->n = old.n;
                memcpy(e->bytes, old.p, old.n);
            }
        }
        if (at >= e->n) {
            continue;
        }
        uint8_t how = take(&in);
        if (how < 64) {
            memset(e->bytes + at, 0, (size_t)how * 64 < e->n - at ? (size_t)how * 64 : e->n - at);
        } else {
            e->bytes[at] = (uint8_t)(e->bytes[at] ^ how);
        }
        e->n = how == 255 ? at : e->n;
    }
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        if (edited[i].bytes) {
            put_segment(d, i + 1, (struct slice){edited[i].bytes, edited[i].n});
        }
        mem_free(edited[i].bytes);
    }
}

static void read_all(struct wal *w, const struct wal_recovery *r, struct buf *out)
{
    buf_truncate(out, 0);
    for (raft_index i = r->first_index; i <= r->last_index;) {
        uint32_t count;
        raft_term term;
        enum err e = wal_read(w, i, 300, out, &count, &term);
        ASSERT(e == ERR_OK && count > 0);
        i += count;
    }
}

static void check(struct sim_disk *d, bool was_good)
{
    struct wal *w;
    struct wal_recovery r;
    if (open_log(d, &w, &r) != ERR_OK) {
        return;
    }
    struct buf first = {0};
    struct buf second = {0};
    read_all(w, &r, &first);
    if (was_good) {
        ASSERT(r.last_index <= ENTRY_COUNT);
        size_t at = 0;
        for (raft_index i = r.first_index; i <= r.last_index; i++) {
            uint8_t bytes[256];
            size_t n = make_entry(bytes, i, 1 + i / 8, 0);
            ASSERT(at + n <= buf_size(&first) && memcmp(buf_slice(&first).p + at, bytes, n) == 0);
            at += n;
        }
    }
    const struct wal_recovery seen = r;
    append_one(w, r.last_index + 1, r.last_term);
    close_log(d, w, &r);
    enum err e = open_log(d, &w, &r);
    ASSERT(e == ERR_OK);
    ASSERT(r.last_index == seen.last_index + 1);
    ASSERT(r.first_index == seen.first_index);
    ASSERT(r.health == seen.health);
    ASSERT(memcmp(&r.state, &seen.state, sizeof(r.state)) == 0 && r.conf_count == seen.conf_count);
    read_all(w, &r, &second);
    ASSERT(buf_size(&second) >= buf_size(&first));
    ASSERT(buf_size(&first) == 0 ||
           memcmp(buf_slice(&first).p, buf_slice(&second).p, buf_size(&first)) == 0);
    close_log(d, w, &r);
    buf_deinit(&first);
    buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {data, size < 65536 ? size : 65536};
    const uint8_t mode = take(&in) % 3;
    const struct sim_disk *good = good_log();
    arena_begin();
    struct sim_disk *d = mode == 2 ? sim_disk_copy(good, 1) : sim_disk_new(1, 512);
    if (mode == 0) {
        make_raw(d, in);
    } else if (mode == 1) {
        make_scripted(d, in);
    } else {
        apply_edits(d, in);
    }
    check(d, mode == 2);
    sim_disk_free(d);
    arena_end();
    return 0;
}
