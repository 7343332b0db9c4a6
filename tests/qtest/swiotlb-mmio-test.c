/*
 * Attacks on virtio-blk on virtio-mmio, whose window is a pool of guest memory
 *
 * The same attacks as on virtio-pci, by drivers that accept the feature bit and
 * by those that have not heard of it: what a device reaches does not depend on
 * what its driver says.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "tests/qtest/libqos/fw_cfg.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"

#define DEVICE          "virtio-blk-device,drive=disk"

#define BASIC_FEATURES  ((1ull << VIRTIO_F_VERSION_1) | \
                         (1ull << VIRTIO_F_ACCESS_PLATFORM) | \
                         (1ull << VIRTIO_RING_F_INDIRECT_DESC))

typedef struct Place {
    const char *name;
    /* What @offset is relative to */
    enum { ADDRESS, RAM, WINDOW, WINDOW_END, NEIGHBOUR_END, REGISTERS } from;
    uint64_t offset;
    /* Subtracted: the whole length, half of it, all but a byte. */
    enum { NOTHING, WHOLE, HALF, ALL_BUT_ONE } back;
    uint32_t len;       /* 0: as long as the thing put there */
    bool no_memory;
} Place;

static const Place places[] = {
    { "in_guest_ram", RAM, RIG_TARGET },
    { "just_below_pool", WINDOW, 0, WHOLE },
    { "over_pool_start", WINDOW, 0, HALF },
    { "over_pool_start_by_one_byte", WINDOW, -1 },
    { "over_pool_end", WINDOW_END, 0, HALF },
    { "over_pool_end_by_one_byte", WINDOW_END, 1, WHOLE },
    { "in_pool_with_first_byte_only", WINDOW_END, -1 },
    { "in_pool_with_last_byte_only", WINDOW, 0, ALL_BUT_ONE },
    { "just_past_pool", WINDOW_END },
    { "around_pool", WINDOW, -0x1000, .len = RIG_WINDOW_SIZE + 0x2000 },
    { "of_huge_length", WINDOW, RIG_BUFFERS - RIG_WINDOW + 0x8000,
      .len = 0xfffffff0 },
    { "in_neighbours_pool", WINDOW_END, 0x8000 },
    { "behind_all_pools", NEIGHBOUR_END },
    { "at_unassigned_high_address", ADDRESS, 1ull << 50, .no_memory = true },
    { "wrapping_to_zero", ADDRESS, 0, HALF, .no_memory = true },
    { "at_own_registers", REGISTERS, .no_memory = true },
};

typedef struct Attack {
    bool packed;
    /* The driver accepts VIRTIO_F_SWIOTLB. */
    bool knows;
    bool indirect;
    const Place *place;
    bool write;
    BlkSegment segment;
    SwiotlbRingArea area;
} Attack;

static uint64_t place_addr(SwiotlbRig *rig, const Place *place, uint32_t len)
{
    const uint64_t from[] = {
        [RAM] = rig->ram_base,
        [WINDOW] = rig->window,
        [WINDOW_END] = rig->window + RIG_WINDOW_SIZE,
        [NEIGHBOUR_END] = rig->window + RIG_WINDOW_SIZE + RIG_NEIGHBOUR_SIZE,
        [REGISTERS] = rig->drv->mmio,
    };
    const uint32_t back[] = {
        [WHOLE] = len,
        [HALF] = len / 2,
        [ALL_BUT_ONE] = len - 1,
    };

    return from[place->from] + place->offset - back[place->back];
}

/* Where the aarch64 machine has its pools, RAM ends as well. */
static bool no_memory(SwiotlbRig *rig, const Place *place)
{
    return place->no_memory ||
           (place->from == NEIGHBOUR_END &&
            place_addr(rig, place, 0) >= rig->ram_base + rig->ram_size);
}

static void negotiate(SwiotlbRig *rig, const Attack *attack)
{
    rig->features = BASIC_FEATURES |
                    (attack->packed ? 1ull << VIRTIO_F_RING_PACKED : 0) |
                    (attack->knows ? 1ull << SWIOTLB_F : 0);
    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
}

static SwiotlbRig *start(const Attack *attack)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE ",packed=on", BLK_DRIVE);

    negotiate(rig, attack);
    return rig;
}

/* After a reset the same device works. */
static void assert_recovers(SwiotlbRig *rig, const Attack *attack)
{
    SwiotlbQueue *vq;

    negotiate(rig, attack);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    swiotlb_queue_free(vq);
}

static void finish(SwiotlbRig *rig, SwiotlbQueue *vq, const Attack *attack)
{
    swiotlb_queue_free(vq);
    assert_recovers(rig, attack);
    swiotlb_rig_free(rig);
}

