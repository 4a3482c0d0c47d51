#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/slice.h"

#define NUMBER_TEXT_MAX 21 /* "-9223372036854775808" and a NUL */

/* Canonical decimal only, as Redis's string2ll: no '+', no leading zero or blank, no "-0".
 * Returns false (and leaves *value alone) for anything else or out of range. */
bool number_parse_i64(struct slice s, int64_t *value);
bool number_parse_u64(struct slice s, uint64_t *value);
/* Writes decimal digits without a NUL, returns their count (<= 20). */
size_t number_format_i64(int64_t value, char *out);
size_t number_format_u64(uint64_t value, char *out);
/* a + b without overflow, else false. */
bool number_add_i64(int64_t a, int64_t b, int64_t *sum);
bool number_multiply_i64(int64_t a, int64_t b, int64_t *product);

#endif
