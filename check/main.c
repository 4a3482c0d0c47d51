#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"

/* coracle-check: reads a history, tells whether it is linearizable. Knows no server. docs/HISTORY.md is the format. */

enum { STATUS_LINEARIZABLE = 0, STATUS_VIOLATED = 1, STATUS_INCONCLUSIVE = 2, STATUS_USAGE = 3 };

static int usage(FILE *out, int status)
{
    fprintf(out,
            "usage: coracle-check [--states N] [--quiet] HISTORY.jsonl...\n"
            "Tells whether what clients of a key-value store were answered could have come from one correct copy of the data,\n"
            "each operation taking effect at one moment between its start and its end. \"-\" reads standard input.\n"
            "  --states N   give up a group of keys after N states of search (default %d)\n"
            "  --quiet      print only what is wrong\n"
            "Exit status: 0 linearizable, 1 not, 2 undecided within the limit, 3 a file can't be read.\n",
            WGL_STATES_DEFAULT);
    return status;
}

static bool read_file(struct history *h, const char *name)
{
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (!in) {
        fprintf(stderr, "coracle-check: %s: %s\n", name, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    uint32_t number = 0;
    bool is_ok = true;
    char why[256];
    while (is_ok && (n = getline(&line, &room, in)) >= 0) {
        is_ok = history_read_line(h, (struct slice){(const uint8_t *)line, (size_t)n}, ++number, why, sizeof why);
        if (!is_ok)
            fprintf(stderr, "coracle-check: %s, line %u: %s\n", name, number, why);
    }
    if (ferror(in)) {
        fprintf(stderr, "coracle-check: %s: %s\n", name, strerror(errno));
        is_ok = false;
    }
    free(line);
    if (in != stdin)
        fclose(in);
    return is_ok;
}

static int check_file(const char *name, const struct wgl_limits *limits, bool is_quiet)
{
    struct history h = {0};
    struct check_report r;
    if (!read_file(&h, name)) {
        history_deinit(&h);
        return STATUS_USAGE;
    }
    check_history(&h, limits, &r);
    if (r.is_violated)
        printf("%s: NOT linearizable: %s\n", name, r.text);
    else if (r.inconclusive)
        printf("%s: undecided: the search gave up on %u of %u groups of keys (see --states)\n", name, r.inconclusive, r.groups);
    else if (!is_quiet)
        printf("%s: linearizable: %u operations, %u groups of keys (%u by zones, %u by cycles, %u by search of %llu states)\n", name,
               r.operations, r.groups, r.by_zones, r.by_cycles, r.by_search, (unsigned long long)r.states);
    history_deinit(&h);
    return r.is_violated ? STATUS_VIOLATED : r.inconclusive ? STATUS_INCONCLUSIVE : STATUS_LINEARIZABLE;
}

int main(int argc, char **argv)
{
    struct wgl_limits limits = {WGL_STATES_DEFAULT};
    bool is_quiet = false;
    int worst = STATUS_LINEARIZABLE;
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return usage(stdout, 0);
        if (strcmp(argv[i], "--quiet") == 0) {
            is_quiet = true;
        } else if (strcmp(argv[i], "--states") == 0 && i + 1 < argc) {
            char *end;
            limits.states = strtoull(argv[++i], &end, 10);
            if (*end || limits.states == 0)
                return usage(stderr, STATUS_USAGE);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return usage(stderr, STATUS_USAGE);
        }
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--states") == 0) {
            i++;
            continue;
        }
        if (argv[i][0] == '-' && argv[i][1])
            continue;
        files++;
        int status = check_file(argv[i], &limits, is_quiet);
        if (status == STATUS_USAGE || (worst != STATUS_USAGE && status != STATUS_LINEARIZABLE && worst != STATUS_VIOLATED))
            worst = status;
    }
    return files ? worst : usage(stderr, STATUS_USAGE);
}
