#ifndef SIM_AIM_H
#define SIM_AIM_H

#include "sim.h"

/* Faults that are aimed at nodes in the middle of something (profile cells): looks at all nodes again and again, and strikes now and then. */
void aim_start(struct sim *s);

#endif
