#include "node/pace.h"

void pace_begin_turn(struct pace *p, uint64_t now_us)
{
    p->turn_us = now_us;
}

void pace_end_turn(struct pace *p, uint64_t now_us)
{
    if (p->turn_us == 0)
        return;
    uint64_t took_us = now_us - p->turn_us;
    p->turn_us = 0;
    p->turns++;
    p->turns_slow += took_us > PACE_SLOW_TURN_US;
    if (took_us > p->turn_longest_us)
        p->turn_longest_us = took_us;
}

void pace_heartbeat(struct pace *p, raft_id leader, uint64_t now_us)
{
    uint64_t gap_us = now_us - p->heartbeat_us;
    if (p->leader == leader && p->heartbeat_us != 0 && gap_us > p->heartbeat_gap_us)
        p->heartbeat_gap_us = gap_us;
    p->leader = leader;
    p->heartbeat_us = now_us;
}

void pace_reset(struct pace *p)
{
    *p = (struct pace){.turn_us = p->turn_us, .leader = p->leader, .heartbeat_us = p->heartbeat_us};
}
