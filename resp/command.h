#ifndef RESP_COMMAND_H
#define RESP_COMMAND_H

#include "base/slice.h"

/* One command as every protocol yields it: arg[0] is the name. Slices are borrowed from whoever
 * parsed it (an input buffer, a log entry) and live as long as that does. arg_count >= 1. */
struct command {
    const struct slice *arg;
    size_t arg_count;
};

#endif
