#ifndef KEYSPACE_USED_IDS_H
#define KEYSPACE_USED_IDS_H

#include "base/buf.h"
#include "keyspace/keyspace.h"

/* Every node id that ever was in a configuration: part of the replicated state and of its digest, so that an id is never
 * used a second time, whoever leads and whatever was compacted (checklist J10). Sorted, 8 bytes each; ids only come. */

bool used_ids_contain(const struct keyspace *k, raft_id id);
/* Nothing happens when it is there already. `id` is not 0. */
void used_ids_add(struct keyspace *k, raft_id id);
size_t used_ids_count(const struct keyspace *k);
raft_id used_ids_at(const struct keyspace *k, size_t position); /* sorted */

/* A stable encoding, version byte first, for snapshots: u8 1, u32 count, u64 each, rising. */
void used_ids_encode(const struct keyspace *k, struct buf *out);
/* Replaces what is there. ERR_CORRUPT, ERR_FORMAT (another version): then nothing has changed. */
MUST_CHECK enum err used_ids_decode(struct keyspace *k, struct slice bytes);

/* What they add to the digest. */
uint64_t used_ids_digest(const struct keyspace *k);

#endif
