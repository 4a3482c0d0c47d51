#define _GNU_SOURCE
#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

bool address_split(const char *text, struct address_text *parts)
{
    const char *colon = strrchr(text, ':');
    int64_t port = 0;

    if (!colon || colon == text || !number_parse_i64(slice_from_cstr(colon + 1), &port) || port < 1 || port > 65535) {
        return false;
    }
    size_t n = (size_t)(colon - text);
    if (text[0] == '[') {
        if (n < 3 || text[n - 1] != ']') {
            return false;
        }
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false;
    }
    if (n >= sizeof parts->host) {
        return false;
    }
    memcpy(parts->host, text, n);
    parts->host[n] = '\0';
    (void)snprintf(parts->port, sizeof parts->port, "%d", (int)port);
    return true;
}

void address_format(const struct sockaddr_storage *address, char *text, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;

        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(text, room, "%s:%d", host, ntohs(v4->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;

        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(text, room, "[%s]:%d", host, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(text, room, "?:0");
    }
}

bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;

        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return false;
}

bool address_parse_numeric(const struct address_text *parts, struct sockaddr_storage *address, socklen_t *size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    if (getaddrinfo(parts->host, parts->port, &hints, &found) != 0) {
        return false;
    }
    memset(address, 0, sizeof *address);
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool address_host_is_loopback(const char *host)
{
    struct address_text parts = {.port = "1"};
    struct sockaddr_storage address;
    socklen_t size = 0;

    if (strcasecmp(host, "localhost") == 0) {
        return true;
    }
    (void)snprintf(parts.host, sizeof parts.host, "%s", host);
    return address_parse_numeric(&parts, &address, &size) && address_is_loopback(&address);
}
