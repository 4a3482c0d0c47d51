#ifndef NODE_NOTIFY_H
#define NODE_NOTIFY_H

#include "base/buf.h"
#include "node/changes.h"
#include "node/pubsub.h"

/* Keyspace notifications: changes of the data as messages to this node's own subscribers, as Redis makes them. */

/* The letters of notify-keyspace-events. */
enum notify_flag {
    NOTIFY_KEYSPACE = 1 << 0, /* K */
    NOTIFY_KEYEVENT = 1 << 1, /* E */
    NOTIFY_GENERIC = 1 << 2,  /* g */
    NOTIFY_STRING = 1 << 3,   /* $ */
    NOTIFY_LIST = 1 << 4,     /* l */
    NOTIFY_SET = 1 << 5,      /* s */
    NOTIFY_HASH = 1 << 6,     /* h */
    NOTIFY_ZSET = 1 << 7,     /* z */
    NOTIFY_EXPIRED = 1 << 8,  /* x */
    NOTIFY_EVICTED = 1 << 9,  /* e: nothing is ever evicted */
    NOTIFY_STREAM = 1 << 10,  /* t */
    NOTIFY_MODULE = 1 << 11,  /* d */
    NOTIFY_NEW = 1 << 12,     /* n */
    NOTIFY_KEY_MISS = 1 << 13, /* m: accepted; reads are not told of */
    NOTIFY_ALL = NOTIFY_GENERIC | NOTIFY_STRING | NOTIFY_LIST | NOTIFY_SET | NOTIFY_HASH | NOTIFY_ZSET | NOTIFY_EXPIRED |
                 NOTIFY_EVICTED | NOTIFY_STREAM | NOTIFY_MODULE, /* A */
};
/* False: a letter that is none. */
bool notify_parse(struct slice text, int64_t *flags);
/* In Redis's order. Appends. */
void notify_format(int64_t flags, struct buf *out);

struct notify {
    struct changes_listener listener;
    struct changes *changes;
    struct pubsub *pubsub;
    const int64_t *flags;
    struct buf scratch; /* the channel's name */
};

/* Keeps all three until notify_deinit; *flags may change. */
void notify_init(struct notify *n, struct changes *changes, struct pubsub *pubsub, const int64_t *flags);
void notify_deinit(struct notify *n);

#endif
