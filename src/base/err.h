#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Operational errors: what may go wrong outside the program. First error wins.
 * Client-visible failures are reply errors (resp/reply.h), programmer errors are ASSERTs. */
#define ERR_MAP(X)                                                      \
    X(OK, "ok")                                                         \
    X(IO, "input/output error")                                         \
    X(FULL, "no space left on the disk (or quota, or file size limit)") \
    X(CORRUPT, "stored data is damaged")                                \
    X(NOT_FOUND, "not found")                                           \
    X(EXISTS, "already exists")                                         \
    X(LOCKED, "in use by another process")                              \
    X(FORMAT, "written by an unknown format version")                   \
    X(MISMATCH, "belongs to another cluster or node")                   \
    X(INVALID, "invalid value")                                         \
    X(TOO_BIG, "too big")                                               \
    X(NOT_LEADER, "not the leader")                                     \
    X(BUSY, "busy")                                                     \
    X(COMPACTED, "dropped from the front of the log")                   \
    X(SYSTEM, "system call failed")

enum err {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* One plain phrase, static. */
const char *err_text(enum err e);

#endif
