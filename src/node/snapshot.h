#ifndef NODE_SNAPSHOT_H
#define NODE_SNAPSHOT_H

#include "node/disk.h"
#include "storage/snapshot_file.h"

/* Snapshots of this node: taking them (snapshot.c), what the log may lose then (compact.c), sending and receiving them
 * (snapshot_transfer.c), and loading one at start or in place of a state that lags (snapshot_load.c). */
struct keyspace;
struct state_walk;
struct state_reader;

/* A job of these rooms: `run` on the storage thread, `done` on the loop. */
struct snapshot_job {
    struct node_job job;
    struct snapshot_file *file;
    struct vfs *elsewhere;         /* NULL: the data directory */
    struct buf bytes;              /* to write, or read */
    uint64_t offset;               /* to read from */
    uint64_t expected;             /* size of the file to be, as far as it is known */
    uint64_t reserve;              /* disk-reserve */
    size_t most;
    const char *name;
    raft_index first_kept;         /* compaction */
    uint64_t keep_bytes;
    struct raft_chunk_request request; /* transfer */
    struct raft_snapshot_id id;
    enum err result;
};

enum snapshot_phase {
    SNAPSHOT_IDLE,
    SNAPSHOT_CREATING,   /* the file is being made */
    SNAPSHOT_WALKING,
    SNAPSHOT_WAITING,    /* all written; the log isn't durable up to its index yet */
    SNAPSHOT_PUBLISHING,
    SNAPSHOT_CHECKING,   /* a backup: it is read back */
};

/* Why one is taken; a backup goes to a file of its own and leaves the log alone. */
enum snapshot_reason { SNAPSHOT_FOR_LOG, SNAPSHOT_BY_COMMAND, SNAPSHOT_FOR_BACKUP };

struct snapshot_taking {
    enum snapshot_phase phase;
    enum snapshot_reason reason;
    struct state_walk *walk;
    bool has_ended;                /* the END block is in `blocks` */
    bool is_given_up;              /* as soon as the job under way is done */
    struct snapshot_encoder encoder;
    struct snapshot_meta meta;
    struct buf blocks;             /* encoded, not handed to the storage thread yet */
    struct snapshot_file file;
    struct snapshot_job job;
    uint64_t started_us;
    uint64_t slice_us;             /* not before: the walk leaves most of the loop to others */
    raft_index slice_applied;      /* at the last slice */
    uint64_t log_bytes;            /* wal append_bytes when it began */
    uint64_t kept_peak_bytes;      /* at most, as far as slices saw it */
    uint64_t keys_total;           /* when it began */
};

/* RAFT BACKUP: backup.c. */
struct snapshot_backup {
    uint64_t number;               /* of the last one asked for */
    uint64_t done;                 /* of the last one that ended */
    char path[4096];
    char name[256];                /* in its directory */
    char part[264];                /* until it is whole */
    char error[256];               /* of the last one; "": it is good */
    uint64_t bytes;
    raft_index index;
    struct vfs *vfs;
    struct snapshot_decoder decoder;
    struct buf rest;
    uint64_t offset;
};

struct snapshot_receiving {
    struct raft_snapshot_id id;    /* index 0: nothing */
    raft_id from;
    uint64_t offset;               /* bytes written */
    uint64_t accepted;             /* bytes written, being written, and waiting for that */
    struct buf waiting;            /* the chunk behind the one that is being written */
    struct snapshot_file file;
    struct snapshot_job job;
    bool is_loading;
    bool is_publishing;
    uint64_t begun_us;
    uint64_t retry_us;             /* not before, after a full disk */
    raft_index no_room_for;        /* the snapshot that there was no room for: told once */
};

struct snapshot_sending {
    struct raft_snapshot_id id;    /* of the open file; index 0: none */
    struct snapshot_file file;
    struct list requests;          /* struct snapshot_job, waiting */
    struct snapshot_job *running;
    struct snapshot_job ahead;     /* what will be asked for next, of the file `ahead.id` at `ahead.offset` */
    uint64_t sent;                 /* up to where, to whom it went last */
    uint64_t used_us;
    uint64_t next_us;              /* throttle */
};

/* A file on its way into a keyspace. */
struct snapshot_loading {
    bool is_active;
    bool at_start;                 /* else it was received */
    struct snapshot_file file;     /* at start; else receiving.file */
    struct snapshot_file *from;
    struct snapshot_job job;
    uint64_t offset;               /* read so far */
    struct buf bytes;              /* read, not taken */
    struct snapshot_decoder decoder;
    struct snapshot_meta meta;
    struct buf birth;
    uint64_t digest;               /* as the file says */
    struct keyspace *keyspace;
    struct state_reader *reader;
    struct state_walk *check;      /* received ones are compared with their digest */
    uint64_t begun_us;
    uint64_t told_us;              /* progress line */
    uint64_t slice_us;
};

