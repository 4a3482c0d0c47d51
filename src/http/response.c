#include "http/response.h"

#include <string.h>

#include "base/json.h"
#include "base/number.h"

void http_response_deinit(struct http_response *r)
{
    buf_deinit(&r->body);
    buf_deinit(&r->fields);
}

void http_response_begin(struct http_response *r, int status, const char *content_type)
{
    r->status = status;
    r->content_type = content_type;
    buf_clear(&r->body, SIZE_MAX);
    buf_clear(&r->fields, SIZE_MAX);
}

void http_response_text(struct http_response *r, int status, const char *text)
{
    http_response_begin(r, status, HTTP_TYPE_TEXT);
    buf_append(&r->body, text, strlen(text));
}

void http_response_json(struct http_response *r, int status, const char *json)
{
    http_response_begin(r, status, HTTP_TYPE_JSON);
    buf_append(&r->body, json, strlen(json));
}

void http_response_empty(struct http_response *r, int status)
{
    http_response_begin(r, status, NULL);
}

void http_response_error(struct http_response *r, int status, const char *text)
{
    http_response_begin(r, status, HTTP_TYPE_JSON);
    buf_append(&r->body, "{\"error\":", 9);
    json_append_cstr(&r->body, text);
    buf_append_byte(&r->body, '}');
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].status == status) {
            return table[i].reason;
        }
    }
    return "Unknown";
}

/* Days since 1970-01-01 to year, month, day (the civil calendar, by eras of 400 years). */
static void civil_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

void http_append_date(struct buf *out, int64_t wall_ms)
{
    static const char *const week[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const name[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = wall_ms / 1000;
    int64_t days = seconds / 86400;
    int rest = (int)(seconds % 86400);
    int year;
    int month;
    int day;
    civil_of(days, &year, &month, &day);
    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d GMT", week[days % 7], day, name[month - 1], year, rest / 3600, rest / 60 % 60,
               rest % 60);
}

static void append(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text));
}

static void append_number(struct buf *out, uint64_t number)
{
    char digits[NUMBER_TEXT_MAX];
    buf_append(out, digits, number_format_u64(number, digits));
}

void http_response_append(struct buf *out, const struct http_response *r, const struct http_framing *f)
{
    bool may_have_body = r->status >= 200 && r->status != 204 && r->status != 304;
    append(out, "HTTP/1.1 ");
    append_number(out, (uint64_t)r->status);
    buf_append_byte(out, ' ');
    append(out, http_reason(r->status));
    if (f->wall_ms > 0) {
        append(out, "\r\nDate: ");
        http_append_date(out, f->wall_ms);
    }
    if (r->content_type) {
        append(out, "\r\nContent-Type: ");
        append(out, r->content_type);
    }
    if (may_have_body) {
        append(out, "\r\nContent-Length: ");
        append_number(out, buf_size(&r->body));
    }
    bool is_kept_alive = f->is_kept_alive && !r->is_closing;
    if (!is_kept_alive) {
        append(out, "\r\nConnection: close");
    } else if (f->minor == 0) {
        append(out, "\r\nConnection: keep-alive");
    }
    /* Answers are about this moment, and never something for a browser to guess the type of. */
    append(out, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    buf_append_slice(out, buf_slice(&r->fields));
    append(out, "\r\n");
    if (may_have_body && !f->is_head) {
        buf_append_slice(out, buf_slice(&r->body));
    }
}
