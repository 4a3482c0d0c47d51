#include "node/options.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/test.h"

static const char *text_of(struct buf *b)
{
    buf_append_byte(b, 0);
    buf_truncate(b, buf_size(b) - 1);
    return (const char *)buf_slice(b).p;
}

static enum err set(struct options *o, const char *name, const char *value, struct buf *why)
{
    const struct option_row *row = options_find(slice_from_cstr(name));

    buf_clear(why, 0);
    return row ? options_set(o, row, slice_from_cstr(value), why) : ERR_NOT_FOUND;
}

TEST(defaults)
{
    struct options o;

    options_init(&o);
    CHECK_EQ_INT(o.port, 6379);
    CHECK_EQ_STR(o.bind, "127.0.0.1 -::1");
    CHECK(o.protected_mode);
    CHECK_EQ_INT(o.read_consistency, READ_QUORUM);
    CHECK_EQ_INT(o.election_timeout, 300);
    options_deinit(&o);
}

TEST(percentiles_are_kept_as_redis_writes_them)
{
    static const struct {
        const char *text;
        const char *kept; /* NULL: refused */
        const char *why;
    } row[] = {
        {"50 99 99.9", "50 99 99.9", ""},
        {"0.0 50.0  100.0 ", "0 50 100", ""},
        {"", "", ""},
        {"1e1 10.50 .1", "10 10.5 0.1", ""},
        {"10.0 50.0 a", NULL, "Invalid latency-tracking-info-percentiles parameters"},
        {"nan", NULL, "Invalid latency-tracking-info-percentiles parameters"},
        {"0x10", NULL, "Invalid latency-tracking-info-percentiles parameters"},
        {"1e999", NULL, "Invalid latency-tracking-info-percentiles parameters"},
        {"100.1", NULL, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
        {"-1", NULL, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
    };
    struct options o;
    struct buf why = {0};

    options_init(&o);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        test_context("'%s'", row[i].text);
        enum err error = set(&o, "latency-tracking-info-percentiles", row[i].text, &why);
        CHECK_EQ_INT(error, row[i].kept ? ERR_OK : ERR_INVALID);
        CHECK_EQ_STR(text_of(&why), row[i].why);
        if (row[i].kept) {
            CHECK_EQ_STR(o.latency_tracking_info_percentiles, row[i].kept);
        }
    }
    buf_deinit(&why);
    options_deinit(&o);
}

TEST(every_row_formats_and_takes_back_its_default)
{
    struct options o;
    struct buf why = {0};

    options_init(&o);
    for (size_t i = 0; i < options_count(); i++) {
        const struct option_row *row = options_at(i);
        struct buf before = {0};
        struct buf after = {0};

        test_context("%s", row->name);
        options_format(&o, row, &before);
        CHECK_EQ_INT(options_set(&o, row, buf_slice(&before), &why), ERR_OK);
        options_format(&o, row, &after);
        CHECK(slice_equal(buf_slice(&before), buf_slice(&after)));
        CHECK(options_find(slice_from_cstr(row->name)) == row);
        CHECK(row->help[0] != '\0');
        buf_deinit(&before);
        buf_deinit(&after);
    }
    test_context("");
    buf_deinit(&why);
    options_deinit(&o);
}

TEST(values_are_checked)
{
    static const struct {
        const char *name, *value, *why;
    } bad[] = {
        {"port", "0", "argument must be between 1 and 65535 inclusive"},
        {"port", "65536", "argument must be between 1 and 65535 inclusive"},
        {"port", "x", "argument couldn't be parsed into an integer"},
        {"port", "", "argument couldn't be parsed into an integer"},
        {"port", "07001", "argument couldn't be parsed into an integer"},
        {"maxmemory", "1x", "argument must be a memory value"},
        {"maxmemory", "99999999999gb", "argument must be a memory value"},
        {"maxmemory", "-1", "argument must be a memory value"},
        {"protected-mode", "true", "argument must be 'yes' or 'no'"},
        {"loglevel", "loud", "argument(s) must be one of the following: debug, verbose, notice, warning"},
        {"maxmemory-policy", "allkeys-lfu",
         "only 'noeviction' is possible here: nothing is evicted; writes that would pass maxmemory are refused"},
        {"appendfsync", "everysec", "only 'always' is possible here: a write is answered when a majority has it on disk"},
        {"appendonly", "no", "only 'yes' is possible here: every write is in the log"},
        {"replica-read-only", "yes", "only 'no' is possible here: every node takes reads and writes"},
        {"announce", "very long, longer than any address may ever be, and then some more until it is past the limit "
                     "of 263 bytes, which takes quite a few words to reach, so here are some more of them, and a "
                     "few others behind those, until this sentence is at last long enough to be refused by it, yes",
         "argument is longer than 263 bytes"},
    };
    struct options o;
    struct buf why = {0};

    options_init(&o);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_context("%s", bad[i].value);
        CHECK_EQ_INT(set(&o, bad[i].name, bad[i].value, &why), ERR_INVALID);
        CHECK_EQ_STR(text_of(&why), bad[i].why);
    }
    test_context("");
    CHECK_EQ_INT(o.port, 6379);
    CHECK_EQ_INT(o.maxmemory, 0);
    buf_deinit(&why);
    options_deinit(&o);
}

