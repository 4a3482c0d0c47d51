#ifndef STORAGE_WAL_SURVEY_H
#define STORAGE_WAL_SURVEY_H

#include "storage/wal_internal.h"

/* Which segment files there are, and which of them the log leads through. */

struct wal_survey_segment {
    uint64_t id;
    bool has_head; /* its first unit verifies: `head` may be believed */
    struct wal_head head;
};

struct wal_survey {
    struct wal_survey_segment *segment; /* by id */
    uint32_t segment_count;
    uint32_t *chain; /* positions in `segment`, oldest first */
    uint32_t chain_count;
    uint32_t newest; /* the newest segment whose head batch verifies; UINT32_MAX: none */
    bool is_broken; /* the chain of the newest segment does not reach back; `chain` is an older one,
                       maybe empty */
};

/* Lists and probes the files; sets w->last_id. ERR_MISMATCH when they are of different nodes or
 * clusters, ERR_FORMAT when a later version wrote one, ERR_IO. */
MUST_CHECK enum err wal_survey_take(struct wal *w, struct wal_survey *s);
void wal_survey_deinit(struct wal_survey *s);
/* Loads the file of a segment, filled up to whole units with zeros. */
MUST_CHECK enum err
wal_survey_load(struct wal *w, const struct wal_survey *s, uint32_t position, struct buf *image);

#endif
