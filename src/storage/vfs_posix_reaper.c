#define _GNU_SOURCE

#include "storage/vfs_posix_reaper.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

/* One piece is discarded in about half a millisecond; the pauses leave the disk to the syncs. */
#define PIECE_BYTES (1 << 20)
#define PAUSE_NS 4000000
/* More at once are closed by whoever removes them. */
#define FILES_MAX 64u

struct reaper {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    bool is_ending;
    int waiting[FILES_MAX]; /* a ring */
    uint32_t first;
    uint32_t count;
};

static bool reaper_is_ending(struct reaper *r)
{
    (void)pthread_mutex_lock(&r->mutex);
    bool is_ending = r->is_ending;
    (void)pthread_mutex_unlock(&r->mutex);
    return is_ending;
}

/* No other name (a hard link made as a backup), and a write lease, which is granted only while no other descriptor of the file is
 * open: as the names are gone, none can follow. */
static bool is_ours_alone(int fd, const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_nlink == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

static void reap(struct reaper *r, int fd)
{
    struct stat st;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    if (fstat(fd, &st) == 0 && is_ours_alone(fd, &st)) {
        off_t size = st.st_size;
        while (size > 0 && !reaper_is_ending(r)) {
            size -= size > PIECE_BYTES ? PIECE_BYTES : size;
            if (ftruncate(fd, size) != 0) {
                break;
            }
            (void)nanosleep(&pause, NULL);
        }
    }
    (void)close(fd);
}

static void *reaper_main(void *ctx)
{
    struct reaper *r = ctx;
    (void)pthread_mutex_lock(&r->mutex);
    for (;;) {
        while (r->count == 0 && !r->is_ending) {
            (void)pthread_cond_wait(&r->wake, &r->mutex);
        }
        if (r->count == 0) {
            break;
        }
        int fd = r->waiting[r->first];
        r->first = (r->first + 1) % FILES_MAX;
        r->count--;
        (void)pthread_mutex_unlock(&r->mutex);
        reap(r, fd);
        (void)pthread_mutex_lock(&r->mutex);
    }
    (void)pthread_mutex_unlock(&r->mutex);
    return NULL;
}

struct reaper *reaper_new(void)
{
    struct reaper *r = mem_alloc_zero(sizeof(*r));
    ASSERT(pthread_mutex_init(&r->mutex, NULL) == 0);
    ASSERT(pthread_cond_init(&r->wake, NULL) == 0);
    return r;
}

void reaper_free(struct reaper *r)
{
    if (!r) {
        return;
    }
    (void)pthread_mutex_lock(&r->mutex);
    r->is_ending = true;
    (void)pthread_cond_signal(&r->wake);
    (void)pthread_mutex_unlock(&r->mutex);
    if (r->has_thread) {
        (void)pthread_join(r->thread, NULL);
    }
    (void)pthread_cond_destroy(&r->wake);
    (void)pthread_mutex_destroy(&r->mutex);
    mem_free(r);
}

/* Signals are the loop's. */
static bool reaper_start_thread(struct reaper *r)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    bool is_started = pthread_create(&r->thread, NULL, reaper_main, r) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (is_started) {
        (void)pthread_setname_np(r->thread, "coracle-reaper");
    }
    return is_started;
}

void reaper_take(struct reaper *r, int fd)
{
    if (!r->has_thread) {
        r->has_thread = reaper_start_thread(r);
    }
    bool is_taken = false;
    (void)pthread_mutex_lock(&r->mutex);
    if (r->has_thread && r->count < FILES_MAX) {
        r->waiting[(r->first + r->count++) % FILES_MAX] = fd;
        (void)pthread_cond_signal(&r->wake);
        is_taken = true;
    }
    (void)pthread_mutex_unlock(&r->mutex);
    if (!is_taken) {
        (void)close(fd);
    }
}
