#include "http/safety.h"

#include <string.h>

#include "base/checksum.h"

/* In the order of the checks:
 *
 * H1  A Host that is no IP address, not localhost and no configured name is refused: a name of the attacker's that leads here
 *     (DNS rebinding) makes its pages "same origin" to a browser, but not to us.
 * H2  A foreign Origin is refused, whatever the method. Preflights of PUT, DELETE and JSON POSTs so fail too. What a browser sends
 *     without Origin can't change data: GET and HEAD never do.
 * H3  A POST's body must be application/json, which a form can't send and a script can't without a preflight; an
 *     empty body needs none.
 * H4  Password or token guard everything but the probes. */

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == '\t';
}

/* Is `word` in the list, in any case? */
static bool list_has(const char *list, struct slice word)
{
    while (*list) {
        size_t n = 0;
        while (list[n] && !is_separator(list[n])) {
            n++;
        }
        if (n == word.n && n > 0) {
            size_t i = 0;
            while (i < n && ((uint8_t)list[i] | 0x20) == (word.p[i] | 0x20)) {
                i++;
            }
            if (i == n) {
                return true;
            }
        }
        list += n + (list[n] ? 1 : 0);
    }
    return false;
}

/* Nothing, or a colon and digits. */
static bool is_port(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (i == 0 ? text.p[i] != ':' : text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
    }
    return true;
}

/* "host:port", "[v6]:port", "host" -> host, without brackets; empty: none of these. */
static struct slice host_of(struct slice authority)
{
    bool is_bracketed = authority.n > 0 && authority.p[0] == '[';
    const uint8_t *end = authority.n > 0 ? memchr(authority.p, is_bracketed ? ']' : ':', authority.n) : NULL;
    size_t n = end ? (size_t)(end - authority.p) : authority.n;
    struct slice host = is_bracketed ? (struct slice){authority.p + 1, n - 1} : (struct slice){authority.p, n};
    struct slice rest = slice_skip(authority, is_bracketed && end ? n + 1 : n);
    return (is_bracketed && !end) || !is_port(rest) ? (struct slice){0} : host;
}

static bool is_ip(struct slice host)
{
    size_t dots = 0;
    size_t colons = 0;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool is_hex = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        dots += c == '.';
        colons += c == ':';
        if (!(c >= '0' && c <= '9') && c != '.' && c != ':' && !is_hex) {
            return false;
        }
        if (is_hex && memchr(host.p, ':', host.n) == NULL) {
            return false;
        }
    }
    return colons >= 2 || (dots == 3 && colons == 0);
}

static bool host_is_known(const struct http_head *head, const struct http_policy *policy)
{
    struct slice host = host_of(head->field[FIELD_HOST]);
    if (head->count[FIELD_HOST] == 0) {
        return true; /* HTTP/1.0: no browser */
    }
    return host.n > 0 && (is_ip(host) || slice_equal_nocase(host, "localhost") || list_has(policy->host_names, host));
}

/* What follows "http://" or "https://"; empty: another scheme. */
static struct slice origin_authority(struct slice origin)
{
    static const char *const scheme[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(scheme[i]);
        if (origin.n > n && slice_equal_nocase((struct slice){origin.p, n}, scheme[i])) {
            return slice_skip(origin, n);
        }
    }
    return (struct slice){0};
}

static bool equal_nocase(struct slice a, struct slice b)
{
    for (size_t i = 0; a.n == b.n && i < a.n; i++) {
        if ((a.p[i] | 0x20) != (b.p[i] | 0x20)) {
            return false;
        }
    }
    return a.n == b.n;
}

enum http_origin http_origin_of(const struct http_head *head, const struct http_policy *policy)
{
    struct slice origin = head->field[FIELD_ORIGIN];
    struct slice authority = origin_authority(origin);
    if (head->count[FIELD_ORIGIN] == 0) {
        return ORIGIN_NONE;
    }
    if (head->count[FIELD_ORIGIN] > 1) {
        return ORIGIN_FOREIGN;
    }
    if (authority.n > 0 && equal_nocase(authority, head->field[FIELD_HOST])) {
        return ORIGIN_SAME;
    }
    if (origin.n > 0 && list_has(policy->allow_origins, origin)) {
        return ORIGIN_ALLOWED;
    }
    return authority.n > 0 && list_has(policy->own_origins, authority) ? ORIGIN_MEMBER : ORIGIN_FOREIGN;
}

