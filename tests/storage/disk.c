/* The simulator's disk, for the tests of the log: the same source. */
#include "tests/sim/sim_disk.c"
#include "tests/sim/sim_disk_faults.c"
#include "tests/sim/sim_disk_inode.c"
#include "tests/sim/sim_disk_look.c"
#include "tests/sim/sim_disk_names.c"
