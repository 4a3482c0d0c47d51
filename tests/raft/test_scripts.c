/* Scripted scenarios: tests/raft/scripts/<name>.txt, each a sequence of
 *
 *     # a comment
 *     command arguments
 *     ----
 *     what it prints
 *     (an empty line)
 *
 * A command prints the messages it delivers and, below each, what the receivers did. `test_scripts
 * [--rewrite] [name...]` runs all scripts or those whose path contains a name; --rewrite replaces
 * the recorded output, to be reviewed as a diff.
 *
 *   cluster N [voters=V] [lease=MS] [drift=PPM] [window=MESSAGES] [memory=BYTES] [append=BYTES]
 * [burst=BYTES] [uncommitted=BYTES] [seed=S] [tail] start ID | crash ID [SURVIVING] | campaign ID | tick MS | run
 * MS | settle | quiet propose ID WORD... | read ID CONTEXT [lease] | lease ID | step-down ID |
 * transfer ID [TO] | nudge ID PEER change ID voters=1,2,3 [learners=4] | cancel ID | link ID PEER
 * up|down|starved room ID PEER yes|no deliver|drop|double [A>B] [TYPE] | cut A>B... [bulk] | isolate ID | heal | disk
 * ID manual|auto | persist ID [COUNT] status | log ID | queue | peers ID | conf ID
 *
 * deliver takes what is under way when it starts; settle goes on until nothing moves, without
 * printing the messages; quiet is settle without any output. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "cluster.h"

#define WORDS 32

struct script {
    struct cluster cluster;
    bool has_cluster;
    char *word[WORDS];
    uint32_t word_count;
    struct buf *out;
};

static const char *option(const struct script *s, const char *name)
{
    size_t n = strlen(name);
    for (uint32_t i = 1; i < s->word_count; i++) {
        if (strncmp(s->word[i], name, n) == 0 && (s->word[i][n] == '=' || s->word[i][n] == 0)) {
            return s->word[i][n] == '=' ? s->word[i] + n + 1 : "";
        }
    }
    return NULL;
}

static uint64_t number(const struct script *s, uint32_t i, uint64_t otherwise)
{
    return i < s->word_count ? strtoull(s->word[i], NULL, 10) : otherwise;
}

static uint64_t option_number(const struct script *s, const char *name, uint64_t otherwise)
{
    const char *text = option(s, name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static uint32_t option_set(const struct script *s, const char *name)
{
    uint32_t set = 0;
    const char *text = option(s, name);
    while (text != NULL && *text != 0) {
        char *end;
        set |= 1u << strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
        if (*end != ',') {
            break;
        }
    }
    return set;
}

static void on_cluster(struct script *s)
{
    struct raft_options options = cluster_options();
    uint32_t n = (uint32_t)number(s, 1, 3);
    if (s->has_cluster) {
        cluster_deinit(&s->cluster);
    }
    options.lease_us = (uint32_t)option_number(s, "lease", 0) * 1000;
    options.lease_drift_ppm = (uint32_t)option_number(s, "drift", 0);
    options.inflight_messages = (uint32_t)option_number(s, "window", 16);
    options.memory_bytes = option_number(s, "memory", 1u << 20);
    options.append_bytes = (uint32_t)option_number(s, "append", 4096);
    options.burst_bytes = (uint32_t)option_number(s, "burst", 0);
    options.uncommitted_bytes = option_number(s, "uncommitted", 1u << 20);
    cluster_init(&s->cluster, n, (uint32_t)option_number(s, "voters", n), &options,
                 option_number(s, "seed", 1));
    s->cluster.has_tail_only = option(s, "tail") != NULL;
    s->has_cluster = true;
    for (raft_id id = 1; id <= n; id++) {
        if (s->cluster.node[id].raft == NULL) {
            cluster_start(&s->cluster, id);
        }
    }
}

static const char *const type_name[] = {
    "?",      "prevote",    "prevote-reply", "vote",    "vote-reply", "heartbeat", "heartbeat-ack",
    "commit", "append-ack", "timeout-now",   "removed", "append",
};

static bool is_selected(const struct script *s, const struct raft_message *m)
{
    for (uint32_t i = 1; i < s->word_count; i++) {
        const char *arrow = strchr(s->word[i], '>');
        if (arrow != NULL) {
            bool is_from = s->word[i][0] == '*' || strtoull(s->word[i], NULL, 10) == m->from;
            bool is_to = arrow[1] == '*' || strtoull(arrow + 1, NULL, 10) == m->to;
            if (!is_from || !is_to) {
                return false;
            }
        } else if (strcmp(s->word[i], type_name[m->type]) != 0) {
            return false;
        }
    }
    return true;
}

static void take_trace(struct script *s, const char *indent)
{
    struct buf *trace = &s->cluster.trace;
    struct slice t = buf_slice(trace);
    while (t.n > 0) {
        const uint8_t *end = memchr(t.p, '\n', t.n);
        size_t n = (size_t)(end - t.p) + 1;
        buf_printf(s->out, "%s%.*s", indent, (int)n, (const char *)t.p);
        t = slice_skip(t, n);
    }
    buf_clear(trace, SIZE_MAX);
}

static void on_deliver(struct script *s)
{
    struct cluster *c = &s->cluster;
    uint32_t end = c->wire_count;
    for (uint32_t i = 0; i < end;) {
        if (!is_selected(s, &c->wire[i].message)) {
            i++;
            continue;
        }
        cluster_describe(&c->wire[i].message, s->out);
        buf_printf(s->out, "\n");
        if (strcmp(s->word[0], "deliver") == 0) {
            cluster_deliver(c, i);
            take_trace(s, "  ");
            end--;
        } else if (strcmp(s->word[0], "drop") == 0) {
            cluster_drop(c, i);
            end--;
        } else {
            cluster_duplicate(c, i++);
        }
    }
}

static void on_event(struct script *s, enum raft_event_type type)
{
    struct raft_event event = {.type = type};
    struct raft_conf conf;
    if (type == RAFT_EVENT_CHANGE) {
        cluster_conf(&conf, option_set(s, "voters"), option_set(s, "learners"));
        event.u.change_to = &conf;
    } else if (type == RAFT_EVENT_TRANSFER) {
        event.u.transfer_to = number(s, 2, 0);
    } else if (type == RAFT_EVENT_NUDGE) {
        event.u.nudge_peer = number(s, 2, 0);
    } else if (type == RAFT_EVENT_PEER_LINK) {
        event.u.peer_link.peer = number(s, 2, 0);
        event.u.peer_link.is_up = s->word_count > 3 && strcmp(s->word[3], "down") != 0;
        event.u.peer_link.is_starved = s->word_count > 3 && strcmp(s->word[3], "starved") == 0;
    } else if (type == RAFT_EVENT_PEER_ROOM) {
        event.u.peer_room.peer = number(s, 2, 0);
        event.u.peer_room.has_room = s->word_count > 3 && strcmp(s->word[3], "yes") == 0;
    }
    enum err e = cluster_step(&s->cluster, number(s, 1, 0), &event);
    if (e != ERR_OK) {
        buf_printf(s->out, "error: %s\n", err_text(e));
    }
}

static void on_propose(struct script *s)
{
    const char *payload[WORDS];
    for (uint32_t i = 2; i < s->word_count; i++) {
        payload[i - 2] = s->word[i];
    }
    enum err e = cluster_propose(&s->cluster, number(s, 1, 0), payload, s->word_count - 2);
    if (e != ERR_OK) {
        buf_printf(s->out, "error: %s\n", err_text(e));
    }
}

static void on_read(struct script *s)
{
    enum raft_read_level level = s->word_count > 3 ? RAFT_READ_LEASE : RAFT_READ_QUORUM;
    enum err e = cluster_read(&s->cluster, number(s, 1, 0), number(s, 2, 0), level);
    if (e != ERR_OK) {
        buf_printf(s->out, "error: %s\n", err_text(e));
    }
}

static void on_cut(struct script *s)
{
    struct cluster *c = &s->cluster;
    if (strcmp(s->word[0], "heal") == 0) {
        memset(c->is_cut, 0, sizeof(c->is_cut));
        c->is_bulk_cut = false;
        return;
    }
    if (strcmp(s->word[0], "isolate") == 0) {
        for (raft_id id = 1; id <= c->node_count; id++) {
            c->is_cut[id][number(s, 1, 0)] = c->is_cut[number(s, 1, 0)][id] = true;
        }
        return;
    }
    for (uint32_t i = 1; i < s->word_count; i++) {
        char *arrow = strchr(s->word[i], '>');
        c->is_bulk_cut = c->is_bulk_cut || strcmp(s->word[i], "bulk") == 0;
        if (arrow != NULL) {
            c->is_cut[strtoull(s->word[i], NULL, 10)][strtoull(arrow + 1, NULL, 10)] = true;
        }
    }
}

static void on_status(struct script *s)
{
    static const char *const role[] = {"follower", "pre-candidate", "candidate", "leader"};
    for (raft_id id = 1; id <= s->cluster.node_count; id++) {
        struct raft_status st = cluster_status(&s->cluster, id);
        if (s->cluster.node[id].raft == NULL) {
            buf_printf(s->out, "%d down\n", (int)id);
            continue;
        }
        buf_printf(s->out, "%d %s term %d vote %d leader %d last %d/%d durable %d commit %d%s%s\n",
                   (int)id, role[st.role], (int)st.term, (int)st.vote, (int)st.leader,
                   (int)st.last_index, (int)st.last_term, (int)st.durable_index, (int)st.commit,
                   st.is_transferring ? " transferring" : "", st.can_vote ? "" : " may not vote");
    }
}

static void on_log(struct script *s)
{
    struct raft *r = cluster_node(&s->cluster, number(s, 1, 0))->raft;
    struct raft_status st = cluster_status(&s->cluster, number(s, 1, 0));
    if (st.memory_first > 1) {
        buf_printf(s->out, "in memory from %d\n", (int)st.memory_first);
    }
    for (raft_index i = st.memory_first; i <= st.last_index; i++) {
        static const char *const type[] = {"?", "noop", "conf", "cmd"};
        struct raft_entry e;
        bool has = raft_get_entry(r, i, &e);
        ASSERT(has);
        bool is_cmd = e.type == RAFT_ENTRY_COMMAND;
        buf_printf(s->out, "%d/%d %s%s%.*s\n", (int)i, (int)e.term, type[e.type], is_cmd ? " " : "",
                   is_cmd ? (int)e.payload.n : 0, (const char *)e.payload.p);
    }
}

static void on_peers(struct script *s)
{
    struct cluster_node *n = cluster_node(&s->cluster, number(s, 1, 0));
    struct raft_peer_status p;
    for (raft_id id = 1; id <= s->cluster.node_count; id++) {
        if (raft_get_peer(n->raft, id, &p)) {
            buf_printf(s->out, "%d match %d next %d %s, %u under way\n", (int)id, (int)p.match,
                       (int)p.next, p.is_probing ? "probing" : "replicating", p.inflight_messages);
        }
    }
}

static void on_queue(struct script *s)
{
    for (uint32_t i = 0; i < s->cluster.wire_count; i++) {
        cluster_describe(&s->cluster.wire[i].message, s->out);
        buf_printf(s->out, "\n");
    }
}

static void run_node_command(struct script *s, const char *name)
{
    struct cluster *c = &s->cluster;
    raft_id id = number(s, 1, 0);
    if (id == 0 || id > c->node_count) {
        buf_printf(s->out, "error: no such node\n");
    } else if (strcmp(name, "start") == 0) {
        cluster_start(c, id);
    } else if (strcmp(name, "damage") == 0) {
        cluster_damage(c, id, number(s, 2, 1));
    } else if (c->node[id].raft == NULL) {
        buf_printf(s->out, "error: it is down\n");
    } else if (strcmp(name, "crash") == 0) {
        cluster_crash(c, id, (uint32_t)number(s, 2, 0));
    } else if (strcmp(name, "campaign") == 0) {
        cluster_campaign(c, id);
    } else if (strcmp(name, "propose") == 0) {
        on_propose(s);
    } else if (strcmp(name, "read") == 0) {
        on_read(s);
    } else if (strcmp(name, "lease") == 0) {
        bool holds = raft_lease_holds(c->node[id].raft, cluster_clock(c, &c->node[id]));
        buf_printf(s->out, "%s\n", holds ? "holds" : "none");
    } else if (strcmp(name, "step-down") == 0) {
        on_event(s, RAFT_EVENT_STEP_DOWN);
    } else if (strcmp(name, "transfer") == 0) {
        on_event(s, RAFT_EVENT_TRANSFER);
    } else if (strcmp(name, "nudge") == 0) {
        on_event(s, RAFT_EVENT_NUDGE);
    } else if (strcmp(name, "change") == 0) {
        on_event(s, RAFT_EVENT_CHANGE);
    } else if (strcmp(name, "cancel") == 0) {
        on_event(s, RAFT_EVENT_CANCEL);
    } else if (strcmp(name, "link") == 0) {
        on_event(s, RAFT_EVENT_PEER_LINK);
    } else if (strcmp(name, "room") == 0) {
        on_event(s, RAFT_EVENT_PEER_ROOM);
    } else if (strcmp(name, "disk") == 0) {
        c->node[id].is_manual_disk = s->word_count > 2 && strcmp(s->word[2], "manual") == 0;
    } else if (strcmp(name, "persist") == 0) {
        cluster_persist(c, id, (uint32_t)number(s, 2, UINT32_MAX));
    } else if (strcmp(name, "log") == 0) {
        on_log(s);
    } else if (strcmp(name, "peers") == 0) {
        on_peers(s);
    } else {
        buf_printf(s->out, "error: unknown command\n");
    }
}

static void run_command(struct script *s)
{
    struct cluster *c = &s->cluster;
    const char *name = s->word[0];
    if (strcmp(name, "cluster") == 0) {
        on_cluster(s);
    } else if (!s->has_cluster) {
        buf_printf(s->out, "error: no cluster yet\n");
    } else if (strcmp(name, "tick") == 0) {
        for (uint64_t ms = number(s, 1, 0); ms > 0; ms--) {
            cluster_advance(c, 1000);
        }
    } else if (strcmp(name, "run") == 0) {
        cluster_run(c, number(s, 1, 0) * 1000, false);
    } else if (strcmp(name, "settle") == 0) {
        cluster_settle(c, false);
    } else if (strcmp(name, "quiet") == 0) {
        cluster_settle(c, false);
        buf_clear(&c->trace, SIZE_MAX);
    } else if (strcmp(name, "deliver") == 0 || strcmp(name, "drop") == 0 ||
               strcmp(name, "double") == 0) {
        on_deliver(s);
    } else if (strcmp(name, "cut") == 0 || strcmp(name, "isolate") == 0 ||
               strcmp(name, "heal") == 0) {
        on_cut(s);
    } else if (strcmp(name, "status") == 0) {
        on_status(s);
    } else if (strcmp(name, "queue") == 0) {
        on_queue(s);
    } else {
        run_node_command(s, name);
    }
    if (s->has_cluster) {
        take_trace(s, "");
    }
}

/* Files. */

