/* GEOADD GEODIST GEOHASH GEOPOS, as Redis 7.0.15 geo.c answers them: places are members of sorted sets (geo.h). */

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "commands/geo_common.h"
#include "commands/long_float.h"
#include "commands/numbers.h"

/* --- shared --- */

bool geo_parse_point(const struct slice arg[2], struct geo_point *point, struct reply *reply)
{
    if (!argument_double(arg[0], NULL, &point->longitude, reply) || !argument_double(arg[1], NULL, &point->latitude, reply)) {
        return false;
    }
    if (!geo_point_is_valid(*point)) {
        reply_errorf(reply, "ERR invalid longitude,latitude pair %f,%f", point->longitude, point->latitude);
        return false;
    }
    return true;
}

bool geo_parse_unit(struct slice argument, double *unit, struct reply *reply)
{
    static const struct {
        const char *name;
        double metres;
    } known[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (argument_is(argument, known[i].name)) {
            *unit = known[i].metres;
            return true;
        }
    }
    reply_error(reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

bool geo_find(struct command_run *run, const struct value *z, struct slice member, struct geo_point *point)
{
    struct zset_rules rules = zset_rules_of(run);
    double score;
    if (!z || !zset_find(z, &rules, member, &score)) {
        return false;
    }
    *point = geo_point_of(score);
    return true;
}

static void reply_coordinate(double value, struct reply *reply)
{
    char text[LONG_FLOAT_TEXT_MAX];
    text[long_float_format((long double)value, text)] = '\0';
    reply_double_text(reply, text);
}

void geo_reply_point(struct geo_point point, struct reply *reply)
{
    reply_array(reply, 2);
    reply_coordinate(point.longitude, reply);
    reply_coordinate(point.latitude, reply);
}

/* Rounded to whole ten thousandths, then written: printf would round the binary number. */
void geo_reply_distance(double distance, struct reply *reply)
{
    char text[48];
    double scaled = rint(distance * 10000);
    uint64_t whole = scaled < 9e18 ? (uint64_t)scaled : (uint64_t)9e18; /* no place is so far away */
    (void)snprintf(text, sizeof text, "%llu.%04llu", (unsigned long long)(whole / 10000), (unsigned long long)(whole % 10000));
    reply_bulk_cstr(reply, text);
}

/* --- GEOADD --- */

/* The argument of the first longitude; false: the options make no sense. */
static bool geoadd_options(const struct command *command, size_t *first, struct reply *reply)
{
    bool nx = false;
    bool xx = false;
    for (*first = 2; *first < command->arg_count; ++*first) {
        struct slice option = command->arg[*first];
        if (argument_is(option, "nx")) {
            nx = true;
        } else if (argument_is(option, "xx")) {
            xx = true;
        } else if (!argument_is(option, "ch")) {
            break;
        }
    }
    size_t rest = command->arg_count - *first;
    if (rest == 0 || rest % 3 != 0 || (nx && xx)) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

static bool geoadd_check(const struct command *command, struct reply *reply)
{
    size_t first;
    struct geo_point point;
    if (!geoadd_options(command, &first, reply)) {
        return false;
    }
    for (size_t i = first; i < command->arg_count; i += 3) {
        if (!geo_parse_point(command->arg + i, &point, reply)) {
            return false;
        }
    }
    return true;
}

/* As ZADD with scores that the places make, its options as they are. */
static void geoadd_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    size_t first;
    struct geo_point point;
    if (!geoadd_check(command, reply) || !geoadd_options(command, &first, reply)) {
        return;
    }
    size_t places = (command->arg_count - first) / 3;
    struct slice *arg = mem_alloc_array(first + 2 * places, sizeof *arg);
    char (*score)[NUMBER_TEXT_MAX] = mem_alloc_array(places, sizeof *score);
    for (size_t i = 0; i < first; i++) {
        arg[i] = command->arg[i];
    }
    for (size_t i = 0; i < places && geo_parse_point(command->arg + first + 3 * i, &point, reply); i++) {
        size_t n = number_format_i64((int64_t)geo_score(point), score[i]);
        arg[first + 2 * i] = (struct slice){(const uint8_t *)score[i], n};
        arg[first + 2 * i + 1] = command->arg[first + 3 * i + 2];
    }
    zset_run_zadd(run, &(struct command){arg, first + 2 * places}, reply);
    mem_free(score);
    mem_free(arg);
}

/* --- reading --- */

static bool geodist_check(const struct command *command, struct reply *reply)
{
    double unit;
    if (command->arg_count > 5) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return command->arg_count < 5 || geo_parse_unit(command->arg[4], &unit, reply);
}

static void geodist_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    double unit = 1;
    const struct value *z;
    struct geo_point from;
    struct geo_point to;
    if (!geodist_check(command, reply) || (command->arg_count == 5 && !geo_parse_unit(command->arg[4], &unit, reply)) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    if (!geo_find(run, z, command->arg[2], &from) || !geo_find(run, z, command->arg[3], &to)) {
        reply_null(reply);
        return;
    }
    geo_reply_distance(geo_distance(from, to) / unit, reply);
}

static void geohash_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    struct geo_point point;
    char text[GEO_HASH_TEXT];
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        if (geo_find(run, z, command->arg[i], &point)) {
            geo_hash_text(point, text);
            reply_bulk_cstr(reply, text);
        } else {
            reply_null(reply);
        }
    }
}

static void geopos_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    struct geo_point point;
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        if (geo_find(run, z, command->arg[i], &point)) {
            geo_reply_point(point, reply);
        } else {
            reply_null_array(reply);
        }
    }
}

/* --- the rows --- */

static const struct command_row geo_row[] = {
    {
        .name = "geoadd",
        COMMAND_NUMBERED(GEOADD),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = geoadd_check,
        .run = geoadd_run,
        .group = "geo",
        .acl_categories = "@write @geo @slow",
        .summary = "Add one or more geospatial items in the geospatial index represented using a sorted set",
        .since = "3.2.0",
        .complexity = "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        .arguments = "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
        .key_flags = "RW update",
        .history = "6.2.0 Added the `CH`, `NX` and `XX` options.",
    },
    {
        .name = "geodist",
        COMMAND_NUMBERED(GEODIST),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = geodist_check,
        .run = geodist_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "Returns the distance between two members of a geospatial index",
        .since = "3.2.0",
        .complexity = "O(log(N))",
        .arguments = "key member1 member2 [M | KM | FT | MI]",
        .key_flags = "RO access",
    },
    {
        .name = "geohash",
        COMMAND_NUMBERED(GEOHASH),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = geohash_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "Returns members of a geospatial index as standard geohash strings",
        .since = "3.2.0",
        .complexity = "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
        .arguments = "key member [member ...]",
        .key_flags = "RO access",
    },
    {
        .name = "geopos",
        COMMAND_NUMBERED(GEOPOS),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = geopos_run,
        .group = "geo",
        .acl_categories = "@read @geo @slow",
        .summary = "Returns longitude and latitude of members of a geospatial index",
        .since = "3.2.0",
        .complexity = "O(N) where N is the number of members requested.",
        .arguments = "key member [member ...]",
        .key_flags = "RO access",
    },
};

const struct command_family commands_geo = {geo_row, sizeof geo_row / sizeof geo_row[0]};
