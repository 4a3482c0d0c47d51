#include "raft/conf.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/codec.h"

/* Encoding: u8 version, u8 is_joint, u16 member_count, then per member u64 id, u8 flags, u16
 * address size and the address without its NUL. */
#define CONF_VERSION 1

#define VOTER_BOTH ((uint32_t)RAFT_VOTER_OLD | (uint32_t)RAFT_VOTER_NEW)

int raft_conf_position(const struct raft_conf *conf, raft_id id)
{
    for (uint32_t i = 0; i < conf->member_count; i++) {
        if (conf->member[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

const struct raft_member *raft_conf_find(const struct raft_conf *conf, raft_id id)
{
    int position = raft_conf_position(conf, id);
    return position < 0 ? NULL : &conf->member[position];
}

bool raft_conf_is_voter(const struct raft_conf *conf, raft_id id)
{
    const struct raft_member *member = raft_conf_find(conf, id);
    return member != NULL && (member->flags & VOTER_BOTH) != 0;
}

/* A member that leaves C_old as a learner is OLD|LEARNER while joint (J9); NEW|LEARNER is a
 * contradiction. */
static bool conf_flags_valid(uint32_t flags, bool is_joint)
{
    if (flags == RAFT_VOTER_NEW || flags == RAFT_LEARNER) {
        return true;
    }
    return is_joint && (flags == RAFT_VOTER_OLD || flags == VOTER_BOTH ||
                        flags == ((uint32_t)RAFT_VOTER_OLD | (uint32_t)RAFT_LEARNER));
}

enum err raft_conf_check(const struct raft_conf *conf)
{
    bool has_old = false;
    bool has_new = false;
    raft_id previous = 0;
    if (conf->member_count > LIMIT_MEMBERS) {
        return ERR_INVALID;
    }
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct raft_member *member = &conf->member[i];
        if (member->id <= previous || !conf_flags_valid(member->flags, conf->is_joint) ||
            memchr(member->address, 0, sizeof(member->address)) == NULL) {
            return ERR_INVALID;
        }
        previous = member->id;
        has_old = has_old || (member->flags & RAFT_VOTER_OLD) != 0;
        has_new = has_new || (member->flags & RAFT_VOTER_NEW) != 0;
    }
    return has_new && has_old == conf->is_joint ? ERR_OK : ERR_INVALID;
}

bool raft_conf_equal(const struct raft_conf *a, const struct raft_conf *b)
{
    if (a->member_count != b->member_count || a->is_joint != b->is_joint) {
        return false;
    }
    for (uint32_t i = 0; i < a->member_count; i++) {
        const struct raft_member *x = &a->member[i];
        const struct raft_member *y = &b->member[i];
        if (x->id != y->id || x->flags != y->flags || strcmp(x->address, y->address) != 0) {
            return false;
        }
    }
    return true;
}

static enum err conf_add(struct raft_conf *conf, const struct raft_member *member, uint32_t flags)
{
    if (conf->member_count == LIMIT_MEMBERS) {
        return ERR_INVALID;
    }
    struct raft_member *added = &conf->member[conf->member_count++];
    *added = *member;
    added->flags = flags;
    return ERR_OK;
}

/* A merge of two sorted lists. Voters of `from` count in C_old, voters of `to` in C_new; a learner
 * that `to` leaves out goes at once, since it never counted. */
enum err
raft_conf_join(const struct raft_conf *from, const struct raft_conf *to, struct raft_conf *joint)
{
    uint32_t i = 0;
    uint32_t j = 0;
    if (raft_conf_check(from) != ERR_OK || raft_conf_check(to) != ERR_OK || from->is_joint ||
        to->is_joint) {
        return ERR_INVALID;
    }
    memset(joint, 0, sizeof(*joint));
    joint->is_joint = true;
    while (i < from->member_count || j < to->member_count) {
        const struct raft_member *a = i < from->member_count ? &from->member[i] : NULL;
        const struct raft_member *b = j < to->member_count ? &to->member[j] : NULL;
        bool takes_a = a != NULL && (b == NULL || a->id <= b->id);
        bool takes_b = b != NULL && (a == NULL || b->id <= a->id);
        uint32_t flags = takes_a && a->flags == RAFT_VOTER_NEW ? RAFT_VOTER_OLD : 0;
        if (takes_b) {
            flags |= b->flags;
        }
        if (flags != 0 && conf_add(joint, takes_b ? b : a, flags) != ERR_OK) {
            return ERR_INVALID;
        }
        i += takes_a ? 1 : 0;
        j += takes_b ? 1 : 0;
    }
    return ERR_OK;
}

void raft_conf_leave(const struct raft_conf *joint, struct raft_conf *final)
{
    memset(final, 0, sizeof(*final));
    for (uint32_t i = 0; i < joint->member_count; i++) {
        uint32_t flags = joint->member[i].flags & ~(uint32_t)RAFT_VOTER_OLD;
        if (flags != 0) {
            enum err e = conf_add(final, &joint->member[i], flags);
            ASSERT(e == ERR_OK);
        }
    }
}

void raft_conf_encode(const struct raft_conf *conf, struct buf *out)
{
    write_u8(out, CONF_VERSION);
    write_u8(out, conf->is_joint ? 1 : 0);
    write_u16(out, (uint16_t)conf->member_count);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct raft_member *member = &conf->member[i];
        size_t size = strlen(member->address);
        write_u64(out, member->id);
        write_u8(out, (uint8_t)member->flags);
        write_u16(out, (uint16_t)size);
        buf_append(out, member->address, size);
    }
}

enum err raft_conf_decode(struct slice bytes, struct raft_conf *conf)
{
    struct reader in = reader_of(bytes);
    memset(conf, 0, sizeof(*conf));
    uint8_t version = read_u8(&in);
    if (!in.failed && version != CONF_VERSION) {
        return ERR_FORMAT;
    }
    uint8_t joint = read_u8(&in);
    uint16_t count = read_u16(&in);
    if (in.failed || joint > 1 || count > LIMIT_MEMBERS) {
        return ERR_CORRUPT;
    }
    conf->is_joint = joint == 1;
    conf->member_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct raft_member *member = &conf->member[i];
        member->id = read_u64(&in);
        member->flags = read_u8(&in);
        uint16_t size = read_u16(&in);
        struct slice address = read_bytes(&in, size);
        if (in.failed || size >= sizeof(member->address) ||
            (size > 0 && memchr(address.p, 0, size) != NULL)) {
            return ERR_CORRUPT;
        }
        if (size > 0) {
            memcpy(member->address, address.p, size);
        }
    }
    return reader_done(&in) ? raft_conf_check(conf) : ERR_CORRUPT;
}
