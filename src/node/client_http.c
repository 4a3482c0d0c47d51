#include "node/client_http.h"

#include <string.h>

#include "http/api.h"
#include "resp/command.h"

/* HTTP on a client connection.
 *
 *   head -> who may ask (http/safety.c) -> body -> what it asks for (http/api_*.c) -> commands -> client_dispatch
 *   reply, RESP3, in its slot -> http_end -> response
 *
 * P1  Responses leave in the order of their requests, through the same FIFO of slots as replies (client_reply.c): a reply waits in its
 *     slot, whatever its place, and becomes a response when the slot is the first.
 * P2  A request's exchange lives as long as a command of it is under way; the request's bytes only until its commands have begun.
 * P3  What a command changes about its connection (SELECT, MULTI, WATCH ...) ends with the request: nothing of the next
 *     one begins before that is undone.
 * P4  After an error the connection goes on with the next request, if it is known where that begins; else it is closed. */

#define SKIP_MAX 1048576u /* of a body that was refused: more is not worth a connection */

static struct http_policy client_policy(struct client *c, const char *own_origins)
{
    const struct options *o = node_options(c->node);

    return (struct http_policy){
        .host_names = o->http_host_names,
        .allow_origins = o->http_allow_origin,
        .own_origins = own_origins,
        .password = o->requirepass,
        .token = o->http_token,
        .body_max = (size_t)o->http_max_body,
    };
}

void client_http_open(struct client *c)
{
    c->http = mem_alloc_zero(sizeof *c->http);
}

void client_http_close(struct client *c)
{
    struct client_http *h = c->http;

    if (!h) {
        return;
    }
    http_exchange_release(h->exchange);
    http_words_deinit(&h->words);
    http_path_deinit(&h->path);
    http_response_deinit(&h->response);
    buf_deinit(&h->head);
    buf_deinit(&h->body);
    mem_free(h);
    c->http = NULL;
}

/* --- responses ------------------------------------------------------------------------------------ */

static int64_t client_wall_ms(const struct client *c)
{
    const struct node_env *env = node_environment(c->node);

    return env->wall_ms ? env->wall_ms(env->ctx) : 0;
}

/* Where bytes go that stand behind everything begun so far (P1). */
static struct buf *client_tail(struct client *c)
{
    if (list_empty(&c->slots)) {
        return &c->output;
    }
    struct client_slot *slot = client_slot_new(c, REPLY_RESP3);
    slot->is_ready = true;
    return &slot->reply;
}

void client_http_respond(struct client *c, const struct http_response *response, struct http_framing framing)
{
    framing.wall_ms = client_wall_ms(c);
    http_response_append(client_tail(c), response, &framing);
    client_mark_dirty(c);
}

void client_http_refuse(struct client *c, int status, const char *text)
{
    struct http_response response = {.is_closing = true};

    http_response_error(&response, status, text);
    client_http_respond(c, &response, (struct http_framing){.minor = 1});
    http_response_deinit(&response);
    c->is_closing = true;
}

static void client_continue(struct client *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    buf_append(client_tail(c), text, sizeof text - 1);
    client_mark_dirty(c);
}

/* The response in c->http->response, of exchange `x`, at the end of the output. */
static void client_write(struct client *c, struct http_exchange *x)
{
    struct http_response *response = &c->http->response;

    if (x->origin.n > 0) {
        http_append_cross_origin(&response->fields, x->origin);
    }
    x->framing.wall_ms = client_wall_ms(c);
    http_response_append(&c->output, response, &x->framing);
    client_mark_dirty(c);
}

void client_http_finish(struct client *c, struct client_slot *slot)
{
    struct http_exchange *x = slot->exchange;
    struct slice reply = buf_slice(&slot->reply);

    if (c->watcher && x == c->http->exchange) {
        if (!reply_is_error(reply) && watch_start(c, reply, &c->http->response)) {
            return;
        }
        if (reply_is_error(reply)) {
            watch_close(c);
            http_end(x, reply, &c->http->response);
        }
        c->http->phase = HTTP_HEAD;
    } else if (x->is_batch) {
        http_batch_reply(x, reply, (size_t)node_options(c->node)->client_output_limit);
        if (!x->is_dispatched || x->received < x->expected) {
            return;
        }
        http_batch_end(x, &c->http->response);
    } else {
        c->http->response.is_closing = false;
        http_end(x, reply, &c->http->response);
    }
    client_write(c, x);
}

