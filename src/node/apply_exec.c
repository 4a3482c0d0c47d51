#include "base/assert.h"
#include "base/mem.h"
#include "node/exec_payload.h"
#include "node/node_internal.h"

/* A transaction: WATCHed keys are compared, then its commands run, as ONE entry (DESIGN §6). Local items (connection and node
 * commands, and commands whose arguments are wrong) change nothing; their replies are made at the origin and spliced in. */

/* ERR_OK and *is_changed, or a damaged list. A key that is due counts as changed when it was there: its last change is 0 now. */
static enum err exec_watch_check(struct command_run *run, struct slice list, bool *is_changed)
{
    uint32_t count;
    struct slice rest;
    enum err e = exec_watch_open(list, &count, &rest);
    *is_changed = false;
    for (uint32_t i = 0; i < count && e == ERR_OK; i++) {
        struct exec_watch watch;
        e = exec_watch_next(&rest, &watch);
        if (e != ERR_OK)
            break;
        struct keyspace_view view = run->view;
        view.db = watch.db;
        view.is_write = false;
        if (keyspace_last_change(&view, watch.key) != watch.index)
            *is_changed = true;
    }
    return e;
}

static bool exec_item(struct node *n, struct command_run *run, const struct exec_item *item, struct reply *reply)
{
    const struct command_row *row = command_table_by_number(n->table, item->number);
    if (!row || row->version != item->version || !row->run || !command_arity_ok(row, item->arg_count) ||
        item->db >= LIMIT_DATABASES)
        return false;
    struct slice few[16];
    struct slice *arg = item->arg_count <= 16 ? few : mem_alloc_array(item->arg_count, sizeof *arg);
    bool is_ok = exec_item_args(item, arg) == ERR_OK;
    if (is_ok) {
        arg[0] = slice_from_cstr(row->name);
        struct command command = {arg, item->arg_count};
        run->view.db = item->db;
        run->seed += 0x9e3779b97f4a7c15u; /* each command has choices of its own */
        row->run(run, &command, reply);
    }
    if (arg != few)
        mem_free(arg);
    return is_ok;
}

static void exec_local(struct request *request, size_t position, struct reply *reply)
{
    if (request && request->client)
        client_reply_local(request, position, reply);
    else
        reply_null(reply);
}

static enum err exec_items(struct node *n, struct command_run *run, const struct slice *arg, size_t count, struct request *request, struct reply *reply)
{
    for (size_t i = 0; i < count; i++) {
        struct exec_item item;
        if (exec_item_decode(arg[i], &item) != ERR_OK)
            return ERR_CORRUPT;
        if (item.number != 0 && request)
            client_reply_item(request, i);
        if (item.number == 0)
            exec_local(request, i, reply);
        else if (!exec_item(n, run, &item, reply))
            return ERR_FORMAT;
    }
    return ERR_OK;
}

void apply_exec(struct node *n, struct command_run *run, const struct proposal *p, struct request *request, struct reply *reply)
{
    struct slice *arg = mem_alloc_array((size_t)p->arg_count + 1, sizeof *arg);
    bool is_changed = false;
    enum err e = p->version == 1 && p->arg_count >= 1 ? proposal_args(p, arg) : ERR_FORMAT;
    if (e == ERR_OK)
        e = exec_watch_check(run, arg[0], &is_changed);
    if (e == ERR_OK && is_changed) {
        reply_null_array(reply);
    } else if (e == ERR_OK) {
        reply_array(reply, p->arg_count - 1);
        e = exec_items(n, run, arg + 1, p->arg_count - 1, request, reply);
    }
    mem_free(arg);
    if (e != ERR_OK)
        node_fatal(n,
                   "The transaction in entry %llu can't be run (%s): it was written by a newer version of coracle.",
                   (unsigned long long)run->index,
                   err_text(e));
}
