#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes. `p` may be NULL only when `n` is 0. Never owns, never NUL-terminated. */
struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE_LITERAL(s) ((struct slice){(const uint8_t *)(s), sizeof(s) - 1})

struct slice slice_from_cstr(const char *s);
bool slice_equal(struct slice a, struct slice b);
/* ASCII case-insensitive comparison; C locale only. */
bool slice_equal_nocase(struct slice a, const char *b);
/* Order of memcmp, then the shorter first. Returns <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);
/* The rest of `s` after its first `n` bytes (n <= s.n). */
struct slice slice_skip(struct slice s, size_t n);

#endif
