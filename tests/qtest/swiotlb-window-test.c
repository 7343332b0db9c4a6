/*
 * The window follows its BAR, and is gone when the BAR is
 *
 * Registers that the BAR no longer shows are reached through the PCI_CFG
 * capability, so that a driver can kick a device whose window has gone.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"

#define ELSEWHERE       0xe8000000ull
#define HIGH            (1ull << 39)

/* PCI_PM_CTRL_STATE_MASK of PCI_PM_CTRL */
#define PCI_D0          0
#define PCI_D3hot       3

static SwiotlbRig *start(const BlkVariant *c, SwiotlbQueue **vq)
{
    SwiotlbRig *rig = swiotlb_rig_new(c->device, c->extra);

    *vq = blk_variant_go(rig, c);
    return rig;
}

/* A write request to be found at the window's usual place. */
static void add_request(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    BlkRequest req;

    blk_request_init(&req, true, 1);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
}

static void finish(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_queue_free(vq);
    swiotlb_rig_map(rig);
    rig->drv->use_cfg_cap = false;
    blk_assert_recovers(rig, 0);
    swiotlb_rig_free(rig);
}

static bool window_holds_rings_at(SwiotlbRig *rig, SwiotlbQueue *vq,
                                  uint64_t window)
{
    for (int i = 0; i < RING_AREAS; i++) {
        vq->area[i] += window - RIG_WINDOW;
    }
    return !swiotlb_queue_get(vq, NULL);
}

static void test_bar_moved(const void *opaque)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);

    add_request(rig, vq);
    swiotlb_rig_snapshot(rig);
    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, ELSEWHERE);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    g_assert_true(window_holds_rings_at(rig, vq, ELSEWHERE));
    finish(rig, vq);
}

/* What lay in the window before stays out of reach at its old address. */
static void test_only_new_place_works(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(c, &vq);
    static const uint64_t place[] = { ELSEWHERE, HIGH };

    for (int i = 0; i < ARRAY_SIZE(place); i++) {
        uint64_t delta = place[i] - RIG_WINDOW;
        BlkRequest req;

        swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, place[i]);
        swiotlb_queue_free(vq);
        g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
        vq = swiotlb_queue_new(rig->drv, 0, (uint64_t[]) {
            RIG_RINGS + delta, RIG_RINGS + delta + 0x1000,
            RIG_RINGS + delta + 0x2000,
        });
        swiotlb_queue_clear(vq);
        swiotlb_queue_enable(vq);
        swiotlb_rig_driver_ok(rig);
        for (int write = 0; write < 2; write++) {
            blk_request_init_at(&req, write, 9, RIG_BUFFERS + delta);
            blk_request_assert_done(rig, vq, &req);
        }

        req.seg[BLK_DATA].addr -= delta;
        blk_request_fill(rig, &req);
        swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
        swiotlb_rig_snapshot(rig);
        swiotlb_queue_kick(vq);
        swiotlb_rig_assert_refused(rig, req.seg[BLK_DATA].addr, BLK_SECTOR,
                                   "read", true);
        g_assert_false(swiotlb_queue_get(vq, NULL));
    }
    finish(rig, vq);
}

/* Moved away and back with nothing asked for in between. */
static void test_bar_moved_back(const void *opaque)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);

    add_request(rig, vq);
    swiotlb_rig_snapshot(rig);
    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, ELSEWHERE);
    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, RIG_WINDOW);
    swiotlb_queue_kick(vq);
    /* Works, or refused and none the worse: never anything in between. */
    swiotlb_rig_barrier(rig);
    if (swiotlb_driver_status(rig->drv) & VIRTIO_CONFIG_S_NEEDS_RESET) {
        swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
        g_assert_false(swiotlb_queue_get(vq, NULL));
    } else {
        swiotlb_queue_wait(vq);
        blk_assert_works(rig, vq);
    }
    finish(rig, vq);
}

/* Guest RAM comes first on the bus: a BAR beneath it is no window there. */
static void test_bar_moved_under_ram(const void *opaque)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);
    BlkRequest req;

    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, RIG_TARGET);
    swiotlb_queue_free(vq);
    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    vq = swiotlb_queue_new(rig->drv, 0, (uint64_t[]) {
        RIG_TARGET, RIG_TARGET + 0x1000, RIG_TARGET + 0x2000,
    });
    swiotlb_queue_clear(vq);
    blk_request_init_at(&req, true, 1, RIG_TARGET + 0x10000);
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    /* The device may see its window there; it never sees guest RAM. */
    swiotlb_rig_assert_untouched(rig);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

static void test_decoding_off(const void *opaque)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);

    add_request(rig, vq);
    rig->drv->use_cfg_cap = true;
    swiotlb_rig_snapshot(rig);
    swiotlb_driver_command(rig->drv, 0, PCI_COMMAND_MEMORY);
    swiotlb_queue_kick(vq);
    /* The neighbour answers for itself. */
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    swiotlb_driver_command(rig->drv, PCI_COMMAND_MEMORY, 0);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

