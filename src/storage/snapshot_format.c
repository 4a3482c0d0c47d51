#include "storage/snapshot_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"

#define SNAPSHOT_MAGIC 0x31425343u /* "CSB1" */
#define HEAD_FIXED_BYTES 72u
#define END_BYTES 16u

/* ---- Writing ---- */

static void snapshot_add_block(struct snapshot_encoder *e,
                               enum snapshot_block_kind kind,
                               struct slice payload,
                               struct buf *out)
{
    uint8_t header[SNAPSHOT_BLOCK_HEADER];
    ASSERT(payload.n > 0 && payload.n <= SNAPSHOT_BLOCK_BYTES);
    put_u32(header, SNAPSHOT_MAGIC);
    put_u32(header + 4, kind);
    put_u32(header + 8, (uint32_t)payload.n);
    put_u32(header + 12, e->number);
    e->crc = crc32c(crc32c(e->crc, header, 16), payload.p, payload.n);
    put_u32(header + 16, e->crc);
    buf_append(out, header, sizeof header);
    buf_append_slice(out, payload);
    e->number++;
    e->file_bytes += sizeof header + payload.n;
}

void snapshot_encode_head(struct snapshot_encoder *e, const struct snapshot_meta *meta, struct buf *out)
{
    struct buf head = {0};
    struct buf conf = {0};
    *e = (struct snapshot_encoder){.number = 0};
    raft_conf_encode(&meta->conf, &conf);
    write_u16(&head, SNAPSHOT_VERSION);
    write_u16(&head, 0);
    write_u32(&head, 0);
    write_u64(&head, meta->index);
    write_u64(&head, meta->term);
    write_u64(&head, meta->cluster_id);
    write_u64(&head, meta->hash_seed[0]);
    write_u64(&head, meta->hash_seed[1]);
    write_u64(&head, (uint64_t)meta->wall_ms);
    write_u64(&head, (uint64_t)meta->time_ms);
    write_u64(&head, meta->conf_index);
    ASSERT(buf_size(&head) == HEAD_FIXED_BYTES);
    write_blob(&head, buf_slice(&conf));
    write_blob(&head, meta->birth);
    snapshot_add_block(e, SNAPSHOT_HEAD, buf_slice(&head), out);
    buf_deinit(&head);
    buf_deinit(&conf);
}

void snapshot_encode_data(struct snapshot_encoder *e, struct slice data, struct buf *out)
{
    snapshot_add_block(e, SNAPSHOT_DATA, data, out);
    e->data_bytes += data.n;
}

void snapshot_encode_end(struct snapshot_encoder *e, uint64_t digest, struct buf *out)
{
    uint8_t end[END_BYTES];
    put_u64(end, e->data_bytes);
    put_u64(end + 8, digest);
    snapshot_add_block(e, SNAPSHOT_END, (struct slice){end, sizeof end}, out);
}

/* ---- Reading ---- */

static enum err snapshot_decode_head(struct slice payload, struct snapshot_meta *meta)
{
    struct reader r = reader_of(payload);
    uint16_t version = read_u16(&r);
    uint16_t zero = read_u16(&r);
    uint32_t more_zeros = read_u32(&r);
    if (r.failed) {
        return ERR_CORRUPT;
    }
    if (version != SNAPSHOT_VERSION) {
        return ERR_FORMAT;
    }
    meta->index = read_u64(&r);
    meta->term = read_u64(&r);
    meta->cluster_id = read_u64(&r);
    meta->hash_seed[0] = read_u64(&r);
    meta->hash_seed[1] = read_u64(&r);
    meta->wall_ms = (int64_t)read_u64(&r);
    meta->time_ms = (int64_t)read_u64(&r);
    meta->conf_index = read_u64(&r);
    struct slice conf = read_blob(&r);
    meta->birth = read_blob(&r);
    if (!reader_done(&r) || zero != 0 || more_zeros != 0 || meta->index == 0 || meta->term == 0 ||
        meta->index > UINT64_MAX / 2 || meta->term > UINT64_MAX / 2 || meta->cluster_id == 0 || meta->time_ms < 0 ||
        meta->conf_index == 0 || meta->conf_index > meta->index) {
        return ERR_CORRUPT;
    }
    return raft_conf_decode(conf, &meta->conf);
}

static enum err snapshot_decode_payload(struct snapshot_decoder *d,
                                        uint32_t kind,
                                        struct slice payload,
                                        struct snapshot_block *block)
{
    if ((kind == SNAPSHOT_HEAD) != (d->number == 0)) {
        return ERR_CORRUPT;
    }
    switch (kind) {
    case SNAPSHOT_HEAD:
        block->kind = SNAPSHOT_HEAD;
        return snapshot_decode_head(payload, &block->meta);
    case SNAPSHOT_DATA:
        block->kind = SNAPSHOT_DATA;
        block->data = payload;
        d->data_bytes += payload.n;
        return ERR_OK;
    case SNAPSHOT_END:
        if (payload.n != END_BYTES || get_u64(payload.p) != d->data_bytes) {
            return ERR_CORRUPT;
        }
        block->kind = SNAPSHOT_END;
        block->digest = get_u64(payload.p + 8);
        d->has_ended = true;
        return ERR_OK;
    default: /* not an enumeration: any number may stand in a file */
        return ERR_CORRUPT;
    }
}

enum err snapshot_decode(struct snapshot_decoder *d,
                         struct slice bytes,
                         struct snapshot_block *block,
                         size_t *taken)
{
    if (d->has_ended) {
        return ERR_CORRUPT; /* F2 */
    }
    if (bytes.n < SNAPSHOT_BLOCK_HEADER) {
        return ERR_TOO_BIG;
    }
    uint32_t size = get_u32(bytes.p + 8);
    if (get_u32(bytes.p) != SNAPSHOT_MAGIC || get_u32(bytes.p + 12) != d->number || size == 0 ||
        size > SNAPSHOT_BLOCK_BYTES) {
        return ERR_CORRUPT;
    }
    if (bytes.n - SNAPSHOT_BLOCK_HEADER < size) {
        return ERR_TOO_BIG;
    }
    struct slice payload = {bytes.p + SNAPSHOT_BLOCK_HEADER, size};
    uint32_t crc = crc32c(crc32c(d->crc, bytes.p, 16), payload.p, payload.n);
    if (crc != get_u32(bytes.p + 16)) {
        return ERR_CORRUPT; /* F3 */
    }
    enum err e = snapshot_decode_payload(d, get_u32(bytes.p + 4), payload, block);
    if (e != ERR_OK) {
        return e;
    }
    d->crc = crc;
    d->number++;
    *taken = SNAPSHOT_BLOCK_HEADER + size;
    d->file_bytes += *taken;
    return ERR_OK;
}
