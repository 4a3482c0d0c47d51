/* BITFIELD and BITFIELD_RO, as Redis 7.0.15 bitops.c answers them: integers of 1 to 64 bits at any
 * bit of a string, most significant bit first.
 *
 * The arguments are walked three times with the same cursor: to refuse what is wrong before
 * anything happens, to learn how far the writes reach, and to do it.
 *
 * DEVIATION: a write that would make the string longer than proto-max-bulk-len is refused; Redis
 * lets the last field reach up to eight bytes behind it. */

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/number.h"
#include "commands/bit.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "keyspace/value.h"

enum field_kind {
    FIELD_GET,
    FIELD_SET,
    FIELD_INCREMENT,
};

enum field_overflow {
    FIELD_WRAP,
    FIELD_SATURATE,
    FIELD_FAIL,
};

struct field_operation {
    enum field_kind kind;
    bool is_signed;
    unsigned width;
    uint64_t offset;
    int64_t operand;
    enum field_overflow overflow;
};

/* Where the walk is; all but `command` begin at zero. */
struct field_cursor {
    const struct command *command;
    size_t at; /* of the next argument, less 2 */
    enum field_overflow overflow;
};

static bool field_parse_type(struct slice text, struct field_operation *op, struct reply *reply)
{
    int64_t width;
    op->is_signed = text.n > 0 && text.p[0] == 'i';
    if (text.n == 0 || (text.p[0] != 'i' && text.p[0] != 'u') ||
        !number_parse_i64(slice_skip(text, 1), &width) || width < 1 ||
        width > (op->is_signed ? 64 : 63)) {
        reply_error(reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is "
                           "not supported but i64 is.");
        return false;
    }
    op->width = (unsigned)width;
    return true;
}

static bool
field_parse_overflow(struct slice text, enum field_overflow *overflow, struct reply *reply)
{
    static const char *const name[] = {"wrap", "sat", "fail"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        if (argument_is(text, name[i])) {
            *overflow = (enum field_overflow)i;
            return true;
        }
    }
    reply_error(reply, "ERR Invalid OVERFLOW type specified");
    return false;
}

enum field_step {
    FIELD_STEP_OPERATION,
    FIELD_STEP_END,
    FIELD_STEP_ERROR, /* it was written */
};

static enum field_step
field_next(struct field_cursor *cursor, struct field_operation *op, struct reply *reply)
{
    const struct slice *arg = cursor->command->arg + 2 + cursor->at;
    size_t left = cursor->command->arg_count - 2 - cursor->at;
    while (left >= 2 && argument_is(arg[0], "overflow")) {
        if (!field_parse_overflow(arg[1], &cursor->overflow, reply)) {
            return FIELD_STEP_ERROR;
        }
        arg += 2;
        left -= 2;
        cursor->at += 2;
    }
    if (left == 0) {
        return FIELD_STEP_END;
    }
    *op = (struct field_operation){.kind = FIELD_GET, .overflow = cursor->overflow};
    if (left >= 4 && argument_is(arg[0], "set")) {
        op->kind = FIELD_SET;
    } else if (left >= 4 && argument_is(arg[0], "incrby")) {
        op->kind = FIELD_INCREMENT;
    } else if (left < 3 || !argument_is(arg[0], "get")) {
        reply_error(reply, REPLY_SYNTAX);
        return FIELD_STEP_ERROR;
    }
    if (!field_parse_type(arg[1], op, reply) ||
        !bit_parse_offset(arg[2], op->width, &op->offset, reply) ||
        (op->kind != FIELD_GET && !argument_integer(arg[3], &op->operand, reply))) {
        return FIELD_STEP_ERROR;
    }
    cursor->at += op->kind == FIELD_GET ? 3 : 4;
    return FIELD_STEP_OPERATION;
}

/* How many operations there are and how many bytes the writes reach (0: none). */
static bool field_survey(const struct command *command,
                         bool is_read_only,
                         size_t *count,
                         size_t *size,
                         struct reply *reply)
{
    struct field_cursor cursor = {.command = command};
    struct field_operation op;
    enum field_step step;
    *count = 0;
    *size = 0;
    while ((step = field_next(&cursor, &op, reply)) == FIELD_STEP_OPERATION) {
        size_t end = (size_t)((op.offset + op.width - 1) / 8) + 1;
        ++*count;
        if (op.kind != FIELD_GET && end > *size) {
            *size = end;
        }
    }
    if (step == FIELD_STEP_ERROR) {
        return false;
    }
    if (*size > 0 && is_read_only) {
        reply_error(reply, "ERR BITFIELD_RO only supports the GET subcommand");
        return false;
    }
    return string_length_ok(*size, 0, reply);
}

