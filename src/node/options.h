#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

/* Every option, in one table (options.def): name, type, scope, default, range, help. Parser, --help, CONFIG and docs come
 * from it. Scope `node`: this process only. Scope `cluster`: would influence what replicas compute, so its value lives
 * in the replicated state and CONFIG SET of one is a log entry; apply reads no option of scope `node` (DESIGN §6). */
enum option_type { OPTION_INT, OPTION_BYTES, OPTION_BOOL, OPTION_ENUM, OPTION_STRING, OPTION_EVENTS };
enum option_scope { OPTION_SCOPE_NODE, OPTION_SCOPE_CLUSTER };
enum option_flag {
    OPTION_STARTUP_ONLY = 1, /* CONFIG SET refuses it, as Redis: immutable */
    OPTION_SECRET = 2,
    OPTION_PERCENTILES = 8,  /* STRING: numbers from 0 to 100, kept as Redis writes them */
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
#define OPTION_EVENTS_ROW(field, name, scope, flags, value, help) int64_t field; /* enum notify_flag bits */
#define OPTION_ALIAS_ROW(alias, name)
#include "node/options.def"
#undef OPTION_INT_ROW
#undef OPTION_BYTES_ROW
#undef OPTION_BOOL_ROW
#undef OPTION_ENUM_ROW
#undef OPTION_STRING_ROW
#undef OPTION_EVENTS_ROW
#undef OPTION_ALIAS_ROW
};

void options_init(struct options *o); /* defaults */
void options_deinit(struct options *o);

/* The table behind all of it, sorted as options.def is. */
struct option_row {
    const char *name;
    enum option_type type;
    enum option_scope scope;
    unsigned flags;          /* of enum option_flag */
    size_t offset;           /* of the field in struct options */
    int64_t number;          /* default: INT, BYTES, BOOL (0, 1), ENUM (position) */
    const char *text;        /* default: STRING */
    int64_t min;             /* INT, BYTES */
    int64_t max;             /* INT, BYTES; STRING: longest value in bytes */
    const char *choices;     /* ENUM: "a|b|c" */
    const char *help;
};
size_t options_count(void);
const struct option_row *options_at(size_t position);
const struct option_row *options_find(struct slice name); /* in any case, by any of its names; NULL */
/* Other names of some options, as Redis has them: hash-max-ziplist-entries for hash-max-listpack-entries. */
struct option_alias {
    const char *alias;
    const char *name;
};
size_t options_alias_count(void);
const struct option_alias *options_alias_at(size_t position);
/* The known name nearest to a mistyped one; NULL when none is near. */
const char *options_nearest(struct slice name);

struct buf;
/* The value as CONFIG GET and a configuration file show it. Appends. */
void options_format(const struct options *o, const struct option_row *row, struct buf *out);
/* Set one from its text. On ERR_INVALID appends to `why` a phrase as Redis words it ("argument must be between 1 and
 * 65535 inclusive"), and *o is unchanged. Does not look at OPTION_STARTUP_ONLY. */
MUST_CHECK enum err options_set(struct options *o, const struct option_row *row, struct slice value, struct buf *why);

/* Redis's memtoull: a number and b, k, kb, m, mb, g, gb in any case (k: 1000, kb: 1024). */
MUST_CHECK bool options_parse_bytes(struct slice value, int64_t *bytes);
/* A configuration file in Redis's format: "name value [value...]" per line, '#' comments, quotes as in an inline request.
 * The first mistake ends it: ERR_INVALID and a whole sentence in `why` that names `file`, line and remedy. */
MUST_CHECK enum err options_parse_text(struct options *o, struct slice text, const char *file, struct buf *why);

/* The command line: [file] [--name value...]... */
enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };
struct options_command_line {
    enum options_action action;
    const char *file; /* NULL: none; borrowed from argv */
    int first_flag;   /* position in argv of the first --name */
};
/* Looks at argv without setting anything. ERR_INVALID with a sentence in `why`. */
MUST_CHECK enum err options_scan_arguments(int argc, char **argv, struct options_command_line *line, struct buf *why);
/* Sets what the flags from argv[first] on say; they override the file. */
MUST_CHECK enum err options_parse_flags(struct options *o, int argc, char **argv, int first, struct buf *why);
/* The address under which a node with these options is a member: announce, else 127.0.0.1, with the port where none is said. */
void options_own_address(const struct options *o, char out[LIMIT_ADDRESS_BYTES]);
/* Rules between options (lease < election-timeout, ...) and on what is an address. */
MUST_CHECK enum err options_check(const struct options *o, struct buf *why);
/* A configuration file's text with the present values: lines that say something else are changed, comments and order stay, options that
 * differ from their default and have no line are added at the end (CONFIG REWRITE). Appends to `out`. */
void options_rewrite(const struct options *o, struct slice text, struct buf *out);
/* 0: none. */
int64_t options_sentinel_port(const struct options *o);
/* The text of --help. Appends. */
void options_help(struct buf *out);

#endif
