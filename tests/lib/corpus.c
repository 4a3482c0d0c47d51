#include "tests/lib/corpus.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define CORPUS_REPEAT_MAX (16u * 1024u * 1024u)

struct corpus_reader {
    struct corpus *corpus;
    int line;
    const char *problem; /* NULL while all is well */
};

static int corpus_hex(uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *hit = byte ? strchr(digits, byte | 0x20) : NULL;
    return hit ? (int)(hit - digits) : -1;
}

/* "\{N*c}" behind the backslash: returns its length, 0 if it is none. */
static size_t corpus_read_repeat(struct slice s, struct buf *out)
{
    size_t i = 1;
    size_t n = 0;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n <= CORPUS_REPEAT_MAX) {
        n = n * 10 + (size_t)(s.p[i++] - '0');
    }
    bool is_whole =
        i > 1 && n <= CORPUS_REPEAT_MAX && i + 3 <= s.n && s.p[i] == '*' && s.p[i + 2] == '}';
    if (!is_whole) {
        return 0;
    }
    memset(buf_reserve(out, n), s.p[i + 1], n);
    buf_commit(out, n);
    return i + 3;
}

/* What follows a backslash: returns its length, 0 if it is no escape. */
static size_t corpus_read_escape(struct slice s, struct buf *out)
{
    if (s.n == 0) {
        return 0;
    }
    switch (s.p[0]) {
    case 'r':
        buf_append_byte(out, '\r');
        return 1;
    case 'n':
        buf_append_byte(out, '\n');
        return 1;
    case '\\':
        buf_append_byte(out, '\\');
        return 1;
    case 'x': {
        int high = s.n >= 3 ? corpus_hex(s.p[1]) : -1;
        int low = s.n >= 3 ? corpus_hex(s.p[2]) : -1;
        if (high < 0 || low < 0) {
            return 0;
        }
        buf_append_byte(out, (uint8_t)(high * 16 + low));
        return 3;
    }
    case '{':
        return corpus_read_repeat(s, out);
    default:
        return 0;
    }
}

static void corpus_unescape(struct corpus_reader *r, struct slice s, struct buf *out)
{
    while (s.n > 0) {
        if (s.p[0] != '\\') {
            buf_append_byte(out, s.p[0]);
            s = slice_skip(s, 1);
            continue;
        }
        s = slice_skip(s, 1);
        size_t n = corpus_read_escape(s, out);
        if (n == 0) {
            r->problem = "a bad escape";
            return;
        }
        s = slice_skip(s, n);
    }
}

static struct corpus_case *corpus_last(struct corpus_reader *r)
{
    return r->corpus->count > 0 ? &r->corpus->item[r->corpus->count - 1] : NULL;
}

static void corpus_add_case(struct corpus_reader *r, struct slice name)
{
    static const char suffix[] = "!norm";
    size_t n = sizeof suffix - 1;
    bool is_normalised = name.n > n && memcmp(name.p + name.n - n, suffix, n) == 0;
    struct corpus *c = r->corpus;
    c->item = mem_realloc_array(c->item, c->count + 1, sizeof *c->item);
    c->item[c->count++] = (struct corpus_case){
        .name = mem_copy_string(name.p, is_normalised ? name.n - n : name.n),
        .line = r->line,
        .is_normalised = is_normalised,
    };
}

static void corpus_add_step(struct corpus_reader *r, struct corpus_case *item, struct slice bytes)
{
    item->step = mem_realloc_array(item->step, item->step_count + 1, sizeof *item->step);
    struct corpus_step *step = &item->step[item->step_count++];
    *step = (struct corpus_step){0};
    corpus_unescape(r, bytes, &step->sent);
}

/* '>', '<' and '=' in their order; `has_answer`, `has_end`: what the current case has already. */
static void
corpus_read_line(struct corpus_reader *r, struct slice line, bool *has_answer, bool *has_end)
{
    struct corpus_case *item = corpus_last(r);
    struct slice rest = slice_skip(line, line.n > 1 ? 2 : 1);
    bool is_marked = line.n == 1 || line.p[1] == ' ';
    if (!is_marked || !item || *has_end) {
        r->problem = "a line outside of a case";
    } else if (line.p[0] == '>' && (item->step_count == 0 || *has_answer)) {
        corpus_add_step(r, item, rest);
        *has_answer = false;
    } else if (line.p[0] == '<' && item->step_count > 0 && !*has_answer) {
        corpus_unescape(r, rest, &item->step[item->step_count - 1].expected);
        *has_answer = true;
    } else if (line.p[0] == '=' && *has_answer) {
        item->is_closed = slice_equal(rest, SLICE_LITERAL("CLOSED"));
        if (!item->is_closed && !slice_equal(rest, SLICE_LITERAL("OPEN"))) {
            r->problem = "neither OPEN nor CLOSED";
        }
        *has_end = true;
    } else {
        r->problem = "a line out of order";
    }
}

