#include "node/proposal.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"

/* Header layout (little-endian), see proposal.h:
 *   0 u16 number, 2 u8 version, 3 u8 db, 4 u64 member, 12 u64 session, 20 u64 seq, 28 u32 argument count. */
enum {
    AT_NUMBER = 0,
    AT_VERSION = 2,
    AT_DB = 3,
    AT_MEMBER = 4,
    AT_SESSION = 12,
    AT_SEQ = 20,
    AT_COUNT = 28,
};
STATIC_ASSERT(AT_COUNT + 4 == PROPOSAL_HEADER_BYTES, "the header ends with the argument count");

size_t proposal_size(const struct slice *arg, size_t arg_count)
{
    size_t size = PROPOSAL_HEADER_BYTES;
    for (size_t i = 0; i < arg_count; i++)
        size += 4 + arg[i].n;
    return size;
}

void proposal_encode(uint8_t *at,
                     const struct proposal *head,
                     const struct slice *arg,
                     size_t arg_count)
{
    put_u16(at + AT_NUMBER, head->number);
    at[AT_VERSION] = head->version;
    at[AT_DB] = head->db;
    proposal_set_session(at, head->member, head->session, head->seq);
    put_u32(at + AT_COUNT, (uint32_t)arg_count);
    uint8_t *p = at + PROPOSAL_HEADER_BYTES;
    for (size_t i = 0; i < arg_count; i++) {
        ASSERT(arg[i].n <= UINT32_MAX);
        put_u32(p, (uint32_t)arg[i].n);
        p += 4;
        if (arg[i].n > 0)
            memcpy(p, arg[i].p, arg[i].n);
        p += arg[i].n;
    }
}

enum err proposal_decode(struct slice payload, struct proposal *p)
{
    if (payload.n < PROPOSAL_HEADER_BYTES)
        return ERR_CORRUPT;
    p->number = get_u16(payload.p + AT_NUMBER);
    p->version = payload.p[AT_VERSION];
    p->db = payload.p[AT_DB];
    p->member = get_u64(payload.p + AT_MEMBER);
    p->session = get_u64(payload.p + AT_SESSION);
    p->seq = get_u64(payload.p + AT_SEQ);
    p->arg_count = get_u32(payload.p + AT_COUNT);
    p->args = slice_skip(payload, PROPOSAL_HEADER_BYTES);
    /* Every argument takes four bytes at least: a larger count is nonsense, and nobody allocates for it. */
    return p->arg_count > p->args.n / 4 ? ERR_CORRUPT : ERR_OK;
}

enum err proposal_args(const struct proposal *p, struct slice *arg)
{
    struct reader r = reader_of(p->args);
    for (uint32_t i = 0; i < p->arg_count; i++)
        arg[i] = read_blob(&r);
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}

void proposal_set_session(uint8_t *payload, raft_id member, uint64_t session, uint64_t seq)
{
    put_u64(payload + AT_MEMBER, member);
    put_u64(payload + AT_SESSION, session);
    put_u64(payload + AT_SEQ, seq);
}