void http_append_cross_origin(struct buf *fields, struct slice origin)
{
    buf_printf(fields, "Access-Control-Allow-Origin: ");
    buf_append_slice(fields, origin);
    buf_printf(fields, "\r\nAccess-Control-Expose-Headers: ETag, X-Coracle-Index, Retry-After\r\nVary: Origin\r\n");
}

/* --- who asks ------------------------------------------------------------------------------------- */

bool base64_decode(struct slice text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    while (text.n > 0 && text.p[text.n - 1] == '=') {
        text.n--;
    }
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        uint32_t digit = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
                         : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a' + 26)
                         : c >= '0' && c <= '9' ? (uint32_t)(c - '0' + 52)
                         : c == '+'             ? 62
                         : c == '/'             ? 63
                                                : 64;
        if (digit == 64) {
            return false;
        }
        bits = bits << 6 | digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_append_byte(out, (uint8_t)(bits >> count));
        }
    }
    return true;
}

/* By digests, so that the time tells nothing about the secret. */
static bool is_secret(struct slice given, const char *secret)
{
    uint8_t a[32];
    uint8_t b[32];
    struct slice wanted = slice_from_cstr(secret);
    sha256(given.p, given.n, a);
    sha256(wanted.p, wanted.n, b);
    return wanted.n > 0 && bytes_equal_constant_time(a, b, sizeof a);
}

static struct slice after_scheme(struct slice field, const char *scheme)
{
    size_t n = strlen(scheme);
    if (field.n <= n || !slice_equal_nocase((struct slice){field.p, n}, scheme) || field.p[n] != ' ') {
        return (struct slice){0};
    }
    field = slice_skip(field, n);
    while (field.n > 0 && field.p[0] == ' ') {
        field = slice_skip(field, 1);
    }
    return field;
}

static bool is_authorized(const struct http_head *head, const struct http_policy *policy)
{
    if (policy->password[0] == '\0' && policy->token[0] == '\0') {
        return true;
    }
    struct slice bearer = after_scheme(head->field[FIELD_AUTHORIZATION], "Bearer");
    struct slice basic = after_scheme(head->field[FIELD_AUTHORIZATION], "Basic");
    if (bearer.n > 0) {
        return is_secret(bearer, policy->token) || is_secret(bearer, policy->password);
    }
    struct buf plain = {0};
    bool is_right = false;
    if (basic.n > 0 && base64_decode(basic, &plain)) {
        struct slice pair = buf_slice(&plain);
        const uint8_t *colon = pair.n > 0 ? memchr(pair.p, ':', pair.n) : NULL;
        struct slice password = colon ? slice_skip(pair, (size_t)(colon - pair.p) + 1) : pair;
        is_right = is_secret(password, policy->password) || is_secret(password, policy->token);
    }
    buf_deinit(&plain);
    return is_right;
}

static void refuse_credentials(const struct http_route *route, struct http_response *response)
{
    if (route && route->group == GROUP_NODES) {
        http_response_json(response, 403, "{\"error\":\"Unauthorized\",\"message\":\"Invalid API token\"}");
        return;
    }
    http_response_error(response, 401, "NOAUTH Authentication required.");
    buf_printf(&response->fields, "WWW-Authenticate: Basic realm=\"coracle\", charset=\"UTF-8\"\r\n");
}

/* --- preflights ------------------------------------------------------------------------------------ */

static void answer_options(const struct http_head *head, const struct http_route *route, enum http_origin origin,
                           struct http_response *response)
{
    http_response_empty(response, 204);
    buf_printf(&response->fields, "Allow: ");
    http_route_append_verbs(route, &response->fields);
    buf_printf(&response->fields, "\r\n");
    if (origin == ORIGIN_ALLOWED) {
        http_append_cross_origin(&response->fields, head->field[FIELD_ORIGIN]);
        buf_printf(&response->fields, "Access-Control-Allow-Methods: ");
        http_route_append_verbs(route, &response->fields);
        buf_printf(&response->fields, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, If-Match, If-None-Match\r\n"
                                      "Access-Control-Max-Age: 600\r\n");
    }
}

