#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "node/formation.h"

static bool is_blank_byte(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && is_blank_byte(s.p[0]))
        s = slice_skip(s, 1);
    while (s.n > 0 && is_blank_byte(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Where the ":port" begins; text.n when there is none. "[v6]:port", "v6" (two colons or more, no brackets), "host:port". */
static size_t port_position(struct slice text)
{
    size_t colons = 0;
    size_t last = text.n;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ':') {
            colons++;
            last = i;
        }
    }
    if (text.p[0] == '[')
        return last != text.n && text.p[last - 1] == ']' ? last : text.n;
    return colons == 1 ? last : text.n;
}

bool address_normalise(struct slice text, int64_t default_port, char out[LIMIT_ADDRESS_BYTES])
{
    text = trim(text);
    if (text.n == 0)
        return false;
    size_t at = port_position(text);
    struct slice host = {text.p, at};
    int64_t port = default_port;
    if (at < text.n && !number_parse_i64(slice_skip(text, at + 1), &port))
        return false;
    if (port < 1 || port > 65535 || host.n == 0 || host.n > 255)
        return false;
    bool has_colon = memchr(host.p, ':', host.n) != NULL;
    bool has_brackets = host.p[0] == '[';
    char name[256];
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        if (c <= ' ' || c == ',' || c == '/' || c >= 127)
            return false;
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    name[host.n] = '\0';
    int written = has_colon && !has_brackets ? snprintf(out, LIMIT_ADDRESS_BYTES, "[%s]:%d", name, (int)port)
                                             : snprintf(out, LIMIT_ADDRESS_BYTES, "%s:%d", name, (int)port);
    return written > 0 && written < LIMIT_ADDRESS_BYTES;
}
