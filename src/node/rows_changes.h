#ifndef NODE_ROWS_CHANGES_H
#define NODE_ROWS_CHANGES_H

#include "commands/command_row.h"

#define CHANGES_STREAM "__changes__"

/* The change feed as a stream that can only be read: XREAD, XRANGE, XREVRANGE, XLEN and XINFO STREAM of CHANGES_STREAM. The row for such a command,
 * whatever the table has under its name; NULL: it is about something else. */
const struct command_row *changes_row_for(const struct command *command);

/* For client_wait.c: has a change come that an XREAD BLOCK waits for? And its reply. */
bool changes_wait_is_over(struct client *c, const struct command *command);
void changes_wait_reply(struct client *c, const struct command *command, struct reply *reply);

#endif
