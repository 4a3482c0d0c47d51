#include "allocation.h"

#include "base/mem.h"

/* Memory that runs out (H4). base/mem.h ends the process then, so what has to be shown is that a process may end at any allocation: the
 * linker leads every call of base/mem.h from other files through here (--wrap), the objects stay the server's own.
 *
 * An allocation that fails inside a node doesn't really end anything at once: the node goes on to the end of its step as a ghost whose every
 * call to the outside is dropped (host.c, calls_left; sim_disk_end_process), and is taken down then. To everybody else that is the same
 * as ending there, since a node reaches the world only through those calls. */

void *__real_mem_alloc(size_t size);
void *__real_mem_alloc_zero(size_t size);
void *__real_mem_realloc(void *p, size_t size);
void *__real_mem_alloc_array(size_t count, size_t size);
void *__real_mem_realloc_array(void *p, size_t count, size_t size);
char *__real_mem_copy_string(const void *p, size_t n);
void *__wrap_mem_alloc(size_t size);
void *__wrap_mem_alloc_zero(size_t size);
void *__wrap_mem_realloc(void *p, size_t size);
void *__wrap_mem_alloc_array(size_t count, size_t size);
void *__wrap_mem_realloc_array(void *p, size_t count, size_t size);
char *__wrap_mem_copy_string(const void *p, size_t n);

static struct sim_host *inside; /* whose code runs */

void allocation_enter(struct sim_host *h) { inside = h; }
void allocation_leave(void) { inside = NULL; }

static void allocation_count(void)
{
    struct sim_host *h = inside;
    if (!h || h->allocations_left == 0 || --h->allocations_left > 0)
        return;
    world_count("memory ran out");
    h->calls_left = 1;
    sim_disk_end_process(h->disk);
}

void *__wrap_mem_alloc(size_t size)
{
    allocation_count();
    return __real_mem_alloc(size);
}

void *__wrap_mem_alloc_zero(size_t size)
{
    allocation_count();
    return __real_mem_alloc_zero(size);
}

void *__wrap_mem_realloc(void *p, size_t size)
{
    allocation_count();
    return __real_mem_realloc(p, size);
}

void *__wrap_mem_alloc_array(size_t count, size_t size)
{
    allocation_count();
    return __real_mem_alloc_array(count, size);
}

void *__wrap_mem_realloc_array(void *p, size_t count, size_t size)
{
    allocation_count();
    return __real_mem_realloc_array(p, count, size);
}

char *__wrap_mem_copy_string(const void *p, size_t n)
{
    allocation_count();
    return __real_mem_copy_string(p, n);
}
