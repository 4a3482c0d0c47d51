#ifndef NODE_CLIENT_HTTP_H
#define NODE_CLIENT_HTTP_H

#include "base/json.h"
#include "http/body.h"
#include "http/exchange.h"
#include "http/safety.h"
#include "node/client_internal.h"

/* The HTTP mode of a client connection: requests to commands, replies to responses, through the same dispatch, slots and node as
 * every other protocol. client_http.c holds the essay; src/http/ knows what requests mean. */
enum client_http_phase {
    HTTP_HEAD,      /* a request's head, or nothing, has come */
    HTTP_BODY,      /* its body's length is known */
    HTTP_CHUNKS,
    HTTP_SKIP,      /* a body that nobody wants */
    HTTP_BATCH,     /* a pipeline's commands are being begun */
    HTTP_UPGRADING, /* a stream's first command is under way */
    HTTP_STREAM,    /* WebSocket or Server-Sent Events: watch.c */
};

struct client_http {
    enum client_http_phase phase;
    size_t scanned;            /* of the head */
    size_t head_size;
    size_t request_size;       /* HTTP_BODY: of head and body */
    uint64_t begun_us;         /* when the first byte of the request came; 0: none has */
    bool is_last;              /* nothing more is read after this request */
    uint64_t skip;             /* HTTP_SKIP, not in chunks */
    bool is_skip_chunked;
    struct buf head;           /* of a request in chunks */
    struct http_chunks chunks;
    struct buf body;           /* what the chunks held; a pipeline's commands */
    struct json_cursor cursor; /* HTTP_BATCH, in `body` */
    struct http_exchange *exchange; /* whose commands are being begun; a reference */
    struct http_words words;
    struct http_path path;
    struct http_response response;
};

void client_http_open(struct client *c);
void client_http_close(struct client *c); /* also when there is none */
/* One step; false: more bytes are needed. */
bool client_http_step(struct client *c);
/* Bytes that are still missing of a body whose length is known. */
size_t client_http_missing(const struct client *c);
/* The client is over a limit, or may not come in: a response instead of RESP's error. */
void client_http_refuse(struct client *c, int status, const char *text);
/* Once a second: requests that take too long to come are answered 408. */
void client_http_each_second(struct client *c, uint64_t now_us);
/* A whole response, in its place behind the answers that are not ready yet. */
void client_http_respond(struct client *c, const struct http_response *response, struct http_framing framing);

/* For client_reply.c. The slot is the first and its reply complete: writes the response, or notes the reply. */
void client_http_finish(struct client *c, struct client_slot *slot);

/* http_node.c: what the node answers for itself. */
void client_http_node(struct client *c, struct http_exchange *x, const struct http_request *r, struct http_response *response);
/* This node's place among the members, by address. */
uint32_t http_node_position(struct node *n);
/* "host:port host:port ..." of all members. */
void http_append_origins(struct node *n, struct buf *out);

#endif