/* --- beginning commands --------------------------------------------------------------------------- */

/* Commands that need a connection of their own: what they answer is not one reply to one request. */
static bool row_is_for_sessions(const struct command_row *row)
{
    static const char *const name[] = {"auth", "client|reply", "hello", "monitor", "psubscribe", "psync", "punsubscribe", "quit",
                                       "ssubscribe", "subscribe", "sunsubscribe", "sync", "unsubscribe", "client|tracking"};

    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        if (strcmp(row->name, name[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void client_begin_words(struct client *c)
{
    struct client_http *h = c->http;
    struct command command;
    bool is_subcommand_unknown = false;

    http_words_command(&h->words, &command);
    h->exchange->expected++;
    c->is_muted = false;
    c->clients->counters.commands++;
    const struct command_row *row = command_table_find(node_commands(c->node), &command, &is_subcommand_unknown);
    if (row && (row->flags & COMMAND_TEXT_ONLY)) {
        row = NULL;
    }
    if (row && row_is_for_sessions(row)) {
        struct reply reply = client_local_begin(c, REPLY_RESP3);

        reply_errorf(&reply, "ERR '%s' needs a connection of its own: use the Redis protocol", row->name);
        client_local_end(c, &reply);
        return;
    }
    client_dispatch(c, row, is_subcommand_unknown, &command, REPLY_RESP3);
}

/* The commands of `h->exchange` have all begun. */
static void client_end_batch(struct client *c)
{
    struct client_http *h = c->http;
    struct http_exchange *x = h->exchange;

    x->is_dispatched = true;
    h->phase = HTTP_HEAD;
    if (x->received < x->expected) {
        return;
    }
    http_batch_end(x, &h->response);
    if (x->expected == 0) {
        if (x->origin.n > 0) {
            http_append_cross_origin(&h->response.fields, x->origin);
        }
        client_http_respond(c, &h->response, x->framing);
    } else {
        client_write(c, x);
    }
}

static bool client_step_batch(struct client *c)
{
    struct client_http *h = c->http;
    struct slice name;
    struct slice item;

    if (!json_next(&h->cursor, &name, &item)) {
        client_end_batch(c);
        return true;
    }
    http_words_clear(&h->words);
    (void)http_words_add_array(&h->words, item);
    client_begin_words(c);
    return true;
}

static void client_begin_batch(struct client *c, struct slice body)
{
    struct client_http *h = c->http;
    struct slice json;
    struct buf copy = {0};

    buf_append_slice(&copy, body);
    buf_deinit(&h->body);
    h->body = copy;
    h->exchange->is_batch = true;
    bool is_json = json_check(buf_slice(&h->body), &json);
    ASSERT(is_json);
    h->cursor = json_begin(json);
    h->phase = HTTP_BATCH;
}

/* A stream begins with an entry that keeps the feed on and says where; /v1/live at once. False: the response says why not. */
static bool client_begin_stream(struct client *c, const struct http_request *request)
{
    struct client_http *h = c->http;

    buf_clear(&h->head, 0);
    if (!watch_open(c, h->exchange, request, &h->response)) {
        return false;
    }
    h->phase = HTTP_UPGRADING;
    if (h->exchange->route->id == ROUTE_LIVE) {
        http_words_add_cstr(&h->words, "PING"); /* Behind everything in front of it. */
    } else {
        http_words_add_cstr(&h->words, "CHANGES");
        http_words_add_cstr(&h->words, "WATCH");
    }
    client_begin_words(c);
    return true;
}

/* The request is whole: make an exchange of it and begin what it asks for. */
static void client_begin_request(struct client *c, const struct http_head *head, const struct http_request *request,
                                 const struct http_route *route, struct slice origin)
{
    struct client_http *h = c->http;

    h->exchange = http_exchange_new(route, head, &h->path, origin);
    h->exchange->is_legacy_allowed = node_options(c->node)->http_legacy_get_set;
    if (route->id == ROUTE_READ) {
        h->exchange->node_position = http_node_position(c->node);
    }
    h->is_last = !head->is_kept_alive;
    c->active_us = c->now_us;
    client_set_authenticated(c, true);
    http_words_clear(&h->words);
    h->response.is_closing = false;
    enum http_begin begin = route->begin ? (enum http_begin)route->begin(h->exchange, request, &h->words, &h->response)
                            : route->flags & (ROUTE_IS_SOCKET | ROUTE_IS_STREAM) ? BEGIN_WATCH
                                                                                 : BEGIN_NODE;
    switch (begin) {
    case BEGIN_COMMAND:
        client_begin_words(c);
        return;
    case BEGIN_BATCH:
        client_begin_batch(c, request->body);
        return;
    case BEGIN_WATCH:
        if (client_begin_stream(c, request)) {
            return;
        }
        break;
    case BEGIN_NODE:
        client_http_node(c, h->exchange, request, &h->response);
        break;
    case BEGIN_ANSWERED:
        break;
    }
    if (h->exchange->origin.n > 0) {
        http_append_cross_origin(&h->response.fields, h->exchange->origin);
    }
    client_http_respond(c, &h->response, h->exchange->framing);
}

/* --- requests -------------------------------------------------------------------------------------- */

static void client_bad_request(struct client *c, int status, const char *why)
{
    client_http_refuse(c, status, why);
    c->clients->counters.errors++;
}

/* Refused by its head: its body, if any, is skipped, or the connection closed. */
static void client_refuse_request(struct client *c, const struct http_head *head)
{
    struct client_http *h = c->http;
    bool waits_for_word = head->count[FIELD_EXPECT] > 0;
    bool is_short = !waits_for_word && head->content_length <= SKIP_MAX;
    struct http_framing framing = {.minor = head->minor, .is_head = head->verb == VERB_HEAD, .is_kept_alive = head->is_kept_alive && is_short};

    client_http_respond(c, &h->response, framing);
    buf_consume(&c->input, h->head_size);
    h->is_last = !framing.is_kept_alive;
    h->is_skip_chunked = head->is_chunked;
    h->chunks = (struct http_chunks){0};
    h->skip = head->content_length;
    h->phase = is_short && (head->is_chunked || head->content_length > 0) ? HTTP_SKIP : HTTP_HEAD;
    h->begun_us = h->phase == HTTP_SKIP ? h->begun_us : 0;
}

/* Who asks for what? False: it was refused. *origin is the foreign one to name in the answer. */
static bool client_admit_request(struct client *c, const struct http_head *head, const struct http_route **route,
                                 struct http_request *request, struct slice *origin)
{
    struct client_http *h = c->http;
    struct buf own = {0};
    bool is_bad = false;
    const uint8_t *question = head->target.n > 0 ? memchr(head->target.p, '?', head->target.n) : NULL;
    size_t n = question ? (size_t)(question - head->target.p) : head->target.n;

    request->head = head;
    request->path = (struct slice){head->target.p, n};
    request->query = question ? slice_skip(head->target, n + 1) : (struct slice){0};
    *route = http_route_find(request->path, &h->path, &is_bad);
    if (is_bad || !http_escapes_are_good(request->query)) {
        http_response_error(&h->response, 400, is_bad ? "the path holds a bad percent escape" : "the query holds a bad percent escape");
        return false;
    }
    if (head->count[FIELD_ORIGIN] > 0) {
        http_append_origins(c->node, &own);
        buf_append_byte(&own, '\0');
    }
    struct http_policy policy = client_policy(c, head->count[FIELD_ORIGIN] > 0 ? (const char *)buf_slice(&own).p : "");
    bool is_admitted = http_is_admitted(head, *route, &policy, &h->response);
    bool is_named = is_admitted && http_origin_of(head, &policy) == ORIGIN_ALLOWED;
    *origin = is_named ? head->field[FIELD_ORIGIN] : (struct slice){0};
    buf_deinit(&own);
    return is_admitted;
}

/* The head is whole. */
static void client_take_head(struct client *c, const struct http_head *head)
{
    struct client_http *h = c->http;
    struct http_request request = {0};
    const struct http_route *route;
    struct slice origin;

    h->response.is_closing = false;
    if (!client_admit_request(c, head, &route, &request, &origin)) {
        client_refuse_request(c, head);
        return;
    }
    bool is_whole = !head->is_chunked && buf_size(&c->input) - h->head_size >= head->content_length;
    if (is_whole) {
        request.body = (struct slice){buf_slice(&c->input).p + h->head_size, (size_t)head->content_length};
        client_begin_request(c, head, &request, route, origin);
        buf_consume(&c->input, h->head_size + (size_t)head->content_length);
        h->begun_us = 0;
        if (h->phase == HTTP_BODY) {
            h->phase = HTTP_HEAD;
        }
        return;
    }
    if (head->count[FIELD_EXPECT] > 0 && head->minor > 0 && buf_size(&c->input) == h->head_size) {
        client_continue(c);
    }
    if (head->is_chunked) {
        buf_clear(&h->head, SIZE_MAX);
        buf_clear(&h->body, SIZE_MAX);
        buf_append(&h->head, buf_slice(&c->input).p, h->head_size);
        buf_consume(&c->input, h->head_size);
        h->chunks = (struct http_chunks){0};
        h->phase = HTTP_CHUNKS;
    } else {
        h->request_size = h->head_size + (size_t)head->content_length;
        h->phase = HTTP_BODY;
    }
}

/* What a command of the last request left behind (P3). False: it has to wait. */
static bool client_end_exchange(struct client *c)
{
    struct client_http *h = c->http;
    bool is_changed = c->transaction || c->watch_count > 0 || c->watches_pending > 0 || c->db != 0 || c->read_level >= 0 ||
                      c->is_reply_off || c->is_skip_next || c->name.n > 0 || c->is_no_evict;

    if (is_changed && client_has_undecided(c)) {
        c->is_barred = true;
        return false;
    }
    if (is_changed) {
        client_reset(c);
    }
    http_exchange_release(h->exchange);
    h->exchange = NULL;
    return true;
}

static bool client_step_head(struct client *c)
{
    struct client_http *h = c->http;
    struct http_head head;
    int status = 0;
    const char *why = NULL;

    if (h->exchange && !client_end_exchange(c)) {
        return true;
    }
    if (h->is_last) {
        c->is_closing = true;
        return true;
    }
    if (h->begun_us == 0) {
        buf_consume(&c->input, http_head_blanks(buf_slice(&c->input)));
        if (buf_size(&c->input) == 0) {
            return false;
        }
        h->begun_us = c->now_us;
        h->scanned = 0;
    }
    switch (http_head_parse(buf_slice(&c->input), &h->scanned, &head, &h->head_size, &status, &why)) {
    case HEAD_NEED_MORE:
        return false;
    case HEAD_BAD:
        client_bad_request(c, status, why);
        return true;
    case HEAD_OK:
        break;
    }
    client_take_head(c, &head);
    return true;
}

/* A body of known length: once it is all here the head is read again, since the input may have moved. */
static bool client_step_body(struct client *c)
{
    struct client_http *h = c->http;
    struct http_head head;
    int status;
    const char *why;

    if (client_http_missing(c) > 0) {
        return false;
    }
    h->scanned = 0;
    enum http_head_result result = http_head_parse(buf_slice(&c->input), &h->scanned, &head, &h->head_size, &status, &why);
    ASSERT(result == HEAD_OK);
    client_take_head(c, &head);
    return true;
}

size_t client_http_missing(const struct client *c)
{
    const struct client_http *h = c->http;
    size_t have = buf_size(&c->input);

    return h && h->phase == HTTP_BODY && h->request_size > have ? h->request_size - have : 0;
}

/* The last chunk is in. */
static void client_take_chunked(struct client *c)
{
    struct client_http *h = c->http;
    struct http_head head;
    struct http_request request = {0};
    const struct http_route *route;
    struct slice origin;
    size_t scanned = 0;
    size_t size;
    int status;
    const char *why;

    enum http_head_result result = http_head_parse(buf_slice(&h->head), &scanned, &head, &size, &status, &why);
    ASSERT(result == HEAD_OK);
    h->phase = HTTP_HEAD;
    h->begun_us = 0;
    if (!client_admit_request(c, &head, &route, &request, &origin)) {
        /* Options may have changed meanwhile. */
        client_http_respond(c, &h->response, (struct http_framing){.minor = head.minor, .is_kept_alive = head.is_kept_alive});
        return;
    }
    request.body = buf_slice(&h->body);
    client_begin_request(c, &head, &request, route, origin);
}

static bool client_step_chunks(struct client *c, bool is_skipping)
{
    struct client_http *h = c->http;
    size_t consumed = 0;
    size_t max = is_skipping ? SKIP_MAX : (size_t)node_options(c->node)->http_max_body;

    enum http_body_result result =
        http_chunks_take(&h->chunks, buf_slice(&c->input), max, is_skipping ? NULL : &h->body, &consumed);
    buf_consume(&c->input, consumed);
    switch (result) {
    case BODY_NEED_MORE:
        return false;
    case BODY_TOO_BIG:
        if (is_skipping) {
            c->is_closing = true;
        } else {
            client_bad_request(c, 413, "the body is longer than http-max-body");
        }
        break;
    case BODY_BAD:
        client_bad_request(c, 400, "the chunks of the body are not as they should be");
        break;
    case BODY_OK:
        if (is_skipping) {
            h->phase = HTTP_HEAD;
            h->begun_us = 0;
        } else {
            client_take_chunked(c);
        }
        break;
    }
    return true;
}

static bool client_step_skip(struct client *c)
{
    struct client_http *h = c->http;

    if (h->is_skip_chunked) {
        return client_step_chunks(c, true);
    }
    size_t n = h->skip < buf_size(&c->input) ? (size_t)h->skip : buf_size(&c->input);
    buf_consume(&c->input, n);
    h->skip -= n;
    if (h->skip > 0) {
        return false;
    }
    h->phase = HTTP_HEAD;
    h->begun_us = 0;
    return true;
}

bool client_http_step(struct client *c)
{
    switch (c->http->phase) {
    case HTTP_HEAD:
        return client_step_head(c);
    case HTTP_BODY:
        return client_step_body(c);
    case HTTP_CHUNKS:
        return client_step_chunks(c, false);
    case HTTP_SKIP:
        return client_step_skip(c);
    case HTTP_BATCH:
        return client_step_batch(c);
    case HTTP_UPGRADING:
        break;
    case HTTP_STREAM:
        return watch_step(c);
    }
    return false;
}

/* --- time ------------------------------------------------------------------------------------------ */

#define REQUEST_PATIENCE_US 10000000u
#define REQUEST_BYTES_PER_SECOND 1024u

void client_http_each_second(struct client *c, uint64_t now_us)
{
    struct client_http *h = c->http;

    if (!h || c->is_closing || h->begun_us == 0 || now_us - h->begun_us < REQUEST_PATIENCE_US) {
        return;
    }
    uint64_t seconds = (now_us - h->begun_us - REQUEST_PATIENCE_US) / 1000000;
    uint64_t bytes = buf_size(&c->input) + (h->phase == HTTP_CHUNKS ? buf_size(&h->body) : 0);
    if (!c->is_stalled && bytes < seconds * REQUEST_BYTES_PER_SECOND) {
        COVER("http: a request that takes too long to come");
        client_bad_request(c, 408, "the request took too long to come");
    }
}
