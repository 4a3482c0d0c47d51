#include "node/change_plan.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "node/formation.h"

/* A plan and a configuration: what it names, what it leads to, whether it is reached. Parsing and encoding are in
 * change_plan_text.c. */

#define VOTER_ANY ((uint32_t)RAFT_VOTER_OLD | (uint32_t)RAFT_VOTER_NEW)

void change_plan_one(enum change_verb verb, const char *address, struct change_plan *plan)
{
    *plan = (struct change_plan){.count = 1, .step[0] = {.verb = verb}};
    snprintf(plan->step[0].target, sizeof plan->step[0].target, "%s", address);
}

bool change_plan_same(const struct change_plan *a, const struct change_plan *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->step[i].verb != b->step[i].verb || strcmp(a->step[i].target, b->step[i].target) != 0 ||
            strcmp(a->step[i].new_address, b->step[i].new_address) != 0)
            return false;
    return true;
}

const char *change_step_new_address(const struct change_step *step)
{
    switch (step->verb) {
    case CHANGE_ADD:
    case CHANGE_ADD_LEARNER:
        return step->target;
    case CHANGE_REPLACE:
        return step->new_address;
    case CHANGE_REMOVE:
    case CHANGE_PROMOTE:
    case CHANGE_DEMOTE:
    case CHANGE_TRANSFER:
    case CHANGE_CANCEL:
        return "";
    }
    UNREACHABLE();
}

bool change_step_brings_node(const struct change_step *step, const struct raft_conf *conf)
{
    return change_step_new_address(step)[0] != '\0' && (step->new_id == 0 || !raft_conf_find(conf, step->new_id));
}

/* --- whom the steps name ------------------------------------------------------------------------- */

static bool member_is_named(const struct raft_member *m, const char *target)
{
    char id[17];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)m->id);
    return strcmp(m->address, target) == 0 || strcmp(id, target) == 0;
}

/* While a new disk takes an old member's place both have the same address: the voter is the one that people mean. */
static const struct raft_member *conf_named(const struct raft_conf *conf, const char *target)
{
    const struct raft_member *found = NULL;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct raft_member *m = &conf->member[i];
        if (member_is_named(m, target) && (!found || (found->flags & VOTER_ANY) == 0))
            found = m;
    }
    return found;
}

static bool step_is_wrong(const struct change_step *s, const char *what, char *text)
{
    snprintf(text, CHANGE_TEXT_BYTES, "ERR Node %s %s", s->target, what);
    return false;
}

/* A step about a member that must be there. */
static bool step_find(struct change_step *s, const struct raft_conf *conf, bool is_retry, char *text)
{
    const struct raft_member *m = s->member_id ? raft_conf_find(conf, s->member_id) : conf_named(conf, s->target);
    if (!m)
        return is_retry && s->verb != CHANGE_PROMOTE && s->verb != CHANGE_DEMOTE ? true : step_is_wrong(s, "does not exist in cluster.", text);
    s->member_id = m->id;
    bool is_voter = (m->flags & VOTER_ANY) != 0;
    if (s->verb == CHANGE_PROMOTE && is_voter && !is_retry)
        return step_is_wrong(s, "is a voter already.", text);
    if (s->verb == CHANGE_DEMOTE && !is_voter && !is_retry)
        return step_is_wrong(s, "is a learner already.", text);
    if (s->verb == CHANGE_TRANSFER && !is_voter)
        return step_is_wrong(s, "is a learner: it can't lead. RAFT PROMOTE makes it a voter.", text);
    return true;
}

/* A step that adds: the address must be free, but for a learner that becomes a voter. */
static bool step_find_added(struct change_step *s, const struct raft_conf *conf, bool is_retry, char *text)
{
    const struct raft_member *m = s->new_id ? raft_conf_find(conf, s->new_id) : conf_named(conf, s->target);
    if (!m || is_retry) {
        s->new_id = m ? m->id : s->new_id;
        return true;
    }
    if (s->verb == CHANGE_ADD_LEARNER || (m->flags & VOTER_ANY) != 0)
        return step_is_wrong(s, "already exists in cluster.", text);
    s->new_id = m->id;
    return true;
}

bool change_plan_resolve(struct change_plan *plan, const struct raft_conf *conf, bool is_retry, char *text)
{
    ASSERT(!conf->is_joint);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct change_step *s = &plan->step[i];
        bool is_ok = true;
        switch (s->verb) {
        case CHANGE_ADD:
        case CHANGE_ADD_LEARNER:
            is_ok = step_find_added(s, conf, is_retry, text);
            break;
        case CHANGE_REMOVE:
        case CHANGE_REPLACE:
        case CHANGE_PROMOTE:
        case CHANGE_DEMOTE:
            is_ok = step_find(s, conf, is_retry, text);
            break;
        case CHANGE_TRANSFER:
            is_ok = s->target[0] == '\0' || step_find(s, conf, is_retry, text);
            break;
        case CHANGE_CANCEL:
            break;
        }
        if (!is_ok)
            return false;
    }
    return true;
}

/* --- where they lead ----------------------------------------------------------------------------- */

static void conf_drop(struct raft_conf *conf, raft_id id)
{
    int at = raft_conf_position(conf, id);
    if (at < 0)
        return;
    conf->member_count--;
    memmove(&conf->member[at], &conf->member[at + 1], (conf->member_count - (uint32_t)at) * sizeof conf->member[0]);
    memset(&conf->member[conf->member_count], 0, sizeof conf->member[0]);
}

