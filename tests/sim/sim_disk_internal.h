#ifndef SIM_SIM_DISK_INTERNAL_H
#define SIM_SIM_DISK_INTERNAL_H

#include "base/prng.h"
#include "sim_disk.h"
#include "sim_disk_inode.h"

/* What the files sim_disk*.c share: names and content (sim_disk_names.c), the calls and lives (sim_disk.c), faults (sim_disk_faults.c), and what tests
 * look at (sim_disk_look.c). */

#define NAME_BYTES 64

struct name {
    char text[NAME_BYTES];
    uint32_t inode;
};

struct name_list {
    struct name *item;
    uint32_t count;
    uint32_t capacity;
};

enum name_change_kind { NAME_CREATED, NAME_RENAMED, NAME_REMOVED };
struct name_change {
    enum name_change_kind kind;
    struct name name;
    char to[NAME_BYTES];
};

struct sim_disk {
    struct vfs base;
    struct prng prng;
    uint32_t sector_bytes;
    struct sim_inode **inode;
    uint32_t inode_count;
    uint32_t first_inode; /* those before it are gone */
    struct name_list cached;
    struct name_list durable;
    struct name_change *change; /* since the last sync_names, in order */
    uint32_t change_count;
    uint32_t change_capacity;
    uint64_t life; /* handles of earlier lives are stale */
    bool is_locked;
    bool is_dead;
    bool tears_anywhere;
    bool reads_fail;
    uint64_t quota;
    uint64_t calls;
    uint64_t power_fails_at; /* in `calls` */
    uint64_t sync_fails_in;
    uint64_t write_fails_in;
    enum err write_error;
    struct sim_disk_counts counts;
};

struct vfs_file {
    struct sim_disk *disk;
    struct sim_inode *inode;
    uint32_t number; /* of the inode */
    uint64_t life;
};

/* sim_disk_names.c */
struct name *sim_name_find(const struct name_list *list, const char *text);
void sim_name_remove(struct name_list *list, const char *text);
void sim_name_set(struct name_list *list, const char *text, uint32_t inode);
void sim_name_list_copy(struct name_list *to, const struct name_list *from);
void sim_note_name_change(struct sim_disk *d, enum name_change_kind kind, const struct name *name, const char *to);
void sim_apply_name_change(struct sim_disk *d, const struct name_change *c);
uint32_t sim_disk_inode_new(struct sim_disk *d);
/* Frees what nothing leads to: that inode, if it is so; all such ones. */
void sim_disk_release(struct sim_disk *d, uint32_t number);
void sim_disk_collect(struct sim_disk *d);
void sim_disk_inode_power_loss(struct sim_disk *d, struct sim_inode *n);

#endif
