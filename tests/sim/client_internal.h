#ifndef SIM_CLIENT_INTERNAL_H
#define SIM_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "oracle.h"
#include "resp/resp_value.h"
#include "sim.h"

/* A simulated client, for the files client*.c.
 *
 * Keys (client_key): r<k> registers with unique values, c<k> counters, a<k> strings that grow by unique tokens (lists, to the history), l<k> lists of
 * such tokens,
 * s<k> values that are set only where there is none and taken away, w<k> registers written under WATCH, e<k> registers whose
 * values expire, p<n> registers that only one client writes (program order is checked on them exactly). All but r, e and p are
 * left for new ones every few seconds, so that no key has more operations than a search can follow. */
#define PENDING_MAX 64
#define NO_OPERATION UINT32_MAX
#define KEY_BYTES 24
#define EPOCH_US 5000000

enum expect {
    EXPECT_ANY,
    EXPECT_OK,
    EXPECT_QUEUED,
    EXPECT_VALUE,
    EXPECT_LIST,      /* LRANGE */
    EXPECT_INTEGER,   /* INCR: the tag is made of the answer */
    EXPECT_NUMBER,    /* APPEND, SETNX: the answer must be what the oracle says */
    EXPECT_TAKEN,     /* GETDEL */
    EXPECT_CAS_VALUE, /* GET after WATCH */
    EXPECT_EXEC_PAIR,
    EXPECT_EXEC_APPENDS,
    EXPECT_EXEC_CAS,
    EXPECT_PUSHED,    /* blocking.c */
    EXPECT_POPPED,
};

struct pending {
    enum expect expect;
    uint32_t operation[2];  /* in the history; EXEC_PAIR: the write and the increment */
    char key[KEY_BYTES];    /* reads, INCR, GETDEL; EXEC_APPENDS: the one that is read */
    char tag[KEY_BYTES];    /* writes: how the oracle knows it; "" none */
    char tag_too[KEY_BYTES]; /* EXEC_APPENDS: of the second append */
    char token[KEY_BYTES];  /* PUSHED: what, for blocking.c; the oracle doesn't follow it */
    raft_index mark;
    bool is_stale_read;     /* only "was written once" is promised */
    bool is_private;
    uint64_t private_value; /* reads of the own key: what must come */
    uint32_t private_key;   /* the own key it is about; void once the client has moved to another */
};

enum cas_state { CAS_NONE, CAS_ASKED, CAS_READY };

struct sim_client {
    struct sim *sim;
    uint32_t number;
    struct client *connection; /* NULL: not connected */
    uint32_t slot;
    uint64_t life;             /* of this connection; voids timers */
    struct buf input;          /* replies not parsed yet */
    struct resp_value_reader reader;
    struct pending pending[PENDING_MAX]; /* ring */
    uint32_t first;
    uint32_t count;
    bool is_stale;
    bool is_manual; /* a scenario's: replies stay in `input` */
    enum cas_state cas;
    char cas_key[KEY_BYTES];
    char cas_old[KEY_BYTES];   /* "" none */
    /* The own key and what it holds. After a write that was not answered "done" nobody knows for how long it may
     * still take effect: then the client takes a new key. */
    uint32_t private_key;
    uint64_t private_value;
};

/* client_commands.c */
void client_key(char prefix, uint32_t key, uint32_t epoch, char out[KEY_BYTES]);
uint32_t client_epoch(const struct sim *s);
struct pending *client_expect(struct sim_client *c, enum expect expect);
void client_say(struct sim_client *c, const char *text);
/* Sends something, drawn. */
void client_send(struct sim_client *c);
/* Begins an operation of one step in the history; `value` may be NULL. */
uint32_t client_begin(struct sim_client *c, enum history_function f, const char *key, const char *value);

/* client_replies.c */
void client_settle_unknown(struct sim_client *c, struct pending *p);
void client_on_reply(struct sim_client *c, const struct resp_value *v);
/* Ends a read of the history with that answer (NULL p: none). */
void client_note_read(struct sim_client *c, uint32_t operation, const char *key, struct slice text);

#endif
