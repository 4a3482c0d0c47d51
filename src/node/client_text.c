#include "node/client_internal.h"

#include "resp/text.h"

/* A line of a text session: a verb of the grammar is the row its table names; a Redis verb outside the grammar gets its RESP
 * reply; anything else is unknown (TEXT-GRAMMAR.md). */

static void client_text_line(struct client *c, struct buf *line)
{
    struct reply reply = client_local_begin(c, REPLY_TEXT);

    reply_line(&reply, buf_slice(line));
    reply.is_error = true;
    client_local_end(c, &reply);
    buf_deinit(line);
}

void client_text_unclosed_quote(struct client *c, const struct command *command)
{
    struct buf line = {0};

    text_append_usage(&line, command->arg_count > 0 ? text_verb_find(command->arg[0]) : NULL);
    client_text_line(c, &line);
}

static void client_text_verb(struct client *c, const struct text_verb *verb, const struct command *command)
{
    const struct command_row *row =
        command_table_by_name(node_commands(c->node), slice_from_cstr(verb->command_name));

    if (command->arg_count < verb->min_words || command->arg_count > verb->max_words) {
        struct buf line = {0};

        text_append_usage(&line, verb);
        client_text_line(c, &line);
    } else if (c->transaction && row) {
        /* Its reply is a line, which an EXEC's array can't hold. */
        c->transaction->is_aborted = true;
        client_error(c, REPLY_TEXT, "ERR the text grammar has no transactions; send EXEC or DISCARD first.");
    } else {
        client_dispatch(c, row, false, command, REPLY_TEXT);
    }
}

void client_text_process(struct client *c, const struct command *command)
{
    const struct text_verb *verb = text_verb_find(command->arg[0]);

    if (verb) {
        client_text_verb(c, verb, command);
        return;
    }
    bool is_subcommand_unknown = false;
    const struct command_row *row = command_table_find(node_commands(c->node), command, &is_subcommand_unknown);
    if ((row && !(row->flags & COMMAND_TEXT_ONLY)) || is_subcommand_unknown) {
        client_dispatch(c, row, is_subcommand_unknown, command, c->protocol);
        return;
    }
    struct buf line = {0};
    text_append_unknown_command(&line, command->arg[0]);
    client_text_line(c, &line);
}
