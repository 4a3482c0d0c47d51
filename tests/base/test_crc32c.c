#include "base/checksum.h"

#include "tests/test.h"

#include "base/checksum_internal.h"
#include "base/prng.h"

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
TEST(rfc_3720_vectors)
{
    uint8_t p[32];
    CHECK_EQ_UINT(crc32c(0, "123456789", 9), 0xe3069283);
    memset(p, 0, sizeof p);
    CHECK_EQ_UINT(crc32c(0, p, sizeof p), 0x8a9136aa);
    memset(p, 0xff, sizeof p);
    CHECK_EQ_UINT(crc32c(0, p, sizeof p), 0x62a8ab43);
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)i;
    CHECK_EQ_UINT(crc32c(0, p, sizeof p), 0x46dd794e);
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(31 - i);
    CHECK_EQ_UINT(crc32c(0, p, sizeof p), 0x113fdb5c);
    CHECK_EQ_UINT(crc32c(0, NULL, 0), 0);
}

TEST(software_has_the_same_vectors)
{
    CHECK_EQ_UINT(crc32c_software(0, "123456789", 9), 0xe3069283);
    CHECK_EQ_UINT(crc32c_software(0x1234, "", 0), 0x1234);
}

/* All lengths and alignments up to a few words, then random ones. */
TEST(hardware_agrees_with_software)
{
    static uint8_t p[5000];
    struct prng random;
    prng_seed(&random, 11);
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)prng_next(&random);
    CHECK_EQ_UINT(crc32c(7, p, 100), crc32c_software(7, p, 100));
    if (!crc32c_has_hardware())
        return;
    for (size_t at = 0; at < 9; at++)
        for (size_t n = 0; n < 40; n++)
            CHECK_EQ_UINT(crc32c_hardware(5, p + at, n), crc32c_software(5, p + at, n));
    for (int i = 0; i < 300; i++) {
        size_t at = (size_t)prng_below(&random, 1000);
        size_t n = (size_t)prng_below(&random, 4000);
        uint32_t crc = (uint32_t)prng_next(&random);
        CHECK_EQ_UINT(crc32c_hardware(crc, p + at, n), crc32c_software(crc, p + at, n));
    }
}

TEST(chained_parts_equal_the_whole)
{
    const char *text = "The quick brown fox jumps over the lazy dog, twice.";
    size_t n = strlen(text);
    uint32_t whole = crc32c(0, text, n);
    for (size_t cut = 0; cut <= n; cut++)
        CHECK_EQ_UINT(crc32c(crc32c(0, text, cut), text + cut, n - cut), whole);
}

TEST(reads_no_byte_too_many)
{
    uint8_t p[64] = {1, 2, 3};
    for (size_t n = 0; n <= sizeof p; n++) {
        uint8_t *copy = test_guard_copy(p, n);
        CHECK_EQ_UINT(crc32c(0, copy, n), crc32c_software(0, p, n));
        test_guard_free(copy, n);
    }
}

TEST_MAIN()
