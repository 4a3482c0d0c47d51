#ifndef CHECK_CYCLES_H
#define CHECK_CYCLES_H

#include "check/history.h"

/* Transactions that append unique elements to lists (RPUSH) and read whole lists (LRANGE), over any number of keys: strictly
 * serializable or not, in about O(n log n). After Kingsbury and Alvaro, Elle (2020). */

enum cycles_verdict {
    CYCLES_NONE,
    CYCLES_FOUND,     /* or something else that can't be: `text` says what, and names lines or operations */
    CYCLES_UNDECIDED, /* none found, which is not enough here: search */
};

/* `operation`: count numbers of operations whose steps are all RPUSH or LRANGE, on keys that no other operation touches. */
enum cycles_verdict cycles_check(const struct history *h, const uint32_t *operation, uint32_t count, char *text, size_t size);

#endif
