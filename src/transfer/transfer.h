#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

/* `coracle import` and `coracle export`: RDB files into and out of a running cluster, as a client that any node serves.
 * argv[0] is the subcommand. Return the process's exit status, of enum transfer_status. */
int transfer_import(int argc, char **argv);
int transfer_export(int argc, char **argv);

enum transfer_status {
    TRANSFER_DONE = 0,
    TRANSFER_INCOMPLETE = 1, /* it came to its end, but keys were left out; each is told */
    TRANSFER_REFUSED = 2,    /* nothing was written: bad arguments, bad file, nobody answers */
    TRANSFER_STOPPED = 3,    /* it stopped in the middle */
};

#endif
