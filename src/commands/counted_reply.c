#include "commands/counted_reply.h"

void counted_begin(struct counted_reply *c, const struct reply *reply)
{
    *c = (struct counted_reply){.inner = {.protocol = reply->protocol}};
    buf_init(&c->bytes);
    c->inner.out = reply->protocol == REPLY_DISCARD ? NULL : &c->bytes;
}

void counted_end_elements(struct counted_reply *c, struct reply *reply)
{
    if (reply->protocol != REPLY_DISCARD) {
        buf_append_slice(reply->out, buf_slice(&c->bytes));
    }
    buf_deinit(&c->bytes);
}

void counted_end_array(struct counted_reply *c, struct reply *reply)
{
    reply_array(reply, c->count);
    counted_end_elements(c, reply);
}

void counted_end_set(struct counted_reply *c, struct reply *reply)
{
    reply_set(reply, c->count);
    counted_end_elements(c, reply);
}
