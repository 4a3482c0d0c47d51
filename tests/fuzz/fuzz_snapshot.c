#include <stddef.h>
#include <stdint.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "keyspace/keyspace.h"
#include "keyspace/state.h"
#include "storage/snapshot_format.h"
#include "tests/fuzz/arena.h"

/* Foreign bytes as a snapshot. The first byte chooses: even, they are blocks, whose checksums are put right first (a fuzzer can't guess
 * those); odd, they are the stream inside. Whatever is accepted must be made again as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_blocks(const uint8_t *data, size_t size)
{
    struct buf bytes = {0};
    struct snapshot_decoder decoder = {0};
    uint32_t crc = 0;
    buf_append(&bytes, data, size);
    for (;;) {
        struct slice rest = buf_slice(&bytes);
        struct snapshot_block block;
        size_t taken;
        if (rest.n >= SNAPSHOT_BLOCK_HEADER) {
            uint8_t *at = bytes.data + bytes.start;
            size_t n = get_u32(at + 8);
            if (n <= rest.n - SNAPSHOT_BLOCK_HEADER) {
                put_u32(at + 12, decoder.number);
                crc = crc32c(crc32c(decoder.crc, at, 16), at + SNAPSHOT_BLOCK_HEADER, n);
                put_u32(at + 16, crc);
            }
        }
        if (snapshot_decode(&decoder, rest, &block, &taken) != ERR_OK) {
            break;
        }
        buf_consume(&bytes, taken);
    }
    buf_deinit(&bytes);
}

static void fuzz_stream(const uint8_t *data, size_t size)
{
    static const struct siphash_key seed = {{1}};
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct state_reader *r = state_reader_new(k, size);
    bool is_good = state_reader_feed(r, (struct slice){data, size}) == ERR_OK && state_reader_finish(r) == ERR_OK;
    state_reader_free(r);
    if (is_good) {
        uint64_t digest = keyspace_digest(k);
        struct state_walk *w = state_walk_new(k, STATE_SNAPSHOT);
        while (state_walk_step(w)) {
        }
        if (state_walk_digest(w) != digest) {
            __builtin_trap();
        }
        state_walk_free(w);
    }
    keyspace_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_begin();
    if (size > 1) {
        if (data[0] % 2) {
            fuzz_stream(data + 1, size - 1);
        } else {
            fuzz_blocks(data + 1, size - 1);
        }
    }
    arena_end();
    return 0;
}
