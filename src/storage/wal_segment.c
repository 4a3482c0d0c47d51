#include "storage/wal_segment.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define NAME_PREFIX "wal-"
#define NAME_SUFFIX ".log"
#define NAME_DIGITS 16

void wal_segment_name(uint64_t id, char name[WAL_NAME_BYTES])
{
    snprintf(name, WAL_NAME_BYTES, NAME_PREFIX "%016llx" NAME_SUFFIX, (unsigned long long)id);
}

uint64_t wal_segment_id_of(const char *name)
{
    const size_t prefix = sizeof(NAME_PREFIX) - 1;
    if (strlen(name) != prefix + NAME_DIGITS + sizeof(NAME_SUFFIX) - 1 ||
        strncmp(name, NAME_PREFIX, prefix) != 0 ||
        strcmp(name + prefix + NAME_DIGITS, NAME_SUFFIX) != 0) {
        return 0;
    }
    uint64_t id = 0;
    for (size_t i = 0; i < NAME_DIGITS; i++) {
        char c = name[prefix + i];
        if (c >= '0' && c <= '9') {
            id = id * 16 + (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            id = id * 16 + (uint64_t)(c - 'a') + 10;
        } else {
            return 0;
        }
    }
    /* Numbers that an LSN can't hold were not made here. */
    return id >> (64 - WAL_LSN_OFFSET_BITS) == 0 ? id : 0;
}

struct wal_segment *
wal_segment_new(uint64_t id, uint32_t key, raft_index start, raft_term prev_term)
{
    struct wal_segment *s = mem_alloc_zero(sizeof(*s));
    s->id = id;
    s->key = key;
    s->start = start;
    s->end = start;
    s->prev_term = prev_term;
    return s;
}

void wal_segment_free(struct wal_segment *s)
{
    if (s) {
        mem_free(s->point);
        mem_free(s);
    }
}

void wal_segment_add_point(struct wal_segment *s, raft_index index, uint64_t offset, bool force)
{
    if (s->point_count > 0) {
        const struct wal_point *last = &s->point[s->point_count - 1];
        ASSERT(last->index < index && last->offset <= offset);
        if (!force && offset - last->offset < WAL_POINT_EVERY_BYTES) {
            return;
        }
    }
    if (s->point_count == s->point_capacity) {
        s->point_capacity = s->point_capacity ? s->point_capacity * 2 : 4;
        s->point = mem_realloc_array(s->point, s->point_capacity, sizeof(*s->point));
    }
    s->point[s->point_count++] = (struct wal_point){index, offset};
}

void wal_segment_truncate(struct wal_segment *s, raft_index from, raft_term prev_term)
{
    if (from < s->start) {
        s->start = from;
        s->prev_term = prev_term;
    }
    if (from < s->end) {
        s->end = from;
    }
    while (s->point_count > 0 && s->point[s->point_count - 1].index >= from) {
        s->point_count--;
    }
}

const struct wal_point *
wal_segment_find(const struct wal_segment *s, raft_index index, raft_index *range_end)
{
    uint32_t low = 0; /* points before `low` are at or before index */
    uint32_t high = s->point_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->point[middle].index <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *range_end = low < s->point_count ? s->point[low].index : UINT64_MAX;
    return low > 0 ? &s->point[low - 1] : NULL;
}

enum err wal_file_load(struct vfs *v, const char *name, struct buf *out)
{
    struct vfs_file *f;
    enum err e = v->call->open(v, name, false, &f);
    if (e != ERR_OK) {
        return e;
    }
    uint64_t size;
    size_t got = 0;
    buf_clear(out, SIZE_MAX);
    e = v->call->size(f, &size);
    if (e == ERR_OK && size > 0) {
        e = v->call->read(f, 0, buf_reserve(out, (size_t)size), (size_t)size, &got);
        if (e == ERR_OK) {
            buf_commit(out, got);
        }
    }
    v->call->close(f);
    return e;
}

enum err wal_file_zero(struct vfs *v, struct vfs_file *f, uint64_t from, uint64_t n)
{
    /* Always the same pages: fresh ones would each cost a page fault, more than the write itself. */
    static const uint8_t zeros[65536];
    enum err e = ERR_OK;
    while (n > 0 && e == ERR_OK) {
        size_t piece = n < sizeof zeros ? (size_t)n : sizeof zeros;
        e = v->call->write(f, from, zeros, piece);
        from += piece;
        n -= piece;
    }
    return e;
}

bool wal_is_zero(const uint8_t *p, size_t n)
{
    while (n > 0 && *p == 0 && n % 64 != 0) {
        p++;
        n--;
    }
    for (; n >= 64; p += 64, n -= 64) {
        static const uint8_t zeros[64];
        if (memcmp(p, zeros, 64) != 0) {
            return false;
        }
    }
    return n == 0;
}