static bool read_file(const char *path, struct buf *content)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    for (;;) {
        uint8_t *at = buf_reserve(content, 4096);
        size_t n = fread(at, 1, 4096, f);
        if (n == 0) {
            break;
        }
        buf_commit(content, n);
    }
    fclose(f);
    return true;
}

static struct slice take_line(struct slice *text)
{
    const uint8_t *end = text->n > 0 ? memchr(text->p, '\n', text->n) : NULL;
    struct slice line = {text->p, end == NULL ? text->n : (size_t)(end - text->p)};
    *text = slice_skip(*text, end == NULL ? text->n : line.n + 1);
    return line;
}

static void split_words(struct script *s, char *line)
{
    s->word_count = 0;
    while (*line != 0 && s->word_count < WORDS) {
        line += strspn(line, " ");
        size_t n = strcspn(line, " ");
        if (n > 0) {
            s->word[s->word_count++] = line;
        }
        line += n;
        if (*line == ' ') {
            *line++ = 0;
        }
    }
}

/* Runs the script `text`; `out` becomes what the file should be. */
static bool run_text(struct script *s, struct slice text, struct buf *out)
{
    while (text.n > 0) {
        struct slice line = take_line(&text);
        buf_append_slice(out, line);
        buf_printf(out, "\n");
        if (line.n == 0 || line.p[0] == '#') {
            continue;
        }
        char *copy = mem_copy_string(line.p, line.n);
        split_words(s, copy);
        s->out = out;
        buf_printf(out, "----\n");
        run_command(s);
        buf_printf(out, "\n");
        mem_free(copy);
        /* Skip the recorded output up to the empty line. */
        struct slice rest = text;
        if (slice_equal(take_line(&rest), SLICE_LITERAL("----"))) {
            while (rest.n > 0 && take_line(&rest).n > 0) {
            }
            text = rest;
        } else if (text.n > 0 && text.p[0] == '\n') {
            text = slice_skip(text, 1);
        }
    }
    return s->cluster.failure[0] == 0;
}

