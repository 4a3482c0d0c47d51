#include "base/checksum.h"

#include "tests/test.h"

#include "base/codec.h"

/* The authors' vectors (github.com/veorq/SipHash, vectors.h): key 00 01 .. 0f, message 00 01 .. of
 * each length from 0 to 63. Read as little-endian words. */

static const uint64_t vectors_64[64] = {
    /* clang-format off */
    0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
    0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
    0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
    0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
    0x3f2acc7f57c29bdbu, 0x699ae9f52cbe4794u, 0x4bc1b3f0968dd39cu, 0xbb6dc91da77961bdu,
    0xbed65cf21aa2ee98u, 0xd0f2cbb02e3b67c7u, 0x93536795e3a33e88u, 0xa80c038ccd5ccec8u,
    0xb8ad50c6f649af94u, 0xbce192de8a85b8eau, 0x17d835b85bbb15f3u, 0x2f2e6163076bcfadu,
    0xde4daaaca71dc9a5u, 0xa6a2506687956571u, 0xad87a3535c49ef28u, 0x32d892fad841c342u,
    0x7127512f72f27cceu, 0xa7f32346f95978e3u, 0x12e0b01abb051238u, 0x15e034d40fa197aeu,
    0x314dffbe0815a3b4u, 0x027990f029623981u, 0xcadcd4e59ef40c4du, 0x9abfd8766a33735cu,
    0x0e3ea96b5304a7d0u, 0xad0c42d6fc585992u, 0x187306c89bc215a9u, 0xd4a60abcf3792b95u,
    0xf935451de4f21df2u, 0xa9538f0419755787u, 0xdb9acddff56ca510u, 0xd06c98cd5c0975ebu,
    0xe612a3cb9ecba951u, 0xc766e62cfcadaf96u, 0xee64435a9752fe72u, 0xa192d576b245165au,
    0x0a8787bf8ecb74b2u, 0x81b3e73d20b49b6fu, 0x7fa8220ba3b2eceau, 0x245731c13ca42499u,
    0xb78dbfaf3a8d83bdu, 0xea1ad565322a1a0bu, 0x60e61c23a3795013u, 0x6606d7e446282b93u,
    0x6ca4ecb15c5f91e1u, 0x9f626da15c9625f3u, 0xe51b38608ef25f57u, 0x958a324ceb064572u,
    /* clang-format on */
};

static const uint64_t vectors_128[128] = {
    /* clang-format off */
    0xe6a825ba047f81a3u, 0x930255c71472f66du, 0x44af996bd8c187dau, 0x45fc229b11597634u,
    0xc75da4a48d227781u, 0xe4ff0af6de8ba3fcu, 0x4ea967520cb6709cu, 0x51ed8529b0b6335fu,
    0xaf8f9c2dc16481f8u, 0x7955cd7b7c6e0f7du, 0x886f778059876813u, 0x27960e69077a5254u,
    0x1386208b33caee14u, 0x5ea1d78f30a05e48u, 0x53c1dbd8beebf1a1u, 0x3982f01fa64ab8c0u,
    0x61f55862baa9623bu, 0xb49714f364e2830fu, 0xabbad90a06994426u, 0xed716dbb028b7fc4u,
    0x56691478c30d1100u, 0xbafbd0f3d34754c9u, 0x77666b3868c55101u, 0x18dce5816fdcb4a2u,
    0x58f35e9066b226d6u, 0x25c13285f64d6382u, 0x108bc0e947e26998u, 0xf752b9c44f9329d0u,
    0x9cded766aceffc31u, 0x024949e45f48c77eu, 0x11a8b03399e99354u, 0xd9c3cf970fec087eu,
    0xbb54b067caa4e26eu, 0x77052385bf1533fdu, 0x98b88d73e8063d47u, 0x4077e47ac466c054u,
    0x8548bf23e4e526a4u, 0x23f7aefe81a44d29u, 0xb0fa65cf31770178u, 0xb12e51528920d574u,
    0x7390223f83fc259eu, 0xeb3938e8a544933eu, 0x215a52be5a498e56u, 0x121d073ecd14228au,
    0x9a6bd15245b5294au, 0xae0aff8e52109c46u, 0xe0f5a9d5dd84d1c9u, 0x1c69bf9a9ae28ccfu,
    0xd850bd78ae79b42du, 0xad32618a178a2a88u, 0x7b445e2d045fce8eu, 0x6f8f8dcbeab95150u,
    0xe807c3b3b4530b9cu, 0x661f147886e0ae7eu, 0xe4eaa669af48f2abu, 0x94eb9e122febd3bfu,
    0x884b576816da6406u, 0xf4ae587302f335b9u, 0xe97d33bfc49d4baau, 0xb76a7c463cfdd40cu,
    0xde6baf1f477f5ceau, 0x87226d68d4d71a2bu, 0xfcfa233218b03929u, 0x353dc4524fde2317u,
    0x3efcea5eca56397cu, 0x68eb4665559d3e36u, 0x321cf0467107c677u, 0xcfffa94e5f9db6b6u,
    0xdf7e84b86c98a637u, 0xde549b30f1f02509u, 0xf9a8a99de6f005a7u, 0xc88c3c922e1a2407u,
    0x4648c4291f7dc43du, 0x11674f90ed769e1eu, 0x1a0efce601bf620du, 0x2b69d3c551473c0du,
    0x9e667cca8b46038cu, 0xb5e7be4b085efde4u, 0x9c2caf3bb95b8a52u, 0xd92bd2d0e5cc7344u,
    0xad5dc9951e306adfu, 0xd83b91c6c80cae97u, 0x397f852c90891180u, 0xdbb6705e289135e7u,
    0xbb31c2c96a3417e6u, 0x5b0ccacc34ae5036u, 0xaa21b7ef3734d927u, 0x89df5aecdc211840u,
    0x785e9ced9d7d2389u, 0x4273cc66b1c9b1d8u, 0x657d5ebf91806d4au, 0x4cb150a294fa8911u,
    0x89aee75560f9330eu, 0x022949cf3d0efc3fu, 0xd1190b722b431ce6u, 0x1b1563dc4bd8c88eu,
    0xcf82f749f5aee5f7u, 0x169b2608a6559037u, 0x4fa5b7d00f038d43u, 0x03641a20adf237a8u,
    0xe304bf4feed390a5u, 0x3f4286f2270d7e24u, 0xc493fe72a1c1e25fu, 0x38f5f9ae7cd35cb1u,
    0x6eb306bd5c32972cu, 0x7c013a8bd03d13b2u, 0x94ca6b7a2214c892u, 0x9ed32a009f65f09fu,
    0x8c32d80b1150e8dcu, 0x871d91d64108d5fbu, 0x1279dac78449f167u, 0xda832592b52be348u,
    0xe94ed572cff23819u, 0x362a1da96f16947eu, 0xfe49ed46961e4874u, 0x8e6904163024620fu,
    0xd8d6a998dea5fc57u, 0x1d8a3d58d0386400u, 0xbe1cdcef1cdeec9fu, 0x595357d9743676d4u,
    0x53f128eb000c04e3u, 0x40e772d8cb73ca66u, 0xfe1d836a9a009776u, 0x7a0f6793591ca9ccu,
    0xa067f52123545358u, 0xbd5947f0a447d505u, 0x4a83502f77d15051u, 0x7cbd3f979a063e50u,
    /* clang-format on */
};

