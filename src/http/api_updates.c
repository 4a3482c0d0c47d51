#include "base/json.h"
#include "http/api.h"

/* WEB-API section 2: GET /get/{key}, GET or POST /set/{key}/{value}. The WebSocket of this group is the change feed's. */

API_BEGIN(updates_get_begin)
{
    (void)r;
    (void)response;
    http_words_add_cstr(words, "GET");
    http_words_add(words, x->key);
    return BEGIN_COMMAND;
}

static void append_pair(struct http_exchange *x, struct slice value, struct http_response *response)
{
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_append(&response->body, "{\"key\":", 7);
    json_append_bytes(&response->body, x->key);
    buf_append(&response->body, ",\"value\":", 9);
    json_append_bytes(&response->body, value);
    buf_append_byte(&response->body, '}');
}

API_END(updates_get_end)
{
    struct slice value;
    if (reply_take_bytes(&reply, &value)) {
        append_pair(x, value, response);
        return;
    }
    http_response_begin(response, 404, HTTP_TYPE_TEXT);
    buf_printf(&response->body, "No such value present with key ");
    buf_append_slice(&response->body, x->key);
}

API_BEGIN(updates_set_begin)
{
    (void)r;
    if (x->verb != VERB_POST && !x->is_legacy_allowed) {
        http_response_error(response, 405, "GET never changes data here; use POST, or set http-legacy-get-set yes");
        buf_printf(&response->fields, "Allow: POST, OPTIONS\r\n");
        return BEGIN_ANSWERED;
    }
    if (x->verb == VERB_HEAD) {
        http_response_error(response, 405, "HEAD never changes data");
        buf_printf(&response->fields, "Allow: POST, OPTIONS\r\n");
        return BEGIN_ANSWERED;
    }
    http_words_add_cstr(words, "SET");
    http_words_add(words, x->key);
    http_words_add(words, x->value);
    return BEGIN_COMMAND;
}

API_END(updates_set_end)
{
    (void)reply;
    append_pair(x, x->value, response);
}
