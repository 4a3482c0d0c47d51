#include "node/client_internal.h"

#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "node/client_http.h"
#include "resp/text.h"

/* The life of a client connection, from bytes to commands (DESIGN §7).
 *
 *   bytes -> front door (once) -> parser of the session -> client_dispatch.c -> reply or request
 *
 * client_process parses and starts commands until the input holds no whole one, or until one of these stops it ("stalled"):
 *   - the output, or the replies not yet due, reached their limit;
 *   - the node's window of writes under way is full;
 *   - a command is held that must not begin before everything in front of it is decided;
 *   - an EXEC is under way that changes this connection (SELECT, HELLO in a transaction);
 *   - it took its time of this turn (CLIENT_TURN_US).
 * A stalled client goes on when the cause is gone: node_next_dirty_client and client_output_sent's driver call
 * client_process again. Commands otherwise overlap freely; client_reply.c keeps their replies in order. */

#define INPUT_KEEP_BYTES (64u * 1024u)
#define BLOCKED_INPUT_BYTES (64u * 1024u)
#define OUTPUT_KEEP_BYTES (64u * 1024u)

struct client *client_open(struct node *n, const struct client_info *info, void *owner)
{
    struct clients *cs = node_clients(n);
    const struct node_env *env = node_environment(n);
    struct client *c = mem_alloc_zero(sizeof *c);

    c->node = n;
    c->clients = cs;
    c->owner = owner;
    c->info = *info;
    c->id = cs->next_id++;
    c->now_us = c->opened_us = c->active_us = env->now_us(env->ctx);
    if (cs->started_us == 0) {
        cs->started_us = c->opened_us;
    }
    c->read_level = -1;
    front_door_init(&c->door);
    resp_parser_init(&c->resp);
    text_parser_init(&c->text);
    list_init(&c->in_dirty);
    list_init(&c->in_paused);
    list_init(&c->in_monitors);
    pubsub_open(&c->subscriptions, &cs->pubsub[info->is_sentinel], c);
    list_init(&c->slots);
    list_init(&c->requests);
    list_init(&c->tracking.prefixes);
    put_u64(c->id_bytes, c->id);
    c->by_id.name = (struct slice){c->id_bytes, sizeof c->id_bytes};
    name_table_add(&cs->by_id, &c->by_id);
    list_append(&cs->all, &c->in_all);
    client_set_authenticated(c, !client_needs_password(c));
    return c;
}

/* Reads are forgotten, sent writes go on without their client. */
static void client_abandon_requests(struct client *c)
{
    while (!list_empty(&c->requests)) {
        struct request *request = client_first_request(c);
        struct client_slot *slot = CONTAINER_OF(request, struct client_slot, request);

        list_remove(&request->in_client);
        list_remove(&slot->in_client);
        request->client = NULL;
        if (node_abandon(c->node, request)) {
            list_remove(&request->in_node);
            client_slot_free(c->clients, slot);
        }
    }
}

void client_close(struct client *c)
{
    client_abandon_requests(c);
    while (!list_empty(&c->slots)) {
        client_slot_free(c->clients, CONTAINER_OF(c->slots.next, struct client_slot, in_client));
    }
    transaction_discard(c);
    client_drop_wait(c);
    c->clients->held_by_pause -= c->is_held_by_pause ? 1 : 0;
    pubsub_close(&c->subscriptions);
    tracking_stop(c);
    name_table_remove(&c->clients->by_id, &c->by_id);
    command_copy_deinit(&c->held);
    slice_replace(&c->name, (struct slice){0});
    slice_replace(&c->library_name, (struct slice){0});
    slice_replace(&c->library_version, (struct slice){0});
    mem_free(c->watch);
    watch_close(c);
    client_http_close(c);
    resp_parser_deinit(&c->resp);
    text_parser_deinit(&c->text);
    buf_deinit(&c->input);
    buf_deinit(&c->output);
    buf_deinit(&c->pushes);
    list_remove(&c->in_all);
    list_remove(&c->in_dirty);
    list_remove(&c->in_paused);
    list_remove(&c->in_monitors);
    c->clients->count -= c->is_counted ? 1 : 0;
    mem_free(c);
}

void *client_owner(const struct client *c)
{
    return c->owner;
}

/* --- input ------------------------------------------------------------------------------------ */

uint8_t *client_input_reserve(struct client *c, size_t n, size_t *room)
{
    size_t missing = c->http ? client_http_missing(c) : resp_parser_missing_bytes(&c->resp, buf_size(&c->input));

    /* A big argument under way: read it in big steps, but never trust its announced size with more than what came. */
    if (missing > n) {
        size_t step = buf_size(&c->input) > n ? buf_size(&c->input) : n;
        n = missing < step ? missing : step;
    }
    uint8_t *at = buf_reserve(&c->input, n);
    *room = c->input.capacity - c->input.end;
    return at;
}

