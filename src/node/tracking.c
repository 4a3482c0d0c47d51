#include "node/tracking.h"

#include <string.h>

#include "base/mem.h"
#include "node/client_internal.h"

/* Invalidations, on every node for its own clients, from the changes that it applies.
 *
 *   default:  a read registers (key, client) at the instant it runs; the key's next change tells the client and forgets the pair
 *   BCAST:    a change of a key under a client's prefix is gathered; once per iteration the client gets the list
 *
 * Reads are linearizable on every node, caches are not: between a write's acknowledgement (anywhere in the cluster) and the invalidation
 * there is the time until this node has applied the write. What is promised is this:
 *
 * I1  A read registers its keys in the same step in which it runs, on the thread that applies, so no change falls between the value and
 *     the registration. In an EXEC each item registers before it runs: a later item may change what an earlier one read.
 * I2  The invalidation of a value stands behind the reply that carried the value, on the same connection (client_push, S5). With
 *     REDIRECT there are two connections, and their order is the network's.
 * I3  A client that writes a key hears of it behind the write's own reply, or not at all (NOLOOP).
 * I4  A node that knows no leader hears of no changes: when it loses its leader it tells every tracking client to drop everything (the null
 *     invalidation), and reads fill caches again only when they are confirmed. So a cut off node's clients hold old values
 *     for about two election timeouts at most.
 * I5  Whatever is forgotten for lack of room (tracking-table-max-keys) is invalidated first. Too many invalidations are harmless; one
 *     too few never happens.
 * I6  FLUSHDB, FLUSHALL and SWAPDB tell everybody to drop everything. Keys are told apart by name only, not by database, as in Redis. */

/* Keys gathered for one prefix before they are sent at once, in the middle of a big entry. */
#define BROADCAST_KEYS_MAX 4096u
/* Keys of dropped tables freed in one iteration. */
#define FREED_PER_FLUSH 1024u

struct tracked_key {
    struct name_node node;
    uint32_t count;
    uint32_t capacity;
    uint64_t *id; /* ascending; `few` while they fit */
    uint64_t few[2];
    uint8_t name[];
};

struct tracked_prefix {
    struct name_node node;
    struct list shares;
    struct name_table pending; /* struct pending_key: changed in this iteration */
    struct list in_order;
    uint8_t name[];
};

struct pending_key {
    struct name_node node;
    struct list in_order;
    uint64_t origin; /* id of the client that changed it last; 0: no client of this node */
    uint8_t name[];
};

struct tracking_grave {
    struct tracking_grave *next;
    struct name_table keys;
    size_t cursor;
};

/* One client's interest in one prefix. */
struct tracked_share {
    struct list in_prefix;
    struct list in_client;
    struct tracked_prefix *prefix;
    struct client *client;
};

#define KEY_OF(n) CONTAINER_OF(n, struct tracked_key, node)
#define PREFIX_OF(n) CONTAINER_OF(n, struct tracked_prefix, node)

/* --- telling a client --------------------------------------------------------------------------- */

