#include "transfer/transfer_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "transfer/transfer.h"

static const char import_help[] =
    "Usage: coracle import FILE [HOST:PORT[,HOST:PORT...]] [OPTION...]\n"
    "\n"
    "Writes the keys of an RDB file (Redis up to 7.0: redis-cli --rdb, SAVE, coracle export) into a running cluster, as a\n"
    "client of any of its nodes (default 127.0.0.1:6379; several are tried in turn). The whole file is checked before the\n"
    "first key is written. Databases and expiries are kept; a key whose time is over is not written.\n"
    "\n"
    "  --existing fail|keep|replace   a key that is there already: tell it as an error (default), leave it, replace it\n"
    "  --leave-out-unsupported        import the rest of a file that holds types which coracle has not; without it such\n"
    "                                 a file is refused\n"
    "  --check                        only say what is in the file; needs no cluster\n"
    "  --patience SECONDS             how long to wait for a cluster that does not answer (default 60)\n"
    "  --user NAME, --pass PASSWORD   as whom; the password may be in the environment instead, as REDISCLI_AUTH\n"
    "  --quiet                        no progress\n"
    "\n"
    "Interrupted? Run it again with --existing keep (what was written stays) or replace (everything once more): the end is\n"
    "the same as that of one run.\n"
    "Exit status: 0 all keys are there; 1 finished, but keys were left out; 2 nothing was written; 3 stopped in the middle.\n";

static const char export_help[] =
    "Usage: coracle export FILE [HOST:PORT[,HOST:PORT...]] [OPTION...]\n"
    "\n"
    "Writes all keys of a running cluster, databases and expiries included, into an RDB file that redis-server 7.0 loads\n"
    "(as dbfilename in its dir) and coracle import reads. Any node is asked (default 127.0.0.1:6379; several are tried in\n"
    "turn). Each key is in the file as it was at some moment of the export; where writes went on meanwhile, not all keys\n"
    "are of the same moment, and the last line says which of the two it was.\n"
    "\n"
    "  --overwrite                    replace FILE if it exists\n"
    "  --patience SECONDS             how long to wait for a cluster that does not answer (default 60)\n"
    "  --user NAME, --pass PASSWORD   as whom; the password may be in the environment instead, as REDISCLI_AUTH\n"
    "  --quiet                        no progress\n"
    "\n"
    "FILE appears when it is complete, not before.\n"
    "Exit status: 0 done; 1 done, but keys were left out; 2 no file was written.\n";

static int refuse(bool is_import, const char *what, const char *word)
{
    (void)fprintf(stderr, "coracle %s: %s%s%s; --help tells more.\n", is_import ? "import" : "export", what,
                  word[0] ? " " : "", word);
    return TRANSFER_REFUSED;
}

static bool parse_existing(struct transfer_options *o, const char *word)
{
    static const char *const name[] = {"fail", "keep", "replace"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(word, name[i]) == 0) {
            o->existing = (enum transfer_existing)i;
            return true;
        }
    }
    return false;
}

static bool parse_patience(struct transfer_options *o, const char *word)
{
    int64_t seconds;

    if (!number_parse_i64(slice_from_cstr(word), &seconds) || seconds < 0 || seconds > 86400) {
        return false;
    }
    o->patience_ms = seconds * 1000;
    return true;
}

/* An option with a value. -1: fine; else the status. */
static int parse_valued(struct transfer_options *o, bool is_import, const char *name, const char *value)
{
    if (!value) {
        return refuse(is_import, "a value is missing behind", name);
    }
    if (strcmp(name, "--user") == 0) {
        o->user = value;
    } else if (strcmp(name, "--pass") == 0) {
        o->password = value;
    } else if (strcmp(name, "--patience") == 0) {
        return parse_patience(o, value) ? -1 : refuse(is_import, "--patience is 0 to 86400 seconds, not", value);
    } else {
        return parse_existing(o, value) ? -1 : refuse(is_import, "--existing is fail, keep or replace, not", value);
    }
    return -1;
}

static bool option_has_value(const char *name, bool is_import)
{
    return strcmp(name, "--user") == 0 || strcmp(name, "--pass") == 0 || strcmp(name, "--patience") == 0 ||
           (is_import && strcmp(name, "--existing") == 0);
}

static bool parse_switch(struct transfer_options *o, bool is_import, const char *name)
{
    if (strcmp(name, "--quiet") == 0) {
        o->is_quiet = true;
    } else if (is_import && strcmp(name, "--check") == 0) {
        o->is_check_only = true;
    } else if (is_import && strcmp(name, "--leave-out-unsupported") == 0) {
        o->leaves_out_unsupported = true;
    } else if (!is_import && strcmp(name, "--overwrite") == 0) {
        o->overwrites = true;
    } else {
        return false;
    }
    return true;
}

int transfer_options_parse(struct transfer_options *o, bool is_import, int argc, char **argv)
{
    *o = (struct transfer_options){.patience_ms = 60000, .password = getenv("REDISCLI_AUTH")};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (strcmp(word, "--help") == 0) {
            (void)fputs(is_import ? import_help : export_help, stdout);
            return TRANSFER_DONE;
        }
        if (option_has_value(word, is_import)) {
            int status = parse_valued(o, is_import, word, argv[++i]);

            if (status >= 0) {
                return status;
            }
        } else if (word[0] == '-' && word[1] == '-') {
            if (!parse_switch(o, is_import, word)) {
                return refuse(is_import, "unknown option", word);
            }
        } else if (!o->file) {
            o->file = word;
        } else if (!o->addresses) {
            o->addresses = word;
        } else {
            return refuse(is_import, "too many arguments, at", word);
        }
    }
    if (!o->file) {
        return refuse(is_import, "which FILE?", "");
    }
    if (!o->addresses) {
        o->addresses = "127.0.0.1:6379";
    }
    return -1;
}
