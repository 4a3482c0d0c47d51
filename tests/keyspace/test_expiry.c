#include "keyspace/expiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

enum { ENTRIES = 300 };

static struct dict dict;

static struct dict_entry *entry_new(unsigned i)
{
    char text[16];
    int n = snprintf(text, sizeof text, "k%u", i);
    return dict_insert(&dict, (uint64_t)i << 50, (struct slice){(const uint8_t *)text, (size_t)n});
}

/* The model: what the order says, by brute force. */
struct model {
    struct dict_entry *entry;
    int64_t at_ms;
    bool has_expiry;
};

static const struct model *model_first(const struct model *m)
{
    const struct model *first = NULL;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (!m[i].has_expiry) {
            continue;
        }
        if (!first || m[i].at_ms < first->at_ms ||
            (m[i].at_ms == first->at_ms &&
             (m[i].entry->last_change < first->entry->last_change ||
              (m[i].entry->last_change == first->entry->last_change &&
               slice_compare(dict_entry_key(m[i].entry), dict_entry_key(first->entry)) < 0)))) {
            first = &m[i];
        }
    }
    return first;
}

static bool firsts_agree(const struct model *m, const struct expiry_heap *h)
{
    const struct model *first = model_first(m);
    const struct expiry_item *item = expiry_first(h);
    return first && item ? first->entry == item->entry : !first && !item;
}

TEST(agrees_with_brute_force)
{
    static struct model m[ENTRIES];
    struct expiry_heap h;
    struct prng random;
    dict_init(&dict);
    expiry_init(&h);
    prng_seed(&random, 11);
    for (unsigned i = 0; i < ENTRIES; i++) {
        m[i] = (struct model){.entry = entry_new(i)};
    }
    uint32_t count = 0;
    for (unsigned step = 1; step < 60000; step++) {
        struct model *one = &m[prng_below(&random, ENTRIES)];
        uint64_t what = prng_below(&random, 10);
        bool wants_many = (step / 5000) % 2 == 0;
        if (what < (wants_many ? 6u : 2u)) {
            one->at_ms =
                (int64_t)prng_below(&random, 20) - 5; /* many ties; negative is a time, too */
            count += !one->has_expiry;
            one->has_expiry = true;
            expiry_set(&h, one->entry, one->at_ms);
        } else if (what < 8) {
            CHECK(expiry_clear(&h, one->entry) == one->has_expiry);
            count -= one->has_expiry;
            one->has_expiry = false;
        } else {
            one->entry->last_change = step / 50;
            expiry_touch(&h, one->entry);
        }
        REQUIRE(h.count == count);
        REQUIRE((one->entry->expiry_position != 0) == one->has_expiry);
        REQUIRE(!one->has_expiry || expiry_at(&h, one->entry) == one->at_ms);
        REQUIRE(firsts_agree(m, &h));
        if (step % 200 == 0) {
            expiry_check(&h);
        }
    }
    for (const struct model *first; (first = model_first(m));) {
        REQUIRE(firsts_agree(m, &h));
        m[first - m].has_expiry = false;
        expiry_clear(&h, first->entry);
    }
    CHECK(expiry_first(&h) == NULL);
    CHECK(h.capacity <= 64); /* gave memory back */
    expiry_deinit(&h);
    size_t chain = 0;
    size_t budget = SIZE_MAX;
    for (struct dict_entry *e; (e = dict_take_any(&dict, &chain, &budget));) {
        dict_entry_free(e);
    }
    dict_deinit(&dict);
}

TEST_MAIN()
