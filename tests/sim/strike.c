#include "strike.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "storage/snapshot_file.h"

/* --- as words --- */

/* What follows the host's number. */
enum strike_shape { SHAPE_HOST, SHAPE_AMOUNT, SHAPE_ROOM, SHAPE_ROT, SHAPE_LINKS, SHAPE_NOTHING, SHAPE_LINE };

static const struct {
    const char *verb;
    enum strike_shape shape;
} words[STRIKE_KINDS] = {
    [STRIKE_KILL] = {"kill", SHAPE_HOST},
    [STRIKE_POWER] = {"power", SHAPE_HOST},
    [STRIKE_POWER_IN] = {"power-in", SHAPE_AMOUNT},
    [STRIKE_START] = {"start", SHAPE_HOST},
    [STRIKE_PAUSE] = {"pause", SHAPE_AMOUNT},
    [STRIKE_SLOW] = {"slow", SHAPE_AMOUNT},
    [STRIKE_CUT] = {"cut", SHAPE_LINKS},
    [STRIKE_JOIN] = {"join", SHAPE_LINKS},
    [STRIKE_HEAL] = {"heal", SHAPE_NOTHING},
    [STRIKE_CLOCK] = {"clock", SHAPE_AMOUNT},
    [STRIKE_DISK_ROOM] = {"disk-room", SHAPE_ROOM},
    [STRIKE_DISK_STALL] = {"disk-stall", SHAPE_AMOUNT},
    [STRIKE_SYNC_ERROR] = {"sync-error", SHAPE_HOST},
    [STRIKE_WRITE_ERROR] = {"write-error", SHAPE_HOST},
    [STRIKE_READ_ERROR] = {"read-error", SHAPE_HOST},
    [STRIKE_ROT] = {"rot", SHAPE_ROT},
    [STRIKE_ROT_END] = {"rot-end", SHAPE_ROT},
    [STRIKE_ROT_RECEIVED] = {"rot-received", SHAPE_AMOUNT},
    [STRIKE_END_IN] = {"end-in", SHAPE_AMOUNT},
    [STRIKE_MEMORY] = {"memory", SHAPE_AMOUNT},
    [STRIKE_TELL] = {"tell", SHAPE_LINE},
    [STRIKE_ASK] = {"ask", SHAPE_LINE},
};

static const struct {
    const char *word;
    const char *count;
} rots[] = {
    [SIM_ROT_FLIP_BIT] = {"bit", "rot: a bit flipped"},
    [SIM_ROT_GARBAGE] = {"garbage", "rot: garbage"},
    [SIM_ROT_MISPLACED] = {"misplaced", "rot: a sector written over another"},
};
#define ROTS (sizeof rots / sizeof rots[0])

static void __attribute__((format(printf, 2, 3))) append(char *text, const char *format, ...)
{
    const size_t n = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + n, STRIKE_TEXT_BYTES - n, format, list);
    va_end(list);
}

static void print_links(uint64_t links, char *text)
{
    for (uint32_t from = 0; from < SIM_HOSTS; from++) {
        for (uint32_t to = 0; to < SIM_HOSTS; to++) {
            bool is_there = links & strike_link(from, to);
            bool is_both = is_there && (links & strike_link(to, from));
            if (is_there && !(is_both && to < from))
                append(text, " %u%c%u", from, is_both ? '-' : '>', to);
        }
    }
}

void strike_print(const struct strike *what, char *text)
{
    const enum strike_shape shape = words[what->kind].shape;
    snprintf(text, STRIKE_TEXT_BYTES, "%s", words[what->kind].verb);
    if (shape != SHAPE_LINKS && shape != SHAPE_NOTHING)
        append(text, " %u", what->host);
    switch (shape) {
    case SHAPE_ROOM:
    case SHAPE_AMOUNT:
        if (shape == SHAPE_ROOM && what->amount < 0)
            append(text, " all");
        else
            append(text, " %lld", (long long)what->amount);
        break;
    case SHAPE_ROT: append(text, " %s", rots[what->amount].word); break;
    case SHAPE_LINKS: print_links(what->links, text); break;
    case SHAPE_LINE: append(text, " %s", what->line); break;
    case SHAPE_HOST:
    case SHAPE_NOTHING: break;
    }
}

