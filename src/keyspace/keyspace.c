/* The funnel: every change of the data passes through one of the functions under "changes". Each of
 * them fires before_change while the old value is still there; makes the change and keeps entry,
 * expiry heap and memory count together; stores the entry's index as the key's last change; fires
 * changed.
 *
 * K1  A key whose expiry is <= the time of a step is absent to that step, whether it was removed
 *     already or not.
 *
 * K2  Only entries change state; a read leaves no trace, also not in the tables' layout.
 *
 * K3  Due keys are removed at the beginning of an entry, LIMIT_EXPIRED_PER_ENTRY at most, in the
 *     order (expiry, last change, database, key), or by a write that meets one. Both depend on the
 *     entries alone.
 *
 * K4  Between keyspace_edit and keyspace_changed nothing else changes.
 *
 * K5  SWAPDB changes every key of both databases: a key's last change is the later of its own and
 * its database's last swap. Flushing a database leaves its swap alone: no key of it is left.
 *
 * K6  Whoever saw a key absent can tell whether it was created since, even if it is gone again: the
 *     index of the last creation is kept per slot of the hash, for all databases together, since
 * keys move between them. A key can't come and go without a creation, so removals need no trace,
 * and a flush costs nothing. Bounded, and part of the state: every node refuses the same EXEC. */

#include "keyspace/keyspace.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/state_internal.h"
#include "keyspace/value.h"

enum {
    KEYSPACE_FREED_PER_ENTRY = 32, /* pieces of dropped trees freed while one entry is applied */
    KEYSPACE_FREED_PER_IDLE = 128,
    KEYSPACE_CHAINS_PER_IDLE = 256,
};

/* --- life --- */

struct keyspace *keyspace_new(const struct siphash_key *seed, const struct keyspace_hooks *hooks)
{
    struct keyspace *k = mem_alloc_zero(sizeof *k);
    k->seed = *seed;
    if (hooks) {
        k->hooks = *hooks;
    }
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        dict_init(&k->db[i].dict);
        expiry_init(&k->db[i].expiry);
    }
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        k->setting[i] = setting_at((enum setting)i)->value;
    }
    k->creation = mem_alloc_zero(KEYSPACE_CREATION_SLOTS * sizeof k->creation[0]);
    graveyard_init(&k->graveyard);
    return k;
}

static void keyspace_drop_db(struct keyspace *k, struct keyspace_db *db)
{
    graveyard_add_dict(&k->graveyard, &db->dict);
    expiry_deinit(&db->expiry);
    db->memory = 0;
}

void keyspace_free(struct keyspace *k)
{
    if (!k) {
        return;
    }
    ASSERT(k->walk_count == 0);
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        keyspace_drop_db(k, &k->db[i]);
    }
    graveyard_deinit(&k->graveyard);
    changes_deinit(k);
    waiters_deinit(k);
    mem_free(k->session);
    mem_free(k->used);
    mem_free(k->creation);
    mem_free(k);
}

void keyspace_set_seed(struct keyspace *k, const struct siphash_key *seed)
{
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        ASSERT(k->db[i].dict.count == 0);
    }
    k->seed = *seed;
}

void keyspace_take_over(struct keyspace *k, struct keyspace *from)
{
    ASSERT(k->walk_count == 0 && from->walk_count == 0 && !k->edited && !from->edited);
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        keyspace_drop_db(k, &k->db[i]);
        k->db[i] = from->db[i];
        dict_init(&from->db[i].dict);
        expiry_init(&from->db[i].expiry);
    }
    mem_free(k->session);
    mem_free(k->creation);
    mem_free(k->used);
    k->seed = from->seed;
    k->index = from->index;
    k->time_ms = from->time_ms;
    k->session = from->session;
    k->session_count = from->session_count;
    memcpy(k->setting, from->setting, sizeof k->setting);
    k->creation = from->creation;
    k->creation_digest = from->creation_digest;
    k->used = from->used;
    k->used_count = from->used_count;
    k->used_capacity = from->used_capacity;
    k->running_digest = from->running_digest;
    struct change_history changes = k->changes; /* freed with `from` */
    k->changes = from->changes;
    k->changes.generation = changes.generation + 1;
    from->changes = changes;
    waiters_take_over(k, from);
    from->session = NULL;
    from->creation = NULL;
    from->used = NULL;
    keyspace_free(from);
}

