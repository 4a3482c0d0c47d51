#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/exec_thread.h"
#include "net/file_read.h"
#include "net/log_file.h"
#include "net/ready_memory.h"
#include "tests/test.h"

/* --- addresses ------------------------------------------------------------------------------------ */

TEST(addresses_are_split)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {{"127.0.0.1:7001", "127.0.0.1", "7001"}, {"[::1]:1", "::1", "1"}, {"node-1.example:65535", "node-1.example", "65535"}};
    static const char *const bad[] = {"", ":", "a", "a:", ":1", "a:0", "a:65536", "a:+1", "a:01", "::1:5", "[::1:5", "[]:1", "::1"};
    struct address_text parts;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        test_context("%s", good[i].text);
        REQUIRE(address_split(good[i].text, &parts));
        CHECK_EQ_STR(parts.host, good[i].host);
        CHECK_EQ_STR(parts.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_context("'%s'", bad[i]);
        CHECK(!address_split(bad[i], &parts));
    }
    test_context("");
}

TEST(loopback_is_recognised)
{
    static const char *const yes[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost"};
    static const char *const no[] = {"10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "example", "localhost.example", ""};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        test_context("%s", yes[i]);
        CHECK(address_host_is_loopback(yes[i]));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        test_context("%s", no[i]);
        CHECK(!address_host_is_loopback(no[i]));
    }
    test_context("");
}

TEST(addresses_are_written_as_they_are_read)
{
    static const char *const text[] = {"127.0.0.1:7001", "[::1]:6379", "10.1.2.3:1"};

    for (size_t i = 0; i < 3; i++) {
        struct address_text parts;
        struct sockaddr_storage address;
        socklen_t size = 0;
        char out[LIMIT_ADDRESS_BYTES];

        REQUIRE(address_split(text[i], &parts));
        REQUIRE(address_parse_numeric(&parts, &address, &size));
        address_format(&address, out, sizeof out);
        CHECK_EQ_STR(out, text[i]);
    }
}

/* --- the job thread ------------------------------------------------------------------------------- */

struct counting_job {
    struct disk_job job;
    int number;
    int *next;      /* the order they ran in, written by the worker only */
    int ran_as;
};

struct notices {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int count;
};

static void run_counting(struct disk_job *job)
{
    struct counting_job *c = CONTAINER_OF(job, struct counting_job, job);

    c->ran_as = (*c->next)++;
}

static void on_notice(void *ctx)
{
    struct notices *n = ctx;

    (void)pthread_mutex_lock(&n->mutex);
    n->count++;
    (void)pthread_cond_signal(&n->cond);
    (void)pthread_mutex_unlock(&n->mutex);
}

TEST(jobs_run_and_come_back_in_order)
{
    struct notices notices = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct exec_thread *t = exec_thread_new("test", on_notice, &notices);
    static struct counting_job job[1000];
    int next = 0;
    int done = 0;

    for (int i = 0; i < 1000; i++) {
        job[i] = (struct counting_job){.job = {.run = run_counting}, .number = i, .next = &next};
        exec_thread_submit(t, &job[i].job);
    }
    while (done < 1000) {
        struct disk_job *back = exec_thread_next_done(t);

        if (!back) {
            (void)pthread_mutex_lock(&notices.mutex);
            while (notices.count == 0) {
                (void)pthread_cond_wait(&notices.cond, &notices.mutex);
            }
            notices.count = 0;
            (void)pthread_mutex_unlock(&notices.mutex);
            continue;
        }
        struct counting_job *c = CONTAINER_OF(back, struct counting_job, job);
        CHECK_EQ_INT(c->number, done);
        CHECK_EQ_INT(c->ran_as, done);
        done++;
    }
    CHECK(exec_thread_next_done(t) == NULL);
    exec_thread_free(t);
}

TEST(freeing_waits_for_what_was_submitted)
{
    struct notices notices = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct exec_thread *t = exec_thread_new("test", on_notice, &notices);
    static struct counting_job job[100];
    int next = 0;

    for (int i = 0; i < 100; i++) {
        job[i] = (struct counting_job){.job = {.run = run_counting}, .number = i, .next = &next};
        exec_thread_submit(t, &job[i].job);
    }
    exec_thread_free(t);
    CHECK_EQ_INT(next, 100);
}

/* --- files ---------------------------------------------------------------------------------------- */

static void in_folder(char *path, size_t room, const char *folder, const char *name)
{
    (void)snprintf(path, room, "%s/%s", folder, name);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    REQUIRE(fd >= 0);
    CHECK(fchmod(fd, mode) == 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

TEST(secrets_are_checked)
{
    static const struct {
        const char *text;
        mode_t mode;
        enum err error;
        const char *why;
    } row[] = {
        {"0123456789abcdef\n", 0600, ERR_OK, ""},
        {"0123456789abcdef\r\n", 0400, ERR_OK, ""},
        {"0123456789abcde\n", 0600, ERR_INVALID, "holds 15 bytes; at least 16 are needed"},
        {"", 0600, ERR_INVALID, "holds 0 bytes"},
        {"0123456789abcdef\n", 0640, ERR_INVALID, "may be read by others"},
        {"0123456789abcdef\n", 0604, ERR_INVALID, "chmod 600"},
    };
    char folder[] = "/tmp/coracle-net-XXXXXX";
    char path[64];

    REQUIRE(mkdtemp(folder) != NULL);
    in_folder(path, sizeof path, folder, "secret");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct buf secret = {0};
        struct buf why = {0};

        test_context("row %zu", i);
        (void)unlink(path);
        write_file(path, row[i].text, row[i].mode);
        CHECK_EQ_INT(file_read_secret(path, &secret, &why), row[i].error);
        buf_append_byte(&why, 0);
        CHECK_CONTAINS((const char *)buf_slice(&why).p, row[i].why);
        if (row[i].error == ERR_OK) {
            CHECK_EQ_SLICE(buf_slice(&secret), "0123456789abcdef");
        }
        buf_deinit(&secret);
        buf_deinit(&why);
    }
    test_context("");
    struct buf secret = {0};
    struct buf why = {0};
    CHECK_EQ_INT(file_read_secret(folder, &secret, &why), ERR_INVALID);
    CHECK_EQ_INT(file_read_secret("/nonexistent/secret", &secret, &why), ERR_NOT_FOUND);
    CHECK_EQ_INT(file_read("/nonexistent/file", &secret, &why), ERR_NOT_FOUND);
    buf_deinit(&secret);
    buf_deinit(&why);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void who(void *ctx, char *text, unsigned room)
{
    (void)ctx;
    (void)snprintf(text, room, "n1 term 3");
}

TEST(log_lines_and_reopening)
{
    char folder[] = "/tmp/coracle-net-XXXXXX";
    char path[64];
    char moved[64];
    struct log_file f;
    struct buf text = {0};
    struct buf why = {0};

    REQUIRE(mkdtemp(folder) != NULL);
    in_folder(path, sizeof path, folder, "log");
    in_folder(moved, sizeof moved, folder, "log.1");
    REQUIRE(log_file_open(&f, path, LOG_NOTICE));
    f.describe = who;
    struct log_sink sink = log_file_sink(&f);
    log_line(&sink, LOG_VERBOSE, "too quiet");
    log_line(&sink, LOG_NOTICE, "first %d", 1);
    CHECK(rename(path, moved) == 0);
    CHECK(log_file_reopen(&f));
    f.level = LOG_VERBOSE;
    log_line(&sink, LOG_VERBOSE, "second");
    CHECK_EQ_INT(file_read(moved, &text, &why), ERR_OK);
    buf_append_byte(&text, 0);
    CHECK_CONTAINS((const char *)buf_slice(&text).p, " NOTICE [n1 term 3] first 1\n");
    CHECK(strstr((const char *)buf_slice(&text).p, "quiet") == NULL);
    buf_clear(&text, 0);
    CHECK_EQ_INT(file_read(path, &text, &why), ERR_OK);
    buf_append_byte(&text, 0);
    CHECK_CONTAINS((const char *)buf_slice(&text).p, " VERBOSE [n1 term 3] second\n");
    log_file_close(&f);
    buf_deinit(&text);
    buf_deinit(&why);
    (void)unlink(path);
    (void)unlink(moved);
    (void)rmdir(folder);
    CHECK(!log_file_open(&f, "/nonexistent/log", LOG_NOTICE));
}

TEST(clocks_and_entropy)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    uint64_t before = clock_boot_us();

    CHECK(clock_boot_us() >= before);
    CHECK(clock_wall_ms() > 1577836800000);
    clock_random(a, sizeof a);
    clock_random(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

/* --- memory ----------------------------------------------------------------------------------------- */

static size_t resident_pages(void)
{
    char text[128] = "";
    FILE *statm = fopen("/proc/self/statm", "re");
    REQUIRE(statm != NULL);
    (void)fgets(text, sizeof text, statm);
    (void)fclose(statm);
    return strtoull(strchr(text, ' ') + 1, NULL, 10);
}

TEST(ready_memory_is_new_and_zero)
{
    enum { WANTED = 9 }; /* more than are kept */
    char *piece[WANTED];

    CHECK(ready_memory_take() == NULL); /* there is no thread yet */
    REQUIRE(ready_memory_begin());
    for (size_t i = 0; i < WANTED; i++) {
        uint64_t end_us = clock_boot_us() + 20000000;
        while ((piece[i] = ready_memory_take()) == NULL) {
            REQUIRE(clock_boot_us() < end_us);
            (void)usleep(500);
        }
        CHECK_EQ_UINT((uintptr_t)piece[i] % 4096, 0);
        for (size_t at = 0; at < READY_PIECE; at += 512) {
            REQUIRE(piece[i][at] == 0); /* what the pieces before were filled with is theirs */
        }
        memset(piece[i], 0xa5, READY_PIECE);
    }
    for (size_t i = 0; i < WANTED; i++) {
        CHECK_EQ_INT(munmap(piece[i], READY_PIECE), 0);
    }
    /* Those that nobody takes go back. */
    size_t most = 0;
    uint64_t end_us = clock_boot_us() + 20000000;
    size_t now;
    for (unsigned i = 1; (now = resident_pages()) + 2 * READY_PIECE / 4096 > most; i++) {
        REQUIRE(clock_boot_us() < end_us);
        void *again = i % 600 == 0 ? ready_memory_take() : NULL; /* they may have gone before the first look */
        if (again) {
            (void)munmap(again, READY_PIECE);
        }
        most = now > most ? now : most; /* the thread goes on with those that it keeps */
        (void)usleep(5000);
    }
}

TEST_MAIN()
