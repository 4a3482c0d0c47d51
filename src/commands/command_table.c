/* The lookup: two open-addressing tables (by name, by number), built once, at most half full; and
 * the rows sorted by name. */

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "commands/command_row.h"

enum { COMMAND_NAME_MAX = 64 };

struct command_table {
    size_t row_count;
    const struct command_row **sorted;
    size_t mask;
    const struct command_row **by_name;
    const struct command_row **by_number;
};

static uint8_t command_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* FNV-1a; the table is made of our own names, so nobody can flood it. */
static uint32_t command_hash(struct slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.n; i++) {
        hash = (hash ^ command_lower(name.p[i])) * 16777619u;
    }
    return hash;
}

const struct command_row *command_table_by_name(const struct command_table *t, struct slice name)
{
    if (name.n == 0 || name.n > COMMAND_NAME_MAX) {
        return NULL;
    }
    for (size_t i = command_hash(name) & t->mask; t->by_name[i]; i = (i + 1) & t->mask) {
        if (slice_equal_nocase(name, t->by_name[i]->name)) {
            return t->by_name[i];
        }
    }
    return NULL;
}

const struct command_row *command_table_by_number(const struct command_table *t, uint16_t number)
{
    if (number == 0) {
        return NULL;
    }
    for (size_t i = number & t->mask; t->by_number[i]; i = (i + 1) & t->mask) {
        if (t->by_number[i]->number == number) {
            return t->by_number[i];
        }
    }
    return NULL;
}

/* "config" and "GET" -> the row "config|get". */
static const struct command_row *command_table_subcommand(const struct command_table *t,
                                                          const struct command_row *container,
                                                          struct slice subcommand)
{
    uint8_t name[COMMAND_NAME_MAX];
    size_t n = strlen(container->name);
    if (n + 1 + subcommand.n > sizeof name || subcommand.n == 0) {
        return NULL;
    }
    memcpy(name, container->name, n);
    name[n++] = '|';
    memcpy(name + n, subcommand.p, subcommand.n);
    return command_table_by_name(t, (struct slice){name, n + subcommand.n});
}

const struct command_row *command_table_find(const struct command_table *t,
                                             const struct command *command,
                                             bool *is_subcommand_unknown)
{
    *is_subcommand_unknown = false;
    struct slice name = command->arg[0];
    if (name.n == 0 || name.n > COMMAND_NAME_MAX || memchr(name.p, '|', name.n)) {
        return NULL; /* "config|get" is a name only to us */
    }
    const struct command_row *row = command_table_by_name(t, name);
    if (!row || row->kind != COMMAND_CONTAINER || command->arg_count < 2) {
        return row;
    }
    const struct command_row *subcommand = command_table_subcommand(t, row, command->arg[1]);
    *is_subcommand_unknown = !subcommand;
    return subcommand;
}

size_t command_table_count(const struct command_table *t)
{
    return t->row_count;
}

const struct command_row *command_table_at(const struct command_table *t, size_t position)
{
    ASSERT(position < t->row_count);
    return t->sorted[position];
}

bool command_arity_ok(const struct command_row *row, size_t arg_count)
{
    return row->arity >= 0 ? arg_count == (size_t)row->arity : arg_count >= (size_t)(-row->arity);
}

static void command_table_insert(struct command_table *t, const struct command_row *row)
{
    struct slice name = slice_from_cstr(row->name);
    ASSERT(name.n > 0 && name.n <= COMMAND_NAME_MAX);
    ASSERT(!command_table_by_name(t, name));
    size_t i = command_hash(name) & t->mask;
    while (t->by_name[i]) {
        i = (i + 1) & t->mask;
    }
    t->by_name[i] = row;
    if (row->number != 0) {
        ASSERT(!command_table_by_number(t, row->number));
        i = row->number & t->mask;
        while (t->by_number[i]) {
            i = (i + 1) & t->mask;
        }
        t->by_number[i] = row;
    }
    size_t at = t->row_count++;
    while (at > 0 && strcmp(t->sorted[at - 1]->name, row->name) > 0) {
        t->sorted[at] = t->sorted[at - 1];
        at--;
    }
    t->sorted[at] = row;
}

struct command_table *command_table_new(const struct command_family *family, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        rows += family[i].row_count;
    }
    size_t slots = 16;
    while (slots < 2 * rows) {
        slots *= 2;
    }
    struct command_table *t = mem_alloc_zero(sizeof *t);
    t->mask = slots - 1;
    t->sorted = mem_alloc_array(rows ? rows : 1, sizeof(const struct command_row *));
    t->by_name = mem_alloc_zero(slots * sizeof(const struct command_row *));
    t->by_number = mem_alloc_zero(slots * sizeof(const struct command_row *));
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < family[i].row_count; r++) {
            command_table_insert(t, &family[i].row[r]);
        }
    }
    return t;
}

void command_table_free(struct command_table *t)
{
    if (!t) {
        return;
    }
    mem_free(t->sorted);
    mem_free(t->by_name);
    mem_free(t->by_number);
    mem_free(t);
}

void commands_all(struct command_family family[COMMANDS_FAMILY_COUNT])
{
#define X(name) family[COMMANDS_FAMILY_##name] = commands_##name;
#include "commands/families.def"
#undef X
}

/* --- keys --- */

/* Those that stand at fixed places; behind them may follow numbered ones. */
static size_t command_fixed_key_count(const struct command_row *row, size_t arg_count)
{
    if (row->keys.first <= 0) {
        return 0;
    }
    size_t first = (size_t)row->keys.first;
    size_t last = row->keys.last < 0 ? arg_count - (size_t)-row->keys.last : (size_t)row->keys.last;
    return last >= arg_count || last < first ? 0 : (last - first) / (size_t)row->keys.step + 1;
}

static bool is_one_of(struct slice word, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (word.n == n && strncasecmp((const char *)word.p, words, n) == 0) {
            return true;
        }
        words += n;
        words += *words == ' ';
    }
    return false;
}

/* Where the key behind row->key_word stands; 0: nowhere. As Redis's sortGetKeys and georadiusGetKeys. */
static size_t command_worded_key(const struct command_row *row, const struct command *command)
{
    size_t found = 0;
    size_t first = (size_t)(row->arity < 0 ? -row->arity : row->arity);
    for (size_t i = first; row->key_word && i < command->arg_count; i++) {
        struct slice arg = command->arg[i];
        if (slice_equal_nocase(arg, "by") || slice_equal_nocase(arg, "get")) {
            i++;
        } else if (slice_equal_nocase(arg, "limit")) {
            i += 2;
        } else if (is_one_of(arg, row->key_word) && i + 1 < command->arg_count) {
            found = ++i;
        }
    }
    return found;
}

size_t command_key_count(const struct command_row *row, const struct command *command)
{
    size_t fixed = command_fixed_key_count(row, command->arg_count);
    if (row->key_number == 0) {
        return fixed + (command_worded_key(row, command) > 0);
    }
    int64_t number;
    size_t at = (size_t)row->key_number;
    if (!number_parse_i64(command->arg[at], &number) || number < 1 ||
        (uint64_t)number >= command->arg_count - at) {
        return 0;
    }
    return fixed + (size_t)number;
}

size_t command_key_position(const struct command_row *row, const struct command *command, size_t i)
{
    size_t fixed = command_fixed_key_count(row, command->arg_count);
    if (i >= fixed && row->key_word) {
        return command_worded_key(row, command);
    }
    return i < fixed ? (size_t)row->keys.first + i * (size_t)row->keys.step
                     : (size_t)row->key_number + 1 + (i - fixed);
}
