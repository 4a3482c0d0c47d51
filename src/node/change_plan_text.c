#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "node/change_plan.h"
#include "node/formation.h"

/* Plans as words and as bytes. */

static const struct {
    const char *word;
    enum change_verb verb;
} verbs[] = {
    {"ADD", CHANGE_ADD},         {"ADD LEARNER", CHANGE_ADD_LEARNER}, {"REMOVE", CHANGE_REMOVE},
    {"REPLACE", CHANGE_REPLACE}, {"PROMOTE", CHANGE_PROMOTE},         {"DEMOTE", CHANGE_DEMOTE},
    {"TRANSFER", CHANGE_TRANSFER}, {"CANCEL", CHANGE_CANCEL},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

static const char *verb_word(enum change_verb verb)
{
    for (size_t i = 0; i < VERBS; i++)
        if (verbs[i].verb == verb)
            return verbs[i].word;
    return "?";
}

static bool verb_find(struct slice word, enum change_verb *verb)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (slice_equal_nocase(word, verbs[i].word)) {
            *verb = verbs[i].verb;
            return true;
        }
    }
    return false;
}

static bool word_is_id(struct slice word)
{
    for (size_t i = 0; i < word.n; i++) {
        uint8_t c = word.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return word.n == 16;
}

/* An address, or where a member may be named by it, an id. */
static bool target_parse(struct slice word, bool may_be_id, int64_t default_port, char *out, char *text)
{
    if (may_be_id && word_is_id(word)) {
        snprintf(out, LIMIT_ADDRESS_BYTES, "%.16s", (const char *)word.p);
        return true;
    }
    if (memchr(word.p, 0, word.n) == NULL && address_normalise(word, default_port, out))
        return true;
    snprintf(text, CHANGE_TEXT_BYTES, "ERR '%.*s' is not host:port%s", word.n < 128 ? (int)word.n : 128,
             word.n > 0 ? (const char *)word.p : "", may_be_id ? ", nor the 16 digits of a node's id" : "");
    return false;
}

static bool plan_is_wrong(char *text, const char *why)
{
    snprintf(text, CHANGE_TEXT_BYTES, "ERR %s", why);
    return false;
}

static bool plan_push(struct change_plan *plan, enum change_verb verb, struct slice word, int64_t default_port, char *text)
{
    bool is_new = verb == CHANGE_ADD || verb == CHANGE_ADD_LEARNER;
    if (plan->count == CHANGE_STEPS_MAX)
        return plan_is_wrong(text, "at most 8 nodes can be changed at once");
    struct change_step *s = &plan->step[plan->count];
    *s = (struct change_step){.verb = verb};
    if (!target_parse(word, !is_new, default_port, s->target, text))
        return false;
    for (uint32_t i = 0; i < plan->count; i++)
        if (strcmp(plan->step[i].target, s->target) == 0) {
            snprintf(text, CHANGE_TEXT_BYTES, "ERR %s is named twice", s->target);
            return false;
        }
    plan->count++;
    return true;
}

/* REPLACE address [new-address], TRANSFER [address], CANCEL: they stand alone. */
static bool plan_parse_lone(enum change_verb verb, const struct slice *word, size_t count, int64_t default_port,
                            struct change_plan *plan, char *text)
{
    size_t least = verb == CHANGE_REPLACE ? 1 : 0;
    size_t most = verb == CHANGE_REPLACE ? 2 : verb == CHANGE_TRANSFER ? 1 : 0;
    struct change_step *s = &plan->step[0];
    if (count < least || count > most)
        return plan_is_wrong(text, verb == CHANGE_REPLACE    ? "usage: RAFT REPLACE <address> [<new address>]"
                                   : verb == CHANGE_TRANSFER ? "usage: RAFT TRANSFER [<address>]"
                                                             : "usage: RAFT CANCEL");
    plan->count = 1;
    *s = (struct change_step){.verb = verb};
    if (count > 0 && !target_parse(word[0], true, default_port, s->target, text))
        return false;
    if (verb != CHANGE_REPLACE)
        return true;
    if (count == 1 && word_is_id(word[0]))
        return plan_is_wrong(text, "a member named by its id is replaced at an address: RAFT REPLACE <id> <new address>");
    return target_parse(word[count - 1], false, default_port, s->new_address, text);
}

bool change_plan_parse(const struct slice *word, size_t word_count, int64_t default_port, struct change_plan *plan, char *text)
{
    enum change_verb verb = CHANGE_ADD;
    bool has_target = true;
    *plan = (struct change_plan){0};
    if (word_count == 0 || !verb_find(word[0], &verb))
        return plan_is_wrong(text, "unknown change; try RAFT HELP");
    if (verb == CHANGE_REPLACE || verb == CHANGE_TRANSFER || verb == CHANGE_CANCEL)
        return plan_parse_lone(verb, word + 1, word_count - 1, default_port, plan, text);
    for (size_t i = 0; i < word_count; i++) {
        enum change_verb found;
        if (verb_find(word[i], &found)) {
            if (!has_target)
                break;
            if (found == CHANGE_REPLACE || found == CHANGE_TRANSFER || found == CHANGE_CANCEL)
                return plan_is_wrong(text, "REPLACE, TRANSFER and CANCEL stand alone");
            verb = found;
            has_target = false;
        } else if (verb == CHANGE_ADD && !has_target && slice_equal_nocase(word[i], "LEARNER")) {
            verb = CHANGE_ADD_LEARNER;
        } else {
            if (!plan_push(plan, verb, word[i], default_port, text))
                return false;
            has_target = true;
        }
    }
    return has_target ? true : plan_is_wrong(text, "an address is missing; usage: RAFT ADD [LEARNER]|REMOVE|PROMOTE|DEMOTE <address> ...");
}

/* --- bytes --------------------------------------------------------------------------------------- */

static void write_text(struct buf *out, const char *text)
{
    write_u16(out, (uint16_t)strlen(text));
    buf_append(out, text, strlen(text));
}

static void read_text(struct reader *in, char *out)
{
    uint16_t size = read_u16(in);
    struct slice bytes = read_bytes(in, size);
    if (in->failed || size >= LIMIT_ADDRESS_BYTES || (size > 0 && memchr(bytes.p, 0, size) != NULL)) {
        in->failed = true;
        return;
    }
    if (size > 0)
        memcpy(out, bytes.p, size);
    out[size] = '\0';
}

void change_plan_encode(const struct change_plan *plan, struct buf *out)
{
    write_u8(out, (uint8_t)plan->count);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *s = &plan->step[i];
        write_u8(out, (uint8_t)s->verb);
        write_u64(out, s->member_id);
        write_u64(out, s->new_id);
        write_text(out, s->target);
        write_text(out, s->new_address);
    }
}

