/* What is state beside the keys: a row for each at the end. */

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/state_format.h"
#include "keyspace/used_ids.h"

/* --- clock: u64 index, i64 log time --- */

static void clock_write(const struct keyspace *k, struct buf *out)
{
    write_u64(out, k->index);
    write_u64(out, (uint64_t)k->time_ms);
}

static enum err clock_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    (void)version;
    k->index = read_u64(&r);
    k->time_ms = (int64_t)read_u64(&r);
    return reader_done(&r) && k->time_ms >= 0 ? ERR_OK : ERR_CORRUPT;
}

/* --- databases: for each, u64 entry of the last swap --- */

static void databases_write(const struct keyspace *k, struct buf *out)
{
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        write_u64(out, k->db[i].swapped);
    }
}

static enum err databases_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    (void)version;
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        k->db[i].swapped = read_u64(&r);
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- sizes: for each database u64 keys, so that tables needn't grow while they fill. A hint: the
 * reader bounds it. --- */

static void sizes_write(const struct keyspace *k, struct buf *out)
{
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        write_u64(out, k->db[i].dict.count);
    }
}

static enum err sizes_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    (void)version;
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        k->db[i].expected_keys = read_u64(&r);
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- sessions: u32 count, for each member u64 id, u64 number, u8 flags, u64 last --- */

enum { SESSION_IS_OPEN = 1, SESSION_IS_SUSPENDED = 2 };

static void sessions_write(const struct keyspace *k, struct buf *out)
{
    size_t count = MUT(22) ? 0 : k->session_count;
    write_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct session_state *s = &k->session[i];
        write_u64(out, s->member);
        write_u64(out, s->number);
        write_u8(out, (uint8_t)((s->is_open ? SESSION_IS_OPEN : 0) |
                                (s->is_suspended ? SESSION_IS_SUSPENDED : 0)));
        write_u64(out, s->last);
    }
}

static enum err sessions_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint32_t count = read_u32(&r);
    raft_id before = 0;
    (void)version;
    if (r.failed || count > r.n / 25) {
        return ERR_CORRUPT;
    }
    mem_free(k->session);
    k->session = count ? mem_alloc_array(count, sizeof k->session[0]) : NULL;
    k->session_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct session_state *s = &k->session[i];
        *s = (struct session_state){.member = read_u64(&r), .number = read_u64(&r)};
        uint8_t flags = read_u8(&r);
        s->is_open = (flags & SESSION_IS_OPEN) != 0;
        s->is_suspended = (flags & SESSION_IS_SUSPENDED) != 0;
        s->last = read_u64(&r);
        if (s->member <= before || flags > (SESSION_IS_OPEN | SESSION_IS_SUSPENDED)) {
            return ERR_CORRUPT;
        }
        before = s->member;
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- creations (K6): u32 count, for each slot in use u32 slot, u64 index --- */

static void creations_write(const struct keyspace *k, struct buf *out)
{
    uint32_t count = 0;
    for (size_t i = 0; i < KEYSPACE_CREATION_SLOTS; i++) {
        count += k->creation[i] != 0;
    }
    write_u32(out, count);
    for (size_t i = 0; i < KEYSPACE_CREATION_SLOTS; i++) {
        if (k->creation[i]) {
            write_u32(out, (uint32_t)i);
            write_u64(out, k->creation[i]);
        }
    }
}

static enum err creations_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint32_t count = read_u32(&r);
    (void)version;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        uint32_t slot = read_u32(&r);
        raft_index index = read_u64(&r);
        if (slot >= KEYSPACE_CREATION_SLOTS || index == 0 || k->creation[slot]) {
            return ERR_CORRUPT;
        }
        k->creation[slot] = index;
        k->creation_digest += digest_creation(k, slot, index);
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- used node ids --- */

static enum err used_ids_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    (void)version;
    return used_ids_decode(k, bytes);
}

/* --- the running digest: u64 --- */

static void running_write(const struct keyspace *k, struct buf *out)
{
    write_u64(out, k->running_digest);
}

static enum err running_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    (void)version;
    k->running_digest = read_u64(&r);
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- the change feed's history: keyspace/changes.c --- */

static enum err changes_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    (void)version;
    return changes_decode(k, bytes);
}

/* --- settings: u16 count, for each u8 size of the name, the name, u64 value --- */

static void settings_write(const struct keyspace *k, struct buf *out)
{
    write_u16(out, SETTING_COUNT);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        struct slice name = slice_from_cstr(setting_at((enum setting)i)->name);
        write_u8(out, (uint8_t)name.n);
        buf_append_slice(out, name);
        write_u64(out, (uint64_t)k->setting[i]);
    }
}

static enum err settings_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint16_t count = read_u16(&r);
    bool is_read[SETTING_COUNT] = {false};
    (void)version;
    for (uint16_t i = 0; i < count && !r.failed; i++) {
        struct slice name = read_bytes(&r, read_u8(&r));
        int64_t value = (int64_t)read_u64(&r);
        enum setting s;
        if (r.failed) {
            break;
        }
        if (!setting_find(name, &s)) {
            return ERR_FORMAT; /* of a newer version */
        }
        if (is_read[s] || value < setting_at(s)->min || value > setting_at(s)->max) {
            return ERR_CORRUPT;
        }
        is_read[s] = true;
        k->setting[s] = value;
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

/* --- clients that wait: keyspace/waiters.c --- */

static enum err waiters_read(struct keyspace *k, uint16_t version, struct slice bytes)
{
    (void)version;
    return waiters_decode(k, bytes);
}

const struct state_section state_section[] = {
    {"clock", 1, true, clock_write, clock_read},
    {"databases", 1, true, databases_write, databases_read},
    {"sizes", 1, true, sizes_write, sizes_read},
    {"sessions", 1, true, sessions_write, sessions_read},
    {"creations", 1, true, creations_write, creations_read},
    {"used-ids", 1, true, used_ids_encode, used_ids_read},
    {"running-digest", 1, true, running_write, running_read},
    {"changes", 1, false, changes_encode, changes_read},
    {"settings", 1, false, settings_write, settings_read},
    {"waiters", 1, false, waiters_encode, waiters_read},
};
const size_t state_section_count = sizeof state_section / sizeof state_section[0];
