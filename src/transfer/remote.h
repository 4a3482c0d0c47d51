#ifndef TRANSFER_REMOTE_H
#define TRANSFER_REMOTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "resp/resp_value.h"
#include "transfer/transfer_options.h"

/* A connection to some node of a cluster, in RESP2, for programs that have nothing else to do: calls block. */
struct remote {
    const struct transfer_options *options;
    const char *next_address; /* in options->addresses: tried at the next connect */
    int fd;                   /* -1: none */
    struct buf out;
    struct buf in;
    struct resp_value_reader reader;
    size_t to_drop; /* bytes of the value handed out last */
    struct resp_value *value;
    struct buf trouble; /* why the last call failed: a phrase */
};

void remote_init(struct remote *r, const struct transfer_options *options);
void remote_deinit(struct remote *r);
bool remote_is_connected(const struct remote *r);
/* Tries the addresses one after the other, once each, with the password. False with `trouble` set. *is_refused: a node
 * answered, and doesn't want us: no use to try again. */
bool remote_connect(struct remote *r, bool *is_refused);
/* The same again and again for options->patience_ms. */
bool remote_connect_patiently(struct remote *r);
void remote_disconnect(struct remote *r);

/* A command of `count` words, queued. */
void remote_add(struct remote *r, const struct slice *word, size_t count);
void remote_add_text(struct remote *r, const char *text); /* words separated by single blanks */
/* Sends what is queued, and reads what comes meanwhile. False: the connection is lost. */
bool remote_send(struct remote *r);
/* The next reply; NULL: the connection is lost, or nothing came for a minute. Borrowed until the next call. */
const struct resp_value *remote_reply(struct remote *r);
/* One command, one reply. */
const struct resp_value *remote_call(struct remote *r, const char *text);

/* Does the text of an error begin with this code word? */
bool remote_is_error(const struct resp_value *v, const char *code);
/* The command has not happened and may in a while: no leader, loading, a busy cluster. */
bool remote_may_retry(const struct resp_value *v);

int64_t remote_now_ms(void); /* monotonic */
void remote_sleep_ms(int ms);

#endif
