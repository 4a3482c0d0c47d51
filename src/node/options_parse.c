#include "node/options.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "node/announce.h"
#include "node/formation.h"
#include "resp/words.h"

/* Configuration files and command lines, both "name value [value...]". Several values are joined by a blank, as `bind` and `save`
 * have them. */

static enum err refuse_name(struct slice name, struct buf *why)
{
    const char *nearest = options_nearest(name);

    buf_printf(why, "unknown option '%.*s'", (int)(name.n < 64 ? name.n : 64), (const char *)name.p);
    if (nearest) {
        buf_printf(why, ", did you mean '%s'?", nearest);
    } else {
        buf_printf(why, "; --help lists them all.");
    }
    return ERR_INVALID;
}

static enum err set_named(struct options *o, struct slice name, const struct slice *value, size_t count, struct buf *why)
{
    const struct option_row *row = options_find(name);
    struct buf joined = {0};
    struct buf phrase = {0};

    if (!row) {
        return refuse_name(name, why);
    }
    if (count == 0) {
        buf_printf(why, "option '%s' needs a value.", row->name);
        return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_append_byte(&joined, ' ');
        }
        buf_append_slice(&joined, value[i]);
    }
    enum err error = options_set(o, row, buf_slice(&joined), &phrase);
    if (error) {
        buf_printf(why, "option '%s': %.*s.", row->name, (int)buf_size(&phrase), (const char *)buf_slice(&phrase).p);
    }
    buf_deinit(&joined);
    buf_deinit(&phrase);
    return error;
}

static enum err parse_line(struct options *o, struct slice line, struct word_list *words, struct buf *why)
{
    size_t blank = 0;

    while (blank < line.n && word_is_blank(line.p[blank])) {
        blank++;
    }
    if (blank == line.n || line.p[blank] == '#') {
        return ERR_OK;
    }
    if (!word_list_split(words, line)) {
        buf_printf(why, "unbalanced quotes.");
        return ERR_INVALID;
    }
    return set_named(o, words->word[0], words->word + 1, words->count - 1, why);
}

enum err options_parse_text(struct options *o, struct slice text, const char *file, struct buf *why)
{
    struct word_list words;
    struct buf phrase = {0};
    enum err error = ERR_OK;
    unsigned number = 0;

    word_list_init(&words);
    while (text.n > 0 && error == ERR_OK) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct slice line = {text.p, end ? (size_t)(end - text.p) : text.n};

        number++;
        error = parse_line(o, line, &words, &phrase);
        text = slice_skip(text, end ? line.n + 1 : line.n);
    }
    if (error) {
        buf_printf(why, "%s, line %u: %.*s", file, number, (int)buf_size(&phrase), (const char *)buf_slice(&phrase).p);
    }
    buf_deinit(&phrase);
    word_list_deinit(&words);
    return error;
}

static bool is_flag(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2] != '\0';
}

enum err options_scan_arguments(int argc, char **argv, struct options_command_line *line, struct buf *why)
{
    *line = (struct options_command_line){.action = OPTIONS_RUN, .first_flag = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || (i == 1 && strcmp(argv[i], "-h") == 0)) {
            line->action = OPTIONS_HELP;
            return ERR_OK;
        }
        if (strcmp(argv[i], "--version") == 0 || (i == 1 && strcmp(argv[i], "-v") == 0)) {
            line->action = OPTIONS_VERSION;
            return ERR_OK;
        }
    }
    if (argc > 1 && !is_flag(argv[1])) {
        if (argv[1][0] == '-') {
            buf_printf(why, "unknown argument '%s'; options begin with two dashes, --help lists them.", argv[1]);
            return ERR_INVALID;
        }
        line->file = argv[1];
        line->first_flag = 2;
    }
    return ERR_OK;
}

enum err options_parse_flags(struct options *o, int argc, char **argv, int first, struct buf *why)
{
    for (int i = first; i < argc;) {
        struct slice value[64];
        size_t count = 0;
        const char *name = argv[i];

        if (!is_flag(name)) {
            buf_printf(why, "'%s' is not an option; options begin with two dashes, --help lists them.", name);
            return ERR_INVALID;
        }
        for (i++; i < argc && !is_flag(argv[i]) && count < 64; i++) {
            value[count++] = slice_from_cstr(argv[i]);
        }
        enum err error = set_named(o, slice_from_cstr(name + 2), value, count, why);
        if (error) {
            return error;
        }
    }
    return ERR_OK;
}

