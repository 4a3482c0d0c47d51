/* A stream of records (state_format.h) into a keyspace that was just made. Nothing in it is trusted:
 * every size is compared with what is there, every key must be new, every value must be one. */

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/state.h"
#include "keyspace/state_format.h"
#include "keyspace/value.h"

enum {
    READER_RECORD_HEADER = 4,
    READER_KEY_LEAST_BYTES = 20, /* of a KEY record: what a promised count is compared with */
};

struct state_reader {
    struct keyspace *keyspace;
    uint64_t most_bytes;
    struct buf rest;     /* the beginning of a record whose end isn't there yet */
    uint64_t sections;   /* bit i: state_section[i] was read */
    uint64_t key_count;
    bool has_keys;       /* no sections from here on (R1) */
    bool has_ended;
    bool is_open;        /* a value of several pieces */
    uint32_t open_db;
    int64_t open_expiry_ms;
    raft_index open_last_change;
    struct buf open_key;
    struct value_builder builder;
};

struct state_reader *state_reader_new(struct keyspace *into, uint64_t most_bytes)
{
    struct state_reader *r = mem_alloc_zero(sizeof *r);
    ASSERT(into->index == 0 && state_section_count <= 64);
    r->keyspace = into;
    r->most_bytes = most_bytes;
    value_builder_init(&r->builder);
    return r;
}

void state_reader_free(struct state_reader *r)
{
    if (r) {
        value_builder_deinit(&r->builder);
        buf_deinit(&r->rest);
        buf_deinit(&r->open_key);
        mem_free(r);
    }
}

static enum err reader_section(struct state_reader *r, struct slice body)
{
    struct reader in = reader_of(body);
    uint8_t name_size = read_u8(&in);
    struct slice name = read_bytes(&in, name_size);
    uint16_t version = read_u16(&in);
    if (in.failed || r->has_keys) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < state_section_count; i++) {
        const struct state_section *s = &state_section[i];
        if (!slice_equal(name, slice_from_cstr(s->name))) {
            continue;
        }
        if (r->sections & (uint64_t)1 << i) {
            return ERR_CORRUPT;
        }
        if (version == 0 || version > s->version) {
            return ERR_FORMAT;
        }
        r->sections |= (uint64_t)1 << i;
        return s->read(r->keyspace, version, (struct slice){in.p, in.n});
    }
    return ERR_FORMAT;
}

/* The sections are complete: tables get their sizes. */
static enum err reader_begin_keys(struct state_reader *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < state_section_count; i++) {
        if (state_section[i].is_required && !(r->sections & (uint64_t)1 << i)) {
            return ERR_CORRUPT;
        }
    }
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        struct keyspace_db *db = &r->keyspace->db[i];
        sum += db->expected_keys;
        if (db->expected_keys > r->most_bytes || sum > r->most_bytes / READER_KEY_LEAST_BYTES) {
            return ERR_CORRUPT;
        }
        if (db->expected_keys > 0) {
            dict_reserve(&db->dict, db->expected_keys);
        }
    }
    r->has_keys = true;
    return ERR_OK;
}

/* Takes `v`. */
static enum err reader_put(struct state_reader *r,
                           uint32_t db_number,
                           struct slice key,
                           struct value *v,
                           int64_t expiry_ms,
                           raft_index last_change)
{
    struct keyspace *k = r->keyspace;
    struct keyspace_db *db = &k->db[db_number];
    uint64_t hash = siphash64_fast(&k->seed, key.p, key.n);
    if (dict_find(&db->dict, hash, key)) {
        value_free(v);
        return ERR_CORRUPT;
    }
    struct dict_entry *e = dict_insert(&db->dict, hash, key);
    e->value = v;
    e->last_change = last_change;
    if (expiry_ms != KEYSPACE_NO_EXPIRY) {
        expiry_set(&db->expiry, e, expiry_ms);
    }
    db->memory += dict_entry_memory(e) + value_memory(v);
    r->key_count++;
    return ERR_OK;
}

