#ifndef COMMANDS_COMMAND_ROW_H
#define COMMANDS_COMMAND_ROW_H

#include "keyspace/keyspace.h"
#include "resp/command.h"
#include "resp/reply.h"

/* One row per command, each in the file of its family. Data rows are here, node and connection rows in node/; main.c (and the
 * simulator) put the const tables together into one command_table. */

enum command_flag { /* names as COMMAND INFO shows them where Redis has them */
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2,
    COMMAND_ADMIN = 1 << 3,
    COMMAND_NOSCRIPT = 1 << 4,
    COMMAND_LOADING = 1 << 5,
    COMMAND_STALE = 1 << 6,
    COMMAND_FAST = 1 << 7,
    COMMAND_NO_AUTH = 1 << 8,
    COMMAND_ALLOW_BUSY = 1 << 9,
    COMMAND_NO_MULTI = 1 << 10,
    COMMAND_SKIP_SLOWLOG = 1 << 11,
    COMMAND_PUBSUB = 1 << 12,
    COMMAND_BLOCKING = 1 << 13,
    COMMAND_MOVABLE_KEYS = 1 << 14,
    COMMAND_SENTINEL_ONLY = 1 << 30, /* unknown but on the Sentinel port; always with TEXT_ONLY, which hides it elsewhere */
    COMMAND_TEXT_ONLY = 1 << 15,  /* a verb of the text grammar: unknown to RESP clients */
    /* Changes no data here, but is sent to the replicas in Redis: CLIENT PAUSE WRITE holds it, as there. */
    COMMAND_MAY_REPLICATE = 1 << 16,
};

enum command_kind {
    COMMAND_DATA,       /* runs against a keyspace_view: through the log if WRITE, else as a read */
    COMMAND_NODE,       /* runs at the node that got it, at once: INFO, CONFIG, RAFT */
    COMMAND_CONNECTION, /* changes the client's own state: HELLO, SELECT, MULTI, CLIENT */
    COMMAND_CONTAINER,  /* has subcommands only */
};

/* Where keys stand in the arguments; Redis's legacy triple. first 0: none; last < 0 counts from the end. */
struct command_keys {
    int16_t first;
    int16_t last;
    int16_t step;
};

/* A command that found nothing to pop and wants to wait for it (keyspace/waiters.h). */
struct command_wait {
    bool is_wanted;
    uint8_t type;         /* enum value_type that it can pop from */
    uint32_t first_key;   /* of its arguments */
    uint32_t key_count;
    int64_t deadline_ms;  /* log time; INT64_MAX: none */
};

/* What data commands see. */
struct command_run {
    struct keyspace_view view;
    raft_index index;       /* writes: of the entry; reads: the state's applied index */
    struct command_wait *wait; /* NULL: it must not wait, but be answered at once (EXEC) */
    uint64_t seed;          /* writes: deterministic random seed (cluster seed, index); reads: local */
};

struct client; /* node/client.h */

struct command_row {
    const char *name;            /* lower case; "config|get" for a subcommand */
    uint16_t number;             /* stable for ever, in log entries; 0 for what is never logged */
    uint8_t version;             /* of its semantics in the log */
    enum command_kind kind;
    int16_t arity;               /* as Redis: negative = at least */
    uint32_t flags;
    struct command_keys keys;
    int16_t key_number;          /* the argument that counts the keys which follow it, as in ZUNION; 0: there is none */
    /* Behind the arguments that must be there one more key may follow this word, anywhere, as SORT's STORE; or one of these words
     * ("STORE STOREDIST"); of several the last counts. NULL: none. Options whose argument could be that word are passed over: BY, GET
     * (one each) and LIMIT (two). */
    const char *key_word;
    /* Flags of the key specification that each of these words has; NULL: key_unknown says it. */
    const char *key_word_flags;
    /* DATA: refuses what is wrong in the arguments alone, before anything is logged: writes an error and returns
     * false. Pure. May be NULL. */
    bool (*check)(const struct command *command, struct reply *reply);
    /* Writes: true when `run` would change nothing in the state that it is given, but only answer; then it may be run as a read. Judges by the
     * keys, in far less time than `run`; false is always right. May be NULL: it always is. commands/vain.h */
    bool (*is_vain)(const struct command_row *row, struct command_run *run, const struct command *command);
    /* DATA: reads and writes alike; inside EXEC too. */
    void (*run)(struct command_run *run, const struct command *command, struct reply *reply);
    /* NODE and CONNECTION. */
    void (*run_local)(struct client *client, const struct command *command, struct reply *reply);
    /* Documentation: COMMAND DOCS and docs/ come from here. */
    const char *group;           /* "string", "generic", ... */
    const char *acl_categories;  /* "@write @string @slow" as COMMAND INFO shows */
    const char *summary;
    const char *since;
    const char *complexity;
    const char *arguments;       /* syntax line, e.g. "key value [NX | XX] [GET] [EX seconds | ...]" */
    /* What COMMAND INFO and DOCS show besides; NULL is "". */
    /* Of the key spec, where keys.first > 0: "RW access update". Several, separated by ';', stand for as many specs of
     * one key each, at keys.first and behind it, but for the last, which goes on to keys.last: "RO access;OW update". */
    const char *key_flags;
    const char *key_notes;
    /* Specs of keys that the arguments alone do not show: lines "flags|notes". */
    const char *key_unknown;
    const char *tips;            /* separated by blanks: "request_policy:all_shards ..." */
    const char *history;         /* lines "6.2.0 Added the `GET` option." separated by '\n' */
};

struct command_table;
/* Builds the lookup (names case-insensitive; numbers) from `count` arrays. ASSERTs that no name or number repeats. Returns owned. */
struct command_family {
    const struct command_row *row;
    size_t row_count;
};
struct command_table *command_table_new(const struct command_family *family, size_t count);
void command_table_free(struct command_table *t);
/* NULL if unknown. Also finds rows with COMMAND_TEXT_ONLY, which callers must refuse to RESP clients. For a container looks at arg[1] too: *is_subcommand_unknown tells the two apart. */
const struct command_row *command_table_find(const struct command_table *t, const struct command *command,
                                             bool *is_subcommand_unknown);
const struct command_row *command_table_by_name(const struct command_table *t, struct slice name); /* "config|get" too */
const struct command_row *command_table_by_number(const struct command_table *t, uint16_t number);
size_t command_table_count(const struct command_table *t);
const struct command_row *command_table_at(const struct command_table *t, size_t position); /* sorted by name */
bool command_arity_ok(const struct command_row *row, size_t arg_count);
/* How many keys a command of this row has, its arity being right, and where the i-th stands. None also where its arguments make no
 * sense. */
size_t command_key_count(const struct command_row *row, const struct command *command);
size_t command_key_position(const struct command_row *row, const struct command *command, size_t i);

/* The data families: commands/families.def. */
#define X(name) extern const struct command_family commands_##name;
#include "commands/families.def"
#undef X
enum {
#define X(name) COMMANDS_FAMILY_##name,
#include "commands/families.def"
#undef X
    COMMANDS_FAMILY_COUNT,
};
void commands_all(struct command_family family[COMMANDS_FAMILY_COUNT]);

#endif
