#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "check/texts.h"
#include "commands/command_row.h"
#include "keyspace/keyspace.h"
#include "node/exec_payload.h"

/* Keys are followed by their first letter (FOLLOWED) in database 0; every change of one is a version: index, value, time of death.
 *
 * Writes are found again by a tag: the unique value or token they store ("17", "17."), "key=n" for an INCR that made n, "del v" for a GETDEL
 * that took value v. A client that was answered hands in the tag; the oracle knows at which index that write took effect and what it
 * must have been answered. Since an answer at index i proves that everything up to i is decided, whatever is asked afterwards must rest on
 * i or more: that makes writes and reads of all keys together strictly serializable, not only each key by itself.
 *
 * Reads: some version that was the newest at an index between the mark and what is committed now must hold the value that was answered. The
 * least such index is what the answer rests on. A value with a time of death may be read as nothing once log time can have
 * passed it, and must not be read as itself at an index whose time has. */

#define FOLLOWED "rcpeaswlq"
#define ABORTED (-1)

struct version {
    raft_index index;
    text_id value;      /* TEXT_NIL: none */
    int64_t deadline_ms; /* 0: lives for ever */
};

struct oracle_key {
    struct version *version;
    uint32_t count;
    uint32_t capacity;
    raft_index created; /* when it last came into being */
};

struct effect {
    raft_index index; /* 0: none */
    int64_t reply;
    bool is_refused; /* a client was told so */
};

struct oracle {
    struct world *world;
    const struct command_table *table;
    struct texts texts;
    struct oracle_key *key;   /* by text id */
    struct effect *effect;    /* by text id */
    uint32_t text_capacity;
    int64_t *time;            /* by index */
    raft_index last;
    raft_index time_capacity;
    uint64_t last_at_us;      /* when it was committed */
    oracle_lookup *lookup;
    oracle_class *class_of;
    void *lookup_ctx;
    raft_index created[1 << 16]; /* by class: the newest creation of a followed key */
    raft_index completed;
};

struct oracle *oracle_new(struct world *w, const struct command_table *table)
{
    struct oracle *o = mem_alloc_zero(sizeof *o);
    o->world = w;
    o->table = table;
    return o;
}

void oracle_set_lookup(struct oracle *o, oracle_lookup *lookup, oracle_class *class_of, void *ctx)
{
    o->lookup = lookup;
    o->class_of = class_of;
    o->lookup_ctx = ctx;
}

static void oracle_clear(struct oracle *o)
{
    for (uint32_t i = 0; i < o->text_capacity; i++)
        mem_free(o->key[i].version);
    mem_free(o->key);
    mem_free(o->effect);
    texts_deinit(&o->texts);
    o->key = NULL;
    o->effect = NULL;
    o->text_capacity = 0;
}

void oracle_free(struct oracle *o)
{
    oracle_clear(o);
    mem_free(o->time);
    mem_free(o);
}

void oracle_forget(struct oracle *o)
{
    oracle_clear(o);
    o->last = o->completed = 0;
}

static text_id oracle_text(struct oracle *o, struct slice text)
{
    text_id id = texts_intern(&o->texts, text);
    if (id >= o->text_capacity) {
        uint32_t capacity = id * 2 + 256;
        o->key = mem_realloc_array(o->key, capacity, sizeof *o->key);
        o->effect = mem_realloc_array(o->effect, capacity, sizeof *o->effect);
        memset(o->key + o->text_capacity, 0, (capacity - o->text_capacity) * sizeof *o->key);
        memset(o->effect + o->text_capacity, 0, (capacity - o->text_capacity) * sizeof *o->effect);
        o->text_capacity = capacity;
    }
    return id;
}

/* --- the model --- */

