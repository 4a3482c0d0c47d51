#include "check/texts.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

void texts_deinit(struct texts *t)
{
    buf_deinit(&t->bytes);
    mem_free(t->place);
    mem_free(t->slot);
    memset(t, 0, sizeof *t);
}

static uint32_t texts_hash(struct slice bytes)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.n; i++)
        h = (h ^ bytes.p[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ h >> 32);
}

struct slice texts_get(const struct texts *t, text_id id)
{
    if (id == TEXT_NIL)
        return (struct slice){NULL, 0};
    ASSERT(id <= t->count);
    const struct text_place *place = &t->place[id - 1];
    if (place->length == 0)
        return SLICE_LITERAL(""); /* Empty texts alone have no bytes behind them. */
    return (struct slice){t->bytes.data + t->bytes.start + place->offset, place->length};
}

static void texts_grow(struct texts *t)
{
    mem_free(t->slot);
    t->slot_count = t->slot_count ? 2 * t->slot_count : 1024;
    t->slot = mem_alloc_zero(t->slot_count * sizeof *t->slot);
    for (uint32_t id = 1; id <= t->count; id++) {
        uint32_t i = t->place[id - 1].hash & (t->slot_count - 1);
        while (t->slot[i])
            i = (i + 1) & (t->slot_count - 1);
        t->slot[i] = id;
    }
}

text_id texts_intern(struct texts *t, struct slice bytes)
{
    if (2 * t->count >= t->slot_count)
        texts_grow(t);
    uint32_t hash = texts_hash(bytes);
    uint32_t i = hash & (t->slot_count - 1);
    for (; t->slot[i]; i = (i + 1) & (t->slot_count - 1)) {
        if (t->place[t->slot[i] - 1].hash == hash && slice_equal(texts_get(t, t->slot[i]), bytes))
            return t->slot[i];
    }
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 256;
        t->place = mem_realloc_array(t->place, t->capacity, sizeof *t->place);
    }
    t->place[t->count++] = (struct text_place){buf_size(&t->bytes), (uint32_t)bytes.n, hash};
    buf_append_slice(&t->bytes, bytes);
    return t->slot[i] = t->count;
}

text_id texts_intern_number(struct texts *t, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    return texts_intern(t, (struct slice){(const uint8_t *)text, number_format_i64(number, text)});
}

bool texts_number(const struct texts *t, text_id id, int64_t *number)
{
    return id != TEXT_NIL && number_parse_i64(texts_get(t, id), number);
}
