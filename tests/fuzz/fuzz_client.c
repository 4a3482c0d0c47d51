#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "resp/resp_value.h"
#include "tests/fuzz/kept_client.h"

/* A client, its bytes and a core that decides in any order. The input is a list of steps: one byte says what happens, for bytes that
 * arrive the next one says how many of the following. Whatever comes: no assertion fails, and what a Redis session is
 * answered is RESP. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { STEP_FEED, STEP_DECIDE, STEP_GIVE_UP, STEP_ABORT, STEP_REFUSE, STEP_POLL, STEP_OUTPUT, STEP_LEADER, STEP_WINDOW, STEP_END, STEP_COUNT };

/* The n-th request that waits for an answer; SIZE_MAX if there is none. */
static size_t undecided_at(const struct node *n, size_t wanted)
{
    size_t waiting = fake_undecided(n);

    wanted = waiting > 0 ? wanted % waiting : 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->queue[i].request && wanted-- == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void decide_step(struct node *n, enum step step, size_t wanted)
{
    size_t position = undecided_at(n, wanted);

    if (position == SIZE_MAX) {
        return;
    }
    struct request *request = n->queue[position].request;
    bool is_write = request->kind == REQUEST_WRITE;
    if (step == STEP_DECIDE) {
        fake_decide(n, position);
    } else if (step == STEP_REFUSE && request->client) {
        fake_refuse(n, position, "CLUSTERDOWN no leader: fuzz");
    } else if (step == STEP_GIVE_UP && is_write && request->client) {
        fake_give_up(n, position, "UNKNOWN the outcome of this write is not known: fuzz");
    } else if (step == STEP_ABORT && !is_write && !request->run_fn) {
        fake_abort(n, position);
    }
}

/* All that was said must be whole RESP values, but for the last one. */
static void check_resp(struct slice out)
{
    while (out.n > 0) {
        struct resp_value_reader reader = {0};
        struct resp_value *value = NULL;
        size_t consumed = 0;
        enum parse_result result = resp_value_next(&reader, out, &value, &consumed);

        ASSERT(result != PARSE_ERROR);
        if (result != PARSE_OK) {
            return;
        }
        resp_value_free(value);
        out = slice_skip(out, consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf said = {0};
    bool is_redis = size > 0 && (data[0] & 1) != 0;

    struct node *n;
    struct client *c = kept_client_begin(&n);
    n->allows_read_now = size > 0 && (data[0] & 2) != 0;
    if (is_redis) {
        (void)fake_feed(c, "PING\r\n");
    }
    for (size_t at = 1; at + 1 < size && !kept_client_is_over(c) && n->count < FAKE_REQUESTS_MAX - 300; at += 2) {
        enum step step = (enum step)(data[at] % STEP_COUNT);
        size_t value = data[at + 1];

        if (step == STEP_FEED) {
            size_t count = value < size - at - 2 ? value : size - at - 2;

            (void)fake_feed_bytes(c, data + at + 2, count);
            at += count;
        } else if (step == STEP_POLL) {
            fake_poll(n);
        } else if (step == STEP_OUTPUT) {
            buf_append_slice(&said, client_output(c));
            client_output_sent(c, client_output(c).n);
            (void)client_process(c);
        } else if (step == STEP_LEADER) {
            n->has_leader = value & 1;
        } else if (step == STEP_WINDOW) {
            n->is_window_full = value & 1;
        } else if (step == STEP_END) {
            client_input_end(c);
            (void)client_process(c);
        } else {
            decide_step(n, step, value);
        }
    }
    buf_append_slice(&said, client_output(c));
    if (is_redis) {
        check_resp(buf_slice(&said));
    }
    buf_deinit(&said);
    kept_client_end(n, c);
    return 0;
}
