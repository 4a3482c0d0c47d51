#include "raft/log.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

static void init_empty(struct raft_log *log)
{
    struct raft_start start = {.first_index = 1};
    raft_log_init(log, &start);
}

static void append(struct raft_log *log, raft_term term, const char *payload)
{
    size_t n = strlen(payload);
    uint8_t *at = raft_log_room(log, ENTRY_HEADER_BYTES + n);
    entry_begin(at, RAFT_ENTRY_COMMAND, 0, n);
    memcpy(at + ENTRY_HEADER_BYTES, payload, n);
    entry_seal(at, log->last_index + 1, term);
    raft_log_append(log, at, NULL);
}

static void append_conf(struct raft_log *log, raft_term term, raft_id id)
{
    struct raft_conf conf = {.member_count = 1};
    struct buf b = {0};
    conf.member[0].id = id;
    conf.member[0].flags = RAFT_VOTER_NEW;
    raft_conf_encode(&conf, &b);
    uint8_t *at = raft_log_room(log, ENTRY_HEADER_BYTES + buf_size(&b));
    entry_begin(at, RAFT_ENTRY_CONF, 0, buf_size(&b));
    memcpy(at + ENTRY_HEADER_BYTES, buf_slice(&b).p, buf_size(&b));
    entry_seal(at, log->last_index + 1, term);
    raft_log_append(log, at, NULL);
    buf_deinit(&b);
}

TEST(empty)
{
    struct raft_log log;
    init_empty(&log);
    CHECK_EQ_UINT(log.last_index, 0);
    CHECK_EQ_UINT(raft_log_last_term(&log), 0);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 1);
    CHECK(raft_log_conf_at(&log, UINT64_MAX) == NULL);
    CHECK_EQ_UINT(raft_log_token_of(&log, 0), 0);
    raft_log_deinit(&log);
}

TEST(append_truncate_terms)
{
    struct raft_log log;
    init_empty(&log);
    static const raft_term term[] = {1, 1, 2, 2, 2, 5, 7, 7};
    for (size_t i = 0; i < 8; i++) {
        append(&log, term[i], "x");
    }
    for (size_t i = 0; i < 8; i++) {
        CHECK_EQ_UINT(raft_log_term(&log, i + 1), term[i]);
    }
    CHECK_EQ_UINT(raft_log_term(&log, 9), 0);
    CHECK_EQ_UINT(raft_log_term(&log, 0), 0);
    raft_log_truncate(&log, 5);
    CHECK_EQ_UINT(log.last_index, 4);
    CHECK_EQ_UINT(raft_log_last_term(&log), 2);
    append(&log, 9, "y");
    CHECK_EQ_UINT(raft_log_term(&log, 5), 9);
    CHECK_EQ_SLICE(raft_log_entry(&log, 5)->payload, "y");
    raft_log_truncate(&log, 1);
    CHECK_EQ_UINT(log.last_index, 0);
    append(&log, 10, "z");
    CHECK_EQ_UINT(raft_log_term(&log, 1), 10);
    raft_log_deinit(&log);
}

/* R3: the highest index at or below `index` whose term is at most `term`. */
TEST(last_at_most_equals_a_scan)
{
    struct prng prng;
    prng_seed(&prng, 6);
    for (int n = 0; n < 300; n++) {
        struct raft_log log;
        raft_term term = 1;
        init_empty(&log);
        uint64_t count = prng_below(&prng, 20);
        for (uint64_t i = 0; i < count; i++) {
            term += prng_below(&prng, 3) == 0 ? 1 + prng_below(&prng, 3) : 0;
            append(&log, term, "");
        }
        for (raft_index index = 0; index <= count + 2; index++) {
            for (raft_term t = 0; t <= term + 1; t++) {
                raft_index expected = index < count ? index : count;
                while (expected > 0 && raft_log_term(&log, expected) > t) {
                    expected--;
                }
                REQUIRE(raft_log_last_at_most(&log, index, t) == expected);
            }
        }
        raft_log_deinit(&log);
    }
}

