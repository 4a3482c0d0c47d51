#include <string.h>

#include "base/json.h"
#include "http/api.h"

/* Errors of commands as each API's clients know them. 503 says that it did not and will not take effect, 504 that nobody knows
 * (WEB-API, Safety). */

void api_error(struct http_response *response, int status, const char *title, const char *message)
{
    http_response_begin(response, status, HTTP_TYPE_JSON);
    buf_append(&response->body, "{\"error\":", 9);
    json_append_cstr(&response->body, title);
    buf_append(&response->body, ",\"message\":", 11);
    json_append_cstr(&response->body, message);
    buf_append_byte(&response->body, '}');
}

bool api_body(const struct http_request *r, struct slice *json)
{
    return json_check(r->body, json);
}

static bool has_code(struct slice error, const char *code)
{
    size_t n = strlen(code);
    return error.n >= n && memcmp(error.p, code, n) == 0 && (error.n == n || error.p[n] == ' ');
}

enum api_outcome api_outcome_of(struct slice error)
{
    static const char *const not_done[] = {"CLUSTERDOWN", "TRYAGAIN", "LOADING", "MISCONF", "OOM", "BUSY", "NOREPLICAS", "READONLY"};
    if (has_code(error, "UNKNOWN")) {
        return OUTCOME_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof not_done / sizeof not_done[0]; i++) {
        if (has_code(error, not_done[i])) {
            return OUTCOME_NOT_DONE;
        }
    }
    return OUTCOME_REFUSED;
}

static int status_of(struct slice error)
{
    switch (api_outcome_of(error)) {
    case OUTCOME_NOT_DONE:
        return 503;
    case OUTCOME_UNKNOWN:
        return 504;
    case OUTCOME_REFUSED:
        break;
    }
    return has_code(error, "WRONGTYPE") ? 409 : has_code(error, "NOAUTH") ? 401 : has_code(error, "NOPERM") ? 403 : 400;
}

static void append_member(struct buf *out, const char *separator, const char *name, struct slice value)
{
    buf_printf(out, "%s\"%s\":", separator, name);
    json_append_string(out, value);
}

static void lists_error(int status, struct slice error, struct http_response *response)
{
    if (status == 503 || status == 504) {
        http_response_begin(response, status, HTTP_TYPE_TEXT);
        buf_append_slice(&response->body, error);
    } else {
        http_response_empty(response, 400);
    }
}

static void items_error(int status, struct slice error, struct http_response *response)
{
    http_response_begin(response, status == 409 ? 400 : status, HTTP_TYPE_JSON);
    if (status == 503) {
        buf_printf(&response->body, "{\"status\":\"I do not know who is the leader now\"");
    } else if (status == 504) {
        buf_printf(&response->body, "{\"status\":\"the operation request timeout has expired on the server\"");
    } else {
        append_member(&response->body, "{", "detail", error);
        buf_append_byte(&response->body, '}');
        return;
    }
    append_member(&response->body, ",", "detail", error);
    buf_append_byte(&response->body, '}');
}

void api_error_reply(struct http_exchange *x, struct slice error, struct http_response *response)
{
    int status = status_of(error);
    switch (x->route->group) {
    case GROUP_LISTS:
        lists_error(status, error, response);
        return;
    case GROUP_ITEMS:
        items_error(status, error, response);
        return;
    case GROUP_UPDATES:
        http_response_begin(response, status == 409 ? 400 : status, HTTP_TYPE_TEXT);
        buf_append_slice(&response->body, error);
        return;
    case GROUP_NODES:
        http_response_begin(response, status == 409 ? 400 : status, HTTP_TYPE_JSON);
        append_member(&response->body, "{", "error",
                      status == 503   ? SLICE_LITERAL("Not done")
                      : status == 504 ? SLICE_LITERAL("Outcome unknown")
                                      : SLICE_LITERAL("Invalid input"));
        append_member(&response->body, ",", "message", error);
        break;
    case GROUP_OWN:
        http_response_begin(response, status, HTTP_TYPE_JSON);
        append_member(&response->body, "{", "error", error);
        break;
    }
    buf_append_byte(&response->body, '}');
}
