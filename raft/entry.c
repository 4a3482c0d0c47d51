#include "raft/entry.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"

enum entry_offset {
    OFFSET_SIZE = 0,
    OFFSET_CRC = 4,
    OFFSET_INDEX = 8,
    OFFSET_TERM = 16,
    OFFSET_TIME = 24,
    OFFSET_TYPE = 32,
    OFFSET_VERSION = 33,
    OFFSET_ZERO_16 = 34,
    OFFSET_ZERO_32 = 36,
};

void entry_begin(uint8_t *at, enum raft_entry_type type, int64_t time_ms, size_t payload_size)
{
    ASSERT(payload_size <= LIMIT_ENTRY_BYTES - ENTRY_HEADER_BYTES);
    memset(at, 0, ENTRY_HEADER_BYTES);
    put_u32(at + OFFSET_SIZE, (uint32_t)(payload_size + ENTRY_HEADER_BYTES));
    put_u64(at + OFFSET_TIME, (uint64_t)time_ms);
    at[OFFSET_TYPE] = (uint8_t)type;
    at[OFFSET_VERSION] = RAFT_ENTRY_VERSION;
}

void entry_seal(uint8_t *at, raft_index index, raft_term term)
{
    uint32_t size = get_u32(at + OFFSET_SIZE);
    put_u64(at + OFFSET_INDEX, index);
    put_u64(at + OFFSET_TERM, term);
    put_u32(at + OFFSET_CRC, crc32c(0, at + OFFSET_INDEX, size - OFFSET_INDEX));
}

static bool entry_type_valid(uint8_t type)
{
    return type == RAFT_ENTRY_NOOP || type == RAFT_ENTRY_CONF || type == RAFT_ENTRY_COMMAND;
}

void entry_view(const uint8_t *at, struct raft_entry *entry)
{
    uint32_t size = get_u32(at + OFFSET_SIZE);
    *entry = (struct raft_entry){
        .index = get_u64(at + OFFSET_INDEX),
        .term = get_u64(at + OFFSET_TERM),
        .time_ms = (int64_t)get_u64(at + OFFSET_TIME),
        .type = (enum raft_entry_type)at[OFFSET_TYPE],
        .bytes = {at, size},
        .payload = {at + ENTRY_HEADER_BYTES, size - ENTRY_HEADER_BYTES},
    };
}

enum err entry_decode(struct slice bytes, struct raft_entry *entry)
{
    if (bytes.n < ENTRY_HEADER_BYTES) {
        return ERR_TOO_BIG;
    }
    uint32_t size = get_u32(bytes.p + OFFSET_SIZE);
    if (size < ENTRY_HEADER_BYTES || size > LIMIT_ENTRY_BYTES) {
        return ERR_CORRUPT;
    }
    if (size > bytes.n) {
        return ERR_TOO_BIG;
    }
    if (crc32c(0, bytes.p + OFFSET_INDEX, size - OFFSET_INDEX) != get_u32(bytes.p + OFFSET_CRC)) {
        return ERR_CORRUPT;
    }
    if (bytes.p[OFFSET_VERSION] != RAFT_ENTRY_VERSION || !entry_type_valid(bytes.p[OFFSET_TYPE])) {
        return ERR_FORMAT;
    }
    if (get_u16(bytes.p + OFFSET_ZERO_16) != 0 || get_u32(bytes.p + OFFSET_ZERO_32) != 0) {
        return ERR_CORRUPT;
    }
    entry_view(bytes.p, entry);
    return ERR_OK;
}
