#ifndef SIM_CELLS_H
#define SIM_CELLS_H

#include "sim.h"

/* The coverage matrix (checklist 3.9): in which states at once a node was met, of its role, its configuration, snapshots, a transfer and
 * its disk. COVER marks say that each thing happened; this says what it happened together with. */

/* After an event that touched the host, while it runs or in the moment its disk ends it. Draws nothing, changes nothing in it; fails the
 * run when the cell is one that a rule calls unreachable. */
void cells_look(struct sim *s, uint32_t slot);
/* Each reachable cell and how often it was met, by all seeds so far, 0 too: "cell: leader, joint, ...\t12". */
void cells_print(FILE *out);

#endif
