#ifndef RESP_RESP_VALUE_H
#define RESP_RESP_VALUE_H

#include "resp/resp_parser.h"

/* A reader of replies, RESP2 and RESP3, for tests, simulated clients and tools (the server itself
 * only writes them). Pure; depth and memory are bounded whatever the bytes say. */

#define RESP_VALUE_DEPTH_MAX 16 /* aggregates inside one another */

enum resp_type {
    RESP_SIMPLE,
    RESP_ERROR, /* "-..." and RESP3's "!..." */
    RESP_INTEGER,
    RESP_BULK,
    RESP_NULL, /* $-1, *-1 and _ */
    RESP_ARRAY,
    RESP_MAP, /* child: key, value, key, value, ... */
    RESP_SET,
    RESP_PUSH,
    RESP_DOUBLE,
    RESP_BOOLEAN,
    RESP_VERBATIM,
    RESP_BIG_NUMBER,
};

struct resp_value {
    enum resp_type type;
    /* Of a simple string, error, bulk, big number; a double as written; verbatim without "txt:". */
    struct slice text;
    int64_t integer; /* integer; boolean 0 or 1 */
    double number;   /* double */
    struct resp_value *child;
    size_t child_count; /* of a map twice its pairs */
};

/* How far a value under way was read; all-zero is the state between two values. */
struct resp_value_reader {
    size_t position;
    size_t scanned; /* bytes at `position` known to hold no CR */
    size_t node_count;
    size_t depth;                             /* open aggregates */
    size_t missing[RESP_VALUE_DEPTH_MAX + 1]; /* [depth]: values still to come on that level */
};

/* Read one value from the front of `input`.
 *
 * PARSE_OK: `*value` is a tree to free with resp_value_free (returns owned); its texts borrow
 * from `input`; drop `*consumed` bytes. PARSE_NEED_MORE: come again with the same bytes and more
 * behind them, at a new place if need be. PARSE_ERROR: not RESP, or nested too deeply. Never
 * PARSE_EMPTY. Attributes (|n) are read and left out. Streamed types of RESP3 ($?) are errors. O(n)
 * in total. */
enum parse_result resp_value_next(struct resp_value_reader *r,
                                  struct slice input,
                                  struct resp_value **value,
                                  size_t *consumed);
void resp_value_free(struct resp_value *value);

#endif
