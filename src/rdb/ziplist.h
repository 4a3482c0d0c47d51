#ifndef RDB_ZIPLIST_H
#define RDB_ZIPLIST_H

#include <stdbool.h>

#include "base/number.h"

/* Redis's ziplists, which versions before 7.0 wrote where later ones write listpacks; read, never
 * written. ziplist.c has the format. Any bytes are safe. */
struct ziplist_reader {
    struct slice rest;
    size_t previous;            /* bytes of the entry before */
    size_t last;                /* where it begins */
    size_t tail;                /* where the head says that the last one does */
    size_t end;                 /* where the next one does */
    uint16_t count;             /* entries that the head promised; 65535: unknown */
    size_t entries;             /* so far */
    char text[NUMBER_TEXT_MAX]; /* of an integer */
};
/* False: it is none. */
bool ziplist_open(struct ziplist_reader *r, struct slice bytes);
/* False: its end, where *is_bad tells whether it ends well. *element is borrowed until the next
 * step. */
bool ziplist_next(struct ziplist_reader *r, struct slice *element, bool *is_bad);

#endif
