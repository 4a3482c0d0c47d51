#include "node/command_stats.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* A table by the row's address (rows are constants), and a short list of error codes. A histogram has eight buckets per power of two,
 * so its figures are at most an eighth too high: good enough for p50, p99 and p99.9 at 1.3 KiB per command used.
 *
 * Codes come from our own error texts, but some carry what a client sent: beyond ERROR_CODES_MAX different ones nothing new is
 * counted by name (Redis stops there too). */

#define ERROR_CODES_MAX 128
#define ERROR_CODE_BYTES 32

struct error_stat {
    char code[ERROR_CODE_BYTES];
    uint64_t count;
};

struct command_stats {
    struct command_stat *place; /* open addressing, at most half full */
    size_t mask;
    size_t used;
    struct error_stat error[ERROR_CODES_MAX];
    size_t error_count;
};

struct command_stats *command_stats_new(void)
{
    struct command_stats *s = mem_alloc_zero(sizeof *s);

    s->mask = 127;
    s->place = mem_alloc_zero((s->mask + 1) * sizeof *s->place);
    return s;
}

void command_stats_reset(struct command_stats *s)
{
    for (size_t i = 0; i <= s->mask; i++) {
        mem_free(s->place[i].histogram);
        s->place[i] = (struct command_stat){.row = s->place[i].row};
    }
    s->error_count = 0;
}

void command_stats_free(struct command_stats *s)
{
    if (!s) {
        return;
    }
    command_stats_reset(s);
    mem_free(s->place);
    mem_free(s);
}

/* --- the table -------------------------------------------------------------------------------- */

static size_t place_of(const struct command_stat *place, size_t mask, const struct command_row *row)
{
    size_t i = ((uintptr_t)row / sizeof *row * 0x9E3779B1u) & mask;

    while (place[i].row && place[i].row != row) {
        i = (i + 1) & mask;
    }
    return i;
}

static void stats_grow(struct command_stats *s)
{
    size_t mask = 2 * s->mask + 1;
    struct command_stat *place = mem_alloc_zero((mask + 1) * sizeof *place);

    for (size_t i = 0; i <= s->mask; i++) {
        if (s->place[i].row) {
            place[place_of(place, mask, s->place[i].row)] = s->place[i];
        }
    }
    mem_free(s->place);
    s->place = place;
    s->mask = mask;
}

static struct command_stat *stats_of(struct command_stats *s, const struct command_row *row)
{
    size_t i = place_of(s->place, s->mask, row);

    if (!s->place[i].row) {
        if (2 * (s->used + 1) > s->mask) {
            stats_grow(s);
            i = place_of(s->place, s->mask, row);
        }
        s->place[i].row = row;
        s->used++;
    }
    return &s->place[i];
}

const struct command_stat *command_stats_find(const struct command_stats *s, const struct command_row *row)
{
    const struct command_stat *stat = &s->place[place_of(s->place, s->mask, row)];

    return stat->row && (stat->calls > 0 || stat->rejected > 0) ? stat : NULL;
}

/* --- histograms ------------------------------------------------------------------------------- */

/* Values up to 16 have their own bucket; above, eight per power of two. */
static size_t bucket_of(uint64_t usec)
{
    unsigned power = 0;

    if (usec < 16) {
        return (size_t)usec;
    }
    for (uint64_t v = usec; v >= 16; v >>= 1) {
        power++;
    }
    size_t bucket = 8 + 8 * (size_t)power + (size_t)((usec >> power) - 8);
    return bucket < COMMAND_STATS_BUCKETS ? bucket : COMMAND_STATS_BUCKETS - 1;
}

/* The largest value that falls into it. */
static uint64_t bucket_bound(size_t bucket)
{
    if (bucket < 16) {
        return bucket;
    }
    size_t power = bucket / 8 - 1;

    return ((uint64_t)(bucket % 8 + 9) << power) - 1;
}

