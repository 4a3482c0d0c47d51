#include <string.h>

#include "node/client_http.h"
#include "base/checksum.h"
#include "base/number.h"
#include "http/api.h"
#include "http/pages.h"
#include "node/cut.h"
#include "node/http_live.h"
#include "node/version.h"

/* What a node answers for itself over HTTP: its status in the words of each API, health, and the two documents that are
 * compiled in. Nothing here changes data. */

static void member_text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_append_cstr(out, value);
}

static void member_int(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void member_bool(struct buf *out, const char *name, bool value)
{
    buf_printf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static const char *role_name(const struct node_status *s)
{
    static const char *const name[] = {"follower", "pre-candidate", "candidate", "leader"};

    return s->is_blank ? "blank" : name[s->raft.role];
}

static uint64_t uptime_s(const struct client *c)
{
    const struct node_env *env = node_environment(c->node);

    return (env->now_us(env->ctx) - clients_started_us(c->clients)) / 1000000;
}

uint32_t http_node_position(struct node *n)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(n, member, LIMIT_MEMBERS);

    for (uint32_t i = 0; i < count; i++) {
        if (member[i].is_self) {
            return i;
        }
    }
    return 0;
}

void http_append_origins(struct node *n, struct buf *out)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(n, member, LIMIT_MEMBERS);

    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s ", member[i].address);
    }
}

/* --- section 1: /admin/status -------------------------------------------------------------------------- */

/* One dictionary, as text or as JSON. */
struct dictionary {
    struct buf *out;
    bool is_json;
    bool is_begun;
};

static void entry_name(struct dictionary *d, const char *name, const char *suffix)
{
    if (d->is_json) {
        buf_printf(d->out, "%s\"%s%s\":", d->is_begun ? "," : "{", name, suffix);
    } else {
        buf_printf(d->out, "%s%s: ", name, suffix);
    }
    d->is_begun = true;
}

static void entry_int(struct dictionary *d, const char *name, const char *suffix, uint64_t value)
{
    entry_name(d, name, suffix);
    buf_printf(d->out, d->is_json ? "%llu" : "%llu\n", (unsigned long long)value);
}

static void entry_text(struct dictionary *d, const char *name, const char *value)
{
    entry_name(d, name, "");
    if (d->is_json && value[0] == '\0') {
        buf_printf(d->out, "null");
    } else if (d->is_json) {
        json_append_cstr(d->out, value);
    } else {
        buf_printf(d->out, "%s\n", value[0] ? value : "None");
    }
}

static void status_partners(struct dictionary *d, struct client *c, const struct node_member *member, uint32_t count, bool is_leader)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!member[i].is_self) {
            entry_int(d, "partner_node_status_server_", member[i].address, member[i].is_reachable ? 2 : 0);
        }
    }
    for (uint32_t i = 0; is_leader && i < count; i++) {
        struct raft_peer_status known;

        if (!member[i].is_self && node_raft(c->node) && raft_get_peer(node_raft(c->node), member[i].id, &known)) {
            entry_int(d, "next_node_idx_server_", member[i].address, known.next);
            entry_int(d, "match_idx_server_", member[i].address, known.match);
        }
    }
}

static void answer_status(struct client *c, struct http_exchange *x, struct http_response *response)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    struct node_status s;
    uint32_t learners = 0;
    uint32_t voters = 0;

    node_get_status(c->node, &s);
    for (uint32_t i = 0; i < count; i++) {
        learners += member[i].is_learner;
        voters += !member[i].is_learner && !member[i].is_self;
    }
    http_response_begin(response, 200, x->accepts_json ? HTTP_TYPE_JSON : "text/plain");
    struct dictionary d = {&response->body, x->accepts_json, false};
    bool is_leader = !s.is_blank && s.raft.role == RAFT_LEADER;
    entry_text(&d, "self", s.own_address ? s.own_address : "");
    entry_int(&d, "state", "", is_leader ? 2 : s.raft.role == RAFT_FOLLOWER ? 0 : 1);
    entry_text(&d, "leader", s.leader_address ? s.leader_address : "");
    entry_text(&d, "has_quorum", node_has_leader(c->node) ? "True" : "False");
    entry_int(&d, "partner_nodes_count", "", voters);
    status_partners(&d, c, member, count, is_leader);
    entry_int(&d, "readonly_nodes_count", "", learners);
    entry_int(&d, "log_len", "", s.raft.last_index ? s.raft.last_index - s.raft.first_index + 1 : 0);
    entry_int(&d, "last_applied", "", s.applied);
    entry_int(&d, "commit_idx", "", s.raft.commit);
    entry_int(&d, "raft_term", "", s.raft.term);
    entry_int(&d, "leader_commit_idx", "", s.raft.commit);
    entry_int(&d, "uptime", "", uptime_s(c));
    entry_text(&d, "version", CORACLE_VERSION);
    if (d.is_json) {
        buf_append_byte(&response->body, '}');
    }
}

