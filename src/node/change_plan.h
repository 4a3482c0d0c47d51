#ifndef NODE_CHANGE_PLAN_H
#define NODE_CHANGE_PLAN_H

#include "base/buf.h"
#include "base/err.h"
#include "raft/conf.h"
#include "resp/command.h"

/* What somebody wants of the cluster's membership, as a value: parsed from words, sent between nodes, compared with
 * a configuration. Pure: no node, no clock. membership.c carries plans out. */

enum change_verb {
    CHANGE_ADD = 1,     /* a new node, or a learner, becomes a voter */
    CHANGE_ADD_LEARNER, /* a new node becomes a learner for good */
    CHANGE_REMOVE,
    CHANGE_REPLACE,     /* a new node takes the part of a member, at its address or at another */
    CHANGE_PROMOTE,     /* learner to voter */
    CHANGE_DEMOTE,      /* voter to learner */
    CHANGE_TRANSFER,    /* another leader; member_id 0: whoever is best */
    CHANGE_CANCEL,      /* end the change that is under way */
};

#define CHANGE_STEPS_MAX 8
#define CHANGE_TEXT_BYTES 384

struct change_step {
    enum change_verb verb;
    /* Whom: a normalised address, or 16 hexadecimal digits of an id. ADD: the new node's address. "" for CANCEL and for TRANSFER
     * to anybody. */
    char target[LIMIT_ADDRESS_BYTES];
    char new_address[LIMIT_ADDRESS_BYTES]; /* REPLACE: where the new node is */
    raft_id member_id; /* the member that `target` named when the plan was first resolved; 0: not yet, or none */
    raft_id new_id;    /* the new node, once it has answered; 0: not yet */
};

/* One change at once, whatever number of steps it has. TRANSFER and CANCEL stand alone. */
struct change_plan {
    uint32_t count;
    struct change_step step[CHANGE_STEPS_MAX];
};

/* RAFT's words from the verb on: "ADD [LEARNER] address ... REMOVE address ... PROMOTE ... DEMOTE ...", "REPLACE address
 * [new-address]", "TRANSFER [address]", "CANCEL". Addresses get `default_port`. False: `text` (CHANGE_TEXT_BYTES) is
 * an error with its code word. */
bool change_plan_parse(const struct slice *word, size_t word_count, int64_t default_port, struct change_plan *plan, char *text);
/* One step; for the text verbs and for nodes that join. `address` is normalised. */
void change_plan_one(enum change_verb verb, const char *address, struct change_plan *plan);

/* Encoding of PEER_CHANGE: u8 step count, then u8 verb, u64 member_id, u64 new_id and two texts (u16 size) each. */
void change_plan_encode(const struct change_plan *plan, struct buf *out);
struct reader;
bool change_plan_decode(struct reader *in, struct change_plan *plan); /* false: nonsense */
/* The same wishes, whatever is known of ids. */
bool change_plan_same(const struct change_plan *a, const struct change_plan *b);

/* Finds the members that the steps name, in `conf` (not joint), and writes their ids into the plan. False: `text` says what does not
 * fit, with its code word. `is_retry`: an earlier leader may have done part of it: what is so already is fine. */
bool change_plan_resolve(struct change_plan *plan, const struct raft_conf *conf, bool is_retry, char *text);
/* Steps that bring in a node that is no member of `conf` yet. */
bool change_step_brings_node(const struct change_step *step, const struct raft_conf *conf);
const char *change_step_new_address(const struct change_step *step); /* "" when it brings none in */

/* `conf` with the new nodes as learners; all new ids must be known. ERR_INVALID: too many members. */
MUST_CHECK enum err change_plan_learners(const struct change_plan *plan, const struct raft_conf *conf, struct raft_conf *out);
/* The wanted configuration. ERR_INVALID: no voter would be left, or too many members. */
MUST_CHECK enum err change_plan_target(const struct change_plan *plan, const struct raft_conf *conf, struct raft_conf *out);
/* The voters-to-be among the new nodes and the promoted: they must catch up first. Returns how many ids were written. */
uint32_t change_plan_newcomers(const struct change_plan *plan, const struct raft_conf *conf, raft_id *id);
/* `conf` without those nodes that the plan brought in as learners. */
void change_plan_undo(const struct change_plan *plan, const struct raft_conf *before, const struct raft_conf *conf,
                      struct raft_conf *out);
/* Everything that is wanted is so. */
bool change_plan_is_done(const struct change_plan *plan, const struct raft_conf *conf);

/* "ADD 127.0.0.1:7004, REMOVE 127.0.0.1:7001" */
void change_plan_describe(const struct change_plan *plan, struct buf *out);

#endif
