#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

static bool is_json(const char *text)
{
    struct slice value;
    size_t n = strlen(text);
    uint8_t *guarded = test_guard_copy(text, n);
    bool is_good = json_check((struct slice){guarded, n}, &value);
    test_guard_free(guarded, n);
    return is_good;
}

TEST(what_is_json)
{
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "1e5", "1E+5", "1.25e-7", "\"\"", "\"a\"", " 1 ", "\t\n\r 1\n",
        "[]", "[ ]", "[1]", "[1,2, 3 ]", "{}", "{ }", "{\"a\":1}", "{\"a\" : 1 , \"b\":[{}]}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"", "1e999999999", "123456789012345678901234567890",
    };
    static const char *const bad[] = {
        "", " ", "nul", "nulll", "True", "01", "-", "+1", "1.", ".5", "1e", "1e+", "1e1234567890", "\"", "\"\n\"", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ude00\"", "\"\\ud800\\u0041\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "[", "]", "[1", "[1,]", "[,1]",
        "[1 2]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\":1 \"b\":2}", "1 2", "[]]", "'a'", "NaN", "Infinity", "//", "\xef\xbb\xbf[]",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        test_context("%s", good[i]);
        CHECK(is_json(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_context("%s", bad[i]);
        CHECK(!is_json(bad[i]));
    }
    test_context("%s", "");
}

TEST(depth_has_a_bound)
{
    char text[2 * JSON_DEPTH_MAX + 8];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        CHECK_EQ_INT(is_json(text), depth == JSON_DEPTH_MAX);
    }
}

TEST(walking)
{
    struct slice value;
    struct slice name;
    struct slice item;
    struct buf seen = {0};
    REQUIRE(json_check(SLICE_LITERAL(" { \"a\" : [1, {\"x\":\"]}\\\"\"}] ,\"b\":-1.5e3,\"\\u0061\":null , \"c\":{}} "), &value));
    CHECK_EQ_INT(json_type_of(value), JSON_OBJECT);
    for (struct json_cursor at = json_begin(value); json_next(&at, &name, &item);) {
        buf_append_slice(&seen, name);
        buf_append_byte(&seen, '=');
        buf_append_slice(&seen, item);
        buf_append_byte(&seen, ';');
    }
    CHECK_EQ_SLICE(buf_slice(&seen), "\"a\"=[1, {\"x\":\"]}\\\"\"}];\"b\"=-1.5e3;\"\\u0061\"=null;\"c\"={};");
    buf_deinit(&seen);
    CHECK_EQ_UINT(json_count(value), 4);
    CHECK(json_member(value, "b", &item) && json_type_of(item) == JSON_REAL);
    CHECK(json_member(value, "a", &item) && json_type_of(item) == JSON_NULL); /* the last one */
    CHECK(!json_member(value, "d", &item));
}

static const char *unescaped(const char *text, struct buf *out)
{
    struct slice value;
    buf_clear(out, SIZE_MAX);
    if (json_check(slice_from_cstr(text), &value)) {
        json_unescape(value, out);
    }
    buf_append_byte(out, '\0');
    return (const char *)buf_slice(out).p;
}

TEST(strings_there_and_back)
{
    struct buf out = {0};
    CHECK_EQ_STR(unescaped("\"a\\u0041\\n\\/\\ud83d\\ude00\\u00e9\\u20ac\"", &out), "aA\n/\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac");
    buf_clear(&out, 0);
    json_append_string(&out, SLICE_LITERAL("q\"b\\\n\x01\x7f\xc3\xa9\xff!\0"));
    CHECK_EQ_SLICE(buf_slice(&out), "\"q\\\"b\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffd!\\u0000\"");
    struct slice value;
    CHECK(json_check(buf_slice(&out), &value));
    buf_deinit(&out);
}

static bool equal(const char *a, const char *b)
{
    struct slice left;
    struct slice right;
    REQUIRE(json_check(slice_from_cstr(a), &left) && json_check(slice_from_cstr(b), &right));
    bool is_equal = json_equal(left, right);
    CHECK_EQ_INT(json_equal(right, left), is_equal);
    return is_equal;
}

TEST(equality)
{
    static const char *const same[][2] = {
        {"1", "1"}, {"0", "-0"}, {"1.0", "1.00"}, {"1.0", "10e-1"}, {"0.0", "-0.0e7"}, {"1e2", "100.0"}, {"120e-1", "1.2E1"}, {"\"A\"", "\"\\u0041\""},
        {"\"/\"", "\"\\/\""}, {"[1, 2]", "[1,2]"}, {"{\"a\":1,\"b\":2}", "{ \"b\" : 2, \"a\" : 1 }"}, {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":{\"x\":[1,{}],\"y\":null}}", "{\"a\":{\"y\":null,\"x\":[1,{}]}}"}, {"{\"\\u0062\":1}", "{\"b\":1}"}, {"{}", "{ }"}, {"[]", "[ ]"},
    };
    static const char *const other[][2] = {
        {"1", "1.0"}, {"1", "true"}, {"1", "\"1\""}, {"1.0", "true"}, {"0", "false"}, {"null", "false"}, {"1", "2"}, {"1.5", "1.50001"}, {"-1.5", "1.5"},
        {"100", "1e2"}, {"[1,2]", "[2,1]"}, {"{\"a\":1}", "{\"a\":1.0}"}, {"{\"a\":1}", "{\"b\":1}"}, {"{\"a\":1}", "{\"a\":1,\"b\":1}"}, {"{}", "[]"}, {"[]", "[[]]"},
        {"\"a\"", "\"A\""}, {"12345678901234567890123", "12345678901234567890124"}, {"0.1", "0.1000000000000000055511151231257827"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        test_context("%s and %s", same[i][0], same[i][1]);
        CHECK(equal(same[i][0], same[i][1]));
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        test_context("%s and %s", other[i][0], other[i][1]);
        CHECK(!equal(other[i][0], other[i][1]));
    }
    test_context("%s", "");
}

/* A random value; small alphabets, so that equal ones are frequent. `style` changes how the same value is written. */
static void random_value(struct prng *values, struct prng *style, unsigned depth, struct buf *out)
{
    static const char *const scalar[] = {"null", "true", "1", "2.5", "\"a\"", "\"b\""};
    static const char *const again[] = {"null ", " true", " 1", "25e-1", "\"\\u0061\"", "\"\\u0062\""};
    uint64_t kind = prng_below(values, depth > 3 ? 6 : 8);
    if (kind < 6) {
        buf_printf(out, "%s", prng_below(style, 2) ? scalar[kind] : again[kind]);
        return;
    }
    uint64_t count = prng_below(values, 3);
    struct buf part[3] = {{0}, {0}, {0}};
    for (uint64_t i = 0; i < count; i++) {
        random_value(values, style, depth + 1, &part[i]);
    }
    bool is_object = kind == 7;
    bool is_backwards = is_object && prng_below(style, 2);
    buf_printf(out, "%s", is_object ? "{" : "[");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = is_backwards ? count - 1 - i : i;
        buf_printf(out, "%s", i > 0 ? "," : "");
        if (is_object) {
            buf_printf(out, "\"k%d\":", (int)at);
        }
        buf_append_slice(out, buf_slice(&part[at]));
        buf_deinit(&part[at]);
    }
    buf_printf(out, "%s", is_object ? "}" : "]");
}

TEST(one_value_written_in_two_ways_is_equal)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct prng values;
        struct prng style;
        struct buf text[2] = {{0}, {0}};
        struct slice value[2];
        for (size_t i = 0; i < 2; i++) {
            prng_seed(&values, seed);
            prng_seed(&style, 2 * seed + i);
            random_value(&values, &style, 0, &text[i]);
            REQUIRE(json_check(buf_slice(&text[i]), &value[i]));
        }
        test_context("%.*s and %.*s", (int)value[0].n, (const char *)value[0].p, (int)value[1].n, (const char *)value[1].p);
        CHECK(json_equal(value[0], value[1]));
        buf_deinit(&text[0]);
        buf_deinit(&text[1]);
    }
    test_context("%s", "");
}

TEST_MAIN()
