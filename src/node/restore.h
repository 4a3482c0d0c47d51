#ifndef NODE_RESTORE_H
#define NODE_RESTORE_H

#include "base/buf.h"
#include "base/log.h"
#include "storage/snapshot_file.h"
#include "storage/vfs.h"

/* `coracle restore`: a backup becomes the first node of a new cluster, in a data directory that belongs to no cluster yet: new, or left by a
 * restore that did not get to its end. First the file alone is read through and every block checked, so that nothing is made of a bad one;
 * then it is written anew under the new cluster's id, with the one member `address`; then log and identity in one batch. The data, their
 * expiries, the hash seed and log time are the backup's. */
struct restore {
    struct snapshot_file file;
    struct snapshot_facts facts;
};
/* On an error says why; restore_close is due in any case. */
MUST_CHECK enum err restore_open(struct restore *r, struct vfs *from, const char *name, struct buf *why);
/* Says what was done, or why not. `draw_fn` fills ids. */
MUST_CHECK enum err restore_run(struct restore *r,
                                struct vfs *to,
                                const char *address,
                                void (*draw_fn)(void *p, size_t n),
                                const struct log_sink *log,
                                struct buf *why);
void restore_close(struct restore *r);

#endif
