#include "node/rows.h"

#include <string.h>

#include "base/glob.h"
#include "node/client_internal.h"
#include "node/pace.h"
#include "node/proposal.h"
#include "node/settings.h"

/* CONFIG GET and SET over the option table. Options of scope `node` change this process only; those of scope `cluster` are state, and
 * setting one is an entry in the log (settings.c). */

static void config_pair(struct node *n, struct slice name, const struct option_row *row, struct reply *reply)
{
    struct buf value = {0};

    settings_format(node_options(n), node_settings(n), row, &value);
    reply_bulk(reply, name);
    reply_bulk(reply, buf_slice(&value));
    buf_deinit(&value);
}

/* False: not asked for. `*shown` is the name as it is answered: as it was given, where it was given in full. */
static bool config_is_asked(const char *name, const struct command *command, struct slice *shown)
{
    *shown = slice_from_cstr(name);
    for (size_t i = 2; i < command->arg_count; i++) {
        if (slice_equal_nocase(command->arg[i], name)) {
            *shown = command->arg[i];
            return true;
        }
        if (glob_match(command->arg[i], slice_from_cstr(name), true)) {
            return true;
        }
    }
    return false;
}

/* By all names: an option with two of them is there twice where both are asked for, as in Redis. */
static void row_config_get(struct client *c, const struct command *command, struct reply *reply)
{
    size_t count = 0;
    struct slice name;

    for (size_t i = 0; i < options_count(); i++) {
        count += config_is_asked(options_at(i)->name, command, &name) ? 1 : 0;
    }
    for (size_t i = 0; i < options_alias_count(); i++) {
        count += config_is_asked(options_alias_at(i)->alias, command, &name) ? 1 : 0;
    }
    reply_map(reply, count);
    for (size_t i = 0; i < options_count(); i++) {
        if (config_is_asked(options_at(i)->name, command, &name)) {
            config_pair(c->node, name, options_at(i), reply);
        }
    }
    for (size_t i = 0; i < options_alias_count(); i++) {
        const struct option_alias *alias = options_alias_at(i);

        if (config_is_asked(alias->alias, command, &name)) {
            config_pair(c->node, name, options_find(slice_from_cstr(alias->name)), reply);
        }
    }
}

/* --- SET -------------------------------------------------------------------------------------- */

static void config_failed(struct reply *reply, struct slice name, struct slice why)
{
    reply_errorf(reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s", (int)name.n,
                 (const char *)name.p, (int)why.n, (const char *)why.p);
}

/* All names are known, changeable and different? False after an error was written. */
static bool config_set_check(const struct command *command, struct reply *reply)
{
    for (size_t i = 2; i < command->arg_count; i += 2) {
        const struct option_row *row = options_find(command->arg[i]);

        if (!row) {
            reply_errorf(reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", (int)command->arg[i].n,
                         (const char *)command->arg[i].p);
            return false;
        }
        if (row->flags & OPTION_STARTUP_ONLY) {
            config_failed(reply, command->arg[i], SLICE_LITERAL("can't set immutable config"));
            return false;
        }
        for (size_t j = 2; j < i; j += 2) {
            if (options_find(command->arg[j]) == row) {
                config_failed(reply, command->arg[i], SLICE_LITERAL("duplicate parameter"));
                return false;
            }
        }
    }
    return true;
}

/* Puts back the first `count` values kept in `old` (one blob after the other). */
static void config_restore(struct options *o, const struct command *command, const struct buf *old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf why = {0};
        enum err error = options_set(o, options_find(command->arg[2 + 2 * i]), buf_slice(&old[i]), &why);

        ASSERT(error == ERR_OK);
        buf_deinit(&why);
    }
}

static void config_announce(struct client *c, const struct command *command)
{
    const struct node_env *env = node_environment(c->node);

    for (size_t i = 2; i < command->arg_count; i += 2) {
        const struct option_row *row = options_find(command->arg[i]);

        log_line(&env->log, LOG_NOTICE, "Option '%s' was changed by CONFIG SET from %s.", row->name, c->info.address);
        if (env->option_changed) {
            env->option_changed(env->ctx, row->name);
        }
    }
}

/* Options of the cluster: an entry, done when it is applied here. */
static void config_set_cluster(struct client *c, const struct command *command, struct reply *reply)
{
    const struct command_row *row = command_table_by_name(node_commands(c->node), SLICE_LITERAL("config|set"));
    const char *refusal = node_write_refusal(c->node, row);

    if (!settings_check(command, reply)) {
        return;
    }
    if (refusal) {
        reply_error(reply, refusal);
        return;
    }
    for (size_t i = 2; i < command->arg_count; i += 2) {
        log_line(&node_environment(c->node)->log, LOG_NOTICE, "Option '%s' of the cluster: CONFIG SET from %s.",
                 options_find(command->arg[i])->name, c->info.address);
    }
    client_submit_write(c, row, command, reply->protocol, NULL);
}

