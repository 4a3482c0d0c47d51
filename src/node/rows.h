#ifndef NODE_ROWS_H
#define NODE_ROWS_H

#include "commands/command_row.h"

/* The rows whose state lives in the node and its clients. */
extern const struct command_family rows_connection; /* PING HELLO SELECT ... */
extern const struct command_family rows_client;     /* CLIENT and its subcommands */
extern const struct command_family rows_transaction; /* MULTI EXEC DISCARD WATCH UNWATCH */
extern const struct command_family rows_node;       /* INFO, RAFT STATUS and MEMBERS, the text verb status */
extern const struct command_family rows_raft;       /* RAFT ADD ..., LOG, HELP, the text verbs add-node and remove-node */
extern const struct command_family rows_memory;     /* MEMORY but for USAGE */
extern const struct command_family rows_config;     /* CONFIG */
extern const struct command_family rows_command;    /* COMMAND */
extern const struct command_family rows_debug;      /* DEBUG */
extern const struct command_family rows_admin;      /* SAVE SHUTDOWN ROLE WAIT ... */
extern const struct command_family rows_snapshot;   /* RAFT SNAPSHOT */
extern const struct command_family rows_pubsub;     /* SUBSCRIBE PUBLISH PUBSUB ... */
extern const struct command_family rows_tracking;   /* CLIENT TRACKING and its kin */
extern const struct command_family rows_sentinel;   /* SENTINEL, on the Sentinel port */
extern const struct command_family rows_cluster;    /* CLUSTER READONLY READWRITE ASKING */
extern const struct command_family rows_acl;        /* ACL, for the one user there is */
extern const struct command_family rows_stats;      /* SLOWLOG LATENCY MONITOR */

/* Every family of the server, the data ones too: what main.c and the simulator give to command_table_new. Returns their count. */
#define ROWS_FAMILY_COUNT (COMMANDS_FAMILY_COUNT + 17)
size_t rows_all(struct command_family family[ROWS_FAMILY_COUNT]);

#endif
