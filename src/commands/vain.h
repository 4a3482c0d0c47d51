#ifndef COMMANDS_VAIN_H
#define COMMANDS_VAIN_H

#include "commands/command_row.h"

/* Writes in vain: what a worker's LPOP on an empty queue is, or a SET NX of a lock that is held. node/client_vain.c spares them the log.
 * These are for rows' is_vain. Each looks at few keys: beyond VAIN_KEYS_MAX the answer is false. */

enum { VAIN_KEYS_MAX = 16 };

/* Nothing is at the first key. */
bool vain_without_key(const struct command_row *row, struct command_run *run, const struct command *command);
/* Nothing is at any key. */
bool vain_without_keys(const struct command_row *row, struct command_run *run, const struct command *command);
/* Something is at the first key. */
bool vain_with_key(const struct command_row *row, struct command_run *run, const struct command *command);

#endif
