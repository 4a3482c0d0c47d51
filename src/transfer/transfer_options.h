#ifndef TRANSFER_TRANSFER_OPTIONS_H
#define TRANSFER_TRANSFER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum transfer_existing {
    EXISTING_FAIL,    /* a key that exists stays as it is and is told as an error */
    EXISTING_KEEP,    /* it stays, and that is fine */
    EXISTING_REPLACE, /* it is replaced */
};

struct transfer_options {
    const char *file;
    const char *addresses; /* host:port,host:port,... */
    const char *user;      /* NULL: none */
    const char *password;  /* NULL: none; from the environment (REDISCLI_AUTH) unless given */
    enum transfer_existing existing;
    bool is_check_only;
    bool leaves_out_unsupported;
    bool overwrites;
    bool is_quiet;
    int64_t patience_ms; /* how long to wait for a cluster that does not answer */
};

/* Reads argv[1..]. -1: go on; else the exit status: --help was printed, or what is wrong was said. */
int transfer_options_parse(struct transfer_options *o, bool is_import, int argc, char **argv);

#endif
