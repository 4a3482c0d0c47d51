#include "node/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "base/number.h"
#include "keyspace/hash.h"
#include "keyspace/keyspace_running.h"
#include "keyspace/set.h"
#include "keyspace/value.h"
#include "node/client_internal.h"
#include "node/debug_protocol.h"

/* DEBUG: what tests and the curious ask, where enable-debug-command allows it. Everything answers from this node's own state, as far as it
 * has applied the log. */

#define DIGEST_BYTES 20

static bool argument_is(const struct command *command, size_t position, const char *word)
{
    return position < command->arg_count && slice_equal_nocase(command->arg[position], word);
}

bool debug_is_allowed(const struct client *c)
{
    int allowed = node_options(c->node)->enable_debug_command;

    return allowed == 1 || (allowed == 2 && c->info.is_local);
}

/* Stops this connection only: a node that slept would lose its place in the cluster. */
static void debug_sleep(struct client *c, const struct command *command, struct reply *reply)
{
    char text[64];
    size_t n = command->arg[2].n < sizeof text - 1 ? command->arg[2].n : sizeof text - 1;

    memcpy(text, command->arg[2].p, n);
    text[n] = '\0';
    double seconds = strtod(text, NULL);
    bool is_sane = isfinite(seconds) && seconds > 0;
    client_sleep(c, c->last_row, command, is_sane ? (uint64_t)(fmin(seconds, 1e9) * 1e6) : 0, reply);
}

/* --- OBJECT ------------------------------------------------------------------------------------- */

/* Bytes in an RDB file, compression apart. */
static size_t serialized_size(const struct value *v)
{
    size_t n = value_string_size(v);
    int64_t number = 0;

    if (value_string_integer(v, &number)) {
        if (number >= INT8_MIN && number <= INT8_MAX) {
            return 2;
        }
        if (number >= INT16_MIN && number <= INT16_MAX) {
            return 3;
        }
        if (number >= INT32_MIN && number <= INT32_MAX) {
            return 5;
        }
    }
    return n + (n < 64 ? 1 : n < 16384 ? 2 : 5);
}

static const char *string_encoding(const struct value *v)
{
    int64_t number = 0;

    return value_string_integer(v, &number) ? "int" : value_string_size(v) <= 44 ? "embstr" : "raw";
}

static struct keyspace_view debug_view(struct client *c)
{
    struct keyspace *k = node_keyspace(c->node);

    return (struct keyspace_view){.keyspace = k, .db = c->db, .time_ms = keyspace_time_ms(k)};
}

static void debug_object(struct client *c, const struct command *command, struct reply *reply)
{
    struct keyspace_view view = debug_view(c);
    const struct value *v = keyspace_get(&view, command->arg[2]);
    struct buf text = {0};

    if (!v) {
        reply_error(reply, "ERR no such key");
        return;
    }
    bool is_string = value_get_type(v) == VALUE_STRING;
    buf_printf(&text, "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:0 lru_seconds_idle:0", (const void *)v,
               is_string ? string_encoding(v) : tree_encoding_name(tree_get_encoding(v)),
               is_string ? serialized_size(v) : value_memory(v));
    buf_append_byte(&text, 0);
    reply_simple(reply, (const char *)buf_slice(&text).p);
    buf_deinit(&text);
}

/* --- DIGEST ------------------------------------------------------------------------------------- */

/* The sum is the XOR of one digest per key, so that the order does not matter; an empty data set has 40 zeros, as in Redis. Its
 * digests are not Redis's: they name the same contents by the same text among coracle's nodes and restarts. */
struct digest_walk {
    uint8_t sum[DIGEST_BYTES];
    uint32_t db;
};

static void digest_string(const struct value *v, struct buf *out)
{
    for (size_t at = 0; at < value_string_size(v);) {
        struct slice part = value_string_part(v, at);

        buf_append_slice(out, part);
        at += part.n;
    }
}

