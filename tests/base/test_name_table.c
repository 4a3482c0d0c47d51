/* The table of names against the obvious: an array of flags. */
#include "base/name_table.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

enum { THINGS = 3000 };

struct thing {
    struct name_node node;
    char text[16];
    bool is_in;
};

static size_t count_by_walk(const struct name_table *t)
{
    size_t count = 0;
    for (const struct name_node *n = name_table_first(t); n; n = name_table_next(t, n)) {
        CHECK(CONTAINER_OF((struct name_node *)(uintptr_t)n, struct thing, node)->is_in);
        count++;
    }
    return count;
}

TEST(finds_what_is_in_and_nothing_else)
{
    struct siphash_key key = {{7}};
    struct name_table t;
    struct thing *thing = mem_alloc_zero(THINGS * sizeof *thing);
    struct prng prng;
    size_t in = 0;
    prng_seed(&prng, 5);
    name_table_init(&t, &key);
    CHECK(name_table_find(&t, SLICE_LITERAL("x")) == NULL);
    CHECK(name_table_near(&t, 99) == NULL);
    for (int i = 0; i < THINGS; i++) {
        snprintf(thing[i].text, sizeof thing[i].text, i == 0 ? "" : "t%d", i);
        thing[i].node.name = slice_from_cstr(thing[i].text);
    }
    /* Mostly in, then mostly out: it grows, shrinks, and grows again. */
    for (int step = 0; step < 60000; step++) {
        struct thing *a = &thing[prng_below(&prng, THINGS)];
        bool wants_in = step / 15000 % 2 == 0 ? prng_below(&prng, 10) > 0 : prng_below(&prng, 10) == 0;
        CHECK(name_table_find(&t, a->node.name) == (a->is_in ? &a->node : NULL));
        if (wants_in && !a->is_in) {
            name_table_add(&t, &a->node);
            in++;
        } else if (!wants_in && a->is_in) {
            name_table_remove(&t, &a->node);
            in--;
        }
        a->is_in = wants_in;
        if (step % 5000 == 0) {
            CHECK_EQ_UINT(count_by_walk(&t), in);
        }
    }
    CHECK_EQ_UINT(t.count, in);
    CHECK(t.bucket_count <= in * 4 + 8);
    CHECK(in == 0 || name_table_near(&t, UINT64_MAX) != NULL);
    size_t cursor = 0;
    for (struct name_node *n; (n = name_table_pop(&t, &cursor)) != NULL; in--) {
        CHECK(CONTAINER_OF(n, struct thing, node)->is_in);
        CONTAINER_OF(n, struct thing, node)->is_in = false;
    }
    CHECK_EQ_UINT(in, 0);
    CHECK(t.bucket == NULL);
    name_table_deinit(&t);
    mem_free(thing);
}

TEST_MAIN()
