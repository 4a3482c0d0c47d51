#ifndef INTEGRATION_MODEL_H
#define INTEGRATION_MODEL_H

#include "integration/lib/wire.h"

/* What one connection may see of keys that only it uses: a set of possible values per key, one value as long as all
 * goes well. An -UNKNOWN write, or one whose reply was lost with its connection, adds what it would have made; any
 * other error reply means that nothing happened; an acknowledged write leaves one value. Reads must show a possible
 * value.
 *
 * A lost connection ends the use of its keys (what was under way may take effect later): model_retire keeps their
 * possible values for model_verify_retired and gives the keys new names. */
enum { MODEL_KEYS = 8 };

struct model;

enum model_op_type { MODEL_GET, MODEL_SET, MODEL_INCR };
struct model_op {
    enum model_op_type type;
    unsigned key; /* < MODEL_KEYS */
    long long value; /* SET: what is set */
};

struct model *model_new(const char *prefix);
void model_free(struct model *m);
/* Appends the request of `op` to `out`; returns its length. */
size_t model_request(const struct model *m, const struct model_op *op, char *out, size_t size);
/* The reply to `op`, in the order of the pipeline; false: it can't be right (*why says). */
bool model_reply(struct model *m, const struct model_op *op, const char *reply, const char **why);
/* The reply to `op` is lost. */
void model_lost(struct model *m, const struct model_op *op);
void model_retire(struct model *m);
/* Reads all keys, retired ones too, over `w`: each value must be a possible one. Returns how many are not, and names them
 * in the test's report. */
size_t model_verify(const struct model *m, struct wire *w);

#endif
