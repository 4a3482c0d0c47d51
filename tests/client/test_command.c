#include <stdio.h>
#include <string.h>

#include "node/command_docs.h"
#include "resp/resp_value.h"
#include "tests/client/fake_node.h"
#include "tests/test.h"

/* A value as one line: arrays (a b), maps {a=b}, sets <a b>. */
static void describe(const struct resp_value *v, struct buf *out)
{
    bool is_map = v->type == RESP_MAP;

    if (v->type == RESP_ARRAY || v->type == RESP_SET || is_map) {
        buf_append_byte(out, is_map ? '{' : v->type == RESP_SET ? '<' : '(');
        for (size_t i = 0; i < v->child_count; i++) {
            if (i > 0) {
                buf_append_byte(out, is_map && i % 2 == 1 ? '=' : ' ');
            }
            describe(&v->child[i], out);
        }
        buf_append_byte(out, is_map ? '}' : v->type == RESP_SET ? '>' : ')');
    } else if (v->type == RESP_INTEGER) {
        buf_printf(out, "%lld", (long long)v->integer);
    } else {
        buf_append_slice(out, v->text);
    }
}

static void docs_of(const char *syntax, struct buf *out)
{
    struct node *n = fake_new();
    struct command_row row = {.name = "x", .summary = "s", .since = "1", .group = "g", .complexity = "c", .arguments = syntax};
    struct buf bytes = {0};
    struct reply reply = {.out = &bytes, .protocol = REPLY_RESP3};
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed = 0;

    command_docs_reply(&reply, n->table, &row);
    REQUIRE(resp_value_next(&reader, buf_slice(&bytes), &value, &consumed) == PARSE_OK);
    CHECK_EQ_SLICE(value->text, "x");
    resp_value_free(value);
    buf_consume(&bytes, consumed);
    memset(&reader, 0, sizeof reader);
    REQUIRE(resp_value_next(&reader, buf_slice(&bytes), &value, &consumed) == PARSE_OK);
    CHECK_EQ_UINT(consumed, buf_size(&bytes));
    if (value->child_count == 10) {
        describe(&value->child[9], out);
    }
    buf_append_byte(out, 0);
    resp_value_free(value);
    buf_deinit(&bytes);
    fake_free(n);
}

TEST(syntax_lines_become_trees)
{
    static const struct {
        const char *syntax, *tree;
    } row[] = {
        {"", ""},
        {"key", "({name=key type=key key_spec_index=0})"},
        {"key value", "({name=key type=key key_spec_index=0} {name=value type=string})"},
        {"key [key ...]", "({name=key type=key key_spec_index=0 flags=<multiple>})"},
        {"key value [key value ...]", "({name=key_value type=block flags=<multiple> arguments=({name=key type=key key_spec_index=0} "
                                      "{name=value type=string})})"},
        {"key seconds [NX | XX]", "({name=key type=key key_spec_index=0} {name=seconds type=integer} {name=condition type=oneof "
                                  "flags=<optional> arguments=({name=nx type=pure-token token=NX} {name=xx type=pure-token token=XX})})"},
        {"[GET] [EX seconds | KEEPTTL]", "({name=get type=pure-token token=GET flags=<optional>} {name=expiration type=oneof "
                                         "flags=<optional> arguments=({name=seconds type=integer token=EX} "
                                         "{name=keepttl type=pure-token token=KEEPTTL})})"},
        {"[message]", "({name=message type=string flags=<optional>})"},
        {"[name [name ...]]", "({name=name type=string flags=<optional multiple>})"},
        {"a | b c", "({name=option type=oneof arguments=({name=a type=string} {name=b type=block arguments=({name=b type=string} "
                    "{name=c type=string})})})"},
    };

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct buf out = {0};

        test_context("%s", row[i].syntax);
        docs_of(row[i].syntax, &out);
        CHECK_EQ_STR((const char *)buf_slice(&out).p, row[i].tree);
        buf_deinit(&out);
    }
    test_context("");
}

/* Every row of the server: well-formed answers in both protocols. */
TEST(every_row_is_described)
{
    static const char *const hello[] = {"HELLO 2\r\n", "HELLO 3\r\n"};
    static const char *const ask[] = {"COMMAND\r\n", "COMMAND INFO\r\n", "COMMAND DOCS\r\n", "COMMAND LIST\r\n", "COMMAND COUNT\r\n"};

    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof ask / sizeof ask[0]; i++) {
            struct node *n = fake_new();
            struct client *c = fake_client(n);
            struct resp_value_reader reader = {0};
            struct resp_value *value = NULL;
            size_t consumed = 0;

            test_context("%s%s", hello[p], ask[i]);
            (void)fake_feed(c, hello[p]);
            (void)fake_output(c);
            (void)fake_feed(c, ask[i]);
            REQUIRE(resp_value_next(&reader, client_output(c), &value, &consumed) == PARSE_OK);
            CHECK_EQ_UINT(consumed, client_output(c).n);
            CHECK(value->type == RESP_INTEGER ? value->integer > 30 : value->child_count > 30);
            resp_value_free(value);
            client_close(c);
            fake_free(n);
        }
    }
    test_context("");
}

TEST(getkeys_and_list)
{
    struct node *n = fake_new();
    struct client *c = fake_client(n);

    (void)fake_feed(c, "COMMAND GETKEYS MSET a 1 b 2\r\nCOMMAND GETKEYS GET a\r\nCOMMAND GETKEYS PING x\r\nCOMMAND GETKEYS nope x\r\n"
                       "COMMAND GETKEYS GET a b\r\nCOMMAND GETKEYS GET\r\nCOMMAND GETKEYS text.put a b\r\nCOMMAND LIST FILTERBY PATTERN p[et]xpire\r\n"
                       "COMMAND LIST FILTERBY FOO x\r\nCOMMAND INFO nope text.put\r\nCOMMAND DOCS nope\r\n");
    CHECK_EQ_STR(fake_output(c), "*2\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$1\r\na\r\n-ERR The command has no key arguments\r\n"
                                 "-ERR Invalid command specified\r\n-ERR Invalid number of arguments specified for command\r\n"
                                 "-ERR wrong number of arguments for 'command|getkeys' command\r\n"
                                 "-ERR Invalid command specified\r\n*1\r\n$7\r\npexpire\r\n-ERR syntax error\r\n"
                                 "*2\r\n$-1\r\n$-1\r\n*0\r\n");
    client_close(c);
    fake_free(n);
}

TEST_MAIN()
