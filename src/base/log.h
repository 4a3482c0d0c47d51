#ifndef BASE_LOG_H
#define BASE_LOG_H

/* Log lines: one plain sentence per event. A sink is passed down, never global. The sink's owner adds level,
 * time, node and term. */
enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

struct log_sink {
    enum log_level level; /* lines below it are not formatted */
    void (*write_fn)(void *ctx, enum log_level level, const char *line);
    void *ctx;
};

void log_line(const struct log_sink *sink, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
