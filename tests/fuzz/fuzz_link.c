#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "node/link.h"
#include "tests/fuzz/arena.h"

/* Foreign bytes into a link. The first byte chooses what they are:
 *   bit 0, 1   side, frame MACs
 *   bit 2      the handshake is made properly first, and the bytes are frames whose sequence number and crc are put right (a
 *              fuzzer can't guess those): u32 size and flags, then as many payload bytes as it says
 * The second byte is the size of the pieces they are fed in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct peer_hello hello = {.format = PEER_FORMAT, .role = LINK_BULK, .id = 1, .address = "a:1"};

static void drain(struct link *l, size_t *failed)
{
    struct slice message;
    enum link_event event;
    uint8_t sum = 0;

    while ((event = link_next(l, &message)) != LINK_NOTHING) {
        if (event == LINK_WANT_HELLO) {
            link_answer(l, &hello);
        } else if (event == LINK_MESSAGE) {
            for (size_t i = 0; i < message.n; i++) {
                sum = (uint8_t)(sum + message.p[i]);
            }
        } else if (event == LINK_FAILED || event == LINK_REFUSED) {
            *failed = 1u + sum;
        }
    }
}

static void feed(struct link *l, struct slice bytes, size_t step, size_t *failed)
{
    for (size_t at = 0; at < bytes.n && !*failed; at += step) {
        link_feed(l, (struct slice){bytes.p + at, bytes.n - at < step ? bytes.n - at : step});
        drain(l, failed);
    }
}

static void pass(struct link *from, struct link *to)
{
    struct buf *out = link_output(from);
    size_t failed = 0;

    link_feed(to, buf_slice(out));
    buf_consume(out, buf_size(out));
    drain(to, &failed);
}

static void fuzz_frames(const uint8_t *data, size_t size, size_t step)
{
    struct link_options a = {.secret = SLICE_LITERAL("")};
    struct link_options b = {.secret = SLICE_LITERAL(""), .nonce = {1}};
    struct link *dialler = link_new_dialler(&a, &hello);
    struct link *acceptor = link_new_acceptor(&b);
    uint64_t sequence = 0;
    size_t failed = 0;

    pass(dialler, acceptor);
    pass(acceptor, dialler);
    pass(dialler, acceptor);
    while (size >= 4 && !failed) {
        struct buf frame = {0};
        size_t n = get_u32(data) & 0xffffffu;

        n = n < size - 4 ? n : size - 4;
        buf_append(&frame, data, 4);
        write_u32(&frame, 0);
        write_u64(&frame, sequence++);
        buf_append(&frame, data + 4, n);
        put_u32(frame.data + 4, crc32c(crc32c(0, frame.data, 4), frame.data + 8, 8 + n));
        feed(acceptor, buf_slice(&frame), step, &failed);
        buf_deinit(&frame);
        data += 4 + n;
        size -= 4 + n;
    }
    link_free(dialler);
    link_free(acceptor);
}

static void fuzz_bytes(const uint8_t *data, size_t size, size_t step)
{
    struct link_options o = {.secret = SLICE_LITERAL("")};
    size_t failed = 0;

    o.has_frame_mac = (data[0] & 2) != 0;
    struct link *l = data[0] & 1 ? link_new_dialler(&o, &hello) : link_new_acceptor(&o);
    feed(l, (struct slice){data + 2, size - 2}, step, &failed);
    link_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[1] + 1;
    arena_begin();
    if (data[0] & 4) {
        fuzz_frames(data + 2, size - 2, step);
    } else {
        fuzz_bytes(data, size, step);
    }
    arena_end();
    return 0;
}
