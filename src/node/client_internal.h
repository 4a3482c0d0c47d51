#ifndef NODE_CLIENT_INTERNAL_H
#define NODE_CLIENT_INTERNAL_H

/* For client*.c, transaction.c and the rows of node/ only. */

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/clients.h"
#include "node/command_stats.h"
#include "node/latency.h"
#include "node/notify.h"
#include "node/publish.h"
#include "node/pubsub.h"
#include "node/slowlog.h"
#include "node/tracking.h"
#include "node/watch.h"
#include "resp/front_door.h"
#include "resp/resp_parser.h"
#include "resp/text_parser.h"

enum client_mode {
    CLIENT_MODE_UNDECIDED,
    CLIENT_MODE_REDIS, /* RESP arrays and inline lines */
    CLIENT_MODE_TEXT,
    CLIENT_MODE_HTTP,
    CLIENT_MODE_PEER,
};

/* A deep copy of a command. */
struct command_copy {
    struct slice *arg; /* owned block: the slices, then the bytes; NULL: none */
    size_t arg_count;
};
void command_copy_init(struct command_copy *copy, const struct command *command);
void command_copy_deinit(struct command_copy *copy);

/* One queued command of MULTI. */
struct transaction_item {
    const struct command_row *row;
    struct command_copy command;
    char *error; /* owned: its arguments are wrong, this is the reply; NULL: fine */
};
struct transaction {
    struct transaction_item *item;
    size_t count;
    size_t capacity;
    size_t bytes;    /* encoded, about */
    bool has_publish; /* PUBLISH or SPUBLISH is among them */
    bool is_aborted; /* a command could not be queued: EXEC answers EXECABORT */
};
struct transaction *transaction_new(void);
void transaction_free(struct transaction *t); /* NULL is allowed */

/* One reply in a client's FIFO (client_reply.c). */
#define SLOT_ARGS 6
#define SLOT_BYTES 160
struct http_exchange;
struct client_http;
struct client_slot {
    struct list in_client;      /* client->slots */
    struct http_exchange *exchange; /* HTTP: whose response the reply is for; a reference */
    bool is_ready;              /* complete: goes out when it is the first */
    bool is_request;            /* a request that is not decided */
    bool is_told_to_wait;       /* a text session heard "Retrying..." */
    bool did_run;               /* WATCH: run_fn took effect */
    bool is_muted;              /* CLIENT REPLY OFF or SKIP: the reply is dropped when it is complete */
    uint64_t started_us;
    struct command noted;       /* a write's arguments for the slow log, long ones cut; in arg/bytes or block */
    enum reply_protocol protocol;
    size_t mark;                /* output's or reply's size at client_reply_begin */
    struct reply *open;         /* between begin and end */
    struct buf reply;           /* while it isn't the first */
    struct request request;
    struct transaction *transaction; /* EXEC under way; owned */
    struct slot_holes *holes;   /* numbers of PUBLISH that are missing in the reply; owned */
    bool is_tracked;            /* the keys it reads are remembered (tracking.c) */
    bool is_made;               /* nothing but such numbers is missing: counted in client->made_count */
    void *block;                /* arguments of a read that don't fit below; owned */
    struct slice arg[SLOT_ARGS];
    uint8_t bytes[SLOT_BYTES];
};

struct client_watch {
    uint32_t db;
    raft_index index;
    struct slice key; /* owned bytes */
};

enum client_wait_kind { CLIENT_WAITS_NOT, CLIENT_WAITS_COPIES, CLIENT_WAITS_AOF, CLIENT_SLEEPS, CLIENT_WAITS_CHANGE, CLIENT_WAITS_FEED, CLIENT_WAITS_VERIFY, CLIENT_WAITS_BACKUP, CLIENT_WAITS_LEADER };

struct client {
    struct list in_all;
    struct list in_dirty;
    struct list in_paused; /* in `paused` (window full, or its time of this turn is over) or in `skipped` */
    struct clients *clients;
    struct node *node;
    void *owner;
    struct client_info info;
    uint64_t id;
    uint64_t opened_us;
    uint64_t active_us;
    uint64_t now_us; /* of the client_process under way */

    enum client_mode mode;
    bool is_counted;      /* in clients_count */
    bool is_in_array;     /* text session: a RESP array is half read */
    bool is_input_ended;
    bool is_closing;      /* nothing more is read; closed when everything is answered */
    bool is_killed;       /* closed at once */
    bool is_stalled;      /* stopped although there may be more to parse */
    bool is_barred;       /* an EXEC that changes this connection is under way */
    bool is_authenticated;
    bool is_watch_failed; /* a WATCH was answered with an error: the next EXEC must not run */
    struct front_door door;
    struct resp_parser resp;
    struct text_parser text;
    struct client_http *http; /* in HTTP mode; owned */
    struct watcher *watcher;  /* HTTP, of a stream; owned */
    struct buf input;
    struct buf output;

