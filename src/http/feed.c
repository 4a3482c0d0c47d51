#include "http/feed.h"

#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "http/api.h"

static void append_feed_value(struct buf *out, const struct feed_value *v)
{
    if (v->is_absent) {
        buf_append(out, "null", 4);
    } else if (!v->is_reference) {
        json_append_bytes(out, v->bytes);
    } else {
        buf_printf(out, "{\"type\":\"%s\"", v->type_name);
        if (v->size > 0) {
            buf_printf(out, ",\"size\":%llu", (unsigned long long)v->size);
        }
        buf_append_byte(out, '}');
    }
}

static void append_key(struct buf *out, const struct feed_event *e)
{
    buf_append(out, "{\"key\":", 7);
    if (e->is_database) {
        buf_append(out, "null", 4);
    } else {
        json_append_bytes(out, e->key);
    }
    buf_append(out, ",\"value\":", 9);
    append_feed_value(out, &e->after);
}

static void append_indexed(struct buf *out, const struct feed_event *e)
{
    append_key(out, e);
    buf_append(out, ",\"old\":", 7);
    append_feed_value(out, &e->before);
    buf_append(out, ",\"event\":", 9);
    json_append_string(out, e->event);
    if (e->db != 0) {
        buf_printf(out, ",\"db\":%u", e->db);
    }
    buf_printf(out, ",\"index\":%llu,\"part\":%u}", (unsigned long long)e->index, e->part);
}

static void append_plain(struct buf *out, const struct feed_event *e)
{
    append_key(out, e);
    if (e->is_database) {
        buf_append(out, ",\"event\":", 9);
        json_append_string(out, e->event);
    }
    buf_append_byte(out, '}');
}

void feed_append(struct buf *out, const struct feed_event *e, enum feed_form form)
{
    if (form == FEED_SSE) {
        buf_printf(out, "id: %llu-%u\ndata: ", (unsigned long long)e->index, e->part);
        append_indexed(out, e);
        buf_append(out, "\n\n", 2);
        return;
    }
    struct buf text = {0};
    if (form == FEED_PLAIN) {
        append_plain(&text, e);
    } else {
        append_indexed(&text, e);
    }
    ws_append_frame(out, WS_TEXT, buf_slice(&text));
    buf_deinit(&text);
}

bool feed_is_about_expiry_only(const struct feed_event *e)
{
    return slice_equal(e->event, SLICE_LITERAL("expire")) || slice_equal(e->event, SLICE_LITERAL("persist"));
}

size_t feed_frame_size(struct slice at, enum feed_form form)
{
    if (form != FEED_SSE) {
        return ws_frame_size(at);
    }
    for (size_t i = 1; i < at.n; i++) {
        if (at.p[i] == '\n' && at.p[i - 1] == '\n') {
            return i + 1;
        }
    }
    UNREACHABLE();
}