static void corpus_read(struct corpus_reader *r, struct slice text)
{
    bool has_answer = false;
    bool has_end = true;
    bool is_head = true; /* The comment in front has '#' lines too; a blank line ends it. */
    while (text.n > 0 && !r->problem) {
        const uint8_t *lf = memchr(text.p, '\n', text.n);
        struct slice line = {text.p, lf ? (size_t)(lf - text.p) : text.n};
        text = slice_skip(text, line.n + (lf ? 1 : 0));
        r->line++;
        if (line.n == 0) {
            is_head = false;
        } else if (is_head && line.p[0] == '#') {
            continue;
        } else if (line.n > 2 && line.p[0] == '#' && line.p[1] == ' ') {
            if (!has_end) {
                r->problem = "a case without an end before";
            }
            corpus_add_case(r, slice_skip(line, 2));
            has_answer = false;
            has_end = false;
        } else {
            corpus_read_line(r, line, &has_answer, &has_end);
        }
    }
    if (!r->problem && !has_end) {
        r->problem = "the last case has no end";
    }
}

bool corpus_parse(struct corpus *c, struct slice text, char *error, size_t error_size)
{
    *c = (struct corpus){0};
    struct corpus_reader r = {.corpus = c};
    corpus_read(&r, text);
    if (r.problem) {
        (void)snprintf(error, error_size, "line %d: %s", r.line, r.problem);
        corpus_free(c);
        return false;
    }
    return true;
}

bool corpus_load(struct corpus *c, const char *path, char *error, size_t error_size)
{
    *c = (struct corpus){0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        (void)snprintf(error, error_size, "%s can't be opened", path);
        return false;
    }
    struct buf text = {0};
    size_t n = 0;
    do {
        n = fread(buf_reserve(&text, 65536), 1, 65536, file);
        buf_commit(&text, n);
    } while (n > 0);
    bool is_read = !ferror(file);
    (void)fclose(file);
    if (!is_read) {
        (void)snprintf(error, error_size, "%s can't be read", path);
    }
    bool ok = is_read && corpus_parse(c, buf_slice(&text), error, error_size);
    buf_deinit(&text);
    return ok;
}

void corpus_free(struct corpus *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t j = 0; j < c->item[i].step_count; j++) {
            buf_deinit(&c->item[i].step[j].sent);
            buf_deinit(&c->item[i].step[j].expected);
        }
        mem_free(c->item[i].step);
        mem_free(c->item[i].name);
    }
    mem_free(c->item);
    *c = (struct corpus){0};
}

bool corpus_case_is_in(const struct corpus_case *item, const char *section)
{
    size_t n = strlen(section);
    return strncmp(item->name, section, n) == 0 && item->name[n] == '/';
}

static bool corpus_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static void corpus_normalise(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!corpus_is_digit(s.p[i])) {
            buf_append_byte(out, s.p[i]);
        } else if (i == 0 || !corpus_is_digit(s.p[i - 1])) {
            buf_append_byte(out, '0');
        }
    }
}

bool corpus_step_matches(const struct corpus_case *item,
                         const struct corpus_step *step,
                         struct slice got)
{
    if (!item->is_normalised) {
        return slice_equal(buf_slice(&step->expected), got);
    }
    struct buf a = {0};
    struct buf b = {0};
    corpus_normalise(&a, buf_slice(&step->expected));
    corpus_normalise(&b, got);
    bool ok = slice_equal(buf_slice(&a), buf_slice(&b));
    buf_deinit(&a);
    buf_deinit(&b);
    return ok;
}

/* Runs this long are written \{N*c}. */
#define CORPUS_RUN_MIN 20u

void corpus_append_escaped(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n;) {
        uint8_t byte = bytes.p[i];
        size_t run = 1;
        while (i + run < bytes.n && bytes.p[i + run] == byte) {
            run++;
        }
        bool is_plain = byte >= 0x20 && byte < 0x7F && byte != '\\';
        if (is_plain && run >= CORPUS_RUN_MIN) {
            buf_printf(out, "\\{%zu*%c}", run, byte);
            i += run;
            continue;
        }
        if (is_plain) {
            buf_append_byte(out, byte);
        } else if (byte == '\r' || byte == '\n' || byte == '\\') {
            buf_printf(out, "\\%c", byte == '\r' ? 'r' : byte == '\n' ? 'n' : '\\');
        } else {
            buf_printf(out, "\\x%02x", byte);
        }
        i++;
    }
}
