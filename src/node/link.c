#include "node/link.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"

/* The bytes between two nodes. All integers little-endian.
 *
 *   dialler                                              acceptor
 *   greeting D = magic, hello D, nonce D        ->
 *                                               <-       greeting A = magic, hello A, nonce A;  proof A (32 bytes)
 *   proof D (32 bytes), frames...               ->
 *                                               <-       frames...
 *
 *   greeting = 0xC0 'C' 'R' 'C', u8 LINK_VERSION, u16 hello size, hello, nonce (16 bytes)
 *   proof A  = HMAC-SHA-256(secret, "coracle proof of the acceptor" 0 | greeting D | greeting A)
 *   proof D  = HMAC-SHA-256(secret, "coracle proof of the dialler" 0  | greeting D | greeting A)
 *   key D, A = HMAC-SHA-256(secret, "coracle frames of the dialler" (acceptor) 0 | greeting D | greeting A), first 16 bytes
 *
 *   frame    = u32 payload size and flags, u32 crc, u64 sequence number, payload, [16 bytes of MAC]
 *              crc: CRC32C of size-and-flags, sequence number and payload
 *              MAC: SipHash-2-4-128(key of the direction, everything in front of it); only where has_frame_mac
 *   A message is one or more frames; the last one has FRAME_LAST. A frame with FRAME_REFUSAL holds a reason; then its sender closes.
 *
 * L1 Both greetings are inside every proof and key, whole: role, cluster id, both ids, expected id, addresses and both nonces. A
 *    proof made for other greetings is worth nothing here, so a recorded handshake can't be replayed: the fresh nonce of
 *    the side that is lied to is in it.
 * L2 The two sides' labels differ, so a proof can't be reflected; and a greeting that carries one's own nonce is refused.
 * L3 The acceptor proves itself first, but only after it saw the dialler's nonce. Neither side hands on a message before the
 *    other's proof held. An unproven peer learns the hello, which is no secret.
 * L4 Frames are numbered per direction from 0, and the number is under the MAC: none can be dropped, doubled, moved or sent back.
 *    With peer-auth handshake the sequence number and crc still catch accidents, but not an attacker on the path.
 * L5 Before the proof at most GREETING_BYTES_MAX are taken. Behind it a message may be LINK_MESSAGE_MAX long, but memory grows
 *    only with bytes that came.
 * L6 An empty secret takes the same path (HMAC with an empty key): same format, no protection; the options allow it on loopback only. */

#define LINK_VERSION 1
#define NONCE_BYTES 16u
#define PROOF_BYTES 32u
#define GREETING_HEAD_BYTES 7u
#define HELLO_BYTES_MAX 1024u
#define GREETING_BYTES_MAX (GREETING_HEAD_BYTES + HELLO_BYTES_MAX + NONCE_BYTES)
#define UNPROVEN_BYTES_MAX 2048u

#define FRAME_HEAD_BYTES 16u
#define FRAME_MAC_BYTES 16u
#define FRAME_LAST 0x80000000u
#define FRAME_REFUSAL 0x40000000u
#define FRAME_SIZE_MASK 0x00ffffffu
#define LINK_MESSAGE_MAX ((size_t)LIMIT_ENTRY_BYTES + ((size_t)16 << 20))

static const uint8_t link_magic[5] = {0xC0, 'C', 'R', 'C', LINK_VERSION};

enum link_state {
    LINK_STATE_GREETING, /* the peer's greeting (dialler: and proof) is awaited */
    LINK_STATE_ANSWER,   /* acceptor: link_answer is awaited */
    LINK_STATE_PROOF,    /* acceptor: the dialler's proof is awaited */
    LINK_STATE_OPEN,
    LINK_STATE_OVER,     /* failed or refused */
};

struct link {
    enum link_state state;
    bool is_dialler;
    bool has_frame_mac;
    struct slice secret;
    uint8_t nonce[NONCE_BYTES];
    struct peer_hello remote;
    struct buf transcript; /* greeting D, greeting A */
    struct siphash_key send_key;
    struct siphash_key receive_key;
    uint64_t send_sequence;
    uint64_t receive_sequence;
    struct buf input;
    size_t handed_out;     /* bytes of the input that the last message borrowed */
    struct buf message;    /* fragments so far */
    bool is_message_out;
    struct buf output;
    char error[256];
};

