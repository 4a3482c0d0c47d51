#ifndef KEYSPACE_STATE_H
#define KEYSPACE_STATE_H

#include "base/buf.h"
#include "keyspace/keyspace.h"

/* The whole state as a stream of bytes, exact at one index, made while commands go on changing it;
 * and back. Essays: state_walk.c (the walk, W1-W6), state_format.h (the bytes). */

/* --- out --- */

enum state_purpose {
    STATE_SNAPSHOT, /* the stream, and the digest of what it holds */
    STATE_DIGEST,   /* the digest alone */
};
#define STATE_WALKS 2 /* of each purpose at most one at a time */

/* Begins a walk over the state as it is now, between two entries: keyspace_index. Borrows `k` until
 * state_walk_free. Whatever is small (sessions, clock, ...) is in the output when this returns. */
struct state_walk;
struct state_walk *state_walk_new(struct keyspace *k, enum state_purpose purpose);
/* Also before it is done. */
void state_walk_free(struct state_walk *w);
/* A bounded piece of work (a few dozen keys, or a chunk of a big value). True while there is more. */
bool state_walk_step(struct state_walk *w);
raft_index state_walk_index(const struct state_walk *w);
/* The stream so far. The owner takes bytes from its front (buf_consume) as it likes. */
struct buf *state_walk_output(struct state_walk *w);
/* Bytes of the output, and of the values that it keeps alive to put there, but for the one it is
 * at. Beyond STATE_PREIMAGE_BYTES no more entries should be applied before some went (W6). */
#ifdef CORACLE_HOSTILE
#define STATE_PREIMAGE_BYTES 4096u
#else
#define STATE_PREIMAGE_BYTES (64u << 20)
#endif
size_t state_walk_preimages(const struct state_walk *w);
/* When it is done: keyspace_digest as of its index. */
uint64_t state_walk_digest(const struct state_walk *w);
uint64_t state_walk_keys(const struct state_walk *w); /* visited so far, for progress */

/* --- in --- */

/* Fills `into`, a keyspace just made with the cluster's seed and never used: keeps it until
 * state_reader_free. The stream is foreign: ERR_CORRUPT for nonsense, ERR_FORMAT for a section or
 * a version that this program doesn't know. After an error `into` can only be freed. `most_bytes`:
 * the size of what holds the stream; what it says of its own size is not believed beyond that. */
struct state_reader;
struct state_reader *state_reader_new(struct keyspace *into, uint64_t most_bytes);
void state_reader_free(struct state_reader *r);
/* Any piece of the stream. */
MUST_CHECK enum err state_reader_feed(struct state_reader *r, struct slice bytes);
/* At its end: whether all of it was there. */
MUST_CHECK enum err state_reader_finish(struct state_reader *r);

#endif
