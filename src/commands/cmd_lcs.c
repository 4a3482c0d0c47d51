/* LCS: the longest common subsequence of two strings, by the table of dynamic programming, with the
 * replies of Redis 7.0.15 t_string.c. Ties are broken as there, since another subsequence of the
 * same length would be as right but another reply: from the end, back in the second string unless
 * going back in the first one keeps more.
 *
 * L1  cell(i, j) is the length for the first i bytes of `a` and the first j of `b`.
 *
 * DEVIATION: Redis allows a table of proto-max-bulk-len (512 MiB, most of a second). Here a command
 * holds up the whole node, so the table is limited to LCS_CELLS_MAX. */

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "keyspace/value.h"

enum { LCS_CELLS_MAX = 16 * 1024 * 1024 }; /* 64 MiB, some 50 ms: two strings of 4,000 bytes */

struct lcs_options {
    bool wants_ranges;
    bool wants_size;
    bool wants_range_sizes;
    int64_t min_range;
};

struct lcs_table {
    uint8_t *a;
    uint8_t *b;
    size_t a_size;
    size_t b_size;
    uint32_t *cell; /* (a_size + 1) rows of b_size + 1 */
};

static uint32_t *lcs_cell(const struct lcs_table *t, size_t i, size_t j)
{
    return &t->cell[i * (t->b_size + 1) + j];
}

static bool
lcs_parse(const struct command *command, struct lcs_options *options, struct reply *reply)
{
    *options = (struct lcs_options){.min_range = 0};
    for (size_t i = 3; i < command->arg_count; i++) {
        struct slice option = command->arg[i];
        if (argument_is(option, "idx")) {
            options->wants_ranges = true;
        } else if (argument_is(option, "len")) {
            options->wants_size = true;
        } else if (argument_is(option, "withmatchlen")) {
            options->wants_range_sizes = true;
        } else if (argument_is(option, "minmatchlen") && i + 1 < command->arg_count) {
            if (!argument_integer(command->arg[++i], &options->min_range, reply)) {
                return false;
            }
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    if (options->wants_ranges && options->wants_size) {
        reply_error(reply, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static uint8_t *lcs_bytes(const struct value *value, size_t *size)
{
    *size = value ? value_string_size(value) : 0;
    uint8_t *bytes = mem_alloc(*size + 1);
    if (value) {
        value_string_read(value, 0, bytes, *size);
    }
    return bytes;
}

static void lcs_fill(struct lcs_table *t)
{
    memset(t->cell, 0, (t->b_size + 1) * sizeof t->cell[0]);
    for (size_t i = 1; i <= t->a_size; i++) {
        uint32_t *row = lcs_cell(t, i, 0);
        const uint32_t *above = lcs_cell(t, i - 1, 0);
        row[0] = 0;
        for (size_t j = 1; j <= t->b_size; j++) {
            if (t->a[i - 1] == t->b[j - 1]) {
                row[j] = above[j - 1] + 1;
            } else {
                row[j] = above[j] > row[j - 1] ? above[j] : row[j - 1];
            }
        }
    }
}

static void lcs_reply_range(struct reply *reply, size_t first, size_t last)
{
    reply_array(reply, 2);
    reply_int(reply, (int64_t)first);
    reply_int(reply, (int64_t)last);
}

/* Walks back through the table. Writes the subsequence to `bytes` and the ranges, each as long as
 * can be, to `ranges`; returns how many ranges. */
static size_t lcs_walk(const struct lcs_table *t,
                       const struct lcs_options *options,
                       uint8_t *bytes,
                       struct reply *ranges)
{
    size_t count = 0;
    size_t run = 0; /* bytes of the range that ends at the walk's place */
    size_t i = t->a_size;
    size_t j = t->b_size;
    while (i > 0 && j > 0) {
        bool is_match = t->a[i - 1] == t->b[j - 1];
        if (is_match) {
            bytes[*lcs_cell(t, i, j) - 1] = t->a[i - 1];
            i--;
            j--;
            run++;
        }
        if (run > 0 && (!is_match || i == 0 || j == 0)) {
            if ((int64_t)run >= options->min_range) {
                reply_array(ranges, options->wants_range_sizes ? 3 : 2);
                lcs_reply_range(ranges, i, i + run - 1);
                lcs_reply_range(ranges, j, j + run - 1);
                if (options->wants_range_sizes) {
                    reply_int(ranges, (int64_t)run);
                }
                count++;
            }
            run = 0;
        }
        if (!is_match) {
            if (*lcs_cell(t, i - 1, j) > *lcs_cell(t, i, j - 1)) {
                i--;
            } else {
                j--;
            }
        }
    }
    return count;
}

static void
lcs_answer(const struct lcs_table *t, const struct lcs_options *options, struct reply *reply)
{
    uint32_t size = *lcs_cell(t, t->a_size, t->b_size);
    if (options->wants_size) {
        reply_int(reply, size);
        return;
    }
    struct buf text;
    buf_init(&text);
    uint8_t *bytes = mem_alloc(size + 1);
    struct reply ranges = {.out = &text, .protocol = reply->protocol};
    size_t count = lcs_walk(t, options, bytes, &ranges);
    if (options->wants_ranges) {
        reply_map(reply, 2);
        reply_bulk_cstr(reply, "matches");
        reply_array(reply, count);
        if (reply->protocol != REPLY_DISCARD) {
            buf_append_slice(reply->out, buf_slice(&text));
        }
        reply_bulk_cstr(reply, "len");
        reply_int(reply, size);
    } else {
        reply_bulk(reply, (struct slice){bytes, size});
    }
    mem_free(bytes);
    buf_deinit(&text);
}

static void lcs_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *a = keyspace_get(&run->view, command->arg[1]);
    const struct value *b = keyspace_get(&run->view, command->arg[2]);
    if ((a && value_get_type(a) != VALUE_STRING) || (b && value_get_type(b) != VALUE_STRING)) {
        reply_error(reply, "ERR The specified keys must contain string values");
        return;
    }
    struct lcs_options options;
    if (!lcs_parse(command, &options, reply)) {
        return;
    }
    uint64_t rows = (a ? value_string_size(a) : 0) + 1;
    uint64_t columns = (b ? value_string_size(b) : 0) + 1;
    if (rows * columns > LCS_CELLS_MAX) { /* neither is near 2^32 */
        reply_error(reply, "ERR Insufficient memory, transient memory for LCS exceeds 64 MiB");
        return;
    }
    struct lcs_table table;
    table.a = lcs_bytes(a, &table.a_size);
    table.b = lcs_bytes(b, &table.b_size);
    table.cell = mem_alloc_array(rows * columns, sizeof table.cell[0]);
    lcs_fill(&table);
    lcs_answer(&table, &options, reply);
    mem_free(table.cell);
    mem_free(table.a);
    mem_free(table.b);
}

/* --- the rows --- */

static const struct command_row lcs_row[] = {
    {
        .name = "lcs",
        COMMAND_NUMBERED(LCS),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 2, 1},
        .run = lcs_run,
        .group = "string",
        .acl_categories = "@read @string @slow",
        .summary = "Find longest common substring",
        .since = "7.0.0",
        .complexity = "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        .arguments = "key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
        .key_flags = "RO access",
    },
};

const struct command_family commands_lcs = {lcs_row, sizeof lcs_row / sizeof lcs_row[0]};
