#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void redraw_plan(struct script *out, bool *is_good)
{
    *is_good = out->profile[0] == '\0' || plan_of_seed(&out->plan, out->seed, out->profile);
}

/* "12.5 kill 2" */
static bool read_strike(struct script *out, char *text)
{
    char *end;
    uint64_t us = strtoull(text, &end, 10) * 1000000;
    if (*end == '.') {
        for (uint64_t unit = 100000; *++end >= '0' && *end <= '9'; unit /= 10)
            us += (uint64_t)(*end - '0') * unit;
    }
    if (end == text || *end != ' ' || (out->count > 0 && us < out->line[out->count - 1].at_us))
        return false;
    if (out->count == out->capacity) {
        out->capacity = out->capacity ? 2 * out->capacity : 64;
        out->line = mem_realloc_array(out->line, out->capacity, sizeof *out->line);
    }
    struct script_line *line = &out->line[out->count++];
    line->at_us = us;
    return strike_parse(end + 1, out->plan.host_count, &line->what);
}

static bool read_line(struct script *out, char *text)
{
    bool is_good = true;
    text[strcspn(text, "\r\n")] = '\0';
    if (*text == '#' || *text == '\0')
        return true;
    if (strncmp(text, "at ", 3) == 0)
        return read_strike(out, text + 3);
    if (strncmp(text, "seed ", 5) == 0) {
        out->seed = strtoull(text + 5, NULL, 0);
        redraw_plan(out, &is_good);
    } else if (strncmp(text, "profile ", 8) == 0) {
        is_good = strlen(text + 8) < sizeof out->profile;
        memcpy(out->profile, text + 8, is_good ? strlen(text + 8) + 1 : 0);
        redraw_plan(out, &is_good);
    } else {
        is_good = plan_set(&out->plan, text) && out->plan.host_count >= 1 && out->plan.host_count <= SIM_HOSTS;
    }
    return is_good;
}

bool script_read(const char *name, struct script *out)
{
    *out = (struct script){.seed = 1};
    bool is_good = true;
    FILE *in = fopen(name, "r");
    if (!in) {
        perror(name);
        return false;
    }
    char text[STRIKE_TEXT_BYTES + 64];
    for (unsigned number = 1; is_good && fgets(text, sizeof text, in); number++) {
        char copy[sizeof text];
        snprintf(copy, sizeof copy, "%s", text);
        is_good = read_line(out, text);
        if (!is_good)
            fprintf(stderr, "%s:%u: not a comment, seed, profile, field of a plan, or strike in order of time: %s", name, number, copy);
    }
    fclose(in);
    const struct sim_plan *plan = &out->plan;
    if (is_good && (plan->host_count == 0 || plan->client_count == 0 || plan->key_count == 0 || plan->sector_bytes == 0 || plan->segment_bytes == 0)) {
        fprintf(stderr, "%s: a plan without nodes, clients, keys or disks: name a profile, or every field\n", name);
        is_good = false;
    }
    if (!is_good)
        script_deinit(out);
    return is_good;
}

void script_deinit(struct script *script)
{
    mem_free(script->line);
    script->line = NULL;
}

static void play(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    struct script *script = s->script;
    (void)a;
    (void)b;
    while (script->next < script->count && script->line[script->next].at_us <= w->now_us)
        strike(s, &script->line[script->next++].what);
    if (script->next < script->count)
        world_at_first(w, script->line[script->next].at_us - w->now_us, play, s, 0, 0);
}

void script_start(struct sim *s, struct script *script)
{
    s->script = script;
    script->next = 0;
    if (script->count > 0)
        world_at_first(&s->world, script->line[0].at_us - s->world.now_us, play, s, 0, 0);
}

bool script_record(struct sim *s, const char *name, const char *profile)
{
    s->record = fopen(name, "w");
    if (!s->record) {
        perror(name);
        return false;
    }
    setvbuf(s->record, NULL, _IOLBF, BUFSIZ); /* the process may abort */
    fprintf(s->record, "# of profile %s\nseed %llu\n", profile, (unsigned long long)s->seed); /* every field follows: a later plan's are off */
    plan_print(&s->plan, s->record);
    return true;
}

void script_record_end(struct sim *s)
{
    if (s->record)
        fclose(s->record);
    s->record = NULL;
}
