#ifndef NODE_RESTORE_H
#define NODE_RESTORE_H

#include "base/buf.h"
#include "base/log.h"
#include "storage/vfs.h"

/* `coracle restore`: a backup becomes the first node of a new cluster, in a data directory that belongs to no
 * cluster yet: new, or left by a restore that did not get to its end. The file is read through and every block checked first; then written anew under the new cluster's id, with the one member `address`; then log and identity
 * in one batch. The data, their expiries, the hash seed and log time are the backup's. `draw_fn` fills ids. On an error says why. */
MUST_CHECK enum err restore_run(struct vfs *from,
                                const char *name,
                                struct vfs *to,
                                const char *address,
                                void (*draw_fn)(void *p, size_t n),
                                const struct log_sink *log,
                                struct buf *why);

#endif
