#include "node/link.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/test.h"

/* Two ends of one link in memory. */
struct end {
    struct link *link;
    struct peer_hello hello;
    bool is_up;
    enum link_event last;
    struct buf messages; /* every message, each followed by '|' */
    struct buf sent;     /* everything it ever put out */
};

static struct peer_hello hello_of(raft_id id, enum link_role role)
{
    struct peer_hello h = {.format = PEER_FORMAT, .feature_level = PEER_FEATURE_LEVEL, .role = role, .id = id,
                           .expected_id = 7, .cluster_id = 0x1122334455667788u, .incarnation = 3, .list_hash = 99};

    (void)snprintf(h.address, sizeof h.address, "10.0.0.%d:7001", (int)id);
    return h;
}

static struct link_options options_of(const char *secret, bool has_frame_mac, uint8_t nonce)
{
    struct link_options o = {.secret = slice_from_cstr(secret), .has_frame_mac = has_frame_mac};

    memset(o.nonce, nonce, sizeof o.nonce);
    return o;
}

static void end_init(struct end *e, bool is_dialler, const char *secret, bool has_mac, uint8_t nonce)
{
    struct link_options o = options_of(secret, has_mac, nonce);

    *e = (struct end){.hello = hello_of(is_dialler ? 1 : 2, LINK_BULK)};
    e->link = is_dialler ? link_new_dialler(&o, &e->hello) : link_new_acceptor(&o);
}

static void end_deinit(struct end *e)
{
    link_free(e->link);
    buf_deinit(&e->messages);
    buf_deinit(&e->sent);
}

/* Everything the link has to say about what it was fed. */
static void end_work(struct end *e)
{
    struct slice message;

    for (;;) {
        enum link_event event = link_next(e->link, &message);

        if (event == LINK_NOTHING) {
            return;
        }
        e->last = event;
        if (event == LINK_WANT_HELLO) {
            link_answer(e->link, &e->hello);
        } else if (event == LINK_UP) {
            e->is_up = true;
        } else if (event == LINK_MESSAGE) {
            buf_append_slice(&e->messages, message);
            buf_append_byte(&e->messages, '|');
        }
    }
}

/* Moves what `from` has to say to `to`, `step` bytes at a time. */
static size_t pump(struct end *from, struct end *to, size_t step)
{
    struct buf *out = link_output(from->link);
    size_t moved = 0;

    while (buf_size(out) > 0) {
        size_t n = buf_size(out) < step ? buf_size(out) : step;

        buf_append(&from->sent, buf_slice(out).p, n);
        link_feed(to->link, (struct slice){buf_slice(out).p, n});
        buf_consume(out, n);
        end_work(to);
        moved += n;
    }
    return moved;
}

static void shake(struct end *dialler, struct end *acceptor, size_t step)
{
    while (pump(dialler, acceptor, step) + pump(acceptor, dialler, step) > 0) {
    }
}

static void send_text(struct end *e, const char *text)
{
    struct slice part[2] = {{(const uint8_t *)text, strlen(text) / 2},
                            {(const uint8_t *)text + strlen(text) / 2, strlen(text) - strlen(text) / 2}};

    link_send(e->link, part, 2);
}

TEST(handshake_and_messages_at_every_step)
{
    for (size_t step = 1; step < 600; step = step < 70 ? step + 1 : step * 2) {
        for (int mac = 0; mac <= 1; mac++) {
            struct end d, a;

            test_context("step %zu mac %d", step, mac);
            end_init(&d, true, "a secret of 16+ bytes", mac != 0, 1);
            end_init(&a, false, "a secret of 16+ bytes", mac != 0, 2);
            shake(&d, &a, step);
            REQUIRE(d.is_up && a.is_up);
            CHECK_EQ_UINT(link_remote(a.link)->id, 1);
            CHECK_EQ_UINT(link_remote(a.link)->expected_id, 7);
            CHECK_EQ_UINT(link_remote(a.link)->role, LINK_BULK);
            CHECK_EQ_UINT(link_remote(d.link)->id, 2);
            CHECK_EQ_UINT(link_remote(d.link)->cluster_id, 0x1122334455667788u);
            CHECK_EQ_STR(link_remote(d.link)->address, "10.0.0.2:7001");
            send_text(&d, "hello");
            send_text(&d, "");
            send_text(&d, "world");
            send_text(&a, "back");
            shake(&d, &a, step);
            CHECK_EQ_BYTES(buf_slice(&a.messages).p, buf_size(&a.messages), "hello||world|", 13);
            CHECK_EQ_BYTES(buf_slice(&d.messages).p, buf_size(&d.messages), "back|", 5);
            end_deinit(&d);
            end_deinit(&a);
        }
    }
    test_context("");
}