/* The items of a list or sorted set in their order. */
static void digest_items(const struct value *v, struct buf *out)
{
    struct tree_cursor c;
    struct tree_item item;

    for (tree_seek_rank(v, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        write_u64(out, value_get_type(v) == VALUE_ZSET ? item.key : 0);
        write_u64(out, item.bytes.n);
        buf_append_slice(out, item.bytes);
    }
}

static void digest_xor(uint8_t sum[32], struct slice first, struct slice second)
{
    struct buf bytes = {0};
    uint8_t hash[32];

    write_u64(&bytes, first.n);
    buf_append_slice(&bytes, first);
    buf_append_slice(&bytes, second);
    sha256(buf_slice(&bytes).p, buf_size(&bytes), hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        sum[i] ^= hash[i];
    }
    buf_deinit(&bytes);
}

/* Members and fields have no order that anybody should depend on. */
static void digest_set(const struct value *v, struct buf *out)
{
    uint8_t sum[32] = {0};
    struct set_cursor c;
    struct slice member;

    set_seek(v, 0, &c);
    while (set_next(&c, &member)) {
        digest_xor(sum, member, (struct slice){NULL, 0});
    }
    buf_append(out, sum, sizeof sum);
}

static void digest_hash(const struct value *v, struct buf *out)
{
    uint8_t sum[32] = {0};
    struct tree_cursor c;
    struct tree_item item;

    for (tree_seek_rank(v, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        struct hash_pair pair = hash_pair_of(&item);

        digest_xor(sum, pair.field, pair.value);
    }
    buf_append(out, sum, sizeof sum);
}

static void digest_value(const struct value *v, struct buf *out)
{
    switch (value_get_type(v)) {
    case VALUE_STRING:
        digest_string(v, out);
        break;
    case VALUE_LIST:
    case VALUE_ZSET:
        digest_items(v, out);
        break;
    case VALUE_SET:
        digest_set(v, out);
        break;
    case VALUE_HASH:
        digest_hash(v, out);
        break;
    case VALUE_STREAM:
        break;
    }
}

static void digest_mix(struct digest_walk *walk, const struct buf *bytes)
{
    uint8_t hash[32];

    sha256(buf_slice(bytes).p, buf_size(bytes), hash);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        walk->sum[i] ^= hash[i];
    }
}

static void digest_key(void *ctx, struct slice key, const struct value *value, int64_t expiry_ms, raft_index last_change)
{
    struct digest_walk *walk = ctx;
    struct buf bytes = {0};

    (void)last_change;
    buf_printf(&bytes, "%u %zu %c ", walk->db, key.n, expiry_ms == KEYSPACE_NO_EXPIRY ? '-' : 'e');
    buf_append_slice(&bytes, key);
    digest_value(value, &bytes);
    digest_mix(walk, &bytes);
    buf_deinit(&bytes);
}

static void digest_text(const struct digest_walk *walk, struct buf *out)
{
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        buf_printf(out, "%02x", walk->sum[i]);
    }
    buf_append_byte(out, 0);
}

static void debug_digest(struct client *c, struct reply *reply)
{
    struct digest_walk walk = {{0}, 0};
    struct buf text = {0};

    for (walk.db = 0; walk.db < LIMIT_DATABASES; walk.db++) {
        keyspace_each(node_keyspace(c->node), walk.db, digest_key, &walk);
    }
    digest_text(&walk, &text);
    reply_simple(reply, (const char *)buf_slice(&text).p);
    buf_deinit(&text);
}

static void debug_digest_value(struct client *c, const struct command *command, struct reply *reply)
{
    struct keyspace_view view = debug_view(c);

    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        const struct value *v = keyspace_get(&view, command->arg[i]);
        struct digest_walk walk = {{0}, 0};
        struct buf bytes = {0};
        struct buf text = {0};

        if (v) {
            buf_append_byte(&bytes, (uint8_t)value_get_type(v));
            digest_value(v, &bytes);
            digest_mix(&walk, &bytes);
        }
        digest_text(&walk, &text);
        reply_simple(reply, (const char *)buf_slice(&text).p);
        buf_deinit(&bytes);
        buf_deinit(&text);
    }
}

/* --- the rest ------------------------------------------------------------------------------------ */

static void debug_log(struct client *c, const struct command *command, struct reply *reply)
{
    const struct node_env *env = node_environment(c->node);

    log_line(&env->log, LOG_WARNING, "DEBUG LOG: %.*s", (int)(command->arg[2].n < 1024 ? command->arg[2].n : 1024),
             (const char *)command->arg[2].p);
    reply_simple(reply, "OK");
}

static void debug_error(const struct command *command, struct reply *reply)
{
    reply_error_slice(reply, command->arg[2]);
}

