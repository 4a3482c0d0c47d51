#include "node/percentiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERCENTILE_TEXT_MAX 64

/* One number of decimal digits, sign, point and exponent: no "nan", no "0x10". */
static bool percentile_parse(struct slice word, double *value)
{
    char text[PERCENTILE_TEXT_MAX];
    char *end = NULL;

    if (word.n == 0 || word.n >= sizeof text) {
        return false;
    }
    memcpy(text, word.p, word.n);
    text[word.n] = '\0';
    if (strspn(text, "0123456789.eE+-") != word.n) {
        return false;
    }
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

bool percentiles_parse(struct slice text, struct percentiles *p, const char **why)
{
    p->count = 0;
    while (text.n > 0) {
        size_t n = 0;

        while (n < text.n && text.p[n] != ' ') {
            n++;
        }
        if (n > 0) {
            if (p->count == PERCENTILES_MAX || !percentile_parse((struct slice){text.p, n}, &p->value[p->count])) {
                *why = "Invalid latency-tracking-info-percentiles parameters";
                return false;
            }
            if (p->value[p->count] < 0 || p->value[p->count] > 100) {
                *why = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
                return false;
            }
            p->count++;
        }
        text = slice_skip(text, n < text.n ? n + 1 : n);
    }
    return true;
}

void percentiles_format(const struct percentiles *p, struct buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        buf_printf(out, "%s%.10g", i > 0 ? " " : "", p->value[i]);
    }
}
