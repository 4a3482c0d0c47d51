/* GEOSEARCH GEOSEARCHSTORE GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO, as Redis 7.0.15 geo.c answers
 * them: one search, whose arguments are written in different ways.
 *
 * S1  Redis looks the key up first, and reads the arguments with that knowledge: whether a member can be decoded is told
 * where it is named. So nothing is checked before the command runs.
 *
 * S2  Points of equal distance stand in the order in which they were found, which depends on the set alone; where COUNT
 * cuts among them, Redis leaves it to its sort. */

#include <stdlib.h>

#include "base/mem.h"
#include "commands/geo_common.h"
#include "commands/numbers.h"

/* How a command writes its arguments. */
enum geo_form {
    GEO_FROM_POINT,  /* key longitude latitude radius unit */
    GEO_FROM_MEMBER, /* key member radius unit */
    GEO_BY_OPTION,   /* FROMMEMBER or FROMLONLAT, BYRADIUS or BYBOX among the options */
};
struct geo_kind {
    enum geo_form form;
    bool has_destination; /* GEOSEARCHSTORE: in front of the key */
    bool may_store;       /* by option: STORE, STOREDIST */
    const char *event;    /* of what is stored */
};

enum geo_sort { GEO_UNSORTED, GEO_ASCENDING, GEO_DESCENDING };

struct geo_search {
    const struct geo_kind *kind;
    const struct value *z; /* NULL: there is no key */
    struct geo_shape shape;
    bool has_center;
    bool from_member;
    bool has_radius;
    bool with_distance;
    bool with_hash;
    bool with_point;
    bool is_any; /* the first that are found will do */
    enum geo_sort sort;
    int64_t count; /* 0: all */
    bool is_store;
    bool stores_distance;
    struct slice destination;
};

/* --- arguments --- */

static bool parse_radius(const struct slice *arg, struct geo_shape *shape, struct reply *reply)
{
    if (!argument_double(arg[0], "ERR need numeric radius", &shape->radius, reply)) {
        return false;
    }
    if (shape->radius < 0) {
        reply_error(reply, "ERR radius cannot be negative");
        return false;
    }
    return geo_parse_unit(arg[1], &shape->unit, reply);
}

static bool parse_box(const struct slice *arg, struct geo_shape *shape, struct reply *reply)
{
    if (!argument_double(arg[0], "ERR need numeric width", &shape->width, reply) ||
        !argument_double(arg[1], "ERR need numeric height", &shape->height, reply)) {
        return false;
    }
    if (shape->width < 0 || shape->height < 0) {
        reply_error(reply, "ERR height or width cannot be negative");
        return false;
    }
    return geo_parse_unit(arg[2], &shape->unit, reply);
}

static bool parse_member(struct command_run *run, struct geo_search *s, struct slice member, struct reply *reply)
{
    if (s->z && !geo_find(run, s->z, member, &s->shape.center)) {
        reply_error(reply, "ERR could not decode requested zset member");
        return false;
    }
    return true;
}

static bool parse_count(struct slice argument, struct geo_search *s, struct reply *reply)
{
    if (!argument_integer(argument, &s->count, reply)) {
        return false;
    }
    if (s->count <= 0) {
        reply_error(reply, "ERR COUNT must be > 0");
        return false;
    }
    return true;
}

/* Options of one word. False: it is none. */
static bool parse_word(struct geo_search *s, struct slice option)
{
    if (argument_is(option, "withdist")) {
        s->with_distance = true;
    } else if (argument_is(option, "withhash")) {
        s->with_hash = true;
    } else if (argument_is(option, "withcoord")) {
        s->with_point = true;
    } else if (argument_is(option, "any")) {
        s->is_any = true;
    } else if (argument_is(option, "asc")) {
        s->sort = GEO_ASCENDING;
    } else if (argument_is(option, "desc")) {
        s->sort = GEO_DESCENDING;
    } else if (s->kind->has_destination && argument_is(option, "storedist")) {
        s->stores_distance = true;
    } else {
        return false;
    }
    return true;
}

