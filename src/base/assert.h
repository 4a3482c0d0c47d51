#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

/* Assertions guard against programmer errors only; bytes from disk, network or clients are
 * checked and refused, never asserted. A failed assertion prints the condition and aborts. */

void assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

/* Always on, also in release builds. */
#define ASSERT(x) ((x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))

/* For O(n) checks: on where CORACLE_SLOW_CHECKS is defined (debug and simulator builds). */
#ifdef CORACLE_SLOW_CHECKS
#define ASSERT_SLOW(x) ASSERT(x)
#else
#define ASSERT_SLOW(x) ((void)0)
#endif

#define STATIC_ASSERT(x, message) _Static_assert(x, message)
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)

#endif
