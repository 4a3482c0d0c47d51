/* The exchanges recorded from Redis 7.0.15, byte for byte, against a running server. Each case has a connection of its
 * own and begins after FLUSHALL. A case whose command the server does not have yet is pending: listed, and a check by
 * itself as soon as the command comes. The commands that must exist are listed here, so that one can't vanish
 * unseen. Cases that don't apply to this server are excepted by name, with the reason.
 *
 * "Nothing comes" can't be waited for forever: an empty answer is one that did not come within QUIET_MS, and a
 * connection that is to stay open must say nothing more and not be closed for as long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "integration/lib/cluster.h"
#include "tests/lib/corpus.h"

enum { CORPUS_QUIET_MS = 25, CORPUS_ANSWER_MS = 3000 };

struct corpus_run {
    const struct cluster *cluster;
    size_t node;
    bool is_follower;
    size_t matched;
    size_t pending;
    size_t excepted;
    struct buf pending_names;
};

static const char *const corpus_must_exist[] = {
    "ping", "echo", "hello", "auth", "quit", "reset", "select", "client", "command", "config", "info", "dbsize", "set", "get", "del",
    "exists", "incr", "decr", "incrby", "decrby", "append", "strlen", "mget", "mset", "type", "expire", "pexpire", "expireat",
    "pexpireat", "ttl", "pttl", "persist", "flushall", "multi", "exec", "discard", "watch", "unwatch", "raft",
};

/* The verbs with which the first inline line begins a text session. */
static const char *const corpus_text_verbs[] = {"put", "get", "update", "delete", "add-node", "remove-node", "status", "help", "quit", "auth"};

static const struct {
    const char *name;
    const char *reason;
} corpus_exceptions[] = {
    {"err/unknown-subcmd-client", "CLIENT SETINFO exists here, as in Redis 7.2: newer clients send it"},
    {"err/module", "there is no enable-module-command: modules can't be loaded at all"},
    {"err/failover", "there are other nodes, and one of them would lead"},
    {"err/wait", "there are other nodes, and they have the write"},
    {"resp3/role-time", "ROLE names the other nodes"},
    {"resp2/role-time", "ROLE names the other nodes"},
};

/* Single steps that can match only when more of Redis's commands exist, or that name commands which Redis doesn't have; the case
 * goes on behind them. */
static const struct {
    const char *name;
    size_t step; /* from 1 */
} corpus_pending_steps[] = {
    {"resp2/acl", 6}, /* ACL CAT connection: waitaof, client|setinfo and raft|consistency, too */
    {"resp3/acl", 7},
    {"resp2/command", 2}, /* COMMAND COUNT: 240 */
    {"resp2/command", 3}, /* COMMAND DOCS: with the tree of arguments */
    {"resp2/command", 5}, /* COMMAND LIST: xlen */
    {"resp3/command", 3},
    {"resp3/command", 4},
    {"resp3/command", 6},
};

static bool corpus_is_in(const char *word, size_t n, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i]) == n && strncasecmp(word, list[i], n) == 0) {
            return true;
        }
    }
    return false;
}

#define CORPUS_IS_IN(word, n, list) corpus_is_in(word, n, list, sizeof(list) / sizeof *(list))

static const char *corpus_excepted(const struct corpus_case *item)
{
    struct slice first = buf_slice(&item->step[0].sent);
    const char *sent = (const char *)first.p;
    size_t len = first.n;
    size_t word = 0;
    if (itest_server_is_redis()) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof corpus_exceptions / sizeof *corpus_exceptions; i++) {
        if (strcmp(corpus_exceptions[i].name, item->name) == 0) {
            return corpus_exceptions[i].reason;
        }
    }
    while (word < len && strchr(" \t\r\n", sent[word]) == NULL) {
        word++;
    }
    if (len == 0 || sent[0] == '*') {
        return NULL;
    }
    if ((word == 4 && memcmp(sent, "POST", 4) == 0) || (word == 5 && strncasecmp(sent, "Host:", 5) == 0) ||
        (len > 10 && memcmp(sent, "GET / HTTP", 10) == 0)) {
        return "HTTP is served on the same port";
    }
    return CORPUS_IS_IN(sent, word, corpus_text_verbs) ? "the first line begins a text session" : NULL;
}

/* How many whole values the recorded answer is. */
static size_t corpus_count_values(struct slice expected)
{
    size_t count = 0;
    while (expected.n > 0) {
        long n = resp_length((const char *)expected.p, expected.n);
        if (n <= 0) {
            return count + 1;
        }
        expected = slice_skip(expected, (size_t)n);
        count++;
    }
    return count;
}

