#ifndef NODE_EXEC_PAYLOAD_H
#define NODE_EXEC_PAYLOAD_H

#include "base/buf.h"
#include "base/err.h"
#include "resp/command.h"

/* The arguments of a PROPOSAL_EXEC entry (version EXEC_VERSION). The entry's argument list is
 *
 *   arg 0      the watch list: u32 count, then count times (u8 db, u64 index, u32 length, key)
 *   arg 1...   one item each:  u16 number, u8 version, u8 db, u32 argument count (without the name),
 *              then (u32 length, bytes) each
 *
 * (client.c hands them to node_submit_write as command->arg[1...], arg[0] is the name "exec", not stored.)
 * An item with number 0 is local: a connection or node command, or one whose arguments were found wrong: it has no arguments
 * here, changes nothing at apply, and its reply is made at the origin (client_reply_local). */
#define EXEC_VERSION 1

struct exec_watch {
    uint8_t db;
    uint64_t index; /* keyspace_last_change when it was watched */
    struct slice key;
};

struct exec_item {
    uint16_t number; /* command number; 0: local */
    uint8_t version;
    uint8_t db;
    size_t arg_count; /* of the command, the name included: >= 1 */
    struct slice args;
};

void exec_watch_begin(struct buf *out, uint32_t count);
void exec_watch_append(struct buf *out, const struct exec_watch *watch);
void exec_item_append(struct buf *out, uint16_t number, uint8_t version, uint8_t db, const struct command *command);

/* Reads the watch list: *count first, then exec_watch_next so many times, moving *rest on. ERR_CORRUPT. */
MUST_CHECK enum err exec_watch_open(struct slice list, uint32_t *count, struct slice *rest);
MUST_CHECK enum err exec_watch_next(struct slice *rest, struct exec_watch *watch);
MUST_CHECK enum err exec_item_decode(struct slice bytes, struct exec_item *item);
/* Fills arg[1..arg_count), slices of the item; arg[0] is the caller's (the row's name). ERR_CORRUPT. */
MUST_CHECK enum err exec_item_args(const struct exec_item *item, struct slice *arg);

#endif
