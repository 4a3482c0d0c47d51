#ifndef SIM_TROUBLE_H
#define SIM_TROUBLE_H

#include "sim.h"

/* What profile cells has beside the faults of faults.c: one node's log is damaged at its end, again and again, and faults are aimed (aim.h),
 * so that nodes are where chance seldom leads; the matrix of cells.c says where that is. */
void trouble_start(struct sim *s);
/* At least so many voters has each half of every configuration that is the newest in some log; false also if one can't be seen, or
 * if there is no cluster yet. */
bool trouble_has_voters(const struct sim *s, uint32_t least);

#endif