TEST(memory_units)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"100", 100},        {"1b", 1},           {"1k", 1000},      {"1kb", 1024},      {"2M", 2000000},
                {"2mb", 2097152},    {"1g", 1000000000},  {"1Gb", 1073741824}};
    struct options o;
    struct buf why = {0};

    options_init(&o);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_EQ_INT(set(&o, "maxmemory", good[i].text, &why), ERR_OK);
        CHECK_EQ_INT(o.maxmemory, good[i].bytes);
    }
    buf_deinit(&why);
    options_deinit(&o);
}

TEST(file_in_redis_format)
{
    struct options o;
    struct buf why = {0};
    static const char text[] = "# a comment\n\n  port 7001\r\nbind 127.0.0.1 10.0.0.1\nrequirepass \"a b\\x41\"\nsave 3600 1 300 100\nsave \"\"\n"
                               "Maxmemory 1mb";

    options_init(&o);
    CHECK_EQ_INT(options_parse_text(&o, SLICE_LITERAL(text), "x.conf", &why), ERR_OK);
    CHECK_EQ_INT(o.port, 7001);
    CHECK_EQ_STR(o.bind, "127.0.0.1 10.0.0.1");
    CHECK_EQ_STR(o.requirepass, "a bA");
    CHECK_EQ_STR(o.save, "");
    CHECK_EQ_INT(o.maxmemory, 1048576);
    options_deinit(&o);
    buf_deinit(&why);
}

TEST(mistakes_in_files_are_named)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"port 7001\nprot 7002\n", "x.conf, line 2: unknown option 'prot', did you mean 'port'?"},
        {"maxmemry 1mb", "x.conf, line 1: unknown option 'maxmemry', did you mean 'maxmemory'?"},
        {"zzzzzzzzzzzzzzzz 1", "x.conf, line 1: unknown option 'zzzzzzzzzzzzzzzz'; --help lists them all."},
        {"port", "x.conf, line 1: option 'port' needs a value."},
        {"port 0", "x.conf, line 1: option 'port': argument must be between 1 and 65535 inclusive."},
        {"dir \"abc", "x.conf, line 1: unbalanced quotes."},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct options o;
        struct buf why = {0};

        options_init(&o);
        CHECK_EQ_INT(options_parse_text(&o, slice_from_cstr(bad[i].text), "x.conf", &why), ERR_INVALID);
        CHECK_EQ_STR(text_of(&why), bad[i].why);
        buf_deinit(&why);
        options_deinit(&o);
    }
}

static enum err parse(struct options *o, char **argv, int argc, struct options_command_line *line, struct buf *why)
{
    enum err error = options_scan_arguments(argc, argv, line, why);

    return error ? error : options_parse_flags(o, argc, argv, line->first_flag, why);
}

