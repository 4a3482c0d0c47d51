#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "strike.h"

/* What faults.c and trouble.c share: the classes of faults, each with a stream of its own, and how what they did ends. */

enum fault_class {
    FAULT_PARTITION, FAULT_CRASH, FAULT_POWER, FAULT_PAUSE, FAULT_SLOW, FAULT_ALL_DOWN, FAULT_CLOCK, FAULT_DISK_FULL, FAULT_DISK_STALL,
    FAULT_SYNC_ERROR, FAULT_ROT, FAULT_RECEIVED_ROT, FAULT_DISK_ERROR, FAULT_ABORT, FAULT_TRANSFER, FAULT_MEMORY, FAULT_CHANGE,
    FAULT_PERIODIC, /* the ones before come again and again; the ones from here on when something happens */
    FAULT_LEADER_FALLS = FAULT_PERIODIC, FAULT_RESTART, FAULT_LOG_DAMAGE, FAULT_AIM,
    FAULT_CLASSES
};

struct faults {
    struct prng stream[FAULT_CLASSES];
    uint64_t alone_until_us;     /* aim.c cuts off one node at a time, */
    uint32_t alone;              /* this one */
};

/* Events for world_at_first: a node is started if it is down; all links are whole; a disk has room again. */
void faults_start_later(struct world *w, void *ctx, uint64_t slot, uint64_t b);
void faults_heal_later(struct world *w, void *ctx, uint64_t a, uint64_t b);
void faults_room_later(struct world *w, void *ctx, uint64_t slot, uint64_t b);

#endif
