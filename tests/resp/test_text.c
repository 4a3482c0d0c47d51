#include "resp/text.h"

#include "resp/reply.h"
#include "tests/test.h"

TEST(verbs_are_found_in_any_case)
{
    static const char *const names[] = {"put",         "get",    "update", "delete", "add-node",
                                        "remove-node", "status", "help",   "quit",   "auth"};
    size_t count = sizeof names / sizeof names[0];
    CHECK_EQ_INT(text_verb_count(), count);
    for (size_t i = 0; i < count; i++) {
        const struct text_verb *verb = text_verb_find(slice_from_cstr(names[i]));
        test_context("%s", names[i]);
        REQUIRE(verb != NULL);
        CHECK_EQ_STR(verb->name, names[i]);
    }
    test_context("%s", "");
    CHECK(text_verb_find(SLICE_LITERAL("PuT")) == text_verb_find(SLICE_LITERAL("put")));
    CHECK(text_verb_find(SLICE_LITERAL("Add-Node")) != NULL);
    CHECK(text_verb_find(SLICE_LITERAL("")) == NULL);
    CHECK(text_verb_find(SLICE_LITERAL("pu")) == NULL);
    CHECK(text_verb_find(SLICE_LITERAL("puts")) == NULL);
    CHECK(text_verb_find(SLICE_LITERAL("del")) == NULL);
    CHECK(text_verb_find(SLICE_LITERAL("put\0")) == NULL);
}

TEST(verbs_table_agrees_with_itself)
{
    for (size_t i = 0; i < text_verb_count(); i++) {
        const struct text_verb *verb = text_verb_at(i);
        test_context("%s", verb->name);
        struct buf expected = {0};
        buf_printf(&expected, "text.%s", verb->name);
        CHECK_EQ_BYTES(verb->command_name, strlen(verb->command_name), buf_slice(&expected).p,
                       buf_size(&expected));
        buf_deinit(&expected);
        /* The usage shows as many words as are allowed. */
        size_t words = 1;
        for (const char *p = verb->usage; *p; p++) {
            words += *p == ' ';
        }
        CHECK_EQ_INT(words, verb->max_words);
        CHECK(verb->min_words <= verb->max_words);
        CHECK(strncmp(verb->usage, verb->name, strlen(verb->name)) == 0);
        CHECK(strncmp(verb->example, verb->name, strlen(verb->name)) == 0);
    }
    test_context("%s", "");
}

#define CHECK_APPENDED(call, expected)                                                             \
    do {                                                                                           \
        struct buf out = {0};                                                                      \
        call;                                                                                      \
        CHECK_EQ_SLICE(buf_slice(&out), expected);                                                 \
        buf_deinit(&out);                                                                          \
    } while (0)

/* The words of TEXT-GRAMMAR.md. */
TEST(lines_of_the_grammar)
{
    struct slice key = SLICE_LITERAL("key1");
    struct slice value = SLICE_LITERAL("hello world");
    CHECK_APPENDED(text_append_added(&out, key, value), "SUCCESS: key1 -> hello world added.");
    CHECK_APPENDED(text_append_value(&out, key, value), "key1 -> hello world");
    CHECK_APPENDED(text_append_updated(&out, key, value), "SUCCESS: key1 updated to hello world.");
    CHECK_APPENDED(text_append_removed(&out, key), "SUCCESS: key1 removed.");
    CHECK_APPENDED(text_append_wrong_type(&out, "list"), "ERROR: Key holds a list, not a string.");
    CHECK_APPENDED(text_append_usage(&out, text_verb_find(SLICE_LITERAL("PUT"))),
                   "ERROR: Invalid command format. Usage: put <key> <value>");
    CHECK_APPENDED(text_append_usage(&out, NULL), "ERROR: Invalid command format. Type help.");
    CHECK_APPENDED(text_append_unknown_command(&out, SLICE_LITERAL("foo")),
                   "ERROR: Unknown command 'foo'. Type help.");
}

TEST(keys_and_values_stay_on_their_line)
{
    struct slice key = SLICE_LITERAL("a\nb");
    struct slice value = SLICE_LITERAL("x\r\nSUCCESS");
    CHECK_APPENDED(text_append_added(&out, key, value),
                   "SUCCESS: \"a\\nb\" -> \"x\\r\\nSUCCESS\" added.");
    CHECK_APPENDED(text_append_removed(&out, key), "SUCCESS: \"a\\nb\" removed.");
    CHECK_APPENDED(text_append_unknown_command(&out, key),
                   "ERROR: Unknown command '\"a\\nb\"'. Type help.");
}

