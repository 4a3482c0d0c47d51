/* RDB files in and out: what redis-server saved comes into a running cluster, and what comes out redis-server loads, with the
 * same digest. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/lib/cluster.h"

enum { TRANSFER_KEYS = 30000 };

static struct cluster transfer_cluster;

/* ---- redis-servers beside the cluster ---- */

struct transfer_redis {
    uint16_t port;
    pid_t pid;
    char dir[700];
};

static void transfer_redis_kill(void *ctx)
{
    struct transfer_redis *r = ctx;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
}

/* With `file` (or NULL) as its dump.rdb. */
static void transfer_redis_start(struct transfer_redis *r, const char *name, const char *file)
{
    char out[2000];
    char port[8];
    r->port = cluster_free_port();
    snprintf(port, sizeof port, "%u", r->port);
    snprintf(r->dir, sizeof r->dir, "%s/%s", itest_dir(), name);
    REQUIRE(itest_shell(out, sizeof out, "mkdir '%s'", r->dir) == 0);
    if (file != NULL) {
        REQUIRE(itest_shell(out, sizeof out, "cp '%s' '%s/dump.rdb'", file, r->dir) == 0);
    }
    fflush(NULL);
    r->pid = fork();
    REQUIRE(r->pid >= 0);
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", port, "--dir", r->dir, "--save", "", "--appendonly", "no",
               "--enable-debug-command", "yes", "--logfile", "log", (char *)NULL);
        _exit(127);
    }
    itest_at_end(transfer_redis_kill, r);
    for (int64_t deadline = itest_now_ms() + 15000;;) {
        wire_once(r->port, 500, out, sizeof out, "PING");
        if (strcmp(out, "+PONG\r\n") == 0) {
            return;
        }
        if (itest_now_ms() > deadline) {
            itest_shell(out, sizeof out, "cat '%s/log'", r->dir);
            itest_fail("redis-server does not start: %s", out);
            itest_leave();
        }
        itest_sleep_ms(20);
    }
}

/* Strings of all encodings in three databases, a third with an expiry far away. */
static void transfer_redis_fill(const struct transfer_redis *r, unsigned keys)
{
    char out[2000];
    itest_shell(out, sizeof out,
                "awk 'BEGIN { srand(%u); for (i = 0; i < %u; i++) {"
                " if (i %% 10000 == 0) print \"SELECT \" i / 10000 * 7 %% 16;"
                " n = rand(); v = n < .3 ? int((rand() - .5) * 4e9) : n < .9 ? rand() \"-\" i : sprintf(\"%%*d\", rand() * 2000, i);"
                " gsub(/ /, \"ab\", v); print \"SET key:\" i \" \" v; if (n < .3) printf \"PEXPIREAT key:%%d %%.0f\\n\", i, 4102444800000 + i } }'"
                " | redis-cli -p %u --pipe 2>&1 && redis-cli -p %u SAVE",
                (unsigned)(itest_random() % 1000000), keys, r->port, r->port);
    if (strstr(out, "errors: 0") == NULL || strstr(out, "OK") == NULL) {
        itest_fail("redis-server was not filled: %s", out);
        itest_leave();
    }
}

static void transfer_digest(uint16_t port, char *out, size_t size)
{
    wire_once(port, 10000, out, size, "DEBUG DIGEST");
    CHECK(out[0] == '+' && strlen(out) == 43 && strspn(out + 1, "0") != 40);
}

/* ---- running the program ---- */

