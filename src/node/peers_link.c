#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/mutant.h"
#include "keyspace/used_ids.h"
#include "node/node_internal.h"

/* A handshake is done: is this node wanted, and what does the link mean? */

#define BACKOFF_REFUSED_US 500000
#define FAULT_LOG_US 10000000

#define REASON_BYTES 256
#define SENTENCE_BYTES 400

/* What is wrong with the peer whatever the link; NULL: nothing. */
static const char *hello_fault(struct node *n, const struct peer_hello *theirs, char *reason)
{
    uint64_t mine = n->identity.cluster_id;
    if (theirs->format != PEER_FORMAT) {
        snprintf(reason, REASON_BYTES, "it speaks peer format %u, this node %u", (unsigned)theirs->format, PEER_FORMAT);
        return reason;
    }
    if (theirs->cluster_id != 0 && mine != 0 && theirs->cluster_id != mine) {
        snprintf(reason, REASON_BYTES, "%.100s belongs to another cluster", theirs->address);
        return reason;
    }
    if (theirs->id == n->identity.node_id) {
        snprintf(reason, REASON_BYTES, "it has this node's own id: it is this node, or a copy of its data directory");
        return reason;
    }
    if (theirs->expected_id != 0 && theirs->expected_id != n->identity.node_id) {
        if (theirs->cluster_id != 0)
            formation_missed(n, theirs->address);
        snprintf(reason,
                 REASON_BYTES,
                 "node %016llx is not here, node %016llx is; if the disk is new: RAFT REPLACE %.100s",
                 (unsigned long long)theirs->expected_id,
                 (unsigned long long)n->identity.node_id,
                 n->formation.own_address);
        return reason;
    }
    return NULL;
}

/* The peer an inbound link belongs to, or NULL and why not. `*is_early`: it will be taken in a moment, nobody has to do anything. */
static struct peer *inbound_peer(struct node *n, const struct peer_hello *theirs, char *reason, bool *is_early)
{
    struct peer *p = peers_find(n, theirs->id);
    if (node_is_blank(n)) {
        /* By the list, or because somebody named this very node to be taken in. */
        bool same_list = n->formation.probe_count == 0 || theirs->list_hash == n->formation.list_hash;
        bool is_meant = same_list || theirs->expected_id == n->identity.node_id;
        if (theirs->role == LINK_CONTROL && theirs->cluster_id != 0 && is_meant && !n->formation.is_forming)
            return peers_add(n, theirs->id, theirs->address);
        *is_early = is_meant && theirs->cluster_id != 0;
        if (*is_early) {
            snprintf(reason, REASON_BYTES, "this node is only just joining the cluster");
            return NULL;
        }
        snprintf(reason,
                 REASON_BYTES,
                 "this node is blank%s; if its disk is new: RAFT REPLACE %.100s",
                 same_list ? "" : " and was given another --cluster list",
                 n->formation.own_address);
        return NULL;
    }
    if (theirs->cluster_id == 0) {
        snprintf(reason, REASON_BYTES, "a blank node has nothing to say here yet");
        return NULL;
    }
    /* Not in this node's configuration: it may be a newer member, this node may lag or be damaged (E16, J1). Raft knows what
     * to answer. */
    if (!p)
        p = peers_add(n, theirs->id, theirs->address);
    if (!p)
        snprintf(reason, REASON_BYTES, "this node has too many links");
    return p;
}

/* A node that was a member and is none: it may not know (E15; a learner never asks for votes and would never learn). */
static void tell_removed(struct node *n, const struct peer *p)
{
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    if (p->is_member || conf->is_joint || index > n->apply.applied || raft_conf_find(conf, p->id) ||
        !used_ids_contain(n->keyspace, p->id))
        return;
    struct raft_message message = {.type = RAFT_REMOVED, .term = n->driver.status.term, .to = p->id, .u.removed.conf_index = index};
    COVER("peers: a removed member calls and is told so");
    peers_send_raft(n, &message);
}

static void link_is_up(struct node *n, struct peer *p, int which, const struct peer_hello *theirs)
{
    struct peer_link *l = &p->link[which];
    l->is_up = true;
    l->backoff_us = 0;
    p->fault_us = 0;
    if (theirs->incarnation != p->incarnation) {
        p->last_theirs = p->bulk_theirs = 0; /* It counts its links anew. */
        /* What is under way on the other link is of its former life: an acknowledgement of what that had on its disk may be one of what a
         * damaged disk has lost since, and Raft forgets those only with the bulk link (replication.c may_have_lost). */
        const int other = which == PEER_CONTROL ? PEER_BULK : PEER_CONTROL;
        if (p->link[other].is_up && !MUT(55))
            peers_hang_up(n, p, other, "its node was started again");
    }
    p->incarnation = theirs->incarnation;
    snprintf(p->announced, sizeof p->announced, "%s", theirs->address);
    p->heard_us = n->now_us;
    log_line(&n->env.log, LOG_NOTICE, "The %s link to %s is up.", peers_link_name(which), p->address);
    if (node_is_blank(n))
        return;
    if (which == PEER_CONTROL) {
        l->retry_us = n->now_us;
        if (theirs->cluster_id == 0)
            peers_mark_blank(n, p);
        else
            p->is_blank = false;
        tell_removed(n, p);
        return;
    }
    p->bulk_sent = p->bulk_received = p->bulk_pending = p->acked = p->offered = 0;
    p->bulk_number++;
    p->is_full = false;
    if (p->bulk_theirs != 0)
        p->last_theirs = p->bulk_theirs;
    p->bulk_theirs = 0;
    p->progress_us = p->in_progress_us = n->now_us;
    peers_report_bulk(n, p, p->is_starved);
    if (p->id == n->driver.status.leader)
        n->session.told_term = 0;
    forward_tell(n, p->id);
}

