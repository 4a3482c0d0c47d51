/* The linker leads every call of base/mem.h from other files through here (--wrap), as it does for the simulator; the objects stay the server's.
 *
 *      base              kept                        top                    end
 *       |--- blocks of the image ---|--- blocks since begin ---|--- poisoned ---|
 *
 *      a block:  | its size ... redzone | bytes, rounded up to 16 | next block's redzone
 *
 *   A1  Outside its blocks' bytes the arena is poisoned, and a block that is freed stays so and isn't used again in this execution: AddressSanitizer
 *       reports a byte beyond a block, and a use after free however late (its own allocator forgets after some megabytes). What arena.c adds is
 *       a block freed twice.
 *   A2  A new block is filled with 0xbe, or zeros if asked for: whoever reads what it did not write reads the same each time.
 *   A3  arena_begin puts back every byte below `kept` and every byte's poison. So an execution depends on its input alone, as long as no static variable
 *       changes: neither in raft/, resp/ nor src/ is there one, but for the counters of base/mem.c, whose sum (mem_used) is answered here.
 *   A4  arena_end asserts that no block is left. That is what LeakSanitizer looks for, for every execution instead of some.
 *
 * What doesn't fit any more comes from malloc; an image must fit. */
#include "tests/fuzz/arena.h"

#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define BLOCK_ALIGN 16u
#define REDZONE_MAX 256u
#define FRESH 0xbe
#define LIVE 0x6c697665u
#define FREED 0x66726565u

/* Looks at poisoned memory, and is no part of what is fuzzed. */
#define RAW __attribute__((no_sanitize("address", "undefined", "coverage"), no_builtin("memcpy", "memset")))

void *__real_mem_alloc(size_t size);
void *__real_mem_alloc_zero(size_t size);
void *__real_mem_realloc(void *p, size_t size);
void *__real_mem_alloc_array(size_t count, size_t size);
void *__real_mem_realloc_array(void *p, size_t count, size_t size);
void __real_mem_free(void *p);
void *__real_mem_map(size_t size);
void __real_mem_unmap(void *p, size_t size);
char *__real_mem_copy_string(const void *p, size_t n);
size_t __real_mem_used(void);
void *__wrap_mem_alloc(size_t size);
void *__wrap_mem_alloc_zero(size_t size);
void *__wrap_mem_realloc(void *p, size_t size);
void *__wrap_mem_alloc_array(size_t count, size_t size);
void *__wrap_mem_realloc_array(void *p, size_t count, size_t size);
void __wrap_mem_free(void *p);
void *__wrap_mem_map(size_t size);
void __wrap_mem_unmap(void *p, size_t size);
char *__wrap_mem_copy_string(const void *p, size_t n);
size_t __wrap_mem_used(void);

/* In front of a block's bytes; poisoned. */
struct block {
    uint64_t size;
    uint32_t state;
    uint32_t unused;
};

struct position {
    size_t top;
    size_t block_count; /* live */
    size_t used_bytes;
};

static _Alignas(4096) uint8_t base[ARENA_BYTES];
static struct position now;
static struct position kept;
static uint8_t *image;        /* of base, kept.top bytes */
static uint8_t *image_shadow; /* and of its poison */
static size_t outside;        /* blocks from malloc, since begin */
static bool is_on;            /* within an execution */
static bool is_ready;
static bool is_off; /* FUZZ_ARENA=no */

RAW static void copy_words(void *to, const void *from, size_t bytes)
{
    uint64_t *t = to;
    const uint64_t *f = from;

    for (size_t i = 0; i < bytes / 8; i += 4) {
        t[i] = f[i];
        t[i + 1] = f[i + 1];
        t[i + 2] = f[i + 2];
        t[i + 3] = f[i + 3];
    }
}

static uint8_t *shadow(void)
{
    size_t scale;
    size_t offset;

    __asan_get_shadow_mapping(&scale, &offset);
    ASSERT(scale == 3);
    return (uint8_t *)(((uintptr_t)base >> scale) + offset);
}

static bool is_mine(const void *p)
{
    return (uintptr_t)p - (uintptr_t)base < ARENA_BYTES;
}

/* --- blocks --- */

static size_t redzone(size_t size)
{
    size_t n = size / 8 < REDZONE_MAX ? size / 8 : REDZONE_MAX;

    return (n / BLOCK_ALIGN + 1) * BLOCK_ALIGN;
}

