/* Trees against a flat array. */

#include "keyspace/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/tree_internal.h"
#include "tests/test.h"

/* --- the model --- */

enum { TEXT_MAX = 1400 };

struct model_item {
    uint64_t key;
    uint64_t extra;
    size_t n;
    uint8_t *p;
};
struct model {
    struct model_item *item;
    size_t count;
    size_t room;
};

static void model_insert(struct model *m, size_t at, const struct tree_put *put)
{
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 16;
        m->item = mem_realloc_array(m->item, m->room, sizeof m->item[0]);
    }
    memmove(&m->item[at + 1], &m->item[at], (m->count - at) * sizeof m->item[0]);
    struct model_item *item = &m->item[at];
    *item = (struct model_item){put->key, put->extra, put->part[0].n, NULL};
    item->p = mem_alloc(item->n);
    if (item->n) {
        memcpy(item->p, put->part[0].p, item->n);
    }
    m->count++;
}

static void model_remove(struct model *m, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++) {
        mem_free(m->item[i].p);
    }
    memmove(&m->item[at], &m->item[at + count], (m->count - at - count) * sizeof m->item[0]);
    m->count -= count;
}

static void model_free(struct model *m)
{
    model_remove(m, 0, m->count);
    mem_free(m->item);
    *m = (struct model){NULL, 0, 0};
}

static struct model model_copy(const struct model *from)
{
    struct model m = {NULL, 0, 0};
    for (size_t i = 0; i < from->count; i++) {
        const struct model_item *item = &from->item[i];
        struct tree_put put = {
            .key = item->key, .extra = item->extra, .part = {{item->p, item->n}}};
        model_insert(&m, i, &put);
    }
    return m;
}

static bool is_item(const struct tree_item *item, const struct model_item *want)
{
    return item->key == want->key && item->extra == want->extra && item->bytes.n == want->n &&
           (want->n == 0 || memcmp(item->bytes.p, want->p, want->n) == 0);
}

/* Forwards and backwards. */
static bool is_model(const struct value *t, const struct model *m)
{
    tree_check(t);
    if (tree_count(t) != m->count) {
        return false;
    }
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(t, 0, &c);
    for (size_t i = 0; i < m->count; i++) {
        if (tree_cursor_rank(&c) != i || !tree_cursor_get(&c, &item) ||
            !is_item(&item, &m->item[i]) || tree_cursor_next(&c) != (i + 1 < m->count)) {
            return false;
        }
    }
    if (tree_cursor_get(&c, &item) || tree_cursor_next(&c) || tree_cursor_rank(&c) != m->count) {
        return false;
    }
    for (size_t i = m->count; i > 0; i--) {
        if (!tree_cursor_previous(&c) || !tree_cursor_get(&c, &item) ||
            !is_item(&item, &m->item[i - 1])) {
            return false;
        }
    }
    return !tree_cursor_previous(&c) && tree_cursor_rank(&c) == 0;
}

/* --- by position --- */

static uint8_t text_bytes[TEXT_MAX];

static struct slice draw_text(struct prng *random)
{
    size_t n = (size_t)prng_below(random, prng_below(random, 40) == 0 ? TEXT_MAX : 24);
    for (size_t i = 0; i < n; i++) {
        text_bytes[i] = (uint8_t)prng_next(random);
    }
    return (struct slice){text_bytes, n};
}

struct rig {
    struct value *t;
    struct model m;
    struct prng random;
};

static void rig_insert(struct rig *r, size_t at)
{
    struct tree_put put = tree_put_bytes(draw_text(&r->random));
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(r->t, at, &c);
    tree_insert(&r->t, &c, &put);
    model_insert(&r->m, at, &put);
    CHECK(tree_cursor_rank(&c) == at && tree_cursor_get(&c, &item) &&
          is_item(&item, &r->m.item[at]));
}

static void rig_remove(struct rig *r, size_t at)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(r->t, at, &c);
    tree_remove(&r->t, &c);
    model_remove(&r->m, at, 1);
    CHECK(tree_cursor_rank(&c) == at && tree_cursor_get(&c, &item) == (at < r->m.count));
    CHECK(at == r->m.count || is_item(&item, &r->m.item[at]));
}

static void rig_replace(struct rig *r, size_t at)
{
    struct tree_put put = tree_put_bytes(draw_text(&r->random));
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(r->t, at, &c);
    tree_replace(&r->t, &c, &put);
    model_remove(&r->m, at, 1);
    model_insert(&r->m, at, &put);
    CHECK(tree_cursor_get(&c, &item) && is_item(&item, &r->m.item[at]));
}

static void rig_remove_range(struct rig *r, size_t at, size_t count)
{
    struct value *gone = tree_remove_range(&r->t, at, count);
    value_free(gone);
    model_remove(&r->m, at, count);
}

