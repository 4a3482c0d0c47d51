#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "storage/wal.h"

/* What a group commit costs on the disk at hand: run_wal_bench [directory] [entries per append]
 * [entry bytes] [appends]. Prints microseconds per append, bytes per append at both sector sizes,
 * and how long recovery takes. Not a test. */

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void remove_name(void *ctx, const char *name)
{
    struct vfs *v = ctx;
    (void)!v->call->remove(v, name);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(const char *directory,
                uint32_t sector_bytes,
                uint32_t count,
                size_t size,
                uint32_t appends,
                bool ahead)
{
    struct vfs *v;
    struct wal *w;
    struct wal_recovery r;
    const struct wal_options options = {.segment_bytes = 16u << 20};
    if (vfs_posix_open(directory, &v) != ERR_OK) {
        printf("%s can't be used\n", directory);
        exit(1);
    }
    v->sector_bytes = sector_bytes;
    enum err e = v->call->list(v, remove_name, v);
    if (e == ERR_OK) {
        e = wal_open(v, &options, 1, NULL, &w, &r);
    }
    if (e != ERR_OK) {
        printf("%s\n", err_text(e));
        exit(1);
    }
    mem_free(r.conf);
    mem_free(r.conf_index);
    mem_free(r.term_run);
    struct slice *entry = mem_alloc_array(count, sizeof(*entry));
    uint8_t *bytes = mem_alloc_zero(count * size);
    double *took = mem_alloc_array(appends, sizeof(*took));
    struct wal_stats before;
    struct wal_stats after;
    wal_get_stats(w, &before);
    raft_index index = 1;
    for (uint32_t i = 0; i < appends; i++) {
        while (ahead && wal_prepare_ahead(w)) {
        }
        for (uint32_t k = 0; k < count; k++) {
            entry[k] = (struct slice){bytes + k * size, size};
            entry_begin(bytes + k * size, RAFT_ENTRY_COMMAND, 1, size - ENTRY_HEADER_BYTES);
            entry_seal(bytes + k * size, index++, 1);
        }
        double start = now_us();
        e = wal_append(w, &(struct wal_append){.entry = entry, .entry_count = count});
        took[i] = now_us() - start;
        if (e != ERR_OK) {
            printf("%s\n", err_text(e));
            exit(1);
        }
    }
    wal_get_stats(w, &after);
    qsort(took, appends, sizeof(*took), compare);
    printf("%u x %zu bytes, sectors of %u, %s: p50 %.0f us, p99 %.0f us, %llu bytes per append\n",
           count, size, sector_bytes, ahead ? "zero-filled ahead" : "not prepared",
           took[appends / 2], took[appends * 99 / 100],
           (unsigned long long)((after.append_bytes - before.append_bytes) / appends));
    wal_close(w);
    vfs_posix_close(v);

    double start = now_us();
    if (vfs_posix_open(directory, &v) != ERR_OK ||
        wal_open(v, &options, 1, NULL, &w, &r) != ERR_OK) {
        printf("reopen failed\n");
        exit(1);
    }
    printf("  recovery of %.1f MB: %.1f ms\n", (double)after.record_bytes / 1e6,
           (now_us() - start) / 1e3);
    struct buf out = {0};
    start = now_us();
    for (raft_index i = 1; i <= r.last_index;) {
        uint32_t got;
        raft_term term;
        buf_truncate(&out, 0);
        if (wal_read(w, i, 256u << 10, &out, &got, &term) != ERR_OK) {
            printf("read failed\n");
            exit(1);
        }
        i += got;
    }
    printf("  reading all of it back: %.1f ms\n", (now_us() - start) / 1e3);
    buf_deinit(&out);
    wal_close(w);
    mem_free(r.conf);
    mem_free(r.conf_index);
    mem_free(r.term_run);
    (void)!v->call->list(v, remove_name, v);
    vfs_posix_close(v);
    mem_free(entry);
    mem_free(bytes);
    mem_free(took);
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp/coracle-wal-bench";
    const uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 50;
    const size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 150;
    const uint32_t appends = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 2000;
    if (count == 0 || size < ENTRY_HEADER_BYTES || appends == 0) {
        printf("run_wal_bench [directory] [entries per append] [entry bytes, >= 40] [appends]\n");
        return 1;
    }
    run(directory, 512, count, size, appends, true);
    run(directory, 4096, count, size, appends, true);
    run(directory, 512, count, size, appends, false);
    run(directory, 512, 1, size, appends, true);
    return 0;
}
