#ifndef SIM_OBSERVERS_H
#define SIM_OBSERVERS_H

#include "sim.h"

/* Clients that are told things: subscribers with publishers, and watchers of the change feed (plan has_observers); the essay is in
 * observers.c. */
void observers_start(struct sim *s);
void observers_free(struct sim *s);
void observers_host_died(struct sim *s, uint32_t slot);
/* At the end, when nothing is under way: watchers catch up, and what they saw last of each key is what is there. */
void observers_finish(struct sim *s);

#endif