static void rig_step(struct rig *r, unsigned growth)
{
    size_t count = r->m.count;
    unsigned what = (unsigned)prng_below(&r->random, 100);
    if (count == 0 || what < growth) {
        uint64_t where = prng_below(&r->random, 4);
        rig_insert(r, where == 0   ? 0
                      : where == 1 ? count
                                   : (size_t)prng_below(&r->random, count + 1));
    } else if (what < 97) {
        size_t at = prng_below(&r->random, 5) == 0 ? 0 : (size_t)prng_below(&r->random, count);
        if (prng_below(&r->random, 3) == 0) {
            rig_replace(r, at);
        } else {
            rig_remove(r, at);
        }
    } else {
        size_t at = (size_t)prng_below(&r->random, count + 1);
        uint64_t most = prng_below(&r->random, 4) == 0 ? count - at : (count - at) / 16;
        rig_remove_range(r, at, (size_t)prng_below(&r->random, most + 1));
    }
}

TEST(a_sequence_is_an_array)
{
    size_t used = mem_used();
    for (uint64_t seed = 1; seed <= 12; seed++) {
        test_context("seed %u", (unsigned)seed);
        struct rig r = {.t = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION)};
        prng_seed(&r.random, seed);
        for (int step = 0; step < 3000; step++) {
            rig_step(&r, step / 500 % 2 ? 35 : 80);
            if (step % 97 == 0) {
                REQUIRE(is_model(r.t, &r.m));
            }
        }
        REQUIRE(is_model(r.t, &r.m));
        rig_remove_range(&r, 0, r.m.count);
        REQUIRE(is_model(r.t, &r.m));
        CHECK(tree_is_lone(r.t));
        value_free(r.t);
        model_free(&r.m);
    }
    test_context("%s", "");
    CHECK_EQ_UINT(mem_used(), used);
}

/* Whoever holds a share sees what was there, whatever the others do. */
TEST(shares_stay_as_they_were)
{
    enum { SHARES = 6 };
    size_t used = mem_used();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        test_context("seed %u", (unsigned)seed);
        struct rig r[SHARES] = {
            {.t = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION)}};
        prng_seed(&r[0].random, seed);
        for (int step = 0; step < 800; step++) {
            rig_step(&r[0], 90);
        }
        for (size_t i = 1; i < SHARES; i++) {
            r[i] = (struct rig){value_share(r[0].t), model_copy(&r[0].m), {{0}}};
            prng_seed(&r[i].random, seed * SHARES + i);
        }
        for (int round = 0; round < 8; round++) {
            for (size_t i = 0; i < SHARES; i++) {
                r[i].t = value_unshare(r[i].t);
                for (int step = 0; step < 40; step++) {
                    rig_step(&r[i], round % 2 ? 30 : 60);
                }
            }
            for (size_t i = 0; i < SHARES; i++) {
                REQUIRE(is_model(r[i].t, &r[i].m));
            }
            size_t from = (size_t)prng_below(&r[0].random, SHARES);
            size_t to = (from + 1) % SHARES;
            value_free(r[to].t);
            model_free(&r[to].m);
            r[to].t = value_share(r[from].t);
            r[to].m = model_copy(&r[from].m);
        }
        for (size_t i = 0; i < SHARES; i++) {
            value_free(r[i].t);
            model_free(&r[i].m);
        }
    }
    test_context("%s", "");
    CHECK_EQ_UINT(mem_used(), used);
}

/* --- by key --- */

static int compare_text(const void *probe, struct slice bytes)
{
    return slice_compare(bytes, *(const struct slice *)probe);
}

static size_t model_find(const struct model *m, uint64_t key, struct slice text, bool *is_there)
{
    size_t i = 0;
    *is_there = false;
    for (; i < m->count; i++) {
        const struct model_item *item = &m->item[i];
        int order = item->key != key ? (item->key < key ? -1 : 1)
                                     : slice_compare((struct slice){item->p, item->n}, text);
        if (order >= 0) {
            *is_there = order == 0;
            break;
        }
    }
    return i;
}

/* How keys are spread over their 64 bits decides where a search begins. */
enum spread { SPREAD_LOW, SPREAD_EVEN, SPREAD_DOUBLING, SPREAD_ENDS };

static uint64_t draw_key(struct prng *random, enum spread spread, uint64_t key_space)
{
    uint64_t drawn = prng_below(random, key_space);
    switch (spread) {
    case SPREAD_LOW:
        return drawn << 40;
    case SPREAD_EVEN:
        return prng_next(random);
    case SPREAD_DOUBLING:
        return prng_next(random) >> prng_below(random, 64);
    case SPREAD_ENDS:
        return prng_below(random, 2) ? drawn : UINT64_MAX - drawn;
    }
    return 0;
}

