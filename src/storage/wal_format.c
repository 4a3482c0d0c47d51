#include "storage/wal_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"

#define BATCH_MAGIC 0x31425743u  /* "CWB1" */
#define FOOTER_MAGIC 0x31465743u /* "CWF1" */
#define HEAD_BYTES (24u + WAL_IDENTITY_BYTES)
#define STATE_BYTES 56u
#define TRUNCATE_BYTES 16u

STATIC_ASSERT(WAL_BATCH_HEADER_BYTES + WAL_RECORD_HEADER_BYTES + HEAD_BYTES <= WAL_HEAD_PROBE_BYTES,
              "a segment's identity lies in its first unit");

static void put_identity(uint8_t *p, const struct wal_identity *identity)
{
    put_u64(p, identity->cluster_id);
    put_u64(p + 8, identity->node_id);
    put_u64(p + 16, identity->incarnation);
    put_u64(p + 24, identity->hash_seed[0]);
    put_u64(p + 32, identity->hash_seed[1]);
}

static void get_identity(const uint8_t *p, struct wal_identity *identity)
{
    identity->cluster_id = get_u64(p);
    identity->node_id = get_u64(p + 8);
    identity->incarnation = get_u64(p + 16);
    identity->hash_seed[0] = get_u64(p + 24);
    identity->hash_seed[1] = get_u64(p + 32);
}

uint32_t wal_key(const struct wal_identity *identity, uint64_t segment)
{
    uint8_t bytes[WAL_IDENTITY_BYTES + 8];
    put_identity(bytes, identity);
    put_u64(bytes + 16, 0); /* The incarnation changes at every start; files of one life are no
                               strangers to the next. */
    put_u64(bytes + WAL_IDENTITY_BYTES, segment);
    return crc32c(0, bytes, sizeof(bytes));
}

