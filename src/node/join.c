#include "node/join.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Coming into a cluster that exists.
 *
 *   --join M: the blank node calls M (a probe link) and says JOIN once a second; M asks the leader for "ADD <caller's address>" like any
 *   asker (membership_ask.c) and answers what it knows. The leader calls back, and sends TAKE_IN over a control link: cluster
 *   id and hash seed. The node makes them durable, without any entry: it belongs to the cluster and knows nothing of it, not even its
 *   configuration, until the leader feeds it. By add-node the same happens without JOIN.
 *
 *   P1  TAKE_IN names the id it is meant for, and only a BLANK node that has nothing of its own on the way to the disk obeys.
 *   P2  A node that was given --join never forms a cluster of its own.
 *   P3  If it finds itself a learner for long after it came in by --join, its leader and whoever asked are gone: it asks by itself. */

#define JOIN_EVERY_US 1000000
#define JOIN_LINGER_US 1500000
#define JOIN_CARE_US 3000000

bool join_init(struct node *n)
{
    struct slice text = slice_from_cstr(n->options->join);
    if (text.n == 0)
        return true;
    if (!address_normalise(text, n->options->port, n->join.probe.address)) {
        log_line(&n->env.log, LOG_WARNING, "--join: \"%s\" is not host:port.", n->options->join);
        return false;
    }
    return true;
}

const char *join_trouble(const struct node *n)
{
    return n->join.said[0] ? n->join.said : "waiting for the node given with --join to answer";
}

/* --- messages on probe links --------------------------------------------------------------------- */

static void probe_send(struct node *n, link_id link, enum peer_kind kind)
{
    struct slice part = buf_slice(&n->peers.head);
    struct peer_envelope envelope = {.kind = kind};
    peer_envelope_encode(&envelope, n->peers.head.data + n->peers.head.start);
    n->env.send(n->env.ctx, link, &part, 1);
}

static void join_say(struct node *n, const char *sentence)
{
    struct join *j = &n->join;
    if (strcmp(j->said, sentence) == 0)
        return;
    snprintf(j->said, sizeof j->said, "%s", sentence);
    log_line(&n->env.log, LOG_NOTICE, "%s", sentence);
}

bool join_probe_up(struct node *n, link_id id, const struct peer_hello *theirs)
{
    struct join *j = &n->join;
    char sentence[sizeof j->said];
    if (j->probe.id != id || id == 0)
        return false;
    j->probe.close_us = n->now_us + JOIN_LINGER_US;
    j->probe.hello = *theirs;
    j->probe.answered_us = n->now_us;
    if (theirs->id == n->identity.node_id)
        join_say(n, "--join leads to this node itself; name another one.");
    else if (theirs->cluster_id == 0) {
        snprintf(sentence, sizeof sentence, "Joining: %.256s belongs to no cluster yet; asking again.", j->probe.address);
        join_say(n, sentence);
    } else {
        snprintf(sentence, sizeof sentence, "Joining: asking %.256s to be taken in.", j->probe.address);
        if (j->said[0] == '\0')
            join_say(n, sentence);
        (void)peers_begin(n);
        probe_send(n, id, PEER_JOIN);
    }
    return true;
}

bool join_link_down(struct node *n, link_id id)
{
    struct join *j = &n->join;
    if (id != 0 && j->probe.id == id) {
        j->probe.id = 0;
        j->probe.close_us = 0;
        j->probe.retry_us = n->now_us + JOIN_EVERY_US / 2 + prng_below(&n->prng, JOIN_EVERY_US / 2);
        return true;
    }
    for (uint32_t i = 0; i < JOIN_CALLERS_MAX; i++) {
        if (id != 0 && j->caller[i].link == id) {
            j->caller[i].link = 0;
            return true;
        }
    }
    return false;
}

void join_note_caller(struct node *n, link_id id, const struct peer_hello *theirs)
{
    struct join *j = &n->join;
    uint32_t at = j->caller_at++ % JOIN_CALLERS_MAX;
    j->caller[at].link = id;
    j->caller[at].id = theirs->id;
    snprintf(j->caller[at].address, sizeof j->caller[at].address, "%s", theirs->address);
}

static void join_answer(struct node *n, uint32_t at)
{
    struct join *j = &n->join;
    char address[LIMIT_ADDRESS_BYTES];
    if (node_is_blank(n) || !address_normalise(slice_from_cstr(j->caller[at].address), n->options->port, address))
        return;
    const char *text = membership_join(n, j->caller[at].id, address);
    struct buf *head = peers_begin(n);
    write_u16(head, (uint16_t)strlen(text));
    buf_append(head, text, strlen(text));
    probe_send(n, j->caller[at].link, PEER_JOIN_ANSWER);
}

static void join_answered(struct node *n, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t size = read_u16(&r);
    struct slice text = read_bytes(&r, size);
    char sentence[sizeof n->join.said];
    if (!reader_done(&r) || size == 0)
        return;
    snprintf(sentence, sizeof sentence, "Joining: %.*s", size < 300 ? (int)size : 300, (const char *)text.p);
    join_say(n, sentence);
}

