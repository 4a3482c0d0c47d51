#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* JSON texts (RFC 8259), read where they lie: nothing is copied, a value is a slice of its text.
 *
 * It is ours, in base/, and not an optional library's, because replicas compare JSON at apply (JSONCAS): what is JSON and what
 * is equal must be the same on every node, whatever each was built with. Strict: UTF-8, no lone surrogates, no more than
 * JSON_DEPTH_MAX levels, exponents of at most JSON_EXPONENT_DIGITS digits. Where a name stands twice in an object the last
 * one counts, as in Python, JavaScript and jansson. */
#define JSON_DEPTH_MAX 64
#define JSON_EXPONENT_DIGITS 9

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INTEGER, /* neither fraction nor exponent */
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* Is `text` one whole value, blanks around it allowed? Then *value is that value without them. O(n). */
bool json_check(struct slice text, struct slice *value);

/* The following take values of a text that json_check accepted, or parts that they returned. */
enum json_type json_type_of(struct slice value);

/* for (struct json_cursor at = json_begin(value); json_next(&at, &name, &item);) ...
 * Elements of an array, or members of an object; `name` is a string value (with its quotes), empty in an array. */
struct json_cursor {
    struct slice rest;
    bool is_object;
};
struct json_cursor json_begin(struct slice value);
bool json_next(struct json_cursor *c, struct slice *name, struct slice *item);
/* The member of that name (without escapes in it); false: there is none, or it is no object. */
bool json_member(struct slice object, const char *name, struct slice *item);
/* Elements or members. O(n). */
size_t json_count(struct slice value);
/* Appends the bytes that a string value stands for. */
void json_unescape(struct slice string, struct buf *out);

/* Appends `value` in a form that is the same for all texts of equal values: names sorted, no blanks, one way to write a
 * string or a number. Integers and reals never equal each other; two reals do if they are the same decimal number
 * (1.0 and 10e-1); -0 is 0. O(n log n). */
void json_append_canonical(struct slice value, struct buf *out);
bool json_equal(struct slice a, struct slice b);

/* --- writing --- */

/* Appends `bytes` as a string with its quotes; what is no UTF-8 becomes U+FFFD. */
void json_append_string(struct buf *out, struct slice bytes);
void json_append_cstr(struct buf *out, const char *text);
bool utf8_is_valid(struct slice s);
/* Length of the character at the front, 0: not UTF-8. */
size_t utf8_length(struct slice s);

#endif
