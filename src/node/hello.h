#ifndef NODE_HELLO_H
#define NODE_HELLO_H

#include "raft/types.h"

/* What two nodes tell each other when a connection between them is made. In the server it travels inside the authenticated
 * handshake (link.h); the simulator hands it over as it is. */
enum link_role {
    LINK_CONTROL = 1, /* votes, heartbeats, acks, read indices, commit advances */
    LINK_BULK = 2,    /* entries, forwards, snapshot chunks */
    LINK_PROBE = 3,   /* who are you? formation, finding oneself; closed after the answers */
};

struct peer_hello {
    uint16_t format;           /* PEER_FORMAT */
    uint16_t feature_level;    /* PEER_FEATURE_LEVEL: what entries and messages this node understands */
    enum link_role role;
    raft_id id;
    raft_id expected_id;       /* who the dialler believes it reaches; 0: not known */
    uint64_t cluster_id;       /* 0: BLANK */
    uint64_t incarnation;      /* which life of the node; grows with every start of its data directory */
    uint64_t list_hash;        /* of the sorted, normalised --cluster list; 0: none given */
    char address[LIMIT_ADDRESS_BYTES]; /* announced; "" if not known yet */
};

#define PEER_FORMAT 1
#define PEER_FEATURE_LEVEL 1

#endif