static void init_request(SwiotlbRig *rig, BlkRequest *req, bool write)
{
    blk_request_init_at(req, write, 1,
                        swiotlb_rig_in_window(rig, RIG_BUFFERS));
}

static void test_buffer(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, 0);
    BlkRequest req;
    SwiotlbDesc *bad = &req.seg[attack->segment];

    swiotlb_rig_driver_ok(rig);
    init_request(rig, &req, attack->write);
    if (bad->len == 1) {
        /* virtio-blk takes the last byte; two can lie on both sides. */
        bad->len = 2;
    }
    bad->addr = place_addr(rig, place, bad->len);
    if (place->len) {
        bad->len = place->len;
    }
    req.no_memory[attack->segment] = no_memory(rig, place);
    blk_request_fill(rig, &req);

    swiotlb_rig_snapshot(rig);
    blk_request_add(rig, vq, &req, attack->indirect);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, bad->addr, bad->len,
                               bad->device_writes ? "write" : "read", true);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, attack);
}

static void test_indirect_table(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, 0);
    uint32_t len = BLK_SEGMENTS * sizeof(struct vring_desc);
    uint64_t table = place_addr(rig, place, len);
    BlkRequest req;

    swiotlb_rig_driver_ok(rig);
    init_request(rig, &req, true);
    blk_request_fill(rig, &req);
    if (!no_memory(rig, place)) {
        swiotlb_table_write(rig->drv, table, req.seg, BLK_SEGMENTS);
    }
    if (place->len) {
        len = place->len;
    }

    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add_indirect(vq, table, len);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, table, len, "read", true);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, attack);
}

static void test_ring(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    uint32_t len = swiotlb_ring_area_size(attack->packed, attack->area);
    uint64_t addr = place_addr(rig, place, len);
    SwiotlbQueue *vq;
    BlkRequest req;

    vq = blk_queue_with_area_at(rig, 0, attack->area, addr,
                                no_memory(rig, place));
    init_request(rig, &req, true);
    blk_request_fill(rig, &req);
    blk_request_add(rig, vq, &req, false);

    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, addr, 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, attack);
}

/* A longer size for a ring that is enabled is not heard. */
static void test_ring_grown(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    uint32_t len = swiotlb_ring_area_size(attack->packed, attack->area);
    SwiotlbQueue *vq;

    vq = blk_queue_with_area_at(rig, 0, attack->area,
                                rig->window + RIG_WINDOW_SIZE - len, false);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    blk_assert_not_grown(rig, vq);

    finish(rig, vq, attack);
}

/* And a smaller one, below the index that the device is at, ends nothing. */
static void test_ring_shrunk(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, 0);

    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    swiotlb_queue_resize(vq, 2);
    swiotlb_queue_kick(vq);
    blk_assert_works(rig, vq);

    finish(rig, vq, attack);
}

/* The rule lets through all that lies inside, to the first and last byte. */
static void test_edges(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(swiotlb_rig_in_window(rig, RIG_RINGS) + 0x8000, area);
    vq = swiotlb_queue_new(rig->drv, 0, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    blk_assert_edges_work(rig, vq);

    finish(rig, vq, attack);
}

/* Provoke a refusal. */
static void be_refused(SwiotlbRig *rig, const Attack *attack)
{
    uint64_t target = rig->ram_base + RIG_TARGET;
    SwiotlbQueue *vq;
    BlkRequest req;

    negotiate(rig, attack);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    init_request(rig, &req, true);
    req.seg[BLK_DATA].addr = target;
    blk_request_fill(rig, &req);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, target, BLK_SECTOR, "read", true);
    swiotlb_queue_free(vq);
}

/* Once refused, a good request is none until the device has been reset. */
static void test_dead_until_reset(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq;

    be_refused(rig, attack);
    vq = swiotlb_rig_queue(rig, 0);
    blk_assert_dead(rig, vq);

    finish(rig, vq, attack);
}

static void test_machine_reset(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);

    be_refused(rig, attack);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), >, 0);
    qtest_system_reset(rig->qts);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
    assert_recovers(rig, attack);
    be_refused(rig, attack);

    finish(rig, NULL, attack);
}

/* A driver that never says FEATURES_OK reaches nothing, not even the pool. */
static void test_without_features_ok(void)
{
    const Attack attack = {};
    SwiotlbRig *rig = start(&attack);
    SwiotlbQueue *vq;
    BlkRequest req;

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    swiotlb_rig_snapshot(rig);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    init_request(rig, &req, true);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_stopped(rig, false);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, &attack);
}

