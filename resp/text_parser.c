#include "resp/text_parser.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"

void text_parser_init(struct text_parser *p)
{
    *p = (struct text_parser){0};
    word_list_init(&p->words);
}

void text_parser_deinit(struct text_parser *p)
{
    word_list_deinit(&p->words);
}

enum text_result text_parser_next(struct text_parser *p,
                                  struct slice input,
                                  struct command *command,
                                  size_t *consumed)
{
    *consumed = 0;
    *command = (struct command){NULL, 0};
    word_list_shrink(&p->words);

    /* A line's LF stands at LIMIT_INLINE_BYTES at most; looking no further makes the limit
     * independent of how much was read at once. */
    size_t window = input.n <= LIMIT_INLINE_BYTES ? input.n : (size_t)LIMIT_INLINE_BYTES + 1;
    ASSERT(p->scanned <= window);
    const uint8_t *lf = NULL;
    if (p->scanned < window) {
        lf = memchr(input.p + p->scanned, '\n', window - p->scanned);
    }
    if (!lf) {
        p->scanned = window;
        return window > LIMIT_INLINE_BYTES ? TEXT_TOO_LONG : TEXT_NEED_MORE;
    }
    p->scanned = 0;
    size_t end = (size_t)(lf - input.p);
    *consumed = end + 1;
    size_t size = end > 0 && input.p[end - 1] == '\r' ? end - 1 : end;
    bool is_balanced = word_list_split(&p->words, (struct slice){input.p, size});
    *command = (struct command){p->words.word, p->words.count};
    if (!is_balanced) {
        return TEXT_UNCLOSED_QUOTE;
    }
    return p->words.count > 0 ? TEXT_OK : TEXT_EMPTY;
}

size_t text_parser_memory(const struct text_parser *p)
{
    return word_list_memory(&p->words);
}
