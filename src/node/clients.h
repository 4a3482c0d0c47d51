#ifndef NODE_CLIENTS_H
#define NODE_CLIENTS_H

#include "node/client.h"

/* All clients of one node: registry, dirty and paused lists, counters. The node makes one (clients_new in node_open)
 * and hands it out through node_clients. */
struct clients;

/* Keeps `n`. Returns owned; freed after the last client was closed. */
struct clients *clients_new(struct node *n);
void clients_free(struct clients *cs);

/* Since the start; for INFO. The driver adds the first four. */
struct client_counters {
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t commands;
    uint64_t errors;
    uint64_t reads_at_once; /* answered while parsing: lease and stale reads */
};
struct client_counters *clients_counters(struct clients *cs);
size_t clients_count(const struct clients *cs); /* sessions that are decided and no peer's */
uint64_t clients_started_us(const struct clients *cs);

#endif
