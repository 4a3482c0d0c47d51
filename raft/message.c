#include "raft/message.h"

#include <string.h>

#include "base/buf.h"
#include "base/codec.h"

/* u8 version, u8 type, u64 term, then the fields of the type in the order of struct raft_message,
 * integers little-endian, booleans one byte of 0 or 1. An append's entries follow back to back up
 * to the end, a chunk's data behind their u32 length. */
#define MESSAGE_VERSION 1

static void encode_append(const struct raft_message *message, struct buf *out)
{
    write_u64(out, message->u.append.prev_index);
    write_u64(out, message->u.append.prev_term);
    write_u64(out, message->u.append.commit);
    write_u32(out, message->u.append.entry_count);
}

static void encode_append_ack(const struct raft_message *message, struct buf *out)
{
    write_u8(out, message->u.append_ack.is_success ? 1 : 0);
    write_u64(out, message->u.append_ack.prev_index);
    write_u64(out, message->u.append_ack.match);
    write_u64(out, message->u.append_ack.hint_index);
    write_u64(out, message->u.append_ack.hint_term);
}

static void encode_vote_request(const struct raft_message *message, struct buf *out)
{
    write_u64(out, message->u.vote_request.campaign_term);
    write_u64(out, message->u.vote_request.last_term);
    write_u64(out, message->u.vote_request.last_index);
    write_u8(out, message->u.vote_request.is_transfer ? 1 : 0);
}

static void encode_heartbeat(const struct raft_message *message, struct buf *out)
{
    write_u64(out, message->u.heartbeat.round);
    write_u64(out, message->u.heartbeat.commit);
    write_u32(out, message->u.heartbeat.lease_us);
    write_u64(out, message->u.heartbeat.bulk_sent);
}

static void encode_snapshot_id(const struct raft_snapshot_id *id, struct buf *out)
{
    write_u64(out, id->index);
    write_u64(out, id->term);
    write_u32(out, id->crc);
    write_u64(out, id->size);
}

void raft_message_encode_head(const struct raft_message *message, struct buf *out)
{
    write_u8(out, MESSAGE_VERSION);
    write_u8(out, (uint8_t)message->type);
    write_u64(out, message->term);
    switch (message->type) {
    case RAFT_PREVOTE_REQUEST:
    case RAFT_VOTE_REQUEST:
        encode_vote_request(message, out);
        break;
    case RAFT_PREVOTE_REPLY:
    case RAFT_VOTE_REPLY:
        write_u64(out, message->u.vote_reply.campaign_term);
        write_u8(out, message->u.vote_reply.is_granted ? 1 : 0);
        break;
    case RAFT_HEARTBEAT:
        encode_heartbeat(message, out);
        break;
    case RAFT_HEARTBEAT_ACK:
        write_u64(out, message->u.heartbeat_ack.round);
        write_u64(out, message->u.heartbeat_ack.bulk_received);
        break;
    case RAFT_COMMIT:
        write_u64(out, message->u.commit.commit);
        break;
    case RAFT_APPEND_ACK:
        encode_append_ack(message, out);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    case RAFT_REMOVED:
        write_u64(out, message->u.removed.conf_index);
        break;
    case RAFT_APPEND:
        encode_append(message, out);
        break;
    case RAFT_SNAPSHOT:
        encode_snapshot_id(&message->u.snapshot.id, out);
        write_u64(out, message->u.snapshot.offset);
        write_u32(out, (uint32_t)message->u.snapshot.data.n);
        break;
    case RAFT_SNAPSHOT_ACK:
        encode_snapshot_id(&message->u.snapshot_ack.id, out);
        write_u64(out, message->u.snapshot_ack.offset);
        write_u8(out, message->u.snapshot_ack.is_installed ? 1 : 0);
        break;
    }
}

static bool read_bool(struct reader *in)
{
    uint8_t value = read_u8(in);
    in->failed = in->failed || value > 1;
    return value == 1;
}

