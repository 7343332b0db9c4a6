/*
 * Who may do what before, without and after feature negotiation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/virtio_config.h"

#define BIT_WINDOW      (1ull << SWIOTLB_F)
#define BIT_VERSION_1   (1ull << VIRTIO_F_VERSION_1)
#define BIT_PLATFORM    (1ull << VIRTIO_F_ACCESS_PLATFORM)
#define BIT_PACKED      (1ull << VIRTIO_F_RING_PACKED)
#define ALL_BITS        (BIT_WINDOW | BIT_VERSION_1 | BIT_PLATFORM)

#define OPTIONAL        "swiotlb=on,swiotlb-required=off,swiotlb-size=1M"

static SwiotlbRig *start(void)
{
    return swiotlb_rig_new(BLK_DEVICE ",packed=on", BLK_DRIVE);
}

static SwiotlbRig *start_optional(void)
{
    return swiotlb_rig_new_full(BLK_DEVICE ",packed=on", OPTIONAL, BLK_DRIVE);
}

/* A queue in guest RAM with a request of guest RAM in it, made available. */
static SwiotlbQueue *queue_in_ram(SwiotlbRig *rig, BlkRequest *req, bool write)
{
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(RIG_TARGET_RINGS, area);
    vq = swiotlb_queue_new(rig->drv, 0, area);
    swiotlb_queue_clear(vq);
    blk_request_init_at(req, write, 1, RIG_TARGET);
    blk_request_fill(rig, req);
    swiotlb_queue_add(vq, req->seg, BLK_SEGMENTS);

    return vq;
}

/* The same, of which only the queue lies in the window. */
static SwiotlbQueue *queue_in_window(SwiotlbRig *rig, BlkRequest *req,
                                     bool write)
{
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(RIG_RINGS, area);
    vq = swiotlb_queue_new(rig->drv, 0, area);
    swiotlb_queue_clear(vq);
    blk_request_init_at(req, write, 1, RIG_TARGET);
    blk_request_fill(rig, req);
    swiotlb_queue_add(vq, req->seg, BLK_SEGMENTS);

    return vq;
}

/*
 * Do all that a driver could do, as if negotiation had gone well, and see that
 * it leads nowhere.
 */
static void assert_reaches_nothing(SwiotlbRig *rig)
{
    static SwiotlbQueue *(*const make[])(SwiotlbRig *, BlkRequest *, bool) = {
        queue_in_ram, queue_in_window,
    };
    uint8_t status = swiotlb_driver_status(rig->drv);

    for (int i = 0; i < ARRAY_SIZE(make) * 2; i++) {
        bool write = i & 1;
        BlkRequest req;
        SwiotlbQueue *vq = make[i / 2](rig, &req, write);

        swiotlb_rig_snapshot(rig);
        swiotlb_queue_enable(vq);
        /* Kicked before DRIVER_OK, and after. */
        swiotlb_queue_kick(vq);
        swiotlb_driver_set_status(rig->drv, status | VIRTIO_CONFIG_S_DRIVER_OK);
        swiotlb_queue_kick(vq);
        swiotlb_rig_assert_untouched(rig);
        g_assert_false(swiotlb_queue_get(vq, NULL));
        swiotlb_queue_free(vq);
    }
}

/* The same device, and a driver that plays by the rules. */
static void finish(SwiotlbRig *rig)
{
    rig->features = 0;
    blk_assert_recovers(rig, 0);
    rig->features = BIT_PACKED;
    blk_assert_recovers(rig, 0);
    swiotlb_rig_free(rig);
}

/* FEATURES_OK must not stick with these, and nothing may follow. */
static void test_refused_features(const void *opaque)
{
    uint64_t features = *(const uint64_t *)opaque;
    SwiotlbRig *rig = start();
    uint64_t offered = swiotlb_driver_offered(rig->drv);

    g_assert_cmphex(offered & ALL_BITS, ==, ALL_BITS);
    swiotlb_rig_snapshot(rig);
    g_assert_false(swiotlb_driver_negotiate(rig->drv, features));
    g_assert_true(swiotlb_rig_logged(rig, "FEATURES_OK", NULL));
    assert_reaches_nothing(rig);
    finish(rig);
}

