#ifndef COMMANDS_COUNTED_REPLY_H
#define COMMANDS_COUNTED_REPLY_H

#include "resp/reply.h"

/* An array or set whose size is known when its last element was written: elements gather here and go out behind the size. */
struct counted_reply {
    struct reply inner; /* write elements to it, and count them */
    size_t count;
    struct buf bytes;
};

void counted_begin(struct counted_reply *c, const struct reply *reply);
static inline void counted_bulk(struct counted_reply *c, struct slice bytes)
{
    reply_bulk(&c->inner, bytes);
    c->count++;
}
/* Only the elements, behind a size that the caller wrote; or with the size. Frees what was gathered. */
void counted_end_elements(struct counted_reply *c, struct reply *reply);
void counted_end_array(struct counted_reply *c, struct reply *reply);
void counted_end_set(struct counted_reply *c, struct reply *reply);

#endif
