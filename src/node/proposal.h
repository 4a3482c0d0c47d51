#ifndef NODE_PROPOSAL_H
#define NODE_PROPOSAL_H

#include "base/buf.h"
#include "base/err.h"
#include "raft/entry.h"
#include "resp/command.h"

/* The payload of RAFT_ENTRY_COMMAND entries: what apply does. Numbers are stable for ever; an unknown one stops the node.
 *
 *   u16 number     command number (commands/numbers.def) or PROPOSAL_* below
 *   u8  version    of that command's semantics
 *   u8  db
 *   u64 member     session's member id, 0 for entries without a session
 *   u64 session    session's number
 *   u64 seq
 *   u32 argument count, then (u32 length, bytes) each; arg[0] (the name) is not stored for commands
 *
 * EXEC: arguments are: watch count, (db, key, index) triples; then items (db, number or 0 for a local one, arguments), see exec_payload.h. */
#define PROPOSAL_HEADER_BYTES 32

enum proposal_number {
    PROPOSAL_TIME = 0xff01,     /* a time pulse: carries nothing but its time */
    PROPOSAL_OPEN = 0xff02,     /* session (member, number) */
    PROPOSAL_CLOSE = 0xff03,
    PROPOSAL_CANCEL = 0xff04,   /* args: from, to (u64 each), error text */
    PROPOSAL_SUSPEND = 0xff05,
    PROPOSAL_RESUME = 0xff06,
    PROPOSAL_GENESIS = 0xff07,  /* args: hash seed (16 bytes); entry 2 of every cluster. Version 2: then (name, value) of settings */
    PROPOSAL_OPTION = 0xff08,   /* CONFIG SET of options of the cluster: "set", (name, value)...; one of a session, as a command */
    PROPOSAL_EXEC = 0xff09,
    PROPOSAL_VERIFY = 0xff0a,   /* every node makes a full digest of the state after it; member: who asked */
    PROPOSAL_UNBLOCK = 0xff0b,  /* args: seqs of the session's waiters that end (u64 each, in one) */
    PROPOSAL_WATCH = 0xff10,    /* a node's watchers want the change feed on */
};

struct proposal {
    uint16_t number;
    uint8_t version;
    uint8_t db;
    raft_id member;
    uint64_t session;
    uint64_t seq;
    uint32_t arg_count;
    struct slice args; /* the encoded arguments; proposal_args decodes */
};

size_t proposal_size(const struct slice *arg, size_t arg_count); /* payload bytes */
/* Encode at `at` (payload position; room for proposal_size). */
void proposal_encode(uint8_t *at, const struct proposal *head, const struct slice *arg, size_t arg_count);
/* The header alone and where the arguments are; ERR_CORRUPT on nonsense. */
MUST_CHECK enum err proposal_decode(struct slice payload, struct proposal *p);
/* Decodes the arguments into arg[0..arg_count), slices of the payload. ERR_CORRUPT. */
MUST_CHECK enum err proposal_args(const struct proposal *p, struct slice *arg);
/* Rewrite in place the fields a leader or origin fills late. */
void proposal_set_session(uint8_t *payload, raft_id member, uint64_t session, uint64_t seq);

#endif