TEST(empty_secret_uses_the_same_format)
{
    struct end d, a;

    end_init(&d, true, "", true, 1);
    end_init(&a, false, "", true, 2);
    shake(&d, &a, 1000);
    CHECK(d.is_up && a.is_up);
    end_deinit(&d);
    end_deinit(&a);
}

TEST(other_secret_is_refused_by_the_dialler)
{
    struct end d, a;

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "another secret, long", true, 2);
    shake(&d, &a, 1000);
    CHECK(!d.is_up);
    CHECK(!a.is_up);
    CHECK_EQ_INT(d.last, LINK_FAILED);
    end_deinit(&d);
    end_deinit(&a);
}

/* A handshake recorded between two nodes, played to the acceptor again. */
TEST(recorded_dialler_is_refused)
{
    struct end d, a, again;

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    send_text(&d, "pay me");
    shake(&d, &a, 1000);
    REQUIRE(d.is_up && a.is_up);
    end_init(&again, false, "a secret of 16+ bytes", true, 3);
    link_feed(again.link, buf_slice(&d.sent));
    end_work(&again);
    CHECK(!again.is_up);
    CHECK_EQ_INT(again.last, LINK_FAILED);
    CHECK_EQ_UINT(buf_size(&again.messages), 0);
    end_deinit(&d);
    end_deinit(&a);
    end_deinit(&again);
}

/* And the acceptor's half to a new dialler. */
TEST(recorded_acceptor_is_refused)
{
    struct end d, a, again;

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    REQUIRE(a.is_up);
    end_init(&again, true, "a secret of 16+ bytes", true, 3);
    link_feed(again.link, buf_slice(&a.sent));
    end_work(&again);
    CHECK(!again.is_up);
    CHECK_EQ_INT(again.last, LINK_FAILED);
    end_deinit(&d);
    end_deinit(&a);
    end_deinit(&again);
}

/* What a dialler says comes back to it: as the acceptor's greeting, and through an acceptor of its own node. */
TEST(reflected_bytes_are_refused)
{
    struct end d, a;

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    struct buf *out = link_output(d.link);
    link_feed(d.link, buf_slice(out));
    uint8_t zeros[32] = {0};
    link_feed(d.link, (struct slice){zeros, sizeof zeros});
    end_work(&d);
    CHECK_EQ_INT(d.last, LINK_FAILED);
    CHECK(!d.is_up);
    end_deinit(&d);

    /* The attacker uses the acceptor's proof as the dialler's. */
    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    (void)pump(&d, &a, 1000);
    struct slice answer = buf_slice(link_output(a.link));
    REQUIRE(answer.n > 32);
    link_feed(a.link, (struct slice){answer.p + answer.n - 32, 32});
    end_work(&a);
    CHECK_EQ_INT(a.last, LINK_FAILED);
    CHECK(!a.is_up);
    end_deinit(&d);
    end_deinit(&a);
}

