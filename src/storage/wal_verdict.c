#include "storage/wal_verdict.h"

#include "base/checksum.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "storage/wal_segment.h"

void wal_verdict_add(struct wal_verdict *v, enum wal_health health)
{
    if (health > v->health) {
        v->health = health;
    }
}

/* A footer counts only if it is this node's, and of this cluster, with its secret seed: so no
 * client can plant one. */
static bool is_same_owner(const struct wal_identity *known, const struct wal_identity *claimed)
{
    return claimed->node_id == known->node_id &&
           (known->cluster_id == 0 || (claimed->cluster_id == known->cluster_id &&
                                       claimed->hash_seed[0] == known->hash_seed[0] &&
                                       claimed->hash_seed[1] == known->hash_seed[1]));
}

void wal_taint_raise(struct wal_taint *t, const struct wal_taint *other)
{
    if (other->suspect_term > t->suspect_term) {
        t->suspect_term = other->suspect_term;
    }
    if (other->suspect_last_term > t->suspect_last_term ||
        (other->suspect_last_term == t->suspect_last_term &&
         other->suspect_last_index > t->suspect_last_index)) {
        t->suspect_last_term = other->suspect_last_term;
        t->suspect_last_index = other->suspect_last_index;
    }
}

static void take_footer(struct wal_verdict *v, const struct wal_footer *f)
{
    const wal_lsn at = wal_lsn_at(f->segment, f->offset);
    const struct wal_taint reach = {.suspect_term = f->state.hard.term,
                                    .suspect_last_index = f->last_index,
                                    .suspect_last_term = f->last_term};
    wal_taint_raise(&v->reach, &reach);
    if (!v->has_footer || at >= wal_lsn_at(v->footer.segment, v->footer.offset)) {
        v->has_footer = true;
        v->footer = *f;
    }
}

/* The batch's footer is valid: what do the units of its body say? */
static enum wal_health judge_units(struct slice image,
                                   uint64_t offset,
                                   const struct wal_footer *f,
                                   const uint8_t *unit_crc)
{
    bool all_pre_image = true;
    uint32_t bad_count = 0;
    for (uint32_t i = 0; i < f->unit_count; i++) {
        uint64_t at = offset + (uint64_t)i * WAL_UNIT_BYTES;
        if (at + WAL_UNIT_BYTES > image.n) {
            return WAL_SUSPECT; /* A footer lies behind its body. */
        }
        const uint8_t *unit = image.p + at;
        if (crc32c(0, unit, WAL_UNIT_BYTES) != get_u32(unit_crc + 4 * (size_t)i)) {
            bad_count++;
            all_pre_image = all_pre_image && wal_is_zero(unit, WAL_UNIT_BYTES);
        }
    }
    return bad_count > 0 && all_pre_image ? WAL_CLEAN : WAL_SUSPECT;
}

void wal_verdict_judge(struct wal_verdict *v,
                       struct slice image,
                       const struct wal_identity *identity,
                       uint32_t key,
                       uint64_t segment,
                       uint64_t offset)
{
    const wal_lsn here = wal_lsn_at(segment, offset);
    enum wal_health verdict = WAL_CLEAN;
    uint64_t at = offset;
    struct wal_batch_header header;
    /* What lies inside the bad batch itself is data, not evidence, where its extent is known. */
    if (offset < image.n &&
        wal_batch_header_decode(slice_skip(image, (size_t)offset), key, segment, offset, &header)) {
        at = offset + wal_padded_bytes(header.body_bytes, header.sector_bytes);
    } else {
        at += WAL_UNIT_BYTES;
    }
    for (; at < image.n; at += WAL_UNIT_BYTES) {
        struct slice rest = slice_skip(image, (size_t)at);
        struct wal_footer footer;
        const uint8_t *unit_crc;
        if (wal_batch_header_decode(rest, key, segment, at, &header) && header.durable > here) {
            verdict = WAL_CORRUPT;
        }
        if (!wal_footer_decode(rest, segment, &footer, &unit_crc) ||
            !is_same_owner(identity, &footer.identity)) {
            continue;
        }
        if (footer.durable > here) {
            verdict = WAL_CORRUPT;
            take_footer(v, &footer);
        } else if (footer.offset == offset &&
                   judge_units(image, offset, &footer, unit_crc) != WAL_CLEAN) {
            verdict = verdict == WAL_CORRUPT ? verdict : WAL_SUSPECT;
            take_footer(v, &footer);
        }
    }
    if (verdict == WAL_CLEAN) {
        COVER("wal torn tail cut");
        v->cut_count++;
    } else if (verdict == WAL_SUSPECT) {
        COVER("wal suspect");
    } else {
        COVER("wal corrupt");
    }
    wal_verdict_add(v, verdict);
}

void wal_verdict_find_identity(struct slice image, uint64_t segment, struct wal_identity *identity)
{
    for (size_t at = 0; at < image.n; at += WAL_UNIT_BYTES) {
        struct wal_footer footer;
        const uint8_t *unit_crc;
        if (wal_footer_decode(slice_skip(image, at), segment, &footer, &unit_crc) &&
            (identity->node_id == 0 || footer.identity.node_id == identity->node_id)) {
            *identity = footer.identity;
            return;
        }
    }
}
