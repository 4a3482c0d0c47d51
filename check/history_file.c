#include "check/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "check/json.h"

/* The file format of docs/HISTORY.md: one operation a line. */

struct reading {
    struct history *h;
    const struct json_document *d;
    char *why;
    size_t size;
};

static bool reading_fails(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool reading_fails(struct reading *r, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(r->why, r->size, format, list);
    va_end(list);
    return false;
}

/* A string, or a number's digits. */
static bool reading_text(struct reading *r, const struct json *value, const char *name, text_id *id)
{
    if (!value || (value->type != JSON_STRING && value->type != JSON_NUMBER))
        return reading_fails(r, "\"%s\" must be a string or a number", name);
    *id = texts_intern(&r->h->texts, json_text(r->d, value));
    return true;
}

static bool reading_time(struct reading *r, const struct json *value, const char *name, uint64_t *time)
{
    if (!value || value->type != JSON_NUMBER || !number_parse_u64(json_text(r->d, value), time) || *time == HISTORY_NEVER)
        return reading_fails(r, "\"%s\" must be a whole number of nanoseconds, microseconds or whatever unit, 0 or more", name);
    return true;
}

static bool reading_function(struct reading *r, const struct json *value, enum history_function *f)
{
    if (!value || value->type != JSON_STRING)
        return reading_fails(r, "\"f\" must name a function, as \"get\"");
    struct slice word = json_text(r->d, value);
    for (int i = 0; i < HISTORY_FUNCTION_COUNT; i++) {
        if (slice_equal(word, slice_from_cstr(history_function_word((enum history_function)i)))) {
            *f = (enum history_function)i;
            return true;
        }
    }
    return reading_fails(r, "\"f\": no function is called \"%.*s\"", (int)word.n, (const char *)word.p);
}

static bool reading_has_value(enum history_function f)
{
    static const bool has_value[] = {
#define X(name, word, has, is_read) has,
        HISTORY_FUNCTIONS(X)
#undef X
    };
    return has_value[f];
}

static bool reading_result(struct reading *r, const struct json *value, uint32_t step)
{
    struct history_step *s = &r->h->step[step];
    bool wants_list = s->f == HISTORY_LRANGE || s->f == HISTORY_SMEMBERS;
    if (!value)
        return true;
    if (wants_list != (value->type == JSON_ARRAY))
        return reading_fails(r, "\"result\" of %s must be %s", history_function_word(s->f), wants_list ? "a list" : "no list");
    if (value->type == JSON_NULL) {
        s->result = TEXT_NIL;
        return true;
    }
    if (!wants_list)
        return reading_text(r, value, "result", &s->result);
    s->has_list = true;
    for (const struct json *e = json_first(r->d, value); e; e = json_next(r->d, e)) {
        text_id element = TEXT_NIL;
        if (!reading_text(r, e, "result", &element))
            return false;
        history_add_to_list(r->h, step, element);
    }
    return true;
}

static bool reading_step(struct reading *r, const struct json *object)
{
    enum history_function f = HISTORY_GET;
    text_id key = TEXT_NIL;
    text_id value = TEXT_NIL;
    if (!reading_function(r, json_find_member(r->d, object, "f"), &f) || !reading_text(r, json_find_member(r->d, object, "key"), "key", &key))
        return false;
    const struct json *given = json_find_member(r->d, object, "value");
    if (f == HISTORY_INCR && !given)
        value = texts_intern_number(&r->h->texts, 1);
    else if (reading_has_value(f) && !reading_text(r, given, "value", &value))
        return false;
    int64_t by = 0;
    if (f == HISTORY_INCR && !texts_number(&r->h->texts, value, &by))
        return reading_fails(r, "\"value\" of incr must be a whole number");
    struct history_step *s = history_add_step(r->h, f, key, value);
    const struct json *expected = json_find_member(r->d, object, "expected");
    if (f == HISTORY_CAS && !expected)
        return reading_fails(r, "cas needs \"expected\"");
    if (f == HISTORY_CAS && expected->type != JSON_NULL && !reading_text(r, expected, "expected", &s->expected))
        return false;
    const struct json *expires = json_find_member(r->d, object, "expires");
    s->may_expire = f == HISTORY_SET && expires && expires->type == JSON_TRUE;
    return reading_result(r, json_find_member(r->d, object, "result"), r->h->step_count - 1);
}

static bool reading_outcome(struct reading *r, const struct json *value, enum history_outcome *outcome)
{
    struct slice word = value && value->type == JSON_STRING ? json_text(r->d, value) : (struct slice){NULL, 0};
    if (slice_equal(word, SLICE_LITERAL("ok")))
        *outcome = HISTORY_OK;
    else if (slice_equal(word, SLICE_LITERAL("fail")))
        *outcome = HISTORY_FAIL;
    else if (slice_equal(word, SLICE_LITERAL("unknown")))
        *outcome = HISTORY_UNKNOWN;
    else
        return reading_fails(r, "\"outcome\" must be \"ok\", \"fail\" or \"unknown\"");
    return true;
}

static bool reading_operation(struct reading *r, const struct json *object, uint32_t line)
{
    uint64_t start = 0;
    uint64_t end = HISTORY_NEVER;
    text_id client = TEXT_NIL;
    enum history_outcome outcome = HISTORY_UNKNOWN;
    const struct json *ends = json_find_member(r->d, object, "end");
    if (object->type != JSON_OBJECT)
        return reading_fails(r, "a line must be an object, {...}");
    if (!reading_text(r, json_find_member(r->d, object, "client"), "client", &client) ||
        !reading_time(r, json_find_member(r->d, object, "start"), "start", &start) ||
        !reading_outcome(r, json_find_member(r->d, object, "outcome"), &outcome))
        return false;
    if ((outcome == HISTORY_OK || (ends && ends->type != JSON_NULL)) && !reading_time(r, ends, "end", &end))
        return false;
    if (end < start)
        return reading_fails(r, "\"end\" lies before \"start\"");
    uint32_t operation = history_begin(r->h, client, start);
    r->h->operation[operation].line = line;
    const struct json *steps = json_find_member(r->d, object, "ops");
    if (!steps && !reading_step(r, object))
        return false;
    if (steps && steps->type != JSON_ARRAY)
        return reading_fails(r, "\"ops\" must be a list of {\"f\": ..., \"key\": ...}");
    for (const struct json *s = steps ? json_first(r->d, steps) : NULL; s; s = json_next(r->d, s)) {
        if (s->type != JSON_OBJECT)
            return reading_fails(r, "\"ops\" must be a list of {\"f\": ..., \"key\": ...}");
        if (!reading_step(r, s))
            return false;
    }
    history_end(r->h, operation, outcome, end);
    return true;
}

bool history_read_line(struct history *h, struct slice text, uint32_t line, char *why, size_t size)
{
    size_t blank = 0;
    while (blank < text.n && (text.p[blank] == ' ' || text.p[blank] == '\t' || text.p[blank] == '\r' || text.p[blank] == '\n'))
        blank++;
    if (blank == text.n)
        return true;
    struct json_document d = {0};
    struct reading r = {h, &d, why, size};
    const char *error = json_parse(&d, text);
    bool is_ok = error ? reading_fails(&r, "%s", error) : reading_operation(&r, &d.node[0], line);
    json_deinit(&d);
    return is_ok;
}

static void write_member(const struct history *h, struct buf *out, const char *name, text_id id)
{
    buf_printf(out, ",\"%s\":", name);
    if (id == TEXT_NIL)
        buf_printf(out, "null");
    else
        json_write_string(out, texts_get(&h->texts, id));
}

static void write_step(const struct history *h, const struct history_step *s, struct buf *out)
{
    buf_printf(out, "\"f\":\"%s\"", history_function_word(s->f));
    write_member(h, out, "key", s->key);
    if (reading_has_value(s->f))
        write_member(h, out, "value", s->value);
    if (s->f == HISTORY_CAS)
        write_member(h, out, "expected", s->expected);
    if (s->may_expire)
        buf_printf(out, ",\"expires\":true");
    if (s->result != HISTORY_ANY)
        write_member(h, out, "result", s->result);
    if (!s->has_list)
        return;
    buf_printf(out, ",\"result\":[");
    for (uint32_t i = 0; i < s->list_count; i++) {
        if (i)
            buf_append_byte(out, ',');
        json_write_string(out, texts_get(&h->texts, h->list[s->list + i]));
    }
    buf_append_byte(out, ']');
}

void history_write_line(const struct history *h, uint32_t operation, struct buf *out)
{
    static const char *const word[] = {"ok", "fail", "unknown"};
    const struct history_operation *o = &h->operation[operation];
    buf_printf(out, "{\"client\":");
    json_write_string(out, texts_get(&h->texts, o->client));
    buf_printf(out, ",\"start\":%llu,\"end\":", (unsigned long long)o->start);
    if (o->end == HISTORY_NEVER)
        buf_printf(out, "null");
    else
        buf_printf(out, "%llu", (unsigned long long)o->end);
    buf_printf(out, ",\"outcome\":\"%s\",", word[o->outcome]);
    bool is_single = o->step_count == 1;
    if (!is_single)
        buf_printf(out, "\"ops\":[");
    for (uint32_t i = 0; i < o->step_count; i++) {
        if (!is_single)
            buf_printf(out, i ? ",{" : "{");
        write_step(h, &h->step[o->first_step + i], out);
        if (!is_single)
            buf_append_byte(out, '}');
    }
    buf_printf(out, is_single ? "}\n" : "]}\n");
}
