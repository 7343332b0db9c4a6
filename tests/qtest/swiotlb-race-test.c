/*
 * The window moves or closes while an I/O thread works through a ring in it
 *
 * The driver sits in a thread of its own and writes the window's memory itself,
 * so that it keeps the I/O thread busy while the main thread pulls the BAR away
 * from below. Each round ends with that one race: nothing outside the window
 * was touched, and all that the device reported as done is done.
 *
 * 60 seconds a case with '-m slow', a few without.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/processor.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"

#define SECONDS         (g_test_slow() ? 60 : 3)
#define WAIT_US         (10 * G_USEC_PER_SEC)

/* Requests under way, and what a round has to get done before its race */
#define SLOTS           5
#define DONE_BEFORE     40
#define SLOT_SIZE       0x4000
#define STATUS_PENDING  0xff
/* Free space between the neighbour and the other BARs */
#define ELSEWHERE       (8 * MiB)

typedef struct Slot {
    bool busy;
    bool write;
    uint64_t sector;
    uint64_t pattern;
} Slot;

typedef struct Race {
    SwiotlbRig *rig;
    SwiotlbDriver *neighbour;
    SwiotlbQueue *vq;
    uint8_t *window;
    bool indirect;
    /* What is on the disk, if every write that was reported is there */
    uint8_t *disk;

    Slot slot[SLOTS];
    uint16_t avail_idx;
    uint16_t used_idx;
    uint32_t random;
    /* Atomic: between the two threads */
    int done;
    bool stop;
} Race;

typedef void (*Pull)(Race *);

static uint32_t next_random(Race *r)
{
    r->random = r->random * 1664525 + 1013904223;
    return r->random >> 8;
}

static void *host(Race *r, uint64_t addr)
{
    return r->window + (addr - RIG_WINDOW);
}

static uint64_t header_of(int slot)
{
    return RIG_BUFFERS + slot * SLOT_SIZE;
}

static uint64_t data_of(int slot)
{
    return header_of(slot) + 0x1000;
}

static uint64_t status_of(int slot)
{
    return header_of(slot) + 0x2000;
}

static void set_desc(struct vring_desc *desc, uint64_t addr, uint32_t len,
                     uint16_t flags, uint16_t next)
{
    desc->addr = cpu_to_le64(addr);
    desc->len = cpu_to_le32(len);
    desc->flags = cpu_to_le16(flags);
    desc->next = cpu_to_le16(next);
}

static void set_chain(struct vring_desc *desc, int first, int slot, bool write)
{
    set_desc(&desc[0], header_of(slot), sizeof(struct virtio_blk_outhdr),
             VRING_DESC_F_NEXT, first + 1);
    set_desc(&desc[1], data_of(slot), BLK_SECTOR,
             VRING_DESC_F_NEXT | (write ? 0 : VRING_DESC_F_WRITE), first + 2);
    set_desc(&desc[2], status_of(slot), 1, VRING_DESC_F_WRITE, 0);
}

static void fill_sector(uint8_t *p, uint64_t pattern)
{
    for (int i = 0; i < BLK_SECTOR / 8; i++) {
        stq_le_p(p + i * 8, pattern + i);
    }
}