double command_stats_percentile(const struct command_stat *stat, double percent)
{
    double wanted = (double)stat->timed * percent / 100;
    uint64_t seen = 0;

    for (size_t i = 0; stat->histogram && i < COMMAND_STATS_BUCKETS; i++) {
        seen += stat->histogram[i];
        if (seen > 0 && (double)seen >= wanted) {
            return (double)bucket_bound(i);
        }
    }
    return 0;
}

uint64_t command_stats_up_to(const struct command_stat *stat, unsigned power)
{
    uint64_t seen = 0;

    for (size_t i = 0; stat->histogram && i < COMMAND_STATS_BUCKETS && bucket_bound(i) <= (uint64_t)1 << power; i++) {
        seen += stat->histogram[i];
    }
    return seen;
}

/* --- counting --------------------------------------------------------------------------------- */

struct command_stat *
command_stats_call(struct command_stats *s, const struct command_row *row, uint64_t usec, bool has_failed)
{
    struct command_stat *stat = stats_of(s, row);

    stat->calls++;
    stat->usec += usec;
    stat->failed += has_failed ? 1 : 0;
    return stat;
}

void command_stats_time(struct command_stat *stat, uint64_t usec)
{
    if (!stat->histogram) {
        stat->histogram = mem_alloc_zero(COMMAND_STATS_BUCKETS * sizeof *stat->histogram);
    }
    stat->timed++;
    stat->histogram[bucket_of(usec)]++;
}

void command_stats_nested(struct command_stats *s, const struct command_row *row, bool has_failed)
{
    struct command_stat *stat = stats_of(s, row);

    stat->calls++;
    stat->failed += has_failed ? 1 : 0;
}

void command_stats_rejected(struct command_stats *s, const struct command_row *row)
{
    stats_of(s, row)->rejected++;
}

void command_stats_error(struct command_stats *s, struct slice reply)
{
    size_t n = 1;
    char code[ERROR_CODE_BYTES] = "ERR";

    while (n < reply.n && n < sizeof code && reply.p[n] >= 'A' && reply.p[n] <= 'Z') {
        n++;
    }
    if (n > 1 && n < reply.n && reply.p[0] == '-' && reply.p[n] == ' ') {
        memcpy(code, reply.p + 1, n - 1);
        code[n - 1] = '\0';
    }
    for (size_t i = 0; i < s->error_count; i++) {
        if (strcmp(s->error[i].code, code) == 0) {
            s->error[i].count++;
            return;
        }
    }
    if (s->error_count < ERROR_CODES_MAX) {
        memcpy(s->error[s->error_count].code, code, sizeof code);
        s->error[s->error_count++].count = 1;
    }
}

/* --- INFO ------------------------------------------------------------------------------------- */

void command_stats_append_calls(const struct command_stats *s, const struct command_table *t, struct buf *out)
{
    for (size_t i = 0; i < command_table_count(t); i++) {
        const struct command_stat *stat = command_stats_find(s, command_table_at(t, i));

        if (stat) {
            buf_printf(out, "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu\r\n",
                       stat->row->name, (unsigned long long)stat->calls, (unsigned long long)stat->usec,
                       stat->calls > 0 ? (double)stat->usec / (double)stat->calls : 0, (unsigned long long)stat->rejected,
                       (unsigned long long)stat->failed);
        }
    }
}

void command_stats_append_latencies(
    const struct command_stats *s, const struct command_table *t, const struct percentiles *p, struct buf *out)
{
    for (size_t i = 0; i < command_table_count(t); i++) {
        const struct command_stat *stat = command_stats_find(s, command_table_at(t, i));

        if (stat && stat->histogram) {
            buf_printf(out, "latency_percentiles_usec_%s:", stat->row->name);
            for (size_t k = 0; k < p->count; k++) {
                buf_printf(out, "%sp%.10g=%.3f", k > 0 ? "," : "", p->value[k], command_stats_percentile(stat, p->value[k]));
            }
            buf_append(out, "\r\n", 2);
        }
    }
}

void command_stats_append_errors(const struct command_stats *s, struct buf *out)
{
    for (size_t i = 0; i < s->error_count; i++) {
        buf_printf(out, "errorstat_%s:count=%llu\r\n", s->error[i].code, (unsigned long long)s->error[i].count);
    }
}
