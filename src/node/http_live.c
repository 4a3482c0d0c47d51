#include "node/http_live.h"

#include <string.h>

#include "keyspace/changes.h"
#include "node/client_http.h"
#include "node/events.h"
#include "node/stages.h"
#include "node/version.h"

/* This node's state as one JSON text: what /v1/live says once a second and the dashboard shows. */

#define EVENTS_SHOWN 40

static void live_int(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void live_text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_append_cstr(out, value);
}

static void live_bool(struct buf *out, const char *name, bool value)
{
    buf_printf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void live_members(struct node *n, const struct node_status *s, struct buf *out)
{
    struct node_member member[LIMIT_MEMBERS];
    const struct node_env *env = node_environment(n);
    uint32_t count = node_get_members(n, member, LIMIT_MEMBERS);
    uint64_t now_us = env->now_us(env->ctx);

    buf_printf(out, ",\"members\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct node_member *m = &member[i];
        uint64_t silent_us = m->last_contact_us && now_us > m->last_contact_us ? now_us - m->last_contact_us : 0;

        buf_printf(out, "%s{\"node_id\":%u,\"id\":\"%016llx\"", i > 0 ? "," : "", i, (unsigned long long)m->id);
        live_text(out, "address", m->address);
        live_text(out, "role", m->is_learner ? "learner" : m->is_leader ? "leader" : "follower");
        live_bool(out, "self", m->is_self);
        live_bool(out, "reachable", m->is_reachable);
        live_bool(out, "in_sync", m->is_in_sync);
        live_int(out, "match", m->match);
        live_int(out, "lag", m->match && s->raft.last_index > m->match ? s->raft.last_index - m->match : 0);
        if (m->is_self || m->last_contact_us) {
            live_int(out, "last_contact_ms", m->is_self ? 0 : silent_us / 1000);
        }
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void live_stages(struct node *n, struct buf *out)
{
    const struct stages *s = node_stages(n);

    buf_printf(out, ",\"stage_bounds_us\":[");
    for (unsigned i = 0; i + 1 < STAGE_BUCKETS; i++) {
        buf_printf(out, "%s%llu", i > 0 ? "," : "", (unsigned long long)stage_bound_us(i));
    }
    buf_printf(out, "],\"stages\":{");
    for (int stage = 0; s && stage < STAGES; stage++) {
        const struct stage_histogram *h = &s->histogram[stage];

        buf_printf(out, "%s\"%s\":{\"count\":%llu,\"sum_us\":%llu,\"buckets\":[", stage > 0 ? "," : "", stage_name((enum stage)stage),
                   (unsigned long long)h->count, (unsigned long long)h->sum_us);
        for (unsigned i = 0; i < STAGE_BUCKETS; i++) {
            buf_printf(out, "%s%llu", i > 0 ? "," : "", (unsigned long long)h->bucket[i]);
        }
        buf_printf(out, "]}");
    }
    buf_append_byte(out, '}');
}

static void live_events(struct node *n, struct buf *out)
{
    static const char *const level[] = {"debug", "verbose", "notice", "warning"};
    const struct events *events = node_events(n);
    uint64_t first = events && events->count > EVENTS_SHOWN ? events->count - EVENTS_SHOWN : 0;

    buf_printf(out, ",\"events\":[");
    for (uint64_t i = first; events && i < events->count; i++) {
        const struct event_line *line = &events->line[i % EVENTS_KEPT];

        buf_printf(out, "%s{\"at\":%lld,\"level\":\"%s\",\"text\":", i > first ? "," : "", (long long)line->wall_ms, level[line->level]);
        json_append_cstr(out, line->text);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void live_snapshot(struct node *n, int64_t wall_ms, struct buf *out)
{
    struct node_snapshot_status s;

    node_get_snapshot(n, &s);
    buf_printf(out, ",\"snapshot\":{\"index\":%llu,\"bytes\":%llu", (unsigned long long)s.index, (unsigned long long)s.bytes);
    live_int(out, "age_s", s.index && wall_ms > s.saved_ms ? (uint64_t)(wall_ms - s.saved_ms) / 1000 : 0);
    live_bool(out, "running", s.is_running);
    live_bool(out, "failed", s.last_failed);
    live_bool(out, "loading", s.is_loading || s.is_receiving);
    buf_append_byte(out, '}');
}

static void live_keys(struct node *n, struct buf *out)
{
    live_int(out, "keys", keyspace_count_all(node_keyspace(n)));
}

void http_live_append(struct node *n, struct buf *out)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    const struct node_env *env = node_environment(n);
    struct clients *cs = node_clients(n);
    const struct keyspace *k = node_keyspace(n);
    struct process_info process = {0};
    struct node_status s;
    uint32_t part;

    node_get_status(n, &s);
    if (env->process_info) {
        env->process_info(env->ctx, &process);
    }
    buf_printf(out, "{\"version\":\"%s\"", CORACLE_VERSION);
    live_int(out, "now", env->wall_ms ? (uint64_t)env->wall_ms(env->ctx) : 0);
    live_int(out, "uptime_s", (env->now_us(env->ctx) - clients_started_us(cs)) / 1000000);
    live_text(out, "self", s.own_address ? s.own_address : "");
    live_text(out, "role", s.is_blank ? "blank" : role[s.raft.role]);
    live_text(out, "leader", s.leader_address ? s.leader_address : "");
    live_int(out, "term", s.raft.term);
    live_int(out, "commit", s.raft.commit);
    live_int(out, "applied", s.applied);
    live_int(out, "last_index", s.raft.last_index);
    live_int(out, "first_index", s.raft.first_index);
    live_int(out, "durable", s.raft.durable_index);
    live_int(out, "elections", s.elections);
    live_text(out, "trouble", s.trouble ? s.trouble : "");
    live_bool(out, "disk_full", s.is_disk_full);
    live_int(out, "log_file_bytes", s.log_file_bytes);
    live_int(out, "disk_syncs", s.disk_syncs);
    live_int(out, "memory", mem_used());
    live_int(out, "resident", process.resident_bytes);
    live_int(out, "maxmemory", (uint64_t)node_options(n)->maxmemory);
    live_keys(n, out);
    live_snapshot(n, env->wall_ms ? env->wall_ms(env->ctx) : 0, out);
    live_int(out, "clients", clients_count(cs));
    live_int(out, "commands", clients_counters(cs)->commands);
    live_int(out, "watchers", watches_of(cs)->count);
    live_bool(out, "feed_on", changes_are_on(k));
    live_int(out, "feed_first", changes_first(k));
    live_int(out, "feed_last", changes_last(k, &part));
    live_bool(out, "test_mode", node_options(n)->test_mode);
    live_members(n, &s, out);
    live_stages(n, out);
    live_events(n, out);
    buf_append_byte(out, '}');
}

void http_live_each_second(struct clients *cs)
{
    struct buf json = {0};

    if (list_empty(&cs->watches.live)) {
        return;
    }
    http_live_append(cs->node, &json);
    watches_tell_live(cs, buf_slice(&json));
    buf_deinit(&json);
}
