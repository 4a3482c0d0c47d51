/* Bits of strings: SETBIT GETBIT BITCOUNT BITPOS BITOP, as Redis 7.0.15 bitops.c answers them. Bit
 * 0 is the most significant one of the first byte. BITFIELD is in cmd_bitfield.c.
 *
 * Each `check` refuses exactly what Redis finds before it looks at a key; BITCOUNT looks at the key
 * first and has none. */

#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "commands/bit.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "keyspace/value.h"

static bool bit_is_set(const struct value *value, uint64_t offset)
{
    struct slice part =
        value ? value_string_part(value, (size_t)(offset / 8)) : (struct slice){NULL, 0};
    return part.n > 0 && (part.p[0] >> (7 - offset % 8) & 1) != 0;
}

/* --- SETBIT, GETBIT --- */

static bool
setbit_parse(const struct command *command, uint64_t *offset, int64_t *bit, struct reply *reply)
{
    if (!bit_parse_offset(command->arg[2], 0, offset, reply)) {
        return false;
    }
    if (!number_parse_i64(command->arg[3], bit) || *bit < 0 || *bit > 1) {
        reply_error(reply, "ERR bit is not an integer or out of range");
        return false;
    }
    return true;
}

static bool setbit_check(const struct command *command, struct reply *reply)
{
    uint64_t offset;
    int64_t bit;
    return setbit_parse(command, &offset, &bit, reply);
}

static void setbit_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct bit_edit edit;
    uint64_t offset;
    int64_t bit;
    if (!setbit_parse(command, &offset, &bit, reply) ||
        !bit_edit_init(&edit, &run->view, command->arg[1], reply)) {
        return;
    }
    bool was_set = bit_is_set(edit.value, offset);
    if (edit.size <= offset / 8 || was_set != (bit == 1)) {
        uint8_t byte = 0;
        uint8_t mask = (uint8_t)(0x80u >> (offset % 8));
        bit_edit_begin(&edit, (size_t)(offset / 8) + 1);
        value_string_read(edit.value, (size_t)(offset / 8), &byte, 1);
        byte = (uint8_t)(bit ? byte | mask : byte & ~mask);
        bit_edit_write(&edit, (size_t)(offset / 8), &byte, 1);
    }
    bit_edit_end(&edit, "setbit");
    reply_int(reply, was_set);
}

static bool getbit_check(const struct command *command, struct reply *reply)
{
    uint64_t offset;
    return bit_parse_offset(command->arg[2], 0, &offset, reply);
}

static void getbit_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    uint64_t offset;
    if (!bit_parse_offset(command->arg[2], 0, &offset, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value || argument_is_string(value, reply)) {
        reply_int(reply, bit_is_set(value, offset));
    }
}

/* --- BITCOUNT, BITPOS --- */

/* Bits [first, last] of a string, none when first > last. */
struct bit_range {
    int64_t first;
    int64_t last;
};

/* BYTE or BIT; false: a syntax error was written. */
static bool bit_parse_unit(struct slice unit, bool *is_bit, struct reply *reply)
{
    *is_bit = argument_is(unit, "bit");
    if (!*is_bit && !argument_is(unit, "byte")) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

/* Cut [first, last] in its unit, negative ones counting from the end, to a string of `size` bytes.
 */
static struct bit_range bit_range_of(int64_t first, int64_t last, bool is_bit, int64_t size)
{
    int64_t total = is_bit ? size * 8 : size;
    first += first < 0 ? total : 0;
    last += last < 0 ? total : 0;
    first = first < 0 ? 0 : first;
    last = last < 0 ? 0 : last;
    last = last >= total ? total - 1 : last;
    if (first > last) {
        return (struct bit_range){0, -1};
    }
    return is_bit ? (struct bit_range){first, last} : (struct bit_range){first * 8, last * 8 + 7};
}

/* The byte at `at` with everything outside of the range cleared. */
static uint8_t bit_byte_in_range(uint8_t byte, int64_t at, struct bit_range range)
{
    if (at == range.first / 8) {
        byte = (uint8_t)(byte & (0xffu >> (range.first % 8)));
    }
    if (at == range.last / 8) {
        byte = (uint8_t)(byte & (0xff00u >> (range.last % 8 + 1)));
    }
    return byte;
}

static int64_t bit_count_bytes(const uint8_t *p, size_t n)
{
    int64_t count = 0;
    for (; n >= sizeof(uint64_t); p += sizeof(uint64_t), n -= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        count += __builtin_popcountll(word);
    }
    for (; n > 0; p++, n--) {
        count += __builtin_popcount(*p);
    }
    return count;
}

static int64_t bit_count(const struct value *value, struct bit_range range)
{
    int64_t count = 0;
    int64_t last_byte = range.last / 8;
    for (int64_t at = range.first / 8; range.first <= range.last && at <= last_byte;) {
        struct slice part = value_string_part(value, (size_t)at);
        if (part.n > (size_t)(last_byte - at + 1)) {
            part.n = (size_t)(last_byte - at + 1);
        }
        count += bit_count_bytes(part.p, part.n);
        at += (int64_t)part.n;
    }
    if (range.first <= range.last) {
        /* What the first and the last byte have outside of the range was counted too. */
        uint8_t edge[2] = {0, 0};
        value_string_read(value, (size_t)(range.first / 8), &edge[0], 1);
        value_string_read(value, (size_t)last_byte, &edge[1], 1);
        edge[0] = (uint8_t)(edge[0] & ~(0xffu >> (range.first % 8)));
        edge[1] = (uint8_t)(edge[1] & ~(0xff00u >> (range.last % 8 + 1)));
        count -= __builtin_popcount(edge[0]) + __builtin_popcount(edge[1]);
    }
    return count;
}

static void
bitcount_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        reply_int(reply, 0);
        return;
    }
    if (!argument_is_string(value, reply)) {
        return;
    }
    int64_t first = 0;
    int64_t last = -1;
    bool is_bit = false;
    if (command->arg_count == 3 || command->arg_count > 5) {
        reply_error(reply, REPLY_SYNTAX);
        return;
    }
    if (command->arg_count > 2) {
        if (!argument_integer(command->arg[2], &first, reply) ||
            !argument_integer(command->arg[3], &last, reply)) {
            return;
        }
        if (first < 0 && last < 0 && first > last) {
            reply_int(reply, 0); /* before it looks at the unit */
            return;
        }
        if (command->arg_count == 5 && !bit_parse_unit(command->arg[4], &is_bit, reply)) {
            return;
        }
    }
    reply_int(reply, bit_count(value, bit_range_of(first, last, is_bit,
                                                   (int64_t)value_string_size(value))));
}

