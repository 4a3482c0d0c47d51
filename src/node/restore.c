#include "node/restore.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "node/proposal.h"
#include "storage/snapshot_file.h"
#include "storage/wal.h"

/* R1  The backup is read through and checked before anything is written.
 * R2  The snapshot is durable under its name first; then one batch makes the directory the new cluster's. So a crash anywhere leaves a
 *     directory that belongs to no cluster: restoring into it again is right, and a node refuses to start on it
 *     (snapshot_load.c snapshot_is_left_alone) instead of beginning as an empty one. */
#define RESTORE_READ_BYTES (1u << 20)

/* Entries 1 and 2 of the new cluster, for members that join (formation.c makes the same). */
static void restore_birth(const struct snapshot_meta *meta, struct buf *out)
{
    struct buf conf = {0};
    uint8_t seed[16];
    put_u64(seed, meta->hash_seed[0]);
    put_u64(seed + 8, meta->hash_seed[1]);
    struct slice arg = {seed, sizeof seed};
    struct proposal genesis = {.number = PROPOSAL_GENESIS, .version = 1};
    raft_conf_encode(&meta->conf, &conf);
    size_t first = ENTRY_HEADER_BYTES + buf_size(&conf);
    size_t second = ENTRY_HEADER_BYTES + proposal_size(&arg, 1);
    uint8_t *at = buf_reserve(out, first + second);
    entry_begin(at, RAFT_ENTRY_CONF, 0, buf_size(&conf));
    memcpy(at + ENTRY_HEADER_BYTES, buf_slice(&conf).p, buf_size(&conf));
    entry_seal(at, 1, 1);
    entry_begin(at + first, RAFT_ENTRY_COMMAND, 0, second - ENTRY_HEADER_BYTES);
    proposal_encode(at + first + ENTRY_HEADER_BYTES, &genesis, &arg, 1);
    entry_seal(at + first, 2, 1);
    buf_commit(out, first + second);
    buf_deinit(&conf);
}

/* The same stream behind another HEAD. */
static enum err restore_copy(struct snapshot_file *from, struct vfs *to, const struct snapshot_meta *meta)
{
    struct snapshot_file file;
    struct snapshot_encoder encoder;
    struct snapshot_decoder decoder = {0};
    struct buf in = {0};
    struct buf out = {0};
    uint64_t offset = 0;
    enum err e = snapshot_file_create(&file, to, SNAPSHOT_OWN_NAME, 0, 0);
    snapshot_encode_head(&encoder, meta, &out);
    while (e == ERR_OK && !decoder.has_ended) {
        struct snapshot_block block;
        size_t taken;
        e = snapshot_decode(&decoder, buf_slice(&in), &block, &taken);
        if (e == ERR_TOO_BIG) {
            size_t before = buf_size(&in);
            e = snapshot_file_read(from, offset, RESTORE_READ_BYTES, &in);
            offset += buf_size(&in) - before;
            continue;
        }
        if (e != ERR_OK)
            break;
        if (block.kind == SNAPSHOT_DATA)
            snapshot_encode_data(&encoder, block.data, &out);
        else if (block.kind == SNAPSHOT_END)
            snapshot_encode_end(&encoder, block.digest, &out);
        buf_consume(&in, taken);
        e = snapshot_file_append(&file, buf_slice(&out));
        buf_clear(&out, RESTORE_READ_BYTES);
    }
    if (e == ERR_OK)
        e = snapshot_file_publish(&file, SNAPSHOT_NAME);
    else
        snapshot_file_discard(&file);
    buf_deinit(&in);
    buf_deinit(&out);
    return e;
}

/* Identity and log: from here on the directory is the new cluster's. Until this one batch is durable it is nobody's (R2). */
static enum err restore_log(struct wal *wal, const struct wal_identity *blank, const struct snapshot_meta *meta)
{
    struct wal_identity identity = *blank;
    struct wal_node_state state = {.hard = {.term = meta->term}};
    identity.cluster_id = meta->cluster_id;
    identity.hash_seed[0] = meta->hash_seed[0];
    identity.hash_seed[1] = meta->hash_seed[1];
    struct wal_append append = {
        .identity = &identity,
        .state = &state,
        .reset_index = meta->index,
        .reset_term = meta->term,
        .reset_conf = &meta->conf,
        .reset_conf_index = meta->conf_index,
        .may_use_reserve = true,
    };
    return wal_append(wal, &append);
}

static uint64_t restore_draw(void (*draw_fn)(void *p, size_t n))
{
    uint64_t id = 0;
    while (id == 0)
        draw_fn(&id, sizeof id);
    return id;
}

static enum err restore_into(struct snapshot_file *from,
                             struct vfs *to,
                             struct snapshot_meta *meta,
                             const char *address,
                             void (*draw_fn)(void *p, size_t n),
                             const struct log_sink *log,
                             struct buf *why)
{
    struct wal_options options = {.segment_bytes = 16u << 20};
    struct wal_recovery rec = {0};
    struct wal *wal = NULL;
    struct buf birth = {0};
    enum err e = wal_open(to, &options, restore_draw(draw_fn), log, &wal, &rec);
    if (e == ERR_OK && rec.identity.cluster_id != 0) {
        buf_printf(why, "the data directory is not new; a backup is restored into a new one");
        e = ERR_EXISTS;
    } else if (e == ERR_OK) {
        meta->cluster_id = restore_draw(draw_fn);
        memset(&meta->conf, 0, sizeof meta->conf);
        meta->conf.member_count = 1;
        meta->conf.member[0] = (struct raft_member){.id = rec.identity.node_id, .flags = RAFT_VOTER_NEW};
        snprintf(meta->conf.member[0].address, sizeof meta->conf.member[0].address, "%s", address);
        restore_birth(meta, &birth);
        meta->birth = buf_slice(&birth);
        e = restore_copy(from, to, meta);
        if (e == ERR_OK)
            e = restore_log(wal, &rec.identity, meta);
        if (e != ERR_OK)
            buf_printf(why, "the data directory can't be written: %s; it is not usable", err_text(e));
    } else {
        buf_printf(why, "the data directory can't be used: %s", err_text(e));
    }
    buf_deinit(&birth);
    mem_free(rec.conf);
    mem_free(rec.conf_index);
    mem_free(rec.term_run);
    if (wal)
        wal_close(wal);
    return e;
}

enum err restore_open(struct restore *r, struct vfs *from, const char *name, struct buf *why)
{
    enum err e = snapshot_file_open(&r->file, from, name);
    if (e == ERR_OK)
        e = snapshot_file_check(&r->file, &r->facts);
    if (e != ERR_OK)
        buf_printf(why, "that file is no good backup: %s", err_text(e));
    return e;
}

enum err restore_run(struct restore *r,
                     struct vfs *to,
                     const char *address,
                     void (*draw_fn)(void *p, size_t n),
                     const struct log_sink *log,
                     struct buf *why)
{
    enum err e = restore_into(&r->file, to, &r->facts.meta, address, draw_fn, log, why);
    if (e == ERR_OK)
        buf_printf(why,
                   "Restored entry %llu, %llu bytes, as a new cluster of one node, %s.",
                   (unsigned long long)r->facts.meta.index,
                   (unsigned long long)r->facts.size,
                   address);
    return e;
}

void restore_close(struct restore *r)
{
    snapshot_file_close(&r->file);
}
