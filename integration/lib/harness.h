#ifndef INTEGRATION_HARNESS_H
#define INTEGRATION_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tests against real processes. One program per topic; integration/run starts it once per test, with a time limit
 * and a folder of its own, so a test may simply exit.
 *
 *     ITEST(wiped_disk, ITEST_CLUSTER, 30) { ... CHECK(x); REQUIRE(y); CHECK_STR(got, "+OK\r\n"); }
 *     ITEST_MAIN()
 *
 * A CHECK that fails is reported and the test goes on; a REQUIRE ends it. Exit codes: 0 passed, 1 failed, 77 skipped. */
enum itest_needs {
    ITEST_ANY_SERVER, /* runs against redis-server too (ITEST_SERVER=redis): proves the test itself */
    ITEST_CLUSTER,    /* needs coracle nodes */
    ITEST_NOTHING,    /* tests of these helpers themselves */
};

struct itest {
    const char *name;
    enum itest_needs needs;
    int limit_s;
    void (*run)(void);
    struct itest *next;
};

void itest_register(struct itest *t);
int itest_main(int argc, char **argv);

#define ITEST(id, needs, limit_s)                                                   \
    static void itest_run_##id(void);                                               \
    static struct itest itest_case_##id = {#id, needs, limit_s, itest_run_##id, 0}; \
    __attribute__((constructor)) static void itest_register_##id(void)              \
    {                                                                               \
        itest_register(&itest_case_##id);                                           \
    }                                                                               \
    static void itest_run_##id(void)
#define ITEST_MAIN()                       \
    int main(int argc, char **argv)        \
    {                                      \
        return itest_main(argc, argv);     \
    }

bool itest_check(bool ok, const char *file, int line, const char *text);
bool itest_check_str(const char *got, const char *want, const char *file, int line, const char *text);
/* Prints a line of the test's report; `itest_fail` also makes the test fail. */
void itest_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void itest_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void itest_leave(void) __attribute__((noreturn)); /* ends the test now; failed or passed as the checks say */
void itest_skip(const char *why) __attribute__((noreturn));
bool itest_has_failed(void);
/* `fn(ctx)` is called when the test ends, in reverse order of registration, after a failure too. */
void itest_at_end(void (*fn)(void *ctx), void *ctx);

#define CHECK(x) itest_check((x) ? true : false, __FILE__, __LINE__, #x)
#define REQUIRE(x)         \
    do {                   \
        if (!CHECK(x))     \
            itest_leave(); \
    } while (0)
#define CHECK_STR(got, want) itest_check_str((got), (want), __FILE__, __LINE__, #got)

/* The folder of this test, removed by integration/run; below $TMPDIR when a test program is run by hand. */
const char *itest_dir(void);
bool itest_server_is_redis(void);
int64_t itest_now_ms(void); /* CLOCK_MONOTONIC */
void itest_sleep_ms(int ms);
uint64_t itest_random(void); /* seeded by ITEST_SEED or the time; the seed is printed when the test fails */
/* Runs a shell command; its standard output and error go to *out (at most size-1 bytes, NUL-terminated). Returns its
 * exit status, -1 when it was killed by a signal. */
int itest_shell(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
