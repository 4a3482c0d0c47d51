#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/slice.h"

/* Redis's glob: '*', '?', [abc], [^abc], [a-z], '\' escapes. Byte-wise; is_nocase folds ASCII letters. Worst case is
 * O(text * stars): a '*' that has failed is given up for the next one, never tried recursively. */
bool glob_match(struct slice pattern, struct slice text, bool is_nocase);

#endif
