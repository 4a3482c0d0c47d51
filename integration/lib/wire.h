#ifndef INTEGRATION_WIRE_H
#define INTEGRATION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A plain connection that shows the bytes themselves: hiredis 0.14 knows no RESP3, and several tests compare replies
 * byte for byte or mix half requests with pauses. Every call has a deadline. */
struct wire {
    int fd; /* -1: closed */
    char *in;
    size_t in_len;
    size_t in_cap;
    size_t in_used; /* the reply handed out last */
    char *out;      /* its copy, with a NUL */
    size_t out_cap;
};

enum wire_result { WIRE_OK, WIRE_TIMEOUT, WIRE_CLOSED, WIRE_BAD };

bool wire_open(struct wire *w, uint16_t port, int timeout_ms);
void wire_close(struct wire *w);
bool wire_write(struct wire *w, const void *bytes, size_t n);
/* One whole reply (RESP2 or RESP3), NUL-terminated, borrowed until the next call on `w`. */
enum wire_result wire_read(struct wire *w, int timeout_ms, const char **reply, size_t *len);
/* `count` whole replies, back to back; what there is of them when it does not return WIRE_OK. */
enum wire_result wire_read_many(struct wire *w, size_t count, int timeout_ms, const char **replies, size_t *len);
/* Everything that arrives until `n` bytes are there, the deadline, or the end. Borrowed as above; *len tells how many. */
enum wire_result wire_read_bytes(struct wire *w, size_t n, int timeout_ms, const char **bytes, size_t *len);
/* Is the connection closed by the other side within the time (whatever still arrives is dropped)? */
bool wire_is_closed_within(struct wire *w, int timeout_ms);

/* Sends one command, words separated by single blanks, as a RESP array; wire_send does not wait. wire_call returns
 * the reply or NULL (timeout of 10 s, connection lost). */
bool wire_send(struct wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *wire_call(struct wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One command on a connection of its own; the reply is copied to `out` ("" when there is none within the time). */
bool wire_once(uint16_t port, int timeout_ms, char *out, size_t size, const char *command);

/* Bytes of the first complete value at `p`; 0: incomplete; -1: not RESP. */
long resp_length(const char *p, size_t n);
/* Bytes of the first `count` values; 0 and -1 as above. */
long resp_length_many(const char *p, size_t n, size_t count);
/* "$5\r\nhello\r\n" -> "hello" copied to out; false when the value is no string. */
bool resp_string(const char *reply, char *out, size_t size);

#endif
