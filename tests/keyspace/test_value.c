#include "keyspace/value.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/value_internal.h"
#include "tests/test.h"

enum { CHUNK = (int)VALUE_PART_BYTES };

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static uint8_t *pattern_new(size_t size)
{
    uint8_t *bytes = mem_alloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = pattern(i);
    }
    return bytes;
}

static bool value_is_pattern(const struct value *v, size_t size)
{
    if (value_string_size(v) != size) {
        return false;
    }
    for (size_t done = 0; done < size;) {
        struct slice part = value_string_part(v, done);
        if (part.n == 0 || part.n > VALUE_INLINE_MAX) {
            return false;
        }
        for (size_t i = 0; i < part.n; i++) {
            if (part.p[i] != pattern(done + i)) {
                return false;
            }
        }
        done += part.n;
    }
    return value_string_part(v, size).n == 0;
}

TEST(strings_of_every_kind_of_size)
{
    const size_t size[] = {
        0,         1,         19,        100,       VALUE_INLINE_MAX - 1, VALUE_INLINE_MAX,
        CHUNK - 1, CHUNK,     CHUNK + 1, CHUNK + 8, VALUE_INLINE_MAX + 1, 2 * CHUNK - 1,
        2 * CHUNK, 2 * CHUNK + 1,        40 * CHUNK + 7};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        test_context("size %zu", size[i]);
        uint8_t *bytes = pattern_new(size[i]);
        struct value *v = value_new_string((struct slice){bytes, size[i]});
        CHECK(value_get_type(v) == VALUE_STRING);
        CHECK(value_is_pattern(v, size[i]));
        CHECK((v->encoding == VALUE_CHUNKED) == (size[i] > VALUE_INLINE_MAX)); /* V1 */
        CHECK(value_memory(v) >= size[i]);
        CHECK(value_memory(v) <= size[i] + 64 + (size[i] / CHUNK + 1) * 2 * sizeof(void *));
        value_free(v);
        mem_free(bytes);
    }
    test_context("%s", "");
}

/* Whatever the pieces, the result is the string; its parts begin where those of a string made at
 * once begin (V2). */
TEST(appending_in_any_pieces_makes_the_same_string)
{
    struct prng random;
    prng_seed(&random, 3);
    size_t size = 3 * CHUNK + 17;
    uint8_t *bytes = pattern_new(size);
    for (int round = 0; round < 40; round++) {
        size_t most = (size_t)1 << (1 + round % 18);
        size_t first = (size_t)prng_below(&random, most);
        struct value *v = value_new_string((struct slice){bytes, first < size ? first : size});
        while (value_string_size(v) < size) {
            size_t done = value_string_size(v);
            size_t n = (size_t)prng_below(&random, most) + 1;
            if (CHUNK > 1000 && most < 1000) {
                n *= 50; /* else a debug build takes long */
            }
            n = n < size - done ? n : size - done;
            v = value_string_append(v, (struct slice){bytes + done, n});
            v = value_string_append(v, (struct slice){NULL, 0});
            REQUIRE(value_string_size(v) == done + n);
            REQUIRE((v->encoding == VALUE_CHUNKED) == (done + n > VALUE_INLINE_MAX));
            REQUIRE(value_memory(v) <= 2 * (done + n) + 128 + CHUNK / 32);
        }
        CHECK(value_is_pattern(v, size));
        CHECK_EQ_UINT(value_string_part(v, 0).n, CHUNK);
        CHECK_EQ_UINT(value_string_part(v, 2 * CHUNK + 5).n, CHUNK - 5);
        value_free(v);
    }
    mem_free(bytes);
}

TEST(assigning_reuses_memory_only_for_the_same_size)
{
    struct value *v = value_new_string(SLICE_LITERAL("0123456789"));
    struct value *before = v;
    v = value_string_assign(v, SLICE_LITERAL("abcdefghij"));
    CHECK(v == before);
    CHECK_EQ_SLICE(value_string_part(v, 0), "abcdefghij");
    v = value_string_assign(v, SLICE_LITERAL("short"));
    CHECK_EQ_SLICE(value_string_part(v, 0), "short");
    v = value_string_append(v, SLICE_LITERAL("er"));
    v = value_string_assign(v, SLICE_LITERAL("1234567"));
    CHECK_EQ_UINT(value_memory(v), sizeof *v + 7);
    uint8_t *bytes = pattern_new(3 * CHUNK);
    v = value_string_assign(v, (struct slice){bytes, 3 * CHUNK});
    CHECK(value_is_pattern(v, 3 * CHUNK));
    v = value_string_assign(v, (struct slice){bytes, 2 * CHUNK});
    CHECK(value_is_pattern(v, 2 * CHUNK));
    v = value_string_assign(v, (struct slice){NULL, 0});
    CHECK_EQ_UINT(value_string_size(v), 0);
    value_free(v);
    mem_free(bytes);
}

