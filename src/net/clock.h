#ifndef NET_CLOCK_H
#define NET_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* The only clocks and the only entropy of the server. */

/* CLOCK_BOOTTIME, µs: goes on while the machine sleeps, never jumps. Raft's `now` and leases. */
uint64_t clock_boot_us(void);
/* Unix time, ms; may jump. For log time and log lines only. */
int64_t clock_wall_ms(void);
/* Bytes from the kernel's generator; blocks only before it was seeded once since boot. */
void clock_random(void *p, size_t n);

#endif