static void test_no_features_at_all(void)
{
    SwiotlbRig *rig = start();

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    assert_reaches_nothing(rig);
    finish(rig);
}

static void test_no_status_at_all(void)
{
    SwiotlbRig *rig = start();

    swiotlb_driver_reset(rig->drv);
    assert_reaches_nothing(rig);
    finish(rig);
}

/* All bits but no FEATURES_OK: DRIVER_OK does not make up for it. */
static void test_driver_ok_without_features_ok(const void *opaque)
{
    uint64_t features = *(const uint64_t *)opaque;
    SwiotlbRig *rig = start();

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    swiotlb_driver_write_features(rig->drv, features);
    assert_reaches_nothing(rig);
    finish(rig);
}

/* FEATURES_OK and DRIVER_OK written as one. */
static void test_all_status_bits_at_once(void)
{
    SwiotlbRig *rig = start();

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_write_features(rig->drv, BIT_VERSION_1 | BIT_PLATFORM);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER |
                              VIRTIO_CONFIG_S_FEATURES_OK |
                              VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                    VIRTIO_CONFIG_S_FEATURES_OK, ==, 0);
    assert_reaches_nothing(rig);
    finish(rig);
}

/* Accepted, then taken back while FEATURES_OK is set: too late. */
static void test_features_withdrawn(void)
{
    SwiotlbRig *rig = start();
    BlkRequest req;
    SwiotlbQueue *vq;

    swiotlb_rig_negotiate(rig, 0);
    swiotlb_driver_write_features(rig->drv, BIT_VERSION_1 | BIT_PLATFORM);
    vq = queue_in_ram(rig, &req, true);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    swiotlb_queue_free(vq);
    finish(rig);
}

/* Accepted, FEATURES_OK taken back, then declined without a reset: no use. */
static void test_renegotiated_without_reset(void)
{
    SwiotlbRig *rig = start();

    swiotlb_rig_negotiate(rig, 0);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    swiotlb_driver_write_features(rig->drv, BIT_VERSION_1 | BIT_PLATFORM);
    swiotlb_driver_add_status(rig->drv, VIRTIO_CONFIG_S_FEATURES_OK);
    assert_reaches_nothing(rig);
    finish(rig);
}

static void test_changes_its_mind(void)
{
    SwiotlbRig *rig = start();

    for (int i = 0; i < 3; i++) {
        swiotlb_rig_negotiate(rig, i & 1 ? BIT_PACKED : 0);
        blk_assert_recovers(rig, 0);
        g_assert_false(swiotlb_driver_negotiate(rig->drv, BIT_VERSION_1 |
                                                BIT_PLATFORM));
        assert_reaches_nothing(rig);
    }
    finish(rig);
}

/* The queue is told where it lies before the window is accepted. */
static void test_rings_before_features(const void *opaque)
{
    const bool *required = opaque;
    SwiotlbRig *rig = *required ? start() : start_optional();
    BlkRequest req;
    SwiotlbQueue *vq;

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    vq = queue_in_ram(rig, &req, true);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_driver_write_features(rig->drv, ALL_BITS);
    swiotlb_driver_add_status(rig->drv, VIRTIO_CONFIG_S_FEATURES_OK);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, vq->area[RING_DESC], 0, NULL, true);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    swiotlb_queue_free(vq);
    finish(rig);
}

static void assert_ordinary_dma_at(SwiotlbRig *rig, uint64_t features,
                                   uint64_t base)
{
    uint64_t rejected = swiotlb_rig_rejected(rig);
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;
    BlkRequest req;

    g_assert_true(swiotlb_driver_negotiate(rig->drv, features));
    swiotlb_ring_areas_at(RIG_TARGET_RINGS, area);
    vq = swiotlb_queue_new(rig->drv, 0, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    for (uint64_t sector = 20; sector < 24; sector++) {
        blk_request_init_at(&req, sector & 1, sector, base);
        blk_request_assert_done(rig, vq, &req);
    }
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, rejected);
    swiotlb_queue_free(vq);
}

