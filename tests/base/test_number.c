#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/test.h"

#include "base/prng.h"

TEST(parse_i64_accepts_canonical_decimals)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"1", 1},
        {"-1", -1},
        {"10", 10},
        {"-90", -90},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775807", -INT64_MAX},
        {"1000000000000000000", 1000000000000000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 42;
        test_context("%s", rows[i].text);
        CHECK(number_parse_i64(slice_from_cstr(rows[i].text), &value));
        CHECK_EQ_INT(value, rows[i].value);
    }
}

TEST(parse_i64_refuses_everything_else)
{
    static const char *const rows[] = {
        "",     "-",    "+1",  "01",  "-01", "-0", "00",  " 1",  "1 ",
        "1.0",  "1e3",  "0x1", "a",   "1a",  "--1", "-+1", "\n1", "1\n",
        "9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "99999999999999999999", "100000000000000000000", "-18446744073709551616",
        "123456789012345678901234567890", ":", "/", "1:", "1/",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 42;
        test_context("'%s'", rows[i]);
        CHECK(!number_parse_i64(slice_from_cstr(rows[i]), &value));
        CHECK_EQ_INT(value, 42);
    }
    int64_t value = 42;
    CHECK(!number_parse_i64(SLICE_LITERAL("1\0"), &value));
    CHECK(!number_parse_i64((struct slice){NULL, 0}, &value));
    CHECK_EQ_INT(value, 42);
}

TEST(parse_u64_has_the_full_range)
{
    uint64_t value = 42;
    CHECK(number_parse_u64(SLICE_LITERAL("18446744073709551615"), &value));
    CHECK_EQ_UINT(value, UINT64_MAX);
    CHECK(!number_parse_u64(SLICE_LITERAL("18446744073709551616"), &value));
    CHECK(!number_parse_u64(SLICE_LITERAL("-1"), &value));
    CHECK(!number_parse_u64(SLICE_LITERAL("28446744073709551615"), &value));
    CHECK_EQ_UINT(value, UINT64_MAX);
    CHECK(number_parse_u64(SLICE_LITERAL("0"), &value));
    CHECK_EQ_UINT(value, 0);
}

static void check_round_trip(int64_t value)
{
    char expected[32];
    char *text = (char[NUMBER_TEXT_MAX]){0};
    int64_t back = 0;
    snprintf(expected, sizeof expected, "%" PRId64, value);
    size_t n = number_format_i64(value, text);
    CHECK_EQ_BYTES(text, n, expected, strlen(expected));
    CHECK(number_parse_i64((struct slice){(const uint8_t *)text, n}, &back));
    CHECK_EQ_INT(back, value);
    snprintf(expected, sizeof expected, "%" PRIu64, (uint64_t)value);
    n = number_format_u64((uint64_t)value, text);
    CHECK_EQ_BYTES(text, n, expected, strlen(expected));
}

TEST(format_agrees_with_printf_and_parse)
{
    struct prng p;
    prng_seed(&p, 3);
    check_round_trip(0);
    check_round_trip(INT64_MIN);
    check_round_trip(INT64_MAX);
    for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10) {
        for (int64_t d = -1; d <= 1; d++) {
            check_round_trip(power + d);
            check_round_trip(-power + d);
        }
    }
    for (int i = 0; i < 2000; i++)
        check_round_trip((int64_t)(prng_next(&p) >> prng_below(&p, 64)));
}

TEST(add_and_multiply_refuse_overflow)
{
    int64_t r = 42;
    CHECK(!number_add_i64(INT64_MAX, 1, &r));
    CHECK(!number_add_i64(INT64_MIN, -1, &r));
    CHECK(!number_multiply_i64(INT64_MIN, -1, &r));
    CHECK(!number_multiply_i64(INT64_MAX / 2 + 1, 2, &r));
    CHECK_EQ_INT(r, 42);
    CHECK(number_add_i64(INT64_MAX - 1, 1, &r));
    CHECK_EQ_INT(r, INT64_MAX);
    CHECK(number_add_i64(INT64_MIN, INT64_MAX, &r));
    CHECK_EQ_INT(r, -1);
    CHECK(number_multiply_i64(-3, 7, &r));
    CHECK_EQ_INT(r, -21);
}

TEST_MAIN()
