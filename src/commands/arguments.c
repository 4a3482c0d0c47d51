#include "commands/arguments.h"

#include <string.h>

#include "base/mutant.h"
#include "base/number.h"
#include "keyspace/value.h"

#ifdef CORACLE_MUTANTS
int64_t mutant_local_clock_ms;
#endif

bool argument_is(struct slice argument, const char *option)
{
    const uint8_t *nul = argument.n ? memchr(argument.p, 0, argument.n) : NULL;
    if (nul) {
        argument.n = (size_t)(nul - argument.p);
    }
    return slice_equal_nocase(argument, option);
}

bool argument_integer(struct slice argument, int64_t *value, struct reply *reply)
{
    if (!number_parse_i64(argument, value)) {
        reply_error(reply, REPLY_NOT_INTEGER);
        return false;
    }
    return true;
}

void argument_arity_error(struct reply *reply, const char *name)
{
    reply_errorf(reply, "ERR wrong number of arguments for '%s' command", name);
}

bool argument_is_string(const struct value *value, struct reply *reply)
{
    if (value_get_type(value) != VALUE_STRING) {
        reply_error(reply, REPLY_WRONGTYPE);
        return false;
    }
    return true;
}

void argument_expiry_error(struct reply *reply, const char *name)
{
    reply_errorf(reply, "ERR invalid expire time in '%s' command", name);
}

int64_t argument_now_ms(const struct command_run *run)
{
#ifdef CORACLE_MUTANTS
    if (MUT(23)) {
        return mutant_local_clock_ms;
    }
#endif
    return keyspace_view_time(&run->view);
}