TEST(freeing_in_pieces_takes_as_many_as_there_are_chunks)
{
    size_t before = mem_used();
    uint8_t *bytes = pattern_new(100 * CHUNK);
    struct value *v = value_new_string((struct slice){bytes, 100 * CHUNK});
    CHECK(value_is_big(v));
    mem_free(bytes);
    size_t calls = 1;
    size_t budget = 7;
    while (!value_free_some(v, &budget)) {
        CHECK_EQ_UINT(budget, 0);
        budget = 7;
        calls++;
    }
    CHECK_EQ_UINT(calls, 15);
    CHECK_EQ_UINT(mem_used(), before);
    struct value *small = value_new_string(SLICE_LITERAL("x"));
    CHECK(!value_is_big(small));
    budget = 0;
    CHECK(!value_free_some(small, &budget));
    budget = 1;
    CHECK(value_free_some(small, &budget));
    CHECK_EQ_UINT(budget, 0);
    value_free(NULL);
}

TEST(integers_are_canonical_only)
{
    static const struct {
        const char *text;
        bool is_integer;
        int64_t number;
    } row[] = {{"0", true, 0},
               {"-1", true, -1},
               {"9223372036854775807", true, INT64_MAX},
               {"-9223372036854775808", true, INT64_MIN},
               {"9223372036854775808", false, 0},
               {"-9223372036854775809", false, 0},
               {"", false, 0},
               {"-0", false, 0},
               {"+1", false, 0},
               {"01", false, 0},
               {" 1", false, 0},
               {"1 ", false, 0},
               {"1.0", false, 0},
               {"-", false, 0},
               {"99999999999999999999999999", false, 0}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("'%s'", row[i].text);
        struct value *v = value_new_string(slice_from_cstr(row[i].text));
        int64_t number = 77;
        CHECK(value_string_integer(v, &number) == row[i].is_integer);
        CHECK_EQ_INT(number, row[i].is_integer ? row[i].number : 77);
        value_free(v);
    }
    test_context("%s", "");
    struct value *v = value_new_string((struct slice){(const uint8_t *)"1\0", 2});
    int64_t number;
    CHECK(!value_string_integer(v, &number));
    value_free(v);
}

TEST(types_have_redis_names)
{
    static const char *const name[] = {"string", "list", "set", "zset", "hash", "stream"};
    for (int i = 0; i < 6; i++) {
        CHECK_EQ_STR(value_type_name((enum value_type)i), name[i]);
    }
}

/* Lengthening, overwriting and copying out, over the edges of chunks, against a flat array. */
TEST(strings_are_written_in_place)
{
    enum { SIZE = 5 * CHUNK + 7, STEPS = 200 };
    uint8_t *model = mem_alloc_zero(SIZE);
    uint8_t *bytes = pattern_new(SIZE);
    uint8_t *copy = mem_alloc(SIZE);
    struct prng random;
    prng_seed(&random, 11);
    struct value *v = value_new_string((struct slice){NULL, 0});
    size_t size = 0;
    for (size_t step = 0; step < STEPS; step++) {
        if (prng_below(&random, 10) == 0) {
            size += (size_t)prng_below(&random, SIZE - size + 1) / 4;
            v = value_string_extend(v, size); /* with zeros, as the model has them */
        }
        size_t offset = (size_t)prng_below(&random, size + 1);
        size_t n = (size_t)prng_below(&random, size - offset + 1);
        value_string_write(v, offset, (struct slice){bytes + step, n > SIZE - step ? 0 : n});
        memcpy(model + offset, bytes + step, n > SIZE - step ? 0 : n);
        REQUIRE(value_string_size(v) == size);
        CHECK_EQ_UINT(value_string_read(v, 0, copy, SIZE), size);
        CHECK(memcmp(copy, model, size) == 0);
        CHECK_EQ_UINT(value_string_read(v, offset, copy, n), n);
        CHECK(memcmp(copy, model + offset, n) == 0);
    }
    CHECK_EQ_UINT(value_string_read(v, size, copy, 1), 0);
    value_free(v);
    mem_free(model);
    mem_free(bytes);
    mem_free(copy);
}

TEST_MAIN()
