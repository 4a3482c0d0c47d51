#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "http/api.h"

/* WEB-API section 5, coracle's own: any command as JSON, keys as bytes with their index as ETag, membership. */

API_BEGIN(own_command_begin)
{
    struct slice json;
    (void)x;
    if (!api_body(r, &json) || !http_words_add_array(words, json)) {
        http_response_error(response, 400, "ERR a command is a JSON array of strings and numbers, like [\"SET\",\"a\",\"1\"]");
        return BEGIN_ANSWERED;
    }
    return BEGIN_COMMAND;
}

API_END(own_command_end)
{
    (void)x;
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    reply_append_json(reply, &response->body);
}

API_BEGIN(own_pipeline_begin)
{
    struct slice json;
    struct slice name;
    struct slice item;
    bool is_good = api_body(r, &json) && json_type_of(json) == JSON_ARRAY;
    (void)x;
    if (is_good) {
        for (struct json_cursor at = json_begin(json); is_good && json_next(&at, &name, &item);) {
            http_words_clear(words);
            is_good = http_words_add_array(words, item);
        }
    }
    if (!is_good) {
        http_response_error(response, 400, "ERR a pipeline is a JSON array of commands, like [[\"SET\",\"a\",\"1\"],[\"GET\",\"a\"]]");
        return BEGIN_ANSWERED;
    }
    return BEGIN_BATCH;
}

/* --- keys ---------------------------------------------------------------------------------------- */

/* `"12"` of a list of entity tags; false: none is left. A weak one, or one that is none of ours, is 0: it matches nothing. */
static bool next_tag(struct slice *list, uint64_t *index)
{
    while (list->n > 0 && (list->p[0] == ' ' || list->p[0] == '\t' || list->p[0] == ',')) {
        *list = slice_skip(*list, 1);
    }
    if (list->n == 0) {
        return false;
    }
    const uint8_t *comma = memchr(list->p, ',', list->n);
    struct slice tag = {list->p, comma ? (size_t)(comma - list->p) : list->n};
    *list = slice_skip(*list, tag.n);
    while (tag.n > 0 && (tag.p[tag.n - 1] == ' ' || tag.p[tag.n - 1] == '\t')) {
        tag.n--;
    }
    bool is_quoted = tag.n > 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"';
    if (!is_quoted || !number_parse_u64((struct slice){tag.p + 1, tag.n - 2}, index)) {
        *index = 0;
    }
    return true;
}

/* If-Match and If-None-Match as the command's condition; false: the answer was written. */
static bool add_condition(const struct http_request *r, struct http_words *words, struct http_response *response)
{
    struct slice match = r->head->field[FIELD_IF_MATCH];
    struct slice none = r->head->field[FIELD_IF_NONE_MATCH];
    bool has_match = r->head->count[FIELD_IF_MATCH] > 0;
    bool has_none = r->head->count[FIELD_IF_NONE_MATCH] > 0;
    bool is_delete = r->head->verb == VERB_DELETE;
    if (r->head->count[FIELD_IF_MATCH] > 1 || (has_match && has_none) || (has_none && (is_delete || !slice_equal(none, SLICE_LITERAL("*"))))) {
        http_response_error(response, 400, "ERR the conditions are If-Match: \"index\", If-Match: *, or for PUT If-None-Match: *");
        return false;
    }
    if (has_none) {
        http_words_add_cstr(words, "NX");
    } else if (has_match && slice_equal(match, SLICE_LITERAL("*"))) {
        if (!is_delete) {
            http_words_add_cstr(words, "XX");
        }
    } else if (has_match) {
        uint64_t index = 0;
        bool is_first = true;
        http_words_add_cstr(words, "IFINDEX");
        while (next_tag(&match, &index)) {
            char digits[NUMBER_TEXT_MAX];
            size_t n = number_format_u64(index, digits);
            struct buf quoted = {0};
            json_append_string(&quoted, (struct slice){(const uint8_t *)digits, n});
            (void)http_words_add_json(words, buf_slice(&quoted));
            buf_deinit(&quoted);
            is_first = false;
        }
        if (is_first) {
            http_words_add_cstr(words, "0");
        }
    }
    return true;
}

