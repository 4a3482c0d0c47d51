#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/file_read.h"
#include "net/server.h"
#include "node/options.h"
#include "node/restore.h"
#include "node/version.h"
#include "transfer/transfer.h"

/* Read the configuration, then run one server. */

static int refuse(struct buf *why)
{
    (void)fprintf(stderr, "coracle: %.*s\n", (int)buf_size(why), (const char *)buf_slice(why).p);
    return 2;
}

static void print_version(void)
{
    printf("coracle %s, speaking Redis %s\n", CORACLE_VERSION, REDIS_VERSION);
#ifdef HAVE_JEMALLOC
    printf("jemalloc: yes\n");
#else
    printf("jemalloc: no\n");
#endif
#ifdef HAVE_HTTP_PARSER
    printf("http-parser: yes\n");
#else
    printf("http-parser: no (HTTP is answered 501)\n");
#endif
#ifdef HAVE_WSLAY
    printf("wslay: yes\n");
#else
    printf("wslay: no (WebSockets are answered 501)\n");
#endif
#ifdef CORACLE_HOSTILE
    printf("hostile limits: yes\n");
#endif
    printf("compiler: %s\n", __VERSION__);
}

static void print_help(void)
{
    struct buf text = {0};

    options_help(&text);
    (void)fwrite(buf_slice(&text).p, 1, buf_size(&text), stdout);
    buf_deinit(&text);
}

/* Nodes that talk over a network prove a secret to each other (DESIGN §7). */
static enum err check_member(const struct options *o, struct slice word, struct buf *why)
{
    char *text = mem_copy_string(word.p, word.n);
    struct address_text parts;
    enum err error = ERR_OK;

    if (!address_split(text, &parts)) {
        buf_printf(why, "option 'cluster': '%s' is not host:port.", text);
        error = ERR_INVALID;
    } else if (o->cluster_secret_file[0] == '\0' && !address_host_is_loopback(parts.host)) {
        buf_printf(why, "the node %s is not on this machine, so cluster-secret-file must be set: a file with at least 16 "
                        "bytes that only its owner can read, the same on all nodes.", text);
        error = ERR_INVALID;
    }
    mem_free(text);
    return error;
}

static enum err check_cluster(const struct options *o, struct buf *why)
{
    const char *at = o->cluster;
    enum err error = ERR_OK;

    while (error == ERR_OK && *at) {
        size_t n = strcspn(at, ", ");

        if (n > 0) {
            error = check_member(o, (struct slice){(const uint8_t *)at, n}, why);
        }
        at += n + (at[n] ? 1 : 0);
    }
    return error;
}

static enum err configure(struct options *o, int argc, char **argv, const struct options_command_line *line,
                          struct buf *secret, struct buf *why)
{
    struct buf text = {0};
    enum err error = ERR_OK;

    if (line->file) {
        error = file_read(line->file, &text, why);
        if (error == ERR_OK) {
            error = options_parse_text(o, buf_slice(&text), line->file, why);
        }
        buf_deinit(&text);
    }
    if (error == ERR_OK) {
        error = options_parse_flags(o, argc, argv, line->first_flag, why);
    }
    if (error == ERR_OK) {
        error = options_check(o, why);
    }
    if (error == ERR_OK) {
        error = check_cluster(o, why);
    }
    if (error == ERR_OK && o->cluster_secret_file[0] != '\0') {
        error = file_read_secret(o->cluster_secret_file, secret, why);
    }
    return error;
}

static void log_to_stderr(void *ctx, enum log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "coracle: %s\n", text);
}

static void print_restore_help(FILE *to)
{
    (void)fprintf(to, "Usage: coracle restore FILE [--dir DIRECTORY] [--announce HOST:PORT | --port PORT]\n\n"
                      "Makes the first node of a new cluster of a backup (RAFT BACKUP FILE). The directory is made, or holds no\n"
                      "node yet; the address is the one under which the node will be started (default 127.0.0.1:6379). Every block\n"
                      "of the file is checked first. Further nodes join the new cluster (--join).\n");
}

/* The data directory is made only when the file is known to be good. */
static enum err restore_file(const char *path, const struct options *options, const char *address, struct buf *why)
{
    const struct log_sink log = {LOG_WARNING, log_to_stderr, NULL};
    struct restore r;
    struct vfs *from = NULL;
    struct vfs *to = NULL;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_copy_string(path, slash == path ? 1 : (size_t)(slash - path)) : mem_copy_string(".", 1);

    if (access(path, R_OK) != 0) { /* Opening its folder would make it. */
        buf_printf(why, "%s can't be read: %s", path, strerror(errno));
        mem_free(folder);
        return ERR_NOT_FOUND;
    }
    enum err error = vfs_posix_open(folder, &from);
    if (error != ERR_OK) {
        buf_printf(why, "%s can't be used: %s", folder, err_text(error));
    } else {
        error = restore_open(&r, from, slash ? slash + 1 : path, why);
        enum err made = error == ERR_OK ? vfs_posix_open(options->dir, &to) : ERR_OK;
        if (made != ERR_OK) {
            buf_printf(why, "%s can't be used: %s", options->dir, err_text(made));
            error = made;
        } else if (error == ERR_OK) {
            error = restore_run(&r, to, address, clock_random, &log, why);
        }
        restore_close(&r);
        vfs_posix_close(from);
    }
    vfs_posix_close(to);
    mem_free(folder);
    return error;
}

/* `coracle restore <file> [--dir D] [--announce H:P | --port P]` (node/restore.h). */
static int restore(int argc, char **argv)
{
    if (argc < 3 || argv[2][0] == '-') {
        bool is_asked = argc > 2 && strcmp(argv[2], "--help") == 0;

        print_restore_help(is_asked ? stdout : stderr);
        return is_asked ? 0 : 2;
    }
    struct options options;
    struct buf why = {0};
    char address[LIMIT_ADDRESS_BYTES];
    enum err error;

    options_init(&options);
    error = options_parse_flags(&options, argc, argv, 3, &why);
    if (error == ERR_OK) {
        error = options_check(&options, &why);
    }
    if (error == ERR_OK) {
        options_own_address(&options, address);
        error = restore_file(argv[2], &options, address, &why);
    }
    int status = error == ERR_OK ? 0 : refuse(&why);
    if (error == ERR_OK) {
        printf("%.*s\nStart it with: coracle --dir %s --port %s --announce %s\n", (int)buf_size(&why),
               (const char *)buf_slice(&why).p, options.dir, strrchr(address, ':') + 1, address);
    }
    options_deinit(&options);
    buf_deinit(&why);
    return status;
}

int main(int argc, char **argv)
{
    struct options_command_line line;
    struct options options;
    struct buf secret = {0};
    struct buf why = {0};
    int status = 2;

    if (argc > 1 && strcmp(argv[1], "import") == 0) {
        return transfer_import(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "export") == 0) {
        return transfer_export(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "restore") == 0) {
        return restore(argc, argv);
    }
    if (options_scan_arguments(argc, argv, &line, &why) != ERR_OK) {
        status = refuse(&why);
        buf_deinit(&why);
        return status;
    }
    if (line.action == OPTIONS_VERSION) {
        print_version();
        return 0;
    }
    if (line.action == OPTIONS_HELP) {
        print_help();
        return 0;
    }
    options_init(&options);
    if (configure(&options, argc, argv, &line, &secret, &why) == ERR_OK) {
        status = server_run(&options, line.file, buf_slice(&secret));
    } else {
        status = refuse(&why);
    }
    options_deinit(&options);
    buf_deinit(&secret);
    buf_deinit(&why);
    return status;
}
