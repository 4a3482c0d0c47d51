#include "base/checksum.h"

#include <stdio.h>

#include "tests/test.h"

static const char *hex(const uint8_t digest[32])
{
    static char text[65];
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static const char *sha256_hex(const void *p, size_t n)
{
    uint8_t digest[32];
    sha256(p, n, digest);
    return hex(digest);
}

/* FIPS 180-4 examples and the empty message. */
TEST(fips_180_4_vectors)
{
    static const char *const rows[][2] = {
        {"",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_EQ_STR(sha256_hex(rows[i][0], strlen(rows[i][0])), rows[i][1]);
    static uint8_t many[1000000];
    memset(many, 'a', sizeof many);
    CHECK_EQ_STR(sha256_hex(many, sizeof many),
                 "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The digest of the digests of the messages 00 01 .. of the lengths 0 to 299 (Python's hashlib): the padding
 * at every position in a block. */
TEST(every_length_around_the_blocks)
{
    static uint8_t digests[300 * 32];
    uint8_t message[300];
    for (size_t n = 0; n < 300; n++) {
        sha256(message, n, digests + 32 * n);
        message[n] = (uint8_t)n;
    }
    CHECK_EQ_STR(sha256_hex(digests, sizeof digests),
                 "df90175783c44235cf6aefd935a2c2747f42399416d16789ece339f1fd26d835");
}

static const char *hmac_hex(struct slice key, struct slice message)
{
    uint8_t digest[32];
    hmac_sha256(key, message, digest);
    return hex(digest);
}

/* RFC 4231, test cases 1 to 4, 6 and 7 (5 is about truncation). */
TEST(rfc_4231_vectors)
{
    uint8_t key[131];
    uint8_t data[50];
    memset(key, 0x0b, 20);
    CHECK_EQ_STR(hmac_hex((struct slice){key, 20}, SLICE_LITERAL("Hi There")),
                 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK_EQ_STR(hmac_hex(SLICE_LITERAL("Jefe"), SLICE_LITERAL("what do ya want for nothing?")),
                 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    CHECK_EQ_STR(hmac_hex((struct slice){key, 20}, (struct slice){data, 50}),
                 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    CHECK_EQ_STR(
        hmac_hex((struct slice){key, 131},
                 SLICE_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First")),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK_EQ_STR(
        hmac_hex((struct slice){key, 131},
                 SLICE_LITERAL("This is a test using a larger than block-size key and a larger than "
                               "block-size data. The key needs to be hashed before being used by the "
                               "HMAC algorithm.")),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    for (size_t i = 0; i < 25; i++)
        key[i] = (uint8_t)(i + 1);
    memset(data, 0xcd, sizeof data);
    CHECK_EQ_STR(hmac_hex((struct slice){key, 25}, (struct slice){data, 50}),
                 "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

TEST(hmac_of_nothing)
{
    CHECK_EQ_STR(hmac_hex((struct slice){NULL, 0}, (struct slice){NULL, 0}),
                 "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(constant_time_equality_sees_every_byte)
{
    uint8_t a[40];
    uint8_t b[40];
    memset(a, 5, sizeof a);
    memset(b, 5, sizeof b);
    CHECK(bytes_equal_constant_time(a, b, sizeof a));
    CHECK(bytes_equal_constant_time(NULL, NULL, 0));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        CHECK(!bytes_equal_constant_time(a, b, sizeof a));
        b[i] ^= 0x80;
    }
}

TEST_MAIN()
