#include "integration/lib/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ITEST_SKIPPED = 77, ITEST_MAX_ENDS = 32, ITEST_MAX_REPORTED = 20 };

static struct {
    struct itest *first;
    struct itest **last;
    const struct itest *running;
    int failures;
    uint64_t seed;
    uint64_t random;
    char dir[512];
    size_t end_count;
    struct {
        void (*fn)(void *ctx);
        void *ctx;
    } end[ITEST_MAX_ENDS];
} itest = {.last = &itest.first};

void itest_register(struct itest *t)
{
    *itest.last = t;
    itest.last = &t->next;
}

bool itest_has_failed(void)
{
    return itest.failures > 0;
}

void itest_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("    ", stdout);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

void itest_fail(const char *format, ...)
{
    va_list args;
    if (++itest.failures > ITEST_MAX_REPORTED) {
        return;
    }
    va_start(args, format);
    fputs("    FAILED: ", stdout);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

bool itest_check(bool ok, const char *file, int line, const char *text)
{
    if (!ok) {
        itest_fail("%s:%d: %s", file, line, text);
    }
    return ok;
}

bool itest_check_str(const char *got, const char *want, const char *file, int line, const char *text)
{
    bool ok = got != NULL && strcmp(got, want) == 0;
    if (!ok) {
        itest_fail("%s:%d: %s is \"%.300s\", not \"%.300s\"", file, line, text, got != NULL ? got : "(none)", want);
    }
    return ok;
}

void itest_at_end(void (*fn)(void *ctx), void *ctx)
{
    if (itest.end_count < ITEST_MAX_ENDS) {
        itest.end[itest.end_count].fn = fn;
        itest.end[itest.end_count++].ctx = ctx;
    }
}

void itest_leave(void)
{
    while (itest.end_count > 0) {
        itest.end_count--;
        itest.end[itest.end_count].fn(itest.end[itest.end_count].ctx);
    }
    if (itest.failures > 0) {
        itest_note("%d checks failed; ITEST_SEED=%llu", itest.failures, (unsigned long long)itest.seed);
    }
    fflush(stdout);
    exit(itest.failures > 0 ? 1 : 0);
}

void itest_skip(const char *why)
{
    itest_note("skipped: %s", why);
    exit(ITEST_SKIPPED);
}

const char *itest_dir(void)
{
    return itest.dir;
}

bool itest_server_is_redis(void)
{
    const char *server = getenv("ITEST_SERVER");
    return server != NULL && strcmp(server, "redis") == 0;
}

int64_t itest_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void itest_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

uint64_t itest_random(void)
{
    uint64_t z = (itest.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int itest_shell(char *out, size_t size, const char *format, ...)
{
    char command[4096];
    size_t len = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    FILE *f = popen(command, "r");
    if (f == NULL) {
        out[0] = '\0';
        return -1;
    }
    for (size_t n; len < size - 1 && (n = fread(out + len, 1, size - 1 - len, f)) > 0;) {
        len += n;
    }
    out[len] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The time limit of integration/run comes as SIGTERM: report, show the logs, kill the nodes. */
static void itest_on_term(int signal_number)
{
    (void)signal_number;
    signal(SIGTERM, SIG_DFL);
    itest_fail("the time limit of %d s is over", itest.running != NULL ? itest.running->limit_s : 0);
    itest_leave();
}

static void itest_set_up(void)
{
    const char *seed = getenv("ITEST_SEED");
    const char *dir = getenv("ITEST_DIR");
    const char *tmp = getenv("TMPDIR");
    itest.seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    itest.random = itest.seed;
    snprintf(itest.dir, sizeof itest.dir, "%s", dir != NULL ? dir : "");
    if (dir == NULL) {
        snprintf(itest.dir, sizeof itest.dir, "%s/coracle-itest-%d", tmp != NULL ? tmp : "/tmp", (int)getpid());
        mkdir(itest.dir, 0700);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, itest_on_term);
}

static int itest_run_one(const struct itest *t)
{
    if (t->needs == ITEST_CLUSTER && itest_server_is_redis()) {
        itest_skip("needs a cluster");
    }
    itest.running = t;
    itest_set_up();
    t->run();
    itest_leave();
}

int itest_main(int argc, char **argv)
{
    static const char *const needs[] = {"any", "cluster", "nothing"};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const struct itest *t = itest.first; t != NULL; t = t->next) {
            printf("%s %s %d\n", t->name, needs[t->needs], t->limit_s);
        }
        return 0;
    }
    for (const struct itest *t = itest.first; argc == 2 && t != NULL; t = t->next) {
        if (strcmp(t->name, argv[1]) == 0) {
            return itest_run_one(t);
        }
    }
    fprintf(stderr, "usage: %s --list | <name of a test>\n", argv[0]);
    return 2;
}
