#ifndef TESTS_COMMANDS_DIFFER_H
#define TESTS_COMMANDS_DIFFER_H

#include "base/prng.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"

/* The rows beside a real redis-server: the same command goes to both, and the replies are compared.
 * For the tests of one family; test_differential.c has the strings. */
struct differ {
    struct rows rows;
    struct redis_server server;
    struct prng random;
    struct buf theirs;
};

enum differ_order {
    DIFFER_EXACT,
    DIFFER_UNORDERED, /* the elements of the reply in any order */
    DIFFER_PAIRS,     /* pairs of elements in any order; RESP3: a map, or an array of pairs */
};

enum { DIFFER_ARGS_MAX = 128 };
struct differ_command {
    struct slice arg[DIFFER_ARGS_MAX];
    size_t count;
    uint8_t room[8192];
    size_t used;
};
void differ_word(struct differ_command *c, const char *text); /* keeps `text` */
void differ_bytes(struct differ_command *c, struct slice bytes); /* copies */
void differ_number(struct differ_command *c, int64_t number);

/* False: redis-server is not there; says so, and the test passes. */
bool differ_begin(struct differ *d, enum reply_protocol protocol, uint64_t seed, const char *what);
void differ_end(struct differ *d);
/* Our reply, after it was compared. */
struct slice differ_run(struct differ *d, const struct differ_command *c, enum differ_order order);
/* The words of a line. */
struct slice differ_line(struct differ *d, enum differ_order order, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
