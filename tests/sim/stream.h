#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim.h"

/* Connections of a run whose plan has a stream_window: bytes instead of whole messages. net.c asks these when that is so; the contracts are
 * those of its own functions. */
void stream_dial(struct sim_host *from, link_id id, const char *address, const struct peer_hello *mine);
/* False: no such link, or it isn't up. Else *to is the host it leads to. */
bool stream_send(struct sim_host *from, link_id id, const struct slice *part, size_t part_count, uint32_t *to);
void stream_hang_up(struct sim_host *from, link_id id, const char *reason);
size_t stream_unsent(struct sim_host *from, link_id id);
void stream_host_died(struct sim_host *h, bool was_power_loss);
void stream_teardown(void);

/* net.c: who answers at that address; NULL: nobody. */
struct sim_host *net_host_at(struct sim *s, const char *address);

#endif
