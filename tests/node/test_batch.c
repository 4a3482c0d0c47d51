#include "rig.h"

#include "tests/test.h"

/* Which writes share one write of the log (batch.c, G1 to G3): a node alone, its disk held and let go by hand. */
enum { CLIENTS = 16, COMMIT_MS = 3 };

struct room {
    struct rig *rig;
    struct rig_client client[CLIENTS];
};

static void room_open(struct room *room)
{
    room->rig = rig_new(1, "");
    rig_start(room->rig, 0);
    for (int i = 0; i < CLIENTS; i++)
        rig_connect(room->rig, 0, &room->client[i]);
    CHECK_EQ_STR(rig_ask(&room->client[0], "SET a 0\r\n", 2000), "+OK\r\n");
    rig_run(room->rig, 100);
    rig_forget(&room->client[0]);
}

static void room_close(struct room *room)
{
    for (int i = 0; i < CLIENTS; i++)
        rig_disconnect(&room->client[i]);
    rig_free(room->rig);
}

/* Writes of clients from..to-1, all at once. */
static void room_write(struct room *room, int from, int to)
{
    for (int i = from; i < to; i++)
        rig_say(&room->client[i], "INCR a\r\n");
    for (int i = 0; i < 8; i++) /* no time passes */
        rig_round(room->rig);
}

static int room_answered(struct room *room)
{
    int count = 0;
    rig_collect(room->rig);
    for (int i = 0; i < CLIENTS; i++) {
        count += room->client[i].text[0] != '\0';
        rig_forget(&room->client[i]);
    }
    return count;
}

/* All write, several times, each time with a disk that takes COMMIT_MS: the node has seen what is usual. */
static void room_settle(struct room *room, int clients)
{
    for (int i = 0; i < 20; i++) {
        room->rig->host[0].is_disk_held = true;
        room_write(room, 0, clients);
        rig_run(room->rig, COMMIT_MS);
        room->rig->host[0].is_disk_held = false;
        rig_run(room->rig, 1);
        CHECK_EQ_UINT(room_answered(room), clients);
    }
}

TEST(those_that_were_answered_together_write_together)
{
    struct room room;
    room_open(&room);
    room_settle(&room, CLIENTS);
    uint64_t syncs = rig_status(room.rig, 0).disk_syncs;
    room_write(&room, 0, CLIENTS / 2);
    CHECK_EQ_UINT(room_answered(&room), 0);
    CHECK_EQ_UINT(rig_status(room.rig, 0).disk_syncs, syncs);
    room_write(&room, CLIENTS / 2, CLIENTS);
    CHECK_EQ_UINT(room_answered(&room), CLIENTS);
    CHECK_EQ_UINT(rig_status(room.rig, 0).disk_syncs, syncs + 1);
    room_close(&room);
}

TEST(who_waits_for_those_that_do_not_come_waits_two_commits)
{
    struct room room;
    room_open(&room);
    room_settle(&room, CLIENTS);
    room_write(&room, 0, CLIENTS / 2);
    rig_run(room.rig, 1);
    CHECK_EQ_UINT(room_answered(&room), 0);
    rig_run(room.rig, 2 * COMMIT_MS + 1);
    CHECK_EQ_UINT(room_answered(&room), CLIENTS / 2);
    /* That is what is usual now. */
    room_write(&room, 0, CLIENTS / 2);
    CHECK_EQ_UINT(room_answered(&room), CLIENTS / 2);
    room_close(&room);
}

TEST(a_few_clients_never_wait)
{
    struct room room;
    room_open(&room);
    room_settle(&room, 7);
    room_write(&room, 0, 1);
    CHECK_EQ_UINT(room_answered(&room), 1);
    room_close(&room);
}

TEST(commit_delay_is_the_limit)
{
    struct room room;
    room_open(&room);
    room_settle(&room, CLIENTS);
    room.rig->host[0].options.commit_delay = 0;
    room_write(&room, 0, 1);
    CHECK_EQ_UINT(room_answered(&room), 1);
    room_settle(&room, CLIENTS);
    room.rig->host[0].options.commit_delay = 2 * COMMIT_MS * 1000 - 1000;
    room_write(&room, 0, 1);
    CHECK_EQ_UINT(room_answered(&room), 1);
    room_close(&room);
}

TEST_MAIN()
