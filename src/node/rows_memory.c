#include "node/rows.h"

#include <stdio.h>

#include "base/mem.h"
#include "node/client_internal.h"

/* MEMORY but for USAGE (commands/cmd_object.c): what the process knows about its memory. Fields of Redis that would be
 * guesses here (its allocator's arenas, per-purpose buffers) are left out rather than filled in. */

/* Below this much DOCTOR has nothing to look at, as in Redis. */
#define DOCTOR_MIN_BYTES 5242880u

struct memory_view {
    uint64_t used;
    uint64_t peak;
    uint64_t resident;
    uint64_t data;
    uint64_t keys;
};

static struct memory_view memory_look(struct client *c)
{
    const struct node_env *env = node_environment(c->node);
    const struct keyspace *k = node_keyspace(c->node);
    struct process_info process = {0};
    struct memory_view m = {.used = mem_used(), .data = keyspace_memory(k)};

    if (env->process_info) {
        env->process_info(env->ctx, &process);
    }
    m.resident = process.resident_bytes;
    m.peak = clients_memory_peak(c->clients);
    m.peak = m.peak > m.used ? m.peak : m.used;
    m.keys = keyspace_count_all(k);
    return m;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void pair_bytes(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int(reply, (int64_t)value);
}

static void pair_double(struct reply *reply, const char *name, double value)
{
    reply_bulk_cstr(reply, name);
    reply_double(reply, value);
}

static void row_memory_stats(struct client *c, const struct command *command, struct reply *reply)
{
    struct memory_view m = memory_look(c);
    uint64_t data = m.data < m.used ? m.data : m.used;
    uint64_t overhead = m.used - data;
    int64_t fragmented = (int64_t)m.resident - (int64_t)m.used;

    (void)command;
    reply_map(reply, 10);
    pair_bytes(reply, "peak.allocated", m.peak);
    pair_bytes(reply, "total.allocated", m.used);
    pair_bytes(reply, "overhead.total", overhead);
    pair_bytes(reply, "keys.count", m.keys);
    pair_bytes(reply, "keys.bytes-per-key", m.keys ? data / m.keys : 0);
    pair_bytes(reply, "dataset.bytes", data);
    pair_double(reply, "dataset.percentage", percent(data, m.used));
    pair_double(reply, "peak.percentage", percent(m.used, m.peak));
    pair_double(reply, "fragmentation", m.used ? (double)m.resident / (double)m.used : 0.0);
    reply_bulk_cstr(reply, "fragmentation.bytes");
    reply_int(reply, fragmented);
}

static void row_memory_doctor(struct client *c, const struct command *command, struct reply *reply)
{
    struct memory_view m = memory_look(c);
    struct buf text = {0};
    bool had_peak = m.peak > m.used + m.used / 2;
    bool is_fragmented = m.resident > m.used + m.used / 2;

    (void)command;
    if (m.used < DOCTOR_MIN_BYTES) {
        buf_printf(&text, "This node holds very little data: there is nothing to diagnose yet.\n");
    } else if (!had_peak && !is_fragmented) {
        buf_printf(&text, "No problem was found in the memory of this node.\n");
    }
    if (m.used >= DOCTOR_MIN_BYTES && had_peak) {
        buf_printf(&text,
                   "Peak: this node once used %llu bytes and uses %llu now. Part of the difference may stay with the "
                   "process; it is used again when the data grows.\n",
                   (unsigned long long)m.peak, (unsigned long long)m.used);
    }
    if (m.used >= DOCTOR_MIN_BYTES && is_fragmented) {
        buf_printf(&text,
                   "Resident: the process holds %llu bytes for %llu in use. After a peak this is harmless; else many values "
                   "of changing sizes have left gaps, which a restart closes.\n",
                   (unsigned long long)m.resident, (unsigned long long)m.used);
    }
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static void row_memory_malloc_stats(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_bulk_cstr(reply, "Stats not supported for the current allocator");
}

/* The C library gives free memory back by itself; forcing it would stop the loop for as long as that takes. */
static void row_memory_purge(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_simple(reply, "OK");
}

static void row_memory_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {"MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                                       "DOCTOR",
                                       "    Return memory problems reports.",
                                       "MALLOC-STATS",
                                       "    Return internal statistics report from the memory allocator.",
                                       "PURGE",
                                       "    Attempt to purge dirty pages for reclamation by the allocator.",
                                       "STATS",
                                       "    Return information about the memory usage of the server.",
                                       "USAGE <key> [SAMPLES <count>]",
                                       "    Return memory in bytes used by <key> and its value. Nested values are",
                                       "    sampled up to <count> times (default: 5, 0 means sample all).",
                                       "HELP",
                                       "    Prints this help.",
                                       NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define MEMORY_ROW(row_name, row_flags, fn, text, cost, more)                                                         \
    {                                                                                                                 \
        .name = row_name, .kind = COMMAND_NODE, .arity = 2, .flags = row_flags, .run_local = fn, .group = "server",   \
        .acl_categories = "@slow", .summary = text, .since = "4.0.0", .complexity = cost, .arguments = "",            \
        .tips = more                                                                                                  \
    }
#define MEMORY_TIPS "nondeterministic_output request_policy:all_shards response_policy:special"

static const struct command_row memory_row[] = {
    MEMORY_ROW("memory|doctor", 0, row_memory_doctor, "Outputs memory problems report", "O(1)", MEMORY_TIPS),
    MEMORY_ROW("memory|help", COMMAND_LOADING | COMMAND_STALE, row_memory_help,
               "Show helpful text about the different subcommands", "O(1)", NULL),
    MEMORY_ROW("memory|malloc-stats", 0, row_memory_malloc_stats, "Show allocator internal stats",
               "Depends on how much memory is allocated, could be slow", MEMORY_TIPS),
    MEMORY_ROW("memory|purge", 0, row_memory_purge, "Ask the allocator to release memory",
               "Depends on how much memory is allocated, could be slow",
               "request_policy:all_shards response_policy:all_succeeded"),
    MEMORY_ROW("memory|stats", 0, row_memory_stats, "Show memory usage details", "O(1)", MEMORY_TIPS),
};
const struct command_family rows_memory = {memory_row, sizeof memory_row / sizeof memory_row[0]};
