#ifndef STORAGE_WAL_FORMAT_H
#define STORAGE_WAL_FORMAT_H

#include "base/buf.h"
#include "storage/wal.h"

/* The bytes of a segment file, format version 1. Pure: no files here. All integers little-endian.
 *
 * A segment is a row of batches, each of which begins and ends on a sector (S = 512 or 4096 bytes):
 *
 *   | header 64 | record | record | ... | zeros to S | footer, sectors of its own | next batch ...
 *   '-------------- body, unit by unit (512) --------'
 *
 *   batch header                          footer                               record
 *    0 u32 magic "CWB1"                    0 u32 magic "CWF1"                   0 u32 payload size
 *    4 u32 crc of [8, 64), keyed           4 u32 crc of [8, 128 + 4 * units)    4 u32 enum
 * wal_record_type 8 u16 version, 10 u16 log2(S)         8 u64 segment                        8 u32
 * chain 12 u32 record count                   16 u64 offset of the batch           12 u32 crc of
 * [0, 12), keyed 16 u64 segment                        24 u64 body bytes                    16
 * payload 24 u64 offset of this batch           32 u64 durable LSN 32 u64 durable LSN 40 u32 unit
 * count, 44 u32 last chain 40 u64 body bytes, without padding    48 u64 term, 56 u64 vote 48 u32
 * chain before this batch        64 u64 session number 52 u32 chain after it                 72 u64
 * last index, 80 u64 last term 56 u64 node id                        88 identity (40 bytes) 128 u32
 * crc of each 512-byte unit of the padded body
 *
 * chain = crc32c(chain before, first 8 bytes of the record, payload). A segment's chain starts with
 * its key, and the key is a checksum of node, cluster, the cluster's secret seed and the segment's
 * number: bytes of another place, segment, node or cluster never parse (P8), nor do bytes that a
 * client made up and stored as a value. An LSN names a place in the whole log: segment << 40 |
 * offset; "durable LSN d" says that every byte of the chain of segments before d was durable before
 * this batch was written. Changes of format keep the first 64 bytes of the header as they are, so
 * that an unknown version is told from damage. */
#define WAL_FORMAT_VERSION 1
#define WAL_UNIT_BYTES 512u
#define WAL_BATCH_HEADER_BYTES 64u
#define WAL_RECORD_HEADER_BYTES 16u
#define WAL_FOOTER_BYTES 128u
#define WAL_IDENTITY_BYTES 40u
#define WAL_LSN_OFFSET_BITS 40

typedef uint64_t wal_lsn; /* 0: before everything */

static inline wal_lsn wal_lsn_at(uint64_t segment, uint64_t offset)
{
    return (segment << WAL_LSN_OFFSET_BITS) | offset;
}
static inline uint64_t wal_lsn_segment(wal_lsn lsn)
{
    return lsn >> WAL_LSN_OFFSET_BITS;
}
static inline uint64_t wal_lsn_offset(wal_lsn lsn)
{
    return lsn & ((1ull << WAL_LSN_OFFSET_BITS) - 1);
}

enum wal_record_type {
    WAL_RECORD_HEAD = 1,  /* first record of a segment, only there: struct wal_head */
    WAL_RECORD_STATE = 2, /* struct wal_node_state and struct wal_taint */
    WAL_RECORD_CONF = 3,  /* u64 index, raft_conf_encode: one of the configurations in force at the
                             segment's start */
    WAL_RECORD_TRUNCATE =
        4, /* u64 from, u64 term of from - 1: entries >= from before this record are void */
    WAL_RECORD_ENTRY = 5, /* raft/entry.h, as it is */
};

/* Damage that was found and not yet healed; travels with the state records. */
struct wal_taint {
    enum wal_health health;
    raft_term suspect_term; /* of the footer whose body was bad */
    raft_index suspect_last_index;
    raft_term suspect_last_term;
};

struct wal_head {
    wal_lsn previous; /* where the log goes on from; what lies behind it is superseded. 0: the log's
                         start */
    raft_index first_index; /* last index at `previous`, plus 1 */
    raft_term prev_term;    /* term of first_index - 1 */
    struct wal_identity identity;
};

