/* A HyperLogLog is a string:
 *
 *   "HYLL" | form (1) | 0 0 0 | cached count (8, little-endian) | registers
 *
 * 16,384 registers of 6 bits. An element's hash chooses one with its low 14 bits; the register holds the greatest number of the
 * first 1 bit among the other 50 that any element had.
 *
 * Dense (form 0): register i is bits 6i to 6i + 5, the least significant first.
 *
 * Sparse (form 1): opcodes, each a run of registers:
 *
 *   00nnnnnn            ZERO   n + 1 registers of 0
 *   01nnnnnn nnnnnnnn   XZERO  the same, up to 16,384
 *   1vvvvvnn            VAL    n + 1 registers of v + 1
 *
 * H1  The bytes after any sequence of commands are Redis's. So not only the form is Redis's, but the way it changes: how an opcode
 *     is split, that up to five from the one before are looked at for joining, when a form is given up.
 *
 * H2  A sparse one that doesn't cover the registers exactly is corrupt. Bytes come from clients (SET, RESTORE): every walk
 *     checks its bounds.
 *
 * The estimate: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284. */

#include "commands/hll.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"

#define HLL_SEED UINT64_C(0xadc83b19)

enum {
    HLL_INDEX_BITS = 14,
    HLL_RUN_BITS = 64 - HLL_INDEX_BITS,
    HLL_VALUE_MAX = 63,
    HLL_VAL_VALUE_MAX = 32,
    HLL_VAL_LENGTH_MAX = 4,
    HLL_ZERO_LENGTH_MAX = 64,
    HLL_JOIN_OPCODES = 5, /* looked at after a change */
};

static const double HLL_ALPHA = 0.721347520444481703680; /* 0.5 / ln 2 */

bool hll_header_ok(const uint8_t header[HLL_HEADER_BYTES], size_t size)
{
    return size >= HLL_HEADER_BYTES && memcmp(header, "HYLL", 4) == 0 &&
           (header[HLL_ENCODING_AT] == 1 || (header[HLL_ENCODING_AT] == 0 && size == HLL_DENSE_BYTES));
}

static void hll_end(struct hll *h, size_t size)
{
    ASSERT(size < sizeof h->bytes);
    h->size = size;
    h->bytes[size] = 0;
}

static size_t hll_put_zeros(uint8_t *at, uint32_t length)
{
    if (length > HLL_ZERO_LENGTH_MAX) {
        at[0] = (uint8_t)(0x40 | (length - 1) >> 8);
        at[1] = (uint8_t)(length - 1);
        return 2;
    }
    at[0] = (uint8_t)(length - 1);
    return 1;
}

static uint8_t hll_val(uint8_t value, uint32_t length)
{
    return (uint8_t)(0x80u | (value - 1u) << 2 | (length - 1));
}

void hll_init(struct hll *h)
{
    static const uint8_t header[HLL_HEADER_BYTES] = {'H', 'Y', 'L', 'L', 1};
    memcpy(h->bytes, header, sizeof header);
    hll_end(h, HLL_HEADER_BYTES + hll_put_zeros(h->bytes + HLL_HEADER_BYTES, HLL_REGISTERS));
}

