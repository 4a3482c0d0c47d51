#ifndef INTEGRATION_PROXY_H
#define INTEGRATION_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A TCP proxy in a thread: listening ports in front of nodes, and rules that say what happens to the bytes. All nodes
 * know each other by the proxy's ports; which node dialled is found out by the process that owns the connecting
 * socket (/proc), which kind of link it is by the dialler's first bytes. */
struct proxy;

enum { PROXY_ANY = -1 };

/* Order as in node/hello.h; UNKNOWN until the first bytes came, CLIENT when they are no peer's. */
enum proxy_role { PROXY_ANY_ROLE = -1, PROXY_UNKNOWN = 0, PROXY_CONTROL = 1, PROXY_BULK = 2, PROXY_PROBE = 3, PROXY_CLIENT = 4 };
enum proxy_direction { PROXY_BOTH = 0, PROXY_TO_TARGET = 1, PROXY_TO_SOURCE = 2 };
enum proxy_action {
    PROXY_PASS,
    PROXY_HOLD,   /* a black hole as TCP sees one that heals later: bytes wait, nothing is closed */
    PROXY_REFUSE, /* connections are reset, new ones too */
};

/* Which connections: dialling node, dialled node (PROXY_ANY: all), link role. */
struct proxy_match {
    int source;
    int target;
    enum proxy_role role;
};

struct proxy *proxy_new(void);
void proxy_free(struct proxy *p);
/* Opens a port that leads to target_port of node `target`; returns it. */
uint16_t proxy_listen(struct proxy *p, uint16_t target_port, int target);
/* New connections to `target` go to another port from now on. */
void proxy_retarget(struct proxy *p, int target, uint16_t target_port);
void proxy_set_process(struct proxy *p, int node, pid_t pid);
/* The newest rule that matches a connection and direction wins. */
void proxy_rule(struct proxy *p, struct proxy_match match, enum proxy_direction direction, enum proxy_action action);
/* Holds the bytes of the connections that match now; connections made later pass. Returns how many. */
size_t proxy_freeze(struct proxy *p, struct proxy_match match, enum proxy_direction direction);
/* Also thaws what was frozen. */
void proxy_clear_rules(struct proxy *p);
/* The two above for what travels from node to node, whoever dialled. */
void proxy_rule_from_to(struct proxy *p, int from, int to, enum proxy_role role, enum proxy_action action);
size_t proxy_freeze_from_to(struct proxy *p, int from, int to, enum proxy_role role);
/* Resets all links between two nodes. */
size_t proxy_cut_between(struct proxy *p, int a, int b, enum proxy_role role);
/* Resets the matching connections once; new ones are served. Returns how many. */
size_t proxy_cut(struct proxy *p, struct proxy_match match);
/* Every chunk of matching connections is passed on this much later (the newest call replaces the others). */
void proxy_delay(struct proxy *p, struct proxy_match match, int delay_ms);
/* How many such connections are open now; bytes ever read from such connections (closed ones included). */
size_t proxy_count(struct proxy *p, struct proxy_match match);
uint64_t proxy_bytes(struct proxy *p, struct proxy_match match, enum proxy_direction direction);
/* How many connections were ever made that match. */
size_t proxy_made(struct proxy *p, struct proxy_match match);
/* The first bytes (at most 64 KiB) of the matching connection that carried most, closed ones included, in one direction. */
size_t proxy_recorded(struct proxy *p, struct proxy_match match, enum proxy_direction direction, uint8_t *out, size_t size);

#endif
