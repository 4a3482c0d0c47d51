#ifndef NODE_CLIENTS_H
#define NODE_CLIENTS_H

#include "node/client.h"

/* All clients of one node: registry, dirty and paused lists, counters. The node makes one (clients_new in node_open)
 * and hands it out through node_clients. */
struct clients;

/* Keeps `n`. Returns owned; freed after the last client was closed. */
struct clients *clients_new(struct node *n);
void clients_free(struct clients *cs);

/* Since the start; for INFO. The driver adds connections and what concerns peers. */
struct client_counters {
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t reads;  /* from sockets, and ... */
    uint64_t writes; /* ... to them */
    uint64_t peer_input_bytes; /* links between nodes */
    uint64_t peer_output_bytes;
    uint64_t commands;
    uint64_t errors;
    uint64_t reads_at_once; /* answered while parsing: lease and stale reads */
    uint64_t keyspace_hits; /* keys that reads asked for and found; by their replies */
    uint64_t keyspace_misses;
};
/* How fast it went in the last second or so. */
struct client_rates {
    uint64_t commands_per_second;
    double input_kib_per_second;
    double output_kib_per_second;
    double peer_input_kib_per_second;
    double peer_output_kib_per_second;
};
/* The driver calls it about once a second. */
void clients_each_second(struct clients *cs, uint64_t now_us);
const struct client_rates *clients_rates(const struct clients *cs);
size_t clients_memory_peak(const struct clients *cs);
size_t clients_memory_at_start(const struct clients *cs);
/* What clients take now. O(their number). */
struct clients_memory {
    uint64_t bytes;
    size_t input_longest;
    size_t output_longest;
};
void clients_measure(const struct clients *cs, struct clients_memory *memory);

struct client_counters *clients_counters(struct clients *cs);
struct command_stats;
const struct command_stats *clients_command_stats(const struct clients *cs);
/* CONFIG RESETSTAT. */
void clients_reset_counters(struct clients *cs);
/* Waiting in WAIT, or held by CLIENT PAUSE. */
size_t clients_blocked(const struct clients *cs);
/* When clients_poll has something to do at the latest; UINT64_MAX: never. */
uint64_t clients_wake_us(const struct clients *cs);
/* The node stops: whoever waits for a membership change is told that its outcome is unknown. */
void clients_stop_waiting(struct clients *cs);
struct watches;
struct watches *clients_watches(struct clients *cs);
size_t clients_count(const struct clients *cs); /* sessions that are decided and no peer's */
uint64_t clients_started_us(const struct clients *cs);

#endif
