#ifndef NODE_PERCENTILES_H
#define NODE_PERCENTILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The value of latency-tracking-info-percentiles: numbers from 0 to 100, separated by blanks. */
#define PERCENTILES_MAX 64

struct percentiles {
    double value[PERCENTILES_MAX];
    size_t count;
};

/* False: *why is a phrase in Redis's words (static). An empty text is none. */
bool percentiles_parse(struct slice text, struct percentiles *p, const char **why);
/* "50 99 99.9". Appends. */
void percentiles_format(const struct percentiles *p, struct buf *out);

#endif
