#include <stddef.h>
#include <stdint.h>

#include "node/link.h"

/* Foreign bytes into both sides of a link; the first byte picks side and MAC, the second how they are cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_hello mine = {.format = PEER_FORMAT, .role = LINK_BULK, .id = 1, .address = "a:1"};
    struct link_options o = {.secret = SLICE_LITERAL(""), .has_frame_mac = true};
    struct slice message;
    enum link_event event = LINK_NOTHING;

    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[1] + 1;
    o.has_frame_mac = (data[0] & 2) != 0;
    struct link *l = data[0] & 1 ? link_new_dialler(&o, &mine) : link_new_acceptor(&o);
    for (size_t at = 2; at < size && event != LINK_FAILED; at += step) {
        link_feed(l, (struct slice){data + at, size - at < step ? size - at : step});
        while ((event = link_next(l, &message)) != LINK_NOTHING && event != LINK_FAILED) {
            if (event == LINK_WANT_HELLO) {
                link_answer(l, &mine);
            }
        }
    }
    link_free(l);
    return 0;
}