void client_input_commit(struct client *c, size_t n)
{
    buf_commit(&c->input, n);
    c->clients->counters.input_bytes += n;
    c->clients->counters.reads++;
}

void client_input_end(struct client *c)
{
    c->is_input_ended = true;
    /* `printf 'get a' | nc`: the last line counts without its line end in a text session. */
    bool may_be_text = c->mode == CLIENT_MODE_TEXT || c->mode == CLIENT_MODE_UNDECIDED;
    struct slice input = buf_slice(&c->input);
    if (may_be_text && !c->is_in_array && input.p && input.n > 0 && input.p[input.n - 1] != '\n' && input.p[0] != '*') {
        buf_append_byte(&c->input, '\n');
    }
}

struct slice client_take_input(struct client *c)
{
    return buf_slice(&c->input);
}

/* --- the front door --------------------------------------------------------------------------- */

/* `line` is RESP's error without its mark. */
static void client_refuse(struct client *c, int status, const char *line)
{
    c->clients->counters.connections_rejected++;
    if (c->mode == CLIENT_MODE_HTTP) {
        client_http_refuse(c, status, line);
        return;
    }
    buf_printf(&c->output, "-%s\r\n", line);
    c->is_closing = true;
    client_mark_dirty(c);
}

/* A client, not a peer: may it come in? Redis checks this at accept; here peers come through the same door. */
static void client_admit(struct client *c)
{
    const struct options *o = node_options(c->node);

    c->is_counted = true;
    c->clients->count++;
    if (c->clients->count > (size_t)o->maxclients) {
        client_refuse(c, 503, "ERR max number of clients reached");
    } else if (o->protected_mode && o->requirepass[0] == '\0' && !c->info.is_local) {
        client_refuse(c, 403, "DENIED coracle is running in protected mode because protected mode is enabled and no password "
                         "is set. In this mode connections are only accepted from the loopback interface. If you want to "
                         "connect from external computers, set a password with 'requirepass' or, if the node can't be "
                         "reached from outside, send 'CONFIG SET protected-mode no' from this machine.");
    }
}

/* Returns false when more bytes are needed. */
static bool client_decide(struct client *c)
{
    if (c->info.is_sentinel) {
        c->mode = CLIENT_MODE_REDIS; /* Nothing else is spoken there. */
        client_admit(c);
        return true;
    }
    enum front_door_kind kind = front_door_decide(&c->door, buf_slice(&c->input));

    switch (kind) {
    case FRONT_DOOR_NEED_MORE:
        return false;
    case FRONT_DOOR_PEER:
        c->mode = CLIENT_MODE_PEER;
        return true;
    case FRONT_DOOR_TOO_BIG:
        c->is_killed = true;
        return true;
    case FRONT_DOOR_HTTP:
        c->mode = CLIENT_MODE_HTTP;
        client_http_open(c);
        break;
    case FRONT_DOOR_TEXT:
        c->mode = CLIENT_MODE_TEXT;
        break;
    case FRONT_DOOR_RESP:
    case FRONT_DOOR_INLINE:
        c->mode = CLIENT_MODE_REDIS;
        break;
    }
    client_admit(c);
    if (c->mode == CLIENT_MODE_HTTP && !c->is_closing && !http_is_built) {
        client_http_refuse(c, 501, "this coracle was built without an HTTP parser");
    }
    return true;
}

/* --- commands --------------------------------------------------------------------------------- */

static void client_protocol_error(struct client *c, enum reply_protocol protocol, const char *text)
{
    client_error(c, protocol, text);
    c->is_closing = true;
}

/* A browser that was told to POST here must not reach a command (Redis: securityWarningCommand). */
static bool client_is_http_header(const struct command *command)
{
    return slice_equal_nocase(command->arg[0], "post") || slice_equal_nocase(command->arg[0], "host:");
}

static void client_take_command(struct client *c, const struct command *command, bool is_text)
{
    c->active_us = c->now_us;
    c->clients->counters.commands++;
    c->is_muted = c->is_reply_off || c->is_skip_next;
    c->is_skip_next = false;
    if (client_is_http_header(command)) {
        c->is_killed = true;
        return;
    }
    if (is_text) {
        client_text_process(c, command);
        return;
    }
    bool is_subcommand_unknown = false;
    const struct command_row *row = command_table_find(node_commands(c->node), command, &is_subcommand_unknown);
    if (row && c->info.is_sentinel ? !sentinel_knows(row) : row && (row->flags & COMMAND_TEXT_ONLY)) {
        row = NULL;
        is_subcommand_unknown = false;
    }
    client_dispatch(c, row, is_subcommand_unknown, command, c->protocol);
}