/* STORE key and STOREDIST key. False: it is neither. */
static bool parse_store(struct geo_search *s, const struct slice *option, size_t behind)
{
    bool is_distance = argument_is(option[0], "storedist");
    if (!s->kind->may_store || behind < 1 || (!is_distance && !argument_is(option[0], "store"))) {
        return false;
    }
    s->is_store = true;
    s->stores_distance = is_distance;
    s->destination = option[1];
    return true;
}

/* Options with arguments, of which `behind` follow at most: *taken is how many they take. False: refused, with an error. */
static bool parse_option(struct command_run *run, struct geo_search *s, const struct slice *option, size_t behind, size_t *taken,
                         struct reply *reply)
{
    bool is_search = s->kind->form == GEO_BY_OPTION;
    *taken = 1;
    if (argument_is(option[0], "count") && behind >= 1) {
        return parse_count(option[1], s, reply);
    }
    if (parse_store(s, option, behind)) {
        return true;
    }
    if (is_search && argument_is(option[0], "frommember") && behind >= 1 && !s->has_center) {
        s->from_member = true;
        return parse_member(run, s, option[1], reply);
    }
    if (is_search && argument_is(option[0], "fromlonlat") && behind >= 2 && !s->from_member) {
        *taken = 2;
        s->has_center = true;
        return geo_parse_point(option + 1, &s->shape.center, reply);
    }
    if (is_search && argument_is(option[0], "byradius") && behind >= 2 && !s->shape.is_box) {
        *taken = 2;
        s->has_radius = true;
        return parse_radius(option + 1, &s->shape, reply);
    }
    if (is_search && argument_is(option[0], "bybox") && behind >= 3 && !s->has_radius) {
        *taken = 3;
        s->shape.is_box = true;
        return parse_box(option + 1, &s->shape, reply);
    }
    reply_error(reply, REPLY_SYNTAX);
    return false;
}

/* What stands in front of the options. *first is where these begin. */
static bool parse_fixed(struct command_run *run, const struct command *command, struct geo_search *s, size_t *first,
                        struct reply *reply)
{
    switch (s->kind->form) {
    case GEO_FROM_POINT:
        *first = 6;
        return geo_parse_point(command->arg + 2, &s->shape.center, reply) && parse_radius(command->arg + 4, &s->shape, reply);
    case GEO_FROM_MEMBER:
        *first = 5;
        return !s->z || (parse_member(run, s, command->arg[2], reply) && parse_radius(command->arg + 3, &s->shape, reply));
    case GEO_BY_OPTION:
        *first = s->kind->has_destination ? 3 : 2;
        s->is_store = s->kind->has_destination;
        s->destination = command->arg[1];
        return true;
    }
    return false;
}

