#define _GNU_SOURCE
#include "net/ready_memory.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

/* So many are kept: what a loop that does nothing but grow takes in 50 to 100 ms. */
#define READY_PIECES 4
/* No system has smaller pages. */
#define PAGE_BYTES 4096u

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_wanted; /* somebody has asked since the last failure */
    unsigned count;
    void *piece[READY_PIECES];
} ready = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* NULL: there is no memory. Mappings that touch each other become one in the kernel: a large state is not so many of them as it has pieces. */
static void *map_piece(void)
{
    void *p = mmap(NULL, READY_PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void *ready_memory_main(void *unused)
{
    (void)pthread_mutex_lock(&ready.mutex);
    for (;;) {
        while (ready.count == READY_PIECES || !ready.is_wanted) {
            (void)pthread_cond_wait(&ready.wake, &ready.mutex);
        }
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
