#ifndef RDB_LZF_H
#define RDB_LZF_H

#include <stdbool.h>

#include "base/slice.h"

/* LZF (Marc Lehmann's liblzf): `out` must be filled exactly. False: damaged. */
bool lzf_decompress(struct slice in, uint8_t *out, size_t out_size);

#endif
