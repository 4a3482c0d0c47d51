#include "node/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/number.h"
#include "node/notify.h"
#include "node/percentiles.h"
#include "resp/words.h"

#define OPTION_INT_ROW(field, name, scope, flags, value, min, max, help) \
    {name, OPTION_INT, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), value, NULL, min, max, NULL, help},
#define OPTION_BYTES_ROW(field, name, scope, flags, value, min, max, help) \
    {name, OPTION_BYTES, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), value, NULL, min, max, NULL, help},
#define OPTION_BOOL_ROW(field, name, scope, flags, value, help) \
    {name, OPTION_BOOL, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), value, NULL, 0, 1, NULL, help},
#define OPTION_ENUM_ROW(field, name, scope, flags, value, choices, help) \
    {name, OPTION_ENUM, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), value, NULL, 0, 0, choices, help},
#define OPTION_STRING_ROW(field, name, scope, flags, value, max, help) \
    {name, OPTION_STRING, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), 0, value, 0, max, NULL, help},
#define OPTION_EVENTS_ROW(field, name, scope, flags, value, help) \
    {name, OPTION_EVENTS, OPTION_SCOPE_##scope, flags, offsetof(struct options, field), value, NULL, 0, 0, NULL, help},
#define OPTION_ALIAS_ROW(alias, name)
static const struct option_row option_table[] = {
#include "node/options.def"
};
#undef OPTION_INT_ROW
#undef OPTION_BYTES_ROW
#undef OPTION_BOOL_ROW
#undef OPTION_ENUM_ROW
#undef OPTION_STRING_ROW
#undef OPTION_EVENTS_ROW
#undef OPTION_ALIAS_ROW

#define OPTION_COUNT (sizeof option_table / sizeof option_table[0])

#define OPTION_INT_ROW(field, name, scope, flags, value, min, max, help)
#define OPTION_BYTES_ROW(field, name, scope, flags, value, min, max, help)
#define OPTION_BOOL_ROW(field, name, scope, flags, value, help)
#define OPTION_ENUM_ROW(field, name, scope, flags, value, choices, help)
#define OPTION_STRING_ROW(field, name, scope, flags, value, max, help)
#define OPTION_EVENTS_ROW(field, name, scope, flags, value, help)
#define OPTION_ALIAS_ROW(alias, name) {alias, name},
static const struct option_alias option_alias[] = {
#include "node/options.def"
};
#undef OPTION_INT_ROW
#undef OPTION_BYTES_ROW
#undef OPTION_BOOL_ROW
#undef OPTION_ENUM_ROW
#undef OPTION_STRING_ROW
#undef OPTION_EVENTS_ROW
#undef OPTION_ALIAS_ROW

#define ALIAS_COUNT (sizeof option_alias / sizeof option_alias[0])

size_t options_count(void)
{
    return OPTION_COUNT;
}

const struct option_row *options_at(size_t position)
{
    ASSERT(position < OPTION_COUNT);
    return &option_table[position];
}

size_t options_alias_count(void)
{
    return ALIAS_COUNT;
}

const struct option_alias *options_alias_at(size_t position)
{
    ASSERT(position < ALIAS_COUNT);
    return &option_alias[position];
}

const struct option_row *options_find(struct slice name)
{
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        if (slice_equal_nocase(name, option_alias[i].alias)) {
            name = slice_from_cstr(option_alias[i].name);
            break;
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (slice_equal_nocase(name, option_table[i].name)) {
            return &option_table[i];
        }
    }
    return NULL;
}

/* The fields, by type. */
static int64_t *field_number(struct options *o, const struct option_row *row)
{
    return (int64_t *)(void *)((char *)o + row->offset);
}

static bool *field_bool(struct options *o, const struct option_row *row)
{
    return (bool *)(void *)((char *)o + row->offset);
}

static int *field_enum(struct options *o, const struct option_row *row)
{
    return (int *)(void *)((char *)o + row->offset);
}

static char **field_string(struct options *o, const struct option_row *row)
{
    return (char **)(void *)((char *)o + row->offset);
}

void options_init(struct options *o)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_table[i];

        switch (row->type) {
        case OPTION_INT:
        case OPTION_BYTES:
        case OPTION_EVENTS:
            *field_number(o, row) = row->number;
            break;
        case OPTION_BOOL:
            *field_bool(o, row) = row->number != 0;
            break;
        case OPTION_ENUM:
            *field_enum(o, row) = (int)row->number;
            break;
        case OPTION_STRING:
            *field_string(o, row) = mem_copy_string(row->text, strlen(row->text));
            break;
        }
    }
}