/* --- section 4: /debug/state ---------------------------------------------------------------------------- */

static void append_id(struct buf *out, const char *name, uint64_t id)
{
    buf_printf(out, ",\"%s\":\"%016llx\"", name, (unsigned long long)id);
}

static void answer_raft_state(struct client *c, struct http_response *response)
{
    struct node_status s;
    struct buf *out = &response->body;

    node_get_status(c->node, &s);
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(out, "{\"role\":\"%s\"", role_name(&s));
    append_id(out, "id", s.id);
    append_id(out, "cluster_id", s.cluster_id);
    member_text(out, "address", s.own_address ? s.own_address : "");
    member_int(out, "term", s.raft.term);
    append_id(out, "voted_for", s.raft.vote);
    append_id(out, "leader_id", s.raft.leader);
    member_text(out, "leader", s.leader_address ? s.leader_address : "");
    member_int(out, "first_index", s.raft.first_index);
    member_int(out, "last_index", s.raft.last_index);
    member_int(out, "last_term", s.raft.last_term);
    member_int(out, "durable_index", s.raft.durable_index);
    member_int(out, "commit_index", s.raft.commit);
    member_int(out, "applied_index", s.applied);
    member_int(out, "uncommitted_bytes", s.raft.uncommitted_bytes);
    member_int(out, "incarnation", s.incarnation);
    member_int(out, "session", s.session_number);
    member_bool(out, "session_is_open", s.session_is_open);
    member_int(out, "writes_pending", s.forwards_pending);
    member_int(out, "reads_pending", s.reads_pending);
    member_int(out, "log_time_ms", (uint64_t)s.log_time_ms);
    member_bool(out, "can_vote", s.raft.can_vote);
    member_bool(out, "is_transferring", s.raft.is_transferring);
    member_text(out, "trouble", s.trouble ? s.trouble : "");
    buf_append_byte(out, '}');
}

/* --- sections 3 and 5: nodes ------------------------------------------------------------------------------ */

static int port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    int port = 0;

    for (const char *at = colon ? colon + 1 : ""; *at >= '0' && *at <= '9'; at++) {
        port = port * 10 + (*at - '0');
    }
    return port;
}

static void append_node(struct buf *out, const struct node_member *m, uint32_t position)
{
    buf_printf(out, "{\"node_id\":%u,\"status\":\"%s\",\"port\":%d", position, m->is_reachable ? "alive" : "dead", port_of(m->address));
    member_text(out, "address", m->address);
    member_text(out, "role", m->is_learner ? "learner" : m->is_leader ? "leader" : "follower");
    member_bool(out, "in_sync", m->is_in_sync);
    member_int(out, "match_index", m->match);
    buf_append_byte(out, '}');
}

static void append_nodes(struct client *c, struct buf *out)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);

    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        append_node(out, &member[i], i);
    }
    buf_append_byte(out, ']');
}

/* Every member holds every key. */
static void answer_nodes(struct client *c, struct http_response *response)
{
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"status\":\"success\",\"nodes\":");
    append_nodes(c, &response->body);
    buf_append_byte(&response->body, '}');
}

static void answer_cluster(struct client *c, struct http_response *response)
{
    struct node_status s;
    struct buf *out = &response->body;

    node_get_status(c->node, &s);
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(out, "{\"cluster_id\":\"%016llx\"", (unsigned long long)s.cluster_id);
    member_text(out, "self", s.own_address ? s.own_address : "");
    member_text(out, "role", role_name(&s));
    member_text(out, "leader", s.leader_address ? s.leader_address : "");
    member_int(out, "term", s.raft.term);
    member_int(out, "commit_index", s.raft.commit);
    member_int(out, "applied_index", s.applied);
    member_text(out, "trouble", s.trouble ? s.trouble : "");
    buf_printf(out, ",\"members\":");
    append_nodes(c, out);
    buf_append_byte(out, '}');
}

