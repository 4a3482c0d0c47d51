/* HyperLogLogs: PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST, as Redis 7.0.15 hyperloglog.c answers them. The bytes are in hll.c.
 *
 * DEVIATION: PFCOUNT of one key stores no count in the string, since a read leaves no trace here (keyspace.c, K2); in Redis it
 * changes the 8 bytes of the cache, which PFADD then voids. The answers are the same.
 *
 * DEVIATION: a PFADD that finds the string corrupt has changed nothing. In Redis it may have added the elements before.
 *
 * DEVIATION: PFSELFTEST goes up to 100,000 elements, not 10,000,000, which would hold up everybody for seconds. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/prng.h"
#include "commands/arguments.h"
#include "commands/hll.h"
#include "commands/numbers.h"
#include "keyspace/settings.h"
#include "keyspace/value.h"

#define HLL_CORRUPT_ERROR "INVALIDOBJ Corrupted HLL object detected"

/* Whether it is a HyperLogLog, as far as its header goes; else writes the error. */
static bool hll_is_one(const struct value *value, struct reply *reply)
{
    uint8_t header[HLL_HEADER_BYTES];
    if (!argument_is_string(value, reply)) {
        return false;
    }
    size_t n = value_string_read(value, 0, header, sizeof header);
    if (n < sizeof header || !hll_header_ok(header, value_string_size(value))) {
        reply_error(reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
        return false;
    }
    return true;
}

/* Copies one that hll_is_one found. False: it is too long to be valid, an error was written. */
static bool hll_load(const struct value *value, struct hll *h, struct reply *reply)
{
    h->size = value_string_size(value);
    if (h->size > HLL_SPARSE_BYTES_MAX) {
        reply_error(reply, HLL_CORRUPT_ERROR);
        return false;
    }
    value_string_read(value, 0, h->bytes, h->size);
    h->bytes[h->size] = 0;
    return true;
}

/* Stores it. As in Redis its encoding is "raw" at any length. */
static void hll_store(struct command_run *run, struct slice key, const struct hll *h, const char *event)
{
    enum { SHORT = 64 };
    struct slice bytes = {h->bytes, h->size};
    struct value *value = h->size < SHORT ? value_string_append(value_new_string((struct slice){NULL, 0}), bytes)
                                          : value_new_string(bytes);
    keyspace_set(&run->view, key, value, true, event);
}

/* --- PFADD --- */

/* What an element asks for, unless an earlier one of the same command asked for as much: so repeated elements cost their hash
 * only. */
struct hll_wants {
    uint8_t count[HLL_REGISTERS];
};
static bool hll_wants_more(struct hll_wants *wants, struct slice element, uint32_t *index, uint8_t *count)
{
    hll_hash(element, index, count);
    if (wants->count[*index] >= *count) {
        return false;
    }
    wants->count[*index] = *count;
    return true;
}

static enum hll_result
hll_add_all(struct command_run *run, struct hll *h, const struct command *command)
{
    int64_t sparse_max = keyspace_setting(run->view.keyspace, SETTING_HLL_SPARSE_MAX_BYTES);
    struct hll_wants wants = {{0}};
    enum hll_result all = HLL_SAME;
    for (size_t i = 2; i < command->arg_count; i++) {
        uint32_t index;
        uint8_t count;
        if (!hll_wants_more(&wants, command->arg[i], &index, &count)) {
            continue;
        }
        switch (hll_set(h, index, count, sparse_max)) {
        case HLL_SAME:
            break;
        case HLL_CHANGED:
            all = HLL_CHANGED;
            break;
        case HLL_CORRUPT:
            return HLL_CORRUPT;
        }
    }
    return all;
}

/* Registers of a dense one are changed where they are. True when one was. */
static bool hll_add_in_place(struct command_run *run, const struct command *command, const struct value *value)
{
    struct hll_wants wants = {{0}};
    struct value *edited = NULL;
    for (size_t i = 2; i < command->arg_count; i++) {
        uint8_t triple[3]; /* four registers */
        uint32_t index;
        uint8_t count;
        if (!hll_wants_more(&wants, command->arg[i], &index, &count)) {
            continue;
        }
        size_t at = HLL_HEADER_BYTES + index / 4 * sizeof triple;
        value_string_read(edited ? edited : value, at, triple, sizeof triple);
        if (hll_dense_get(triple, index % 4) >= count) {
            continue;
        }
        if (!edited) {
            edited = keyspace_edit(&run->view, command->arg[1]);
        }
        hll_dense_set(triple, index % 4, count);
        value_string_write(edited, at, (struct slice){triple, sizeof triple});
    }
    if (edited) {
        uint8_t flag;
        value_string_read(edited, HLL_CACHE_FLAG_AT, &flag, 1);
        flag |= 0x80;
        value_string_write(edited, HLL_CACHE_FLAG_AT, (struct slice){&flag, 1});
        keyspace_changed(&run->view, command->arg[1], "pfadd");
    }
    return edited != NULL;
}

static void pfadd_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    struct hll h;
    uint8_t form = 1;
    if (value) {
        if (!hll_is_one(value, reply)) {
            return;
        }
        value_string_read(value, HLL_ENCODING_AT, &form, 1);
    }
    if (form == 0) {
        reply_int(reply, hll_add_in_place(run, command, value));
        return;
    }
    if (!value) {
        hll_init(&h);
    } else if (!hll_load(value, &h, reply)) {
        return;
    }
    enum hll_result result = hll_add_all(run, &h, command);
    if (result == HLL_CORRUPT) {
        reply_error(reply, HLL_CORRUPT_ERROR);
        return;
    }
    if (result == HLL_CHANGED || !value) {
        hll_void_cache(&h);
        hll_store(run, command->arg[1], &h, "pfadd");
    }
    reply_int(reply, result == HLL_CHANGED || !value);
}

