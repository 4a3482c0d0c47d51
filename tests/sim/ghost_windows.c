#include "sim.h"

#include "node/node_internal.h"

/* The largest command of the simulated clients, and what a batch of small ones that fills a window may hold (client_commands.c). */
#define BIG_COMMAND_BYTES 400000u
#define COMMAND_BYTES 8192u

/* What is under way keeps within its window, but for the command that filled it. */
void ghost_check_windows(struct sim *s, uint32_t slot, const struct raft_status *status)
{
    const struct options *o = &s->host[slot].options;
    const uint64_t one = s->plan.has_big_values ? BIG_COMMAND_BYTES : COMMAND_BYTES;
    const uint64_t forward_bytes = s->host[slot].node->session.window_bytes;
    if (forward_bytes > (uint64_t)o->forward_window_bytes + one)
        world_fail(&s->world, "I14 node %u has %llu bytes of commands under way", slot, (unsigned long long)forward_bytes);
    /* Where nothing is uncommitted a batch is taken whatever its size: the windows of all nodes may come in one. A new leader takes over
     * what it does not know to be committed, after a restart its whole log. */
    const bool has_own = status->role == RAFT_LEADER && status->commit >= status->term_start;
    if (has_own && status->uncommitted_bytes > (uint64_t)o->uncommitted_bytes + s->plan.host_count * ((uint64_t)o->forward_window_bytes + one))
        world_fail(&s->world, "I14 node %u has %llu bytes of entries uncommitted", slot, (unsigned long long)status->uncommitted_bytes);
    if (s->plan.window_bytes > 0 && forward_bytes >= s->plan.window_bytes)
        world_count("a node's window is full");
    if (s->plan.window_bytes > 0 && status->uncommitted_bytes >= s->plan.window_bytes)
        world_count("a leader's uncommitted entries fill their window");
}
