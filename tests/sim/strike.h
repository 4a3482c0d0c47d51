#ifndef SIM_STRIKE_H
#define SIM_STRIKE_H

#include <stdio.h>

#include "sim.h"

/* One thing that is done to the cluster from outside, at one instant: a fault, its end, a word from an administrator. faults.c draws
 * them, a script (script.h) lists them; either way each is traced, and recorded as the line that does it again. What a strike does
 * depends on the cluster alone: it draws from no stream but the cluster's own. */
enum strike_kind {
    STRIKE_KILL,         /* kill N: the process dies, what it wrote stays */
    STRIKE_POWER,        /* power N: and what was not synced may be lost */
    STRIKE_POWER_IN,     /* power-in N CALLS: power fails inside the disk's next call but so many */
    STRIKE_START,        /* start N: nothing, where it is up */
    STRIKE_PAUSE,        /* pause N MICROSECONDS: as SIGSTOP and SIGCONT do */
    STRIKE_SLOW,         /* slow N MICROSECONDS: every turn of its loop takes so much longer; 0: no more */
    STRIKE_CUT,          /* cut LINKS: what is sent there is lost from now on; 0>1: one way, 0-1: both */
    STRIKE_JOIN,         /* join LINKS */
    STRIKE_HEAL,         /* heal: all links are whole */
    STRIKE_CLOCK,        /* clock N MILLISECONDS: so far is its wall clock off */
    STRIKE_DISK_ROOM,    /* disk-room N BYTES|all */
    STRIKE_DISK_STALL,   /* disk-stall N MICROSECONDS: what is asked of it waits so long */
    STRIKE_SYNC_ERROR,   /* sync-error N: the next fsync fails and its pages are marked clean */
    STRIKE_WRITE_ERROR,  /* write-error N: the next write takes a part, and fails */
    STRIKE_READ_ERROR,   /* read-error N */
    STRIKE_ROT,          /* rot N bit|garbage|misplaced: it is killed, and a sector at rest is not what was written */
    STRIKE_ROT_END,      /* rot-end N bit|garbage: the same, of its log's newest batch */
    STRIKE_ROT_RECEIVED, /* rot-received N OFFSET: a bit of a snapshot that is being received */
    STRIKE_END_IN,       /* end-in N CALLS: the process ends at its call to the outside but so many */
    STRIKE_MEMORY,       /* memory N ALLOCATIONS: so many more, and one fails */
    STRIKE_TELL,         /* tell N COMMAND: an administrator's, who leaves after a while */
    STRIKE_ASK,          /* ask N COMMAND: about membership (churn.c); its answer must come and be true */
    STRIKE_KINDS
};

#define STRIKE_LINE_BYTES 160
struct strike {
    enum strike_kind kind;
    uint32_t host;
    int64_t amount;               /* as above; disk-room: -1 is all of it; rot: enum sim_rot */
    uint64_t links;               /* of cut and join: bit from * SIM_HOSTS + to */
    char line[STRIKE_LINE_BYTES]; /* of tell and ask */
};

/* Does it now. */
void strike(struct sim *s, const struct strike *what);
static inline void strike_host(struct sim *s, enum strike_kind kind, uint32_t host, int64_t amount)
{
    strike(s, &(struct strike){.kind = kind, .host = host, .amount = amount});
}

static inline uint64_t strike_link(uint64_t from, uint64_t to) { return (uint64_t)1 << (from * SIM_HOSTS + to); }

/* A strike as words ("kill 2"), without a newline. At most STRIKE_TEXT_BYTES. */
#define STRIKE_TEXT_BYTES 512
void strike_print(const struct strike *what, char *text);
/* False: no strike; `text` is overwritten. Hosts are those of a cluster of `host_count`. */
bool strike_parse(char *text, uint32_t host_count, struct strike *out);

#endif
