#ifndef COMMANDS_DUMP_FORMAT_H
#define COMMANDS_DUMP_FORMAT_H

#include "base/buf.h"
#include "keyspace/keyspace.h"
#include "keyspace/value.h"

/* Redis's serialized values, as DUMP, RESTORE and MIGRATE carry them. The format is in
 * dump_format.c. */

enum { DUMP_RDB_VERSION = 10 }; /* Redis 7.0 */

/* False: its type can't be written yet. Appends to `out`. */
bool dump_write(struct buf *out, const struct value *value);

enum dump_verdict {
    DUMP_OK,
    DUMP_BAD_FOOTER, /* version or checksum */
    DUMP_BAD_FORMAT,
    DUMP_UNSUPPORTED, /* a type that Redis has, but not (yet) this server */
};
/* On DUMP_OK *value is owned by the caller, and not empty; collections are converted as the settings of `view`'s keyspace ask for. Any
 * bytes are safe. */
enum dump_verdict dump_read(const struct keyspace_view *view, struct slice payload, struct value **value);

/* Redis's checksum, chained: pass 0 or the value so far. */
uint64_t crc64(uint64_t crc, const void *p, size_t n);

/* LZF (Marc Lehmann's liblzf): `out` must be filled exactly. False: damaged. */
bool lzf_decompress(struct slice in, uint8_t *out, size_t out_size);

#endif