static void keyed_step(struct rig *r, enum spread spread, uint64_t key_space, unsigned growth)
{
    struct slice text = draw_text(&r->random);
    if (text.n < 20) {
        text.n = text.n % 3; /* few texts: items are met again */
    }
    uint64_t key = draw_key(&r->random, spread, key_space);
    struct tree_put put = {.key = key, .extra = prng_next(&r->random), .part = {text}};
    bool is_there;
    size_t at = model_find(&r->m, key, text, &is_there);
    struct tree_cursor c;
    CHECK(tree_seek_key(r->t, key, compare_text, &text, &c) == is_there);
    CHECK_EQ_UINT(tree_cursor_rank(&c), at);
    bool grows = prng_below(&r->random, 100) < growth;
    if (!is_there && grows) {
        tree_insert(&r->t, &c, &put);
        model_insert(&r->m, at, &put);
        struct tree_item item;
        CHECK(tree_cursor_get(&c, &item) && is_item(&item, &r->m.item[at]));
    } else if (is_there && grows) {
        tree_set_extra(&r->t, &c, put.extra);
        r->m.item[at].extra = put.extra;
    } else if (at < r->m.count) {
        rig_remove(r, at);
    }
    bool has_key = tree_seek_key(r->t, key, NULL, NULL, &c);
    struct tree_item item;
    CHECK(has_key == (tree_cursor_get(&c, &item) && item.key == key));
    CHECK(!tree_cursor_previous(&c) || (tree_cursor_get(&c, &item) && item.key < key));
}

TEST(an_ordered_one_is_a_sorted_array)
{
    size_t used = mem_used();
    static const struct {
        enum spread spread;
        uint64_t key_space;
    } keys[] = {{SPREAD_LOW, 1}, {SPREAD_LOW, 7}, {SPREAD_LOW, 1000000}, {SPREAD_EVEN, 1}, {SPREAD_DOUBLING, 1}, {SPREAD_ENDS, 300}};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        test_context("spread %d, %u keys", (int)keys[k].spread, (unsigned)keys[k].key_space);
        struct rig r = {.t = tree_new(VALUE_ZSET, TREE_ENCODING_SKIPLIST, TREE_BY_KEY_EXTRA)};
        prng_seed(&r.random, k + 1);
        for (int step = 0; step < 6000; step++) {
            keyed_step(&r, keys[k].spread, keys[k].key_space, step / 1500 % 2 ? 25 : 80);
            if (step % 97 == 0) {
                REQUIRE(is_model(r.t, &r.m));
            }
        }
        rig_remove_range(&r, r.m.count / 3, r.m.count / 2);
        REQUIRE(is_model(r.t, &r.m));
        value_free(r.t);
        model_free(&r.m);
    }
    test_context("%s", "");
    CHECK_EQ_UINT(mem_used(), used);
}

/* --- size --- */

static void fill(struct value **t, size_t count)
{
    char text[24];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%08zu", i);
        struct tree_put put = tree_put_bytes(slice_from_cstr(text));
        tree_append(t, &put);
    }
}

TEST(what_is_appended_is_packed)
{
    struct value *t = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    fill(&t, 50000);
    tree_check(t);
    /* Eight bytes and a slot each; tiny nodes spend as much on themselves. */
    CHECK(value_memory(t) < 50000 * (TREE_NODE_BYTES == 2048 ? 105 : 200) / 10);
    value_free(t);
}

/* A tree is dropped in as many pieces as it has nodes, and a range in few steps. */
TEST(freed_in_pieces)
{
    size_t used = mem_used();
    struct value *t = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    fill(&t, 60000);
    CHECK(value_is_big(t));
    struct value *gone = tree_remove_range(&t, 2, 59996);
    tree_check(t);
    CHECK_EQ_UINT(tree_count(t), 4);
    CHECK(tree_is_lone(t));
    REQUIRE(gone != NULL);
    CHECK(value_is_big(gone));
    size_t pieces = 0;
    for (;;) {
        size_t budget = 7;
        bool is_done = value_free_some(gone, &budget);
        pieces += 7 - budget;
        if (is_done) {
            break;
        }
        CHECK_EQ_UINT(budget, 0);
    }
    CHECK(pieces > 60000 * 10 / TREE_NODE_BYTES);
    value_free(t);
    CHECK_EQ_UINT(mem_used(), used);
}