/* Each slot has sectors of its own: no two requests meet on the disk. */
static void submit(Race *r, int slot)
{
    struct vring_desc *ring = host(r, r->vq->area[RING_DESC]);
    struct vring_avail *avail = host(r, r->vq->area[RING_DRIVER]);
    struct virtio_blk_outhdr *header = host(r, header_of(slot));
    struct vring_desc *table = host(r, RIG_TABLE + slot * 64);
    Slot *s = &r->slot[slot];
    int first = slot * BLK_SEGMENTS;

    s->busy = true;
    s->write = next_random(r) & 1;
    s->sector = slot + SLOTS * (next_random(r) % 64);
    s->pattern = (uint64_t)next_random(r) << 32 | next_random(r);

    header->type = cpu_to_le32(s->write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
    header->ioprio = 0;
    header->sector = cpu_to_le64(s->sector);
    fill_sector(host(r, data_of(slot)), s->pattern);
    *(uint8_t *)host(r, status_of(slot)) = STATUS_PENDING;

    if (r->indirect) {
        set_chain(table, 0, slot, s->write);
        set_desc(&ring[first], RIG_TABLE + slot * 64,
                 BLK_SEGMENTS * sizeof(*table), VRING_DESC_F_INDIRECT, 0);
    } else {
        set_chain(&ring[first], first, slot, s->write);
    }
    avail->ring[r->avail_idx % SWIOTLB_RING_NUM] = cpu_to_le16(first);
    /* The device takes the chain when it sees the index. */
    smp_wmb();
    qatomic_set(&avail->idx, cpu_to_le16(++r->avail_idx));
}

/* What was reported as done has to be so. */
static void complete(Race *r, int slot, uint32_t len)
{
    Slot *s = &r->slot[slot];
    uint8_t *data = host(r, data_of(slot));
    uint8_t *on_disk = r->disk + s->sector * BLK_SECTOR;

    g_assert_true(s->busy);
    g_assert_cmpint(*(uint8_t *)host(r, status_of(slot)), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpint(len, ==, s->write ? 1 : BLK_SECTOR + 1);
    if (s->write) {
        fill_sector(on_disk, s->pattern);
    } else {
        g_assert_cmpmem(data, BLK_SECTOR, on_disk, BLK_SECTOR);
    }
    s->busy = false;
    qatomic_inc(&r->done);
}

static void take_used(Race *r)
{
    struct vring_used *used = host(r, r->vq->area[RING_DEVICE]);

    while (r->used_idx != le16_to_cpu(qatomic_read(&used->idx))) {
        struct vring_used_elem *elem;

        /* The index first, then what it stands for. */
        smp_rmb();
        elem = &used->ring[r->used_idx++ % SWIOTLB_RING_NUM];
        g_assert_cmpint(le32_to_cpu(elem->id) % BLK_SEGMENTS, ==, 0);
        g_assert_cmpint(le32_to_cpu(elem->id), <, SLOTS * BLK_SEGMENTS);
        complete(r, le32_to_cpu(elem->id) / BLK_SEGMENTS,
                 le32_to_cpu(elem->len));
    }
}

static void *drive(void *opaque)
{
    Race *r = opaque;

    while (!qatomic_read(&r->stop)) {
        for (int i = 0; i < SLOTS; i++) {
            if (!r->slot[i].busy) {
                submit(r, i);
            }
        }
        take_used(r);
        cpu_relax();
    }
    return NULL;
}

static void put_back(Race *r)
{
    swiotlb_driver_move_bar(r->neighbour, r->neighbour->window_bar, ELSEWHERE);
    swiotlb_rig_map(r->rig);
    swiotlb_driver_map(r->neighbour, RIG_NEIGHBOUR, RIG_NEIGHBOUR_MODERN);
}

static void begin(Race *r)
{
    put_back(r);
    swiotlb_rig_negotiate(r->rig, 0);
    r->vq = swiotlb_rig_queue(r->rig, 0);
    swiotlb_rig_driver_ok(r->rig);
    memset(r->slot, 0, sizeof(r->slot));
    r->avail_idx = r->used_idx = 0;
    r->done = 0;
    r->stop = false;
}

/* A write that was not reported may have been made, or not. */
static void accept_unreported(Race *r)
{
    for (int i = 0; i < SLOTS; i++) {
        uint8_t new[BLK_SECTOR];
        uint64_t at = r->slot[i].sector * BLK_SECTOR;

        fill_sector(new, r->slot[i].pattern);
        if (r->slot[i].busy && r->slot[i].write &&
            !memcmp(r->rig->disk + at, new, BLK_SECTOR)) {
            memcpy(r->disk + at, new, BLK_SECTOR);
        }
    }
}

static void run_round(Race *r, Pull pull)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    GThread *thread;

    begin(r);
    thread = g_thread_new("driver", drive, r);
    while (qatomic_read(&r->done) < DONE_BEFORE) {
        swiotlb_queue_kick(r->vq);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    pull(r);
    /* The device stops: at once, or at the next request. */
    while (!(swiotlb_driver_status(r->rig->drv) &
             VIRTIO_CONFIG_S_NEEDS_RESET)) {
        swiotlb_queue_kick(r->vq);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    swiotlb_rig_barrier(r->rig);
    qatomic_set(&r->stop, true);
    g_thread_join(thread);
    take_used(r);
    accept_unreported(r);
    memcpy(r->rig->disk_before, r->disk, RIG_DISK_SIZE);
    swiotlb_rig_assert_untouched(r->rig);
    swiotlb_queue_free(r->vq);
}

static void close_decoding(Race *r)
{
    swiotlb_driver_command(r->rig->drv, 0, PCI_COMMAND_MEMORY);
}

static void take_mastering(Race *r)
{
    swiotlb_driver_take_mastering(r->rig->drv);
}

static void move(Race *r)
{
    swiotlb_driver_move_window(r->rig->drv);
}

/* What the driver still addresses is the neighbour's window now. */
static void swap(Race *r)
{
    swiotlb_driver_move_bar(r->rig->drv, r->rig->drv->window_bar, ELSEWHERE);
    swiotlb_driver_move_bar(r->neighbour, r->neighbour->window_bar, RIG_WINDOW);
}

/* As swap(), but for a moment both are in the same place. */
static void cover(Race *r)
{
    swiotlb_driver_move_bar(r->neighbour, r->neighbour->window_bar, RIG_WINDOW);
    swiotlb_driver_move_bar(r->rig->drv, r->rig->drv->window_bar, ELSEWHERE);
}

typedef struct Case {
    const char *name;
    Pull pull;
    bool indirect;
} Case;

static const Case cases[] = {
    { "decoding_off", close_decoding, false },
    { "decoding_off/indirect", close_decoding, true },
    { "mastering_off", take_mastering, false },
    { "mastering_off/indirect", take_mastering, true },
    { "moved", move, false },
    { "moved/indirect", move, true },
    { "neighbour_there_instead", swap, false },
    { "neighbour_there_instead/indirect", swap, true },
    { "neighbour_there_first", cover, false },
    { "neighbour_there_first/indirect", cover, true },
};

static void test_race(const void *opaque)
{
    const Case *c = opaque;
    gint64 end = g_get_monotonic_time() + SECONDS * G_USEC_PER_SEC;
    int fd = memfd_create("window", 0);
    Race r = { .indirect = c->indirect, .random = 1 };
    g_autofree char *memory = NULL;
    g_autofree char *extra = NULL;
    int rounds = 0;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, RIG_WINDOW_SIZE), ==, 0);
    r.window = mmap(NULL, RIG_WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                    fd, 0);
    g_assert_true(r.window != MAP_FAILED);
    memory = g_strdup_printf("-object memory-backend-file,id=window,share=on,"
                             "size=1M,mem-path=/proc/%d/fd/%d ", getpid(), fd);
    extra = g_strconcat(BLK_DRIVE, "-object iothread,id=io0,"
                        "poll-max-ns=1000000 ", memory, NULL);
    r.rig = swiotlb_rig_new_full(BLK_DEVICE ",iothread=io0",
                                 "swiotlb=on,swiotlb-memdev=window", extra);
    close(fd);
    r.neighbour = swiotlb_driver_new(r.rig->qts, r.rig->bus,
                                     RIG_NEIGHBOUR_DEVFN, "neighbour");
    /* Registers stay within reach when decoding is off. */
    r.rig->drv->use_cfg_cap = true;
    swiotlb_rig_snapshot(r.rig);
    r.disk = g_memdup2(r.rig->disk, RIG_DISK_SIZE);

    while (g_get_monotonic_time() < end) {
        run_round(&r, c->pull);
        rounds++;
    }
    g_test_message("%d rounds, %" PRIu64 " accesses rejected", rounds,
                   swiotlb_rig_rejected(r.rig));
    g_assert_cmpint(rounds, >, 0);

    g_free(r.disk);
    swiotlb_driver_free(r.neighbour);
    swiotlb_rig_free(r.rig);
    munmap(r.window, RIG_WINDOW_SIZE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (int i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *path = g_strdup_printf("swiotlb/race/%s",
                                                cases[i].name);

        qtest_add_data_func(path, &cases[i], test_race);
    }
    return g_test_run();
}
