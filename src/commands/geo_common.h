#ifndef COMMANDS_GEO_COMMON_H
#define COMMANDS_GEO_COMMON_H

#include "commands/geo.h"
#include "commands/zset_common.h"

/* What the geo commands share. Functions that can refuse write the error, worded as Redis 7.0, and return false. */

/* Longitude and latitude, in a row; a valid point. */
bool geo_parse_point(const struct slice arg[2], struct geo_point *point, struct reply *reply);
/* M, KM, FT, MI: in metres. */
bool geo_parse_unit(struct slice argument, double *unit, struct reply *reply);
/* The point of a member. False, and nothing written: there is none. `z` may be NULL. */
bool geo_find(struct command_run *run, const struct value *z, struct slice member, struct geo_point *point);

void geo_reply_point(struct geo_point point, struct reply *reply);
/* With four digits behind the point. */
void geo_reply_distance(double distance, struct reply *reply);

#endif
