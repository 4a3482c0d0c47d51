#include "node/peer_message.h"

#include "base/codec.h"

#define TIME_MS_MAX (1ll << 52)

void peer_envelope_encode(const struct peer_envelope *envelope, uint8_t at[PEER_ENVELOPE_BYTES])
{
    at[0] = (uint8_t)envelope->kind;
    at[1] = PEER_MESSAGE_VERSION;
    at[2] = envelope->refuses;
    at[3] = 0;
    put_u64(at + 4, (uint64_t)envelope->log_time_ms);
    put_u64(at + 12, (uint64_t)envelope->wall_ms);
    put_u64(at + 20, envelope->bulk_sent);
    put_u64(at + 28, envelope->bulk_received);
    put_u64(at + 36, envelope->applied);
    put_u32(at + 44, envelope->bulk_number);
    put_u32(at + 48, envelope->bulk_number_heard);
}

enum err peer_envelope_decode(struct slice message, struct peer_envelope *envelope, struct slice *body)
{
    if (message.n < PEER_ENVELOPE_BYTES)
        return ERR_CORRUPT;
    const uint8_t *at = message.p;
    if (at[1] != PEER_MESSAGE_VERSION || at[0] < PEER_RAFT || at[0] > PEER_KIND_LAST)
        return ERR_FORMAT;
    envelope->kind = (enum peer_kind)at[0];
    envelope->refuses = at[2];
    envelope->log_time_ms = (int64_t)get_u64(at + 4);
    envelope->wall_ms = (int64_t)get_u64(at + 12);
    envelope->bulk_sent = get_u64(at + 20);
    envelope->bulk_received = get_u64(at + 28);
    envelope->applied = get_u64(at + 36);
    envelope->bulk_number = get_u32(at + 44);
    envelope->bulk_number_heard = get_u32(at + 48);
    /* No clock is there, and nobody's arithmetic overflows. */
    if (envelope->log_time_ms < 0 || envelope->log_time_ms > TIME_MS_MAX || envelope->wall_ms < 0 ||
        envelope->wall_ms > TIME_MS_MAX)
        return ERR_CORRUPT;
    *body = slice_skip(message, PEER_ENVELOPE_BYTES);
    return ERR_OK;
}
