#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/head.h"
#include "http/response.h"
#include "http/route.h"

/* One request on its way through the node, and what its answer needs to know. Made when the request is whole, freed when its answer
 * is written; commands of it that are under way each hold a reference. */
struct http_exchange {
    unsigned references;
    const struct http_route *route;
    enum http_verb verb;
    struct http_framing framing;
    bool accepts_json;
    bool is_legacy_allowed;  /* http-legacy-get-set */
    uint32_t node_position;  /* this node's place among the sorted members */
    uint64_t unless_index;   /* If-None-Match of a GET; 0: none */
    struct slice key;        /* decoded; these three in `bytes` */
    struct slice value;      /* of /set/{key}/{value} */
    struct slice origin;     /* foreign, but allowed: named in the answer; empty: none */
    /* A pipeline: its replies as JSON so far. */
    bool is_batch;
    bool is_dispatched;      /* all its commands are under way or answered */
    size_t expected;
    size_t received;
    struct buf batch;
    uint8_t bytes[];
};

/* A request, whole. Slices are borrowed. */
struct http_request {
    const struct http_head *head;
    struct slice path;  /* the target up to '?' */
    struct slice query;
    struct slice body;
};

/* A reference is the caller's. */
struct http_exchange *http_exchange_new(const struct http_route *route, const struct http_head *head, const struct http_path *path,
                                        struct slice origin);
struct http_exchange *http_exchange_keep(struct http_exchange *x);
void http_exchange_release(struct http_exchange *x); /* NULL is allowed */

/* A command being put together. Words are borrowed, or bytes made here. All-zero is empty. */
struct http_words {
    struct slice *word; /* p NULL: `n` bytes of `made` from `at` on, until http_words_command */
    size_t *at;
    size_t count;
    size_t capacity;
    struct buf made;
};
void http_words_deinit(struct http_words *w);
void http_words_clear(struct http_words *w);
void http_words_add(struct http_words *w, struct slice word);
void http_words_add_cstr(struct http_words *w, const char *word);
/* A JSON string's characters, or the text of a number. False: anything else. */
bool http_words_add_json(struct http_words *w, struct slice value);
/* A JSON array of those. False: it is empty or holds something else. */
bool http_words_add_array(struct http_words *w, struct slice array);
/* Borrowed until the next change. */
struct command;
void http_words_command(struct http_words *w, struct command *command);

/* What the request turned out to be. */
enum http_begin {
    BEGIN_ANSWERED, /* `response` holds the answer */
    BEGIN_COMMAND,  /* `words` is the command; http_end makes the answer of its reply */
    BEGIN_BATCH,    /* each element of the JSON array `body` is a command; http_batch_reply takes each reply */
    BEGIN_NODE,     /* the node answers for itself (route->id says what) */
    BEGIN_WATCH,    /* the change feed, or the node's state, as a stream */
};

/* `reply` is one whole RESP3 value. */
void http_end(struct http_exchange *x, struct slice reply, struct http_response *response);
void http_batch_reply(struct http_exchange *x, struct slice reply, size_t limit);
void http_batch_end(struct http_exchange *x, struct http_response *response);

#endif