static uint64_t round_up(uint64_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

uint64_t wal_padded_bytes(uint64_t body_bytes, uint32_t sector_bytes)
{
    return round_up(body_bytes, sector_bytes);
}

uint64_t wal_batch_bytes(uint64_t body_bytes, uint32_t sector_bytes)
{
    uint64_t padded = wal_padded_bytes(body_bytes, sector_bytes);
    return padded + round_up(WAL_FOOTER_BYTES + 4 * (padded / WAL_UNIT_BYTES), sector_bytes);
}

void wal_batch_begin(struct wal_batch_builder *b,
                     struct buf *out,
                     const struct wal_batch_header *header,
                     uint32_t key)
{
    ASSERT(header->sector_bytes >= WAL_UNIT_BYTES && header->sector_bytes % WAL_UNIT_BYTES == 0);
    ASSERT(header->offset % header->sector_bytes == 0);
    b->out = out;
    b->header = *header;
    b->header.record_count = 0;
    b->key = key;
    b->chain = header->chain_before;
    buf_truncate(out, 0);
    memset(buf_reserve(out, WAL_BATCH_HEADER_BYTES), 0, WAL_BATCH_HEADER_BYTES);
    buf_commit(out, WAL_BATCH_HEADER_BYTES);
}

void wal_batch_add(struct wal_batch_builder *b,
                   enum wal_record_type type,
                   struct slice front,
                   struct slice rest)
{
    uint8_t header[WAL_RECORD_HEADER_BYTES];
    ASSERT(front.n + rest.n <= UINT32_MAX);
    put_u32(header, (uint32_t)(front.n + rest.n));
    put_u32(header + 4, (uint32_t)type);
    b->chain = crc32c(b->chain, header, 8);
    b->chain = crc32c(b->chain, front.p, front.n);
    b->chain = crc32c(b->chain, rest.p, rest.n);
    put_u32(header + 8, b->chain);
    put_u32(header + 12, crc32c(b->key, header, 12));
    buf_append(b->out, header, sizeof(header));
    buf_append_slice(b->out, front);
    buf_append_slice(b->out, rest);
    b->header.record_count++;
}

void wal_batch_add_head(struct wal_batch_builder *b, const struct wal_head *head)
{
    uint8_t p[HEAD_BYTES];
    put_u64(p, head->previous);
    put_u64(p + 8, head->first_index);
    put_u64(p + 16, head->prev_term);
    put_identity(p + 24, &head->identity);
    wal_batch_add(b, WAL_RECORD_HEAD, (struct slice){p, sizeof(p)}, (struct slice){NULL, 0});
}

void wal_batch_add_state(struct wal_batch_builder *b,
                         const struct wal_node_state *state,
                         const struct wal_taint *taint)
{
    uint8_t p[STATE_BYTES];
    put_u64(p, state->hard.term);
    put_u64(p + 8, state->hard.vote);
    put_u64(p + 16, state->session_number);
    put_u64(p + 24, (uint64_t)taint->health);
    put_u64(p + 32, taint->suspect_term);
    put_u64(p + 40, taint->suspect_last_index);
    put_u64(p + 48, taint->suspect_last_term);
    wal_batch_add(b, WAL_RECORD_STATE, (struct slice){p, sizeof(p)}, (struct slice){NULL, 0});
}

void wal_batch_add_conf(struct wal_batch_builder *b, raft_index index, struct slice encoded)
{
    uint8_t p[8];
    put_u64(p, index);
    wal_batch_add(b, WAL_RECORD_CONF, (struct slice){p, sizeof(p)}, encoded);
}

void wal_batch_add_truncate(struct wal_batch_builder *b, raft_index from, raft_term prev_term)
{
    uint8_t p[TRUNCATE_BYTES];
    put_u64(p, from);
    put_u64(p + 8, prev_term);
    wal_batch_add(b, WAL_RECORD_TRUNCATE, (struct slice){p, sizeof(p)}, (struct slice){NULL, 0});
}

static void append_zeros(struct buf *out, size_t n)
{
    if (n > 0) {
        memset(buf_reserve(out, n), 0, n);
        buf_commit(out, n);
    }
}

static uint16_t log2_of(uint32_t n)
{
    uint16_t bits = 0;
    while ((1u << bits) < n) {
        bits++;
    }
    return bits;
}

static void put_batch_header(uint8_t *p, const struct wal_batch_header *h, uint32_t key)
{
    put_u32(p, BATCH_MAGIC);
    put_u16(p + 8, WAL_FORMAT_VERSION);
    put_u16(p + 10, log2_of(h->sector_bytes));
    put_u32(p + 12, h->record_count);
    put_u64(p + 16, h->segment);
    put_u64(p + 24, h->offset);
    put_u64(p + 32, h->durable);
    put_u64(p + 40, h->body_bytes);
    put_u32(p + 48, h->chain_before);
    put_u32(p + 52, h->chain_after);
    put_u64(p + 56, h->node_id);
    put_u32(p + 4, crc32c(key, p + 8, WAL_BATCH_HEADER_BYTES - 8));
}

void wal_batch_end(struct wal_batch_builder *b, const struct wal_footer *footer)
{
    struct wal_batch_header *h = &b->header;
    h->body_bytes = buf_size(b->out);
    h->chain_after = b->chain;
    size_t padded = (size_t)wal_padded_bytes(h->body_bytes, h->sector_bytes);
    size_t total = (size_t)wal_batch_bytes(h->body_bytes, h->sector_bytes);
    uint32_t units = (uint32_t)(padded / WAL_UNIT_BYTES);
    append_zeros(b->out, total - buf_size(b->out));

    uint8_t *body = b->out->data + b->out->start;
    put_batch_header(body, h, b->key);
    uint8_t *p = body + padded;
    put_u32(p, FOOTER_MAGIC);
    put_u64(p + 8, h->segment);
    put_u64(p + 16, h->offset);
    put_u64(p + 24, h->body_bytes);
    put_u64(p + 32, h->durable);
    put_u32(p + 40, units);
    put_u32(p + 44, h->chain_after);
    put_u64(p + 48, footer->state.hard.term);
    put_u64(p + 56, footer->state.hard.vote);
    put_u64(p + 64, footer->state.session_number);
    put_u64(p + 72, footer->last_index);
    put_u64(p + 80, footer->last_term);
    put_identity(p + 88, &footer->identity);
    for (uint32_t i = 0; i < units; i++) {
        put_u32(p + WAL_FOOTER_BYTES + 4 * (size_t)i,
                crc32c(0, body + (size_t)i * WAL_UNIT_BYTES, WAL_UNIT_BYTES));
    }
    put_u32(p + 4, crc32c(0, p + 8, WAL_FOOTER_BYTES - 8 + 4 * (size_t)units));
}

/* What the header says, its checksum verified, its place not yet. */
static enum err batch_header_parse(struct slice bytes, uint32_t key, struct wal_batch_header *h)
{
    if (bytes.n < WAL_BATCH_HEADER_BYTES || get_u32(bytes.p) != BATCH_MAGIC ||
        get_u32(bytes.p + 4) != crc32c(key, bytes.p + 8, WAL_BATCH_HEADER_BYTES - 8)) {
        return ERR_CORRUPT;
    }
    if (get_u16(bytes.p + 8) != WAL_FORMAT_VERSION) {
        return ERR_FORMAT;
    }
    uint16_t shift = get_u16(bytes.p + 10);
    if (shift < 9 || shift > 16) {
        return ERR_CORRUPT;
    }
    h->sector_bytes = 1u << shift;
    h->record_count = get_u32(bytes.p + 12);
    h->segment = get_u64(bytes.p + 16);
    h->offset = get_u64(bytes.p + 24);
    h->durable = get_u64(bytes.p + 32);
    h->body_bytes = get_u64(bytes.p + 40);
    h->chain_before = get_u32(bytes.p + 48);
    h->chain_after = get_u32(bytes.p + 52);
    h->node_id = get_u64(bytes.p + 56);
    /* The size bounds every later computation: no sum below may wrap. */
    if (h->body_bytes < WAL_BATCH_HEADER_BYTES || h->body_bytes >> WAL_LSN_OFFSET_BITS != 0) {
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

bool wal_batch_header_decode(struct slice bytes,
                             uint32_t key,
                             uint64_t segment,
                             uint64_t offset,
                             struct wal_batch_header *header)
{
    return batch_header_parse(bytes, key, header) == ERR_OK && header->segment == segment &&
           header->offset == offset;
}

enum err wal_head_probe(struct slice bytes, uint64_t segment, struct wal_head *head)
{
    const size_t at = WAL_BATCH_HEADER_BYTES + WAL_RECORD_HEADER_BYTES;
    if (bytes.n < at + HEAD_BYTES) {
        return ERR_CORRUPT;
    }
    /* The identity inside keys the checksums around it. */
    struct wal_identity identity;
    get_identity(bytes.p + at + 24, &identity);
    uint32_t key = wal_key(&identity, segment);
    struct wal_batch_header header;
    enum err e = batch_header_parse(bytes, key, &header);
    if (e != ERR_OK) {
        return e;
    }
    struct wal_record record;
    if (header.segment != segment || header.offset != 0 || header.chain_before != key ||
        header.node_id != identity.node_id ||
        !wal_record_decode(slice_skip(bytes, WAL_BATCH_HEADER_BYTES), key, key, &record) ||
        record.type != WAL_RECORD_HEAD || !wal_head_decode(record.payload, head) ||
        head->previous != header.durable) {
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

bool wal_record_decode(struct slice bytes, uint32_t key, uint32_t chain, struct wal_record *record)
{
    if (bytes.n < WAL_RECORD_HEADER_BYTES || get_u32(bytes.p + 12) != crc32c(key, bytes.p, 12)) {
        return false;
    }
    uint32_t size = get_u32(bytes.p);
    uint32_t type = get_u32(bytes.p + 4);
    if (size > bytes.n - WAL_RECORD_HEADER_BYTES || type < WAL_RECORD_HEAD ||
        type > WAL_RECORD_ENTRY) {
        return false;
    }
    chain = crc32c(chain, bytes.p, 8);
    chain = crc32c(chain, bytes.p + WAL_RECORD_HEADER_BYTES, size);
    record->type = (enum wal_record_type)type;
    record->payload = (struct slice){bytes.p + WAL_RECORD_HEADER_BYTES, size};
    record->chain = chain;
    return chain == get_u32(bytes.p + 8);
}

/* Payloads must decode too: what recovery applies is only what passed here. */
static bool payload_is_valid(const struct wal_record *record)
{
    struct raft_entry entry;
    struct wal_node_state state;
    struct wal_taint taint;
    struct wal_head head;
    raft_index index;
    raft_term term;
    struct slice encoded;
    switch (record->type) {
    case WAL_RECORD_HEAD:
        return wal_head_decode(record->payload, &head);
    case WAL_RECORD_STATE:
        return wal_state_decode(record->payload, &state, &taint);
    case WAL_RECORD_CONF:
        return wal_conf_decode(record->payload, &index, &encoded);
    case WAL_RECORD_TRUNCATE:
        return wal_truncate_decode(record->payload, &index, &term);
    case WAL_RECORD_ENTRY:
        break;
    }
    /* An entry of a later version is no damage; whoever uses it says so. */
    enum err e = entry_decode(record->payload, &entry);
    return (e == ERR_OK || e == ERR_FORMAT) && get_u32(record->payload.p) == record->payload.n;
}

bool wal_batch_check(struct slice bytes,
                     uint32_t key,
                     uint64_t segment,
                     uint64_t offset,
                     uint32_t chain_before,
                     struct wal_batch_header *header)
{
    if (!wal_batch_header_decode(bytes, key, segment, offset, header) ||
        header->body_bytes > bytes.n || header->chain_before != chain_before) {
        return false;
    }
    struct slice rest = {bytes.p + WAL_BATCH_HEADER_BYTES,
                         (size_t)header->body_bytes - WAL_BATCH_HEADER_BYTES};
    uint32_t chain = header->chain_before;
    for (uint32_t i = 0; i < header->record_count; i++) {
        struct wal_record record;
        if (!wal_record_decode(rest, key, chain, &record) || !payload_is_valid(&record) ||
            (record.type == WAL_RECORD_HEAD) != (offset == 0 && i == 0)) {
            return false;
        }
        chain = record.chain;
        rest = slice_skip(rest, WAL_RECORD_HEADER_BYTES + record.payload.n);
    }
    return rest.n == 0 && chain == header->chain_after;
}

bool wal_footer_decode(struct slice bytes,
                       uint64_t segment,
                       struct wal_footer *f,
                       const uint8_t **unit_crc)
{
    if (bytes.n < WAL_FOOTER_BYTES || get_u32(bytes.p) != FOOTER_MAGIC) {
        return false;
    }
    const uint8_t *p = bytes.p;
    f->segment = get_u64(p + 8);
    f->offset = get_u64(p + 16);
    f->body_bytes = get_u64(p + 24);
    f->durable = get_u64(p + 32);
    f->unit_count = get_u32(p + 40);
    f->chain_after = get_u32(p + 44);
    f->state.hard.term = get_u64(p + 48);
    f->state.hard.vote = get_u64(p + 56);
    f->state.session_number = get_u64(p + 64);
    f->last_index = get_u64(p + 72);
    f->last_term = get_u64(p + 80);
    get_identity(p + 88, &f->identity);
    if (f->unit_count > (bytes.n - WAL_FOOTER_BYTES) / 4 || f->segment != segment ||
        get_u32(p + 4) != crc32c(0, p + 8, WAL_FOOTER_BYTES - 8 + 4 * (size_t)f->unit_count)) {
        return false;
    }
    *unit_crc = p + WAL_FOOTER_BYTES;
    return true;
}

bool wal_state_decode(struct slice payload, struct wal_node_state *state, struct wal_taint *taint)
{
    if (payload.n != STATE_BYTES || get_u64(payload.p + 24) > WAL_CORRUPT) {
        return false;
    }
    state->hard.term = get_u64(payload.p);
    state->hard.vote = get_u64(payload.p + 8);
    state->session_number = get_u64(payload.p + 16);
    taint->health = (enum wal_health)get_u64(payload.p + 24);
    taint->suspect_term = get_u64(payload.p + 32);
    taint->suspect_last_index = get_u64(payload.p + 40);
    taint->suspect_last_term = get_u64(payload.p + 48);
    return true;
}

bool wal_head_decode(struct slice payload, struct wal_head *head)
{
    if (payload.n != HEAD_BYTES) {
        return false;
    }
    head->previous = get_u64(payload.p);
    head->first_index = get_u64(payload.p + 8);
    head->prev_term = get_u64(payload.p + 16);
    get_identity(payload.p + 24, &head->identity);
    return head->first_index > 0 && head->first_index < UINT64_MAX / 2 &&
           head->identity.node_id != 0;
}

bool wal_truncate_decode(struct slice payload, raft_index *from, raft_term *prev_term)
{
    if (payload.n != TRUNCATE_BYTES) {
        return false;
    }
    *from = get_u64(payload.p);
    *prev_term = get_u64(payload.p + 8);
    return *from > 0;
}

bool wal_conf_decode(struct slice payload, raft_index *index, struct slice *encoded)
{
    struct raft_conf conf;
    if (payload.n < 8) {
        return false;
    }
    *index = get_u64(payload.p);
    *encoded = slice_skip(payload, 8);
    return raft_conf_decode(*encoded, &conf) == ERR_OK;
}
