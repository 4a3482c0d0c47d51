#define _DEFAULT_SOURCE /* madvise */

#include "sim.h"

#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "cells.h"
#include "check/check.h"
#include "node/rows.h"
#include "script.h"

/* coracle-sim: whole clusters on virtual time, network and disk. Same seed, same run, same trace hash. */

struct run_options {
    uint64_t first_seed;
    uint64_t seed_count;
    const char *profile;
    bool is_verbose;
    uint64_t seconds;
    const char *counts_file;
    const char *history_file;
    const char *record_file;
    const char *script_file;
    const char *set[64]; /* --set field=value */
    size_t set_count;
    bool prints_plan;
};

static struct {
    struct sim *sim;
    const char *profile;
    const struct run_options *options;
} current; /* for the abort handler only */

static void print_failure(const struct sim *s, const char *profile)
{
    const struct run_options *options = current.options;
    const struct world *w = &s->world;
    uint64_t first = w->trace_count > WORLD_TRACE_LINES ? w->trace_count - WORLD_TRACE_LINES : 0;
    for (uint64_t i = first; i < w->trace_count; i++)
        printf("%s\n", w->trace[i % WORLD_TRACE_LINES]);
    printf("FAIL seed %llu profile %s: %s\n", (unsigned long long)s->seed, profile,
           w->failure ? w->failure : "I16 the process aborted");
    if (options && options->script_file)
        printf("replay: build/sim/coracle-sim --script %s --verbose", options->script_file);
    else
        printf("replay: build/sim/coracle-sim --seed %llu --profile %s --verbose", (unsigned long long)s->seed, profile);
    if (options && options->seconds)
        printf(" --seconds %llu", (unsigned long long)options->seconds);
    for (size_t i = 0; options && i < options->set_count; i++)
        printf(" --set %s", options->set[i]);
#ifdef CORACLE_MUTANTS
    if (mutant_active)
        printf(" --mutant %d", mutant_active);
#endif
    printf("\n");
    fflush(stdout);
}

static void on_abort(int number)
{
    (void)number;
    if (current.sim)
        print_failure(current.sim, current.profile);
    _exit(1);
}

static void after_event(void *ctx)
{
    struct sim *s = ctx;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct sim_host *h = &s->host[i];
        if (h->calls_left == 1 && h->node) {
            world_count("process ended inside a step");
            host_stop(h, HOST_KILL);
            h->calls_left = 0;
        }
        if (h->fatal_reason)
            cells_look(s, i);
        if (!h->fatal_reason || (s->churn && churn_on_fatal(s, i)))
            continue;
        if (!h->fatal_expected)
            world_fail(&s->world, "I16 node %u stopped: %s", i, h->fatal_reason);
        bool power_fails_too = h->fatal_expected && world_chance(&s->world, 500000);
        host_stop(h, power_fails_too ? HOST_POWER_LOSS : HOST_KILL);
        h->fatal_reason = NULL;
        h->fatal_expected = false;
        sim_disk_fail_sync(h->disk, UINT64_MAX); /* of several faults that wait one has struck; the next life has a sound disk */
        sim_disk_fail_write(h->disk, UINT64_MAX, ERR_OK);
    }
    ghost_check(s->ghost);
    churn_poll(s);
}

static bool is_settled(const struct sim *s)
{
    raft_index applied = 0;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct node_status status;
        if (s->churn && !ghost_is_member(s->ghost, i))
            continue;
        if (!s->host[i].node)
            return false;
        node_get_status(s->host[i].node, &status);
        if (applied > 0 && status.applied != applied)
            return false;
        applied = status.applied;
    }
    return sim_clients_are_idle(s) && churn_is_idle(s) && !ghost_is_joint(s->ghost) && applied > 0;
}

static uint64_t sum_applied(const struct sim *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct node_status status;
        if (s->host[i].node) {
            node_get_status(s->host[i].node, &status);
            sum += status.applied;
        }
    }
    return sum;
}

