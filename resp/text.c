#include "resp/text.h"

#include <string.h>

#include "base/assert.h"
#include "resp/reply.h"

/* An unknown command's name is cut there, as Redis cuts it in its own error. */
#define TEXT_NAME_SHOWN_BYTES 128u

static const struct text_verb text_verbs[] = {
    {"put", "text.put", 3, 3, "put <key> <value>", "Add a new key.", "put key1 \"hello world\""},
    {"get", "text.get", 2, 2, "get <key>", "Show a key's value.", "get key1"},
    {"update", "text.update", 3, 3, "update <key> <value>", "Change an existing key.",
     "update key1 value2"},
    {"delete", "text.delete", 2, 2, "delete <key>", "Remove a key.", "delete key1"},
    {"add-node", "text.add-node", 2, 2, "add-node <host>[:<port>]", "Add a node to the cluster.",
     "add-node 192.168.1.2"},
    {"remove-node", "text.remove-node", 2, 2, "remove-node <host>[:<port>]",
     "Remove a node from the cluster.", "remove-node 192.168.1.3"},
    {"status", "text.status", 1, 1, "status", "Show leader, nodes and sync status.", "status"},
    {"auth", "text.auth", 2, 2, "auth <password>", "Authenticate, if a password is set.",
     "auth secret"},
    {"help", "text.help", 1, 1, "help", "Show this.", "help"},
    {"quit", "text.quit", 1, 1, "quit", "Close the connection.", "quit"},
};

size_t text_verb_count(void)
{
    return sizeof text_verbs / sizeof text_verbs[0];
}

const struct text_verb *text_verb_at(size_t i)
{
    ASSERT(i < text_verb_count());
    return &text_verbs[i];
}

const struct text_verb *text_verb_find(struct slice name)
{
    for (size_t i = 0; i < text_verb_count(); i++) {
        if (slice_equal_nocase(name, text_verbs[i].name)) {
            return &text_verbs[i];
        }
    }
    return NULL;
}

static void text_append(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text));
}

static void text_append_arrow(struct buf *out, struct slice key, struct slice value)
{
    reply_text_escape(out, key);
    text_append(out, " -> ");
    reply_text_escape(out, value);
}

void text_append_added(struct buf *out, struct slice key, struct slice value)
{
    text_append(out, "SUCCESS: ");
    text_append_arrow(out, key, value);
    text_append(out, " added.");
}

void text_append_value(struct buf *out, struct slice key, struct slice value)
{
    text_append_arrow(out, key, value);
}

void text_append_updated(struct buf *out, struct slice key, struct slice value)
{
    text_append(out, "SUCCESS: ");
    reply_text_escape(out, key);
    text_append(out, " updated to ");
    reply_text_escape(out, value);
    text_append(out, ".");
}

void text_append_removed(struct buf *out, struct slice key)
{
    text_append(out, "SUCCESS: ");
    reply_text_escape(out, key);
    text_append(out, " removed.");
}

void text_append_wrong_type(struct buf *out, const char *type_name)
{
    text_append(out, "ERROR: Key holds a ");
    text_append(out, type_name);
    text_append(out, ", not a string.");
}

void text_append_usage(struct buf *out, const struct text_verb *verb)
{
    text_append(out, "ERROR: Invalid command format. ");
    if (verb) {
        text_append(out, "Usage: ");
        text_append(out, verb->usage);
    } else {
        text_append(out, "Type help.");
    }
}

void text_append_unknown_command(struct buf *out, struct slice name)
{
    if (name.n > TEXT_NAME_SHOWN_BYTES) {
        name.n = TEXT_NAME_SHOWN_BYTES;
    }
    text_append(out, "ERROR: Unknown command '");
    reply_text_escape(out, name);
    text_append(out, "'. Type help.");
}

void text_append_help(struct buf *out)
{
    for (size_t i = 0; i < text_verb_count(); i++) {
        const struct text_verb *verb = &text_verbs[i];
        buf_printf(out, "%s%-27s  %-36s e.g. %s", i > 0 ? "\n" : "", verb->usage, verb->summary,
                   verb->example);
    }
}

/* True when `error` begins with the code word `code`. */
static bool text_has_code(struct slice error, const char *code)
{
    size_t n = strlen(code);
    return error.n >= n && memcmp(error.p, code, n) == 0 && (error.n == n || error.p[n] == ' ');
}

static struct slice text_without_code(struct slice error)
{
    size_t n = 0;
    while (n < error.n && error.p[n] >= 'A' && error.p[n] <= 'Z') {
        n++;
    }
    bool has_code = n > 0 && n + 1 < error.n && error.p[n] == ' ';
    return has_code ? slice_skip(error, n + 1) : error;
}

void text_append_error(struct buf *out, struct slice error)
{
    static const struct {
        const char *code;
        const char *line;
    } lines[] = {
        {"CLUSTERDOWN", TEXT_LEADER_UNAVAILABLE},
        {"NOAUTH", TEXT_AUTH_REQUIRED},
        {"WRONGPASS", TEXT_AUTH_WRONG},
        {"UNKNOWN", TEXT_OUTCOME_UNKNOWN},
    };
    static const char removed[] = "CLUSTERDOWN this node was removed";
    bool is_removed = error.n >= sizeof removed - 1 && memcmp(error.p, removed, sizeof removed - 1) == 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0] && !is_removed; i++) {
        if (text_has_code(error, lines[i].code)) {
            text_append(out, lines[i].line);
            return;
        }
    }
    text_append(out, "ERROR: ");
    struct slice message = text_without_code(error);
    for (size_t i = 0; i < message.n; i++) {
        uint8_t byte = message.p[i];
        buf_append_byte(out, byte == '\r' || byte == '\n' ? ' ' : byte);
    }
}
