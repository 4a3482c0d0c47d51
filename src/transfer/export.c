/* coracle export: all keys of a running cluster into an RDB file, through the protocol that every client speaks.
 *
 *   per database: SCAN -> for its keys, pipelined: PEXPIRETIME, DUMP, PEXPIRETIME -> the file
 *
 * E1  A key is written with the value and the expiry of one moment: where the two expiries around its value differ, it is
 * asked for again.
 *
 * E2  No key twice, which redis-server would refuse to load: coracle's cursors are places in hash order and never go back, and
 * the keys of one database are walked once. So only a coracle node is asked.
 *
 * E3  The file appears under its name when it is complete and flushed, or not at all.
 *
 * E4  Lost connections and clusters without a leader are waited for: everything asked is a read. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"
#include "node/version.h"
#include "rdb/rdb_reader.h"
#include "rdb/rdb_writer.h"
#include "transfer/import_check.h"
#include "transfer/remote.h"
#include "transfer/transfer.h"

enum { SCAN_COUNT = 500, ASK_AT_ONCE = 64, FLUSH_BYTES = 1 << 20, RETRY_MS = 100, TRIES_MAX = 20, FAULTS_SHOWN_MAX = 10 };

struct export {
    struct transfer_options options;
    struct remote remote;
    struct rdb_writer writer;
    char *temporary; /* the file's name until it is complete */
    int fd;
    uint32_t db;
    uint64_t bytes;
    uint64_t keys;
    uint64_t faults;
    uint64_t expected;
    int64_t told_ms;
    struct buf trouble;
};

/* --- the file --- */

static bool write_out(struct export *e)
{
    struct slice out = buf_slice(&e->writer.out);

    while (out.n > 0) {
        ssize_t n = write(e->fd, out.p, out.n);

        if (n < 0 && errno != EINTR) {
            buf_printf(&e->trouble, "%s: %s", e->temporary, strerror(errno));
            return false;
        }
        out = slice_skip(out, n > 0 ? (size_t)n : 0);
    }
    e->bytes += buf_size(&e->writer.out);
    rdb_writer_written(&e->writer);
    return true;
}

static bool open_file(struct export *e)
{
    struct stat what;
    struct buf name = {0};

    if (!e->options.overwrites && lstat(e->options.file, &what) == 0) {
        buf_printf(&e->trouble, "%s exists; --overwrite replaces it", e->options.file);
        return false;
    }
    buf_printf(&name, "%s.%ld.part", e->options.file, (long)getpid());
    e->temporary = mem_copy_string(buf_slice(&name).p, buf_size(&name));
    buf_deinit(&name);
    e->fd = open(e->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (e->fd < 0) {
        buf_printf(&e->trouble, "%s: %s", e->temporary, strerror(errno));
        mem_free(e->temporary);
        e->temporary = NULL;
        return false;
    }
    return true;
}

static bool sync_folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash ? mem_copy_string(file, slash == file ? 1 : (size_t)(slash - file)) : mem_copy_string(".", 1);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_fine = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    mem_free(folder);
    return is_fine;
}

/* E3 */
static bool finish_file(struct export *e)
{
    rdb_writer_end(&e->writer);
    if (!write_out(e)) {
        return false;
    }
    if (fsync(e->fd) != 0 || close(e->fd) != 0) {
        buf_printf(&e->trouble, "%s: %s", e->temporary, strerror(errno));
        e->fd = -1;
        return false;
    }
    e->fd = -1;
    if (renameat2(AT_FDCWD, e->temporary, AT_FDCWD, e->options.file, e->options.overwrites ? 0 : RENAME_NOREPLACE) != 0) {
        buf_printf(&e->trouble, "%s: %s", e->options.file, strerror(errno));
        return false;
    }
    mem_free(e->temporary);
    e->temporary = NULL;
    if (!sync_folder_of(e->options.file)) {
        buf_printf(&e->trouble, "the folder of %s: %s", e->options.file, strerror(errno));
        return false;
    }
    return true;
}

/* --- asking --- */

static bool stop(struct export *e, struct slice why)
{
    buf_clear(&e->trouble, 4096);
    buf_append_slice(&e->trouble, why);
    return false;
}

