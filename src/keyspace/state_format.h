#ifndef KEYSPACE_STATE_FORMAT_H
#define KEYSPACE_STATE_FORMAT_H

#include "keyspace/keyspace.h"

/* The stream of state.h: records, little-endian.
 *
 *   record:   u32 size of what follows, u8 enum state_record, body
 *
 *   SECTION   u8 size of the name, the name, u16 version, bytes of the section's own
 *   KEY       u8 database, u8 flags, [i64 expiry,] u64 last change, u32 size of the key, the key, and
 *             the value's first piece (keyspace/value_piece.c)
 *   PIECE     the next piece of the value that is open
 *   VALUE_END nothing: the open value is complete
 *   END       u64 count of keys
 *
 *  R1  Sections come first, each once. Then keys in any order, each once: those changed during the
 *      walk come when they changed.
 *
 *  R2  A KEY with STATE_VALUE_OPEN begins a value of several pieces; one is open at a time, and
 *      complete KEYs may stand between its pieces.
 *
 *  R3  END is the last record. */
enum state_record {
    STATE_SECTION = 1,
    STATE_KEY = 2,
    STATE_PIECE = 3,
    STATE_VALUE_END = 4,
    STATE_END = 5,
};
enum state_key_flag { STATE_HAS_EXPIRY = 1, STATE_VALUE_OPEN = 2 };

/* What is state beside the keys, by name: a row in state_sections.c for each. To add one: write and
 * read functions and a row. A stream with a section that isn't known here, or of a version that
 * isn't, is refused, never half understood. */
struct buf;
struct state_section {
    const char *name; /* at most 255 bytes; never used for something else later */
    uint16_t version; /* that `write` makes; `read` takes it and those before it */
    bool is_required; /* false for those that older streams lack */
    void (*write)(const struct keyspace *k, struct buf *out);
    /* ERR_CORRUPT, ERR_FORMAT. */
    enum err (*read)(struct keyspace *k, uint16_t version, struct slice bytes);
};
extern const struct state_section state_section[];
extern const size_t state_section_count;

#endif
