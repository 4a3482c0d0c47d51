#ifndef NODE_ANNOUNCE_H
#define NODE_ANNOUNCE_H

#include "base/buf.h"
#include "base/limits.h"

/* Under which addresses clients reach a node: what announce-ip, announce-port and announce-networks say, told to the other members so
 * that each can answer for all. Pure. */
#define ANNOUNCE_NETWORKS_BYTES 1024u

struct announce {
    char host[LIMIT_ADDRESS_BYTES]; /* "": the host of the member's address */
    uint16_t port;                  /* 0: the port of the member's address */
    uint16_t sentinel_port;         /* 0: it has none */
    char networks[ANNOUNCE_NETWORKS_BYTES]; /* "10.0.0.0/8=10.1.2.3:7001 192.168.0.0/16=outside.example" */
};

/* Where a client should connect. */
struct place {
    char host[LIMIT_ADDRESS_BYTES]; /* "": not known */
    uint16_t port;
    uint16_t sentinel_port;
};
/* `member` is the member's address, "host:port"; `client` "ip:port" or "[v6]:port" of who asks. The first network that holds the
 * client's address decides. */
void announce_find(const struct announce *a, const char *member, const char *client, struct place *place);
/* Is the text of announce-networks right? `why` gets a phrase. */
bool announce_networks_check(struct slice text, struct buf *why);

void announce_encode(const struct announce *a, struct buf *out);
bool announce_decode(struct slice body, struct announce *a); /* false: nonsense */

/* "host:port" in two; a host in brackets loses them. The port is 0 when there is none. */
void place_from_address(const char *address, struct place *place);

#endif
