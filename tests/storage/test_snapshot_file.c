/* Snapshot files: every block, every byte, every cut. */
#include "storage/snapshot_file.h"

#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim_disk.h"
#include "tests/test.h"

static void meta_of(struct snapshot_meta *meta)
{
    memset(meta, 0, sizeof *meta);
    *meta = (struct snapshot_meta){.index = 77,
                                   .term = 3,
                                   .cluster_id = 5,
                                   .hash_seed = {1, 2},
                                   .wall_ms = 10,
                                   .time_ms = 11,
                                   .conf_index = 9,
                                   .birth = SLICE_LITERAL("birth")};
    meta->conf.member_count = 1;
    meta->conf.member[0] =
        (struct raft_member){.id = 4, .flags = RAFT_VOTER_NEW, .address = "a:1"};
}

static void file_of(struct buf *out)
{
    struct snapshot_meta meta;
    struct snapshot_encoder e;
    meta_of(&meta);
    snapshot_encode_head(&e, &meta, out);
    snapshot_encode_data(&e, SLICE_LITERAL("some data of the state"), out);
    snapshot_encode_data(&e, SLICE_LITERAL("and more of it"), out);
    snapshot_encode_end(&e, 99, out);
    CHECK_EQ_UINT(e.file_bytes, buf_size(out));
}

static enum err check(struct slice bytes, struct snapshot_facts *facts)
{
    struct sim_disk *disk = sim_disk_new(1, 512);
    struct snapshot_file f;
    sim_disk_put_file(disk, "s", bytes);
    enum err e = snapshot_file_open(&f, sim_disk_vfs(disk), "s");
    if (e == ERR_OK) {
        e = snapshot_file_check(&f, facts);
    }
    snapshot_file_close(&f);
    sim_disk_free(disk);
    return e;
}

TEST(a_whole_file_is_good_and_says_what_it_is)
{
    struct buf out = {0};
    struct snapshot_facts facts;
    file_of(&out);
    REQUIRE(check(buf_slice(&out), &facts) == ERR_OK);
    CHECK_EQ_UINT(facts.meta.index, 77);
    CHECK_EQ_UINT(facts.meta.term, 3);
    CHECK_EQ_UINT(facts.meta.conf_index, 9);
    CHECK_EQ_UINT(facts.meta.conf.member[0].id, 4);
    CHECK_EQ_UINT(facts.digest, 99);
    CHECK_EQ_UINT(facts.size, buf_size(&out));
    buf_deinit(&out);
}

TEST(any_bit_flipped_and_any_cut_is_found)
{
    struct buf out = {0};
    struct snapshot_facts facts;
    file_of(&out);
    size_t n = buf_size(&out);
    for (size_t i = 0; i < n; i++) {
        out.data[out.start + i] ^= (uint8_t)(1u << i % 8);
        CHECK(check(buf_slice(&out), &facts) != ERR_OK);
        out.data[out.start + i] ^= (uint8_t)(1u << i % 8);
        CHECK(check((struct slice){out.data + out.start, i}, &facts) != ERR_OK);
    }
    buf_append_byte(&out, 0); /* and nothing may stand behind it */
    CHECK(check(buf_slice(&out), &facts) != ERR_OK);
    buf_deinit(&out);
}

TEST(blocks_of_another_file_do_not_fit)
{
    struct buf a = {0};
    struct buf b = {0};
    struct snapshot_meta meta;
    struct snapshot_encoder e;
    struct snapshot_facts facts;
    file_of(&a);
    meta_of(&meta);
    meta.index = 78;
    snapshot_encode_head(&e, &meta, &b);
    size_t head = buf_size(&b);
    buf_append(&b, a.data + a.start + head, buf_size(&a) - head);
    CHECK(check(buf_slice(&b), &facts) == ERR_CORRUPT);
    buf_deinit(&a);
    buf_deinit(&b);
}

TEST_MAIN()
