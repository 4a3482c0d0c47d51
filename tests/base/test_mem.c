#include "base/mem.h"

#include <pthread.h>

#include "tests/test.h"

TEST(used_goes_up_and_down_with_blocks)
{
    size_t before = mem_used();
    char *p = mem_alloc(1000);
    CHECK(mem_used() >= before + 1000);
    p = mem_realloc(p, 5000);
    CHECK(mem_used() >= before + 5000);
    p = mem_realloc(p, 10);
    CHECK(mem_used() < before + 5000);
    mem_free(p);
    CHECK_EQ_INT(mem_used(), before);
}

TEST(zero_bytes_are_a_block)
{
    size_t before = mem_used();
    void *a = mem_alloc(0);
    void *b = mem_alloc_zero(0);
    void *c = mem_realloc(NULL, 0);
    CHECK(a && b && c && a != b);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    CHECK_EQ_INT(mem_used(), before);
}

TEST(alloc_zero_is_zero)
{
    unsigned char *p = mem_alloc_zero(300);
    for (int i = 0; i < 300; i++)
        CHECK_EQ_INT(p[i], 0);
    mem_free(p);
}

TEST(copy_string_ends_with_nul)
{
    char *s = mem_copy_string("hello", 3);
    CHECK_EQ_STR(s, "hel");
    mem_free(s);
    s = mem_copy_string(NULL, 0);
    CHECK_EQ_STR(s, "");
    mem_free(s);
}

TEST(realloc_keeps_content)
{
    int *p = mem_alloc_array(3, sizeof *p);
    for (int i = 0; i < 3; i++)
        p[i] = i;
    p = mem_realloc_array(p, 1000, sizeof *p);
    CHECK(p[0] == 0 && p[1] == 1 && p[2] == 2);
    mem_free(p);
}

static void array_overflow(void *ctx)
{
    mem_free(mem_alloc_array(SIZE_MAX / 4, *(size_t *)ctx));
}
static void realloc_array_overflow(void *ctx)
{
    mem_free(mem_realloc_array(NULL, SIZE_MAX / 4, *(size_t *)ctx));
}

TEST(array_size_overflow_aborts)
{
    size_t size = 8;
    CHECK_ABORTS(array_overflow, &size);
    CHECK_ABORTS(realloc_array_overflow, &size);
}

static void *allocate_in_thread(void *ctx)
{
    mem_free(ctx);
    return mem_alloc(4000);
}

TEST(counts_blocks_that_cross_threads)
{
    size_t before = mem_used();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        void *result = NULL;
        REQUIRE(pthread_create(&thread, NULL, allocate_in_thread, mem_alloc(1000)) == 0);
        REQUIRE(pthread_join(thread, &result) == 0);
        CHECK(mem_used() >= before + 4000);
        CHECK(mem_used() < before + 4900);
        mem_free(result);
        CHECK_EQ_INT(mem_used(), before);
    }
}

TEST(mapped_pages_are_zero_and_not_counted)
{
    size_t used = mem_used();
    size_t size = (size_t)1 << 30;
    uint32_t *p = mem_map(size);
    CHECK_EQ_UINT(p[0], 0);
    p[size / sizeof *p - 1] = 7;
    CHECK_EQ_UINT(p[size / sizeof *p - 1], 7);
    CHECK_EQ_UINT(mem_used(), used);
    mem_unmap(p, size);
    mem_unmap(NULL, size);
}

TEST_MAIN()
