#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "keyspace/keyspace.h"
#include "tests/lib/whole_table.h"
#include "tests/test.h"

/* --- the environment of one node --- */

static int64_t env_wall(void *ctx)
{
    const struct rig_host *h = ctx;
    return 1700000000000 + (int64_t)(h->rig->now_us / 1000) + h->wall_offset_ms;
}

static uint64_t env_now(void *ctx)
{
    const struct rig_host *h = ctx;
    return h->rig->now_us;
}

static void env_random(void *ctx, void *p, size_t n)
{
    struct rig_host *h = ctx;
    uint8_t *out = p;
    for (size_t i = 0; i < n; i++) {
        h->random = h->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(h->random >> 56);
    }
}

static struct rig_link *link_new(struct rig *r)
{
    for (int i = 0; i < RIG_LINKS; i++) {
        struct rig_link *l = &r->link[i];
        if (l->is_used)
            continue;
        *l = (struct rig_link){.is_used = true};
        l->last[0] = &l->first[0];
        l->last[1] = &l->first[1];
        return l;
    }
    abort();
}

static void env_dial(void *ctx, link_id id, const char *address, const struct peer_hello *mine)
{
    struct rig_host *h = ctx;
    struct rig_link *l = link_new(h->rig);
    l->role = mine->role;
    l->host[0] = h->slot;
    l->host[1] = -1;
    l->id[0] = id;
    l->hello = *mine;
    snprintf(l->address, sizeof l->address, "%s", address);
}

static struct rig_link *link_find(struct rig_host *h, link_id id, int *end)
{
    for (int i = 0; i < RIG_LINKS; i++) {
        struct rig_link *l = &h->rig->link[i];
        for (*end = 0; *end < 2 && l->is_used; (*end)++)
            if (l->host[*end] == h->slot && l->id[*end] == id)
                return l;
    }
    return NULL;
}

static void env_send(void *ctx, link_id id, const struct slice *part, size_t part_count)
{
    int end;
    struct rig_link *l = link_find(ctx, id, &end);
    if (!l || !l->is_up || l->is_closing[end])
        return;
    size_t n = 0;
    for (size_t i = 0; i < part_count; i++)
        n += part[i].n;
    struct rig_message *m = mem_alloc(sizeof *m + n);
    m->next = NULL;
    m->n = 0;
    for (size_t i = 0; i < part_count; i++) {
        memcpy(m->bytes + m->n, part[i].p, part[i].n);
        m->n += part[i].n;
    }
    *l->last[!end] = m;
    l->last[!end] = &m->next;
}

static void link_drop_messages(struct rig_link *l, int end)
{
    while (l->first[end]) {
        struct rig_message *m = l->first[end];
        l->first[end] = m->next;
        mem_free(m);
    }
    l->last[end] = &l->first[end];
}

static void link_free(struct rig_link *l)
{
    link_drop_messages(l, 0);
    link_drop_messages(l, 1);
    l->is_used = false;
}

static void env_hang_up(void *ctx, link_id id, const char *reason)
{
    int end;
    struct rig_link *l = link_find(ctx, id, &end);
    if (!l)
        return;
    l->id[end] = 0;
    l->is_closing[!end] = true;
    snprintf(l->reason, sizeof l->reason, "%s", reason ? reason : "closed by the peer");
    l->is_refused = reason != NULL;
    link_drop_messages(l, end);
    if (!l->is_up || l->host[1] < 0)
        link_free(l);
}

static size_t env_unsent(void *ctx, link_id id)
{
    (void)ctx;
    (void)id;
    return 0;
}

static void env_submit(void *ctx, struct disk_job *job)
{
    struct rig_host *h = ctx;
    list_append(&h->jobs, &job->queue);
}

static void env_fatal(void *ctx, const char *reason)
{
    struct rig_host *h = ctx;
    if (h->rig->is_loud)
        printf("[%d] FATAL %s\n", h->slot, reason);
    snprintf(h->fatal, sizeof h->fatal, "%s", reason);
}

