/* The history of changes.
 *
 * C1  It is made in the funnel, at apply, from the entry alone: position, content and what is dropped are the same on every node. No
 *     clock, no option: it goes on by CHANGES WATCH (an entry), and off by the first entry whose log time reaches its deadline.
 * C2  It is bounded by LIMIT_CHANGES_BYTES. The oldest change goes first; `first` says from which entry on nothing is missing, and
 *     whoever asks for more is told so (compacted), never given a gap.
 * C3  Values longer than LIMIT_CHANGE_VALUE_BYTES, and values that are no strings, are named by type and size.
 * C4  While it is off it costs the funnel one comparison per change. */

#include "keyspace/changes.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/limits.h"
#include "base/mem.h"
#include "keyspace/changes_internal.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/value.h"

/* What a change counts for besides its bytes; a number of its own, so that the bound is the same on every machine. */
#define CHANGE_OVERHEAD 160u
#define CHANGES_VERSION 1

static struct change_record *record_at(const struct change_history *c, uint64_t position)
{
    ASSERT(position >= c->begin && position < c->end);
    return c->ring[position % c->capacity];
}

static size_t record_size(const struct change_record *r)
{
    return CHANGE_OVERHEAD + r->event_n + r->key_n + r->before.bytes.n + r->after.bytes.n;
}

static void changes_drop_first(struct change_history *c)
{
    struct change_record *r = record_at(c, c->begin);
    c->first = r->index + 1;
    c->dropped = r->index;
    c->dropped_part = r->part;
    c->bytes -= record_size(r);
    c->digest -= r->hash;
    c->begin++;
    mem_free(r);
}

static void changes_clear(struct change_history *c)
{
    while (c->begin < c->end) {
        changes_drop_first(c);
    }
    mem_free(c->ring);
    c->ring = NULL;
    c->capacity = 0;
    ASSERT(c->bytes == 0 && c->digest == 0);
}

void changes_deinit(struct keyspace *k)
{
    changes_clear(&k->changes);
    buf_deinit(&k->changes.old_bytes);
}

/* --- on and off --- */

bool changes_are_on(const struct keyspace *k)
{
    return k->changes.is_on;
}

static void changes_switch_on(struct keyspace *k)
{
    struct change_history *c = &k->changes;
    if (!c->is_on) {
        c->is_on = true;
        c->first = k->index; /* The entry that does it changes no key. */
        c->dropped = k->index;
        c->dropped_part = 0;
    }
}

void changes_touch(struct keyspace *k)
{
    changes_switch_on(k);
    k->changes.until_ms = k->time_ms + LIMIT_CHANGES_IDLE_MS;
}

void changes_set_always(struct keyspace *k, bool is_always)
{
    if (is_always) {
        changes_switch_on(k);
    }
    k->changes.is_always = is_always;
}

bool changes_are_always(const struct keyspace *k)
{
    return k->changes.is_always;
}

int64_t changes_deadline(const struct keyspace *k)
{
    const struct change_history *c = &k->changes;
    return c->is_on && !c->is_always ? c->until_ms : KEYSPACE_NO_EXPIRY;
}

void changes_begin_entry(struct keyspace *k)
{
    struct change_history *c = &k->changes;
    c->last_part = 0;
    if (c->is_on && !c->is_always && k->time_ms >= c->until_ms) {
        changes_clear(c);
        c->is_on = false;
        c->generation++;
        c->first = 0;
        c->last_index = 0;
    }
}

/* --- making --- */

static struct change_value value_note(const struct value *value, struct buf *bytes)
{
    struct change_value v = {.kind = CHANGE_ABSENT};
    buf_clear(bytes, 65536);
    if (!value) {
        return v;
    }
    v.kind = CHANGE_REFERENCE;
    v.type = (uint8_t)value_get_type(value);
    if (v.type != VALUE_STRING) {
        return v; /* Its size in memory is no state. */
    }
    v.size = value_string_size(value);
    if (v.size <= LIMIT_CHANGE_VALUE_BYTES) {
        v.kind = CHANGE_BYTES;
        for (size_t done = 0; done < v.size;) {
            struct slice part = value_string_part(value, done);
            ASSERT(part.n > 0);
            buf_append_slice(bytes, part);
            done += part.n;
        }
    }
    v.bytes = buf_slice(bytes);
    return v;
}

