#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "base/buf.h"

/* WebSocket (RFC 6455), the server's side. websocket.c is the one file that knows wslay, which reads the clients' frames; without it
 * (WSLAY=no) ws_is_built is false. */
extern const bool ws_is_built;

enum ws_opcode { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_CLOSE_NORMAL 1000
#define WS_CLOSE_AWAY 1001
#define WS_CLOSE_PROTOCOL 1002
#define WS_CLOSE_POLICY 1008
#define WS_CLOSE_TOO_BIG 1009
#define WS_CLOSE_TRY_LATER 1013

/* Longest message that is taken from a client (and thrown away: there is nothing to tell here). */
#define WS_MESSAGE_MAX 4096u

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key. Appends. */
void ws_append_accept(struct buf *out, struct slice key);
/* One whole frame, unmasked as servers send. */
void ws_append_frame(struct buf *out, enum ws_opcode opcode, struct slice payload);
void ws_append_close(struct buf *out, unsigned code, const char *reason);
/* Bytes of the frame (one of ours) that begins at `at`. */
size_t ws_frame_size(struct slice at);

/* The client's half of a connection. */
struct ws_reader;
struct ws_reader *ws_reader_new(void); /* returns owned */
void ws_reader_free(struct ws_reader *r);
enum ws_event {
    WS_NEED_MORE,
    WS_IS_PING,    /* answer with a pong of *payload */
    WS_IS_PONG,
    WS_IS_CLOSE,   /* answer with a close of the same code */
    WS_IS_MESSAGE, /* a piece of one, thrown away */
    WS_IS_BAD,     /* close with *code */
};
/* Takes what it can of `input`. *payload is borrowed until the next call. */
enum ws_event ws_read(struct ws_reader *r, struct slice input, size_t *consumed, struct slice *payload, unsigned *code);

#endif
