/* Values with several owners, in pieces, and rebuilt. */
#include <string.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/value.h"
#include "keyspace/value_internal.h"
#include "tests/test.h"

enum { PART = (int)VALUE_PART_BYTES };

static const struct siphash_key key = {{1, 2, 3}};

static struct value *string_of(size_t size, uint8_t salt)
{
    uint8_t *bytes = mem_alloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 13 + i / 253 + salt);
    }
    struct value *v = value_new_string((struct slice){bytes, size});
    mem_free(bytes);
    return v;
}

static uint64_t digest_of(const struct value *v)
{
    struct value_digest digest = {.hash = 0};
    while (value_digest_step(v, &key, &digest)) {
    }
    return digest.hash;
}

static bool is_same_string(const struct value *a, const struct value *b)
{
    size_t size = value_string_size(a);
    if (value_string_size(b) != size) {
        return false;
    }
    for (size_t i = 0; i < size;) {
        struct slice x = value_string_part(a, i);
        struct slice y = value_string_part(b, i);
        if (x.n != y.n || memcmp(x.p, y.p, x.n) != 0) {
            return false;
        }
        i += x.n;
    }
    return true;
}

static const size_t some_size[] = {0,        1,        100,          PART - 1, PART,
                                   PART + 1, PART + 4, PART + 5,     2 * PART, 2 * PART + 1,
                                   5 * PART, 5 * PART + 9, 40 * PART};
enum { SIZES = sizeof some_size / sizeof some_size[0] };

TEST(a_share_outlives_the_other_owner)
{
    size_t before = mem_used();
    for (size_t i = 0; i < SIZES; i++) {
        test_context("size %zu", some_size[i]);
        struct value *model = string_of(some_size[i], 1);
        struct value *a = string_of(some_size[i], 1);
        struct value *b = value_share(a);
        CHECK_EQ_UINT(value_memory(b), value_memory(a));
        value_free(a);
        CHECK(is_same_string(b, model));
        struct value *c = value_unshare(b);
        CHECK(c == b); /* it is the only one */
        value_free(c);
        value_free(model);
    }
    CHECK_EQ_UINT(mem_used(), before);
}

TEST(sharing_costs_a_count_and_changing_costs_a_chunk)
{
    struct value *a = string_of(1000 * (size_t)PART, 3);
    size_t before = mem_used();
    struct value *b = value_share(a);
    CHECK_EQ_UINT(mem_used(), before);
    b = value_unshare(b);
    CHECK(b != a);
    size_t root = mem_used() - before;
    CHECK(root < 1100 * sizeof(void *) * 2);
    value_string_write(b, 5 * PART + 1, SLICE_LITERAL("abc"));
    CHECK(mem_used() - before - root < 2 * (size_t)PART + 64);
    value_string_write(b, 5 * PART + 7, SLICE_LITERAL("def")); /* the same chunk: its own by now */
    CHECK(mem_used() - before - root < 2 * (size_t)PART + 64);
    size_t budget = 3;
    CHECK(!value_free_some(b, &budget)); /* also piece by piece */
    CHECK_EQ_UINT(budget, 0);
    budget = 2000;
    CHECK(value_free_some(b, &budget));
    CHECK_EQ_UINT(mem_used(), before);
    value_free(a);
}

/* Any owner changes and any other must not see it. */
TEST(owners_do_not_see_each_others_changes)
{
    enum { OWNERS = 4, STEPS = 400 };
    struct prng random;
    prng_seed(&random, 5);
    struct value *owner[OWNERS];
    struct buf model[OWNERS] = {{NULL, 0, 0, 0}};
    size_t before = mem_used();
    for (size_t i = 0; i < OWNERS; i++) {
        owner[i] = value_new_string((struct slice){NULL, 0});
    }
    for (size_t step = 0; step < STEPS; step++) {
        size_t i = (size_t)prng_below(&random, OWNERS);
        size_t j = (size_t)prng_below(&random, OWNERS);
        size_t size = value_string_size(owner[i]);
        uint8_t bytes[PART * 2];
        size_t n = (size_t)prng_below(&random, sizeof bytes);
        memset(bytes, (int)step, n);
        switch (prng_below(&random, 4)) {
        case 0:
            if (i != j) {
                value_free(owner[j]);
                owner[j] = value_share(owner[i]);
                buf_clear(&model[j], SIZE_MAX);
                buf_append_slice(&model[j], buf_slice(&model[i]));
            }
            break;
        case 1:
            if (size < 20 * (size_t)PART) {
                owner[i] = value_string_append(owner[i], (struct slice){bytes, n});
                buf_append(&model[i], bytes, n);
            }
            break;
        case 2:
            if (size > 0) {
                size_t at = (size_t)prng_below(&random, size);
                n = n < size - at ? n : size - at;
                owner[i] = value_unshare(owner[i]);
                value_string_write(owner[i], at, (struct slice){bytes, n});
                memcpy(model[i].data + model[i].start + at, bytes, n);
            }
            break;
        case 3:
            if (prng_below(&random, 10) == 0) {
                owner[i] = value_string_assign(owner[i], (struct slice){bytes, n});
                buf_clear(&model[i], SIZE_MAX);
                buf_append(&model[i], bytes, n);
            }
            break;
        default:
            break;
        }
        for (size_t o = 0; o < OWNERS; o++) {
            struct value *want = value_new_string(buf_slice(&model[o]));
            REQUIRE(is_same_string(owner[o], want));
            value_free(want);
        }
    }
    for (size_t o = 0; o < OWNERS; o++) {
        value_free(owner[o]);
        buf_deinit(&model[o]);
    }
    CHECK_EQ_UINT(mem_used(), before);
}

