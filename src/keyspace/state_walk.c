/* A walk over the whole state, in pieces, while commands go on changing it.
 *
 *        hash order ->
 *   db 0  |###########>............|      passed: in the stream already
 *   db 1  |........................|      not passed: taken when the walk gets there, or just
 *                                         before it changes, whichever is first
 *
 * The walk begins between two entries, at index S. What decides about a key is the index of its
 * last change:
 *
 * W1  A key whose last change is after S was made or changed since; what it was at S is in the
 *     stream already (W3). The walk skips it.
 *
 * W2  A key whose last change is not after S is as it was at S, value, expiry and all. It is in the
 *     stream if the walk has passed it, and will be if not.
 *
 * W3  The funnel tells the walk of each key that is about to change, go, move or expire
 *     (before_change). If it isn't passed yet and its last change isn't after S, it is taken now:
 *     a small value is written at once, a big one is shared (value_share), to be written chunk by
 *     chunk; the change then copies the chunks that it touches. Its last change is after S from now
 *     on, so it is never taken twice.
 *
 * W4  Where a key is in the stream is the tree it was in at S. SWAPDB swaps what the walk knows of
 *     the two trees with them. FLUSHALL hands a tree that isn't walked to the end to the walks,
 *     which free it (graveyard) when the last of them is done with it: nobody changes it any more.
 *     RENAME and MOVE take the value out of one key and put it into another: two changes. COPY is a
 *     change of its target.
 *
 * W5  Everything else that is state was written when the walk began: it is small.
 *
 * W6  What is kept alive for the stream is bounded: by whoever applies entries, who stops when
 *     state_walk_preimages exceeds its bound, so by that bound plus what one entry changes.
 *
 * Order of taking: what is open, then what is queued, then trees that were dropped, then the
 * databases. The digest (keyspace/digest.c) is a sum, so order means nothing to it. */

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/state_format.h"
#include "keyspace/state_internal.h"
#include "keyspace/value.h"

enum { WALK_KEYS_PER_STEP = 32 };

/* A tree that a flush took out of its database; shared by the walks that still need it. */
struct dropped_tree {
    struct dict dict;
    struct expiry_heap expiry;
    uint32_t users;
};

/* How far the walk is in one tree. */
struct walk_tree {
    uint32_t db;     /* of its keys, at S */
    uint64_t cursor; /* of dict_scan */
    bool has_begun;
    bool is_done;
    struct dropped_tree *dropped; /* in the list of those; NULL: the tree of a database */
};

/* A big value, taken and not written yet. */
struct walk_item {
    struct walk_item *next;
    struct value *value; /* a share */
    int64_t expiry_ms;
    raft_index last_change;
    uint64_t hash;
    uint32_t db;
    uint32_t key_size;
    uint8_t key[];
};

struct state_walk {
    struct keyspace *keyspace;
    enum state_purpose purpose;
    raft_index index; /* S */
    struct buf out;
    uint64_t digest;
    uint64_t key_count;
    bool is_done;
    struct walk_tree tree[LIMIT_DATABASES]; /* of the databases, by their present numbers */
    struct walk_tree *dropped;
    size_t dropped_count;
    /* The first is the one being written. */
    struct walk_item *first;
    struct walk_item **last;
    size_t item_bytes; /* of all but the first */
    struct value_cursor cursor;
    struct value_digest value_digest;
    bool has_value_digest; /* it is complete */
    bool has_begun_item;
};

/* --- records --- */

/* Begins a record; its size is filled in by walk_end_record. */
static size_t walk_begin_record(struct state_walk *w, enum state_record type)
{
    size_t at = buf_size(&w->out);
    write_u32(&w->out, 0);
    write_u8(&w->out, (uint8_t)type);
    return at;
}

static void walk_end_record(struct state_walk *w, size_t at)
{
    size_t size = buf_size(&w->out) - at - 4;
    ASSERT(size <= UINT32_MAX);
    put_u32(w->out.data + w->out.start + at, (uint32_t)size);
}