/* --- hello ------------------------------------------------------------------------------------ */

static void hello_encode(const struct peer_hello *h, struct buf *out)
{
    size_t n = strlen(h->address);

    write_u16(out, h->format);
    write_u16(out, h->feature_level);
    write_u8(out, (uint8_t)h->role);
    write_u64(out, h->id);
    write_u64(out, h->expected_id);
    write_u64(out, h->cluster_id);
    write_u64(out, h->incarnation);
    write_u64(out, h->list_hash);
    write_u16(out, (uint16_t)n);
    buf_append(out, h->address, n);
}

/* Bytes behind the known fields are allowed: a later version may say more, and they are under the proof. */
static bool hello_decode(struct slice bytes, struct peer_hello *h)
{
    struct reader r = reader_of(bytes);

    *h = (struct peer_hello){0};
    h->format = read_u16(&r);
    h->feature_level = read_u16(&r);
    uint8_t role = read_u8(&r);
    h->id = read_u64(&r);
    h->expected_id = read_u64(&r);
    h->cluster_id = read_u64(&r);
    h->incarnation = read_u64(&r);
    h->list_hash = read_u64(&r);
    struct slice address = read_bytes(&r, read_u16(&r));
    if (r.failed || role < LINK_CONTROL || role > LINK_PROBE || address.n >= sizeof h->address) {
        return false;
    }
    h->role = (enum link_role)role;
    if (address.n > 0) {
        if (memchr(address.p, 0, address.n)) {
            return false;
        }
        memcpy(h->address, address.p, address.n);
    }
    return true;
}

static void greeting_append(struct link *l, const struct peer_hello *mine)
{
    struct buf hello = {0};
    struct buf greeting = {0};

    hello_encode(mine, &hello);
    ASSERT(buf_size(&hello) <= HELLO_BYTES_MAX);
    buf_append(&greeting, link_magic, sizeof link_magic);
    write_u16(&greeting, (uint16_t)buf_size(&hello));
    buf_append_slice(&greeting, buf_slice(&hello));
    buf_append(&greeting, l->nonce, NONCE_BYTES);
    buf_append_slice(&l->output, buf_slice(&greeting));
    buf_append_slice(&l->transcript, buf_slice(&greeting));
    buf_deinit(&hello);
    buf_deinit(&greeting);
}

/* --- proofs and keys -------------------------------------------------------------------------- */

static void link_hmac(const struct link *l, const char *label, uint8_t out[32])
{
    struct buf message = {0};

    buf_append(&message, label, strlen(label) + 1);
    buf_append_slice(&message, buf_slice(&l->transcript));
    hmac_sha256(l->secret, buf_slice(&message), out);
    buf_deinit(&message);
}

static const char *proof_label(bool of_dialler)
{
    return of_dialler ? "coracle proof of the dialler" : "coracle proof of the acceptor";
}

static void link_append_proof(struct link *l)
{
    uint8_t proof[PROOF_BYTES];

    link_hmac(l, proof_label(l->is_dialler), proof);
    buf_append(&l->output, proof, sizeof proof);
}

static bool link_proof_holds(const struct link *l, const uint8_t *theirs)
{
    uint8_t proof[PROOF_BYTES];

    link_hmac(l, proof_label(!l->is_dialler), proof);
    return bytes_equal_constant_time(proof, theirs, sizeof proof);
}

static void link_derive_keys(struct link *l)
{
    uint8_t of_dialler[32];
    uint8_t of_acceptor[32];

    link_hmac(l, "coracle frames of the dialler", of_dialler);
    link_hmac(l, "coracle frames of the acceptor", of_acceptor);
    memcpy(l->send_key.bytes, l->is_dialler ? of_dialler : of_acceptor, sizeof l->send_key.bytes);
    memcpy(l->receive_key.bytes, l->is_dialler ? of_acceptor : of_dialler, sizeof l->receive_key.bytes);
}

