#include "base/buf.h"

#include <stdio.h>

#include "tests/test.h"

#include "base/mem.h"
#include "base/prng.h"

TEST(all_zero_is_an_empty_buffer)
{
    struct buf b = {0};
    CHECK_EQ_INT(buf_size(&b), 0);
    CHECK(buf_slice(&b).p == NULL);
    buf_append(&b, "x", 1);
    CHECK_EQ_SLICE(buf_slice(&b), "x");
    buf_deinit(&b);
    CHECK(b.data == NULL && b.capacity == 0);
    buf_deinit(&b);
}

TEST(appends_and_consumes_in_order)
{
    struct buf b;
    buf_init(&b);
    buf_append(&b, "hello ", 6);
    buf_append_slice(&b, SLICE_LITERAL("world"));
    buf_append_byte(&b, '!');
    CHECK_EQ_SLICE(buf_slice(&b), "hello world!");
    buf_consume(&b, 6);
    CHECK_EQ_SLICE(buf_slice(&b), "world!");
    buf_truncate(&b, 5);
    CHECK_EQ_SLICE(buf_slice(&b), "world");
    buf_consume(&b, 5);
    CHECK_EQ_INT(buf_size(&b), 0);
    CHECK_EQ_INT(b.start, 0);
    buf_deinit(&b);
}

TEST(reserve_and_commit)
{
    struct buf b;
    buf_init(&b);
    uint8_t *at = buf_reserve(&b, 3);
    memcpy(at, "abc", 3);
    CHECK_EQ_INT(buf_size(&b), 0);
    buf_commit(&b, 2);
    CHECK_EQ_SLICE(buf_slice(&b), "ab");
    CHECK(buf_reserve(&b, 0) == b.data + 2);
    buf_deinit(&b);
}

TEST(reserve_reuses_the_consumed_front)
{
    struct buf b;
    buf_init(&b);
    memset(buf_reserve(&b, 64), 'x', 64);
    size_t capacity = b.capacity;
    buf_commit(&b, capacity < 64 ? capacity : 64);
    buf_consume(&b, 60);
    memset(buf_reserve(&b, capacity - 8), 'y', capacity - 8);
    CHECK_EQ_INT(b.capacity, capacity);
    CHECK_EQ_SLICE(buf_slice(&b), "xxxx");
    buf_deinit(&b);
}

TEST(steady_traffic_does_not_grow_it)
{
    struct buf b;
    uint8_t block[100];
    memset(block, 7, sizeof block);
    buf_init(&b);
    for (int i = 0; i < 10000; i++) {
        buf_append(&b, block, sizeof block);
        buf_append(&b, block, sizeof block);
        buf_consume(&b, 150);
        if (buf_size(&b) > 500)
            buf_consume(&b, buf_size(&b) - 10);
    }
    CHECK(b.capacity <= 2048);
    buf_deinit(&b);
}

TEST(printf_of_every_length)
{
    struct buf b;
    char text[700];
    for (int n = 0; n < 600; n++) {
        buf_init(&b);
        memset(text, 'a', sizeof text);
        text[n] = 0;
        buf_printf(&b, "%s|%d>", text, n);
        snprintf(text + n, sizeof text - (size_t)n, "|%d>", n);
        test_context("length %d", n);
        CHECK_EQ_SLICE(buf_slice(&b), text);
        buf_deinit(&b);
    }
}

TEST(clear_gives_big_blocks_back)
{
    struct buf b;
    buf_init(&b);
    memset(buf_reserve(&b, 5000), 0, 5000);
    buf_commit(&b, 5000);
    buf_clear(&b, 100000);
    CHECK(b.capacity >= 5000);
    CHECK_EQ_INT(buf_size(&b), 0);
    buf_clear(&b, 4096);
    CHECK_EQ_INT(b.capacity, 0);
    buf_append(&b, "a", 1);
    CHECK_EQ_SLICE(buf_slice(&b), "a");
    buf_deinit(&b);
}

/* Random operations against an array that never moves. */
TEST(behaves_as_a_queue_of_bytes)
{
    static uint8_t model[400000];
    struct prng p;
    struct buf b;
    prng_seed(&p, 1);
    buf_init(&b);
    size_t start = 0;
    size_t end = 0;
    while (end < sizeof model - 1000) {
        size_t n = (size_t)prng_below(&p, 300);
        for (size_t i = 0; i < n; i++)
            model[end + i] = (uint8_t)prng_next(&p);
        buf_append(&b, model + end, n);
        end += n;
        size_t eaten = (size_t)prng_below(&p, end - start + 1);
        buf_consume(&b, eaten);
        start += eaten;
        if (prng_chance(&p, 50000)) {
            size_t keep = (size_t)prng_below(&p, end - start + 1);
            buf_truncate(&b, keep);
            end = start + keep;
        }
        if (!CHECK_EQ_BYTES(buf_slice(&b).p, buf_size(&b), model + start, end - start))
            break;
    }
    buf_deinit(&b);
}

static void consume_too_much(void *ctx)
{
    buf_consume(ctx, 4);
}

TEST(consuming_more_than_there_is_aborts)
{
    struct buf b;
    buf_init(&b);
    buf_append(&b, "abc", 3);
    CHECK_ABORTS(consume_too_much, &b);
    buf_deinit(&b);
}

TEST_MAIN()
