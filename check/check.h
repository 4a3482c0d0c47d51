#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "check/history.h"
#include "check/wgl.h"

/* Is a history linearizable? Keys that no operation binds together are judged each by itself (Herlihy and Wing, 1990, locality),
 * by the fastest method that fits:
 *
 *   registers     only set and get, every value once            zones      O(n log n)
 *   appends       only rpush (every element once) and lrange    cycles     O(n log n), any number of keys
 *   anything else                                               search     exponential at worst, with a limit */
struct check_report {
    uint32_t operations; /* looked at: with known or unknown outcome */
    uint32_t groups;     /* of keys */
    uint32_t by_zones;
    uint32_t by_cycles;
    uint32_t by_search;
    uint32_t inconclusive; /* groups whose search met the limit: neither right nor wrong */
    uint64_t states;       /* of all searches */
    bool is_violated;
    char text[1024];       /* the first violation */
};

void check_history(struct history *h, const struct wgl_limits *limits, struct check_report *report);

#endif
