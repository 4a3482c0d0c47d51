#include "tests/lib/whole_table.h"

#include "node/rows.h"

struct command_table *whole_table(void)
{
    static struct command_table *table;
    struct command_family family[ROWS_FAMILY_COUNT];

    if (!table) {
        table = command_table_new(family, rows_all(family));
    }
    return table;
}
