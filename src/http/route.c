#include "http/route.h"

#include <string.h>

#include "base/json.h"
#include "http/api.h"

#define GET_ONLY (1u << VERB_GET)
#define POST_ONLY (1u << VERB_POST)
#define PUT_ONLY (1u << VERB_PUT)
#define DELETE_ONLY (1u << VERB_DELETE)

/* Sorted by pattern; a pattern that is the beginning of another one's key stands behind it ("/items/{key}/cas" first). */
static const struct http_route route_table[] = {
    {"/", ROUTE_DASHBOARD, GROUP_OWN, GET_ONLY, 0, NULL, NULL},
    {"/admin/status", ROUTE_STATUS, GROUP_LISTS, GET_ONLY, 0, NULL, NULL},
    {"/debug/state", ROUTE_RAFT_STATE, GROUP_ITEMS, GET_ONLY, 0, NULL, NULL},
    {"/delete/{key}", ROUTE_DELETE, GROUP_NODES, DELETE_ONLY, 0, nodes_delete_begin, nodes_delete_end},
    {"/fail/{id}", ROUTE_FAIL, GROUP_NODES, POST_ONLY, 0, NULL, NULL},
    {"/get/{key}", ROUTE_GET, GROUP_UPDATES, GET_ONLY, 0, updates_get_begin, updates_get_end},
    {"/healthz", ROUTE_HEALTHZ, GROUP_OWN, GET_ONLY, ROUTE_IS_OPEN, NULL, NULL},
    {"/items/{key}/cas", ROUTE_ITEM_CAS, GROUP_ITEMS, PUT_ONLY, 0, items_cas_begin, items_cas_end},
    {"/items/{key}", ROUTE_ITEM, GROUP_ITEMS, GET_ONLY | POST_ONLY | PUT_ONLY | DELETE_ONLY, 0, items_begin, items_end},
    {"/keys/{key}", ROUTE_LIST, GROUP_LISTS, GET_ONLY | POST_ONLY, 0, lists_begin, lists_end},
    {"/metrics", ROUTE_METRICS, GROUP_OWN, GET_ONLY, 0, NULL, NULL},
    {"/nodes", ROUTE_NODES, GROUP_NODES, GET_ONLY, 0, NULL, NULL},
    {"/nodes_for_key/{key}", ROUTE_NODES_FOR_KEY, GROUP_NODES, GET_ONLY, 0, NULL, NULL},
    {"/read/{key}", ROUTE_READ, GROUP_NODES, GET_ONLY, 0, nodes_read_begin, nodes_read_end},
    {"/readyz", ROUTE_READYZ, GROUP_OWN, GET_ONLY, ROUTE_IS_OPEN, NULL, NULL},
    {"/recover/{id}", ROUTE_RECOVER, GROUP_NODES, POST_ONLY, 0, NULL, NULL},
    {"/set/{key}/{value}", ROUTE_SET, GROUP_UPDATES, GET_ONLY | POST_ONLY, 0, updates_set_begin, updates_set_end},
    {"/v1/cluster", ROUTE_CLUSTER, GROUP_OWN, GET_ONLY, 0, NULL, NULL},
    {"/v1/cluster/members", ROUTE_MEMBERS, GROUP_OWN, POST_ONLY, 0, own_member_begin, own_ok_end},
    {"/v1/cluster/members/{address}", ROUTE_MEMBER, GROUP_OWN, DELETE_ONLY, 0, own_member_begin, own_ok_end},
    {"/v1/cluster/transfer", ROUTE_TRANSFER, GROUP_OWN, POST_ONLY, 0, own_transfer_begin, own_ok_end},
    {"/v1/command", ROUTE_COMMAND, GROUP_OWN, POST_ONLY, 0, own_command_begin, own_command_end},
    {"/v1/keys/{key}", ROUTE_KEY, GROUP_OWN, GET_ONLY | PUT_ONLY | DELETE_ONLY, ROUTE_TAKES_BYTES, own_key_begin, own_key_end},
    {"/v1/live", ROUTE_LIVE, GROUP_OWN, GET_ONLY, ROUTE_IS_SOCKET, NULL, NULL},
    {"/v1/openapi.json", ROUTE_OPENAPI, GROUP_OWN, GET_ONLY, 0, NULL, NULL},
    {"/v1/pipeline", ROUTE_PIPELINE, GROUP_OWN, POST_ONLY, 0, own_pipeline_begin, NULL},
    {"/v1/watch", ROUTE_WATCH, GROUP_OWN, GET_ONLY, ROUTE_IS_STREAM, NULL, NULL},
    {"/write", ROUTE_WRITE, GROUP_NODES, POST_ONLY, 0, nodes_write_begin, nodes_write_end},
    {"/ws", ROUTE_WS, GROUP_UPDATES, GET_ONLY, ROUTE_IS_SOCKET, NULL, NULL},
};

size_t http_route_count(void)
{
    return sizeof route_table / sizeof route_table[0];
}

const struct http_route *http_route_at(size_t position)
{
    return &route_table[position];
}