void changes_note_before(struct keyspace *k, const struct value *value)
{
    k->changes.old = value_note(value, &k->changes.old_bytes);
}

static struct slice record_put(uint8_t **at, struct slice bytes)
{
    struct slice kept = {*at, bytes.n};
    if (bytes.n > 0) {
        memcpy(*at, bytes.p, bytes.n);
    }
    *at += bytes.n;
    return kept;
}

static struct change_record *record_new(const struct change *change)
{
    size_t bytes = change->event.n + change->key.n + change->before.bytes.n + change->after.bytes.n;
    struct change_record *r = mem_alloc(sizeof *r + bytes);
    uint8_t *at = r->bytes;
    *r = (struct change_record){
        .index = change->index,
        .part = change->part,
        .db = change->db,
        .event_n = (uint32_t)change->event.n,
        .key_n = (uint32_t)change->key.n,
        .before = change->before,
        .after = change->after,
    };
    (void)record_put(&at, change->event);
    (void)record_put(&at, change->key);
    r->before.bytes = record_put(&at, change->before.bytes);
    r->after.bytes = record_put(&at, change->after.bytes);
    return r;
}

static void record_encode(const struct change_record *r, struct buf *out)
{
    write_u64(out, r->index);
    write_u32(out, r->part);
    write_u32(out, r->db);
    write_blob(out, (struct slice){r->bytes, r->event_n});
    write_blob(out, (struct slice){r->bytes + r->event_n, r->key_n});
    const struct change_value *value[] = {&r->before, &r->after};
    for (size_t i = 0; i < 2; i++) {
        write_u8(out, (uint8_t)value[i]->kind);
        write_u8(out, value[i]->type);
        write_u64(out, value[i]->size);
        write_blob(out, value[i]->bytes);
    }
}

static void changes_push(struct keyspace *k, struct change_record *r)
{
    struct change_history *c = &k->changes;
    struct buf encoded = {0};
    record_encode(r, &encoded);
    struct slice bytes = buf_slice(&encoded);
    r->hash = siphash64(&k->seed, bytes.p, bytes.n);
    buf_deinit(&encoded);
    if (c->end - c->begin == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 64;
        struct change_record **ring = mem_alloc_array(capacity, sizeof(struct change_record *));
        for (uint64_t i = c->begin; i < c->end; i++) {
            ring[i % capacity] = c->ring[i % c->capacity];
        }
        mem_free(c->ring);
        c->ring = ring;
        c->capacity = capacity;
    }
    c->ring[c->end % c->capacity] = r;
    c->end++;
    c->bytes += record_size(r);
    c->digest += r->hash;
    while (c->bytes > LIMIT_CHANGES_BYTES && c->end - c->begin > 1) { /* C2 */
        changes_drop_first(c);
    }
}

static void changes_add(struct keyspace *k, uint32_t db, struct slice key, const char *event, const struct change_value *after)
{
    struct change_history *c = &k->changes;
    struct change change = {
        .index = k->index,
        .part = c->last_part++,
        .db = db,
        .event = slice_from_cstr(event),
        .key = key,
        .before = c->old,
        .after = *after,
    };
    change.before.bytes = c->old.kind == CHANGE_BYTES ? buf_slice(&c->old_bytes) : (struct slice){0};
    c->last_index = k->index;
    changes_push(k, record_new(&change));
    c->old = (struct change_value){0};
}

void changes_note_after(struct keyspace *k, uint32_t db, struct slice key, const char *event, const struct value *value)
{
    struct buf bytes = {0};
    struct change_value after = value_note(value, &bytes);
    changes_add(k, db, key, event, &after);
    buf_deinit(&bytes);
}

void changes_note_database(struct keyspace *k, uint32_t db, const char *event)
{
    struct change_value nothing = {.kind = CHANGE_ABSENT};
    k->changes.old = nothing;
    changes_add(k, db, (struct slice){0}, event, &nothing);
}

/* --- looking --- */

raft_index changes_first(const struct keyspace *k)
{
    return k->changes.is_on ? k->changes.first : 0;
}

raft_index changes_dropped(const struct keyspace *k, uint32_t *part)
{
    *part = k->changes.dropped_part;
    return k->changes.dropped;
}

