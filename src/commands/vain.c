#include "commands/vain.h"

bool vain_without_key(const struct command_row *row, struct command_run *run, const struct command *command)
{
    return !keyspace_get(&run->view, command->arg[row->keys.first]);
}

bool vain_without_keys(const struct command_row *row, struct command_run *run, const struct command *command)
{
    size_t count = command_key_count(row, command);

    for (size_t i = 0; i < count && i < VAIN_KEYS_MAX; i++) {
        if (keyspace_get(&run->view, command->arg[command_key_position(row, command, i)])) {
            return false;
        }
    }
    return count > 0 && count <= VAIN_KEYS_MAX;
}

bool vain_with_key(const struct command_row *row, struct command_run *run, const struct command *command)
{
    return keyspace_get(&run->view, command->arg[row->keys.first]) != NULL;
}