void http_path_deinit(struct http_path *path)
{
    buf_deinit(&path->made);
}

static unsigned hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                  : 16;
}

bool http_percent_decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%') {
            buf_append_byte(out, text.p[i]);
            continue;
        }
        if (text.n - i < 3 || hex_digit(text.p[i + 1]) > 15 || hex_digit(text.p[i + 2]) > 15) {
            return false;
        }
        buf_append_byte(out, (uint8_t)(hex_digit(text.p[i + 1]) * 16 + hex_digit(text.p[i + 2])));
        i += 2;
    }
    return true;
}

/* Does `path` look like `pattern`? *key and *value are what stands in the places of its names, still encoded. A name in the middle
 * ends at the next '/', or where the pattern's tail begins; the last one takes everything, slashes too. */
static bool pattern_matches(const char *pattern, struct slice path, struct slice *key, struct slice *value)
{
    const char *brace = strchr(pattern, '{');
    size_t fixed = brace ? (size_t)(brace - pattern) : strlen(pattern);
    if (path.n < fixed || memcmp(path.p, pattern, fixed) != 0) {
        return false;
    }
    struct slice rest = slice_skip(path, fixed);
    if (!brace) {
        return rest.n == 0;
    }
    const char *tail = strchr(brace, '}') + 1;
    *key = rest;
    if (*tail == '/' && tail[1] == '{') {
        const uint8_t *slash = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
        if (!slash) {
            return false;
        }
        key->n = (size_t)(slash - rest.p);
        *value = slice_skip(rest, key->n + 1);
    } else if (*tail != '\0') {
        size_t n = strlen(tail);
        if (rest.n <= n || memcmp(rest.p + rest.n - n, tail, n) != 0) {
            return false;
        }
        key->n = rest.n - n;
    }
    return key->n > 0;
}

/* Decodes both in place of the encoded ones; borrowed as they are when nothing is escaped. */
static bool path_decode(struct http_path *parts)
{
    struct slice *part[2] = {&parts->key, &parts->value};
    size_t start[3] = {0};
    buf_clear(&parts->made, SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        start[i] = buf_size(&parts->made);
        if (!http_percent_decode(*part[i], &parts->made)) {
            return false;
        }
    }
    start[2] = buf_size(&parts->made);
    for (size_t i = 0; i < 2; i++) {
        *part[i] = (struct slice){buf_slice(&parts->made).p + start[i], start[i + 1] - start[i]};
    }
    return true;
}

const struct http_route *http_route_find(struct slice path, struct http_path *parts, bool *is_bad)
{
    *is_bad = false;
    for (size_t i = 0; i < http_route_count(); i++) {
        parts->key = parts->value = (struct slice){0};
        if (!pattern_matches(route_table[i].pattern, path, &parts->key, &parts->value)) {
            continue;
        }
        bool is_escaped = path.n > 0 && memchr(path.p, '%', path.n);
        if (is_escaped && !path_decode(parts)) {
            *is_bad = true;
            return NULL;
        }
        return &route_table[i];
    }
    return NULL;
}

bool http_route_takes(const struct http_route *route, enum http_verb verb)
{
    if (verb == VERB_HEAD) {
        verb = VERB_GET;
    }
    return verb != VERB_OTHER && (route->verbs & 1u << verb) != 0;
}

void http_route_append_verbs(const struct http_route *route, struct buf *out)
{
    static const enum http_verb order[] = {VERB_GET, VERB_HEAD, VERB_POST, VERB_PUT, VERB_DELETE};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (http_route_takes(route, order[i])) {
            buf_printf(out, "%s, ", http_verb_name(order[i]));
        }
    }
    buf_append(out, "OPTIONS", 7);
}

bool http_escapes_are_good(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && (text.n - i < 3 || hex_digit(text.p[i + 1]) > 15 || hex_digit(text.p[i + 2]) > 15)) {
            return false;
        }
    }
    return true;
}

bool http_query_find(struct slice query, const char *name, struct buf *value)
{
    size_t n = strlen(name);
    while (query.n > 0) {
        const uint8_t *amp = memchr(query.p, '&', query.n);
        struct slice pair = {query.p, amp ? (size_t)(amp - query.p) : query.n};
        query = slice_skip(query, amp ? pair.n + 1 : pair.n);
        if (pair.n >= n && memcmp(pair.p, name, n) == 0 && (pair.n == n || pair.p[n] == '=')) {
            struct slice encoded = slice_skip(pair, pair.n == n ? n : n + 1);
            while (encoded.n > 0) { /* As forms and URLSearchParams write it: '+' is a blank. */
                const uint8_t *plus = memchr(encoded.p, '+', encoded.n);
                struct slice part = {encoded.p, plus ? (size_t)(plus - encoded.p) : encoded.n};
                if (!http_percent_decode(part, value)) {
                    return false; /* not where http_escapes_are_good was asked first */
                }
                if (plus) {
                    buf_append_byte(value, ' ');
                }
                encoded = slice_skip(encoded, plus ? part.n + 1 : part.n);
            }
            return true;
        }
    }
    return false;
}
