#include "http/websocket.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/sha1.h"

void ws_append_accept(struct buf *out, struct slice key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    struct buf text = {0};
    uint8_t digest[20];
    buf_append_slice(&text, key);
    buf_append(&text, guid, sizeof guid - 1);
    sha1(buf_slice(&text).p, buf_size(&text), digest);
    buf_deinit(&text);
    base64_append(out, (struct slice){digest, sizeof digest});
}

void ws_append_frame(struct buf *out, enum ws_opcode opcode, struct slice payload)
{
    buf_append_byte(out, (uint8_t)(0x80 | opcode));
    if (payload.n < 126) {
        buf_append_byte(out, (uint8_t)payload.n);
    } else if (payload.n < 65536) {
        buf_append_byte(out, 126);
        buf_append_byte(out, (uint8_t)(payload.n >> 8));
        buf_append_byte(out, (uint8_t)payload.n);
    } else {
        buf_append_byte(out, 127);
        for (int shift = 56; shift >= 0; shift -= 8) {
            buf_append_byte(out, (uint8_t)((uint64_t)payload.n >> shift));
        }
    }
    buf_append_slice(out, payload);
}

void ws_append_close(struct buf *out, unsigned code, const char *reason)
{
    struct buf payload = {0};
    buf_append_byte(&payload, (uint8_t)(code >> 8));
    buf_append_byte(&payload, (uint8_t)code);
    buf_append(&payload, reason, strlen(reason));
    ws_append_frame(out, WS_CLOSE, buf_slice(&payload));
    buf_deinit(&payload);
}

size_t ws_frame_size(struct slice at)
{
    ASSERT(at.n >= 2);
    if (at.p[1] < 126) {
        return 2 + (size_t)at.p[1];
    }
    if (at.p[1] == 126) {
        ASSERT(at.n >= 4);
        return 4 + ((size_t)at.p[2] << 8 | at.p[3]);
    }
    ASSERT(at.n >= 10);
    size_t size = 0;
    for (size_t i = 2; i < 10; i++) {
        size = size << 8 | at.p[i];
    }
    return 10 + size;
}

#ifdef HAVE_WSLAY
#include <sys/types.h>
#include <wslay/wslay.h>

const bool ws_is_built = true;

struct ws_reader {
    wslay_frame_context_ptr context;
    struct slice input; /* what wslay reads from, during ws_read */
    size_t consumed;
    bool is_in_message; /* between the frames of one */
    size_t message_size;
    uint8_t opcode;     /* of the frame under way */
    uint64_t left;      /* of its payload */
    struct buf control; /* payload of a control frame so far */
};

static ssize_t on_recv(uint8_t *out, size_t n, int flags, void *ctx)
{
    struct ws_reader *r = ctx;
    (void)flags;
    n = n < r->input.n ? n : r->input.n;
    if (n == 0) {
        return -1; /* wslay takes it for "would block" */
    }
    memcpy(out, r->input.p, n);
    r->input = slice_skip(r->input, n);
    r->consumed += n;
    return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *data, size_t n, int flags, void *ctx)
{
    (void)data;
    (void)flags;
    (void)ctx;
    return (ssize_t)n;
}

static int on_mask(uint8_t *out, size_t n, void *ctx)
{
    (void)ctx;
    memset(out, 0, n);
    return 0;
}

struct ws_reader *ws_reader_new(void)
{
    static const struct wslay_frame_callbacks callbacks = {on_send, on_recv, on_mask};
    struct ws_reader *r = mem_alloc_zero(sizeof *r);
    int status = wslay_frame_context_init(&r->context, &callbacks, r);
    ASSERT(status == 0);
    return r;
}

void ws_reader_free(struct ws_reader *r)
{
    if (r) {
        wslay_frame_context_free(r->context);
        buf_deinit(&r->control);
        mem_free(r);
    }
}

static enum ws_event bad(unsigned *code, unsigned value)
{
    *code = value;
    return WS_IS_BAD;
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

/* The header of a frame was read. WS_NEED_MORE: content. */
static enum ws_event begin_frame(struct ws_reader *r, const struct wslay_frame_iocb *io, unsigned *code)
{
    bool is_known = io->opcode <= 2 || (io->opcode >= 8 && io->opcode <= 10);
    if (!io->mask || io->rsv != 0 || !is_known) {
        return bad(code, WS_CLOSE_PROTOCOL); /* A client's frames are masked (RFC 6455 §5.1). */
    }
    r->opcode = io->opcode;
    r->left = io->payload_length;
    buf_clear(&r->control, 256);
    if (is_control(io->opcode)) {
        return io->fin && io->payload_length <= 125 ? WS_NEED_MORE : bad(code, WS_CLOSE_PROTOCOL);
    }
    if ((io->opcode == 0) != r->is_in_message) {
        return bad(code, WS_CLOSE_PROTOCOL);
    }
    r->message_size = io->opcode == 0 ? r->message_size : 0;
    if (io->payload_length > WS_MESSAGE_MAX - r->message_size) {
        return bad(code, WS_CLOSE_TOO_BIG);
    }
    r->message_size += (size_t)io->payload_length;
    r->is_in_message = !io->fin;
    return WS_NEED_MORE;
}

static enum ws_event end_frame(struct ws_reader *r, struct slice *payload, unsigned *code)
{
    *payload = buf_slice(&r->control);
    switch (r->opcode) {
    case WS_PING:
        return WS_IS_PING;
    case WS_PONG:
        return WS_IS_PONG;
    case WS_CLOSE:
        *code = payload->n >= 2 ? (unsigned)payload->p[0] << 8 | payload->p[1] : WS_CLOSE_NORMAL;
        return payload->n == 1 ? bad(code, WS_CLOSE_PROTOCOL) : WS_IS_CLOSE;
    default: /* Text, binary, continuation: what they say is of no interest. */
        return WS_IS_MESSAGE;
    }
}

enum ws_event ws_read(struct ws_reader *r, struct slice input, size_t *consumed, struct slice *payload, unsigned *code)
{
    r->input = input;
    r->consumed = 0;
    for (;;) {
        struct wslay_frame_iocb io = {0};
        bool was_between = r->left == 0;
        ssize_t n = wslay_frame_recv(r->context, &io);
        *consumed = r->consumed;
        if (n == WSLAY_ERR_WANT_READ) {
            return WS_NEED_MORE;
        }
        if (n < 0) {
            return bad(code, WS_CLOSE_PROTOCOL);
        }
        if (was_between) {
            enum ws_event event = begin_frame(r, &io, code);
            if (event != WS_NEED_MORE) {
                return event;
            }
        }
        if (is_control(r->opcode)) {
            buf_append(&r->control, io.data, io.data_length);
        }
        ASSERT(io.data_length <= r->left);
        r->left -= io.data_length;
        if (r->left == 0) {
            return end_frame(r, payload, code);
        }
    }
}

#else

const bool ws_is_built = false;

struct ws_reader *ws_reader_new(void)
{
    return NULL;
}

void ws_reader_free(struct ws_reader *r)
{
    ASSERT(!r);
}

enum ws_event ws_read(struct ws_reader *r, struct slice input, size_t *consumed, struct slice *payload, unsigned *code)
{
    (void)r;
    (void)payload;
    *consumed = input.n;
    *code = WS_CLOSE_POLICY;
    return WS_IS_BAD;
}

#endif
