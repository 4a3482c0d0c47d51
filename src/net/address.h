#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/limits.h"

/* "host:port" and "[v6]:port" texts, and socket addresses. */
struct address_text {
    char host[LIMIT_ADDRESS_BYTES];
    char port[8];
};
/* False when there is no port in 1..65535 or no host. */
bool address_split(const char *text, struct address_text *parts);
/* "1.2.3.4:5" or "[::1]:5". */
void address_format(const struct sockaddr_storage *address, char *text, size_t room);
/* Of the machine itself: 127.0.0.0/8, ::1, and their v4-mapped form. */
bool address_is_loopback(const struct sockaddr_storage *address);
/* A host name or number that certainly is this machine: "localhost" or a loopback number. */
bool address_host_is_loopback(const char *host);
/* Without a name lookup; false when the host is a name. */
bool address_parse_numeric(const struct address_text *parts, struct sockaddr_storage *address, socklen_t *size);

#endif