static bool client_step_redis(struct client *c)
{
    struct command command;
    size_t consumed = 0;

    c->resp.max_bulk_bytes = (size_t)node_options(c->node)->proto_max_bulk_len;
    switch (resp_parser_next(&c->resp, buf_slice(&c->input), &command, &consumed)) {
    case PARSE_OK:
        client_take_command(c, &command, false);
        break;
    case PARSE_EMPTY:
        break;
    case PARSE_NEED_MORE:
        return false;
    case PARSE_ERROR:
        client_protocol_error(c, c->protocol, resp_parser_error(&c->resp));
        break;
    }
    c->is_in_array = false;
    buf_consume(&c->input, consumed);
    return true;
}

static bool client_step_text(struct client *c)
{
    struct command command;
    size_t consumed = 0;
    struct slice input = buf_slice(&c->input);

    if (c->is_in_array || (input.n > 0 && input.p[0] == '*')) {
        c->is_in_array = true;
        return client_step_redis(c);
    }
    switch (text_parser_next(&c->text, input, &command, &consumed)) {
    case TEXT_OK:
        client_take_command(c, &command, true);
        break;
    case TEXT_EMPTY:
        break;
    case TEXT_NEED_MORE:
        return false;
    case TEXT_UNCLOSED_QUOTE:
        client_text_unclosed_quote(c, &command);
        break;
    case TEXT_TOO_LONG: {
        struct reply reply = client_local_begin(c, REPLY_TEXT);

        reply_line(&reply, SLICE_LITERAL(TEXT_LINE_TOO_LONG));
        client_local_end(c, &reply);
        c->is_closing = true;
        break;
    }
    }
    buf_consume(&c->input, consumed);
    return true;
}

/* One command, or one decision. False when the input holds no whole one. */
static bool client_step(struct client *c)
{
    if (c->mode == CLIENT_MODE_HTTP) {
        return client_http_step(c);
    }
    if (buf_size(&c->input) == 0) {
        return false;
    }
    switch (c->mode) {
    case CLIENT_MODE_UNDECIDED:
        return client_decide(c);
    case CLIENT_MODE_REDIS:
        return client_step_redis(c);
    case CLIENT_MODE_TEXT:
        return client_step_text(c);
    case CLIENT_MODE_HTTP:
    case CLIENT_MODE_PEER:
        break;
    }
    return false;
}

static size_t client_slot_limit(const struct client *c)
{
    size_t limit = CLIENT_SLOTS_FIRST;

    if (c->reply_bytes_recent > 0) {
        limit = (size_t)node_options(c->node)->client_output_limit / (c->reply_bytes_recent + 64);
    }
    return limit < CLIENT_SLOTS_MIN ? CLIENT_SLOTS_MIN : limit > CLIENT_SLOTS_MAX ? CLIENT_SLOTS_MAX : limit;
}

/* Dirty again in the first poll that finds the window open. */
static void client_pause(struct client *c)
{
    if (list_empty(&c->in_paused)) {
        list_append(&c->clients->paused, &c->in_paused);
    }
}

/* May the next command begin now? */
static bool client_may_go_on(struct client *c)
{
    bool has_undecided = client_has_undecided(c);

    if (c->wait.kind != CLIENT_WAITS_NOT || (c->is_held_by_pause && client_is_paused(c, c->held_row))) {
        return false;
    }
    if (c->held.arg || c->is_barred) {
        return !has_undecided && (!c->held.arg || !(c->held_row->flags & COMMAND_PUBSUB) || list_empty(&c->slots));
    }
    if (node_window_is_full(c->node)) {
        client_pause(c);
        return false;
    }
    return c->slot_count < client_slot_limit(c) &&
           buf_size(&c->output) <= (size_t)node_options(c->node)->client_output_limit;
}

static bool client_is_over(const struct client *c)
{
    return c->is_closing || c->is_killed || c->mode == CLIENT_MODE_PEER;
}

/* Nobody without the password may make this node keep much for him (Redis 7.0.15 closes such a client, too). */
static bool client_floods_unauthenticated(const struct client *c)
{
    return buf_size(&c->output) > LIMIT_UNAUTHENTICATED_OUTPUT_BYTES && !c->is_authenticated && client_needs_password(c);
}

enum client_state client_process(struct client *c)
{
    const struct node_env *env = node_environment(c->node);
    uint64_t begun_us = env->now_us(env->ctx); /* c->now_us goes on with each command */

