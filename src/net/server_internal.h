#ifndef NET_SERVER_INTERNAL_H
#define NET_SERVER_INTERNAL_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "node/clients.h"
#include "node/link.h"
#include "node/node.h"
#include "net/exec_thread.h"
#include "net/log_file.h"

#define SERVER_LISTENERS_MAX 16
#define SERVER_READ_BYTES (64u * 1024u)
#define SERVER_UNPROVEN_PEERS_MAX 256
#define SERVER_PEER_WARNINGS 16

/* drain.c */
enum server_stage { SERVER_SERVES, SERVER_HANDS_OVER, SERVER_ANSWERS, SERVER_ENDS };

struct server {
    struct ev_loop *loop;
    struct options *options;
    const char *config_file;
    struct slice secret;
    struct node_env env;
    struct node *node;
    struct command_table *table;
    struct log_file log;
    struct exec_thread *storage;
    struct list submitted; /* disk jobs of this iteration, for it */
    struct exec_thread *resolver;
    char run_id[41];
    pthread_t thread;
    atomic_uint_fast64_t term; /* for log lines of other threads */

    ev_prepare prepare;
    ev_check check;
    ev_timer wake;
    ev_timer second;
    ev_async storage_done;
    ev_async resolver_done;
    ev_signal terminate;
    ev_signal interrupt;
    ev_signal hangup;
    uint64_t wake_armed_us; /* UINT64_MAX: not */
    enum server_stage stage;
    uint64_t stage_us;       /* when it began */
    bool is_drained_at_once;
    bool is_answered;        /* everything that was read */
    ev_timer drain_tick;

    struct listener {
        ev_io io;
        int fd;
        bool is_sentinel;
    } listener[SERVER_LISTENERS_MAX];
    size_t listener_count;
    bool has_unix_socket; /* made by us: removed at the end */
    int spare_fd; /* given up to accept and close one when out of descriptors */

    struct list connections;
    struct list arrived;  /* those that the last poll found readable, first who was first */
    struct list readable; /* those that wait to be read: the same behind who had no turn yet */
    size_t connection_count;
    struct list peers;
    size_t unproven_count;
    struct {
        uint64_t key; /* the peer's id, ~id for a handshake that ended, or a hash of its address */
        uint64_t at_us;
    } warned[SERVER_PEER_WARNINGS];
    uint8_t read_buffer[256u * 1024u]; /* peers' bytes on their way into a link */
};

#define SERVER_OF(watcher) ((struct server *)(watcher)->data)

/* process_info.c; ctx: the server */
void server_process_info(void *ctx, struct process_info *info);

/* drain.c */
void server_begin_drain(struct server *s, bool at_once);
/* Once per iteration; ends the loop when everything is done. */
void server_drain(struct server *s);

/* listener.c */
bool server_listen(struct server *s);
/* Accepts what is in the backlogs. */
void server_accept_waiting(struct server *s);
void server_stop_listening(struct server *s);
void socket_tune(const struct server *s, int fd, bool is_client);

/* connection.c */
struct connection;
void connection_open(struct server *s, int fd, const struct sockaddr_storage *address, bool is_sentinel);
/* Reads and processes what poll found, in the order in which it came. */
void connections_read(struct server *s);
/* Writes what clients have to say. */
void connections_flush(struct server *s);
void connections_each_second(struct server *s);
/* Draining: what was read is still answered. */
void connections_stop_reading(struct server *s);
/* Those that are answered are shut down for sending and linger; true when no other is left. */
bool connections_linger_answered(struct server *s);
/* True when the lingering ones are gone, or had time enough. */
bool connections_end_lingering(struct server *s);
void connections_close_all(struct server *s);

/* peer_connection.c */
/* Takes the descriptor of a connection whose first byte was a peer's; `input` is what it said. */
void peer_accept(struct server *s, int fd, bool is_loopback, const char *address, struct slice input);
void peer_dial(void *ctx, link_id id, const char *address, const struct peer_hello *mine);
void peer_send(void *ctx, link_id id, const struct slice *part, size_t part_count);
void peer_hang_up(void *ctx, link_id id, const char *reason);
size_t peer_unsent_bytes(void *ctx, link_id id);
void peers_resolved(struct server *s);
void peers_flush(struct server *s);
void peers_close_all(struct server *s);

#endif
