#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "node/node_internal.h"
#include "node/peer_message.h"
#include "raft/raft_internal.h"
#include "tests/fuzz/arena.h"
#include "tests/fuzz/harness.h"
#include "tests/node/rig.h"

/* The rig and its disks are no part of the libraries. */
HARNESS_BEGIN
#include "tests/node/disk.c"
#include "tests/node/rig.c"
HARNESS_END

/* What proven peers say to a member, behind the handshake: one node of three with the two others played by the input. Their messages are
 * damaged, out of order, of the wrong kind or on the wrong link; never does that trip an assertion, and the node's own state stays sound
 * (raft_check runs in every step). A node may stop itself and say why (two leaders in one term).
 *
 * An input is a list of steps: u8 what, u8 peer and link (bit 0, bit 1), u16 size, so many bytes:
 *   0  a message: the bytes as they are
 *   1  a message whose envelope is made here: u8 kind, then its body
 *   2  an entry for the log, sealed here: u64 prev index, u64 prev term, u64 commit, then payloads (u16 size, bytes), in an append of the term that
 *      the node is in. Only behind what it has committed: a leader that takes back committed entries is no fault of a message.
 *   3  time passes: u16 milliseconds
 *   4  the link goes down and comes up again
 *   5  its clients say something: a line */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEERS 2

static const struct sim_disk *member_disk;
static raft_id peer_id[PEERS];
static uint64_t cluster_id;

/* Three nodes form a cluster; then the disk of the first is what each input begins with. */
static void prepare(void)
{
    struct rig *r = rig_new(3, "n1:7000,n2:7000,n3:7000");

    for (int i = 0; i < 3; i++) {
        rig_start(r, i);
    }
    for (int i = 0; i < 10000 && !rig_has_leader(r); i++) {
        rig_run(r, 1);
    }
    rig_run(r, 500);
    cluster_id = r->host[0].node->identity.cluster_id;
    for (int i = 0; i < PEERS; i++) {
        peer_id[i] = r->host[i + 1].node->identity.node_id;
    }
    ASSERT(cluster_id != 0);
    struct sim_disk *copy = sim_disk_copy(r->host[0].disk, 3);
    sim_disk_crash(copy);
    member_disk = copy;
    rig_free(r);
}

struct play {
    struct rig *rig;
    struct node *node;
    struct rig_client *client;
    link_id link[PEERS][2];
};

static struct play play;
static struct play kept; /* with what the arena keeps */

static void connect_peer(struct play *p, int peer, int which)
{
    char reason[256];
    struct peer_hello hello = {.format = PEER_FORMAT,
                               .feature_level = PEER_FEATURE_LEVEL,
                               .role = which == PEER_CONTROL ? LINK_CONTROL : LINK_BULK,
                               .id = peer_id[peer],
                               .expected_id = p->node->identity.node_id,
                               .cluster_id = cluster_id,
                               .incarnation = 1};

    snprintf(hello.address, sizeof hello.address, "n%d:7000", peer + 2);
    if (!node_link_up(p->node, &p->link[peer][which], true, &hello, reason)) {
        p->link[peer][which] = 0;
    }
}

/* Raft trusts its members: a second leader of a term stops the node (S3), and so does one that takes back what is committed (C4), or what it said
 * itself in its term. Not a fault of bytes, so not said here. */
static bool is_lie(const struct play *p, int peer, struct slice bytes)
{
    static struct raft_entry entry[RAFT_APPEND_ENTRIES];
    struct peer_envelope envelope;
    struct slice body;
    struct raft_message m;
    struct raft_status status;

    if (peer_envelope_decode(bytes, &envelope, &body) != ERR_OK || envelope.kind != PEER_RAFT ||
        raft_message_decode(body, &m, entry, RAFT_APPEND_ENTRIES) != ERR_OK) {
        return false;
    }
    bool is_leaders = m.type == RAFT_HEARTBEAT || m.type == RAFT_COMMIT || m.type == RAFT_APPEND || m.type == RAFT_SNAPSHOT ||
                      m.type == RAFT_TIMEOUT_NOW;
    raft_get_status(p->node->raft, &status);
    if (is_leaders && m.term == status.term && (status.role == RAFT_LEADER || (status.leader != 0 && status.leader != peer_id[peer]))) {
        return true;
    }
    for (uint32_t i = 0; m.type == RAFT_APPEND && i < m.u.append.entry_count; i++) {
        bool is_said = entry[i].index <= status.commit || (m.term == status.term && entry[i].index <= p->node->raft->verified_index);
        if (is_said && raft_get_term(p->node->raft, entry[i].index) != entry[i].term) {
            return true;
        }
    }
    return false;
}

static void say(struct play *p, int peer, int which, struct slice bytes)
{
    if (p->link[peer][which] == 0) {
        connect_peer(p, peer, which);
    }
    if (p->link[peer][which] != 0 && !is_lie(p, peer, bytes)) {
        node_link_message(p->node, p->link[peer][which], bytes);
    }
}

static void say_kind(struct play *p, int peer, int which, enum peer_kind kind, struct slice body)
{
    struct buf message = {0};
    struct peer_envelope envelope = {.kind = kind, .log_time_ms = 1700000000000, .wall_ms = 1700000000000};

    peer_envelope_encode(&envelope, buf_reserve(&message, PEER_ENVELOPE_BYTES));
    buf_commit(&message, PEER_ENVELOPE_BYTES);
    buf_append_slice(&message, body);
    say(p, peer, which, buf_slice(&message));
    buf_deinit(&message);
}

