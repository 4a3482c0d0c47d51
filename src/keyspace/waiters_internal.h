#ifndef KEYSPACE_WAITERS_INTERNAL_H
#define KEYSPACE_WAITERS_INTERNAL_H

#include "keyspace/waiters.h"

/* A key that is waited for, in the table. */
struct waiter_queue {
    struct waiter_queue *next; /* in its bucket */
    struct waiter_queue *next_ready;
    uint64_t hash;
    struct list links; /* in log order */
    uint32_t db;
    bool is_ready; /* noted */
    size_t key_size;
    uint8_t key[];
};

/* A waiter's place in the queue of one of its keys. */
struct waiter_link {
    struct list in_queue;
    struct waiter *waiter;
    struct waiter_queue *queue; /* NULL: the same key again */
};

struct waiters {
    struct list all;
    size_t count;
    struct waiter_queue **bucket;
    size_t bucket_count; /* a power of two */
    size_t queue_count;
    struct waiter_queue *ready;
    struct waiter_queue **ready_end;
    struct waiter **heap; /* those with a deadline: by (deadline, order) */
    size_t heap_count;
    size_t heap_room;
};

#endif
