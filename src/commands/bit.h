#ifndef COMMANDS_BIT_H
#define COMMANDS_BIT_H

#include "commands/arguments.h"

/* What SETBIT and BITFIELD share. */

/* A bit's place below 2^32. With `width` > 0 also "#n", n times that many bits. False: an error was
 * written. */
bool bit_parse_offset(struct slice text, unsigned width, uint64_t *offset, struct reply *reply);

/* A string that is changed in place, from the first byte that differs on: as long as nothing is
 * written the key is not touched. Begin, writes and end in this order; what is written is seen
 * through `value` at once. */
struct bit_edit {
    struct keyspace_view *view;
    struct slice key;
    const struct value *value; /* NULL: absent */
    size_t size;
    struct value **slot;   /* once begun at a present key */
    struct value *created; /* once begun at an absent one */
};

/* False: the key is of another type, an error was written. Changes nothing. */
bool bit_edit_init(struct bit_edit *edit,
                   struct keyspace_view *view,
                   struct slice key,
                   struct reply *reply);
/* There will be changes: make it at least `size` bytes long. May be called again. */
void bit_edit_begin(struct bit_edit *edit, size_t size);
void bit_edit_write(struct bit_edit *edit, size_t offset, const uint8_t *bytes, size_t n);
/* Nothing when it was never begun. */
void bit_edit_end(struct bit_edit *edit, const char *event);

#endif
