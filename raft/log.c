/* The log of one node.
 *
 *      first_index                 memory_first              last_index
 *           |---------- on disk ----------|======= tail =========|
 *           |-- run --|------ run --------------|------ run -----|   terms of all of it
 *                 ^conf                ^conf                         configurations in it
 *           |----------- durable -------------------|-- pending -|
 *
 *   G1  first_index - 1 <= durable_index <= last_index.
 *   G2  The tail is contiguous and ends at last_index. Slots are a vector that slides: appended at
 *       the back, dropped at the front, moved down when half as many as are in use were dropped. So
 *       they are always contiguous, can be handed out as arrays, touch half as much memory again as
 *       they need, and nothing is allocated up to what raft_log_reserve made room for.
 *   G3  Only entries that are durable and applied are dropped from memory.
 *   G4  Runs start at rising indices with rising terms; the terms of all entries are known for ever
 *       at 16 bytes per election, which saves the disk reads that conflict hints and consistency
 *       checks would need (R1, R3).
 *   G5  pending[] has rising tokens and never says `last` beyond what is still the same entry:
 *       truncation cuts it back, so the completion of an overwritten entry makes nothing durable
 *       (P15, ABA).
 *   G6  The newest configuration of the stack is the effective one, from the moment of its append
 *       (J1). Truncation pops. */
#include "raft/log.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"

/* What an entry costs in memory beyond its bytes. */
#define SLOT_BYTES sizeof(struct raft_entry)
/* Not moved down for fewer. */
#define SLOTS_SLIDE 64

static void log_add_run(struct raft_log *log, raft_index first, raft_term term)
{
    if (log->run_count == log->run_capacity) {
        log->run_capacity = log->run_capacity == 0 ? 16 : log->run_capacity * 2;
        log->run = mem_realloc_array(log->run, log->run_capacity, sizeof(*log->run));
    }
    log->run[log->run_count++] = (struct raft_term_run){first, term};
}

static void log_push_conf(struct raft_log *log, raft_index index, const struct raft_conf *conf)
{
    ASSERT(log->conf_count == 0 || log->conf[log->conf_count - 1].index < index);
    if (log->conf_count == log->conf_capacity) {
        log->conf_capacity = log->conf_capacity == 0 ? 2 : log->conf_capacity * 2;
        log->conf = mem_realloc_array(log->conf, log->conf_capacity, sizeof(*log->conf));
    }
    log->conf[log->conf_count].index = index;
    log->conf[log->conf_count++].conf = *conf;
}

static void log_grow_slots(struct raft_log *log, size_t capacity)
{
    struct raft_entry *slot = mem_map(capacity * SLOT_BYTES);
    if (log->slot_count > 0) {
        memcpy(slot, log->slot + log->slot_start, log->slot_count * SLOT_BYTES);
    }
    mem_unmap(log->slot, log->slot_capacity * SLOT_BYTES);
    log->slot = slot;
    log->slot_start = 0;
    log->slot_capacity = capacity;
}

/* Makes slot[slot_start + slot_count] writable (G2). */
static void log_reserve_slot(struct raft_log *log)
{
    if (log->slot_start >= SLOTS_SLIDE && log->slot_start >= log->slot_count / 2) {
        memmove(log->slot, log->slot + log->slot_start, log->slot_count * sizeof(*log->slot));
        log->slot_start = 0;
    }
    if (log->slot_start + log->slot_count == log->slot_capacity) {
        log_grow_slots(log, log->slot_capacity == 0 ? SLOTS_SLIDE : log->slot_capacity * 2);
    }
}

/* The tail alone; terms and configurations are the caller's. */
static void log_push_slot(struct raft_log *log, const uint8_t *at, struct chunk *chunk)
{
    log_reserve_slot(log);
    struct raft_entry *entry = &log->slot[log->slot_start + log->slot_count++];
    entry_view(at, entry);
    entry->chunk = chunk_ref(chunk);
    log->tail_bytes += entry->bytes.n + SLOT_BYTES;
}

static void log_start_runs(struct raft_log *log, const struct raft_start *start)
{
    if (start->first_index > 1) {
        log_add_run(log, start->first_index - 1, start->prev_term);
    }
    for (uint32_t i = 0; i < start->term_run_count; i++) {
        /* The first one may go on with the boundary's term. */
        if (log->run_count == 0 || log->run[log->run_count - 1].term != start->term_run[i].term) {
            log_add_run(log, start->term_run[i].first, start->term_run[i].term);
        }
    }
    if (start->term_run_count > 0) {
        return;
    }
    /* Without runs the entries themselves must tell all terms. */
    ASSERT(start->last_index + 1 - start->entry_count == start->first_index);
    for (uint32_t i = 0; i < start->entry_count; i++) {
        if (log->run_count == 0 || log->run[log->run_count - 1].term != start->entry[i].term) {
            log_add_run(log, start->entry[i].index, start->entry[i].term);
        }
    }
}

