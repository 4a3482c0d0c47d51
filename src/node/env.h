#ifndef NODE_ENV_H
#define NODE_ENV_H

#include "base/list.h"
#include "base/log.h"
#include "node/hello.h"
#include "storage/vfs.h"

/* Everything outside a node, as calls it makes: net/ in the server, the simulator in tests. None of them calls back into the node
 * before it returns. */

typedef uint64_t link_id; /* never reused in a process; 0: none */

/* Work for the storage thread: run() there, then node_disk_done() on the loop. One thread, in order of submission. */
struct disk_job {
    struct list queue; /* for the environment */
    void (*run)(struct disk_job *job);
};

/* What the operating system says about this process; for INFO. */
struct buf;
struct process_info {
    int64_t process_id;
    uint64_t resident_bytes;
    uint64_t system_bytes; /* memory of the machine */
    char allocator[32];    /* "jemalloc-5.3.0", "libc" */
    struct {               /* as it counts itself; all 0: it does not */
        uint64_t allocated;
        uint64_t active;
        uint64_t resident;
    } allocator_bytes;
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t cpu_user_loop_us; /* the loop's thread alone, which is the one that asks */
    uint64_t cpu_system_loop_us;
    char run_id[41]; /* 40 hex digits, new at each start */
    char executable[256];
    char config_file[256];
    char multiplexing[32];
    char system[256]; /* "Linux 6.1.0 x86_64" */
};

struct node_env {
    void *ctx;
    struct vfs *vfs;          /* the data directory */
    struct log_sink log;
    /* Wall clock, Unix ms. Only for log time; may jump. */
    int64_t (*wall_ms)(void *ctx);
    /* CLOCK_BOOTTIME, µs. The one clock of Raft and leases. */
    uint64_t (*now_us)(void *ctx);
    void (*random)(void *ctx, void *p, size_t n);

    /* Connect to `address`; later node_link_up or node_link_down(id). */
    void (*dial)(void *ctx, link_id id, const char *address, const struct peer_hello *mine);
    /* Queue one message; parts are copied or written at once. On an unknown or closed link: nothing. */
    void (*send)(void *ctx, link_id id, const struct slice *part, size_t part_count);
    /* Close after telling the peer `reason` (NULL: nothing). No node_link_down follows. */
    void (*hang_up)(void *ctx, link_id id, const char *reason);
    size_t (*unsent_bytes)(void *ctx, link_id id); /* NULL: nobody knows */

    void (*submit)(void *ctx, struct disk_job *job);
    /* The node can't go on (disk error, removed, divergence): the process ends after `reason` was logged. */
    void (*fatal)(void *ctx, const char *reason);

    /* Another directory than the data's, for a backup; made if it isn't there. Optional, NULL in the simulator. The caller gives it
     * back. */
    enum err (*open_directory)(void *ctx, const char *path, struct vfs **vfs);
    void (*close_directory)(void *ctx, struct vfs *vfs);
    /* Much memory will be taken at once from here on, or no longer: meanwhile large pages are worth what they waste. Optional. */
    void (*bulk_memory)(void *ctx, bool begins);
    /* Optional, NULL in the simulator. */
    void (*process_info)(void *ctx, struct process_info *info);
    /* CONFIG SET changed an option of scope `node`. */
    void (*option_changed)(void *ctx, const char *name);
    /* CONFIG REWRITE: false and a sentence without its code word in `why` (struct buf). NULL: there is no file. */
    bool (*rewrite_config)(void *ctx, struct buf *why);
    /* SHUTDOWN: end the process in good order, or at once. NULL in the simulator. */
    void (*shut_down)(void *ctx, bool at_once);
    /* SHUTDOWN ABORT: false when none is under way or it is too late. */
    bool (*abort_shutdown)(void *ctx);
};

#endif