static void test_offered(void)
{
    const uint64_t needed = BASIC_FEATURES | (1ull << SWIOTLB_F);
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);

    g_assert_cmphex(swiotlb_driver_offered(rig->drv) & needed, ==, needed);
    swiotlb_rig_free(rig);
}

/* Its addresses would be those of guest RAM. */
static void test_access_platform_declined(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);

    g_assert_false(swiotlb_driver_negotiate(rig->drv, BASIC_FEATURES &
                                            ~(1ull <<
                                              VIRTIO_F_ACCESS_PLATFORM)));
    swiotlb_rig_free(rig);
}

static void test_required(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE "-global "
                                           "virtio-mmio.swiotlb-required=on ");
    const Attack attack = { .knows = true };

    swiotlb_rig_snapshot(rig);
    g_assert_false(swiotlb_driver_negotiate(rig->drv, BASIC_FEATURES));
    g_assert_true(swiotlb_rig_logged(rig, "FEATURES_OK", "refused", NULL));
    assert_recovers(rig, &attack);
    be_refused(rig, &attack);

    finish(rig, NULL, &attack);
}

/* Without a pool bit 27 is a legacy feature, hidden from modern drivers. */
static void test_without_pool(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE "-global "
                                           "virtio-mmio.swiotlb-pool= ");

    g_assert_cmphex(swiotlb_driver_offered(rig->drv) & (1ull << SWIOTLB_F), ==,
                    0);
    swiotlb_rig_free(rig);
}

/* Ask the neighbour for random bytes at @addr. */
static SwiotlbQueue *ask_neighbour(SwiotlbRig *rig, SwiotlbDriver *neighbour,
                                   uint64_t addr)
{
    const SwiotlbDesc bytes = { addr, 64, true };
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    g_assert_true(swiotlb_driver_negotiate(neighbour, BASIC_FEATURES));
    swiotlb_ring_areas_at(rig->window + RIG_WINDOW_SIZE, area);
    vq = swiotlb_queue_new(neighbour, 0, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    swiotlb_driver_add_status(neighbour, VIRTIO_CONFIG_S_DRIVER_OK);
    swiotlb_queue_add(vq, &bytes, 1);
    swiotlb_queue_kick(vq);
    return vq;
}

/* Of the transport that has a pool to itself: the other is all the others'. */
static void test_own_pool(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);
    SwiotlbDriver *neighbour = swiotlb_rig_neighbour_mmio(rig);
    g_autofree uint8_t *before = g_malloc(RIG_WINDOW_SIZE);
    g_autofree uint8_t *after = g_malloc(RIG_WINDOW_SIZE);
    const Attack attack = {};
    SwiotlbQueue *vq;

    vq = ask_neighbour(rig, neighbour,
                       rig->window + RIG_WINDOW_SIZE + 0x8000);
    g_assert_cmpuint(swiotlb_queue_wait(vq), ==, 64);
    swiotlb_queue_free(vq);

    qtest_memread(rig->qts, rig->window, before, RIG_WINDOW_SIZE);
    vq = ask_neighbour(rig, neighbour, rig->window + 0x8000);
    swiotlb_rig_barrier(rig);
    qtest_memread(rig->qts, rig->window, after, RIG_WINDOW_SIZE);
    g_assert_cmpmem(after, RIG_WINDOW_SIZE, before, RIG_WINDOW_SIZE);
    g_assert_cmphex(swiotlb_driver_status(neighbour) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);

    swiotlb_queue_free(vq);
    swiotlb_driver_free(neighbour);
    assert_recovers(rig, &attack);
    swiotlb_rig_free(rig);
}

/* The table of memory (e820) that firmware gets, and QEMU's number for it */
typedef struct QEMU_PACKED E820Entry {
    uint64_t address;
    uint64_t length;
    uint32_t type;
} E820Entry;

#define E820_RESERVED   2

/* Is this so for exactly one entry? */
static bool is_reserved(const E820Entry *entries, size_t count,
                        uint64_t address, uint64_t length)
{
    int found = 0;

    for (size_t i = 0; i < count; i++) {
        found += le64_to_cpu(entries[i].address) == address &&
                 le64_to_cpu(entries[i].length) == length &&
                 le32_to_cpu(entries[i].type) == E820_RESERVED;
    }
    return found == 1;
}

