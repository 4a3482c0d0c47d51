#ifndef COMMANDS_RANDOM_RANKS_H
#define COMMANDS_RANDOM_RANKS_H

#include "base/prng.h"

/* `count` (<= n) different numbers below `n`, ascending; every choice is equally likely. Depends on the state of `random` alone.
 * Returns owned; O(count) expected, times a logarithm. */
uint64_t *random_ranks(struct prng *random, uint64_t n, uint64_t count);

#endif