void join_receive(struct node *n, link_id id, struct slice message)
{
    struct join *j = &n->join;
    struct peer_envelope envelope;
    struct slice body;
    if (peer_envelope_decode(message, &envelope, &body) != ERR_OK)
        return;
    if (envelope.kind == PEER_JOIN_ANSWER && id == j->probe.id)
        join_answered(n, body);
    for (uint32_t i = 0; envelope.kind == PEER_JOIN && i < JOIN_CALLERS_MAX; i++)
        if (j->caller[i].link == id)
            join_answer(n, i);
}

/* --- the joiner's clock -------------------------------------------------------------------------- */

/* P3 */
static uint64_t join_care(struct node *n)
{
    struct join *j = &n->join;
    raft_index index;
    const char *text;
    const struct raft_member *self = raft_conf_find(raft_get_conf(n->raft, &index), n->identity.node_id);
    bool is_learner = self && self->flags == RAFT_LEARNER;
    if (j->ask_number != 0 && membership_answer(n, j->ask_number, &text) != ASK_PENDING) {
        membership_forget(n, j->ask_number);
        j->ask_number = 0;
        j->ask_us = n->now_us + JOIN_CARE_US;
    }
    if (self && !is_learner)
        j->was_blank = false; /* It is in. */
    if (!is_learner || !j->was_blank)
        return is_learner || !j->was_blank ? NODE_NEVER : n->now_us + JOIN_CARE_US;
    if (j->ask_us == 0)
        j->ask_us = n->now_us + JOIN_CARE_US;
    if (j->ask_number == 0 && n->now_us >= j->ask_us) {
        struct change_plan plan;
        COVER("join: a learner that was forgotten asks by itself");
        change_plan_one(CHANGE_PROMOTE, self->address, &plan);
        j->ask_number = membership_ask(n, &plan);
        j->ask_us = n->now_us + JOIN_CARE_US;
    }
    return n->now_us + JOIN_CARE_US;
}

uint64_t join_tick(struct node *n)
{
    struct join *j = &n->join;
    if (!join_is_wanted(j) || n->leave.is_removed)
        return NODE_NEVER;
    if (!node_is_blank(n)) {
        if (j->probe.id != 0) {
            n->env.hang_up(n->env.ctx, j->probe.id, NULL);
            j->probe.id = 0;
        }
        return j->was_blank ? join_care(n) : NODE_NEVER;
    }
    j->was_blank = true;
    if (n->formation.is_forming)
        return NODE_NEVER;
    if (j->probe.id != 0 && j->probe.close_us != 0 && n->now_us >= j->probe.close_us) {
        n->env.hang_up(n->env.ctx, j->probe.id, NULL);
        (void)join_link_down(n, j->probe.id);
    }
    if (j->probe.id != 0)
        return j->probe.close_us != 0 ? j->probe.close_us : NODE_NEVER;
    if (n->now_us < j->probe.retry_us)
        return j->probe.retry_us;
    struct peer_hello mine;
    node_get_hello(n, LINK_PROBE, &mine);
    j->probe.id = ++n->peers.last_link;
    j->probe.close_us = 0;
    n->env.dial(n->env.ctx, j->probe.id, j->probe.address, &mine);
    return NODE_NEVER;
}

/* --- taking in ----------------------------------------------------------------------------------- */

void join_send_take_in(struct node *n, struct peer *p)
{
    struct buf *head = peers_begin(n);
    write_u64(head, n->identity.cluster_id);
    write_u64(head, p->id);
    write_u64(head, n->identity.hash_seed[0]);
    write_u64(head, n->identity.hash_seed[1]);
    write_u16(head, (uint16_t)strlen(p->address));
    buf_append(head, p->address, strlen(p->address));
    peers_send(n, p, PEER_CONTROL, PEER_TAKE_IN);
}

void join_receive_take_in(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    uint64_t cluster_id = read_u64(&r);
    raft_id meant = read_u64(&r);
    uint64_t seed[2];
    seed[0] = read_u64(&r);
    seed[1] = read_u64(&r);
    uint16_t size = read_u16(&r);
    struct slice address = read_bytes(&r, size);
    if (!reader_done(&r) || cluster_id == 0 || meant != n->identity.node_id || size == 0 || size >= LIMIT_ADDRESS_BYTES)
        return;
    if (!node_is_blank(n)) {
        if (cluster_id == n->identity.cluster_id) {
            write_u64(peers_begin(n), cluster_id);
            peers_send(n, p, PEER_CONTROL, PEER_ADOPTED);
        }
        return;
    }
    if (n->formation.is_forming) /* P1 */
        return;
    char own[LIMIT_ADDRESS_BYTES];
    snprintf(own, sizeof own, "%.*s", (int)size, (const char *)address.p);
    log_line(&n->env.log, LOG_NOTICE, "%s takes this node into cluster %016llx.", p->address, (unsigned long long)cluster_id);
    formation_taken_in(n, cluster_id, seed, own);
}
