/* Sets: as an intset, Redis's own bytes, or as a count and so many strings. */

#include <stdlib.h>

#include "base/codec.h"
#include "base/mem.h"
#include "commands/dump_internal.h"
#include "keyspace/set.h"

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* One that is called an intset and is longer than we pack: its integers sorted, 8 bytes each. */
static void dump_write_long_intset(struct buf *out, const struct value *set)
{
    size_t count = (size_t)set_count(set);
    int64_t *number = mem_alloc_array(count, sizeof *number);
    struct buf intset = {0};
    struct set_cursor c;
    struct slice member;
    set_seek(set, 0, &c);
    for (size_t i = 0; set_next(&c, &member); i++) {
        number_parse_i64(member, &number[i]);
    }
    qsort(number, count, sizeof *number, compare_numbers);
    write_u32(&intset, sizeof *number);
    write_u32(&intset, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        write_u64(&intset, (uint64_t)number[i]);
    }
    rdb_put_bytes(out, buf_slice(&intset));
    buf_deinit(&intset);
    mem_free(number);
}

void dump_write_set(struct buf *out, const struct value *set)
{
    uint8_t header[SET_INTSET_HEADER];
    struct slice packed = set_packed(set, header);
    struct set_cursor c;
    struct slice member;
    bool is_intset = tree_get_encoding(set) == TREE_ENCODING_INTSET;
    buf_append_byte(out, is_intset ? RDB_SET_INTSET : RDB_SET);
    if (packed.p) {
        rdb_put_length(out, sizeof header + packed.n);
        buf_append(out, header, sizeof header);
        buf_append_slice(out, packed);
    } else if (is_intset) {
        dump_write_long_intset(out, set);
    } else {
        rdb_put_length(out, set_count(set));
        for (set_seek(set, 0, &c); set_next(&c, &member);) {
            rdb_put_text(out, member);
        }
    }
}

static bool
dump_read_members(const struct keyspace_view *view, struct slice *in, struct value **set)
{
    uint64_t count;
    struct buf room = {0};
    struct slice member;
    bool is_ok = rdb_take_length(in, &count) && count > 0;
    for (uint64_t i = 0; i < count && is_ok; i++) {
        is_ok =
            rdb_take_text(in, &room, &member) && set_add(view, set, member); /* no member twice */
    }
    buf_deinit(&room);
    return is_ok;
}

struct value *dump_read_set(const struct keyspace_view *view, enum rdb_type type, struct slice *in)
{
    if (type == RDB_SET_INTSET) {
        struct buf room = {0};
        struct slice intset;
        struct value *read =
            rdb_take_text(in, &room, &intset) ? set_from_intset(view, intset) : NULL;
        buf_deinit(&room);
        return read;
    }
    struct value *set = set_new();
    if (!dump_read_members(view, in, &set)) {
        value_free(set);
        return NULL;
    }
    return set;
}
