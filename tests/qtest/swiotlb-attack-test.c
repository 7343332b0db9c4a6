/*
 * Attacks on virtio-blk with a window: addresses of buffers, tables and rings
 *
 * Each test hands the device one address that the rule forbids, set up so that
 * a device which does not look would carry the request out.  The asserts are
 * about the damage: the request is not completed, the disk image and all of
 * guest RAM are as before, the refusal is visible on every side, and after a
 * reset the same device works.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"

#define WINDOW_END      (RIG_WINDOW + RIG_WINDOW_SIZE)
#define HPET            0xfed00000ull
#define IOAPIC          0xfec00000ull
#define LOCAL_APIC      0xfee00000ull
#define FIRMWARE        0xffff0000ull

typedef struct Place {
    const char *name;
    uint64_t addr;
    /* Subtracted from @addr: the whole length, half of it, all but a byte. */
    enum { NOTHING, WHOLE, HALF, ALL_BUT_ONE } back;
    uint32_t len;       /* 0: as long as the thing put there */
    bool no_memory;
    /* One of its kind; enough where all kinds were tried another way. */
    bool typical;
} Place;

static const Place places[] = {
    { "in_guest_ram", RIG_TARGET, .typical = true },
    { "at_address_zero", 0 },
    { "just_below_window", RIG_WINDOW, WHOLE },
    { "over_window_start", RIG_WINDOW, HALF, .typical = true },
    { "over_window_start_by_one_byte", RIG_WINDOW - 1 },
    { "over_window_end", WINDOW_END, HALF, .typical = true },
    { "over_window_end_by_one_byte", WINDOW_END + 1, WHOLE },
    { "in_window_with_first_byte_only", WINDOW_END - 1 },
    { "in_window_with_last_byte_only", RIG_WINDOW, ALL_BUT_ONE },
    { "just_past_window", WINDOW_END },
    { "around_window", RIG_WINDOW - 0x1000, .len = RIG_WINDOW_SIZE + 0x2000 },
    { "longer_than_window", RIG_WINDOW, .len = RIG_WINDOW_SIZE + 0x1000 },
    { "of_huge_length", RIG_BUFFERS + 0x8000, .len = 0xfffffff0,
      .typical = true },
    { "in_neighbours_window", RIG_NEIGHBOUR + 0x8000 },
    { "at_unassigned_address", 0xd0000000ull, .no_memory = true,
      .typical = true },
    { "at_unassigned_high_address", 1ull << 50, .no_memory = true },
    { "at_top_of_address_space", 0, WHOLE, .no_memory = true },
    { "wrapping_to_zero", 0, HALF, .no_memory = true, .typical = true },
    { "wrapping_into_window", -0x1000ull, .len = RIG_WINDOW + 0x2000,
      .no_memory = true },
    { "at_own_registers", RIG_MODERN, .no_memory = true, .typical = true },
    { "at_hpet", HPET, .no_memory = true },
    { "at_ioapic", IOAPIC, .no_memory = true },
    { "at_local_apic", LOCAL_APIC, .no_memory = true },
    { "in_firmware", FIRMWARE, .no_memory = true },
};

/*
 * How a device is built, and which of its queues is attacked.  An I/O thread
 * may poll, and take a request before it is notified of it: requests are made
 * available last.
 */
typedef struct Variant {
    const char *name;
    const char *device;
    const char *extra;
    uint16_t queue;
} Variant;

static const Variant plain = {
    .device = BLK_DEVICE ",packed=on",
    .extra = BLK_DRIVE,
};

static const Variant variants[] = {
    {
        .name = "multiqueue",
        .device = BLK_DEVICE ",packed=on,num-queues=4",
        .extra = BLK_DRIVE,
        .queue = 3,
    }, {
        .name = "iothread",
        .device = BLK_DEVICE ",packed=on,num-queues=4,iothread=io0",
        .extra = BLK_DRIVE "-object iothread,id=io0",
        .queue = 3,
    }, {
        .name = "iothread_vq_mapping",
        .device = "{\"driver\": \"virtio-blk-pci\", \"drive\": \"disk\","
                  " \"packed\": true, \"num-queues\": 4,"
                  " \"iothread-vq-mapping\": [{\"iothread\": \"io0\"},"
                  " {\"iothread\": \"io1\"}]}",
        .extra = BLK_DRIVE "-object iothread,id=io0 -object iothread,id=io1",
        .queue = 3,
    },
};

typedef struct Attack {
    const Variant *variant;
    bool packed;
    bool indirect;
    /* What is put where. */
    const Place *place;
    bool write;
    BlkSegment segment;
    SwiotlbRingArea area;
} Attack;