    enum reply_protocol protocol; /* RESP2 or RESP3 */
    uint32_t db;
    int read_level;               /* enum read_level, -1: the option */
    struct slice name;            /* owned bytes */
    struct slice library_name;    /* owned bytes */
    struct slice library_version; /* owned bytes */
    const struct command_row *last_row;

    size_t local_mark;            /* size of the reply's buffer at client_local_begin */
    bool did_submit;              /* the row that just ran made a request or waits: it is counted when that ends */
    bool is_in_exec;              /* a command of a transaction runs: it can't wait */
    bool is_muted;                /* the command under way has no reply (CLIENT REPLY) */
    bool is_reply_off;
    bool is_skip_next;
    bool is_no_evict;
    struct list in_monitors;      /* MONITOR */
    struct pubsub_subscriptions subscriptions;
    struct client_tracking tracking;
    struct name_node by_id;       /* in clients->by_id; its name is id_bytes */
    uint8_t id_bytes[8];
    bool is_held_by_pause;        /* `held` waits for the end of CLIENT PAUSE */
    raft_index last_write;        /* of its last answered write; for WAIT */
    struct client_wait {          /* WAIT, WAITAOF, DEBUG SLEEP: nothing more is parsed before it ends */
        enum client_wait_kind kind;
        enum reply_protocol protocol;
        const struct command_row *row;
        struct command_copy command;
        uint64_t started_us;
        uint64_t deadline_us;     /* UINT64_MAX: none */
        int64_t local_wanted;
        int64_t copies_wanted;
        uint64_t change;          /* number of the ask (membership.h); VERIFY: applied when it was asked for; BACKUP: its number */
        uint64_t feed_index;      /* XREAD BLOCK on __changes__: behind this one */
        uint64_t feed_part;
        bool is_feed_new;         /* "$": or behind the entry that switches it on */
    } wait;

    struct list slots;
    size_t slot_count;
    bool is_hold_over;            /* client_hold_for_leader: this time it must be answered */
    bool is_readonly;             /* READONLY: a Cluster client that reads from followers */
    size_t made_count;            /* slots with is_made: replies that a push must not overtake */
    bool is_replying;             /* between the begin and the end of a reply: pushes wait in `pushes` */
    struct buf pushes;
    size_t pushed_bytes;          /* since the output was last empty */
    char moved[LIMIT_ADDRESS_BYTES + 32];
    size_t pushed_in_front;       /* by the command that runs now, before its reply: not part of it */
    struct client_slot *exec_slot; /* of the transaction whose local items run, if it has one */
    size_t reply_bytes_recent;    /* longest recent reply of a request, fading; 0: none yet */
    struct list requests;         /* undecided ones, in program order */
    uint32_t vain_misses;         /* writes in a row that were not in vain (client_vain.c) */
    size_t watches_pending;
    size_t watches_void; /* of them, the first: what ended them came before they ran */

    struct command_copy held;     /* waits until no request is undecided */
    enum reply_protocol held_protocol;
    const struct command_row *held_row;

    struct transaction *transaction; /* between MULTI and EXEC */
    struct client_watch *watch;
    size_t watch_count;
    size_t watch_capacity;
    size_t watch_bytes;           /* of the keys, as an EXEC carries them */
};

struct clients {
    struct node *node;
    struct list all;
    struct list dirty;
    struct list paused;
    struct list skipped;          /* like `paused`, but there was no time left for them in this poll: they go on before those */
    size_t count;
    size_t spare_count;
    struct list spare;            /* free slots */
    uint64_t next_id;
    uint64_t started_us;
    bool is_polling;              /* between the first node_next_dirty_client and its NULL */
    uint64_t resume_until_us;     /* of this poll: then stalled clients go on in the next; 0: none went on yet */
    bool had_leader;
    struct client_counters counters;
    struct client_rates rates;
    struct client_counters last_second;
    uint64_t last_second_us;
    size_t memory_peak;
    size_t memory_at_start;
    struct command_stats *stats;
    struct slowlog *slowlog;
    struct latency latency;
    struct list monitors;
    struct pubsub pubsub[2];      /* data port, Sentinel port */
    struct notify notify;
    struct tracking tracking;
    struct name_table by_id;      /* every client */
    struct sentinel_seen {        /* sentinel.c: what was published last */
        raft_id leader;
        bool is_down;
    } sentinel;
    uint64_t pushes_refused;      /* clients closed since they did not read what was pushed */
    size_t waiting;               /* clients with a wait */
    uint64_t pause_until_us;      /* CLIENT PAUSE; 0: not */
    bool is_pause_for_writes;     /* reads go on */
    size_t held_by_pause;
    struct watches watches;
};

