/* Tools that nobody here wrote: redis-cli in its modes, redis-benchmark without a warning, and nc with the
 * transcripts of integration/nc. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/cluster.h"

static struct cluster tools_cluster;

/* Starts the servers; returns the port of the leader, then of a follower. */
static uint16_t tools_start(uint16_t *follower)
{
    cluster_start(&tools_cluster, 3, 0, "");
    int leader = cluster_leader(&tools_cluster, -1, 5000);
    REQUIRE(leader >= 0);
    *follower = tools_cluster.count > 1 ? tools_cluster.node[cluster_follower(&tools_cluster)].port : 0;
    return tools_cluster.node[leader].port;
}

static void tools_expect(const char *want, const char *format, unsigned port)
{
    char command[1024];
    char out[8192];
    const char *rest = strstr(format, "{port}");
    snprintf(command, sizeof command, "%.*s%u%s", (int)(rest - format), format, port, rest + 6);
    itest_shell(out, sizeof out, "%s", command);
    if (strcmp(out, want) != 0) {
        itest_fail("%s printed\n%s\ninstead of\n%s", command, out, want);
    }
}

/* ---- redis-cli ---- */

static void tools_cli_one_shot(uint16_t port)
{
    tools_expect("PONG\n", "redis-cli -p {port} PING 2>&1", port);
    tools_expect("OK\n", "redis-cli -p {port} FLUSHALL 2>&1", port);
    tools_expect("OK\n", "redis-cli -p {port} SET a 1 2>&1", port);
    tools_expect("(integer) 2\n", "redis-cli --no-raw -p {port} INCR a 2>&1", port);
    tools_expect("2\n3\n4\n", "redis-cli -r 3 -p {port} INCR b 2>&1 | awk '{print $1 + 1}'", port);
    tools_expect("\"2\"\n", "redis-cli --no-raw -p {port} GET a 2>&1", port);
    tools_expect("(nil)\n", "redis-cli --no-raw -p {port} GET nothing 2>&1", port);
    tools_expect("1) \"2\"\n2) (nil)\n", "redis-cli --no-raw -p {port} MGET a nothing 2>&1", port);
    tools_expect("OK\n", "printf 'a value\\nof two lines' | redis-cli -p {port} -x SET x 2>&1", port);
    tools_expect("a value\nof two lines\n", "redis-cli -p {port} GET x 2>&1", port);
    tools_expect("ERR unknown command 'frobnicate', with args beginning with: 'x' \n\n", "redis-cli -p {port} frobnicate x 2>&1", port);
    tools_expect("OK\n", "redis-cli -n 3 -p {port} SET only-in-3 v 2>&1", port);
    tools_expect("v\n", "redis-cli -n 3 -p {port} GET only-in-3 2>&1", port);
    tools_expect("\n", "redis-cli -p {port} GET only-in-3 2>&1", port);
}

/* RESP3: a map is printed as one, a null and a boolean as such. */
static void tools_cli_resp3(uint16_t port)
{
    tools_expect("1# \"databases\" => \"16\"\n", "redis-cli -3 --no-raw -p {port} CONFIG GET databases 2>&1", port);
    tools_expect("(nil)\n", "redis-cli -3 --no-raw -p {port} GET nothing 2>&1", port);
    tools_expect("PONG\n", "redis-cli -3 -p {port} PING 2>&1", port);
}

static void tools_cli_stdin(uint16_t port)
{
    tools_expect("OK\n1\n2\n2\n", "printf 'FLUSHALL\\nINCR n\\nINCR n\\nGET n\\n' | redis-cli -p {port} 2>&1", port);
    tools_expect("OK\nQUEUED\nQUEUED\nOK\n7\n", "printf 'MULTI\\nSET n 6\\nINCR n\\nEXEC\\n' | redis-cli -p {port} 2>&1", port);
}

ITEST(redis_cli, ITEST_ANY_SERVER, 60)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        tools_cli_one_shot(port);
        tools_cli_resp3(port);
        tools_cli_stdin(port);
    }
}

/* Interactive on a terminal (script makes one): the prompt, completion data by COMMAND DOCS, answers as a person sees
 * them, `exit`. */