TEST(configurations_stack_and_roll_back)
{
    struct raft_log log;
    init_empty(&log);
    append_conf(&log, 1, 11);
    append(&log, 1, "a");
    append_conf(&log, 2, 12);
    append_conf(&log, 2, 13);
    CHECK_EQ_UINT(raft_log_conf_at(&log, UINT64_MAX)->conf.member[0].id, 13);
    CHECK_EQ_UINT(raft_log_conf_at(&log, 3)->conf.member[0].id, 12);
    CHECK_EQ_UINT(raft_log_conf_at(&log, 2)->index, 1);
    CHECK(raft_log_conf_at(&log, 0) == NULL);
    raft_log_truncate(&log, 4);
    CHECK_EQ_UINT(raft_log_conf_at(&log, UINT64_MAX)->index, 3);
    append_conf(&log, 3, 14);
    raft_log_conf_prune(&log, 3);
    CHECK_EQ_UINT(log.conf_count, 2);
    CHECK(raft_log_conf_at(&log, 2) == NULL);
    CHECK_EQ_UINT(raft_log_conf_at(&log, 3)->conf.member[0].id, 12);
    CHECK_EQ_UINT(raft_log_conf_at(&log, 4)->conf.member[0].id, 14);
    raft_log_deinit(&log);
}

TEST(persisted_tokens)
{
    struct raft_log log;
    init_empty(&log);
    append(&log, 1, "a");
    append(&log, 1, "b");
    CHECK_EQ_UINT(raft_log_token_of(&log, 1), UINT64_MAX);
    raft_log_persisting(&log, 1);
    append(&log, 1, "c");
    raft_log_persisting(&log, 4);
    CHECK_EQ_UINT(raft_log_token_of(&log, 2), 1);
    CHECK_EQ_UINT(raft_log_token_of(&log, 3), 4);
    raft_log_persisted(&log, 3);
    CHECK_EQ_UINT(log.durable_index, 2);
    CHECK_EQ_UINT(raft_log_token_of(&log, 2), 0);
    raft_log_persisted(&log, 4);
    CHECK_EQ_UINT(log.durable_index, 3);
    raft_log_deinit(&log);
}

/* P15: what completes for an entry that was replaced makes nothing durable. */
TEST(completion_of_a_replaced_entry_is_ignored)
{
    struct raft_log log;
    init_empty(&log);
    append(&log, 1, "a");
    append(&log, 1, "b");
    raft_log_persisting(&log, 1);
    raft_log_truncate(&log, 2);
    append(&log, 2, "B");
    raft_log_persisting(&log, 2);
    raft_log_truncate(&log, 2);
    append(&log, 3, "b3");
    append(&log, 3, "c3");
    raft_log_persisting(&log, 3);
    CHECK_EQ_UINT(raft_log_token_of(&log, 1), 1);
    CHECK_EQ_UINT(raft_log_token_of(&log, 2), 3);
    raft_log_persisted(&log, 1);
    CHECK_EQ_UINT(log.durable_index, 1);
    raft_log_persisted(&log, 2);
    CHECK_EQ_UINT(log.durable_index, 1);
    raft_log_persisted(&log, 3);
    CHECK_EQ_UINT(log.durable_index, 3);
    raft_log_truncate(&log, 3);
    CHECK_EQ_UINT(log.durable_index, 2);
    raft_log_deinit(&log);
}

