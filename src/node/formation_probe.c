#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/mem.h"
#include "node/node_internal.h"

/* The --cluster list, calling its nodes, and what to tell people while there is no cluster. */

#define PROBE_EVERY_US 200000
#define PROBE_BACKOFF_US 300000
#define PROBE_LINGER_US 50000
#define PROBE_FRESH_US 2000000
#define WIPED_AFTER_US 3000000

/* --- the list --- */

static int compare_probes(const void *a, const void *b)
{
    const struct probe *x = a;
    const struct probe *y = b;
    return strcmp(x->address, y->address);
}

static void list_finish(struct formation *f)
{
    qsort(f->probe, f->probe_count, sizeof f->probe[0], compare_probes);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->probe_count; i++)
        if (kept == 0 || strcmp(f->probe[kept - 1].address, f->probe[i].address) != 0)
            f->probe[kept++] = f->probe[i];
    f->probe_count = kept;
    struct buf text = {0};
    for (uint32_t i = 0; i < kept; i++)
        buf_append(&text, f->probe[i].address, strlen(f->probe[i].address) + 1);
    static const struct siphash_key key = {{'c', 'l', 'u', 's', 't', 'e', 'r', ' ', 'l', 'i', 's', 't', 0, 0, 0, 1}};
    struct slice all = buf_slice(&text);
    f->list_hash = kept > 0 ? siphash64(&key, all.p, all.n) : 0;
    buf_deinit(&text);
}

static bool list_parse(struct node *n)
{
    struct formation *f = &n->formation;
    struct slice rest = slice_from_cstr(n->options->cluster);
    while (rest.n > 0) {
        const uint8_t *comma = memchr(rest.p, ',', rest.n);
        struct slice item = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        rest = slice_skip(rest, comma ? item.n + 1 : item.n);
        if (f->probe_count == LIMIT_MEMBERS) {
            log_line(&n->env.log, LOG_WARNING, "--cluster lists more than %d nodes.", LIMIT_MEMBERS);
            return false;
        }
        struct probe *p = &f->probe[f->probe_count++];
        if (!address_normalise(item, n->options->port, p->address)) {
            log_line(&n->env.log, LOG_WARNING, "--cluster: \"%.*s\" is not host:port.", (int)item.n, (const char *)item.p);
            return false;
        }
    }
    list_finish(f);
    return true;
}

bool formation_init(struct node *n)
{
    struct formation *f = &n->formation;
    struct slice announce = slice_from_cstr(n->options->announce);
    f->log_us = n->now_us;
    if (announce.n > 0 && !address_normalise(announce, n->options->port, f->own_address)) {
        log_line(&n->env.log, LOG_WARNING, "--announce: \"%s\" is not host:port.", n->options->announce);
        return false;
    }
    if (!list_parse(n) || !join_init(n))
        return false;
    if (f->probe_count == 0 && announce.n == 0)
        snprintf(f->own_address, sizeof f->own_address, "127.0.0.1:%d", (int)n->options->port);
    bool is_listed = announce.n == 0 || f->probe_count == 0;
    for (uint32_t i = 0; i < f->probe_count; i++) {
        f->probe[i].is_self = announce.n > 0 && strcmp(f->probe[i].address, f->own_address) == 0;
        is_listed |= f->probe[i].is_self;
    }
    if (!is_listed && n->identity.cluster_id == 0) {
        log_line(&n->env.log, LOG_WARNING, "--announce %s is not one of the nodes in --cluster.", f->own_address);
        return false;
    }
    return true;
}

/* --- probes --- */

static struct probe *probe_find(struct formation *f, link_id id)
{
    for (uint32_t i = 0; i < f->probe_count; i++)
        if (f->probe[i].id == id)
            return &f->probe[i];
    return NULL;
}

static void probe_is_self(struct node *n, struct probe *p)
{
    struct formation *f = &n->formation;
    p->is_self = true;
    for (uint32_t i = 0; i < f->probe_count; i++) {
        struct probe *other = &f->probe[i];
        if (other == p || !other->is_self)
            continue;
        node_fatal(n, "Two addresses of --cluster, %s and %s, both lead to this node.", other->address, p->address);
        return;
    }
    if (f->own_address[0] == '\0')
        log_line(&n->env.log, LOG_NOTICE, "This node is %s in --cluster.", p->address);
    snprintf(f->own_address, sizeof f->own_address, "%s", p->address);
}

bool formation_probe_up(struct node *n, link_id id, const struct peer_hello *theirs)
{
    struct probe *p = probe_find(&n->formation, id);
    if (!p)
        return false;
    p->close_us = n->now_us + PROBE_LINGER_US;
    p->retry_us = n->now_us + PROBE_EVERY_US + prng_below(&n->prng, PROBE_EVERY_US);
    p->hello = *theirs;
    p->answered_us = n->now_us;
    if (theirs->id == n->identity.node_id && !p->is_self)
        probe_is_self(n, p);
    return true;
}