/* Its exit status; all it prints is in `out`. */
static int transfer_run(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int transfer_run(char *out, size_t size, const char *format, ...)
{
    char arguments[2000];
    va_list ap;
    va_start(ap, format);
    vsnprintf(arguments, sizeof arguments, format, ap);
    va_end(ap);
    return itest_shell(out, size, "'%s' %s 2>&1", getenv("CORACLE"), arguments);
}

static void transfer_expect(int want_status, const char *want, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void transfer_expect(int want_status, const char *want, const char *format, ...)
{
    char arguments[2000];
    char out[8192];
    va_list ap;
    va_start(ap, format);
    vsnprintf(arguments, sizeof arguments, format, ap);
    va_end(ap);
    int status = transfer_run(out, sizeof out, "%s", arguments);
    if (status != want_status || strstr(out, want) == NULL) {
        itest_fail("coracle %s: status %d instead of %d, or no \"%s\" in\n%s", arguments, status, want_status, want, out);
    }
}

static void transfer_write(const char *name, const void *bytes, size_t n)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", itest_dir(), name);
    FILE *f = fopen(path, "wb");
    REQUIRE(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void transfer_start(size_t count, uint16_t *leader, uint16_t *follower)
{
    cluster_start(&transfer_cluster, count, 0, "");
    int i = cluster_leader(&transfer_cluster, -1, 5000);
    REQUIRE(i >= 0);
    *leader = transfer_cluster.node[i].port;
    *follower = count > 1 ? transfer_cluster.node[cluster_follower(&transfer_cluster)].port : *leader;
}

/* What the cluster has comes out into a file that a redis-server loads to the digest `want`. */
static void transfer_check_way_back(uint16_t port, const char *want)
{
    static struct transfer_redis back;
    char file[1000];
    char digest[100];
    snprintf(file, sizeof file, "%s/back.rdb", itest_dir());
    transfer_expect(0, "All of one moment", "export '%s' 127.0.0.1:%u", file, port);
    transfer_redis_start(&back, "redis-back", file);
    transfer_digest(back.port, digest, sizeof digest);
    CHECK_STR(digest, want);
}

/* ---- tests ---- */

ITEST(import_and_export_keep_everything, ITEST_CLUSTER, 90)
{
    static struct transfer_redis redis;
    uint16_t leader;
    uint16_t follower;
    char digest[100];
    char want[100];
    transfer_start(3, &leader, &follower);
    transfer_redis_start(&redis, "redis", NULL);
    transfer_redis_fill(&redis, TRANSFER_KEYS);
    transfer_digest(redis.port, digest, sizeof digest);
    snprintf(want, sizeof want, "%d keys written\n", TRANSFER_KEYS);
    transfer_expect(0, want, "import '%s/dump.rdb' 127.0.0.1:%u", redis.dir, follower);
    transfer_check_way_back(leader, digest);
    /* Once more, both ways of the second time: the same end. */
    transfer_expect(0, "0 keys written, 30000 existed and were kept", "import --existing keep '%s/dump.rdb' 127.0.0.1:%u", redis.dir, leader);
    transfer_expect(0, want, "import --existing replace '%s/dump.rdb' 127.0.0.1:%u", redis.dir, leader);
    transfer_expect(1, "0 keys written, 30000 not written", "import '%s/dump.rdb' 127.0.0.1:%u", redis.dir, leader);
    transfer_expect(2, "back.rdb exists", "export '%s/back.rdb' 127.0.0.1:%u", itest_dir(), leader);
    transfer_expect(0, "All of one moment", "export --overwrite '%s/back.rdb' 127.0.0.1:%u", itest_dir(), leader);
}

/* The node that is asked dies, then the leader (if that was another): the import goes on with the next. */
ITEST(import_through_failover, ITEST_CLUSTER, 120)
{
    static struct transfer_redis redis;
    struct cluster *c = &transfer_cluster;
    char digest[100];
    char command[1500];
    char said[4096] = "";
    uint16_t leader;
    uint16_t follower;
    transfer_start(3, &leader, &follower);
    transfer_redis_start(&redis, "redis", NULL);
    transfer_redis_fill(&redis, 3 * TRANSFER_KEYS);
    transfer_digest(redis.port, digest, sizeof digest);
    snprintf(command, sizeof command, "'%s' import '%s/dump.rdb' 127.0.0.1:%u,127.0.0.1:%u 2>&1", getenv("CORACLE"), redis.dir, leader,
             follower);
    fflush(NULL);
    FILE *import = popen(command, "r");
    REQUIRE(import != NULL);
    struct wire w;
    REQUIRE(wire_open(&w, follower, 5000));
    int64_t deadline = itest_now_ms() + 30000;
    const char *size = NULL;
    do {
        size = wire_call(&w, "DBSIZE");
    } while ((size == NULL || atoi(size + 1) < 3000) && itest_now_ms() < deadline);
    REQUIRE(size != NULL && atoi(size + 1) < 10000); /* database 0 has that many: it is still under way */
    cluster_node_kill(c, (size_t)cluster_leader(c, -1, 1000));
    size_t n = fread(said, 1, sizeof said - 1, import);
    said[n] = '\0';
    int status = pclose(import);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(said, "90000 keys written\n") == NULL) {
        itest_fail("import ended with %d and said %s", status, said);
    }
    wire_close(&w);
    transfer_check_way_back(follower, digest);
}

ITEST(import_refuses_in_words, ITEST_CLUSTER, 60)
{
    static const char version[] = "REDIS0011\xff\0\0\0\0\0\0\0\0";
    static const char module[] = "REDIS0003\x00\x01k\x01v\x07\x06object\x81\0\0\0\0\0\0\0\1\0\xff";
    static const char database[] = "REDIS0003\xfe\x14\x00\x01k\x01v\xff";
    struct cluster *c = &transfer_cluster;
    uint16_t port;
    uint16_t other;
    char out[4096];
    const char *dir = itest_dir();
    transfer_start(1, &port, &other);
    transfer_write("empty", "", 0);
    transfer_write("text", "SET a b\n", 8);
    transfer_write("version", version, sizeof version - 1);
    transfer_write("module", module, sizeof module - 1);
    transfer_write("database", database, sizeof database - 1);
    itest_shell(out, sizeof out, "cd '%s' && head -c 3000 %s/tests/data/redis7.rdb > cut && cp %s/tests/data/redis7.rdb flipped &&"
                " printf X | dd of=flipped bs=1 seek=2000 conv=notrunc status=none && mkfifo pipe", dir, getenv("PWD"), getenv("PWD"));
    static const struct {
        const char *arguments;
        const char *want;
    } row[] = {
        {"no-such-file", "no-such-file: No such file or directory. Nothing was written."},
        {"empty", "it does not begin as an RDB file does"},
        {"text", "it does not begin as an RDB file does"},
        {"version", "RDB version 11; versions 1 to 10 are read"},
        {"cut", "the checksum does not fit"},
        {"flipped", "the checksum does not fit"},
        {"database", "it holds keys of database 20; coracle has the databases 0 to 15"},
        {"module", "1 keys are of types that coracle does not have yet. Nothing was written"},
        {".", "not a regular file"},
        {"cut 127.0.0.1", "the checksum does not fit"},
        {"", "which FILE?"},
        {"cut --existing maybe", "--existing is fail, keep or replace, not maybe"},
        {"cut --patience", "a value is missing behind --patience"},
        {"cut --frob", "unknown option --frob"},
        {"a b c", "too many arguments, at c"},
    };
    REQUIRE(chdir(dir) == 0);
    if (getenv("CORACLE")[0] != '/') {
        char path[1500];
        snprintf(path, sizeof path, "%s/%s", getenv("PWD"), getenv("CORACLE"));
        setenv("CORACLE", path, 1);
    }
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        bool has_address = strchr(row[i].arguments, ' ') != NULL;
        transfer_expect(2, row[i].want, has_address || row[i].arguments[0] == '\0' ? "import %s" : "import %s 127.0.0.1:%u", row[i].arguments,
                        port);
    }
    wire_once(port, 1000, out, sizeof out, "DBSIZE");
    CHECK_STR(out, ":0\r\n");
    transfer_expect(1, "1 keys written, 1 left out because of their type", "import --leave-out-unsupported module 127.0.0.1:%u", port);
    transfer_expect(2, "without any password configured", "import --leave-out-unsupported --pass x module 127.0.0.1:%u", port);
    transfer_expect(2, "Connection refused", "import --leave-out-unsupported --patience 0 module 127.0.0.1:%u", cluster_free_port());
    transfer_expect(2, "an address is host:port, not: nowhere", "import --leave-out-unsupported --patience 0 module nowhere");
    transfer_expect(2, "No file was written", "export --patience 0 x.rdb 127.0.0.1:%u", cluster_free_port());
    transfer_expect(2, "No such file or directory", "export no/such/folder/x.rdb 127.0.0.1:%u", port);
    CHECK(itest_shell(out, sizeof out, "ls | grep part") == 1);
    CHECK(c->node[0].pid > 0);
}

/* A value that this cluster does not take in one write, a password, a cluster without a majority. */
ITEST(import_tells_what_it_could_not_write, ITEST_CLUSTER, 90)
{
    static struct transfer_redis redis;
    struct cluster *c = &transfer_cluster;
    struct wire w;
    uint16_t leader;
    uint16_t follower;
    transfer_start(3, &leader, &follower);
    transfer_redis_start(&redis, "redis", NULL);
    REQUIRE(wire_open(&w, redis.port, 5000));
    CHECK_STR(wire_call(&w, "SET small 1"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "SETRANGE big 3000000 x"), ":3000001\r\n");
    for (unsigned i = 0; i < 100; i++) { /* LZF would make it small */
        char text[4001];
        for (size_t k = 0; k < 4000; k++) {
            text[k] = (char)('!' + itest_random() % 90);
        }
        text[4000] = '\0';
        CHECK(wire_call(&w, "SETRANGE big %u %s", i * 4000, text) != NULL);
    }
    CHECK_STR(wire_call(&w, "SAVE"), "+OK\r\n");
    wire_close(&w);
    cluster_config_set(c, "max-write-size", "65536");
    transfer_expect(1, "key 'big': ERR the write is bigger than max-write-size", "import '%s/dump.rdb' 127.0.0.1:%u", redis.dir, follower);
    cluster_config_set(c, "max-write-size", "33554432");
    cluster_config_set(c, "requirepass", "sesame");
    transfer_expect(2, "NOAUTH", "import '%s/dump.rdb' 127.0.0.1:%u", redis.dir, follower);
    transfer_expect(0, "1 keys written, 1 existed and were kept", "import --pass sesame --existing keep '%s/dump.rdb' 127.0.0.1:%u", redis.dir,
                    follower);
    for (size_t i = 0; i < 3; i++) {
        if (c->node[i].port != follower) {
            cluster_node_kill(c, i);
        }
    }
    transfer_expect(2, "no leader", "import --pass sesame --patience 1 --existing replace '%s/dump.rdb' 127.0.0.1:%u", redis.dir, follower);
    transfer_expect(2, "No file was written", "export --pass sesame --patience 1 '%s/x.rdb' 127.0.0.1:%u", redis.dir, follower);
}

/* Every type that both have by now, in Redis's encodings; and MIGRATE, which is RESTORE from a redis-server. */
ITEST(redis_values_come_and_go, ITEST_CLUSTER, 60)
{
    static struct transfer_redis redis;
    static struct transfer_redis back;
    uint16_t port;
    uint16_t other;
    char out[65536];
    char file[1000];
    transfer_start(1, &port, &other);
    transfer_redis_start(&redis, "redis", "tests/data/redis7.rdb");
    int status = transfer_run(out, sizeof out, "import --leave-out-unsupported tests/data/redis7.rdb 127.0.0.1:%u", port);
    CHECK(status == 0 || status == 1);
    snprintf(file, sizeof file, "%s/back.rdb", itest_dir());
    transfer_expect(0, "All of one moment", "export '%s' 127.0.0.1:%u", file, port);
    transfer_redis_start(&back, "redis-back", file);
    /* Each key that came over has the digest that it had. */
    itest_shell(out, sizeof out,
                "for db in 0 5; do redis-cli -n $db -p %u --scan | while read -r key; do"
                " a=$(redis-cli -n $db -p %u DEBUG DIGEST-VALUE \"$key\"; redis-cli -n $db -p %u PEXPIRETIME \"$key\");"
                " b=$(redis-cli -n $db -p %u DEBUG DIGEST-VALUE \"$key\"; redis-cli -n $db -p %u PEXPIRETIME \"$key\");"
                " if [ \"$a\" = \"$b\" ]; then echo same; else echo \"differs: $key\"; fi; done; done | sort | uniq -c",
                back.port, redis.port, redis.port, back.port, back.port);
    itest_note("imported and exported: %s", out);
    CHECK(strstr(out, "differs") == NULL && atoi(out) >= 19);
    itest_shell(out, sizeof out, "redis-cli -p %u SET migrated here EX 1000; redis-cli -p %u MIGRATE 127.0.0.1 %u migrated 0 5000; redis-cli -p %u GET migrated;"
                " redis-cli -p %u EXISTS migrated; redis-cli -p %u TTL migrated | sed 's/^99[0-9]$/1000/'", redis.port, redis.port, port, port, redis.port, port);
    CHECK_STR(out, "OK\nOK\nhere\n0\n1000\n");
}

ITEST_MAIN()
