#include "node/stages.h"

#include "base/assert.h"

static const uint32_t bound_us[STAGE_BUCKETS - 1] = {50,    100,   250,    500,    1000,   2500,    5000,   10000,
                                                     25000, 50000, 100000, 250000, 500000, 1000000, 5000000};

const char *stage_name(enum stage stage)
{
    static const char *const name[] = {"queue", "fsync", "replication", "apply"};
    ASSERT(stage < STAGES);
    return name[stage];
}

uint64_t stage_bound_us(unsigned bucket)
{
    return bucket < STAGE_BUCKETS - 1 ? bound_us[bucket] : UINT64_MAX;
}

void stage_add(struct stages *s, enum stage stage, uint64_t us)
{
    struct stage_histogram *h = &s->histogram[stage];
    unsigned bucket = 0;
    while (us > stage_bound_us(bucket)) {
        bucket++;
    }
    h->bucket[bucket]++;
    h->count++;
    h->sum_us += us;
}

static uint64_t passed(struct stages *s, uint64_t now_us)
{
    uint64_t us = now_us > s->since_us ? now_us - s->since_us : 0;
    s->since_us = now_us;
    return us;
}

void stages_submitted(struct stages *s, uint64_t now_us)
{
    if (s->sample == SAMPLE_NONE) {
        s->sample = SAMPLE_QUEUED;
        s->since_us = now_us;
    }
}

void stages_proposed(struct stages *s, raft_index first, uint64_t now_us)
{
    if (s->sample == SAMPLE_QUEUED) {
        s->sample = SAMPLE_PROPOSED;
        s->index = first;
        stage_add(s, STAGE_QUEUE, passed(s, now_us));
    }
}

void stages_committed(struct stages *s, raft_index commit, uint64_t now_us)
{
    if (s->sample == SAMPLE_PROPOSED && commit >= s->index) {
        s->sample = SAMPLE_COMMITTED;
        stage_add(s, STAGE_REPLICATION, passed(s, now_us));
    }
}

void stages_applied(struct stages *s, raft_index applied, uint64_t now_us)
{
    if (s->sample == SAMPLE_COMMITTED && applied >= s->index) {
        s->sample = SAMPLE_NONE;
        stage_add(s, STAGE_APPLY, passed(s, now_us));
    }
}

void stages_forget(struct stages *s)
{
    s->sample = SAMPLE_NONE;
}
