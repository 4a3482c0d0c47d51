#include "integration/lib/writers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS_MAX_THREADS = 16, WRITERS_MAX_KEYS = 400000, WRITERS_CODES = 8, WRITERS_READ_BATCH = 500 };

enum writer_outcome { WRITER_UNDECIDED, WRITER_ACKNOWLEDGED, WRITER_REFUSED };

struct writer {
    struct writers *all;
    size_t id;
    size_t node;
    pthread_t thread;
    uint8_t *outcome;    /* of key i; written by the thread only */
    size_t count;        /* keys sent */
    uint64_t acknowledged;
    uint64_t refused;
    uint64_t lost_connections;
    uint64_t wrong;
    struct {
        char code[24];
        uint64_t count;
    } error[WRITERS_CODES];
};

struct writers {
    const struct cluster *cluster;
    size_t thread_count;
    size_t pipeline;
    char prefix[32];
    atomic_bool is_over;
    atomic_uint_fast64_t acknowledged;
    struct writer writer[WRITERS_MAX_THREADS];
};

static void writers_note_error(struct writer *w, const char *reply)
{
    char code[24];
    snprintf(code, sizeof code, "%.*s", (int)strcspn(reply + 1, " \r\n"), reply + 1);
    for (size_t i = 0; i < WRITERS_CODES; i++) {
        if (w->error[i].count == 0 || strcmp(w->error[i].code, code) == 0) {
            memcpy(w->error[i].code, code, sizeof code);
            w->error[i].count++;
            return;
        }
    }
}

static void writers_take_reply(struct writer *w, size_t key, const char *reply)
{
    if (strcmp(reply, "+OK\r\n") == 0) {
        w->outcome[key] = WRITER_ACKNOWLEDGED;
        w->acknowledged++;
        atomic_fetch_add(&w->all->acknowledged, 1);
    } else if (reply[0] == '-') {
        writers_note_error(w, reply);
        if (strncmp(reply, "-UNKNOWN", 8) != 0) {
            w->outcome[key] = WRITER_REFUSED;
            w->refused++;
        }
    } else {
        w->wrong++;
    }
}

/* Writes one pipeline; false when the connection is lost. */
static bool writers_batch(struct writer *w, struct wire *wire)
{
    size_t first = w->count;
    size_t n = w->all->pipeline;
    if (first + n > WRITERS_MAX_KEYS) {
        itest_sleep_ms(10); /* enough written: idle until the end */
        return true;
    }
    w->count += n;
    for (size_t i = first; i < first + n; i++) {
        if (!wire_send(wire, "SET %s:%zu:%zu value-%zu-%zu", w->all->prefix, w->id, i, w->id, i)) {
            return false;
        }
    }
    bool was_refused = false;
    for (size_t i = first; i < first + n; i++) {
        const char *reply;
        if (wire_read(wire, 20000, &reply, NULL) != WIRE_OK) {
            return false;
        }
        writers_take_reply(w, i, reply);
        was_refused |= reply[0] == '-';
    }
    if (was_refused) {
        itest_sleep_ms(2);
    }
    return true;
}

static void *writers_main(void *ctx)
{
    struct writer *w = ctx;
    const struct cluster *c = w->all->cluster;
    while (!atomic_load(&w->all->is_over)) {
        struct wire wire;
        if (!wire_open(&wire, c->node[w->node].port, 5000)) {
            w->node = (w->node + 1) % c->count;
            itest_sleep_ms(5);
            continue;
        }
        while (!atomic_load(&w->all->is_over)) {
            if (!writers_batch(w, &wire)) {
                w->lost_connections++;
                w->node = (w->node + 1) % c->count;
                break;
            }
        }
        wire_close(&wire);
    }
    return NULL;
}

struct writers *writers_start(const struct cluster *c, size_t thread_count, size_t pipeline, const char *prefix)
{
    struct writers *w = calloc(1, sizeof *w);
    w->cluster = c;
    w->thread_count = thread_count;
    w->pipeline = pipeline;
    snprintf(w->prefix, sizeof w->prefix, "%s", prefix);
    for (size_t t = 0; t < thread_count; t++) {
        w->writer[t] = (struct writer){.all = w, .id = t, .node = t % c->count, .outcome = calloc(WRITERS_MAX_KEYS, 1)};
        pthread_create(&w->writer[t].thread, NULL, writers_main, &w->writer[t]);
    }
    return w;
}