static void print_first_difference(const char *path, struct slice was, struct slice is)
{
    for (int line = 1; was.n > 0 || is.n > 0; line++) {
        struct slice a = take_line(&was);
        struct slice b = take_line(&is);
        if (!slice_equal(a, b)) {
            printf("  %s:%d\n    expected: %.*s\n    got:      %.*s\n", path, line, (int)a.n,
                   (const char *)a.p, (int)b.n, (const char *)b.p);
            return;
        }
    }
}

static bool run_file(const char *path, const char *name, bool is_rewrite)
{
    struct script *s = mem_alloc_zero(sizeof(*s));
    struct buf content = {0};
    struct buf out = {0};
    bool is_good = read_file(path, &content) && run_text(s, buf_slice(&content), &out);
    if (s->has_cluster && s->cluster.failure[0] != 0) {
        printf("  %s: %s\n", path, s->cluster.failure);
    }
    if (!slice_equal(buf_slice(&content), buf_slice(&out))) {
        FILE *f = is_rewrite ? fopen(path, "wb") : NULL;
        if (f != NULL) {
            fwrite(out.data + out.start, 1, buf_size(&out), f);
            fclose(f);
        } else {
            print_first_difference(path, buf_slice(&content), buf_slice(&out));
            is_good = false;
        }
    }
    printf("%s raft/scripts %s\n", is_good ? "ok" : "FAIL", name);
    if (s->has_cluster) {
        cluster_deinit(&s->cluster);
    }
    buf_deinit(&content);
    buf_deinit(&out);
    mem_free(s);
    return is_good;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    bool has_words = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            has_words = true;
            if (strstr(name, argv[i]) != NULL) {
                return true;
            }
        }
    }
    return !has_words;
}

int main(int argc, char **argv)
{
    const char *folder = "tests/raft/scripts";
    bool is_rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    char *name[256];
    size_t count = 0;
    bool is_good = true;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        printf("FAIL raft/scripts no folder %s here\n", folder);
        return 3;
    }
#ifdef CORACLE_MUTANTS
    mutant_active = getenv("MUTANT") != NULL ? atoi(getenv("MUTANT")) : 0;
#endif
    for (struct dirent *d = readdir(dir); d != NULL && count < 256; d = readdir(dir)) {
        size_t n = strlen(d->d_name);
        if (n > 4 && strcmp(d->d_name + n - 4, ".txt") == 0 && is_wanted(d->d_name, argc, argv)) {
            name[count++] = mem_copy_string(d->d_name, n);
        }
    }
    closedir(dir);
    qsort(name, count, sizeof(*name), compare_names);
    for (size_t i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, name[i]);
        name[i][strlen(name[i]) - 4] = 0;
        is_good = run_file(path, name[i], is_rewrite) && is_good;
        fflush(stdout);
        mem_free(name[i]);
    }
    if (count == 0) {
        printf("FAIL raft/scripts none found\n");
        return 3;
    }
    return is_good ? 0 : 3;
}
