#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

/* The harness of every C unit test: one executable per tests/<part>/test_<module>.c.
 *
 *     TEST(quorum_of_three_is_two) { CHECK_EQ_INT(quorum_size(3), 2); }
 *     TEST_MAIN()
 *
 * Tests run in the order they stand in the file; `test_x [word...]` runs those whose name contains one
 * of the words. Each prints "ok <part>/<file> <name>" or, after its messages, "FAIL <part>/<file> <name>".
 * A CHECK that fails is reported and the test goes on; a REQUIRE ends the test there. A test that
 * checks nothing fails. The exit status is 3 if a test failed, so that whoever runs it can tell a crash
 * or a sanitizer's report, which no FAIL line tells of. */

typedef void (*test_fn)(void);

struct test_case {
    const char *name;
    test_fn fn;
    struct test_case *next;
};

void test_register(struct test_case *t);
int test_main(int argc, char **argv, const char *file);

#define TEST(id)                                                               \
    static void test_##id(void);                                               \
    static struct test_case test_case_##id = {#id, test_##id, NULL};           \
    __attribute__((constructor)) static void test_register_##id(void)          \
    {                                                                          \
        test_register(&test_case_##id);                                        \
    }                                                                          \
    static void test_##id(void)

#define TEST_MAIN()                             \
    int main(int argc, char **argv)             \
    {                                           \
        return test_main(argc, argv, __FILE__); \
    }

/* What the following checks are about (a table row's name or number), for their messages; "" ends it. */
void test_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The functions behind the macros; each returns whether the check held. */
bool test_check(bool ok, const char *text, const char *file, int line);
bool test_equal_int(long long a, long long b, const char *text, const char *file, int line);
bool test_equal_uint(unsigned long long a,
                     unsigned long long b,
                     const char *text,
                     const char *file,
                     int line);
bool test_equal_bytes(const void *a,
                      size_t a_size,
                      const void *b,
                      size_t b_size,
                      const char *text,
                      const char *file,
                      int line);
bool test_equal_slice(
    struct slice a, const char *b, const char *text, const char *file, int line);
bool test_equal_string(const char *a, const char *b, const char *text, const char *file, int line);
bool test_contains(const char *whole, const char *part, const char *text, const char *file, int line);
void test_leave(void) __attribute__((noreturn));

#define CHECK(x) test_check((x) ? true : false, #x, __FILE__, __LINE__)
#define REQUIRE(x)        \
    do {                  \
        if (!CHECK(x))    \
            test_leave(); \
    } while (0)
#define CHECK_EQ_INT(a, b) \
    test_equal_int((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_EQ_UINT(a, b)                                                                \
    test_equal_uint((unsigned long long)(a), (unsigned long long)(b), #a " == " #b, __FILE__, \
                    __LINE__)
/* NUL-terminated strings; NULL equals only NULL. */
#define CHECK_EQ_STR(a, b) test_equal_string((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_EQ_BYTES(a, a_size, b, b_size) \
    test_equal_bytes((a), (a_size), (b), (b_size), #a " == " #b, __FILE__, __LINE__)
/* A struct slice against a NUL-terminated string. */
#define CHECK_EQ_SLICE(s, string) \
    test_equal_slice((s), (string), #s " == " #string, __FILE__, __LINE__)
#define CHECK_CONTAINS(whole, part) \
    test_contains((whole), (part), #whole " contains " #part, __FILE__, __LINE__)

/* Runs fn(ctx) in a child process and checks that it aborted (an ASSERT fired). */
bool test_aborts(void (*fn)(void *ctx), void *ctx, const char *text, const char *file, int line);
#define CHECK_ABORTS(fn, ctx) test_aborts((fn), (ctx), #fn " aborts", __FILE__, __LINE__)

/* A copy of `n` bytes that ends right before a page without access: one byte read past the end
 * crashes, also in builds without a sanitizer. Returns owned, for test_guard_free. */
uint8_t *test_guard_copy(const void *p, size_t n);
void test_guard_free(uint8_t *copy, size_t n);

#endif