/* MurmurHash64A, by Austin Appleby, in the public domain. */
static uint64_t hll_murmur(struct slice s)
{
    const uint64_t m = 0xc6a4a7935bd1e995u;
    uint64_t h = HLL_SEED ^ (uint64_t)(uint32_t)s.n * m;
    for (; s.n >= 8; s = slice_skip(s, 8)) {
        uint64_t k = get_u64(s.p) * m;
        k = (k ^ k >> 47) * m;
        h = (h ^ k) * m;
    }
    if (s.n > 0) {
        uint8_t rest[8] = {0};
        memcpy(rest, s.p, s.n);
        h = (h ^ get_u64(rest)) * m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

void hll_hash(struct slice element, uint32_t *index, uint8_t *count)
{
    uint64_t hash = hll_murmur(element);
    *index = (uint32_t)(hash % HLL_REGISTERS);
    hash = hash >> HLL_INDEX_BITS | (uint64_t)1 << HLL_RUN_BITS;
    *count = (uint8_t)(1 + __builtin_ctzll(hash));
}

/* --- dense --- */

uint8_t hll_dense_get(const uint8_t *registers, uint32_t index)
{
    const uint8_t *p = registers + index * 6 / 8;
    unsigned shift = index * 6 % 8;
    unsigned next = shift > 2 ? p[1] : 0; /* the last one ends with its byte */
    return (uint8_t)((p[0] >> shift | next << (8 - shift)) & HLL_VALUE_MAX);
}

void hll_dense_set(uint8_t *registers, uint32_t index, uint8_t count)
{
    uint8_t *p = registers + index * 6 / 8;
    unsigned shift = index * 6 % 8;
    p[0] = (uint8_t)((p[0] & ~(HLL_VALUE_MAX << shift)) | count << shift);
    if (shift > 2) {
        p[1] = (uint8_t)((p[1] & ~(HLL_VALUE_MAX >> (8 - shift))) | count >> (8 - shift));
    }
}

/* --- sparse --- */

struct hll_run hll_run_at(const struct hll *h, size_t at)
{
    uint8_t code = h->bytes[at];
    if (code & 0x80) {
        return (struct hll_run){(code & 3u) + 1, (uint8_t)((code >> 2 & 31) + 1), 1};
    }
    if (code & 0x40) {
        return (struct hll_run){((code & 63u) << 8 | h->bytes[at + 1]) + 1, 0, 2};
    }
    return (struct hll_run){code + 1u, 0, 1};
}

bool hll_merge(const struct hll *h, uint8_t max[HLL_REGISTERS])
{
    uint32_t index = 0;
    if (hll_is_dense(h)) {
        for (; index < HLL_REGISTERS; index++) {
            uint8_t value = hll_dense_get(h->bytes + HLL_HEADER_BYTES, index);
            max[index] = value > max[index] ? value : max[index];
        }
        return true;
    }
    for (size_t at = HLL_HEADER_BYTES; at < h->size;) {
        struct hll_run run = hll_run_at(h, at);
        if (run.length > HLL_REGISTERS - index) { /* H2 */
            return false;
        }
        for (uint32_t i = 0; run.value > 0 && i < run.length; i++) {
            max[index + i] = run.value > max[index + i] ? run.value : max[index + i];
        }
        index += run.length;
        at += run.bytes;
    }
    return index == HLL_REGISTERS;
}

bool hll_to_dense(struct hll *h)
{
    uint8_t value[HLL_REGISTERS] = {0};
    if (hll_is_dense(h)) {
        return true;
    }
    if (!hll_merge(h, value)) {
        return false;
    }
    memset(h->bytes + HLL_HEADER_BYTES, 0, HLL_DENSE_BYTES - HLL_HEADER_BYTES);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        hll_dense_set(h->bytes + HLL_HEADER_BYTES, i, value[i]);
    }
    h->bytes[HLL_ENCODING_AT] = 0;
    hll_end(h, HLL_DENSE_BYTES);
    return true;
}

/* Join VAL opcodes of one value, from the one at `at` on (H1). */
static void hll_join(struct hll *h, size_t at)
{
    for (int left = HLL_JOIN_OPCODES; left > 0 && at < h->size; left--) {
        struct hll_run run = hll_run_at(h, at);
        if (run.value > 0 && at + 1 < h->size) {
            struct hll_run next = hll_run_at(h, at + 1);
            if (next.value == run.value && run.length + next.length <= HLL_VAL_LENGTH_MAX) {
                h->bytes[at + 1] = hll_val(run.value, run.length + next.length);
                memmove(h->bytes + at, h->bytes + at + 1, h->size - at - 1);
                hll_end(h, h->size - 1);
                continue;
            }
        }
        at += run.bytes;
    }
}

/* A run without the register `place` (counted within it) at `at`; returns the bytes written. */
static size_t hll_split(uint8_t *at, struct hll_run run, uint32_t place, uint8_t count)
{
    size_t n = 0;
    uint32_t behind = run.length - place - 1;
    if (place > 0) {
        if (run.value > 0) {
            at[n++] = hll_val(run.value, place);
        } else {
            n += hll_put_zeros(at + n, place);
        }
    }
    at[n++] = hll_val(count, 1);
    if (behind > 0) {
        if (run.value > 0) {
            at[n++] = hll_val(run.value, behind);
        } else {
            n += hll_put_zeros(at + n, behind);
        }
    }
    return n;
}

/* Where the run that covers `index` is, and the one before it (0: none). False: nowhere. */
struct hll_place {
    size_t at;
    size_t before;
    uint32_t first; /* register of the run */
};
static bool hll_find(const struct hll *h, uint32_t index, struct hll_place *place)
{
    *place = (struct hll_place){.at = HLL_HEADER_BYTES};
    while (place->at < h->size) {
        struct hll_run run = hll_run_at(h, place->at);
        if (index - place->first < run.length) {
            return true;
        }
        place->before = place->at;
        place->at += run.bytes;
        place->first += run.length;
    }
    return false;
}

static enum hll_result hll_promote(struct hll *h, uint32_t index, uint8_t count)
{
    if (!hll_to_dense(h)) {
        return HLL_CORRUPT;
    }
    hll_dense_set(h->bytes + HLL_HEADER_BYTES, index, count);
    return HLL_CHANGED;
}

static enum hll_result hll_sparse_set(struct hll *h, uint32_t index, uint8_t count, int64_t sparse_max)
{
    struct hll_place place;
    uint8_t now[5];
    if (count > HLL_VAL_VALUE_MAX) {
        return hll_promote(h, index, count);
    }
    if (!hll_find(h, index, &place)) {
        return HLL_CORRUPT;
    }
    struct hll_run run = hll_run_at(h, place.at);
    if (run.value >= count) {
        return HLL_SAME;
    }
    size_t n = hll_split(now, run, index - place.first, count);
    size_t end = place.at + run.bytes < h->size ? place.at + run.bytes : h->size;
    size_t size = place.at + n + (h->size - end);
    if (n > run.bytes && (sparse_max < 0 || h->size + n - run.bytes > (uint64_t)sparse_max)) {
        return hll_promote(h, index, count);
    }
    if (size > HLL_SPARSE_BYTES_MAX) {
        return HLL_CORRUPT; /* H2: there are more opcodes than registers */
    }
    memmove(h->bytes + place.at + n, h->bytes + end, h->size - end);
    memcpy(h->bytes + place.at, now, n);
    hll_end(h, size);
    hll_join(h, place.before ? place.before : HLL_HEADER_BYTES);
    hll_void_cache(h);
    return HLL_CHANGED;
}

enum hll_result hll_set(struct hll *h, uint32_t index, uint8_t count, int64_t sparse_max)
{
    if (!hll_is_dense(h)) {
        return hll_sparse_set(h, index, count, sparse_max);
    }
    uint8_t *registers = h->bytes + HLL_HEADER_BYTES;
    if (hll_dense_get(registers, index) >= count) {
        return HLL_SAME;
    }
    hll_dense_set(registers, index, count);
    return HLL_CHANGED;
}

/* --- the estimate --- */

static double hll_sigma(double x)
{
    if (x == 1.0) {
        return (double)INFINITY;
    }
    double y = 1;
    double z = x;
    double before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (before != z);
    return z;
}

static double hll_tau(double x)
{
    if (x == 0.0 || x == 1.0) {
        return 0;
    }
    double y = 1;
    double z = 1 - x;
    double before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= pow(1 - x, 2) * y;
    } while (before != z);
    return z / 3;
}

/* registers[v]: how many hold v. */
static uint64_t hll_estimate(const uint32_t histogram[HLL_VALUE_MAX + 1])
{
    double m = HLL_REGISTERS;
    double z = m * hll_tau((m - histogram[HLL_RUN_BITS + 1]) / m);
    for (int i = HLL_RUN_BITS; i >= 1; i--) {
        z += histogram[i];
        z *= 0.5;
    }
    z += m * hll_sigma(histogram[0] / m);
    return (uint64_t)llroundl((long double)(HLL_ALPHA * m * m / z));
}

uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS])
{
    uint32_t histogram[HLL_VALUE_MAX + 1] = {0};
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        histogram[registers[i] & HLL_VALUE_MAX]++;
    }
    return hll_estimate(histogram);
}

bool hll_count(const struct hll *h, uint64_t *count)
{
    uint8_t value[HLL_REGISTERS] = {0};
    if (!hll_merge(h, value)) {
        return false;
    }
    *count = hll_count_registers(value);
    return true;
}
