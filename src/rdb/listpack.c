/* A listpack:
 *
 *   bytes in all (4) | elements (2; 65535: count them) | element ... | ff
 *
 * An element is its encoding, its data, and the size of both once more, to be read from the back: 7 bits a byte, the low ones last, the
 * top bit set on all but the first. All numbers are little-endian but the ones within an encoding byte.
 *
 *   0nnnnnnn                   an integer, 0 to 127
 *   10nnnnnn                   a string of n bytes
 *   110nnnnn n(8)              an integer of 13 bits, signed
 *   1110nnnn n(8)              a string of n bytes, 12 bits
 *   f0 n(32)                   a string of n bytes
 *   f1 f2 f3 f4                an integer of 16, 24, 32, 64 bits, signed
 *
 * L1  The size behind an element must be right: Redis walks backwards by it.
 * L2  So must the count: Redis believes it, and with sanitize-dump-payload refuses a listpack where it is wrong. */

#include "rdb/listpack.h"

#include "base/assert.h"

enum {
    LISTPACK_HEADER = 6,
    LISTPACK_EOF = 0xff,
    LISTPACK_COUNT_MAX = 65535,
    LISTPACK_BACK_MAX = 5,
};

static void put_little(uint8_t *at, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_little(const uint8_t *at, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = bytes; i > 0; i--) {
        number = number << 8 | at[i - 1];
    }
    return number;
}

/* The size behind an element of `size` bytes. */
static size_t back_write(size_t size, uint8_t out[LISTPACK_BACK_MAX])
{
    size_t n = 1;
    for (size_t rest = size >> 7; rest > 0; rest >>= 7) {
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)((size >> (7 * (n - 1 - i)) & 127) | (i > 0 ? 128 : 0));
    }
    return n;
}

/* --- writing --- */

void listpack_begin(struct listpack_writer *w, struct buf *out)
{
    static const uint8_t header[LISTPACK_HEADER] = {0};
    *w = (struct listpack_writer){out, buf_size(out), 0};
    buf_append(out, header, sizeof header);
}

static size_t integer_write(int64_t number, uint8_t out[9])
{
    size_t bytes = number >= INT16_MIN && number <= INT16_MAX            ? 2
                   : number >= -(1 << 23) && number <= (1 << 23) - 1     ? 3
                   : number >= INT32_MIN && number <= INT32_MAX          ? 4
                                                                         : 8;
    if (number >= 0 && number <= 127) {
        out[0] = (uint8_t)number;
        return 1;
    }
    if (number >= -4096 && number <= 4095) {
        out[0] = (uint8_t)(0xc0 | ((uint64_t)number >> 8 & 31));
        out[1] = (uint8_t)number;
        return 2;
    }
    out[0] = (uint8_t)(bytes == 8 ? 0xf4 : 0xf1 + bytes - 2);
    put_little(out + 1, (uint64_t)number, bytes);
    return 1 + bytes;
}

static size_t string_write_head(size_t size, uint8_t out[9])
{
    if (size < 64) {
        out[0] = (uint8_t)(0x80 | size);
        return 1;
    }
    if (size < 4096) {
        out[0] = (uint8_t)(0xe0 | size >> 8);
        out[1] = (uint8_t)size;
        return 2;
    }
    out[0] = 0xf0;
    put_little(out + 1, size, 4);
    return 5;
}

void listpack_add(struct listpack_writer *w, struct slice element)
{
    uint8_t head[9];
    uint8_t back[LISTPACK_BACK_MAX];
    int64_t number;
    bool is_integer = number_parse_i64(element, &number);
    size_t n = is_integer ? integer_write(number, head) : string_write_head(element.n, head);
    size_t size = n + (is_integer ? 0 : element.n);
    buf_append(w->out, head, n);
    if (!is_integer) {
        buf_append_slice(w->out, element);
    }
    buf_append(w->out, back, back_write(size, back));
    w->count++;
}

void listpack_end(struct listpack_writer *w)
{
    buf_append_byte(w->out, LISTPACK_EOF);
    uint8_t *header = w->out->data + w->out->start + w->start;
    put_little(header, buf_size(w->out) - w->start, 4);
    put_little(header + 4, w->count < LISTPACK_COUNT_MAX ? w->count : LISTPACK_COUNT_MAX, 2);
}

/* --- reading --- */

bool listpack_open(struct listpack_reader *r, struct slice bytes)
{
    if (bytes.n < LISTPACK_HEADER + 1 || get_little(bytes.p, 4) != bytes.n || bytes.p[bytes.n - 1] != LISTPACK_EOF) {
        return false;
    }
    r->rest = slice_skip(bytes, LISTPACK_HEADER);
    r->count = (size_t)get_little(bytes.p + 4, 2);
    r->elements = 0;
    return true;
}

/* Sizes of an element at `in` (not empty): of its encoding and of the string behind it. False: damaged. */
static bool element_measure(struct slice in, size_t *head, size_t *string)
{
    uint8_t code = in.p[0];
    *string = 0;
    *head = 1;
    if (code < 0x80) {
        return true;
    }
    if (code < 0xc0) {
        *string = code & 63;
        return true;
    }
    static const uint8_t sizes[] = {5, 3, 4, 5, 9}; /* f0 to f4 */
    if (code > 0xf4) {
        return false;
    }
    *head = code < 0xf0 ? 2 : sizes[code - 0xf0];
    if (*head > in.n) {
        return false;
    }
    if (code >= 0xe0 && code < 0xf0) {
        *string = (size_t)(code & 15) << 8 | in.p[1];
    } else if (code == 0xf0) {
        *string = (size_t)get_little(in.p + 1, 4);
    }
    return true;
}

static int64_t element_integer(const uint8_t *p, size_t head)
{
    uint64_t number = head == 1 ? p[0] : head == 2 ? (uint64_t)(p[0] & 31) << 8 | p[1] : get_little(p + 1, head - 1);
    unsigned bits = head == 1 ? 64 : head == 2 ? 13 : (unsigned)(head - 1) * 8;
    uint64_t sign = (uint64_t)1 << (bits - 1);
    return (int64_t)(head == 1 ? number : (number ^ sign) - sign);
}

enum listpack_step listpack_next(struct listpack_reader *r, struct slice *element)
{
    uint8_t back[LISTPACK_BACK_MAX];
    size_t head;
    size_t string;
    ASSERT(r->rest.n > 0);
    if (r->rest.p[0] == LISTPACK_EOF) {
        bool is_count_right = r->count == LISTPACK_COUNT_MAX || r->count == r->elements; /* L2 */
        return r->rest.n == 1 && is_count_right ? LISTPACK_END : LISTPACK_BAD;
    }
    if (!element_measure(r->rest, &head, &string) || string > r->rest.n - head) {
        return LISTPACK_BAD;
    }
    const uint8_t *p = r->rest.p;
    bool is_string = (p[0] >= 0x80 && p[0] < 0xc0) || (p[0] >= 0xe0 && p[0] <= 0xf0);
    size_t n = back_write(head + string, back);
    struct slice rest = slice_skip(r->rest, head + string);
    if (rest.n <= n || !slice_equal((struct slice){rest.p, n}, (struct slice){back, n})) { /* L1 */
        return LISTPACK_BAD;
    }
    *element = (struct slice){p + head, string};
    if (!is_string) {
        *element = (struct slice){(const uint8_t *)r->text, number_format_i64(element_integer(p, head), r->text)};
    }
    r->rest = slice_skip(rest, n);
    r->elements++;
    return LISTPACK_ELEMENT;
}
