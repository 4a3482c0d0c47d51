#include "node/notify.h"

#include <string.h>

/* An event has a class, a letter of notify-keyspace-events; it becomes up to two messages:
 *
 *   __keyspace@<db>__:<key>    with the event's name    (K)
 *   __keyevent@<db>__:<event>  with the key             (E)
 *
 * They are made when the entry is applied, on every node for its own subscribers, so each subscriber hears of each change once, in log
 * order, wherever it is connected. While a node that started applies its log again it is silent: what it meets has happened
 * before. */

static const struct {
    char letter;
    int64_t flag;
} notify_letter[] = {{'g', NOTIFY_GENERIC}, {'$', NOTIFY_STRING},  {'l', NOTIFY_LIST},     {'s', NOTIFY_SET},
                     {'h', NOTIFY_HASH},    {'z', NOTIFY_ZSET},    {'x', NOTIFY_EXPIRED},  {'e', NOTIFY_EVICTED},
                     {'t', NOTIFY_STREAM},  {'d', NOTIFY_MODULE},  {'n', NOTIFY_NEW},      {'K', NOTIFY_KEYSPACE},
                     {'E', NOTIFY_KEYEVENT}, {'m', NOTIFY_KEY_MISS}};
#define LETTER_COUNT (sizeof notify_letter / sizeof notify_letter[0])
#define LETTERS_OF_ALL 10 /* those that A stands for: the first ones */

bool notify_parse(struct slice text, int64_t *flags)
{
    int64_t all = 0;

    for (size_t i = 0; i < text.n; i++) {
        int64_t flag = text.p[i] == 'A' ? NOTIFY_ALL : 0;

        for (size_t l = 0; l < LETTER_COUNT; l++) {
            flag |= text.p[i] == (uint8_t)notify_letter[l].letter ? notify_letter[l].flag : 0;
        }
        if (flag == 0) {
            return false;
        }
        all |= flag;
    }
    *flags = all;
    return true;
}

/* As keyspaceEventsFlagsToString: A or the classes it stands for, with n behind them only then; K, E, m. */
void notify_format(int64_t flags, struct buf *out)
{
    bool is_all = (flags & NOTIFY_ALL) == NOTIFY_ALL;

    if (is_all) {
        buf_append_byte(out, 'A');
    }
    for (size_t l = is_all ? LETTERS_OF_ALL : 0; l < LETTER_COUNT; l++) {
        if (flags & notify_letter[l].flag) {
            buf_append_byte(out, (uint8_t)notify_letter[l].letter);
        }
    }
}

/* --- classes ------------------------------------------------------------------------------------ */

static const struct {
    int64_t flag;
    const char *names; /* a blank before and behind each */
} notify_class[] = {
    {NOTIFY_EXPIRED, " expired "},
    {NOTIFY_EVICTED, " evicted "},
    {NOTIFY_NEW, " new "},
    {NOTIFY_STRING, " set setrange setbit append incrby incrbyfloat pfadd pfmerge "},
    {NOTIFY_GENERIC,
     " del expire persist rename_from rename_to move_from move_to copy_to restore "},
    {NOTIFY_LIST, " lpush rpush lpop rpop linsert lset lrem ltrim sortstore "},
    {NOTIFY_SET, " sadd srem spop sinterstore sunionstore sdiffstore "},
    {NOTIFY_HASH, " hset hdel hincrby hincrbyfloat "},
    {NOTIFY_ZSET,
     " zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zunionstore zinterstore zdiffstore"
     " zrangestore geosearchstore georadiusstore "},
};

/* What it is not sure of is a change like DEL and RENAME: generic. */
static int64_t event_class(const char *event)
{
    size_t n = strlen(event);

    if (event[0] == 'x') {
        return NOTIFY_STREAM; /* xadd, xgroup-create, ... */
    }
    for (size_t i = 0; i < sizeof notify_class / sizeof notify_class[0]; i++) {
        for (const char *at = strstr(notify_class[i].names, event); at; at = strstr(at + 1, event)) {
            if (at[-1] == ' ' && at[n] == ' ') {
                return notify_class[i].flag;
            }
        }
    }
    return NOTIFY_GENERIC;
}

/* --- the messages ------------------------------------------------------------------------------- */

static void on_event(void *ctx, uint32_t db, struct slice key, const char *event, raft_index index)
{
    struct notify *n = ctx;
    struct slice name = slice_from_cstr(event);

    (void)index;
    int64_t flags = *n->flags;
    if (flags == 0 || n->changes->is_history || !pubsub_has_listeners(n->pubsub) || !(flags & event_class(event))) {
        return;
    }
    if (flags & NOTIFY_KEYSPACE) {
        buf_clear(&n->scratch, 65536);
        buf_printf(&n->scratch, "__keyspace@%u__:", db);
        buf_append_slice(&n->scratch, key);
        (void)pubsub_deliver(n->pubsub, PUBSUB_CHANNEL, buf_slice(&n->scratch), name);
    }
    if (flags & NOTIFY_KEYEVENT) {
        buf_clear(&n->scratch, 65536);
        buf_printf(&n->scratch, "__keyevent@%u__:%s", db, event);
        (void)pubsub_deliver(n->pubsub, PUBSUB_CHANNEL, buf_slice(&n->scratch), key);
    }
}

void notify_init(struct notify *n, struct changes *changes, struct pubsub *pubsub, const int64_t *flags)
{
    *n = (struct notify){.changes = changes, .pubsub = pubsub, .flags = flags};
    n->listener = (struct changes_listener){.ctx = n, .changed = on_event, .noticed = on_event};
    changes_listen(changes, &n->listener);
}

void notify_deinit(struct notify *n)
{
    changes_forget(&n->listener);
    buf_deinit(&n->scratch);
}