/* --- making and ending ------------------------------------------------------------------------ */

static struct link *link_new(const struct link_options *options, bool is_dialler)
{
    struct link *l = mem_alloc_zero(sizeof *l);

    l->is_dialler = is_dialler;
    l->has_frame_mac = options->has_frame_mac;
    l->secret = options->secret;
    memcpy(l->nonce, options->nonce, NONCE_BYTES);
    return l;
}

struct link *link_new_dialler(const struct link_options *options, const struct peer_hello *mine)
{
    struct link *l = link_new(options, true);

    greeting_append(l, mine);
    return l;
}

struct link *link_new_acceptor(const struct link_options *options)
{
    return link_new(options, false);
}

void link_free(struct link *l)
{
    if (!l) {
        return;
    }
    buf_deinit(&l->transcript);
    buf_deinit(&l->input);
    buf_deinit(&l->message);
    buf_deinit(&l->output);
    mem_free(l);
}

const struct peer_hello *link_remote(const struct link *l)
{
    return &l->remote;
}

const char *link_error(const struct link *l)
{
    return l->error;
}

struct buf *link_output(struct link *l)
{
    return &l->output;
}

size_t link_pending_bytes(const struct link *l)
{
    size_t whole = l->handed_out + (l->is_message_out ? buf_size(&l->message) : 0);

    return buf_size(&l->input) + buf_size(&l->message) - whole;
}

static enum link_event link_fail(struct link *l, const char *why)
{
    l->state = LINK_STATE_OVER;
    (void)snprintf(l->error, sizeof l->error, "%s", why);
    return LINK_FAILED;
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* The size of the greeting at the front of the input; 0: not all of it (and `extra` bytes) is there; SIZE_MAX: nonsense. */
static size_t greeting_size(const struct link *l, size_t extra)
{
    struct slice in = buf_slice(&l->input);
    size_t checked = in.n < sizeof link_magic ? in.n : sizeof link_magic;

    if (checked > 0 && memcmp(in.p, link_magic, checked) != 0) {
        return SIZE_MAX;
    }
    if (in.n < GREETING_HEAD_BYTES) {
        return 0;
    }
    size_t hello_size = get_u16(in.p + 5);
    if (hello_size > HELLO_BYTES_MAX) {
        return SIZE_MAX;
    }
    size_t size = GREETING_HEAD_BYTES + hello_size + NONCE_BYTES;
    return in.n < size + extra ? 0 : size;
}

/* Takes the greeting of `size` bytes into remote and transcript; false: it is no good. */
static bool greeting_take(struct link *l, size_t size)
{
    struct slice in = buf_slice(&l->input);
    struct slice hello = {in.p + GREETING_HEAD_BYTES, size - GREETING_HEAD_BYTES - NONCE_BYTES};
    const uint8_t *nonce = in.p + size - NONCE_BYTES;

    if (!hello_decode(hello, &l->remote)) {
        return false;
    }
    if (bytes_equal_constant_time(nonce, l->nonce, NONCE_BYTES)) {
        COVER("link: a greeting reflected");
        return false;
    }
    buf_append(&l->transcript, in.p, size);
    buf_consume(&l->input, size);
    return true;
}

#define WRONG_PROOF "its proof is wrong; the nodes' cluster-secret-file must hold the same secret"

static enum link_event link_open(struct link *l)
{
    link_derive_keys(l);
    buf_deinit(&l->transcript);
    l->state = LINK_STATE_OPEN;
    return LINK_UP;
}

static enum link_event link_on_greeting(struct link *l)
{
    size_t size = greeting_size(l, l->is_dialler ? PROOF_BYTES : 0);

