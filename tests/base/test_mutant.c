#include "base/mutant.h"

#include "tests/test.h"

#ifdef CORACLE_MUTANTS
TEST(only_the_chosen_mutant_is_active)
{
    CHECK(!MUT(12));
    mutant_active = 12;
    CHECK(MUT(12));
    CHECK(!MUT(1));
    mutant_active = 0;
    CHECK(!MUT(12));
}
#else
TEST(mutants_are_constants_elsewhere)
{
    static const int is_off[MUT(12) ? 1 : 2] = {0};
    CHECK_EQ_INT(sizeof is_off / sizeof is_off[0], 2);
}
#endif

#ifdef CORACLE_COVER
struct tally {
    int marks;
    unsigned long hit;
    unsigned long missed;
};

static void look(void *ctx, const struct cover_mark *mark)
{
    struct tally *t = ctx;
    t->marks++;
    if (strcmp(mark->name, "taken") == 0)
        t->hit = mark->hits;
    if (strcmp(mark->name, "not taken") == 0)
        t->missed = mark->hits;
}

static void walk(int odd)
{
    if (odd % 2)
        COVER("taken");
    if (odd > 100)
        COVER("not taken");
}

TEST(cover_counts_and_knows_marks_never_hit)
{
    struct tally t = {0, 99, 99};
    for (int i = 0; i < 6; i++)
        walk(i);
    cover_for_each(look, &t);
    CHECK_EQ_UINT(t.hit, 3);
    CHECK_EQ_UINT(t.missed, 0);
    CHECK(t.marks >= 2);
    cover_reset();
    cover_for_each(look, &t);
    CHECK_EQ_UINT(t.hit, 0);
}
#endif

TEST_MAIN()
