#ifndef HTTP_FEED_H
#define HTTP_FEED_H

#include "base/buf.h"
#include "http/websocket.h"

/* A change as watchers get it. This room knows no keyspace: the node hands over what it needs. */
struct feed_value {
    bool is_absent;
    bool is_reference;     /* only its type and size are known */
    const char *type_name; /* "string", "list", ... */
    uint64_t size;
    struct slice bytes;
};
struct feed_event {
    uint64_t index;
    uint32_t part;
    uint32_t db;
    struct slice event;
    struct slice key;
    bool is_database; /* flushdb, swapdb: it has no key */
    struct feed_value before;
    struct feed_value after;
};

enum feed_form {
    FEED_PLAIN,   /* WebSocket, {"key":"a","value":"1"} */
    FEED_INDEXED, /* WebSocket, with index, part, event and the value before */
    FEED_SSE,     /* the same as a Server-Sent Event */
    FEED_FORMS,
};
/* Appends one frame. */
void feed_append(struct buf *out, const struct feed_event *e, enum feed_form form);
/* Only the time to live changed: a plain feed of values leaves it out. */
bool feed_is_about_expiry_only(const struct feed_event *e);
/* Where a frame of that form that begins at `at` ends; it is whole. */
size_t feed_frame_size(struct slice at, enum feed_form form);

#endif
