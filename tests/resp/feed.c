#include "tests/resp/feed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

/* Pages without access on both sides of some with. */
struct feed_guard {
    uint8_t *map;
    size_t page;
    size_t room;
    bool is_at_end;
};

static void feed_guard_init(struct feed_guard *g, size_t n)
{
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->room = (n / g->page + 1) * g->page;
    /* POSIX 2008 has no MAP_ANONYMOUS: aligned memory whose outer pages lose their access. */
    void *map = NULL;
    if (posix_memalign(&map, g->page, g->room + 2 * g->page) != 0) {
        abort();
    }
    g->map = map;
    g->is_at_end = false;
    (void)mprotect(g->map, g->page, PROT_NONE);
    (void)mprotect(g->map + g->page + g->room, g->page, PROT_NONE);
}

static void feed_guard_deinit(struct feed_guard *g)
{
    (void)mprotect(g->map, g->page, PROT_READ | PROT_WRITE);
    (void)mprotect(g->map + g->page + g->room, g->page, PROT_READ | PROT_WRITE);
    free(g->map);
}

/* Lay the bytes against the other guard page than last time; what was there before is wiped, so
 * that a pointer kept from an earlier call is found out. */
static struct slice feed_guard_place(struct feed_guard *g, struct slice bytes)
{
    uint8_t *room = g->map + g->page;
    memset(room, 0xEE, g->room);
    g->is_at_end = !g->is_at_end;
    uint8_t *at = g->is_at_end ? room + g->room - bytes.n : room;
    if (bytes.n > 0) {
        memcpy(at, bytes.p, bytes.n);
    }
    return (struct slice){at, bytes.n};
}

void feed_pieces(const struct feed_target *target,
                 struct slice input,
                 size_t first,
                 size_t then,
                 struct buf *log)
{
    struct feed_guard guard;
    feed_guard_init(&guard, input.n);
    void *state = target->start_fn();
    size_t begin = 0;
    size_t end = 0;
    size_t piece = first;
    bool goes_on = true;
    do {
        end = input.n - end < piece ? input.n : end + piece;
        piece = then;
        do {
            struct slice shown = {input.p + begin, end - begin};
            size_t consumed = 0;
            goes_on = target->step_fn(state, feed_guard_place(&guard, shown), &consumed, log);
            CHECK(consumed <= shown.n);
            begin += consumed;
        } while (goes_on);
    } while (end < input.n);
    target->finish_fn(state, (struct slice){input.p + begin, input.n - begin}, log);
    feed_guard_deinit(&guard);
}

static void feed_check_cut(const struct feed_target *target,
                           struct slice input,
                           size_t first,
                           size_t then,
                           const char *expected)
{
    struct buf log = {0};
    feed_pieces(target, input, first, then, &log);
    CHECK_EQ_BYTES(log.data + log.start, buf_size(&log), expected, strlen(expected));
    buf_deinit(&log);
}

void feed_check(const struct feed_target *target,
                const char *name,
                struct slice input,
                const char *expected)
{
    for (size_t cut = 0; cut <= input.n; cut++) {
        test_context("%s, cut at %zu", name, cut);
        feed_check_cut(target, input, cut, input.n + 1, expected);
    }
    test_context("%s, byte by byte", name);
    feed_check_cut(target, input, 1, 1, expected);
    test_context("%s", "");
}

void feed_log_words(struct buf *log, const struct slice *word, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_byte(log, '[');
        for (size_t j = 0; j < word[i].n; j++) {
            uint8_t byte = word[i].p[j];
            if (byte >= 0x20 && byte < 0x7F) {
                buf_append_byte(log, byte);
            } else {
                buf_printf(log, "\\x%02x", byte);
            }
        }
        buf_append_byte(log, ']');
    }
}