/* Every bit of the dialler's stream, flipped: never up with a changed hello, never a changed message. */
TEST(flipped_bits_are_found)
{
    struct end d, a;
    struct buf answer = {0};

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    send_text(&d, "precious");
    shake(&d, &a, 1000);
    buf_append_slice(&answer, buf_slice(&d.sent));
    size_t total = buf_size(&answer);
    size_t good_messages = 0;
    for (size_t bit = 0; bit < total * 8; bit++) {
        struct end victim;

        end_init(&victim, false, "a secret of 16+ bytes", true, 2);
        answer.data[answer.start + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        link_feed(victim.link, buf_slice(&answer));
        end_work(&victim);
        answer.data[answer.start + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        good_messages += buf_size(&victim.messages) > 0 ? 1 : 0;
        if (bit < (total - 32 - 16 - 8 - 16) * 8) {
            test_context("bit %zu", bit);
            CHECK(!victim.is_up);
        }
        end_deinit(&victim);
    }
    test_context("");
    CHECK_EQ_UINT(good_messages, 0);
    buf_deinit(&answer);
    end_deinit(&d);
    end_deinit(&a);
}

/* Frames: dropped, doubled, sent back. */
TEST(frames_have_their_place)
{
    for (int mac = 0; mac <= 1; mac++) {
        struct end d, a;

        test_context("mac %d", mac);
        end_init(&d, true, "a secret of 16+ bytes", mac != 0, 1);
        end_init(&a, false, "a secret of 16+ bytes", mac != 0, 2);
        shake(&d, &a, 1000);
        send_text(&d, "one");
        struct buf *out = link_output(d.link);
        link_feed(a.link, buf_slice(out));
        link_feed(a.link, buf_slice(out));
        end_work(&a);
        CHECK_EQ_INT(a.last, LINK_FAILED);
        CHECK_EQ_BYTES(buf_slice(&a.messages).p, buf_size(&a.messages), "one|", 4);
        end_deinit(&d);
        end_deinit(&a);

        end_init(&d, true, "a secret of 16+ bytes", mac != 0, 1);
        end_init(&a, false, "a secret of 16+ bytes", mac != 0, 2);
        shake(&d, &a, 1000);
        send_text(&d, "one");
        out = link_output(d.link);
        buf_consume(out, buf_size(out));
        send_text(&d, "two");
        shake(&d, &a, 1000);
        CHECK_EQ_INT(a.last, LINK_FAILED);
        CHECK_EQ_UINT(buf_size(&a.messages), 0);
        end_deinit(&d);
        end_deinit(&a);
    }
    test_context("");
    struct end d, a;
    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    send_text(&d, "one");
    link_feed(d.link, buf_slice(link_output(d.link)));
    end_work(&d);
    CHECK_EQ_INT(d.last, LINK_FAILED);
    CHECK_EQ_UINT(buf_size(&d.messages), 0);
    end_deinit(&d);
    end_deinit(&a);
}

TEST(long_messages_travel_in_fragments)
{
    size_t size = (size_t)LIMIT_FRAME_BYTES * 3 + 17;
    uint8_t *bytes = mem_alloc(size);
    struct end d, a;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    }
    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    struct slice part[3] = {{bytes, 5}, {bytes + 5, LIMIT_FRAME_BYTES}, {bytes + 5 + LIMIT_FRAME_BYTES, size - 5 - LIMIT_FRAME_BYTES}};
    link_send(d.link, part, 3);
    send_text(&d, "after");
    (void)pump(&d, &a, 1000);
    REQUIRE(buf_size(&a.messages) == size + 7);
    CHECK(memcmp(buf_slice(&a.messages).p, bytes, size) == 0);
    CHECK(memcmp(buf_slice(&a.messages).p + size, "|after|", 7) == 0);
    mem_free(bytes);
    end_deinit(&d);
    end_deinit(&a);
}

TEST(refusal_carries_its_reason)
{
    struct end d, a;

    end_init(&d, true, "a secret of 16+ bytes", true, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    link_refuse(a.link, "you belong to\nanother cluster");
    shake(&d, &a, 1);
    CHECK_EQ_INT(d.last, LINK_REFUSED);
    CHECK_EQ_STR(link_error(d.link), "you belong to?another cluster");
    end_deinit(&d);
    end_deinit(&a);
}

TEST(strangers_get_little_memory)
{
    struct end a;
    uint8_t noise[4096];

    memset(noise, 'x', sizeof noise);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    link_feed(a.link, (struct slice){noise, 1});
    end_work(&a);
    CHECK_EQ_INT(a.last, LINK_FAILED);
    end_deinit(&a);

    static const uint8_t head[] = {0xC0, 'C', 'R', 'C', 1, 0xff, 0xff};
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    link_feed(a.link, (struct slice){head, sizeof head});
    end_work(&a);
    CHECK_EQ_INT(a.last, LINK_FAILED);
    end_deinit(&a);

    static const uint8_t other_version[] = {0xC0, 'C', 'R', 'C', 2};
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    link_feed(a.link, (struct slice){other_version, sizeof other_version});
    end_work(&a);
    CHECK_EQ_INT(a.last, LINK_FAILED);
    end_deinit(&a);
}

TEST(different_peer_auth_is_noticed)
{
    struct end d, a;

    end_init(&d, true, "a secret of 16+ bytes", false, 1);
    end_init(&a, false, "a secret of 16+ bytes", true, 2);
    shake(&d, &a, 1000);
    send_text(&d, "long enough to be taken for a frame with its MAC");
    shake(&d, &a, 1000);
    send_text(&d, "long enough to be taken for a frame with its MAC");
    shake(&d, &a, 1000);
    CHECK_EQ_INT(a.last, LINK_FAILED);
    CHECK_EQ_UINT(buf_size(&a.messages), 0);
    end_deinit(&d);
    end_deinit(&a);
}

TEST_MAIN()
