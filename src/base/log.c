#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longer lines are cut: a log line is one sentence. */
#define LOG_LINE_BYTES 1024

/* Bytes of clients and peers reach log lines (names, addresses): one of them must not be able to
 * forge a second line or move a terminal's cursor. */
static void log_make_plain(char *line)
{
    for (char *c = line; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < ' ' || byte == 0x7f)
            *c = '?';
    }
}

void log_line(const struct log_sink *sink, enum log_level level, const char *format, ...)
{
    if (!sink || !sink->write_fn || level < sink->level)
        return;
    char line[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0)
        return;
    if ((size_t)length >= sizeof line)
        memcpy(line + sizeof line - 4, "...", 4);
    log_make_plain(line);
    sink->write_fn(sink->ctx, level, line);
}
