#ifndef SIM_AIM_H
#define SIM_AIM_H

#include "sim.h"

/* Faults that are aimed at nodes in the middle of something (profile cells): looks at all nodes again and again, and strikes now and then. */
void aim_start(struct sim *s);
/* From all others, for longer than the longest election timeout: it campaigns. False: another one is cut off in this way. */
bool aim_cut_off(struct sim *s, uint32_t slot);

#endif
