/* The walk and the reader: a snapshot is the state at its index, whatever goes on meanwhile. */
#include "keyspace/state.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/state_format.h"
#include "keyspace/used_ids.h"
#include "keyspace/value.h"
#include "keyspace/value_internal.h"
#include "tests/test.h"

static const struct siphash_key seed = {{9, 8, 7}};

struct world {
    struct keyspace *keyspace;
    raft_index index;
    int64_t time_ms;
    struct prng random;
    size_t key_count;
};

static void world_init(struct world *w, uint64_t number, size_t key_count)
{
    *w = (struct world){.time_ms = 1000, .key_count = key_count};
    prng_seed(&w->random, number);
    w->keyspace = keyspace_new(&seed, NULL);
}

static size_t draw(struct world *w, size_t below)
{
    return (size_t)prng_below(&w->random, below);
}

static struct slice draw_key(struct world *w, char text[16])
{
    int n = snprintf(text, 16, "k%zu", draw(w, w->key_count));
    return (struct slice){(const uint8_t *)text, (size_t)n};
}

static struct value *draw_value(struct world *w)
{
    size_t size = draw(w, 12) == 0 ? draw(w, 6 * VALUE_PART_BYTES) : draw(w, 60);
    uint8_t *bytes = mem_alloc(size + 1);
    memset(bytes, (int)draw(w, 256), size);
    struct value *v = value_new_string((struct slice){bytes, size});
    mem_free(bytes);
    return v;
}

static void do_edit(struct keyspace_view *view, struct slice key, size_t at)
{
    struct value **slot = keyspace_edit_slot(view, key);
    if (slot) {
        size_t size = value_string_size(*slot);
        if (size > 3) {
            value_string_write(*slot, at % (size - 3), SLICE_LITERAL("xyz"));
        }
        *slot = value_string_append(*slot, SLICE_LITERAL("tail"));
        keyspace_changed(view, key, "append");
    }
}

/* One entry with a few changes of any kind. */
static void do_entry(struct world *w)
{
    struct keyspace *k = w->keyspace;
    char a_text[16];
    char b_text[16];
    w->time_ms += (int64_t)draw(w, 5);
    keyspace_begin_entry(k, ++w->index, w->time_ms);
    if (draw(w, 20) == 0) {
        keyspace_set_setting(k, SETTING_SET_MAX_INTSET_ENTRIES, (int64_t)draw(w, 1000));
    }
    for (size_t i = draw(w, 4); i > 0; i--) {
        struct slice a = draw_key(w, a_text);
        struct slice b = draw_key(w, b_text);
        uint32_t other = (uint32_t)draw(w, 3);
        struct keyspace_view view = {.keyspace = k,
                                     .db = (uint32_t)draw(w, 3),
                                     .time_ms = w->time_ms,
                                     .is_write = true};
        switch (draw(w, 11)) {
        case 0:
        case 1:
        case 2:
            keyspace_set(&view, a, draw_value(w), draw(w, 2) == 0, "set");
            break;
        case 3:
            keyspace_set_string(&view, a, b, false, "set");
            break;
        case 4:
            keyspace_delete(&view, a, "del");
            break;
        case 5:
            do_edit(&view, a, draw(w, 1000000));
            break;
        case 6:
            keyspace_set_expiry(&view, a, w->time_ms + 1 + (int64_t)draw(w, 200), "expire");
            break;
        case 7:
            keyspace_clear_expiry(&view, a, "persist");
            break;
        case 8:
            if (other != view.db || !slice_equal(a, b)) {
                keyspace_move(&view, a, other, b, "move_from", "move_to");
            }
            break;
        case 9:
            if (draw(w, 8) == 0 && other != view.db) {
                keyspace_swap(&view, view.db, other);
            }
            break;
        case 10:
            if (draw(w, 12) == 0) {
                keyspace_flush(&view, draw(w, 2) == 0);
            }
            break;
        default:
            break;
        }
    }
    if (draw(w, 20) == 0) {
        sessions_open(k, 1 + draw(w, 3), w->index);
        used_ids_add(k, 1 + draw(w, 50));
    }
}

