#ifndef TESTS_LIB_CORPUS_H
#define TESTS_LIB_CORPUS_H

#include "base/buf.h"

/* Reads tests/data/protocol_corpus.txt: exchanges recorded from Redis 7.0.15, one case per block
 * (the format is told in the file's first lines). For whoever can answer them: a parser alone, a
 * node, a server process. */

struct corpus_step {
    struct buf sent;
    struct buf expected; /* the exact answer; empty: none comes */
};

struct corpus_case {
    char *name;         /* "mbulk/ping", without the suffix */
    int line;           /* in the file, of the name */
    bool is_normalised; /* "!norm": compare with digits normalised */
    bool is_closed;     /* the connection is closed afterwards */
    struct corpus_step *step;
    size_t step_count; /* >= 1 */
};

struct corpus {
    struct corpus_case *item;
    size_t count;
};

/* Read a corpus from `text`, or from a file. Returns false and a sentence with the line number in
 * `error` when it is malformed; then there is nothing to free. */
bool corpus_parse(struct corpus *c, struct slice text, char *error, size_t error_size);
bool corpus_load(struct corpus *c, const char *path, char *error, size_t error_size);
void corpus_free(struct corpus *c);

/* The section: what stands before the '/' of the name, e.g. "mbulk". */
bool corpus_case_is_in(const struct corpus_case *item, const char *section);

/* Does `got` answer the step as it should? For a normalised case every run of digits counts as one
 * '0' on both sides. */
bool corpus_step_matches(const struct corpus_case *item,
                         const struct corpus_step *step,
                         struct slice got);
/* Append `bytes` as the file would write them, for messages. */
void corpus_append_escaped(struct buf *out, struct slice bytes);

#endif