ITEST(redis_cli_interactive, ITEST_ANY_SERVER, 40)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        char out[65536];
        char prompt[64];
        snprintf(prompt, sizeof prompt, "127.0.0.1:%u> ", port);
        itest_shell(out, sizeof out,
                    "(for line in PING 'SET i 41' 'INCR i' 'GET i' 'MULTI' 'INCR i' 'EXEC' 'GET nothing' 'CLIENT GETNAME' exit; do sleep 0.3;"
                    " echo \"$line\"; done) | TERM=dumb timeout 20 script -qec 'redis-cli -p %u' /dev/null 2>&1 | cat -v", port);
        static const char *const wanted[] = {"PONG", "OK", "(integer) 42", "\"42\"", "QUEUED", "1) (integer) 43", "(nil)", "(TX)>"};
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            if (strstr(out, wanted[i]) == NULL) {
                itest_fail("no \"%s\" in what redis-cli showed:\n%s", wanted[i], out);
            }
        }
        CHECK(strstr(out, prompt) != NULL);
        CHECK(strstr(out, "Error") == NULL && strstr(out, "ERR") == NULL);
    }
}

/* Mass insertion: 20,000 requests from a file, each answered, none refused. */
ITEST(redis_cli_pipe, ITEST_ANY_SERVER, 60)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        char out[4096];
        itest_shell(out, sizeof out,
                    "awk 'BEGIN { for (i = 0; i < 20000; i++) printf \"SET pipe:%%d %%d\\r\\n\", i, i }' | redis-cli -p %u --pipe 2>&1", port);
        if (strstr(out, "errors: 0, replies: 20000") == NULL) {
            itest_fail("redis-cli --pipe said %s", out);
        }
        tools_expect("19999\n", "redis-cli -p {port} GET pipe:19999 2>&1", port);
    }
}

/* A million, as the documentation of Redis's mass insertion has it. */
ITEST(redis_cli_pipe_a_million, ITEST_ANY_SERVER, 300)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    char out[4096];
    itest_shell(out, sizeof out,
                "awk 'BEGIN { for (i = 0; i < 1000000; i++) printf \"*3\\r\\n$3\\r\\nSET\\r\\n$%%d\\r\\nk%%d\\r\\n$1\\r\\nv\\r\\n\","
                " 1 + length(i \"\"), i }' | redis-cli -p %u --pipe 2>&1", leader);
    if (strstr(out, "errors: 0, replies: 1000000") == NULL) {
        itest_fail("redis-cli --pipe said %s", out);
    }
    tools_expect("1000000\n", "redis-cli -p {port} DBSIZE 2>&1", leader);
}

/* ---- redis-cli's looks at a whole server ---- */

/* `format` has {port}; each of the wanted texts must be in what it prints, and "rr" of no error. */
static void tools_must_say(uint16_t port, const char *format, const char *const *wanted, size_t count)
{
    char command[1024];
    static char out[262144];
    const char *rest = strstr(format, "{port}");
    snprintf(command, sizeof command, "%.*s%u%s", (int)(rest - format), format, port, rest + 6);
    itest_shell(out, sizeof out, "%s", command);
    for (size_t i = 0; i < count; i++) {
        if (strstr(out, wanted[i]) == NULL) {
            itest_fail("%s: no \"%s\" in\n%.3000s", command, wanted[i], out);
        }
    }
}
#define TOOLS_MUST_SAY(port, command, ...)                                                       \
    do {                                                                                         \
        static const char *const wanted_[] = {__VA_ARGS__};                                      \
        tools_must_say((port), (command), wanted_, sizeof wanted_ / sizeof *wanted_);            \
    } while (0)

