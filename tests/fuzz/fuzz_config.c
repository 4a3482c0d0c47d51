#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "node/options.h"
#include "tests/fuzz/arena.h"

/* A configuration file, or a command line, whatever is in it. The first byte says which: even: the rest is a file; odd: the rest are
 * arguments, each ended by a NUL.
 *
 * Checked: a refusal says why; a file that was taken, written anew with the values it gave (CONFIG REWRITE) is taken again and gives the
 * same values; writing it once more changes nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGUMENTS_MAX 64

static void compare(const struct options *a, const struct options *b)
{
    struct buf one = {0};
    struct buf other = {0};

    for (size_t i = 0; i < options_count(); i++) {
        buf_truncate(&one, 0);
        buf_truncate(&other, 0);
        options_format(a, options_at(i), &one);
        options_format(b, options_at(i), &other);
        ASSERT(slice_equal(buf_slice(&one), buf_slice(&other)));
    }
    buf_deinit(&one);
    buf_deinit(&other);
}

static void fuzz_file(struct slice text)
{
    struct options read;
    struct options again;
    struct buf why = {0};
    struct buf written = {0};
    struct buf twice = {0};

    options_init(&read);
    options_init(&again);
    if (options_parse_text(&read, text, "file", &why) == ERR_OK) {
        ASSERT(buf_size(&why) == 0);
        enum err checked = options_check(&read, &why);
        ASSERT((checked == ERR_OK) == (buf_size(&why) == 0));
        options_rewrite(&read, text, &written);
        enum err error = options_parse_text(&again, buf_slice(&written), "written", &why);
        ASSERT(error == ERR_OK);
        compare(&read, &again);
        options_rewrite(&again, buf_slice(&written), &twice);
        ASSERT(slice_equal(buf_slice(&written), buf_slice(&twice)));
    } else {
        ASSERT(buf_size(&why) > 0);
    }
    options_deinit(&read);
    options_deinit(&again);
    buf_deinit(&why);
    buf_deinit(&written);
    buf_deinit(&twice);
}

static void fuzz_arguments(struct slice rest)
{
    static char program[] = "coracle";
    struct buf text = {0};
    char *argument[ARGUMENTS_MAX + 1] = {program};
    int count = 1;
    struct options_command_line line;
    struct options read;
    struct buf why = {0};

    buf_append_slice(&text, rest);
    buf_append_byte(&text, 0);
    for (size_t at = 0; at < rest.n && count < ARGUMENTS_MAX;) {
        argument[count] = (char *)text.data + text.start + at;
        at += strlen(argument[count++]) + 1;
    }
    options_init(&read);
    enum err error = options_scan_arguments(count, argument, &line, &why);
    if (error == ERR_OK && line.action == OPTIONS_RUN) {
        error = options_parse_flags(&read, count, argument, line.first_flag, &why);
    }
    if (error == ERR_OK) {
        error = options_check(&read, &why);
    }
    ASSERT((error == ERR_OK) == (buf_size(&why) == 0));
    options_deinit(&read);
    buf_deinit(&text);
    buf_deinit(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_begin();
    if (size > 0) {
        struct slice rest = {data + 1, size - 1};
        if (data[0] & 1) {
            fuzz_arguments(rest);
        } else {
            fuzz_file(rest);
        }
    }
    arena_end();
    return 0;
}
