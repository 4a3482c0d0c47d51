#ifndef RESP_WORDS_H
#define RESP_WORDS_H

#include "base/slice.h"

/* The word splitter that Redis inline requests and the text grammar share: what Redis's
 * sdssplitargs does, byte for byte. A line is split at blanks. A word may end in one quoted part,
 * whose closing quote must be followed by a blank or the end of the line:
 *   "..."  \n \r \t \b \a \xHH are those bytes, \c is c for any other c
 *   '...'  only \' is an escape
 * A NUL is an ordinary byte here; the RESP parser never lets one through (Redis's strchr). */

enum word_result {
    WORD_FOUND,
    WORD_END,        /* nothing but blanks was left */
    WORD_UNBALANCED, /* a quote not closed, or closed in the middle of a word */
};

/* What isspace() says in the C locale. */
bool word_is_blank(uint8_t byte);

/* Read the next word of `*rest` and move `*rest` behind it.
 *
 * A word without quotes is borrowed from the line. One with quotes is written to `scratch`, which
 * must have room for rest->n bytes (unescaping never grows a word). */
enum word_result word_next(struct slice *rest, uint8_t *scratch, struct slice *word);

/* The words of one line. Owned by a parser and used again for each line. */
struct word_list {
    struct slice *word; /* valid until the next split, as long as the line is */
    size_t count;
    size_t capacity;
    uint8_t *scratch; /* unescaped words */
    size_t scratch_capacity;
};

void word_list_init(struct word_list *w);
void word_list_deinit(struct word_list *w);

/* Split `line` (without its line end). Returns false when quotes are unbalanced; the words before
 * the bad one are there then, so that an error can name the verb. Borrows `line` for as long as
 * the words are used. O(n). */
bool word_list_split(struct word_list *w, struct slice line);

/* Bytes held. At most 32 per word and one per byte of the longest line since the last shrink. */
size_t word_list_memory(const struct word_list *w);
/* Give memory back when an unusually long line made it grow; the words are gone. */
void word_list_shrink(struct word_list *w);

#endif