static bool bitfield_check(const struct command *command, struct reply *reply)
{
    size_t count;
    size_t size;
    return field_survey(command, false, &count, &size, reply);
}

static bool bitfield_ro_check(const struct command *command, struct reply *reply)
{
    size_t count;
    size_t size;
    return field_survey(command, true, &count, &size, reply);
}

/* --- fields of a string --- */

enum { FIELD_BYTES_MAX = 9 }; /* 64 bits that begin within a byte */

/* The bytes that the field touches, zeros behind the string's end; returns their count. */
static size_t
field_bytes(const struct value *value, const struct field_operation *op, uint8_t *bytes)
{
    size_t first = (size_t)(op->offset / 8);
    size_t n = (size_t)((op->offset + op->width - 1) / 8) - first + 1;
    size_t got = value ? value_string_read(value, first, bytes, n) : 0;
    memset(bytes + got, 0, n - got);
    return n;
}

/* As it stands there; a signed one is extended to 64 bits. */
static uint64_t field_read(const struct value *value, const struct field_operation *op)
{
    uint8_t bytes[FIELD_BYTES_MAX];
    uint64_t number = 0;
    field_bytes(value, op, bytes);
    for (unsigned i = 0; i < op->width; i++) {
        unsigned at = (unsigned)(op->offset % 8) + i;
        number = number << 1 | ((unsigned)bytes[at / 8] >> (7 - at % 8) & 1u);
    }
    if (op->is_signed && op->width < 64 && number >> (op->width - 1)) {
        number |= UINT64_MAX << op->width;
    }
    return number;
}

static void field_write(struct bit_edit *edit, const struct field_operation *op, uint64_t number)
{
    uint8_t bytes[FIELD_BYTES_MAX];
    size_t n = field_bytes(edit->value, op, bytes);
    for (unsigned i = 0; i < op->width; i++) {
        unsigned at = (unsigned)(op->offset % 8) + i;
        uint8_t mask = (uint8_t)(0x80u >> (at % 8));
        bool is_set = number >> (op->width - 1 - i) & 1;
        bytes[at / 8] = (uint8_t)(is_set ? bytes[at / 8] | mask : bytes[at / 8] & ~mask);
    }
    bit_edit_write(edit, (size_t)(op->offset / 8), bytes, n);
}

/* --- arithmetic --- */

/* number + increment as a signed field; false: it does not fit, *result is what the overflow mode
 * makes of it (nothing for FAIL). */
static bool field_add_signed(const struct field_operation *op,
                             int64_t number,
                             int64_t increment,
                             uint64_t *result)
{
    int64_t max = (int64_t)((UINT64_C(1) << (op->width - 1)) - 1);
    int64_t min = -max - 1;
    int64_t sum;
    bool is_counted = number_add_i64(number, increment, &sum);
    if (is_counted && sum >= min && sum <= max) {
        *result = (uint64_t)sum;
        return true;
    }
    bool is_above = is_counted ? sum > max : increment > 0;
    if (op->width < 64 && (int64_t)((uint64_t)max - (uint64_t)number) < increment) {
        /* As Redis, whose room above wraps for a SET near INT64_MIN: saturates at the other end. */
        is_above = true;
    }
    if (op->overflow == FIELD_SATURATE) {
        *result = (uint64_t)(is_above ? max : min);
    } else {
        *result = (uint64_t)number + (uint64_t)increment;
        if (op->width < 64) {
            uint64_t high = UINT64_MAX << op->width;
            bool is_negative = *result >> (op->width - 1) & 1;
            *result = is_negative ? *result | high : *result & ~high;
        }
    }
    return false;
}

