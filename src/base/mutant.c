#include "base/mutant.h"

#include <stddef.h>

#ifdef CORACLE_MUTANTS
int mutant_active = 0;
#endif

/* The linker gathers a pointer to each mark of the program in one section, so that marks which were
 * never hit are known too. Weak: a program may have no mark at all. */
#ifdef CORACLE_COVER
extern struct cover_mark *__start_cover_marks[] __attribute__((weak));
extern struct cover_mark *__stop_cover_marks[] __attribute__((weak));

void cover_for_each(void (*fn)(void *ctx, const struct cover_mark *mark), void *ctx)
{
    for (struct cover_mark **m = __start_cover_marks; m != __stop_cover_marks; m++)
        fn(ctx, *m);
}

void cover_reset(void)
{
    for (struct cover_mark **m = __start_cover_marks; m != __stop_cover_marks; m++)
        (*m)->hits = 0;
}
#endif

/* ISO C wants a declaration in every file. */
typedef size_t mutant_unused;