static void tools_look(uint16_t port)
{
    tools_expect("OK\n", "redis-cli -p {port} FLUSHALL 2>&1", port);
    tools_expect("100\n", "for i in $(seq 1 100); do echo SET look:$i $(seq 1 $i | tr -d '\\n'); done | redis-cli -p {port} 2>&1 | grep -c OK", port);
    TOOLS_MUST_SAY(port, "redis-cli -p {port} --bigkeys 2>&1", "Sampled 100 keys in the keyspace!", "Biggest string found '\"look:100\"' has 192 bytes",
                   "100 strings with");
    TOOLS_MUST_SAY(port, "redis-cli -p {port} --memkeys 2>&1", "Sampled 100 keys in the keyspace!", "Biggest string found", "100 strings with");
    /* As on a redis-server without an LFU policy. */
    TOOLS_MUST_SAY(port, "redis-cli -p {port} --hotkeys 2>&1", "An LFU maxmemory policy is not selected");
    TOOLS_MUST_SAY(port, "timeout -s INT 4 script -qec 'redis-cli -p {port} --stat -i 0.2' /dev/null 2>&1", "keys       mem      clients blocked requests", "\n100 ");
    TOOLS_MUST_SAY(port, "timeout 6 redis-cli --raw -p {port} --latency -i 1 2>&1", " ");
    TOOLS_MUST_SAY(port, "timeout -s INT 6 script -qec 'redis-cli -p {port} --latency-history -i 1' /dev/null 2>&1", "samples) -- 1.0");
    tools_expect("100\n", "redis-cli -p {port} --scan --pattern 'look:*' 2>&1 | sort -u | wc -l", port);
    tools_expect("11\n", "redis-cli -p {port} --scan --pattern 'look:9*' 2>&1 | wc -l", port);
    tools_expect("\"1\",NULL,\"12\"\n", "redis-cli --csv -p {port} MGET look:1 none look:2 2>&1", port);
    tools_expect("{\"databases\":\"16\"}\n", "redis-cli --json -p {port} CONFIG GET databases 2>&1", port);
    tools_expect("[\"1\",null]\n", "redis-cli --json -p {port} MGET look:1 none 2>&1", port);
    tools_expect("(integer) 1\n(integer) 2\n", "printf 'set x 0\nincr y\nincr y\n' | redis-cli --no-raw -p {port} 2>&1 | tail -2", port);
}

ITEST(redis_cli_looks, ITEST_ANY_SERVER, 120)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        tools_look(port);
    }
}

/* On a terminal redis-cli shows the rest of a command's syntax while it is typed, and `help`: both come from COMMAND DOCS. */
ITEST(redis_cli_hints, ITEST_ANY_SERVER, 60)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    TOOLS_MUST_SAY(leader,
                   "(sleep 1.5; for part in 'GET' 'RANGE ' 'k 0 ' '-1'; do printf %s \"$part\"; sleep 0.4; done; printf '\\r'; sleep 0.5;"
                   " printf 'help setrange\\r'; sleep 0.5; printf 'exit\\r'; sleep 0.5) |"
                   " TERM=xterm timeout 30 script -qec 'stty cols 140; redis-cli -p {port}' /dev/null 2>&1",
                   " start end", "\"\"", "key offset value", "Overwrite part of a string at key starting at the specified offset", " 2.2.0");
}

ITEST(redis_cli_password, ITEST_ANY_SERVER, 40)
{
    uint16_t follower;
    uint16_t port = tools_start(&follower);
    struct wire control;
    REQUIRE(wire_open(&control, port, 5000));
    CHECK_STR(wire_call(&control, "CONFIG SET requirepass secret"), "+OK\r\n");
    tools_expect("NOAUTH Authentication required.\n\n", "redis-cli -p {port} GET a 2>&1", port);
    tools_expect("OK\n", "redis-cli --no-auth-warning -a secret -p {port} SET a 1 2>&1", port);
    tools_expect("1\n", "redis-cli --no-auth-warning --user default --pass secret -3 -p {port} GET a 2>&1", port);
    CHECK_STR(wire_call(&control, "CONFIG SET requirepass "), "+OK\r\n");
    wire_close(&control);
}

/* ---- redis-benchmark ---- */

static void tools_benchmark(uint16_t port, const char *flags)
{
    static const char *const wanted[] = {"PING_INLINE: ", "PING_MBULK: ", "SET: ", "GET: ", "INCR: ", "LPUSH: ", "RPUSH: ", "LPOP: ", "RPOP: ",
                                         "SADD: ", "HSET: ", "SPOP: ", "ZADD: ", "ZPOPMIN: ", "LRANGE_100 ", "LRANGE_300 ", "LRANGE_500 ",
                                         "LRANGE_600 ", "MSET (10 keys): "};
    static const char *const unwanted[] = {"WARNING", "Error", "ERR", "error"};
    char out[262144];
    int code = itest_shell(out, sizeof out, "redis-benchmark -p %u -q %s 2>&1", port, flags);
    CHECK(code == 0);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (strstr(out, wanted[i]) == NULL) {
            itest_fail("%s: no %sin %.2000s", flags, wanted[i], out);
        }
    }
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++) {
        if (strstr(out, unwanted[i]) != NULL) {
            itest_fail("%s: %s in %.2000s", flags, unwanted[i], out);
        }
    }
}

ITEST(redis_benchmark, ITEST_ANY_SERVER, 240)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        tools_benchmark(port, "-P 1 -n 1000");
        tools_benchmark(port, "-P 16 -n 8000 -r 100000 -d 100");
        tools_benchmark(port, "-P 16 -n 2000 -3 -c 200");
    }
}

