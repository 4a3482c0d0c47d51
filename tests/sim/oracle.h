#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "node/proposal.h"
#include "world.h"

/* The precise oracle: a model of its own that replays the committed log, entry by entry, and knows what every answer must have been
 * (I10, I11, I13). It shares no code with keyspace/ or commands/. It follows the keys that clients watch closely (oracle.c). */
struct oracle;

struct command_table;
struct oracle *oracle_new(struct world *w, const struct command_table *table);
void oracle_free(struct oracle *o);
/* What keyspace_last_change says of a key where the entry was first seen committed. Used for one thing only: oracle.c, watch_is_touched. */
typedef raft_index oracle_lookup(void *ctx, struct slice key, raft_index index);
/* Which of the 2^16 classes of keys (keyspace.h, KEYSPACE_ABSENT) it belongs to. */
typedef uint16_t oracle_class(void *ctx, struct slice key);
void oracle_set_lookup(struct oracle *o, oracle_lookup *lookup, oracle_class *class_of, void *ctx);
/* Entry `index` is committed; entries come in order. `p`: its command, if it takes effect; else NULL. */
void oracle_entry(struct oracle *o, raft_index index, int64_t time_ms, const struct proposal *p);
/* The cluster never was (its only member lost its disk). */
void oracle_forget(struct oracle *o);

/* What a client saw. `mark` is what oracle_mark said when it asked: the highest index that anyone's answer up to then rested on. */
raft_index oracle_mark(const struct oracle *o);
/* A write that is known by its tag was answered; `reply` what it said as a number (length, 1 and 0, value of INCR). Tags: see
 * oracle.c. Returns its index, 0 after a failure. */
raft_index oracle_write_done(struct oracle *o, const char *tag, int64_t reply, raft_index mark);
/* The same of a SETNX. One that answers 0 needs no entry (node/client_vain.c), but a moment at which the key held something. */
void oracle_setnx_done(struct oracle *o, const char *tag, const char *key, int64_t reply, raft_index mark);
/* It was answered "not done": it must not have had an effect, and never have one. */
void oracle_write_refused(struct oracle *o, const char *tag);
/* `value`: NULL p when there is none. */
void oracle_read_done(struct oracle *o, const char *key, struct slice value, raft_index mark, bool is_stale);
/* A read inside the transaction that took effect at `index`, behind its writes. */
void oracle_read_inside(struct oracle *o, const char *key, struct slice value, raft_index index);
/* At the end: what was refused is nowhere. */
void oracle_finish(struct oracle *o);

#endif
