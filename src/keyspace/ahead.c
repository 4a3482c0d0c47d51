#include "keyspace/ahead.h"

#include "base/assert.h"
#include "keyspace/keyspace_internal.h"

void keyspace_load_ahead(const struct keyspace *k, const struct keyspace_ahead *ahead, size_t count)
{
    uint64_t hash[KEYSPACE_AHEAD_MAX];
    ASSERT(count <= KEYSPACE_AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        hash[i] = siphash64_fast(&k->seed, ahead[i].key.p, ahead[i].key.n);
        dict_ahead_chain(&k->db[ahead[i].db].dict, hash[i]);
    }
    for (size_t i = 0; i < count; i++) {
        dict_ahead_entry(&k->db[ahead[i].db].dict, hash[i]);
    }
    for (size_t i = 0; i < count; i++) {
        dict_ahead_value(&k->db[ahead[i].db].dict, hash[i]);
    }
}