TEST(unknown_names_are_cut)
{
    uint8_t name[1000];
    memset(name, 'f', sizeof name);
    struct buf out = {0};
    text_append_unknown_command(&out, (struct slice){name, sizeof name});
    CHECK_EQ_INT(buf_size(&out), strlen("ERROR: Unknown command ''. Type help.") + 128);
    buf_deinit(&out);
}

TEST(help_shows_every_verb_with_an_example)
{
    struct buf out = {0};
    text_append_help(&out);
    buf_append_byte(&out, 0);
    REQUIRE(out.data != NULL);
    const char *help = (const char *)(out.data + out.start);
    size_t lines = 1;
    for (const char *p = help; *p; p++) {
        lines += *p == '\n';
    }
    CHECK_EQ_INT(lines, text_verb_count());
    for (size_t i = 0; i < text_verb_count(); i++) {
        CHECK_CONTAINS(help, text_verb_at(i)->usage);
        CHECK_CONTAINS(help, text_verb_at(i)->example);
    }
    buf_deinit(&out);
}

TEST(errors_become_lines)
{
    static const struct {
        const char *error;
        const char *line;
    } rows[] = {
        {"CLUSTERDOWN no leader: ask again", "ERROR: Leader unavailable. Try again later."},
        {"NOAUTH Authentication required.", "ERROR: Authentication required."},
        {"WRONGPASS invalid username-password pair or user is disabled.", "ERROR: Wrong password."},
        {"UNKNOWN the outcome of this write is not known: x",
         "ERROR: Outcome unknown: the change may or may not have happened."},
        {"OOM command not allowed", "ERROR: command not allowed"},
        {"ERR two\r\nlines", "ERROR: two  lines"},
        {"Sentence without a code", "ERROR: Sentence without a code"},
        {"CODE", "ERROR: CODE"},
        {"CLUSTERDOWNX y", "ERROR: y"},
        {"", "ERROR: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_context("%s", rows[i].error);
        CHECK_APPENDED(text_append_error(&out, slice_from_cstr(rows[i].error)), rows[i].line);
    }
}

#define BYTES(s) (s), sizeof(s) - 1

TEST(escapes_as_redis_cli_does_where_needed)
{
    static const struct {
        const char *value;
        size_t n;
        const char *shown;
    } rows[] = {
        {BYTES(""), ""},
        {BYTES("plain"), "plain"},
        {BYTES("hello world"), "hello world"},
        {BYTES("back\\slash"), "back\\slash"},
        {BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
        {BYTES("\xe2\x82\xac \xf0\x9f\x9b\xb6"), "\xe2\x82\xac \xf0\x9f\x9b\xb6"},
        {BYTES("a\"b"), "\"a\\\"b\""},
        {BYTES("it's"), "\"it's\""},
        {BYTES("a\\\"b"), "\"a\\\\\\\"b\""},
        {BYTES("\n\r\t\a\b"), "\"\\n\\r\\t\\a\\b\""},
        {BYTES("a\0b"), "\"a\\x00b\""},
        {BYTES("\x1b[31m"), "\"\\x1b[31m\""},
        {BYTES("\x7f"), "\"\\x7f\""},
        /* Quoted once, everything outside of ASCII is escaped, as redis-cli does. */
        {BYTES("\xc3\xbc\n"), "\"\\xc3\\xbc\\n\""},
        /* C1 control characters, written as UTF-8. */
        {BYTES("\xc2\x9b"), "\"\\xc2\\x9b\""},
        {BYTES("\xc2\xa0"), "\xc2\xa0"},
        /* Not UTF-8: lone, cut, overlong, surrogate, too large. */
        {BYTES("\xff"), "\"\\xff\""},
        {BYTES("\x80"), "\"\\x80\""},
        {BYTES("\xc3"), "\"\\xc3\""},
        {BYTES("\xc3("), "\"\\xc3(\""},
        {BYTES("\xe2\x82"), "\"\\xe2\\x82\""},
        {BYTES("\xe2\x82("), "\"\\xe2\\x82(\""},
        {BYTES("\xf0\x9f\x9b"), "\"\\xf0\\x9f\\x9b\""},
        {BYTES("\xc0\xaf"), "\"\\xc0\\xaf\""},
        {BYTES("\xe0\x80\xaf"), "\"\\xe0\\x80\\xaf\""},
        {BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\""},
        {BYTES("\xf0\x80\x80\xaf"), "\"\\xf0\\x80\\x80\\xaf\""},
        {BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\""},
        {BYTES("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_context("row %zu", i);
        uint8_t *value = test_guard_copy(rows[i].value, rows[i].n);
        CHECK_APPENDED(reply_text_escape(&out, (struct slice){value, rows[i].n}), rows[i].shown);
        test_guard_free(value, rows[i].n);
    }
}

TEST_MAIN()