static void env_log(void *ctx, enum log_level level, const char *line)
{
    struct rig_host *h = ctx;
    if (level == LOG_WARNING) {
        h->warnings++;
        snprintf(h->warning, sizeof h->warning, "%s", line);
    }
    if (h->rig->is_loud)
        printf("%8llu [%d] %s\n", (unsigned long long)(h->rig->now_us / 1000), h->slot, line);
}

/* --- nodes --- */

struct rig *rig_new(int count, const char *cluster)
{
    struct rig *r = mem_alloc_zero(sizeof *r);
    r->count = count;
    r->now_us = 1000000;
    r->is_loud = getenv("RIG_LOUD") != NULL;
    r->table = whole_table();
    for (int i = 0; i < count; i++) {
        struct rig_host *h = &r->host[i];
        *h = (struct rig_host){.rig = r, .slot = i, .random = 77 + (uint64_t)i * 1000003};
        snprintf(h->address, sizeof h->address, "n%d:7000", i + 1);
        h->disk = sim_disk_new(1 + (uint64_t)i, 512);
        list_init(&h->jobs);
        options_init(&h->options);
        h->options.port = 7000;
        h->options.log_segment_size = 65536;
        h->options.disk_reserve = 0;
        mem_free(h->options.cluster);
        h->options.cluster = mem_copy_string(cluster, strlen(cluster));
        h->env = (struct node_env){
            .ctx = h,
            .vfs = sim_disk_vfs(h->disk),
            .log = {LOG_DEBUG, env_log, h},
            .wall_ms = env_wall,
            .now_us = env_now,
            .random = env_random,
            .dial = env_dial,
            .send = env_send,
            .hang_up = env_hang_up,
            .unsent_bytes = env_unsent,
            .submit = env_submit,
            .fatal = env_fatal,
        };
    }
    return r;
}

void rig_start(struct rig *r, int slot)
{
    struct rig_host *h = &r->host[slot];
    enum err e;
    h->fatal[0] = '\0';
    h->node = node_open(&h->env, &h->options, r->table, &e);
}

/* Its links end; the others learn it as a connection that was reset. */
static void links_end(struct rig *r, int slot)
{
    for (int i = 0; i < RIG_LINKS; i++) {
        struct rig_link *l = &r->link[i];
        if (!l->is_used)
            continue;
        for (int end = 0; end < 2; end++) {
            if (l->host[end] != slot)
                continue;
            l->id[end] = 0;
            l->is_closing[!end] = true;
            snprintf(l->reason, sizeof l->reason, "reset");
            if (!l->is_up || l->host[!end] == slot || l->id[!end] == 0) {
                link_free(l);
                break;
            }
        }
    }
}

void rig_stop(struct rig *r, int slot, enum rig_end how)
{
    struct rig_host *h = &r->host[slot];
    if (!h->node)
        return;
    if (how == RIG_KILL)
        sim_disk_crash(h->disk);
    else
        sim_disk_power_loss(h->disk);
    list_init(&h->jobs);
    node_close(h->node);
    h->node = NULL;
    links_end(r, slot);
    if (how == RIG_WIPE)
        sim_disk_wipe(h->disk);
    sim_disk_revive(h->disk);
}

void rig_free(struct rig *r)
{
    for (int i = 0; i < r->count; i++) {
        struct rig_host *h = &r->host[i];
        rig_stop(r, i, RIG_KILL);
        options_deinit(&h->options);
        sim_disk_free(h->disk);
    }
    for (int i = 0; i < RIG_LINKS; i++)
        if (r->link[i].is_used)
            link_free(&r->link[i]);
    mem_free(r);
}

/* --- rounds --- */

static int host_at(struct rig *r, const char *address)
{
    if (r->alias && strcmp(address, r->alias) == 0)
        return r->host[r->alias_slot].node ? r->alias_slot : -1;
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->host[i].address, address) == 0 && r->host[i].node && r->host[i].fatal[0] == '\0')
            return i;
    return -1;
}

