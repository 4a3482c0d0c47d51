#ifndef COMMANDS_STRING_COMMON_H
#define COMMANDS_STRING_COMMON_H

#include "commands/arguments.h"

/* What the families that work on strings share. Functions that can refuse write the error, worded
 * as Redis 7.0, and return false. */

/* The whole value, or `count` bytes of it from `first` on (which must be there), as a bulk. */
void string_reply(const struct value *value, struct reply *reply);
void string_reply_range(const struct value *value, size_t first, size_t count, struct reply *reply);
/* Whether the value, a string, is these bytes. */
bool string_equals(const struct value *value, struct slice bytes);
/* Appends all of its bytes. */
void string_append_to(const struct value *value, struct buf *out);
/* The reply of GET. False: an error was written. */
bool string_reply_get(struct keyspace_view *view, struct slice key, struct reply *reply);
/* Whether `size` and `more` bytes make a string that is not too long. */
bool string_length_ok(size_t size, size_t more, struct reply *reply);

/* EX, PX, EXAT or PXAT; false, without an error, for anything else. */
bool string_expiry_unit(struct slice option, enum expiry_unit *unit);
/* A positive number that is in range as milliseconds. `name` is the command's. */
bool string_expiry_value(struct slice text,
                         enum expiry_unit unit,
                         const char *name,
                         int64_t *value,
                         struct reply *reply);
/* The absolute instant; false: it can't be counted. */
bool string_expiry_at(const struct command_run *run,
                      int64_t value,
                      enum expiry_unit unit,
                      const char *name,
                      int64_t *at_ms,
                      struct reply *reply);

#endif
