#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "keyspace/sessions.h"
#include "keyspace/settings.h"
#include "node/exec_payload.h"
#include "node/node_internal.h"
#include "tests/fuzz/arena.h"
#include "tests/fuzz/harness.h"
#include "tests/node/rig.h"

/* The rig and its disks are no part of the libraries. */
HARNESS_BEGIN
#include "tests/node/disk.c"
#include "tests/node/rig.c"
HARNESS_END

/* What apply decodes: payloads of entries that a faulty origin forwarded, and whatever may stand in a log; transactions among them.
 *
 * An input is a list of steps: u8 kind, u16 size, so many bytes.
 *   0  a payload that another node forwards (its session is put right, a fuzzer can't guess that). If the leader's check lets it through,
 *      applying it must stop no node: one faulty node may not end the others.
 *   1  a payload in the log, unchecked: applied, or the node stops and says why (A4).
 *   2  a configuration entry, likewise.
 *   3  the first four bytes: so many milliseconds pass.
 *   4  a transaction, made here around commands that stand in the bytes: u8 number of watches (u8 db, u64 index, one byte of key), then items
 *      (u16 size, bytes). Forwarded as 0.
 *
 * Two nodes that differ in clock and options apply the same: they must hold the same afterwards (C7, C12), and stop at the same entries. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FOREIGN 77u
#define SESSION 3u
#define TIME_MS 1700000000000

static struct rig *rig;
static raft_index position;
static uint64_t seq;
static int64_t time_ms;

static struct rig *rig_of_two(void)
{
    struct rig *r = rig_new(2, "");
    r->count = 1;
    for (int i = 0; i < 2; i++) { /* room for the log's slots is reserved by these */
        r->host[i].options.log_memory = 65536;
        r->host[i].options.uncommitted_bytes = 65536;
    }
    rig_start(r, 0);
    struct rig_client *c = mem_alloc_zero(sizeof *c); /* a node alone forms its cluster with the first write */
    rig_connect(r, 0, c);
    ASSERT(strcmp(rig_ask(c, "SET a 1\r\n", 3000), "+OK\r\n") == 0);
    rig_disconnect(c);
    mem_free(c);
    sim_disk_free(r->host[1].disk);
    r->host[1].disk = sim_disk_copy(r->host[0].disk, 5);
    r->host[1].env.vfs = sim_disk_vfs(r->host[1].disk);
    sim_disk_crash(r->host[1].disk); /* the lock is the other process's */
    r->host[1].wall_offset_ms = 86400000;
    r->host[1].options.maxmemory = 1;
    r->host[1].options.proto_max_bulk_len = 1048576;
    rig_start(r, 1);
    rig_run(r, 100);
    ASSERT(r->host[1].node && r->host[1].node->raft && r->host[0].node->identity.node_id == r->host[1].node->identity.node_id);
    return r;
}

static void free_two(struct rig *r)
{
    r->count = 2;
    rig_free(r);
}

/* The state is empty, with one session of another node open. */
static void make_empty(struct node *n)
{
    struct siphash_key key;

    verify_deinit(n);
    memcpy(key.bytes, n->identity.hash_seed, sizeof key.bytes);
    keyspace_take_over(n->keyspace, keyspace_new(&key, NULL));
    while (sessions_count(n->keyspace) > 0) {
        raft_id member = sessions_at(n->keyspace, 0)->member;
        sessions_remove(n->keyspace, member);
        blocked_session_ended(n, member);
    }
    sessions_open(n->keyspace, FOREIGN, SESSION);
    n->is_dead = false;
    n->apply.applied = 0;
}

static void apply_bytes(enum raft_entry_type type, struct slice payload, bool may_stop)
{
    uint8_t *bytes = mem_alloc(ENTRY_HEADER_BYTES + payload.n);
    struct raft_entry e;

    entry_begin(bytes, type, time_ms, payload.n);
    if (payload.n > 0) {
        memcpy(bytes + ENTRY_HEADER_BYTES, payload.p, payload.n);
    }
    entry_seal(bytes, ++position, 1);
    enum err error = entry_decode((struct slice){bytes, ENTRY_HEADER_BYTES + payload.n}, &e);
    ASSERT(error == ERR_OK);
    for (int i = 0; i < 2; i++) {
        struct node *n = rig->host[i].node;
        apply_entry(n, &e);
        ASSERT(may_stop || !n->is_dead);
    }
    mem_free(bytes);
    struct node *a = rig->host[0].node;
    struct node *b = rig->host[1].node;
    ASSERT(a->is_dead == b->is_dead);
    ASSERT(keyspace_digest(a->keyspace) == keyspace_digest(b->keyspace));
    a->is_dead = b->is_dead = false;
}

