/* A history file: read, written again, read again, the same; and checked within a small limit. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "check/check.h"
#include "tests/fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_all(struct history *h, struct slice text)
{
    char why[256];
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) + 1 : text.n;
        if (!history_read_line(h, (struct slice){text.p, n}, 1, why, sizeof why))
            return false;
        text = slice_skip(text, n);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_begin();
    struct history h = {0};
    struct history again = {0};
    struct buf out[2] = {{0}, {0}};
    if (read_all(&h, (struct slice){data, size})) {
        for (uint32_t i = 0; i < h.operation_count; i++)
            history_write_line(&h, i, &out[0]);
        bool is_read = read_all(&again, buf_slice(&out[0]));
        ASSERT(is_read && again.operation_count == h.operation_count);
        for (uint32_t i = 0; i < again.operation_count; i++)
            history_write_line(&again, i, &out[1]);
        struct wgl_limits limits = {1000};
        struct check_report first;
        struct check_report second;
        check_history(&h, &limits, &first);
        check_history(&again, &limits, &second);
        ASSERT(first.is_violated == second.is_violated || first.inconclusive || second.inconclusive);
    }
    buf_deinit(&out[0]);
    buf_deinit(&out[1]);
    history_deinit(&h);
    history_deinit(&again);
    arena_end();
    return 0;
}