uint64_t writers_acknowledged(const struct writers *w)
{
    return atomic_load(&w->acknowledged);
}

bool writers_wait_progress(const struct writers *w, uint64_t more, int timeout_ms)
{
    uint64_t begin = writers_acknowledged(w);
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(2)) {
        if (writers_acknowledged(w) >= begin + more) {
            return true;
        }
    }
    return false;
}

void writers_stop(struct writers *w)
{
    atomic_store(&w->is_over, true);
    for (size_t t = 0; t < w->thread_count; t++) {
        pthread_join(w->writer[t].thread, NULL);
        if (w->writer[t].wrong > 0) {
            itest_fail("writer %zu: %llu replies that are neither +OK nor an error", t, (unsigned long long)w->writer[t].wrong);
        }
    }
}

void writers_free(struct writers *w)
{
    for (size_t t = 0; t < w->thread_count; t++) {
        free(w->writer[t].outcome);
    }
    free(w);
}

void writers_note(const struct writers *w)
{
    uint64_t acknowledged = 0;
    uint64_t refused = 0;
    uint64_t sent = 0;
    uint64_t lost = 0;
    char errors[512] = "";
    for (size_t t = 0; t < w->thread_count; t++) {
        const struct writer *x = &w->writer[t];
        acknowledged += x->acknowledged;
        refused += x->refused;
        sent += x->count;
        lost += x->lost_connections;
        for (size_t i = 0; i < WRITERS_CODES && x->error[i].count > 0; i++) {
            size_t len = strlen(errors);
            snprintf(errors + len, sizeof errors - len, " %s=%llu", x->error[i].code, (unsigned long long)x->error[i].count);
        }
    }
    itest_note("writes: %llu acknowledged, %llu refused, %llu undecided, %llu connections lost;%s", (unsigned long long)acknowledged,
               (unsigned long long)refused, (unsigned long long)(sent - acknowledged - refused), (unsigned long long)lost,
               errors[0] != '\0' ? errors : " no errors");
}

/* Is what a node answers to GET of this key right? */
static bool writers_is_right(const struct writer *w, size_t key, const char *reply)
{
    char value[64];
    char wanted[64];
    bool is_absent = strcmp(reply, "$-1\r\n") == 0;
    snprintf(wanted, sizeof wanted, "value-%zu-%zu", w->id, key);
    bool is_there = resp_string(reply, value, sizeof value) && strcmp(value, wanted) == 0;
    switch ((enum writer_outcome)w->outcome[key]) {
    case WRITER_ACKNOWLEDGED: return is_there;
    case WRITER_REFUSED: return is_absent;
    case WRITER_UNDECIDED: return is_there || is_absent;
    }
    return false;
}

static size_t writers_verify_one(const struct writer *w, struct wire *wire, size_t node)
{
    static const char *const outcome[] = {"undecided", "acknowledged", "refused"};
    size_t bad = 0;
    for (size_t first = 0; first < w->count; first += WRITERS_READ_BATCH) {
        size_t end = first + WRITERS_READ_BATCH < w->count ? first + WRITERS_READ_BATCH : w->count;
        for (size_t i = first; i < end; i++) {
            wire_send(wire, "GET %s:%zu:%zu", w->all->prefix, w->id, i);
        }
        for (size_t i = first; i < end; i++) {
            const char *reply = "(no reply)";
            enum wire_result r = wire_read(wire, 10000, &reply, NULL);
            if (r != WIRE_OK || !writers_is_right(w, i, reply)) {
                itest_fail("node %zu says to GET %s:%zu:%zu (%s): %.60s", node + 1, w->all->prefix, w->id, i, outcome[w->outcome[i]], reply);
                bad++;
            }
            if (r != WIRE_OK) {
                return bad;
            }
        }
    }
    return bad;
}

size_t writers_verify(const struct writers *w, const struct cluster *c, size_t i)
{
    struct wire wire;
    size_t bad = 0;
    if (!wire_open(&wire, c->node[i].port, 5000)) {
        itest_fail("node %zu takes no connections", i + 1);
        return 1;
    }
    for (size_t t = 0; t < w->thread_count; t++) {
        bad += writers_verify_one(&w->writer[t], &wire, i);
    }
    wire_close(&wire);
    return bad;
}
