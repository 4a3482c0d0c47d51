#include "node/rows.h"

#include <string.h>

#include "base/glob.h"
#include "node/client_internal.h"

/* SUBSCRIBE and its kin, PUBSUB. PUBLISH is in client_publish.c.
 *
 * Confirmations are pushes, one per channel, so they come in RESP3 as pushes and also to a client that switched its replies off. Inside
 * a transaction they are part of EXEC's reply, as in Redis. */

bool client_is_subscriber(const struct client *c)
{
    return pubsub_count(&c->subscriptions) > 0;
}

bool client_may_as_subscriber(const struct command_row *row)
{
    static const char *const allowed[] = {"ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe",
                                          "sunsubscribe", "quit", "reset"};

    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(row->name, allowed[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What a confirmation counts: channels and patterns together, shard channels by themselves. */
static size_t count_shown(const struct client *c, enum pubsub_kind kind)
{
    const struct pubsub_subscriptions *s = &c->subscriptions;

    return kind == PUBSUB_SHARD ? pubsub_count_of(s, PUBSUB_SHARD)
                                : pubsub_count_of(s, PUBSUB_CHANNEL) + pubsub_count_of(s, PUBSUB_PATTERN);
}

static void confirm(struct client *c, const char *word, enum pubsub_kind kind, const struct slice *name, struct reply *reply)
{
    struct buf bytes = {0};
    struct reply push = {.out = &bytes, .protocol = c->protocol};
    struct reply *to = c->is_in_exec ? reply : &push;

    reply_push(to, 3);
    reply_bulk_cstr(to, word);
    if (name) {
        reply_bulk(to, *name);
    } else {
        reply_null(to);
    }
    reply_int(to, (int64_t)count_shown(c, kind));
    if (to == &push) {
        client_push(c, buf_slice(&bytes));
    }
    buf_deinit(&bytes);
}

static void subscribe(struct client *c, enum pubsub_kind kind, const char *word, const struct command *command, struct reply *reply)
{
    if (c->http) {
        reply_error(reply, "ERR an HTTP request can't subscribe");
        return;
    }
    for (size_t i = 1; i < command->arg_count; i++) {
        if (pubsub_subscribe(&c->subscriptions, kind, command->arg[i]) == PUBSUB_TOO_MANY) {
            COVER("pubsub: too many subscriptions");
            reply_error(reply, "ERR this connection has too many subscriptions");
            return;
        }
        confirm(c, word, kind, &command->arg[i], reply);
    }
}

static void unsubscribe_all(struct client *c, enum pubsub_kind kind, const char *word, struct reply *reply)
{
    struct slice name;
    size_t count = 0;

    for (; pubsub_oldest(&c->subscriptions, kind, &name); count++) {
        struct buf copy = {0};

        buf_append_slice(&copy, name);
        (void)pubsub_unsubscribe(&c->subscriptions, kind, name);
        name = buf_slice(&copy);
        confirm(c, word, kind, &name, reply);
        buf_deinit(&copy);
    }
    if (count == 0) {
        confirm(c, word, kind, NULL, reply);
    }
}

static void unsubscribe(struct client *c, enum pubsub_kind kind, const char *word, const struct command *command, struct reply *reply)
{
    if (command->arg_count == 1) {
        unsubscribe_all(c, kind, word, reply);
        return;
    }
    for (size_t i = 1; i < command->arg_count; i++) {
        (void)pubsub_unsubscribe(&c->subscriptions, kind, command->arg[i]);
        confirm(c, word, kind, &command->arg[i], reply);
    }
}

static void row_subscribe(struct client *c, const struct command *command, struct reply *reply)
{
    subscribe(c, PUBSUB_CHANNEL, "subscribe", command, reply);
}

static void row_psubscribe(struct client *c, const struct command *command, struct reply *reply)
{
    subscribe(c, PUBSUB_PATTERN, "psubscribe", command, reply);
}

static void row_ssubscribe(struct client *c, const struct command *command, struct reply *reply)
{
    subscribe(c, PUBSUB_SHARD, "ssubscribe", command, reply);
}

static void row_unsubscribe(struct client *c, const struct command *command, struct reply *reply)
{
    unsubscribe(c, PUBSUB_CHANNEL, "unsubscribe", command, reply);
}

static void row_punsubscribe(struct client *c, const struct command *command, struct reply *reply)
{
    unsubscribe(c, PUBSUB_PATTERN, "punsubscribe", command, reply);
}

static void row_sunsubscribe(struct client *c, const struct command *command, struct reply *reply)
{
    unsubscribe(c, PUBSUB_SHARD, "sunsubscribe", command, reply);
}

/* --- PUBSUB: this node's subscribers -------------------------------------------------------------- */

static const struct pubsub *pubsub_of(const struct client *c)
{
    return &c->clients->pubsub[c->info.is_sentinel];
}

static bool is_shown(const struct name_node *topic, const struct command *command)
{
    return command->arg_count == 2 || glob_match(command->arg[2], topic->name, false);
}

static void reply_topics(struct client *c, enum pubsub_kind kind, const struct command *command, struct reply *reply)
{
    const struct pubsub *ps = pubsub_of(c);
    size_t count = 0;

    for (const struct name_node *t = pubsub_first_topic(ps, kind); t; t = pubsub_next_topic(ps, kind, t)) {
        count += is_shown(t, command) ? 1 : 0;
    }
    reply_array(reply, count);
    for (const struct name_node *t = pubsub_first_topic(ps, kind); t; t = pubsub_next_topic(ps, kind, t)) {
        if (is_shown(t, command)) {
            reply_bulk(reply, t->name);
        }
    }
}

static void reply_listeners(struct client *c, enum pubsub_kind kind, const struct command *command, struct reply *reply)
{
    reply_array(reply, (command->arg_count - 2) * 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        reply_bulk(reply, command->arg[i]);
        reply_int(reply, (int64_t)pubsub_listeners(pubsub_of(c), kind, command->arg[i]));
    }
}

static bool reply_if_too_many(const struct command *command, struct reply *reply)
{
    if (command->arg_count <= 3) {
        return false;
    }
    reply_errorf(reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB HELP.", (int)command->arg[1].n,
                 (const char *)command->arg[1].p);
    return true;
}

static void row_channels(struct client *c, const struct command *command, struct reply *reply)
{
    if (!reply_if_too_many(command, reply)) {
        reply_topics(c, PUBSUB_CHANNEL, command, reply);
    }
}

static void row_shardchannels(struct client *c, const struct command *command, struct reply *reply)
{
    if (!reply_if_too_many(command, reply)) {
        reply_topics(c, PUBSUB_SHARD, command, reply);
    }
}

static void row_numsub(struct client *c, const struct command *command, struct reply *reply)
{
    reply_listeners(c, PUBSUB_CHANNEL, command, reply);
}

static void row_shardnumsub(struct client *c, const struct command *command, struct reply *reply)
{
    reply_listeners(c, PUBSUB_SHARD, command, reply);
}

static void row_numpat(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)pubsub_topics(pubsub_of(c), PUBSUB_PATTERN));
}

static void row_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Prints this help.",
        NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

/* --- the table ------------------------------------------------------------------------------------ */

#define LISTEN_FLAGS (COMMAND_PUBSUB | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define LISTEN_ROW(row_name, row_arity, fn, text, version, cost, syntax)                                                \
    {                                                                                                                   \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity, .flags = LISTEN_FLAGS, .run_local = fn,       \
        .group = "pubsub", .acl_categories = "@pubsub @slow", .summary = text, .since = version, .complexity = cost,    \
        .arguments = syntax                                                                                             \
    }
#define PUBLISH_ROW(row_name, fn, text, version, cost, syntax)                                                          \
    {                                                                                                                   \
        .name = row_name, .kind = COMMAND_NODE, .arity = 3,                                                             \
        .flags = COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_MAY_REPLICATE,               \
        .run_local = fn, .group = "pubsub", .acl_categories = "@pubsub @fast", .summary = text, .since = version,       \
        .complexity = cost, .arguments = syntax                                                                         \
    }
#define LOOK_ROW(row_name, row_arity, fn, text, version, cost, syntax)                                                  \
    {                                                                                                                   \
        .name = row_name, .kind = COMMAND_NODE, .arity = row_arity,                                                     \
        .flags = COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE, .run_local = fn, .group = "pubsub",                  \
        .acl_categories = "@pubsub @slow", .summary = text, .since = version, .complexity = cost, .arguments = syntax   \
    }

static const struct command_row pubsub_row[] = {
    LISTEN_ROW("psubscribe", -2, row_psubscribe, "Listen for messages published to channels matching the given patterns", "2.0.0",
               "O(N) where N is the number of patterns the client is already subscribed to.", "pattern [pattern ...]"),
    PUBLISH_ROW("publish", row_publish, "Post a message to a channel", "2.0.0",
                "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of "
                "subscribed patterns (by any client).", "channel message"),
    {.name = "pubsub", .kind = COMMAND_CONTAINER, .arity = -2, .group = "pubsub", .acl_categories = "@slow",
     .summary = "A container for Pub/Sub commands", .since = "2.8.0", .complexity = "Depends on subcommand.",
     .arguments = "subcommand"},
    LOOK_ROW("pubsub|channels", -2, row_channels, "List active channels", "2.8.0",
             "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels "
             "and patterns)", "[pattern]"),
    {.name = "pubsub|help", .kind = COMMAND_CONNECTION, .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run_local = row_help,
     .group = "pubsub", .acl_categories = "@slow", .summary = "Show helpful text about the different subcommands", .since = "6.2.0",
     .complexity = "O(1)", .arguments = ""},
    LOOK_ROW("pubsub|numpat", 2, row_numpat, "Get the count of unique patterns pattern subscriptions", "2.8.0", "O(1)", ""),
    LOOK_ROW("pubsub|numsub", -2, row_numsub, "Get the count of subscribers for channels", "2.8.0",
             "O(N) for the NUMSUB subcommand, where N is the number of requested channels", "[channel [channel ...]]"),
    LOOK_ROW("pubsub|shardchannels", -2, row_shardchannels, "List active shard channels", "7.0.0",
             "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short "
             "channels).", "[pattern]"),
    LOOK_ROW("pubsub|shardnumsub", -2, row_shardnumsub, "Get the count of subscribers for shard channels", "7.0.0",
             "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
             "[shardchannel [shardchannel ...]]"),
    LISTEN_ROW("punsubscribe", -1, row_punsubscribe, "Stop listening for messages posted to channels matching the given patterns",
               "2.0.0", "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total "
               "patterns subscribed in the system (by any client).", "[pattern [pattern ...]]"),
    PUBLISH_ROW("spublish", row_spublish, "Post a message to a shard channel", "7.0.0",
                "O(N) where N is the number of clients subscribed to the receiving shard channel.", "shardchannel message"),
    LISTEN_ROW("ssubscribe", -2, row_ssubscribe, "Listen for messages published to the given shard channels", "7.0.0",
               "O(N) where N is the number of shard channels to subscribe to.", "shardchannel [shardchannel ...]"),
    LISTEN_ROW("subscribe", -2, row_subscribe, "Listen for messages published to the given channels", "2.0.0",
               "O(N) where N is the number of channels to subscribe to.", "channel [channel ...]"),
    LISTEN_ROW("sunsubscribe", -1, row_sunsubscribe, "Stop listening for messages posted to the given shard channels", "7.0.0",
               "O(N) where N is the number of clients already subscribed to a shard channel.", "[shardchannel [shardchannel ...]]"),
    LISTEN_ROW("unsubscribe", -1, row_unsubscribe, "Stop listening for messages posted to the given channels", "2.0.0",
               "O(N) where N is the number of clients already subscribed to a channel.", "[channel [channel ...]]"),
};
const struct command_family rows_pubsub = {pubsub_row, sizeof pubsub_row / sizeof pubsub_row[0]};
