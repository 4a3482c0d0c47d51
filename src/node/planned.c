#include "node/planned.h"

#include <stdio.h>
#include <string.h>

/* Redis's commands of families that are not here yet. Their names have no rows, so COMMAND does not list them. A blank before and behind
 * each name. */
static const struct {
    const char *family;
    const char *names;
} planned[] = {
    {"scripts and functions",
     " eval eval_ro evalsha evalsha_ro fcall fcall_ro function function|delete function|dump"
     " function|flush function|help function|kill function|list function|load function|restore"
     " function|stats script script|debug script|exists script|flush script|help script|kill script|load "},
    {"commands that move keys between servers",
     " migrate restore-asking "},
    {"streams",
     " xack xadd xautoclaim xclaim xdel xgroup xgroup|create xgroup|createconsumer xgroup|delconsumer"
     " xgroup|destroy xgroup|help xgroup|setid xinfo xinfo|consumers xinfo|groups xinfo|help xinfo|stream"
     " xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim "},
};

const char *planned_family(struct slice name)
{
    char word[24];
    size_t n = 1;

    if (name.n == 0 || name.n > sizeof word - 3) {
        return NULL;
    }
    word[0] = ' ';
    for (size_t i = 0; i < name.n; i++) {
        uint8_t byte = name.p[i];

        if (byte == ' ' || byte == 0) {
            return NULL;
        }
        word[n++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    word[n++] = ' ';
    word[n] = '\0';
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++) {
        if (strstr(planned[i].names, word)) {
            return planned[i].family;
        }
    }
    return NULL;
}
