/* What the running digest costs per change: run_digest_cost [keys] [changes]. Prints nanoseconds: of folding one change into it, and of
 * the whole change of a key of 100 bytes that it is part of. For tests/bench/snapshot-figures; not a test. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "keyspace/keyspace_internal.h"

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fold(struct keyspace *k, struct dict_entry **entry, size_t keys, size_t changes)
{
    size_t at = 0;
    for (size_t i = 0; i < changes; i++) {
        at = (at + 7919) % keys; /* a prime: they are met in no order that memory knows */
        digest_change(k, 0, entry[at]->hash, entry[at]);
    }
}

int main(int argc, char **argv)
{
    size_t keys = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    size_t changes = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000000;
    struct siphash_key seed = {{1}};
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct dict_entry **entry = calloc(keys, sizeof entry[0]);
    char name[32];
    uint8_t value[100] = {0};
    double begun = now_ns();
    for (size_t i = 0; i < keys; i++) {
        int n = snprintf(name, sizeof name, "key:%012zu", i);
        struct keyspace_view view = {.keyspace = k, .time_ms = 1, .is_write = true};
        keyspace_begin_entry(k, i + 1, 1);
        keyspace_set_string(&view, (struct slice){(const uint8_t *)name, (size_t)n}, (struct slice){value, sizeof value}, false, "set");
    }
    double set = (now_ns() - begun) / (double)keys;
    for (size_t i = 0; i < keys; i++) {
        int n = snprintf(name, sizeof name, "key:%012zu", i);
        struct slice key = {(const uint8_t *)name, (size_t)n};
        entry[i] = dict_find(&k->db[0].dict, siphash64_fast(&k->seed, key.p, key.n), key);
    }
    begun = now_ns();
    fold(k, entry, keys, changes);
    /* In a command the key's entry is in the cache already: a second pass over few keys says what the fold alone takes. */
    double cold = (now_ns() - begun) / (double)changes;
    begun = now_ns();
    fold(k, entry, keys < 64 ? keys : 64, changes);
    double warm = (now_ns() - begun) / (double)changes;
    printf("digest ns=%.1f cold_ns=%.1f set_ns=%.1f running=%016llx\n", warm, cold, set, (unsigned long long)k->running_digest);
    free(entry);
    keyspace_free(k);
    return 0;
}
