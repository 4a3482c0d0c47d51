#define _GNU_SOURCE
#include "net/ready_memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

/* So many are kept: what a loop that does nothing but grow takes in 50 to 100 ms. */
#define READY_PIECES 4
/* When nobody has taken one for so long they go back: a process at rest does not keep memory that it does not use. */
#define READY_REST_S 1
/* No system has smaller pages. */
#define PAGE_BYTES 4096u

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_wanted; /* somebody has asked since the last rest, or failure */
    unsigned count;
    void *piece[READY_PIECES];
} ready = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static char *map_bytes(char *hint, size_t size)
{
    void *p = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* NULL: there is no memory. Mappings that touch each other become one in the kernel: a large state is not so many of them as it has pieces;
 * so each is asked for below the last one, where it is aligned as well. */
static char *map_piece(void)
{
    static char *below; /* this thread's alone */
    char *p = map_bytes(below, READY_PIECE);
    size_t over = (uintptr_t)p % READY_PIECE;

    if (over != 0) {
        (void)munmap(p, READY_PIECE);
        p = map_bytes(NULL, 2 * READY_PIECE);
        over = (uintptr_t)p % READY_PIECE;
        if (over != 0) {
            (void)munmap(p, READY_PIECE - over);
            p += READY_PIECE - over;
            (void)munmap(p + READY_PIECE, over);
        } else if (p) {
            (void)munmap(p + READY_PIECE, READY_PIECE);
        }
    }
    below = p ? p - READY_PIECE : NULL;
    return p;
}

/* Under the mutex, which it lets go of meanwhile. */
static void make_piece(void)
{
    (void)pthread_mutex_unlock(&ready.mutex);
    char *p = map_piece();
    /* Page by page, not by one madvise: that would keep the loop from mapping anything meanwhile. */
    for (size_t at = 0; p && at < READY_PIECE; at += PAGE_BYTES) {
        ((volatile char *)p)[at] = 0;
    }
    (void)pthread_mutex_lock(&ready.mutex);
    if (p) {
        ready.piece[ready.count++] = p;
    } else {
        ready.is_wanted = false;
    }
}

/* Until somebody takes a piece, or all is given back, with nobody kept waiting meanwhile. A clock that is set makes that early or late, no
 * more. Under the mutex. */
static void wait_for_a_taker(void)
{
    struct timespec end;
    void *unused[READY_PIECES];
    unsigned count = 0;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += READY_REST_S;
    if (pthread_cond_timedwait(&ready.wake, &ready.mutex, &end) != ETIMEDOUT) {
        return;
    }
    ready.is_wanted = false;
    while (ready.count > 0) {
        unused[count++] = ready.piece[--ready.count];
    }
    (void)pthread_mutex_unlock(&ready.mutex);
    while (count > 0) {
        (void)munmap(unused[--count], READY_PIECE);
    }
    (void)pthread_mutex_lock(&ready.mutex);
}

static void *ready_memory_main(void *unused)
{
    (void)pthread_mutex_lock(&ready.mutex);
    for (;;) {
        if (ready.is_wanted && ready.count < READY_PIECES) {
            make_piece();
        } else if (ready.count > 0) {
            wait_for_a_taker();
        } else {
            (void)pthread_cond_wait(&ready.wake, &ready.mutex);
        }
    }
    return unused;
}

bool ready_memory_begin(void)
{
    pthread_t thread;
    sigset_t all;
    sigset_t old;

    /* Signals are the loop's. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    bool is_started = pthread_create(&thread, NULL, ready_memory_main, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (is_started) {
        (void)pthread_setname_np(thread, "coracle-memory");
        (void)pthread_detach(thread);
    }
    return is_started;
}

void *ready_memory_take(void)
{
    void *p = NULL;

    (void)pthread_mutex_lock(&ready.mutex);
    ready.is_wanted = true;
    if (ready.count > 0) {
        p = ready.piece[--ready.count];
    }
    (void)pthread_mutex_unlock(&ready.mutex);
    (void)pthread_cond_signal(&ready.wake);
    return p;
}
