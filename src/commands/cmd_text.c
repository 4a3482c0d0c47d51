/* The verbs of the text grammar that touch data (TEXT-GRAMMAR.md): put creates, update changes, and
 * each is one entry, so two clients can't both create a key. The words are resp/text.c's. Usage
 * errors are found by whoever read the line. */

#include "base/buf.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "keyspace/value.h"
#include "resp/text.h"

static void text_reply_buf(struct reply *reply, struct buf *line)
{
    reply_line(reply, buf_slice(line));
    buf_deinit(line);
}

static void text_reply_error(struct reply *reply, const char *line)
{
    reply->is_error = true;
    reply_line(reply, slice_from_cstr(line));
}

/* The string at the key; NULL after an error was written: it is absent or not a string. */
static const struct value *text_find(struct command_run *run, struct slice key, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, key);
    if (!value) {
        text_reply_error(reply, TEXT_KEY_NOT_FOUND);
        return NULL;
    }
    if (value_get_type(value) != VALUE_STRING) {
        struct buf line;
        buf_init(&line);
        text_append_wrong_type(&line, value_type_name(value_get_type(value)));
        reply->is_error = true;
        text_reply_buf(reply, &line);
        return NULL;
    }
    return value;
}

static void
text_put_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (keyspace_get(&run->view, command->arg[1])) {
        text_reply_error(reply, TEXT_KEY_EXISTS);
        return;
    }
    keyspace_set_string(&run->view, command->arg[1], command->arg[2], false, "set");
    struct buf line;
    buf_init(&line);
    text_append_added(&line, command->arg[1], command->arg[2]);
    text_reply_buf(reply, &line);
}

static void
text_update_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!text_find(run, command->arg[1], reply)) {
        return;
    }
    keyspace_set_string(&run->view, command->arg[1], command->arg[2], false, "set");
    struct buf line;
    buf_init(&line);
    text_append_updated(&line, command->arg[1], command->arg[2]);
    text_reply_buf(reply, &line);
}

static void
text_delete_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!text_find(run, command->arg[1], reply)) {
        return;
    }
    keyspace_delete(&run->view, command->arg[1], "del");
    struct buf line;
    buf_init(&line);
    text_append_removed(&line, command->arg[1]);
    text_reply_buf(reply, &line);
}

static void
text_get_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = text_find(run, command->arg[1], reply);
    if (!value) {
        return;
    }
    /* Whether a value needs quotes depends on all of it: one of several chunks is put together
     * first. */
    size_t size = value_string_size(value);
    struct buf whole;
    buf_init(&whole);
    struct slice bytes = value_string_part(value, 0);
    if (bytes.n < size) {
        for (size_t done = 0; done < size; done += bytes.n) {
            bytes = value_string_part(value, done);
            buf_append_slice(&whole, bytes);
        }
        bytes = buf_slice(&whole);
    }
    struct buf line;
    buf_init(&line);
    text_append_value(&line, command->arg[1], bytes);
    text_reply_buf(reply, &line);
    buf_deinit(&whole);
}

static const struct command_row text_row[] = {
    {
        .name = "text.delete",
        COMMAND_NUMBERED(TEXT_DELETE),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_WRITE | COMMAND_FAST | COMMAND_TEXT_ONLY,
        .keys = {1, 1, 1},
        .run = text_delete_run,
        .group = "text",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Remove a key that holds a string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RM delete",
    },
    {
        .name = "text.get",
        COMMAND_NUMBERED(TEXT_GET),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST | COMMAND_TEXT_ONLY,
        .keys = {1, 1, 1},
        .run = text_get_run,
        .group = "text",
        .acl_categories = "@read @string @fast",
        .summary = "Show the string at a key",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
    },
    {
        .name = "text.put",
        COMMAND_NUMBERED(TEXT_PUT),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST | COMMAND_TEXT_ONLY,
        .keys = {1, 1, 1},
        .run = text_put_run,
        .group = "text",
        .acl_categories = "@write @string @fast",
        .summary = "Create a key that does not exist yet",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key value",
        .key_flags = "RW insert",
    },
    {
        .name = "text.update",
        COMMAND_NUMBERED(TEXT_UPDATE),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST | COMMAND_TEXT_ONLY,
        .keys = {1, 1, 1},
        .run = text_update_run,
        .group = "text",
        .acl_categories = "@write @string @fast",
        .summary = "Give an existing key another string",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key value",
        .key_flags = "RW update",
    },
};

const struct command_family commands_text = {text_row, sizeof text_row / sizeof text_row[0]};
