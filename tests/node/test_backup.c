/* Backups and restoring them, with the power failing inside every call that changes the disk they are written to. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "node/restore.h"
#include "rig.h"
#include "storage/snapshot_file.h"
#include "tests/test.h"

#define KEYS 60
#define RESTORED_ADDRESS "n1:7000"

/* The backup's own disk. */
static struct sim_disk *shelf;

static enum err open_shelf(void *ctx, const char *path, struct vfs **vfs)
{
    (void)ctx;
    (void)path;
    *vfs = sim_disk_vfs(shelf);
    return ERR_OK;
}

static void close_shelf(void *ctx, struct vfs *vfs)
{
    (void)ctx;
    (void)vfs;
}

static struct rig *rig_with_keys(struct rig_client *c)
{
    struct rig *r = rig_new(1, "");
    char text[64];
    r->host[0].env.open_directory = open_shelf;
    r->host[0].env.close_directory = close_shelf;
    rig_start(r, 0);
    rig_connect(r, 0, c);
    for (int i = 0; i < KEYS; i++) {
        snprintf(text, sizeof text, "SET key%d value%d\r\n", i, i);
        REQUIRE(strcmp(rig_ask(c, text, 5000), "+OK\r\n") == 0);
    }
    return r;
}

static void check_keys(struct rig *r)
{
    struct rig_client c;
    char text[64];
    char want[64];
    rig_run(r, 1000); /* it loads, and leads */
    rig_connect(r, 0, &c);
    for (int i = 0; i < KEYS; i += 7) {
        snprintf(text, sizeof text, "GET key%d\r\n", i);
        snprintf(want, sizeof want, "$%d\r\nvalue%d\r\n", i < 10 ? 6 : 7, i);
        CHECK_EQ_STR(rig_ask(&c, text, 5000), want);
    }
    CHECK_EQ_STR(rig_ask(&c, "DBSIZE\r\n", 5000), ":60\r\n");
    rig_disconnect(&c);
}

static enum err check_file(const char *name)
{
    struct snapshot_file file;
    struct snapshot_facts facts;
    enum err e = snapshot_file_open(&file, sim_disk_vfs(shelf), name);
    if (e == ERR_OK)
        e = snapshot_file_check(&file, &facts);
    snapshot_file_close(&file);
    return e;
}

/* A backup that its disk swallows is said to have failed; what has the name is whole; the node goes on and makes another. */
TEST(power_failures_at_every_call_of_a_backup)
{
    bool survived = false;
    int runs = 0;
    for (uint64_t call = 0; !survived; call++) {
        struct rig_client c;
        struct rig *r = rig_with_keys(&c);
        test_context("call %d", (int)call);
        shelf = sim_disk_new(call + 1, 512);
        sim_disk_power_fail_after(shelf, call);
        const char *answer = rig_ask(&c, "RAFT BACKUP /shelf/one\r\n", 5000);
        survived = !sim_disk_is_dead(shelf);
        CHECK(strncmp(answer, survived ? "*4\r\n" : "-ERR the backup to that file failed", survived ? 4 : 35) == 0);
        sim_disk_power_fail_after(shelf, UINT64_MAX);
        sim_disk_power_loss(shelf);
        sim_disk_revive(shelf);
        enum err e = check_file("one");
        CHECK(e == ERR_OK || (!survived && e == ERR_NOT_FOUND));
        CHECK_EQ_STR(r->host[0].fatal, "");
        CHECK_EQ_STR(rig_ask(&c, "SET after 1\r\n", 5000), "+OK\r\n");
        rig_forget(&c);
        answer = rig_ask(&c, "RAFT BACKUP /shelf/two\r\n", 5000);
        CHECK(strncmp(answer, "*4\r\n", 4) == 0);
        CHECK(check_file("two") == ERR_OK);
        rig_disconnect(&c);
        rig_free(r);
        sim_disk_free(shelf);
        runs++;
    }
    CHECK(runs > 4);
    test_context("%s", "");
}

/* --- restoring --- */

static uint64_t drawn;

static void draw(void *p, size_t n)
{
    uint8_t *at = p;
    for (size_t i = 0; i < n; i++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        at[i] = (uint8_t)(drawn >> 56);
    }
}

