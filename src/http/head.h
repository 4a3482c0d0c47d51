#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/slice.h"

/* The head of an HTTP/1.1 request: request line and header fields (RFC 9112). head.c is the one file that knows the parser
 * library; without it (HTTP_PARSER=no) http_is_built is false and nothing here is called.
 *
 * What proxies and servers have been known to read in two ways is refused, not guessed at: line ends other than CR LF, folded
 * lines, blanks before a colon, two lengths, a length beside chunks, any transfer coding but "chunked", two hosts. */
#define HTTP_HEAD_BYTES_MAX 16384u
#define HTTP_TARGET_BYTES_MAX 8192u

extern const bool http_is_built;

enum http_verb { VERB_GET, VERB_HEAD, VERB_POST, VERB_PUT, VERB_DELETE, VERB_OPTIONS, VERB_OTHER };
const char *http_verb_name(enum http_verb verb);

/* Header fields that mean something here; all others are checked and skipped. */
enum http_field {
    FIELD_ACCEPT,
    FIELD_REQUEST_HEADERS, /* Access-Control-Request-Headers */
    FIELD_REQUEST_METHOD,  /* Access-Control-Request-Method */
    FIELD_AUTHORIZATION,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_CONTENT_TYPE,
    FIELD_EXPECT,
    FIELD_HOST,
    FIELD_IF_MATCH,
    FIELD_IF_NONE_MATCH,
    FIELD_LAST_EVENT_ID,
    FIELD_ORIGIN,
    FIELD_SEC_FETCH_SITE,
    FIELD_WEBSOCKET_KEY,
    FIELD_WEBSOCKET_VERSION,
    FIELD_TRANSFER_ENCODING,
    FIELD_UPGRADE,
    FIELD_COUNT,
};

/* Slices borrow from the input. */
struct http_head {
    enum http_verb verb;
    struct slice target;
    unsigned minor; /* HTTP/1.minor */
    struct slice field[FIELD_COUNT]; /* the last one of a name */
    uint8_t count[FIELD_COUNT];      /* how often it stood there, 255 at most */
    bool is_kept_alive;
    bool is_chunked;
    bool is_upgrade;         /* Connection: Upgrade and an Upgrade field */
    uint64_t content_length; /* 0 when chunked */
};

enum http_head_result { HEAD_NEED_MORE, HEAD_OK, HEAD_BAD };

/* Look at everything received of one request. `*scanned` remembers what was searched for the end (0 before the first byte).
 * HEAD_OK: *size bytes are the head. HEAD_BAD: *status and *why (static) say what to answer before closing. */
enum http_head_result
http_head_parse(struct slice input, size_t *scanned, struct http_head *head, size_t *size, int *status, const char **why);

/* Blank line ends in front of a request, which are skipped (RFC 9112 §2.2). */
size_t http_head_blanks(struct slice input);

/* Is `token` one of the words of a list like "keep-alive, Upgrade"? */
bool http_list_has(struct slice list, const char *token);

#endif