static enum err reader_key(struct state_reader *r, struct slice body)
{
    struct reader in = reader_of(body);
    uint8_t db = read_u8(&in);
    uint8_t flags = read_u8(&in);
    int64_t expiry_ms = KEYSPACE_NO_EXPIRY;
    if (flags & STATE_HAS_EXPIRY) {
        expiry_ms = (int64_t)read_u64(&in);
    }
    raft_index last_change = read_u64(&in);
    struct slice key = read_blob(&in);
    struct slice piece = {in.p, in.n};
    if (in.failed || db >= LIMIT_DATABASES || flags > (STATE_HAS_EXPIRY | STATE_VALUE_OPEN) ||
        ((flags & STATE_HAS_EXPIRY) && expiry_ms == KEYSPACE_NO_EXPIRY) || last_change == 0 ||
        last_change > r->keyspace->index) {
        return ERR_CORRUPT;
    }
    if (flags & STATE_VALUE_OPEN) {
        if (r->is_open || !value_builder_add(&r->builder, piece)) {
            return ERR_CORRUPT; /* R2 */
        }
        r->is_open = true;
        r->open_db = db;
        r->open_expiry_ms = expiry_ms;
        r->open_last_change = last_change;
        buf_clear(&r->open_key, 65536);
        buf_append_slice(&r->open_key, key);
        return ERR_OK;
    }
    struct value_builder builder;
    value_builder_init(&builder);
    struct value *v =
        value_builder_add(&builder, piece) ? value_builder_finish(&builder) : NULL;
    value_builder_deinit(&builder);
    return v ? reader_put(r, db, key, v, expiry_ms, last_change) : ERR_CORRUPT;
}

static enum err reader_value_end(struct state_reader *r)
{
    struct value *v = r->is_open ? value_builder_finish(&r->builder) : NULL;
    if (!v) {
        return ERR_CORRUPT;
    }
    r->is_open = false;
    return reader_put(r, r->open_db, buf_slice(&r->open_key), v, r->open_expiry_ms,
                      r->open_last_change);
}

static enum err reader_record(struct state_reader *r, struct slice record)
{
    if (record.n == 0 || r->has_ended) {
        return ERR_CORRUPT;
    }
    uint8_t type = record.p[0];
    struct slice body = slice_skip(record, 1);
    if (type != STATE_SECTION && !r->has_keys) {
        enum err e = reader_begin_keys(r);
        if (e != ERR_OK) {
            return e;
        }
    }
    switch (type) {
    case STATE_SECTION:
        return reader_section(r, body);
    case STATE_KEY:
        return reader_key(r, body);
    case STATE_PIECE:
        return r->is_open && value_builder_add(&r->builder, body) ? ERR_OK : ERR_CORRUPT;
    case STATE_VALUE_END:
        return body.n == 0 ? reader_value_end(r) : ERR_CORRUPT;
    case STATE_END:
        r->has_ended = true;
        return body.n == 8 && get_u64(body.p) == r->key_count && !r->is_open ? ERR_OK
                                                                             : ERR_CORRUPT;
    default: /* not an enumeration: any byte may stand in a stream */
        return ERR_CORRUPT;
    }
}

/* The records that are complete in `bytes`; *taken is how many bytes they are. */
static enum err reader_records(struct state_reader *r, struct slice bytes, size_t *taken)
{
    *taken = 0;
    while (bytes.n >= READER_RECORD_HEADER) {
        size_t size = get_u32(bytes.p);
        if (bytes.n - READER_RECORD_HEADER < size) {
            return ERR_OK;
        }
        enum err e = reader_record(r, (struct slice){bytes.p + READER_RECORD_HEADER, size});
        if (e != ERR_OK) {
            return e;
        }
        bytes = slice_skip(bytes, READER_RECORD_HEADER + size);
        *taken += READER_RECORD_HEADER + size;
    }
    return ERR_OK;
}

enum err state_reader_feed(struct state_reader *r, struct slice bytes)
{
    size_t taken = 0;
    enum err e = ERR_OK;
    if (buf_size(&r->rest) > 0) {
        /* Finish the record that began in the piece before: as many bytes as it wants, no more. */
        while (e == ERR_OK && bytes.n > 0 && buf_size(&r->rest) > 0) {
            size_t have = buf_size(&r->rest);
            size_t want = READER_RECORD_HEADER;
            if (have >= READER_RECORD_HEADER) {
                want += get_u32(r->rest.data + r->rest.start);
            }
            size_t n = want - have < bytes.n ? want - have : bytes.n;
            buf_append(&r->rest, bytes.p, n);
            bytes = slice_skip(bytes, n);
            e = reader_records(r, buf_slice(&r->rest), &taken);
            buf_consume(&r->rest, taken);
        }
    }
    if (e == ERR_OK && bytes.n > 0) {
        e = reader_records(r, bytes, &taken);
    }
    if (e == ERR_OK && bytes.n > taken) {
        buf_append_slice(&r->rest, slice_skip(bytes, taken));
    }
    return e;
}

enum err state_reader_finish(struct state_reader *r)
{
    return r->has_ended && buf_size(&r->rest) == 0 ? ERR_OK : ERR_CORRUPT;
}
