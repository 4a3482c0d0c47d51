#ifndef TESTS_STORAGE_MODEL_H
#define TESTS_STORAGE_MODEL_H

#include "base/buf.h"
#include "base/prng.h"
#include "storage/wal.h"
#include "tests/sim/sim_disk.h"

/* What a log should hold, kept in the simplest way, and a random workload against both. */
#define MODEL_NODE_ID 77u
#define MODEL_ENTRIES 4000u

struct model_entry {
    raft_term term;
    uint32_t payload_bytes;
    bool is_conf;
};

struct model {
    struct wal_identity identity; /* incarnation unused */
    struct wal_node_state state;
    raft_index first; /* as far as known dropped */
    raft_index last;
    struct model_entry entry[MODEL_ENTRIES]; /* [i] is index i; those above `last` mean nothing */
};

void model_init(struct model *m);
void model_copy(struct model *to, const struct model *from);
/* The entry's bytes, a function of (index, term, payload_bytes, is_conf). Clears `out`. */
void model_entry_bytes(const struct model *m, raft_index index, struct buf *out);

/* One append, against a copy of the model: `*next` is what it becomes if the append takes effect.
 * Owned slices. */
struct model_append {
    struct wal_append append;
    struct wal_identity identity;
    struct wal_node_state state;
    struct slice slice[64];
    struct buf bytes[64];
};
struct model_shape {
    uint32_t entry_max;      /* entries per append, <= 64 */
    uint32_t payload_max;    /* bytes, mostly far fewer */
    uint32_t big_millionths; /* an entry of up to big_bytes */
    uint32_t big_bytes;
    bool truncates;
    bool forms; /* leaves BLANK at some point */
    bool has_confs;
};
void model_draw(struct prng *p,
                const struct model_shape *shape,
                const struct model *now,
                struct model *next,
                struct model_append *a);
void model_append_free(struct model_append *a);

/* True when the log holds exactly this: state, identity, entries (read back), configurations. On
 * false, *why says what differs. */
bool model_matches(const struct model *m,
                   struct wal *w,
                   const struct wal_recovery *r,
                   const char **why);
/* Entries alone, up to `last`. */
bool model_entries_match(
    const struct model *m, struct wal *w, raft_index first, raft_index last, const char **why);

/* Opens with a quiet sink. */
enum err
model_open(struct sim_disk *d, uint64_t segment_bytes, struct wal **w, struct wal_recovery *r);
void model_recovery_free(struct wal_recovery *r);

#endif
