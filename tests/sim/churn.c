#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "trouble.h"

/* Membership churn: hosts beyond the founders start blank, some of them with --join; commands that add, remove, replace, promote, demote,
 * transfer and cancel go to random nodes at any time, and what they answer must be true. A removed node ends by itself; its
 * disk is wiped before it comes back, or, now and then, is not: then it must end again. */

#define ASKS 8
#define REPLY_MOST_US 60000000

struct churn_ask {
    struct sim_client *client; /* NULL: free */
    uint32_t slot;
    uint64_t asked_us;
    char line[160];
    uint32_t voter;            /* +OK: this host was a voter meanwhile; SIM_HOSTS: nothing of the kind */
    uint32_t stranger;         /* +OK: this host's former node was none */
    raft_id stranger_id;
};
struct churn {
    struct churn_ask ask[ASKS];
    uint64_t left_us[SIM_HOSTS]; /* since when a node runs that is no member any more; 0: it doesn't */
};

static struct churn *churn_new(void)
{
    return mem_alloc_zero(sizeof(struct churn));
}

void churn_free(struct churn *c)
{
    mem_free(c);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void ask_end(struct churn_ask *a)
{
    manual_close(a->client);
    a->client = NULL;
}

static bool begins(struct slice s, const char *word)
{
    return s.n >= strlen(word) && memcmp(s.p, word, strlen(word)) == 0;
}

static void ask_check(struct sim *s, struct churn_ask *a, struct slice out)
{
    static const char *const known[] = {"-ERR ", "-UNKNOWN ", "-CLUSTERDOWN "};
    bool is_known = begins(out, "+OK\r\n");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        is_known = is_known || begins(out, known[i]);
    world_count(begins(out, "+OK") ? "change: done" : begins(out, "-UNKNOWN") ? "change: unknown" : "change: not done");
    world_trace(&s->world, "node %u answers %s: %.*s", a->slot, a->line, out.n > 2 ? (int)out.n - 2 : 0, (const char *)out.p);
    if (!is_known)
        world_fail(&s->world, "I15 %s was answered %.*s", a->line, (int)out.n, (const char *)out.p);
    if (!begins(out, "+OK"))
        return;
    if (a->voter < SIM_HOSTS && !ghost_was_voter(s->ghost, a->voter, a->asked_us))
        world_fail(&s->world, "I8 %s was answered OK, but host %u did not become a voter", a->line, a->voter);
    if (a->stranger < SIM_HOSTS && !ghost_was_absent(s->ghost, a->stranger_id, a->asked_us))
        world_fail(&s->world, "I8 %s was answered OK, but the node is a member still", a->line);
}

void churn_poll(struct sim *s)
{
    for (int i = 0; s->churn && i < ASKS; i++) {
        struct churn_ask *a = &s->churn->ask[i];
        if (!a->client)
            continue;
        struct slice out = manual_output(a->client);
        if (out.n > 0 && out.p[out.n - 1] == '\n') {
            ask_check(s, a, out);
            ask_end(a);
        } else if (s->is_calm && s->world.now_us - a->asked_us > REPLY_MOST_US) {
            world_fail(&s->world, "L3 %s was not answered", a->line);
            ask_end(a);
        }
    }
}

bool churn_is_idle(const struct sim *s)
{
    for (int i = 0; s->churn && i < ASKS; i++)
        if (s->churn->ask[i].client)
            return false;
    return true;
}

void churn_host_died(struct sim *s, uint32_t slot)
{
    for (int i = 0; s->churn && i < ASKS; i++)
        if (s->churn->ask[i].client && s->churn->ask[i].slot == slot)
            ask_end(&s->churn->ask[i]);
}

/* --- commands ------------------------------------------------------------------------------------ */

static bool host_is_in_cluster(const struct sim_host *h)
{
    struct node_status status;
    if (!host_is_running(h) || h->fatal_reason)
        return false;
    node_get_status(h->node, &status);
    return !status.is_blank;
}

/* A random host; `is_member` as the ghost knows. SIM_HOSTS: none found. */
static uint32_t pick(struct sim *s, struct prng *p, bool is_member)
{
    for (int i = 0; i < 12; i++) {
        uint32_t slot = (uint32_t)prng_below(p, s->plan.host_count);
        if (ghost_is_member(s->ghost, slot) == is_member)
            return slot;
    }
    return SIM_HOSTS;
}

static void draw_command(struct sim *s, struct prng *p, char *line, size_t size)
{
    uint32_t in = pick(s, p, false);
    uint32_t out = pick(s, p, true);
    uint64_t dice = prng_below(p, 100);
    if (dice < 35 && in < SIM_HOSTS)
        snprintf(line, size, "RAFT ADD %s", s->host[in].address);
    else if (dice < 42 && in < SIM_HOSTS)
        snprintf(line, size, "RAFT ADD LEARNER %s", s->host[in].address);
    else if (dice < 60 && out < SIM_HOSTS)
        snprintf(line, size, "RAFT REMOVE %s", s->host[out].address);
    else if (dice < 70 && in < SIM_HOSTS && out < SIM_HOSTS)
        snprintf(line, size, "RAFT REPLACE %s %s", s->host[out].address, s->host[in].address);
    else if (dice < 78 && in < SIM_HOSTS && out < SIM_HOSTS)
        snprintf(line, size, "RAFT ADD %s REMOVE %s", s->host[in].address, s->host[out].address);
    else if (dice < 83 && out < SIM_HOSTS)
        snprintf(line, size, "RAFT DEMOTE %s", s->host[out].address);
    else if (dice < 89 && out < SIM_HOSTS)
        snprintf(line, size, "RAFT PROMOTE %s", s->host[out].address);
    else if (dice < 97 && out < SIM_HOSTS)
        snprintf(line, size, "RAFT TRANSFER %s", s->host[out].address);
    else
        snprintf(line, size, "RAFT CANCEL");
}

static struct churn_ask *free_ask(struct churn *c)
{
    for (int i = 0; i < ASKS; i++)
        if (!c->ask[i].client)
            return &c->ask[i];
    return NULL;
}

/* While the one node whose log is damaged (trouble.c) may not vote, nobody makes its vote the one that counts: an operator's mistake
 * that no cluster can undo. */
static bool is_one_damaged(const struct sim *s)
{
    struct node_status status;
    const struct sim_host *h = &s->host[s->seed % s->plan.host_count];
    if (!s->plan.log_damage_every_us)
        return false;
    if (!h->node)
        return true;
    node_get_status(h->node, &status);
    return status.raft.is_tainted && status.raft.role != RAFT_LEADER; /* who leads has votes, its own as well */
}

/* Nor does anybody leave so few voters that it may become the one that counts (trouble.c). */
static bool leaves_too_few(const struct sim *s, const char *line)
{
    bool is_fewer = strncmp(line, "RAFT REMOVE", 11) == 0 || strncmp(line, "RAFT DEMOTE", 11) == 0;
    return s->plan.log_damage_every_us && is_fewer && !trouble_has_voters(s, 4);
}

bool churn_draw(struct sim *s, struct prng *p, uint32_t *slot, char *line, size_t size)
{
    if (!free_ask(s->churn) || is_one_damaged(s))
        return false;
    draw_command(s, p, line, size);
    *slot = (uint32_t)prng_below(p, s->plan.host_count);
    return !leaves_too_few(s, line) && host_is_in_cluster(&s->host[*slot]);
}

/* The host whose address stands behind `word`; SIM_HOSTS: none does. */
static uint32_t host_behind(const struct sim *s, const char *line, const char *word)
{
    const char *at = strstr(line, word);
    for (uint32_t i = 0; at && i < s->plan.host_count; i++) {
        size_t n = strlen(s->host[i].address);
        if (strncmp(at + strlen(word), s->host[i].address, n) == 0 && strchr(" ", at[strlen(word) + n]))
            return i;
    }
    return SIM_HOSTS;
}

void churn_ask(struct sim *s, uint32_t slot, const char *line)
{
    struct churn_ask *a = s->churn ? free_ask(s->churn) : NULL;
    if (!a || !host_is_in_cluster(&s->host[slot]))
        return;
    world_count("change asked for");
    a->voter = host_behind(s, line, " ADD ");
    if (a->voter == SIM_HOSTS)
        a->voter = host_behind(s, line, " PROMOTE ");
    a->stranger = host_behind(s, line, " REMOVE ");
    if (a->stranger == SIM_HOSTS)
        a->stranger = host_behind(s, line, " REPLACE ");
    if (a->stranger < SIM_HOSTS)
        a->stranger_id = ghost_member_id(s->ghost, a->stranger);
    snprintf(a->line, sizeof a->line, "%s", line);
    a->slot = slot;
    a->asked_us = s->world.now_us;
    a->client = manual_open(s, slot);
    manual_say(a->client, a->line);
}

/* --- removed nodes ------------------------------------------------------------------------------- */

static void churn_return(struct world *w, void *ctx, uint64_t slot, uint64_t life)
{
    struct sim *s = ctx;
    struct sim_host *h = &s->host[slot];
    (void)w;
    if (h->node || h->life != life)
        return;
    host_start(h);
}

/* It was left out, and everybody it knew may be gone as well: then it can't learn that, and its operator must take it away. Or it was taken
 * in by a change that came to nothing, and nobody knows of it: at the end, when no change takes long any more, that is sure. */
static bool is_left_out(const struct sim *s, uint32_t slot)
{
    const struct sim_host *h = &s->host[slot];
    if (!h->node || h->fatal_reason)
        return false;
    bool is_forgotten = s->is_calm && node_raft(h->node) && !ghost_is_member(s->ghost, slot);
    return is_forgotten || ghost_has_left(s->ghost, slot);
}

#define ALONE_US 3000000
static void churn_take_away(struct sim *s, uint32_t slot)
{
    struct sim_host *h = &s->host[slot];
    if (!is_left_out(s, slot)) {
        s->churn->left_us[slot] = 0;
        return;
    }
    if (s->churn->left_us[slot] == 0)
        s->churn->left_us[slot] = s->world.now_us;
    if (s->world.now_us - s->churn->left_us[slot] < ALONE_US)
        return;
    s->churn->left_us[slot] = 0;
    world_count("removed node taken away by hand");
    host_stop(h, HOST_WIPE);
    host_set_newcomer(h);
    world_at(&s->world, world_exponential(&s->world, 300000), churn_return, s, slot, h->life);
}

static void churn_watch(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        churn_take_away(s, i);
    world_at(w, 100000, churn_watch, s, 0, 0);
}

void churn_start(struct sim *s)
{
    s->churn = churn_new();
    world_at(&s->world, 100000, churn_watch, s, 0, 0);
}

bool churn_on_fatal(struct sim *s, uint32_t slot)
{
    struct sim_host *h = &s->host[slot];
    if (!strstr(h->fatal_reason, "removed from the cluster") || ghost_is_member(s->ghost, slot))
        return false;
    world_count("removed node ends");
    bool is_wiped = s->is_calm || world_chance(&s->world, 700000);
    h->fatal_reason = NULL;
    host_stop(h, is_wiped ? HOST_WIPE : HOST_KILL);
    if (is_wiped) /* With the list of its first cluster it could form that one anew, with others like it. */
        host_set_newcomer(h);
    else
        world_count("removed node started again");
    world_at(&s->world, world_exponential(&s->world, 500000), churn_return, s, slot, h->life);
    return true;
}
