#ifndef SIM_BLOCKING_H
#define SIM_BLOCKING_H

#include "client_internal.h"

/* Clients that wait for elements of lists (plan has_blocking); the essay is in blocking.c. */
void blocking_start(struct sim *s);
void blocking_free(struct sim *s);
void blocking_send(struct sim_client *c);
/* How a command of theirs ended; of other commands these take no notice. */
void blocking_unknown(struct sim_client *c, const struct pending *p);
void blocking_refused(struct sim_client *c, const struct pending *p);
void blocking_pushed(struct sim_client *c, const struct pending *p);
void blocking_popped(struct sim_client *c, const struct resp_value *v);
/* At the end, when nothing is under way: is everything accounted for? */
void blocking_finish(struct sim *s);

#endif
