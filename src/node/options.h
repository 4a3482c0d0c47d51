#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* Every option, in one table (options.def): name, type, scope, default, range, help. Parser, --help, CONFIG and docs come
 * from it. Scope `node`: this process only. Scope `cluster`: would influence what replicas compute, so its value lives
 * in the replicated state and CONFIG SET of one is a log entry; apply reads no option of scope `node` (DESIGN §6). */
enum option_type { OPTION_INT, OPTION_BYTES, OPTION_BOOL, OPTION_ENUM, OPTION_STRING };
enum option_scope { OPTION_SCOPE_NODE, OPTION_SCOPE_CLUSTER };
enum option_flag {
    OPTION_STARTUP_ONLY = 1, /* CONFIG SET refuses it, as Redis: immutable */
    OPTION_SECRET = 2,
    OPTION_COMPAT = 4,       /* accepted and answered so that Redis tools are content; changes nothing here, and help says so */
};

enum read_level { READ_QUORUM, READ_LEASE, READ_STALE };

/* Values, one field per row, '-' becomes '_'. Strings are owned. options.def:
 *   OPTION_ROW(type, field, "name", scope, flags, default, min, max, "help") */
struct options {
#define OPTION_INT_ROW(field, name, scope, flags, value, min, max, help) int64_t field;
#define OPTION_BYTES_ROW(field, name, scope, flags, value, min, max, help) int64_t field;
#define OPTION_BOOL_ROW(field, name, scope, flags, value, help) bool field;
#define OPTION_ENUM_ROW(field, name, scope, flags, value, choices, help) int field; /* position in choices "a|b|c" */
#define OPTION_STRING_ROW(field, name, scope, flags, value, max, help) char *field;
#include "node/options.def"
#undef OPTION_INT_ROW
#undef OPTION_BYTES_ROW
#undef OPTION_BOOL_ROW
#undef OPTION_ENUM_ROW
#undef OPTION_STRING_ROW
};

void options_init(struct options *o); /* defaults */
void options_deinit(struct options *o);

#endif
