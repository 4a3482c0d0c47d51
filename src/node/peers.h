#ifndef NODE_PEERS_H
#define NODE_PEERS_H

#include "node/env.h"
#include "node/peer_message.h"
#include "raft/raft.h"

/* The other members and the links to them. peers.c: which should exist, dialling, going down; peers_link.c: coming up;
 * peers_send.c: messages. */
enum { PEER_CONTROL, PEER_BULK, PEER_LINKS };

struct peer_link {
    link_id id;         /* 0: none */
    bool is_up;         /* else it is being dialled */
    uint64_t retry_us;  /* when to dial (again) */
    uint64_t lost_us;   /* when it was last lost, or the peer became known */
    uint32_t backoff_us;
};

/* The chunk of a snapshot that it was sent last (snapshot_transfer.c X2). */
struct peer_chunk {
    raft_index index;  /* of the snapshot */
    uint64_t offset;
    uint64_t sent;     /* bulk_sent behind it ... */
    uint32_t link;     /* ... on the link of this bulk_number */
};

struct peer {
    raft_id id;
    char address[LIMIT_ADDRESS_BYTES];
    bool is_member;           /* of the effective configuration; else a guest: a node of this cluster that this node's
                                 configuration does not name (yet: this node may lag) */
    char announced[LIMIT_ADDRESS_BYTES]; /* what it calls itself in its newest greeting */
    uint64_t left_us;         /* a guest that was a member: since when; its links are cut after a while. 0: it wasn't */
    bool is_blank;            /* has not adopted the cluster yet: gets ADOPT, no bulk link */
    struct peer_link link[PEER_LINKS];
    uint64_t incarnation;
    uint64_t heard_us;        /* last message of any kind; 0: never */
    struct peer_envelope last; /* of the newest message */
    uint64_t fault_us;        /* when what is wrong with its links was last logged */
    /* The bulk link, counted from when it came up. */
    uint64_t bulk_sent;
    uint64_t bulk_received;
    uint64_t bulk_pending;    /* of a message that is not whole yet */
    uint32_t bulk_number;     /* ours of the present bulk link; grows */
    uint32_t bulk_theirs;     /* its number of it, heard on the link itself; 0: not yet */
    uint32_t last_theirs;     /* the same of the link before */
    uint64_t offered;         /* what it says it sent on it */
    uint64_t acked;           /* what it says it received */
    uint64_t progress_us;     /* when acked last grew or nothing was outstanding */
    uint64_t in_progress_us;  /* the same for what it says it sent */
    bool is_starved;
    bool is_full;             /* Raft was told that the link takes no more for now */
    struct peer_chunk chunk;
    /* Commit advances it waits for (forwards, read indices). */
    raft_index nudge_index;
    raft_index nudged_commit;
    bool has_forwards_in_batch;
    link_id announced_on;       /* the control link on which it was told where clients reach this node */
    uint64_t publish_missed_us; /* when it last failed to say how many of its clients got a message; 0: never */
    /* Leader's view of it, own or spread by the leader. */
    raft_index match;
    bool is_in_sync;
    bool is_reachable;
};

#define PEER_NEWS 32
struct peer_news {
    uint64_t hash; /* of the sentence */
    uint64_t us;   /* 0: none */
};
struct peers {
    struct peer peer[2 * LIMIT_MEMBERS]; /* members and guests */
    uint32_t count;
    link_id last_link;
    bool self_is_in_sync;
    struct peer_news news[PEER_NEWS]; /* what was logged lately of nodes that are not wanted */
    uint64_t status_us;       /* leader: when STATUS was last spread */
    /* The message being composed. */
    struct buf head;
    struct slice *part;
    size_t part_count;
    size_t part_capacity;
    struct raft_entry *entry; /* scratch for decoding */
    uint32_t entry_capacity;
};

struct node;
void peers_init(struct node *n);
void peers_deinit(struct node *n);
struct peer *peers_find(struct node *n, raft_id id);
struct peer *peers_leader(struct node *n); /* NULL: none known, or this node */
struct peer *peers_find_link(struct node *n, link_id id, int *which);
/* The effective configuration changed: who is wanted. */
void peers_update(struct node *n);
/* A node of this cluster, while this one lacks the configuration. */
void peers_add_unconfirmed(struct node *n, raft_id id, const char *address);
/* Dial, watch progress; returns when to be called again. */
uint64_t peers_tick(struct node *n);
bool peers_link_up(struct node *n, link_id *id, bool is_inbound, const struct peer_hello *theirs, char *reason);
bool peers_link_down(struct node *n, link_id id, const char *why, bool was_refused);
/* Makes an entry if there is none; NULL: no room. `address` "": not known. */
struct peer *peers_add(struct node *n, raft_id id, const char *address);
const char *peers_link_name(int which);
/* The link is gone, or must not be used. */
void peers_link_lost(struct node *n, struct peer *p, int which);
/* The peer's link is there but useless. */
void peers_hang_up(struct node *n, struct peer *p, int which, const char *reason);
/* Tells Raft how the bulk link is. */
void peers_report_bulk(struct node *n, struct peer *p, bool is_starved);
void peers_mark_blank(struct node *n, struct peer *p);

/* Composing: begin, append to the returned buffer, add parts that are sent from where they are, send. */
struct buf *peers_begin(struct node *n);
void peers_add_part(struct node *n, struct slice part);
/* False: no such link, nothing was sent. */
bool peers_send(struct node *n, struct peer *p, int which, enum peer_kind kind);
static inline bool peer_is_up(const struct peer *p, int which) { return p->link[which].is_up; }
void peers_send_raft(struct node *n, const struct raft_message *message);
void peers_receive(struct node *n, struct peer *p, int which, struct slice message);
/* Leader: commit advances for those that wait for one, once per iteration. */
void peers_nudge(struct node *n);
/* Heard within two election timeouts. */
bool peers_is_heard(const struct node *n, const struct peer *p);
void peers_spread_status(struct node *n);
void peers_receive_status(struct node *n, struct slice body);

#endif
