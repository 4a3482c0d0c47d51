/* What the rows say of themselves (COMMAND INFO, COMMAND DOCS) against a real redis-server. Skipped, in words, where it is not
 * installed. */

#include <stdio.h>
#include <string.h>

#include "commands/numbers.h"
#include "resp/resp_value.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

static const struct resp_value *at(const struct resp_value *v, size_t i)
{
    REQUIRE(v && i < v->child_count);
    return &v->child[i];
}

/* The texts of an array or set, a blank after each. */
static const char *joined(struct buf *b, const struct resp_value *v)
{
    buf_clear(b, SIZE_MAX);
    for (size_t i = 0; i < v->child_count; i++) {
        buf_append_slice(b, v->child[i].text);
        buf_append_byte(b, ' ');
    }
    buf_append_byte(b, 0);
    return (const char *)b->data + b->start;
}

static const struct resp_value *field(const struct resp_value *map, const char *name)
{
    for (size_t i = 0; map && i + 1 < map->child_count; i += 2) {
        if (slice_equal_nocase(map->child[i].text, name)) {
            return &map->child[i + 1];
        }
    }
    return NULL;
}

static void check_words(const char *ours, const char *theirs)
{
    char with_blank[256];
    snprintf(with_blank, sizeof with_blank, "%s%s", ours ? ours : "", ours && *ours ? " " : "");
    CHECK_EQ_STR(with_blank, theirs);
}

static void flag_words(uint32_t flags, char *text, size_t size)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } row[] = {{COMMAND_WRITE, "write"},       {COMMAND_READONLY, "readonly"},
               {COMMAND_DENYOOM, "denyoom"},   {COMMAND_ADMIN, "admin"},
               {COMMAND_NOSCRIPT, "noscript"}, {COMMAND_BLOCKING, "blocking"},
               {COMMAND_LOADING, "loading"},   {COMMAND_STALE, "stale"},
               {COMMAND_FAST, "fast"},         {COMMAND_MOVABLE_KEYS, "movablekeys"}};
    text[0] = 0;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (flags & row[i].flag) {
            size_t n = strlen(text);
            snprintf(text + n, size - n, "%s%s", n ? " " : "", row[i].name);
        }
    }
}

static void compare_info(const struct command_row *row, const struct resp_value *info)
{
    struct buf b;
    buf_init(&b);
    char flags[128];
    flag_words(row->flags, flags, sizeof flags);
    CHECK_EQ_INT(at(info, 1)->integer, row->arity);
    check_words(flags, joined(&b, at(info, 2)));
    CHECK_EQ_INT(at(info, 3)->integer, row->keys.first);
    CHECK_EQ_INT(at(info, 4)->integer, row->keys.last);
    CHECK_EQ_INT(at(info, 5)->integer, row->keys.step);
    check_words(row->acl_categories, joined(&b, at(info, 6)));
    check_words(row->tips, joined(&b, at(info, 7)));
    size_t specs = 0;
    for (const char *flag = row->key_flags; flag; flag = strchr(flag, ';')) {
        flag += *flag == ';';
        const struct resp_value *spec = at(at(info, 8), specs++);
        REQUIRE(field(spec, "flags") != NULL);
        char one[64];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(flag, ";"), flag);
        check_words(one, joined(&b, field(spec, "flags")));
        const struct resp_value *notes = field(spec, "notes");
        CHECK((notes != NULL) == (row->key_notes != NULL));
        CHECK(!notes || slice_equal(notes->text, slice_from_cstr(row->key_notes)));
    }
    for (const char *word = row->key_word_flags ? row->key_word : ""; *word; word += strcspn(word, " "), word += *word == ' ') {
        check_words(row->key_word_flags, joined(&b, field(at(at(info, 8), specs), "flags")));
        const struct resp_value *search = field(field(at(at(info, 8), specs++), "begin_search"), "spec");
        CHECK(search && slice_equal(field(search, "keyword")->text, (struct slice){(const uint8_t *)word, strcspn(word, " ")}));
    }
    for (const char *line = row->key_unknown; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const struct resp_value *spec = at(at(info, 8), specs++);
        const struct resp_value *notes = field(spec, "notes");
        char one[32];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "|"), line);
        REQUIRE(notes != NULL);
        check_words(one, joined(&b, field(spec, "flags")));
        const char *text = line + strcspn(line, "|") + 1;
        CHECK(slice_equal(notes->text, (struct slice){(const uint8_t *)text, strcspn(text, "\n")}));
    }
    CHECK_EQ_UINT(at(info, 8)->child_count, specs);
    buf_deinit(&b);
}

static void compare_docs(const struct command_row *row, const struct resp_value *docs)
{
    static const char *const name[] = {"summary", "since", "group", "complexity"};
    const char *const ours[] = {row->summary, row->since, row->group, row->complexity};
    for (size_t i = 0; i < 4; i++) {
        const struct resp_value *theirs = field(docs, name[i]);
        REQUIRE(theirs != NULL);
        CHECK_EQ_SLICE(theirs->text, ours[i]);
    }
    struct buf b;
    buf_init(&b);
    const struct resp_value *history = field(docs, "history");
    for (size_t i = 0; history && i < history->child_count; i++) {
        buf_printf(&b, "%s%.*s %.*s", i ? "\n" : "", (int)at(&history->child[i], 0)->text.n,
                   (const char *)at(&history->child[i], 0)->text.p,
                   (int)at(&history->child[i], 1)->text.n,
                   (const char *)at(&history->child[i], 1)->text.p);
    }
    buf_append_byte(&b, 0);
    CHECK_EQ_STR(row->history ? row->history : "", (const char *)b.data);
    buf_deinit(&b);
}

typedef void (*compare_fn)(const struct command_row *row, const struct resp_value *answer);

/* Ask for `command <what> <name>` and hand the second-level answer at `position` over. */
static void ask(struct redis_server *s,
                const char *what,
                const struct command_row *row,
                size_t position,
                compare_fn compare_one)
{
    const struct slice arg[] = {SLICE_LITERAL("command"), slice_from_cstr(what),
                                slice_from_cstr(row->name)};
    struct buf reply;
    buf_init(&reply);
    REQUIRE(redis_server_run(s, arg, 3, &reply));
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed;
    REQUIRE(resp_value_next(&reader, buf_slice(&reply), &value, &consumed) == PARSE_OK);
    compare_one(row, at(value, position));
    resp_value_free(value);
    buf_deinit(&reply);
}

TEST(rows_say_of_themselves_what_redis_says)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/rows_info: redis-server is not installed or did not start\n");
        return;
    }
    struct rows r;
    rows_init(&r);
    for (size_t i = 0; i < command_table_count(r.table); i++) {
        const struct command_row *row = command_table_at(r.table, i);
        bool is_ours = row->number >= COMMAND_NUMBER_DELEX && row->number < COMMAND_NUMBER_DELEX + 48; /* 400-447 */
        is_ours |= strncmp(row->name, "changes", 7) == 0;
        if (!(row->flags & COMMAND_TEXT_ONLY) && !is_ours) {
            test_context("%s", row->name);
            ask(&s, "info", row, 0, compare_info);
            ask(&s, "docs", row, 1, compare_docs);
        }
    }
    test_context("%s", "");
    rows_deinit(&r);
    redis_server_stop(&s);
}

TEST_MAIN()