static void assert_ordinary_dma(SwiotlbRig *rig, uint64_t features)
{
    assert_ordinary_dma_at(rig, features, RIG_TARGET);
}

static void assert_held_to_window(SwiotlbRig *rig, uint64_t features)
{
    BlkRequest req;
    SwiotlbQueue *vq;

    swiotlb_rig_negotiate(rig, features);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    blk_request_init(&req, true, 1);
    req.seg[BLK_DATA].addr = RIG_TARGET;
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_refused(rig, RIG_TARGET, BLK_SECTOR, "read", true);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    swiotlb_queue_free(vq);
}

static void test_optional_declined(void)
{
    SwiotlbRig *rig = start_optional();

    /* Firmware and old guests know nothing of bit 33 either. */
    assert_ordinary_dma(rig, BIT_VERSION_1);
    assert_ordinary_dma(rig, BIT_VERSION_1 | BIT_PLATFORM);
    assert_ordinary_dma(rig, BIT_VERSION_1 | BIT_PACKED);
    finish(rig);
}

static void test_optional_accepted(void)
{
    SwiotlbRig *rig = start_optional();

    assert_held_to_window(rig, 0);
    assert_held_to_window(rig, BIT_PACKED);
    finish(rig);
}

static int ram_blocks(SwiotlbRig *rig)
{
    g_autofree char *text = qtest_hmp(rig->qts, "info ramblock");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    return g_strv_length(lines);
}

/* Who has taken one reference too many keeps the window. */
static void assert_window_goes(SwiotlbRig *rig)
{
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    int before = ram_blocks(rig);

    qpci_unplug_acpi_device_test(rig->qts, RIG_DEVICE, 4);
    while (ram_blocks(rig) != before - 1) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
}

/* Its own window is memory of the machine to an ordinary device. */
static void test_optional_window_goes_with_device(void)
{
    SwiotlbRig *rig = start_optional();

    assert_ordinary_dma_at(rig, BIT_VERSION_1, RIG_BUFFERS);
    assert_ordinary_dma_at(rig, BIT_VERSION_1 | BIT_PACKED, RIG_BUFFERS);
    assert_window_goes(rig);
    swiotlb_rig_free(rig);
}

static void test_window_goes_with_device(void)
{
    SwiotlbRig *rig = start_optional();

    assert_held_to_window(rig, 0);
    assert_held_to_window(rig, BIT_PACKED);
    assert_window_goes(rig);
    swiotlb_rig_free(rig);
}

static void test_optional_decided_at_each_reset(void)
{
    SwiotlbRig *rig = start_optional();

    for (int i = 0; i < 3; i++) {
        assert_ordinary_dma(rig, BIT_VERSION_1 | (i & 1 ? BIT_PACKED : 0));
        assert_held_to_window(rig, i & 1 ? BIT_PACKED : 0);
    }
    finish(rig);
}

/* Declines again without the reset that would entitle it to. */
static void test_optional_held_until_reset(const void *opaque)
{
    const bool *used = opaque;
    SwiotlbRig *rig = start_optional();
    BlkRequest req;
    SwiotlbQueue *vq;

    swiotlb_rig_negotiate(rig, 0);
    if (*used) {
        vq = swiotlb_rig_queue(rig, 0);
        swiotlb_rig_driver_ok(rig);
        blk_assert_works(rig, vq);
        swiotlb_queue_free(vq);
    }
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    swiotlb_driver_write_features(rig->drv, BIT_VERSION_1);
    swiotlb_driver_add_status(rig->drv, VIRTIO_CONFIG_S_FEATURES_OK);

    vq = queue_in_ram(rig, &req, true);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_enable(vq);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    swiotlb_queue_free(vq);
    finish(rig);
}

/* No word from the driver yet: that is not a driver that declined. */
static void test_optional_undecided(void)
{
    SwiotlbRig *rig = start_optional();

    swiotlb_driver_reset(rig->drv);
    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER);
    swiotlb_driver_write_features(rig->drv, ALL_BITS);
    assert_reaches_nothing(rig);
    finish(rig);
}