static bool link_connect(struct rig *r, struct rig_link *l)
{
    struct rig_host *from = &r->host[l->host[0]];
    int to = host_at(r, l->address);
    if (from->is_paused)
        return false;
    link_id id = l->id[0];
    if (to < 0 || r->is_cut[l->host[0]][to] || r->is_cut[to][l->host[0]] || r->host[to].is_paused) {
        link_free(l);
        node_link_down(from->node, id, "connection refused", false);
        return true;
    }
    struct peer_hello theirs;
    char reason[256] = "";
    node_get_hello(r->host[to].node, l->role, &theirs);
    l->host[1] = to;
    l->is_up = true;
    if (!node_link_up(r->host[to].node, &l->id[1], true, &l->hello, reason)) {
        link_free(l);
        node_link_down(from->node, id, reason, true);
        return true;
    }
    if (!node_link_up(from->node, &l->id[0], false, &theirs, reason)) {
        link_id other = l->id[1];
        link_free(l);
        node_link_down(r->host[to].node, other, reason, false);
    }
    return true;
}

static bool link_deliver(struct rig *r, struct rig_link *l, int end)
{
    bool happened = false;
    int to = l->host[end];
    int from = l->host[!end];
    while (l->is_used && l->first[end] && r->host[to].node && !r->host[to].is_paused) {
        struct rig_message *m = l->first[end];
        bool is_cut = r->is_cut[from][to] || (l->role == LINK_BULK && r->is_bulk_cut[from][to]);
        struct slice bytes = {m->bytes, m->n};
        l->first[end] = m->next;
        if (!m->next)
            l->last[end] = &l->first[end];
        if (!is_cut && (!r->filter || r->filter(r, from, to, l->role, bytes)) && l->id[end] != 0) {
            r->delivered++;
            node_link_message(r->host[to].node, l->id[end], bytes);
        }
        mem_free(m);
        happened = true;
    }
    if (l->is_used && l->is_closing[end] && !l->first[end] && !r->host[to].is_paused) {
        link_id id = l->id[end];
        char reason[256];
        snprintf(reason, sizeof reason, "%s", l->reason);
        bool is_refused = l->is_refused;
        link_free(l);
        if (id != 0 && r->host[to].node)
            node_link_down(r->host[to].node, id, reason, is_refused);
        happened = true;
    }
    return happened;
}

static bool host_work(struct rig_host *h)
{
    bool happened = false;
    if (!h->node || h->is_paused)
        return false;
    if (!h->is_disk_held && !list_empty(&h->jobs)) {
        struct disk_job *job = CONTAINER_OF(h->jobs.next, struct disk_job, queue);
        list_remove(&job->queue);
        job->run(job);
        node_disk_done(h->node, job);
        happened = true;
    }
    node_iterate(h->node);
    return happened || (node_wake_us(h->node) <= h->rig->now_us && h->fatal[0] == '\0');
}

bool rig_round(struct rig *r)
{
    bool happened = false;
    for (int i = 0; i < RIG_LINKS; i++) {
        struct rig_link *l = &r->link[i];
        if (l->is_used && !l->is_up && l->host[1] < 0)
            happened |= link_connect(r, l);
        for (int end = 0; end < 2 && l->is_used && l->is_up; end++)
            happened |= link_deliver(r, l, end);
    }
    for (int i = 0; i < r->count; i++)
        happened |= host_work(&r->host[i]);
    return happened;
}

void rig_run(struct rig *r, int ms)
{
    for (int i = 0; i < ms; i++) {
        for (int rounds = 0; rounds < 200 && rig_round(r); rounds++) {
        }
        r->now_us += 1000;
    }
}

bool rig_until(struct rig *r, bool (*done)(struct rig *r), int ms)
{
    for (int i = 0; i < ms; i++) {
        if (done(r))
            return true;
        rig_run(r, 1);
    }
    return done(r);
}

struct node_status rig_status(struct rig *r, int slot)
{
    struct node_status s;
    node_get_status(r->host[slot].node, &s);
    return s;
}

struct node_snapshot_status rig_snapshot(struct rig *r, int slot)
{
    struct node_snapshot_status s;
    node_get_snapshot(r->host[slot].node, &s);
    return s;
}

bool rig_has_snapshots(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->host[i].node && (rig_snapshot(r, i).index == 0 || rig_snapshot(r, i).is_running))
            return false;
    return true;
}

static uint64_t digest_of(struct rig *r, int slot)
{
    return keyspace_digest(node_keyspace(r->host[slot].node));
}

