#include "integration/lib/script.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/lib/harness.h"

/* The folder that integration/clients/install has filled. */
static const char *script_folder(void)
{
    const char *folder = getenv("CORACLE_CLIENTS");
    return folder != NULL ? folder : "build/clients";
}

static void script_kill(void *ctx)
{
    struct script *s = ctx;
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static void script_run(const char *command, int in, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    for (int fd = 3; fd < 64; fd++) {
        close(fd);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

void script_start(struct script *s, const char *format, ...)
{
    char arguments[512];
    char command[2048];
    int in[2];
    int out[2];
    va_list ap;
    va_start(ap, format);
    vsnprintf(arguments, sizeof arguments, format, ap);
    va_end(ap);
    const char *program = strstr(arguments, ".py ") ? "/usr/bin/python3" : "node"; /* the one that Debian's libraries are for */
    snprintf(command, sizeof command, "cd '%s' && exec %s %s", script_folder(), program, arguments);
    REQUIRE(pipe(in) == 0 && pipe(out) == 0);
    fflush(NULL);
    *s = (struct script){.in = in[1], .out = out[0]};
    s->pid = fork();
    REQUIRE(s->pid >= 0);
    if (s->pid == 0) {
        script_run(command, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    itest_at_end(script_kill, s);
}

/* Moves the first line of the buffer to s->line; false: there is none. */
static bool script_take_line(struct script *s)
{
    char *end = memchr(s->buffer, '\n', s->len);
    if (end == NULL) {
        return false;
    }
    size_t n = (size_t)(end - s->buffer);
    snprintf(s->line, sizeof s->line, "%.*s", (int)n, s->buffer);
    s->len -= n + 1;
    memmove(s->buffer, end + 1, s->len);
    return true;
}

const char *script_line(struct script *s, int timeout_ms)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    for (;;) {
        while (script_take_line(s)) {
            if (strncmp(s->line, "note ", 5) != 0) {
                return s->line;
            }
            itest_note("%s", s->line + 5);
        }
        int64_t left = deadline - itest_now_ms();
        struct pollfd p = {.fd = s->out, .events = POLLIN};
        if (left <= 0 || s->len == sizeof s->buffer || poll(&p, 1, (int)left) <= 0) {
            return NULL;
        }
        ssize_t n = read(s->out, s->buffer + s->len, sizeof s->buffer - s->len);
        if (n <= 0) {
            return NULL;
        }
        s->len += (size_t)n;
    }
}

bool script_expect(struct script *s, int timeout_ms, const char *line)
{
    const char *got = script_line(s, timeout_ms);
    if (got == NULL || strcmp(got, line) != 0) {
        itest_fail("the script said \"%s\" instead of \"%s\"", got != NULL ? got : "(nothing)", line);
        return false;
    }
    return true;
}

bool script_answer(struct script *s, const char *line)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s\n", line);
    return CHECK(write(s->in, text, (size_t)n) == n);
}

void script_end(struct script *s, int timeout_ms)
{
    int64_t deadline = itest_now_ms() + timeout_ms;
    int status = -1;
    const char *line;
    while ((line = script_line(s, (int)(deadline - itest_now_ms()))) != NULL) {
        itest_note("the script said \"%s\"", line);
    }
    while (waitpid(s->pid, &status, WNOHANG) == 0 && itest_now_ms() < deadline) {
        itest_sleep_ms(10);
    }
    if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        itest_fail("the script did not end well (status %d)", status);
    } else {
        s->pid = 0;
    }
    close(s->in);
    close(s->out);
}