raft_index keyspace_index(const struct keyspace *k)
{
    return k->index;
}

int64_t keyspace_time_ms(const struct keyspace *k)
{
    return k->time_ms;
}

/* --- finding --- */

static struct keyspace_db *keyspace_db_of(const struct keyspace_view *view)
{
    ASSERT(view->db < LIMIT_DATABASES);
    return &view->keyspace->db[view->db];
}

int64_t keyspace_view_time(const struct keyspace_view *view)
{
    int64_t state_ms = view->keyspace->time_ms;
    return view->is_write || state_ms > view->time_ms ? state_ms : view->time_ms;
}

static size_t keyspace_entry_memory(const struct dict_entry *e)
{
    return dict_entry_memory(e) + value_memory(e->value);
}

/* `e` is NULL when there is no such key yet. */
static void keyspace_before_change(struct keyspace *k,
                                   uint32_t db,
                                   struct slice key,
                                   const struct dict_entry *e)
{
    ASSERT(!k->edited); /* K4 */
    if (k->walk_count > 0 && e) {
        state_walks_before_change(k, db, e);
    }
    if (k->hooks.before_change) {
        k->hooks.before_change(k->hooks.ctx, db, key);
    }
    if (k->changes.is_on) {
        changes_note_before(k, e ? e->value : NULL);
    }
}

/* Whatever is there, due or not. */
static const struct value *keyspace_value_of(const struct keyspace *k, uint32_t db, struct slice key)
{
    const struct dict_entry *e = dict_find(&k->db[db].dict, siphash64_fast(&k->seed, key.p, key.n), key);
    return e ? e->value : NULL;
}

static void
keyspace_after_change(struct keyspace *k, uint32_t db, struct slice key, const char *event)
{
    if (k->hooks.changed) {
        k->hooks.changed(k->hooks.ctx, db, key, event, k->index);
    }
    if (k->changes.is_on) {
        changes_note_after(k, db, key, event, keyspace_value_of(k, db, key));
    }
    if (k->waiters.count > 0) {
        waiters_note(k, db, key);
    }
}

void keyspace_notice(struct keyspace_view *view, struct slice key, const char *event)
{
    struct keyspace *k = view->keyspace;
    ASSERT(view->is_write);
    if (k->hooks.noticed) {
        k->hooks.noticed(k->hooks.ctx, view->db, key, event, k->index);
    }
}

/* Takes the entry out and returns its value, owned. */
static struct value *
keyspace_take(struct keyspace *k, uint32_t db, struct dict_entry *e, const char *event)
{
    keyspace_before_change(k, db, dict_entry_key(e), e);
    expiry_clear(&k->db[db].expiry, e);
    dict_remove(&k->db[db].dict, e);
    k->db[db].memory -= keyspace_entry_memory(e);
    struct value *value = e->value;
    e->value = NULL;
    digest_change(k, db, e->hash, NULL);
    keyspace_after_change(k, db, dict_entry_key(e), event);
    dict_entry_free(e);
    return value;
}

static void
keyspace_remove(struct keyspace *k, uint32_t db, struct dict_entry *e, const char *event)
{
    graveyard_add_value(&k->graveyard, keyspace_take(k, db, e, event));
}

static void keyspace_expire(struct keyspace *k, uint32_t db, struct dict_entry *e)
{
    k->expired_total++;
    keyspace_remove(k, db, e, "expired");
}