static enum err decode_append(struct reader *in,
                              struct raft_message *message,
                              struct raft_entry *entry,
                              uint32_t capacity)
{
    message->u.append.prev_index = read_u64(in);
    message->u.append.prev_term = read_u64(in);
    message->u.append.commit = read_u64(in);
    uint32_t count = read_u32(in);
    if (in->failed) {
        return ERR_CORRUPT;
    }
    if (count > capacity) {
        return ERR_TOO_BIG;
    }
    struct slice rest = {in->p, in->n};
    for (uint32_t i = 0; i < count; i++) {
        enum err e = entry_decode(rest, &entry[i]);
        if (e != ERR_OK) {
            return e == ERR_FORMAT ? ERR_FORMAT : ERR_CORRUPT;
        }
        rest = slice_skip(rest, entry[i].bytes.n);
    }
    message->u.append.entry_count = count;
    message->u.append.entry = count > 0 ? entry : NULL;
    return rest.n == 0 ? ERR_OK : ERR_CORRUPT;
}

static void decode_vote_request(struct reader *in, struct raft_message *message)
{
    message->u.vote_request.campaign_term = read_u64(in);
    message->u.vote_request.last_term = read_u64(in);
    message->u.vote_request.last_index = read_u64(in);
    message->u.vote_request.is_transfer = read_bool(in);
}

static void decode_heartbeat(struct reader *in, struct raft_message *message)
{
    message->u.heartbeat.round = read_u64(in);
    message->u.heartbeat.commit = read_u64(in);
    message->u.heartbeat.lease_us = read_u32(in);
    message->u.heartbeat.bulk_sent = read_u64(in);
}

static void decode_append_ack(struct reader *in, struct raft_message *message)
{
    message->u.append_ack.is_success = read_bool(in);
    message->u.append_ack.prev_index = read_u64(in);
    message->u.append_ack.match = read_u64(in);
    message->u.append_ack.hint_index = read_u64(in);
    message->u.append_ack.hint_term = read_u64(in);
}

static void decode_snapshot_id(struct reader *in, struct raft_snapshot_id *id)
{
    id->index = read_u64(in);
    id->term = read_u64(in);
    id->crc = read_u32(in);
    id->size = read_u64(in);
}

enum err raft_message_decode(struct slice bytes,
                             struct raft_message *message,
                             struct raft_entry *entry,
                             uint32_t capacity)
{
    struct reader in = reader_of(bytes);
    memset(message, 0, sizeof(*message));
    uint8_t version = read_u8(&in);
    uint8_t type = read_u8(&in);
    message->term = read_u64(&in);
    if (in.failed) {
        return ERR_CORRUPT;
    }
    if (version != MESSAGE_VERSION || type < RAFT_PREVOTE_REQUEST || type > RAFT_SNAPSHOT_ACK) {
        return ERR_FORMAT;
    }
    message->type = (enum raft_message_type)type;
    switch (message->type) {
    case RAFT_PREVOTE_REQUEST:
    case RAFT_VOTE_REQUEST:
        decode_vote_request(&in, message);
        break;
    case RAFT_PREVOTE_REPLY:
    case RAFT_VOTE_REPLY:
        message->u.vote_reply.campaign_term = read_u64(&in);
        message->u.vote_reply.is_granted = read_bool(&in);
        break;
    case RAFT_HEARTBEAT:
        decode_heartbeat(&in, message);
        break;
    case RAFT_HEARTBEAT_ACK:
        message->u.heartbeat_ack.round = read_u64(&in);
        message->u.heartbeat_ack.bulk_received = read_u64(&in);
        break;
    case RAFT_COMMIT:
        message->u.commit.commit = read_u64(&in);
        break;
    case RAFT_APPEND_ACK:
        decode_append_ack(&in, message);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    case RAFT_REMOVED:
        message->u.removed.conf_index = read_u64(&in);
        break;
    case RAFT_APPEND:
        return decode_append(&in, message, entry, capacity);
    case RAFT_SNAPSHOT:
        decode_snapshot_id(&in, &message->u.snapshot.id);
        message->u.snapshot.offset = read_u64(&in);
        message->u.snapshot.data = read_blob(&in);
        break;
    case RAFT_SNAPSHOT_ACK:
        decode_snapshot_id(&in, &message->u.snapshot_ack.id);
        message->u.snapshot_ack.offset = read_u64(&in);
        message->u.snapshot_ack.is_installed = read_bool(&in);
        break;
    }
    return reader_done(&in) ? ERR_OK : ERR_CORRUPT;
}
