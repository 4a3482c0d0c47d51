#include "base/err.h"

#include "tests/test.h"

TEST(every_error_has_its_own_phrase)
{
    int count = 0;
#define COUNT(name, text)                    \
    CHECK_EQ_INT(ERR_##name, count);         \
    CHECK_EQ_STR(err_text(ERR_##name), text); \
    count++;
    ERR_MAP(COUNT)
#undef COUNT
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            CHECK(strcmp(err_text((enum err)i), err_text((enum err)j)) != 0);
    CHECK_EQ_STR(err_text((enum err)count), "unknown error");
}

TEST_MAIN()
