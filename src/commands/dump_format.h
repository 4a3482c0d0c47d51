#ifndef COMMANDS_DUMP_FORMAT_H
#define COMMANDS_DUMP_FORMAT_H

#include "base/buf.h"
#include "keyspace/keyspace.h"
#include "keyspace/value.h"

/* Redis's serialized values, as DUMP, RESTORE and MIGRATE carry them. The format is in
 * dump_format.c. */

/* False: a type that can't be written. Appends to `out`. */
bool dump_write(struct buf *out, const struct keyspace_view *view, const struct value *value);

enum dump_verdict {
    DUMP_OK,
    DUMP_BAD_FOOTER, /* version or checksum */
    DUMP_BAD_FORMAT,
    DUMP_UNSUPPORTED, /* a type that Redis has, but not (yet) this server */
};
/* On DUMP_OK *value is owned by the caller, and not empty; collections are converted as the settings of `view`'s keyspace ask for. Any
 * bytes are safe. */
enum dump_verdict dump_read(const struct keyspace_view *view, struct slice payload, struct value **value);

#endif