/* The entry of a key that is present to this view (K1). */
static struct dict_entry *
keyspace_find_hashed(struct keyspace_view *view, struct slice key, uint64_t hash)
{
    struct keyspace *k = view->keyspace;
    struct keyspace_db *db = keyspace_db_of(view);
    struct dict_entry *e = dict_find(&db->dict, hash, key);
    if (!e || e->expiry_position == 0) {
        return e;
    }
    int64_t at_ms = expiry_at(&db->expiry, e);
    if (at_ms > keyspace_view_time(view)) {
        return e;
    }
    if (view->is_write) {
        COVER("write meets a due key");
        keyspace_expire(k, view->db, e);
    } else if (at_ms > k->time_ms) {
        COVER("read meets a key due at its stamp only");
        view->met_due = true;
    }
    return NULL;
}

static struct dict_entry *keyspace_find(struct keyspace_view *view, struct slice key)
{
    return keyspace_find_hashed(view, key, siphash64_fast(&view->keyspace->seed, key.p, key.n));
}

const struct value *keyspace_get(struct keyspace_view *view, struct slice key)
{
    struct dict_entry *e = keyspace_find(view, key);
    return e ? e->value : NULL;
}

raft_index keyspace_last_change(struct keyspace_view *view, struct slice key)
{
    uint64_t hash = siphash64_fast(&view->keyspace->seed, key.p, key.n);
    struct dict_entry *e = keyspace_find_hashed(view, key, hash);
    if (!e) {
        raft_index created = view->keyspace->creation[keyspace_creation_slot(hash)];
        return created ? KEYSPACE_ABSENT | created : 0;
    }
    raft_index swapped = keyspace_db_of(view)->swapped;
    return e->last_change > swapped ? e->last_change : swapped;
}

size_t keyspace_key_memory(struct keyspace_view *view, struct slice key)
{
    struct dict_entry *e = keyspace_find(view, key);
    if (!e) {
        return 0;
    }
    size_t expiry = e->expiry_position ? sizeof(struct expiry_item) : 0;
    return keyspace_entry_memory(e) + sizeof(struct dict_entry *) + expiry;
}

int64_t keyspace_expiry(struct keyspace_view *view, struct slice key)
{
    struct dict_entry *e = keyspace_find(view, key);
    return e ? keyspace_entry_expiry(keyspace_db_of(view), e) : KEYSPACE_NO_EXPIRY;
}

/* --- changes --- */

/* The entry is as it shall be: record that it changed. */
static void keyspace_mark(struct keyspace_view *view, struct dict_entry *e, const char *event)
{
    struct keyspace *k = view->keyspace;
    e->last_change = k->index;
    expiry_touch(&k->db[view->db].expiry, e);
    digest_change(k, view->db, e->hash, e);
    keyspace_after_change(k, view->db, dict_entry_key(e), event);
}

/* K6. */
static void keyspace_note_creation(struct keyspace *k, uint64_t hash)
{
    size_t slot = keyspace_creation_slot(hash);
    raft_index before = k->creation[slot];
    if (before == k->index) {
        return;
    }
    if (before) {
        k->creation_digest -= digest_creation(k, slot, before);
    }
    k->creation[slot] = k->index;
    k->creation_digest += digest_creation(k, slot, k->index);
}

/* Fires before_change and returns the entry to put a value into: an existing one still holds its
 * old value. */
static struct dict_entry *
keyspace_prepare_set(struct keyspace_view *view, struct slice key, bool keep_expiry)
{
    struct keyspace *k = view->keyspace;
    struct keyspace_db *db = keyspace_db_of(view);
    ASSERT(view->is_write);
    uint64_t hash = siphash64_fast(&k->seed, key.p, key.n);
    struct dict_entry *e = keyspace_find_hashed(view, key, hash);
    keyspace_before_change(k, view->db, key, e);
    if (!e) {
        e = dict_insert(&db->dict, hash, key);
        keyspace_note_creation(k, hash);
        db->memory += dict_entry_memory(e);
        keyspace_notice(view, key, "new");
    } else if (!keep_expiry) {
        expiry_clear(&db->expiry, e);
    }
    return e;
}

