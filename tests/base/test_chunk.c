#include "base/chunk.h"

#include "tests/test.h"

#include "base/mem.h"

TEST(last_reference_frees)
{
    size_t before = mem_used();
    struct chunk *c = chunk_new(1000);
    CHECK_EQ_INT(c->used, 0);
    CHECK_EQ_INT(chunk_room(c), 1000);
    CHECK(mem_used() >= before + 1000);
    CHECK(chunk_ref(c) == c);
    chunk_unref(c);
    memset(c->data, 1, 1000);
    c->used = 400;
    CHECK_EQ_INT(chunk_room(c), 600);
    chunk_unref(c);
    CHECK_EQ_INT(mem_used(), before);
}

TEST(null_is_allowed)
{
    chunk_unref(NULL);
    CHECK_EQ_INT(chunk_room(NULL), 0);
}

TEST(capacity_zero)
{
    struct chunk *c = chunk_new(0);
    CHECK_EQ_INT(chunk_room(c), 0);
    chunk_unref(c);
}

static void ref_at_the_limit(void *ctx)
{
    chunk_ref(ctx);
}

TEST(too_many_references_abort)
{
    struct chunk *c = chunk_new(1);
    c->ref_count = UINT32_MAX;
    CHECK_ABORTS(ref_at_the_limit, c);
    c->ref_count = 1;
    chunk_unref(c);
}

TEST_MAIN()
