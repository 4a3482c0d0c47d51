/* The simulator's disk, for the tests of the log: the same source. */
#include "tests/sim/sim_disk.c"
#include "tests/sim/sim_disk_inode.c"