static bool is_json(struct slice type)
{
    const uint8_t *semicolon = type.n > 0 ? memchr(type.p, ';', type.n) : NULL;
    type.n = semicolon ? (size_t)(semicolon - type.p) : type.n;
    while (type.n > 0 && type.p[type.n - 1] == ' ') {
        type.n--;
    }
    return slice_equal_nocase(type, HTTP_TYPE_JSON);
}

static bool has_body(const struct http_head *head)
{
    return head->is_chunked || head->content_length > 0;
}

/* H2. A member's dashboard may open sockets and move the leader, as if it were ours. */
static bool check_origin(const struct http_head *head, const struct http_policy *policy, struct http_response *response)
{
    if (http_origin_of(head, policy) != ORIGIN_FOREIGN) {
        return true;
    }
    http_response_error(response, 403, "this origin may not use this server (http-allow-origin)");
    return false;
}

/* H3, sizes, and GET requests with side effects. */
static bool check_body(const struct http_head *head, const struct http_route *route, const struct http_policy *policy,
                       struct http_response *response)
{
    struct slice site = head->field[FIELD_SEC_FETCH_SITE];
    bool is_set_by_get = route->id == ROUTE_SET && head->verb == VERB_GET;
    if (is_set_by_get && site.n > 0 && !slice_equal_nocase(site, "same-origin") && !slice_equal_nocase(site, "none")) {
        http_response_error(response, 403, "another site's page may not change data");
        return false;
    }
    if (head->content_length > policy->body_max) {
        http_response_error(response, 413, "the body is longer than http-max-body");
        return false;
    }
    if (has_body(head) && head->verb != VERB_GET && head->verb != VERB_HEAD && !(route->flags & ROUTE_TAKES_BYTES) &&
        !is_json(head->field[FIELD_CONTENT_TYPE])) {
        if (route->id == ROUTE_LIST) {
            http_response_begin(response, 400, "text/plain");
            buf_printf(&response->body, "The request is not valid");
        } else {
            http_response_error(response, 415, "the body must be application/json");
        }
        return false;
    }
    return true;
}

bool http_is_admitted(const struct http_head *head, const struct http_route *route, const struct http_policy *policy,
                      struct http_response *response)
{
    if (!host_is_known(head, policy)) {
        http_response_error(response, 403, "this Host is not known here: an IP address, localhost, or a name of http-host-names");
        return false;
    }
    if (!check_origin(head, policy, response)) {
        return false;
    }
    if (head->verb == VERB_OPTIONS && slice_equal_nocase(head->target, "*")) {
        http_response_empty(response, 204); /* of the server as a whole (RFC 9110 §9.3.7) */
        buf_printf(&response->fields, "Allow: GET, HEAD, PUT, POST, DELETE, OPTIONS\r\n");
        return false;
    }
    /* A preflight carries no credentials. */
    if (head->verb == VERB_OPTIONS && route) {
        enum http_origin origin = http_origin_of(head, policy);
        if (head->count[FIELD_REQUEST_METHOD] > 0 && origin != ORIGIN_ALLOWED && origin != ORIGIN_SAME) {
            http_response_error(response, 403, "this origin may not use this server (http-allow-origin)");
            return false;
        }
        answer_options(head, route, origin, response);
        return false;
    }
    if (!(route && (route->flags & ROUTE_IS_OPEN)) && !is_authorized(head, policy)) {
        refuse_credentials(route, response);
        return false;
    }
    if (!route) {
        http_response_error(response, 404, "no such path");
        return false;
    }
    if (!http_route_takes(route, head->verb)) {
        http_response_error(response, 405, "this path does not take that method");
        buf_printf(&response->fields, "Allow: ");
        http_route_append_verbs(route, &response->fields);
        buf_printf(&response->fields, "\r\n");
        return false;
    }
    return check_body(head, route, policy, response);
}