/* ---- nc ----
 * integration/nc/NAME.txt: lines "> text" are sent (">r": ended by CRLF), lines "< text" are the exact reply ("<r"
 * likewise). Everything is sent at once, then the sending side is closed: all of it is still answered. "# server: any"
 * runs against redis-server too; "# password: X" sets requirepass for this transcript. */
struct tools_transcript {
    char input[16384];
    char output[16384];
    size_t input_len;
    size_t output_len;
    bool is_for_any;
    char password[64];
};

static void tools_add_line(char *text, size_t size, size_t *len, const char *line)
{
    bool is_crlf = line[1] == 'r';
    const char *rest = line + 1 + is_crlf;
    rest += *rest == ' ';
    *len += (size_t)snprintf(text + *len, size - *len, "%s%s", rest, is_crlf ? "\r\n" : "\n");
}

static void tools_read_transcript(struct tools_transcript *t, const char *path)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    *t = (struct tools_transcript){.input_len = 0};
    REQUIRE(f != NULL);
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '>') {
            tools_add_line(t->input, sizeof t->input, &t->input_len, line);
        } else if (line[0] == '<') {
            tools_add_line(t->output, sizeof t->output, &t->output_len, line);
        } else if (strcmp(line, "# server: any") == 0) {
            t->is_for_any = true;
        } else {
            sscanf(line, "# password: %63s", t->password);
        }
    }
    fclose(f);
    REQUIRE(t->input_len > 0 && t->output_len > 0);
}

static void tools_write_file(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fwrite(text, 1, len, f);
    fclose(f);
}

static void tools_run_transcript(struct wire *control, uint16_t port, const char *name)
{
    static struct tools_transcript t;
    char path[1024];
    char input[1024];
    char wanted[1024];
    char out[16384];
    snprintf(path, sizeof path, "integration/nc/%s", name);
    tools_read_transcript(&t, path);
    if (itest_server_is_redis() && !t.is_for_any) {
        return;
    }
    snprintf(input, sizeof input, "%s/nc.in", itest_dir());
    snprintf(wanted, sizeof wanted, "%s/nc.want", itest_dir());
    tools_write_file(input, t.input, t.input_len);
    tools_write_file(wanted, t.output, t.output_len);
    CHECK_STR(wire_call(control, "FLUSHALL"), "+OK\r\n");
    CHECK_STR(wire_call(control, "CONFIG SET requirepass %s", t.password), "+OK\r\n");
    int code = itest_shell(out, sizeof out, "timeout 10 nc -N 127.0.0.1 %u < '%s' > '%s.out' && diff '%s' '%s.out' | cat -A | head -40 && cmp -s '%s' '%s.out'",
                           port, input, input, wanted, input, wanted, input);
    if (code != 0) {
        itest_fail("%s on port %u (< wanted, > got; code %d):\n%s", name, port, code, out);
    }
    CHECK_STR(wire_call(control, "CONFIG SET requirepass "), "+OK\r\n");
}

ITEST(nc_transcripts, ITEST_ANY_SERVER, 90)
{
    uint16_t follower;
    uint16_t leader = tools_start(&follower);
    for (uint16_t port = leader; port != 0; port = port == leader ? follower : 0) {
        struct wire control;
        size_t count = 0;
        DIR *dir = opendir("integration/nc");
        REQUIRE(dir != NULL && wire_open(&control, port, 5000));
        for (struct dirent *d; (d = readdir(dir)) != NULL;) {
            if (strstr(d->d_name, ".txt") != NULL) {
                tools_run_transcript(&control, port, d->d_name);
                count++;
            }
        }
        CHECK(count >= 5);
        closedir(dir);
        wire_close(&control);
    }
}

static void tools_status(uint16_t port, char *out, size_t size)
{
    itest_shell(out, size, "printf 'status\\n' | timeout 10 nc -N 127.0.0.1 %u", port);
}

/* Waits until `status` on a node contains a text (and prints what it says when that does not happen). */
static void tools_wait_status(uint16_t port, const char *text, const char *not_text)
{
    char out[4096];
    int64_t deadline = itest_now_ms() + 10000;
    do {
        tools_status(port, out, sizeof out);
        if (strstr(out, text) != NULL && (not_text == NULL || strstr(out, not_text) == NULL)) {
            return;
        }
        itest_sleep_ms(50);
    } while (itest_now_ms() < deadline);
    itest_fail("status does not say \"%s\" (without \"%s\"):\n%s", text, not_text != NULL ? not_text : "", out);
}

