#include "client_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "blocking.h"

/* Clients that wait (BLPOP, BRPOP, BLMOVE's kin are alike to the node): tokens are pushed to the lists Q<k>, each once, and taken by whoever waits.
 *
 * B1  No token is given out twice, none that was refused is given out, and none that was given out is still there at the end.
 * B2  What was pushed and acknowledged is given out or still there, but for one token for each taker whose connection ended, or who was told
 *     UNKNOWN, while it was owed an answer: that one may have been popped for it (node/blocked.c B2). */

enum token_flag { TOKEN_PUSHED = 1, TOKEN_REFUSED = 2, TOKEN_GIVEN = 4, TOKEN_THERE = 8 };

struct blocking {
    uint8_t *token; /* flags, by number */
    uint64_t capacity;
    uint64_t owed; /* takers that never learnt what they got */
};

static uint8_t *token_at(struct sim *s, struct slice text)
{
    struct blocking *b = s->blocking;
    uint64_t number = 0;
    if (text.n < 2 || text.p[text.n - 1] != '.' || !number_parse_u64((struct slice){text.p, text.n - 1}, &number) || number > s->value_counter) {
        world_fail(&s->world, "B1 a list held %.*s, which nobody pushed", (int)text.n, (const char *)text.p);
        number = 0;
    }
    if (number >= b->capacity) {
        uint64_t capacity = 2 * number + 256;
        b->token = mem_realloc(b->token, capacity);
        memset(b->token + b->capacity, 0, capacity - b->capacity);
        b->capacity = capacity;
    }
    return &b->token[number];
}

void blocking_send(struct sim_client *c)
{
    struct world *w = &c->sim->world;
    char text[96];
    uint32_t key = (uint32_t)world_below(w, c->sim->plan.key_count);
    if (world_chance(w, 500000)) {
        struct pending *p = client_expect(c, EXPECT_PUSHED);
        snprintf(p->token, sizeof p->token, "%llu.", (unsigned long long)++c->sim->value_counter);
        snprintf(text, sizeof text, "%s Q%u %s\r\n", world_chance(w, 500000) ? "RPUSH" : "LPUSH", key, p->token);
    } else {
        client_expect(c, EXPECT_POPPED);
        uint32_t other = (uint32_t)world_below(w, c->sim->plan.key_count);
        snprintf(text, sizeof text, "%s Q%u Q%u %u.%03u\r\n", world_chance(w, 500000) ? "BLPOP" : "BRPOP", key, other, (unsigned)world_below(w, 3),
                 1 + (unsigned)world_below(w, 900));
        world_count("a client waits for a list");
    }
    client_say(c, text);
}

void blocking_unknown(struct sim_client *c, const struct pending *p)
{
    if (p->expect == EXPECT_POPPED)
        c->sim->blocking->owed++;
}

void blocking_refused(struct sim_client *c, const struct pending *p)
{
    if (p->expect == EXPECT_PUSHED)
        *token_at(c->sim, slice_from_cstr(p->token)) |= TOKEN_REFUSED;
}

void blocking_pushed(struct sim_client *c, const struct pending *p)
{
    *token_at(c->sim, slice_from_cstr(p->token)) |= TOKEN_PUSHED;
}

void blocking_popped(struct sim_client *c, const struct resp_value *v)
{
    struct world *w = &c->sim->world;
    if (v->type == RESP_NULL) {
        world_count("a wait ended without anything");
        return;
    }
    if (v->child_count != 2 || v->child[1].type != RESP_BULK) {
        world_fail(w, "I15 client %u: a pop of %zu parts", c->number, v->child_count);
        return;
    }
    struct slice text = v->child[1].text;
    uint8_t *flags = token_at(c->sim, text);
    world_count("a waiting client got an element");
    if (*flags & TOKEN_GIVEN)
        world_fail(w, "B1 element %.*s was given out twice", (int)text.n, (const char *)text.p);
    if (*flags & TOKEN_REFUSED)
        world_fail(w, "B1 element %.*s was refused, and given out", (int)text.n, (const char *)text.p);
    *flags |= TOKEN_GIVEN;
}

/* Everything in list `key` at the end. */
static void take_rest(struct sim *s, uint32_t key)
{
    struct sim_client *c = manual_open(s, 0);
    struct resp_value_reader reader = {0};
    struct resp_value *v = NULL;
    size_t consumed;
    char line[64];
    snprintf(line, sizeof line, "LRANGE Q%u 0 -1", key);
    manual_say(c, line);
    for (int i = 0; i < 10000 && !v && !s->world.failure; i++) {
        sim_run(s, 500);
        if (manual_output(c).n > 0 && resp_value_next(&reader, manual_output(c), &v, &consumed) != PARSE_OK)
            v = NULL;
    }
    if (!v || v->type != RESP_ARRAY)
        world_fail(&s->world, "L3 %s was not answered at the end", line);
    for (size_t i = 0; v && v->type == RESP_ARRAY && i < v->child_count; i++)
        *token_at(s, v->child[i].text) |= TOKEN_THERE;
    resp_value_free(v);
    manual_close(c);
}

void blocking_finish(struct sim *s)
{
    uint64_t lost = 0;
    if (!s->plan.has_blocking)
        return;
    for (uint32_t k = 0; k < s->plan.key_count && !s->world.failure; k++)
        take_rest(s, k);
    for (uint64_t i = 0; i < s->blocking->capacity && !s->world.failure; i++) {
        uint8_t flags = s->blocking->token[i];
        if ((flags & TOKEN_THERE) && (flags & (TOKEN_GIVEN | TOKEN_REFUSED)))
            world_fail(&s->world, "B1 element %llu. was %s, and is still there", (unsigned long long)i, flags & TOKEN_GIVEN ? "given out" : "refused");
        lost += (flags & TOKEN_PUSHED) && !(flags & (TOKEN_GIVEN | TOKEN_THERE));
    }
    world_count_many("elements popped for clients that had gone", lost);
    if (lost > s->blocking->owed)
        world_fail(&s->world, "B2 %llu elements are lost, and only %llu takers did not learn what they got", (unsigned long long)lost,
                   (unsigned long long)s->blocking->owed);
}

void blocking_start(struct sim *s)
{
    if (s->plan.has_blocking)
        s->blocking = mem_alloc_zero(sizeof *s->blocking);
}

void blocking_free(struct sim *s)
{
    if (s->blocking)
        mem_free(s->blocking->token);
    mem_free(s->blocking);
    s->blocking = NULL;
}