/* G5: neither does what completes for entries that a snapshot has taken the place of. */
TEST(completions_of_before_a_snapshot_are_ignored)
{
    struct raft_log log;
    init_empty(&log);
    append(&log, 1, "a");
    raft_log_persisting(&log, 1);
    append(&log, 1, "b");
    append(&log, 1, "c");
    append(&log, 1, "d");
    raft_log_persisting(&log, 2);
    const struct raft_conf conf = {.member_count = 1, .member[0] = {.id = 1, .flags = RAFT_VOTER_NEW}};
    raft_log_reset(&log, 2, 2, &conf, 1);
    CHECK_EQ_UINT(log.durable_index, 2);
    raft_log_persisted(&log, 2);
    CHECK_EQ_UINT(log.durable_index, 2);
    raft_log_deinit(&log);
}

/* G3: only what is durable and applied leaves memory, and only while the tail is too big. */
TEST(trimming)
{
    struct raft_log log;
    init_empty(&log);
    for (int i = 0; i < 10; i++) {
        append(&log, 1, "0123456789");
    }
    raft_log_trim(&log, 10, 0);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 1);
    raft_log_persisting(&log, 1);
    raft_log_persisted(&log, 1);
    raft_log_trim(&log, 4, 0);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 5);
    CHECK_EQ_UINT(raft_log_term(&log, 2), 1);
    uint64_t half = log.tail_bytes / 2;
    raft_log_trim(&log, 10, half);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 8);
    raft_log_trim(&log, 10, 0);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 11);
    CHECK_EQ_UINT(log.tail_bytes, 0);
    append(&log, 1, "next");
    CHECK_EQ_SLICE(raft_log_entry(&log, 11)->payload, "next");
    raft_log_deinit(&log);
}

/* G2: growing would copy megabytes while clients wait. */
TEST(reserved_slots_do_not_grow)
{
    static const char *const payload[] = {"", "0123456789", "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t k = 0; k < sizeof payload / sizeof *payload; k++) {
        struct raft_log log;
        init_empty(&log);
        raft_log_reserve(&log, 1 << 20);
        const struct raft_entry *slot = log.slot;
        size_t capacity = log.slot_capacity;
        for (uint64_t i = 1; i <= 50000; i++) {
            append(&log, 1, payload[k]);
            if (i % 100 == 0) {
                raft_log_persisting(&log, i);
                raft_log_persisted(&log, i);
            }
            raft_log_trim(&log, i, (1 << 20) - 100 * 200);
            REQUIRE(log.slot == slot && log.slot_capacity == capacity);
        }
        CHECK(log.slot_count > 4000 && log.tail_bytes <= 1 << 20);
        CHECK_EQ_UINT(raft_log_entry(&log, 50000)->index, 50000);
        raft_log_deinit(&log);
    }
}

TEST(references_keep_bytes_alive)
{
    struct raft_log log;
    init_empty(&log);
    append(&log, 1, "kept");
    struct raft_entry entry = *raft_log_entry(&log, 1);
    chunk_ref(entry.chunk);
    raft_log_deinit(&log);
    CHECK_EQ_SLICE(entry.payload, "kept");
    CHECK_EQ_UINT(entry.chunk->ref_count, 1);
    chunk_unref(entry.chunk);
}

TEST(an_entry_bigger_than_a_chunk_gets_its_own)
{
    struct raft_log log;
    size_t n = LIMIT_LOG_CHUNK_BYTES * 2;
    char *big = mem_alloc(n + 1);
    memset(big, 'x', n);
    big[n] = 0;
    init_empty(&log);
    append(&log, 1, "a");
    append(&log, 1, big);
    append(&log, 1, "b");
    CHECK_EQ_UINT(raft_log_entry(&log, 2)->payload.n, n);
    CHECK_EQ_SLICE(raft_log_entry(&log, 3)->payload, "b");
    mem_free(big);
    raft_log_deinit(&log);
}

