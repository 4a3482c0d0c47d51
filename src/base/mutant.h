#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

/* Deliberate bugs for `make mutants` (tests/mutants/list.tsv lists them): MUT(12) is true only in a build
 * with CORACLE_MUTANTS when mutant 12 was chosen at run time; everywhere else it is the constant 0
 * and costs nothing. Write: if (MUT(12) || correct_condition). */
#ifdef CORACLE_MUTANTS
extern int mutant_active;
#define MUT(number) (mutant_active == (number))
#else
#define MUT(number) 0
#endif

/* COVER("name") counts that a rare path was taken (builds with CORACLE_COVER; else nothing). The
 * simulator prints every mark and fails a full run where one never fired. */
#ifdef CORACLE_COVER
struct cover_mark {
    const char *name;
    unsigned long hits;
};
/* Every mark linked into the program, hit or not; a name may occur at several places. */
void cover_for_each(void (*fn)(void *ctx, const struct cover_mark *mark), void *ctx);
void cover_reset(void);
#define COVER(text)                                                                       \
    do {                                                                                  \
        static struct cover_mark cover_mark_ = {text, 0};                                 \
        static struct cover_mark *cover_pointer_                                          \
            __attribute__((section("cover_marks"), used)) = &cover_mark_;                 \
        cover_pointer_->hits++;                                                           \
    } while (0)
#else
#define COVER(text) ((void)0)
#endif

#endif
