/* coracle import: an RDB file into a running cluster, through the protocol that every client speaks.
 *
 *   map the file -> check all of it (import_check.h) -> walk it again, in batches:
 *       RESTORE name expiry payload ABSTTL [REPLACE], pipelined; a batch's replies are read before the next is sent
 *
 * RESTORE takes a value's bytes as they stand in the file, so what a type looks like is known in one place
 * (commands/dump_format.c), on the server's side.
 *
 * I1  Nothing is sent before the whole file was read and every value decoded.
 *
 * I2  A key counts as done when the server said so. One whose answer was lost, or UNKNOWN, is sent again; if it exists by
 * then, that may be our own doing, so it counts as done unless it was there before we ever sent it.
 *
 * I3  What a cluster without a leader refuses (nothing happened) is sent again until `patience` is over without any progress;
 * then the import stops and says how to go on. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "transfer/import_check.h"
#include "transfer/remote.h"
#include "transfer/transfer.h"

enum { BATCH_KEYS_MAX = 4096, BATCH_BYTES_MAX = 4 << 20, FAULTS_SHOWN_MAX = 10, RETRY_MS = 100 };

struct batch_item {
    struct rdb_key key; /* name: set when the batch is complete */
    size_t name_at;     /* in import.names */
    bool is_done;
    bool may_exist; /* I2: an earlier try may have written it */
};

struct import {
    struct transfer_options options;
    struct slice file;
    struct rdb_reader reader;
    struct import_census census;
    struct remote remote;
    struct batch_item batch[BATCH_KEYS_MAX];
    size_t batch_count;
    struct buf names;
    struct buf payload;
    uint64_t selected; /* database of the connection */
    uint64_t written;
    uint64_t kept;      /* existed, and stay by the user's wish */
    uint64_t left_out;  /* unsupported types */
    uint64_t faults;    /* each was told */
    int64_t started_ms;
    int64_t told_ms;
    bool is_stopped;
};

static void complain(const char *what, const struct buf *why)
{
    (void)fprintf(stderr, "coracle import: %s%.*s.\n", what, (int)buf_size(why), (const char *)buf_slice(why).p);
}

/* --- one batch --- */

static void tell_fault(struct import *m, const struct rdb_key *key, const char *what, struct slice why)
{
    struct buf name = {0};

    m->faults++;
    if (m->faults <= FAULTS_SHOWN_MAX) {
        import_append_name(&name, key->name);
        (void)fprintf(stderr, "coracle import: database %llu, key '%.*s': %s%.*s\n", (unsigned long long)key->db,
                      (int)buf_size(&name), (const char *)buf_slice(&name).p, what, (int)why.n, (const char *)why.p);
    } else if (m->faults == FAULTS_SHOWN_MAX + 1) {
        (void)fprintf(stderr, "coracle import: more such keys follow; they are counted\n");
    }
    buf_deinit(&name);
}

static void stop(struct import *m, struct slice why)
{
    (void)fprintf(stderr, "coracle import: stopped: %.*s\n", (int)why.n, (const char *)why.p);
    m->is_stopped = true;
}

static void send_item(struct import *m, struct batch_item *item)
{
    char expiry[NUMBER_TEXT_MAX];
    struct slice word[6] = {SLICE_LITERAL("RESTORE"), item->key.name, {0}, {0}, SLICE_LITERAL("ABSTTL"), SLICE_LITERAL("REPLACE")};

    buf_clear(&m->payload, BATCH_BYTES_MAX);
    rdb_append_payload(&m->reader, &item->key, &m->payload);
    word[2] = (struct slice){(const uint8_t *)expiry,
                             number_format_i64(item->key.expiry_ms == RDB_NO_EXPIRY ? 0 : item->key.expiry_ms, expiry)};
    word[3] = buf_slice(&m->payload);
    remote_add(&m->remote, word, m->options.existing == EXISTING_REPLACE ? 6 : 5);
}

static bool item_needs_select(const struct import *m, const struct batch_item *item, uint64_t selected)
{
    (void)m;
    return !item->is_done && item->key.db != selected;
}

/* Sends what is not done yet of the batch. False: the connection is lost. */
static bool batch_send(struct import *m)
{
    uint64_t selected = m->selected;

    for (size_t i = 0; i < m->batch_count; i++) {
        struct batch_item *item = &m->batch[i];

        if (item_needs_select(m, item, selected)) {
            char text[40];

            (void)snprintf(text, sizeof text, "SELECT %llu", (unsigned long long)item->key.db);
            remote_add_text(&m->remote, text);
            selected = item->key.db;
        }
        if (!item->is_done) {
            send_item(m, item);
        }
    }
    return remote_send(&m->remote);
}

static bool reply_is_final(const struct resp_value *v)
{
    return remote_is_error(v, "NOAUTH") || remote_is_error(v, "WRONGPASS") || remote_is_error(v, "NOPERM") ||
           remote_is_error(v, "MISCONF") || remote_is_error(v, "OOM") || remote_is_error(v, "DENIED");
}