/* The first bit of that kind in a range that is not empty; -1 when there is none. */
static int64_t bit_find(const struct value *value, bool bit, struct bit_range range)
{
    uint8_t flip = bit ? 0 : 0xff;
    uint64_t nothing = bit ? 0 : UINT64_MAX;
    struct slice part = {NULL, 0};
    for (int64_t at = range.first / 8; at <= range.last / 8; at++) {
        if (part.n == 0) {
            part = value_string_part(value, (size_t)at);
        }
        uint64_t word = ~nothing;
        if (part.n > sizeof word && at > range.first / 8 &&
            at + (int64_t)sizeof word <= range.last / 8) {
            memcpy(&word, part.p, sizeof word);
        }
        if (word == nothing) {
            at += (int64_t)sizeof word - 1;
            part = slice_skip(part, sizeof word);
            continue;
        }
        uint8_t byte = bit_byte_in_range((uint8_t)(part.p[0] ^ flip), at, range);
        if (byte) {
            return at * 8 + __builtin_clz(byte) - 24;
        }
        part = slice_skip(part, 1);
    }
    return -1;
}

static bool bitpos_parse_bit(const struct command *command, int64_t *bit, struct reply *reply)
{
    if (!argument_integer(command->arg[2], bit, reply)) {
        return false;
    }
    if (*bit != 0 && *bit != 1) {
        reply_error(reply, "ERR The bit argument must be 1 or 0.");
        return false;
    }
    return true;
}

static bool bitpos_check(const struct command *command, struct reply *reply)
{
    int64_t bit;
    return bitpos_parse_bit(command, &bit, reply);
}

static bool bitpos_parse_range(const struct command *command,
                               int64_t size,
                               struct bit_range *range,
                               struct reply *reply)
{
    int64_t first = 0;
    int64_t last = -1;
    bool is_bit = false;
    if (command->arg_count > 6) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    if (command->arg_count > 3 && !argument_integer(command->arg[3], &first, reply)) {
        return false;
    }
    if (command->arg_count > 5 && !bit_parse_unit(command->arg[5], &is_bit, reply)) {
        return false;
    }
    if (command->arg_count > 4 && !argument_integer(command->arg[4], &last, reply)) {
        return false;
    }
    *range = bit_range_of(first, last, is_bit, size);
    return true;
}

static void bitpos_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t bit;
    if (!bitpos_parse_bit(command, &bit, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        reply_int(reply, bit ? -1 : 0);
        return;
    }
    struct bit_range range;
    if (!argument_is_string(value, reply) ||
        !bitpos_parse_range(command, (int64_t)value_string_size(value), &range, reply)) {
        return;
    }
    int64_t found = range.first <= range.last ? bit_find(value, bit == 1, range) : -1;
    /* Without an end the string is followed by zeros for ever. */
    if (found < 0 && bit == 0 && command->arg_count < 5 && range.first <= range.last) {
        found = range.last + 1;
    }
    reply_int(reply, found);
}

/* --- BITOP --- */

enum bit_operation {
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    BIT_NOT,
};

enum { BITOP_BLOCK_BYTES = 4096 };

static bool
bitop_parse(const struct command *command, enum bit_operation *operation, struct reply *reply)
{
    static const char *const name[] = {"and", "or", "xor", "not"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        if (!argument_is(command->arg[1], name[i])) {
            continue;
        }
        *operation = (enum bit_operation)i;
        if (*operation == BIT_NOT && command->arg_count != 4) {
            reply_error(reply, "ERR BITOP NOT must be called with a single source key.");
            return false;
        }
        return true;
    }
    reply_error(reply, REPLY_SYNTAX);
    return false;
}