static void walk_write_sections(struct state_walk *w)
{
    for (size_t i = 0; i < state_section_count; i++) {
        const struct state_section *s = &state_section[i];
        size_t at = walk_begin_record(w, STATE_SECTION);
        size_t name_size = strlen(s->name);
        ASSERT(name_size <= UINT8_MAX);
        write_u8(&w->out, (uint8_t)name_size);
        buf_append(&w->out, s->name, name_size);
        write_u16(&w->out, s->version);
        s->write(w->keyspace, &w->out);
        walk_end_record(w, at);
    }
}

static void walk_write_key(struct state_walk *w,
                           uint32_t db,
                           int64_t expiry_ms,
                           raft_index last_change,
                           struct slice key,
                           enum state_key_flag flags)
{
    bool has_expiry = expiry_ms != KEYSPACE_NO_EXPIRY;
    write_u8(&w->out, (uint8_t)db);
    write_u8(&w->out, (uint8_t)(flags | (has_expiry ? STATE_HAS_EXPIRY : 0)));
    if (has_expiry) {
        write_u64(&w->out, (uint64_t)expiry_ms);
    }
    write_u64(&w->out, last_change);
    write_u32(&w->out, (uint32_t)key.n);
    buf_append_slice(&w->out, key);
}

/* --- taking --- */

/* False: its value has more than one piece (a small collection may hold long items). */
static bool walk_take_small(struct state_walk *w,
                            uint32_t db,
                            int64_t expiry_ms,
                            const struct dict_entry *e)
{
    if (w->purpose == STATE_SNAPSHOT) {
        struct value_cursor cursor = {0, 0};
        size_t at = walk_begin_record(w, STATE_KEY);
        walk_write_key(w, db, expiry_ms, e->last_change, dict_entry_key(e), 0);
        bool has_piece = value_write_piece(e->value, &cursor, &w->out);
        ASSERT(has_piece);
        size_t end = buf_size(&w->out);
        if (value_write_piece(e->value, &cursor, &w->out)) {
            buf_truncate(&w->out, at);
            return false;
        }
        ASSERT(buf_size(&w->out) == end);
        walk_end_record(w, at);
    }
    struct value_digest digest = {.hash = 0};
    while (value_digest_step(e->value, &w->keyspace->seed, &digest)) {
    }
    w->digest += digest_key(w->keyspace, db, e->hash, e->key_size, e->value, expiry_ms,
                            e->last_change, digest.hash);
    return true;
}

static void walk_take_big(struct state_walk *w,
                          uint32_t db,
                          int64_t expiry_ms,
                          const struct dict_entry *e)
{
    struct walk_item *item = mem_alloc(sizeof *item + e->key_size);
    *item = (struct walk_item){.value = value_share(e->value),
                               .expiry_ms = expiry_ms,
                               .last_change = e->last_change,
                               .hash = e->hash,
                               .db = db,
                               .key_size = e->key_size};
    if (e->key_size) {
        memcpy(item->key, e->key, e->key_size);
    }
    w->item_bytes += w->first ? value_memory(item->value) : 0;
    *w->last = item;
    w->last = &item->next;
}

static void
walk_take(struct state_walk *w, uint32_t db, int64_t expiry_ms, const struct dict_entry *e)
{
    ASSERT(e->last_change <= w->index); /* W2 */
    w->key_count++;
    if (value_has_root(e->value) || !walk_take_small(w, db, expiry_ms, e)) {
        walk_take_big(w, db, expiry_ms, e);
    }
}

/* --- the walk itself --- */

struct walk_call {
    struct state_walk *walk;
    uint32_t db;
    const struct expiry_heap *expiry;
};

static void walk_entry(void *ctx, const struct dict_entry *e)
{
    const struct walk_call *call = ctx;
    if (e->last_change <= call->walk->index) { /* W1 */
        int64_t expiry_ms =
            e->expiry_position ? expiry_at(call->expiry, e) : KEYSPACE_NO_EXPIRY;
        walk_take(call->walk, call->db, expiry_ms, e);
    }
}