/* A connection in the database under way. False: it can't be had; `trouble` says why. */
static bool be_connected(struct export *e)
{
    char text[24];

    if (remote_is_connected(&e->remote)) {
        return true;
    }
    if (!remote_connect_patiently(&e->remote)) {
        return stop(e, buf_slice(&e->remote.trouble));
    }
    (void)snprintf(text, sizeof text, "SELECT %u", e->db);
    const struct resp_value *v = remote_call(&e->remote, text);
    return !v || v->type != RESP_ERROR || stop(e, v->text);
}

/* One command that reads, until it is answered. NULL: stopped. */
static const struct resp_value *ask(struct export *e, const char *text)
{
    int64_t deadline = remote_now_ms() + e->options.patience_ms;

    while (be_connected(e)) {
        const struct resp_value *v = remote_call(&e->remote, text);
        bool may_retry = !v || remote_may_retry(v);

        if (v && !may_retry && v->type == RESP_ERROR) {
            (void)stop(e, v->text);
            return NULL;
        }
        if (!may_retry) {
            return v;
        }
        if (remote_now_ms() >= deadline) {
            (void)stop(e, v ? v->text : buf_slice(&e->remote.trouble));
            return NULL;
        }
        remote_sleep_ms(RETRY_MS);
    }
    return NULL;
}

/* A number behind "name:" in INFO's text; false: there is none. */
static bool info_number(const struct resp_value *v, const char *name, uint64_t *number)
{
    size_t n = strlen(name);

    for (size_t i = 0; v->type == RESP_BULK && i + n < v->text.n; i++) {
        if ((i == 0 || v->text.p[i - 1] == '\n') && memcmp(v->text.p + i, name, n) == 0 && v->text.p[i + n] == ':') {
            struct slice rest = slice_skip(v->text, i + n + 1);
            size_t digits = 0;

            while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9') {
                digits++;
            }
            return number_parse_u64((struct slice){rest.p, digits}, number);
        }
    }
    return false;
}

/* The index of the last entry that this node has applied, behind everything that was answered before. The read and INFO go to
 * one node, in this order. */
static bool ask_index(struct export *e, uint64_t *index)
{
    int64_t deadline = remote_now_ms() + e->options.patience_ms;

    while (be_connected(e)) {
        remote_add_text(&e->remote, "EXISTS a");
        remote_add_text(&e->remote, "INFO raft");
        const struct resp_value *v = remote_send(&e->remote) ? remote_reply(&e->remote) : NULL;
        bool is_confirmed = v && v->type == RESP_INTEGER;
        struct buf why = {0};

        if (v && v->type == RESP_ERROR) {
            buf_append_slice(&why, v->text);
        }
        bool may_retry = !v || remote_may_retry(v);
        v = v ? remote_reply(&e->remote) : NULL;
        if (is_confirmed && v) {
            buf_deinit(&why);
            return info_number(v, "raft_applied_index", index) ||
                   stop(e, SLICE_LITERAL("this is no coracle node (no raft_applied_index in INFO raft)")); /* E2 */
        }
        bool is_over = !may_retry || remote_now_ms() >= deadline;
        if (is_over) {
            (void)stop(e, buf_size(&why) > 0 ? buf_slice(&why) : buf_slice(&e->remote.trouble));
        }
        buf_deinit(&why);
        if (is_over) {
            return false;
        }
        remote_sleep_ms(RETRY_MS);
    }
    return false;
}

/* --- keys --- */

static void add_command(struct export *e, const char *name, struct slice key)
{
    struct slice word[2] = {slice_from_cstr(name), key};

    remote_add(&e->remote, word, 2);
}

enum key_state { KEY_TAKEN, KEY_GONE, KEY_AGAIN, KEY_REFUSED, KEY_LOST };

/* Reads the three answers about one key. */
static enum key_state take_key(struct export *e, struct slice name)
{
    struct buf payload = {0};
    enum key_state state = KEY_LOST;
    int64_t before = 0;
    const struct resp_value *v = remote_reply(&e->remote);

