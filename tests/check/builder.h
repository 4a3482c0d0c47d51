#ifndef CHECK_TESTS_BUILDER_H
#define CHECK_TESTS_BUILDER_H

#include "base/prng.h"
#include "check/check.h"

/* Histories as text: one operation a line, in the file's own format but shorter:
 *
 *     client start end outcome f key [value [expected]] [=result]   ; f key ... (more steps)
 *
 * end "-": never; result "nil", "[a,b]" a list. */
void build(struct history *h, const char *text);

enum verdict { GOOD, BAD, UNDECIDED };
enum verdict verdict_of(struct history *h, uint64_t states, struct check_report *report);

/* Is there an order? By trying all of them; at most some ten operations. */
bool brute_force(struct history *h);

/* Random histories of a register, a counter, a list or a set (`kind` 0 to 3) per key, by `clients` clients that run at once. Answers are
 * those of one correct copy, unless `damage` (millionths) changes one. Transactions: two steps. */
struct random_history {
    uint32_t operations;
    uint32_t clients;
    uint32_t keys;
    int kind;
    uint32_t damage;
    uint32_t unknown;      /* millionths */
    bool has_transactions;
    bool has_unique_values;
};
void random_history(struct history *h, struct prng *p, const struct random_history *r);

#endif
