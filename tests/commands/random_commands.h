#ifndef TESTS_COMMANDS_RANDOM_COMMANDS_H
#define TESTS_COMMANDS_RANDOM_COMMANDS_H

#include "base/buf.h"
#include "base/prng.h"
#include "base/slice.h"

/* Random commands about strings, bits, expiry and DUMP, with arguments from the edges of what is allowed; some with too few or too many. */

enum { RANDOM_ARGS_MAX = 20 };

struct command_text {
    struct slice arg[RANDOM_ARGS_MAX]; /* into `room`, `payload`, or for ever */
    size_t count;
    char room[512];
    size_t used;
};

void command_text_add_slice(struct command_text *c, struct slice arg);
void command_text_add(struct command_text *c, const char *text);
void random_commands_init(void); /* before the first */
/* `payload` keeps the bytes of a RESTORE until the next. */
void random_command_make(struct command_text *c, struct prng *random, struct buf *payload);

#endif