static uint64_t place_addr(const Place *place, uint32_t len)
{
    switch (place->back) {
    case WHOLE:
        return place->addr - len;
    case HALF:
        return place->addr - len / 2;
    case ALL_BUT_ONE:
        return place->addr - (len - 1);
    default:
        return place->addr;
    }
}

static SwiotlbRig *start(const Attack *attack)
{
    SwiotlbRig *rig = swiotlb_rig_new(attack->variant->device,
                                      attack->variant->extra);

    swiotlb_rig_negotiate(rig, (1ull << VIRTIO_RING_F_INDIRECT_DESC) |
                          (attack->packed ? 1ull << VIRTIO_F_RING_PACKED : 0));
    return rig;
}

static void finish(SwiotlbRig *rig, SwiotlbQueue *vq, const Attack *attack)
{
    swiotlb_queue_free(vq);
    blk_assert_recovers(rig, attack->variant->queue);
    swiotlb_rig_free(rig);
}

/* The window's own buffers, which a refused request must not reach either. */
static uint8_t *read_buffers(SwiotlbRig *rig)
{
    uint8_t *buffers = g_malloc(RIG_BUFFERS_SIZE);

    qtest_bufread(rig->qts, RIG_BUFFERS, buffers, RIG_BUFFERS_SIZE);
    return buffers;
}

static void assert_request_untouched(SwiotlbRig *rig, SwiotlbQueue *vq,
                                     const uint8_t *buffers)
{
    g_autofree uint8_t *now = read_buffers(rig);

    g_assert_false(swiotlb_queue_get(vq, NULL));
    g_assert_cmpmem(now, RIG_BUFFERS_SIZE, buffers, RIG_BUFFERS_SIZE);
}

static void test_buffer(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, attack->variant->queue);
    g_autofree uint8_t *buffers = NULL;
    BlkRequest req;
    SwiotlbDesc *bad = &req.seg[attack->segment];

    swiotlb_rig_driver_ok(rig);
    blk_request_init(&req, attack->write, 1);
    if (bad->len == 1) {
        /* virtio-blk takes the last byte; two can lie on both sides. */
        bad->len = 2;
    }
    bad->addr = place_addr(place, bad->len);
    if (place->len) {
        bad->len = place->len;
    }
    req.no_memory[attack->segment] = place->no_memory;
    blk_request_fill(rig, &req);
    buffers = read_buffers(rig);

    swiotlb_rig_snapshot(rig);
    blk_request_add(rig, vq, &req, attack->indirect);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, bad->addr, bad->len,
                               bad->device_writes ? "write" : "read", true);
    assert_request_untouched(rig, vq, buffers);

    finish(rig, vq, attack);
}

static void test_indirect_table(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, attack->variant->queue);
    uint32_t len = BLK_SEGMENTS * sizeof(struct vring_desc);
    uint64_t table = place_addr(place, len);
    g_autofree uint8_t *buffers = NULL;
    BlkRequest req;

    swiotlb_rig_driver_ok(rig);
    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    if (!place->no_memory) {
        swiotlb_table_write(rig->drv, table, req.seg, BLK_SEGMENTS);
    }
    if (place->len) {
        len = place->len;
    }
    buffers = read_buffers(rig);

    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add_indirect(vq, table, len);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, table, len, "read", true);
    assert_request_untouched(rig, vq, buffers);

    finish(rig, vq, attack);
}

/* No bytes are none that could be read, wherever the table lies. */
static void test_empty_table(const void *opaque)
{
    const Attack *attack = opaque;
    const uint64_t places[] = { RIG_TABLE, RIG_TARGET };
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq;
    BlkRequest req;

    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        swiotlb_rig_negotiate(rig, rig->features);
        vq = swiotlb_rig_queue(rig, attack->variant->queue);
        swiotlb_rig_driver_ok(rig);
        blk_request_init(&req, true, 1);
        blk_request_fill(rig, &req);
        swiotlb_table_write(rig->drv, places[i], req.seg, BLK_SEGMENTS);

        swiotlb_rig_snapshot(rig);
        swiotlb_queue_add_indirect(vq, places[i], 0);
        swiotlb_queue_kick(vq);
        swiotlb_rig_assert_untouched(rig);
        g_assert_false(swiotlb_queue_get(vq, NULL));
        g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
        swiotlb_queue_free(vq);
    }

    finish(rig, NULL, attack);
}

static void test_ring(const void *opaque)
{
    const Attack *attack = opaque;
    const Place *place = attack->place;
    SwiotlbRig *rig = start(attack);
    uint32_t len = swiotlb_ring_area_size(attack->packed, attack->area);
    uint64_t addr = place_addr(place, len);
    g_autofree uint8_t *buffers = NULL;
    SwiotlbQueue *vq;
    BlkRequest req;

    vq = blk_queue_with_area_at(rig, attack->variant->queue, attack->area,
                                addr, place->no_memory);
    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    blk_request_add(rig, vq, &req, attack->indirect);
    buffers = read_buffers(rig);

    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, addr, 0, NULL, true);
    assert_request_untouched(rig, vq, buffers);

    finish(rig, vq, attack);
}

