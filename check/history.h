#ifndef CHECK_HISTORY_H
#define CHECK_HISTORY_H

#include "base/err.h"
#include "check/texts.h"

/* What clients asked of a key-value store, when, and what they were told. docs/HISTORY.md describes the file; nothing here knows
 * which server it was. An operation is one or more steps that take effect together. */

/* X(name, word in the file, has a value, may leave the state as it is) */
#define HISTORY_FUNCTIONS(X)              \
    X(GET, "get", false, true)            \
    X(EXISTS, "exists", false, true)      \
    X(STRLEN, "strlen", false, true)      \
    X(SET, "set", true, false)            \
    X(SETNX, "setnx", true, false)        \
    X(GETSET, "getset", true, false)      \
    X(GETDEL, "getdel", false, false)     \
    X(DEL, "del", false, false)           \
    X(CAS, "cas", true, false)            \
    X(INCR, "incr", true, false)          \
    X(APPEND, "append", true, false)      \
    X(RPUSH, "rpush", true, false)        \
    X(LPUSH, "lpush", true, false)        \
    X(RPOP, "rpop", false, false)         \
    X(LPOP, "lpop", false, false)         \
    X(LLEN, "llen", false, true)          \
    X(LRANGE, "lrange", false, true)      \
    X(SADD, "sadd", true, false)          \
    X(SREM, "srem", true, false)          \
    X(SPOP, "spop", false, false)         \
    X(SCARD, "scard", false, true)        \
    X(SISMEMBER, "sismember", true, true) \
    X(SMEMBERS, "smembers", false, true)

enum history_function {
#define X(name, word, has_value, is_read) HISTORY_##name,
    HISTORY_FUNCTIONS(X)
#undef X
    HISTORY_FUNCTION_COUNT
};

const char *history_function_word(enum history_function f);
bool history_function_is_read(enum history_function f);

enum history_outcome {
    HISTORY_OK,      /* done, with these results */
    HISTORY_FAIL,    /* not done, and never will be */
    HISTORY_UNKNOWN, /* done or not, perhaps later than `end` */
};

#define HISTORY_ANY UINT32_MAX /* a result that nobody noted */
#define HISTORY_NEVER UINT64_MAX

struct history_step {
    enum history_function f;
    text_id key;
    text_id value;     /* SET, SETNX, GETSET, CAS (the new one), INCR (by), APPEND, pushes, SADD, SREM, SISMEMBER */
    text_id expected;  /* CAS: the old one, TEXT_NIL: absent */
    text_id result;    /* text, or TEXT_NIL, or HISTORY_ANY. CAS, SETNX, DEL, SADD...: "0" or "1" */
    bool may_expire;   /* SET: the value may vanish at any time, and not come back */
    bool has_list;     /* LRANGE, SMEMBERS: the result is noted */
    uint32_t list;     /* ... and begins here in history.list */
    uint32_t list_count;
};

struct history_operation {
    uint64_t start;
    uint64_t end; /* when the answer came; HISTORY_NEVER: none did */
    text_id client;
    enum history_outcome outcome;
    uint32_t first_step;
    uint32_t step_count;
    uint32_t line; /* of the file, from 1; 0: none */
};

/* All-zero is empty. */
struct history {
    struct texts texts;
    struct history_operation *operation;
    uint32_t operation_count;
    uint32_t operation_capacity;
    struct history_step *step;
    uint32_t step_count;
    uint32_t step_capacity;
    text_id *list;
    uint32_t list_count;
    uint32_t list_capacity;
};

void history_deinit(struct history *h);
/* Returns the operation's number. Its steps are added before the next operation begins. */
uint32_t history_begin(struct history *h, text_id client, uint64_t start);
/* Result: HISTORY_ANY. The pointer is good until the next call. */
struct history_step *history_add_step(struct history *h, enum history_function f, text_id key, text_id value);
void history_end(struct history *h, uint32_t operation, enum history_outcome outcome, uint64_t end);
/* Appends an element to the list result of the step (the newest list in the pool). */
void history_add_to_list(struct history *h, uint32_t step, text_id element);

/* One line of a file, `line` its number. False: `why` (of `size` bytes) says what was expected. Blank lines are nothing. */
bool history_read_line(struct history *h, struct slice text, uint32_t line, char *why, size_t size);
/* The same line for an operation. */
void history_write_line(const struct history *h, uint32_t operation, struct buf *out);

#endif