struct snapshots {
    struct raft_snapshot_id newest; /* the file SNAPSHOT_NAME; index 0: there is none */
    int64_t newest_wall_ms;         /* when it was begun */
    raft_index newest_conf_index;
    int64_t saved_wall_ms;          /* node_snapshot_status.saved_ms */
    uint64_t log_bytes;             /* wal append_bytes when it was begun */
    bool is_wanted;                 /* by command */
    uint64_t retry_us;              /* after a full disk */
    uint64_t taken_total;
    uint64_t failed_total;
    bool last_failed;
    uint64_t last_took_us;
    uint64_t last_kept_bytes;       /* kept_peak_bytes of the last one that is durable */
    uint64_t keys_loaded;
    raft_index compacted_to;        /* last asked for ... */
    raft_index compacted_for;       /* ... behind this snapshot ... */
    uint64_t compacted_us;          /* ... at this time */
    raft_index rest_applied;        /* nothing was applied after this ... */
    uint64_t rest_us;               /* ... since then */
    bool receiving_owes_answer;
    struct snapshot_job compact;
    struct snapshot_taking taking;
    struct snapshot_receiving receiving;
    struct snapshot_sending sending;
    struct snapshot_loading loading;
    struct snapshot_backup backup;
    /* In force at `applied`: what a snapshot says of it (J12). */
    struct raft_conf conf;
    raft_index conf_index;
};

struct node;
void snapshots_init(struct node *n);
void snapshots_deinit(struct node *n);
/* Once per iteration: slices of what is under way, beginnings. */
void snapshots_pump(struct node *n);
/* When to be called again. */
uint64_t snapshots_tick(struct node *n);
/* What it keeps for the walk is at its bound: no entry is applied until some of it was written (state_walk.c W6). */
bool snapshot_holds_apply(const struct node *n);
/* The data are being loaded: NULL, or the error for a data command ("LOADING ..."). Borrowed until the next call. */
const char *snapshot_loading_text(struct node *n);

/* Bytes that the walk under way keeps in memory now; 0 without one. */
uint64_t snapshot_kept_bytes(const struct snapshot_taking *t);

/* For the files of this room. */
void snapshot_submit(struct node *n, struct snapshot_job *job, void (*run)(struct node_job *), void (*done)(struct node *, struct node_job *));
/* A walk to a file of its own, by backup.c. */
void snapshot_begin_backup(struct node *n);
/* backup.c: the file is written and has its name; or it failed (then it is gone). */
void backup_written(struct node *n);
void backup_failed(struct node *n, const char *why);
void snapshot_backup_ended(struct node *n);
/* Gives up what is being taken (a received snapshot takes its place). */
void snapshot_give_up(struct node *n);
/* snapshot_load.c */
/* What is there at start: `start` goes on from it, with `conf` and `conf_index` (room for one more than it has) where it lacks the
 * configuration. Logs and returns what is wrong. */
MUST_CHECK enum err snapshot_open(struct node *n, struct raft_start *start, struct raft_conf *conf, raft_index *conf_index);
/* At start: does the data directory hold such a file? */
bool snapshot_is_there(struct node *n, const char *name);
/* A directory that belongs to no cluster holds a snapshot: a restore was interrupted. Says so. */
bool snapshot_is_left_alone(struct node *n);
/* The received one, whose file has its name, becomes this node's state. */
void snapshot_install(struct node *n);
void snapshot_load_begin(struct node *n, bool at_start);
void snapshot_load_pump(struct node *n);
void snapshot_load_stop(struct node *n);
/* snapshot_transfer.c */
void snapshot_serve(struct node *n, const struct raft_chunk_request *request);
void snapshot_receive(struct node *n, const struct raft_message *message);
void snapshot_transfer_pump(struct node *n);
void snapshot_transfer_deinit(struct node *n);
void snapshot_received_loaded(struct node *n); /* the loader is content */
void snapshot_received_failed(struct node *n, const char *why);
/* The index that a transfer under way needs the log from; 0: none. */
raft_index snapshot_pinned(const struct node *n);
/* compact.c */
void compact_pump(struct node *n);
bool compact_is_due(struct node *n);

#endif
