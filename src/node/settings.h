#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include "base/buf.h"
#include "commands/command_row.h"
#include "keyspace/settings.h"
#include "node/options.h"

/* Options of scope `cluster` as this node sees them: from CONFIG SET to an entry, from an entry to the state, and what a
 * configuration file may say of them. */

/* Of PROPOSAL_OPTION: arguments as in CONFIG SET, "set" in front. */
#define SETTINGS_VERSION 1

/* Whether a CONFIG SET names at least one option of the cluster. */
bool settings_are_named(const struct command *command);
/* CONFIG SET of options of the cluster alone, all values right? Else writes an error and returns false. Pure. */
bool settings_check(const struct command *command, struct reply *reply);
/* The entry that CONFIG SET makes, and the item of a transaction: sets them in the state. */
void settings_run(struct command_run *run, const struct command *command, struct reply *reply);

/* The value in force, as CONFIG GET shows it: of options of the cluster that of the state; `state` is NULL while there is none yet.
 * Appends. */
void settings_format(const struct options *o, const struct keyspace *state, const struct option_row *row, struct buf *out);
/* Writes the values in force into `o`, for CONFIG REWRITE. */
void settings_mirror(struct options *o, const struct keyspace *state);

/* What this node's file and flags say becomes the state of the cluster that it forms: the settings that differ from their
 * default follow the seed in GENESIS as pairs of name and value. Returns their number; `arg` has room for
 * 2 * SETTING_COUNT, its slices point into `text` or are static. */
size_t settings_to_genesis(const struct options *o, struct buf *text, struct slice *arg);
/* The other way round. False: not what settings_to_genesis makes; nothing is changed. `k` may be NULL, to look only. */
bool settings_from_genesis(const struct slice *arg, size_t arg_count, struct keyspace *k);
/* Says in the log which options of a file or flag have no effect, since the cluster has another value. */
struct log_sink;
void settings_warn(const struct log_sink *log, const struct options *o, const struct keyspace *state);

#endif