bool formation_probe_down(struct node *n, link_id id, const char *why)
{
    struct probe *p = probe_find(&n->formation, id);
    if (!p)
        return false;
    (void)why;
    p->id = 0;
    if (p->close_us != 0) {
        p->close_us = 0; /* It has answered; it only hung up first. */
        return true;
    }
    p->answered_us = 0;
    p->retry_us = n->now_us + PROBE_BACKOFF_US / 2 + prng_below(&n->prng, PROBE_BACKOFF_US);
    return true;
}

uint64_t formation_probe_tick(struct node *n, struct probe *p)
{
    if (p->id != 0 && p->close_us == 0)
        return NODE_NEVER;
    if (p->id != 0 && n->now_us < p->close_us)
        return p->close_us;
    if (p->id != 0) {
        n->env.hang_up(n->env.ctx, p->id, NULL);
        p->id = 0;
        p->close_us = 0;
    }
    if (p->is_self) /* Known, or by --announce: no need to call oneself. */
        return NODE_NEVER;
    if (n->now_us < p->retry_us)
        return p->retry_us;
    struct peer_hello mine;
    node_get_hello(n, LINK_PROBE, &mine);
    p->id = ++n->peers.last_link;
    p->close_us = 0;
    n->formation.is_probing = true;
    n->env.dial(n->env.ctx, p->id, p->address, &mine);
    return NODE_NEVER;
}

bool formation_probe_is_fresh(const struct node *n, const struct probe *p)
{
    return p->answered_us != 0 && n->now_us - p->answered_us <= PROBE_FRESH_US;
}

/* A listed node that is in a cluster, if any. */
const struct probe *formation_probe_in_cluster(const struct node *n)
{
    const struct formation *f = &n->formation;
    for (uint32_t i = 0; i < f->probe_count; i++)
        if (!f->probe[i].is_self && f->probe[i].answered_us != 0 && f->probe[i].hello.cluster_id != 0)
            return &f->probe[i];
    return NULL;
}

bool formation_looks_wiped(const struct node *n)
{
    return n->formation.formed_us != 0 && n->now_us - n->formation.formed_us > WIPED_AFTER_US && formation_probe_in_cluster(n);
}

/* --- what to tell --- */

static void append_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append_text(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, size - used, format, list);
    va_end(list);
}

const char *formation_trouble(struct node *n)
{
    struct formation *f = &n->formation;
    size_t size = sizeof n->trouble;
    n->trouble[0] = '\0';
    if (formation_is_missed(n) && f->probe_count == 0) {
        append_text(n->trouble,
                    size,
                    "%.100s belongs to a cluster and looks for another node here, and this node's data directory is blank; if its disk is "
                    "new, run RAFT REPLACE %.100s on a member",
                    f->missed_by,
                    f->own_address[0] ? f->own_address : "<this node's address>");
        return n->trouble;
    }
    if (!node_is_blank(n) || f->probe_count == 0)
        return NULL;
    const struct probe *formed = formation_probe_in_cluster(n);
    if (formation_looks_wiped(n)) {
        append_text(n->trouble,
                    size,
                    "%.100s belongs to a cluster already and this node's data directory is blank; if its disk is new, run RAFT "
                    "REPLACE %.100s on a member",
                    formed->address,
                    f->own_address[0] ? f->own_address : "<this node's address>");
        return n->trouble;
    }
    if (formed) {
        append_text(n->trouble, size, "waiting to be taken into the cluster by %.100s", formed->address);
        return n->trouble;
    }
    bool has_self = false;
    const char *gap = "waiting for ";
    for (uint32_t i = 0; i < f->probe_count; i++) {
        const struct probe *p = &f->probe[i];
        has_self |= p->is_self;
        if (p->is_self || (formation_probe_is_fresh(n, p) && (p->hello.cluster_id != 0 || p->hello.list_hash == f->list_hash)))
            continue;
        append_text(n->trouble,
                    size,
                    "%s%.100s%s",
                    gap,
                    p->address,
                    formation_probe_is_fresh(n, p) ? " (it was given another --cluster list)" : "");
        gap = ", ";
    }
    if (n->trouble[0] == '\0')
        append_text(n->trouble,
                    size,
                    "%s%.100s",
                    has_self ? "waiting for the cluster to be formed by " : "no address in --cluster leads to this node, ",
                    has_self ? f->probe[0].address : "give it --announce");
    return n->trouble;
}
