#define _GNU_SOURCE
#include "net/exec_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/mem.h"

struct exec_thread {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct list waiting; /* under the mutex */
    struct list done;    /* under the mutex */
    bool is_ending;      /* under the mutex */
    struct list taken;   /* the loop's: done jobs it has fetched */
    void (*notify)(void *ctx);
    void *ctx;
};

/* Each thread wakes the other after it let go of the mutex: who is woken would else only wait again, for that. */

/* Moves all of `from` to the end of `to`. */
static void list_move_all(struct list *to, struct list *from)
{
    while (!list_empty(from)) {
        struct list *first = from->next;

        list_remove(first);
        list_append(to, first);
    }
}

static void *exec_thread_main(void *arg)
{
    struct exec_thread *t = arg;

    (void)pthread_mutex_lock(&t->mutex);
    for (;;) {
        while (list_empty(&t->waiting) && !t->is_ending) {
            (void)pthread_cond_wait(&t->wake, &t->mutex);
        }
        if (list_empty(&t->waiting)) {
            break;
        }
        struct list *first = t->waiting.next;
        list_remove(first);
        (void)pthread_mutex_unlock(&t->mutex);

        struct disk_job *job = CONTAINER_OF(first, struct disk_job, queue);
        job->run(job);

        (void)pthread_mutex_lock(&t->mutex);
        bool was_empty = list_empty(&t->done);
        list_append(&t->done, first);
        if (was_empty) {
            (void)pthread_mutex_unlock(&t->mutex);
            t->notify(t->ctx);
            (void)pthread_mutex_lock(&t->mutex);
        }
    }
    (void)pthread_mutex_unlock(&t->mutex);
    return NULL;
}

struct exec_thread *exec_thread_new(const char *name, void (*notify)(void *ctx), void *ctx)
{
    struct exec_thread *t = mem_alloc_zero(sizeof *t);
    sigset_t all;
    sigset_t old;

    list_init(&t->waiting);
    list_init(&t->done);
    list_init(&t->taken);
    t->notify = notify;
    t->ctx = ctx;
    ASSERT(pthread_mutex_init(&t->mutex, NULL) == 0);
    ASSERT(pthread_cond_init(&t->wake, NULL) == 0);
    /* Signals are the loop's. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&t->thread, NULL, exec_thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    ASSERT(error == 0);
    (void)pthread_setname_np(t->thread, name);
    return t;
}

void exec_thread_free(struct exec_thread *t)
{
    if (!t) {
        return;
    }
    (void)pthread_mutex_lock(&t->mutex);
    t->is_ending = true;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->mutex);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->mutex);
    mem_free(t);
}

void exec_thread_submit(struct exec_thread *t, struct disk_job *job)
{
    list_init(&job->queue);
    (void)pthread_mutex_lock(&t->mutex);
    list_append(&t->waiting, &job->queue);
    (void)pthread_mutex_unlock(&t->mutex);
    (void)pthread_cond_signal(&t->wake);
}

struct disk_job *exec_thread_next_done(struct exec_thread *t)
{
    if (list_empty(&t->taken)) {
        (void)pthread_mutex_lock(&t->mutex);
        list_move_all(&t->taken, &t->done);
        (void)pthread_mutex_unlock(&t->mutex);
    }
    if (list_empty(&t->taken)) {
        return NULL;
    }
    struct list *first = t->taken.next;
    list_remove(first);
    return CONTAINER_OF(first, struct disk_job, queue);
}
