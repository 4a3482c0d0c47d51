#include <string.h>

#include "base/number.h"
#include "http/api.h"
#include "node/client_http.h"
#include "node/http_live.h"
#include "node/watch_internal.h"

/* How a request becomes a watcher: its parameters are read (watch_open), the feed is asked for, which may take an entry of the log
 * (CHANGES WATCH), and when that is answered the stream begins (watch_start). */

/* --- what is asked for ------------------------------------------------------------------------------- */

/* "12" or "12-3". */
static bool parse_position(struct slice text, raft_index *index, uint32_t *part)
{
    const uint8_t *dash = text.n > 0 ? memchr(text.p, '-', text.n) : NULL;
    uint64_t number = 0;

    *part = 0;
    if (dash && (!number_parse_u64(slice_skip(text, (size_t)(dash - text.p) + 1), &number) || number > UINT32_MAX)) {
        return false;
    }
    *part = (uint32_t)number;
    return number_parse_u64((struct slice){text.p, dash ? (size_t)(dash - text.p) : text.n}, index);
}

/* False: a parameter is wrong. */
static bool parse_query(struct watcher *w, const struct http_request *r)
{
    struct buf text = {0};
    bool is_good = true;

    if (http_query_find(r->query, "prefix", &text) && buf_size(&text) > 0) {
        slice_replace(&w->prefix, buf_slice(&text));
    }
    buf_clear(&text, SIZE_MAX);
    bool has_from = http_query_find(r->query, "from", &text);
    if (has_from) {
        is_good = parse_position(buf_slice(&text), &w->from, &w->from_part) && w->from > 0;
    }
    buf_clear(&text, SIZE_MAX);
    if (http_query_find(r->query, "db", &text)) {
        bool is_all = slice_equal(buf_slice(&text), SLICE_LITERAL("all"));

        is_good = is_good && (is_all || (number_parse_i64(buf_slice(&text), &w->db) && w->db >= 0 && w->db < LIMIT_DATABASES));
        w->db = is_all ? -1 : w->db;
    }
    buf_deinit(&text);
    /* An EventSource that lost its connection says what it got last. */
    struct slice last = r->head->field[FIELD_LAST_EVENT_ID];
    if (w->form == FEED_SSE && last.n > 0) {
        is_good = is_good && parse_position(last, &w->from, &w->from_part) && w->from > 0 && w->from_part < UINT32_MAX;
        w->from_part++;
    }
    w->is_filtered = w->prefix.n > 0 || w->db != 0;
    if (w->form == FEED_PLAIN && (w->is_filtered || has_from)) {
        w->form = FEED_INDEXED;
    }
    return is_good;
}

static bool check_upgrade(const struct http_head *head, struct http_response *response)
{
    if (!ws_is_built) {
        http_response_error(response, 501, "this coracle was built without WebSockets");
        return false;
    }
    if (!head->is_upgrade || !http_list_has(head->field[FIELD_UPGRADE], "websocket") || head->verb != VERB_GET) {
        http_response_error(response, 426, "this path is a WebSocket");
        buf_printf(&response->fields, "Upgrade: websocket\r\n");
        return false;
    }
    if (!slice_equal(head->field[FIELD_WEBSOCKET_VERSION], SLICE_LITERAL("13"))) {
        http_response_error(response, 426, "the WebSocket version must be 13");
        buf_printf(&response->fields, "Sec-WebSocket-Version: 13\r\n");
        return false;
    }
    if (head->field[FIELD_WEBSOCKET_KEY].n != 24 || head->count[FIELD_WEBSOCKET_KEY] != 1) {
        http_response_error(response, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
        return false;
    }
    return true;
}

bool watch_open(struct client *c, const struct http_exchange *x, const struct http_request *r, struct http_response *response)
{
    bool is_socket = (x->route->flags & ROUTE_IS_SOCKET) != 0;

    if (is_socket && !check_upgrade(r->head, response)) {
        return false;
    }
    if (!is_socket && x->verb != VERB_GET) {
        http_response_begin(response, 200, "text/event-stream");
        return false;
    }
    struct watcher *w = mem_alloc_zero(sizeof *w);
    list_init(&w->in_watches);
    w->client = c;
    w->form = is_socket ? FEED_PLAIN : FEED_SSE;
    w->is_live = x->route->id == ROUTE_LIVE;
    w->reader = is_socket ? ws_reader_new() : NULL;
    w->heard_us = w->pinged_us = c->now_us;
    c->watcher = w;
    if (!parse_query(w, r)) {
        watch_close(c);
        http_response_error(response, 400, "from and Last-Event-ID must be an index (or index-part), db a number or all");
        return false;
    }
    if (is_socket) {
        /* Kept until the answer. */
        ws_append_accept(&c->http->head, r->head->field[FIELD_WEBSOCKET_KEY]);
    }
    return true;
}

/* --- the stream begins ------------------------------------------------------------------------------- */

static void append_stream_head(struct client *c, const struct watcher *w)
{
    struct buf *out = &c->output;

    if (w->reader) {
        buf_printf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
        buf_append_slice(out, buf_slice(&c->http->head));
        buf_clear(&c->http->head, 0);
        buf_printf(out, "\r\n\r\n");
        return;
    }
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                    "Connection: close\r\n");
    if (c->http->exchange && c->http->exchange->origin.n > 0) {
        http_append_cross_origin(out, c->http->exchange->origin);
    }
    buf_printf(out, "\r\n");
}

static bool start_live(struct client *c, struct watcher *w)
{
    struct buf json = {0};

    append_stream_head(c, w);
    http_live_append(c->node, &json);
    ws_append_frame(&c->output, WS_TEXT, buf_slice(&json));
    buf_deinit(&json);
    w->is_started = true;
    list_append(&c->clients->watches.live, &w->in_watches);
    c->http->phase = HTTP_STREAM;
    client_mark_dirty(c);
    return true;
}

bool watch_start(struct client *c, struct slice reply, struct http_response *response)
{
    struct watcher *w = c->watcher;
    struct watches *all = &c->clients->watches;

    if (w->is_live) {
        return start_live(c, w);
    }
    (void)reply_take_array(&reply);
    raft_index now = (raft_index)reply_take_int(&reply);
    raft_index first = (raft_index)reply_take_int(&reply);
    if (w->from > now) {
        /* What comes next would not be what was asked for, and an index from elsewhere (another cluster, one restored) is a mistake to tell. */
        http_response_begin(response, 400, HTTP_TYPE_JSON);
        buf_printf(&response->body, "{\"error\":\"from is later than the newest entry\",\"last\":%llu}", (unsigned long long)now);
        watch_close(c);
        return false;
    }
    bool is_compacted = w->from != 0 && w->from < first;
    if (is_compacted && !w->reader) {
        http_response_begin(response, 410, HTTP_TYPE_JSON);
        buf_printf(&response->body, "{\"error\":\"compacted\",\"first\":%llu}", (unsigned long long)first);
        watch_close(c);
        return false;
    }
    append_stream_head(c, w);
    w->is_started = true;
    w->next_index = w->from ? w->from : now;
    w->next_part = w->from ? w->from_part : 0;
    list_append(&all->all, &w->in_watches);
    all->count++;
    all->filtered += w->is_filtered;
    c->http->phase = HTTP_STREAM;
    c->active_us = c->now_us;
    if (is_compacted) {
        watcher_compacted(w);
    }
    client_mark_dirty(c);
    return true;
}
