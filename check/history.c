#include "check/history.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static const struct {
    const char *word;
    bool is_read;
} functions[] = {
#define X(name, word, has_value, is_read) {word, is_read},
    HISTORY_FUNCTIONS(X)
#undef X
};

const char *history_function_word(enum history_function f) { return functions[f].word; }
bool history_function_is_read(enum history_function f) { return functions[f].is_read; }

void history_deinit(struct history *h)
{
    texts_deinit(&h->texts);
    mem_free(h->operation);
    mem_free(h->step);
    mem_free(h->list);
    memset(h, 0, sizeof *h);
}

uint32_t history_begin(struct history *h, text_id client, uint64_t start)
{
    if (h->operation_count == h->operation_capacity) {
        h->operation_capacity = h->operation_capacity ? 2 * h->operation_capacity : 1024;
        h->operation = mem_realloc_array(h->operation, h->operation_capacity, sizeof *h->operation);
    }
    h->operation[h->operation_count] = (struct history_operation){
        .start = start, .end = HISTORY_NEVER, .client = client, .outcome = HISTORY_UNKNOWN, .first_step = h->step_count};
    return h->operation_count++;
}

struct history_step *history_add_step(struct history *h, enum history_function f, text_id key, text_id value)
{
    ASSERT(h->operation_count > 0);
    if (h->step_count == h->step_capacity) {
        h->step_capacity = h->step_capacity ? 2 * h->step_capacity : 1024;
        h->step = mem_realloc_array(h->step, h->step_capacity, sizeof *h->step);
    }
    h->operation[h->operation_count - 1].step_count++;
    h->step[h->step_count] = (struct history_step){.f = f, .key = key, .value = value, .result = HISTORY_ANY};
    return &h->step[h->step_count++];
}

void history_end(struct history *h, uint32_t operation, enum history_outcome outcome, uint64_t end)
{
    ASSERT(operation < h->operation_count);
    h->operation[operation].outcome = outcome;
    h->operation[operation].end = outcome == HISTORY_UNKNOWN ? HISTORY_NEVER : end;
}

void history_add_to_list(struct history *h, uint32_t step, text_id element)
{
    struct history_step *s = &h->step[step];
    if (!s->has_list || s->list_count == 0)
        s->list = h->list_count;
    ASSERT(s->list + s->list_count == h->list_count);
    s->has_list = true;
    if (h->list_count == h->list_capacity) {
        h->list_capacity = h->list_capacity ? 2 * h->list_capacity : 1024;
        h->list = mem_realloc_array(h->list, h->list_capacity, sizeof *h->list);
    }
    h->list[h->list_count++] = element;
    s->list_count++;
}
