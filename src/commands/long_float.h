#ifndef COMMANDS_LONG_FLOAT_H
#define COMMANDS_LONG_FLOAT_H

#include "base/slice.h"

/* The numbers of INCRBYFLOAT and HINCRBYFLOAT. Redis adds in `long double` and writes the sum with 17 digits behind the point. On
 * x86-64 that is the 80-bit format, and so it is here, since the reply must be Redis's. The sum is computed while the entry is
 * applied: members of one cluster must therefore be of one processor family. strtold and printf round exactly in glibc and the locale
 * is never set, so within a family all agree. */
enum { LONG_FLOAT_TEXT_MAX = 5 * 1024 }; /* the largest long double has 4933 digits before the point */

/* False for what Redis's string2ld refuses: blanks, NaN, out of range. Infinity is a number. */
bool long_float_parse(struct slice text, long double *number);
/* Without zeros at its end and without a NUL; returns its size. The number is finite. */
size_t long_float_format(long double number, char text[LONG_FLOAT_TEXT_MAX]);

#endif