/*
 * A ring that fits when it is enabled and is then declared to be longer: not
 * heard, or refused, but never followed out of the window.
 */
static void test_ring_grown(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    uint32_t len = swiotlb_ring_area_size(attack->packed, attack->area);
    SwiotlbQueue *vq;

    vq = blk_queue_with_area_at(rig, attack->variant->queue, attack->area,
                                WINDOW_END - len, false);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    blk_assert_not_grown(rig, vq);

    finish(rig, vq, attack);
}

/* EVENT_IDX adds two bytes to each ring; here they are past the window. */
static void test_event_idx(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    uint32_t len = swiotlb_ring_area_size(attack->packed, attack->area);
    SwiotlbQueue *vq;
    BlkRequest req;

    vq = blk_queue_with_area_at(rig, attack->variant->queue, attack->area,
                                WINDOW_END - len, false);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);

    swiotlb_rig_negotiate(rig, 1ull << VIRTIO_RING_F_EVENT_IDX);
    swiotlb_queue_clear(vq);
    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, WINDOW_END - len, 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, attack);
}

/* The rule lets through all that lies inside, to the first and last byte. */
static void test_edges(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(RIG_RINGS + 0x8000, area);
    vq = swiotlb_queue_new(rig->drv, attack->variant->queue, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    blk_assert_edges_work(rig, vq);

    finish(rig, vq, attack);
}

/* Once refused, a good request is none until the device has been reset. */
static void test_dead_until_reset(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, attack->variant->queue);
    BlkRequest req;

    swiotlb_rig_driver_ok(rig);
    blk_request_init_at(&req, true, 1, RIG_TARGET);
    blk_request_fill(rig, &req);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, req.seg[BLK_HEADER].addr,
                               req.seg[BLK_HEADER].len, "read", true);
    blk_assert_dead(rig, vq);

    finish(rig, vq, attack);
}

/* A good request, then a bad one in the same notification. */
static void test_good_before_bad(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq = swiotlb_rig_queue(rig, attack->variant->queue);
    BlkRequest good, bad;

    swiotlb_rig_driver_ok(rig);
    blk_request_init(&good, false, 1);
    blk_request_fill(rig, &good);
    blk_request_init_at(&bad, true, 2, RIG_BUFFERS + 0x4000);
    bad.seg[BLK_DATA].addr = RIG_TARGET;
    blk_request_fill(rig, &bad);

    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, good.seg, BLK_SEGMENTS);
    swiotlb_queue_add(vq, bad.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, RIG_TARGET, BLK_SECTOR, "read", true);
    /* The first may be done or not; the second never. */
    swiotlb_queue_get(vq, NULL);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    g_assert_cmpint(qtest_readb(rig->qts, bad.seg[BLK_STATUS].addr), ==, 0xff);

    finish(rig, vq, attack);
}

/* VIRTIO_F_RING_RESET: the new place is judged like the first one. */
static void test_queue_reset(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    SwiotlbQueue *vq;
    BlkRequest req;

    swiotlb_rig_negotiate(rig, rig->features | (1ull << VIRTIO_F_RING_RESET));
    vq = swiotlb_rig_queue(rig, attack->variant->queue);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);

    swiotlb_queue_reset(vq);
    swiotlb_ring_areas_at(RIG_RINGS + 0x40000, vq->area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    blk_assert_works(rig, vq);

    swiotlb_queue_reset(vq);
    vq->area[attack->area] = RIG_TARGET_RINGS;
    swiotlb_queue_clear(vq);
    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, RIG_TARGET_RINGS, 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));

    finish(rig, vq, attack);
}