static struct slice corpus_receive(struct wire *w, const struct corpus_case *item, const struct corpus_step *step, bool is_last)
{
    const char *bytes = NULL;
    size_t len = 0;
    if (is_last && item->is_closed) {
        wire_read_bytes(w, SIZE_MAX, CORPUS_ANSWER_MS, &bytes, &len);
    } else if (buf_size(&step->expected) > 0) {
        wire_read_many(w, corpus_count_values(buf_slice(&step->expected)), CORPUS_ANSWER_MS, &bytes, &len);
    }
    return (struct slice){(const uint8_t *)bytes, len};
}

static int corpus_compare_lines(const void *a, const void *b)
{
    const struct slice *x = a;
    const struct slice *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* Splits at LF and sorts. Returns how many lines, at most `max`. */
static size_t corpus_sorted_lines(struct slice text, struct slice *line, size_t max)
{
    size_t count = 0;
    while (text.n > 0 && count < max) {
        const uint8_t *lf = memchr(text.p, '\n', text.n);
        size_t n = lf != NULL ? (size_t)(lf - text.p) + 1 : text.n;
        line[count++] = (struct slice){text.p, n};
        text = slice_skip(text, n);
    }
    qsort(line, count, sizeof *line, corpus_compare_lines);
    return count;
}

/* Redis itself answers these in an order that differs from process to process (its tables' hash seed). */
static bool corpus_matches_unordered(const struct corpus_case *item, struct slice expected, struct slice got)
{
    enum { MAX = 256 };
    struct slice a[MAX];
    struct slice b[MAX];
    const char *name = strchr(item->name, '/');
    if (name == NULL || (strcmp(name, "/config-get") != 0 && strcmp(name, "/acl") != 0)) {
        return false;
    }
    size_t n = corpus_sorted_lines(expected, a, MAX);
    if (n != corpus_sorted_lines(got, b, MAX)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (corpus_compare_lines(&a[i], &b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The recorded answer as it must be here: a follower's HELLO says replica. */
static struct buf corpus_expected(const struct corpus_run *run, const struct corpus_step *step)
{
    static const char master[] = "$4\r\nrole\r\n$6\r\nmaster\r\n";
    static const char replica[] = "$4\r\nrole\r\n$7\r\nreplica\r\n";
    struct slice rest = buf_slice(&step->expected);
    struct buf out = {0};
    for (; run->is_follower && rest.n >= sizeof master - 1; rest = slice_skip(rest, 1)) {
        if (memcmp(rest.p, master, sizeof master - 1) == 0) {
            buf_append(&out, replica, sizeof replica - 1);
            rest = slice_skip(rest, sizeof master - 1);
            break;
        }
        buf_append_byte(&out, rest.p[0]);
    }
    buf_append_slice(&out, rest);
    return out;
}

/* The number of the connection in a HELLO map is never the recorded one. */
static bool corpus_matches(const struct corpus_run *run, const struct corpus_case *item, const struct corpus_step *step, struct slice got)
{
    static const char id[] = "$2\r\nid\r\n:";
    struct corpus_case normalised = *item;
    struct corpus_step here = {.expected = corpus_expected(run, step)};
    struct slice expected = buf_slice(&here.expected);
    for (size_t i = 0; i + sizeof id <= expected.n; i++) {
        normalised.is_normalised |= memcmp(expected.p + i, id, sizeof id - 1) == 0;
    }
    bool ok = corpus_step_matches(&normalised, &here, got) || corpus_matches_unordered(item, expected, got);
    buf_deinit(&here.expected);
    return ok;
}

/* If `got` says that a command is unknown and the recording does not: its name's length, and where it begins. */
static const char *corpus_unknown_word(struct slice got, const struct corpus_step *step, size_t *n)
{
    static const char *const says[] = {"-ERR unknown command '", "-ERR unknown subcommand '", "-ERR '"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        size_t len = strlen(says[i]);
        const char *hit = got.n >= len ? strstr((const char *)got.p, says[i]) : NULL;
        struct slice recorded = buf_slice(&step->expected);
        bool is_recorded = recorded.n > len && memcmp(recorded.p, says[i], len) == 0;
        /* "-ERR 'XADD' is not available yet: streams are planned" */
        if (i == 2 && hit != NULL && strncmp(hit + len + strcspn(hit + len, "'"), "' is not available yet", 22) != 0) {
            continue;
        }
        if (hit != NULL && !is_recorded) {
            *n = strcspn(hit + len, "'");
            return hit + len;
        }
    }
    return NULL;
}

static bool corpus_is_pending_step(const struct corpus_case *item, size_t step)
{
    for (size_t i = 0; i < sizeof corpus_pending_steps / sizeof *corpus_pending_steps; i++) {
        if (corpus_pending_steps[i].step == step + 1 && strcmp(corpus_pending_steps[i].name, item->name) == 0) {
            return true;
        }
    }
    return false;
}

static void corpus_note_pending(struct corpus_run *run, const struct corpus_case *item)
{
    run->pending++;
    buf_append(&run->pending_names, item->name, strlen(item->name));
    buf_append(&run->pending_names, " ", 1);
}

static void corpus_report(struct corpus_run *run, const struct corpus_case *item, size_t step, struct slice got)
{
    struct buf text = {0};
    size_t n;
    const char *unknown = corpus_unknown_word(got, &item->step[step], &n);
    if (unknown != NULL && !CORPUS_IS_IN(unknown, n, corpus_must_exist)) {
        corpus_note_pending(run, item);
        return;
    }
    corpus_append_escaped(&text, got);
    buf_append(&text, "\" instead of \"", 14);
    corpus_append_escaped(&text, buf_slice(&item->step[step].expected));
    itest_fail("%s (line %d) step %zu: \"%.*s\"", item->name, item->line, step + 1, (int)(buf_size(&text) < 900 ? buf_size(&text) : 900),
               (const char *)buf_slice(&text).p);
    buf_deinit(&text);
}

/* Does the connection end as recorded, without another byte? */
static bool corpus_check_end(struct wire *w, const struct corpus_case *item)
{
    const char *bytes;
    size_t len;
    if (item->is_closed) {
        if (!wire_is_closed_within(w, CORPUS_ANSWER_MS)) {
            itest_fail("%s (line %d): the connection is not closed", item->name, item->line);
            return false;
        }
        return true;
    }
    enum wire_result r = wire_read_bytes(w, 1, CORPUS_QUIET_MS, &bytes, &len);
    if (r != WIRE_TIMEOUT) {
        itest_fail("%s (line %d): %s", item->name, item->line, r == WIRE_CLOSED ? "the connection was closed" : "more bytes than recorded");
    }
    return r == WIRE_TIMEOUT;
}

static void corpus_run_case(struct corpus_run *run, const struct corpus_case *item)
{
    struct wire w;
    REQUIRE(wire_open(&w, run->cluster->node[run->node].port, CORPUS_ANSWER_MS));
    bool ok = true;
    bool has_pending_step = false;
    for (size_t i = 0; i < item->step_count && ok; i++) {
        const struct corpus_step *step = &item->step[i];
        struct slice sent = buf_slice(&step->sent);
        wire_write(&w, sent.p, sent.n); /* may fail: the server closes in the middle of some */
        struct slice got = corpus_receive(&w, item, step, i + 1 == item->step_count);
        ok = corpus_matches(run, item, step, got);
        if (!ok && corpus_is_pending_step(item, i)) {
            has_pending_step = true;
            ok = true;
        } else if (!ok) {
            corpus_report(run, item, i, got);
        }
    }
    if (ok && corpus_check_end(&w, item)) {
        if (has_pending_step) {
            corpus_note_pending(run, item);
        } else {
            run->matched++;
        }
    }
    wire_close(&w);
}

static void corpus_run_all(struct corpus_run *run)
{
    struct corpus corpus;
    struct wire control;
    char error[200];
    bool has_password = false;
    if (!corpus_load(&corpus, "tests/data/protocol_corpus.txt", error, sizeof error)) {
        itest_fail("%s", error);
        itest_leave();
    }
    REQUIRE(wire_open(&control, run->cluster->node[run->node].port, CORPUS_ANSWER_MS));
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_case *item = &corpus.item[i];
        bool wants_password = corpus_case_is_in(item, "auth");
        const char *reason = corpus_excepted(item);
        if (reason != NULL) {
            itest_note("excepted: %s: %s", item->name, reason);
            run->excepted++;
            continue;
        }
        if (wants_password != has_password) {
            REQUIRE(wire_call(&control, "CONFIG SET requirepass %s", wants_password ? "secret" : "") != NULL);
            has_password = wants_password;
        }
        REQUIRE(wire_call(&control, "FLUSHALL") != NULL);
        corpus_run_case(run, item);
    }
    if (has_password) {
        CHECK_STR(wire_call(&control, "CONFIG SET requirepass "), "+OK\r\n");
    }
    wire_close(&control);
    itest_note("%zu cases: %zu match, %zu pending, %zu excepted", corpus.count, run->matched, run->pending, run->excepted);
    itest_note("pending (command not there yet): %.*s", (int)buf_size(&run->pending_names),
              (const char *)buf_slice(&run->pending_names).p);
    CHECK(run->matched > 0 && (!itest_server_is_redis() || run->matched == corpus.count));
    buf_deinit(&run->pending_names);
    corpus_free(&corpus);
}

ITEST(protocol_corpus_on_leader, ITEST_ANY_SERVER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "--enable-debug-command yes");
    int leader = cluster_leader(&c, -1, 5000);
    REQUIRE(leader >= 0);
    struct corpus_run run = {.cluster = &c, .node = (size_t)leader};
    corpus_run_all(&run);
}

ITEST(protocol_corpus_on_follower, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "--enable-debug-command yes");
    struct corpus_run run = {.cluster = &c, .node = cluster_follower(&c), .is_follower = true};
    corpus_run_all(&run);
}

ITEST_MAIN()
