#include "node/rows.h"

#include "base/assert.h"

size_t rows_all(struct command_family family[ROWS_FAMILY_COUNT])
{
    const struct command_family *const all[] = {
        &rows_connection, &rows_client,  &rows_transaction, &rows_node,  &rows_raft,  &rows_memory,
        &rows_config,     &rows_command, &rows_debug,       &rows_admin, &rows_stats,
        &rows_snapshot,
        &rows_pubsub, &rows_tracking, &rows_sentinel, &rows_cluster, &rows_acl,
    };

    STATIC_ASSERT(sizeof all / sizeof all[0] + COMMANDS_FAMILY_COUNT == ROWS_FAMILY_COUNT, "every family is counted");
    commands_all(family);
    for (size_t i = COMMANDS_FAMILY_COUNT; i < ROWS_FAMILY_COUNT; i++) {
        family[i] = *all[i - COMMANDS_FAMILY_COUNT];
    }
    return ROWS_FAMILY_COUNT;
}