static void item_exists(struct import *m, struct batch_item *item)
{
    item->is_done = true;
    if (item->may_exist) {
        m->written++;
    } else if (m->options.existing == EXISTING_KEEP) {
        m->kept++;
    } else {
        tell_fault(m, &item->key, "it exists already, and stays as it is (--existing keep or replace)", (struct slice){0});
    }
}

static void take_reply(struct import *m, struct batch_item *item, const struct resp_value *v, struct buf *trouble)
{
    if (v->type == RESP_SIMPLE) {
        item->is_done = true;
        m->written++;
    } else if (remote_is_error(v, "BUSYKEY")) {
        item_exists(m, item);
    } else if (remote_is_error(v, "UNKNOWN") || remote_may_retry(v)) {
        item->may_exist |= remote_is_error(v, "UNKNOWN");
        buf_clear(trouble, 4096);
        buf_append_slice(trouble, v->text);
    } else if (reply_is_final(v)) {
        if (!m->is_stopped) {
            stop(m, v->text);
        }
    } else {
        item->is_done = true;
        tell_fault(m, &item->key, "", v->text);
    }
}

/* Reads the answers to batch_send. False: the connection is lost. */
static bool batch_receive(struct import *m, struct buf *trouble)
{
    for (size_t i = 0; i < m->batch_count; i++) {
        struct batch_item *item = &m->batch[i];

        if (item_needs_select(m, item, m->selected)) {
            const struct resp_value *v = remote_reply(&m->remote);

            if (!v) {
                return false;
            }
            if (v->type == RESP_ERROR) {
                stop(m, v->text);
                return false;
            }
            m->selected = item->key.db;
        }
        if (!item->is_done) {
            const struct resp_value *v = remote_reply(&m->remote);

            if (!v) {
                return false;
            }
            take_reply(m, item, v, trouble);
        }
    }
    return true;
}

static size_t batch_left(const struct import *m)
{
    size_t left = 0;

    for (size_t i = 0; i < m->batch_count; i++) {
        left += m->batch[i].is_done ? 0 : 1;
    }
    return left;
}

static bool import_connect(struct import *m)
{
    m->selected = 0;
    if (remote_is_connected(&m->remote) || remote_connect_patiently(&m->remote)) {
        return true;
    }
    stop(m, buf_slice(&m->remote.trouble));
    return false;
}

/* Until all of it is done, or the import has stopped. */
static void batch_run(struct import *m)
{
    struct buf trouble = {0};
    int64_t deadline = remote_now_ms() + m->options.patience_ms;
    size_t left;

    while ((left = batch_left(m)) > 0 && !m->is_stopped) {
        if (!remote_is_connected(&m->remote) && !import_connect(m)) {
            break;
        }
        if (!batch_send(m) || !batch_receive(m, &trouble)) {
            for (size_t i = 0; i < m->batch_count; i++) { /* I2 */
                m->batch[i].may_exist |= !m->batch[i].is_done;
            }
            buf_clear(&trouble, 4096);
            buf_append_slice(&trouble, buf_slice(&m->remote.trouble));
            remote_disconnect(&m->remote);
        }
        if (batch_left(m) < left) {
            deadline = remote_now_ms() + m->options.patience_ms;
        } else if (remote_now_ms() >= deadline && !m->is_stopped) { /* I3 */
            stop(m, buf_slice(&trouble));
        } else {
            remote_sleep_ms(RETRY_MS);
        }
    }
    buf_deinit(&trouble);
}

/* --- all of it --- */

static void tell_progress(struct import *m, bool is_last)
{
    int64_t now = remote_now_ms();
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    uint64_t done = m->written + m->kept + m->left_out + m->faults;
    uint64_t all = m->census.keys;

    if (m->options.is_quiet || (is_last ? !is_terminal || m->told_ms == m->started_ms : now - m->told_ms < (is_terminal ? 250 : 5000))) {
        return;
    }
    int64_t took = now - m->started_ms > 0 ? now - m->started_ms : 1;
    (void)fprintf(stderr, "%scoracle import: %llu of %llu keys (%llu %%), %llu a second%s", is_terminal ? "\r" : "",
                  (unsigned long long)done, (unsigned long long)all, (unsigned long long)(all > 0 ? done * 100 / all : 100),
                  (unsigned long long)(done * 1000 / (uint64_t)took), is_terminal && !is_last ? "  " : "\n");
    m->told_ms = now;
}

static void batch_flush(struct import *m)
{
    for (size_t i = 0; i < m->batch_count; i++) {
        m->batch[i].key.name.p = buf_slice(&m->names).p + m->batch[i].name_at;
    }
    batch_run(m);
    m->batch_count = 0;
    buf_clear(&m->names, BATCH_BYTES_MAX);
    tell_progress(m, false);
}

static void batch_add(struct import *m, const struct rdb_key *key)
{
    struct batch_item *item = &m->batch[m->batch_count++];

    *item = (struct batch_item){.key = *key, .name_at = buf_size(&m->names)};
    buf_append_slice(&m->names, key->name);
}

