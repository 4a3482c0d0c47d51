#include "base/json.h"
#include "http/api.h"

/* WEB-API section 3: /write, /read/{key}, /delete/{key}. /nodes, /fail and /recover are answered by the node. */

static void append_message(struct http_response *response, const char *before, struct slice key, const char *after)
{
    struct buf text = {0};
    buf_printf(&text, "%s", before);
    buf_append_slice(&text, key);
    buf_printf(&text, "%s", after);
    json_append_string(&response->body, buf_slice(&text));
    buf_deinit(&text);
}

/* The key of a /write is in its body; the answer needs it again. */
static bool write_parts(const struct http_request *r, struct slice *key, struct slice *value)
{
    struct slice json;
    return api_body(r, &json) && json_member(json, "key", key) && json_member(json, "value", value) &&
           json_type_of(*key) == JSON_STRING && key->n > 2 && json_type_of(*value) == JSON_STRING && value->n > 2;
}

API_BEGIN(nodes_write_begin)
{
    struct slice key;
    struct slice value;
    if (!write_parts(r, &key, &value)) {
        api_error(response, 400, "Invalid input", "Key and value are required");
        return BEGIN_ANSWERED;
    }
    http_words_add_cstr(words, "SET");
    (void)http_words_add_json(words, key);
    (void)http_words_add_json(words, value);
    http_words_add_cstr(words, "NX");
    /* The exchange has no room for it: the batch buffer, unused here, keeps it. */
    json_unescape(key, &x->batch);
    return BEGIN_COMMAND;
}

API_END(nodes_write_end)
{
    struct slice key = buf_slice(&x->batch);
    bool is_new = !reply_is_null(reply);
    http_response_begin(response, is_new ? 200 : 409, HTTP_TYPE_JSON);
    if (is_new) {
        buf_printf(&response->body, "{\"status\":\"success\",\"message\":");
        append_message(response, "Key ", key, " written successfully");
    } else {
        buf_printf(&response->body, "{\"error\":\"Key already exists\",\"message\":");
        append_message(response, "The key ", key, " already exists");
    }
    buf_append_byte(&response->body, '}');
}

API_BEGIN(nodes_read_begin)
{
    (void)r;
    (void)response;
    http_words_add_cstr(words, "GET");
    http_words_add(words, x->key);
    return BEGIN_COMMAND;
}

API_END(nodes_read_end)
{
    struct slice value;
    if (!reply_take_bytes(&reply, &value)) {
        api_error(response, 404, "Key not found", "All replicas failed or key not found");
        return;
    }
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"key\":");
    json_append_bytes(&response->body, x->key);
    buf_printf(&response->body, ",\"value\":");
    json_append_bytes(&response->body, value);
    buf_printf(&response->body, ",\"message\":\"Read from replica %u\",\"status\":\"success\"}", x->node_position);
}

API_BEGIN(nodes_delete_begin)
{
    (void)r;
    (void)response;
    http_words_add_cstr(words, "DEL");
    http_words_add(words, x->key);
    return BEGIN_COMMAND;
}

API_END(nodes_delete_end)
{
    if (reply_take_int(&reply) == 0) {
        api_error(response, 404, "Key not found", "Key does not exist");
        return;
    }
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"status\":\"success\",\"message\":");
    append_message(response, "Key ", x->key, " deleted successfully");
    buf_append_byte(&response->body, '}');
}
