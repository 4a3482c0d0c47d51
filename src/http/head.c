#include "http/head.h"

#include <string.h>

#include "base/assert.h"

/* Two passes over the same bytes. The first is ours and strict about what is a line, a name, a value: the library was made to be
 * lenient, and its packaged build leaves some of its own checks out. The second is the library's: method, target,
 * version, lengths. Both must be content. */

static struct slice trim(struct slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = slice_skip(s, 1);
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

size_t http_head_blanks(struct slice input)
{
    size_t n = 0;
    while (n < input.n && (input.p[n] == '\r' || input.p[n] == '\n')) {
        n++;
    }
    return n;
}

bool http_list_has(struct slice list, const char *token)
{
    while (list.n > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct slice word = {list.p, comma ? (size_t)(comma - list.p) : list.n};
        list = slice_skip(list, comma ? word.n + 1 : word.n);
        if (slice_equal_nocase(trim(word), token)) {
            return true;
        }
    }
    return false;
}

const char *http_verb_name(enum http_verb verb)
{
    static const char *const name[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", ""};
    return name[verb];
}

#ifdef HAVE_HTTP_PARSER
#include <http_parser.h>

static bool is_token(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

const bool http_is_built = true;

static const char *const field_name[FIELD_COUNT] = {
    "accept",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "last-event-id",
    "origin",
    "sec-fetch-site",
    "sec-websocket-key",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
};

/* Bytes of the head, its empty line included; 0: not all here. */
static size_t head_size(struct slice input, size_t *scanned)
{
    size_t from = *scanned > 3 ? *scanned - 3 : 0;
    const uint8_t *at = input.p + from;
    const uint8_t *end = input.p + input.n;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        /* An empty line, with any line end: what is wrong with it is said later. */
        if (at < end && *at == '\n') {
            return (size_t)(at + 1 - input.p);
        }
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
            return (size_t)(at + 2 - input.p);
        }
    }
    *scanned = input.n;
    return 0;
}

static const char *check_value(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f) {
            return "a header field holds a control character";
        }
    }
    return NULL;
}

static void note_field(struct http_head *head, struct slice name, struct slice value)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (slice_equal_nocase(name, field_name[i])) {
            head->field[i] = value;
            head->count[i] = (uint8_t)(head->count[i] < 255 ? head->count[i] + 1 : 255);
            return;
        }
    }
}

/* One line without its CR LF. */
static const char *take_field(struct http_head *head, struct slice line)
{
    size_t n = 0;
    while (n < line.n && is_token(line.p[n])) {
        n++;
    }
    if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
        return "a folded header line";
    }
    if (n == 0 || n == line.n || line.p[n] != ':') {
        return "a header line without a name and a colon";
    }
    struct slice value = trim(slice_skip(line, n + 1));
    note_field(head, (struct slice){line.p, n}, value);
    return check_value(value);
}

static const char *check_request_line(struct slice line)
{
    size_t blanks = 0;
    for (size_t i = 0; i < line.n; i++) {
        blanks += line.p[i] == ' ';
        if (line.p[i] < ' ' || line.p[i] == 0x7f) {
            return "the request line holds a control character";
        }
    }
    return blanks == 2 ? NULL : "the request line must be method, target and version";
}

/* Our pass. NULL: content. */
static const char *take_lines(struct http_head *head, struct slice input)
{
    bool is_first = true;
    while (input.n > 2) {
        const uint8_t *lf = memchr(input.p, '\n', input.n);
        size_t n = (size_t)(lf - input.p);
        if (n == 0 || lf[-1] != '\r' || memchr(input.p, '\r', n - 1)) {
            return "lines must end in CR LF";
        }
        struct slice line = {input.p, n - 1};
        const char *why = is_first ? check_request_line(line) : take_field(head, line);
        if (why) {
            return why;
        }
        is_first = false;
        input = slice_skip(input, n + 1);
    }
    return input.n == 2 && input.p[0] == '\r' ? NULL : "lines must end in CR LF";
}

static int on_url(http_parser *parser, const char *at, size_t n)
{
    struct http_head *head = parser->data;
    if (head->target.n > 0) {
        head->target.n += n;
    } else {
        head->target = (struct slice){(const uint8_t *)at, n};
    }
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_head *head = parser->data;
    head->minor = parser->http_minor;
    head->is_chunked = (parser->flags & F_CHUNKED) != 0;
    head->content_length = !head->is_chunked && (parser->flags & F_CONTENTLENGTH) ? parser->content_length : 0;
    head->is_upgrade = (parser->flags & F_CONNECTION_UPGRADE) && (parser->flags & F_UPGRADE);
    head->is_kept_alive = http_should_keep_alive(parser) != 0;
    return 0;
}

static enum http_verb verb_of(const http_parser *parser)
{
    switch (parser->method) {
    case HTTP_GET:
        return VERB_GET;
    case HTTP_HEAD:
        return VERB_HEAD;
    case HTTP_POST:
        return VERB_POST;
    case HTTP_PUT:
        return VERB_PUT;
    case HTTP_DELETE:
        return VERB_DELETE;
    case HTTP_OPTIONS:
        return VERB_OPTIONS;
    default: /* The library knows many more. */
        return VERB_OTHER;
    }
}

