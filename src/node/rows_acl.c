#include "node/rows.h"

#include <string.h>

#include "base/checksum.h"
#include "commands/arguments.h"
#include "node/client_internal.h"

/* ACL for the one user there is: "default", who may do everything, with `requirepass` as the password where it is set. What
 * would make other users, or take rights away, answers that it is planned. */

#define DEFAULT_USER "default"
#define RULES_COMMANDS "+@all"
#define RULES_KEYS "~*"
#define RULES_CHANNELS "&*"

/* Lower-case hexadecimal digits of `bytes`; `text` holds 2n + 1. */
static void to_hex(const uint8_t *bytes, size_t n, char *text)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digit[bytes[i] >> 4];
        text[2 * i + 1] = digit[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

/* SHA-256 of the password as Redis shows it; false when there is none. */
static bool password_digest(const struct client *c, char text[65])
{
    const char *password = node_options(c->node)->requirepass;
    uint8_t digest[32];

    if (password[0] == '\0') {
        return false;
    }
    sha256(password, strlen(password), digest);
    to_hex(digest, sizeof digest, text);
    return true;
}

static void row_acl_whoami(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_bulk_cstr(reply, DEFAULT_USER);
}

static void row_acl_users(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_array(reply, 1);
    reply_bulk_cstr(reply, DEFAULT_USER);
}

static void row_acl_list(struct client *c, const struct command *command, struct reply *reply)
{
    struct buf line = {0};
    char digest[65];

    (void)command;
    buf_printf(&line, "user " DEFAULT_USER " on ");
    if (password_digest(c, digest)) {
        buf_printf(&line, "#%s", digest);
    } else {
        buf_printf(&line, "nopass");
    }
    buf_printf(&line, " " RULES_KEYS " " RULES_CHANNELS " " RULES_COMMANDS);
    reply_array(reply, 1);
    reply_bulk(reply, buf_slice(&line));
    buf_deinit(&line);
}

static void row_acl_getuser(struct client *c, const struct command *command, struct reply *reply)
{
    char digest[65];
    bool has_password = password_digest(c, digest);

    if (!slice_equal(command->arg[2], SLICE_LITERAL(DEFAULT_USER))) {
        reply_null(reply);
        return;
    }
    reply_map(reply, 6);
    reply_bulk_cstr(reply, "flags");
    reply_set(reply, has_password ? 1 : 2);
    reply_bulk_cstr(reply, "on");
    if (!has_password) {
        reply_bulk_cstr(reply, "nopass");
    }
    reply_bulk_cstr(reply, "passwords");
    reply_array(reply, has_password ? 1 : 0);
    if (has_password) {
        reply_bulk_cstr(reply, digest);
    }
    reply_bulk_cstr(reply, "commands");
    reply_bulk_cstr(reply, RULES_COMMANDS);
    reply_bulk_cstr(reply, "keys");
    reply_bulk_cstr(reply, RULES_KEYS);
    reply_bulk_cstr(reply, "channels");
    reply_bulk_cstr(reply, RULES_CHANNELS);
    reply_bulk_cstr(reply, "selectors");
    reply_array(reply, 0);
}

static void refuse_arguments(const struct command *command, struct reply *reply)
{
    reply_errorf(reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try ACL HELP.", (int)command->arg[1].n,
                 (const char *)command->arg[1].p);
}

static const char *const acl_category[] = {"keyspace", "read",    "write",  "set",         "sortedset", "list",     "hash",
                                           "string",   "bitmap",  "hyperloglog", "geo",    "stream",    "pubsub",   "admin",
                                           "fast",     "slow",    "blocking", "dangerous", "connection", "transaction", "scripting"};
#define ACL_CATEGORIES (sizeof acl_category / sizeof acl_category[0])

static void row_acl_cat(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_known = false;

    if (command->arg_count > 3) {
        refuse_arguments(command, reply);
        return;
    }
    if (command->arg_count == 2) {
        reply_array(reply, ACL_CATEGORIES);
    }
    for (size_t i = 0; i < ACL_CATEGORIES; i++) {
        if (command->arg_count == 2) {
            reply_bulk_cstr(reply, acl_category[i]);
        } else {
            is_known = is_known || slice_equal_nocase(command->arg[2], acl_category[i]);
        }
    }
    if (command->arg_count == 3 && is_known) {
        rows_of_category(c, command->arg[2], reply);
    } else if (command->arg_count == 3) {
        reply_errorf(reply, "ERR Unknown category '%.*s'", (int)(command->arg[2].n < 128 ? command->arg[2].n : 128),
                     (const char *)command->arg[2].p);
    }
}

static void row_acl_genpass(struct client *c, const struct command *command, struct reply *reply)
{
    const struct node_env *env = node_environment(c->node);
    int64_t bits = 256;
    uint8_t bytes[512];
    char text[2 * sizeof bytes + 1];

    if (command->arg_count > 3) {
        refuse_arguments(command, reply);
        return;
    }
    if (command->arg_count == 3 && !argument_integer(command->arg[2], &bits, reply)) {
        return;
    }
    if (bits <= 0 || bits > 4096) {
        reply_error(reply, "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
        return;
    }
    env->random(env->ctx, bytes, sizeof bytes);
    to_hex(bytes, sizeof bytes, text);
    reply_bulk(reply, (struct slice){(const uint8_t *)text, (size_t)(bits + 3) / 4});
}

static void row_acl_planned(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    reply_errorf(reply, "ERR 'acl|%.*s' is not available yet: users with rights of their own are planned", (int)command->arg[1].n,
                 (const char *)command->arg[1].p);
}

static void row_acl_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
        "HELP",
        "    Prints this help.",
        NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define ANY_TIME (COMMAND_LOADING | COMMAND_STALE)
#define ACL_ROW(row_name, row_arity, row_flags, categories, fn, text, version, cost, syntax)                                  \
    {                                                                                                                        \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity, .flags = ANY_TIME | (row_flags), .run_local = fn,   \
        .group = "server", .acl_categories = categories, .summary = text, .since = version, .complexity = cost,              \
        .arguments = syntax                                                                                                  \
    }
#define ADMIN (COMMAND_ADMIN | COMMAND_NOSCRIPT)
#define ADMIN_CATEGORIES "@admin @slow @dangerous"

static const struct command_row acl_row[] = {
    {.name = "acl", .kind = COMMAND_CONTAINER, .arity = -2, .group = "server", .acl_categories = "@slow",
     .summary = "A container for Access List Control commands", .since = "6.0.0", .complexity = "Depends on subcommand.",
     .arguments = "subcommand"},
    ACL_ROW("acl|cat", -2, COMMAND_NOSCRIPT, "@slow", row_acl_cat, "List the ACL categories or the commands inside a category", "6.0.0",
            "O(1) since the categories and commands are a fixed set.", "[categoryname]"),
    ACL_ROW("acl|deluser", -3, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "6.0.0", "O(1)", "username [username ...]"),
    ACL_ROW("acl|dryrun", -4, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "7.0.0", "O(1)", "username command [arg ...]"),
    ACL_ROW("acl|genpass", -2, COMMAND_NOSCRIPT, "@slow", row_acl_genpass, "Generate a pseudorandom secure password", "6.0.0", "O(1)",
            "[bits]"),
    ACL_ROW("acl|getuser", 3, ADMIN, ADMIN_CATEGORIES, row_acl_getuser, "Get the rules for a specific ACL user", "6.0.0",
            "O(1): there is one user", "username"),
    ACL_ROW("acl|help", 2, 0, "@slow", row_acl_help, "Show helpful text about the different subcommands", "6.0.0", "O(1)", ""),
    ACL_ROW("acl|list", 2, ADMIN, ADMIN_CATEGORIES, row_acl_list, "List the current ACL rules in ACL config file format", "6.0.0",
            "O(1): there is one user", ""),
    ACL_ROW("acl|load", 2, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "6.0.0", "O(1)", ""),
    ACL_ROW("acl|log", -2, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "6.0.0", "O(1)", "[count | RESET]"),
    ACL_ROW("acl|save", 2, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "6.0.0", "O(1)", ""),
    ACL_ROW("acl|setuser", -3, ADMIN, ADMIN_CATEGORIES, row_acl_planned, "Planned", "6.0.0", "O(1)", "username [rule ...]"),
    ACL_ROW("acl|users", 2, ADMIN, ADMIN_CATEGORIES, row_acl_users, "List the username of all the configured ACL rules", "6.0.0",
            "O(1): there is one user", ""),
    ACL_ROW("acl|whoami", 2, COMMAND_NOSCRIPT, "@slow", row_acl_whoami,
            "Return the name of the user associated to the current connection", "6.0.0", "O(1)", ""),
};
const struct command_family rows_acl = {acl_row, sizeof acl_row / sizeof acl_row[0]};
