/* Geohashes, as Redis 7.0.15 geohash.c and geohash_helper.c compute them: the same operations in the same order, so that
 * replies are the same to the last digit.
 *
 * The world is halved by turns along its two axes; each half is a bit of the hash, longitude first. `step` halvings of
 * each make a cell, one of 4^step:
 *
 *      step 1      01 | 11        step 2      0101 | 0111 | 1101 | 1111
 *                  ---+---                    -----+------+------+-----
 *                  00 | 10                    ...
 *
 * The cells of a prefix are a range of hashes of 52 bits (step 26), which is why a search is a few ranges of scores: the
 * cell of the centre and its eight neighbours, at the step at which they cover the shape.
 *
 * G1  A score depends on + - * / alone, which IEEE 754 determines: the same on every machine (no -ffast-math, and nothing
 * contracted: -std=c11 sees to it with gcc, the pragma with clang).
 *
 * G2  Distances are libm's sin, cos and asin, whose last bit may differ between versions of the library and, by its choice
 * of instructions, between processors. A *STORE command keeps them (STOREDIST), or chooses by them at the very edge of a
 * shape. Nodes of one cluster must therefore run the same program with the same libm on processors of one kind, as for
 * INCRBYFLOAT (commands/long_float.h).
 *
 * DEVIATION: rounding can make the argument of asin more than 1 for points that are opposite to each other; Redis answers
 * nonsense then (NaN), here it is 1. */

#include "commands/geo.h"

#include <math.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define GEO_PI 3.14159265358979323846
#define GEO_RADIAN (GEO_PI / 180.0)
#define GEO_EARTH_RADIUS 6372797.560856
#define GEO_MERCATOR_MAX 20037726.37
#define GEO_TWO_63 9223372036854775808.0

enum { GEO_STEP_MAX = 26, GEO_SCORE_BITS = 52 };

struct geo_cell {
    uint64_t bits;
    unsigned step;
};

struct geo_area {
    struct geo_point min;
    struct geo_point max;
};

/* --- cells --- */

/* The lower 32 bits to the even places. */
static uint64_t spread(uint32_t half)
{
    uint64_t x = half;
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = (x | x << 2) & UINT64_C(0x3333333333333333);
    return (x | x << 1) & UINT64_C(0x5555555555555555);
}

static uint32_t gather(uint64_t x)
{
    x &= UINT64_C(0x5555555555555555);
    x = (x | x >> 1) & UINT64_C(0x3333333333333333);
    x = (x | x >> 2) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x = (x | x >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(x | x >> 16);
}

/* In a world that reaches to `latitude_max`; the point is within. */
static struct geo_cell cell_of(struct geo_point point, double latitude_max, unsigned step)
{
    double latitude = (point.latitude + latitude_max) / (latitude_max + latitude_max);
    double longitude = (point.longitude + GEO_LONGITUDE_MAX) / (GEO_LONGITUDE_MAX + GEO_LONGITUDE_MAX);
    double cells = (double)(UINT64_C(1) << step);
    return (struct geo_cell){spread((uint32_t)(latitude * cells)) | spread((uint32_t)(longitude * cells)) << 1, step};
}

static struct geo_area area_of(struct geo_cell cell)
{
    double cells = (double)(UINT64_C(1) << cell.step);
    double height = GEO_LATITUDE_MAX + GEO_LATITUDE_MAX;
    double width = GEO_LONGITUDE_MAX + GEO_LONGITUDE_MAX;
    uint32_t latitude = gather(cell.bits);
    uint32_t longitude = gather(cell.bits >> 1);
    return (struct geo_area){
        .min = {-GEO_LONGITUDE_MAX + longitude / cells * width, -GEO_LATITUDE_MAX + latitude / cells * height},
        .max = {-GEO_LONGITUDE_MAX + (longitude + 1) / cells * width, -GEO_LATITUDE_MAX + (latitude + 1) / cells * height},
    };
}

/* The cell beside it: `east` and `north` are -1, 0 or 1. Around the world, in both directions. */
static struct geo_cell neighbour_of(struct geo_cell cell, int east, int north)
{
    unsigned unused = 64 - cell.step * 2;
    uint64_t even = UINT64_C(0x5555555555555555) >> unused;
    uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa) >> unused;
    uint64_t x = cell.bits & UINT64_C(0xaaaaaaaaaaaaaaaa);
    uint64_t y = cell.bits & UINT64_C(0x5555555555555555);
    if (east != 0) { /* the bits between those of x carry */
        x = (east > 0 ? x + (even + 1) : (x | even) - (even + 1)) & odd;
    }
    if (north != 0) {
        y = (north > 0 ? y + (odd + 1) : (y | odd) - (odd + 1)) & even;
    }
    return (struct geo_cell){x | y, cell.step};
}

