/* What the disk alone asks for a durable write: one file synced, and two and three of them at once, which is what three nodes on one
 * disk do. A write that a majority must have synced is answered after the second of them; no server can be quicker than that. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/histogram.h"
#include "tests/bench/load.h"

enum { SYNCS_FILES = 3, SYNCS_TIMES = 1200, SYNCS_BYTES = 4096, SYNCS_FILE_BYTES = SYNCS_TIMES * SYNCS_BYTES };

struct syncs_file {
    int fd;
    int number;
    pthread_t thread;
    pthread_barrier_t *begin;
    uint64_t end_ns[SYNCS_TIMES]; /* 0: it had no part in it */
};

/* No zeroes, which some disks do not write. */
static char syncs_data[SYNCS_BYTES];

/* Blocks that were written before, as in a log whose segments are made ahead. */
static void syncs_open(struct syncs_file *f, const char *dir, int number)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/syncs.%d", dir, number);
    f->fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (f->fd < 0 || unlink(path) != 0) {
        load_die(path);
    }
    for (off_t at = 0; at < SYNCS_FILE_BYTES; at += SYNCS_BYTES) {
        if (pwrite(f->fd, syncs_data, SYNCS_BYTES, at) != SYNCS_BYTES) {
            load_die(path);
        }
    }
    if (fsync(f->fd) != 0) {
        load_die(path);
    }
}

/* One, two and three files in turn, so that all meet the same minute of the disk. */
static void *syncs_thread(void *argument)
{
    struct syncs_file *f = argument;
    for (int i = 0; i < SYNCS_TIMES; i++) {
        pthread_barrier_wait(f->begin);
        if (f->number <= i % SYNCS_FILES) {
            if (pwrite(f->fd, syncs_data, SYNCS_BYTES, (off_t)i * SYNCS_BYTES) != SYNCS_BYTES || fdatasync(f->fd) != 0) {
                load_die("--syncs");
            }
            f->end_ns[i] = load_now_ns();
        }
        pthread_barrier_wait(f->begin);
    }
    return NULL;
}

/* When the `needed`th of the files was synced. */
static uint64_t syncs_end(const struct syncs_file *file, int i, int needed)
{
    for (int k = 0; k <= i % SYNCS_FILES; k++) {
        int before = 0;
        for (int j = 0; j <= i % SYNCS_FILES; j++) {
            before += file[j].end_ns[i] < file[k].end_ns[i] || (file[j].end_ns[i] == file[k].end_ns[i] && j < k);
        }
        if (before == needed - 1) {
            return file[k].end_ns[i];
        }
    }
    return 0;
}

int syncs_run(const char *dir)
{
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof syncs_data; i++) {
        syncs_data[i] = (char)load_random(&random);
    }
    static struct syncs_file file[SYNCS_FILES];
    static struct histogram took[SYNCS_FILES]; /* by how many files were synced at once */
    pthread_barrier_t begin;
    pthread_barrier_init(&begin, NULL, SYNCS_FILES + 1);
    for (int k = 0; k < SYNCS_FILES; k++) {
        syncs_open(&file[k], dir, k);
        file[k].number = k;
        file[k].begin = &begin;
        if (pthread_create(&file[k].thread, NULL, syncs_thread, &file[k]) != 0) {
            load_die("--syncs");
        }
    }
    for (int i = 0; i < SYNCS_TIMES; i++) {
        uint64_t begun_ns = load_now_ns();
        pthread_barrier_wait(&begin);
        pthread_barrier_wait(&begin);
        histogram_record(&took[i % SYNCS_FILES], syncs_end(file, i, i % SYNCS_FILES == 0 ? 1 : 2) - begun_ns);
    }
    for (int k = 0; k < SYNCS_FILES; k++) {
        pthread_join(file[k].thread, NULL);
        close(file[k].fd);
    }
    pthread_barrier_destroy(&begin);
    printf("sync_us=%.0f sync_2_us=%.0f sync_2_of_3_us=%.0f\n", (double)histogram_quantile(&took[0], 0.5) / 1e3,
           (double)histogram_quantile(&took[1], 0.5) / 1e3, (double)histogram_quantile(&took[2], 0.5) / 1e3);
    return 0;
}