int64_t options_sentinel_port(const struct options *o)
{
    int64_t usual = o->port + 20000;

    return o->sentinel_port >= 0 ? o->sentinel_port : usual <= 65535 ? usual : 0;
}

void options_own_address(const struct options *o, char out[LIMIT_ADDRESS_BYTES])
{
    const char *announce = o->announce[0] ? o->announce : "127.0.0.1";

    if (!address_normalise(slice_from_cstr(announce), o->port, out)) {
        (void)snprintf(out, LIMIT_ADDRESS_BYTES, "127.0.0.1:%lld", (long long)o->port);
    }
}

static enum err check_address(const struct options *o, const char *name, const char *text, struct buf *why)
{
    char address[LIMIT_ADDRESS_BYTES];

    if (text[0] == '\0' || address_normalise(slice_from_cstr(text), o->port, address)) {
        return ERR_OK;
    }
    buf_printf(why, "option '%s': '%s' is not host:port.", name, text);
    return ERR_INVALID;
}

enum err options_check(const struct options *o, struct buf *why)
{
    /* A tenth of room for clocks that don't run at one rate. */
    if (o->lease * 10 > o->election_timeout * 9) {
        buf_printf(why, "option 'lease' (%lld ms) must be at most nine tenths of 'election-timeout' (%lld ms).", (long long)o->lease,
                   (long long)o->election_timeout);
        return ERR_INVALID;
    }
    if (o->heartbeat * 2 > o->election_timeout) {
        buf_printf(why, "option 'heartbeat' (%lld ms) must be at most half of 'election-timeout' (%lld ms).",
                   (long long)o->heartbeat, (long long)o->election_timeout);
        return ERR_INVALID;
    }
    struct buf phrase = {0};
    bool is_right = announce_networks_check(slice_from_cstr(o->announce_networks), &phrase);
    if (!is_right) {
        buf_printf(why, "option 'announce-networks': %.*s.", (int)buf_size(&phrase), (const char *)buf_slice(&phrase).p);
    }
    buf_deinit(&phrase);
    if (!is_right) {
        return ERR_INVALID;
    }
    if (check_address(o, "announce", o->announce, why) != ERR_OK || check_address(o, "join", o->join, why) != ERR_OK) {
        return ERR_INVALID;
    }
    if (o->sentinel_port == o->port) {
        buf_printf(why, "option 'sentinel-port' must not be the port.");
        return ERR_INVALID;
    }
    if (o->dir[0] == '\0') {
        buf_printf(why, "option 'dir' must not be empty.");
        return ERR_INVALID;
    }
    return ERR_OK;
}

static void help_range(const struct option_row *row, struct buf *out)
{
    switch (row->type) {
    case OPTION_INT:
        buf_printf(out, "%lld..%lld", (long long)row->min, (long long)row->max);
        break;
    case OPTION_BYTES:
        buf_printf(out, "bytes (1k, 1kb, 1m, 1mb, 1g, 1gb), %lld..%lld", (long long)row->min, (long long)row->max);
        break;
    case OPTION_BOOL:
        buf_printf(out, "yes|no");
        break;
    case OPTION_ENUM:
        buf_printf(out, "%s", row->choices);
        break;
    case OPTION_EVENTS:
        buf_printf(out, "letters of Ag$lshzxeKEtmdn");
        break;
    case OPTION_STRING:
        buf_printf(out, "text, at most %lld bytes", (long long)row->max);
        break;
    }
}

void options_help(struct buf *out)
{
    struct options defaults;

    options_init(&defaults);
    buf_printf(out, "Usage: coracle [configuration file] [--option value]...\n"
                    "       coracle import | export | restore --help\n"
                    "       coracle --help | --version\n\n"
                    "Without arguments: one durable node on port 6379. A file holds one option a line, in Redis's format;\n"
                    "flags override it.\n\n"
                    "Options (range; default; s: set at start only, otherwise CONFIG SET changes it too; c: the cluster's, the same\n"
                    "on all nodes and changed by CONFIG SET on any, given here it counts only when this node forms a cluster):\n\n");
    for (size_t i = 0; i < options_count(); i++) {
        const struct option_row *row = options_at(i);

        buf_printf(out, "  --%s%s\n      %s.\n      ", row->name, row->flags & OPTION_STARTUP_ONLY ? "  [s]" : row->scope == OPTION_SCOPE_CLUSTER ? "  [c]" : "", row->help);
        help_range(row, out);
        buf_printf(out, "; default: ");
        size_t before = buf_size(out);
        options_format(&defaults, row, out);
        buf_printf(out, before == buf_size(out) ? "empty\n" : "\n");
    }
    options_deinit(&defaults);
}
