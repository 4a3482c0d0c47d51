#ifndef COMMANDS_GEO_H
#define COMMANDS_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places on the earth, as members of sorted sets: the score is a geohash of 52 bits. Pure arithmetic; geo.c has the
 * picture, and what may depend on the machine. Degrees and metres throughout. */

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX 85.05112878 /* EPSG:900913 */

struct geo_point {
    double longitude;
    double latitude;
};
bool geo_point_is_valid(struct geo_point point);
/* The score of a valid point, an integer below 2^52. */
double geo_score(struct geo_point point);
/* The point that a score stands for. Any number but NaN: what no GEOADD made, too. */
struct geo_point geo_point_of(double score);
/* Along a great circle. */
double geo_distance(struct geo_point a, struct geo_point b);

/* The usual geohash, of 11 characters and a NUL. */
enum { GEO_HASH_TEXT = 12 };
void geo_hash_text(struct geo_point point, char text[GEO_HASH_TEXT]);

/* Where to search. */
struct geo_shape {
    struct geo_point center;
    bool is_box;
    double radius; /* of a circle */
    double width;  /* of a box */
    double height;
    double unit; /* metres in the unit of the three, and of the distances that are answered */
};
/* Whether the point is inside, and how far from the centre, in metres. */
bool geo_shape_has(const struct geo_shape *shape, struct geo_point point, double *distance);

/* Scores [min, max) that together hold every point of the shape, and more; in the order in which Redis looks at them. */
enum { GEO_RANGES_MAX = 9 };
struct geo_range {
    double min;
    double max;
};
size_t geo_shape_ranges(const struct geo_shape *shape, struct geo_range range[GEO_RANGES_MAX]);

#endif