/* Undecided and unsent replies of one client at once; beyond it is paused. Nobody knows how long the reply of a read will be
 * before it runs, so the bound follows the longest of its recent replies: as many as would fill client-output-limit. */
#define CLIENT_SLOTS_MAX 16384
#define CLIENT_SLOTS_FIRST 64 /* before anything is known */
#define CLIENT_SLOTS_MIN 16

/* A turn of the loop begins commands of one client for so long, and of all stalled ones that go on together; the clock is looked
 * at after some commands. Who is not done goes on in the next turn, behind the others. */
#define CLIENT_TURN_US 500
#define CLIENT_CLOCK_EVERY 8

/* clients.c */
/* Its oldest request waits for something to pop. */
bool client_is_blocked(const struct client *c);
void client_mark_dirty(struct client *c);
/* NULL: there is none of that id. */
struct client *client_by_id(struct clients *cs, uint64_t id);
struct client_slot *client_slot_new(struct client *c, enum reply_protocol protocol);
void client_slot_free(struct clients *cs, struct client_slot *slot);
void slice_replace(struct slice *owned, struct slice bytes); /* n == 0 frees */

/* client_reply.c: a reply made at once, in its place of the FIFO. */
struct reply client_local_begin(struct client *c, enum reply_protocol protocol);
void client_local_end(struct client *c, const struct reply *reply);
/* Nothing was written and nothing will be. */
void client_local_cancel(struct client *c, const struct reply *reply);
void client_error(struct client *c, enum reply_protocol protocol, const char *text);
bool client_has_undecided(const struct client *c);
/* What the client did not ask for (a message, an invalidation): behind every reply made so far, never inside one. Closes the client when
 * too much waits. */
void client_push(struct client *c, struct slice bytes);
/* The slot lacked numbers only, and has them now. */
void client_slot_filled(struct client_slot *slot);
/* This slot's reply is complete but for its holes. */
void client_slot_made(struct client *c, struct client_slot *slot);

/* client_publish.c */
struct slot_holes {
    struct list hole; /* struct publish_hole, in order of offset */
    uint32_t missing;
    bool is_publish;  /* of a PUBLISH of its own, not of an EXEC */
};
void client_holes_drop(struct client_slot *slot);
/* One thing less is missing; the last one completes the reply. */
void client_holes_less(struct client_slot *slot);
void row_publish(struct client *c, const struct command *command, struct reply *reply);
void row_spublish(struct client *c, const struct command *command, struct reply *reply);

/* rows_sentinel.c */
bool sentinel_knows(const struct command_row *row);
void sentinel_info(struct client *c, struct reply *reply);
struct place;
/* Of the member, for this client; the host is never empty. */
void client_find_place(struct client *c, raft_id id, struct place *place);
/* 40 hexadecimal digits and a NUL. */
void member_name(raft_id id, char name[41]);
/* sentinel.c: what Sentinel's subscribers hear; once per iteration. */
void sentinel_poll(struct clients *cs);
/* Asks for a hand-over of leadership to the member at this address, "": to any other; NULL or an error text. */
const char *client_fail_over(struct client *c, const char *to);
/* rows_cluster.c: NULL, or MOVED for a command that this node sends elsewhere; borrowed until the next call on this client. */
const char *cluster_redirect(struct client *c, const struct command_row *row, const struct command *command);

/* rows_pubsub.c */
bool client_is_subscriber(const struct client *c);
/* In RESP2 a subscriber may send only a few commands. */
bool client_may_as_subscriber(const struct command_row *row);
void client_tell_to_wait(struct client_slot *slot);

/* client_observe.c */
/* A command of this row began at started_us and is answered: counts it. `command` may be NULL: then the slow log skips it. */
void client_note_call(struct client *c, const struct command_row *row, const struct command *command, uint64_t started_us,
                      struct slice reply, bool is_error);
/* EXEC's reply, an array, tells which of its commands failed; `has_errors`: one of them did. */
void client_note_nested(struct client *c, const struct transaction *t, struct slice reply, bool has_errors);
void client_note_error(struct client *c, struct slice reply);
/* Tells MONITOR's clients. */
void client_show(struct client *c, const struct command_row *row, const struct command *command);
struct command client_redact(const struct command_row *row, const struct command *command, struct command_copy *block);

/* rows_debug.c */
bool debug_is_allowed(const struct client *c); /* enable-debug-command */
void row_debug(struct client *c, const struct command *command, struct reply *reply);

