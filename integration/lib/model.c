#include "integration/lib/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/harness.h"

#define MODEL_ABSENT (-4611686018427387904LL) /* no value that a test sets or counts to */

enum { MODEL_VALUES = 256, MODEL_RETIRED = 4096 };

struct model_key {
    unsigned generation;
    unsigned number;
    bool is_anything;  /* more possible values than are kept */
    bool is_undecided; /* a write of it may still take effect: a read does not settle it */
    size_t count;
    long long *value;
};

struct model {
    char prefix[24];
    unsigned generation;
    struct model_key key[MODEL_KEYS];
    size_t retired_count;
    struct model_key retired[MODEL_RETIRED];
};

static void model_key_set(struct model_key *k, long long value)
{
    k->count = 1;
    k->value[0] = value;
    k->is_anything = false;
    k->is_undecided = false;
}

static void model_key_add(struct model_key *k, long long value)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->value[i] == value) {
            return;
        }
    }
    if (k->count == MODEL_VALUES) {
        k->is_anything = true;
        return;
    }
    k->value[k->count++] = value;
}

static bool model_key_has(const struct model_key *k, long long value)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->value[i] == value) {
            return true;
        }
    }
    return k->is_anything;
}

static void model_begin(struct model *m)
{
    m->generation++;
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        m->key[i] = (struct model_key){.generation = m->generation, .number = i, .value = calloc(MODEL_VALUES, sizeof(long long))};
        model_key_set(&m->key[i], MODEL_ABSENT);
    }
}

struct model *model_new(const char *prefix)
{
    struct model *m = calloc(1, sizeof *m);
    snprintf(m->prefix, sizeof m->prefix, "%s", prefix);
    model_begin(m);
    return m;
}

void model_free(struct model *m)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        free(m->key[i].value);
    }
    for (size_t i = 0; i < m->retired_count; i++) {
        free(m->retired[i].value);
    }
    free(m);
}

static void model_key_name(const struct model *m, const struct model_key *k, char *out, size_t size)
{
    snprintf(out, size, "%s:%u:%u", m->prefix, k->generation, k->number);
}

size_t model_request(const struct model *m, const struct model_op *op, char *out, size_t size)
{
    char key[64];
    char value[32];
    model_key_name(m, &m->key[op->key], key, sizeof key);
    snprintf(value, sizeof value, "%lld", op->value);
    switch (op->type) {
    case MODEL_GET: return (size_t)snprintf(out, size, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
    case MODEL_INCR: return (size_t)snprintf(out, size, "*2\r\n$4\r\nINCR\r\n$%zu\r\n%s\r\n", strlen(key), key);
    case MODEL_SET:
        return (size_t)snprintf(out, size, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(key), key, strlen(value), value);
    }
    return 0;
}

void model_lost(struct model *m, const struct model_op *op)
{
    struct model_key *k = &m->key[op->key];
    k->is_undecided |= op->type != MODEL_GET;
    if (op->type == MODEL_SET) {
        model_key_add(k, op->value);
    }
    for (size_t i = 0, n = k->count; op->type == MODEL_INCR && i < n; i++) {
        model_key_add(k, k->value[i] == MODEL_ABSENT ? 1 : k->value[i] + 1);
    }
}

static bool model_get_reply(struct model_key *k, const char *reply, const char **why)
{
    char text[64];
    long long value = MODEL_ABSENT;
    if (resp_string(reply, text, sizeof text)) {
        value = strtoll(text, NULL, 10);
    } else if (strcmp(reply, "$-1\r\n") != 0) {
        *why = "GET: neither a value nor nil";
        return false;
    }
    if (!model_key_has(k, value)) {
        *why = "GET: a value that is not possible";
        return false;
    }
    if (!k->is_undecided) {
        model_key_set(k, value);
    }
    return true;
}

bool model_reply(struct model *m, const struct model_op *op, const char *reply, const char **why)
{
    struct model_key *k = &m->key[op->key];
    if (reply[0] == '-') {
        if (strncmp(reply, "-UNKNOWN ", 9) == 0) {
            model_lost(m, op);
        }
        /* NOT done, by one of the codes of DESIGN §7; anything else is no error that this load can cause. */
        bool is_known = strncmp(reply, "-UNKNOWN ", 9) == 0 || strncmp(reply, "-CLUSTERDOWN ", 13) == 0 || strncmp(reply, "-TRYAGAIN ", 10) == 0 ||
                        strncmp(reply, "-LOADING ", 9) == 0;
        *why = "an error reply with an unexpected code";
        return is_known;
    }
    switch (op->type) {
    case MODEL_GET:
        return model_get_reply(k, reply, why);
    case MODEL_SET:
        model_key_set(k, op->value);
        *why = "SET: not +OK";
        return strcmp(reply, "+OK\r\n") == 0;
    case MODEL_INCR: {
        long long value = strtoll(reply + 1, NULL, 10);
        bool ok = reply[0] == ':' && (model_key_has(k, value - 1) || (value == 1 && model_key_has(k, MODEL_ABSENT)));
        model_key_set(k, value);
        *why = "INCR: a value that is not possible";
        return ok;
    }
    }
    return false;
}

void model_retire(struct model *m)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        if (m->retired_count < MODEL_RETIRED) {
            m->retired[m->retired_count++] = m->key[i];
        } else {
            free(m->key[i].value);
        }
    }
    model_begin(m);
}

static bool model_verify_key(const struct model *m, const struct model_key *k, struct wire *w)
{
    char name[64];
    const char *why = "no reply";
    struct model_key copy = *k;
    copy.is_undecided = true; /* the check may not change it */
    model_key_name(m, k, name, sizeof name);
    const char *reply = wire_call(w, "GET %s", name);
    if (reply != NULL && model_get_reply(&copy, reply, &why)) {
        return true;
    }
    itest_fail("GET %s: %s: %.60s (%zu possible values, first %lld)", name, why, reply != NULL ? reply : "", k->count, k->value[0]);
    return false;
}

size_t model_verify(const struct model *m, struct wire *w)
{
    size_t bad = 0;
    for (size_t i = 0; i < m->retired_count; i++) {
        bad += !model_verify_key(m, &m->retired[i], w);
    }
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        bad += !model_verify_key(m, &m->key[i], w);
    }
    return bad;
}