static void walk_step_tree(struct state_walk *w,
                           struct walk_tree *tree,
                           const struct dict *dict,
                           const struct expiry_heap *expiry)
{
    struct walk_call call = {w, tree->db, expiry};
    tree->has_begun = true;
    tree->cursor = dict_scan(dict, tree->cursor, WALK_KEYS_PER_STEP, walk_entry, &call);
    tree->is_done = tree->cursor == 0;
}

static void dropped_release(struct keyspace *k, struct dropped_tree *tree)
{
    if (--tree->users == 0) {
        graveyard_add_dict(&k->graveyard, &tree->dict);
        expiry_deinit(&tree->expiry);
        mem_free(tree);
    }
}

static void walk_step_dropped(struct state_walk *w)
{
    struct walk_tree *tree = &w->dropped[w->dropped_count - 1];
    walk_step_tree(w, tree, &tree->dropped->dict, &tree->dropped->expiry);
    if (tree->is_done) {
        COVER("walk: a dropped tree was walked to its end");
        dropped_release(w->keyspace, tree->dropped);
        w->dropped_count--;
    }
}

static bool walk_step_databases(struct state_walk *w)
{
    for (uint32_t i = 0; i < LIMIT_DATABASES; i++) {
        if (!w->tree[i].is_done) {
            struct keyspace_db *db = &w->keyspace->db[i];
            walk_step_tree(w, &w->tree[i], &db->dict, &db->expiry);
            return true;
        }
    }
    return false;
}

/* The first item is complete. */
static void walk_finish_item(struct state_walk *w)
{
    struct walk_item *item = w->first;
    w->digest += digest_key(w->keyspace, item->db, item->hash, item->key_size, item->value,
                            item->expiry_ms, item->last_change, w->value_digest.hash);
    w->first = item->next;
    if (w->first) {
        w->item_bytes -= value_memory(w->first->value);
    } else {
        w->last = &w->first;
        ASSERT(w->item_bytes == 0);
    }
    graveyard_add_value(&w->keyspace->graveyard, item->value);
    mem_free(item);
    w->cursor = (struct value_cursor){0, 0};
    w->value_digest = (struct value_digest){.hash = 0};
    w->has_value_digest = false;
    w->has_begun_item = false;
}

static void walk_digest_item(struct state_walk *w)
{
    if (!w->has_value_digest) {
        w->has_value_digest =
            !value_digest_step(w->first->value, &w->keyspace->seed, &w->value_digest);
    }
}

/* The next chunk of the first item. */
static void walk_step_item(struct state_walk *w)
{
    struct walk_item *item = w->first;
    walk_digest_item(w);
    if (w->purpose == STATE_DIGEST) {
        if (w->has_value_digest) {
            walk_finish_item(w);
        }
        return;
    }
    size_t at = walk_begin_record(w, w->has_begun_item ? STATE_PIECE : STATE_KEY);
    if (!w->has_begun_item) {
        walk_write_key(w, item->db, item->expiry_ms, item->last_change,
                       (struct slice){item->key, item->key_size}, STATE_VALUE_OPEN);
        w->has_begun_item = true;
    }
    if (value_write_piece(item->value, &w->cursor, &w->out)) {
        walk_end_record(w, at);
        return;
    }
    buf_truncate(&w->out, at);
    if (!w->has_value_digest) {
        return; /* its steps are other ones than the pieces' */
    }
    at = walk_begin_record(w, STATE_VALUE_END);
    walk_end_record(w, at);
    walk_finish_item(w);
}

bool state_walk_step(struct state_walk *w)
{
    if (w->is_done) {
        return false;
    }
    if (w->first) {
        walk_step_item(w);
    } else if (w->dropped_count > 0) {
        walk_step_dropped(w);
    } else if (!walk_step_databases(w)) {
        if (w->purpose == STATE_SNAPSHOT) {
            size_t at = walk_begin_record(w, STATE_END);
            write_u64(&w->out, w->key_count);
            walk_end_record(w, at);
        }
        w->is_done = true;
    }
    return !w->is_done;
}

