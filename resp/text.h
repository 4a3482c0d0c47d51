#ifndef RESP_TEXT_H
#define RESP_TEXT_H

#include "base/buf.h"

/* The words of the text grammar: its verbs in one table, and every line it answers with. Lines
 * are appended without their '\n' (reply_line adds it); keys and values in them are escaped by
 * reply_text_escape, so that each stays one line. */

struct text_verb {
    const char *name;         /* lower case; matched in any case */
    const char *command_name; /* the row of the command table that serves it, "text.put" */
    size_t min_words;         /* the verb counts as one */
    size_t max_words;
    const char *usage;   /* "put <key> <value>" */
    const char *summary; /* for help */
    const char *example; /* for help */
};

/* Find a verb by its name in any case; NULL if there is none. */
const struct text_verb *text_verb_find(struct slice name);
size_t text_verb_count(void);
const struct text_verb *text_verb_at(size_t i); /* i < text_verb_count(), in the order of help */

#define TEXT_KEY_EXISTS "ERROR: Key already exists."
#define TEXT_KEY_NOT_FOUND "ERROR: Key not found."
#define TEXT_LEADER_RETRYING "ERROR: Leader unavailable. Retrying..."
#define TEXT_LEADER_UNAVAILABLE "ERROR: Leader unavailable. Try again later."
#define TEXT_AUTH_REQUIRED "ERROR: Authentication required."
#define TEXT_AUTH_WRONG "ERROR: Wrong password."
#define TEXT_AUTHENTICATED "SUCCESS: Authenticated."
#define TEXT_OUTCOME_UNKNOWN "ERROR: Outcome unknown: the change may or may not have happened."
#define TEXT_LINE_TOO_LONG "ERROR: Line too long (64 KiB at most)."

void text_append_added(struct buf *out, struct slice key, struct slice value);   /* put */
void text_append_value(struct buf *out, struct slice key, struct slice value);   /* get */
void text_append_updated(struct buf *out, struct slice key, struct slice value); /* update */
void text_append_removed(struct buf *out, struct slice key);                     /* delete */
/* `type_name` as TYPE says it: "list", "hash", ... */
void text_append_wrong_type(struct buf *out, const char *type_name);
/* A missing or extra word, an unclosed quote. `verb` NULL: the line has no verb of the grammar. */
void text_append_usage(struct buf *out, const struct text_verb *verb);
void text_append_unknown_command(struct buf *out, struct slice name);
/* The whole help, several lines, the last without '\n'. */
void text_append_help(struct buf *out);

/* The line that says what a RESP error ("CODE message", without '-') says. The codes that
 * DESIGN.md §7 defines get the grammar's own line; of any other the message, without its code. */
void text_append_error(struct buf *out, struct slice error);

#endif