/* --- PFCOUNT, PFMERGE --- */

/* Merges the HyperLogLog at `key` into `max`; an absent one is empty. False: an error was written. */
static bool hll_merge_key(
    struct command_run *run, struct slice key, uint8_t max[HLL_REGISTERS], bool *is_any_dense, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, key);
    struct hll h;
    if (!value) {
        return true;
    }
    if (!hll_is_one(value, reply) || !hll_load(value, &h, reply)) {
        return false;
    }
    *is_any_dense |= hll_is_dense(&h);
    if (!hll_merge(&h, max)) {
        reply_error(reply, HLL_CORRUPT_ERROR);
        return false;
    }
    return true;
}

static void pfcount_one(struct command_run *run, struct slice key, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, key);
    struct hll h;
    uint64_t count = 0;
    if (!value) {
        reply_int(reply, 0);
        return;
    }
    if (!hll_is_one(value, reply)) {
        return;
    }
    uint8_t cache[8];
    value_string_read(value, HLL_CACHE_AT, cache, sizeof cache);
    if (!(cache[7] & 0x80)) {
        for (size_t i = 8; i > 0; i--) {
            count = count << 8 | cache[i - 1];
        }
    } else if (!hll_load(value, &h, reply)) {
        return;
    } else if (!hll_count(&h, &count)) {
        reply_error(reply, HLL_CORRUPT_ERROR);
        return;
    }
    reply_int(reply, (int64_t)count);
}

static void pfcount_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    uint8_t max[HLL_REGISTERS] = {0};
    bool is_any_dense = false;
    if (command->arg_count == 2) {
        pfcount_one(run, command->arg[1], reply);
        return;
    }
    for (size_t i = 1; i < command->arg_count; i++) {
        if (!hll_merge_key(run, command->arg[i], max, &is_any_dense, reply)) {
            return;
        }
    }
    reply_int(reply, (int64_t)hll_count_registers(max));
}

static void pfmerge_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t sparse_max = keyspace_setting(run->view.keyspace, SETTING_HLL_SPARSE_MAX_BYTES);
    uint8_t max[HLL_REGISTERS] = {0};
    bool is_any_dense = false;
    struct hll h;
    for (size_t i = 1; i < command->arg_count; i++) {
        if (!hll_merge_key(run, command->arg[i], max, &is_any_dense, reply)) {
            return;
        }
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        hll_init(&h);
    } else if (!hll_load(value, &h, reply)) {
        return;
    }
    if (is_any_dense) {
        bool is_valid = hll_to_dense(&h); /* it was merged above */
        ASSERT(is_valid);
    }
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        if (max[i] > 0) {
            enum hll_result result = hll_set(&h, i, max[i], sparse_max);
            ASSERT(result != HLL_CORRUPT);
        }
    }
    hll_void_cache(&h);
    hll_store(run, command->arg[1], &h, "pfadd");
    reply_simple(reply, "OK");
}