static const struct version *version_at(const struct oracle *o, text_id key, raft_index index)
{
    static const struct version none = {0, TEXT_NIL, 0};
    const struct oracle_key *k = &o->key[key];
    uint32_t low = 0;
    uint32_t high = k->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (k->version[middle].index <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &k->version[low - 1] : &none;
}

/* What a key holds for an entry with that time. */
static text_id value_now(const struct oracle *o, text_id key, int64_t time_ms)
{
    const struct oracle_key *k = &o->key[key];
    const struct version *v = k->count ? &k->version[k->count - 1] : NULL;
    return !v || (v->deadline_ms && v->deadline_ms <= time_ms) ? TEXT_NIL : v->value;
}

static void set_version(struct oracle *o, text_id key, raft_index index, text_id value, int64_t deadline_ms)
{
    struct oracle_key *k = &o->key[key];
    if (value != TEXT_NIL && value_now(o, key, o->time[index]) == TEXT_NIL) {
        k->created = index;
        o->created[o->class_of(o->lookup_ctx, texts_get(&o->texts, key))] = index;
    }
    if (k->count > 0 && k->version[k->count - 1].index == index)
        k->count--; /* twice in one transaction: only the last one shows */
    if (k->count == k->capacity) {
        k->capacity = k->capacity ? 2 * k->capacity : 8;
        k->version = mem_realloc_array(k->version, k->capacity, sizeof *k->version);
    }
    k->version[k->count++] = (struct version){index, value, deadline_ms};
}

static void set_effect(struct oracle *o, struct slice tag, raft_index index, int64_t reply)
{
    text_id id = oracle_text(o, tag); /* may move the array */
    struct effect *e = &o->effect[id];
    if (e->index && e->reply != ABORTED)
        world_fail(o->world, "I12 the write of %.*s took effect at entry %llu and again at %llu", (int)tag.n, (const char *)tag.p,
                   (unsigned long long)e->index, (unsigned long long)index);
    if (e->is_refused && reply != ABORTED)
        world_fail(o->world, "I13 the write of %.*s was answered \"not done\" and took effect at entry %llu", (int)tag.n, (const char *)tag.p,
                   (unsigned long long)index);
    e->index = index;
    e->reply = reply;
}

static void set_effect_of(struct oracle *o, const char *prefix, struct slice text, raft_index index, int64_t reply)
{
    char tag[80];
    int n = snprintf(tag, sizeof tag, "%s%.*s", prefix, (int)text.n, (const char *)text.p);
    set_effect(o, (struct slice){(const uint8_t *)tag, (size_t)n}, index, reply);
}

static int64_t deadline_of(const struct slice *arg, size_t count, int64_t time_ms)
{
    int64_t n = 0;
    if (count < 5 || !number_parse_i64(arg[4], &n))
        return 0;
    if (slice_equal_nocase(arg[3], "px"))
        return time_ms + n;
    if (slice_equal_nocase(arg[3], "ex"))
        return time_ms + n * 1000;
    return slice_equal_nocase(arg[3], "pxat") ? n : slice_equal_nocase(arg[3], "exat") ? n * 1000 : 0;
}

static void model_incr(struct oracle *o, text_id key, raft_index index, int64_t time_ms)
{
    int64_t value = 0;
    char tag[64];
    texts_number(&o->texts, value_now(o, key, time_ms), &value);
    value++;
    struct slice name = texts_get(&o->texts, key);
    int n = snprintf(tag, sizeof tag, "%.*s=%lld", (int)name.n, (const char *)name.p, (long long)value);
    set_effect(o, (struct slice){(const uint8_t *)tag, (size_t)n}, index, value);
    char digits[NUMBER_TEXT_MAX];
    size_t length = number_format_i64(value, digits);
    set_version(o, key, index, oracle_text(o, (struct slice){(const uint8_t *)digits, length}), 0);
}

/* APPEND, and RPUSH of tokens that end in a dot: the same to the model, but for what is answered. */
static void model_append(struct oracle *o, text_id key, struct slice token, raft_index index, int64_t time_ms, bool is_list)
{
    struct buf joined = {0};
    buf_append_slice(&joined, texts_get(&o->texts, value_now(o, key, time_ms)));
    buf_append_slice(&joined, token);
    struct slice s = buf_slice(&joined);
    int64_t elements = 0;
    for (size_t i = 0; i < s.n; i++)
        elements += s.p[i] == '.';
    set_effect(o, token, index, is_list ? elements : (int64_t)s.n);
    set_version(o, key, index, oracle_text(o, s), 0);
    buf_deinit(&joined);
}

/* arg[0] is the name. */
static void model_command(struct oracle *o, const char *name, const struct slice *arg, size_t count, raft_index index, int64_t time_ms)
{
    if (count < 2 || arg[1].n == 0 || !strchr(FOLLOWED, arg[1].p[0]))
        return;
    text_id key = oracle_text(o, arg[1]);
    if (strcmp(name, "set") == 0) {
        set_effect(o, arg[2], index, 0);
        set_version(o, key, index, oracle_text(o, arg[2]), deadline_of(arg, count, time_ms));
    } else if (strcmp(name, "incr") == 0) {
        model_incr(o, key, index, time_ms);
    } else if (strcmp(name, "append") == 0 || strcmp(name, "rpush") == 0) {
        model_append(o, key, arg[2], index, time_ms, name[0] == 'r');
    } else if (strcmp(name, "setnx") == 0) {
        bool is_absent = value_now(o, key, time_ms) == TEXT_NIL;
        set_effect(o, arg[2], index, is_absent);
        if (is_absent)
            set_version(o, key, index, oracle_text(o, arg[2]), 0);
    } else if (strcmp(name, "getdel") == 0) {
        text_id old = value_now(o, key, time_ms);
        if (old != TEXT_NIL) {
            set_effect_of(o, "del ", texts_get(&o->texts, old), index, 0);
            set_version(o, key, index, TEXT_NIL, 0);
        }
    } else if (strcmp(name, "get") != 0 && strcmp(name, "lrange") != 0) {
        world_fail(o->world, "oracle: entry %llu runs %s on a followed key", (unsigned long long)index, name);
    }
}

/* Has a watched key changed since? One that was absent has when it was created since; it may also count as changed when another key was
 * created that shares 16 bits of a keyed hash with it (keyspace.h): of keys that are not followed, and only of those, a node is asked whether one was. */
static bool watch_is_touched(struct oracle *o, const struct exec_watch *w, raft_index index)
{
    text_id key = oracle_text(o, w->key);
    raft_index since = w->index & ~KEYSPACE_ABSENT;
    if (w->index != 0 && since == w->index)
        return version_at(o, key, index)->index > w->index;
    if (o->key[key].created > since)
        return true;
    raft_index now = o->lookup ? o->lookup(o->lookup_ctx, w->key, index) : 0;
    bool is_by_another = ((now & KEYSPACE_ABSENT) && (now & ~KEYSPACE_ABSENT) > since) || o->created[o->class_of(o->lookup_ctx, w->key)] > since;
    if (is_by_another)
        world_count("a watch was refused for another key's sake");
    return is_by_another;
}

static bool model_is_touched(struct oracle *o, struct slice list, raft_index index)
{
    uint32_t watches;
    struct exec_watch w;
    bool is_touched = false;
    if (exec_watch_open(list, &watches, &list) != ERR_OK)
        return false;
    while (watches-- > 0 && exec_watch_next(&list, &w) == ERR_OK) {
        if (w.db == 0 && w.key.n > 0 && strchr(FOLLOWED, w.key.p[0]))
            is_touched = watch_is_touched(o, &w, index) || is_touched;
    }
    return is_touched;
}

#define ARGS_MAX 16
static void model_exec(struct oracle *o, const struct proposal *p, const struct slice *arg, raft_index index, int64_t time_ms)
{
    bool is_touched = model_is_touched(o, arg[0], index);
    for (uint32_t i = 1; i < p->arg_count; i++) {
        struct exec_item item;
        struct slice inner[ARGS_MAX];
        if (exec_item_decode(arg[i], &item) != ERR_OK || item.number == 0 || item.db != 0 || item.arg_count > ARGS_MAX ||
            exec_item_args(&item, inner) != ERR_OK)
            continue;
        const struct command_row *row = command_table_by_number(o->table, item.number);
        if (!row || row->kind != COMMAND_DATA) /* CONFIG SET of an option of the cluster */
            continue;
        if (!is_touched)
            model_command(o, row->name, inner, item.arg_count, index, time_ms);
        else if (item.arg_count >= 3 && strchr(FOLLOWED, inner[1].p[0]) && strcmp(row->name, "get") != 0)
            set_effect(o, inner[2], index, ABORTED);
    }
}

void oracle_entry(struct oracle *o, raft_index index, int64_t time_ms, const struct proposal *p)
{
    struct slice arg[ARGS_MAX + 1];
    if (index >= o->time_capacity) {
        o->time_capacity = index * 2 + 256;
        o->time = mem_realloc_array(o->time, o->time_capacity, sizeof *o->time);
    }
    int64_t before = o->last ? o->time[o->last] : 0;
    o->time[index] = time_ms > before ? time_ms : before; /* entries without a time have that of the one before */
    o->last = index;
    o->last_at_us = o->world->now_us;
    if (!p || p->arg_count > ARGS_MAX || p->db != 0)
        return;
    if (p->number == PROPOSAL_EXEC) {
        if (proposal_args(p, arg) == ERR_OK && p->arg_count > 0)
            model_exec(o, p, arg, index, o->time[index]);
        return;
    }
    const struct command_row *row = command_table_by_number(o->table, p->number);
    if (row && row->kind == COMMAND_DATA && proposal_args(p, arg + 1) == ERR_OK)
        model_command(o, row->name, arg, p->arg_count + 1u, index, o->time[index]);
}

/* --- what clients saw --- */

raft_index oracle_mark(const struct oracle *o) { return o->completed; }

static void rests_on(struct oracle *o, raft_index index)
{
    if (index > o->completed)
        o->completed = index;
}

raft_index oracle_write_done(struct oracle *o, const char *tag, int64_t reply, raft_index mark)
{
    text_id id = oracle_text(o, slice_from_cstr(tag));
    const struct effect *e = &o->effect[id];
    if (!e->index)
        world_fail(o->world, "I10 a client was told that the write of %s is done, and no committed entry did it", tag);
    else if (e->reply != reply)
        world_fail(o->world, "I10 a client was told %lld for %s, and entry %llu made it %lld", (long long)reply, tag, (unsigned long long)e->index,
                   (long long)e->reply);
    else if (e->index <= mark)
        world_fail(o->world, "I10 the write of %s took effect at entry %llu, and was asked for when entry %llu was answered", tag,
                   (unsigned long long)e->index, (unsigned long long)mark);
    rests_on(o, e->index);
    return e->index;
}

/* The key held something at `mark` or after an entry behind it: the first such index, 0 if there is none. */
static raft_index first_with_value(const struct oracle *o, text_id key, raft_index mark)
{
    const struct version *v = version_at(o, key, mark);
    if (v->value != TEXT_NIL && (!v->deadline_ms || o->time[mark] < v->deadline_ms))
        return mark;
    for (uint32_t i = 0; i < o->key[key].count; i++) {
        v = &o->key[key].version[i];
        if (v->index > mark && v->value != TEXT_NIL)
            return v->index;
    }
    return 0;
}

void oracle_setnx_done(struct oracle *o, const char *tag, const char *key, int64_t reply, raft_index mark)
{
    text_id id = oracle_text(o, slice_from_cstr(tag));
    if (o->effect[id].index != 0 || reply != 0) {
        oracle_write_done(o, tag, reply, mark);
        return;
    }
    world_count("answer: a write in vain without an entry");
    raft_index index = first_with_value(o, oracle_text(o, slice_from_cstr(key)), mark);
    o->effect[id].is_refused = true; /* and so it must never take effect */
    rests_on(o, index);
    if (index == 0)
        world_fail(o->world, "I11 SETNX of %s found something at %s, where nothing was at entry %llu or since", tag, key, (unsigned long long)mark);
}

void oracle_write_refused(struct oracle *o, const char *tag)
{
    text_id id = oracle_text(o, slice_from_cstr(tag));
    struct effect *e = &o->effect[id];
    e->is_refused = true;
    if (e->index && e->reply != ABORTED)
        world_fail(o->world, "I13 the write of %s is answered \"not done\", and took effect at entry %llu", tag, (unsigned long long)e->index);
}

#define TIME_SLACK_MS 100
/* Log time cannot be later than this now: it goes with a clock that may run fast, bent by a tenth. */
static int64_t latest_time(const struct oracle *o)
{
    int64_t passed = (int64_t)(o->world->now_us - o->last_at_us) / 1000;
    return (o->last ? o->time[o->last] : 0) + passed + passed / 8 + TIME_SLACK_MS;
}

static bool version_explains(const struct oracle *o, const struct version *v, text_id value, raft_index index)
{
    if (value == TEXT_NIL)
        return v->value == TEXT_NIL || (v->deadline_ms && v->deadline_ms <= latest_time(o));
    return v->value == value && (!v->deadline_ms || index == 0 || o->time[index] < v->deadline_ms);
}

void oracle_read_done(struct oracle *o, const char *key, struct slice value, raft_index mark, bool is_stale)
{
    text_id k = oracle_text(o, slice_from_cstr(key));
    text_id wanted = value.p ? oracle_text(o, value) : TEXT_NIL;
    raft_index index = is_stale ? 0 : mark;
    const struct version *v = version_at(o, k, index);
    if (version_explains(o, v, wanted, index)) {
        if (!is_stale)
            rests_on(o, index);
        return;
    }
    for (uint32_t i = 0; i < o->key[k].count; i++) {
        v = &o->key[k].version[i];
        if (v->index > index && version_explains(o, v, wanted, v->index)) {
            if (!is_stale)
                rests_on(o, v->index);
            return;
        }
    }
    const struct version *was = version_at(o, k, mark);
    struct slice was_text = texts_get(&o->texts, was->value);
    world_fail(o->world, "I11 key %s was read as %.*s; it held %.*s (entry %llu) at entry %llu, which somebody had been answered before, and %u versions since do not fit",
               key, value.p ? (int)value.n : 7, value.p ? (const char *)value.p : "nothing", was->value ? (int)was_text.n : 7,
               was->value ? (const char *)was_text.p : "nothing", (unsigned long long)was->index, (unsigned long long)mark, o->key[k].count);
}

void oracle_read_inside(struct oracle *o, const char *key, struct slice value, raft_index index)
{
    text_id k = oracle_text(o, slice_from_cstr(key));
    text_id wanted = value.p ? oracle_text(o, value) : TEXT_NIL;
    if (version_at(o, k, index)->value != wanted)
        world_fail(o->world, "I11 the transaction at entry %llu read key %s as %.*s, which is not what the log makes it", (unsigned long long)index, key,
                   (int)value.n, (const char *)value.p);
}

void oracle_finish(struct oracle *o)
{
    for (uint32_t i = 1; i <= o->texts.count; i++) {
        if (o->effect[i].is_refused && o->effect[i].index && o->effect[i].reply != ABORTED)
            world_fail(o->world, "I13 a write that was answered \"not done\" took effect at entry %llu", (unsigned long long)o->effect[i].index);
    }
}
