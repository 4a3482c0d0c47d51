#include "commands/bit.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/number.h"
#include "keyspace/value.h"

bool bit_parse_offset(struct slice text, unsigned width, uint64_t *offset, struct reply *reply)
{
    bool is_multiple = width > 0 && text.n > 0 && text.p[0] == '#';
    int64_t number;
    if (!number_parse_i64(is_multiple ? slice_skip(text, 1) : text, &number) || number < 0 ||
        (is_multiple && !number_multiply_i64(number, width, &number)) ||
        number / 8 >= LIMIT_BULK_BYTES) {
        reply_error(reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)number;
    return true;
}

bool bit_edit_init(struct bit_edit *edit,
                   struct keyspace_view *view,
                   struct slice key,
                   struct reply *reply)
{
    *edit = (struct bit_edit){.view = view, .key = key, .value = keyspace_get(view, key)};
    if (edit->value) {
        if (!argument_is_string(edit->value, reply)) {
            return false;
        }
        edit->size = value_string_size(edit->value);
    }
    return true;
}

void bit_edit_begin(struct bit_edit *edit, size_t size)
{
    struct value **at = edit->slot;
    if (!at && edit->value && !edit->created) {
        at = edit->slot = keyspace_edit_slot(edit->view, edit->key);
    } else if (!at) {
        if (!edit->created) {
            edit->created = value_new_string((struct slice){NULL, 0});
        }
        at = &edit->created;
    }
    if (size > edit->size) {
        *at = value_string_extend(*at, size);
        edit->size = size;
    }
    edit->value = *at;
}

void bit_edit_write(struct bit_edit *edit, size_t offset, const uint8_t *bytes, size_t n)
{
    struct value *value = edit->slot ? *edit->slot : edit->created;
    ASSERT(value);
    value_string_write(value, offset, (struct slice){bytes, n});
}

void bit_edit_end(struct bit_edit *edit, const char *event)
{
    if (edit->created) {
        keyspace_set(edit->view, edit->key, edit->created, false, event);
    } else if (edit->slot) {
        keyspace_changed(edit->view, edit->key, event);
    }
}