/* The next word of *rest, "" at the end; *rest moves behind it. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static bool parse_number(const char *word, int64_t *out)
{
    char *end;
    *out = strtoll(word, &end, 10);
    return end != word && *end == '\0';
}

static bool parse_links(char *rest, uint32_t host_count, uint64_t *out)
{
    *out = 0;
    for (char *word = next_word(&rest); *word; word = next_word(&rest)) {
        uint32_t from = (uint32_t)(word[0] - '0');
        uint32_t to = (uint32_t)(word[1] ? word[2] - '0' : -1);
        if (from >= host_count || to >= host_count || from == to || (word[1] != '-' && word[1] != '>') || word[3])
            return false;
        *out |= strike_link(from, to) | (word[1] == '-' ? strike_link(to, from) : 0);
    }
    return *out != 0;
}

static bool parse_rot(const char *word, int64_t *out)
{
    for (size_t i = 0; i < ROTS; i++) {
        *out = (int64_t)i;
        if (rots[i].word && strcmp(word, rots[i].word) == 0)
            return true;
    }
    return false;
}

/* What stands behind verb and host. */
static bool parse_rest(enum strike_shape shape, char *rest, struct strike *out)
{
    if (shape == SHAPE_LINE)
        return snprintf(out->line, sizeof out->line, "%s", rest) > 0 && strlen(rest) < sizeof out->line;
    const char *word = next_word(&rest);
    if (*next_word(&rest))
        return false;
    if (shape == SHAPE_HOST)
        return !*word;
    if (shape == SHAPE_ROT)
        return parse_rot(word, &out->amount);
    out->amount = -1;
    if (shape == SHAPE_ROOM && strcmp(word, "all") == 0)
        return true;
    return parse_number(word, &out->amount) && (out->amount >= 0 || out->kind == STRIKE_CLOCK);
}

bool strike_parse(char *text, uint32_t host_count, struct strike *out)
{
    char *rest = text;
    const char *verb = next_word(&rest);
    int64_t host;
    *out = (struct strike){.kind = STRIKE_KILL};
    while (out->kind < STRIKE_KINDS && strcmp(words[out->kind].verb, verb) != 0)
        out->kind++;
    if (out->kind == STRIKE_KINDS)
        return false;
    enum strike_shape shape = words[out->kind].shape;
    if (shape == SHAPE_NOTHING)
        return !*next_word(&rest);
    if (shape == SHAPE_LINKS)
        return parse_links(rest, host_count, &out->links);
    if (!parse_number(next_word(&rest), &host) || host < 0 || host >= host_count)
        return false;
    out->host = (uint32_t)host;
    return parse_rest(shape, rest, out);
}

/* --- as deeds --- */

static void strike_down(struct sim_host *h, enum host_end how)
{
    world_count(how == HOST_KILL ? "node killed" : "node lost power");
    host_stop(h, how);
}

static void pause_ends(struct world *w, void *ctx, uint64_t slot, uint64_t life)
{
    struct sim *s = ctx;
    (void)w;
    if (s->host[slot].life != life || !s->host[slot].node)
        return;
    sim_clients_host_resumed(s, (uint32_t)slot);
    host_kick(&s->host[slot]);
}

static void strike_pause(struct sim_host *h, uint64_t us)
{
    struct sim *s = h->sim;
    world_count("node paused");
    h->paused_until_us = s->world.now_us + us;
    world_at(&s->world, us + 1, pause_ends, s, h->slot, h->life);
}

static void strike_links(struct sim *s, uint64_t links, bool is_cut)
{
    for (uint32_t from = 0; from < s->plan.host_count; from++) {
        for (uint32_t to = 0; to < s->plan.host_count; to++) {
            if (links & strike_link(from, to))
                s->is_cut[from][to] = is_cut;
        }
    }
}

static void strike_disk_room(struct sim_host *h, int64_t room)
{
    h->has_quota = room >= 0;
    if (h->has_quota)
        world_count("disk full");
    sim_disk_set_quota(h->disk, h->has_quota ? sim_disk_used(h->disk) + (uint64_t)room : UINT64_MAX);
}

/* The disk refuses: the node must stop. */
static void strike_disk_error(struct sim_host *h, enum strike_kind kind)
{
    h->fatal_expected = true;
    if (kind == STRIKE_SYNC_ERROR) { /* What it had written is gone if power fails later. */
        world_count("fsync failed");
        sim_disk_fail_next_sync(h->disk);
    } else if (kind == STRIKE_WRITE_ERROR) {
        world_count("write failed (EIO, a part written)");
        sim_disk_fail_write(h->disk, 0, ERR_IO);
    } else {
        world_count("read failed (EIO)");
        sim_disk_fail_read(h->disk);
    }
}

/* Bit rot at rest, found at the next start: only damage that can be told from a sector never written. Nobody uses what is at rest. */
static void stop_for_rot(struct sim_host *h)
{
    if (h->node)
        host_stop(h, HOST_KILL);
}