raft_index changes_last(const struct keyspace *k, uint32_t *part)
{
    const struct change_history *c = &k->changes;
    *part = 0;
    if (c->begin == c->end) {
        return 0;
    }
    const struct change_record *r = record_at(c, c->end - 1);
    *part = r->part;
    return r->index;
}

size_t changes_count(const struct keyspace *k)
{
    return (size_t)(k->changes.end - k->changes.begin);
}

size_t changes_bytes(const struct keyspace *k)
{
    return k->changes.bytes;
}

uint64_t changes_begin(const struct keyspace *k)
{
    return k->changes.begin;
}

uint64_t changes_end(const struct keyspace *k)
{
    return k->changes.end;
}

uint64_t changes_generation(const struct keyspace *k)
{
    return k->changes.generation;
}

uint64_t changes_find(const struct keyspace *k, raft_index index, uint32_t part)
{
    const struct change_history *c = &k->changes;
    uint64_t low = c->begin;
    uint64_t high = c->end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct change_record *r = record_at(c, middle);
        if (r->index < index || (r->index == index && r->part < part)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void changes_get(const struct keyspace *k, uint64_t position, struct change *change)
{
    const struct change_record *r = record_at(&k->changes, position);
    *change = (struct change){
        .index = r->index,
        .part = r->part,
        .db = r->db,
        .event = {r->bytes, r->event_n},
        .key = {r->bytes + r->event_n, r->key_n},
        .before = r->before,
        .after = r->after,
    };
}

/* --- digest and snapshots --- */

uint64_t changes_digest(const struct keyspace *k)
{
    const struct change_history *c = &k->changes;
    if (!c->is_on) {
        return 0;
    }
    uint8_t head[8 * 7];
    put_u64(head, (uint64_t)c->until_ms);
    put_u64(head + 8, c->first);
    put_u64(head + 16, c->is_always);
    put_u64(head + 24, c->end - c->begin);
    put_u64(head + 32, c->bytes);
    put_u64(head + 40, c->dropped);
    put_u64(head + 48, c->dropped_part);
    return c->digest + siphash64(&k->seed, head, sizeof head);
}

void changes_encode(const struct keyspace *k, struct buf *out)
{
    const struct change_history *c = &k->changes;
    write_u8(out, CHANGES_VERSION);
    write_u8(out, c->is_on);
    write_u8(out, c->is_always);
    write_u64(out, (uint64_t)c->until_ms);
    write_u64(out, c->first);
    write_u64(out, c->dropped);
    write_u32(out, c->dropped_part);
    write_u64(out, c->last_index);
    write_u64(out, c->end - c->begin);
    for (uint64_t i = c->begin; i < c->end; i++) {
        record_encode(record_at(c, i), out);
    }
}

static bool value_decode(struct reader *r, struct change_value *v)
{
    uint8_t kind = read_u8(r);
    v->kind = kind == CHANGE_BYTES ? CHANGE_BYTES : kind == CHANGE_REFERENCE ? CHANGE_REFERENCE : CHANGE_ABSENT;
    v->type = read_u8(r);
    v->size = read_u64(r);
    v->bytes = read_blob(r);
    return kind <= CHANGE_REFERENCE && v->bytes.n <= LIMIT_CHANGE_VALUE_BYTES;
}

enum err changes_decode(struct keyspace *k, struct slice bytes)
{
    struct change_history *c = &k->changes;
    struct reader r = reader_of(bytes);
    if (read_u8(&r) != CHANGES_VERSION) {
        return ERR_FORMAT;
    }
    changes_clear(c);
    c->generation++;
    c->is_on = read_u8(&r) != 0;
    c->is_always = read_u8(&r) != 0;
    c->until_ms = (int64_t)read_u64(&r);
    raft_index first = read_u64(&r);
    raft_index dropped = read_u64(&r);
    uint32_t dropped_part = read_u32(&r);
    c->last_index = read_u64(&r);
    uint64_t count = read_u64(&r);
    for (uint64_t i = 0; i < count && !r.failed; i++) {
        struct change change = {.index = read_u64(&r), .part = read_u32(&r), .db = read_u32(&r)};
        change.event = read_blob(&r);
        change.key = read_blob(&r);
        if (!value_decode(&r, &change.before) || !value_decode(&r, &change.after) || r.failed) {
            return ERR_CORRUPT;
        }
        changes_push(k, record_new(&change));
    }
    c->first = first;
    c->dropped = dropped;
    c->dropped_part = dropped_part;
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}
