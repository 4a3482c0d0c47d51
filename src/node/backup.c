#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* RAFT BACKUP: the walk of a snapshot (snapshot.c) to a file of the operator's choice, by another name until it is whole and durable; then
 * it is read back, block by block, and only a file that is what was written counts as a backup. An existing file is never touched. What
 * goes wrong with it ends the backup, not the node. */

#define CHECK_BYTES (1u << 20)

static struct snapshot_job *job_of(struct node_job *job)
{
    return CONTAINER_OF(job, struct snapshot_job, job);
}

static void backup_end(struct node *n)
{
    struct snapshot_backup *b = &n->snapshots.backup;
    b->done = b->number;
    buf_clear(&b->rest, 0);
}

void backup_failed(struct node *n, const char *why)
{
    struct snapshot_backup *b = &n->snapshots.backup;
    snprintf(b->error, sizeof b->error, "ERR the backup to that file failed: %s", why);
    log_line(&n->env.log, LOG_WARNING, "The backup to %s failed: %s.", b->path, why);
    backup_end(n);
}

/* --- reading it back --- */

static void run_check(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = ERR_OK;
    if (!job->file->file)
        job->result = snapshot_file_open(job->file, job->elsewhere, job->name);
    if (job->result == ERR_OK)
        job->result = snapshot_file_read(job->file, job->offset, CHECK_BYTES, &job->bytes);
    if (job->result != ERR_OK || buf_size(&job->bytes) == 0)
        snapshot_file_close(job->file);
}

/* What was read parses, as far as it goes. */
static enum err backup_decode(struct snapshot_backup *b)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && !b->decoder.has_ended) {
        struct snapshot_block block;
        size_t taken = 0;
        e = snapshot_decode(&b->decoder, buf_slice(&b->rest), &block, &taken);
        if (e == ERR_OK)
            buf_consume(&b->rest, taken);
    }
    return e == ERR_TOO_BIG ? ERR_OK : e;
}

static void on_checked(struct node *n, struct node_job *base);

static void backup_check_next(struct node *n)
{
    struct snapshot_job *job = &n->snapshots.taking.job;
    job->offset = n->snapshots.backup.offset;
    buf_clear(&job->bytes, CHECK_BYTES);
    snapshot_submit(n, job, run_check, on_checked);
}

static void on_checked(struct node *n, struct node_job *base)
{
    struct snapshot_backup *b = &n->snapshots.backup;
    struct snapshot_taking *t = &n->snapshots.taking;
    struct snapshot_job *job = job_of(base);
    enum err e = job->result;
    size_t size = buf_size(&job->bytes);
    buf_append_slice(&b->rest, buf_slice(&job->bytes));
    b->offset += size;
    if (e == ERR_OK)
        e = backup_decode(b);
    if (e == ERR_OK && size > 0) {
        backup_check_next(n);
        return;
    }
    bool is_whole = b->decoder.has_ended && buf_size(&b->rest) == 0 && b->offset == t->encoder.file_bytes &&
                    b->decoder.crc == t->encoder.crc;
    if (e == ERR_OK && is_whole) {
        COVER("backup: made and read back");
        b->bytes = b->offset;
        b->index = t->meta.index;
        log_line(&n->env.log,
                 LOG_NOTICE,
                 "Backup of entry %llu to %s: %llu bytes, read back and good.",
                 (unsigned long long)b->index,
                 b->path,
                 (unsigned long long)b->bytes);
        backup_end(n);
    } else {
        backup_failed(n, e == ERR_OK ? "what was read back is not what was written" : err_text(e));
    }
    snapshot_backup_ended(n);
}

void backup_written(struct node *n)
{
    struct snapshot_backup *b = &n->snapshots.backup;
    b->decoder = (struct snapshot_decoder){0};
    b->offset = 0;
    backup_check_next(n);
}

/* --- beginning --- */

/* The directory and the name in it. */
static bool backup_split(struct snapshot_backup *b, struct slice path, char *directory, size_t size)
{
    if (path.n == 0 || path.n >= size || path.p[0] != '/' || memchr(path.p, '\0', path.n))
        return false;
    memcpy(b->path, path.p, path.n);
    b->path[path.n] = '\0';
    const char *name = strrchr(b->path, '/') + 1;
    if (name[0] == '\0' || strlen(name) >= sizeof b->name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    snprintf(b->name, sizeof b->name, "%s", name);
    snprintf(b->part, sizeof b->part, "%s.part", name);
    memcpy(directory, b->path, (size_t)(name - b->path));
    directory[name - b->path] = '\0';
    return true;
}

uint64_t node_backup(struct node *n, struct slice path, const char **error)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_backup *b = &s->backup;
    char directory[sizeof b->path];
    *error = NULL;
    if (!n->env.open_directory || !n->raft || s->conf_index == 0 || snapshot_loading_text(n))
        *error = "ERR there is nothing to back up: the node belongs to no cluster yet, or is loading its data";
    else if (s->taking.phase != SNAPSHOT_IDLE || s->receiving.id.index != 0 || b->number != b->done)
        *error = "TRYAGAIN a snapshot is being made or received, try again when it is done";
    else if (!backup_split(b, path, directory, sizeof b->path))
        *error = "ERR RAFT BACKUP wants an absolute path: /directory/file";
    if (*error)
        return 0;
    if (b->vfs)
        n->env.close_directory(n->env.ctx, b->vfs);
    b->vfs = NULL;
    struct vfs_file *file;
    enum err e = n->env.open_directory(n->env.ctx, directory, &b->vfs);
    if (e == ERR_OK) {
        e = b->vfs->call->open(b->vfs, b->name, false, &file);
        if (e == ERR_OK)
            b->vfs->call->close(file);
        e = e == ERR_OK ? ERR_EXISTS : e == ERR_NOT_FOUND ? ERR_OK : e;
    } else {
        b->vfs = NULL;
    }
    if (e != ERR_OK) {
        snprintf(n->reason, sizeof n->reason, "ERR that file can't be written: %s", err_text(e));
        *error = n->reason;
        return 0;
    }
    b->number++;
    b->error[0] = '\0';
    snapshot_begin_backup(n);
    return b->number;
}

bool node_backup_ended(const struct node *n, uint64_t number, const char **error, raft_index *index, uint64_t *bytes)
{
    const struct snapshot_backup *b = &n->snapshots.backup;
    *error = b->error[0] ? b->error : NULL;
    *index = b->index;
    *bytes = b->bytes;
    return b->done >= number;
}