/* `value` is the encoded array of keys; p == NULL: everything. */
static void send_invalidation(struct client *target, struct slice value, bool is_redirected)
{
    struct buf bytes = {0};
    struct reply reply = {.out = &bytes, .protocol = target->protocol};

    if (target->protocol == REPLY_RESP3) {
        reply_push(&reply, 2);
        reply_bulk_cstr(&reply, "invalidate");
    } else if (is_redirected && client_is_subscriber(target)) {
        reply_array(&reply, 3);
        reply_bulk_cstr(&reply, "message");
        reply_bulk_cstr(&reply, "__redis__:invalidate");
    } else {
        return; /* RESP2 has no pushes. */
    }
    if (value.p) {
        buf_append_slice(&bytes, value);
    } else {
        reply_null(&reply);
    }
    client_push(target, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void invalidate(struct client *c, struct slice value)
{
    if (c->tracking.redirect == 0) {
        send_invalidation(c, value, false);
        return;
    }
    struct client *target = client_by_id(c->clients, (uint64_t)c->tracking.redirect);
    if (target) {
        send_invalidation(target, value, true);
        return;
    }
    c->tracking.is_redirect_broken = true;
    if (c->protocol == REPLY_RESP3) {
        struct buf bytes = {0};
        struct reply reply = {.out = &bytes, .protocol = REPLY_RESP3};

        reply_push(&reply, 2);
        reply_bulk_cstr(&reply, "tracking-redir-broken");
        reply_int(&reply, c->tracking.redirect);
        client_push(c, buf_slice(&bytes));
        buf_deinit(&bytes);
    }
}

/* --- the table of keys -------------------------------------------------------------------------- */

static void key_free(struct tracked_key *k)
{
    if (k->id != k->few) {
        mem_free(k->id);
    }
    mem_free(k);
}

/* Tells all who read it, but for `origin` if it doesn't want to hear of its own; then nobody has it any more. */
static void key_invalidate(struct tracking *t, struct tracked_key *k, const struct client *origin)
{
    struct buf array = {0};
    struct reply reply = {.out = &array, .protocol = REPLY_RESP2};

    reply_array(&reply, 1);
    reply_bulk(&reply, k->node.name);
    for (uint32_t i = 0; i < k->count; i++) {
        struct client *c = client_by_id(t->clients, k->id[i]);
        bool is_meant = c && c->tracking.is_on && !(c->tracking.mode & TRACKING_BCAST);

        if (is_meant && !(c == origin && (c->tracking.mode & TRACKING_NOLOOP))) {
            invalidate(c, buf_slice(&array));
        }
    }
    buf_deinit(&array);
    t->item_count -= k->count;
    name_table_remove(&t->keys, &k->node);
    key_free(k);
}

static struct tracked_key *key_make(struct tracking *t, struct slice name)
{
    struct tracked_key *k = mem_alloc(sizeof *k + name.n);

    *k = (struct tracked_key){.id = k->few, .capacity = sizeof k->few / sizeof k->few[0]};
    if (name.n > 0) {
        memcpy(k->name, name.p, name.n);
    }
    k->node.name = (struct slice){k->name, name.n};
    name_table_add(&t->keys, &k->node);
    return k;
}

/* Ids of clients that have gone stay until there is no room: then they make it. */
static void key_make_room(struct tracking *t, struct tracked_key *k)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < k->count; i++) {
        if (client_by_id(t->clients, k->id[i])) {
            k->id[kept++] = k->id[i];
        }
    }
    t->item_count -= k->count - kept;
    k->count = kept;
    if (k->count <= k->capacity / 2) {
        return;
    }
    k->capacity *= 2;
    if (k->id == k->few) {
        k->id = mem_alloc_array(k->capacity, sizeof k->id[0]);
        memcpy(k->id, k->few, sizeof k->few);
    } else {
        k->id = mem_realloc_array(k->id, k->capacity, sizeof k->id[0]);
    }
}

