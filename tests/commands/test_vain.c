/* What a row calls in vain (command_row.h, is_vain) is answered by a read as by the write, and the write changes nothing. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "commands/vain.h"
#include "keyspace/state.h"
#include "rows.h"
#include "tests/test.h"

/* k: one of a few keys; m: a member, a field or a value; n: a number. Each row that can be in vain is here, and what makes values. */
static const char *const template[] = {
    "LPOP k", "LPOP k n", "RPOP k", "RPOP k n", "LPUSHX k m", "RPUSHX k m m", "LMOVE k k LEFT RIGHT", "RPOPLPUSH k k", "LREM k n m",
    "LMPOP 2 k k LEFT", "LMPOP 1 k RIGHT COUNT n", "SPOP k", "SPOP k n", "SREM k m", "SREM k m m", "SMOVE k k m", "SADD k m", "SADD k m m",
    "ZREM k m", "ZPOPMIN k", "ZPOPMAX k n", "ZMPOP 2 k k MIN", "ZMPOP 1 k MAX COUNT n", "HDEL k m", "HDEL k m m", "DEL k", "DEL k k", "UNLINK k",
    "EXPIRE k n", "EXPIRE k n NX", "EXPIREAT k n", "PEXPIRE k n", "PEXPIREAT k n GT", "PERSIST k", "SETNX k m", "GETDEL k", "GETEX k",
    "GETEX k EX n", "HSETNX k m m", "SET k m NX", "SET k m NX GET", "SET k m PX n NX", "SET k m NX EX m",
    /* and what leaves something there */
    "SET k m", "RPUSH k m m", "ZADD k n m", "HSET k m m", "SADD k m m m",
};
enum { TEMPLATES = sizeof template / sizeof template[0], STEPS = 60000 };

static size_t make_line(struct prng *random, const char *from, char *line, size_t room)
{
    size_t n = 0;
    for (bool is_word = true; *from; is_word = *from++ == ' ') {
        bool is_drawn = is_word && (from[1] == ' ' || from[1] == '\0');
        unsigned drawn = (unsigned)prng_below(random, 5);
        switch (is_drawn ? *from : 0) {
        case 'k':
            n += (size_t)snprintf(line + n, room - n, "key%u", drawn);
            break;
        case 'm':
            n += (size_t)snprintf(line + n, room - n, drawn == 0 ? "7" : "member%u", drawn);
            break;
        case 'n':
            n += (size_t)snprintf(line + n, room - n, "%d", (int)drawn - 1);
            break;
        default:
            line[n++] = *from;
        }
    }
    line[n] = '\0';
    return n;
}

static size_t split(const char *line, struct slice *arg)
{
    size_t count = 0;
    for (size_t n; *line; line += n + (line[n] == ' ')) {
        n = strcspn(line, " ");
        arg[count++] = (struct slice){(const uint8_t *)line, n};
    }
    return count;
}

/* True: it was in vain. */
static bool step(struct rows *r, const struct slice *arg, size_t count)
{
    struct command command = {arg, count};
    bool is_unknown;
    const struct command_row *row = command_table_find(r->table, &command, &is_unknown);
    struct command_run run = {.view = {.keyspace = r->keyspace, .db = r->db, .time_ms = r->time_ms}, .index = r->index, .seed = r->seed};
    struct buf out = {0};
    struct reply reply = {.out = &out, .protocol = r->protocol};
    if (!row->is_vain || (row->check && !row->check(&command, &reply)) || !row->is_vain(row, &run, &command) || run.view.met_due) {
        buf_deinit(&out);
        rows_run(r, arg, count);
        return false;
    }
    row->run(&run, &command, &reply); /* the view allows no change: the funnel asserts it */
    rows_line(r, "PERSIST nothing"); /* time, and what is due, are state: as this entry leaves them */
    uint64_t before = keyspace_digest(r->keyspace);
    struct slice answered = rows_run(r, arg, count);
    CHECK(slice_equal(buf_slice(&out), answered));
    CHECK_EQ_UINT(keyspace_digest(r->keyspace), before);
    buf_deinit(&out);
    return true;
}

TEST(a_read_answers_what_the_write_would)
{
    struct rows r;
    struct prng random;
    unsigned vain[TEMPLATES] = {0};
    rows_init(&r);
    prng_seed(&random, 11);
    for (int i = 0; i < STEPS; i++) {
        size_t which = prng_below(&random, TEMPLATES);
        char line[128];
        struct slice arg[16];
        make_line(&random, template[which], line, sizeof line);
        test_context("step %d", i);
        r.protocol = prng_below(&random, 2) ? REPLY_RESP2 : REPLY_RESP3;
        r.time_ms += (int64_t)prng_below(&random, 3) * (prng_below(&random, 50) == 0 ? 1000 : 1);
        vain[which] += step(&r, arg, split(line, arg));
        if (prng_below(&random, 150) == 0)
            rows_line(&r, "FLUSHALL");
    }
    test_context("%s", "");
    for (size_t i = 0; i < TEMPLATES; i++) {
        struct slice name = {(const uint8_t *)template[i], strcspn(template[i], " ")};
        const struct command_row *row = command_table_by_name(r.table, name);
        test_context("%s: %u in vain", template[i], vain[i]);
        CHECK(!row->is_vain || strcmp(template[i], "SET k m") == 0 || strcmp(template[i], "SET k m NX EX m") == 0 || vain[i] > 10);
    }
    test_context("%s", "");
    rows_deinit(&r);
}

/* A row without a template would be untested. */
TEST(all_rows_are_tried)
{
    struct rows r;
    rows_init(&r);
    for (size_t i = 0; i < command_table_count(r.table); i++) {
        const struct command_row *row = command_table_at(r.table, i);
        bool is_there = !row->is_vain;
        for (size_t k = 0; k < TEMPLATES && !is_there; k++) {
            struct slice name = {(const uint8_t *)template[k], strcspn(template[k], " ")};
            is_there = command_table_by_name(r.table, name) == row;
        }
        test_context("%s", row->name);
        CHECK(is_there);
        CHECK(!row->is_vain || ((row->flags & COMMAND_WRITE) && !(row->flags & COMMAND_BLOCKING)));
    }
    test_context("%s", "");
    rows_deinit(&r);
}

/* Many keys are not looked at: the write is. */
TEST(few_keys_are_looked_at)
{
    struct rows r;
    struct slice arg[VAIN_KEYS_MAX + 3];
    rows_init(&r);
    arg[0] = slice_from_cstr("DEL");
    for (size_t i = 1; i < VAIN_KEYS_MAX + 3; i++)
        arg[i] = slice_from_cstr("nothing");
    for (size_t count = 2; count < VAIN_KEYS_MAX + 3; count++) {
        struct command command = {arg, count};
        struct command_run run = {.view = {.keyspace = r.keyspace, .time_ms = r.time_ms}};
        const struct command_row *row = command_table_by_name(r.table, slice_from_cstr("del"));
        CHECK(row->is_vain(row, &run, &command) == (count - 1 <= VAIN_KEYS_MAX));
    }
    rows_deinit(&r);
}

TEST_MAIN()