static enum err conf_put(struct raft_conf *conf, raft_id id, const char *address, uint32_t flags)
{
    int found = raft_conf_position(conf, id);
    if (found >= 0) {
        conf->member[found].flags = flags;
        return ERR_OK;
    }
    if (conf->member_count == LIMIT_MEMBERS || id == 0)
        return ERR_INVALID;
    uint32_t at = conf->member_count++;
    for (; at > 0 && conf->member[at - 1].id > id; at--)
        conf->member[at] = conf->member[at - 1];
    conf->member[at] = (struct raft_member){.id = id, .flags = flags};
    snprintf(conf->member[at].address, sizeof conf->member[at].address, "%s", address);
    return ERR_OK;
}

enum err change_plan_learners(const struct change_plan *plan, const struct raft_conf *conf, struct raft_conf *out)
{
    *out = *conf;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *s = &plan->step[i];
        if (change_step_brings_node(s, conf) &&
            conf_put(out, s->new_id, change_step_new_address(s), RAFT_LEARNER) != ERR_OK)
            return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err step_take(const struct change_step *s, struct raft_conf *out)
{
    const struct raft_member *m = raft_conf_find(out, s->member_id);
    uint32_t flags = m ? m->flags : (uint32_t)RAFT_VOTER_NEW;
    switch (s->verb) {
    case CHANGE_ADD:
        return conf_put(out, s->new_id, s->target, RAFT_VOTER_NEW);
    case CHANGE_ADD_LEARNER:
        return conf_put(out, s->new_id, s->target, RAFT_LEARNER);
    case CHANGE_REPLACE:
        conf_drop(out, s->member_id);
        return conf_put(out, s->new_id, s->new_address, flags);
    case CHANGE_REMOVE:
        conf_drop(out, s->member_id);
        return ERR_OK;
    case CHANGE_PROMOTE:
        return conf_put(out, s->member_id, "", RAFT_VOTER_NEW);
    case CHANGE_DEMOTE:
        return conf_put(out, s->member_id, "", RAFT_LEARNER);
    case CHANGE_TRANSFER:
    case CHANGE_CANCEL:
        return ERR_OK;
    }
    UNREACHABLE();
}

enum err change_plan_target(const struct change_plan *plan, const struct raft_conf *conf, struct raft_conf *out)
{
    *out = *conf;
    /* What leaves first: then a full configuration has room for what comes. */
    for (int adds = 0; adds < 2; adds++)
        for (uint32_t i = 0; i < plan->count; i++) {
            bool is_add = plan->step[i].verb == CHANGE_ADD || plan->step[i].verb == CHANGE_ADD_LEARNER;
            if (is_add == (adds == 1) && step_take(&plan->step[i], out) != ERR_OK)
                return ERR_INVALID;
        }
    return raft_conf_check(out);
}

uint32_t change_plan_newcomers(const struct change_plan *plan, const struct raft_conf *conf, raft_id *id)
{
    struct raft_conf target;
    uint32_t count = 0;
    if (change_plan_target(plan, conf, &target) != ERR_OK)
        return 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *s = &plan->step[i];
        raft_id newcomer = s->verb == CHANGE_PROMOTE ? s->member_id : change_step_new_address(s)[0] != '\0' ? s->new_id : 0;
        if (newcomer != 0 && raft_conf_find(&target, newcomer) && !raft_conf_is_voter(conf, newcomer))
            id[count++] = newcomer;
    }
    return count;
}

void change_plan_undo(const struct change_plan *plan, const struct raft_conf *before, const struct raft_conf *conf,
                      struct raft_conf *out)
{
    *out = *conf;
    for (uint32_t i = 0; i < plan->count; i++) {
        raft_id id = change_step_new_address(&plan->step[i])[0] != '\0' ? plan->step[i].new_id : 0;
        const struct raft_member *m = id ? raft_conf_find(out, id) : NULL;
        if (m && m->flags == RAFT_LEARNER && !raft_conf_find(before, id))
            conf_drop(out, id);
    }
}

bool change_plan_is_done(const struct change_plan *plan, const struct raft_conf *conf)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *s = &plan->step[i];
        const struct raft_member *old = s->member_id ? raft_conf_find(conf, s->member_id) : NULL;
        const struct raft_member *new = s->new_id ? raft_conf_find(conf, s->new_id) : NULL;
        bool is_so = false;
        switch (s->verb) {
        case CHANGE_ADD:
            is_so = new && new->flags == RAFT_VOTER_NEW;
            break;
        case CHANGE_ADD_LEARNER:
            is_so = new && new->flags == RAFT_LEARNER;
            break;
        case CHANGE_REMOVE:
            is_so = !old;
            break;
        case CHANGE_REPLACE:
            is_so = new && !old && s->member_id != 0;
            break;
        case CHANGE_PROMOTE:
            is_so = old && old->flags == RAFT_VOTER_NEW;
            break;
        case CHANGE_DEMOTE:
            is_so = old && old->flags == RAFT_LEARNER;
            break;
        case CHANGE_TRANSFER:
        case CHANGE_CANCEL:
            break;
        }
        if (!is_so)
            return false;
    }
    return !conf->is_joint;
}