static void key_add(struct tracking *t, struct tracked_key *k, uint64_t id)
{
    uint32_t low = 0;

    for (uint32_t high = k->count; low < high;) {
        uint32_t middle = low + (high - low) / 2;

        if (k->id[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < k->count && k->id[low] == id) {
        return;
    }
    if (k->count == k->capacity) {
        key_make_room(t, k);
        key_add(t, k, id);
        return;
    }
    memmove(&k->id[low + 1], &k->id[low], (k->count - low) * sizeof k->id[0]);
    k->id[low] = id;
    k->count++;
    t->item_count++;
}

/* Everything at once, freed later. */
static void keys_drop(struct tracking *t)
{
    if (t->keys.count == 0) {
        return;
    }
    struct tracking_grave *grave = mem_alloc(sizeof *grave);
    *grave = (struct tracking_grave){.next = t->grave, .keys = t->keys};
    t->grave = grave;
    name_table_init(&t->keys, &grave->keys.key);
    t->item_count = 0;
}

static void grave_step(struct tracking *t, size_t most)
{
    for (size_t i = 0; t->grave && i < most; i++) {
        struct tracking_grave *grave = t->grave;
        struct name_node *node = name_table_pop(&grave->keys, &grave->cursor);

        if (node) {
            key_free(KEY_OF(node));
        } else {
            t->grave = grave->next;
            mem_free(grave);
        }
    }
}

/* I5: forgets up to `at_once` keys above the limit. */
static void keys_limit(struct tracking *t, size_t at_once)
{
    int64_t most = node_options(t->clients->node)->tracking_table_max_keys;

    for (; at_once > 0 && most > 0 && t->keys.count > (size_t)most; at_once--) {
        COVER("tracking: a key is forgotten for lack of room");
        t->cursor += 0x9e3779b97f4a7c15u;
        key_invalidate(t, KEY_OF(name_table_near(&t->keys, t->cursor >> 20)), NULL);
    }
}

void tracking_remember(struct client *c, const struct command_row *row, const struct command *command)
{
    struct tracking *t = &c->clients->tracking;

    if (!(row->flags & COMMAND_READONLY)) {
        return;
    }
    size_t count = command_key_count(row, command);
    for (size_t i = 0; i < count; i++) {
        struct slice key = command->arg[command_key_position(row, command, i)];
        struct name_node *found = name_table_find(&t->keys, key);

        key_add(t, found ? KEY_OF(found) : key_make(t, key), c->id);
    }
    keys_limit(t, SIZE_MAX);
}

/* --- prefixes ----------------------------------------------------------------------------------- */

static void prefix_forget_pending(struct tracked_prefix *p)
{
    while (!list_empty(&p->in_order)) {
        struct pending_key *k = CONTAINER_OF(p->in_order.next, struct pending_key, in_order);

        list_remove(&k->in_order);
        name_table_remove(&p->pending, &k->node);
        mem_free(k);
    }
}

static void share_end(struct tracking *t, struct tracked_share *share)
{
    struct tracked_prefix *p = share->prefix;

    list_remove(&share->in_prefix);
    list_remove(&share->in_client);
    mem_free(share);
    if (list_empty(&p->shares)) {
        prefix_forget_pending(p);
        name_table_remove(&t->prefixes, &p->node);
        name_table_deinit(&p->pending);
        mem_free(p);
    }
}

static struct tracked_prefix *prefix_make(struct tracking *t, struct slice name)
{
    struct tracked_prefix *p = mem_alloc_zero(sizeof *p + name.n);

    if (name.n > 0) {
        memcpy(p->name, name.p, name.n);
    }
    p->node.name = (struct slice){p->name, name.n};
    list_init(&p->shares);
    list_init(&p->in_order);
    name_table_init(&p->pending, &t->keys.key);
    name_table_add(&t->prefixes, &p->node);
    return p;
}

static void share_add(struct client *c, struct slice name)
{
    struct tracking *t = &c->clients->tracking;
    struct name_node *found = name_table_find(&t->prefixes, name);
    struct tracked_prefix *p = found ? PREFIX_OF(found) : prefix_make(t, name);

    for (const struct tracked_share *s = tracking_next_share(c, NULL); s; s = tracking_next_share(c, s)) {
        if (s->prefix == p) {
            return;
        }
    }
    struct tracked_share *share = mem_alloc(sizeof *share);
    *share = (struct tracked_share){.prefix = p, .client = c};
    list_append(&p->shares, &share->in_prefix);
    list_append(&c->tracking.prefixes, &share->in_client);
}

const struct tracked_share *tracking_next_share(const struct client *c, const struct tracked_share *share)
{
    const struct list *next = share ? share->in_client.next : c->tracking.prefixes.next;

    return next == &c->tracking.prefixes ? NULL : CONTAINER_OF((struct list *)(uintptr_t)next, struct tracked_share, in_client);
}

struct slice tracking_share_prefix(const struct tracked_share *share)
{
    return share->prefix->node.name;
}

/* The keys that `c` (NULL: anybody) is to hear of; false: none. */
static bool prefix_encode(const struct tracked_prefix *p, const struct client *c, struct buf *out)
{
    struct reply reply = {.out = out, .protocol = REPLY_RESP2};
    size_t count = 0;

    buf_clear(out, 65536);
    for (const struct list *at = p->in_order.next; at != &p->in_order; at = at->next) {
        count += !c || CONTAINER_OF((struct list *)(uintptr_t)at, struct pending_key, in_order)->origin != c->id ? 1 : 0;
    }
    reply_array(&reply, count);
    for (const struct list *at = p->in_order.next; at != &p->in_order; at = at->next) {
        const struct pending_key *k = CONTAINER_OF((struct list *)(uintptr_t)at, struct pending_key, in_order);

        if (!c || k->origin != c->id) {
            reply_bulk(&reply, k->node.name);
        }
    }
    return count > 0;
}

static void prefix_send(struct tracked_prefix *p)
{
    struct buf all = {0};
    struct buf own = {0};

    if (list_empty(&p->in_order)) {
        return;
    }
    (void)prefix_encode(p, NULL, &all);
    for (struct list *at = p->shares.next; at != &p->shares; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct tracked_share, in_prefix)->client;

        if (!(c->tracking.mode & TRACKING_NOLOOP)) {
            invalidate(c, buf_slice(&all));
        } else if (prefix_encode(p, c, &own)) {
            invalidate(c, buf_slice(&own));
        }
    }
    prefix_forget_pending(p);
    buf_deinit(&all);
    buf_deinit(&own);
}

static void prefix_gather(struct tracked_prefix *p, struct slice key, uint64_t origin)
{
    struct name_node *found = name_table_find(&p->pending, key);

    if (found) {
        CONTAINER_OF(found, struct pending_key, node)->origin = origin;
        return;
    }
    struct pending_key *k = mem_alloc(sizeof *k + key.n);
    if (key.n > 0) {
        memcpy(k->name, key.p, key.n);
    }
    k->node.name = (struct slice){k->name, key.n};
    k->origin = origin;
    list_append(&p->in_order, &k->in_order);
    name_table_add(&p->pending, &k->node);
    if (p->pending.count >= BROADCAST_KEYS_MAX) {
        prefix_send(p);
    }
}

void tracking_flush(struct tracking *t)
{
    grave_step(t, FREED_PER_FLUSH);
    keys_limit(t, FREED_PER_FLUSH); /* the limit may have been lowered */
    if (!t->has_broadcasts) {
        return;
    }
    t->has_broadcasts = false;
    for (struct name_node *at = name_table_first(&t->prefixes); at; at = name_table_next(&t->prefixes, at)) {
        prefix_send(PREFIX_OF(at));
    }
}

/* --- what happens ------------------------------------------------------------------------------- */

static void on_changed(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct tracking *t = ctx;
    const struct client *origin = node_changes(t->clients->node)->origin;

    (void)db;
    (void)event;
    (void)index;
    if (t->client_count == 0) {
        return;
    }
    struct name_node *found = name_table_find(&t->keys, key);
    if (found) {
        key_invalidate(t, KEY_OF(found), origin);
    }
    for (struct name_node *at = name_table_first(&t->prefixes); at; at = name_table_next(&t->prefixes, at)) {
        if (at->name.n <= key.n && (at->name.n == 0 || memcmp(at->name.p, key.p, at->name.n) == 0)) {
            prefix_gather(PREFIX_OF(at), key, origin ? origin->id : 0);
            t->has_broadcasts = true;
        }
    }
}

void tracking_void_all(struct tracking *t)
{
    if (t->client_count == 0) {
        return;
    }
    for (struct list *l = t->clients->all.next; l != &t->clients->all; l = l->next) {
        struct client *c = CONTAINER_OF(l, struct client, in_all);

        if (c->tracking.is_on) {
            invalidate(c, (struct slice){0});
        }
    }
    keys_drop(t);
}

static void on_flushed(void *ctx, raft_index index)
{
    (void)index;
    tracking_void_all(ctx);
}

static void on_swapped(void *ctx, uint32_t a, uint32_t b, raft_index index)
{
    (void)a;
    (void)b;
    (void)index;
    tracking_void_all(ctx);
}

/* What changed meanwhile is not known: everything may have. */
static void on_replaced(void *ctx)
{
    COVER("tracking: a snapshot voids everything");
    tracking_void_all(ctx);
}

/* --- clients ------------------------------------------------------------------------------------ */

void tracking_start(struct client *c, unsigned mode, int64_t redirect, const struct slice *prefix, size_t prefix_count)
{
    c->clients->tracking.client_count += c->tracking.is_on ? 0 : 1;
    c->tracking.is_on = true;
    c->tracking.is_redirect_broken = false;
    c->tracking.mode = mode;
    c->tracking.redirect = redirect;
    if ((mode & TRACKING_BCAST) && prefix_count == 0) {
        share_add(c, SLICE_LITERAL(""));
    }
    for (size_t i = 0; i < prefix_count; i++) {
        share_add(c, prefix[i]);
    }
}

void tracking_stop(struct client *c)
{
    struct tracking *t = &c->clients->tracking;

    while (!list_empty(&c->tracking.prefixes)) {
        share_end(t, CONTAINER_OF(c->tracking.prefixes.next, struct tracked_share, in_client));
    }
    t->client_count -= c->tracking.is_on ? 1 : 0;
    if (c->tracking.is_on && t->client_count == 0) {
        keys_drop(t); /* nobody listens: changes are not looked at any more, so who starts again must start with nothing */
    }
    c->tracking.is_on = false;
    c->tracking.is_redirect_broken = false;
    c->tracking.mode = 0;
    c->tracking.redirect = 0;
    c->tracking.caching = 0;
}

bool tracking_wants(const struct client *c)
{
    bool is_given = c->tracking.caching > 0;

    if (!c->tracking.is_on || (c->tracking.mode & TRACKING_BCAST)) {
        return false;
    }
    return !((c->tracking.mode & TRACKING_OPTIN) && !is_given) && !((c->tracking.mode & TRACKING_OPTOUT) && is_given);
}

void tracking_begin_command(struct client *c)
{
    if (c->tracking.caching > 0 && !c->transaction) {
        c->tracking.caching--;
    }
}

void tracking_init(struct tracking *t, struct clients *cs, struct changes *changes, const struct siphash_key *key)
{
    *t = (struct tracking){.clients = cs};
    name_table_init(&t->keys, key);
    name_table_init(&t->prefixes, key);
    t->listener = (struct changes_listener){
        .ctx = t,
        .changed = on_changed,
        .flushed = on_flushed,
        .swapped = on_swapped,
        .replaced = on_replaced,
    };
    changes_listen(changes, &t->listener);
}

void tracking_deinit(struct tracking *t)
{
    changes_forget(&t->listener);
    keys_drop(t);
    grave_step(t, SIZE_MAX);
    name_table_deinit(&t->keys);
    name_table_deinit(&t->prefixes);
}
