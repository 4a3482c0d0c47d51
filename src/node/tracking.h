#ifndef NODE_TRACKING_H
#define NODE_TRACKING_H

#include "base/list.h"
#include "base/name_table.h"
#include "commands/command_row.h"
#include "node/changes.h"

/* Client side caching (CLIENT TRACKING): which clients of this node may hold which keys in caches of their own, and telling them when
 * these change. tracking.c holds the essay. */
enum tracking_mode {
    TRACKING_BCAST = 1 << 0,
    TRACKING_OPTIN = 1 << 1,
    TRACKING_OPTOUT = 1 << 2,
    TRACKING_NOLOOP = 1 << 3,
};

struct tracking {
    struct changes_listener listener;
    struct clients *clients;
    struct name_table keys;     /* who read what */
    struct name_table prefixes; /* of BCAST clients */
    uint64_t item_count;        /* (key, client) pairs */
    size_t client_count;
    uint64_t cursor;            /* where the next key to forget is looked for */
    bool has_broadcasts;        /* keys gathered for prefixes: tracking_flush */
    struct tracking_grave *grave; /* tables that were dropped whole, freed bit by bit */
};

/* A client's part. */
struct client_tracking {
    bool is_on;
    bool is_redirect_broken;
    unsigned mode;        /* enum tracking_mode bits */
    int64_t redirect;     /* id of the client that gets its invalidations; 0: itself */
    int caching;          /* CLIENT CACHING: 2 until the next command begins, 1 for that one */
    struct list prefixes; /* its shares of prefixes */
};

void tracking_init(struct tracking *t, struct clients *cs, struct changes *changes, const struct siphash_key *key);
void tracking_deinit(struct tracking *t);
/* The options fit together (rows_tracking.c); prefixes are added to those it has. */
void tracking_start(struct client *c, unsigned mode, int64_t redirect, const struct slice *prefix, size_t prefix_count);
void tracking_stop(struct client *c);
/* Do the keys of the command that begins now have to be remembered? */
bool tracking_wants(const struct client *c);
/* A command begins. */
void tracking_begin_command(struct client *c);
/* This client reads these keys now: from here on it will hear of their changes. */
void tracking_remember(struct client *c, const struct command_row *row, const struct command *command);
/* Everything may have changed, as far as this node knows: every cache is void. */
void tracking_void_all(struct tracking *t);
/* Sends what gathered for BCAST clients and frees a bit of what was dropped; once per iteration. */
void tracking_flush(struct tracking *t);
/* The prefixes of one client, one at a time; start with NULL. */
struct tracked_share;
const struct tracked_share *tracking_next_share(const struct client *c, const struct tracked_share *share);
struct slice tracking_share_prefix(const struct tracked_share *share);

#endif
