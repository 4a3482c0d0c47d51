#ifndef COMMANDS_ARGUMENTS_H
#define COMMANDS_ARGUMENTS_H

#include "commands/command_row.h"

/* What several families do with arguments, worded as Redis 7.0. Functions that can refuse write the
 * error and return false. */

/* Case-insensitive; like Redis's C strings an argument ends at its first NUL byte here. */
bool argument_is(struct slice argument, const char *option);
/* "ERR value is not an integer or out of range". */
bool argument_integer(struct slice argument, int64_t *value, struct reply *reply);
void argument_arity_error(struct reply *reply, const char *name);
/* WRONGTYPE, unless the value is a string. */
bool argument_is_string(const struct value *value, struct reply *reply);

/* How a point in time was given. */
enum expiry_unit {
    EXPIRY_SECONDS,
    EXPIRY_MILLISECONDS,
    EXPIRY_AT_SECONDS,
    EXPIRY_AT_MILLISECONDS,
};
static inline bool expiry_unit_is_relative(enum expiry_unit unit)
{
    return unit == EXPIRY_SECONDS || unit == EXPIRY_MILLISECONDS;
}
static inline bool expiry_unit_is_seconds(enum expiry_unit unit)
{
    return unit == EXPIRY_SECONDS || unit == EXPIRY_AT_SECONDS;
}
/* "ERR invalid expire time in 'set' command". */
void argument_expiry_error(struct reply *reply, const char *name);
/* The instant that relative times count from: the entry's time, the same on every node. */
int64_t argument_now_ms(const struct command_run *run);
#ifdef CORACLE_MUTANTS
/* Mutant 23 takes this instead: the simulator sets it to the node's own clock before it lets a node
 * apply. */
extern int64_t mutant_local_clock_ms;
#endif

#endif