/* /fail/{id}, /recover/{id}: id is the place among the members. */
static void answer_cut(struct client *c, const struct http_exchange *x, struct http_response *response)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    bool is_failing = x->route->id == ROUTE_FAIL;
    uint64_t position = 0;

    if (!node_options(c->node)->test_mode) {
        api_error(response, 403, "Forbidden", "Nodes fail on request only with test-mode yes");
        return;
    }
    if (!number_parse_u64(x->key, &position) || position >= count) {
        api_error(response, 404, "Not found", "No such node");
        return;
    }
    if (!cut_ask(c->node, member[position].id, is_failing)) {
        api_error(response, 503, "Not done", "That node can't be reached from here now");
        buf_printf(&response->fields, "Retry-After: 1\r\n");
        return;
    }
    http_response_begin(response, 200, HTTP_TYPE_JSON);
    buf_printf(&response->body, "{\"status\":\"success\",\"message\":\"Node %llu %s\"}", (unsigned long long)position,
               is_failing ? "failed" : "recovered");
}

/* --- health ------------------------------------------------------------------------------------------------ */

/* Alive: the loop runs. A process whose disk fails ends by itself, so there is nothing else to tell an orchestrator. */
static void answer_healthz(struct http_response *response)
{
    http_response_text(response, 200, "ok\n");
}

/* Ready: a request sent here now would be served. */
static void answer_readyz(struct client *c, struct http_response *response)
{
    struct node_status s;
    const char *why = NULL;

    node_get_status(c->node, &s);
    if (node_is_cut(c->node)) {
        why = "this node was asked to fail";
    } else if (!node_has_leader(c->node)) {
        why = s.trouble ? s.trouble : "no leader is known";
    } else if (!s.is_blank && !s.session_is_open) {
        why = "the node's session is not open yet";
    } else if (!s.is_blank && s.applied + 1000 < s.raft.commit) {
        why = "the node is catching up with the log";
    }
    http_response_text(response, why ? 503 : 200, why ? why : "ok");
    buf_append_byte(&response->body, '\n');
}

static void answer_page(struct http_response *response, const char *type, struct slice page)
{
    http_response_begin(response, 200, type);
    buf_append_slice(&response->body, page);
}

/* The page may run its own script and no other, and talk to the cluster's nodes. */
static void append_page_policy(struct http_response *response, struct slice page)
{
    static const char begin[] = "<script>";
    static const char end[] = "</script>";
    size_t from = 0;
    size_t to = 0;

    for (size_t i = 0; i + sizeof end <= page.n; i++) {
        from = from == 0 && memcmp(page.p + i, begin, sizeof begin - 1) == 0 ? i + sizeof begin - 1 : from;
        to = memcmp(page.p + i, end, sizeof end - 1) == 0 ? i : to;
    }
    uint8_t digest[32];
    ASSERT(from > 0 && to > from);
    sha256(page.p + from, to - from, digest);
    buf_printf(&response->fields, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                                  "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'sha256-");
    base64_append(&response->fields, (struct slice){digest, sizeof digest});
    buf_printf(&response->fields, "'\r\n");
}

void client_http_node(struct client *c, struct http_exchange *x, const struct http_request *r, struct http_response *response)
{
    (void)r;
    switch ((int)x->route->id) {
    case ROUTE_STATUS:
        answer_status(c, x, response);
        return;
    case ROUTE_RAFT_STATE:
        answer_raft_state(c, response);
        return;
    case ROUTE_NODES:
    case ROUTE_NODES_FOR_KEY:
        answer_nodes(c, response);
        return;
    case ROUTE_CLUSTER:
        answer_cluster(c, response);
        return;
    case ROUTE_HEALTHZ:
        answer_healthz(response);
        return;
    case ROUTE_READYZ:
        answer_readyz(c, response);
        return;
    case ROUTE_METRICS:
        http_response_begin(response, 200, "text/plain; version=0.0.4; charset=utf-8");
        http_metrics_append(c->node, &response->body);
        return;
    case ROUTE_OPENAPI:
        answer_page(response, HTTP_TYPE_JSON, http_page_openapi());
        return;
    case ROUTE_DASHBOARD:
        answer_page(response, "text/html; charset=utf-8", http_page_dashboard());
        append_page_policy(response, http_page_dashboard());
        return;
    case ROUTE_FAIL:
    case ROUTE_RECOVER:
        answer_cut(c, x, response);
        return;
    case ROUTE_WS:
    case ROUTE_LIVE:
        http_response_error(response, 426, "this path is a WebSocket");
        buf_printf(&response->fields, "Upgrade: websocket\r\n");
        return;
    default: /* The others have a begin of their own. */
        http_response_error(response, 501, "not available yet");
        return;
    }
}