/* Half a gigabyte made by one SETRANGE is right, and too slow here. */
static bool is_huge(struct slice payload)
{
    size_t digits = 0;

    for (size_t i = 0; i < payload.n; i++) {
        digits = payload.p[i] >= '0' && payload.p[i] <= '9' ? digits + 1 : 0;
        if (digits > 6) {
            return true;
        }
    }
    return false;
}

static void forward(struct slice bytes)
{
    struct proposal p;
    struct buf payload = {0};

    buf_append_slice(&payload, bytes);
    if (bytes.n >= PROPOSAL_HEADER_BYTES) {
        proposal_set_session(payload.data + payload.start, FOREIGN, SESSION, seq + 1);
    }
    if (proposal_decode(buf_slice(&payload), &p) == ERR_OK && !is_huge(bytes) && forward_check(rig->host[0].node, &p) == NULL) {
        seq++;
        apply_bytes(RAFT_ENTRY_COMMAND, buf_slice(&payload), false);
    }
    buf_deinit(&payload);
}

static struct slice take(struct slice *in, size_t n)
{
    n = n < in->n ? n : in->n;
    struct slice taken = {in->p, n};
    *in = slice_skip(*in, n);
    return taken;
}

static void make_exec(struct slice bytes)
{
    struct slice arg[9];
    struct slice watches = take(&bytes, 1);
    struct buf list = {0};
    struct buf payload = {0};
    size_t count = 1;
    uint32_t watch_count = watches.n > 0 ? watches.p[0] % 4u : 0;

    exec_watch_begin(&list, watch_count);
    for (uint32_t i = 0; i < watch_count; i++) {
        struct slice w = take(&bytes, 10);
        struct exec_watch watch = {.db = w.n == 10 ? w.p[0] : 0, .index = w.n == 10 ? get_u64(w.p + 1) : 0};
        watch.key = w.n == 10 ? slice_skip(w, 9) : w;
        exec_watch_append(&list, &watch);
    }
    arg[0] = buf_slice(&list);
    while (bytes.n >= 2 && count < 9) {
        struct slice size = take(&bytes, 2);
        arg[count++] = take(&bytes, get_u16(size.p));
    }
    struct proposal head = {.number = PROPOSAL_EXEC, .version = EXEC_VERSION};
    size_t n = proposal_size(arg, count);
    proposal_encode(buf_reserve(&payload, n), &head, arg, count);
    buf_commit(&payload, n);
    forward(buf_slice(&payload));
    buf_deinit(&list);
    buf_deinit(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {data, size};

    if (!rig) {
        free_two(rig_of_two()); /* the table of commands stays */
    }
    arena_begin();
    if (arena_is_new()) {
        rig = rig_of_two();
        make_empty(rig->host[0].node);
        make_empty(rig->host[1].node);
        arena_keep();
    }
    position = 0;
    seq = 0;
    time_ms = TIME_MS;
    while (in.n >= 3) {
        struct slice head = take(&in, 3);
        struct slice bytes = take(&in, get_u16(head.p + 1));
        switch (head.p[0] % 5) {
        case 0:
            forward(bytes);
            break;
        case 1:
            if (!is_huge(bytes)) {
                apply_bytes(RAFT_ENTRY_COMMAND, bytes, true);
            }
            break;
        case 2:
            apply_bytes(RAFT_ENTRY_CONF, bytes, true);
            break;
        case 3:
            time_ms += bytes.n >= 4 ? get_u32(bytes.p) : 1;
            break;
        default:
            make_exec(bytes);
            break;
        }
    }
    free_two(rig);
    arena_end();
    return 0;
}