static bool parse_is_whole(const struct geo_search *s, const struct command *command, struct reply *reply)
{
    bool is_search = s->kind->form == GEO_BY_OPTION;
    int n = (int)command->arg[0].n;
    const char *name = (const char *)command->arg[0].p;
    if (s->is_store && (s->with_distance || s->with_hash || s->with_point)) {
        reply_errorf(reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                     s->kind->has_destination ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    } else if (is_search && !s->from_member && !s->has_center) {
        reply_errorf(reply, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", n, name);
    } else if (is_search && !s->has_radius && !s->shape.is_box) {
        reply_errorf(reply, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s", n, name);
    } else if (s->is_any && s->count == 0) {
        reply_error(reply, "ERR the ANY argument requires COUNT argument");
    } else {
        return true;
    }
    return false;
}

static bool parse(struct command_run *run, const struct command *command, struct geo_search *s, struct reply *reply)
{
    size_t first;
    size_t taken;
    if (!parse_fixed(run, command, s, &first, reply)) {
        return false;
    }
    for (size_t i = first; i < command->arg_count; i++) {
        if (!parse_word(s, command->arg[i])) {
            if (!parse_option(run, s, command->arg + i, command->arg_count - i - 1, &taken, reply)) {
                return false;
            }
            i += taken;
        }
    }
    if (s->count != 0 && s->sort == GEO_UNSORTED && !s->is_any) {
        s->sort = GEO_ASCENDING; /* the nearest */
    }
    return parse_is_whole(s, command, reply);
}

/* --- searching --- */

struct geo_hit {
    struct slice member; /* borrowed from the set */
    struct geo_point point;
    double score;
    double distance; /* in metres */
    size_t found_as;
};
struct geo_hits {
    struct geo_hit *hit;
    size_t count;
    size_t capacity;
};

static void hits_add(struct geo_hits *hits, const struct geo_hit *hit)
{
    if (hits->count == hits->capacity) {
        hits->capacity = hits->capacity ? hits->capacity * 2 : 16;
        hits->hit = mem_realloc(hits->hit, hits->capacity * sizeof *hits->hit);
    }
    hits->hit[hits->count++] = *hit;
}

/* Of a span of ranks; no more than `most` hits in all. */
static void search_span(const struct geo_search *s, struct zset_span span, size_t most, struct geo_hits *hits)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(zset_order(s->z), span.first, &c);
    for (uint64_t i = 0; i < span.count && hits->count < most && tree_cursor_get(&c, &item); i++, tree_cursor_next(&c)) {
        struct geo_hit hit = {.member = item.bytes, .score = zset_score(item.key), .found_as = hits->count};
        hit.point = geo_point_of(hit.score);
        if (geo_shape_has(&s->shape, hit.point, &hit.distance)) {
            hits_add(hits, &hit);
        }
    }
}

static int compare_ascending(const void *a, const void *b)
{
    const struct geo_hit *x = a;
    const struct geo_hit *y = b;
    if (x->distance != y->distance) {
        return x->distance > y->distance ? 1 : -1;
    }
    return x->found_as > y->found_as ? 1 : -1; /* S2 */
}

static int compare_descending(const void *a, const void *b)
{
    const struct geo_hit *x = a;
    const struct geo_hit *y = b;
    return x->distance == y->distance ? compare_ascending(a, b) : compare_ascending(b, a);
}

/* All that are wanted, in their order. False: too many to look at. */
static bool search(const struct geo_search *s, struct geo_hits *hits, struct reply *reply)
{
    struct geo_range range[GEO_RANGES_MAX];
    struct zset_span span[GEO_RANGES_MAX];
    size_t ranges = geo_shape_ranges(&s->shape, range);
    size_t most = s->is_any ? (size_t)s->count : SIZE_MAX;
    uint64_t looked_at = 0;
    for (size_t i = 0; i < ranges; i++) {
        span[i] = zset_span_by_score(s->z, &(struct zset_score_range){.min = range[i].min, .max = range[i].max, .is_max_open = true});
        looked_at += span[i].count;
    }
    if (!collection_may_read(looked_at, reply)) {
        return false;
    }
    for (size_t i = 0; i < ranges; i++) {
        search_span(s, span[i], most, hits);
    }
    if (s->sort != GEO_UNSORTED && hits->count > 1) {
        qsort(hits->hit, hits->count, sizeof *hits->hit, s->sort == GEO_ASCENDING ? compare_ascending : compare_descending);
    }
    if (s->count > 0 && hits->count > (uint64_t)s->count) {
        hits->count = (size_t)s->count;
    }
    return true;
}

/* --- answers --- */

/* As a cast does on x86-64, where C leaves it open: scores need not come from GEOADD. */
static int64_t hash_of(double score)
{
    return score >= -9223372036854775808.0 && score < 9223372036854775808.0 ? (int64_t)score : INT64_MIN;
}

static void reply_hits(const struct geo_search *s, const struct geo_hits *hits, struct reply *reply)
{
    size_t extra = (size_t)s->with_distance + (size_t)s->with_hash + (size_t)s->with_point;
    reply_array(reply, hits->count);
    for (size_t i = 0; i < hits->count; i++) {
        const struct geo_hit *hit = &hits->hit[i];
        if (extra > 0) {
            reply_array(reply, extra + 1);
        }
        reply_bulk(reply, hit->member);
        if (s->with_distance) {
            geo_reply_distance(hit->distance / s->shape.unit, reply);
        }
        if (s->with_hash) {
            reply_int(reply, hash_of(hit->score));
        }
        if (s->with_point) {
            geo_reply_point(hit->point, reply);
        }
    }
}

static void store_hits(struct command_run *run, const struct geo_search *s, const struct geo_hits *hits, struct reply *reply)
{
    struct zset_rules rules = zset_rules_of(run);
    struct value *made = NULL;
    for (size_t i = 0; i < hits->count; i++) {
        const struct geo_hit *hit = &hits->hit[i];
        if (!made) {
            made = zset_new(&rules, hit->member.n);
        }
        /* It isn't there yet: no two ranges overlap (tests/commands/test_geo.c). */
        zset_add(&made, &rules, hit->member, s->stores_distance ? hit->distance / s->shape.unit : hit->score);
    }
    reply_int(reply, (int64_t)hits->count);
    if (made) {
        keyspace_set(&run->view, s->destination, made, false, s->kind->event);
    } else {
        keyspace_delete(&run->view, s->destination, "del");
    }
}

static void search_command(struct command_run *run, const struct command *command, const struct geo_kind *kind, struct reply *reply)
{
    struct geo_search s = {.kind = kind, .shape = {.unit = 1}};
    struct geo_hits hits = {.count = 0};
    if (!collection_get(run, command->arg[kind->has_destination ? 2 : 1], VALUE_ZSET, &s.z, reply) ||
        !parse(run, command, &s, reply) || (s.z && !search(&s, &hits, reply))) {
        return;
    }
    if (s.is_store && collection_may_change(hits.count, reply)) {
        store_hits(run, &s, &hits, reply);
    } else if (!s.is_store && collection_may_reply(hits.count, reply)) {
        reply_hits(&s, &hits, reply);
    }
    mem_free(hits.hit);
}

#define GEO_COMMAND(command_name, ...)                                                                                         \
    static void command_name##_run(struct command_run *run, const struct command *command, struct reply *reply)                \
    {                                                                                                                          \
        static const struct geo_kind kind = {__VA_ARGS__};                                                                     \
        search_command(run, command, &kind, reply);                                                                            \
    }
GEO_COMMAND(georadius, .form = GEO_FROM_POINT, .may_store = true, .event = "georadiusstore")
GEO_COMMAND(georadius_ro, .form = GEO_FROM_POINT)
GEO_COMMAND(georadiusbymember, .form = GEO_FROM_MEMBER, .may_store = true, .event = "georadiusstore")
GEO_COMMAND(georadiusbymember_ro, .form = GEO_FROM_MEMBER)
GEO_COMMAND(geosearch, .form = GEO_BY_OPTION)
GEO_COMMAND(geosearchstore, .form = GEO_BY_OPTION, .has_destination = true, .event = "geosearchstore")

/* --- the rows --- */

#define GEO_SEARCH_COMPLEXITY                                                                                                  \
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the "    \
    "filter and M is the number of items inside the shape"
#define GEO_RADIUS_COMPLEXITY                                                                                                  \
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and "      \
    "radius and M is the number of items inside the index."
#define GEO_UNIT " <M | KM | FT | MI>"
#define GEO_WITH " [WITHCOORD] [WITHDIST] [WITHHASH]"
#define GEO_FROM " <FROMMEMBER member | FROMLONLAT longitude latitude>"
#define GEO_BY " <BYRADIUS radius" GEO_UNIT " | BYBOX width height" GEO_UNIT ">"
#define GEO_COUNT " [COUNT count [ANY]]"
#define GEO_STORE " [STORE key] [STOREDIST key]"

static const struct command_row geo_search_row[] = {
    {
        .name = "georadius",
        COMMAND_NUMBERED(GEORADIUS),
        .kind = COMMAND_DATA,
        .arity = -6,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_word = "STORE STOREDIST",
        .key_word_flags = "OW update",
        .run = georadius_run,
        .group = "geo",
        .acl_categories = "@write @geo @slow",
        .summary = "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance "
                   "from a point",
        .since = "3.2.0",
        .complexity = GEO_RADIUS_COMPLEXITY,
        .arguments = "key longitude latitude radius" GEO_UNIT GEO_WITH GEO_COUNT " [ASC | DESC]" GEO_STORE,
        .key_flags = "RO access",
        .history = "6.2.0 Added the `ANY` option for `COUNT`.\n"
                   "7.0.0 Added support for uppercase unit names.",
    },
    {
        .name = "georadius_ro",
        COMMAND_NUMBERED(GEORADIUS_RO),
        .kind = COMMAND_DATA,
        .arity = -6,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = georadius_ro_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "A read-only variant for GEORADIUS",
        .since = "3.2.10",
        .complexity = GEO_RADIUS_COMPLEXITY,
        .arguments = "key longitude latitude radius" GEO_UNIT GEO_WITH GEO_COUNT " [ASC | DESC]",
        .key_flags = "RO access",
        .history = "6.2.0 Added the `ANY` option for `COUNT`.",
    },
    {
        .name = "georadiusbymember",
        COMMAND_NUMBERED(GEORADIUSBYMEMBER),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_word = "STORE STOREDIST",
        .key_word_flags = "OW update",
        .run = georadiusbymember_run,
        .group = "geo",
        .acl_categories = "@write @geo @slow",
        .summary = "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance "
                   "from a member",
        .since = "3.2.0",
        .complexity = GEO_RADIUS_COMPLEXITY,
        .arguments = "key member radius" GEO_UNIT GEO_WITH GEO_COUNT " [ASC | DESC]" GEO_STORE,
        .key_flags = "RO access",
        .history = "7.0.0 Added support for uppercase unit names.",
    },
    {
        .name = "georadiusbymember_ro",
        COMMAND_NUMBERED(GEORADIUSBYMEMBER_RO),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = georadiusbymember_ro_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "A read-only variant for GEORADIUSBYMEMBER",
        .since = "3.2.10",
        .complexity = GEO_RADIUS_COMPLEXITY,
        .arguments = "key member radius" GEO_UNIT GEO_WITH GEO_COUNT " [ASC | DESC]",
        .key_flags = "RO access",
    },
    {
        .name = "geosearch",
        COMMAND_NUMBERED(GEOSEARCH),
        .kind = COMMAND_DATA,
        .arity = -7,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = geosearch_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
        .since = "6.2.0",
        .complexity = GEO_SEARCH_COMPLEXITY,
        .arguments = "key" GEO_FROM GEO_BY " [ASC | DESC]" GEO_COUNT GEO_WITH,
        .key_flags = "RO access",
        .history = "7.0.0 Added support for uppercase unit names.",
    },
    {
        .name = "geosearchstore",
        COMMAND_NUMBERED(GEOSEARCHSTORE),
        .kind = COMMAND_DATA,
        .arity = -8,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 2, 1},
        .run = geosearchstore_run,
        .group = "geo",
        .acl_categories = "@write @geo @slow",
        .summary = "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, "
                   "and store the result in another key.",
        .since = "6.2.0",
        .complexity = GEO_SEARCH_COMPLEXITY,
        .arguments = "destination source" GEO_FROM GEO_BY " [ASC | DESC]" GEO_COUNT " [STOREDIST]",
        .key_flags = "OW update;RO access",
        .history = "7.0.0 Added support for uppercase unit names.",
    },
};

const struct command_family commands_geo_search = {geo_search_row, sizeof geo_search_row / sizeof geo_search_row[0]};
