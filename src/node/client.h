#ifndef NODE_CLIENT_H
#define NODE_CLIENT_H

#include "base/buf.h"
#include "node/request.h"

/* One client connection without its socket: input bytes -> commands -> requests -> output bytes, for RESP2, RESP3, inline and the
 * text grammar (HTTP later). The first complete line decides which (resp/front_door.h). All connection state lives here: protocol,
 * database, name, authentication, MULTI queue, WATCH list, read level. */
struct client;

struct client_info {
    char address[LIMIT_ADDRESS_BYTES];       /* peer "ip:port" */
    char local_address[LIMIT_ADDRESS_BYTES];
    int fd;                                  /* for CLIENT LIST only; -1 */
    bool is_local;                           /* loopback or unix socket, for protected-mode */
    bool is_unix;                            /* then the addresses are "path:0" */
    bool is_sentinel;                        /* came through the Sentinel port */
};

struct client *client_open(struct node *n, const struct client_info *info, void *owner);
/* The connection is gone: nothing more will be written. Frees it; sent writes live on in the core. */
void client_close(struct client *c);
void *client_owner(const struct client *c);

/* Room for the driver to read into, at least `n` bytes; then client_input_commit. */
uint8_t *client_input_reserve(struct client *c, size_t n, size_t *room);
void client_input_commit(struct client *c, size_t n);
/* The peer shut its sending side: what was read is still answered, then CLIENT_CLOSE. */
void client_input_end(struct client *c);

enum client_state {
    CLIENT_READ,      /* go on reading */
    CLIENT_PAUSED,    /* do not read now (output, window or memory limit); asked again after output was written or node_iterate */
    CLIENT_CLOSE,     /* close once the output is written */
    CLIENT_CLOSE_NOW,
    CLIENT_IS_PEER,   /* the first byte is a peer's: hand the input (client_take_input) to a link and free this */
};
/* Parse and start whatever is complete. */
enum client_state client_process(struct client *c);
/* The same for a client that stalled, unless this turn's time for those is over: then it is dirty in the next turn. Between
 * node_next_dirty_client's calls. */
void client_resume(struct client *c);
enum client_state client_get_state(const struct client *c);
struct slice client_take_input(struct client *c);

/* Nothing of it is under way and nothing waits to be written: may be closed when `timeout` says so. */
bool client_is_idle(const struct client *c);

/* Everything that was read of it is answered, and the answers are written. It may still be half a command, or wait in WAIT for others. */
bool client_is_answered(const struct client *c);

/* Gives back the memory of empty buffers; for clients that have been silent for a while. */
void client_trim(struct client *c);

/* Bytes ready to be written, and how many were. */
struct slice client_output(const struct client *c);
void client_output_sent(struct client *c, size_t n);

/* Clients with new output or a new state since the last call, one at a time; NULL when none. */
struct client *node_next_dirty_client(struct node *n);

#endif