/* client_wait.c */
bool client_is_paused(const struct client *c, const struct command_row *row);
void clients_pause(struct clients *cs, uint64_t until_us, bool is_for_writes);
void clients_unpause(struct clients *cs);
void clients_poll_waits(struct clients *cs);
/* Ends a wait: with its natural answer, or with an error. */
void client_end_wait(struct client *c, const char *error);
void client_drop_wait(struct client *c);
/* The copies on disk of this connection's last write: here, and elsewhere. */
struct copies {
    int64_t here;
    int64_t elsewhere;
};
struct copies client_copies(struct client *c);
void client_wait_for_changes(struct client *c, const struct command *command, uint64_t timeout_us, struct reply *reply);
void row_wait(struct client *c, const struct command *command, struct reply *reply);
/* Holds a command whose answer would send the client to a dead leader; false: answer now (there is one, or the time is up). */
bool client_hold_for_leader(struct client *c, const struct command *command, struct reply *reply);
void row_waitaof(struct client *c, const struct command *command, struct reply *reply);
void client_sleep(struct client *c, const struct command_row *row, const struct command *command, uint64_t us,
                  struct reply *reply);
/* RAFT VERIFY: until every reachable member has told its digest of an entry behind `applied`. rows_snapshot.c answers. */
void client_wait_for_verify(struct client *c, raft_index applied, const struct command *command, struct reply *reply);
/* RAFT BACKUP: until that one has ended. */
void client_wait_for_backup(struct client *c, uint64_t number, const struct command *command, struct reply *reply);
void reply_backup(struct client *c, struct reply *reply);
bool verify_is_over(struct client *c);
void reply_verify(struct client *c, struct reply *reply);
void client_wait_for_change(struct client *c, uint64_t number, const struct command *command, struct reply *reply);
/* rows_raft.c: the answer to a membership command, which is decided. */
void reply_change(struct client *c, const struct command *command, struct reply *reply);

/* client_dispatch.c */
/* Checks, queues or runs one command whose row was looked up (NULL: unknown). */
void client_dispatch(struct client *c, const struct command_row *row, bool is_subcommand_unknown,
                     const struct command *command, enum reply_protocol protocol);
void client_run_held(struct client *c);
void client_submit_read(struct client *c, const struct command_row *row, const struct command *command,
                        enum reply_protocol protocol,
                        void (*run_fn)(struct request *request, struct command_run *run, struct reply *reply));
struct client_slot *client_submit_write(struct client *c, const struct command_row *row, const struct command *command,
                                        enum reply_protocol protocol, struct transaction *transaction);
/* client_vain.c: true when the write was submitted as a read, or answered. */
bool client_submit_vain(struct client *c, const struct command_row *row, const struct command *command,
                        enum reply_protocol protocol);
void client_submit_vain_read(struct client *c, const struct command_row *row, const struct command *command,
                             enum reply_protocol protocol);
bool client_needs_password(const struct client *c);
void client_set_authenticated(struct client *c, bool is_authenticated);
void client_reset(struct client *c);

/* client_text.c */
void client_text_process(struct client *c, const struct command *command);
void client_text_unclosed_quote(struct client *c, const struct command *command);

/* transaction.c */
void transaction_queue(struct client *c, const struct command_row *row, const struct command *command,
                       struct reply *reply);
void transaction_discard(struct client *c); /* MULTI's queue and the watches */
void transaction_run_local(struct client *c, struct transaction *t, size_t position, struct reply *reply);
bool transaction_must_wait(const struct client *c, const struct command_row *row);
bool transaction_publishes(const struct transaction *t);
void client_unwatch(struct client *c);
void row_multi(struct client *c, const struct command *command, struct reply *reply);
void row_exec(struct client *c, const struct command *command, struct reply *reply);
void row_discard(struct client *c, const struct command *command, struct reply *reply);
void row_watch(struct client *c, const struct command *command, struct reply *reply);
void row_unwatch(struct client *c, const struct command *command, struct reply *reply);
void watch_run(struct request *request, struct command_run *run, struct reply *reply);

/* rows_connection.c */
bool client_name_is_valid(struct slice name);
/* rows_command.c: the names of a category's commands, as an array; `category` without its '@'. */
void rows_of_category(struct client *c, struct slice category, struct reply *reply);
/* rows_client.c */
size_t client_memory(const struct client *c);
void client_describe(const struct client *c, struct buf *out); /* a line of CLIENT LIST, with '\n' */
void reply_help(struct reply *reply, const char *const *line); /* NULL-terminated lines of a HELP */

/* The families of node/, for main.c and the simulator: see rows.h. */

#endif