TEST(start_from_a_tail_with_runs)
{
    uint8_t bytes[2][64];
    struct raft_entry entry[2];
    for (size_t i = 0; i < 2; i++) {
        entry_begin(bytes[i], RAFT_ENTRY_NOOP, 0, 0);
        entry_seal(bytes[i], 19 + i, 8 + i);
        REQUIRE(entry_decode((struct slice){bytes[i], 64}, &entry[i]) == ERR_OK);
    }
    static const struct raft_term_run run[] = {{5, 3}, {9, 4}, {19, 8}, {20, 9}};
    struct raft_start start = {.first_index = 5,
                               .last_index = 20,
                               .last_term = 9,
                               .prev_term = 2,
                               .entry = entry,
                               .entry_count = 2,
                               .term_run = run,
                               .term_run_count = 4};
    struct raft_log log;
    raft_log_init(&log, &start);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 19);
    CHECK_EQ_UINT(raft_log_term(&log, 3), 0);
    CHECK_EQ_UINT(raft_log_term(&log, 4), 2);
    CHECK_EQ_UINT(raft_log_term(&log, 5), 3);
    CHECK_EQ_UINT(raft_log_term(&log, 18), 4);
    CHECK_EQ_UINT(raft_log_term(&log, 20), 9);
    CHECK_EQ_UINT(log.durable_index, 20);
    raft_log_truncate(&log, 12);
    CHECK_EQ_UINT(raft_log_memory_first(&log), 12);
    CHECK_EQ_UINT(raft_log_last_term(&log), 4);
    append(&log, 10, "new");
    CHECK_EQ_UINT(raft_log_memory_first(&log), 12);
    raft_log_deinit(&log);
}

static void init_without_terms(void *ctx)
{
    struct raft_start start = {.first_index = 1, .last_index = 20, .last_term = 1};
    struct raft_log log;
    (void)ctx;
    raft_log_init(&log, &start);
}

static void truncate_compacted(void *ctx)
{
    struct raft_log *log = ctx;
    raft_log_truncate(log, 0);
}

TEST(programmer_errors_abort)
{
    struct raft_log log;
    CHECK_ABORTS(init_without_terms, NULL);
    init_empty(&log);
    append(&log, 1, "a");
    CHECK_ABORTS(truncate_compacted, &log);
    raft_log_deinit(&log);
}

/* G2: whatever is appended, trimmed and truncated, the tail is what a plain array would hold; and
 * once it has its size nothing is allocated but chunks. */
TEST(random_operations_match_a_plain_array)
{
    struct prng prng;
    struct raft_log log;
    static raft_term term[20000];
    raft_index last = 0;
    uint64_t token = 0;
    prng_seed(&prng, 7);
    init_empty(&log);
    for (int n = 0; n < 20000; n++) {
        uint64_t what = prng_below(&prng, 10);
        if (what < 6 && last + 1 < 20000) {
            term[last + 1] = last == 0 ? 1 : term[last] + (prng_below(&prng, 50) == 0 ? 1 : 0);
            char text[16];
            snprintf(text, sizeof(text), "%d", (int)++last);
            append(&log, term[last], text);
        } else if (what == 6) {
            raft_log_persisting(&log, ++token);
        } else if (what == 7) {
            raft_log_persisted(&log, token);
        } else if (what == 8) {
            raft_log_trim(&log, last - prng_below(&prng, last + 1), prng_below(&prng, 20000));
        } else if (prng_below(&prng, 10) == 0 && last > 0) {
            raft_index from = last - prng_below(&prng, last < 8 ? last : 8);
            raft_log_truncate(&log, from);
            last = from - 1;
        }
        REQUIRE(log.last_index == last);
        raft_index first = raft_log_memory_first(&log);
        if (first <= last) {
            raft_index some = first + prng_below(&prng, last - first + 1);
            char text[16];
            snprintf(text, sizeof(text), "%d", (int)some);
            REQUIRE(raft_log_entry(&log, some)->index == some);
            REQUIRE(slice_equal(raft_log_entry(&log, some)->payload, slice_from_cstr(text)));
        }
        REQUIRE(last == 0 || raft_log_term(&log, last) == term[last]);
    }
    raft_log_deinit(&log);
}

TEST_MAIN()