static struct slice take(struct slice *in, size_t n)
{
    n = n < in->n ? n : in->n;
    struct slice taken = {in->p, n};
    *in = slice_skip(*in, n);
    return taken;
}

#define APPEND_MAX 8
static void say_append(struct play *p, int peer, struct slice bytes)
{
    struct raft_status status;
    uint8_t *encoded[APPEND_MAX];
    struct raft_entry entry[APPEND_MAX];
    struct slice head = take(&bytes, 24);

    if (head.n < 24) {
        return;
    }
    raft_get_status(p->node->raft, &status);
    raft_index prev = status.commit + get_u64(head.p) % 4;
    struct raft_message m = {.type = RAFT_APPEND, .term = status.term};
    m.u.append.prev_index = prev;
    m.u.append.prev_term = prev == status.commit ? raft_get_term(p->node->raft, prev) : get_u64(head.p + 8) % 8;
    m.u.append.commit = prev + get_u64(head.p + 16) % 8;
    m.u.append.entry = entry;
    while (bytes.n >= 3 && m.u.append.entry_count < APPEND_MAX) {
        struct slice size = take(&bytes, 3);
        struct slice payload = take(&bytes, get_u16(size.p));
        uint32_t i = m.u.append.entry_count++;
        encoded[i] = mem_alloc(ENTRY_HEADER_BYTES + payload.n);
        entry_begin(encoded[i], (enum raft_entry_type)(1 + size.p[2] % 3), 0, payload.n);
        if (payload.n > 0) {
            memcpy(encoded[i] + ENTRY_HEADER_BYTES, payload.p, payload.n);
        }
        entry_seal(encoded[i], prev + 1 + i, status.term);
        entry_view(encoded[i], &entry[i]);
    }
    struct buf body = {0};
    raft_message_encode_head(&m, &body);
    for (uint32_t i = 0; i < m.u.append.entry_count; i++) {
        buf_append_slice(&body, entry[i].bytes);
        mem_free(encoded[i]);
    }
    say_kind(p, peer, PEER_BULK, PEER_RAFT, buf_slice(&body));
    buf_deinit(&body);
}

static void step(struct play *p, struct slice head, struct slice bytes)
{
    struct rig_client *client = p->client;
    int peer = head.p[1] & 1;
    int which = head.p[1] >> 1 & 1;

    switch (head.p[0] % 6) {
    case 0:
        say(p, peer, which, bytes);
        break;
    case 1:
        if (bytes.n > 0) {
            say_kind(p, peer, which, (enum peer_kind)(1 + bytes.p[0] % PEER_KIND_LAST), slice_skip(bytes, 1));
        }
        break;
    case 2:
        say_append(p, peer, bytes);
        break;
    case 3:
        p->rig->now_us += bytes.n >= 2 ? (uint64_t)get_u16(bytes.p) * 100 : 10000;
        break;
    case 4:
        if (p->link[peer][which] != 0) {
            node_link_down(p->node, p->link[peer][which], "reset", false);
        }
        connect_peer(p, peer, which);
        break;
    default: {
        struct buf line = {0};
        buf_append_slice(&line, (struct slice){bytes.p, bytes.n < 200 ? bytes.n : 200});
        buf_append(&line, "\r\n", 3);
        if (memchr(line.data + line.start, 0, buf_size(&line) - 1) == NULL && client->size < 30000) {
            rig_say(client, (const char *)line.data + line.start);
        }
        buf_deinit(&line);
    }
    }
}

/* Links that the node gave up are gone here too. */
static void forget_lost(struct play *p)
{
    for (int peer = 0; peer < PEERS; peer++) {
        for (int which = 0; which < 2; which++) {
            int end;
            if (p->link[peer][which] != 0 && !peers_find_link(p->node, p->link[peer][which], &end)) {
                p->link[peer][which] = 0;
            }
        }
    }
}

/* The member runs and its links are up: what every input begins with. */
static void begin(void)
{
    play = (struct play){.rig = rig_new(1, "n1:7000,n2:7000,n3:7000")};
    struct rig_host *h = &play.rig->host[0];
    sim_disk_free(h->disk);
    h->disk = sim_disk_copy(member_disk, 1);
    h->env.vfs = sim_disk_vfs(h->disk);
    h->options.log_memory = 65536; /* room for the log's slots is reserved by these */
    h->options.uncommitted_bytes = 65536;
    rig_start(play.rig, 0);
    ASSERT(h->node && h->node->raft);
    play.node = h->node;
    for (int peer = 0; peer < PEERS; peer++) {
        connect_peer(&play, peer, PEER_CONTROL);
        connect_peer(&play, peer, PEER_BULK);
    }
    play.client = mem_alloc_zero(sizeof *play.client);
    rig_connect(play.rig, 0, play.client);
    for (int i = 0; i < 20; i++) { /* a file for the log is made ready ahead: each input would wait for it */
        rig_round(play.rig);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {data, size};

    if (!member_disk) {
        prepare();
    }
    arena_begin();
    if (arena_is_new()) {
        begin();
        kept = play;
        arena_keep();
    }
    play = kept;
    struct rig_host *h = &play.rig->host[0];
    for (int steps = 0; in.n >= 4 && steps < 64 && h->fatal[0] == '\0'; steps++) {
        struct slice head = take(&in, 4);
        step(&play, head, take(&in, get_u16(head.p + 2)));
        if (h->fatal[0] == '\0') {
            rig_round(play.rig);
            rig_collect(play.rig);
            forget_lost(&play);
        }
    }
    if (play.client->client) {
        rig_disconnect(play.client);
    }
    mem_free(play.client);
    rig_free(play.rig);
    arena_end();
    return 0;
}
