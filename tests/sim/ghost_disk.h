#ifndef SIM_GHOST_DISK_H
#define SIM_GHOST_DISK_H

#include "raft/types.h"
#include "storage/vfs.h"

/* What one node's disk really holds for good: listens to write and sync below the log, and knows which entries a power loss can't
 * take away any more. Independent of what the node says of itself; trusts only the layout of records (wal_format.h). */
struct ghost_disk;

struct ghost_disk *ghost_disk_new(void);
void ghost_disk_free(struct ghost_disk *d);
/* A file system that passes everything on to `inner`; one per life of the node. Owned by the ghost disk. */
struct vfs *ghost_disk_watch(struct ghost_disk *d, struct vfs *inner);
bool ghost_disk_holds(const struct ghost_disk *d, raft_index index, raft_term term, uint32_t crc);
/* A snapshot of this node's own making that took its name when the log was not durable up to it (the checklist's further rule); 0: none. */
raft_index ghost_disk_early_snapshot(const struct ghost_disk *d);
/* The newest hard state that is durable. */
struct raft_hard_state ghost_disk_hard_state(const struct ghost_disk *d);
/* The machine lost power: what was written and not synced is void. */
void ghost_disk_power_loss(struct ghost_disk *d);
/* The process has ended and the disk loses some of what it held: acknowledgements of that may still be on their way, and count. */
void ghost_disk_rot(struct ghost_disk *d);
void ghost_disk_wipe(struct ghost_disk *d);

#endif