static struct keyspace *read_state(struct slice bytes, size_t piece)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct state_reader *r = state_reader_new(k, bytes.n);
    enum err e = ERR_OK;
    for (size_t at = 0; at < bytes.n && e == ERR_OK; at += piece) {
        size_t n = piece < bytes.n - at ? piece : bytes.n - at;
        e = state_reader_feed(r, (struct slice){bytes.p + at, n});
    }
    if (e == ERR_OK) {
        e = state_reader_finish(r);
    }
    state_reader_free(r);
    if (e != ERR_OK) {
        keyspace_free(k);
        return NULL;
    }
    return k;
}

/* The property: whatever changes while the walk is under way, what it made is the state at its
 * index, told by a digest that knows nothing of walks; and so is what is read from it. */
static void check_walk(uint64_t number, size_t key_count, size_t before, size_t steps_per_entry)
{
    struct world w;
    world_init(&w, number, key_count);
    test_context("seed %llu", (unsigned long long)number);
    for (size_t i = 0; i < before; i++) {
        do_entry(&w);
    }
    uint64_t digest = keyspace_digest(w.keyspace);
    raft_index index = w.index;
    struct state_walk *snapshot = state_walk_new(w.keyspace, STATE_SNAPSHOT);
    struct state_walk *second = NULL;
    uint64_t second_digest = 0;
    bool has_more = true;
    bool second_has_more = false;
    size_t entries = 0;
    while (has_more || second_has_more) {
        for (size_t i = draw(&w, steps_per_entry + 1); i > 0; i--) {
            has_more = state_walk_step(snapshot);
            second_has_more = second && state_walk_step(second);
        }
        do_entry(&w);
        if (++entries == 3) { /* two at once, at different indices */
            second_digest = keyspace_digest(w.keyspace);
            second = state_walk_new(w.keyspace, STATE_DIGEST);
            second_has_more = true;
        }
        keyspace_idle(w.keyspace);
    }
    CHECK(!state_walk_step(snapshot));
    CHECK_EQ_UINT(state_walk_index(snapshot), index);
    CHECK_EQ_UINT(state_walk_digest(snapshot), digest);
    if (second) {
        CHECK_EQ_UINT(state_walk_digest(second), second_digest);
        CHECK_EQ_UINT(buf_size(state_walk_output(second)), 0);
    }
    struct slice stream = buf_slice(state_walk_output(snapshot));
    struct keyspace *again = read_state(stream, 1 + draw(&w, 3000));
    REQUIRE(again != NULL);
    CHECK_EQ_UINT(keyspace_digest(again), digest);
    CHECK_EQ_UINT(keyspace_index(again), index);
    keyspace_check(again);
    /* Both go on alike. */
    keyspace_take_over(w.keyspace, (state_walk_free(snapshot), state_walk_free(second), again));
    CHECK_EQ_UINT(keyspace_digest(w.keyspace), digest);
    w.index = index;
    for (size_t i = 0; i < 20; i++) {
        do_entry(&w);
    }
    keyspace_check(w.keyspace);
    keyspace_free(w.keyspace);
    test_context("%s", "");
}

TEST(a_walk_is_exact_at_its_index)
{
    size_t memory = mem_used();
    for (uint64_t i = 0; i < 30; i++) {
        check_walk(i, 20 + (size_t)i * 7, 300, 1 + (size_t)i % 4);
    }
    CHECK_EQ_UINT(mem_used(), memory);
}

TEST(an_empty_state_has_a_snapshot_too)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    keyspace_begin_entry(k, 5, 77);
    struct state_walk *w = state_walk_new(k, STATE_SNAPSHOT);
    while (state_walk_step(w)) {
    }
    struct keyspace *again = read_state(buf_slice(state_walk_output(w)), 1);
    REQUIRE(again != NULL);
    CHECK_EQ_UINT(keyspace_digest(again), keyspace_digest(k));
    CHECK_EQ_INT(keyspace_time_ms(again), 77);
    keyspace_free(again);
    state_walk_free(w);
    keyspace_free(k);
}

/* A walk that is given up leaves nothing behind. */
TEST(a_walk_can_be_given_up_anywhere)
{
    size_t memory = mem_used();
    for (size_t steps = 0; steps < 40; steps++) {
        struct world w;
        world_init(&w, steps, 100);
        for (size_t i = 0; i < 200; i++) {
            do_entry(&w);
        }
        struct state_walk *walk = state_walk_new(w.keyspace, STATE_SNAPSHOT);
        for (size_t i = 0; i < steps; i++) {
            do_entry(&w);
            state_walk_step(walk);
        }
        state_walk_free(walk);
        do_entry(&w);
        keyspace_free(w.keyspace);
    }
    CHECK_EQ_UINT(mem_used(), memory);
}