static void import_all(struct import *m)
{
    struct rdb_key key;
    struct buf why = {0};
    size_t bytes = 0;

    rdb_reader_rewind(&m->reader);
    m->started_ms = remote_now_ms();
    m->told_ms = m->started_ms;
    while (!m->is_stopped && rdb_reader_next(&m->reader, &key, &why) == ERR_OK) {
        if (m->census.type_is_unsupported[key.type]) {
            m->left_out++;
            continue;
        }
        if (key.expiry_ms != RDB_NO_EXPIRY && key.expiry_ms <= 0) {
            key.expiry_ms = 1; /* over for long; RESTORE takes 0 for "never" */
        }
        batch_add(m, &key);
        bytes += key.name.n + key.value.n;
        if (m->batch_count == BATCH_KEYS_MAX || bytes >= BATCH_BYTES_MAX) {
            batch_flush(m);
            bytes = 0;
        }
    }
    if (!m->is_stopped) {
        batch_flush(m);
    }
    tell_progress(m, true);
    buf_deinit(&why);
}

static int import_report(const struct import *m)
{
    printf("%llu keys written", (unsigned long long)m->written);
    if (m->kept > 0) {
        printf(", %llu existed and were kept", (unsigned long long)m->kept);
    }
    if (m->left_out > 0) {
        printf(", %llu left out because of their type", (unsigned long long)m->left_out);
    }
    if (m->faults > 0) {
        printf(", %llu not written", (unsigned long long)m->faults);
    }
    if (m->is_stopped) {
        printf(", of %llu. To go on: the same again with --existing keep (what is there stays) or replace\n",
               (unsigned long long)m->census.keys);
        return m->written > 0 ? TRANSFER_STOPPED : TRANSFER_REFUSED;
    }
    printf("\n");
    return m->faults + m->left_out > 0 ? TRANSFER_INCOMPLETE : TRANSFER_DONE;
}

/* --- the file --- */

static bool map_file(struct import *m, struct buf *why)
{
    struct stat what;
    int fd = open(m->options.file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &what) != 0) {
        buf_printf(why, "%s", strerror(errno));
    } else if (!S_ISREG(what.st_mode)) {
        buf_printf(why, "not a regular file (it is read twice, so it can't be a pipe)");
    } else if (what.st_size > 0) {
        void *p = mmap(NULL, (size_t)what.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (p == MAP_FAILED) {
            buf_printf(why, "%s", strerror(errno));
        } else {
            m->file = (struct slice){p, (size_t)what.st_size};
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return buf_size(why) == 0;
}

/* May the keys be written? Else the status. */
static int import_prepare(struct import *m)
{
    struct buf why = {0};
    int status = TRANSFER_REFUSED;

    if (!map_file(m, &why) || rdb_reader_init(&m->reader, m->file, &why) != ERR_OK ||
        import_check(&m->reader, &m->census, &why) != ERR_OK) {
        (void)fprintf(stderr, "coracle import: %s: ", m->options.file);
        (void)fprintf(stderr, "%.*s. Nothing was written.\n", (int)buf_size(&why), (const char *)buf_slice(&why).p);
        buf_deinit(&why);
        return status;
    }
    import_describe(&m->reader, &m->census, &why);
    if (m->options.is_check_only || (m->census.unsupported > 0 && !m->options.leaves_out_unsupported)) {
        printf("%.*s", (int)buf_size(&why), (const char *)buf_slice(&why).p);
        status = m->census.unsupported > 0 ? TRANSFER_REFUSED : TRANSFER_DONE;
        if (!m->options.is_check_only) {
            (void)fprintf(stderr, "coracle import: %llu keys are of types that coracle does not have yet. Nothing was written; "
                                  "--leave-out-unsupported writes the others.\n",
                          (unsigned long long)m->census.unsupported);
        }
        buf_deinit(&why);
        return status;
    }
    buf_clear(&why, 0);
    if (!remote_connect_patiently(&m->remote)) {
        buf_append_slice(&why, buf_slice(&m->remote.trouble));
        complain("", &why);
        buf_deinit(&why);
        return TRANSFER_REFUSED;
    }
    buf_deinit(&why);
    return -1;
}

int transfer_import(int argc, char **argv)
{
    struct import *m = mem_alloc_zero(sizeof *m);
    int status = transfer_options_parse(&m->options, true, argc, argv);

    if (status < 0) {
        remote_init(&m->remote, &m->options);
        status = import_prepare(m);
        if (status < 0) {
            import_all(m);
            status = import_report(m);
        }
        remote_deinit(&m->remote);
        rdb_reader_deinit(&m->reader);
    }
    if (m->file.n > 0) {
        (void)munmap((void *)(uintptr_t)m->file.p, m->file.n);
    }
    buf_deinit(&m->names);
    buf_deinit(&m->payload);
    mem_free(m);
    return status;
}
