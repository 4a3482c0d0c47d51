#ifndef KEYSPACE_SETTINGS_H
#define KEYSPACE_SETTINGS_H

#include "base/slice.h"

/* Options of scope `cluster`: they influence what replicas compute, so their values are state like
 * keys are, changed by log entries only, the same on every node (DESIGN §6). The table is
 * settings.def; node/options.def takes its rows from there. */
enum setting {
#define SETTING_ROW(id, field, name, kind, value, min, max, help) SETTING_##id,
#include "keyspace/settings.def"
#undef SETTING_ROW
    SETTING_COUNT
};

struct setting_row {
    const char *name;
    int64_t value; /* default */
    int64_t min;
    int64_t max;
};
const struct setting_row *setting_at(enum setting s);
bool setting_find(struct slice name, enum setting *s); /* in any case; false: there is none */

struct keyspace;
int64_t keyspace_setting(const struct keyspace *k, enum setting s);
/* `value` must be in range. For the apply of entries and the loading of snapshots only. */
void keyspace_set_setting(struct keyspace *k, enum setting s, int64_t value);

#endif
