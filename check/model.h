#ifndef CHECK_MODEL_H
#define CHECK_MODEL_H

#include "check/history.h"

/* What one key of a correct store holds, and what each function does to it. Values of any size are one number: lists and sets are
 * chains of (shorter chain, last element), each chain kept once; so states are compared and remembered as numbers. */
enum model_kind { MODEL_ABSENT, MODEL_STRING, MODEL_LIST, MODEL_SET };

struct model_state {
    enum model_kind kind;
    uint32_t id; /* STRING: a text; LIST, SET: a chain */
};

struct model_chain {
    uint32_t before; /* 0: empty */
    text_id last;
    uint32_t length;
};

struct model {
    struct history *history; /* borrowed; its texts grow */
    struct model_chain *chain; /* [i] is chain i + 1 */
    uint32_t chain_count;
    uint32_t chain_capacity;
    uint32_t *slot;
    uint32_t slot_count;
    text_id *scratch;
    uint32_t scratch_capacity;
};

void model_init(struct model *m, struct history *h);
void model_deinit(struct model *m);
/* Does `step` in *state. With `is_checked` its noted result must be what the store answers: false if it is not, or if the key holds
 * another kind of value, and *state is as before. Without, a step on another kind of value does nothing. */
bool model_apply(struct model *m, struct model_state *state, const struct history_step *step, bool is_checked);

#endif
