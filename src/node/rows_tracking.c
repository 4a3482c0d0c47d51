#include "node/rows.h"

#include <string.h>

#include "base/number.h"
#include "node/client_internal.h"

/* CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. What they lead to is in tracking.c. */

/* Prefixes of one client; and distinct ones of all, since each change is held against every one of them. */
#define PREFIXES_MAX 64u
#define PREFIXES_OF_ALL_MAX 4096u

static bool argument_is(const struct command *command, size_t position, const char *word)
{
    return position < command->arg_count && slice_equal_nocase(command->arg[position], word);
}

struct tracking_options {
    unsigned mode;
    int64_t redirect;
    struct slice prefix[PREFIXES_MAX];
    size_t prefix_count;
};

/* False after an error was written. */
static bool options_parse(struct client *c, const struct command *command, struct tracking_options *o, struct reply *reply)
{
    for (size_t i = 3; i < command->arg_count; i++) {
        bool has_more = i + 1 < command->arg_count;

        if (argument_is(command, i, "redirect") && has_more) {
            if (o->redirect != 0) {
                reply_error(reply, "ERR A client can only redirect to a single other client");
                return false;
            }
            if (!number_parse_i64(command->arg[++i], &o->redirect)) {
                reply_error(reply, REPLY_NOT_INTEGER);
                return false;
            }
            if (o->redirect <= 0 || !client_by_id(c->clients, (uint64_t)o->redirect)) {
                reply_error(reply, "ERR The client ID you want redirect to does not exist");
                return false;
            }
        } else if (argument_is(command, i, "bcast")) {
            o->mode |= TRACKING_BCAST;
        } else if (argument_is(command, i, "optin")) {
            o->mode |= TRACKING_OPTIN;
        } else if (argument_is(command, i, "optout")) {
            o->mode |= TRACKING_OPTOUT;
        } else if (argument_is(command, i, "noloop")) {
            o->mode |= TRACKING_NOLOOP;
        } else if (argument_is(command, i, "prefix") && has_more) {
            i++;
            if (o->prefix_count == PREFIXES_MAX) {
                reply_error(reply, "ERR too many prefixes");
                return false;
            }
            o->prefix[o->prefix_count++] = command->arg[i];
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

/* NULL, or why the options don't go together or with what the client has. */
static const char *options_conflict(const struct client *c, const struct tracking_options *o)
{
    const struct client_tracking *now = &c->tracking;
    bool is_bcast = (o->mode & TRACKING_BCAST) != 0;
    bool is_in = (o->mode & TRACKING_OPTIN) != 0;
    bool is_out = (o->mode & TRACKING_OPTOUT) != 0;

    if (!is_bcast && o->prefix_count > 0) {
        return "ERR PREFIX option requires BCAST mode to be enabled";
    }
    if (now->is_on && is_bcast != ((now->mode & TRACKING_BCAST) != 0)) {
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a "
               "different mode.";
    }
    if (is_bcast && (is_in || is_out)) {
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    }
    if (is_in && is_out) {
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    }
    if ((is_in && (now->mode & TRACKING_OPTOUT)) || (is_out && (now->mode & TRACKING_OPTIN))) {
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a "
               "different mode.";
    }
    return NULL;
}

static bool prefixes_collide(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    return n == 0 || memcmp(a.p, b.p, n) == 0;
}

/* Two prefixes of one client that would tell it twice. */
static bool reply_if_collision(const struct client *c, const struct tracking_options *o, struct reply *reply)
{
    for (size_t i = 0; i < o->prefix_count; i++) {
        for (const struct tracked_share *s = tracking_next_share(c, NULL); s; s = tracking_next_share(c, s)) {
            struct slice old = tracking_share_prefix(s);

            if (prefixes_collide(old, o->prefix[i])) {
                reply_errorf(reply,
                             "ERR Prefix '%.*s' overlaps with an existing prefix '%.*s'. Prefixes for a single client must not "
                             "overlap.", (int)o->prefix[i].n, (const char *)o->prefix[i].p, (int)old.n, (const char *)old.p);
                return true;
            }
        }
        for (size_t j = i + 1; j < o->prefix_count; j++) {
            if (prefixes_collide(o->prefix[i], o->prefix[j])) {
                reply_errorf(reply,
                             "ERR Prefix '%.*s' overlaps with another provided prefix '%.*s'. Prefixes for a single client must "
                             "not overlap.", (int)o->prefix[i].n, (const char *)o->prefix[i].p, (int)o->prefix[j].n,
                             (const char *)o->prefix[j].p);
                return true;
            }
        }
    }
    return false;
}

static void tracking_on(struct client *c, const struct tracking_options *o, struct reply *reply)
{
    const char *conflict = options_conflict(c, o);
    size_t shares = 0;

    if (conflict) {
        reply_error(reply, conflict);
        return;
    }
    if (reply_if_collision(c, o, reply)) {
        return;
    }
    for (const struct tracked_share *s = tracking_next_share(c, NULL); s; s = tracking_next_share(c, s)) {
        shares++;
    }
    if (shares + o->prefix_count > PREFIXES_MAX || c->clients->tracking.prefixes.count + o->prefix_count > PREFIXES_OF_ALL_MAX) {
        reply_error(reply, "ERR too many prefixes");
        return;
    }
    tracking_start(c, o->mode, o->redirect, o->prefix, o->prefix_count);
    reply_simple(reply, "OK");
}

static void row_tracking(struct client *c, const struct command *command, struct reply *reply)
{
    struct tracking_options o = {0};

    if (c->http) {
        reply_error(reply, "ERR an HTTP request can't be told of changes");
        return;
    }
    if (!options_parse(c, command, &o, reply)) {
        return;
    }
    if (argument_is(command, 2, "on")) {
        tracking_on(c, &o, reply);
    } else if (argument_is(command, 2, "off")) {
        tracking_stop(c);
        reply_simple(reply, "OK");
    } else {
        reply_error(reply, REPLY_SYNTAX);
    }
}

static void row_caching(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_yes = argument_is(command, 2, "yes");

    if (!c->tracking.is_on) {
        reply_error(reply, "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
                           "enabled");
    } else if (!is_yes && !argument_is(command, 2, "no")) {
        reply_error(reply, REPLY_SYNTAX);
    } else if (is_yes && !(c->tracking.mode & TRACKING_OPTIN)) {
        reply_error(reply, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else if (!is_yes && !(c->tracking.mode & TRACKING_OPTOUT)) {
        reply_error(reply, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else {
        c->tracking.caching = 2;
        reply_simple(reply, "OK");
    }
}

static void row_getredir(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, c->tracking.is_on ? c->tracking.redirect : -1);
}

static void reply_flags(const struct client *c, struct reply *reply)
{
    const struct client_tracking *t = &c->tracking;
    const char *name[8];
    size_t count = 0;

    name[count++] = t->is_on ? "on" : "off";
    if (t->mode & TRACKING_BCAST) {
        name[count++] = "bcast";
    }
    if (t->mode & TRACKING_OPTIN) {
        name[count++] = "optin";
    }
    if (t->mode & TRACKING_OPTOUT) {
        name[count++] = "optout";
    }
    if (t->caching > 0) {
        name[count++] = t->mode & TRACKING_OPTIN ? "caching-yes" : "caching-no";
    }
    if (t->mode & TRACKING_NOLOOP) {
        name[count++] = "noloop";
    }
    if (t->is_redirect_broken) {
        name[count++] = "broken_redirect";
    }
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk_cstr(reply, name[i]);
    }
}

static void row_trackinginfo(struct client *c, const struct command *command, struct reply *reply)
{
    size_t shares = 0;

    (void)command;
    reply_map(reply, 3);
    reply_bulk_cstr(reply, "flags");
    reply_flags(c, reply);
    reply_bulk_cstr(reply, "redirect");
    reply_int(reply, c->tracking.is_on ? c->tracking.redirect : -1);
    reply_bulk_cstr(reply, "prefixes");
    for (const struct tracked_share *s = tracking_next_share(c, NULL); s; s = tracking_next_share(c, s)) {
        shares++;
    }
    reply_array(reply, shares);
    for (const struct tracked_share *s = tracking_next_share(c, NULL); s; s = tracking_next_share(c, s)) {
        reply_bulk(reply, tracking_share_prefix(s));
    }
}

#define TRACKING_ROW(row_name, row_arity, fn, text, version, cost, syntax)                                              \
    {                                                                                                                   \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity,                                               \
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = fn, .group = "connection",            \
        .acl_categories = "@slow @connection", .summary = text, .since = version, .complexity = cost,                   \
        .arguments = syntax                                                                                             \
    }

static const struct command_row tracking_row[] = {
    TRACKING_ROW("client|caching", 3, row_caching, "Instruct the server about tracking or not keys in the next request", "6.0.0",
                 "O(1)", "YES | NO"),
    TRACKING_ROW("client|getredir", 2, row_getredir, "Get tracking notifications redirection client ID if any", "6.0.0", "O(1)", ""),
    TRACKING_ROW("client|tracking", -3, row_tracking, "Enable or disable server assisted client side caching support", "6.0.0",
                 "O(1). Some options may introduce additional complexity.",
                 "ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]"),
    TRACKING_ROW("client|trackinginfo", 2, row_trackinginfo,
                 "Return information about server assisted client side caching for the current connection", "6.2.0", "O(1)", ""),
};
const struct command_family rows_tracking = {tracking_row, sizeof tracking_row / sizeof tracking_row[0]};
