#define _GNU_SOURCE
#include "net/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

uint64_t clock_boot_us(void)
{
    struct timespec t;
    int error = clock_gettime(CLOCK_BOOTTIME, &t);

    ASSERT(error == 0);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int64_t clock_wall_ms(void)
{
    struct timespec t;
    int error = clock_gettime(CLOCK_REALTIME, &t);

    ASSERT(error == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_random(void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        at += got;
        n -= (size_t)got;
    }
}
