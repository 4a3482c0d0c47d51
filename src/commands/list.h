#ifndef COMMANDS_LIST_H
#define COMMANDS_LIST_H

#include "commands/collection.h"

/* What the commands on lists share, those that block included. */

enum list_end {
    LIST_LEFT,
    LIST_RIGHT,
};

/* LEFT or RIGHT, else a syntax error. */
bool list_parse_end(struct slice argument, enum list_end *end, struct reply *reply);

/* Adds at an end of the list at `key`, one after the other; it is made if it is absent, and of no
 * other type. */
void list_push(struct command_run *run,
               struct slice key,
               enum list_end end,
               const struct slice *element,
               size_t count);
/* `count` >= 1 elements, as many as there are, taken from an end of the list and written as bulks,
 * as they are met. It is there, and has not more than LIMIT_ITEMS_REPLIED of them. */
void list_pop(struct command_run *run,
              struct slice key,
              enum list_end end,
              uint64_t count,
              struct reply *reply);
/* "numkeys key [key ...] LEFT|RIGHT [COUNT count]", from argument `at` on. */
struct list_mpop {
    size_t first_key;
    size_t key_count;
    enum list_end end;
    uint64_t count;
};
bool list_parse_mpop(const struct command *command,
                     size_t at,
                     struct list_mpop *mpop,
                     struct reply *reply);
/* Pops from the first of the keys that has something. False: none has, and nothing was answered. */
bool list_mpop(struct command_run *run,
               const struct command *command,
               const struct list_mpop *mpop,
               struct reply *reply);
/* LMOVE: both are lists, `from` is there. Answers the element. */
void list_move(struct command_run *run,
               struct slice from,
               struct slice to,
               enum list_end from_end,
               enum list_end to_end,
               struct reply *reply);

#endif