    if (size == SIZE_MAX || (size == 0 && buf_size(&l->input) > UNPROVEN_BYTES_MAX)) {
        return link_fail(l, "it does not speak this version of the peer protocol");
    }
    if (size == 0) {
        return LINK_NOTHING;
    }
    if (!greeting_take(l, size)) {
        return link_fail(l, "its greeting is damaged or our own");
    }
    if (!l->is_dialler) {
        l->state = LINK_STATE_ANSWER;
        return LINK_WANT_HELLO;
    }
    if (!link_proof_holds(l, buf_slice(&l->input).p)) {
        return link_fail(l, WRONG_PROOF);
    }
    buf_consume(&l->input, PROOF_BYTES);
    link_append_proof(l);
    return link_open(l);
}

void link_answer(struct link *l, const struct peer_hello *mine)
{
    ASSERT(l->state == LINK_STATE_ANSWER);
    greeting_append(l, mine);
    link_append_proof(l);
    l->state = LINK_STATE_PROOF;
}

static enum link_event link_on_proof(struct link *l)
{
    if (buf_size(&l->input) < PROOF_BYTES) {
        return LINK_NOTHING;
    }
    if (!link_proof_holds(l, buf_slice(&l->input).p)) {
        return link_fail(l, WRONG_PROOF);
    }
    buf_consume(&l->input, PROOF_BYTES);
    return link_open(l);
}

/* --- frames ----------------------------------------------------------------------------------- */

static uint32_t frame_crc(const uint8_t *frame, size_t payload_size)
{
    uint32_t crc = crc32c(0, frame, 4);

    return crc32c(crc, frame + 8, 8 + payload_size);
}

/* Where a sender is in its parts. */
struct part_cursor {
    const struct slice *part;
    size_t offset;
};

static void parts_copy(struct part_cursor *at, uint8_t *to, size_t n)
{
    while (n > 0) {
        size_t left = at->part->n - at->offset;
        size_t step = left < n ? left : n;

        if (step > 0) {
            memcpy(to, at->part->p + at->offset, step);
            to += step;
            n -= step;
            at->offset += step;
        }
        if (at->offset == at->part->n) {
            at->part++;
            at->offset = 0;
        }
    }
}

static void frame_append(struct link *l, struct part_cursor *at, size_t n, uint32_t flags)
{
    uint8_t *frame = buf_reserve(&l->output, FRAME_HEAD_BYTES + n + FRAME_MAC_BYTES);

    put_u32(frame, (uint32_t)n | flags);
    put_u64(frame + 8, l->send_sequence++);
    parts_copy(at, frame + FRAME_HEAD_BYTES, n);
    put_u32(frame + 4, frame_crc(frame, n));
    size_t size = FRAME_HEAD_BYTES + n;
    if (l->has_frame_mac) {
        siphash128(&l->send_key, frame, size, frame + size);
        size += FRAME_MAC_BYTES;
    }
    buf_commit(&l->output, size);
}

void link_send(struct link *l, const struct slice *part, size_t part_count)
{
    struct part_cursor at = {part, 0};
    size_t left = 0;

    if (l->state != LINK_STATE_OPEN) {
        return;
    }
    for (size_t i = 0; i < part_count; i++) {
        left += part[i].n;
    }
    ASSERT(left <= LINK_MESSAGE_MAX);
    /* Once for all frames: growing again and again would copy a big message several times. */
    (void)buf_reserve(&l->output, left + (left / LIMIT_FRAME_BYTES + 1) * (FRAME_HEAD_BYTES + FRAME_MAC_BYTES));
    while (left > LIMIT_FRAME_BYTES) {
        frame_append(l, &at, LIMIT_FRAME_BYTES, 0);
        left -= LIMIT_FRAME_BYTES;
    }
    frame_append(l, &at, left, FRAME_LAST);
}

void link_refuse(struct link *l, const char *reason)
{
    struct slice text = slice_from_cstr(reason);
    struct part_cursor at = {&text, 0};

    if (l->state == LINK_STATE_OPEN) {
        text.n = text.n < sizeof l->error - 1 ? text.n : sizeof l->error - 1;
        frame_append(l, &at, text.n, FRAME_LAST | FRAME_REFUSAL);
    }
}

/* The frame at the front of the input is whole: does it belong here? */
static bool frame_is_good(struct link *l, const uint8_t *frame, size_t payload_size)
{
    if (l->has_frame_mac) {
        uint8_t mac[FRAME_MAC_BYTES];

        siphash128(&l->receive_key, frame, FRAME_HEAD_BYTES + payload_size, mac);
        if (!bytes_equal_constant_time(mac, frame + FRAME_HEAD_BYTES + payload_size, sizeof mac)) {
            return false;
        }
    }
    return get_u64(frame + 8) == l->receive_sequence && get_u32(frame + 4) == frame_crc(frame, payload_size);
}

static enum link_event link_on_refusal(struct link *l, struct slice text)
{
    size_t n = text.n < sizeof l->error - 1 ? text.n : sizeof l->error - 1;

