#include "tests/bench/load_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Keys, members and fields have one length each, so that requests of one kind do. */

enum { MSET_PAIRS = 10, FILL_ELEMENTS = 100, ELEMENT_BYTES = 64 };

static const struct {
    const char *name;
    char reply;
    enum load_workload fill;
    int elements; /* per request */
} workload[] = {
    [LOAD_PING] = {"ping", '+', LOAD_SET, 1},
    [LOAD_SET] = {"set", '+', LOAD_SET, 1},
    [LOAD_GET] = {"get", '$', LOAD_SET, 1},
    [LOAD_INCR] = {"incr", ':', LOAD_SET, 1},
    [LOAD_MSET] = {"mset", '+', LOAD_SET, MSET_PAIRS},
    [LOAD_ZADD] = {"zadd", ':', LOAD_ZADD_MANY, 1},
    [LOAD_HSET] = {"hset", ':', LOAD_HSET_MANY, 1},
    [LOAD_LSET] = {"lset", '+', LOAD_RPUSH_MANY, 1},
    [LOAD_ZADD_MANY] = {"zadd-many", ':', LOAD_ZADD_MANY, FILL_ELEMENTS},
    [LOAD_HSET_MANY] = {"hset-many", ':', LOAD_HSET_MANY, FILL_ELEMENTS},
    [LOAD_RPUSH_MANY] = {"rpush-many", ':', LOAD_RPUSH_MANY, FILL_ELEMENTS},
};

char load_reply_type(enum load_workload w)
{
    return workload[w].reply;
}

enum load_workload load_fill_workload(enum load_workload w)
{
    return workload[w].fill;
}

uint64_t load_fill_requests(enum load_workload w, uint64_t keys)
{
    uint64_t elements = (uint64_t)workload[w].elements;
    return (keys + elements - 1) / elements;
}

int load_workload_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof workload / sizeof workload[0]); i++) {
        if (strcasecmp(name, workload[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

/* splitmix64 (Steele, Lea, Flood 2014): one multiply-mix per draw, any seed is a good one. */
uint64_t load_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void load_source_init(struct load_source *s, const struct load_options *o)
{
    *s = (struct load_source){.options = o, .random = o->seed, .value = malloc(o->value_size + 1)};
    for (size_t i = 0; i < o->value_size; i++) {
        s->value[i] = (char)('a' + load_random(&s->random) % 26);
    }
}

void load_source_deinit(struct load_source *s)
{
    free(s->value);
}

static uint64_t draw_key(struct load_source *s)
{
    return s->options->sequential || s->options->fill ? s->next_key++ : load_random(&s->random) % s->options->keys;
}

/* Appends "$16\r\nkey:000000001234\r\n". */
static char *put_key(char *p, uint64_t key)
{
    memcpy(p, "$16\r\nkey:000000000000\r\n", 23);
    for (char *digit = p + 20; key != 0; digit--) {
        *digit = (char)('0' + key % 10);
        key /= 10;
    }
    return p + 23;
}

static char *put_value(struct load_source *s, char *p)
{
    p += snprintf(p, 32, "$%zu\r\n", s->options->value_size);
    memcpy(p, s->value, s->options->value_size);
    if (s->options->value_size >= 8) {
        uint64_t noise = load_random(&s->random) | 0x4040404040404040u; /* values differ, as real ones do */
        memcpy(p, &noise, 8);
    }
    p += s->options->value_size;
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static char *put_number(char *p, uint64_t number)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    return p + snprintf(p, ELEMENT_BYTES, "$%d\r\n%s\r\n", n, digits);
}

/* "COMMAND key" with so many more arguments. */
static char *put_command(char *p, int arguments, const char *command, const char *key)
{
    p += snprintf(p, ELEMENT_BYTES, "*%d\r\n$%zu\r\n%s\r\n", arguments + (key ? 2 : 1), strlen(command), command);
    return key ? p + snprintf(p, ELEMENT_BYTES, "$%zu\r\n%s\r\n", strlen(key), key) : p;
}

static char *put_members(struct load_source *s, char *p, int count)
{
    p = put_command(p, 2 * count, "ZADD", "zset");
    for (int i = 0; i < count; i++) {
        p = put_key(put_number(p, load_random(&s->random) % 1000000000u), draw_key(s));
    }
    return p;
}

static char *put_fields(struct load_source *s, char *p, int count)
{
    p = put_command(p, 2 * count, "HSET", "hash");
    for (int i = 0; i < count; i++) {
        p = put_value(s, put_key(p, draw_key(s)));
    }
    return p;
}

static char *put_items(struct load_source *s, char *p, int count)
{
    p = put_command(p, count, "RPUSH", "list");
    for (int i = 0; i < count; i++) {
        p = put_value(s, p);
    }
    return p;
}

char *load_put_request(struct load_source *s, char *p)
{
    switch (s->options->workload) {
    case LOAD_PING:
        return (char *)memcpy(p, "*1\r\n$4\r\nPING\r\n", 14) + 14;
    case LOAD_SET:
        memcpy(p, "*3\r\n$3\r\nSET\r\n", 13);
        return put_value(s, put_key(p + 13, draw_key(s)));
    case LOAD_GET:
        memcpy(p, "*2\r\n$3\r\nGET\r\n", 13);
        return put_key(p + 13, draw_key(s));
    case LOAD_INCR:
        memcpy(p, "*2\r\n$4\r\nINCR\r\n", 14);
        return put_key(p + 14, draw_key(s));
    case LOAD_MSET:
        p = put_command(p, 2 * MSET_PAIRS, "MSET", NULL);
        for (int i = 0; i < MSET_PAIRS; i++) {
            p = put_value(s, put_key(p, draw_key(s)));
        }
        return p;
    case LOAD_ZADD:
    case LOAD_ZADD_MANY:
        return put_members(s, p, workload[s->options->workload].elements);
    case LOAD_HSET:
    case LOAD_HSET_MANY:
        return put_fields(s, p, workload[s->options->workload].elements);
    case LOAD_LSET:
        return put_value(s, put_number(put_command(p, 2, "LSET", "list"), draw_key(s)));
    case LOAD_RPUSH_MANY:
        return put_items(s, p, FILL_ELEMENTS);
    }
    abort();
}

size_t load_request_bound(const struct load_options *o)
{
    return (size_t)workload[o->workload].elements * (o->value_size + ELEMENT_BYTES) + 128;
}
