#ifndef NODE_DEBUG_PROTOCOL_H
#define NODE_DEBUG_PROTOCOL_H

#include "resp/reply.h"

/* DEBUG PROTOCOL: a reply of each type there is, for the tests of client libraries. Writes an error for an unknown type. */
void debug_protocol_reply(struct slice type, struct reply *reply);

#endif