static void fail_unsettled(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct node_status status;
        if (!s->host[i].node) {
            world_trace(&s->world, "node %u is down", i);
            continue;
        }
        node_get_status(s->host[i].node, &status);
        world_trace(&s->world, "node %u: role %d, term %llu, applied %llu, commit %llu, last %llu, session %llu %s, %llu writes and %llu reads pending",
                    i, (int)status.raft.role, (unsigned long long)status.raft.term, (unsigned long long)status.applied,
                    (unsigned long long)status.raft.commit, (unsigned long long)status.raft.last_index,
                    (unsigned long long)status.session_number, status.session_is_open ? "open" : "not open",
                    (unsigned long long)status.forwards_pending, (unsigned long long)status.reads_pending);
    }
    world_fail(&s->world, sim_clients_are_idle(s) ? "L4 nodes are still behind, and no nearer, 20 s after the last command"
                                               : "L3 commands are still pending 20 s after the last one was sent");
}

static size_t count_outcomes(const struct sim *s, enum history_outcome outcome)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->history.operation_count; i++)
        n += s->history.operation[i].outcome == outcome;
    return n;
}

/* No new faults: every command answered, all nodes equal, within a bound. */
static void run_liveness(struct sim *s)
{
    struct world *w = &s->world;
    faults_stop(s);
    world_run(w, w->now_us + 4000000, after_event, s);
    size_t before = count_outcomes(s, HISTORY_OK);
    world_run(w, w->now_us + 4000000, after_event, s);
    if (!w->failure && count_outcomes(s, HISTORY_OK) == before)
        world_fail(w, "L1 no command succeeded for 4 s after all faults ended");
    sim_clients_stop(s);
    /* Who is far behind may need longer, as long as it comes nearer. */
    uint64_t limit = w->now_us + 20000000;
    uint64_t last_applied = 0;
    while (!w->failure && w->now_us < limit && !is_settled(s)) {
        world_run(w, w->now_us + 100000, after_event, s);
        uint64_t applied = sum_applied(s);
        if (applied > last_applied + 20 && sim_clients_are_idle(s) && limit < w->now_us + 10000000)
            limit = w->now_us + 10000000;
        last_applied = applied;
    }
    if (!w->failure && !is_settled(s))
        fail_unsettled(s);
    if (!w->failure)
        ghost_finish(s->ghost);
    if (!w->failure)
        sim_clients_read_all(s);
}

