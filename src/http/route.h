#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/buf.h"
#include "http/head.h"

/* Which path means what: one row each. WEB-API sections 1 to 4 are the APIs of existing systems, 5 is coracle's own. */
enum http_route_id {
    ROUTE_DASHBOARD,
    ROUTE_STATUS,        /* /admin/status */
    ROUTE_RAFT_STATE,    /* /debug/state */
    ROUTE_DELETE,
    ROUTE_FAIL,
    ROUTE_GET,
    ROUTE_HEALTHZ,
    ROUTE_ITEM,
    ROUTE_ITEM_CAS,
    ROUTE_LIST,          /* /keys/{key} */
    ROUTE_METRICS,
    ROUTE_NODES,
    ROUTE_NODES_FOR_KEY,
    ROUTE_READ,
    ROUTE_READYZ,
    ROUTE_RECOVER,
    ROUTE_SET,
    ROUTE_CLUSTER,
    ROUTE_MEMBERS,
    ROUTE_MEMBER,
    ROUTE_TRANSFER,
    ROUTE_COMMAND,
    ROUTE_KEY,           /* /v1/keys/{key} */
    ROUTE_LIVE,
    ROUTE_OPENAPI,
    ROUTE_PIPELINE,
    ROUTE_WATCH,
    ROUTE_WRITE,
    ROUTE_WS,
};

enum http_group { GROUP_LISTS, GROUP_UPDATES, GROUP_NODES, GROUP_ITEMS, GROUP_OWN };

enum http_route_flag {
    ROUTE_IS_OPEN = 1,      /* without password or token: probes */
    ROUTE_TAKES_BYTES = 2,  /* a body of any content type */
    ROUTE_IS_SOCKET = 4,    /* a WebSocket */
    ROUTE_IS_STREAM = 8,    /* Server-Sent Events */
};

struct http_exchange;
struct http_request;
struct http_words;
struct http_response;

struct http_route {
    const char *pattern; /* as OpenAPI writes it: "/get/{key}" */
    enum http_route_id id;
    enum http_group group;
    unsigned verbs;      /* of 1 << enum http_verb; HEAD goes with GET, OPTIONS with all */
    unsigned flags;
    /* NULL: BEGIN_NODE, or BEGIN_WATCH of a socket or stream. */
    int (*begin)(struct http_exchange *x, const struct http_request *r, struct http_words *words, struct http_response *response);
    /* The answer of a reply that is no error. */
    void (*end)(struct http_exchange *x, struct slice reply, struct http_response *response);
};

/* The parts of a path that stand for {key}, {id} or {address}, and {value}; decoded, borrowed from the path or from `made`. */
struct http_path {
    struct slice key;
    struct slice value;
    struct buf made;
};
void http_path_deinit(struct http_path *path);

size_t http_route_count(void);
const struct http_route *http_route_at(size_t position);
/* NULL: no such path, or (then *is_bad) its escapes are wrong. */
const struct http_route *http_route_find(struct slice path, struct http_path *parts, bool *is_bad);
bool http_route_takes(const struct http_route *route, enum http_verb verb);
/* "GET, HEAD, OPTIONS". */
void http_route_append_verbs(const struct http_route *route, struct buf *out);
/* Is every '%' of it followed by two hex digits? */
bool http_escapes_are_good(struct slice text);

/* The decoded value of a query's parameter. False: it isn't there. Appends. */
bool http_query_find(struct slice query, const char *name, struct buf *value);
/* %41 -> A. False: a bad escape. */
bool http_percent_decode(struct slice text, struct buf *out);

#endif