static int status_of(enum http_errno e)
{
    switch ((int)e) {
    case HPE_INVALID_VERSION:
        return 505;
    case HPE_INVALID_METHOD:
        return 501;
    case HPE_HEADER_OVERFLOW:
        return 431;
    default:
        return 400;
    }
}

/* The library's pass. */
static bool run_parser(struct http_head *head, struct slice input, int *status, const char **why)
{
    http_parser parser;
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_headers_complete = on_headers_complete;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = head;
    (void)http_parser_execute(&parser, &settings, (const char *)input.p, input.n);
    enum http_errno e = HTTP_PARSER_ERRNO(&parser);
    if (e != HPE_OK) {
        *status = status_of(e);
        *why = http_errno_description(e);
        return false;
    }
    head->verb = verb_of(&parser);
    if (parser.http_major != 1) {
        *status = 505;
        *why = "HTTP/1.1 is spoken here";
        return false;
    }
    return true;
}

/* The absolute form (RFC 9112 §3.2.2), which proxies send: what it names counts, whatever Host says. */
static const char *take_absolute(struct http_head *head)
{
    static const char *const scheme[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(scheme[i]);
        if (head->target.n < n || !slice_equal_nocase((struct slice){head->target.p, n}, scheme[i])) {
            continue;
        }
        struct slice rest = slice_skip(head->target, n);
        size_t authority = 0;
        while (authority < rest.n && rest.p[authority] != '/' && rest.p[authority] != '?') {
            authority++;
        }
        if (authority == 0 || (authority < rest.n && rest.p[authority] == '?')) {
            return "the target names no host, or no path";
        }
        head->field[FIELD_HOST] = (struct slice){rest.p, authority};
        head->target = authority < rest.n ? slice_skip(rest, authority) : slice_from_cstr("/");
        return NULL;
    }
    return NULL;
}

/* What stands against the head as a whole. */
static const char *check_whole(const struct http_head *head, int *status)
{
    *status = 400;
    for (size_t i = 0; i < head->target.n; i++) {
        if (head->target.p[i] <= ' ' || head->target.p[i] >= 0x7f) {
            return "the target holds a byte that must be percent-encoded";
        }
    }
    if (head->count[FIELD_HOST] > 1 || (head->minor > 0 && head->count[FIELD_HOST] == 0)) {
        return "one Host field is needed";
    }
    if (head->count[FIELD_TRANSFER_ENCODING] > 0) {
        if (head->count[FIELD_CONTENT_LENGTH] > 0 || head->count[FIELD_TRANSFER_ENCODING] > 1 || head->minor == 0) {
            return "Transfer-Encoding beside another length, or before HTTP/1.1";
        }
        if (!slice_equal_nocase(head->field[FIELD_TRANSFER_ENCODING], "chunked")) {
            *status = 501;
            return "the only transfer coding known here is chunked";
        }
    }
    if (head->count[FIELD_CONTENT_LENGTH] > 1) {
        return "two Content-Length fields";
    }
    if (head->count[FIELD_EXPECT] > 0 && !slice_equal_nocase(head->field[FIELD_EXPECT], "100-continue")) {
        *status = 417;
        return "the only expectation known here is 100-continue";
    }
    return NULL;
}

static enum http_head_result head_bad(int status, const char *why, int *status_out, const char **why_out)
{
    *status_out = status;
    *why_out = why;
    return HEAD_BAD;
}

enum http_head_result
http_head_parse(struct slice input, size_t *scanned, struct http_head *head, size_t *size, int *status, const char **why)
{
    if (input.n == 0) {
        return HEAD_NEED_MORE;
    }
    *size = head_size(input, scanned);
    if (*size > HTTP_HEAD_BYTES_MAX || (*size == 0 && input.n > HTTP_HEAD_BYTES_MAX)) {
        const uint8_t *lf = memchr(input.p, '\n', HTTP_TARGET_BYTES_MAX);
        return lf ? head_bad(431, "the header fields are longer than 16 KiB", status, why)
                  : head_bad(414, "the request line is longer than 8 KiB", status, why);
    }
    if (*size == 0) {
        return HEAD_NEED_MORE;
    }
    *head = (struct http_head){0};
    struct slice bytes = {input.p, *size};
    const char *text = take_lines(head, bytes);
    if (text) {
        return head_bad(400, text, status, why);
    }
    if (!run_parser(head, bytes, status, why)) {
        return HEAD_BAD;
    }
    if (head->target.n > HTTP_TARGET_BYTES_MAX) {
        return head_bad(414, "the request line is longer than 8 KiB", status, why);
    }
    int code;
    text = check_whole(head, &code);
    text = text ? text : take_absolute(head);
    return text ? head_bad(code, text, status, why) : HEAD_OK;
}

#else

const bool http_is_built = false;

enum http_head_result
http_head_parse(struct slice input, size_t *scanned, struct http_head *head, size_t *size, int *status, const char **why)
{
    (void)input;
    (void)scanned;
    (void)head;
    *size = 0;
    *status = 501;
    *why = "this coracle was built without an HTTP parser";
    return HEAD_BAD;
}

#endif
