#ifndef TESTS_RESP_FEED_H
#define TESTS_RESP_FEED_H

#include "base/buf.h"

/* Shows a parser the same bytes cut in every way: whole, in two pieces at every place, and byte
 * by byte. Each time what it still has to see lies at another place, right behind or right before a
 * page without access. However the bytes were cut, the parser must have said the same; what it says
 * is a log of lines that its step writes. */

/* Look once at `input` and log what was found. Returns true to be called again with the rest behind
 * *consumed, false when only more bytes could say more. */
typedef bool (*feed_step_fn)(void *state, struct slice input, size_t *consumed, struct buf *log);

struct feed_target {
    void *(*start_fn)(void);
    feed_step_fn step_fn;
    /* Log how it ended with these bytes left, and free the state. */
    void (*finish_fn)(void *state, struct slice rest, struct buf *log);
};

/* Show `input` in pieces of `first`, then of `then` bytes (> 0), and append what was logged. */
void feed_pieces(const struct feed_target *target,
                 struct slice input,
                 size_t first,
                 size_t then,
                 struct buf *log);

/* Check that every cut of `input` logs exactly `expected`. */
void feed_check(const struct feed_target *target,
                const char *name,
                struct slice input,
                const char *expected);

/* For logs: "[word][w\x00rd]". */
void feed_log_words(struct buf *log, const struct slice *word, size_t count);

#endif
