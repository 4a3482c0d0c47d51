#include <stdio.h>
#include <string.h>

#include "commands/command_row.h"
#include "commands/numbers.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

static void run_local(struct client *client, const struct command *command, struct reply *reply)
{
    (void)client;
    (void)command;
    (void)reply;
}

static const struct command_row node_row[] = {
    {.name = "config", .kind = COMMAND_CONTAINER, .arity = -2},
    {.name = "config|get", .kind = COMMAND_NODE, .arity = -3, .run_local = run_local},
    {.name = "config|set", .kind = COMMAND_NODE, .arity = -4, .run_local = run_local},
    {.name = "ping", .kind = COMMAND_CONNECTION, .arity = -1, .run_local = run_local},
};
static const struct command_family node_family = {node_row, 4};

static struct command_table *table_new(void)
{
    struct command_family family[COMMANDS_FAMILY_COUNT + 1];
    commands_all(family);
    family[COMMANDS_FAMILY_COUNT] = node_family;
    return command_table_new(family, sizeof family / sizeof family[0]);
}

static const struct command_row *
find(const struct command_table *t, const char *name, const char *second, bool *unknown)
{
    struct slice arg[] = {slice_from_cstr(name), slice_from_cstr(second ? second : "")};
    return command_table_find(t, &(struct command){arg, second ? 2 : 1}, unknown);
}

TEST(names_are_found_in_any_case)
{
    struct command_table *t = table_new();
    bool unknown = true;
    static const char *const name[] = {"get", "GET", "Get", "gEt"};
    for (size_t i = 0; i < 4; i++) {
        const struct command_row *row = find(t, name[i], "k", &unknown);
        REQUIRE(row != NULL);
        CHECK_EQ_STR(row->name, "get");
        CHECK(!unknown);
    }
    static const char *const stranger[] = {
        "",
        "ge",
        "gett",
        "get ",
        "config|get",
        "CONFIG|SET",
        "|",
        "text",
        "a-name-that-is-longer-than-any-command-of-any-table-could-ever-be-sixty-four"};
    for (size_t i = 0; i < sizeof stranger / sizeof stranger[0]; i++) {
        test_context("'%s'", stranger[i]);
        CHECK(find(t, stranger[i], NULL, &unknown) == NULL);
        CHECK(!unknown);
    }
    test_context("%s", "");
    CHECK(find(t, "text.put", NULL, &unknown)->flags & COMMAND_TEXT_ONLY);
    command_table_free(t);
}

TEST(containers_look_at_their_subcommand)
{
    struct command_table *t = table_new();
    bool unknown = true;
    CHECK_EQ_STR(find(t, "CONFIG", "GET", &unknown)->name, "config|get");
    CHECK(!unknown);
    CHECK_EQ_STR(find(t, "config", "seT", &unknown)->name, "config|set");
    CHECK_EQ_STR(find(t, "config", NULL, &unknown)->name, "config"); /* its arity refuses it */
    CHECK(!unknown);
    CHECK(find(t, "config", "foo", &unknown) == NULL);
    CHECK(unknown);
    CHECK(find(t, "config", "", &unknown) == NULL);
    CHECK(unknown);
    char longest[100];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    CHECK(find(t, "config", longest, &unknown) == NULL);
    CHECK(unknown);
    CHECK_EQ_STR(find(t, "ping", "get", &unknown)->name, "ping");
    CHECK(!unknown);
    CHECK_EQ_STR(command_table_by_name(t, slice_from_cstr("config|GET"))->name, "config|get");
    command_table_free(t);
}

TEST(every_row_is_complete)
{
    struct command_table *t = table_new();
    struct command_family family[COMMANDS_FAMILY_COUNT];
    size_t rows = node_family.row_count;
    commands_all(family);
    for (size_t i = 0; i < COMMANDS_FAMILY_COUNT; i++) {
        rows += family[i].row_count;
    }
    CHECK_EQ_UINT(command_table_count(t), rows);
    for (size_t i = 0; i < command_table_count(t); i++) {
        const struct command_row *row = command_table_at(t, i);
        test_context("%s", row->name);
        CHECK(i == 0 || strcmp(command_table_at(t, i - 1)->name, row->name) < 0);
        CHECK(command_table_by_name(t, slice_from_cstr(row->name)) == row);
        CHECK(row->arity != 0);
        if (row->kind != COMMAND_DATA) {
            continue;
        }
        CHECK(row->number != 0 && row->number < 0xff00);
        CHECK(row->version >= 1);
        CHECK(command_table_by_number(t, row->number) == row);
        CHECK(row->run && !row->run_local);
        CHECK(((row->flags & COMMAND_WRITE) != 0) != ((row->flags & COMMAND_READONLY) != 0));
        CHECK(row->group && row->acl_categories && row->summary && row->since && row->complexity &&
              row->arguments);
        CHECK((row->keys.first > 0 || row->key_number > 0) == (row->key_flags != NULL));
        CHECK_CONTAINS(row->acl_categories, row->flags & COMMAND_WRITE ? "@write" : "@read");
        CHECK_CONTAINS(row->acl_categories, row->flags & COMMAND_FAST ? "@fast" : "@slow");
        for (const char *c = row->name; *c; c++) {
            CHECK(*c < 'A' || *c > 'Z');
        }
    }
    test_context("%s", "");
    CHECK(command_table_by_number(t, 0) == NULL);
    CHECK(command_table_by_number(t, 0x7777) == NULL);
    command_table_free(t);
}

/* Numbers are in logs on disks: a change of this list is a change of the format. */
TEST(numbers_never_change)
{
    struct command_table *t = table_new();
    static const struct {
        uint16_t number;
        const char *name;
    } row[] = {{1, "set"},          {2, "incr"},         {3, "decr"},      {4, "incrby"},
               {5, "decrby"},       {6, "append"},       {7, "mset"},      {64, "text.put"},
               {65, "text.update"}, {66, "text.delete"}, {80, "del"},      {84, "flushall"},
               {85, "expire"},      {86, "pexpire"},     {87, "expireat"}, {88, "pexpireat"},
               {91, "persist"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        REQUIRE(command_table_by_number(t, row[i].number) != NULL);
        CHECK_EQ_STR(command_table_by_number(t, row[i].number)->name, row[i].name);
    }
    command_table_free(t);
}

TEST(arity_as_redis_counts_it)
{
    struct command_row row = {.name = "x", .arity = 3};
    CHECK(!command_arity_ok(&row, 2));
    CHECK(command_arity_ok(&row, 3));
    CHECK(!command_arity_ok(&row, 4));
    row.arity = -3;
    CHECK(!command_arity_ok(&row, 2));
    CHECK(command_arity_ok(&row, 3));
    CHECK(command_arity_ok(&row, 1000));
}

static void table_with_a_name_twice(void *ctx)
{
    (void)ctx;
    const struct command_family family[] = {commands_string, commands_string};
    command_table_free(command_table_new(family, 2));
}

static void table_with_a_number_twice(void *ctx)
{
    (void)ctx;
    const struct command_row row = {.name = "other", .number = COMMAND_NUMBER_SET, .arity = 1};
    const struct command_family family[] = {commands_string, {&row, 1}};
    command_table_free(command_table_new(family, 2));
}

TEST(a_name_or_number_twice_aborts)
{
    CHECK_ABORTS(table_with_a_name_twice, NULL);
    CHECK_ABORTS(table_with_a_number_twice, NULL);
}

TEST_MAIN()
