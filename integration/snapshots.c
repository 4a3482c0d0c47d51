/* Snapshots, backups and what follows from them, on real processes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "integration/lib/cluster.h"
#include "integration/lib/writers.h"

static const char *program(void)
{
    return getenv("CORACLE") ? getenv("CORACLE") : "build/release/coracle";
}

static const char *const value_commands[] = {
    "SET text hello",
    "SETRANGE binary 5 x",
    "RPUSH list 1 2 3 two three",
    "SADD numbers 1 2 3",
    "SADD words a b c",
    "ZADD scores 1 a 2.5 b -inf c",
    "HSET hash f1 v1 f2 v2",
    "PFADD counts a b c d",
    "SET dies v PXAT 99999999999999",
};
static const char *const value_questions[] = {
    "GET text",
    "GET binary",
    "LRANGE list 0 -1",
    "SMEMBERS numbers",
    "SMEMBERS words",
    "ZRANGE scores 0 -1 WITHSCORES",
    "HGETALL hash",
    "PFCOUNT counts",
    "PEXPIRETIME dies",
    "OBJECT ENCODING numbers",
    "DBSIZE",
};
#define QUESTIONS (sizeof value_questions / sizeof value_questions[0])

static void ask_all(const struct cluster *c, size_t i, char answer[QUESTIONS][512])
{
    struct wire w;
    REQUIRE(wire_open(&w, c->node[i].port, 5000));
    for (size_t q = 0; q < QUESTIONS; q++) {
        const char *reply = wire_call(&w, "%s", value_questions[q]);
        snprintf(answer[q], sizeof answer[q], "%s", reply ? reply : "(no reply)");
    }
    wire_close(&w);
}

/* A backup made on a follower under load is the state of one moment: restored, it is a cluster of its own that others join. */
ITEST(backup_and_restore, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    static struct cluster restored;
    static char before[QUESTIONS][512];
    static char after[QUESTIONS][512];
    char file[700];
    char out[2048];
    struct wire w;
    cluster_start(&c, 3, 0, "");
    size_t follower = cluster_follower(&c);
    REQUIRE(wire_open(&w, c.node[follower].port, 5000));
    for (size_t i = 0; i < sizeof value_commands / sizeof value_commands[0]; i++) {
        const char *reply = wire_call(&w, "%s", value_commands[i]);
        CHECK(reply && reply[0] != '-');
    }
    for (int i = 0; i < 2000; i++) {
        CHECK(wire_send(&w, "SET filler:%d %d", i, i));
    }
    const char *replies;
    size_t len;
    REQUIRE(wire_read_many(&w, 2000, 20000, &replies, &len) == WIRE_OK);
    ask_all(&c, follower, before);
    snprintf(file, sizeof file, "%s/backup", itest_dir());
    CHECK_STR(wire_call(&w, "RAFT BACKUP backup"), "-ERR RAFT BACKUP wants an absolute path: /directory/file\r\n");
    /* Writes go on in another database: the keys that are compared stay as they are. */
    struct wire load;
    REQUIRE(wire_open(&load, c.node[(follower + 1) % 3].port, 5000));
    wire_call(&load, "SELECT 3");
    for (int i = 0; i < 3000; i++) {
        CHECK(wire_send(&load, "SET load:%d %d", i, i));
    }
    const char *reply = wire_call(&w, "RAFT BACKUP %s", file);
    REQUIRE(reply != NULL);
    CHECK(strncmp(reply, "*4\r\n$5\r\nindex\r\n:", 16) == 0);
    CHECK(wire_read_many(&load, 3000, 20000, &replies, &len) == WIRE_OK);
    wire_close(&load);
    reply = wire_call(&w, "RAFT BACKUP %s", file);
    CHECK(reply && strstr(reply, "can't be written") != NULL); /* what is there is never touched */
    wire_close(&w);

    cluster_prepare(&restored, "restored", 2, 0, "");
    CHECK(itest_shell(out, sizeof out, "%s restore %s --dir %s --announce 127.0.0.1:%u 2>&1", program(), file, restored.node[0].dir,
                      restored.node[0].port) == 0);
    CHECK(strstr(out, "as a new cluster of one node") != NULL);
    char hint[800];
    snprintf(hint, sizeof hint, "Start it with: coracle --dir %s --port %u --announce 127.0.0.1:%u\n", restored.node[0].dir,
             restored.node[0].port, restored.node[0].port);
    CHECK(strstr(out, hint) != NULL);
    CHECK(itest_shell(out, sizeof out, "%s restore %s --dir %s --announce 127.0.0.1:%u 2>&1", program(), file, restored.node[0].dir,
                      restored.node[0].port) != 0);
    CHECK(strstr(out, "not new") != NULL);
    cluster_node_start_as(&restored, 0, "", restored.node[0].dir);
    REQUIRE(cluster_wait_writable(&restored, 0, 10000));
    ask_all(&restored, 0, after);
    for (size_t q = 0; q < QUESTIONS; q++) {
        /* cluster_wait_writable writes a key of its own. */
        if (strcmp(value_questions[q], "DBSIZE") != 0) {
            CHECK_STR(after[q], before[q]);
        }
    }
    /* The old cluster is another one and has not noticed. */
    CHECK(cluster_wait_writable(&c, follower, 10000));
    /* A second node joins the new one. */
    cluster_node_start_as(&restored, 1, "", restored.node[1].dir);
    REQUIRE(wire_open(&w, restored.node[0].port, 5000));
    reply = wire_call(&w, "RAFT ADD 127.0.0.1:%u", restored.node[1].peer_port);
    CHECK(reply && reply[0] != '-');
    wire_close(&w);
    ask_all(&restored, 1, after);
    CHECK_STR(after[0], before[0]);
    CHECK_STR(after[5], before[5]);
}

