#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "storage/vfs.h"

/* One node's disk, in memory: a directory of files behind struct vfs, with a page cache in front of
 * a durable image.
 *
 *  - write and truncate change the cache; sync makes one file durable; sync_names makes names
 * durable.
 *  - A crash of the process (kill -9) loses nothing that was written; a power loss keeps, of each
 * sector not synced, the old bytes, the new ones, a torn mix, or zeros, each drawn by itself; of
 * names not synced, each change or not.
 *  - A failed sync marks the pages clean (P6): still read from the cache, never written by a later
 * sync, gone at a power loss.
 *  - Draws come from the seed: same calls, same outcome.
 *
 * Call order: a node's life ends with sim_disk_crash or sim_disk_power_loss; handles of that life
 * then fail every call with ERR_IO but close; the next life uses the same vfs. Not thread-safe. */
struct sim_disk;

/* sector_bytes: 512 or 4096, what is written or lost as a whole (4096: or torn at 512). Returns
 * owned. */
struct sim_disk *sim_disk_new(uint64_t seed, uint32_t sector_bytes);
void sim_disk_free(struct sim_disk *d);
struct vfs *sim_disk_vfs(struct sim_disk *d);

/* ---- The end of a life: unlocks, makes all handles stale ---- */
void sim_disk_crash(struct sim_disk *d);
void sim_disk_power_loss(struct sim_disk *d);
/* Everything is gone, as on a new disk. */
void sim_disk_wipe(struct sim_disk *d);

/* ---- Faults ---- */
/* After `calls` more calls that change something, the next one is cut by a power failure: it has
 * part of its effect, fails, and so does everything after it (the disk is dead) until
 * sim_disk_power_loss and sim_disk_revive. UINT64_MAX: never. */
void sim_disk_power_fail_after(struct sim_disk *d, uint64_t calls);
bool sim_disk_is_dead(const struct sim_disk *d);
/* The process has ended in the middle of something, the power has not: every call fails, what was written stays. Until
 * sim_disk_revive. */
void sim_disk_end_process(struct sim_disk *d);
void sim_disk_revive(struct sim_disk *d);
/* Files may hold so many bytes in all; a write beyond takes a part and fails with ERR_FULL.
 * UINT64_MAX: no limit. */
void sim_disk_set_quota(struct sim_disk *d, uint64_t bytes);
/* The sync of a file after `skip` more ones fails, once. */
void sim_disk_fail_sync(struct sim_disk *d, uint64_t skip);
void sim_disk_fail_next_sync(struct sim_disk *d);
/* The write after `skip` more ones takes any prefix and fails with `error` (ERR_FULL, ERR_IO),
 * once. */
void sim_disk_fail_write(struct sim_disk *d, uint64_t skip, enum err error);
/* Reads fail with ERR_IO from now on, until sim_disk_heal_reads or the end of this life. */
void sim_disk_fail_read(struct sim_disk *d);
void sim_disk_heal_reads(struct sim_disk *d);
/* Tear sectors at any byte, not only at 512 (no disk does; recovery must still not lie). */
void sim_disk_set_tear_anywhere(struct sim_disk *d, bool yes);

enum sim_rot { SIM_ROT_FLIP_BIT, SIM_ROT_ZERO, SIM_ROT_GARBAGE, SIM_ROT_MISPLACED };
/* Bit rot at rest, in cache and image: `n` bytes from offset (FLIP_BIT: one bit of the first;
 * MISPLACED: the bytes of another place of the file, as by a write that went astray).
 * False when out of range. */
bool sim_disk_corrupt(
    struct sim_disk *d, const char *name, uint64_t offset, uint64_t n, enum sim_rot how);
/* Rot of one sector of one file that holds something, drawn. False when there is none. */
bool sim_disk_corrupt_any(struct sim_disk *d, enum sim_rot how);
/* Rot at the log's end: of the newest file (by name) that holds something, the sector `from_end`
 * before the last one that isn't zero. 0 is the last batch's footer (no harm while the body is
 * good), 1 mostly its body: SUSPECT. */
bool sim_disk_corrupt_newest(struct sim_disk *d, enum sim_rot how, uint32_t from_end);

/* ---- Looking ---- */
uint64_t sim_disk_used(const struct sim_disk *d); /* bytes of all files */
uint64_t sim_disk_calls(
    const struct sim_disk *d); /* calls that changed something, for enumerating crash points */
/* Copies of everything, for tests that try many damages of one log: returns owned, with its own
 * seed. */
struct sim_disk *sim_disk_copy(const struct sim_disk *d, uint64_t seed);
/* The bytes of a file as the process sees them; an empty slice when there is none. Borrowed until
 * the next change. */
struct slice sim_disk_file(const struct sim_disk *d, const char *name);
/* Creates or replaces a file, durably. */
void sim_disk_put_file(struct sim_disk *d, const char *name, struct slice bytes);
/* Calls fn for each file name. */
void sim_disk_each(const struct sim_disk *d, void (*fn)(void *ctx, const char *name), void *ctx);

struct sim_disk_counts {
    uint64_t write_count;
    uint64_t sync_count;
    uint64_t crashes;
    uint64_t power_losses;
    uint64_t sectors_old; /* not synced, lost */
    uint64_t sectors_new;
    uint64_t sectors_torn;
    uint64_t sectors_zero;
    uint64_t names_lost;
    uint64_t names_kept;
    uint64_t truncations_lost;
    uint64_t failed_syncs;
    uint64_t failed_writes;
    uint64_t full_writes; /* by quota */
    uint64_t rotten;
    uint64_t cut_calls; /* power failed inside */
};
void sim_disk_get_counts(const struct sim_disk *d, struct sim_disk_counts *counts);

#endif
