#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "base/buf.h"

/* A response before it is bytes. All-zero is none yet (status 0). */
struct http_response {
    int status;
    const char *content_type; /* static; NULL: none */
    struct buf body;          /* owned */
    struct buf fields;        /* owned: more header lines, each with CR LF */
    bool is_closing;          /* the connection ends with it */
};

void http_response_deinit(struct http_response *r);
/* Begins one, replacing what was there. */
void http_response_begin(struct http_response *r, int status, const char *content_type);
/* A whole plain text, JSON text or empty body. */
void http_response_text(struct http_response *r, int status, const char *text);
void http_response_json(struct http_response *r, int status, const char *json);
void http_response_empty(struct http_response *r, int status);
/* {"error":"..."} with a sentence. */
void http_response_error(struct http_response *r, int status, const char *text);

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"
#define HTTP_TYPE_BYTES "application/octet-stream"

/* How it is written. */
struct http_framing {
    unsigned minor;    /* of the request */
    bool is_head;      /* answers HEAD: no body follows its length */
    bool is_kept_alive;
    int64_t wall_ms;   /* for Date; 0: leave it out */
};
/* Appends the response's bytes. */
void http_response_append(struct buf *out, const struct http_response *r, const struct http_framing *framing);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes) of Unix milliseconds. */
void http_append_date(struct buf *out, int64_t wall_ms);
const char *http_reason(int status);

#endif