/* The counter is the machine's: a device reset leaves it, a machine's not. */
static void test_counter(void)
{
    SwiotlbRig *rig = start();
    uint64_t before;

    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
    assert_held_to_window(rig, 0);
    before = swiotlb_rig_rejected(rig);
    g_assert_cmpuint(before, >, 0);
    swiotlb_driver_reset(rig->drv);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, before);

    qtest_system_reset(rig->qts);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
    swiotlb_driver_map(rig->drv, RIG_WINDOW, RIG_MODERN);
    finish(rig);
}

static void test_off_offers_nothing(void)
{
    SwiotlbRig *rig = swiotlb_rig_new_full(BLK_DEVICE ",disable-legacy=on", "",
                                           BLK_DRIVE);

    g_assert_cmpint(rig->drv->window_bar, ==, -1);
    g_assert_cmphex(swiotlb_driver_offered(rig->drv) & BIT_WINDOW, ==, 0);
    assert_ordinary_dma(rig, BIT_VERSION_1);
    swiotlb_rig_free(rig);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t features;
    } refused[] = {
        { "without_window_bit", BIT_VERSION_1 | BIT_PLATFORM },
        { "with_version_1_only", BIT_VERSION_1 },
        { "without_version_1", BIT_WINDOW | BIT_PLATFORM },
        { "with_window_bit_only", BIT_WINDOW },
        { "with_no_bit", 0 },
        { "with_packed_ring_but_no_window_bit",
          BIT_VERSION_1 | BIT_PLATFORM | BIT_PACKED },
    };
    static const bool no, yes = true;

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(refused); i++) {
        g_autofree char *path = g_strdup_printf(
            "swiotlb/negotiation/features_ok_%s_does_not_stick",
            refused[i].name);
        g_autofree char *blunt = g_strdup_printf(
            "swiotlb/negotiation/driver_ok_%s_reaches_nothing",
            refused[i].name);

        qtest_add_data_func(path, &refused[i].features, test_refused_features);
        qtest_add_data_func(blunt, &refused[i].features,
                            test_driver_ok_without_features_ok);
    }
    qtest_add_func("swiotlb/negotiation/no_features_reach_nothing",
                   test_no_features_at_all);
    qtest_add_func("swiotlb/negotiation/no_status_reaches_nothing",
                   test_no_status_at_all);
    qtest_add_func("swiotlb/negotiation/all_status_bits_at_once_do_not_stick",
                   test_all_status_bits_at_once);
    qtest_add_func("swiotlb/negotiation/accepted_bit_cannot_be_withdrawn",
                   test_features_withdrawn);
    qtest_add_func("swiotlb/negotiation/renegotiation_needs_a_reset",
                   test_renegotiated_without_reset);
    qtest_add_func("swiotlb/negotiation/each_reset_decides_anew",
                   test_changes_its_mind);
    qtest_add_data_func("swiotlb/negotiation/rings_set_early_are_judged", &yes,
                        test_rings_before_features);
    qtest_add_func("swiotlb/negotiation/counter_lasts_until_machine_reset",
                   test_counter);
    qtest_add_func("swiotlb/negotiation/off_offers_nothing",
                   test_off_offers_nothing);

    qtest_add_func("swiotlb/optional/declining_driver_has_ordinary_dma",
                   test_optional_declined);
    qtest_add_func("swiotlb/optional/accepting_driver_is_held_to_window",
                   test_optional_accepted);
    qtest_add_func("swiotlb/optional/window_used_as_memory_goes_with_device",
                   test_optional_window_goes_with_device);
    qtest_add_func("swiotlb/optional/window_goes_with_device",
                   test_window_goes_with_device);
    qtest_add_func("swiotlb/optional/each_reset_decides_anew",
                   test_optional_decided_at_each_reset);
    qtest_add_data_func("swiotlb/optional/held_until_reset", &no,
                        test_optional_held_until_reset);
    qtest_add_data_func("swiotlb/optional/held_until_reset_once_used", &yes,
                        test_optional_held_until_reset);
    qtest_add_data_func("swiotlb/optional/rings_set_early_are_judged", &no,
                        test_rings_before_features);
    qtest_add_func("swiotlb/optional/undecided_driver_reaches_nothing",
                   test_optional_undecided);

    return g_test_run();
}
