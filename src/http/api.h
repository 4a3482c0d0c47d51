#ifndef HTTP_API_H
#define HTTP_API_H

#include "http/exchange.h"
#include "resp/command.h"

/* What the requests of each API ask for, and how its answers look (WEB-API): a `begin` makes a command of a request (or the answer,
 * when something is wrong with it), an `end` the answer of its reply. Pure. begin functions return enum http_begin. */
#define API_BEGIN(name) \
    int name(struct http_exchange *x, const struct http_request *r, struct http_words *words, struct http_response *response)
#define API_END(name) void name(struct http_exchange *x, struct slice reply, struct http_response *response)

API_BEGIN(lists_begin);
API_END(lists_end);
API_BEGIN(updates_get_begin);
API_END(updates_get_end);
API_BEGIN(updates_set_begin);
API_END(updates_set_end);
API_BEGIN(nodes_write_begin);
API_END(nodes_write_end);
API_BEGIN(nodes_read_begin);
API_END(nodes_read_end);
API_BEGIN(nodes_delete_begin);
API_END(nodes_delete_end);
API_BEGIN(items_begin);
API_END(items_end);
API_BEGIN(items_cas_begin);
API_END(items_cas_end);
API_BEGIN(own_command_begin);
API_END(own_command_end);
API_BEGIN(own_pipeline_begin);
API_BEGIN(own_key_begin);
API_END(own_key_end);
API_BEGIN(own_member_begin);
API_BEGIN(own_transfer_begin);
API_END(own_ok_end);

/* --- what they share --- */

/* {"error":title,"message":message} */
void api_error(struct http_response *response, int status, const char *title, const char *message);
/* The body as JSON; false: it is none. */
bool api_body(const struct http_request *r, struct slice *json);
/* The parts of a RESP3 reply. A reply that isn't what its command answers is a programmer's error: these assert. */
bool reply_is_null(struct slice reply);
bool reply_is_error(struct slice reply);
int64_t reply_take_int(struct slice *reply);
/* A bulk or simple string; false: null. */
bool reply_take_bytes(struct slice *reply, struct slice *bytes);
size_t reply_take_array(struct slice *reply);
/* Any value as JSON; bytes that are no UTF-8 as {"base64":"..."}. */
void reply_append_json(struct slice reply, struct buf *out);
void json_append_bytes(struct buf *out, struct slice bytes);
void base64_append(struct buf *out, struct slice bytes);

/* The outcomes every API keeps apart. */
enum api_outcome {
    OUTCOME_NOT_DONE, /* no leader, no room: it did not and will not take effect */
    OUTCOME_UNKNOWN,
    OUTCOME_REFUSED,  /* the command itself is wrong here */
};
enum api_outcome api_outcome_of(struct slice error); /* "CODE text", without its '-' */
/* The answer to an error reply, in the words of x's API. */
void api_error_reply(struct http_exchange *x, struct slice error, struct http_response *response);

#endif
