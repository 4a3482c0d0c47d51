#include "sim_disk_internal.h"

#include <string.h>

/* ---- Faults ---- */

void sim_disk_power_fail_after(struct sim_disk *d, uint64_t calls)
{
    d->power_fails_at = calls == UINT64_MAX ? UINT64_MAX : d->calls + calls;
}

bool sim_disk_is_dead(const struct sim_disk *d)
{
    return d->is_dead;
}

void sim_disk_end_process(struct sim_disk *d)
{
    d->is_dead = true;
}

void sim_disk_revive(struct sim_disk *d)
{
    d->is_dead = false;
}

void sim_disk_set_quota(struct sim_disk *d, uint64_t bytes)
{
    d->quota = bytes;
}

void sim_disk_fail_sync(struct sim_disk *d, uint64_t skip)
{
    d->sync_fails_in = skip;
}

void sim_disk_fail_next_sync(struct sim_disk *d)
{
    sim_disk_fail_sync(d, 0);
}

void sim_disk_fail_write(struct sim_disk *d, uint64_t skip, enum err error)
{
    d->write_fails_in = skip;
    d->write_error = error;
}

void sim_disk_set_tear_anywhere(struct sim_disk *d, bool yes)
{
    d->tears_anywhere = yes;
}

void sim_disk_fail_read(struct sim_disk *d)
{
    d->reads_fail = true;
}

void sim_disk_heal_reads(struct sim_disk *d)
{
    d->reads_fail = false;
}

static void rot(struct sim_disk *d, uint8_t *p, uint64_t n, enum sim_rot how, uint64_t seed)
{
    struct prng same; /* the same garbage in cache and image */
    prng_seed(&same, seed);
    (void)d;
    switch (how) {
    case SIM_ROT_FLIP_BIT:
        p[0] = (uint8_t)(p[0] ^ (1u << prng_below(&same, 8)));
        break;
    case SIM_ROT_ZERO:
        memset(p, 0, n);
        break;
    case SIM_ROT_GARBAGE:
        for (uint64_t i = 0; i < n; i++) {
            p[i] = (uint8_t)prng_next(&same);
        }
        break;
    case SIM_ROT_MISPLACED:
        break; /* misplace() */
    }
}

static bool is_zero(const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* `n` bytes of another place of the file that holds something. False: there is none, or the same bytes. */
static bool misplace(struct sim_disk *d, struct sim_inode *node, uint64_t offset, uint64_t n)
{
    uint64_t pieces = node->cache_size / n;
    uint64_t first = prng_below(&d->prng, pieces);
    for (uint64_t i = 0; i < pieces; i++) {
        const uint64_t from = (first + i) % pieces * n;
        if (from == offset || is_zero(node->cache + from, n) || memcmp(node->cache + from, node->cache + offset, n) == 0)
            continue;
        memcpy(node->cache + offset, node->cache + from, n);
        if (offset + n <= node->image_size) {
            memcpy(node->image + offset, node->cache + from, n);
        }
        d->counts.rotten++;
        return true;
    }
    return false;
}

bool sim_disk_corrupt(
    struct sim_disk *d, const char *name, uint64_t offset, uint64_t n, enum sim_rot how)
{
    const struct name *found = sim_name_find(&d->cached, name);
    if (!found || n == 0 || offset + n > d->inode[found->inode]->cache_size) {
        return false;
    }
    struct sim_inode *node = d->inode[found->inode];
    sim_inode_store(node, node->cache_size);
    if (how == SIM_ROT_MISPLACED)
        return misplace(d, node, offset, n);
    uint64_t seed = prng_next(&d->prng);
    rot(d, node->cache + offset, n, how, seed);
    if (offset + n <= node->image_size) {
        rot(d, node->image + offset, n, how, seed);
    }
    d->counts.rotten++;
    return true;
}

bool sim_disk_corrupt_any(struct sim_disk *d, enum sim_rot how)
{
    uint64_t candidates = 0;
    const struct name *chosen = NULL;
    uint64_t at = 0;
    for (uint32_t i = 0; i < d->cached.count; i++) {
        const struct sim_inode *n = d->inode[d->cached.item[i].inode];
        if (strncmp(d->cached.item[i].text, "snapshot", 8) == 0) {
            continue; /* rot there ends the node for good: tests/node/test_snapshot.c */
        }
        for (uint64_t s = 0; (s + 1) * d->sector_bytes <= sim_least(n->cache_size, n->stored); s++) {
            if (!is_zero(n->cache + s * d->sector_bytes, d->sector_bytes) &&
                prng_below(&d->prng, ++candidates) == 0) {
                chosen = &d->cached.item[i];
                at = s * d->sector_bytes;
            }
        }
    }
    return chosen && sim_disk_corrupt(d, chosen->text, at, d->sector_bytes, how);
}

bool sim_disk_corrupt_newest(struct sim_disk *d, enum sim_rot how, uint32_t from_end)
{
    const struct name *newest = NULL;
    uint64_t last = 0;
    for (uint32_t i = 0; i < d->cached.count; i++) {
        const struct name *name = &d->cached.item[i];
        const struct sim_inode *n = d->inode[name->inode];
        if (strncmp(name->text, "snapshot", 8) == 0) {
            continue; /* a log that holds hardly anything */
        }
        uint64_t s = sim_least(n->cache_size, n->stored) / d->sector_bytes;
        while (s > 0 && is_zero(n->cache + (s - 1) * d->sector_bytes, d->sector_bytes)) {
            s--;
        }
        if (s > from_end && (!newest || strcmp(name->text, newest->text) > 0)) {
            newest = name;
            last = s - 1 - from_end;
        }
    }
    return newest &&
           sim_disk_corrupt(d, newest->text, last * d->sector_bytes, d->sector_bytes, how);
}
