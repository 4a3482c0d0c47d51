/* LZF, the reading side. A control byte `c` begins each piece:
 *
 *   c < 32    c + 1 literal bytes follow
 *   else      a copy of bytes written before: its length is (c >> 5) + 2, with 7 in these three
 * bits one more byte is added to it; its distance is 1 + ((c & 31) << 8 | the byte behind) */

#include "rdb/lzf.h"

#include <string.h>

static bool lzf_take(struct slice *in, size_t *byte)
{
    if (in->n == 0) {
        return false;
    }
    *byte = in->p[0];
    *in = slice_skip(*in, 1);
    return true;
}

bool lzf_decompress(struct slice in, uint8_t *out, size_t out_size)
{
    size_t done = 0;
    while (in.n > 0) {
        size_t control = in.p[0];
        in = slice_skip(in, 1);
        if (control < 32) {
            size_t n = control + 1;
            if (n > in.n || n > out_size - done) {
                return false;
            }
            memcpy(out + done, in.p, n);
            in = slice_skip(in, n);
            done += n;
            continue;
        }
        size_t n = control >> 5;
        size_t more = 0;
        size_t low;
        if ((n == 7 && !lzf_take(&in, &more)) || !lzf_take(&in, &low)) {
            return false;
        }
        n += more + 2;
        size_t distance = ((control & 31) << 8 | low) + 1;
        if (distance > done || n > out_size - done) {
            return false;
        }
        for (; n > 0; n--, done++) { /* byte by byte: the two may overlap */
            out[done] = out[done - distance];
        }
    }
    return done == out_size;
}