/* --- what the funnel tells --- */

static bool walk_has_passed(const struct walk_tree *tree, uint64_t hash)
{
    return tree->is_done || (tree->has_begun && dict_is_passed(hash, tree->cursor));
}

void state_walks_before_change(struct keyspace *k, uint32_t db, const struct dict_entry *e)
{
    for (size_t i = 0; i < STATE_WALKS; i++) {
        struct state_walk *w = k->walk[i];
        if (!w || e->last_change > w->index || walk_has_passed(&w->tree[db], e->hash)) {
            continue;
        }
        COVER("walk: a key is taken before it changes");
        walk_take(w, w->tree[db].db, keyspace_entry_expiry(&k->db[db], e), e); /* W3 */
    }
}

bool state_walks_before_flush(struct keyspace *k, uint32_t db)
{
    struct dropped_tree *dropped = NULL;
    for (size_t i = 0; i < STATE_WALKS; i++) {
        struct state_walk *w = k->walk[i];
        if (!w || w->tree[db].is_done) {
            continue;
        }
        COVER("walk: a tree is dropped before its end");
        if (!dropped) {
            dropped = mem_alloc_zero(sizeof *dropped);
            dropped->dict = k->db[db].dict;
            dropped->expiry = k->db[db].expiry;
        }
        dropped->users++;
        w->dropped = mem_realloc_array(w->dropped, w->dropped_count + 1, sizeof w->dropped[0]);
        w->dropped[w->dropped_count] = w->tree[db];
        w->dropped[w->dropped_count++].dropped = dropped;
        w->tree[db].is_done = true; /* what comes into it from now on is newer than S */
    }
    if (!dropped) {
        return false;
    }
    dict_init(&k->db[db].dict);
    expiry_init(&k->db[db].expiry);
    return true;
}

void state_walks_swapped(struct keyspace *k, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < STATE_WALKS; i++) {
        struct state_walk *w = k->walk[i];
        if (w) {
            struct walk_tree tree = w->tree[a];
            w->tree[a] = w->tree[b];
            w->tree[b] = tree;
        }
    }
}

/* --- life --- */

struct state_walk *state_walk_new(struct keyspace *k, enum state_purpose purpose)
{
    struct state_walk *w = mem_alloc_zero(sizeof *w);
    ASSERT(!k->walk[purpose] && !k->edited);
    w->keyspace = k;
    w->purpose = purpose;
    w->index = k->index;
    w->last = &w->first;
    w->digest = digest_rest(k);
    for (uint32_t i = 0; i < LIMIT_DATABASES; i++) {
        w->tree[i].db = i;
        w->tree[i].is_done = k->db[i].dict.count == 0;
    }
    if (purpose == STATE_SNAPSHOT) {
        walk_write_sections(w);
    }
    k->walk[purpose] = w;
    k->walk_count++;
    return w;
}

void state_walk_free(struct state_walk *w)
{
    if (!w) {
        return;
    }
    struct keyspace *k = w->keyspace;
    while (w->first) {
        struct walk_item *item = w->first;
        w->first = item->next;
        graveyard_add_value(&k->graveyard, item->value);
        mem_free(item);
    }
    while (w->dropped_count > 0) {
        dropped_release(k, w->dropped[--w->dropped_count].dropped);
    }
    k->walk[w->purpose] = NULL;
    k->walk_count--;
    buf_deinit(&w->out);
    mem_free(w->dropped);
    mem_free(w);
}

raft_index state_walk_index(const struct state_walk *w)
{
    return w->index;
}

struct buf *state_walk_output(struct state_walk *w)
{
    return &w->out;
}

size_t state_walk_preimages(const struct state_walk *w)
{
    return buf_size(&w->out) + w->item_bytes;
}

uint64_t state_walk_digest(const struct state_walk *w)
{
    ASSERT(w->is_done);
    return w->digest;
}

uint64_t state_walk_keys(const struct state_walk *w)
{
    return w->key_count;
}
