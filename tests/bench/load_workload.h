#ifndef BENCH_LOAD_WORKLOAD_H
#define BENCH_LOAD_WORKLOAD_H

#include "tests/bench/load.h"

/* What the loader asks: the bytes of each request, and which reply it must get. */
struct load_source {
    const struct load_options *options;
    char *value;        /* value_size random letters; owned */
    uint64_t random;
    uint64_t next_key;  /* with --sequential and while filling */
};

void load_source_init(struct load_source *s, const struct load_options *options);
void load_source_deinit(struct load_source *s);
/* Appends one request at `p`, where load_request_bound(options) bytes are free; returns its end. */
char *load_put_request(struct load_source *s, char *p);
size_t load_request_bound(const struct load_options *o);
/* The first byte of each reply. */
char load_reply_type(enum load_workload workload);
/* The workload that makes what this one needs, and how many of its requests make `keys` keys or elements. */
enum load_workload load_fill_workload(enum load_workload workload);
uint64_t load_fill_requests(enum load_workload workload, uint64_t keys);
/* By name; -1: there is none. */
int load_workload_find(const char *name);

#endif
