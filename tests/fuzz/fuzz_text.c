/* The text grammar's lines and escapes, whatever the bytes. The first byte says where to cut.
 *
 * Checked: fed whole and in two pieces the parser says the same; what reply_text_escape prints is
 * one line of valid characters, and read as a word in quotes it gives back the bytes. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "resp/reply.h"
#include "resp/text.h"
#include "resp/text_parser.h"
#include "tests/fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_escape(struct slice value)
{
    struct buf shown = {0};
    reply_text_escape(&shown, value);
    struct slice s = buf_slice(&shown);
    for (size_t i = 0; i < s.n; i++) {
        ASSERT(s.p[i] >= 0x20 && s.p[i] != 0x7F);
    }
    if (s.n > 0 && s.p[0] == '"') {
        struct word_list words;
        word_list_init(&words);
        ASSERT(word_list_split(&words, s));
        ASSERT(words.count == 1 && slice_equal(words.word[0], value));
        word_list_deinit(&words);
    } else {
        ASSERT(slice_equal(s, value));
    }
    buf_deinit(&shown);
}

/* Returns how many bytes were consumed; logs each line. */
static size_t read_lines(struct text_parser *p, struct slice shown, struct buf *log)
{
    uint8_t *copy = mem_alloc(shown.n > 0 ? shown.n : 1);
    if (shown.n > 0) {
        memcpy(copy, shown.p, shown.n);
    }
    size_t begin = 0;
    for (;;) {
        struct slice input = {copy + begin, shown.n - begin};
        struct command command = {0};
        size_t consumed = 0;
        enum text_result result = text_parser_next(p, input, &command, &consumed);
        ASSERT(consumed <= input.n);
        ASSERT((consumed > 0) == (result != TEXT_NEED_MORE && result != TEXT_TOO_LONG));
        ASSERT((result == TEXT_OK) <= (command.arg_count > 0));
        if (consumed == 0) {
            break;
        }
        begin += consumed;
        buf_printf(log, "%d %zu\n", (int)result, command.arg_count);
        for (size_t i = 0; i < command.arg_count; i++) {
            buf_printf(log, "%zu:", command.arg[i].n);
            buf_append_slice(log, command.arg[i]);
            check_escape(command.arg[i]);
        }
    }
    mem_free(copy);
    return begin;
}

static void read_in_two(struct slice input, size_t cut, struct buf *log)
{
    struct text_parser p;
    text_parser_init(&p);
    size_t begin = read_lines(&p, (struct slice){input.p, cut}, log);
    begin += read_lines(&p, slice_skip(input, begin), log);
    buf_printf(log, "left %zu", input.n - begin);
    text_parser_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct slice input = {data + 1, size - 1};
    arena_begin();
    struct buf whole = {0};
    struct buf two = {0};
    read_in_two(input, input.n, &whole);
    read_in_two(input, data[0] % (input.n + 1), &two);
    ASSERT(slice_equal(buf_slice(&whole), buf_slice(&two)));
    check_escape(input);
    struct buf line = {0};
    text_append_error(&line, input);
    ASSERT(!line.data || !memchr(line.data + line.start, '\n', buf_size(&line)));
    buf_deinit(&line);
    buf_deinit(&whole);
    buf_deinit(&two);
    arena_end();
    return 0;
}