/* The whole life of a driver without decoding: no window, so no access. */
static void test_no_decoding_from_the_start(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(c, &vq);

    rig->drv->use_cfg_cap = true;
    add_request(rig, vq);
    swiotlb_driver_command(rig->drv, 0, PCI_COMMAND_MEMORY);
    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    swiotlb_driver_command(rig->drv, PCI_COMMAND_MEMORY, 0);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

static void bus_master_off(const void *opaque, bool use_cfg_cap)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);

    add_request(rig, vq);
    swiotlb_rig_snapshot(rig);
    swiotlb_driver_command(rig->drv, 0, PCI_COMMAND_MASTER);
    rig->drv->use_cfg_cap = use_cfg_cap;
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);
    /* virtio-pci takes DRIVER_OK away with the bit; ask for it again. */
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

static void test_bus_master_off(const void *opaque)
{
    bus_master_off(opaque, false);
}

static void test_bus_master_off_cfg_cap(const void *opaque)
{
    bus_master_off(opaque, true);
}

/* New rings while the bit is off: there is no window for them to lie in. */
static void test_rings_without_bus_master(const void *opaque)
{
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(opaque, &vq);

    swiotlb_driver_command(rig->drv, 0, PCI_COMMAND_MASTER);
    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    swiotlb_queue_clear(vq);
    add_request(rig, vq);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

/* The good case of the tests above: the capability is as good as the BAR. */
static void test_cfg_cap(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(c, &vq);

    swiotlb_queue_free(vq);
    rig->drv->use_cfg_cap = true;
    swiotlb_rig_negotiate(rig, c->features);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    finish(rig, vq);
}

/* The machine forgets where the BAR was, and so does the device. */
static void test_machine_reset(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbQueue *vq;
    SwiotlbRig *rig = start(c, &vq);

    add_request(rig, vq);
    qtest_system_reset(rig->qts);
    rig->drv->use_cfg_cap = true;
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);

    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    finish(rig, vq);
}

/*
 * Resets and power states of PCI Express: the registers answer through the
 * PCI_CFG capability, and there is no window to be had.
 */
static void assert_closed(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    rig->drv->use_cfg_cap = true;
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);

    g_assert_true(swiotlb_driver_negotiate(rig->drv, rig->features));
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
}

static void test_function_level_reset(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbRig *rig = swiotlb_rig_new_express(c->device, c->extra);
    SwiotlbQueue *vq = blk_variant_go(rig, c);

    add_request(rig, vq);
    swiotlb_driver_function_reset(rig->drv);
    assert_closed(rig, vq);
    finish(rig, vq);
}

static void test_bus_reset(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbRig *rig = swiotlb_rig_new_express(c->device, c->extra);
    SwiotlbQueue *vq = blk_variant_go(rig, c);

    add_request(rig, vq);
    swiotlb_rig_reset_bus(rig);
    assert_closed(rig, vq);
    finish(rig, vq);
}

static void test_power_down(const void *opaque)
{
    const BlkVariant *c = opaque;
    SwiotlbRig *rig = swiotlb_rig_new_express(c->device, c->extra);
    SwiotlbQueue *vq = blk_variant_go(rig, c);
    QPCIDevice *pci = rig->drv->pci;
    uint8_t cap = qpci_find_capability(pci, PCI_CAP_ID_PM, 0);

    add_request(rig, vq);
    rig->drv->use_cfg_cap = true;
    swiotlb_rig_snapshot(rig);
    qpci_config_writew(pci, cap + PCI_PM_CTRL, PCI_D3hot);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);
    qpci_config_writew(pci, cap + PCI_PM_CTRL, PCI_D0);
    swiotlb_rig_map(rig);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    finish(rig, vq);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(const void *);
    } tests[] = {
        { "moved_window_leaves_rings_behind", test_bar_moved },
        { "only_the_new_place_works", test_only_new_place_works },
        { "moved_and_back_is_whole_or_refused", test_bar_moved_back },
        { "window_under_ram_reaches_no_ram", test_bar_moved_under_ram },
        { "no_decoding_is_no_window", test_decoding_off },
        { "no_decoding_from_the_start_is_no_window",
          test_no_decoding_from_the_start },
        { "no_bus_master_is_no_window", test_bus_master_off },
        { "no_bus_master_through_cfg_cap_is_no_window",
          test_bus_master_off_cfg_cap },
        { "rings_without_bus_master_are_refused",
          test_rings_without_bus_master },
        { "cfg_cap_drives_the_device", test_cfg_cap },
        { "machine_reset_closes_window", test_machine_reset },
        { "function_level_reset_closes_window", test_function_level_reset },
        { "bus_reset_closes_window", test_bus_reset },
        { "power_down_closes_window", test_power_down },
    };

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < BLK_VARIANTS; i++) {
        for (int j = 0; j < ARRAY_SIZE(tests); j++) {
            g_autofree char *path = g_strdup_printf("swiotlb/window/%s/%s",
                                                    blk_variants[i].name,
                                                    tests[j].name);

            qtest_add_data_func(path, &blk_variants[i], tests[j].fn);
        }
    }

    return g_test_run();
}
