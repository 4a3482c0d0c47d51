#include "resp/words.h"

#include <string.h>

#include "base/mem.h"

/* What is kept between lines; more is given back by word_list_shrink. */
#define WORD_LIST_KEEP_WORDS 256u
#define WORD_LIST_KEEP_SCRATCH 4096u

bool word_is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Redis ends a bare word at fewer bytes than it skips between words: not at \v and \f. */
static bool word_ends_at(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static int word_hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

static uint8_t word_escape(uint8_t byte)
{
    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return byte;
    }
}

/* Unescape what follows a backslash in double quotes: *at stands on the backslash, one byte at
 * least follows it. Returns the byte meant and moves *at behind the escape. */
static uint8_t word_read_escape(struct slice s, size_t *at)
{
    size_t i = *at;
    if (s.n - i >= 4 && s.p[i + 1] == 'x') {
        int high = word_hex_digit(s.p[i + 2]);
        int low = word_hex_digit(s.p[i + 3]);
        if (high >= 0 && low >= 0) {
            *at = i + 4;
            return (uint8_t)(high * 16 + low);
        }
    }
    *at = i + 2;
    return word_escape(s.p[i + 1]);
}

/* Read a quoted part whose opening quote stands at s.p[*at]; moves *at behind the closing one.
 * Returns false when it is not closed, or closed in the middle of a word. */
static bool word_read_quoted(struct slice s, size_t *at, uint8_t *out, size_t *out_n)
{
    uint8_t quote = s.p[*at];
    size_t i = *at + 1;
    while (i < s.n) {
        bool has_next = i + 1 < s.n;
        if (s.p[i] == quote) {
            *at = i + 1;
            return !has_next || word_is_blank(s.p[i + 1]);
        }
        if (s.p[i] == '\\' && has_next && quote == '"') {
            out[(*out_n)++] = word_read_escape(s, &i);
        } else if (s.p[i] == '\\' && has_next && s.p[i + 1] == '\'') {
            out[(*out_n)++] = '\'';
            i += 2;
        } else {
            out[(*out_n)++] = s.p[i++];
        }
    }
    return false;
}

enum word_result word_next(struct slice *rest, uint8_t *scratch, struct slice *word)
{
    struct slice s = *rest;
    size_t start = 0;
    while (start < s.n && word_is_blank(s.p[start])) {
        start++;
    }
    if (start == s.n) {
        *rest = slice_skip(s, s.n);
        return WORD_END;
    }
    size_t i = start;
    while (i < s.n && !word_ends_at(s.p[i]) && s.p[i] != '"' && s.p[i] != '\'') {
        i++;
    }
    if (i == s.n || word_ends_at(s.p[i])) {
        *word = (struct slice){s.p + start, i - start};
        *rest = slice_skip(s, i);
        return WORD_FOUND;
    }
    /* The closing quote ends the word: its bare part is what stands before the opening one. */
    size_t n = i - start;
    if (n > 0) {
        memcpy(scratch, s.p + start, n);
    }
    if (!word_read_quoted(s, &i, scratch, &n)) {
        return WORD_UNBALANCED;
    }
    *word = (struct slice){scratch, n};
    *rest = slice_skip(s, i);
    return WORD_FOUND;
}

void word_list_init(struct word_list *w)
{
    *w = (struct word_list){0};
}

void word_list_deinit(struct word_list *w)
{
    mem_free(w->word);
    mem_free(w->scratch);
    word_list_init(w);
}

static void word_list_push(struct word_list *w, struct slice word)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 8;
        w->word = mem_realloc_array(w->word, capacity, sizeof *w->word);
        w->capacity = capacity;
    }
    w->word[w->count++] = word;
}

bool word_list_split(struct word_list *w, struct slice line)
{
    w->count = 0;
    if (line.n == 0) {
        return true;
    }
    bool has_quotes = memchr(line.p, '"', line.n) || memchr(line.p, '\'', line.n);
    if (has_quotes && w->scratch_capacity < line.n) {
        mem_free(w->scratch); /* Nothing in it is needed: don't copy it. */
        w->scratch = mem_alloc(line.n);
        w->scratch_capacity = line.n;
    }
    uint8_t *scratch = w->scratch;
    struct slice word = {0};
    for (;;) {
        switch (word_next(&line, scratch, &word)) {
        case WORD_FOUND:
            word_list_push(w, word);
            if (word.p == scratch) {
                scratch += word.n;
            }
            break;
        case WORD_END:
            return true;
        case WORD_UNBALANCED:
            return false;
        }
    }
}

size_t word_list_memory(const struct word_list *w)
{
    return w->capacity * sizeof *w->word + w->scratch_capacity;
}

void word_list_shrink(struct word_list *w)
{
    w->count = 0;
    if (w->capacity > WORD_LIST_KEEP_WORDS) {
        mem_free(w->word);
        w->word = NULL;
        w->capacity = 0;
    }
    if (w->scratch_capacity > WORD_LIST_KEEP_SCRATCH) {
        mem_free(w->scratch);
        w->scratch = NULL;
        w->scratch_capacity = 0;
    }
}
