#include "base/json.h"
#include "http/api.h"

/* WEB-API section 1: lists of strings, which are Redis lists. PUT replaces (LREPLACE), APPEND appends (RPUSH). */

static int bad_request(struct http_response *response, const char *text)
{
    http_response_begin(response, 400, "text/plain");
    buf_printf(&response->body, "%s", text);
    return BEGIN_ANSWERED;
}

static bool has_string_value(struct slice object, struct slice *value)
{
    return json_member(object, "value", value) && json_type_of(*value) == JSON_STRING;
}

static bool add_strings(struct slice object, struct http_words *words)
{
    struct slice array;
    struct slice name;
    struct slice item;
    if (!json_member(object, "value", &array) || json_type_of(array) != JSON_ARRAY) {
        return false;
    }
    for (struct json_cursor at = json_begin(array); json_next(&at, &name, &item);) {
        if (json_type_of(item) != JSON_STRING) {
            return false;
        }
        (void)http_words_add_json(words, item);
    }
    return true;
}

static bool type_is(struct slice type, const char *name)
{
    return type.n >= 2 && slice_equal((struct slice){type.p + 1, type.n - 2}, slice_from_cstr(name));
}

API_BEGIN(lists_begin)
{
    struct slice object;
    struct slice type;
    struct slice value;
    if (x->verb != VERB_POST) {
        http_words_add_cstr(words, "LRANGE");
        http_words_add(words, x->key);
        http_words_add_cstr(words, "0");
        http_words_add_cstr(words, "-1");
        return BEGIN_COMMAND;
    }
    if (!api_body(r, &object) || json_type_of(object) != JSON_OBJECT) {
        return bad_request(response, "The request is not valid");
    }
    bool has_type = json_member(object, "type", &type) && json_type_of(type) == JSON_STRING;
    if (has_type && type_is(type, "PUT")) {
        http_words_add_cstr(words, "LREPLACE");
        http_words_add(words, x->key);
        if (!add_strings(object, words)) {
            return bad_request(response, "The request value is not valid");
        }
    } else if (has_type && type_is(type, "APPEND")) {
        if (!has_string_value(object, &value)) {
            return bad_request(response, "The request value is not valid");
        }
        http_words_add_cstr(words, "RPUSH");
        http_words_add(words, x->key);
        (void)http_words_add_json(words, value);
    } else {
        return bad_request(response, "The request type is not correct");
    }
    return BEGIN_COMMAND;
}

API_END(lists_end)
{
    if (x->verb == VERB_POST) {
        http_response_empty(response, 204);
        return;
    }
    size_t count = reply_take_array(&reply);
    if (count == 0) {
        http_response_empty(response, 404);
        return;
    }
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    for (size_t i = 0; i < count; i++) {
        struct slice item;
        (void)reply_take_bytes(&reply, &item);
        buf_append(&response->body, i > 0 ? "," : "[", 1);
        json_append_bytes(&response->body, item);
    }
    buf_append_byte(&response->body, ']');
}
