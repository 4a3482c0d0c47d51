#ifndef INTEGRATION_SCRIPT_H
#define INTEGRATION_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A script of integration/clients in node or Python, which drives a client library: it prints lines, the test does what they ask for
 * and answers. The script dies with the test. */
struct script {
    pid_t pid;
    int in;  /* its standard input */
    int out; /* its standard output; its standard error is the test's */
    char buffer[8192];
    size_t len;
    char line[1024];
};

/* `command` is the script's name and its arguments: "scan.js 7001 7002". Ends the test when node or the libraries are
 * missing (integration/run installs them). */
void script_start(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Its next line, without the line's end; lines "note ..." are told in the test's report and left out. NULL: the script
 * has ended, or `timeout_ms` is over. Borrowed until the next call. */
const char *script_line(struct script *s, int timeout_ms);
/* The next line must be this one. */
bool script_expect(struct script *s, int timeout_ms, const char *line);
bool script_answer(struct script *s, const char *line);
/* Waits for its end and fails the test unless its status is 0. What it still prints is read. */
void script_end(struct script *s, int timeout_ms);

#endif
