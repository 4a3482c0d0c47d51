#include "base/number.h"

#include <string.h>

#define NUMBER_DIGITS_MAX 20 /* of UINT64_MAX */

bool number_parse_u64(struct slice s, uint64_t *value)
{
    if (s.n == 0 || s.n > NUMBER_DIGITS_MAX)
        return false;
    if (s.p[0] == '0' && s.n > 1)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)s.p[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *value = v;
    return true;
}

bool number_parse_i64(struct slice s, int64_t *value)
{
    bool is_negative = s.n > 0 && s.p[0] == '-';
    uint64_t magnitude;
    if (!number_parse_u64(is_negative ? slice_skip(s, 1) : s, &magnitude))
        return false;
    if (!is_negative) {
        if (magnitude > INT64_MAX)
            return false;
        *value = (int64_t)magnitude;
        return true;
    }
    if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1)
        return false;
    /* INT64_MIN has no positive counterpart, so subtract before the sign changes. */
    *value = -(int64_t)(magnitude - 1) - 1;
    return true;
}

size_t number_format_u64(uint64_t value, char *out)
{
    static const char pairs[201] = "00010203040506070809101112131415161718192021222324252627282930313233"
                                   "34353637383940414243444546474849505152535455565758596061626364656667"
                                   "6869707172737475767778798081828384858687888990919293949596979899";
    char digits[NUMBER_DIGITS_MAX];
    size_t at = sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t number_format_i64(int64_t value, char *out)
{
    if (value >= 0)
        return number_format_u64((uint64_t)value, out);
    out[0] = '-';
    return 1 + number_format_u64(0 - (uint64_t)value, out + 1);
}

bool number_add_i64(int64_t a, int64_t b, int64_t *sum)
{
    int64_t result;
    if (__builtin_add_overflow(a, b, &result))
        return false;
    *sum = result;
    return true;
}

bool number_multiply_i64(int64_t a, int64_t b, int64_t *product)
{
    int64_t result;
    if (__builtin_mul_overflow(a, b, &result))
        return false;
    *product = result;
    return true;
}