/* --- points --- */

bool geo_point_is_valid(struct geo_point point)
{
    return point.longitude >= -GEO_LONGITUDE_MAX && point.longitude <= GEO_LONGITUDE_MAX &&
           point.latitude >= -GEO_LATITUDE_MAX && point.latitude <= GEO_LATITUDE_MAX;
}

double geo_score(struct geo_point point)
{
    return (double)cell_of(point, GEO_LATITUDE_MAX, GEO_STEP_MAX).bits;
}

/* As a cast does on x86-64, where C leaves it open. */
static uint64_t bits_of_score(double score)
{
    if (score < -GEO_TWO_63) {
        return UINT64_C(1) << 63;
    }
    if (score < GEO_TWO_63) {
        return (uint64_t)(int64_t)score;
    }
    return score < 2 * GEO_TWO_63 ? (uint64_t)score : 0;
}

static double within(double value, double max)
{
    return value > max ? max : value < -max ? -max : value;
}

struct geo_point geo_point_of(double score)
{
    struct geo_area area = area_of((struct geo_cell){bits_of_score(score), GEO_STEP_MAX});
    return (struct geo_point){
        within((area.min.longitude + area.max.longitude) / 2, GEO_LONGITUDE_MAX),
        within((area.min.latitude + area.max.latitude) / 2, GEO_LATITUDE_MAX),
    };
}

static double distance_of_latitudes(double a, double b)
{
    return GEO_EARTH_RADIUS * fabs(b * GEO_RADIAN - a * GEO_RADIAN);
}

/* The haversine formula. */
double geo_distance(struct geo_point a, struct geo_point b)
{
    double v = sin((b.longitude * GEO_RADIAN - a.longitude * GEO_RADIAN) / 2);
    if (v == 0.0) {
        return distance_of_latitudes(a.latitude, b.latitude);
    }
    double from = a.latitude * GEO_RADIAN;
    double to = b.latitude * GEO_RADIAN;
    double u = sin((to - from) / 2);
    double chord = u * u + cos(from) * cos(to) * v * v;
    return 2.0 * GEO_EARTH_RADIUS * asin(sqrt(chord > 1 ? 1 : chord));
}

/* Ours reach to 85 degrees of latitude, the usual ones to 90. */
void geo_hash_text(struct geo_point point, char text[GEO_HASH_TEXT])
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = cell_of(point, 90, GEO_STEP_MAX).bits;
    for (unsigned i = 0; i < GEO_HASH_TEXT - 2; i++) {
        text[i] = alphabet[bits >> (GEO_SCORE_BITS - (i + 1) * 5) & 31];
    }
    text[GEO_HASH_TEXT - 2] = alphabet[0]; /* there are 52 bits, not 55 */
    text[GEO_HASH_TEXT - 1] = '\0';
}

/* --- shapes --- */

bool geo_shape_has(const struct geo_shape *shape, struct geo_point point, double *distance)
{
    struct geo_point center = shape->center;
    if (!shape->is_box) {
        *distance = geo_distance(center, point);
        return !(*distance > shape->radius * shape->unit);
    }
    if (distance_of_latitudes(point.latitude, center.latitude) > shape->height * shape->unit / 2 ||
        geo_distance(point, (struct geo_point){center.longitude, point.latitude}) > shape->width * shape->unit / 2) {
        return false;
    }
    *distance = geo_distance(center, point);
    return true;
}

