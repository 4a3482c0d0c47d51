#ifndef CHECK_WGL_H
#define CHECK_WGL_H

#include "check/history.h"

/* Wing and Gong's search for a linearization, as Lowe made it fast (Testing for Linearizability, 2017): depth first, what was reached
 * once (which operations are placed, what the keys hold) is not searched again. */
enum wgl_verdict { WGL_LINEARIZABLE, WGL_NOT_LINEARIZABLE, WGL_INCONCLUSIVE };

struct wgl_limits {
    uint64_t states; /* remembered; more make the search inconclusive */
};
#define WGL_STATES_DEFAULT 400000

struct wgl_result {
    enum wgl_verdict verdict;
    uint64_t states;
    uint32_t blocker; /* NOT_LINEARIZABLE: an operation that no order tried could place; furthest one */
    uint32_t placed;  /* ... after that many others */
};

/* `operation` are the numbers of the operations (count of them, at least one) on a set of keys that no other operation touches. */
struct wgl_result wgl_check(struct history *h, const uint32_t *operation, uint32_t count, const struct wgl_limits *limits);

#endif
