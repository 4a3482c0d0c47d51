#include "commands/long_float.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

bool long_float_parse(struct slice s, long double *number)
{
    char text[LONG_FLOAT_TEXT_MAX];
    char *end;
    if (s.n == 0 || s.n >= LONG_FLOAT_TEXT_MAX) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    errno = 0;
    *number = strtold(text, &end);
    bool is_blank = strchr(" \t\n\v\f\r", text[0]) != NULL; /* a NUL too */
    return !is_blank && (size_t)(end - text) == s.n && !isnan(*number) &&
           !(errno == ERANGE && (isinf(*number) || fpclassify(*number) == FP_ZERO));
}

size_t long_float_format(long double number, char text[LONG_FLOAT_TEXT_MAX])
{
    int n = snprintf(text, LONG_FLOAT_TEXT_MAX, "%.17Lf", number);
    ASSERT(n > 0 && n < LONG_FLOAT_TEXT_MAX);
    size_t size = (size_t)n;
    if (memchr(text, '.', size)) {
        while (text[size - 1] == '0') {
            size--;
        }
        size -= text[size - 1] == '.';
    }
    if (size == 2 && memcmp(text, "-0", 2) == 0) {
        text[0] = '0';
        size = 1;
    }
    return size;
}
