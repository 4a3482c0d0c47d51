#include "http/exchange.h"

#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/api.h"

static struct slice copy_into(uint8_t **at, struct slice from)
{
    struct slice to = {*at, from.n};
    if (from.n > 0) {
        memcpy(*at, from.p, from.n);
    }
    *at += from.n;
    return to;
}

struct http_exchange *http_exchange_new(const struct http_route *route, const struct http_head *head, const struct http_path *path,
                                        struct slice origin)
{
    size_t bytes = path->key.n + path->value.n + origin.n;
    struct http_exchange *x = mem_alloc_zero(sizeof *x + bytes);
    uint8_t *at = x->bytes;
    x->references = 1;
    x->route = route;
    x->verb = head->verb;
    x->framing.minor = head->minor;
    x->framing.is_head = head->verb == VERB_HEAD;
    x->framing.is_kept_alive = head->is_kept_alive;
    x->accepts_json = head->field[FIELD_ACCEPT].n >= 16 && http_list_has(head->field[FIELD_ACCEPT], HTTP_TYPE_JSON);
    x->key = copy_into(&at, path->key);
    x->value = copy_into(&at, path->value);
    x->origin = copy_into(&at, origin);
    return x;
}

struct http_exchange *http_exchange_keep(struct http_exchange *x)
{
    x->references++;
    return x;
}

void http_exchange_release(struct http_exchange *x)
{
    if (x && --x->references == 0) {
        buf_deinit(&x->batch);
        mem_free(x);
    }
}

/* --- commands ----------------------------------------------------------------------------------- */

void http_words_deinit(struct http_words *w)
{
    mem_free(w->word);
    mem_free(w->at);
    buf_deinit(&w->made);
    *w = (struct http_words){0};
}

void http_words_clear(struct http_words *w)
{
    w->count = 0;
    buf_clear(&w->made, 65536);
}

static void words_push(struct http_words *w, struct slice word, size_t at)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 8;
        w->word = mem_realloc_array(w->word, w->capacity, sizeof *w->word);
        w->at = mem_realloc_array(w->at, w->capacity, sizeof *w->at);
    }
    w->word[w->count] = word;
    w->at[w->count] = at;
    w->count++;
}

void http_words_add(struct http_words *w, struct slice word)
{
    words_push(w, word, SIZE_MAX);
}

void http_words_add_cstr(struct http_words *w, const char *word)
{
    http_words_add(w, slice_from_cstr(word));
}

bool http_words_add_json(struct http_words *w, struct slice value)
{
    enum json_type type = json_type_of(value);
    if (type == JSON_INTEGER || type == JSON_REAL) {
        http_words_add(w, value);
        return true;
    }
    if (type != JSON_STRING) {
        return false;
    }
    size_t start = buf_size(&w->made);
    json_unescape(value, &w->made);
    words_push(w, (struct slice){NULL, buf_size(&w->made) - start}, start);
    return true;
}

bool http_words_add_array(struct http_words *w, struct slice array)
{
    struct slice name;
    struct slice item;
    if (json_type_of(array) != JSON_ARRAY) {
        return false;
    }
    size_t before = w->count;
    for (struct json_cursor at = json_begin(array); json_next(&at, &name, &item);) {
        if (!http_words_add_json(w, item)) {
            return false;
        }
    }
    return w->count > before;
}

void http_words_command(struct http_words *w, struct command *command)
{
    static const uint8_t nothing[1];
    ASSERT(w->count > 0);
    for (size_t i = 0; i < w->count; i++) {
        if (w->at[i] != SIZE_MAX) {
            const uint8_t *base = buf_slice(&w->made).p;
            w->word[i].p = base ? base + w->at[i] : nothing;
            w->at[i] = SIZE_MAX;
        }
    }
    *command = (struct command){w->word, w->count};
}

/* --- answers ------------------------------------------------------------------------------------- */

void http_end(struct http_exchange *x, struct slice reply, struct http_response *response)
{
    if (reply_is_error(reply)) {
        struct slice text = slice_skip(reply, 1);
        text.n -= 2;
        api_error_reply(x, text, response);
    } else {
        x->route->end(x, reply, response);
    }
    if (response->status == 503) {
        buf_printf(&response->fields, "Retry-After: 1\r\n");
    }
}

void http_batch_reply(struct http_exchange *x, struct slice reply, size_t limit)
{
    buf_append(&x->batch, x->received > 0 ? "," : "[", 1);
    x->received++;
    if (buf_size(&x->batch) > limit) {
        static const char text[] = "{\"error\":\"ERR the pipeline's replies are longer than client-output-limit\"}";
        buf_append(&x->batch, text, sizeof text - 1);
    } else {
        reply_append_json(reply, &x->batch);
    }
}

void http_batch_end(struct http_exchange *x, struct http_response *response)
{
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_append_slice(&response->body, x->received > 0 ? buf_slice(&x->batch) : SLICE_LITERAL("["));
    buf_append_byte(&response->body, ']');
}
