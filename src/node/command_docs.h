#ifndef NODE_COMMAND_DOCS_H
#define NODE_COMMAND_DOCS_H

#include "commands/command_row.h"

/* What COMMAND DOCS says about one row: name, then a map of summary, since, group, complexity, history, arguments and subcommands, in Redis
 * 7.0's shape. The tree of arguments is read from the row's syntax line, so a row is documented in one place. */
void command_docs_reply(struct reply *reply, const struct command_table *t, const struct command_row *row);
/* Is `row` a subcommand of `container` ("config|get" of "config")? */
bool command_is_subcommand_of(const struct command_row *row, const struct command_row *container);
size_t command_subcommand_count(const struct command_table *t, const struct command_row *container);
/* Key specifications of a row: 0, 1, or one per key where they differ. */
size_t command_key_spec_count(const struct command_row *row);

#endif