/* --- PFDEBUG --- */

static void hll_reply_registers(const struct hll *h, struct reply *reply)
{
    reply_array(reply, HLL_REGISTERS);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        reply_int(reply, hll_dense_get(h->bytes + HLL_HEADER_BYTES, i));
    }
}

static void hll_reply_opcodes(const struct hll *h, struct reply *reply)
{
    struct buf text;
    buf_init(&text);
    for (size_t at = HLL_HEADER_BYTES; at < h->size;) {
        struct hll_run code = hll_run_at(h, at);
        const char *blank = buf_size(&text) ? " " : "";
        if (code.value) {
            buf_printf(&text, "%sv:%u,%u", blank, code.value, (unsigned)code.length);
        } else {
            buf_printf(&text, "%s%c:%u", blank, code.bytes == 2 ? 'Z' : 'z', (unsigned)code.length);
        }
        at += code.bytes;
    }
    reply_bulk(reply, buf_slice(&text));
    buf_deinit(&text);
}

/* Makes the one at `key` dense. False: an error was written. */
static bool hll_convert(struct command_run *run, struct slice key, struct hll *h, struct reply *reply)
{
    if (hll_is_dense(h)) {
        return true;
    }
    if (!hll_to_dense(h)) {
        reply_error(reply, HLL_CORRUPT_ERROR);
        return false;
    }
    hll_store(run, key, h, "pfdebug");
    return true;
}

static void pfdebug_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice what = command->arg[1];
    struct slice key = command->arg[2];
    const struct value *value = keyspace_get(&run->view, key);
    struct hll h;
    if (!value) {
        reply_error(reply, "ERR The specified key does not exist");
        return;
    }
    if (!hll_is_one(value, reply) || !hll_load(value, &h, reply)) {
        return;
    }
    bool is_sparse = !hll_is_dense(&h);
    if (argument_is(what, "getreg")) {
        if (hll_convert(run, key, &h, reply)) {
            hll_reply_registers(&h, reply);
        }
    } else if (argument_is(what, "decode")) {
        if (is_sparse) {
            hll_reply_opcodes(&h, reply);
        } else {
            reply_error(reply, "ERR HLL encoding is not sparse");
        }
    } else if (argument_is(what, "encoding")) {
        reply_simple(reply, is_sparse ? "sparse" : "dense");
    } else if (argument_is(what, "todense")) {
        if (hll_convert(run, key, &h, reply)) {
            reply_int(reply, is_sparse);
        }
    } else {
        const uint8_t *end = memchr(what.p, 0, what.n);
        reply_errorf(reply, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)(end ? (size_t)(end - what.p) : what.n),
                     (const char *)what.p);
    }
}

/* --- PFSELFTEST --- */

enum {
    SELFTEST_CYCLES = 10,
    SELFTEST_ELEMENTS = 100000,
    SELFTEST_SPARSE_MAX = 3000,
};

static bool selftest_registers(struct hll *h, struct prng *random, struct reply *reply)
{
    uint8_t value[HLL_REGISTERS];
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        value[i] = (uint8_t)prng_below(random, 64);
        hll_dense_set(h->bytes + HLL_HEADER_BYTES, i, value[i]);
    }
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        uint8_t now = hll_dense_get(h->bytes + HLL_HEADER_BYTES, i);
        if (now != value[i]) {
            reply_errorf(reply, "TESTFAILED Register %u should be %u but is %u", (unsigned)i, value[i], now);
            return false;
        }
    }
    return true;
}

/* The estimate after `count` different elements. */
static bool selftest_estimate(const struct hll *dense, const struct hll *sparse, uint64_t count, struct reply *reply)
{
    uint64_t estimate[2];
    double standard_error = 1.04 / sqrt(HLL_REGISTERS);
    uint64_t most = count == 10 ? 1 : (uint64_t)ceil(standard_error * 6 * (double)count);
    if (count < SELFTEST_SPARSE_MAX / 2 && hll_is_dense(sparse)) {
        reply_error(reply, "TESTFAILED sparse encoding not used");
        return false;
    }
    if (!hll_count(dense, &estimate[0]) || !hll_count(sparse, &estimate[1]) || estimate[0] != estimate[1]) {
        reply_error(reply, "TESTFAILED dense/sparse disagree");
        return false;
    }
    uint64_t error = estimate[0] > count ? estimate[0] - count : count - estimate[0];
    if (error > most) {
        reply_errorf(reply, "TESTFAILED Too big error. card:%llu abserr:%llu", (unsigned long long)count,
                     (unsigned long long)error);
        return false;
    }
    return true;
}