void options_deinit(struct options *o)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (option_table[i].type == OPTION_STRING) {
            mem_free(*field_string(o, &option_table[i]));
            *field_string(o, &option_table[i]) = NULL;
        }
    }
}

/* --- text of a value -------------------------------------------------------------------------- */

/* The `position`th of "a|b|c"; false past the end. */
static bool choice_at(const char *choices, int position, struct slice *choice)
{
    const char *at = choices;

    for (int i = 0; i < position; i++) {
        at = strchr(at, '|');
        if (!at) {
            return false;
        }
        at++;
    }
    const char *end = strchr(at, '|');
    *choice = (struct slice){(const uint8_t *)at, end ? (size_t)(end - at) : strlen(at)};
    return true;
}

void options_format(const struct options *o, const struct option_row *row, struct buf *out)
{
    const char *field = (const char *)o + row->offset;

    switch (row->type) {
    case OPTION_INT:
    case OPTION_BYTES:
        buf_printf(out, "%lld", (long long)*(const int64_t *)(const void *)field);
        break;
    case OPTION_BOOL:
        buf_printf(out, "%s", *(const bool *)(const void *)field ? "yes" : "no");
        break;
    case OPTION_ENUM: {
        struct slice choice;
        bool is_there = choice_at(row->choices, *(const int *)(const void *)field, &choice);

        ASSERT(is_there);
        buf_append_slice(out, choice);
        break;
    }
    case OPTION_STRING:
        buf_printf(out, "%s", *(char *const *)(const void *)field);
        break;
    case OPTION_EVENTS:
        notify_format(*(const int64_t *)(const void *)field, out);
        break;
    }
}

/* --- setting ---------------------------------------------------------------------------------- */

