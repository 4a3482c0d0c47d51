#include "keyspace/graveyard.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"

enum { GRAVEYARD_CHAINS_PER_PIECE = 64 };

void graveyard_init(struct graveyard *g)
{
    *g = (struct graveyard){.first = NULL};
    g->last = &g->first;
}

void graveyard_deinit(struct graveyard *g)
{
    while (graveyard_step(g, SIZE_MAX)) {
    }
}

static struct grave *graveyard_add(struct graveyard *g, uint64_t count)
{
    struct grave *grave = mem_alloc_zero(sizeof *grave);
    g->pending += count;
    g->buried += count;
    *g->last = grave;
    g->last = &grave->next;
    return grave;
}

void graveyard_add_dict(struct graveyard *g, struct dict *d)
{
    if (d->count == 0) {
        dict_deinit(d);
        return;
    }
    COVER("tree freed in pieces");
    graveyard_add(g, d->count)->dict = *d;
    dict_init(d);
}

void graveyard_add_value(struct graveyard *g, struct value *v)
{
    if (!value_is_big(v)) {
        value_free(v);
        return;
    }
    COVER("value freed in pieces");
    graveyard_add(g, 1)->value = v;
}

/* True when the grave is empty; else the budget is used up. */
static bool graveyard_step_one(struct graveyard *g, struct grave *grave, size_t *budget)
{
    for (;;) {
        bool is_freed = grave->value || grave->entry;
        if (grave->value) {
            if (!value_free_some(grave->value, budget)) {
                return false;
            }
            grave->value = NULL;
        }
        if (grave->entry) {
            dict_entry_free(grave->entry);
            grave->entry = NULL;
        }
        g->pending -= is_freed ? 1 : 0;
        if (grave->dict.count == 0) {
            dict_deinit(&grave->dict);
            return true;
        }
        if (*budget == 0) {
            return false;
        }
        size_t chains = GRAVEYARD_CHAINS_PER_PIECE;
        grave->entry = dict_take_any(&grave->dict, &grave->chain, &chains);
        if (grave->entry) {
            grave->value = grave->entry->value;
        } else {
            --*budget;
        }
    }
}

bool graveyard_step(struct graveyard *g, size_t budget)
{
    size_t before = budget;
    while (g->first && graveyard_step_one(g, g->first, &budget)) {
        struct grave *done = g->first;
        g->first = done->next;
        if (!g->first) {
            g->last = &g->first;
        }
        mem_free(done);
    }
    g->freed_total += before - budget;
    ASSERT(g->first || g->pending == 0);
    return g->first != NULL;
}