void sim_build(struct sim *s, uint64_t seed, const struct sim_plan *plan, const struct command_table *table, bool is_verbose)
{
    memset(s, 0, sizeof *s);
    world_init(&s->world, seed);
    s->seed = seed;
    s->table = table;
    s->plan = *plan;
    if (is_verbose)
        s->world.trace_file = stdout;
    s->ghost = ghost_new(s);
    if (s->plan.spare_count || s->plan.change_every_us)
        churn_start(s);
    char list[1024] = "";
    for (uint32_t i = 0; i < s->plan.host_count - s->plan.spare_count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s127.0.0.1:%u", i ? "," : "", 7001 + i);
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        host_init(s, i, list);
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        host_start(&s->host[i]);
}

void sim_run(struct sim *s, uint64_t us)
{
    world_run(&s->world, s->world.now_us + us, after_event, s);
}

void sim_teardown(struct sim *s)
{
    s->is_quiet = true;
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        host_deinit(&s->host[i]);
    net_teardown(s);
    sim_clients_free(s);
    history_deinit(&s->history);
    churn_free(s->churn);
    faults_free(s);
    script_record_end(s);
    ghost_free(s->ghost);
    world_deinit(&s->world);
}

static void write_history(const struct sim *s, const char *name)
{
    FILE *out = fopen(name, "w");
    struct buf line = {0};
    for (uint32_t i = 0; out && i < s->history.operation_count; i++) {
        history_write_line(&s->history, i, &line);
        fwrite(buf_slice(&line).p, 1, buf_size(&line), out);
        buf_clear(&line, SIZE_MAX);
    }
    buf_deinit(&line);
    if (out)
        fclose(out);
}

/* The oracles that look from outside: zones, cycles, search (check/). */
static void check_histories(struct sim *s, const struct run_options *options)
{
    struct wgl_limits limits = {WGL_STATES_DEFAULT / 4};
    struct check_report report;
    if (options->history_file)
        write_history(s, options->history_file);
    check_history(&s->history, &limits, &report);
    world_count_many("histories: groups of keys judged", report.groups - report.inconclusive);
    world_count_many("histories: groups of keys undecided", report.inconclusive);
    world_count_many("histories: groups judged by zones", report.by_zones);
    world_count_many("histories: groups judged by cycles", report.by_cycles);
    world_count_many("histories: groups judged by search", report.by_search);
    if (report.is_violated)
        world_fail(&s->world, "I11 not linearizable: %s", report.text);
}

static bool run_seed(uint64_t seed, struct script *script, const struct run_options *options, const struct command_table *table)
{
    struct sim *s = mem_alloc_zero(sizeof *s);
    struct sim_plan plan = {0};
    const char *profile = script ? "script" : options->profile;
    if (script)
        plan = script->plan;
    else
        plan_of_seed(&plan, seed, profile);
    for (size_t i = 0; i < options->set_count; i++)
        plan_set(&plan, options->set[i]);
    if (options->seconds)
        plan.duration_us = options->seconds * 1000000;
    if (options->prints_plan)
        plan_print(&plan, stdout);
    current.sim = s;
    current.profile = profile;
    current.options = options;
    sim_build(s, seed, &plan, table, options->is_verbose);
    struct world *w = &s->world;
    if (options->record_file)
        script_record(s, options->record_file, profile);
    sim_clients_start(s);
    if (script)
        script_start(s, script);
    else
        faults_start(s);
    sim_run(s, s->plan.duration_us);
    if (!w->failure)
        run_liveness(s);
    if (!w->failure)
        check_histories(s, options);
    bool is_ok = !w->failure;
    world_count("histories");
    world_count_many("simulated seconds", (unsigned long)(w->now_us / 1000000));
    if (ghost_changes_under_load(s->ghost) > 0)
        world_count("histories with a leader change under load");
    if (!is_ok)
        print_failure(s, profile);
    else if (options->seed_count == 1)
        printf("seed %llu: %u nodes, %llu events, %zu commands done, %zu not done, %zu unknown, %llu leader changes, hash %016llx\n",
               (unsigned long long)seed, s->plan.host_count, (unsigned long long)w->events_run,
               count_outcomes(s, HISTORY_OK), count_outcomes(s, HISTORY_FAIL), count_outcomes(s, HISTORY_UNKNOWN), (unsigned long long)ghost_leader_changes(s->ghost),
               (unsigned long long)w->trace_hash);
    sim_teardown(s);
    current.sim = NULL;
    mem_free(s);
    return is_ok;
}

#ifdef CORACLE_COVER
static void print_mark(void *ctx, const struct cover_mark *mark)
{
    fprintf(ctx, "%s\t%lu\n", mark->name, mark->hits);
}
#endif

static void write_counts(const char *name)
{
    FILE *out = fopen(name, "w");
    if (!out)
        return;
    world_print_counts(out);
    cells_print(out);
#ifdef CORACLE_COVER
    cover_for_each(print_mark, out);
#endif
    fclose(out);
}

static void usage(void)
{
    printf("usage: coracle-sim [--seed N] [--seeds COUNT] [--profile P] [--seconds N] [--mutant K] [--verbose]\n"
           "                   [--plan] [--set FIELD=VALUE]... [--history FILE] [--counts FILE] [--record SCRIPT]\n"
           "       coracle-sim --script SCRIPT [...]\n"
           "       coracle-sim --scenario NAME|all\n"
           "P: ");
    plan_print_profiles(stdout);
    printf("\n--plan prints what the seed drew; --set changes a field of it; --history writes what clients saw (docs/HISTORY.md).\n"
           "--record writes down what struck when; --script plays that, or what you write (docs/TESTING.md).\n");
}

/* Simulated disks come and go by the megabyte: their memory is kept, in huge pages where there are some. The kernel's work for
 * small ones was a third of the time. */
static void keep_memory(void)
{
    const size_t enough = (size_t)256 << 20;
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 64 << 20);
    void *p = malloc(enough);
    if (!p)
        return;
    const uintptr_t huge = (uintptr_t)2 << 20;
    const uintptr_t from = ((uintptr_t)p + huge - 1) / huge * huge;
    madvise((void *)from, ((uintptr_t)p + enough - from) / huge * huge, MADV_HUGEPAGE); /* no harm where there are none */
    free(p);
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"seed", required_argument, NULL, 's'},    {"seeds", required_argument, NULL, 'n'},
        {"profile", required_argument, NULL, 'p'}, {"seconds", required_argument, NULL, 't'},
        {"mutant", required_argument, NULL, 'm'},  {"verbose", no_argument, NULL, 'v'},
        {"counts", required_argument, NULL, 'o'},
        {"history", required_argument, NULL, 'H'},
        {"record", required_argument, NULL, 'r'},
        {"script", required_argument, NULL, 'x'},
        {"set", required_argument, NULL, 'S'},
        {"plan", no_argument, NULL, 'P'},
        {"scenario", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct run_options options = {.first_seed = 1, .seed_count = 1, .profile = "swarm"};
    const char *scenario = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 's': options.first_seed = strtoull(optarg, NULL, 0); break;
        case 'n': options.seed_count = strtoull(optarg, NULL, 0); break;
        case 'p': options.profile = optarg; break;
        case 't': options.seconds = strtoull(optarg, NULL, 0); break;
        case 'v': options.is_verbose = true; break;
        case 'o': options.counts_file = optarg; break;
        case 'P': options.prints_plan = true; break;
        case 'S':
            if (options.set_count == 64 || !plan_set(&(struct sim_plan){0}, optarg)) {
                fprintf(stderr, "coracle-sim: --set %s: no such field (see --plan)\n", optarg);
                return 2;
            }
            options.set[options.set_count++] = optarg;
            break;
        case 'H': options.history_file = optarg; break;
        case 'r': options.record_file = optarg; break;
        case 'x': options.script_file = optarg; break;
        case 'c': scenario = optarg; break;
        case 'm':
#ifdef CORACLE_MUTANTS
            mutant_active = atoi(optarg);
#endif
            break;
        default: usage(); return c == 'h' ? 0 : 2;
        }
    }
    if (!plan_of_seed(&(struct sim_plan){0}, 1, options.profile)) {
        fprintf(stderr, "coracle-sim: there is no profile %s\n", options.profile);
        usage();
        return 2;
    }
    signal(SIGABRT, on_abort);
    keep_memory();
    struct command_family family[ROWS_FAMILY_COUNT];
    size_t family_count = rows_all(family);
    struct command_table *commands = command_table_new(family, family_count);
    uint64_t failed = 0;
    if (scenario) {
        failed = (uint64_t)scenarios_run(strcmp(scenario, "all") == 0 ? "" : scenario, commands, options.is_verbose);
        command_table_free(commands);
        return failed ? 1 : 0;
    }
    struct script script;
    if (options.script_file && !script_read(options.script_file, &script)) {
        command_table_free(commands);
        return 2;
    }
    if (options.script_file) {
        failed += !run_seed(script.seed, &script, &options, commands);
        script_deinit(&script);
    }
    for (uint64_t i = 0; !options.script_file && i < options.seed_count && failed == 0; i++)
        failed += !run_seed(options.first_seed + i, NULL, &options, commands);
    if (options.counts_file)
        write_counts(options.counts_file);
    if (options.seed_count > 1 && !options.script_file) {
        printf("%s sim: seeds %llu to %llu, profile %s\n", failed ? "FAIL" : "ok", (unsigned long long)options.first_seed,
               (unsigned long long)(options.first_seed + options.seed_count - 1), options.profile);
    }
    command_table_free(commands);
    return failed ? 1 : 0;
}
