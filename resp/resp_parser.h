#ifndef RESP_RESP_PARSER_H
#define RESP_RESP_PARSER_H

#include "resp/command.h"
#include "resp/words.h"

/* What a parser says about the bytes it was shown. */
enum parse_result {
    PARSE_OK,        /* one command (or value) is there; so many bytes were consumed */
    PARSE_NEED_MORE, /* nothing consumed: come again with the same bytes and more behind them */
    PARSE_EMPTY,     /* a blank line or *0: bytes consumed, no command */
    PARSE_ERROR,     /* the stream can't be read on: answer the error, then close */
};

enum resp_parser_state {
    RESP_AT_COMMAND,
    RESP_AT_BULK_HEADER,
    RESP_IN_BULK,
    RESP_FAILED,
};

union resp_arg;

/* An incremental, zero-copy parser of requests, one per connection: RESP arrays of bulks and Redis
 * inline lines, with the words and limits of Redis 7.0.15 (networking.c processMultibulkBuffer,
 * processInlineBuffer). All fields but the two options are its own. */
struct resp_parser {
    /* Options; may be changed between two calls. */
    bool is_authenticated; /* false: at most 10 arguments and 16 KiB bulks (checklist H1) */
    size_t max_bulk_bytes; /* proto-max-bulk-len */

    enum resp_parser_state state;
    size_t position;      /* offset of the first byte not understood yet */
    size_t scanned;       /* bytes behind it known not to end the line that stands there */
    size_t args_expected; /* as announced by the client; nothing is allocated from it */
    size_t arg_count;
    size_t arg_capacity;
    size_t bulk_size;
    union resp_arg *args;
    struct word_list words; /* of an inline request */
    char error[64];
};

/* Starts authenticated, with Redis's default of 512 MiB. */
void resp_parser_init(struct resp_parser *p);
void resp_parser_deinit(struct resp_parser *p);

/* Read one command from the front of `input`.
 *
 * Offsets are remembered, not pointers: between calls that return PARSE_NEED_MORE the bytes may
 * move, but they must stay and more may only be added behind them. On PARSE_OK `*command` borrows
 * from `input` and from the parser: it is valid until the bytes move or the next call. On PARSE_OK
 * and PARSE_EMPTY the caller drops `*consumed` bytes (> 0) from the front before the next call;
 * else it is 0. After PARSE_ERROR every call says PARSE_ERROR. Total work is linear in the bytes,
 * however they are cut.
 *
 * How they are cut decides nothing, but for lines past LIMIT_INLINE_BYTES: one that was not
 * complete when it had more bytes than that is refused, as Redis does, one that arrives whole is
 * taken. A NUL in a line hides the rest of it (Redis's strchr), so such a line ends in that refusal
 * too. */
enum parse_result resp_parser_next(struct resp_parser *p,
                                   struct slice input,
                                   struct command *command,
                                   size_t *consumed);

/* After PARSE_ERROR: "ERR Protocol error: ...", for reply_error. Never has CR, LF or NUL. */
const char *resp_parser_error(const struct resp_parser *p);

/* After PARSE_NEED_MORE on `input_size` bytes: how many more the bulk under way needs, its line
 * end included; 0 when that is not known. For sizing the next read; the value is the client's
 * word (up to max_bulk_bytes + 2), so don't allocate it all at once. */
size_t resp_parser_missing_bytes(const struct resp_parser *p, size_t input_size);

/* Bytes the parser itself holds: at most 32 per argument received so far, so at most about 6 times
 * the bytes shown to it; what is above a few KiB is given back at the next command. */
size_t resp_parser_memory(const struct resp_parser *p);

#endif
