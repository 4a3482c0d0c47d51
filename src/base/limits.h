#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Every bound that is not an option. BUILD=hostile makes them tiny (Lua's "give some bugs a
 * chance"). Plain numbers, since a product of unsigneds compared with a size_t invites a wrong one.
 */

#ifdef CORACLE_HOSTILE
#define LIMIT_FRAME_BYTES 2048u     /* a bulk peer frame's payload */
#define LIMIT_VALUE_CHUNK_BYTES 64u /* one chunk of a value */
#define LIMIT_KEYS_PER_WALK 128u    /* keys that one KEYS or SCAN looks at */
/* What one command does with the items of collections, since it runs to its end on the loop. */
#define LIMIT_ITEMS_READ 4096u    /* looked at one after the other */
#define LIMIT_ITEMS_REPLIED 2048u /* in one reply */
#define LIMIT_ITEMS_CHANGED 1024u /* each at a place of its own */
#define LIMIT_CHANGES_BYTES 16384u  /* history of the change feed */
#define LIMIT_WATCH_BYTES 16384u    /* frames a slow watcher may be behind */
#define LIMIT_RANDOM_REPLY_BYTES 1048576u /* of items drawn with repetitions */
#else
#define LIMIT_FRAME_BYTES 262144u
#define LIMIT_VALUE_CHUNK_BYTES 65536u
#define LIMIT_KEYS_PER_WALK 200000u
#define LIMIT_ITEMS_READ 4000000u
#define LIMIT_ITEMS_REPLIED 1000000u
#define LIMIT_ITEMS_CHANGED 200000u
#define LIMIT_CHANGES_BYTES 16777216u
#define LIMIT_WATCH_BYTES 8388608u
#define LIMIT_RANDOM_REPLY_BYTES 67108864u
#endif

/* Memory block for log entries. Fuzzers make nodes by the million. */
#if defined CORACLE_HOSTILE || defined CORACLE_FUZZ
#define LIMIT_LOG_CHUNK_BYTES 4096u
#else
#define LIMIT_LOG_CHUNK_BYTES 262144u
#endif

/* In front of a bulk link that takes no more; then the log waits. Small where rare paths are to be met. */
#ifdef CORACLE_SLOW_CHECKS
#define LIMIT_UNSENT_BYTES 8192u
#else
#define LIMIT_UNSENT_BYTES 1048576u
#endif

#define LIMIT_INLINE_BYTES 65536u   /* Redis PROTO_INLINE_MAX_SIZE */
#define LIMIT_BULK_BYTES 536870912u /* Redis proto-max-bulk-len */
#define LIMIT_ARG_COUNT 2147483647  /* as Redis 7.0: INT_MAX, never preallocated */
#define LIMIT_UNAUTHENTICATED_ARGS 10
#define LIMIT_UNAUTHENTICATED_BULK_BYTES 16384u
#define LIMIT_UNAUTHENTICATED_OUTPUT_BYTES 65536u /* unread replies to who gave no password yet */
#define LIMIT_ENTRY_BYTES 1073741824u /* one encoded log entry */
#define LIMIT_MEMBERS 31              /* members of one configuration */
#define LIMIT_ADDRESS_BYTES 264       /* "host:port" or "[v6]:port" and a NUL */
#define LIMIT_DATABASES 16
#define LIMIT_CHANGE_VALUE_BYTES 65536u /* longer values are named in the change feed, not copied */
#define LIMIT_CHANGES_IDLE_MS 60000     /* of log time without a watcher, then the feed goes off */
#define LIMIT_PUBLISH_BYTES 4194304u /* channel and message of one PUBLISH */
#define LIMIT_EXPIRED_PER_ENTRY 16 /* due keys removed while one entry is applied */

#endif
