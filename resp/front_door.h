#ifndef RESP_FRONT_DOOR_H
#define RESP_FRONT_DOOR_H

#include "base/slice.h"

/* The first byte of a peer's handshake: not printable, and never part of UTF-8. */
#define PEER_MAGIC_BYTE 0xC0

/* Which kind of session a new connection is. */
enum front_door_kind {
    FRONT_DOOR_NEED_MORE,
    FRONT_DOOR_RESP,    /* '*' */
    FRONT_DOOR_PEER,    /* PEER_MAGIC_BYTE, as the very first byte */
    FRONT_DOOR_HTTP,    /* METHOD target HTTP/1.x, the method in upper case */
    FRONT_DOOR_TEXT,    /* a verb of the text grammar, in any case */
    FRONT_DOOR_INLINE,  /* everything else is Redis's inline protocol */
    FRONT_DOOR_TOO_BIG, /* more than 64 KiB and not to be decided: close, answering nothing */
};

/* Decides once per connection from its first line that isn't blank (DESIGN.md §7). Consumes
 * nothing: the session's own parser gets every byte, the blank lines in front included. */
struct front_door {
    size_t line_start; /* blank lines before it */
    size_t scanned;    /* bytes from line_start on known to hold no LF */
};

void front_door_init(struct front_door *d);

/* Look at all bytes received so far. Linear in total, however they are cut; the cuts decide
 * nothing.
 *
 * A first line longer than LIMIT_INLINE_BYTES is not waited for. It is a text session's or an
 * inline session's by its first word, and their parsers have the words to refuse it (or, inline, to
 * take it, as Redis does when it arrived whole). If it may be the beginning of an HTTP request it
 * is FRONT_DOOR_TOO_BIG, because HTTP never falls back to another protocol: the body behind it
 * would be read as commands. More than LIMIT_INLINE_BYTES of blank lines are TOO_BIG too. */
enum front_door_kind front_door_decide(struct front_door *d, struct slice input);

#endif
