#ifndef NODE_LINK_H
#define NODE_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "node/hello.h"

/* One peer connection as a byte codec: mutual handshake, then frames. Sans-I/O: bytes in, bytes out; net/ moves them. link.c holds
 * the essay (frames, MAC, what is inside it, why nothing can be reflected or replayed). */
struct link;

struct link_options {
    const struct slice secret; /* borrowed for the link's life; empty: no authentication (loopback only) */
    bool has_frame_mac;        /* peer-auth frames */
    uint8_t nonce[16];         /* fresh randomness */
};

/* The dialler's side knows its hello at once. The acceptor's hello is asked for when the dialler's role is known. Returns owned. */
struct link *link_new_dialler(const struct link_options *options, const struct peer_hello *mine);
struct link *link_new_acceptor(const struct link_options *options);
void link_free(struct link *l);

enum link_event {
    LINK_NOTHING,   /* feed more */
    LINK_WANT_HELLO, /* acceptor: the dialler's hello is in (not yet proven): call link_answer */
    LINK_UP,        /* handshake done and proven both ways: link_remote is the peer's hello */
    LINK_MESSAGE,   /* one whole message in *message, borrowed until the next call */
    LINK_FAILED,    /* protocol or authentication error, see link_error; close the connection */
    LINK_REFUSED,   /* the peer closed with a reason: link_error is its text */
};

/* Feed received bytes: appends to the codec's input. */
void link_feed(struct link *l, struct slice bytes);
/* Process what was fed, until the next event. Call until LINK_NOTHING. */
enum link_event link_next(struct link *l, struct slice *message);
/* Acceptor, after LINK_WANT_HELLO: answer with own hello. */
void link_answer(struct link *l, const struct peer_hello *mine);
/* Tell the peer why it is not wanted; then close when output is flushed. Allowed after LINK_UP. */
void link_refuse(struct link *l, const char *reason);
const struct peer_hello *link_remote(const struct link *l);
const char *link_error(const struct link *l);
/* Frame one message (parts are concatenated) into the output; fragments beyond LIMIT_FRAME_BYTES. */
void link_send(struct link *l, const struct slice *part, size_t part_count);
/* Bytes that came of a message which is not whole yet. */
size_t link_pending_bytes(const struct link *l);
/* Bytes to write to the connection; consume what was written. */
struct buf *link_output(struct link *l);

#endif
