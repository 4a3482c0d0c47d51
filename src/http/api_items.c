#include "base/json.h"
#include "http/api.h"

/* WEB-API section 4: values are JSON, kept as their texts. Each request is one command, decided at apply: SET NX GET, GET,
 * SET XX GET, GETDEL, JSONCAS. */

static int bad_body(struct http_response *response, const char *detail)
{
    http_response_begin(response, 400, HTTP_TYPE_JSON);
    buf_append(&response->body, "{\"detail\":", 10);
    json_append_cstr(&response->body, detail);
    buf_append_byte(&response->body, '}');
    return BEGIN_ANSWERED;
}

/* The body's object; false: the answer was written. */
static bool items_body(const struct http_request *r, struct slice *object, struct http_response *response)
{
    if (api_body(r, object) && json_type_of(*object) == JSON_OBJECT) {
        return true;
    }
    (void)bad_body(response, "The request body is not a JSON object");
    return false;
}

API_BEGIN(items_begin)
{
    struct slice object;
    struct slice value;
    bool is_change = x->verb == VERB_POST || x->verb == VERB_PUT;
    if (!is_change) {
        http_words_add_cstr(words, x->verb == VERB_DELETE ? "GETDEL" : "GET");
        http_words_add(words, x->key);
        return BEGIN_COMMAND;
    }
    if (!items_body(r, &object, response)) {
        return BEGIN_ANSWERED;
    }
    if (!json_member(object, "value", &value) || json_type_of(value) == JSON_NULL) {
        return bad_body(response, "Missing 'value' in request body");
    }
    http_words_add_cstr(words, "SET");
    http_words_add(words, x->key);
    http_words_add(words, value);
    http_words_add_cstr(words, x->verb == VERB_POST ? "NX" : "XX");
    http_words_add_cstr(words, "GET");
    return BEGIN_COMMAND;
}

/* A stored text that is no JSON reads as a JSON string. */
static void append_stored(struct buf *out, struct slice stored)
{
    struct slice value;
    if (json_check(stored, &value)) {
        buf_append_slice(out, value);
    } else {
        json_append_string(out, stored);
    }
}

static void items_status(struct http_response *response, const char *status, const char *name, const struct slice *stored)
{
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"status\":\"%s\"", status);
    if (name) {
        buf_printf(&response->body, ",\"%s\":", name);
        if (stored) {
            append_stored(&response->body, *stored);
        } else {
            buf_append(&response->body, "null", 4);
        }
    }
    buf_append_byte(&response->body, '}');
}

API_END(items_end)
{
    struct slice stored;
    bool was_there = reply_take_bytes(&reply, &stored);
    if (x->verb == VERB_POST) {
        items_status(response, was_there ? "already exists" : "successfully created", was_there ? "value" : NULL, &stored);
    } else if (!was_there) {
        items_status(response, "did not exist", NULL, NULL);
    } else if (x->verb == VERB_PUT) {
        items_status(response, "successfully updated", "previous_value", &stored);
    } else {
        items_status(response, x->verb == VERB_DELETE ? "successfully deleted" : "successfully read", "value", &stored);
    }
}

API_BEGIN(items_cas_begin)
{
    struct slice object;
    struct slice expected;
    struct slice desired;
    if (!items_body(r, &object, response)) {
        return BEGIN_ANSWERED;
    }
    if (!json_member(object, "expected", &expected)) {
        return bad_body(response, "Missing 'expected' in request body");
    }
    if (!json_member(object, "desired", &desired)) {
        return bad_body(response, "Missing 'desired' in request body");
    }
    http_words_add_cstr(words, "JSONCAS");
    http_words_add(words, x->key);
    http_words_add(words, expected);
    http_words_add(words, desired);
    return BEGIN_COMMAND;
}

API_END(items_cas_end)
{
    struct slice actual;
    (void)x;
    (void)reply_take_array(&reply);
    bool is_done = reply_take_int(&reply) == 1;
    bool is_present = reply_take_bytes(&reply, &actual);
    if (is_done) {
        items_status(response, "successfully exchanged", NULL, NULL);
    } else {
        items_status(response, "actual and desired value did not match", "actual", is_present ? &actual : NULL);
    }
}
