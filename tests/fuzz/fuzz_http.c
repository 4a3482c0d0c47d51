#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/fuzz/kept_client.h"

/* The first byte chooses: a connection that speaks HTTP (its requests in pieces, a core that decides), one that has become a
 * WebSocket, or a JSON text. Whatever comes: no assertion fails, responses are whole, and JSON's canonical form is one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct slice text)
{
    struct slice value;
    if (!json_check(text, &value)) {
        return;
    }
    struct buf once = {0};
    struct buf twice = {0};
    struct slice again;
    json_append_canonical(value, &once);
    bool is_good = json_check(buf_slice(&once), &again);
    ASSERT(is_good && json_equal(value, again));
    json_append_canonical(again, &twice);
    ASSERT(slice_equal(buf_slice(&once), buf_slice(&twice)));
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void take_output(struct client *c, struct buf *said)
{
    struct slice out = client_output(c);
    if (buf_size(said) < 65536) {
        buf_append_slice(said, out);
    }
    client_output_sent(c, out.n);
}

static void speak(struct node *n, struct client *c, const uint8_t *data, size_t size, struct buf *said)
{
    size_t step = size > 0 ? (size_t)data[0] + 1 : 1;
    for (size_t at = 1; at < size && !kept_client_is_over(c) && n->count < FAKE_REQUESTS_MAX - 300; at += step) {
        (void)fake_feed_bytes(c, data + at, size - at < step ? size - at : step);
        fake_decide_all(n);
        fake_poll(n);
        take_output(c, said);
        if (!kept_client_is_over(c)) {
            (void)client_process(c);
        }
        n->now_us += 10000;
        clients_each_second(n->clients, n->now_us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    if (size == 0) {
        return 0;
    }
    if (data[0] % 3 == 2) {
        check_json((struct slice){data + 1, size - 1});
        return 0;
    }
    struct node *n;
    struct client *c = kept_client_begin(&n);
    struct buf said = {0};
    n->allows_read_now = (data[0] & 64) != 0;
    (void)fake_feed(c, data[0] % 3 == 1 ? upgrade : first);
    fake_decide_all(n);
    fake_poll(n);
    take_output(c, &said);
    speak(n, c, data + 1, size - 1, &said);
    ASSERT(buf_size(&said) >= 12 && memcmp(buf_slice(&said).p, "HTTP/1.1 ", 9) == 0);
    buf_deinit(&said);
    kept_client_end(n, c);
    return 0;
}
