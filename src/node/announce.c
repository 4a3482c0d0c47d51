#include "node/announce.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/number.h"

/* --- numbers of hosts --------------------------------------------------------------------------- */

struct ip {
    uint8_t byte[16]; /* an IPv4 address as ::ffff:a.b.c.d */
};

static bool parse_v4(struct slice text, uint8_t out[4])
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t digits = 0;

        for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && digits < 4; at++, digits++) {
            value = value * 10 + (unsigned)(text.p[at] - '0');
        }
        if (digits == 0 || value > 255 || (i < 3 && (at >= text.n || text.p[at++] != '.'))) {
            return false;
        }
        out[i] = (uint8_t)value;
    }
    return at == text.n;
}

static int hex_value(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Groups of up to four hexadecimal digits; one "::" stands for as many zero groups as are missing. */
static bool parse_v6(struct slice text, uint8_t out[16])
{
    uint8_t group[16];
    size_t count = 0;
    size_t gap = SIZE_MAX;
    size_t at = 0;

    if (text.n >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.n) {
        unsigned value = 0;
        size_t digits = 0;

        for (; at < text.n && hex_value(text.p[at]) >= 0 && digits < 5; at++, digits++) {
            value = value * 16 + (unsigned)hex_value(text.p[at]);
        }
        if (digits == 0 || digits > 4 || count == 16) {
            return false;
        }
        group[count++] = (uint8_t)(value >> 8);
        group[count++] = (uint8_t)value;
        if (at < text.n && (text.p[at++] != ':' || at == text.n)) {
            return false;
        }
        if (at < text.n && text.p[at] == ':') {
            if (gap != SIZE_MAX) {
                return false;
            }
            gap = count;
            at++;
        }
    }
    if (gap == SIZE_MAX ? count != 16 : count > 14) {
        return false;
    }
    size_t front = gap == SIZE_MAX ? 16 : gap;
    memset(out, 0, 16);
    memcpy(out, group, front);
    memcpy(out + 16 - (count - front), group + front, count - front);
    return true;
}

static bool parse_ip(struct slice text, struct ip *ip)
{
    memset(ip->byte, 0, sizeof ip->byte);
    ip->byte[10] = ip->byte[11] = 0xff;
    return parse_v4(text, ip->byte + 12) || parse_v6(text, ip->byte);
}

/* --- networks ----------------------------------------------------------------------------------- */

struct network {
    struct ip base;
    unsigned bits;
    struct slice place; /* "host[:port]" */
};

static bool parse_network(struct slice word, struct network *n)
{
    const uint8_t *equal = word.n > 0 ? memchr(word.p, '=', word.n) : NULL;
    struct slice cidr = {word.p, equal ? (size_t)(equal - word.p) : 0};
    const uint8_t *slash = cidr.n > 0 ? memchr(cidr.p, '/', cidr.n) : NULL;
    int64_t bits = 0;

    if (!equal || !slash || !parse_ip((struct slice){cidr.p, (size_t)(slash - cidr.p)}, &n->base) ||
        !number_parse_i64((struct slice){slash + 1, (size_t)(equal - slash) - 1}, &bits)) {
        return false;
    }
    bool is_v4 = memchr(cidr.p, ':', (size_t)(slash - cidr.p)) == NULL;
    if (bits < 0 || bits > (is_v4 ? 32 : 128)) {
        return false;
    }
    n->bits = (unsigned)bits + (is_v4 ? 96 : 0);
    n->place = (struct slice){equal + 1, word.n - cidr.n - 1};
    return n->place.n > 0 && n->place.n < LIMIT_ADDRESS_BYTES;
}

static bool network_holds(const struct network *n, const struct ip *ip)
{
    for (unsigned i = 0; i < n->bits; i++) {
        unsigned shift = 7 - i % 8;

        if (((n->base.byte[i / 8] ^ ip->byte[i / 8]) >> shift & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* The next word of *rest; false: none. */
static bool next_word(struct slice *rest, struct slice *word)
{
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == ',')) {
        *rest = slice_skip(*rest, 1);
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',') {
        n++;
    }
    *word = (struct slice){rest->p, n};
    *rest = slice_skip(*rest, n);
    return n > 0;
}

bool announce_networks_check(struct slice text, struct buf *why)
{
    struct slice word;

    while (next_word(&text, &word)) {
        struct network n;

        if (!parse_network(word, &n)) {
            buf_printf(why, "'%.*s' is not network/bits=host or network/bits=host:port", (int)word.n, (const char *)word.p);
            return false;
        }
    }
    return true;
}

void place_from_address(const char *address, struct place *place)
{
    const char *colon = strrchr(address, ':');
    bool is_bare_v6 = colon && address[0] != '[' && strchr(address, ':') != colon;
    size_t n = colon && !is_bare_v6 ? (size_t)(colon - address) : strlen(address);
    int64_t port = 0;

    if (colon && !is_bare_v6) {
        (void)number_parse_i64(slice_from_cstr(colon + 1), &port);
    }
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    n = n < sizeof place->host - 1 ? n : sizeof place->host - 1;
    *place = (struct place){.port = port > 0 && port < 65536 ? (uint16_t)port : 0};
    memcpy(place->host, address, n);
}

void announce_find(const struct announce *a, const char *member, const char *client, struct place *place)
{
    struct slice rest = slice_from_cstr(a->networks);
    struct place from;
    struct slice word;
    struct ip ip;

    place_from_address(member, place);
    place->sentinel_port = a->sentinel_port;
    if (a->host[0] != '\0') {
        (void)snprintf(place->host, sizeof place->host, "%s", a->host);
    }
    if (a->port != 0) {
        place->port = a->port;
    }
    place_from_address(client, &from);
    if (!parse_ip(slice_from_cstr(from.host), &ip)) {
        return;
    }
    while (next_word(&rest, &word)) {
        struct network n;

        if (parse_network(word, &n) && network_holds(&n, &ip)) {
            char text[LIMIT_ADDRESS_BYTES];
            struct place there;

            (void)snprintf(text, sizeof text, "%.*s", (int)n.place.n, (const char *)n.place.p);
            place_from_address(text, &there);
            (void)snprintf(place->host, sizeof place->host, "%s", there.host);
            place->port = there.port != 0 ? there.port : place->port;
            return;
        }
    }
}

/* --- between members ---------------------------------------------------------------------------- */

void announce_encode(const struct announce *a, struct buf *out)
{
    write_u16(out, a->port);
    write_u16(out, a->sentinel_port);
    write_blob(out, slice_from_cstr(a->host));
    write_blob(out, slice_from_cstr(a->networks));
}

bool announce_decode(struct slice body, struct announce *a)
{
    struct reader r = reader_of(body);

    *a = (struct announce){0};
    a->port = read_u16(&r);
    a->sentinel_port = read_u16(&r);
    struct slice host = read_blob(&r);
    struct slice networks = read_blob(&r);
    if (!reader_done(&r) || host.n >= sizeof a->host || networks.n >= sizeof a->networks) {
        return false;
    }
    if (host.n > 0) {
        memcpy(a->host, host.p, host.n);
    }
    if (networks.n > 0) {
        memcpy(a->networks, networks.p, networks.n);
    }
    return true;
}
