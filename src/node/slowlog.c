#include "node/slowlog.h"

#include <string.h>

#include "base/limits.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/assert.h"
#include "base/mem.h"

struct slowlog_entry {
    struct list in_log;
    uint64_t id;
    int64_t wall_s;
    uint64_t usec;
    struct buf text; /* arguments, address and name, one behind the other */
    size_t size[SLOWLOG_ARGS_MAX + 2];
    size_t arg_count;
};

struct slowlog {
    struct list entries; /* newest first */
    size_t count;
    uint64_t next_id;
};

struct slowlog *slowlog_new(void)
{
    struct slowlog *log = mem_alloc_zero(sizeof *log);

    list_init(&log->entries);
    return log;
}

static void slowlog_drop_oldest(struct slowlog *log)
{
    struct slowlog_entry *oldest = CONTAINER_OF(log->entries.prev, struct slowlog_entry, in_log);

    list_remove(&oldest->in_log);
    buf_deinit(&oldest->text);
    mem_free(oldest);
    log->count--;
}

void slowlog_reset(struct slowlog *log)
{
    while (log->count > 0) {
        slowlog_drop_oldest(log);
    }
}

void slowlog_free(struct slowlog *log)
{
    if (log) {
        slowlog_reset(log);
        mem_free(log);
    }
}

/* Cut already (the arguments of a write are, when they are kept)? */
static bool is_cut(struct slice arg)
{
    static const char dots[] = "... (";

    return arg.n > SLOWLOG_ARG_BYTES + sizeof dots && memcmp(arg.p + SLOWLOG_ARG_BYTES, dots, sizeof dots - 1) == 0 && arg.p[arg.n - 1] == ')';
}

void slowlog_append_argument(struct buf *out, const struct command *command, size_t position)
{
    struct slice arg = command->arg[position];

    if (command->arg_count > SLOWLOG_ARGS_MAX && position + 1 == SLOWLOG_ARGS_MAX) {
        buf_printf(out, "... (%zu more arguments)", command->arg_count - (SLOWLOG_ARGS_MAX - 1));
    } else if (arg.n > SLOWLOG_ARG_BYTES && !(position > 0 && arg.n < SLOWLOG_ARG_BYTES + 40 && is_cut(arg))) {
        buf_append(out, arg.p, SLOWLOG_ARG_BYTES);
        buf_printf(out, "... (%zu more bytes)", arg.n - SLOWLOG_ARG_BYTES);
    } else {
        buf_append_slice(out, arg);
    }
}

void slowlog_push(struct slowlog *log, const struct command *command, int64_t wall_ms, uint64_t usec, const char *address,
                  struct slice name, size_t max_entries)
{
    struct slowlog_entry *e = mem_alloc_zero(sizeof *e);
    size_t start = 0;

    e->id = log->next_id++;
    e->wall_s = wall_ms / 1000;
    e->usec = usec;
    e->arg_count = command->arg_count < SLOWLOG_ARGS_MAX ? command->arg_count : SLOWLOG_ARGS_MAX;
    for (size_t i = 0; i < e->arg_count + 2; i++) {
        if (i == e->arg_count) {
            buf_append(&e->text, address, strlen(address));
        } else if (i > e->arg_count) {
            buf_append_slice(&e->text, name);
        } else {
            slowlog_append_argument(&e->text, command, i);
        }
        e->size[i] = buf_size(&e->text) - start;
        start = buf_size(&e->text);
    }
    list_prepend(&log->entries, &e->in_log);
    log->count++;
    while (log->count > max_entries) {
        slowlog_drop_oldest(log);
    }
}

size_t slowlog_size(const struct slowlog *log)
{
    return log->count;
}

void slowlog_reply(const struct slowlog *log, size_t count, struct reply *reply)
{
    struct list *at = log->entries.next;

    count = count < log->count ? count : log->count;
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++, at = at->next) {
        const struct slowlog_entry *e = CONTAINER_OF(at, struct slowlog_entry, in_log);
        struct slice rest = buf_slice(&e->text);

        reply_array(reply, 6);
        reply_int(reply, (int64_t)e->id);
        reply_int(reply, e->wall_s);
        reply_int(reply, (int64_t)e->usec);
        reply_array(reply, e->arg_count);
        for (size_t a = 0; a < e->arg_count + 2; a++) {
            reply_bulk(reply, (struct slice){rest.p, e->size[a]});
            rest = slice_skip(rest, e->size[a]);
        }
    }
}