static bool are_two_equal(struct rig *r, int a, int b, bool has_data)
{
    struct node_status x = rig_status(r, a);
    struct node_status y = rig_status(r, b);
    return x.applied == y.applied && x.raft.commit == y.raft.commit && (!has_data || digest_of(r, a) == digest_of(r, b));
}

bool rig_is_equal(struct rig *r)
{
    for (int has_data = 0; has_data < 2; has_data++) { /* a digest takes long */
        int first = -1;
        for (int i = 0; i < r->count; i++) {
            if (r->host[i].node && first >= 0 && !are_two_equal(r, first, i, has_data))
                return false;
            if (r->host[i].node && first < 0)
                first = i;
        }
    }
    return true;
}

int rig_leader(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->host[i].node && !r->host[i].is_paused && rig_status(r, i).raft.role == RAFT_LEADER)
            return i;
    return -1;
}

bool rig_has_leader(struct rig *r)
{
    int leader = rig_leader(r);
    if (leader < 0)
        return false;
    raft_id id = rig_status(r, leader).id;
    for (int i = 0; i < r->count; i++) {
        if (!r->host[i].node || r->host[i].is_paused)
            continue;
        struct node_status s = rig_status(r, i);
        if (s.raft.leader != id || !s.session_is_open)
            return false;
    }
    return true;
}

struct rig *rig_three(void)
{
    struct rig *r = rig_new(3, "n1:7000,n2:7000,n3:7000");
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    if (!CHECK(rig_until(r, rig_has_leader, 5000)))
        test_leave();
    return r;
}

void rig_isolate(struct rig *r, int slot, bool yes)
{
    for (int i = 0; i < r->count; i++)
        if (i != slot)
            r->is_cut[slot][i] = r->is_cut[i][slot] = yes;
}

/* --- clients --- */

void rig_connect(struct rig *r, int slot, struct rig_client *c)
{
    struct client_info info = {.address = "127.0.0.1:1", .local_address = "127.0.0.1:2", .fd = -1, .is_local = true};
    *c = (struct rig_client){.rig = r, .slot = slot};
    c->client = client_open(r->host[slot].node, &info, c);
    rig_say(c, "PING\r\n"); /* A first line "GET a" would make it a text session. */
    rig_forget(c);
}

void rig_disconnect(struct rig_client *c)
{
    client_close(c->client);
    c->client = NULL;
}

static void client_collect(struct client *client)
{
    struct rig_client *c = client_owner(client);
    client_process(client);
    struct slice out = client_output(client);
    if (out.n > sizeof c->text - 1 - c->size)
        abort();
    if (out.n > 0)
        memcpy(c->text + c->size, out.p, out.n);
    c->size += out.n;
    c->text[c->size] = '\0';
    client_output_sent(client, out.n);
}

void rig_collect(struct rig *r)
{
    for (int i = 0; i < r->count; i++) {
        struct client *client;
        while (r->host[i].node && (client = node_next_dirty_client(r->host[i].node)) != NULL)
            client_collect(client);
    }
}

void rig_say(struct rig_client *c, const char *text)
{
    size_t room;
    size_t n = strlen(text);
    memcpy(client_input_reserve(c->client, n, &room), text, n);
    client_input_commit(c->client, n);
    client_process(c->client);
    client_collect(c->client);
}

const char *rig_ask(struct rig_client *c, const char *text, int ms)
{
    rig_forget(c);
    rig_say(c, text);
    for (int i = 0; i < ms && c->size == 0; i++) {
        rig_run(c->rig, 1);
        rig_collect(c->rig);
    }
    return c->text;
}

void rig_forget(struct rig_client *c)
{
    c->size = 0;
    c->text[0] = '\0';
}

void rig_client_write_keys(struct rig_client *c, int from, int to)
{
    char text[128];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "SET key%d value%d\r\n", i, i);
        REQUIRE(strcmp(rig_ask(c, text, 5000), "+OK\r\n") == 0);
    }
}

void rig_write_keys(struct rig *r, int slot, int from, int to)
{
    struct rig_client c;
    rig_connect(r, slot, &c);
    rig_client_write_keys(&c, from, to);
    rig_disconnect(&c);
}
