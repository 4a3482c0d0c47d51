/* RDB files, whatever the bytes: reading ends, and every value that the reader steps over fits the payload that it makes. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "commands/dump_format.h"
#include "keyspace/value.h"
#include "rdb/rdb_reader.h"
#include "rdb/rdb_value.h"
#include "tests/fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rdb_reader r;
    struct rdb_key key;
    struct buf why = {0};
    struct buf payload = {0};
    size_t bytes = 0;
    static const struct siphash_key seed = {{7}};
    static struct keyspace *defaults; /* made once */

    defaults = defaults ? defaults : keyspace_new(&seed, NULL);
    arena_begin();
    const struct keyspace_view view = {.keyspace = defaults};
    /* A head, so that mutations are of records; then a checksum that is none. */
    uint8_t *file = mem_alloc(size + 17);

    memcpy(file, "REDIS0010", 9);
    if (size > 0) {
        memcpy(file + 9, data, size);
    }
    memset(file + 9 + size, 0, 8);
    enum err error = rdb_reader_init(&r, (struct slice){file, size + 17}, &why);
    while (!error && (error = rdb_reader_next(&r, &key, &why)) == ERR_OK) {
        struct slice rest = key.value;
        struct value *value = NULL;

        ASSERT(rdb_skip_value(&rest, key.type) && rest.n == 0);
        bytes += key.value.n;
        ASSERT(bytes <= size);
        buf_clear(&payload, 0);
        rdb_append_payload(&r, &key, &payload);
        if (dump_read(&view, buf_slice(&payload), &value) == DUMP_OK) {
            value_free(value);
        }
    }
    ASSERT(error == ERR_NOT_FOUND || buf_size(&why) > 0);
    rdb_reader_deinit(&r);
    buf_deinit(&why);
    buf_deinit(&payload);
    mem_free(file);
    arena_end();
    return 0;
}
