#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "storage/vfs.h"
#include "storage/wal_segment.h"
#include "tests/storage/model.h"
#include "tests/test.h"

/* The real file system behind the log. */

static char *scratch(void)
{
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof(path), "%s/coracle-vfs-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(path) != NULL);
    return mem_copy_string(path, strlen(path));
}

static void remove_name(void *ctx, const char *name)
{
    struct vfs *v = ctx;
    (void)!v->call->remove(v, name);
}

static void sweep(struct vfs *v, const char *dir)
{
    CHECK_EQ_INT(v->call->list(v, remove_name, v), ERR_OK);
    vfs_posix_close(v);
    CHECK_EQ_INT(rmdir(dir), 0);
}

static void count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
}

TEST(files_behave)
{
    char *dir = scratch();
    struct vfs *v;
    struct vfs_file *f;
    char bytes[16] = {0};
    size_t got;
    uint64_t size;
    int names = 0;
    REQUIRE(vfs_posix_open(dir, &v) == ERR_OK);
    CHECK(v->sector_bytes == 512 || v->sector_bytes == 4096);
    CHECK_EQ_INT(v->call->open(v, "a", false, &f), ERR_NOT_FOUND);
    REQUIRE(v->call->open(v, "a", true, &f) == ERR_OK);
    CHECK_EQ_INT(v->call->write(f, 3, "hello", 5), ERR_OK);
    CHECK_EQ_INT(v->call->sync(f), ERR_OK);
    CHECK_EQ_INT(v->call->size(f, &size), ERR_OK);
    CHECK_EQ_UINT(size, 8);
    CHECK_EQ_INT(v->call->read(f, 1, bytes, sizeof(bytes), &got), ERR_OK);
    CHECK_EQ_BYTES(bytes, got, "\0\0hello", 7);
    CHECK_EQ_INT(v->call->truncate(f, 5), ERR_OK);
    CHECK_EQ_INT(v->call->read(f, 3, bytes, sizeof(bytes), &got), ERR_OK);
    CHECK_EQ_BYTES(bytes, got, "he", 2);
    v->call->close(f);
    CHECK_EQ_INT(v->call->rename(v, "a", "b"), ERR_OK);
    CHECK_EQ_INT(v->call->rename(v, "a", "c"), ERR_NOT_FOUND);
    CHECK_EQ_INT(v->call->sync_names(v), ERR_OK);
    CHECK_EQ_INT(v->call->list(v, count_name, &names), ERR_OK);
    CHECK_EQ_INT(names, 1);
    CHECK_EQ_INT(v->call->free_bytes(v, &size), ERR_OK);
    CHECK(size > 0);
    CHECK_EQ_INT(v->call->remove(v, "b"), ERR_OK);
    CHECK_EQ_INT(v->call->remove(v, "b"), ERR_NOT_FOUND);
    sweep(v, dir);
    mem_free(dir);
}

