#include "node/rows.h"

#include "base/assert.h"

size_t rows_all(struct command_family family[ROWS_FAMILY_COUNT])
{
    const struct command_family *const all[] = {
        &commands_string, &commands_string_more, &commands_lcs, &commands_bit, &commands_bitfield, &commands_dump, &commands_generic, &commands_expiry, &commands_keys, &commands_scan, &commands_object, &commands_text,  &rows_connection,
        &rows_client,     &rows_transaction, &rows_node, &rows_memory, &rows_config,    &rows_command, &rows_debug, &rows_admin, &rows_stats,
    };

    STATIC_ASSERT(sizeof all / sizeof all[0] == ROWS_FAMILY_COUNT, "every family is counted");
    for (size_t i = 0; i < ROWS_FAMILY_COUNT; i++) {
        family[i] = *all[i];
    }
    return ROWS_FAMILY_COUNT;
}
