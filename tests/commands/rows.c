#include "tests/commands/rows.h"

#include <float.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/tree.h"

void rows_init(struct rows *r)
{
    static const struct siphash_key seed = {{3, 1, 4, 1, 5, 9, 2, 6}};
    struct command_family family[COMMANDS_FAMILY_COUNT];
    commands_all(family);
    *r = (struct rows){.protocol = REPLY_RESP2, .time_ms = 1000000};
    r->table = command_table_new(family, sizeof family / sizeof family[0]);
    r->keyspace = keyspace_new(&seed, NULL);
}

void rows_deinit(struct rows *r)
{
    command_table_free(r->table);
    keyspace_free(r->keyspace);
    buf_deinit(&r->out);
}

struct slice rows_run(struct rows *r, const struct slice *arg, size_t arg_count)
{
    struct command command = {arg, arg_count};
    buf_clear(&r->out, SIZE_MAX);
    struct reply reply = {.out = &r->out, .protocol = r->protocol};
    bool is_subcommand_unknown;
    const struct command_row *row = command_table_find(r->table, &command, &is_subcommand_unknown);
    ASSERT(row);
    if (!command_arity_ok(row, arg_count)) {
        reply_errorf(&reply, "ERR wrong number of arguments for '%s' command", row->name);
    } else if (row->run_local) { /* HELP and the like: needs no client */
        row->run_local(NULL, &command, &reply);
    } else if (!row->check || row->check(&command, &reply)) {
        bool is_write = (row->flags & COMMAND_WRITE) != 0;
        if (is_write) {
            keyspace_begin_entry(r->keyspace, ++r->index, r->time_ms);
        }
        struct command_run run = {
            .view = {.keyspace = r->keyspace,
                     .db = r->db,
                     .time_ms = r->time_ms,
                     .is_write = is_write},
            .index = r->index,
            .seed = r->seed,
        };
        row->run(&run, &command, &reply);
        r->met_due = run.view.met_due;
    }
    r->is_error = reply.is_error;
    return buf_slice(&r->out);
}

const char *rows_line(struct rows *r, const char *line)
{
    struct slice arg[32];
    size_t arg_count = 0;
    while (*line) {
        size_t n = strcspn(line, " ");
        ASSERT(arg_count < 32);
        arg[arg_count++] = (struct slice){(const uint8_t *)line, n};
        line += n + (line[n] == ' ');
    }
    rows_run(r, arg, arg_count);
    buf_append_byte(&r->out, 0);
    return (const char *)r->out.data + r->out.start;
}

bool rows_has_long_double(void)
{
    volatile long double sum = 1;
    sum += LDBL_EPSILON;
    return sum != 1;
}

void rows_put_list(struct rows *r, const char *key)
{
    struct value *v = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct tree_put put = tree_put_bytes(SLICE_LITERAL("element"));
    tree_append(&v, &put);
    keyspace_begin_entry(r->keyspace, ++r->index, r->time_ms);
    struct keyspace_view view = {
        .keyspace = r->keyspace, .db = r->db, .time_ms = r->time_ms, .is_write = true};
    keyspace_set(&view, slice_from_cstr(key), v, false, "rpush");
}