/* The entry gets `value` (takes) in the place of the one it may have. */
static void
keyspace_replace_value(struct keyspace_view *view, struct dict_entry *e, struct value *value)
{
    struct keyspace_db *db = keyspace_db_of(view);
    if (e->value) {
        db->memory -= value_memory(e->value);
        graveyard_add_value(&view->keyspace->graveyard, e->value);
    }
    e->value = value;
    db->memory += value_memory(value);
}

void keyspace_set(struct keyspace_view *view,
                  struct slice key,
                  struct value *value,
                  bool keep_expiry,
                  const char *event)
{
    struct dict_entry *e = keyspace_prepare_set(view, key, keep_expiry);
    keyspace_replace_value(view, e, value);
    keyspace_mark(view, e, event);
}

void keyspace_set_expiring(struct keyspace_view *view,
                           struct slice key,
                           struct value *value,
                           int64_t at_ms,
                           const char *event)
{
    struct dict_entry *e = keyspace_prepare_set(view, key, false);
    keyspace_replace_value(view, e, value);
    if (at_ms != KEYSPACE_NO_EXPIRY) {
        expiry_set(&keyspace_db_of(view)->expiry, e, at_ms);
    }
    keyspace_mark(view, e, event);
}

void keyspace_set_string(struct keyspace_view *view,
                         struct slice key,
                         struct slice bytes,
                         bool keep_expiry,
                         const char *event)
{
    struct keyspace *k = view->keyspace;
    struct keyspace_db *db = keyspace_db_of(view);
    struct dict_entry *e = keyspace_prepare_set(view, key, keep_expiry);
    if (e->value) {
        db->memory -= value_memory(e->value);
        if (value_get_type(e->value) == VALUE_STRING && !value_is_big(e->value)) {
            e->value = value_string_assign(e->value, bytes);
        } else {
            graveyard_add_value(&k->graveyard, e->value);
            e->value = value_new_string(bytes);
        }
    } else {
        e->value = value_new_string(bytes);
    }
    db->memory += value_memory(e->value);
    keyspace_mark(view, e, event);
}

bool keyspace_delete(struct keyspace_view *view, struct slice key, const char *event)
{
    struct dict_entry *e = keyspace_find(view, key);
    if (!e) {
        return false;
    }
    ASSERT(view->is_write);
    keyspace_remove(view->keyspace, view->db, e, event);
    return true;
}

struct value **keyspace_edit_slot(struct keyspace_view *view, struct slice key)
{
    struct keyspace *k = view->keyspace;
    struct dict_entry *e = keyspace_find(view, key);
    if (!e) {
        return NULL;
    }
    ASSERT(view->is_write);
    keyspace_before_change(k, view->db, key, e);
    k->edited = e;
    k->edited_db = view->db;
    k->edited_memory = value_memory(e->value);
    e->value = value_unshare(e->value);
    return &e->value;
}

struct value *keyspace_edit(struct keyspace_view *view, struct slice key)
{
    struct value **slot = keyspace_edit_slot(view, key);
    return slot ? *slot : NULL;
}

void keyspace_changed(struct keyspace_view *view, struct slice key, const char *event)
{
    struct keyspace *k = view->keyspace;
    struct dict_entry *e = k->edited;
    ASSERT(e && k->edited_db == view->db && slice_equal(dict_entry_key(e), key)); /* K4 */
    k->edited = NULL;
    keyspace_db_of(view)->memory += value_memory(e->value);
    keyspace_db_of(view)->memory -= k->edited_memory;
    keyspace_mark(view, e, event);
}

void keyspace_set_expiry(struct keyspace_view *view,
                         struct slice key,
                         int64_t at_ms,
                         const char *event)
{
    ASSERT(view->is_write && at_ms != KEYSPACE_NO_EXPIRY);
    struct dict_entry *e = keyspace_find(view, key);
    if (!e) {
        return;
    }
    keyspace_before_change(view->keyspace, view->db, key, e);
    expiry_set(&keyspace_db_of(view)->expiry, e, at_ms);
    keyspace_mark(view, e, event);
}