RAW static void head_set(void *p, uint64_t size, uint32_t state)
{
    struct block *b = (struct block *)p - 1;

    *b = (struct block){.size = size, .state = state};
}

RAW static struct block head_get(const void *p)
{
    return *((const struct block *)p - 1);
}

/* NULL: no room, or no execution. */
static void *block_new(size_t size, int fill)
{
    size_t zone = redzone(size);

    if (!is_on || size > ARENA_BYTES || now.top + zone + size + 4u * BLOCK_ALIGN > ARENA_BYTES) {
        outside += is_on;
        return NULL;
    }
    uint8_t *p = base + now.top + zone;
    now.top += zone + (size + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
    now.block_count++;
    now.used_bytes += size;
    head_set(p, size, LIVE);
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    memset(p, fill, size);
    return p;
}

static size_t block_size(const void *p)
{
    struct block b = head_get(p);

    ASSERT(b.state == LIVE); /* freed twice, or no block's beginning */
    return b.size;
}

static void block_free(void *p)
{
    size_t size = block_size(p);

    head_set(p, size, FREED);
    ASAN_POISON_MEMORY_REGION(p, (size + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN);
    now.block_count--;
    now.used_bytes -= size;
}

/* --- executions --- */

void arena_begin(void)
{
    if (!is_ready) {
        const char *wanted = getenv("FUZZ_ARENA");
        is_off = wanted && strcmp(wanted, "no") == 0;
        ASAN_POISON_MEMORY_REGION(base, sizeof base);
        is_ready = true;
    } else if (!is_off) {
        copy_words(base, image, kept.top);
        copy_words(shadow(), image_shadow, kept.top / 8);
        if (now.top > kept.top) {
            ASAN_POISON_MEMORY_REGION(base + kept.top, now.top - kept.top);
        }
        now = kept;
    }
    outside = 0;
    is_on = !is_off;
}

bool arena_is_new(void)
{
    return is_off || !image;
}

void arena_keep(void)
{
    if (is_off) {
        return;
    }
    ASSERT(is_on && !image && outside == 0);
    now.top = (now.top + 4095) / 4096 * 4096; /* whole words of poison */
    kept = now;
    image = malloc(kept.top);
    image_shadow = malloc(kept.top / 8);
    ASSERT(image && image_shadow);
    copy_words(image, base, kept.top);
    copy_words(image_shadow, shadow(), kept.top / 8);
}

void arena_end(void)
{
    ASSERT(is_off || now.block_count == 0);
    is_on = false;
}

/* --- base/mem.h --- */

void *__wrap_mem_alloc(size_t size)
{
    void *p = block_new(size > 0 ? size : 1, FRESH);

    return p ? p : __real_mem_alloc(size);
}

void *__wrap_mem_alloc_zero(size_t size)
{
    void *p = block_new(size > 0 ? size : 1, 0);

    return p ? p : __real_mem_alloc_zero(size);
}

void *__wrap_mem_realloc(void *p, size_t size)
{
    if (p && !is_mine(p)) {
        return __real_mem_realloc(p, size);
    }
    size_t before = p ? block_size(p) : 0;
    void *moved = __wrap_mem_alloc(size);
    if (p) {
        memcpy(moved, p, before < size ? before : size);
        block_free(p);
    }
    return moved;
}

void *__wrap_mem_alloc_array(size_t count, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(count, size, &total) ? __real_mem_alloc_array(count, size) : __wrap_mem_alloc(total);
}

void *__wrap_mem_realloc_array(void *p, size_t count, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(count, size, &total) ? __real_mem_realloc_array(p, count, size) : __wrap_mem_realloc(p, total);
}

void __wrap_mem_free(void *p)
{
    if (is_mine(p)) {
        block_free(p);
    } else {
        __real_mem_free(p);
    }
}

void *__wrap_mem_map(size_t size)
{
    void *p = block_new(size, 0);

    return p ? p : __real_mem_map(size);
}

void __wrap_mem_unmap(void *p, size_t size)
{
    if (is_mine(p)) {
        ASSERT(block_size(p) == size);
        block_free(p);
    } else {
        __real_mem_unmap(p, size);
    }
}

char *__wrap_mem_copy_string(const void *p, size_t n)
{
    ASSERT(n < SIZE_MAX);
    char *copy = __wrap_mem_alloc(n + 1);
    if (n > 0) {
        memcpy(copy, p, n);
    }
    copy[n] = '\0';
    return copy;
}

size_t __wrap_mem_used(void)
{
    return is_on ? now.used_bytes : __real_mem_used();
}
