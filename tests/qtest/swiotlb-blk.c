/*
 * Block requests whose every segment may lie anywhere
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"

#define STATUS_PENDING  0xff
#define WAIT_US         (30 * G_USEC_PER_SEC)

/* No polling: a request waits for its notification. */
#define IOTHREAD        "-object iothread,id=io0,poll-max-ns=0 "

const BlkVariant blk_variants[BLK_VARIANTS] = {
    {
        .name = "split",
        .device = BLK_DEVICE,
        .extra = BLK_DRIVE,
    }, {
        .name = "packed",
        .device = BLK_DEVICE ",packed=on",
        .extra = BLK_DRIVE,
        .features = 1ull << VIRTIO_F_RING_PACKED,
    }, {
        .name = "iothread/split",
        .device = BLK_DEVICE ",iothread=io0",
        .extra = BLK_DRIVE IOTHREAD,
    }, {
        .name = "iothread/packed",
        .device = BLK_DEVICE ",packed=on,iothread=io0",
        .extra = BLK_DRIVE IOTHREAD,
        .features = 1ull << VIRTIO_F_RING_PACKED,
    },
};

void blk_request_init_at(BlkRequest *req, bool write, uint64_t sector,
                         uint64_t base)
{
    *req = (BlkRequest) {
        .write = write,
        .sector = sector,
        .seg = {
            [BLK_HEADER] = { base, sizeof(struct virtio_blk_outhdr), false },
            [BLK_DATA] = { base + 0x1000, BLK_SECTOR, !write },
            [BLK_STATUS] = { base + 0x2000, 1, true },
        },
    };
}

void blk_request_init(BlkRequest *req, bool write, uint64_t sector)
{
    blk_request_init_at(req, write, sector, RIG_BUFFERS);
}

/* What a write brings to the disk; the disk's own pattern never does. */
static void data_pattern(const BlkRequest *req, uint8_t data[BLK_SECTOR])
{
    for (int i = 0; i < BLK_SECTOR; i++) {
        data[i] = 0xc0 ^ req->sector ^ i;
    }
}

void blk_request_fill(SwiotlbRig *rig, const BlkRequest *req)
{
    QTestState *qts = rig->qts;
    const uint8_t pending = STATUS_PENDING;
    uint8_t data[BLK_SECTOR];
    struct virtio_blk_outhdr header = {
        .type = cpu_to_le32(req->write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
        .sector = cpu_to_le64(req->sector),
    };

    data_pattern(req, data);
    if (!req->no_memory[BLK_HEADER]) {
        qtest_memwrite(qts, req->seg[BLK_HEADER].addr, &header, sizeof(header));
    }
    if (!req->no_memory[BLK_DATA]) {
        qtest_memwrite(qts, req->seg[BLK_DATA].addr, data, sizeof(data));
    }
    if (!req->no_memory[BLK_STATUS]) {
        qtest_memwrite(qts, req->seg[BLK_STATUS].addr, &pending,
                       sizeof(pending));
    }
}

void blk_request_add(SwiotlbRig *rig, SwiotlbQueue *vq, const BlkRequest *req,
                     bool indirect)
{
    uint64_t table = swiotlb_rig_in_window(rig, RIG_TABLE);

    if (indirect) {
        swiotlb_table_write(rig->drv, table, req->seg, BLK_SEGMENTS);
        swiotlb_queue_add_indirect(vq, table, BLK_SEGMENTS *
                                   sizeof(struct vring_desc));
    } else {
        swiotlb_queue_add(vq, req->seg, BLK_SEGMENTS);
    }
}

void blk_request_assert_done(SwiotlbRig *rig, SwiotlbQueue *vq,
                             const BlkRequest *req)
{
    const uint8_t *on_disk = rig->disk + req->sector * BLK_SECTOR;
    uint8_t data[BLK_SECTOR];
    uint32_t len;

    blk_request_fill(rig, req);
    swiotlb_queue_add(vq, req->seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    len = swiotlb_queue_wait(vq);
    g_assert_cmpint(len, ==, req->write ? 1 : BLK_SECTOR + 1);
    g_assert_cmpint(qtest_readb(rig->qts, req->seg[BLK_STATUS].addr), ==,
                    VIRTIO_BLK_S_OK);

    if (req->write) {
        data_pattern(req, data);
    } else {
        qtest_memread(rig->qts, req->seg[BLK_DATA].addr, data, sizeof(data));
    }
    g_assert_cmpmem(data, sizeof(data), on_disk, BLK_SECTOR);
}

void blk_request_assert_on_disk(SwiotlbRig *rig, const BlkRequest *req)
{
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    uint8_t data[BLK_SECTOR];

    data_pattern(req, data);
    while (memcmp(rig->disk + req->sector * BLK_SECTOR, data, sizeof(data))) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qtest_clock_step(rig->qts, 1000000);
    }
}

void blk_assert_works(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    uint64_t rejected = swiotlb_rig_rejected(rig);
    BlkRequest req;

    for (uint64_t sector = 40; sector < 44; sector++) {
        blk_request_init_at(&req, sector & 1, sector,
                            swiotlb_rig_in_window(rig, RIG_BUFFERS));
        blk_request_assert_done(rig, vq, &req);
    }
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, rejected);
    g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, ==, 0);
}

