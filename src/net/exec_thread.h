#ifndef NET_EXEC_THREAD_H
#define NET_EXEC_THREAD_H

#include "node/env.h"

/* One thread that runs jobs in order of submission: the storage thread (fdatasync), and one for name lookups, which block too.
 * Jobs are handed back on the loop's thread through exec_thread_next_done, after `notify` was called from the
 * worker: once per batch, not once per job. */
struct exec_thread;

/* `notify` is called on the worker thread and must be async-signal-cheap (ev_async_send). Returns owned. */
struct exec_thread *exec_thread_new(const char *name, void (*notify)(void *ctx), void *ctx);
/* Runs what was submitted to its end, then joins. Jobs done but not taken are dropped. */
void exec_thread_free(struct exec_thread *t);
void exec_thread_submit(struct exec_thread *t, struct disk_job *job);
/* NULL when none is done. */
struct disk_job *exec_thread_next_done(struct exec_thread *t);

#endif