bool change_plan_decode(struct reader *in, struct change_plan *plan)
{
    *plan = (struct change_plan){.count = read_u8(in)};
    if (plan->count == 0 || plan->count > CHANGE_STEPS_MAX)
        return false;
    for (uint32_t i = 0; i < plan->count && !in->failed; i++) {
        struct change_step *s = &plan->step[i];
        uint8_t verb = read_u8(in);
        s->verb = (enum change_verb)verb;
        s->member_id = read_u64(in);
        s->new_id = read_u64(in);
        read_text(in, s->target);
        read_text(in, s->new_address);
        bool is_lone = verb == CHANGE_REPLACE || verb == CHANGE_TRANSFER || verb == CHANGE_CANCEL;
        bool needs_target = verb != CHANGE_TRANSFER && verb != CHANGE_CANCEL;
        if (verb < CHANGE_ADD || verb > CHANGE_CANCEL || (is_lone && plan->count > 1) || (needs_target && s->target[0] == '\0') ||
            (verb == CHANGE_REPLACE) != (s->new_address[0] != '\0'))
            return false;
    }
    return !in->failed;
}

void change_plan_describe(const struct change_plan *plan, struct buf *out)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *s = &plan->step[i];
        buf_printf(out, "%s%s%s%s", i > 0 ? ", " : "", verb_word(s->verb), s->target[0] ? " " : "", s->target);
        if (s->new_address[0] != '\0' && strcmp(s->new_address, s->target) != 0)
            buf_printf(out, " by %s", s->new_address);
    }
}
