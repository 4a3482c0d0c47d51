#include "keyspace/settings.h"

#include "base/assert.h"
#include "keyspace/keyspace_internal.h"

static const struct setting_row setting_table[] = {
#define SETTING_ROW(id, field, name, kind, value, min, max, help) {name, value, min, max},
#include "keyspace/settings.def"
#undef SETTING_ROW
};

const struct setting_row *setting_at(enum setting s)
{
    ASSERT(s < SETTING_COUNT);
    return &setting_table[s];
}

bool setting_find(struct slice name, enum setting *s)
{
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        if (slice_equal_nocase(name, setting_table[i].name)) {
            *s = (enum setting)i;
            return true;
        }
    }
    return false;
}

int64_t keyspace_setting(const struct keyspace *k, enum setting s)
{
    ASSERT(s < SETTING_COUNT);
    return k->setting[s];
}

void keyspace_set_setting(struct keyspace *k, enum setting s, int64_t value)
{
    ASSERT(value >= setting_at(s)->min && value <= setting_at(s)->max);
    k->setting[s] = value;
}