/* What changes while a big value waits costs the chunks that are touched, and is counted. */
TEST(pre_images_are_counted)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct keyspace_view view = {.keyspace = k, .is_write = true};
    enum { BIG = 20 };
    uint8_t *bytes = mem_alloc_zero((size_t)BIG * VALUE_PART_BYTES);
    keyspace_begin_entry(k, 1, 1);
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof key, "big%d", i);
        keyspace_set(&view, slice_from_cstr(key),
                     value_new_string((struct slice){bytes, (size_t)BIG * VALUE_PART_BYTES}), false,
                     "set");
    }
    mem_free(bytes);
    struct state_walk *w = state_walk_new(k, STATE_SNAPSHOT);
    size_t sections = state_walk_preimages(w);
    size_t memory = mem_used();
    keyspace_begin_entry(k, 2, 2);
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof key, "big%d", i);
        do_edit(&view, slice_from_cstr(key), 0);
    }
    CHECK(mem_used() - memory < 10 * (size_t)VALUE_PART_BYTES); /* not 3 * BIG of them */
    CHECK(state_walk_preimages(w) - sections >= (size_t)2 * BIG * VALUE_PART_BYTES);
    while (state_walk_step(w)) {
        buf_clear(state_walk_output(w), SIZE_MAX);
    }
    CHECK_EQ_UINT(state_walk_preimages(w), buf_size(state_walk_output(w)));
    CHECK_EQ_UINT(state_walk_keys(w), 3);
    state_walk_free(w);
    keyspace_free(k);
}

static void small_stream(struct buf *out)
{
    struct world w;
    world_init(&w, 3, 20);
    for (size_t i = 0; i < 60; i++) {
        do_entry(&w);
    }
    struct keyspace_view view = {.keyspace = w.keyspace, .is_write = true};
    uint8_t bytes[3 * 60] = {0};
    (void)bytes;
    keyspace_set(&view, SLICE_LITERAL("one"), value_new_string(SLICE_LITERAL("v")), false, "set");
    struct state_walk *walk = state_walk_new(w.keyspace, STATE_SNAPSHOT);
    while (state_walk_step(walk)) {
    }
    buf_append_slice(out, buf_slice(state_walk_output(walk)));
    state_walk_free(walk);
    keyspace_free(w.keyspace);
}

TEST(a_stream_that_ends_early_is_not_a_state)
{
    struct buf stream = {0};
    small_stream(&stream);
    size_t n = buf_size(&stream);
    size_t step = n > 3000 ? n / 1500 : 1;
    for (size_t cut = 0; cut < n; cut += step) {
        struct keyspace *k = read_state((struct slice){stream.data + stream.start, cut}, SIZE_MAX / 2);
        CHECK(k == NULL);
        keyspace_free(k);
    }
    buf_append_byte(&stream, 0); /* and nothing may follow its end */
    CHECK(read_state(buf_slice(&stream), SIZE_MAX / 2) == NULL);
    buf_deinit(&stream);
}

static void section(struct buf *out, const char *name, uint16_t version)
{
    size_t n = strlen(name);
    write_u32(out, (uint32_t)(4 + n));
    write_u8(out, STATE_SECTION);
    write_u8(out, (uint8_t)n);
    buf_append(out, name, n);
    write_u16(out, version);
}

TEST(unknown_sections_and_versions_are_refused)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct state_reader *r = state_reader_new(k, 1000);
    struct buf out = {0};
    section(&out, "what-is-this", 1);
    CHECK(state_reader_feed(r, buf_slice(&out)) == ERR_FORMAT);
    buf_clear(&out, 0);
    section(&out, "sessions", 2);
    CHECK(state_reader_feed(r, buf_slice(&out)) == ERR_FORMAT);
    buf_clear(&out, 0);
    section(&out, "sessions", 0);
    CHECK(state_reader_feed(r, buf_slice(&out)) == ERR_FORMAT);
    buf_deinit(&out);
    state_reader_free(r);
    keyspace_free(k);
}

TEST_MAIN()
