#include "transfer/import_check.h"

#include <string.h>

#include "base/assert.h"
#include "commands/dump_format.h"
#include "rdb/rdb_value.h"

enum { NAME_SHOWN_BYTES = 100 };

void import_append_name(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.n && i < NAME_SHOWN_BYTES; i++) {
        if (name.p[i] < 0x20 || name.p[i] == 0x7f) {
            buf_printf(out, "\\x%02x", name.p[i]);
        } else {
            buf_append_byte(out, name.p[i]);
        }
    }
    if (name.n > NAME_SHOWN_BYTES) {
        buf_printf(out, "... (%zu bytes)", name.n);
    }
}

static enum err check_key(
    const struct rdb_reader *r, const struct rdb_key *key, const struct keyspace_view *view, struct import_census *census,
    struct buf *payload, struct buf *why)
{
    struct value *value = NULL;

    if (key->db >= LIMIT_DATABASES) {
        buf_printf(why, "it holds keys of database %llu; coracle has the databases 0 to %d", (unsigned long long)key->db,
                   LIMIT_DATABASES - 1);
        return ERR_INVALID;
    }
    buf_clear(payload, 1 << 20);
    rdb_append_payload(r, key, payload);
    enum dump_verdict verdict = dump_read(view, buf_slice(payload), &value);
    if (value) {
        value_free(value);
    }
    ASSERT(key->type < IMPORT_TYPES_MAX);
    switch (verdict) {
    case DUMP_OK:
        break;
    case DUMP_UNSUPPORTED:
        census->unsupported++;
        census->type_is_unsupported[key->type] = true;
        break;
    case DUMP_BAD_FOOTER:
    case DUMP_BAD_FORMAT:
        buf_printf(why, "the value of the %s '", rdb_type_name(key->type));
        import_append_name(why, key->name);
        buf_printf(why, "' in database %llu is damaged", (unsigned long long)key->db);
        return ERR_CORRUPT;
    }
    census->keys++;
    census->of_type[key->type]++;
    census->of_db[key->db]++;
    census->expiring += key->expiry_ms != RDB_NO_EXPIRY ? 1 : 0;
    return ERR_OK;
}

enum err import_check(struct rdb_reader *r, struct import_census *census, struct buf *why)
{
    static const struct siphash_key no_seed = {{0}};
    struct keyspace *defaults = keyspace_new(&no_seed, NULL); /* values are made only to be looked at */
    struct keyspace_view view = {.keyspace = defaults};
    struct buf payload = {0};
    struct rdb_key key;
    enum err error;

    *census = (struct import_census){.keys = 0};
    rdb_reader_rewind(r);
    while ((error = rdb_reader_next(r, &key, why)) == ERR_OK) {
        error = check_key(r, &key, &view, census, &payload, why);
        if (error) {
            break;
        }
    }
    buf_deinit(&payload);
    keyspace_free(defaults);
    return error == ERR_NOT_FOUND ? ERR_OK : error;
}

void import_describe(const struct rdb_reader *r, const struct import_census *census, struct buf *out)
{
    static const char *const name[] = {"string", "list", "set", "zset", "hash", "stream", "module"};

    buf_printf(out, "RDB version %u, %llu keys, %llu of them with an expiry", r->version, (unsigned long long)census->keys,
               (unsigned long long)census->expiring);
    for (uint32_t db = 0; db < LIMIT_DATABASES; db++) {
        if (census->of_db[db] > 0) {
            buf_printf(out, "\n  database %u: %llu keys", db, (unsigned long long)census->of_db[db]);
        }
    }
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        uint64_t count = 0;
        bool is_unsupported = false;

        for (uint8_t type = 0; type < IMPORT_TYPES_MAX; type++) { /* several numbers are one type to the user */
            if (rdb_type_name(type) && strcmp(rdb_type_name(type), name[i]) == 0) {
                count += census->of_type[type];
                is_unsupported |= census->type_is_unsupported[type];
            }
        }
        if (count > 0) {
            buf_printf(out, "\n  %s: %llu keys%s", name[i], (unsigned long long)count,
                       is_unsupported ? ", a type that coracle does not have yet" : "");
        }
    }
    if (r->functions > 0) {
        buf_printf(out, "\n  libraries of functions: %llu, which are not imported", (unsigned long long)r->functions);
    }
    if (r->module_records > 0) {
        buf_printf(out, "\n  records of modules: %llu, which are not imported", (unsigned long long)r->module_records);
    }
    buf_append_byte(out, '\n');
}
