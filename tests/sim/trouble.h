#ifndef SIM_TROUBLE_H
#define SIM_TROUBLE_H

#include "sim.h"

/* Faults that are aimed: they wait for a node to be where chance seldom leads (profile cells; the matrix of cells.c says where that is). */
void trouble_start(struct sim *s);
/* At least so many voters has each half of every configuration that is the newest in some log; false also if one can't be seen, or
 * if there is no cluster yet. */
bool trouble_has_voters(const struct sim *s, uint32_t least);

#endif