static enum err restore_onto(struct sim_disk *disk, struct buf *why)
{
    static const struct log_sink quiet = {.level = LOG_WARNING};
    buf_clear(why, 1024);
    struct restore r;
    enum err e = restore_open(&r, sim_disk_vfs(shelf), "backup", why);
    if (e == ERR_OK)
        e = restore_run(&r, sim_disk_vfs(disk), RESTORED_ADDRESS, draw, &quiet, why);
    restore_close(&r);
    return e;
}

static void note_snapshot(void *ctx, const char *name)
{
    bool *is_there = ctx;
    *is_there |= strncmp(name, SNAPSHOT_NAME, strlen(SNAPSHOT_NAME)) == 0;
}

/* A node on that disk, which the rig takes. */
static struct rig *rig_on(struct sim_disk *disk)
{
    struct rig *r = rig_new(1, "");
    sim_disk_free(r->host[0].disk);
    r->host[0].disk = disk;
    r->host[0].env.vfs = sim_disk_vfs(disk);
    rig_start(r, 0);
    return r;
}

/* What a node makes of a directory after a restore that may not have got to its end: all of the data, or a refusal; an empty node only
 * where nothing of the restore is left. Whether it is a cluster with the data. */
static bool check_start(struct sim_disk *disk)
{
    bool has_snapshot = false;
    bool is_restored = false;
    sim_disk_each(disk, note_snapshot, &has_snapshot);
    struct rig *r = rig_on(disk);
    if (r->host[0].node && rig_status(r, 0).cluster_id == 0) {
        CHECK(!has_snapshot);
    } else if (r->host[0].node) {
        check_keys(r);
        is_restored = true;
    }
    rig_free(r);
    return is_restored;
}

static void make_backup(void)
{
    struct rig_client c;
    shelf = sim_disk_new(1, 512);
    struct rig *r = rig_with_keys(&c);
    REQUIRE(strncmp(rig_ask(&c, "RAFT BACKUP /shelf/backup\r\n", 5000), "*4\r\n", 4) == 0);
    rig_disconnect(&c);
    rig_free(r);
}

/* After a crash at any call of a restore, restoring again is right, or the directory is whole already. */
TEST(power_failures_at_every_call_of_a_restore)
{
    bool survived = false;
    int runs = 0;
    struct buf why = {0};
    make_backup();
    for (uint64_t call = 0; !survived; call++) {
        test_context("call %d", (int)call);
        struct sim_disk *disk = sim_disk_new(call + 1, 512);
        sim_disk_power_fail_after(disk, call);
        enum err e = restore_onto(disk, &why);
        survived = !sim_disk_is_dead(disk);
        CHECK((e == ERR_OK) == survived);
        sim_disk_power_fail_after(disk, UINT64_MAX);
        sim_disk_power_loss(disk);
        sim_disk_revive(disk);
        bool is_restored = check_start(sim_disk_copy(disk, call + 1));
        CHECK(is_restored || !survived);
        e = restore_onto(disk, &why);
        CHECK(e == (is_restored ? ERR_EXISTS : ERR_OK));
        sim_disk_crash(disk);
        CHECK(check_start(disk));
        runs++;
    }
    CHECK(runs > 6);
    buf_deinit(&why);
    sim_disk_free(shelf);
    test_context("%s", "");
}

/* A full disk: words, and a directory that takes the restore when there is room. */
TEST(a_restore_onto_a_full_disk_can_be_repeated)
{
    struct buf why = {0};
    make_backup();
    struct sim_disk *disk = sim_disk_new(3, 512);
    sim_disk_set_quota(disk, 3000);
    CHECK(restore_onto(disk, &why) != ERR_OK);
    CHECK(buf_size(&why) > 0);
    sim_disk_set_quota(disk, UINT64_MAX);
    sim_disk_crash(disk);
    CHECK(restore_onto(disk, &why) == ERR_OK);
    sim_disk_crash(disk);
    CHECK(check_start(disk));
    buf_deinit(&why);
    sim_disk_free(shelf);
}

TEST_MAIN()
