#ifndef STORAGE_SNAPSHOT_FORMAT_H
#define STORAGE_SNAPSHOT_FORMAT_H

#include "base/buf.h"
#include "raft/conf.h"

/* The bytes of a snapshot file, format version 1. Pure: no files here. All integers little-endian.
 *
 *   | HEAD block | DATA block | DATA block | ... | END block |
 *
 *   block:  0 u32 magic "CSB1"
 *           4 u32 kind (enum snapshot_block_kind)
 *           8 u32 payload size, at most SNAPSHOT_BLOCK_BYTES
 *          12 u32 its number in the file: 0, 1, 2, ...
 *          16 u32 crc of the block before, bytes [0, 16) and the payload (crc32c); the first one's
 *                 "before" is 0
 *          20 payload
 *
 *   HEAD:   u16 version, u16 0, u32 0, u64 index, u64 term, u64 cluster id, u64 hash seed (two),
 *           u64 wall clock (Unix ms), u64 log time (Unix ms), u64 index of the configuration, blob
 *           configuration (raft_conf_encode), blob birth (what a new member is adopted with: the
 *           encoded entries 1 and 2)
 *   DATA:   a piece of one stream of bytes: the keyspace's records (keyspace/state_format.h)
 *   END:    u64 bytes of the stream, u64 digest of the state (keyspace_digest)
 *
 *  F1  Blocks are numbered and chained: a file that lacks a block, has one twice, or has one of
 *      another file doesn't parse. So the crc of the END block stands for the whole file, and
 *      (index, term, crc, size) names it among all snapshots of a cluster.
 *
 *  F2  A file without its END block, or with bytes behind it, is no snapshot.
 *
 *  F3  Nothing is taken from a block whose crc wasn't checked; sizes are compared with their limits
 *      before they are used. */
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_BLOCK_HEADER 20u
#ifdef CORACLE_HOSTILE
#define SNAPSHOT_BLOCK_BYTES 16384u /* a HEAD with the largest configuration fits */
#else
#define SNAPSHOT_BLOCK_BYTES 65536u
#endif

enum snapshot_block_kind { SNAPSHOT_HEAD = 1, SNAPSHOT_DATA = 2, SNAPSHOT_END = 3 };

struct snapshot_meta {
    raft_index index; /* everything up to here, and nothing after it */
    raft_term term;   /* of that entry */
    uint64_t cluster_id;
    uint64_t hash_seed[2];
    int64_t wall_ms; /* when it was begun */
    int64_t time_ms; /* log time at `index` */
    raft_index conf_index;
    struct raft_conf conf; /* in force at `index`, joint or not (J12) */
    struct slice birth;    /* borrows; decoded: the bytes it was decoded from */
};

/* ---- Writing ---- */
struct snapshot_encoder {
    uint32_t number; /* of the next block */
    uint32_t crc;    /* of the last one */
    uint64_t data_bytes;
    uint64_t file_bytes;
};
/* Appends the HEAD block to `out`. */
void snapshot_encode_head(struct snapshot_encoder *e, const struct snapshot_meta *meta, struct buf *out);
/* Appends a DATA block: 1 to SNAPSHOT_BLOCK_BYTES bytes. */
void snapshot_encode_data(struct snapshot_encoder *e, struct slice data, struct buf *out);
/* Appends the END block; e->crc is the file's from then on. */
void snapshot_encode_end(struct snapshot_encoder *e, uint64_t digest, struct buf *out);

/* ---- Reading: foreign bytes ---- */
struct snapshot_decoder {
    uint32_t number;
    uint32_t crc;
    uint64_t data_bytes;
    uint64_t file_bytes; /* of the blocks taken so far */
    bool has_ended;
};
struct snapshot_block {
    enum snapshot_block_kind kind;
    struct slice data;         /* DATA: borrows the bytes */
    struct snapshot_meta meta; /* HEAD */
    uint64_t digest;           /* END */
};
/* Takes the block at the front of `bytes` and says how many bytes it was. ERR_TOO_BIG: only part of
 * it is there. ERR_CORRUPT; ERR_FORMAT for a later version. All zero is a decoder at the start of a
 * file. */
MUST_CHECK enum err snapshot_decode(struct snapshot_decoder *d,
                                    struct slice bytes,
                                    struct snapshot_block *block,
                                    size_t *taken);

#endif
