#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "strike.h"

/* A run written down (docs/TESTING.md, "Scripts"): what the seed drew, and each strike at its time. Replayed, it is the same run with the same trace
 * hash; with lines taken out, times moved or lines written by hand it is another that says what it does. A line each:
 *
 *     # a comment
 *     seed 17
 *     profile swarm           the plan is what these two draw (without a profile: all zero),
 *     host_count=3            but for fields that are given (coracle-sim --plan lists them)
 *     at 1.250000 kill 2      seconds, and a strike (strike.h), in order of time
 *
 * No fault comes that is not written, and nothing starts a node again but "start"; behind the plan's duration all faults end, as always. */
struct script_line {
    uint64_t at_us;
    struct strike what;
};
struct script {
    uint64_t seed;
    char profile[32];
    struct sim_plan plan;
    struct script_line *line;
    size_t count;
    size_t capacity;
    size_t next; /* while it is played */
};

/* False: it can't be read, or is none; stderr says why and where. */
bool script_read(const char *name, struct script *out);
void script_deinit(struct script *script);

/* Instead of faults_start: `script` is kept until the run is over. */
void script_start(struct sim *s, struct script *script);

/* From here on each strike of `s` becomes a line of the file `name`, behind what its plan is. False: it can't be written. */
bool script_record(struct sim *s, const char *name, const char *profile);
void script_record_end(struct sim *s);

#endif
