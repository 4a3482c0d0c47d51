#include "tests/test.h"

#include <ctype.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* After this many messages a test goes on silently: the first ones are what one reads. */
#define MESSAGES_PER_TEST 20

/* A test program is one thread that runs one list of tests, so its state may be static. */
static struct test_case *first_case;
static struct test_case *last_case;
static const char *current_name = "(none)";
static char label[128];
static char context[256];
static long check_count;
static long failure_count;
static jmp_buf leave_point;

void test_register(struct test_case *t)
{
    if (last_case)
        last_case->next = t;
    else
        first_case = t;
    last_case = t;
}

void test_context(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
}

/* Counts one check; true when its failure should be printed (the place is printed already). */
static bool count(bool ok, const char *text, const char *file, int line)
{
    check_count++;
    if (ok)
        return false;
    if (++failure_count > MESSAGES_PER_TEST)
        return false;
    printf("  %s:%d: %s%s%s%s\n", file, line, text, context[0] ? " [" : "", context,
           context[0] ? "]" : "");
    return true;
}

bool test_check(bool ok, const char *text, const char *file, int line)
{
    count(ok, text, file, line);
    return ok;
}

bool test_equal_int(long long a, long long b, const char *text, const char *file, int line)
{
    if (count(a == b, text, file, line))
        printf("    %lld is not %lld\n", a, b);
    return a == b;
}

bool test_equal_uint(unsigned long long a,
                     unsigned long long b,
                     const char *text,
                     const char *file,
                     int line)
{
    if (count(a == b, text, file, line))
        printf("    %llu is not %llu\n", a, b);
    return a == b;
}

static void print_bytes(const char *title, const uint8_t *p, size_t n)
{
    printf("    %s (%zu): \"", title, n);
    for (size_t i = 0; i < n && i < 200; i++) {
        if (isprint(p[i]) && p[i] != '\\' && p[i] != '"')
            putchar(p[i]);
        else if (p[i] == '\r' || p[i] == '\n')
            printf(p[i] == '\r' ? "\\r" : "\\n");
        else
            printf("\\x%02x", p[i]);
    }
    printf(n > 200 ? "\"...\n" : "\"\n");
}

bool test_equal_bytes(const void *a,
                      size_t a_size,
                      const void *b,
                      size_t b_size,
                      const char *text,
                      const char *file,
                      int line)
{
    bool ok = a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
    if (count(ok, text, file, line)) {
        print_bytes("is", a, a_size);
        print_bytes("should be", b, b_size);
    }
    return ok;
}

bool test_equal_slice(
    struct slice a, const char *b, const char *text, const char *file, int line)
{
    return test_equal_bytes(a.p, a.n, b, strlen(b), text, file, line);
}

bool test_equal_string(const char *a, const char *b, const char *text, const char *file, int line)
{
    bool ok = a && b ? strcmp(a, b) == 0 : a == b;
    if (count(ok, text, file, line))
        printf("    is        \"%s\"\n    should be \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
    return ok;
}

bool test_contains(const char *whole, const char *part, const char *text, const char *file, int line)
{
    bool ok = whole && part && strstr(whole, part);
    if (count(ok, text, file, line))
        printf("    \"%s\"\n    lacks \"%s\"\n", whole ? whole : "(null)", part ? part : "(null)");
    return ok;
}

void test_leave(void)
{
    longjmp(leave_point, 1);
}

bool test_aborts(void (*fn)(void *ctx), void *ctx, const char *text, const char *file, int line)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        /* The message of the assertion is expected: keep it out of the log. */
        if (!freopen("/dev/null", "w", stderr))
            _exit(98);
        fn(ctx);
        _exit(97);
    }
    int status = 0;
    bool ok = child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
              WTERMSIG(status) == SIGABRT;
    count(ok, text, file, line);
    return ok;
}

static size_t guard_size(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

uint8_t *test_guard_copy(const void *p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = guard_size(n);
    /* /dev/zero, because MAP_ANONYMOUS is not in POSIX 2008. */
    FILE *zero = fopen("/dev/zero", "r+");
    if (!zero)
        abort();
    uint8_t *block =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(zero), 0);
    fclose(zero);
    if (block == MAP_FAILED || mprotect(block + size, page, PROT_NONE) != 0)
        abort();
    uint8_t *copy = block + size - n;
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

void test_guard_free(uint8_t *copy, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = guard_size(n);
    munmap(copy + n - size, size + page);
}

/* "tests/base/test_buf.c" -> "base/buf". */
static void set_label(const char *file)
{
    const char *start = strstr(file, "tests/");
    start = start ? start + strlen("tests/") : file;
    const char *name = strstr(start, "test_");
    size_t part = name ? (size_t)(name - start) : 0;
    const char *rest = name ? name + strlen("test_") : start;
    snprintf(label, sizeof label, "%.*s%s", (int)part, start, rest);
    char *dot = strrchr(label, '.');
    if (dot)
        *dot = 0;
}

/* An ASSERT fired: name the test before the process dies of it. */
static void on_abort(int number)
{
    (void)number;
    static const char head[] = "  aborted in ";
    ssize_t ignored = write(1, head, sizeof head - 1);
    ignored = write(1, label, strlen(label));
    ignored = write(1, " ", 1);
    ignored = write(1, current_name, strlen(current_name));
    ignored = write(1, "\n", 1);
    (void)ignored;
    signal(SIGABRT, SIG_DFL);
}

/* Not inlined, so that no local of the caller lives across the setjmp. */
static __attribute__((noinline)) bool run_case(const struct test_case *t)
{
    current_name = t->name;
    check_count = failure_count = 0;
    context[0] = 0;
    if (setjmp(leave_point) == 0)
        t->fn();
    if (check_count == 0)
        printf("  %s checked nothing\n", current_name);
    bool ok = failure_count == 0 && check_count > 0;
    printf("%s %s %s\n", ok ? "ok" : "FAIL", label, current_name);
    fflush(stdout);
    return ok;
}

static bool is_chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return true;
    return argc <= 1;
}

int test_main(int argc, char **argv, const char *file)
{
    set_label(file);
    signal(SIGABRT, on_abort);
    long run = 0;
    long failed = 0;
    for (const struct test_case *t = first_case; t; t = t->next) {
        if (!is_chosen(t->name, argc, argv))
            continue;
        run++;
        if (!run_case(t))
            failed++;
    }
    if (run == 0)
        printf("FAIL %s (no test ran)\n", label);
    return failed > 0 || run == 0 ? 3 : 0;
}
