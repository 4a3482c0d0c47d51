#include "base/slice.h"

#include <string.h>

#include "base/assert.h"

struct slice slice_from_cstr(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static uint8_t slice_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool slice_equal_nocase(struct slice a, const char *b)
{
    for (size_t i = 0; i < a.n; i++) {
        /* The NUL of `b` ends it, also when `a` holds a NUL there. */
        if (b[i] == 0 || slice_lower(a.p[i]) != slice_lower((uint8_t)b[i]))
            return false;
    }
    return b[a.n] == 0;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.n < b.n ? a.n : b.n;
    int order = common > 0 ? memcmp(a.p, b.p, common) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

struct slice slice_skip(struct slice s, size_t n)
{
    ASSERT(n <= s.n);
    /* NULL + 0 is undefined in C11, and an empty slice may be NULL. */
    return n == 0 ? s : (struct slice){s.p + n, s.n - n};
}