/* What tells the kernel of virt is a devicetree: tests/mmio/devicetree. */
static void test_reserved(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_mmio(DEVICE, BLK_DRIVE);
    QFWCFG *fw_cfg = pc_fw_cfg_init(rig->qts);
    E820Entry entries[16];
    size_t size = qfw_cfg_get_file(fw_cfg, "etc/e820", entries,
                                   sizeof(entries));

    g_assert_cmpint(size % sizeof(E820Entry), ==, 0);
    g_assert_cmpint(size, <, sizeof(entries));
    g_assert_true(is_reserved(entries, size / sizeof(E820Entry), rig->window,
                              RIG_WINDOW_SIZE));
    g_assert_true(is_reserved(entries, size / sizeof(E820Entry),
                              rig->window + RIG_WINDOW_SIZE,
                              RIG_NEIGHBOUR_SIZE));
    pc_fw_cfg_uninit(fw_cfg);
    swiotlb_rig_free(rig);
}

G_GNUC_PRINTF(3, 4)
static void add(const Attack *attack, void (*fn)(const void *),
                const char *fmt, ...)
{
    g_autofree char *what = NULL;
    g_autofree char *path = NULL;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);

    path = g_strdup_printf("swiotlb/mmio/%s/%s/%s",
                           attack->knows ? "accepted" : "unknown",
                           attack->packed ? "packed" : "split", what);
    qtest_add_data_func_full(path, g_memdup2(attack, sizeof(*attack)), fn,
                             g_free);
}

static void add_place(Attack attack)
{
    static const char *const areas[2][RING_AREAS] = {
        { "descriptor_table", "available_ring", "used_ring" },
        { "descriptor_ring", "driver_event_area", "device_event_area" },
    };
    const char *shape = attack.indirect ? "indirect" : "direct";
    const char *place = attack.place->name;

    attack.segment = BLK_HEADER;
    attack.write = true;
    add(&attack, test_buffer, "%s/header_%s_starts_no_request", shape, place);
    attack.segment = BLK_DATA;
    add(&attack, test_buffer, "%s/write_from_data_%s_reaches_no_disk", shape,
        place);
    attack.write = false;
    add(&attack, test_buffer, "%s/read_to_data_%s_changes_no_memory", shape,
        place);
    attack.segment = BLK_STATUS;
    add(&attack, test_buffer, "%s/status_%s_is_not_written", shape, place);
    add(&attack, test_indirect_table, "indirect/table_%s_is_not_followed",
        place);
    for (attack.area = 0; attack.area < RING_AREAS; attack.area++) {
        /* A ring's length is not the driver's. */
        if (!attack.place->len) {
            add(&attack, test_ring, "ring/%s_%s_is_not_used",
                areas[attack.packed][attack.area], place);
        }
    }
}

static void add_attacks(Attack attack)
{
    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        attack.place = &places[i];
        attack.indirect = i & 1;
        add_place(attack);
    }
    attack.indirect = false;
    add(&attack, test_edges, "first_and_last_byte_of_pool_are_usable");
    add(&attack, test_dead_until_reset, "device_is_dead_until_reset");
    add(&attack, test_machine_reset, "machine_reset_clears_the_counter");
    add(&attack, test_ring_shrunk, "ring/enabled_ring_does_not_shrink");
    for (attack.area = 0; attack.area < RING_AREAS; attack.area++) {
        add(&attack, test_ring_grown, "ring/%s_area_does_not_grow_past_pool",
            attack.area == RING_DESC ? "descriptor" :
            attack.area == RING_DRIVER ? "driver" : "device");
    }
}

/* Each machine is attacked in every way with '-m slow', without by halves. */
static bool is_wanted(const Attack *attack)
{
    return g_test_slow() ||
           (attack->packed == attack->knows) ==
           g_str_equal(qtest_get_arch(), "x86_64");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (int knows = 0; knows < 2; knows++) {
        for (int packed = 0; packed < 2; packed++) {
            const Attack attack = { .packed = packed, .knows = knows };

            if (is_wanted(&attack)) {
                add_attacks(attack);
            }
        }
    }
    qtest_add_func("swiotlb/mmio/features_are_offered", test_offered);
    qtest_add_func("swiotlb/mmio/without_features_ok_nothing_is_reached",
                   test_without_features_ok);
    qtest_add_func("swiotlb/mmio/access_platform_cannot_be_declined",
                   test_access_platform_declined);
    qtest_add_func("swiotlb/mmio/required_feature_cannot_be_declined",
                   test_required);
    qtest_add_func("swiotlb/mmio/without_pool_nothing_is_offered",
                   test_without_pool);
    qtest_add_func("swiotlb/mmio/own_pool_is_reached_and_no_other",
                   test_own_pool);
    if (g_str_equal(qtest_get_arch(), "x86_64")) {
        qtest_add_func("swiotlb/mmio/pools_are_reserved_in_e820",
                       test_reserved);
    }

    return g_test_run();
}
