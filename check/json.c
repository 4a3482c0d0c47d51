#include "check/json.h"

#include <string.h>

#include "base/mem.h"

struct json_input {
    struct json_document *d;
    const uint8_t *at;
    const uint8_t *end;
    const char *error;
};

void json_deinit(struct json_document *d)
{
    mem_free(d->node);
    buf_deinit(&d->bytes);
    memset(d, 0, sizeof *d);
}

static void json_blanks(struct json_input *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\r' || *in->at == '\n'))
        in->at++;
}

static uint32_t json_new(struct json_input *in, enum json_type type)
{
    struct json_document *d = in->d;
    if (d->count == d->capacity) {
        d->capacity = d->capacity ? 2 * d->capacity : 64;
        d->node = mem_realloc_array(d->node, d->capacity, sizeof *d->node);
    }
    d->node[d->count] = (struct json){.type = type};
    return d->count++;
}

static bool json_hex(struct json_input *in, uint32_t *value)
{
    *value = 0;
    if (in->end - in->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *in->at++;
        uint32_t digit = c >= '0' && c <= '9' ? c - (uint32_t)'0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10u : 16u;
        if (digit > 15)
            return false;
        *value = *value * 16 + digit;
    }
    return true;
}

static void json_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_append_byte(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        buf_append_byte(out, (uint8_t)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_append_byte(out, (uint8_t)(0xe0 | c >> 12));
        } else {
            buf_append_byte(out, (uint8_t)(0xf0 | c >> 18));
            buf_append_byte(out, (uint8_t)(0x80 | (c >> 12 & 63)));
        }
        buf_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 63)));
    }
    buf_append_byte(out, (uint8_t)(0x80 | (c & 63)));
}

/* After the backslash. */
static bool json_escape(struct json_input *in)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    struct buf *out = &in->d->bytes;
    if (in->at == in->end)
        return false;
    uint8_t c = *in->at++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        buf_append_byte(out, (uint8_t)to[known - from]);
        return true;
    }
    uint32_t code;
    if (c != 'u' || !json_hex(in, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && in->end - in->at >= 6 && in->at[0] == '\\' && in->at[1] == 'u') {
        uint32_t low;
        in->at += 2;
        if (!json_hex(in, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    json_utf8(out, code);
    return true;
}

static bool json_string(struct json_input *in, uint32_t *start, uint32_t *count)
{
    struct buf *out = &in->d->bytes;
    *start = (uint32_t)buf_size(out);
    for (in->at++; in->at < in->end && *in->at != '"';) {
        if (*in->at < 0x20)
            return false;
        if (*in->at != '\\') {
            buf_append_byte(out, *in->at++);
            continue;
        }
        in->at++;
        if (!json_escape(in))
            return false;
    }
    if (in->at == in->end)
        return false;
    in->at++;
    *count = (uint32_t)buf_size(out) - *start;
    return true;
}

static bool json_value(struct json_input *in, int depth, uint32_t *index);

static bool json_children(struct json_input *in, int depth, uint32_t parent, bool is_object)
{
    uint8_t close = is_object ? '}' : ']';
    uint32_t last = 0;
    in->at++;
    json_blanks(in);
    if (in->at < in->end && *in->at == close) {
        in->at++;
        return true;
    }
    for (;;) {
        uint32_t name = 0;
        uint32_t name_count = 0;
        json_blanks(in);
        if (is_object) {
            if (in->at == in->end || *in->at != '"' || !json_string(in, &name, &name_count))
                return false;
            json_blanks(in);
            if (in->at == in->end || *in->at++ != ':')
                return false;
        }
        uint32_t child;
        if (!json_value(in, depth + 1, &child))
            return false;
        in->d->node[child].name = name;
        in->d->node[child].name_count = name_count;
        *(last ? &in->d->node[last].next : &in->d->node[parent].child) = child;
        last = child;
        json_blanks(in);
        if (in->at == in->end)
            return false;
        uint8_t c = *in->at++;
        if (c == close)
            return true;
        if (c != ',')
            return false;
    }
}

static bool json_number(struct json_input *in, uint32_t index)
{
    const uint8_t *start = in->at;
    while (in->at < in->end && *in->at && strchr("+-.eE0123456789", *in->at))
        in->at++;
    uint32_t offset = (uint32_t)buf_size(&in->d->bytes);
    buf_append(&in->d->bytes, start, (size_t)(in->at - start));
    in->d->node[index].text = offset;
    in->d->node[index].text_count = (uint32_t)(in->at - start);
    return in->at > start;
}

static bool json_word(struct json_input *in, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(in->end - in->at) < n || memcmp(in->at, word, n) != 0)
        return false;
    in->at += n;
    return true;
}

static bool json_value(struct json_input *in, int depth, uint32_t *index)
{
    json_blanks(in);
    if (in->at == in->end || depth > JSON_DEPTH_MAX)
        return false;
    uint8_t c = *in->at;
    *index = json_new(in, JSON_NULL);
    switch (c) {
    case '{':
    case '[':
        in->d->node[*index].type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        return json_children(in, depth, *index, c == '{');
    case '"': {
        uint32_t start;
        uint32_t count;
        if (!json_string(in, &start, &count))
            return false;
        in->d->node[*index].type = JSON_STRING;
        in->d->node[*index].text = start;
        in->d->node[*index].text_count = count;
        return true;
    }
    case 'n': return json_word(in, "null");
    case 't': in->d->node[*index].type = JSON_TRUE; return json_word(in, "true");
    case 'f': in->d->node[*index].type = JSON_FALSE; return json_word(in, "false");
    default: in->d->node[*index].type = JSON_NUMBER; return json_number(in, *index);
    }
}

const char *json_parse(struct json_document *d, struct slice text)
{
    struct json_input in = {d, text.p, text.p + text.n, NULL};
    uint32_t root;
    d->count = 0;
    buf_clear(&d->bytes, 1 << 20);
    if (text.n == 0 || text.n > UINT32_MAX / 2 || !json_value(&in, 0, &root))
        return "not JSON";
    json_blanks(&in);
    return in.at == in.end ? NULL : "more than one JSON value on a line";
}

/* `count` bytes of the document's text; a document of empty strings only has no buffer to point into. */
static struct slice json_bytes(const struct json_document *d, uint32_t at, uint32_t count)
{
    return count ? (struct slice){buf_slice(&d->bytes).p + at, count} : slice_from_cstr("");
}

struct slice json_text(const struct json_document *d, const struct json *value)
{
    return json_bytes(d, value->text, value->text_count);
}

struct slice json_name(const struct json_document *d, const struct json *value)
{
    return json_bytes(d, value->name, value->name_count);
}

const struct json *json_find_member(const struct json_document *d, const struct json *object, const char *name)
{
    for (const struct json *m = json_first(d, object); m; m = json_next(d, m)) {
        if (slice_equal(json_name(d, m), slice_from_cstr(name)))
            return m;
    }
    return NULL;
}

/* Bytes of a well-formed UTF-8 sequence that begins here; 0: none does. */
static size_t json_utf8_length(const uint8_t *p, size_t n)
{
    size_t want = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    if (want == 0 || want > n)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return want;
}

void json_write_string(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.n;) {
        size_t n = json_utf8_length(text.p + i, text.n - i);
        uint8_t c = text.p[i];
        if (n == 0 || c < 0x20) {
            buf_printf(out, "\\u%04x", c);
            i++;
            continue;
        }
        if (c == '"' || c == '\\')
            buf_append_byte(out, '\\');
        buf_append(out, text.p + i, n);
        i += n;
    }
    buf_append_byte(out, '"');
}
