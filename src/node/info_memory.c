#include <stdio.h>

#include "base/mem.h"
#include "node/client_internal.h"
#include "node/info_internal.h"

/* INFO memory. "used" is what coracle has allocated, in the sizes that the allocator gives out; "dataset" the keys and values
 * with their tables; "overhead" all the rest. */

static void number_and_human(struct info *i, const char *name, uint64_t bytes)
{
    char human[64];

    snprintf(human, sizeof human, "%s_human", name);
    info_number(i, name, bytes);
    info_human(i, human, bytes);
}

static void lines_of_use(struct info *i, uint64_t used, uint64_t data)
{
    uint64_t peak = clients_memory_peak(node_clients(i->node));
    uint64_t at_start = clients_memory_at_start(node_clients(i->node));

    number_and_human(i, "used_memory", used);
    number_and_human(i, "used_memory_rss", i->process.resident_bytes);
    number_and_human(i, "used_memory_peak", peak);
    info_percent(i, "used_memory_peak_perc", used, peak);
    info_number(i, "used_memory_overhead", used - data);
    info_number(i, "used_memory_startup", at_start);
    info_number(i, "used_memory_dataset", data);
    info_percent(i, "used_memory_dataset_perc", data, used > at_start ? used - at_start : used);
}

/* With an allocator that doesn't count itself: as Redis does then. */
static void lines_of_allocator(struct info *i, uint64_t used)
{
    bool counts = i->process.allocator_bytes.allocated > 0;
    uint64_t allocated = counts ? i->process.allocator_bytes.allocated : used;
    uint64_t active = counts ? i->process.allocator_bytes.active : i->process.resident_bytes;
    uint64_t resident = counts ? i->process.allocator_bytes.resident : i->process.resident_bytes;

    info_number(i, "allocator_allocated", allocated);
    info_number(i, "allocator_active", active);
    info_number(i, "allocator_resident", resident);
    info_ratio(i, "allocator_frag_ratio", (double)active, (double)allocated);
    info_signed(i, "allocator_frag_bytes", (int64_t)active - (int64_t)allocated);
    info_ratio(i, "allocator_rss_ratio", (double)resident, (double)active);
    info_signed(i, "allocator_rss_bytes", (int64_t)resident - (int64_t)active);
    info_ratio(i, "rss_overhead_ratio", (double)i->process.resident_bytes, (double)resident);
    info_signed(i, "rss_overhead_bytes", (int64_t)i->process.resident_bytes - (int64_t)resident);
    info_ratio(i, "mem_fragmentation_ratio", (double)i->process.resident_bytes, (double)used);
    info_signed(i, "mem_fragmentation_bytes", (int64_t)i->process.resident_bytes - (int64_t)used);
}

/* There are no scripts and no functions. */
static void lines_of_scripts(struct info *i)
{
    info_number(i, "used_memory_vm_eval", 0);
    number_and_human(i, "used_memory_lua", 0);
    info_number(i, "used_memory_scripts_eval", 0);
    info_number(i, "number_of_cached_scripts", 0);
    info_number(i, "number_of_functions", 0);
    info_number(i, "number_of_libraries", 0);
    info_number(i, "used_memory_vm_functions", 0);
    number_and_human(i, "used_memory_vm_total", 0);
    info_number(i, "used_memory_functions", 0);
    number_and_human(i, "used_memory_scripts", 0);
}

void info_section_memory(struct info *i)
{
    uint64_t used = mem_used();
    uint64_t data = keyspace_memory(node_keyspace(i->node));

    lines_of_use(i, used, data < used ? data : used);
    number_and_human(i, "total_system_memory", i->process.system_bytes);
    lines_of_scripts(i);
    number_and_human(i, "maxmemory", (uint64_t)i->options->maxmemory);
    info_text(i, "maxmemory_policy", "noeviction");
    lines_of_allocator(i, used);
    info_number(i, "mem_not_counted_for_evict", 0);
    info_number(i, "mem_replication_backlog", 0);
    info_number(i, "mem_total_replication_buffers", 0);
    info_number(i, "mem_clients_slaves", 0);
    info_number(i, "mem_clients_normal", i->clients.bytes);
    info_number(i, "mem_cluster_links", 0);
    info_number(i, "mem_aof_buffer", 0);
    info_text(i, "mem_allocator", i->process.allocator);
    info_number(i, "active_defrag_running", 0);
    info_number(i, "lazyfree_pending_objects", keyspace_freeing(node_keyspace(i->node)));
    info_number(i, "lazyfreed_objects", keyspace_freed_later(node_keyspace(i->node)));
}