bool options_parse_bytes(struct slice value, int64_t *bytes)
{
    static const struct {
        const char *name;
        int64_t factor;
    } unit[] = {{"", 1},          {"b", 1},       {"k", 1000},       {"kb", 1024},
                {"m", 1000000},   {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    size_t digits = 0;

    while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9') {
        digits++;
    }
    int64_t number = 0;
    if (!number_parse_i64((struct slice){value.p, digits}, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
        if (slice_equal_nocase(slice_skip(value, digits), unit[i].name)) {
            return number_multiply_i64(number, unit[i].factor, bytes);
        }
    }
    return false;
}

static enum err set_number(struct options *o, const struct option_row *row, struct slice value, struct buf *why)
{
    int64_t number = 0;
    bool is_bytes = row->type == OPTION_BYTES;

    if (is_bytes ? !options_parse_bytes(value, &number) : !number_parse_i64(value, &number)) {
        buf_printf(why, is_bytes ? "argument must be a memory value" : "argument couldn't be parsed into an integer");
        return ERR_INVALID;
    }
    if (number < row->min || number > row->max) {
        buf_printf(why, "argument must be between %lld and %lld inclusive", (long long)row->min, (long long)row->max);
        return ERR_INVALID;
    }
    *field_number(o, row) = number;
    return ERR_OK;
}

static enum err set_enum(struct options *o, const struct option_row *row, struct slice value, struct buf *why)
{
    struct slice choice;

    for (int i = 0; choice_at(row->choices, i, &choice); i++) {
        if (choice.n == value.n && strncasecmp((const char *)choice.p, (const char *)value.p, value.n) == 0) {
            *field_enum(o, row) = i;
            return ERR_OK;
        }
    }
    if (!strchr(row->choices, '|')) {
        buf_printf(why, "only '%s' is possible here: %c%s", row->choices, row->help[0] | 0x20, row->help + 1);
        return ERR_INVALID;
    }
    buf_printf(why, "argument(s) must be one of the following: ");
    for (int i = 0; choice_at(row->choices, i, &choice); i++) {
        buf_printf(why, "%s%.*s", i > 0 ? ", " : "", (int)choice.n, (const char *)choice.p);
    }
    return ERR_INVALID;
}

static enum err set_string(struct options *o, const struct option_row *row, struct slice value, struct buf *why)
{
    if (value.n > (uint64_t)row->max) {
        buf_printf(why, "argument is longer than %lld bytes", (long long)row->max);
        return ERR_INVALID;
    }
    if (value.n > 0 && memchr(value.p, 0, value.n)) {
        buf_printf(why, "argument holds a zero byte");
        return ERR_INVALID;
    }
    struct buf normal = {0};
    if (row->flags & OPTION_PERCENTILES) {
        struct percentiles percentiles;
        const char *fault = NULL;

        if (!percentiles_parse(value, &percentiles, &fault)) {
            buf_printf(why, "%s", fault);
            return ERR_INVALID;
        }
        percentiles_format(&percentiles, &normal);
        value = buf_slice(&normal);
    }
    mem_free(*field_string(o, row));
    *field_string(o, row) = mem_copy_string(value.p, value.n);
    buf_deinit(&normal);
    return ERR_OK;
}

enum err options_set(struct options *o, const struct option_row *row, struct slice value, struct buf *why)
{
    switch (row->type) {
    case OPTION_INT:
    case OPTION_BYTES:
        return set_number(o, row, value, why);
    case OPTION_BOOL:
        if (!slice_equal_nocase(value, "yes") && !slice_equal_nocase(value, "no")) {
            buf_printf(why, "argument must be 'yes' or 'no'");
            return ERR_INVALID;
        }
        *field_bool(o, row) = slice_equal_nocase(value, "yes");
        return ERR_OK;
    case OPTION_ENUM:
        return set_enum(o, row, value, why);
    case OPTION_STRING:
        return set_string(o, row, value, why);
    case OPTION_EVENTS:
        if (!notify_parse(value, field_number(o, row))) {
            buf_printf(why, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
            return ERR_INVALID;
        }
        return ERR_OK;
    }
    UNREACHABLE();
}

/* --- mistyped names --------------------------------------------------------------------------- */

#define NAME_MAX_BYTES 40

/* Levenshtein distance if it is below `bound`, else at least `bound`; names longer than NAME_MAX_BYTES are far from everything. */
static size_t name_distance(struct slice a, const char *b, size_t bound)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t b_size = strlen(b);

    if (a.n > NAME_MAX_BYTES || b_size > NAME_MAX_BYTES || (a.n > b_size ? a.n - b_size : b_size - a.n) >= bound) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        size_t lowest = i;

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t cost = diagonal + (a.p[i - 1] == (uint8_t)b[j - 1] ? 0 : 1);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diagonal = row[j];
            row[j] = cost < least ? cost : least;
            lowest = row[j] < lowest ? row[j] : lowest;
        }
        if (lowest >= bound) { /* the rows below have nothing lower */
            return SIZE_MAX;
        }
    }
    return row[b_size];
}

const char *options_nearest(struct slice name)
{
    size_t best = 2 + name.n / 3; /* at most about a third of the name may be wrong */
    const char *nearest = NULL;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        size_t distance = name_distance(name, option_table[i].name, best);

        if (distance < best) {
            best = distance;
            nearest = option_table[i].name;
        }
    }
    return nearest;
}
