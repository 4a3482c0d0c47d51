#include "base/glob.h"

static uint8_t glob_fold(uint8_t byte, bool is_nocase)
{
    return is_nocase && byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

/* Does the class that starts at pattern[*at] == '[' take `byte`? Moves *at behind the class. As in Redis an unclosed
 * class ends with the pattern. */
static bool glob_class(struct slice pattern, size_t *at, uint8_t byte, bool is_nocase)
{
    size_t i = *at + 1;
    bool is_negated = i < pattern.n && pattern.p[i] == '^';
    bool is_match = false;

    if (is_negated) {
        i++;
    }
    for (; i < pattern.n && pattern.p[i] != ']'; i++) {
        if (pattern.p[i] == '\\' && i + 1 < pattern.n) {
            i++;
            is_match |= glob_fold(pattern.p[i], is_nocase) == byte;
        } else if (i + 2 < pattern.n && pattern.p[i + 1] == '-') {
            uint8_t low = glob_fold(pattern.p[i], is_nocase);
            uint8_t high = glob_fold(pattern.p[i + 2], is_nocase);

            if (low > high) {
                uint8_t swap = low;
                low = high;
                high = swap;
            }
            is_match |= byte >= low && byte <= high;
            i += 2;
        } else {
            is_match |= glob_fold(pattern.p[i], is_nocase) == byte;
        }
    }
    *at = i < pattern.n ? i + 1 : i;
    return is_match != is_negated;
}

/* One pattern element other than '*' against one byte; moves *at behind it when it matches. */
static bool glob_one(struct slice pattern, size_t *at, uint8_t byte, bool is_nocase)
{
    size_t i = *at;

    byte = glob_fold(byte, is_nocase);
    if (pattern.p[i] == '[') {
        if (!glob_class(pattern, &i, byte, is_nocase)) {
            return false;
        }
        *at = i;
        return true;
    }
    if (pattern.p[i] == '\\' && i + 1 < pattern.n) {
        i++;
    } else if (pattern.p[i] == '?') {
        *at = i + 1;
        return true;
    }
    if (glob_fold(pattern.p[i], is_nocase) != byte) {
        return false;
    }
    *at = i + 1;
    return true;
}

bool glob_match(struct slice pattern, struct slice text, bool is_nocase)
{
    size_t p = 0;
    size_t t = 0;
    size_t star_p = SIZE_MAX; /* behind the last '*' seen */
    size_t star_t = 0;        /* where the text it leaves over begins */

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star_p = ++p;
            star_t = t;
        } else if (p < pattern.n && glob_one(pattern, &p, text.p[t], is_nocase)) {
            t++;
        } else if (star_p != SIZE_MAX) {
            p = star_p;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') {
        p++;
    }
    return p == pattern.n;
}
