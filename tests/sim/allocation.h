#ifndef SIM_ALLOCATION_H
#define SIM_ALLOCATION_H

#include "sim.h"

/* Around every call into a node's code: allocations made in between are that host's, and its allocations_left-th one fails. */
void allocation_enter(struct sim_host *h);
void allocation_leave(void);

#endif