bool keyspace_clear_expiry(struct keyspace_view *view, struct slice key, const char *event)
{
    struct dict_entry *e = keyspace_find(view, key);
    if (!e || e->expiry_position == 0) {
        return false;
    }
    ASSERT(view->is_write);
    keyspace_before_change(view->keyspace, view->db, key, e);
    expiry_clear(&keyspace_db_of(view)->expiry, e);
    keyspace_mark(view, e, event);
    return true;
}

bool keyspace_move(struct keyspace_view *view,
                   struct slice from,
                   uint32_t to_db,
                   struct slice to,
                   const char *from_event,
                   const char *to_event)
{
    ASSERT(view->is_write && (to_db != view->db || !slice_equal(from, to)));
    struct dict_entry *e = keyspace_find(view, from);
    if (!e) {
        return false;
    }
    int64_t at_ms = keyspace_entry_expiry(keyspace_db_of(view), e);
    struct value *value = keyspace_take(view->keyspace, view->db, e, from_event);
    struct keyspace_view to_view = *view;
    to_view.db = to_db;
    keyspace_set_expiring(&to_view, to, value, at_ms, to_event);
    return true;
}

void keyspace_swap(struct keyspace_view *view, uint32_t a, uint32_t b)
{
    struct keyspace *k = view->keyspace;
    ASSERT(view->is_write && !k->edited && a < LIMIT_DATABASES && b < LIMIT_DATABASES && a != b);
    struct keyspace_db db = k->db[a];
    k->db[a] = k->db[b];
    k->db[b] = db;
    k->db[a].swapped = k->index; /* K5 */
    k->db[b].swapped = k->index;
    state_walks_swapped(k, a, b);
    digest_change(k, a, b, NULL);
    if (k->hooks.swapped) {
        k->hooks.swapped(k->hooks.ctx, a, b, k->index);
    }
    if (k->waiters.count > 0) {
        waiters_note_db(k, a);
        waiters_note_db(k, b);
    }
    if (k->changes.is_on) {
        changes_note_database(k, a, "swapdb");
        changes_note_database(k, b, "swapdb");
    }
}

void keyspace_bury(struct keyspace_view *view, struct value *value)
{
    if (value) {
        ASSERT(view->is_write);
        graveyard_add_value(&view->keyspace->graveyard, value);
    }
}

const struct siphash_key *keyspace_seed(const struct keyspace *k)
{
    return &k->seed;
}

uint64_t keyspace_hash(const struct keyspace_view *view, struct slice bytes)
{
    return siphash64_fast(&view->keyspace->seed, bytes.p, bytes.n);
}

static void keyspace_flush_db(struct keyspace *k, uint32_t number)
{
    struct keyspace_db *db = &k->db[number];
    if (db->dict.count == 0) {
        return;
    }
    digest_change(k, number, db->dict.count, NULL);
    if (k->walk_count == 0 || !state_walks_before_flush(k, number)) {
        keyspace_drop_db(k, db);
    }
    db->memory = 0;
    if (k->changes.is_on) {
        changes_note_database(k, number, "flushdb");
    }
}

void keyspace_flush(struct keyspace_view *view, bool all_databases)
{
    struct keyspace *k = view->keyspace;
    ASSERT(view->is_write && !k->edited);
    for (uint32_t i = 0; i < LIMIT_DATABASES; i++) {
        if (all_databases || i == view->db) {
            keyspace_flush_db(k, i);
        }
    }
    if (k->hooks.flushed) {
        k->hooks.flushed(k->hooks.ctx, k->index);
    }
}

/* --- entries --- */

/* The first key of all to expire and its database; NULL if none expires. Ties go by last change,
 * then by the database's number, so keys of two databases never need comparing. */
