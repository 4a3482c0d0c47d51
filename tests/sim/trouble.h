#ifndef SIM_TROUBLE_H
#define SIM_TROUBLE_H

#include "sim.h"

/* Faults that are aimed: they wait for a node to be where chance seldom leads (profile cells; the matrix of cells.c says where that is). */
void trouble_start(struct sim *s);

#endif