    c->now_us = begun_us;
    for (unsigned begun = 0;; begun++) {
        bool is_turn_over = begun % CLIENT_CLOCK_EVERY == CLIENT_CLOCK_EVERY - 1 &&
                            env->now_us(env->ctx) > begun_us + CLIENT_TURN_US;

        c->is_stalled = false;
        if (client_is_over(c)) {
            break;
        }
        if (client_floods_unauthenticated(c)) {
            log_line(&env->log, LOG_WARNING, "Closing the client %s: it gave no password and does not read its replies.",
                     c->info.address);
            c->is_killed = true;
            break;
        }
        if (is_turn_over) {
            COVER("client: goes on in the next turn");
            client_pause(c);
        }
        if (is_turn_over || !client_may_go_on(c)) {
            c->is_stalled = true;
            break;
        }
        if (c->held.arg) {
            client_run_held(c);
        } else if (!client_step(c)) {
            break;
        }
    }
    if (c->is_closing) {
        buf_clear(&c->input, 0);
    } else if (buf_size(&c->input) == 0) {
        buf_clear(&c->input, INPUT_KEEP_BYTES);
    } else if (!c->is_stalled && buf_size(&c->input) > (size_t)node_options(c->node)->client_query_buffer_limit) {
        log_line(&env->log, LOG_WARNING, "Closing the client %s: its unfinished command passed client-query-buffer-limit.",
                 c->info.address);
        c->is_killed = true;
    }
    return client_get_state(c);
}

void client_resume(struct client *c)
{
    const struct node_env *env = node_environment(c->node);
    struct clients *cs = c->clients;
    uint64_t now_us = env->now_us(env->ctx);

    if (cs->resume_until_us == 0) {
        cs->resume_until_us = now_us + CLIENT_TURN_US;
    }
    if (now_us < cs->resume_until_us) {
        (void)client_process(c);
    } else if (list_empty(&c->in_paused)) {
        list_append(&cs->skipped, &c->in_paused);
    }
}

bool client_is_blocked(const struct client *c)
{
    return !list_empty(&c->requests) &&
           CONTAINER_OF(c->requests.next, struct request, in_client)->state == REQUEST_BLOCKED;
}

void client_on_blocked(struct client *c)
{
    client_mark_dirty(c); /* so that its driver asks for its state */
}

/* Who ends its input still gets its answers (`... | nc`), but nothing is popped for it that comes later: of a client that is
 * blocked a little more is read than it may begin, so that its end is noticed. */
enum client_state client_get_state(const struct client *c)
{
    if (c->is_killed) {
        return CLIENT_CLOSE_NOW;
    }
    if (c->mode == CLIENT_MODE_PEER) {
        return CLIENT_IS_PEER;
    }
    bool is_answered = list_empty(&c->slots) && !c->held.arg && c->wait.kind == CLIENT_WAITS_NOT;
    if (c->is_input_ended && client_is_blocked(c)) {
        return CLIENT_CLOSE; /* what was answered before goes out */
    }
    if (is_answered && (c->is_closing || (c->is_input_ended && !c->is_stalled))) {
        return CLIENT_CLOSE;
    }
    if (!c->is_closing && client_is_blocked(c) && buf_size(&c->input) < BLOCKED_INPUT_BYTES) {
        return CLIENT_READ;
    }
    return c->is_closing || c->is_stalled || c->is_input_ended ? CLIENT_PAUSED : CLIENT_READ;
}

bool client_is_idle(const struct client *c)
{
    return list_empty(&c->slots) && !c->held.arg && c->wait.kind == CLIENT_WAITS_NOT && list_empty(&c->in_monitors) &&
           !c->watcher && !client_is_subscriber(c) && buf_size(&c->output) == 0;
}

bool client_is_answered(const struct client *c)
{
    bool waits_for_ever = c->wait.kind != CLIENT_WAITS_NOT && c->wait.deadline_us == UINT64_MAX;
    bool has_more = c->held.arg || c->is_stalled || c->wait.kind != CLIENT_WAITS_NOT;
    return list_empty(&c->slots) && (!has_more || waits_for_ever) && buf_size(&c->output) == 0;
}

void client_trim(struct client *c)
{
    if (buf_size(&c->input) == 0) {
        buf_clear(&c->input, 0);
    }
    if (buf_size(&c->output) == 0) {
        buf_clear(&c->output, 0);
    }
}

/* --- output ----------------------------------------------------------------------------------- */

struct slice client_output(const struct client *c)
{
    if (c->watcher) {
        return watch_output(c);
    }
    return buf_slice(&c->output);
}

void client_output_sent(struct client *c, size_t n)
{
    c->clients->counters.output_bytes += n;
    c->clients->counters.writes++;
    if (c->watcher) {
        watch_output_sent(c, n);
        return;
    }
    buf_consume(&c->output, n);
    if (buf_size(&c->output) == 0) {
        buf_clear(&c->output, OUTPUT_KEEP_BYTES);
        c->pushed_bytes = c->made_count > 0 ? c->pushed_bytes : 0;
    }
}