/* A file with one byte changed is no backup, and nothing is made of it. */
ITEST(a_damaged_backup_is_refused, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char file[700];
    char out[2048];
    struct wire w;
    cluster_start(&c, 1, 0, "");
    REQUIRE(wire_open(&w, c.node[0].port, 5000));
    CHECK_STR(wire_call(&w, "SET a 1"), "+OK\r\n");
    snprintf(file, sizeof file, "%s/backup", itest_dir());
    const char *reply = wire_call(&w, "RAFT BACKUP %s", file);
    CHECK(reply && reply[0] == '*');
    wire_close(&w);
    int fd = open(file, O_RDWR);
    REQUIRE(fd >= 0);
    char byte = 0;
    off_t at = lseek(fd, 0, SEEK_END) / 2;
    CHECK(pread(fd, &byte, 1, at) == 1);
    byte ^= 4;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
    CHECK(itest_shell(out, sizeof out, "%s restore %s --dir %s/new --announce 127.0.0.1:7001 2>&1", program(), file, itest_dir()) != 0);
    CHECK(strstr(out, "no good backup") != NULL);
    CHECK(itest_shell(out, sizeof out, "test ! -e %s/new", itest_dir()) == 0);
    CHECK(itest_shell(out, sizeof out, "%s restore %s/none/backup --dir %s/new 2>&1", program(), itest_dir(), itest_dir()) != 0);
    CHECK(strstr(out, "can't be read: No such file or directory") != NULL);
    CHECK(itest_shell(out, sizeof out, "test ! -e %s/none && mkdir %s/there && touch -d @1 %s/there", itest_dir(), itest_dir(), itest_dir()) == 0);
    CHECK(itest_shell(out, sizeof out, "%s restore %s --dir %s/there 2>&1", program(), file, itest_dir()) != 0);
    CHECK(itest_shell(out, sizeof out, "stat -c %%Y %s/there; ls -A %s/there", itest_dir(), itest_dir()) == 0);
    CHECK_STR(out, "1\n"); /* as it was */
    CHECK(itest_shell(out, sizeof out, "%s restore %s/absent --dir %s/new --announce 127.0.0.1:7001 2>&1", program(), itest_dir(), itest_dir()) != 0);
    CHECK(itest_shell(out, sizeof out, "%s restore %s/backup --dir %s/new --announce here:0 2>&1", program(), itest_dir(), itest_dir()) != 0);
    CHECK(strstr(out, "'here:0' is not host:port") != NULL);
    CHECK(itest_shell(out, sizeof out, "test ! -e %s/new", itest_dir()) == 0);
    CHECK(itest_shell(out, sizeof out, "%s restore --help 2>/dev/null", program()) == 0);
    CHECK(strncmp(out, "Usage: coracle restore FILE", 27) == 0);
    CHECK(itest_shell(out, sizeof out, "%s restore --dir %s/new 2>&1", program(), itest_dir()) != 0);
    CHECK(strncmp(out, "Usage: coracle restore FILE", 27) == 0);
}

/* Snapshots all the time, a node killed while it makes one, starts from them: nothing acknowledged is lost, and the nodes agree. */
ITEST(snapshots_under_load_and_kill, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    char reply[4096];
    cluster_start(&c, 3, 0, "--snapshot-log-size 200000 --snapshot-log-ratio 0 --log-segment-size 65536 --log-retention 65536");
    struct writers *w = writers_start(&c, 6, 10, "w");
    for (int round = 0; round < 4; round++) {
        REQUIRE(writers_wait_progress(w, 3000, 30000));
        size_t victim = (size_t)(itest_random() % 3);
        wire_once(c.node[victim].port, 500, reply, sizeof reply, "RAFT SNAPSHOT");
        itest_sleep_ms((int)(itest_random() % 30));
        cluster_node_kill(&c, victim);
        REQUIRE(writers_wait_progress(w, 3000, 30000)); /* enough that the log it needs is gone */
        cluster_node_start(&c, victim);
        REQUIRE(cluster_wait_caught_up(&c, 30000));
    }
    writers_stop(w);
    writers_note(w);
    CHECK(cluster_wait_caught_up(&c, 20000));
    for (size_t i = 0; i < 3 && !itest_has_failed(); i++) {
        writers_verify(w, &c, i);
        cluster_check_equal(&c, i, 30000);
        CHECK(wire_once(c.node[i].port, 5000, reply, sizeof reply, "INFO persistence"));
        CHECK(strstr(reply, "snapshot_index:0\r\n") == NULL);
    }
    writers_free(w);
}

ITEST_MAIN()