/* The refusal arrives as a message when the driver asked for one. */
static void test_msix(const void *opaque)
{
    const Attack *attack = opaque;
    SwiotlbRig *rig = start(attack);
    const uint64_t message = RIG_WINDOW + RIG_WINDOW_SIZE / 2;
    QPCIDevice *pci = rig->drv->pci;
    SwiotlbQueue *vq;
    BlkRequest req;
    uint8_t cap = qpci_find_capability(pci, PCI_CAP_ID_MSIX, 0);
    uint32_t table = qpci_config_readl(pci, cap + PCI_MSIX_TABLE);
    uint64_t entry = RIG_MSIX + (table & PCI_MSIX_TABLE_OFFSET);

    swiotlb_driver_move_bar(rig->drv, table & PCI_MSIX_TABLE_BIR, RIG_MSIX);
    qtest_writel(rig->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, message);
    qtest_writel(rig->qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    qtest_writel(rig->qts, entry + PCI_MSIX_ENTRY_DATA, 0x5157);
    qtest_writel(rig->qts, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    qpci_config_writew(pci, cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    swiotlb_driver_set_config_vector(rig->drv, 0);

    vq = swiotlb_rig_queue(rig, attack->variant->queue);
    swiotlb_rig_driver_ok(rig);
    qtest_writel(rig->qts, message, 0);
    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    req.seg[BLK_DATA].addr = RIG_TARGET;
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, RIG_TARGET, BLK_SECTOR, "read", false);
    g_assert_cmphex(qtest_readl(rig->qts, message), ==, 0x5157);

    qpci_config_writew(pci, cap + PCI_MSIX_FLAGS, 0);
    finish(rig, vq, attack);
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

    path = g_strdup_printf("swiotlb/attack/%s%s%s/%s",
                           attack->variant->name ?: "",
                           attack->variant->name ? "/" : "",
                           attack->packed ? "packed" : "split", what);
    qtest_add_data_func_full(path, g_memdup2(attack, sizeof(*attack)), fn,
                             g_free);
}

static void add_buffer_attacks(Attack attack)
{
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
}

static void add_ring_attacks(Attack attack)
{
    static const char *const name[2][RING_AREAS] = {
        { "descriptor_table", "available_ring", "used_ring" },
        { "descriptor_ring", "driver_event_area", "device_event_area" },
    };

    for (attack.area = 0; attack.area < RING_AREAS; attack.area++) {
        if (attack.place->len ||
            (attack.place->addr == 0 && attack.place->back == NOTHING)) {
            /* A ring's length is not the driver's, and 0 is no ring. */
            continue;
        }
        add(&attack, test_ring, "ring/%s_%s_is_not_used",
            name[attack.packed][attack.area], attack.place->name);
    }
}

static void add_attacks(Attack attack)
{
    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        attack.place = &places[i];
        attack.indirect = false;
        add_buffer_attacks(attack);
        add_ring_attacks(attack);
        attack.indirect = true;
        if (attack.place->typical) {
            add_buffer_attacks(attack);
        }
        add(&attack, test_indirect_table,
            "indirect/table_%s_is_not_followed", attack.place->name);
    }

    add(&attack, test_empty_table, "indirect/empty_table_is_not_followed");
    attack.indirect = false;
    add(&attack, test_edges, "first_and_last_byte_of_window_are_usable");
    add(&attack, test_dead_until_reset, "device_is_dead_until_reset");
    add(&attack, test_good_before_bad, "good_request_does_not_cover_bad_one");
    add(&attack, test_msix, "refusal_sends_configuration_message");
    for (attack.area = 0; attack.area < RING_AREAS; attack.area++) {
        add(&attack, test_ring_grown, "ring/%s_area_does_not_grow_past_window",
            attack.area == RING_DESC ? "descriptor" :
            attack.area == RING_DRIVER ? "driver" : "device");
        add(&attack, test_queue_reset, "queue_reset/%s_area_is_judged_again",
            attack.area == RING_DESC ? "descriptor" :
            attack.area == RING_DRIVER ? "driver" : "device");
    }
    if (!attack.packed) {
        attack.area = RING_DRIVER;
        add(&attack, test_event_idx, "ring/used_event_past_window_is_not_used");
        attack.area = RING_DEVICE;
        add(&attack, test_event_idx,
            "ring/avail_event_past_window_is_not_used");
    }
}

/* Queues of their own, and threads of their own: the same wall. */
static void add_variant_attacks(Attack attack)
{
    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        attack.place = &places[i];
        if (!attack.place->typical) {
            continue;
        }
        attack.indirect = i & 1;
        add_buffer_attacks(attack);
        attack.indirect = true;
        add(&attack, test_indirect_table,
            "indirect/table_%s_is_not_followed", attack.place->name);
    }
    attack.indirect = false;
    add(&attack, test_edges, "first_and_last_byte_of_window_are_usable");
    add(&attack, test_dead_until_reset, "device_is_dead_until_reset");
    add(&attack, test_good_before_bad, "good_request_does_not_cover_bad_one");
    attack.place = &places[0];
    add_ring_attacks(attack);
    attack.area = RING_DESC;
    add(&attack, test_queue_reset,
        "queue_reset/descriptor_area_is_judged_again");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (int packed = 0; packed < 2; packed++) {
        add_attacks((Attack) { .variant = &plain, .packed = packed });
        for (int i = 0; i < ARRAY_SIZE(variants); i++) {
            /* A variant has both layouts with '-m slow', else one by turns. */
            if (g_test_slow() || packed == i % 2) {
                add_variant_attacks((Attack) {
                    .variant = &variants[i],
                    .packed = packed,
                });
            }
        }
    }

    return g_test_run();
}
