#include "node/debug_protocol.h"

/* Replies and texts as Redis 7.0's debug.c makes them. */

static void reply_numbers(struct reply *reply)
{
    for (int i = 0; i < 3; i++) {
        reply_int(reply, i);
    }
}

static void reply_map_of_booleans(struct reply *reply)
{
    reply_map(reply, 3);
    for (int i = 0; i < 3; i++) {
        reply_int(reply, i);
        reply_bool(reply, i == 1);
    }
}

static void reply_attribute(struct reply *reply)
{
    if (reply->protocol == REPLY_RESP3) {
        reply_attribute_begin(reply, 1);
        reply_bulk_cstr(reply, "key-popularity");
        reply_array(reply, 2);
        reply_bulk_cstr(reply, "key:123");
        reply_int(reply, 90);
    }
    reply_bulk_cstr(reply, "Some real reply following the attribute");
}

static void reply_with_push(struct reply *reply)
{
    if (reply->protocol != REPLY_RESP3) {
        reply_error(reply, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(reply, 2);
    reply_bulk_cstr(reply, "server-cpu-usage");
    reply_int(reply, 42);
    reply_bulk_cstr(reply, "Some real reply following the push reply");
}

void debug_protocol_reply(struct slice type, struct reply *reply)
{
    if (slice_equal_nocase(type, "string")) {
        reply_bulk_cstr(reply, "Hello World");
    } else if (slice_equal_nocase(type, "integer")) {
        reply_int(reply, 12345);
    } else if (slice_equal_nocase(type, "double")) {
        reply_double(reply, 3.141);
    } else if (slice_equal_nocase(type, "null")) {
        reply_null(reply);
    } else if (slice_equal_nocase(type, "array")) {
        reply_array(reply, 3);
        reply_numbers(reply);
    } else if (slice_equal_nocase(type, "set")) {
        reply_set(reply, 3);
        reply_numbers(reply);
    } else if (slice_equal_nocase(type, "map")) {
        reply_map_of_booleans(reply);
    } else if (slice_equal_nocase(type, "attrib")) {
        reply_attribute(reply);
    } else if (slice_equal_nocase(type, "push")) {
        reply_with_push(reply);
    } else if (slice_equal_nocase(type, "verbatim")) {
        reply_verbatim(reply, "txt", SLICE_LITERAL("This is a verbatim\nstring"));
    } else if (slice_equal_nocase(type, "true") || slice_equal_nocase(type, "false")) {
        reply_bool(reply, slice_equal_nocase(type, "true"));
    } else if (slice_equal_nocase(type, "bignum")) {
        reply_big_number(reply, "1234567999999999999999999999999999999");
    } else {
        reply_error(reply, "ERR Wrong protocol type name. Please use one of the following: "
                           "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
    }
}