TEST(command_line)
{
    char *argv[] = {(char[]){"coracle"}, (char[]){"c.conf"}, (char[]){"--port"},  (char[]){"7001"},
                    (char[]){"--bind"},  (char[]){"a"},      (char[]){"b"},       (char[]){"--dir"}, (char[]){"data/1"}};
    struct options o;
    struct options_command_line line;
    struct buf why = {0};

    options_init(&o);
    CHECK_EQ_INT(parse(&o, argv, 9, &line, &why), ERR_OK);
    CHECK_EQ_STR(line.file, "c.conf");
    CHECK_EQ_INT(o.port, 7001);
    CHECK_EQ_STR(o.bind, "a b");
    CHECK_EQ_STR(o.dir, "data/1");
    char *bad[] = {(char[]){"coracle"}, (char[]){"--prt"}, (char[]){"1"}};
    CHECK_EQ_INT(parse(&o, bad, 3, &line, &why), ERR_INVALID);
    CHECK_EQ_STR(text_of(&why), "unknown option 'prt', did you mean 'port'?");
    buf_clear(&why, 0);
    char *help[] = {(char[]){"coracle"}, (char[]){"--port"}, (char[]){"1"}, (char[]){"--help"}};
    CHECK_EQ_INT(options_scan_arguments(4, help, &line, &why), ERR_OK);
    CHECK_EQ_INT(line.action, OPTIONS_HELP);
    char *version[] = {(char[]){"coracle"}, (char[]){"-v"}};
    CHECK_EQ_INT(options_scan_arguments(2, version, &line, &why), ERR_OK);
    CHECK_EQ_INT(line.action, OPTIONS_VERSION);
    char *dash[] = {(char[]){"coracle"}, (char[]){"-port"}};
    CHECK_EQ_INT(options_scan_arguments(2, dash, &line, &why), ERR_INVALID);
    buf_deinit(&why);
    options_deinit(&o);
}

/* What a node says it can be called at must be an address, before anything is touched. */
TEST(addresses)
{
    static const char *const bad[] = {"foo:99999", "foo:0", ":7001", "foo:", "a b:1", "a:x"};
    static const char *const name[] = {"announce", "join"};
    char address[LIMIT_ADDRESS_BYTES];
    struct buf why = {0};

    for (size_t k = 0; k < 2; k++) {
        struct options o;

        options_init(&o);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            char expected[128];

            CHECK_EQ_INT(set(&o, name[k], bad[i], &why), ERR_OK);
            CHECK_EQ_INT(options_check(&o, &why), ERR_INVALID);
            snprintf(expected, sizeof expected, "option '%s': '%s' is not host:port.", name[k], bad[i]);
            CHECK_EQ_STR(text_of(&why), expected);
            buf_clear(&why, 0);
        }
        CHECK_EQ_INT(set(&o, name[k], "[::1]:7001", &why), ERR_OK);
        CHECK_EQ_INT(options_check(&o, &why), ERR_OK);
        CHECK_EQ_INT(set(&o, name[k], "node1", &why), ERR_OK);
        CHECK_EQ_INT(options_check(&o, &why), ERR_OK);
        options_own_address(&o, address);
        CHECK_EQ_STR(address, k == 0 ? "node1:6379" : "127.0.0.1:6379");
        options_deinit(&o);
    }
    buf_deinit(&why);
}

TEST(rules_between_options)
{
    struct options o;
    struct buf why = {0};

    options_init(&o);
    CHECK_EQ_INT(options_check(&o, &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "lease", "290", &why), ERR_OK);
    CHECK_EQ_INT(options_check(&o, &why), ERR_INVALID);
    CHECK_EQ_INT(set(&o, "lease", "0", &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "heartbeat", "200", &why), ERR_OK);
    CHECK_EQ_INT(options_check(&o, &why), ERR_INVALID);
    buf_deinit(&why);
    options_deinit(&o);
}