static bool bitop_check(const struct command *command, struct reply *reply)
{
    enum bit_operation operation;
    return bitop_parse(command, &operation, reply);
}

static void bitop_combine(enum bit_operation operation, uint8_t *to, const uint8_t *with, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (operation) {
        case BIT_AND:
            to[i] &= with[i];
            break;
        case BIT_OR:
            to[i] |= with[i];
            break;
        case BIT_XOR:
            to[i] ^= with[i];
            break;
        case BIT_NOT:
            UNREACHABLE();
        }
    }
}

/* `n` bytes from `offset` on of the result; missing bytes of a source are zero. */
static void bitop_block(struct command_run *run,
                        const struct command *command,
                        enum bit_operation operation,
                        size_t offset,
                        uint8_t *to,
                        size_t n)
{
    uint8_t with[BITOP_BLOCK_BYTES];
    for (size_t i = 3; i < command->arg_count; i++) {
        uint8_t *block = i == 3 ? to : with;
        const struct value *value = keyspace_get(&run->view, command->arg[i]);
        size_t got = value ? value_string_read(value, offset, block, n) : 0;
        memset(block + got, 0, n - got);
        if (i > 3) {
            bitop_combine(operation, to, with, n);
        }
    }
    for (size_t i = 0; operation == BIT_NOT && i < n; i++) {
        to[i] = (uint8_t)~to[i];
    }
}

static void bitop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    enum bit_operation operation;
    if (!bitop_parse(command, &operation, reply)) {
        return;
    }
    size_t size = 0;
    for (size_t i = 3; i < command->arg_count; i++) {
        const struct value *value = keyspace_get(&run->view, command->arg[i]);
        if (value && !argument_is_string(value, reply)) {
            return;
        }
        size_t n = value ? value_string_size(value) : 0;
        size = n > size ? n : size;
    }
    struct value *result = NULL;
    uint8_t block[BITOP_BLOCK_BYTES];
    for (size_t done = 0; done < size;) {
        size_t n = size - done < sizeof block ? size - done : sizeof block;
        bitop_block(run, command, operation, done, block, n);
        struct slice bytes = {block, n};
        result = result ? value_string_append(result, bytes) : value_new_string(bytes);
        done += n;
    }
    if (result) {
        keyspace_set(&run->view, command->arg[2], result, false, "set");
    } else {
        keyspace_delete(&run->view, command->arg[2], "del");
    }
    reply_int(reply, (int64_t)size);
}

/* --- the rows --- */

static const struct command_row bit_row[] = {
    {
        .name = "bitcount",
        COMMAND_NUMBERED(BITCOUNT),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = bitcount_run,
        .group = "bitmap",
        .acl_categories = "@read @bitmap @slow",
        .summary = "Count set bits in a string",
        .since = "2.6.0",
        .complexity = "O(N)",
        .arguments = "key [start end [BYTE | BIT]]",
        .key_flags = "RO access",
        .history = "7.0.0 Added the `BYTE|BIT` option.",
    },
    {
        .name = "bitop",
        COMMAND_NUMBERED(BITOP),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {2, -1, 1},
        .check = bitop_check,
        .run = bitop_run,
        .group = "bitmap",
        .acl_categories = "@write @bitmap @slow",
        .summary = "Perform bitwise operations between strings",
        .since = "2.6.0",
        .complexity = "O(N)",
        .arguments = "operation destkey key [key ...]",
        .key_flags = "OW update;RO access",
    },
    {
        .name = "bitpos",
        COMMAND_NUMBERED(BITPOS),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = bitpos_check,
        .run = bitpos_run,
        .group = "bitmap",
        .acl_categories = "@read @bitmap @slow",
        .summary = "Find first bit set or clear in a string",
        .since = "2.8.7",
        .complexity = "O(N)",
        .arguments = "key bit [start [end [BYTE | BIT]]]",
        .key_flags = "RO access",
        .history = "7.0.0 Added the `BYTE|BIT` option.",
    },
    {
        .name = "getbit",
        COMMAND_NUMBERED(GETBIT),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = getbit_check,
        .run = getbit_run,
        .group = "bitmap",
        .acl_categories = "@read @bitmap @fast",
        .summary = "Returns the bit value at offset in the string value stored at key",
        .since = "2.2.0",
        .complexity = "O(1)",
        .arguments = "key offset",
        .key_flags = "RO access",
    },
    {
        .name = "setbit",
        COMMAND_NUMBERED(SETBIT),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = setbit_check,
        .run = setbit_run,
        .group = "bitmap",
        .acl_categories = "@write @bitmap @slow",
        .summary = "Sets or clears the bit at offset in the string value stored at key",
        .since = "2.2.0",
        .complexity = "O(1)",
        .arguments = "key offset value",
        .key_flags = "RW access update",
    },
};

const struct command_family commands_bit = {bit_row, sizeof bit_row / sizeof bit_row[0]};
