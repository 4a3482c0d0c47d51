#ifndef NODE_INFO_INTERNAL_H
#define NODE_INFO_INTERNAL_H

#include "node/clients.h"
#include "node/discovery.h"
#include "node/env.h"
#include "node/node.h"

/* One INFO under way: everything that its sections look at. */
struct info {
    struct node *node;
    const struct options *options;
    struct node_status status;
    struct node_leader leader;
    struct process_info process;
    const struct client_counters *counters;
    struct clients_memory clients;
    uint64_t now_us;
    uint64_t uptime_s;
    uint64_t wall_us;
    struct buf *out;
};

/* One line, "name:value". */
void info_number(struct info *i, const char *name, uint64_t value);
void info_signed(struct info *i, const char *name, int64_t value);
void info_text(struct info *i, const char *name, const char *value);
/* Bytes as people read them: 1.50M. */
void info_human(struct info *i, const char *name, uint64_t bytes);
/* `part` of `whole`, two digits after the point; 0.00 when there is no whole. */
void info_ratio(struct info *i, const char *name, double part, double whole);
void info_percent(struct info *i, const char *name, uint64_t part, uint64_t whole);

/* info_persistence.c, info_memory.c, info_raft.c */
void info_section_persistence(struct info *i);
void info_section_memory(struct info *i);
void info_section_raft(struct info *i);

#endif
