#include "node/changes.h"

#include "base/mem.h"

static struct changes_listener *listener_of(struct list *in_changes)
{
    return CONTAINER_OF(in_changes, struct changes_listener, in_changes);
}

void changes_init(struct changes *c)
{
    *c = (struct changes){.is_history = true};
    list_init(&c->listeners);
}

void changes_listen(struct changes *c, struct changes_listener *listener)
{
    list_append(&c->listeners, &listener->in_changes);
}

void changes_forget(struct changes_listener *listener)
{
    list_remove(&listener->in_changes);
}

static void changes_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct changes *c = ctx;

    for (struct list *at = c->listeners.next; at != &c->listeners; at = at->next) {
        struct changes_listener *l = listener_of(at);

        if (l->changed) {
            l->changed(l->ctx, db, key, event, index);
        }
    }
}

static void changes_noticed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct changes *c = ctx;

    for (struct list *at = c->listeners.next; at != &c->listeners; at = at->next) {
        struct changes_listener *l = listener_of(at);

        if (l->noticed) {
            l->noticed(l->ctx, db, key, event, index);
        }
    }
}

static void changes_flushed(void *ctx, raft_index index)
{
    struct changes *c = ctx;

    for (struct list *at = c->listeners.next; at != &c->listeners; at = at->next) {
        struct changes_listener *l = listener_of(at);

        if (l->flushed) {
            l->flushed(l->ctx, index);
        }
    }
}

static void changes_swapped(void *ctx, uint32_t a, uint32_t b, raft_index index)
{
    struct changes *c = ctx;

    for (struct list *at = c->listeners.next; at != &c->listeners; at = at->next) {
        struct changes_listener *l = listener_of(at);

        if (l->swapped) {
            l->swapped(l->ctx, a, b, index);
        }
    }
}

void changes_replaced(struct changes *c)
{
    for (struct list *at = c->listeners.next; at != &c->listeners; at = at->next) {
        struct changes_listener *l = listener_of(at);

        if (l->replaced) {
            l->replaced(l->ctx);
        }
    }
}

struct keyspace_hooks changes_hooks(struct changes *c)
{
    return (struct keyspace_hooks){
        .changed = changes_changed,
        .noticed = changes_noticed,
        .flushed = changes_flushed,
        .swapped = changes_swapped,
        .ctx = c,
    };
}
