#ifndef NODE_HTTP_LIVE_H
#define NODE_HTTP_LIVE_H

#include "base/buf.h"
#include "node/node.h"

struct clients;
struct events;
struct stages;

/* Appends the JSON text of /v1/live. */
void http_live_append(struct node *n, struct buf *out);
void http_live_each_second(struct clients *cs);
/* /metrics: the text format of Prometheus. Appends. */
void http_metrics_append(struct node *n, struct buf *out);

/* The node's; NULL is allowed. */
const struct events *node_events(const struct node *n);
const struct stages *node_stages(const struct node *n);

#endif