TEST(pieces_make_the_value_again)
{
    for (size_t i = 0; i < SIZES; i++) {
        test_context("size %zu", some_size[i]);
        struct value *v = string_of(some_size[i], 2);
        struct value_cursor cursor = {0, 0};
        struct value_builder builder;
        value_builder_init(&builder);
        struct buf piece = {0};
        size_t pieces = 0;
        while (value_write_piece(v, &cursor, &piece)) {
            CHECK(buf_size(&piece) <= VALUE_PIECE_MAX);
            REQUIRE(value_builder_add(&builder, buf_slice(&piece)));
            buf_clear(&piece, SIZE_MAX);
            pieces++;
        }
        CHECK(pieces >= 1);
        CHECK(!value_write_piece(v, &cursor, &piece));
        CHECK_EQ_UINT(buf_size(&piece), 0);
        struct value *again = value_builder_finish(&builder);
        REQUIRE(again != NULL);
        CHECK(is_same_string(v, again));
        CHECK_EQ_UINT(digest_of(again), digest_of(v));
        CHECK(value_memory(again) <= value_memory(v));
        value_free(v);
        value_free(again);
        buf_deinit(&piece);
    }
    test_context("%s", "");
}

/* How a value came to be, and who else owns it, is not seen in its digest. */
TEST(the_digest_depends_on_the_content)
{
    struct value *a = string_of(3 * PART + 5, 7);
    struct value *b = value_new_string((struct slice){NULL, 0});
    for (size_t i = 0; i < value_string_size(a);) {
        struct slice part = value_string_part(a, i);
        part.n = part.n > 10 ? 10 : part.n;
        b = value_string_append(b, part);
        i += part.n;
    }
    struct value *c = value_share(b);
    CHECK_EQ_UINT(digest_of(a), digest_of(b));
    b = value_unshare(b);
    value_string_write(b, 2 * PART, SLICE_LITERAL("!"));
    CHECK(digest_of(a) != digest_of(b));
    CHECK_EQ_UINT(digest_of(a), digest_of(c));
    struct value *empty = string_of(0, 0);
    struct value *zero = value_new_string((struct slice){(const uint8_t *)"\0", 1});
    CHECK(digest_of(empty) != digest_of(zero));
    value_free(a);
    value_free(b);
    value_free(c);
    value_free(empty);
    value_free(zero);
}

static bool builds(const uint8_t *bytes, size_t n)
{
    struct value_builder builder;
    value_builder_init(&builder);
    bool is_good = value_builder_add(&builder, (struct slice){bytes, n});
    struct value *v = value_builder_finish(&builder);
    CHECK(is_good || !v);
    value_free(v);
    return v != NULL;
}

TEST(nonsense_is_not_built)
{
    const uint8_t good[] = {0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c'};
    CHECK(builds(good, sizeof good));
    for (size_t n = 0; n < sizeof good; n++) {
        CHECK(!builds(good, n));
    }
    for (size_t i = 0; i < 10; i++) { /* every byte of the header counts */
        for (unsigned flip = 1; flip < 256; flip++) {
            uint8_t bad[sizeof good];
            memcpy(bad, good, sizeof bad);
            bad[i] ^= (uint8_t)flip;
            CHECK(!builds(bad, sizeof bad));
        }
    }
    const uint8_t second[] = {0, 1, 3, 0, 0, 0, 3, 0, 0, 0};
    struct value_builder builder;
    value_builder_init(&builder);
    CHECK(value_builder_finish(&builder) == NULL);
    CHECK(value_builder_add(&builder, (struct slice){good, sizeof good}));
    CHECK(!value_builder_add(&builder, (struct slice){second, sizeof second})); /* too many */
    CHECK(value_builder_finish(&builder) == NULL);
    CHECK(value_builder_add(&builder, (struct slice){good, sizeof good})); /* as new */
    value_builder_deinit(&builder);
}

TEST_MAIN()