static const struct expiry_item *keyspace_first_due(const struct keyspace *k, uint32_t *db)
{
    const struct expiry_item *first = NULL;
    for (uint32_t i = 0; i < LIMIT_DATABASES; i++) {
        const struct expiry_item *item = expiry_first(&k->db[i].expiry);
        if (item && (!first || item->at_ms < first->at_ms ||
                     (item->at_ms == first->at_ms &&
                      item->entry->last_change < first->entry->last_change))) {
            first = item;
            *db = i;
        }
    }
    return first;
}

void keyspace_begin_entry(struct keyspace *k, raft_index index, int64_t time_ms)
{
    ASSERT(!k->edited);
    k->index = index;
    if (time_ms > k->time_ms) { /* never back */
        k->time_ms = time_ms;
    }
    changes_begin_entry(k);
    for (size_t removed = 0; removed < LIMIT_EXPIRED_PER_ENTRY; removed++) { /* K3 */
        uint32_t db = 0;
        const struct expiry_item *first = keyspace_first_due(k, &db);
        if (!first || first->at_ms > k->time_ms) {
            break;
        }
        keyspace_expire(k, db, first->entry);
    }
    graveyard_step(&k->graveyard, KEYSPACE_FREED_PER_ENTRY);
}

int64_t keyspace_next_due(const struct keyspace *k)
{
    uint32_t db;
    const struct expiry_item *first = keyspace_first_due(k, &db);
    int64_t due_ms = first ? first->at_ms : KEYSPACE_NO_EXPIRY;
    int64_t off_ms = changes_deadline(k);
    bool is_feed = off_ms != KEYSPACE_NO_EXPIRY && (due_ms == KEYSPACE_NO_EXPIRY || off_ms < due_ms);
    return is_feed ? off_ms : due_ms;
}

bool keyspace_idle(struct keyspace *k)
{
    bool has_more = graveyard_step(&k->graveyard, KEYSPACE_FREED_PER_IDLE);
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        if (dict_resize_step(&k->db[i].dict, KEYSPACE_CHAINS_PER_IDLE)) {
            return true;
        }
    }
    return has_more;
}

/* --- looking at it as a whole --- */

uint64_t keyspace_count(const struct keyspace *k, uint32_t db)
{
    return k->db[db].dict.count;
}

uint64_t keyspace_count_all(const struct keyspace *k)
{
    uint64_t count = 0;
    for (uint32_t db = 0; db < LIMIT_DATABASES; db++)
        count += k->db[db].dict.count;
    return count;
}

uint64_t keyspace_expiry_count(const struct keyspace *k, uint32_t db)
{
    return k->db[db].expiry.count;
}

uint64_t keyspace_average_ttl_ms(const struct keyspace *k, uint32_t db)
{
    enum { SAMPLE = 64 };
    const struct expiry_heap *h = &k->db[db].expiry;
    uint32_t count = h->count < SAMPLE ? h->count : SAMPLE;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) { /* from all over the heap, whose first are due first */
        int64_t left_ms = h->item[(uint64_t)i * h->count / count].at_ms - k->time_ms;
        sum += left_ms > 0 ? (uint64_t)left_ms / count : 0;
    }
    return sum;
}

uint64_t keyspace_freeing(const struct keyspace *k)
{
    return k->graveyard.pending;
}

uint64_t keyspace_freed_later(const struct keyspace *k)
{
    return k->graveyard.buried - k->graveyard.pending;
}

uint64_t keyspace_memory(const struct keyspace *k)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        const struct keyspace_db *db = &k->db[i];
        bytes += db->memory + dict_table_memory(&db->dict) +
                 db->expiry.capacity * sizeof(struct expiry_item);
    }
    return bytes;
}

uint64_t keyspace_expired_total(const struct keyspace *k)
{
    return k->expired_total;
}

void keyspace_check(const struct keyspace *k)
{
    for (size_t i = 0; i < LIMIT_DATABASES; i++) {
        dict_check(&k->db[i].dict);
        expiry_check(&k->db[i].expiry);
    }
}
