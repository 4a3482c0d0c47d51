#ifndef NODE_REQUEST_H
#define NODE_REQUEST_H

#include "base/chunk.h"
#include "base/list.h"
#include "node/node.h"

/* A client's command on its way through the node core (session.c, read.c, apply.c). client.c makes one, the core decides it
 * exactly once: done, NOT done, or unknown (DESIGN §7). Requests of one client are decided and answered in program order:
 * a read sees all earlier writes of its connection and none of its later ones (§3). */
enum request_kind { REQUEST_WRITE, REQUEST_READ };
enum request_state {
    REQUEST_UNSENT,    /* write: has no seq yet, may be refused */
    REQUEST_SENT,      /* write: in the window; only apply, CANCEL or CLOSE decide it */
    REQUEST_BLOCKED,   /* write: done, and waits for something to pop (blocked.c); not in the window any more */
    REQUEST_GIVEN_UP,  /* write: answered UNKNOWN; stays in the window without a client */
    REQUEST_UNCONFIRMED, /* read: waits for a read index */
    REQUEST_CONFIRMED, /* read: waits for apply and for earlier requests of its client */
};

struct request {
    struct list in_client;  /* FIFO of the client's undecided requests: client->requests */
    struct list in_node;    /* the core's own queues */
    struct client *client;  /* NULL once its client has gone or was answered */
    const struct command_row *row;
    enum request_kind kind;
    enum request_state state;
    uint32_t db;
    uint64_t deadline_us;   /* request-timeout after it was read */

    /* Writes: the encoded entry, header room included, in a chunk the request references. */
    struct chunk *chunk;
    size_t offset;
    size_t size;
    uint64_t seq;
    struct waiter *waiter;  /* while REQUEST_BLOCKED */
    bool is_unblock_error;  /* CLIENT UNBLOCK ... ERROR */

    /* Reads: arguments, kept by whoever made the request until it is decided; run_fn overrides row->run (WATCH). */
    struct command command; /* what doesn't fit into a slot counts in the window, too: its bytes are `size` */
    enum read_level level;
    bool is_vain;           /* a write that would change nothing as things stand (client_vain.c) */
    void (*run_fn)(struct request *request, struct command_run *run, struct reply *reply);
    uint64_t batch;         /* of its read index */
    raft_index read_index;
    int64_t read_time_ms;
};

/* --- the core's side, called by client.c --- */

/* A read or write was made. The core owns in_node and the state from here. Never decides it before it returns... except
 * that node_try_read_now may be asked first. */
void node_submit_write(struct node *n, struct request *request, const struct command *command);
void node_submit_read(struct node *n, struct request *request);
/* As far as this node knows, a write of that row would change nothing, and reads can be confirmed here. */
bool node_is_vain(struct node *n, const struct command_row *row, uint32_t db, const struct command *command);
/* A vain one that was submitted as a read goes into the log after all. No write of its client is undecided but those that went before it. */
void node_submit_after_all(struct node *n, struct request *request);
/* True when a read of that level can be answered this instant on this node (lease held and read after now_us was taken, or stale),
 * and fills *run; the caller has no earlier undecided request. */
bool node_try_read_now(struct node *n, enum read_level level, uint32_t db, struct command_run *run);
/* The client went away: reads are forgotten (the request may be freed at once when true is returned); a sent write stays until
 * decided: the core frees it later through request_free. */
bool node_abandon(struct node *n, struct request *request);
/* A blocked one is to be answered now: CLIENT UNBLOCK. */
void node_unblock(struct node *n, struct request *request, bool is_error);
size_t node_blocked_count(const struct node *n);
/* A transaction's nested commands as one payload; see exec_payload.h. */

/* All O(1), implemented by the core: */
/* The registry the node made with clients_new (clients.h). */
struct clients *node_clients(struct node *n);
/* forward-window-bytes is reached: clients are not read on until it shrinks. */
bool node_window_is_full(const struct node *n);
bool node_has_leader(const struct node *n);
/* Who hears of changes of the data. */
struct changes *node_changes(struct node *n);
/* NULL, or the error text ("OOM ...", "MISCONF ...", "LOADING ...") a write of that row is refused with at once. Borrowed. */
const char *node_write_refusal(struct node *n, const struct command_row *row);
/* The same for a read: NULL unless the data are being loaded. */
const char *node_read_refusal(struct node *n);
/* For CONFIG SET of options of scope `node`. */
struct options *node_options_edit(struct node *n);
/* The state that holds the settings of the cluster; NULL while the node is BLANK. Borrowed. */
const struct keyspace *node_settings(struct node *n);

/* --- the client's side, implemented in client.c, called by the core --- */

/* Where the reply of this request goes (REPLY_DISCARD when the client has gone). */
void client_reply_begin(struct request *request, struct reply *reply);
/* What was written since begin is void (a read met a due key and is tried again later). */
void client_reply_abort(struct request *request);
/* The vain ones among the undecided requests of this client go into the log (node_submit_after_all), in their order. */
void client_submit_after_all(struct client *c);
/* Decided: the reply is complete. Frees the request and lets the replies behind it go. */
void client_reply_end(struct request *request);
/* A request of its waits from now on for something to pop (blocked.c). */
void client_on_blocked(struct client *c);
/* The reply is complete (UNKNOWN, for one), the outcome isn't: as client_reply_end, but the request is not freed. Its client is NULL afterwards and
 * the core keeps it until request_free. */
void client_reply_detach(struct request *request);
/* The undecided requests of one client in program order; NULL at the end. */
struct request *client_first_request(struct client *c);
struct request *client_next_request(struct request *request);
/* Transaction item `position` is a connection or node command: run it at the origin and write its reply (spliced). */
void client_reply_local(struct request *request, size_t position, struct reply *reply);
/* Transaction item `position` is a data command that runs now. */
void client_reply_item(struct request *request, size_t position);
void request_free(struct request *request);

#endif
