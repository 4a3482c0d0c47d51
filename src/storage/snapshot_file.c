#include "storage/snapshot_file.h"

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"

#define BEGIN_SYNC_BYTES (1u << 20)
#define READ_BYTES (1u << 20)
#define END_BLOCK_BYTES (SNAPSHOT_BLOCK_HEADER + 16u)

static enum err check_room(const struct snapshot_file *f, uint64_t n)
{
    uint64_t room = 0;
    if (f->reserve == 0) {
        return ERR_OK;
    }
    enum err e = f->vfs->call->free_bytes(f->vfs, &room);
    if (e != ERR_OK) {
        return e;
    }
    return room < f->reserve || room - f->reserve < n ? ERR_FULL : ERR_OK;
}

enum err snapshot_file_create(struct snapshot_file *f,
                              struct vfs *vfs,
                              const char *name,
                              uint64_t expected,
                              uint64_t reserve)
{
    *f = (struct snapshot_file){.vfs = vfs, .reserve = reserve};
    enum err e = check_room(f, expected);
    if (e != ERR_OK) {
        return e;
    }
    f->name = name;
    e = vfs->call->open(vfs, name, true, &f->file);
    if (e != ERR_OK) {
        f->file = NULL;
        return e;
    }
    return vfs->call->truncate(f->file, 0);
}

enum err snapshot_file_open(struct snapshot_file *f, struct vfs *vfs, const char *name)
{
    *f = (struct snapshot_file){.vfs = vfs, .name = name};
    enum err e = vfs->call->open(vfs, name, false, &f->file);
    if (e != ERR_OK) {
        f->file = NULL;
        return e;
    }
    e = vfs->call->size(f->file, &f->size);
    if (e != ERR_OK) {
        snapshot_file_close(f);
    }
    return e;
}

enum err snapshot_file_sync(struct snapshot_file *f)
{
    f->unsynced = 0;
    /* Whatever it reports, the page cache can't be trusted any more (P6). */
    return f->vfs->call->sync(f->file) == ERR_OK ? ERR_OK : ERR_IO;
}

enum err snapshot_file_append(struct snapshot_file *f, struct slice bytes)
{
    struct vfs *vfs = f->vfs;
    enum err e = check_room(f, bytes.n);
    if (e != ERR_OK) {
        return e;
    }
    e = vfs->call->write(f->file, f->size, bytes.p, bytes.n);
    if (e != ERR_OK) {
        return e;
    }
    f->size += bytes.n;
    f->unsynced += bytes.n;
    /* A sync of a file that grows waits for the file system's own journal, and the log waits for this thread: there is one, at the
     * end. Until then the disk is kept busy a little at a time. */
    if (f->unsynced >= BEGIN_SYNC_BYTES) {
        vfs->call->begin_sync(f->file, f->size - f->unsynced, f->unsynced);
        f->unsynced = 0;
    }
    return ERR_OK;
}

enum err snapshot_file_publish(struct snapshot_file *f, const char *as)
{
    enum err e = snapshot_file_sync(f);
    struct vfs *vfs = f->vfs;
    snapshot_file_close(f);
    if (e == ERR_OK) {
        e = vfs->call->rename(vfs, f->name, as);
    }
    if (e == ERR_OK && !MUT(20)) {
        e = vfs->call->sync_names(vfs);
    }
    /* Half done can't be undone: which of the two names is durable isn't known. */
    return e == ERR_OK ? ERR_OK : ERR_IO;
}

enum err snapshot_file_read(struct snapshot_file *f, uint64_t offset, size_t n, struct buf *out)
{
    if (offset >= f->size) {
        return ERR_OK;
    }
    n = n < f->size - offset ? n : (size_t)(f->size - offset);
    size_t got = 0;
    enum err e = f->vfs->call->read(f->file, offset, buf_reserve(out, n), n, &got);
    if (e != ERR_OK) {
        return e;
    }
    buf_commit(out, got);
    return got == n ? ERR_OK : ERR_CORRUPT; /* it was longer a moment ago */
}

void snapshot_file_close(struct snapshot_file *f)
{
    if (f->file) {
        f->vfs->call->close(f->file);
        f->file = NULL;
    }
}

void snapshot_file_discard(struct snapshot_file *f)
{
    snapshot_file_close(f);
    if (f->name) {
        /* What is left is removed at the next start (N2). */
        (void)f->vfs->call->remove(f->vfs, f->name);
    }
}

enum err snapshot_file_head(struct snapshot_file *f, struct buf *bytes, struct snapshot_meta *meta)
{
    struct snapshot_decoder decoder = {0};
    struct snapshot_block block;
    size_t taken;
    enum err e =
        snapshot_file_read(f, 0, SNAPSHOT_BLOCK_HEADER + SNAPSHOT_BLOCK_BYTES, bytes);
    if (e == ERR_OK) {
        e = snapshot_decode(&decoder, buf_slice(bytes), &block, &taken);
        e = e == ERR_TOO_BIG ? ERR_CORRUPT : e;
    }
    if (e == ERR_OK) {
        *meta = block.meta;
    }
    return e;
}

enum err snapshot_file_tail(struct snapshot_file *f, uint32_t *crc, uint64_t *digest)
{
    struct buf bytes = {0};
    if (f->size < END_BLOCK_BYTES) {
        return ERR_CORRUPT;
    }
    enum err e = snapshot_file_read(f, f->size - END_BLOCK_BYTES, END_BLOCK_BYTES, &bytes);
    if (e == ERR_OK) {
        const uint8_t *end = bytes.data + bytes.start;
        e = get_u32(end + 4) == SNAPSHOT_END && get_u32(end + 8) == 16 ? ERR_OK : ERR_CORRUPT;
        *crc = get_u32(end + 16);
        *digest = get_u64(end + SNAPSHOT_BLOCK_HEADER + 8);
    }
    buf_deinit(&bytes);
    return e;
}

enum err snapshot_file_check(struct snapshot_file *f, struct snapshot_facts *facts)
{
    struct buf bytes = {0};
    struct snapshot_decoder decoder = {0};
    uint64_t offset = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && !decoder.has_ended) {
        struct snapshot_block block;
        size_t taken;
        e = snapshot_decode(&decoder, buf_slice(&bytes), &block, &taken);
        if (e == ERR_OK) {
            buf_consume(&bytes, taken);
            if (block.kind == SNAPSHOT_HEAD) {
                facts->meta = block.meta;
                facts->meta.birth = (struct slice){NULL, 0};
            } else if (block.kind == SNAPSHOT_END) {
                facts->digest = block.digest;
            }
        } else if (e == ERR_TOO_BIG) {
            size_t before = buf_size(&bytes);
            e = snapshot_file_read(f, offset, READ_BYTES, &bytes);
            offset += buf_size(&bytes) - before;
            if (e == ERR_OK && buf_size(&bytes) == before) {
                e = ERR_CORRUPT; /* the file ends in the middle of a block */
            }
        }
    }
    facts->size = decoder.file_bytes;
    facts->crc = decoder.crc;
    buf_deinit(&bytes);
    return e == ERR_OK && decoder.file_bytes != f->size ? ERR_CORRUPT : e;
}