void blk_assert_recovers(SwiotlbRig *rig, uint16_t queue)
{
    SwiotlbQueue *vq;

    swiotlb_rig_negotiate(rig, rig->features);
    vq = swiotlb_rig_queue(rig, queue);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);
    swiotlb_queue_free(vq);
}

SwiotlbQueue *blk_queue_with_area_at(SwiotlbRig *rig, uint16_t queue,
                                     SwiotlbRingArea area, uint64_t addr,
                                     bool no_memory)
{
    uint64_t areas[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(swiotlb_rig_in_window(rig, RIG_RINGS), areas);
    areas[area] = addr;
    vq = swiotlb_queue_new(rig->drv, queue, areas);
    vq->no_memory[area] = no_memory;
    swiotlb_queue_clear(vq);
    return vq;
}

void blk_assert_not_grown(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    BlkRequest req;

    blk_request_init_at(&req, false, 1,
                        swiotlb_rig_in_window(rig, RIG_BUFFERS));
    blk_request_fill(rig, &req);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_resize(vq, SWIOTLB_RING_NUM * 2);
    /* More than go into the ring that was enabled, at the old pace */
    for (int i = 0; i < SWIOTLB_RING_NUM; i++) {
        swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
        swiotlb_queue_kick(vq);
        swiotlb_rig_barrier(rig);
        swiotlb_queue_get(vq, NULL);
    }
    swiotlb_rig_assert_untouched(rig);
}

void blk_assert_edges_work(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    uint64_t end = rig->window + RIG_WINDOW_SIZE;
    BlkRequest req;

    for (int i = 0; i < BLK_SEGMENTS; i++) {
        for (int write = 0; write < 2; write++) {
            blk_request_init_at(&req, write, 7 + i,
                                swiotlb_rig_in_window(rig, RIG_BUFFERS));
            req.seg[i].addr = rig->window;
            blk_request_assert_done(rig, vq, &req);
            req.seg[i].addr = end - req.seg[i].len;
            blk_request_assert_done(rig, vq, &req);
        }
    }
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
}

void blk_assert_dead(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    BlkRequest req;

    swiotlb_driver_set_status(rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER |
                              VIRTIO_CONFIG_S_FEATURES_OK |
                              VIRTIO_CONFIG_S_DRIVER_OK);
    blk_request_init_at(&req, true, 1,
                        swiotlb_rig_in_window(rig, RIG_BUFFERS));
    blk_request_fill(rig, &req);
    swiotlb_rig_snapshot(rig);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_rig_assert_untouched(rig);
    g_assert_false(swiotlb_queue_get(vq, NULL));
    g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
}

void blk_await_under_way(SwiotlbRig *rig)
{
    const char *path = rig->drv->mmio ?
        "/machine/peripheral/" RIG_DEVICE :
        "/machine/peripheral/" RIG_DEVICE "/virtio-backend";
    gint64 end = g_get_monotonic_time() + WAIT_US;
    int64_t count = 0;

    while (!count) {
        QDict *rsp = qtest_qmp(
            rig->qts, "{'execute': 'x-query-virtio-queue-status',"
            " 'arguments': {'queue': 0, 'path': %s}}", path);

        count = qdict_get_int(qdict_get_qdict(rsp, "return"), "inuse");
        qobject_unref(rsp);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

void blk_fly(SwiotlbRig *rig, SwiotlbQueue *vq, const BlkRequest *write,
             void (*disturb)(SwiotlbDriver *drv))
{
    BlkRequest read;

    /* What this takes of the bandwidth holds back the next. */
    blk_request_init_at(&read, false, 7,
                        swiotlb_rig_in_window(rig, RIG_TABLE));
    blk_request_assert_done(rig, vq, &read);
    blk_request_fill(rig, write);
    swiotlb_queue_add(vq, write->seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    blk_await_under_way(rig);
    if (disturb) {
        disturb(rig->drv);
        g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    }
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stop'}");
}

SwiotlbQueue *blk_variant_go(SwiotlbRig *rig, const BlkVariant *variant)
{
    SwiotlbQueue *vq;

    swiotlb_rig_negotiate(rig, variant->features);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    blk_assert_works(rig, vq);

    return vq;
}
