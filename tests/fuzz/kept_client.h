#ifndef FUZZ_KEPT_CLIENT_H
#define FUZZ_KEPT_CLIENT_H

/* A client and the core that a fuzzer decides for, made once and put back byte for byte for each execution (arena.h). For one fuzzer each:
 * what is here is compiled into it. */

#include <stdbool.h>

#include "tests/client/fake_node.h"
#include "tests/fuzz/arena.h"
#include "tests/fuzz/harness.h"

/* It is no part of the library. */
HARNESS_BEGIN
#include "tests/client/fake_node.c"
HARNESS_END

/* Begins an execution. The arena's until kept_client_end. */
static struct client *kept_client_begin(struct node **n)
{
    static struct node *kept; /* with what the arena keeps */
    static struct client *kept_client;

    if (!kept) {
        fake_free(fake_new()); /* the table of commands stays */
    }
    arena_begin();
    if (arena_is_new()) {
        kept = fake_new();
        kept_client = fake_client(kept);
        arena_keep();
    }
    *n = kept;
    kept->options.client_output_limit = 65536;
    return kept_client;
}

static void kept_client_end(struct node *n, struct client *c)
{
    client_close(c);
    fake_free(n);
    arena_end();
}

/* A server would take no more of its input. */
static bool kept_client_is_over(const struct client *c)
{
    enum client_state state = client_get_state(c);
    return state == CLIENT_CLOSE || state == CLIENT_CLOSE_NOW || state == CLIENT_IS_PEER;
}

#endif
