#ifndef CHECK_TEXTS_H
#define CHECK_TEXTS_H

#include "base/buf.h"

/* Each distinct byte string once, as a small number, so that values are compared as numbers. 0 is "nothing". */
typedef uint32_t text_id;
#define TEXT_NIL 0u

struct text_place {
    size_t offset;
    uint32_t length;
    uint32_t hash;
};

/* All-zero is empty. */
struct texts {
    struct buf bytes;
    struct text_place *place; /* [i] is text i + 1 */
    uint32_t count;
    uint32_t capacity;
    uint32_t *slot; /* open hash of ids */
    uint32_t slot_count;
};

void texts_deinit(struct texts *t);
text_id texts_intern(struct texts *t, struct slice bytes);
text_id texts_intern_number(struct texts *t, int64_t number);
/* Borrowed until the next intern. TEXT_NIL gives an empty slice. */
struct slice texts_get(const struct texts *t, text_id id);
/* True when the text is a canonical decimal. */
bool texts_number(const struct texts *t, text_id id, int64_t *number);

#endif