static void pfselftest(struct client *client, const struct command *command, struct reply *reply)
{
    struct hll dense;
    struct hll sparse;
    struct prng random;
    uint64_t checkpoint = 1;
    (void)client;
    (void)command;
    prng_seed(&random, 1);
    hll_init(&dense);
    bool is_ok = hll_to_dense(&dense);
    for (int i = 0; i < SELFTEST_CYCLES && is_ok; i++) {
        is_ok = selftest_registers(&dense, &random, reply);
    }
    memset(dense.bytes + HLL_HEADER_BYTES, 0, HLL_DENSE_BYTES - HLL_HEADER_BYTES);
    hll_init(&sparse);
    for (uint64_t i = 1; i <= SELFTEST_ELEMENTS && is_ok; i++) {
        uint64_t element = prng_next(&random);
        uint32_t index;
        uint8_t count;
        hll_hash((struct slice){(const uint8_t *)&element, sizeof element}, &index, &count);
        hll_set(&dense, index, count, 0);
        hll_set(&sparse, index, count, SELFTEST_SPARSE_MAX);
        if (i == checkpoint) {
            is_ok = selftest_estimate(&dense, &sparse, i, reply);
            checkpoint *= 10;
        }
    }
    if (is_ok) {
        reply_simple(reply, "OK");
    }
}

/* --- the rows --- */

static const struct command_row hll_row[] = {
    {
        .name = "pfadd",
        COMMAND_NUMBERED(PFADD),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = pfadd_run,
        .group = "hyperloglog",
        .acl_categories = "@write @hyperloglog @fast",
        .summary = "Adds the specified elements to the specified HyperLogLog.",
        .since = "2.8.9",
        .complexity = "O(1) to add every element.",
        .arguments = "key [element [element ...]]",
        .key_flags = "RW insert",
    },
    {
        .name = "pfcount",
        COMMAND_NUMBERED(PFCOUNT),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_MAY_REPLICATE,
        .keys = {1, -1, 1},
        .run = pfcount_run,
        .group = "hyperloglog",
        .acl_categories = "@read @hyperloglog @slow",
        .summary = "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
        .since = "2.8.9",
        .complexity = "O(1) with a very small average constant time when called with a single key. O(N) with N being "
                      "the number of keys, and much bigger constant times, when called with multiple keys.",
        .arguments = "key [key ...]",
        .key_flags = "RW access",
        .key_notes = "RW because it may change the internal representation of the key, and propagate to replicas",
    },
    {
        .name = "pfdebug",
        COMMAND_NUMBERED(PFDEBUG),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_ADMIN,
        .keys = {2, 2, 1},
        .run = pfdebug_run,
        .group = "hyperloglog",
        .acl_categories = "@write @hyperloglog @admin @slow @dangerous",
        .summary = "Internal commands for debugging HyperLogLog values",
        .since = "2.8.9",
        .complexity = "N/A",
        .arguments = "subcommand key",
        .key_flags = "RW access",
    },
    {
        .name = "pfmerge",
        COMMAND_NUMBERED(PFMERGE),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 1},
        .run = pfmerge_run,
        .group = "hyperloglog",
        .acl_categories = "@write @hyperloglog @slow",
        .summary = "Merge N different HyperLogLogs into a single one.",
        .since = "2.8.9",
        .complexity = "O(N) to merge N HyperLogLogs, but with high constant times.",
        .arguments = "destkey sourcekey [sourcekey ...]",
        .key_flags = "RW access insert;RO access",
    },
    {
        .name = "pfselftest",
        .kind = COMMAND_NODE,
        .arity = 1,
        .flags = COMMAND_ADMIN,
        .run_local = pfselftest,
        .group = "hyperloglog",
        .acl_categories = "@hyperloglog @admin @slow @dangerous",
        .summary = "An internal command for testing HyperLogLog values",
        .since = "2.8.9",
        .complexity = "N/A",
        .arguments = "",
    },
};

const struct command_family commands_hll = {hll_row, sizeof hll_row / sizeof hll_row[0]};
