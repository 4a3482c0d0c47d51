#ifndef CHECK_ZONES_H
#define CHECK_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One register whose written values are all different: linearizable or not, in O(n log n), however many clients ran at once. */
struct zone_operation {
    uint64_t start;
    uint64_t end;    /* UINT64_MAX: unknown or never answered; a read always has one */
    uint64_t value;  /* 0: nothing (the register's first value) */
    bool is_write;
    bool was_refused; /* a write that was answered "not done" */
};

/* Sorts `operation` in place. False: no register could answer so, `text` says why. `may_expire`: the register may lose its value
 * by itself, for good. */
bool zones_check(struct zone_operation *operation, size_t count, bool may_expire, char *text, size_t size);

#endif