/* The same for an unsigned one; `number` may be anything when SET gave it. */
static bool field_add_unsigned(const struct field_operation *op,
                               uint64_t number,
                               int64_t increment,
                               uint64_t *result)
{
    uint64_t max = (UINT64_C(1) << op->width) - 1; /* width < 64 */
    uint64_t sum = number + (uint64_t)increment;
    bool is_below = increment < 0 && number <= max && 0 - (uint64_t)increment > number;
    bool is_above = number > max || (increment > 0 && (uint64_t)increment > max - number);
    *result = sum;
    if (!is_below && !is_above) {
        return true;
    }
    if (op->overflow == FIELD_SATURATE) {
        *result = is_above ? max : 0;
    } else {
        *result = sum & max;
    }
    return false;
}

static void field_reply(struct reply *reply, uint64_t number)
{
    reply_int(reply, (int64_t)number); /* unsigned ones have 63 bits */
}

/* SET answers the old number, INCRBY the new one, both null where FAIL refused. */
static void field_change(struct bit_edit *edit,
                         const struct field_operation *op,
                         size_t size,
                         struct reply *reply)
{
    uint64_t old = field_read(edit->value, op);
    bool is_set = op->kind == FIELD_SET;
    uint64_t from = is_set ? (uint64_t)op->operand : old;
    int64_t increment = is_set ? 0 : op->operand;
    uint64_t result = 0;
    bool fits = op->is_signed ? field_add_signed(op, (int64_t)from, increment, &result)
                              : field_add_unsigned(op, from, increment, &result);
    if (!fits && op->overflow == FIELD_FAIL) {
        reply_null(reply);
        return;
    }
    field_reply(reply, is_set ? old : result);
    if (result != old) {
        bit_edit_begin(edit, size);
        field_write(edit, op, result);
    }
}

static void field_run(struct command_run *run,
                      const struct command *command,
                      bool is_read_only,
                      struct reply *reply)
{
    struct bit_edit edit;
    size_t count;
    size_t size;
    if (!field_survey(command, is_read_only, &count, &size, reply) ||
        !bit_edit_init(&edit, &run->view, command->arg[1], reply)) {
        return;
    }
    if (size > edit.size) {
        bit_edit_begin(&edit, size); /* room up to the farthest write, whatever becomes of it */
    }
    reply_array(reply, count);
    struct field_cursor cursor = {.command = command};
    struct field_operation op;
    while (field_next(&cursor, &op, reply) == FIELD_STEP_OPERATION) {
        if (op.kind == FIELD_GET) {
            field_reply(reply, field_read(edit.value, &op));
        } else {
            field_change(&edit, &op, size, reply);
        }
    }
    bit_edit_end(&edit, "setbit");
}

static void
bitfield_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    field_run(run, command, false, reply);
}

static void
bitfield_ro_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    field_run(run, command, true, reply);
}

/* --- the rows --- */

static const struct command_row bitfield_row[] = {
    {
        .name = "bitfield",
        COMMAND_NUMBERED(BITFIELD),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = bitfield_check,
        .run = bitfield_run,
        .group = "bitmap",
        .acl_categories = "@write @bitmap @slow",
        .summary = "Perform arbitrary bitfield integer operations on strings",
        .since = "3.2.0",
        .complexity = "O(1) for each subcommand specified",
        .arguments =
            "key [GET encoding offset | [OVERFLOW WRAP | OVERFLOW SAT | OVERFLOW FAIL] SET "
            "encoding offset value | [OVERFLOW WRAP | OVERFLOW SAT | OVERFLOW FAIL] INCRBY "
            "encoding offset increment]",
        .key_flags = "RW access update variable_flags",
        .key_notes = "This command allows both access and modification of the key",
    },
    {
        .name = "bitfield_ro",
        COMMAND_NUMBERED(BITFIELD_RO),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = bitfield_ro_check,
        .run = bitfield_ro_run,
        .group = "bitmap",
        .acl_categories = "@read @bitmap @fast",
        .summary = "Perform arbitrary bitfield integer operations on strings. Read-only variant of"
                   " BITFIELD",
        .since = "6.0.0",
        .complexity = "O(1) for each subcommand specified",
        .arguments = "key [GET encoding offset]",
        .key_flags = "RO access",
    },
};

const struct command_family commands_bitfield = {bitfield_row,
                                                 sizeof bitfield_row / sizeof bitfield_row[0]};
