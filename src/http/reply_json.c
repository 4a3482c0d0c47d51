#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/number.h"
#include "http/api.h"
#include "resp/resp_value.h"

/* RESP3 replies, as the commands wrote them, taken apart and turned into JSON. */

bool reply_is_null(struct slice reply)
{
    return reply.n > 0 && (reply.p[0] == '_' || (reply.n > 1 && (reply.p[0] == '$' || reply.p[0] == '*') && reply.p[1] == '-'));
}

bool reply_is_error(struct slice reply)
{
    return reply.n > 2 && reply.p[0] == '-';
}

/* The line at the front, without mark and CR LF; *reply is moved behind it. */
static struct slice take_line(struct slice *reply)
{
    const uint8_t *cr = memchr(reply->p, '\r', reply->n);
    ASSERT(cr && cr > reply->p);
    struct slice line = {reply->p + 1, (size_t)(cr - reply->p) - 1};
    *reply = slice_skip(*reply, line.n + 3);
    return line;
}

static int64_t take_number(struct slice *reply)
{
    int64_t number = 0;
    bool is_number = number_parse_i64(take_line(reply), &number);
    ASSERT(is_number);
    return number;
}

int64_t reply_take_int(struct slice *reply)
{
    ASSERT(reply->n > 0 && reply->p[0] == ':');
    return take_number(reply);
}

size_t reply_take_array(struct slice *reply)
{
    ASSERT(reply->n > 0 && (reply->p[0] == '*' || reply->p[0] == '%'));
    bool is_map = reply->p[0] == '%';
    int64_t count = take_number(reply);
    return count < 0 ? 0 : is_map ? 2 * (size_t)count : (size_t)count;
}

bool reply_take_bytes(struct slice *reply, struct slice *bytes)
{
    *bytes = (struct slice){0};
    if (reply_is_null(*reply)) {
        (void)take_line(reply);
        return false;
    }
    if (reply->p[0] == '+') {
        *bytes = take_line(reply);
        return true;
    }
    ASSERT(reply->p[0] == '$' || reply->p[0] == '=');
    bool is_verbatim = reply->p[0] == '=';
    size_t size = (size_t)take_number(reply);
    *bytes = (struct slice){reply->p, size};
    *reply = slice_skip(*reply, size + 2);
    *bytes = is_verbatim ? slice_skip(*bytes, 4) : *bytes;
    return true;
}

void base64_append(struct buf *out, struct slice bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t three = (uint32_t)bytes.p[i] << 16 | (left > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0) | (left > 2 ? bytes.p[i + 2] : 0u);
        buf_append_byte(out, (uint8_t)digit[three >> 18 & 63]);
        buf_append_byte(out, (uint8_t)digit[three >> 12 & 63]);
        buf_append_byte(out, (uint8_t)(left > 1 ? digit[three >> 6 & 63] : '='));
        buf_append_byte(out, (uint8_t)(left > 2 ? digit[three & 63] : '='));
    }
}

void json_append_bytes(struct buf *out, struct slice bytes)
{
    if (utf8_is_valid(bytes)) {
        json_append_string(out, bytes);
        return;
    }
    buf_append(out, "{\"base64\":\"", 11);
    base64_append(out, bytes);
    buf_append(out, "\"}", 2);
}

static void append_value(const struct resp_value *v, struct buf *out);

static void append_children(const struct resp_value *v, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < v->child_count; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        append_value(&v->child[i], out);
    }
    buf_append_byte(out, ']');
}

static bool is_text(const struct resp_value *v)
{
    return (v->type == RESP_BULK || v->type == RESP_SIMPLE) && utf8_is_valid(v->text);
}

/* An object where all names are text, else an array of pairs. */
static void append_map(const struct resp_value *v, struct buf *out)
{
    bool is_object = true;
    for (size_t i = 0; i < v->child_count; i += 2) {
        is_object &= is_text(&v->child[i]);
    }
    buf_append_byte(out, is_object ? '{' : '[');
    for (size_t i = 0; i < v->child_count; i += 2) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        if (!is_object) {
            buf_append_byte(out, '[');
        }
        append_value(&v->child[i], out);
        buf_append_byte(out, is_object ? ':' : ',');
        append_value(&v->child[i + 1], out);
        if (!is_object) {
            buf_append_byte(out, ']');
        }
    }
    buf_append_byte(out, is_object ? '}' : ']');
}

static void append_double(const struct resp_value *v, struct buf *out)
{
    struct slice whole;
    if (json_check(v->text, &whole)) {
        buf_append_slice(out, whole);
    } else {
        json_append_string(out, v->text); /* inf, -inf, nan */
    }
}

static void append_value(const struct resp_value *v, struct buf *out)
{
    switch (v->type) {
    case RESP_ERROR:
        buf_append(out, "{\"error\":", 9);
        json_append_string(out, v->text);
        buf_append_byte(out, '}');
        break;
    case RESP_SIMPLE:
    case RESP_BULK:
    case RESP_VERBATIM:
        json_append_bytes(out, v->text);
        break;
    case RESP_INTEGER:
        buf_printf(out, "%lld", (long long)v->integer);
        break;
    case RESP_NULL:
        buf_append(out, "null", 4);
        break;
    case RESP_ARRAY:
    case RESP_SET:
    case RESP_PUSH:
        append_children(v, out);
        break;
    case RESP_MAP:
        append_map(v, out);
        break;
    case RESP_DOUBLE:
        append_double(v, out);
        break;
    case RESP_BOOLEAN:
        buf_printf(out, "%s", v->integer ? "true" : "false");
        break;
    case RESP_BIG_NUMBER:
        buf_append_slice(out, v->text);
        break;
    }
}

void reply_append_json(struct slice reply, struct buf *out)
{
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed = 0;
    if (resp_value_next(&reader, reply, &value, &consumed) != PARSE_OK) {
        /* Nested deeper than the reader goes. */
        buf_printf(out, "{\"error\":\"ERR the reply is nested too deeply for JSON here\"}");
        return;
    }
    append_value(value, out);
    resp_value_free(value);
}
