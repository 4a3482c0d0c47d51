#ifndef NODE_CHANGES_H
#define NODE_CHANGES_H

#include "base/list.h"
#include "keyspace/keyspace.h"

/* One place where everybody who wants to know of changes of the data hears of them: keyspace notifications, client side caching,
 * the change feed. Each of them keeps a `struct changes_listener` and adds it once; the keyspace's hooks call all of them, in the
 * order in which they were added, at apply, on every node.
 *
 * A listener is called in the middle of an entry (of an EXEC, too), while replies may be half written: it takes note, or appends
 * to buffers of its own; it must not read or change the keyspace, nor write into a client's output but by client_push. After a
 * restart the log is applied again from its beginning: `is_history` says so. */
struct changes_listener {
    struct list in_changes;
    void *ctx;
    /* Any of these may be NULL. Slices are borrowed for the call; `event` is a static string, Redis's name ("set", "del",
     * "expired", ...). */
    void (*changed)(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index);
    /* What Redis notifies of besides, in the same step as a change that is told by `changed`: "new", the "expire" of SET EX. */
    void (*noticed)(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index);
    void (*flushed)(void *ctx, raft_index index);
    void (*swapped)(void *ctx, uint32_t a, uint32_t b, raft_index index);
    /* A snapshot took the place of all data: any key may be another one, and nobody knows which. */
    void (*replaced)(void *ctx);
};

struct client;
struct changes {
    struct list listeners;
    const struct client *origin; /* whose write is being applied, when it is a client of this node; else NULL */
    bool is_history;             /* entries are being applied again after a start: nothing that happens now */
};

void changes_init(struct changes *c);
/* What keyspace_new takes. `c` must outlive the keyspace. */
struct keyspace_hooks changes_hooks(struct changes *c);
/* Keeps `listener` until changes_forget. */
void changes_listen(struct changes *c, struct changes_listener *listener);
void changes_forget(struct changes_listener *listener);
/* Tells `replaced`. */
void changes_replaced(struct changes *c);

#endif