/* Each sentence every ten seconds at most: who is refused calls again and again, and so may several at a time. */
static void log_stranger(struct node *n, const char *sentence)
{
    static const struct siphash_key key = {{'s', 't', 'r', 'a', 'n', 'g', 'e', 'r'}};
    uint64_t hash = siphash64(&key, sentence, strlen(sentence));
    struct peer_news *oldest = &n->peers.news[0];
    for (size_t i = 0; i < PEER_NEWS; i++) {
        struct peer_news *at = &n->peers.news[i];
        if (at->hash == hash && at->us != 0 && n->now_us - at->us < FAULT_LOG_US)
            return;
        if (at->us < oldest->us)
            oldest = at;
    }
    *oldest = (struct peer_news){hash, n->now_us > 0 ? n->now_us : 1};
    log_line(&n->env.log, LOG_WARNING, "%s", sentence);
}

static void log_refusal(struct node *n, const struct peer_hello *theirs, const char *reason, bool is_early)
{
    char sentence[SENTENCE_BYTES];
    const char *who = theirs->address[0] != '\0' ? theirs->address : "a node without an address";
    snprintf(sentence, sizeof sentence, "A link from %.100s was refused: %.256s.", who, reason);
    if (is_early)
        log_line(&n->env.log, LOG_VERBOSE, "%s", sentence);
    else
        log_stranger(n, sentence);
}

/* A blank node, not named in the configuration, at the address of one that is. */
static void warn_of_new_disk(struct node *n, const struct peer_hello *theirs)
{
    for (uint32_t i = 0; i < n->peers.count; i++) {
        const struct peer *p = &n->peers.peer[i];
        char sentence[SENTENCE_BYTES];
        if (!p->is_member || peer_is_up(p, PEER_CONTROL) || strcmp(p->address, theirs->address) != 0)
            continue;
        snprintf(sentence,
                 sizeof sentence,
                 "The node at %.100s is blank, not the member that was there; if its disk is new: RAFT REPLACE %.100s.",
                 p->address,
                 p->address);
        log_stranger(n, sentence);
    }
}

static bool probe_up(struct node *n, link_id *id, bool is_inbound, const struct peer_hello *theirs)
{
    if (!is_inbound)
        return formation_probe_up(n, *id, theirs) || membership_call_up(n, *id, theirs) || join_probe_up(n, *id, theirs);
    *id = ++n->peers.last_link; /* The prober has its answer in our hello and will close, unless it wants to join. */
    if (theirs->cluster_id == 0)
        join_note_caller(n, *id, theirs);
    struct peer *p = node_is_blank(n) ? NULL : peers_find(n, theirs->id);
    if (p && p->is_member && theirs->cluster_id == 0)
        peers_mark_blank(n, p);
    else if (!node_is_blank(n) && theirs->cluster_id == 0)
        warn_of_new_disk(n, theirs);
    return true;
}

static bool outbound_up(struct node *n, link_id id, const struct peer_hello *theirs, char *reason)
{
    int which;
    struct peer *p = peers_find_link(n, id, &which);
    if (!p) {
        snprintf(reason, REASON_BYTES, "not wanted any more");
        return false;
    }
    const char *fault = hello_fault(n, theirs, reason);
    if (!fault && theirs->id != p->id) {
        snprintf(reason, REASON_BYTES, "node %016llx answers at this address instead", (unsigned long long)theirs->id);
        fault = reason;
    }
    /* It is who it should be, so not wiped: it gets the configuration on the control link. */
    bool is_early = !fault && theirs->cluster_id == 0 && which == PEER_BULK;
    if (is_early) {
        snprintf(reason, REASON_BYTES, "it is only just joining the cluster");
        fault = reason;
    }
    if (fault) {
        if (is_early) {
            log_line(&n->env.log, LOG_VERBOSE, "The bulk link to %s is not used yet: %s.", p->address, fault);
        } else if (p->fault_us == 0 || n->now_us - p->fault_us >= FAULT_LOG_US) {
            p->fault_us = n->now_us;
            log_line(&n->env.log, LOG_WARNING, "The link to %s is not used: %s.", p->address, fault);
        }
        peers_link_lost(n, p, which);
        p->link[which].retry_us = n->now_us + BACKOFF_REFUSED_US;
        return false;
    }
    link_is_up(n, p, which, theirs);
    return true;
}

bool peers_link_up(struct node *n, link_id *id, bool is_inbound, const struct peer_hello *theirs, char *reason)
{
    if (theirs->role == LINK_PROBE)
        return probe_up(n, id, is_inbound, theirs);
    if (!is_inbound)
        return outbound_up(n, *id, theirs, reason);
    bool is_early = false;
    struct peer *p = hello_fault(n, theirs, reason) ? NULL : inbound_peer(n, theirs, reason, &is_early);
    if (!p) {
        log_refusal(n, theirs, reason, is_early);
        return false;
    }
    int which = theirs->role == LINK_CONTROL ? PEER_CONTROL : PEER_BULK;
    if (p->link[which].is_up && theirs->incarnation < p->incarnation) {
        snprintf(reason, REASON_BYTES, "a newer incarnation of this node is connected");
        log_refusal(n, theirs, reason, false);
        return false;
    }
    if (p->link[which].id != 0) {
        COVER("peers: a newer link replaces the older");
        peers_hang_up(n, p, which, NULL);
    }
    *id = ++n->peers.last_link;
    p->link[which].id = *id;
    link_is_up(n, p, which, theirs);
    return true;
}