    if (!v) {
        return KEY_LOST;
    }
    bool may_retry = remote_may_retry(v);
    before = v->type == RESP_INTEGER ? v->integer : -3;
    if (!(v = remote_reply(&e->remote))) {
        return KEY_LOST;
    }
    bool is_there = v->type == RESP_BULK;
    bool is_refused = v->type == RESP_ERROR && !remote_may_retry(v);
    may_retry |= remote_may_retry(v);
    if (is_there || is_refused) {
        buf_append_slice(&payload, v->text);
    }
    if (!(v = remote_reply(&e->remote))) {
        buf_deinit(&payload);
        return KEY_LOST;
    }
    if (may_retry || remote_may_retry(v)) {
        state = KEY_AGAIN;
    } else if (is_refused) {
        state = KEY_REFUSED;
        (void)stop(e, buf_slice(&payload));
    } else if (!is_there) {
        state = KEY_GONE;
    } else if (v->type != RESP_INTEGER || v->integer != before || before == -2) { /* E1 */
        state = KEY_AGAIN;
    } else if (rdb_writer_key(&e->writer, name, before < 0 ? RDB_NO_EXPIRY : before, buf_slice(&payload))) {
        state = KEY_TAKEN;
    } else {
        state = KEY_REFUSED;
        (void)stop(e, SLICE_LITERAL("its value is in a format that this file can't hold"));
    }
    buf_deinit(&payload);
    return state;
}

static void tell_fault(struct export *e, struct slice name)
{
    struct buf shown = {0};

    if (e->faults++ < FAULTS_SHOWN_MAX) {
        import_append_name(&shown, name);
        (void)fprintf(stderr, "coracle export: database %u, key '%.*s': %.*s\n", e->db, (int)buf_size(&shown),
                      (const char *)buf_slice(&shown).p, (int)buf_size(&e->trouble), (const char *)buf_slice(&e->trouble).p);
    }
    buf_clear(&e->trouble, 4096);
    buf_deinit(&shown);
}

/* Asks for those of `name` that are not done; marks what was settled. False: stopped. */
static bool ask_keys(struct export *e, const struct slice *name, bool *is_done, size_t count)
{
    if (!be_connected(e)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_done[i]) {
            add_command(e, "PEXPIRETIME", name[i]);
            add_command(e, "DUMP", name[i]);
            add_command(e, "PEXPIRETIME", name[i]);
        }
    }
    bool is_up = remote_send(&e->remote);
    for (size_t i = 0; i < count && is_up; i++) {
        if (is_done[i]) {
            continue;
        }
        enum key_state state = take_key(e, name[i]);

        if (state == KEY_REFUSED) {
            tell_fault(e, name[i]);
        }
        e->keys += state == KEY_TAKEN ? 1 : 0;
        is_done[i] = state == KEY_TAKEN || state == KEY_GONE || state == KEY_REFUSED;
        is_up = state != KEY_LOST;
    }
    return true;
}

static bool export_keys(struct export *e, const struct slice *name, size_t count)
{
    bool is_done[ASK_AT_ONCE] = {false};
    int64_t deadline = remote_now_ms() + e->options.patience_ms;

    for (;;) {
        size_t left = 0;

        if (!ask_keys(e, name, is_done, count)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            left += is_done[i] ? 0 : 1;
        }
        if (left == 0) {
            return buf_size(&e->writer.out) < FLUSH_BYTES || write_out(e);
        }
        if (remote_now_ms() >= deadline) {
            return stop(e, SLICE_LITERAL("the cluster does not answer, or a key never stands still"));
        }
        remote_sleep_ms(RETRY_MS);
    }
}

static void tell_progress(struct export *e)
{
    int64_t now = remote_now_ms();
    bool is_terminal = isatty(STDERR_FILENO) == 1;

    if (!e->options.is_quiet && now - e->told_ms >= (is_terminal ? 250 : 5000)) {
        (void)fprintf(stderr, "%scoracle export: %llu of about %llu keys%s", is_terminal ? "\r" : "", (unsigned long long)e->keys,
                      (unsigned long long)e->expected, is_terminal ? "  " : "\n");
        e->told_ms = now;
    }
}

/* The keys of one SCAN reply, copied, since further replies take its place; then the next cursor. False: stopped. */
static bool export_page(struct export *e, const struct resp_value *page, struct buf *cursor)
{
    size_t count = page->child[1].child_count;
    const struct resp_value *key = page->child[1].child;
    struct buf bytes = {0};
    struct slice *name = mem_alloc_array(count + 1, sizeof *name);
    bool is_fine = true;

    buf_clear(cursor, 64);
    buf_append_slice(cursor, page->child[0].text);
    for (size_t i = 0; i < count; i++) {
        buf_append_slice(&bytes, key[i].text);
        name[i].n = key[i].text.n;
    }
    for (size_t i = 0, at = 0; i < count; at += name[i].n, i++) {
        name[i].p = buf_slice(&bytes).p + at;
    }
    for (size_t i = 0; i < count && is_fine; i += ASK_AT_ONCE) {
        is_fine = export_keys(e, name + i, count - i < ASK_AT_ONCE ? count - i : ASK_AT_ONCE);
        tell_progress(e);
    }
    mem_free(name);
    buf_deinit(&bytes);
    return is_fine;
}

