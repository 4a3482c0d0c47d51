#ifndef RESP_TEXT_PARSER_H
#define RESP_TEXT_PARSER_H

#include "resp/command.h"
#include "resp/words.h"

enum text_result {
    TEXT_OK,             /* one line's words */
    TEXT_NEED_MORE,      /* nothing consumed: come again with the same bytes and more behind them */
    TEXT_EMPTY,          /* a blank line: consumed, no reply */
    TEXT_UNCLOSED_QUOTE, /* the line is consumed, the session goes on */
    TEXT_TOO_LONG,       /* a line past LIMIT_INLINE_BYTES: answer TEXT_LINE_TOO_LONG, then close */
};

/* Splits the text grammar's lines (LF or CRLF) into words, quotes and escapes as in a Redis inline
 * request. One per connection; knows no verbs (resp/text.h does). How the bytes are cut decides
 * nothing, long lines included. */
struct text_parser {
    struct word_list words;
    size_t scanned; /* bytes of the first line known to hold no LF */
};

void text_parser_init(struct text_parser *p);
void text_parser_deinit(struct text_parser *p);

/* Read one line from the front of `input`; drop `*consumed` bytes before the next call.
 *
 * TEXT_OK: `*command` borrows from `input` and the parser until the bytes move or the next call.
 * TEXT_UNCLOSED_QUOTE: command->arg_count words (0 or more) came before the bad one, so the verb
 * whose usage is to be answered is arg[0] if there is one. After TEXT_TOO_LONG nothing is consumed
 * and the stream can't be read on. Total work is linear in the bytes. */
enum text_result text_parser_next(struct text_parser *p,
                                  struct slice input,
                                  struct command *command,
                                  size_t *consumed);

/* Bytes held: bounded by the longest line, given back at the next one. */
size_t text_parser_memory(const struct text_parser *p);

#endif
