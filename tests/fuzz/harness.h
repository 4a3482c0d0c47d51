#ifndef TESTS_FUZZ_HARNESS_H
#define TESTS_FUZZ_HARNESS_H

/* Around the inclusion of what a fuzzer stands its code on (simulated disks, a rig, a core that decides): no counters there, so that inputs are
 * kept for what they do in the code that is fuzzed, and the rest runs faster. Memory errors are found in both. */
#ifdef __clang__
#define HARNESS_BEGIN _Pragma("clang attribute push(__attribute__((no_sanitize(\"coverage\"))), apply_to = function)")
#define HARNESS_END _Pragma("clang attribute pop")
#else
#define HARNESS_BEGIN
#define HARNESS_END
#endif

#endif
