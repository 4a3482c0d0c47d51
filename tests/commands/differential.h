#ifndef TESTS_COMMANDS_DIFFERENTIAL_H
#define TESTS_COMMANDS_DIFFERENTIAL_H

#include "base/prng.h"
#include "resp/reply.h"
#include "tests/commands/rows.h"

/* The rows of a family against a real redis-server: the same random commands go to both, in RESP2
 * and RESP3, and every reply must be the same bytes. Skipped, in words, where redis-server isn't
 * installed. DIFFERENTIAL_STEPS in the environment says how many commands each run has. */

#define CHOOSE(random, array) (array)[prng_below((random), sizeof(array) / sizeof(array)[0])]

/* A command under construction. */
enum { LINE_ARGS_MAX = 64 };
struct line {
    struct slice arg[LINE_ARGS_MAX];
    size_t count;
    char room[1024]; /* of numbers and other short texts that were formatted */
    size_t used;
};
void line_add(struct line *l, const char *arg);
void line_add_slice(struct line *l, struct slice arg);
void line_printf(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sometimes drops the last argument or adds one: arity and syntax errors. */
void line_spoil(struct line *l, struct prng *random);

enum comparison {
    COMPARE_BYTES,
    COMPARE_UNORDERED, /* arrays of bulks inside the reply are sorted first */
    COMPARE_PAIRS,     /* the same by pairs: field and value */
    COMPARE_NOTHING,   /* an argued difference */
};

struct differential {
    const char *name;
    void (*make)(struct line *l, struct prng *random);
    enum comparison (*how)(const struct line *l); /* NULL: COMPARE_BYTES */
    void (*amend)(struct buf *theirs);            /* NULL, or takes out argued differences */
    size_t steps;
    uint64_t seed;
};
void differential_run(const struct differential *d, enum reply_protocol protocol);

#endif
