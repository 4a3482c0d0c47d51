#include "tests/storage/rig.h"

#include <string.h>

#include "base/mem.h"
#include "tests/test.h"

const struct model_shape rig_ordinary = {
    .entry_max = 12,
    .payload_max = 1500,
    .big_millionths = 5000,
    .big_bytes = 60000,
    .truncates = true,
    .forms = true,
    .has_confs = true,
};

struct rig *rig_make(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes)
{
    struct rig *g = mem_alloc(sizeof(*g)); /* large, and made by the thousand: the models' entries stay as they are */
    g->wal = NULL;
    memset(&g->recovery, 0, sizeof(g->recovery));
    memset(&g->append, 0, sizeof(g->append));
    g->dropping = 0;
    prng_seed(&g->prng, seed);
    g->disk = sim_disk_new(seed, sector_bytes);
    g->segment_bytes = segment_bytes;
    model_init(&g->now);
    model_init(&g->next);
    return g;
}

struct rig *rig_new(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes)
{
    struct rig *g = rig_make(seed, sector_bytes, segment_bytes);
    CHECK_EQ_INT(rig_reopen(g), ERR_OK);
    return g;
}

void rig_free(struct rig *g)
{
    wal_close(g->wal);
    model_recovery_free(&g->recovery);
    sim_disk_free(g->disk);
    mem_free(g);
}

enum err rig_append(struct rig *g, const struct model_shape *shape)
{
    model_draw(&g->prng, shape, &g->now, &g->next, &g->append);
    enum err e = wal_append(g->wal, &g->append.append);
    model_append_free(&g->append);
    if (e == ERR_OK) {
        model_copy(&g->now, &g->next);
    }
    return e;
}

enum err rig_step(struct rig *g, const struct model_shape *shape)
{
    uint64_t dice = prng_below(&g->prng, 20);
    if (dice < 4) {
        /* Errors of preparing show at the next append. */
        (void)wal_prepare_ahead(g->wal);
        return sim_disk_is_dead(g->disk) ? ERR_IO : ERR_OK;
    }
    if (dice == 4 && g->now.last > 10) {
        struct wal_stats stats;
        g->dropping = g->now.last - prng_below(&g->prng, 8);
        enum err e = wal_drop_front(g->wal, g->dropping);
        if (e == ERR_OK) {
            CHECK_EQ_INT(e, ERR_OK);
            wal_get_stats(g->wal, &stats);
            CHECK(stats.first_index >= g->now.first &&
                  (stats.first_index <= g->dropping || stats.first_index == g->now.first));
            g->now.first = stats.first_index;
            g->dropping = 0;
        }
        return e;
    }
    return rig_append(g, shape);
}

enum err rig_reopen(struct rig *g)
{
    wal_close(g->wal);
    g->wal = NULL;
    model_recovery_free(&g->recovery);
    return model_open(g->disk, g->segment_bytes, &g->wal, &g->recovery);
}

static bool first_index_is_right(const struct rig *g)
{
    raft_index first = g->recovery.first_index;
    return first == g->now.first ||
           (g->dropping != 0 && first >= g->now.first && first <= g->dropping);
}

bool rig_check_now(struct rig *g)
{
    const char *why = "first index";
    bool ok = first_index_is_right(g) && model_matches(&g->now, g->wal, &g->recovery, &why);
    if (!ok) {
        CHECK_EQ_STR(why, "nothing differs");
    }
    g->now.first = g->recovery.first_index;
    g->dropping = 0;
    return ok;
}

bool rig_check(struct rig *g)
{
    const char *why;
    g->next.first = g->now.first;
    if (g->next.last + 1 >= g->recovery.first_index &&
        model_matches(&g->next, g->wal, &g->recovery, &why)) {
        model_copy(&g->now, &g->next);
    }
    return rig_check_now(g);
}
