#include <math.h>

#include "base/prng.h"
#include "commands/geo.h"
#include "tests/test.h"

static const struct geo_point palermo = {13.361389, 38.115556};
static const struct geo_point catania = {15.087269, 37.502669};

/* As Redis's documentation has them. */
TEST(the_places_of_the_documentation)
{
    char text[GEO_HASH_TEXT];
    CHECK(geo_score(palermo) == 3479099956230698);
    CHECK(geo_score(catania) == 3479447370796909);
    double distance = geo_distance(geo_point_of(3479099956230698), geo_point_of(3479447370796909));
    CHECK(fabs(distance - 166274.1516) < 0.0001);
    geo_hash_text(geo_point_of(3479099956230698), text);
    CHECK_EQ_STR(text, "sqc8b49rny0");
    geo_hash_text(geo_point_of(3479447370796909), text);
    CHECK_EQ_STR(text, "sqdtr74hyu0");
}

/* Scores that no GEOADD makes are places as well, on the map. */
TEST(any_score_is_a_valid_place)
{
    static const double score[] = {0, -1, -0.5, 0.5, 4503599627370495, 4503599627370496, 1e18, 9223372036854775807.0, 1e19, 1e300, -1e300, (double)INFINITY, (double)-INFINITY};
    for (size_t i = 0; i < sizeof score / sizeof score[0]; i++) {
        CHECK(geo_point_is_valid(geo_point_of(score[i])));
        CHECK(!isnan(geo_distance(geo_point_of(score[i]), palermo)));
    }
    CHECK(!geo_point_is_valid((struct geo_point){180.1, 0}));
    CHECK(!geo_point_is_valid((struct geo_point){0, -85.06}));
    CHECK(!geo_point_is_valid((struct geo_point){(double)NAN, 0}));
    CHECK(geo_point_is_valid((struct geo_point){-180, 85.05112878}));
    CHECK(!isnan(geo_distance((struct geo_point){-90, 40}, (struct geo_point){90, -40}))); /* opposite */
}

static double between(struct prng *random, double max)
{
    return ((double)prng_below(random, 2000001) / 1000000 - 1) * max;
}

/* No range overlaps another: a point is found once. And near the centre of the map none is missed. */
TEST(ranges_hold_the_shape_and_do_not_overlap)
{
    struct prng random;
    prng_seed(&random, 17);
    for (size_t step = 0; step < 3000; step++) {
        struct geo_range range[GEO_RANGES_MAX];
        double size = (double)(1 + prng_below(&random, prng_below(&random, 2) ? 1000 : 4000000));
        struct geo_shape shape = {.center = {between(&random, 100), between(&random, 50)},
                                  .is_box = prng_below(&random, 2) == 1,
                                  .radius = size,
                                  .width = size,
                                  .height = size * 2,
                                  .unit = 1};
        size_t count = geo_shape_ranges(&shape, range);
        REQUIRE(count >= 1 && count <= GEO_RANGES_MAX);
        for (size_t i = 0; i < count; i++) {
            CHECK(range[i].min < range[i].max);
            for (size_t k = 0; k < i; k++) {
                CHECK(range[i].min >= range[k].max || range[i].max <= range[k].min);
            }
        }
        for (size_t i = 0; i < 20; i++) {
            double degrees = size / 111000 * 1.2;
            struct geo_point point = geo_point_of(geo_score((struct geo_point){
                shape.center.longitude + between(&random, degrees < 70 ? degrees : 70),
                shape.center.latitude + between(&random, degrees < 30 ? degrees : 30)}));
            double distance;
            double score = geo_score(point);
            size_t in = 0;
            for (size_t k = 0; k < count; k++) {
                in += score >= range[k].min && score < range[k].max;
            }
            CHECK(in <= 1);
            CHECK(in == 1 || !geo_shape_has(&shape, point, &distance));
        }
    }
}

TEST_MAIN()
