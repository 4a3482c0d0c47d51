#ifndef STORAGE_VFS_POSIX_REAPER_H
#define STORAGE_VFS_POSIX_REAPER_H

#include <stdbool.h>

/* Gives the space of removed files back, beside the storage thread: where freed blocks are discarded at once (ext4 with `discard`),
 * the last close of a log segment takes 10 to 25 ms, in which nothing would reach the disk, and every other sync waits too. So a
 * thread of its own cuts a large file shorter piece by piece, with pauses. It makes nothing durable and nothing depends on it:
 * the name is gone already, and whatever it has not reached when the process ends is freed by the kernel. */
struct reaper;

/* The thread starts with the first file. Returns owned. */
struct reaper *reaper_new(void);
/* Closes what is left without pauses, joins. */
void reaper_free(struct reaper *r);
/* Takes a descriptor, open for writing, of a file whose name has been removed; closes it, now or later. A file that someone else
 * still has open, or has another name for, is left whole for them (and freed by the last who closes it). */
void reaper_take(struct reaper *r, int fd);

#endif