void raft_log_init(struct raft_log *log, const struct raft_start *start)
{
    memset(log, 0, sizeof(*log));
    log->first_index = start->first_index == 0 ? 1 : start->first_index;
    log->last_index = start->last_index == 0 ? log->first_index - 1 : start->last_index;
    log->durable_index = log->last_index;
    ASSERT(log->last_index + 1 >= log->first_index);
    if (log->last_index >= log->first_index || start->first_index > 1) {
        log_start_runs(log, start);
    }
    for (uint32_t i = 0; i < start->entry_count; i++) {
        const struct raft_entry *entry = &start->entry[i];
        ASSERT(entry->index == log->last_index + 1 - start->entry_count + i);
        if (entry->chunk != NULL) {
            log_push_slot(log, entry->bytes.p, entry->chunk);
            continue;
        }
        uint8_t *at = raft_log_room(log, entry->bytes.n);
        memcpy(at, entry->bytes.p, entry->bytes.n);
        log_push_slot(log, at, log->fill);
    }
    for (uint32_t i = 0; i < start->conf_count; i++) {
        ASSERT(start->conf_index[i] <= log->last_index);
        log_push_conf(log, start->conf_index[i], &start->conf[i]);
    }
    ASSERT(raft_log_last_term(log) == start->last_term);
}

void raft_log_deinit(struct raft_log *log)
{
    for (size_t i = 0; i < log->slot_count; i++) {
        chunk_unref(log->slot[log->slot_start + i].chunk);
    }
    chunk_unref(log->fill);
    mem_unmap(log->slot, log->slot_capacity * SLOT_BYTES);
    mem_free(log->run);
    mem_free(log->conf);
    mem_free(log->pending);
    memset(log, 0, sizeof(*log));
}

void raft_log_reserve(struct raft_log *log, uint64_t memory_bytes)
{
    size_t most = (size_t)(memory_bytes / (SLOT_BYTES + ENTRY_HEADER_BYTES));
    size_t capacity = most + most / 2 + SLOTS_SLIDE;
    if (capacity > log->slot_capacity) {
        log_grow_slots(log, capacity);
    }
}

raft_index raft_log_memory_first(const struct raft_log *log)
{
    return log->last_index + 1 - log->slot_count;
}

const struct raft_entry *raft_log_entry(const struct raft_log *log, raft_index index)
{
    raft_index first = raft_log_memory_first(log);
    ASSERT(index >= first && index <= log->last_index);
    return &log->slot[log->slot_start + (size_t)(index - first)];
}

