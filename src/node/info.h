#ifndef NODE_INFO_H
#define NODE_INFO_H

#include "base/buf.h"
#include "node/node.h"

/* Append INFO's text: the named sections (any case; "default", "all", "everything" too), or the default ones when there is none. */
void info_append(struct node *n, const struct slice *section, size_t section_count, struct buf *out);

#endif
