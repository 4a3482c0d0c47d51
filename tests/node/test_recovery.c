#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static void first_file(void *ctx, const char *name)
{
    char *first = ctx;
    if (first[0] == '\0' || strcmp(name, first) < 0)
        snprintf(first, 64, "%s", name);
}

TEST(a_log_without_its_first_file_is_refused)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    struct rig_host *h = &r->host[0];
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    rig_disconnect(&c);
    for (int i = 0; i < 3; i++) { /* each start begins a file */
        rig_stop(r, 0, RIG_KILL);
        rig_start(r, 0);
        REQUIRE(h->node != NULL);
        rig_connect(r, 0, &c);
        CHECK_EQ_STR(rig_ask(&c, "APPEND a 1\r\n", 3000), i == 0 ? ":2\r\n" : i == 1 ? ":3\r\n" : ":4\r\n");
        rig_disconnect(&c);
    }
    rig_stop(r, 0, RIG_KILL);
    struct vfs *vfs = sim_disk_vfs(h->disk);
    for (int i = 0; i < 2; i++) { /* the very first file is from before the cluster was formed and holds no entries */
        char first[64] = "";
        sim_disk_each(h->disk, first_file, first);
        REQUIRE(vfs->call->remove(vfs, first) == ERR_OK);
    }
    rig_start(r, 0);
    CHECK(h->node == NULL);
    rig_free(r);
}

TEST_MAIN()