TEST(long_items_are_shared)
{
    size_t used = mem_used();
    size_t size = 3 * LIMIT_VALUE_CHUNK_BYTES;
    uint8_t *bytes = mem_alloc_zero(size);
    struct value *a = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct value *b = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct tree_put put = tree_put_bytes((struct slice){bytes, size});
    tree_append(&a, &put);
    mem_free(bytes);
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(a, 0, &c);
    REQUIRE(tree_cursor_get(&c, &item));
    CHECK(item.bytes.n == size && item.blob);
    put = tree_put_item(&item);
    tree_append(&b, &put);
    CHECK(mem_used() < used + size + size / 2);
    CHECK(value_memory(a) >= size && value_memory(b) >= size);
    value_free(a);
    tree_seek_rank(b, 0, &c);
    CHECK(tree_cursor_get(&c, &item) && item.bytes.n == size && item.bytes.p[size - 1] == 0);
    value_free(b);
    CHECK_EQ_UINT(mem_used(), used);
}

/* --- in pieces --- */

static struct value *built_again(const struct value *t, size_t *pieces)
{
    struct value_cursor cursor = {0, 0};
    struct value_builder b;
    struct buf out;
    buf_init(&out);
    value_builder_init(&b);
    for (*pieces = 0; value_write_piece(t, &cursor, &out); ++*pieces) {
        if (!CHECK(buf_size(&out) <= VALUE_PIECE_MAX) ||
            !CHECK(value_builder_add(&b, buf_slice(&out)))) {
            break;
        }
        buf_clear(&out, SIZE_MAX);
    }
    buf_deinit(&out);
    return value_builder_finish(&b);
}

static uint64_t digest_of(const struct value *t)
{
    static const struct siphash_key key = {{1, 2, 3}};
    struct value_digest digest = {{0, 0}, 0};
    while (value_digest_step(t, &key, &digest)) {
    }
    return digest.hash;
}

TEST(pieces_make_it_again)
{
    size_t used = mem_used();
    for (int shape = 0; shape < 2; shape++) { /* the third one's: test_zset.c */
        test_context("shape %d", shape);
        /* Types whose items may be any bytes. */
        enum tree_encoding encoding = shape ? TREE_ENCODING_HASHTABLE : TREE_ENCODING_QUICKLIST;
        struct value *t = tree_new(shape ? VALUE_SET : VALUE_LIST, encoding, (enum tree_shape)shape);
        struct prng random;
        prng_seed(&random, (uint64_t)shape);
        uint8_t *bytes = mem_alloc_zero(3 * LIMIT_VALUE_CHUNK_BYTES);
        for (uint64_t i = 0; i < 3000; i++) {
            struct slice text = draw_text(&random);
            if (i == 700) {
                text = (struct slice){bytes, 3 * LIMIT_VALUE_CHUNK_BYTES};
            }
            struct tree_put put = {
                .key = shape ? i / 3 : 0, .extra = 0, .part = {text}};
            tree_append(&t, &put);
        }
        mem_free(bytes);
        size_t pieces;
        struct value *again = built_again(t, &pieces);
        REQUIRE(again != NULL);
        CHECK(pieces > 3);
        tree_check(again);
        CHECK_EQ_UINT(tree_count(again), tree_count(t));
        CHECK(tree_get_encoding(again) == encoding);
        CHECK_EQ_UINT(digest_of(again), digest_of(t));
        struct value *gone = tree_remove_range(&again, 1000, 1);
        value_free(gone);
        CHECK(digest_of(again) != digest_of(t));
        value_free(again);
        value_free(t);
    }
    test_context("%s", "");
    CHECK_EQ_UINT(mem_used(), used);
}

/* A piece that was cut, changed or repeated is refused, or makes another value; nothing breaks. */
TEST(hostile_pieces)
{
    size_t used = mem_used();
    struct value *t = tree_new(VALUE_SET, TREE_ENCODING_HASHTABLE, TREE_BY_KEY);
    for (uint64_t i = 0; i < 5; i++) {
        struct tree_put put = {.key = i * 1000, .part = {SLICE_LITERAL("member")}};
        tree_append(&t, &put);
    }
    struct buf piece;
    buf_init(&piece);
    struct value_cursor cursor = {0, 0};
    REQUIRE(value_write_piece(t, &cursor, &piece));
    struct prng random;
    prng_seed(&random, 4);
    for (int round = 0; round < 5000; round++) {
        size_t n = (size_t)prng_below(&random, buf_size(&piece) + 1);
        uint8_t *copy = test_guard_copy(piece.data + piece.start, n);
        if (n > 0 && round % 2) {
            copy[prng_below(&random, n)] ^= (uint8_t)(1 + prng_below(&random, 255));
        }
        struct value_builder b;
        value_builder_init(&b);
        value_builder_add(&b, (struct slice){copy, n});
        value_builder_add(&b, buf_slice(&piece));
        struct value *made = value_builder_finish(&b);
        if (made && value_get_type(made) != VALUE_STRING) {
            tree_check(made);
        }
        value_free(made);
        test_guard_free(copy, n);
    }
    buf_deinit(&piece);
    value_free(t);
    CHECK_EQ_UINT(mem_used(), used);
}

TEST_MAIN()
