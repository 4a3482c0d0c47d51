#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#include "net/server_internal.h"

/* What INFO and MEMORY say about the process: read anew each time, from the kernel and from the allocator. */

#ifdef HAVE_JEMALLOC
static uint64_t allocator_stat(const char *name)
{
    size_t value = 0;
    size_t size = sizeof value;

    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}
#endif

static void describe_allocator(struct process_info *info)
{
#ifdef HAVE_JEMALLOC
    uint64_t epoch = 1; /* writing it makes the counts new */
    size_t size = sizeof epoch;

    (void)mallctl("epoch", &epoch, &size, &epoch, size);
    (void)snprintf(info->allocator, sizeof info->allocator, "jemalloc-%d.%d.%d", JEMALLOC_VERSION_MAJOR, JEMALLOC_VERSION_MINOR,
                   JEMALLOC_VERSION_BUGFIX);
    info->allocator_bytes.allocated = allocator_stat("stats.allocated");
    info->allocator_bytes.active = allocator_stat("stats.active");
    info->allocator_bytes.resident = allocator_stat("stats.resident");
#else
    (void)snprintf(info->allocator, sizeof info->allocator, "libc");
#endif
}

static uint64_t resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (statm) {
        if (fscanf(statm, "%*u %lu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(statm);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t microseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec;
}

static void describe_system(struct process_info *info)
{
    struct utsname name;

    if (uname(&name) == 0) {
        (void)snprintf(info->system, sizeof info->system, "%s %s %s", name.sysname, name.release, name.machine);
    }
}

void server_process_info(void *ctx, struct process_info *info)
{
    struct server *s = ctx;
    struct rusage usage;
    long pages = sysconf(_SC_PHYS_PAGES);

    *info = (struct process_info){.process_id = getpid(), .resident_bytes = resident_bytes()};
    info->system_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    describe_allocator(info);
    describe_system(info);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        info->cpu_user_us = microseconds(usage.ru_utime);
        info->cpu_system_us = microseconds(usage.ru_stime);
    }
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        info->cpu_user_loop_us = microseconds(usage.ru_utime);
        info->cpu_system_loop_us = microseconds(usage.ru_stime);
    }
    memcpy(info->run_id, s->run_id, sizeof info->run_id);
    ssize_t n = readlink("/proc/self/exe", info->executable, sizeof info->executable - 1);
    info->executable[n > 0 ? n : 0] = '\0';
    (void)snprintf(info->config_file, sizeof info->config_file, "%s", s->config_file ? s->config_file : "");
    (void)snprintf(info->multiplexing, sizeof info->multiplexing, "%s",
                   ev_backend(s->loop) == EVBACKEND_EPOLL ? "epoll" : "libev");
}