struct wal_batch_header {
    uint32_t sector_bytes;
    uint32_t record_count;
    uint64_t segment;
    uint64_t offset;
    wal_lsn durable;
    uint64_t body_bytes;
    uint32_t chain_before;
    uint32_t chain_after;
    raft_id node_id;
};

struct wal_footer {
    uint64_t segment;
    uint64_t offset;
    uint64_t body_bytes;
    wal_lsn durable;
    uint32_t unit_count;
    uint32_t chain_after;
    struct wal_node_state state; /* in force after the batch */
    raft_index last_index;
    raft_term last_term;
    struct wal_identity identity;
};

struct wal_record {
    enum wal_record_type type;
    struct slice payload; /* borrowed from the batch */
    uint32_t chain;       /* after this record */
};

uint32_t wal_key(const struct wal_identity *identity, uint64_t segment);

/* Sizes on disk of a batch with `body_bytes`. */
uint64_t wal_padded_bytes(uint64_t body_bytes, uint32_t sector_bytes);
uint64_t wal_batch_bytes(uint64_t body_bytes, uint32_t sector_bytes);

/* ---- Writing ---- */
struct wal_batch_builder {
    struct buf *out; /* cleared by begin; holds the whole batch, footer included, after end */
    struct wal_batch_header header;
    uint32_t key;
    uint32_t chain;
};
/* `header`: all but record_count, body_bytes and chain_after. Keeps `out` until end. */
void wal_batch_begin(struct wal_batch_builder *b,
                     struct buf *out,
                     const struct wal_batch_header *header,
                     uint32_t key);
/* A record whose payload is `front` then `rest`. */
void wal_batch_add(struct wal_batch_builder *b,
                   enum wal_record_type type,
                   struct slice front,
                   struct slice rest);
void wal_batch_add_head(struct wal_batch_builder *b, const struct wal_head *head);
void wal_batch_add_state(struct wal_batch_builder *b,
                         const struct wal_node_state *state,
                         const struct wal_taint *taint);
void wal_batch_add_conf(struct wal_batch_builder *b, raft_index index, struct slice encoded);
void wal_batch_add_truncate(struct wal_batch_builder *b, raft_index from, raft_term prev_term);
/* `footer`: state, last_index, last_term and identity; the rest is filled here. */
void wal_batch_end(struct wal_batch_builder *b, const struct wal_footer *footer);

/* ---- Reading: nothing is trusted; false means "not what it claims to be" ---- */

/* The first bytes of a segment: its header and HEAD record, which certify each other. ERR_CORRUPT;
 * ERR_FORMAT for a later version. `bytes`: at least the first WAL_HEAD_PROBE_BYTES of the file. */
#define WAL_HEAD_PROBE_BYTES 512u
MUST_CHECK enum err wal_head_probe(struct slice bytes, uint64_t segment, struct wal_head *head);
bool wal_batch_header_decode(struct slice bytes,
                             uint32_t key,
                             uint64_t segment,
                             uint64_t offset,
                             struct wal_batch_header *header);
/* One record at the front of `bytes`, whose chain so far is `chain`. */
bool wal_record_decode(struct slice bytes, uint32_t key, uint32_t chain, struct wal_record *record);
/* Checks a whole body: header, every record, payloads that decode. `bytes` begins at the batch. */
bool wal_batch_check(struct slice bytes,
                     uint32_t key,
                     uint64_t segment,
                     uint64_t offset,
                     uint32_t chain_before,
                     struct wal_batch_header *header);
/* A footer at the front of `bytes`; `unit_crc` points into them. */
bool wal_footer_decode(struct slice bytes,
                       uint64_t segment,
                       struct wal_footer *footer,
                       const uint8_t **unit_crc);

bool wal_state_decode(struct slice payload, struct wal_node_state *state, struct wal_taint *taint);
bool wal_head_decode(struct slice payload, struct wal_head *head);
bool wal_truncate_decode(struct slice payload, raft_index *from, raft_term *prev_term);
bool wal_conf_decode(struct slice payload, raft_index *index, struct slice *encoded);

#endif