static void row_config_set(struct client *c, const struct command *command, struct reply *reply)
{
    struct options *o = node_options_edit(c->node);
    size_t pairs = (command->arg_count - 2) / 2;
    size_t done = 0;

    if (command->arg_count % 2 != 0) {
        reply_error(reply, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    if (!config_set_check(command, reply)) {
        return;
    }
    if (settings_are_named(command)) {
        config_set_cluster(c, command, reply);
        return;
    }
    struct buf *old = mem_alloc_zero(pairs * sizeof *old);
    for (; done < pairs; done++) {
        const struct option_row *row = options_find(command->arg[2 + 2 * done]);
        struct buf why = {0};

        options_format(o, row, &old[done]);
        enum err error = options_set(o, row, command->arg[3 + 2 * done], &why);
        if (error) {
            config_failed(reply, command->arg[2 + 2 * done], buf_slice(&why));
        }
        buf_deinit(&why);
        if (error) {
            break;
        }
    }
    if (done == pairs) {
        config_announce(c, command);
        reply_simple(reply, "OK");
    } else {
        config_restore(o, command, old, done);
    }
    for (size_t i = 0; i < pairs; i++) {
        buf_deinit(&old[i]);
    }
    mem_free(old);
}

static void row_config_resetstat(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    clients_reset_counters(c->clients);
    pace_reset(node_pace(c->node));
    reply_simple(reply, "OK");
}

static void row_config_rewrite(struct client *c, const struct command *command, struct reply *reply)
{
    const struct node_env *env = node_environment(c->node);
    struct buf why = {0};

    (void)command;
    settings_mirror(node_options_edit(c->node), node_settings(c->node));
    if (!env->rewrite_config) {
        reply_error(reply, "ERR The server is running without a config file");
    } else if (env->rewrite_config(env->ctx, &why)) {
        log_line(&env->log, LOG_NOTICE, "CONFIG REWRITE executed with success.");
        reply_simple(reply, "OK");
    } else {
        log_line(&env->log, LOG_WARNING, "CONFIG REWRITE failed: %.*s", (int)buf_size(&why), (const char *)buf_slice(&why).p);
        reply_errorf(reply, "ERR %.*s", (int)buf_size(&why), (const char *)buf_slice(&why).p);
    }
    buf_deinit(&why);
}

static void row_config_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {"CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                                       "GET <pattern>",
                                       "    Return parameters matching the glob-like <pattern> and their values.",
                                       "SET <directive> <value>",
                                       "    Set the configuration <directive> to <value>.",
                                       "RESETSTAT",
                                       "    Reset statistics reported by the INFO command.",
                                       "REWRITE",
                                       "    Rewrite the configuration file.",
                                       "HELP",
                                       "    Prints this help.",
                                       NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define CONFIG_FLAGS (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define CONFIG_ROW(row_name, row_arity, row_flags, fn, categories, text, version, cost, syntax)                       \
    {                                                                                                                 \
        .name = row_name, .kind = COMMAND_NODE, .arity = row_arity, .flags = row_flags, .run_local = fn,              \
        .group = "server", .acl_categories = categories, .summary = text, .since = version, .complexity = cost,       \
        .arguments = syntax                                                                                           \
    }
#define CONFIG_CATEGORIES "@admin @slow @dangerous"

static const struct command_row config_row[] = {
    {.name = "config", .kind = COMMAND_CONTAINER, .arity = -2, .group = "server", .acl_categories = "@slow",
     .summary = "A container for server configuration commands", .since = "2.0.0", .complexity = "Depends on subcommand.",
     .arguments = "subcommand"},
    CONFIG_ROW("config|get", -3, CONFIG_FLAGS, row_config_get, CONFIG_CATEGORIES,
               "Get the values of configuration parameters", "2.0.0",
               "O(N) when N is the number of configuration parameters provided", "parameter [parameter ...]"),
    CONFIG_ROW("config|help", 2, COMMAND_LOADING | COMMAND_STALE, row_config_help, "@slow",
               "Show helpful text about the different subcommands", "5.0.0", "O(1)", ""),
    CONFIG_ROW("config|resetstat", 2, CONFIG_FLAGS, row_config_resetstat, CONFIG_CATEGORIES,
               "Reset the stats returned by INFO", "2.0.0", "O(1)", ""),
    CONFIG_ROW("config|rewrite", 2, CONFIG_FLAGS, row_config_rewrite, CONFIG_CATEGORIES,
               "Rewrite the configuration file with the in memory configuration", "2.8.0", "O(1)", ""),
    /* The number and what runs are those of the entry that options of the cluster make. */
    {.name = "config|set", .number = PROPOSAL_OPTION, .version = SETTINGS_VERSION, .kind = COMMAND_NODE, .arity = -4,
     .flags = CONFIG_FLAGS, .check = settings_check, .run = settings_run, .run_local = row_config_set, .group = "server",
     .acl_categories = CONFIG_CATEGORIES, .summary = "Set configuration parameters to the given values", .since = "2.0.0",
     .complexity = "O(N) when N is the number of configuration parameters provided",
     .arguments = "parameter value [parameter value ...]"},
};
const struct command_family rows_config = {config_row, sizeof config_row / sizeof config_row[0]};