/* Memory that rots, for tests of what finds it: only where test-mode says that this node's data are there to be hurt. */
static void debug_corrupt_key(struct client *c, const struct command *command, struct reply *reply)
{
    if (!node_options(c->node)->test_mode) {
        reply_error(reply, "ERR DEBUG CORRUPT-KEY spoils this node's data: it needs test-mode yes");
    } else if (keyspace_corrupt(node_keyspace(c->node), c->db, command->arg[2])) {
        reply_simple(reply, "OK");
    } else {
        reply_error(reply, "ERR no such key");
    }
}

/* Ends this process at once, as a bug in it would, for who wants to see the others go on. Nothing is lost that was answered. */
static void debug_crash(struct client *c, const char *word)
{
    const struct node_env *env = node_environment(c->node);

    log_line(&env->log, LOG_WARNING, "DEBUG %s from %s: this node crashes now.", word, c->info.address);
    abort();
}

/* Lists store elements of any size alike: there is nothing to set. */
static void debug_packed_threshold(const struct command *command, struct reply *reply)
{
    int64_t bytes = 0;

    if (!options_parse_bytes(command->arg[2], &bytes) || bytes > ((int64_t)1 << 32) - (1 << 20)) {
        reply_error(reply, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    } else {
        reply_simple(reply, "OK");
    }
}

static void debug_help(struct reply *reply)
{
    static const char *const line[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DIGEST", "    Output a hex signature representing the current DB content.",
        "DIGEST-VALUE <key> [<key> ...]", "    Output a hex signature of the values of all the specified keys.",
        "ERROR <string>", "    Return a Redis protocol error with <string> as message. Useful for clients",
        "    unit tests to simulate Redis errors.",
        "LOG <message>", "    Write <message> to the server log.",
        "OBJECT <key>", "    Show low level info about `key` and associated value.",
        "PROTOCOL <type>", "    Reply with a test value of the specified type. <type> can be: string,",
        "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,", "    true, false.",
        "PANIC", "    Crash the server simulating a panic.",
        "QUICKLIST-PACKED-THRESHOLD <size>", "    No effect: elements of lists are stored alike, whatever their size.",
        "SEGFAULT", "    Crash the server (with SIGABRT).",
        "SLEEP <seconds>", "    Stop this connection (not the server) for <seconds>. Decimals allowed.",
        "HELP", "    Prints this help.", NULL};

    reply_help(reply, line);
}

void row_debug(struct client *c, const struct command *command, struct reply *reply)
{
    size_t count = command->arg_count;

    if (argument_is(command, 1, "sleep") && count == 3) {
        debug_sleep(c, command, reply);
    } else if (argument_is(command, 1, "corrupt-key") && count == 3) {
        debug_corrupt_key(c, command, reply);
    } else if (argument_is(command, 1, "object") && count == 3) {
        debug_object(c, command, reply);
    } else if (argument_is(command, 1, "digest") && count == 2) {
        debug_digest(c, reply);
    } else if (argument_is(command, 1, "digest-value") && count >= 3) {
        debug_digest_value(c, command, reply);
    } else if (argument_is(command, 1, "log") && count == 3) {
        debug_log(c, command, reply);
    } else if (argument_is(command, 1, "error") && count == 3) {
        debug_error(command, reply);
    } else if (argument_is(command, 1, "protocol") && count == 3) {
        debug_protocol_reply(command->arg[2], reply);
    } else if (argument_is(command, 1, "segfault") && count == 2) {
        debug_crash(c, "SEGFAULT");
    } else if (argument_is(command, 1, "panic") && count == 2) {
        debug_crash(c, "PANIC");
    } else if (argument_is(command, 1, "quicklist-packed-threshold") && count == 3) {
        debug_packed_threshold(command, reply);
    } else if (argument_is(command, 1, "help") && count == 2) {
        debug_help(reply);
    } else {
        reply_errorf(reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                     (int)(command->arg[1].n < 128 ? command->arg[1].n : 128), (const char *)command->arg[1].p);
    }
}

static const struct command_row debug_row[] = {
    {.name = "debug", .kind = COMMAND_NODE, .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_debug, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "A container for debugging commands",
     .since = "1.0.0", .complexity = "Depends on subcommand.", .arguments = "subcommand [arg [arg ...]]"},
};
const struct command_family rows_debug = {debug_row, sizeof debug_row / sizeof debug_row[0]};
