/* INFO: every field that redis-server has, where it has it (tests/data/info_fields.txt), and what the newer ones tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rig.h"
#include "tests/test.h"

#define FIELDS_PATH "tests/data/info_fields.txt"

static const char three[] = "n1:7000,n2:7000,n3:7000";

/* The section of `text` called `name`, in any case; it ends with an empty line. NULL: there is none. */
static char *section_of(char *text, const char *name)
{
    for (char *at = text; (at = strstr(at, "# ")) != NULL; at += 2) {
        size_t n = strlen(name);
        if (strncasecmp(at + 2, name, n) == 0 && at[2 + n] == '\r')
            return at;
    }
    return NULL;
}

static bool section_has(const char *section, const char *field)
{
    char line[128];
    snprintf(line, sizeof line, "\r\n%s:", field);
    const char *end = strstr(section, "\r\n\r\n");
    const char *at = strstr(section, line);
    return at && (!end || at < end);
}

/* Whether `slot` shows all fields of these kinds, by "when" (a word of `kinds`). */
static void check_fields(struct rig *r, int slot, const char *kinds)
{
    static struct rig_client c;
    char line[256];
    char when[32];
    char section[32];
    char field[64];
    unsigned checked = 0;
    FILE *file = fopen(FIELDS_PATH, "r");
    REQUIRE(file != NULL);
    rig_connect(r, slot, &c);
    rig_ask(&c, "INFO everything\r\n", 300);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        REQUIRE(sscanf(line, "%31s %31s %63s", when, section, field) == 3);
        if (!strstr(kinds, when))
            continue;
        test_context("%s %s", section, field);
        char *at = section_of(c.text, section);
        CHECK(at && section_has(at, field));
        checked++;
    }
    test_context("");
    CHECK(checked > 0);
    fclose(file);
    rig_disconnect(&c);
}

static uint64_t number_of(struct rig *r, int slot, const char *field)
{
    static struct rig_client c;
    char line[128];
    rig_connect(r, slot, &c);
    rig_ask(&c, "INFO everything\r\n", 300);
    snprintf(line, sizeof line, "\r\n%s:", field);
    const char *at = strstr(c.text, line);
    uint64_t number = at ? strtoull(at + strlen(line), NULL, 10) : UINT64_MAX;
    rig_disconnect(&c);
    return number;
}

static struct rig *cluster(void)
{
    struct rig *r = rig_new(3, three);
    for (int i = 0; i < 3; i++) {
        r->host[i].options.log_retention_entries = 1;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    return r;
}

TEST(every_field_of_redis_is_there)
{
    struct rig *r = cluster();
    int leader = rig_leader(r);
    int follower = (leader + 1) % 3;
    check_fields(r, leader, "always");
    check_fields(r, follower, "always replica");
    rig_isolate(r, follower, true);
    rig_run(r, 3000);
    check_fields(r, follower, "always replica apart");
    rig_free(r);
}

static int lagging;

static bool is_receiving(struct rig *r)
{
    return rig_snapshot(r, lagging).is_receiving;
}

TEST(a_snapshot_on_its_way_is_a_synchronisation)
{
    struct rig *r = cluster();
    lagging = (rig_leader(r) + 1) % 3;
    rig_stop(r, lagging, RIG_KILL);
    rig_run(r, 1000);
    REQUIRE(rig_leader(r) >= 0);
    rig_write_keys(r, rig_leader(r), 0, 60);
    for (int i = 0; i < 3; i++)
        if (r->host[i].node)
            node_snapshot(r->host[i].node);
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    rig_write_keys(r, rig_leader(r), 60, 70);
    rig_start(r, lagging);
    for (int i = 0; i < 5000 && !is_receiving(r); i++)
        if (!rig_round(r))
            r->now_us += 1000;
    REQUIRE(is_receiving(r));
    r->host[lagging].is_disk_held = true;
    CHECK_EQ_UINT(number_of(r, lagging, "master_sync_in_progress"), 1);
    CHECK_EQ_UINT(number_of(r, lagging, "master_sync_left_bytes") + number_of(r, lagging, "master_sync_read_bytes"),
                  number_of(r, lagging, "master_sync_total_bytes"));
    check_fields(r, lagging, "always replica syncing");
    r->host[lagging].is_disk_held = false;
    rig_run(r, 3000);
    CHECK_EQ_UINT(number_of(r, lagging, "master_sync_in_progress"), 0);
    CHECK(number_of(r, lagging, "rdb_last_load_keys_loaded") >= 60);
    rig_free(r);
}

TEST(a_node_that_saves_says_how_far_it_is_and_what_it_loads)
{
    struct rig *r = rig_new(1, "");
    rig_start(r, 0);
    rig_write_keys(r, 0, 0, 50);
    CHECK_EQ_UINT(number_of(r, 0, "current_save_keys_total"), 0);
    r->host[0].is_disk_held = true;
    CHECK(node_snapshot(r->host[0].node));
    for (int i = 0; i < 100 && number_of(r, 0, "current_save_keys_total") == 0; i++)
        rig_run(r, 1);
    CHECK_EQ_UINT(number_of(r, 0, "current_save_keys_total"), 50);
    r->host[0].is_disk_held = false;
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    CHECK_EQ_UINT(number_of(r, 0, "current_save_keys_total"), 0);
    CHECK_EQ_UINT(number_of(r, 0, "rdb_saves"), 1);
    CHECK_EQ_UINT(number_of(r, 0, "rdb_last_load_keys_loaded"), 0);
    rig_stop(r, 0, RIG_KILL);
    r->host[0].is_disk_held = true;
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    check_fields(r, 0, "always loading");
    r->host[0].is_disk_held = false;
    rig_run(r, 1000);
    CHECK_EQ_UINT(number_of(r, 0, "rdb_last_load_keys_loaded"), 50);
    rig_free(r);
}

TEST_MAIN()
