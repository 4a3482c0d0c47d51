#ifndef RESP_REPLY_H
#define RESP_REPLY_H

#include "base/buf.h"

/* A reply being written. Commands call these functions; only this module knows what a protocol's
 * bytes look like, so adding a protocol touches no command (compare Redis networking.c addReply*).
 * Aggregates announce their size first, then their elements are written. */
enum reply_protocol {
    REPLY_RESP2,
    REPLY_RESP3,
    REPLY_DISCARD, /* nobody waits: nothing is written */
    REPLY_TEXT,    /* a row of the text grammar: every value is a line, an error is `ERROR: ...` */
};

struct reply {
    struct buf *out; /* borrows; NULL when REPLY_DISCARD */
    enum reply_protocol protocol;
    bool is_error; /* set by reply_error*; callers count errors with it */
};

void reply_simple(struct reply *r, const char *text); /* +text; CR and LF become blanks */
/* -CODE message. `text` begins with the code word ("ERR ..."); CR and LF become blanks. */
void reply_error(struct reply *r, const char *text);
/* Formatted, CR and LF at both ends dropped first, as Redis does. */
void reply_errorf(struct reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_error_slice(struct reply *r, struct slice text);
void reply_int(struct reply *r, int64_t value);
void reply_bulk(struct reply *r, struct slice bytes);
void reply_bulk_cstr(struct reply *r, const char *text);
void reply_bulk_int(struct reply *r, int64_t value); /* the decimal text as a bulk */
/* A bulk whose bytes follow in pieces: announce the size, then reply_bulk_part until it is reached,
 * then end. */
void reply_bulk_begin(struct reply *r, size_t size);
void reply_bulk_part(struct reply *r, struct slice bytes);
void reply_bulk_end(struct reply *r);
void reply_null(struct reply *r);       /* $-1, or _ in RESP3 */
void reply_null_array(struct reply *r); /* *-1, or _ in RESP3 */
void reply_array(struct reply *r, size_t count);
void reply_map(struct reply *r, size_t pair_count); /* %n, or *2n in RESP2 */
void reply_set(struct reply *r, size_t count);      /* ~n, or *n */
void reply_push(struct reply *r, size_t count);     /* >n, or *n */
/* |n in RESP3: `pair_count` keys and values follow, then the reply they speak of. RESP2 has nothing of
 * the kind: leave them out there. */
void reply_attribute_begin(struct reply *r, size_t pair_count);
void reply_big_number(struct reply *r, const char *digits); /* (digits, or a bulk */
void reply_bool(struct reply *r, bool value);       /* #t/#f, or :1/:0 */
void reply_double(struct reply *r, double value);   /* ,v (%.17g, inf, -inf, nan), or a bulk */
void reply_double_text(struct reply *r, const char *text); /* the same, written by the caller */
/* =n txt:..., or a bulk. `format3` is three bytes, "txt" or "mkd". */
void reply_verbatim(struct reply *r, const char *format3, struct slice text);
/* A whole line of the text grammar: `text` and '\n', no marks, in any protocol. Only rows of the
 * text grammar use it; resp/text.h has their lines. */
void reply_line(struct reply *r, struct slice text);
/* `value` as the text grammar prints it: as it is, or quoted and escaped like redis-cli where it
 * holds a control character, a quote or a byte that is not UTF-8. Appends to `out`. */
void reply_text_escape(struct buf *out, struct slice value);

/* Error texts that several commands share, worded as Redis 7.0. */
#define REPLY_WRONGTYPE "WRONGTYPE Operation against a key holding the wrong kind of value"
#define REPLY_SYNTAX "ERR syntax error"
#define REPLY_NOT_INTEGER "ERR value is not an integer or out of range"

#endif
