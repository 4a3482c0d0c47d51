#include "keyspace/used_ids.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "keyspace/keyspace_internal.h"

#define USED_IDS_VERSION 1

/* Position of the id, or where it would be. */
static size_t used_ids_position(const struct keyspace *k, raft_id id)
{
    size_t low = 0;
    size_t high = k->used_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->used[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool used_ids_contain(const struct keyspace *k, raft_id id)
{
    size_t i = used_ids_position(k, id);
    return i < k->used_count && k->used[i] == id;
}

void used_ids_add(struct keyspace *k, raft_id id)
{
    size_t i = used_ids_position(k, id);
    ASSERT(id != 0);
    if (i < k->used_count && k->used[i] == id)
        return;
    if (k->used_count == k->used_capacity) {
        k->used_capacity = k->used_capacity == 0 ? 8 : 2 * k->used_capacity;
        k->used = mem_realloc_array(k->used, k->used_capacity, sizeof *k->used);
    }
    memmove(k->used + i + 1, k->used + i, (k->used_count - i) * sizeof *k->used);
    k->used[i] = id;
    k->used_count++;
}

size_t used_ids_count(const struct keyspace *k)
{
    return k->used_count;
}

raft_id used_ids_at(const struct keyspace *k, size_t position)
{
    ASSERT(position < k->used_count);
    return k->used[position];
}

void used_ids_encode(const struct keyspace *k, struct buf *out)
{
    write_u8(out, USED_IDS_VERSION);
    write_u32(out, (uint32_t)k->used_count);
    for (size_t i = 0; i < k->used_count; i++)
        write_u64(out, k->used[i]);
}

enum err used_ids_decode(struct keyspace *k, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = read_u8(&r);
    uint32_t count = read_u32(&r);
    raft_id previous = 0;
    if (!r.failed && version != USED_IDS_VERSION)
        return ERR_FORMAT;
    if (r.failed || r.n != (size_t)count * 8)
        return ERR_CORRUPT;
    for (struct reader look = r; look.n > 0;) {
        raft_id id = read_u64(&look);
        if (id <= previous)
            return ERR_CORRUPT;
        previous = id;
    }
    k->used_count = 0;
    while (r.n > 0)
        used_ids_add(k, read_u64(&r));
    return ERR_OK;
}

uint64_t used_ids_digest(const struct keyspace *k)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < k->used_count; i++) {
        uint8_t bytes[16];
        put_u64(bytes, DIGEST_USED_ID);
        put_u64(bytes + 8, k->used[i]);
        sum += siphash64_fast(&k->seed, bytes, sizeof bytes);
    }
    return sum;
}