/* Position of the run that holds `index`, or -1. */
static ptrdiff_t log_find_run(const struct raft_log *log, raft_index index)
{
    size_t low = 0;
    size_t high = log->run_count;
    /* The newest run answers nearly always. */
    if (high > 0 && log->run[high - 1].first <= index) {
        return (ptrdiff_t)high - 1;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->run[middle].first <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (ptrdiff_t)low - 1;
}

raft_term raft_log_term(const struct raft_log *log, raft_index index)
{
    if (index == 0 || index > log->last_index) {
        return 0;
    }
    ptrdiff_t run = log_find_run(log, index);
    return run < 0 ? 0 : log->run[run].term;
}

raft_index raft_log_last_at_most(const struct raft_log *log, raft_index index, raft_term term)
{
    index = index < log->last_index ? index : log->last_index;
    for (ptrdiff_t run = log_find_run(log, index); run >= 0; run--) {
        if (log->run[run].term <= term) {
            return index;
        }
        index = log->run[run].first - 1;
    }
    return 0;
}

uint8_t *raft_log_room(struct raft_log *log, size_t size)
{
    if (chunk_room(log->fill) < size) {
        chunk_unref(log->fill);
        log->fill = chunk_new(size > LIMIT_LOG_CHUNK_BYTES ? size : LIMIT_LOG_CHUNK_BYTES);
    }
    uint8_t *at = log->fill->data + log->fill->used;
    log->fill->used += size;
    return at;
}

void raft_log_append(struct raft_log *log, const uint8_t *at, struct chunk *chunk)
{
    log_push_slot(log, at, chunk != NULL ? chunk : log->fill);
    log->last_index++;
    const struct raft_entry *entry = raft_log_entry(log, log->last_index);
    ASSERT(entry->index == log->last_index);
    if (log->run_count == 0 || log->run[log->run_count - 1].term != entry->term) {
        ASSERT(log->run_count == 0 || log->run[log->run_count - 1].term < entry->term);
        log_add_run(log, entry->index, entry->term);
    }
    if (entry->type == RAFT_ENTRY_CONF) {
        struct raft_conf conf;
        enum err e = raft_conf_decode(entry->payload, &conf);
        ASSERT(e == ERR_OK);
        log_push_conf(log, entry->index, &conf);
    }
}

void raft_log_append_copy(struct raft_log *log, const struct raft_entry *entry)
{
    uint8_t *at = raft_log_room(log, entry->bytes.n);
    memcpy(at, entry->bytes.p, entry->bytes.n);
    raft_log_append(log, at, NULL);
}

void raft_log_truncate(struct raft_log *log, raft_index from)
{
    ASSERT(from >= log->first_index && from <= log->last_index);
    while (log->last_index >= from && log->slot_count > 0) {
        struct raft_entry *entry = &log->slot[log->slot_start + --log->slot_count];
        log->tail_bytes -= entry->bytes.n + SLOT_BYTES;
        chunk_unref(entry->chunk);
        log->last_index--;
    }
    log->last_index = from - 1;
    while (log->run_count > 0 && log->run[log->run_count - 1].first >= from) {
        log->run_count--;
    }
    while (!MUT(9) && log->conf_count > 0 && log->conf[log->conf_count - 1].index >= from) {
        COVER("raft: a configuration is rolled back by truncation");
        log->conf_count--;
    }
    for (size_t i = 0; i < log->pending_count; i++) {
        struct raft_persist_record *record = &log->pending[log->pending_start + i];
        record->last = record->last < from ? record->last : from - 1;
    }
    log->durable_index = log->durable_index < from ? log->durable_index : from - 1;
}

/* The oldest one. */
static void log_drop_slot(struct raft_log *log)
{
    struct raft_entry *entry = &log->slot[log->slot_start];
    log->tail_bytes -= entry->bytes.n + SLOT_BYTES;
    chunk_unref(entry->chunk);
    log->slot_start++;
    log->slot_count--;
}

void raft_log_trim(struct raft_log *log, raft_index upto, uint64_t memory_bytes)
{
    upto = upto < log->durable_index ? upto : log->durable_index;
    while (log->tail_bytes > memory_bytes && log->slot_count > 0) {
        if (log->slot[log->slot_start].index > upto) {
            break;
        }
        log_drop_slot(log);
    }
}

void raft_log_compact(struct raft_log *log, raft_index first_index)
{
    ASSERT(first_index > log->first_index && first_index <= log->durable_index + 1);
    ptrdiff_t run = log_find_run(log, first_index - 1);
    ASSERT(run >= 0);
    log->run[run].first = first_index - 1; /* the boundary */
    log->run_count -= (size_t)run;
    memmove(log->run, log->run + run, log->run_count * sizeof(*log->run));
    log->first_index = first_index;
    while (log->slot_count > 0 && log->slot[log->slot_start].index < first_index) {
        log_drop_slot(log);
    }
}

void raft_log_reset(struct raft_log *log,
                    raft_index index,
                    raft_term term,
                    const struct raft_conf *conf,
                    raft_index conf_index)
{
    while (log->slot_count > 0) {
        chunk_unref(log->slot[log->slot_start + --log->slot_count].chunk);
    }
    log->tail_bytes = 0;
    log->slot_start = 0;
    log->first_index = index + 1;
    log->last_index = index;
    log->durable_index = index; /* the snapshot is */
    log->run_count = 0;
    log_add_run(log, index, term);
    log->conf_count = 0;
    log_push_conf(log, conf_index, conf);
    /* What is under way to the disk makes nothing durable that is still there (G5). */
    for (size_t i = 0; i < log->pending_count; i++) {
        log->pending[log->pending_start + i].last = index;
    }
}

void raft_log_persisting(struct raft_log *log, uint64_t token)
{
    if (log->pending_start + log->pending_count == log->pending_capacity) {
        if (log->pending_count > log->pending_capacity / 2 || log->pending_capacity == 0) {
            log->pending_capacity = log->pending_capacity == 0 ? 64 : log->pending_capacity * 2;
            log->pending =
                mem_realloc_array(log->pending, log->pending_capacity, sizeof(*log->pending));
        }
        memmove(log->pending, log->pending + log->pending_start,
                log->pending_count * sizeof(*log->pending));
        log->pending_start = 0;
    }
    log->pending[log->pending_start + log->pending_count++] =
        (struct raft_persist_record){token, log->last_index};
}

void raft_log_persisted(struct raft_log *log, uint64_t token)
{
    while (log->pending_count > 0 && log->pending[log->pending_start].token <= token) {
        raft_index last = log->pending[log->pending_start].last;
        log->durable_index = last > log->durable_index ? last : log->durable_index;
        log->pending_start++;
        log->pending_count--;
    }
}

uint64_t raft_log_token_of(const struct raft_log *log, raft_index index)
{
    if (index <= log->durable_index) {
        return 0;
    }
    for (size_t i = 0; i < log->pending_count; i++) {
        if (log->pending[log->pending_start + i].last >= index) {
            return log->pending[log->pending_start + i].token;
        }
    }
    return UINT64_MAX;
}

const struct raft_conf_record *raft_log_conf_at(const struct raft_log *log, raft_index limit)
{
    for (size_t i = log->conf_count; i > 0; i--) {
        if (log->conf[i - 1].index <= limit) {
            return &log->conf[i - 1];
        }
    }
    return NULL;
}

void raft_log_conf_prune(struct raft_log *log, raft_index commit)
{
    size_t keep = 0;
    while (keep + 1 < log->conf_count && log->conf[keep + 1].index <= commit) {
        keep++;
    }
    if (keep > 0) {
        log->conf_count -= keep;
        memmove(log->conf, log->conf + keep, log->conf_count * sizeof(*log->conf));
    }
}
