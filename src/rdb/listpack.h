#ifndef RDB_LISTPACK_H
#define RDB_LISTPACK_H

#include "base/buf.h"
#include "base/number.h"

/* Redis's listpacks, as its serialized values hold them; listpack.c has the format. */

/* Writing: begin, add each element, end. Integers in canonical form are packed as Redis packs them. */
struct listpack_writer {
    struct buf *out; /* borrows */
    size_t start;
    size_t count;
};
void listpack_begin(struct listpack_writer *w, struct buf *out);
void listpack_add(struct listpack_writer *w, struct slice element);
void listpack_end(struct listpack_writer *w);

/* Reading: any bytes are safe. */
struct listpack_reader {
    struct slice rest;
    size_t count;    /* elements that the header promised; 65535: unknown */
    size_t elements; /* so far */
    char text[NUMBER_TEXT_MAX]; /* of an integer */
};
/* False: it is none. */
bool listpack_open(struct listpack_reader *r, struct slice bytes);
enum listpack_step { LISTPACK_ELEMENT, LISTPACK_END, LISTPACK_BAD };
/* *element is borrowed until the next step. */
enum listpack_step listpack_next(struct listpack_reader *r, struct slice *element);

#endif
