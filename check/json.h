#ifndef CHECK_JSON_H
#define CHECK_JSON_H

#include "base/buf.h"

/* A small reader of JSON (RFC 8259), for one line at a time. Numbers keep their digits; strings are decoded. */
enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_DEPTH_MAX 8

struct json {
    enum json_type type;
    uint32_t text;       /* NUMBER, STRING: where in document.bytes */
    uint32_t text_count;
    uint32_t name;       /* in an object: where its name is */
    uint32_t name_count;
    uint32_t next;       /* next child of the same parent; 0: none */
    uint32_t child;      /* first; 0: none */
};

/* All-zero is empty; node[0] is the root. Reused from line to line. */
struct json_document {
    struct json *node;
    uint32_t count;
    uint32_t capacity;
    struct buf bytes;
};

void json_deinit(struct json_document *d);
/* NULL, or what is wrong with the text. */
const char *json_parse(struct json_document *d, struct slice text);
/* A member of an object, NULL when it has none of that name. */
const struct json *json_find_member(const struct json_document *d, const struct json *object, const char *name);
struct slice json_text(const struct json_document *d, const struct json *value);
struct slice json_name(const struct json_document *d, const struct json *value);
/* Next child of the same parent, NULL after the last. */
static inline const struct json *json_next(const struct json_document *d, const struct json *value)
{
    return value->next ? &d->node[value->next] : NULL;
}
static inline const struct json *json_first(const struct json_document *d, const struct json *value)
{
    return value->child ? &d->node[value->child] : NULL;
}
/* Appends a string with quotes and escapes; bytes that are not UTF-8 become \u00xx, one each. */
void json_write_string(struct buf *out, struct slice text);

#endif
