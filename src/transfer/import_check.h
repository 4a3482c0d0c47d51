#ifndef TRANSFER_IMPORT_CHECK_H
#define TRANSFER_IMPORT_CHECK_H

#include "base/limits.h"
#include "rdb/rdb_reader.h"

/* What is in an RDB file: the first of import's two walks over it. */
enum { IMPORT_TYPES_MAX = 32 };

struct import_census {
    uint64_t keys;
    uint64_t unsupported; /* of them: of types that RESTORE does not take */
    uint64_t of_type[IMPORT_TYPES_MAX];
    bool type_is_unsupported[IMPORT_TYPES_MAX];
    uint64_t of_db[LIMIT_DATABASES];
    uint64_t expiring;
};

/* Reads every key and decodes every value, so that nothing of a damaged file is ever written. ERR_CORRUPT, or ERR_INVALID
 * for a database that coracle has not, with a sentence in `why`. */
MUST_CHECK enum err import_check(struct rdb_reader *r, struct import_census *census, struct buf *why);
/* Lines for a person. Appends. */
void import_describe(const struct rdb_reader *r, const struct import_census *census, struct buf *out);
/* A key's name, cut and made printable. Appends. */
void import_append_name(struct buf *out, struct slice name);

#endif
