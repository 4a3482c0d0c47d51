#ifndef STORAGE_WAL_VERDICT_H
#define STORAGE_WAL_VERDICT_H

#include "storage/wal_format.h"

/* What a batch that doesn't verify means (checklist P9 and its amendments). Pure: bytes in, verdict
 * out.
 *
 *  CORRUPT  a valid header or footer of another batch states a durable LSN beyond the bad batch: it
 * was durable once. CUT      (WAL_CLEAN) nothing does, and there is no footer of the batch, or
 * every bad 512-byte unit of its body still shows the pre-image, zeros (W2): the write was never
 * completed. SUSPECT  nothing does, the footer is valid, and a bad unit shows something else: it
 * may have been durable.
 *
 * Verdicts of several bad places add up to the worst. */
struct wal_verdict {
    enum wal_health health;
    uint32_t cut_count;       /* torn writes among them */
    bool has_footer;          /* `footer` is the newest valid one among what was judged */
    struct wal_footer footer; /* in force then: term, vote, last entry, identity */
    struct wal_taint reach;   /* suspect_...: the highest that any of the footers states */
};

/* The higher of both, in each of suspect_term and (suspect_last_term, suspect_last_index). */
void wal_taint_raise(struct wal_taint *t, const struct wal_taint *other);

void wal_verdict_add(struct wal_verdict *v, enum wal_health health);
/* Judges the batch at `offset` of `image`, a whole segment file, and takes everything behind it as
 * evidence. */
void wal_verdict_judge(struct wal_verdict *v,
                       struct slice image,
                       const struct wal_identity *identity,
                       uint32_t key,
                       uint64_t segment,
                       uint64_t offset);
/* The identity that a segment's valid footers state, when its head can't be read; untouched if
 * there is none. */
void wal_verdict_find_identity(struct slice image, uint64_t segment, struct wal_identity *identity);

#endif