TEST(a_file_size_limit_is_a_full_disk)
{
    char *dir = scratch();
    struct vfs *v;
    struct vfs_file *f;
    struct rlimit old;
    char bytes[4096] = {1};
    REQUIRE(vfs_posix_open(dir, &v) == ERR_OK);
    REQUIRE(v->call->open(v, "a", true, &f) == ERR_OK);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit tight = {6000, old.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    CHECK_EQ_INT(v->call->write(f, 0, bytes, sizeof(bytes)), ERR_OK);
    CHECK_EQ_INT(v->call->write(f, 4096, bytes, sizeof(bytes)), ERR_FULL); /* after a short write */
    CHECK_EQ_INT(v->call->write(f, 8192, bytes, sizeof(bytes)), ERR_FULL);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK_EQ_INT(v->call->write(f, 8192, bytes, sizeof(bytes)), ERR_OK);
    v->call->close(f);
    sweep(v, dir);
    mem_free(dir);
}

/* Also through two opens in one process, as in two. */
TEST(one_user_per_directory)
{
    char *dir = scratch();
    struct vfs *a;
    struct vfs *b;
    REQUIRE(vfs_posix_open(dir, &a) == ERR_OK);
    REQUIRE(vfs_posix_open(dir, &b) == ERR_OK);
    CHECK_EQ_INT(a->call->lock(a), ERR_OK);
    CHECK_EQ_INT(b->call->lock(b), ERR_LOCKED);
    CHECK_EQ_INT(a->call->lock(a), ERR_LOCKED);
    vfs_posix_close(a);
    CHECK_EQ_INT(b->call->lock(b), ERR_OK);
    sweep(b, dir);
    mem_free(dir);
}

TEST(directories_are_made_with_their_parents)
{
    char *dir = scratch();
    char path[600];
    struct vfs *v;
    struct stat st;
    snprintf(path, sizeof(path), "%s/one/two//three/", dir);
    REQUIRE(vfs_posix_open(path, &v) == ERR_OK);
    snprintf(path, sizeof(path), "%s/one/two/three", dir);
    CHECK(stat(path, &st) == 0);
    CHECK_EQ_INT((int)(st.st_mode & 0777), 0700);
    sweep(v, path);
    snprintf(path, sizeof(path), "%s/one/two", dir);
    CHECK_EQ_INT(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/one", dir);
    CHECK_EQ_INT(rmdir(path), 0);
    CHECK_EQ_INT(rmdir(dir), 0);
    mem_free(dir);
}

/* What the removed file still takes; waits until it is nothing, ten seconds at most. */
static bool space_comes_back(int fd)
{
    struct stat st;
    for (int i = 0; i < 1000; i++) {
        if (fstat(fd, &st) == 0 && st.st_blocks == 0) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

enum { LARGE_BYTES = 5 << 20 };

static struct vfs_file *write_large(struct vfs *v, const char *name)
{
    struct vfs_file *f;
    char *bytes = mem_alloc_zero(LARGE_BYTES);
    memset(bytes, 'x', LARGE_BYTES);
    REQUIRE(v->call->open(v, name, true, &f) == ERR_OK);
    CHECK_EQ_INT(v->call->write(f, 0, bytes, LARGE_BYTES), ERR_OK);
    mem_free(bytes);
    return f;
}

TEST(a_removed_file_is_given_back_unless_somebody_has_it)
{
    char *dir = scratch();
    char path[600];
    char link_path[600];
    struct vfs *v;
    struct vfs_file *f;
    char byte = 0;
    size_t got;
    REQUIRE(vfs_posix_open(dir, &v) == ERR_OK);

    /* Watched by a descriptor that counts as no opening: the reaper still finds itself alone. */
    v->call->close(write_large(v, "alone"));
    snprintf(path, sizeof(path), "%s/alone", dir);
    int watch = open(path, O_PATH | O_CLOEXEC);
    REQUIRE(watch >= 0);
    CHECK_EQ_INT(v->call->remove(v, "alone"), ERR_OK);
    CHECK(space_comes_back(watch));
    close(watch);

    /* Open elsewhere (a snapshot on its way to a member): not a byte is missing. */
    f = write_large(v, "open");
    CHECK_EQ_INT(v->call->remove(v, "open"), ERR_OK);
    usleep(100000);
    CHECK_EQ_INT(v->call->read(f, LARGE_BYTES - 1, &byte, 1, &got), ERR_OK);
    CHECK(got == 1 && byte == 'x');
    v->call->close(f);

    /* Another name (a backup by hard link). */
    v->call->close(write_large(v, "linked"));
    snprintf(path, sizeof(path), "%s/linked", dir);
    snprintf(link_path, sizeof(link_path), "%s/backup", dir);
    CHECK_EQ_INT(link(path, link_path), 0);
    CHECK_EQ_INT(v->call->remove(v, "linked"), ERR_OK);
    usleep(100000);
    struct stat st;
    CHECK_EQ_INT(stat(link_path, &st), 0);
    CHECK_EQ_INT(st.st_size, LARGE_BYTES);

    sweep(v, dir);
    mem_free(dir);
}

TEST(a_log_on_a_real_disk)
{
    char *dir = scratch();
    struct model *m = mem_alloc(sizeof(*m));
    struct model *next = mem_alloc(sizeof(*next));
    struct model_append *a = mem_alloc(sizeof(*a));
    const struct wal_options options = {.segment_bytes = 100000};
    const struct model_shape shape = {
        .entry_max = 10, .payload_max = 3000, .truncates = true, .forms = true, .has_confs = true};
    struct prng p;
    const char *why = "";
    prng_seed(&p, 7);
    model_init(m);
    for (int life = 0; life < 6; life++) {
        struct vfs *v;
        struct wal *w;
        struct wal_recovery r;
        REQUIRE(vfs_posix_open(dir, &v) == ERR_OK);
        REQUIRE(wal_open(v, &options, MODEL_NODE_ID, NULL, &w, &r) == ERR_OK);
        CHECK_EQ_UINT(r.identity.incarnation, life + 1);
        if (!model_matches(m, w, &r, &why)) {
            CHECK_EQ_STR(why, "nothing differs");
        }
        for (int i = 0; i < 30; i++) {
            model_draw(&p, &shape, m, next, a);
            CHECK_EQ_INT(wal_append(w, &a->append), ERR_OK);
            model_append_free(a);
            memcpy(m, next, sizeof(*m));
            if (i % 3 == 0) {
                (void)wal_prepare_ahead(w);
            }
        }
        CHECK(model_entries_match(m, w, m->first, m->last, &why));
        wal_close(w);
        model_recovery_free(&r);
        if (life == 5) {
            sweep(v, dir);
        } else {
            vfs_posix_close(v);
        }
    }
    mem_free(m);
    mem_free(next);
    mem_free(a);
    mem_free(dir);
}

TEST_MAIN()
