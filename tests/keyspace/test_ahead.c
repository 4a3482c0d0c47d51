#include "keyspace/ahead.h"

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "keyspace/keyspace.h"
#include "tests/test.h"

static const struct siphash_key seed = {{1}};

static struct slice key_text(char *text, size_t room, uint64_t number)
{
    return (struct slice){(const uint8_t *)text, (size_t)snprintf(text, room, "k%llu", (unsigned long long)number)};
}

static void load(const struct keyspace *k, struct prng *prng)
{
    char text[KEYSPACE_AHEAD_MAX][32];
    struct keyspace_ahead ahead[KEYSPACE_AHEAD_MAX];
    for (size_t i = 0; i < KEYSPACE_AHEAD_MAX; i++)
        ahead[i] = (struct keyspace_ahead){(uint32_t)prng_below(prng, 2), key_text(text[i], sizeof text[i], prng_below(prng, 6000))};
    keyspace_load_ahead(k, ahead, prng_below(prng, KEYSPACE_AHEAD_MAX + 1));
}

/* Two runs of the same changes, with and without hints, at every size of the table and in the middle of its resizes: equal states. */
TEST(hints_change_nothing)
{
    struct keyspace *hinted = keyspace_new(&seed, NULL);
    struct keyspace *plain = keyspace_new(&seed, NULL);
    struct prng prng;
    struct prng hints;
    prng_seed(&prng, 3);
    prng_seed(&hints, 4);
    load(hinted, &hints);
    for (raft_index i = 1; i <= 20000; i++) {
        char text[32];
        /* It grows for a while, then shrinks to nothing. */
        bool is_set = prng_below(&prng, 20000) > i;
        struct slice key = key_text(text, sizeof text, prng_below(&prng, 5000));
        if (i % 7 == 0)
            load(hinted, &hints);
        for (int which = 0; which < 2; which++) {
            struct keyspace *k = which == 0 ? hinted : plain;
            struct keyspace_view view = {.keyspace = k, .db = 0, .is_write = true};
            keyspace_begin_entry(k, i, 0);
            if (is_set)
                keyspace_set_string(&view, key, key, false, "set");
            else
                (void)keyspace_delete(&view, key, "del");
        }
        if (i % 1000 == 0)
            CHECK_EQ_UINT(keyspace_digest(hinted), keyspace_digest(plain));
    }
    keyspace_free(hinted);
    keyspace_free(plain);
}

TEST_MAIN()