/* Degrees that surely hold it. Its sides are bent: the one that is nearer to a pole is longer. */
static struct geo_area bounds_of(const struct geo_shape *shape)
{
    struct geo_point center = shape->center;
    double height = shape->unit * (shape->is_box ? shape->height / 2 : shape->radius);
    double width = shape->unit * (shape->is_box ? shape->width / 2 : shape->radius);
    double latitude = height / GEO_EARTH_RADIUS / GEO_RADIAN;
    double edge = center.latitude < 0 ? center.latitude - latitude : center.latitude + latitude;
    double longitude = width / GEO_EARTH_RADIUS / cos(edge * GEO_RADIAN) / GEO_RADIAN;
    return (struct geo_area){
        .min = {center.longitude - longitude, center.latitude - latitude},
        .max = {center.longitude + longitude, center.latitude + latitude},
    };
}

/* The step at which nine cells cover a circle of this radius in most cases. */
static unsigned step_for(double radius, double latitude)
{
    int step = 1;
    if (radius == 0) {
        return GEO_STEP_MAX;
    }
    for (; radius < GEO_MERCATOR_MAX; radius *= 2) {
        step++;
    }
    step -= 2;
    double from_equator = fabs(latitude); /* meridians are close to each other near the poles */
    step -= from_equator > 80 ? 2 : from_equator > 66 ? 1 : 0;
    return step < 1 ? 1 : step > GEO_STEP_MAX ? GEO_STEP_MAX : (unsigned)step;
}

/* Whether the neighbours do not reach as far as the shape does. */
static bool is_too_fine(struct geo_cell cell, const struct geo_area *bounds)
{
    return area_of(neighbour_of(cell, 0, 1)).max.latitude < bounds->max.latitude ||
           area_of(neighbour_of(cell, 0, -1)).min.latitude > bounds->min.latitude ||
           area_of(neighbour_of(cell, 1, 0)).max.longitude < bounds->max.longitude ||
           area_of(neighbour_of(cell, -1, 0)).min.longitude > bounds->min.longitude;
}

/* Whether the shape does not reach into the neighbour on this side, since it ends within the cell itself. */
static bool is_useless(const struct geo_area *cell, const struct geo_area *bounds, int east, int north)
{
    return (north < 0 && cell->min.latitude < bounds->min.latitude) || (north > 0 && cell->max.latitude > bounds->max.latitude) ||
           (east < 0 && cell->min.longitude < bounds->min.longitude) || (east > 0 && cell->max.longitude > bounds->max.longitude);
}

static struct geo_range range_of(struct geo_cell cell)
{
    unsigned shift = GEO_SCORE_BITS - cell.step * 2;
    return (struct geo_range){(double)(cell.bits << shift), (double)((cell.bits + 1) << shift)};
}

size_t geo_shape_ranges(const struct geo_shape *shape, struct geo_range range[GEO_RANGES_MAX])
{
    static const struct {
        int east;
        int north;
    } side[GEO_RANGES_MAX] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct geo_area bounds = bounds_of(shape);
    double radius = shape->is_box ? sqrt((shape->width / 2) * (shape->width / 2) + (shape->height / 2) * (shape->height / 2))
                                  : shape->radius;
    unsigned step = step_for(radius * shape->unit, shape->center.latitude);
    struct geo_cell cell = cell_of(shape->center, GEO_LATITUDE_MAX, step);
    if (step > 1 && is_too_fine(cell, &bounds)) {
        step--;
        cell = cell_of(shape->center, GEO_LATITUDE_MAX, step);
    }
    struct geo_area area = area_of(cell);
    size_t count = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < GEO_RANGES_MAX; i++) {
        struct geo_cell neighbour = neighbour_of(cell, side[i].east, side[i].north);
        if (step >= 2 && is_useless(&area, &bounds, side[i].east, side[i].north)) {
            continue;
        }
        if (i > 0 && count > 1 && neighbour.bits == last) { /* around a small world they meet */
            continue;
        }
        range[count++] = range_of(neighbour);
        last = neighbour.bits;
    }
    return count;
}
