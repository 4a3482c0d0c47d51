#include "base/mem.h"
#include "node/exec_payload.h"
#include "node/node_internal.h"

/* What an origin forwards is looked at before it is appended: an entry that apply can't run stops every node, so nothing
 * that one faulty node says may become one. The origin has checked the same; here only its word is doubted. */

#define NOT_KNOWN "ERR the leader does not know this version of the command"

/* The arguments decode, are as many as the row wants, and pass its check. arg[0] is free for the name. */
static bool command_is_sound(const struct command_row *row, struct slice *arg, size_t arg_count)
{
    struct reply nobody = {.protocol = REPLY_DISCARD};
    arg[0] = slice_from_cstr(row->name);
    struct command command = {arg, arg_count};
    return command_arity_ok(row, arg_count) && (!row->check || row->check(&command, &nobody));
}

static bool item_is_sound(struct node *n, struct slice bytes)
{
    struct exec_item item;
    if (exec_item_decode(bytes, &item) != ERR_OK)
        return false;
    if (item.number == 0)
        return true;
    const struct command_row *row = command_table_by_number(n->table, item.number);
    if (!row || row->version != item.version || !row->run || item.db >= LIMIT_DATABASES)
        return false;
    struct slice *arg = mem_alloc_array(item.arg_count, sizeof *arg);
    bool is_sound = exec_item_args(&item, arg) == ERR_OK && command_is_sound(row, arg, item.arg_count);
    mem_free(arg);
    return is_sound;
}

static bool watches_are_sound(struct slice list)
{
    uint32_t count;
    struct slice rest;
    if (exec_watch_open(list, &count, &rest) != ERR_OK)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct exec_watch watch;
        if (exec_watch_next(&rest, &watch) != ERR_OK || watch.db >= LIMIT_DATABASES)
            return false;
    }
    return true;
}

static bool exec_is_sound(struct node *n, const struct slice *arg, size_t arg_count)
{
    if (arg_count < 1 || !watches_are_sound(arg[0]))
        return false;
    for (size_t i = 1; i < arg_count; i++)
        if (!item_is_sound(n, arg[i]))
            return false;
    return true;
}

const char *forward_check(struct node *n, const struct proposal *p)
{
    if (p->db >= LIMIT_DATABASES)
        return NOT_KNOWN;
    struct slice *arg = apply_args_room(&n->apply, (size_t)p->arg_count + 1);
    if (proposal_args(p, arg + 1) != ERR_OK)
        return "ERR the command was damaged on its way to the leader";
    if (p->number == PROPOSAL_EXEC) {
        if (p->version != EXEC_VERSION || !exec_is_sound(n, arg + 1, p->arg_count))
            return NOT_KNOWN;
        return forward_refusal(n, 0);
    }
    const struct command_row *row = command_table_by_number(n->table, p->number);
    bool is_write = row && ((row->flags & COMMAND_WRITE) || row->number == PROPOSAL_OPTION);
    if (!row || row->version != p->version || !is_write || !row->run ||
        !command_is_sound(row, arg, (size_t)p->arg_count + 1))
        return NOT_KNOWN;
    return forward_refusal(n, row->flags);
}