static bool export_database(struct export *e)
{
    struct buf cursor = {0};
    struct buf text = {0};
    bool is_fine = true;

    buf_append_byte(&cursor, '0');
    do {
        buf_clear(&text, 128);
        buf_printf(&text, "SCAN %.*s COUNT %d", (int)buf_size(&cursor), (const char *)buf_slice(&cursor).p, (int)SCAN_COUNT);
        buf_append_byte(&text, 0);
        const struct resp_value *v = ask(e, (const char *)buf_slice(&text).p);
        bool is_page = v && v->type == RESP_ARRAY && v->child_count == 2 && v->child[0].type == RESP_BULK &&
                       v->child[1].type == RESP_ARRAY && v->child[0].text.n <= 20;

        is_fine = is_page ? export_page(e, v, &cursor) : v && stop(e, SLICE_LITERAL("SCAN's reply is none"));
    } while (is_fine && !slice_equal(buf_slice(&cursor), SLICE_LITERAL("0")));
    buf_deinit(&cursor);
    buf_deinit(&text);
    return is_fine;
}

static bool export_databases(struct export *e)
{
    for (e->db = 0; e->db < LIMIT_DATABASES; e->db++) {
        remote_disconnect(&e->remote); /* be_connected selects the database */
        const struct resp_value *v = ask(e, "DBSIZE");

        if (!v) {
            return false;
        }
        uint64_t size = v->type == RESP_INTEGER && v->integer > 0 ? (uint64_t)v->integer : 0;
        e->expected += size;
        if (size == 0) {
            continue;
        }
        rdb_writer_select(&e->writer, e->db, size, 0);
        if (!export_database(e)) {
            return false;
        }
    }
    e->db = 0;
    return true;
}

static bool export_all(struct export *e, uint64_t *before, uint64_t *after)
{
    if (!ask_index(e, before) || !open_file(e)) {
        return false;
    }
    e->told_ms = remote_now_ms();
    rdb_writer_begin(&e->writer, REDIS_VERSION, (int64_t)time(NULL));
    return export_databases(e) && ask_index(e, after) && finish_file(e);
}

static int export_report(const struct export *e, uint64_t before, uint64_t after)
{
    if (isatty(STDERR_FILENO) == 1 && !e->options.is_quiet) {
        (void)fputc('\n', stderr);
    }
    printf("%llu keys, %llu bytes: %s\n", (unsigned long long)e->keys, (unsigned long long)e->bytes, e->options.file);
    if (before == after) {
        printf("All of one moment: nothing was written meanwhile (index %llu).\n", (unsigned long long)before);
    } else {
        printf("Not all of one moment: the cluster went from index %llu to %llu meanwhile.\n", (unsigned long long)before,
               (unsigned long long)after);
    }
    if (e->faults > 0) {
        (void)fprintf(stderr, "coracle export: %llu keys could not be written\n", (unsigned long long)e->faults);
    }
    return e->faults > 0 ? TRANSFER_INCOMPLETE : TRANSFER_DONE;
}

int transfer_export(int argc, char **argv)
{
    struct export e = {.fd = -1};
    uint64_t before = 0;
    uint64_t after = 0;
    int status = transfer_options_parse(&e.options, false, argc, argv);

    if (status >= 0) {
        return status;
    }
    remote_init(&e.remote, &e.options);
    rdb_writer_init(&e.writer);
    if (export_all(&e, &before, &after)) {
        status = export_report(&e, before, after);
    } else {
        (void)fprintf(stderr, "coracle export: %.*s. No file was written.\n", (int)buf_size(&e.trouble),
                      (const char *)buf_slice(&e.trouble).p);
        status = TRANSFER_REFUSED;
    }
    if (e.fd >= 0) {
        (void)close(e.fd);
    }
    if (e.temporary) {
        (void)unlink(e.temporary);
        mem_free(e.temporary);
    }
    rdb_writer_deinit(&e.writer);
    remote_deinit(&e.remote);
    buf_deinit(&e.trouble);
    return status;
}