static void strike_rot(struct sim_host *h, enum sim_rot how)
{
    stop_for_rot(h);
    ghost_host_rots(h->sim->ghost, h->slot);
    if (sim_disk_corrupt_any(h->disk, how))
        world_count(rots[how].count);
}

static void strike_rot_end(struct sim_host *h, enum sim_rot how)
{
    stop_for_rot(h);
    ghost_host_rots(h->sim->ghost, h->slot);
    if (sim_disk_corrupt_newest(h->disk, how, 1))
        world_count("rot: the log's end");
}

static void strike_rot_received(struct sim_host *h, uint64_t at)
{
    if (sim_disk_corrupt(h->disk, SNAPSHOT_RECEIVED_NAME, at, 1, SIM_ROT_FLIP_BIT))
        world_count("rot: of a snapshot being received");
}

/* An administrator says something to a node, and doesn't wait long. */
static void admin_leaves(struct world *w, void *ctx, uint64_t i, uint64_t life)
{
    struct sim *s = ctx;
    (void)w;
    if (s->admin[i] && s->admin_life[i] == life) {
        manual_close(s->admin[i]);
        s->admin[i] = NULL;
    }
}

static void strike_tell(struct sim_host *h, const char *line)
{
    struct sim *s = h->sim;
    uint64_t i = 0;
    while (i < SIM_ADMINS && s->admin[i] && manual_output(s->admin[i]).n == 0)
        i++;
    if (i == SIM_ADMINS || !host_is_running(h) || h->fatal_reason)
        return;
    if (s->admin[i]) /* has its answer */
        manual_close(s->admin[i]);
    s->admin[i] = manual_open(s, h->slot);
    s->admin_life[i]++;
    manual_say(s->admin[i], line);
    world_at(&s->world, 3000000, admin_leaves, s, i, s->admin_life[i]);
}

/* The others are done to a disk, a link, a machine. */
static bool needs_process(enum strike_kind kind)
{
    return kind == STRIKE_KILL || kind == STRIKE_POWER || kind == STRIKE_PAUSE || kind == STRIKE_ROT_RECEIVED || kind == STRIKE_END_IN ||
           kind == STRIKE_TELL || kind == STRIKE_ASK;
}

void strike(struct sim *s, const struct strike *what)
{
    struct sim_host *h = &s->host[what->host];
    uint64_t amount = (uint64_t)what->amount;
    char text[STRIKE_TEXT_BYTES];
    strike_print(what, text);
    world_trace(&s->world, "strike: %s", text);
    if (s->record)
        fprintf(s->record, "at %llu.%06llu %s\n", (unsigned long long)(s->world.now_us / 1000000), (unsigned long long)(s->world.now_us % 1000000), text);
    if (needs_process(what->kind) && !h->node)
        return;
    switch (what->kind) {
    case STRIKE_KILL: strike_down(h, HOST_KILL); break;
    case STRIKE_POWER: strike_down(h, HOST_POWER_LOSS); break;
    case STRIKE_POWER_IN: sim_disk_power_fail_after(h->disk, amount); break; /* host.c takes it down when the disk is dead */
    case STRIKE_START:
        if (!h->node)
            host_start(h);
        break;
    case STRIKE_PAUSE: strike_pause(h, amount); break;
    case STRIKE_CUT: strike_links(s, what->links, true); break;
    case STRIKE_JOIN: strike_links(s, what->links, false); break;
    case STRIKE_HEAL: net_heal(s); break;
    case STRIKE_CLOCK:
        world_count("wall clock jumped");
        h->wall_offset_ms = what->amount;
        break;
    case STRIKE_SLOW:
        if (amount > 0)
            world_count("node slowed down");
        h->slow_us = amount;
        break;
    case STRIKE_DISK_ROOM: strike_disk_room(h, what->amount); break;
    case STRIKE_DISK_STALL:
        world_count("disk stalled");
        h->disk_stalled_until_us = s->world.now_us + amount;
        break;
    case STRIKE_SYNC_ERROR:
    case STRIKE_WRITE_ERROR:
    case STRIKE_READ_ERROR: strike_disk_error(h, what->kind); break;
    case STRIKE_ROT: strike_rot(h, (enum sim_rot)what->amount); break;
    case STRIKE_ROT_END: strike_rot_end(h, (enum sim_rot)what->amount); break;
    case STRIKE_ROT_RECEIVED: strike_rot_received(h, amount); break;
    case STRIKE_END_IN: h->calls_left = 1 + amount; break;
    case STRIKE_MEMORY: h->allocations_left = 1 + amount; break;
    case STRIKE_TELL: strike_tell(h, what->line); break;
    case STRIKE_ASK: churn_ask(s, h->slot, what->line); break;
    case STRIKE_KINDS: break;
    }
}
