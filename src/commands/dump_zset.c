/* Sorted sets: packed, members and scores in turn, or as a count and so many pairs of a string and
 * a double of 8 bytes, little endian. Before RDB version 8 the double was a text with its length in
 * front, 253 to 255 standing for NaN and the infinities. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands/dump_internal.h"
#include "commands/zset_common.h"

enum { OLD_DOUBLE_NAN = 253, OLD_DOUBLE_INFINITE = 254, OLD_DOUBLE_NEGATIVE = 255 };

/* --- writing --- */

static void write_packed(struct buf *out, const struct value *zset)
{
    struct buf bytes = {0};
    struct listpack_writer w;
    struct tree_cursor c;
    struct tree_item item;
    char score[ZSET_SCORE_TEXT_MAX];
    listpack_begin(&w, &bytes);
    for (tree_seek_rank(zset_order(zset), 0, &c); tree_cursor_get(&c, &item);
         tree_cursor_next(&c)) {
        zset_format_stored(zset_score(item.key), score);
        listpack_add(&w, item.bytes);
        listpack_add(&w, slice_from_cstr(score));
    }
    listpack_end(&w);
    buf_append_byte(out, RDB_ZSET_LISTPACK);
    rdb_put_bytes(out, buf_slice(&bytes));
    buf_deinit(&bytes);
}

/* From the greatest score down, as Redis does, whose skip lists grow fastest at their beginning. */
void dump_write_zset(struct buf *out, const struct keyspace_view *view, const struct value *zset)
{
    struct zset_rules rules = zset_rules_in(view->keyspace);
    const struct value *order = zset_order(zset);
    struct tree_cursor c;
    struct tree_item item;
    if (!zset_index(zset)) {
        write_packed(out, zset);
        return;
    }
    buf_append_byte(out, RDB_ZSET_2);
    rdb_put_length(out, tree_count(order));
    tree_seek_rank(order, tree_count(order) - 1, &c);
    do {
        double score;
        uint64_t bits;
        if (!tree_cursor_get(&c, &item)) {
            return;
        }
        score = zset_item_score(zset, &rules, &item);
        memcpy(&bits, &score, sizeof bits);
        rdb_put_text(out, item.bytes);
        rdb_put_little(out, bits, sizeof bits);
    } while (tree_cursor_previous(&c));
}

/* --- reading --- */

static bool take_old_double(struct slice *in, double *score)
{
    uint8_t size;
    struct slice text;
    if (!rdb_take_byte(in, &size) || size == OLD_DOUBLE_NAN) {
        return false;
    }
    if (size >= OLD_DOUBLE_INFINITE) {
        *score = size == OLD_DOUBLE_NEGATIVE ? (double)-INFINITY : (double)INFINITY;
        return true;
    }
    return rdb_take_bytes(in, size, &text) && zset_parse_score(text, score);
}

static bool take_double(struct slice *in, double *score)
{
    uint64_t bits;
    if (!rdb_take_little(in, sizeof bits, &bits)) {
        return false;
    }
    memcpy(score, &bits, sizeof bits);
    return !isnan(*score);
}

/* A set in the making. */
struct zset_load {
    struct zset_rules rules;
    struct value *set; /* NULL: there is nothing yet */
};

static bool load_add(struct zset_load *load, struct slice member, double score)
{
    double present;
    if (!load->set) {
        load->set = zset_new(&load->rules, member.n);
    } else if (zset_find(load->set, &load->rules, member, &present)) {
        return false; /* no member twice */
    }
    zset_add(&load->set, &load->rules, member, score);
    return true;
}

static bool load_pairs(struct zset_load *load, enum rdb_type type, struct slice *in)
{
    uint64_t count;
    struct buf room = {0};
    struct slice member;
    double score;
    bool is_ok = rdb_take_length(in, &count);
    load->set = is_ok && count > 0 ? zset_new_large() : NULL;
    for (uint64_t i = 0; i < count && is_ok; i++) {
        is_ok = rdb_take_text(in, &room, &member) &&
                (type == RDB_ZSET ? take_old_double(in, &score) : take_double(in, &score)) &&
                load_add(load, member, score);
    }
    if (is_ok && load->set) {
        zset_make_small(&load->set, &load->rules);
    }
    buf_deinit(&room);
    return is_ok;
}

static bool load_packed(struct zset_load *load, enum rdb_type type, struct slice bytes)
{
    struct packed_reader r;
    struct buf room = {0};
    struct slice member;
    struct slice text;
    double score;
    enum packed_step step = PACKED_BAD;
    if (packed_open(&r, dump_packed_kind(type), bytes)) {
        do {
            step = dump_take_pair(&r, &room, &member, &text);
        } while (step == PACKED_ELEMENT && zset_parse_score(text, &score) &&
                 load_add(load, member, score));
    }
    buf_deinit(&room);
    return step == PACKED_END;
}

struct value *dump_read_zset(const struct keyspace_view *view, enum rdb_type type, struct slice *in)
{
    struct zset_load load = {.rules = zset_rules_in(view->keyspace)};
    struct buf room = {0};
    struct slice bytes;
    bool is_ok = type == RDB_ZSET || type == RDB_ZSET_2
                     ? load_pairs(&load, type, in)
                     : rdb_take_text(in, &room, &bytes) && load_packed(&load, type, bytes);
    buf_deinit(&room);
    if (!is_ok && load.set) {
        value_free(load.set);
        load.set = NULL;
    }
    return load.set;
}