/* SipHash-1-3; the first ones are also those of the Rust standard library's tests. */
static const uint64_t vectors_fast[64] = {
    /* clang-format off */
    0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu,
    0xcf75576088d38328u, 0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u,
    0x369095118d299a8eu, 0x25a48eb36c063de4u, 0x79de85ee92ff097fu, 0x70c118c1f94dc352u,
    0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u, 0xd320d86d2a519956u,
    0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu, 0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu,
    0xc0dc2f46a6cce040u, 0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
    0xf464aeb267349c8cu, 0x45cd5928705b0979u, 0x3a3e35e3ca9913a5u, 0xa91dc74e4ade3b35u,
    0xfb0bed02ef6cd00du, 0x88d93cb44ab1e1f4u, 0x540f11d643c5e663u, 0x2370dd1f8c21d1bcu,
    0x81157b6c16a7b60du, 0x4d54b9e57a8ff9bfu, 0x759f12781f2a753eu, 0xcea1a3bebf186b91u,
    0x2cf508d3ada26206u, 0xb6101c2da3c33057u, 0xb3f47496ae3a36a1u, 0x626b57547b108392u,
    0xc1d2363299e41531u, 0x667cc1923f1ad944u, 0x65704ffec8138825u, 0x24f280d1c28949a6u,
    0xc2ca1cedfaf8876bu, 0xc2164bfc9f042196u, 0xa16e9c9368b1d623u, 0x49fb169c8b5114fdu,
    0x9f3143f8df074c46u, 0xc6fdaf2412cc86b3u, 0x7eaf49d10a52098fu, 0x1cf313559d292f9au,
    0xc44a30dda2f41f12u, 0x36fae98943a71ed0u, 0x318fb34c73f0bce6u, 0xa27abf3670a7e980u,
    0xb4bcc0db243c6d75u, 0x23f8d852fdb71513u, 0x8f035f4da67d8a08u, 0xd89cd0e5b7e8f148u,
    0xf6f4e6bcf7a644eeu, 0xaec59ad80f1837f2u, 0xc3b2f6154b6694e0u, 0x9d199062b7bbb3a8u,
    /* clang-format on */
};

static const struct siphash_key reference_key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

TEST(reference_vectors_of_every_length)
{
    uint8_t message[64];
    for (unsigned n = 0; n < 64; n++) {
        message[n] = (uint8_t)n;
        /* A guard page, since the last word is assembled from what is left. */
        uint8_t *copy = test_guard_copy(message, n);
        uint8_t wide[16];
        siphash128(&reference_key, copy, n, wide);
        test_context("length %u", n);
        CHECK_EQ_UINT(siphash64(&reference_key, copy, n), vectors_64[n]);
        CHECK_EQ_UINT(siphash64_fast(&reference_key, copy, n), vectors_fast[n]);
        CHECK_EQ_UINT(get_u64(wide), vectors_128[2 * (size_t)n]);
        CHECK_EQ_UINT(get_u64(wide + 8), vectors_128[2 * (size_t)n + 1]);
        test_guard_free(copy, n);
    }
}

TEST(every_key_bit_counts)
{
    uint64_t plain = siphash64_fast(&reference_key, "abc", 3);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct siphash_key key = reference_key;
        key.bytes[bit / 8] = (uint8_t)(key.bytes[bit / 8] ^ (1u << (bit % 8)));
        CHECK(siphash64_fast(&key, "abc", 3) != plain);
    }
}

TEST(null_of_no_bytes)
{
    CHECK_EQ_UINT(siphash64(&reference_key, NULL, 0), vectors_64[0]);
}

TEST_MAIN()