    l->state = LINK_STATE_OVER;
    for (size_t i = 0; i < n; i++) {
        /* It goes into a log line. */
        l->error[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? (char)text.p[i] : '?';
    }
    l->error[n] = '\0';
    return LINK_REFUSED;
}

static enum link_event link_on_frame(struct link *l, struct slice *message)
{
    for (;;) {
        struct slice in = buf_slice(&l->input);

        if (in.n < FRAME_HEAD_BYTES) {
            return LINK_NOTHING;
        }
        uint32_t head = get_u32(in.p);
        size_t payload_size = head & FRAME_SIZE_MASK;
        size_t size = FRAME_HEAD_BYTES + payload_size + (l->has_frame_mac ? FRAME_MAC_BYTES : 0);
        if (payload_size > LIMIT_FRAME_BYTES || (head & ~(FRAME_LAST | FRAME_REFUSAL | FRAME_SIZE_MASK)) != 0) {
            return link_fail(l, "it sent a frame that is too big");
        }
        if (in.n < size) {
            return LINK_NOTHING;
        }
        if (!frame_is_good(l, in.p, payload_size)) {
            return link_fail(l, "it sent a damaged or forged frame; peer-auth must be the same on all nodes");
        }
        l->receive_sequence++;
        struct slice payload = {in.p + FRAME_HEAD_BYTES, payload_size};
        if (head & FRAME_REFUSAL) {
            return link_on_refusal(l, payload);
        }
        if ((head & FRAME_LAST) && buf_size(&l->message) == 0) {
            *message = payload;
            l->handed_out = size;
            return LINK_MESSAGE;
        }
        if (payload_size > LINK_MESSAGE_MAX - buf_size(&l->message)) {
            return link_fail(l, "it sent a message that is too big");
        }
        buf_append_slice(&l->message, payload);
        buf_consume(&l->input, size);
        if (head & FRAME_LAST) {
            *message = buf_slice(&l->message);
            l->is_message_out = true;
            return LINK_MESSAGE;
        }
    }
}

/* The last message's bytes were borrowed until now. */
static void link_take_back(struct link *l)
{
    if (l->handed_out > 0) {
        buf_consume(&l->input, l->handed_out);
        l->handed_out = 0;
    }
    if (l->is_message_out) {
        buf_clear(&l->message, 4u * LIMIT_FRAME_BYTES);
        l->is_message_out = false;
    }
    if (buf_size(&l->input) == 0) {
        buf_clear(&l->input, 4u * LIMIT_FRAME_BYTES);
    }
}

void link_feed(struct link *l, struct slice bytes)
{
    link_take_back(l);
    if (l->state != LINK_STATE_OVER) {
        buf_append_slice(&l->input, bytes);
    }
}

enum link_event link_next(struct link *l, struct slice *message)
{
    link_take_back(l);
    switch (l->state) {
    case LINK_STATE_GREETING:
        return link_on_greeting(l);
    case LINK_STATE_ANSWER:
        return buf_size(&l->input) > UNPROVEN_BYTES_MAX ? link_fail(l, "it talks before it is answered") : LINK_NOTHING;
    case LINK_STATE_PROOF:
        return link_on_proof(l);
    case LINK_STATE_OPEN:
        return link_on_frame(l, message);
    case LINK_STATE_OVER:
        break;
    }
    return LINK_NOTHING;
}