/* `status` through nc while nodes go: who leads, who answers, who lags, and that there is no quorum. */
ITEST(nc_status, ITEST_CLUSTER, 60)
{
    uint16_t follower;
    tools_start(&follower);
    struct cluster *c = &tools_cluster;
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    char line[200];
    char out[4096];
    snprintf(line, sizeof line, "Cluster Status:\nLeader: 127.0.0.1:%u\nActive Nodes: [", c->node[leader].port);
    for (size_t i = 0; i < 3; i++) {
        tools_wait_status(c->node[i].port, "Sync Status: All nodes in sync.\n", "WARNING");
        tools_status(c->node[i].port, out, sizeof out);
        if (strncmp(out, line, strlen(line)) != 0) {
            itest_fail("status of node %zu begins with\n%s\ninstead of\n%s", i + 1, out, line);
        }
        for (size_t j = 0; j < 3; j++) {
            char address[32];
            snprintf(address, sizeof address, "127.0.0.1:%u", c->node[j].port);
            CHECK(strstr(out, address) != NULL);
        }
    }
    size_t gone = cluster_follower(c);
    size_t left = 3 - leader - gone;
    cluster_node_kill(c, gone);
    snprintf(line, sizeof line, "WARNING: Node 127.0.0.1:%u out of sync.\n", c->node[gone].port);
    tools_wait_status(c->node[leader].port, line, NULL);
    tools_wait_status(c->node[left].port, line, NULL);
    cluster_node_kill(c, leader);
    tools_wait_status(c->node[left].port, "Leader: none\n", NULL);
    tools_wait_status(c->node[left].port, "WARNING: No quorum.\n", NULL);
}

/* ---- INFO ----
 * Which fields there are is a unit test's (tests/node/test_info.c); here, what only a process knows. */
static double info_field(struct wire *w, const char *field)
{
    char line[128];
    (void)snprintf(line, sizeof line, "\r\n%s:", field);
    const char *info = wire_call(w, "INFO everything");
    const char *at = info != NULL ? strstr(info, line) : NULL;
    return at != NULL ? strtod(at + strlen(line), NULL) : -1;
}

ITEST(info_of_a_process, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    struct wire leader;
    struct wire follower;
    cluster_start(&c, 3, 0, "");
    REQUIRE(wire_open(&leader, c.node[cluster_leader(&c, -1, 5000)].port, 5000));
    REQUIRE(wire_open(&follower, c.node[cluster_follower(&c)].port, 5000));
    double sent = info_field(&leader, "total_net_repl_output_bytes");
    double received = info_field(&follower, "total_net_repl_input_bytes");
    CHECK(sent > 0 && received > 0);
    char value[4001];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 250; i++) {
        CHECK_STR(wire_call(&leader, "SET a %s", value), "+OK\r\n");
    }
    REQUIRE(cluster_wait_caught_up(&c, 5000));
    /* To two followers; in the total, too. */
    CHECK(info_field(&leader, "total_net_repl_output_bytes") - sent > 2e6);
    CHECK(info_field(&leader, "total_net_output_bytes") > info_field(&leader, "total_net_repl_output_bytes"));
    CHECK(info_field(&follower, "total_net_repl_input_bytes") - received > 1e6);
    for (int i = 0; i < 50 && info_field(&leader, "instantaneous_output_repl_kbps") <= 0; i++) {
        itest_sleep_ms(100); /* rates are of the last second, from the second one on */
    }
    CHECK(info_field(&leader, "instantaneous_output_repl_kbps") > 0);
    double user = info_field(&leader, "used_cpu_user_main_thread");
    double system = info_field(&leader, "used_cpu_sys_main_thread");
    double of_all = info_field(&leader, "used_cpu_user");
    of_all += info_field(&leader, "used_cpu_sys");
    /* Only the sums can be compared: the kernel measures the time of a thread and of its process, and estimates
       from ticks, for each by itself, what share of it was user's. */
    CHECK(user >= 0 && system >= 0 && user + system > 0);
    CHECK(user + system <= of_all);
    /* What is only address space is no memory. */
    CHECK(info_field(&leader, "used_memory") <= 2 * info_field(&leader, "used_memory_rss"));
    CHECK(strstr(wire_call(&leader, "INFO server"), "\r\nos:Linux ") != NULL);
    wire_close(&leader);
    wire_close(&follower);
}

ITEST_MAIN()