TEST(help_names_every_option)
{
    struct buf text = {0};

    options_help(&text);
    const char *help = text_of(&text);
    for (size_t i = 0; i < options_count(); i++) {
        test_context("%s", options_at(i)->name);
        CHECK(strstr(help, options_at(i)->name) != NULL);
        CHECK(strstr(help, options_at(i)->help) != NULL);
    }
    test_context("");
    buf_deinit(&text);
}

static const char *rewritten(const char *setting, const char *before, struct buf *out)
{
    struct options o;
    struct buf why = {0};

    options_init(&o);
    CHECK_EQ_INT(options_parse_text(&o, slice_from_cstr(setting), "f", &why), ERR_OK);
    buf_clear(out, 0);
    options_rewrite(&o, slice_from_cstr(before), out);
    buf_deinit(&why);
    options_deinit(&o);
    return text_of(out);
}

TEST(a_rewritten_file_keeps_its_shape)
{
    struct buf out = {0};

    CHECK_EQ_STR(rewritten("port 7001\nmaxmemory 1gb\n", "# mine\n\nmaxmemory 1gb\n  port 7000\n#port 1\n", &out),
                 "# mine\n\nmaxmemory 1gb\nport 7001\n#port 1\n");
    CHECK_EQ_STR(rewritten("port 7001\n", "port 7001", &out), "port 7001\n");
    CHECK_EQ_STR(rewritten("", "", &out), "");
    CHECK_EQ_STR(rewritten("requirepass \"a \\\"b\\\\\"\ntimeout 3\n", "timeout 1\ntimeout 2\n", &out),
                 "timeout 3\n# Generated by CONFIG REWRITE\nrequirepass \"a \\\"b\\\\\"\n");
    /* Blanks that reading would lose are quoted (found by the fuzzer). */
    CHECK_EQ_STR(rewritten("bind 1.1.1.1 \"\"\n", "bind 2.2.2.2\n", &out), "bind \"1.1.1.1 \"\n");
    CHECK_EQ_STR(rewritten("requirepass \" a\"\n", "requirepass b\n", &out), "requirepass \" a\"\n");
    CHECK_EQ_STR(rewritten("requirepass \"a  b\"\n", "requirepass b\n", &out), "requirepass \"a  b\"\n");
    CHECK_EQ_STR(rewritten("requirepass \"a b\"\n", "requirepass b\n", &out), "requirepass a b\n");
    /* A name in quotes is a name (found by the fuzzer). */
    CHECK_EQ_STR(rewritten("port 7001\n", "port 7000\n\"port\" 7002\nport\"\" 7003\n", &out), "port 7001\n");
    buf_deinit(&out);
}

/* What it writes means what the options were, and a second time changes nothing. */
TEST(a_rewritten_file_reads_back)
{
    struct options o;
    struct options read;
    struct buf out = {0};
    struct buf again = {0};
    struct buf why = {0};

    options_init(&o);
    CHECK_EQ_INT(set(&o, "requirepass", "p#\x01 '\"\\", &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "save", "", &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "bind", "127.0.0.1 -::1 10.0.0.1", &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "maxmemory", "123456", &why), ERR_OK);
    CHECK_EQ_INT(set(&o, "loglevel", "debug", &why), ERR_OK);
    options_rewrite(&o, slice_from_cstr("save 1 1\n"), &out);
    options_init(&read);
    CHECK_EQ_INT(options_parse_text(&read, buf_slice(&out), "f", &why), ERR_OK);
    for (size_t i = 0; i < options_count(); i++) {
        struct buf a = {0};
        struct buf b = {0};

        options_format(&o, options_at(i), &a);
        options_format(&read, options_at(i), &b);
        test_context("%s", options_at(i)->name);
        CHECK(slice_equal(buf_slice(&a), buf_slice(&b)));
        buf_deinit(&a);
        buf_deinit(&b);
    }
    test_context("");
    options_rewrite(&read, buf_slice(&out), &again);
    CHECK(slice_equal(buf_slice(&out), buf_slice(&again)));
    buf_deinit(&out);
    buf_deinit(&again);
    buf_deinit(&why);
    options_deinit(&o);
    options_deinit(&read);
}

TEST_MAIN()
