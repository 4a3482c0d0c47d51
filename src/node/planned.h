#ifndef NODE_PLANNED_H
#define NODE_PLANNED_H

#include "base/slice.h"

/* The family ("lists", "streams") of a Redis command that is not here yet; NULL for any other name. Case-insensitive. */
const char *planned_family(struct slice name);

#endif