API_BEGIN(own_key_begin)
{
    switch ((int)x->verb) {
    case VERB_PUT:
        http_words_add_cstr(words, "ISET");
        http_words_add(words, x->key);
        http_words_add(words, r->body);
        return add_condition(r, words, response) ? BEGIN_COMMAND : BEGIN_ANSWERED;
    case VERB_DELETE:
        http_words_add_cstr(words, "IDEL");
        http_words_add(words, x->key);
        return add_condition(r, words, response) ? BEGIN_COMMAND : BEGIN_ANSWERED;
    default: /* GET and HEAD */
        http_words_add_cstr(words, "IGET");
        http_words_add(words, x->key);
        if (r->head->count[FIELD_IF_NONE_MATCH] > 0) {
            struct slice none = r->head->field[FIELD_IF_NONE_MATCH];
            (void)next_tag(&none, &x->unless_index);
        }
        return BEGIN_COMMAND;
    }
}

static void append_index(struct http_response *response, uint64_t index)
{
    buf_printf(&response->fields, "X-Coracle-Index: %llu\r\nETag: \"%llu\"\r\n", (unsigned long long)index, (unsigned long long)index);
}

static void key_read(struct http_exchange *x, struct slice reply, struct http_response *response)
{
    struct slice value;
    if (reply_is_null(reply)) {
        http_response_error(response, 404, "no such key");
        return;
    }
    (void)reply_take_array(&reply);
    uint64_t index = (uint64_t)reply_take_int(&reply);
    (void)reply_take_bytes(&reply, &value);
    bool is_unchanged = x->unless_index != 0 && x->unless_index == index;
    http_response_begin(response, is_unchanged ? 304 : 200, is_unchanged ? NULL : HTTP_TYPE_BYTES);
    append_index(response, index);
    if (!is_unchanged) {
        buf_append_slice(&response->body, value);
    }
}

API_END(own_key_end)
{
    if (x->verb != VERB_PUT && x->verb != VERB_DELETE) {
        key_read(x, reply, response);
        return;
    }
    (void)reply_take_array(&reply);
    bool is_done = reply_take_int(&reply) == 1;
    bool is_present = !reply_is_null(reply);
    if (is_done) {
        http_response_empty(response, 204);
    } else if (x->verb == VERB_DELETE && !is_present) {
        http_response_error(response, 404, "no such key");
    } else {
        http_response_error(response, 412, is_present ? "the key was changed by another entry" : "no such key");
    }
    if (is_present) {
        uint64_t index = (uint64_t)reply_take_int(&reply);
        if (is_done && x->verb == VERB_DELETE) {
            buf_printf(&response->fields, "X-Coracle-Index: %llu\r\n", (unsigned long long)index);
        } else {
            append_index(response, index);
        }
    }
}

/* --- membership ---------------------------------------------------------------------------------- */

API_BEGIN(own_member_begin)
{
    struct slice json;
    struct slice address;
    http_words_add_cstr(words, "RAFT");
    if (x->verb == VERB_DELETE) {
        http_words_add_cstr(words, "REMOVE");
        http_words_add(words, x->key);
        return BEGIN_COMMAND;
    }
    if (!api_body(r, &json) || !json_member(json, "address", &address) || json_type_of(address) != JSON_STRING || address.n == 2) {
        http_response_error(response, 400, "ERR the body must be {\"address\":\"host:port\"}");
        return BEGIN_ANSWERED;
    }
    http_words_add_cstr(words, "ADD");
    (void)http_words_add_json(words, address);
    return BEGIN_COMMAND;
}

API_BEGIN(own_transfer_begin)
{
    struct slice json;
    struct slice address;
    (void)x;
    http_words_add_cstr(words, "RAFT");
    http_words_add_cstr(words, "TRANSFER");
    if (r->body.n == 0) {
        return BEGIN_COMMAND;
    }
    bool is_object = api_body(r, &json) && json_type_of(json) == JSON_OBJECT;
    bool has_address = is_object && json_member(json, "address", &address) && json_type_of(address) == JSON_STRING && address.n > 2;
    if (!has_address && !(is_object && json_count(json) == 0)) {
        http_response_error(response, 400, "ERR the body must be empty, or {\"address\":\"host:port\"}");
        return BEGIN_ANSWERED;
    }
    if (has_address) {
        (void)http_words_add_json(words, address);
    }
    return BEGIN_COMMAND;
}

API_END(own_ok_end)
{
    (void)x;
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"status\":\"success\",\"reply\":");
    reply_append_json(reply, &response->body);
    buf_append_byte(&response->body, '}');
}
