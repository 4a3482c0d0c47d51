#include "commands/string_common.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/number.h"
#include "keyspace/value.h"

void string_reply_range(const struct value *value, size_t first, size_t count, struct reply *reply)
{
    struct slice part = value_string_part(value, first);
    if (part.n >= count) {
        part.n = count;
        reply_bulk(reply, part);
        return;
    }
    reply_bulk_begin(reply, count);
    for (size_t done = 0; done < count; done += part.n) {
        part = value_string_part(value, first + done);
        ASSERT(part.n > 0);
        if (part.n > count - done) {
            part.n = count - done;
        }
        reply_bulk_part(reply, part);
    }
    reply_bulk_end(reply);
}

void string_reply(const struct value *value, struct reply *reply)
{
    string_reply_range(value, 0, value_string_size(value), reply);
}

bool string_equals(const struct value *value, struct slice bytes)
{
    if (value_string_size(value) != bytes.n) {
        return false;
    }
    for (size_t done = 0; done < bytes.n;) {
        struct slice part = value_string_part(value, done);
        ASSERT(part.n > 0 && part.n <= bytes.n - done);
        if (!slice_equal(part, (struct slice){bytes.p + done, part.n})) {
            return false;
        }
        done += part.n;
    }
    return true;
}

void string_append_to(const struct value *value, struct buf *out)
{
    size_t size = value_string_size(value);
    for (size_t done = 0; done < size;) {
        struct slice part = value_string_part(value, done);
        ASSERT(part.n > 0);
        buf_append_slice(out, part);
        done += part.n;
    }
}

bool string_reply_get(struct keyspace_view *view, struct slice key, struct reply *reply)
{
    const struct value *value = keyspace_get(view, key);
    if (!value) {
        reply_null(reply);
        return true;
    }
    if (!argument_is_string(value, reply)) {
        return false;
    }
    string_reply(value, reply);
    return true;
}

bool string_length_ok(size_t size, size_t more, struct reply *reply)
{
    if (more <= LIMIT_BULK_BYTES && size <= LIMIT_BULK_BYTES - more) {
        return true;
    }
    reply_error(reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

bool string_expiry_unit(struct slice option, enum expiry_unit *unit)
{
    static const struct {
        const char *name;
        enum expiry_unit unit;
    } expiry[] = {{"ex", EXPIRY_SECONDS},
                  {"px", EXPIRY_MILLISECONDS},
                  {"exat", EXPIRY_AT_SECONDS},
                  {"pxat", EXPIRY_AT_MILLISECONDS}};
    for (size_t i = 0; i < sizeof expiry / sizeof expiry[0]; i++) {
        if (argument_is(option, expiry[i].name)) {
            *unit = expiry[i].unit;
            return true;
        }
    }
    return false;
}

bool string_expiry_value(
    struct slice text, enum expiry_unit unit, const char *name, int64_t *value, struct reply *reply)
{
    if (!argument_integer(text, value, reply)) {
        return false;
    }
    if (*value <= 0 || (expiry_unit_is_seconds(unit) && *value > INT64_MAX / 1000)) {
        argument_expiry_error(reply, name);
        return false;
    }
    return true;
}

bool string_expiry_at(const struct command_run *run,
                      int64_t value,
                      enum expiry_unit unit,
                      const char *name,
                      int64_t *at_ms,
                      struct reply *reply)
{
    *at_ms = value * (expiry_unit_is_seconds(unit) ? 1000 : 1);
    if (expiry_unit_is_relative(unit) && !number_add_i64(*at_ms, argument_now_ms(run), at_ms)) {
        argument_expiry_error(reply, name);
        return false;
    }
    return true;
}
