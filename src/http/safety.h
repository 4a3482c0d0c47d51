#ifndef HTTP_SAFETY_H
#define HTTP_SAFETY_H

#include "http/head.h"
#include "http/response.h"
#include "http/route.h"

/* Who may ask (WEB-API, Safety): a web page must not be able to read or write through a visitor's browser. */
struct http_policy {
    const char *host_names;    /* names besides IP addresses and localhost, separated by blanks or commas */
    const char *allow_origins; /* foreign origins that may, the same way */
    const char *own_origins;   /* the cluster's members as "host:port", the same way: their dashboards may watch this node */
    const char *password;      /* "": none */
    const char *token;         /* "": none */
    size_t body_max;
};

/* How the Origin field, if any, stands to this server. */
enum http_origin { ORIGIN_NONE, ORIGIN_SAME, ORIGIN_MEMBER, ORIGIN_ALLOWED, ORIGIN_FOREIGN };
enum http_origin http_origin_of(const struct http_head *head, const struct http_policy *policy);

/* False: `response` holds the refusal. `route` may be NULL (no such path). Answers OPTIONS too. */
bool http_is_admitted(const struct http_head *head, const struct http_route *route, const struct http_policy *policy,
                      struct http_response *response);

/* For an answer to an origin that is not this server's but may read it. */
void http_append_cross_origin(struct buf *fields, struct slice origin);

bool base64_decode(struct slice text, struct buf *out);

#endif
