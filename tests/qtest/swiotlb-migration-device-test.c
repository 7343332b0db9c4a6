/*
 * What device types load by themselves: SCSI requests, pages of virtio-gpu
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "swiotlb-blk.h"
#include "swiotlb-stream.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_scsi.h"

#define WINDOW          "swiotlb=on,swiotlb-size=1M"
#define QUEUES          3
#define SECTOR          5

#define GPU_SIDE        64
#define GPU_BYTES       (GPU_SIDE * GPU_SIDE * 4)
#define GPU_BACKING     (RIG_BUFFERS + 0x10000)
/* A colour, in memory order B, G, R, X */
#define GPU_COLOUR      0x00c0ffee

typedef struct Case {
    const char *name;
    const char *device;
    void (*disturb)(SwiotlbDriver *drv);
    bool packed;
} Case;

typedef struct Segment {
    const void *data;       /* NULL: the device writes it */
    uint32_t len;
} Segment;

static uint64_t place(int segment)
{
    return RIG_BUFFERS + segment * 0x1000;
}

static void ask(SwiotlbRig *rig, SwiotlbQueue *vq, const Segment *seg, int n)
{
    SwiotlbDesc desc[4];

    for (int i = 0; i < n; i++) {
        desc[i] = (SwiotlbDesc) { place(i), seg[i].len, !seg[i].data };
        if (seg[i].data) {
            qtest_memwrite(rig->qts, place(i), seg[i].data, seg[i].len);
        } else {
            qtest_memset(rig->qts, place(i), 0xff, seg[i].len);
        }
    }
    swiotlb_queue_add(vq, desc, n);
    swiotlb_queue_kick(vq);
}

static void up(SwiotlbRig *rig, SwiotlbQueue *vq[], int n, bool packed)
{
    swiotlb_rig_negotiate(rig, packed ? 1ull << VIRTIO_F_RING_PACKED : 0);
    for (int i = 0; i < n; i++) {
        vq[i] = swiotlb_rig_queue(rig, i);
    }
    swiotlb_rig_driver_ok(rig);
}

static void disturb(SwiotlbRig *rig, const Case *c)
{
    if (c->disturb) {
        c->disturb(rig->drv);
        g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    }
}

/* All goes on there. */
static void migrate(SwiotlbRig *source, SwiotlbTarget *target,
                    SwiotlbQueue *vq[], int n)
{
    int stream = swiotlb_stream_save(source);

    swiotlb_target_assert_loads(target, stream);
    swiotlb_target_take_over(target, source);
    for (int i = 0; i < n; i++) {
        vq[i]->drv = target->rig->drv;
    }
    swiotlb_target_run(target);
    close(stream);
}

static void finish(SwiotlbRig *source, SwiotlbTarget *target,
                   SwiotlbQueue *vq[], int n)
{
    for (int i = 0; i < n; i++) {
        swiotlb_queue_free(vq[i]);
    }
    swiotlb_target_free(target);
    swiotlb_rig_free(source);
}

static void add_disk(SwiotlbRig *rig)
{
    qtest_qmp_device_add(rig->qts, "scsi-hd", "hd0",
                         "{'bus': 'dev0.0', 'drive': 'disk',"
                         " 'werror': 'stop'}");
}

/* One block, or TEST UNIT READY */
static void scsi_ask(SwiotlbRig *rig, SwiotlbQueue *vq, uint8_t operation,
                     uint8_t block, const uint8_t *data)
{
    const struct virtio_scsi_cmd_req req = {
        .lun = { 1, 0 },
        .cdb = { operation, 0, 0, 0, 0, block, 0, 0, operation ? 1 : 0 },
    };
    const Segment seg[] = {
        { &req, sizeof(req) }, { data, data ? BLK_SECTOR : 0 },
        { NULL, sizeof(struct virtio_scsi_cmd_resp) }, { NULL, BLK_SECTOR },
    };
    const Segment without_data[] = { seg[0], seg[2], seg[3] };

    if (data) {
        ask(rig, vq, seg, 3);
    } else {
        ask(rig, vq, without_data, operation ? 3 : 2);
    }
}

static uint8_t scsi_status(SwiotlbRig *rig, SwiotlbQueue *vq, int segment)
{
    struct virtio_scsi_cmd_resp resp;

    swiotlb_queue_wait(vq);
    qtest_memread(rig->qts, place(segment), &resp, sizeof(resp));
    g_assert_cmpint(resp.response, ==, VIRTIO_SCSI_S_OK);

    return resp.status;
}

/* Write a pattern that shows where it belongs. */
static void scsi_write(SwiotlbRig *rig, SwiotlbQueue *vq, uint8_t block)
{
    uint8_t data[BLK_SECTOR];

    for (int i = 0; i < BLK_SECTOR; i++) {
        data[i] = 0xc0 ^ block ^ i;
    }
    scsi_ask(rig, vq, 0x2a, block, data);
}

static void scsi_up(SwiotlbRig *rig, SwiotlbQueue *vq[], bool packed)
{
    up(rig, vq, QUEUES, packed);
    do {
        scsi_ask(rig, vq[2], 0, 0, NULL);
    } while (scsi_status(rig, vq[2], 1));
}

/*
 * virtio-scsi maps a request anew when it is tried again, so one that has lost
 * its window is refused, as it is on the source.
 */
static void test_scsi_request_under_way(const void *opaque)
{
    const Case *c = opaque;
    SwiotlbRig *source = swiotlb_rig_new(c->device, BLK_SLOW_DRIVE);
    SwiotlbTarget *target = swiotlb_target_new(c->device, WINDOW, BLK_DRIVE);
    BlkRequest written = { .write = true, .sector = SECTOR };
    SwiotlbQueue *vq[QUEUES];

    add_disk(source);
    add_disk(target->rig);
    scsi_up(source, vq, c->packed);
    /* What this takes of the bandwidth holds back the next. */
    scsi_ask(source, vq[2], 0x28, 7, NULL);
    g_assert_cmpint(scsi_status(source, vq[2], 1), ==, 0);
    scsi_write(source, vq[2], SECTOR);
    disturb(source, c);
    qtest_qmp_assert_success(source->qts, "{'execute': 'stop'}");
    migrate(source, target, vq, QUEUES);
    if (c->disturb) {
        g_assert_cmphex(swiotlb_driver_status(target->rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
        for (int i = 0; i < QUEUES; i++) {
            swiotlb_queue_free(vq[i]);
        }
        target->rig->drv->use_cfg_cap = false;
        swiotlb_rig_map(target->rig);
        scsi_up(target->rig, vq, c->packed);
        scsi_write(target->rig, vq[2], SECTOR);
    }
    g_assert_cmpint(scsi_status(target->rig, vq[2], 2), ==, 0);
    blk_request_assert_on_disk(target->rig, &written);
    finish(source, target, vq, QUEUES);
}

static void gpu_command(SwiotlbRig *rig, SwiotlbQueue *vq, const void *command,
                        size_t len)
{
    const Segment seg[] = {
        { command, len }, { NULL, sizeof(struct virtio_gpu_ctrl_hdr) },
    };

    ask(rig, vq, seg, ARRAY_SIZE(seg));
    swiotlb_queue_wait(vq);
    g_assert_cmphex(qtest_readl(rig->qts, place(1)), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
}

/* A resource on the screen, whose pages lie in the window */
static void gpu_up(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
        .resource_id = cpu_to_le32(1),
        .format = cpu_to_le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = cpu_to_le32(GPU_SIDE),
        .height = cpu_to_le32(GPU_SIDE),
    };
    const struct {
        struct virtio_gpu_resource_attach_backing command;
        struct virtio_gpu_mem_entry entry;
    } attach = {
        .command.hdr.type =
            cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
        .command.resource_id = cpu_to_le32(1),
        .command.nr_entries = cpu_to_le32(1),
        .entry.addr = cpu_to_le64(GPU_BACKING),
        .entry.length = cpu_to_le32(GPU_BYTES),
    };
    const struct virtio_gpu_set_scanout scanout = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
        .r.width = cpu_to_le32(GPU_SIDE),
        .r.height = cpu_to_le32(GPU_SIDE),
        .resource_id = cpu_to_le32(1),
    };

    gpu_command(rig, vq, &create, sizeof(create));
    gpu_command(rig, vq, &attach, sizeof(attach));
    gpu_command(rig, vq, &scanout, sizeof(scanout));
}

static void gpu_show(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    const struct virtio_gpu_transfer_to_host_2d transfer = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
        .r.width = cpu_to_le32(GPU_SIDE),
        .r.height = cpu_to_le32(GPU_SIDE),
        .resource_id = cpu_to_le32(1),
    };
    const struct virtio_gpu_resource_flush flush = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
        .r.width = cpu_to_le32(GPU_SIDE),
        .r.height = cpu_to_le32(GPU_SIDE),
        .resource_id = cpu_to_le32(1),
    };

    gpu_command(rig, vq, &transfer, sizeof(transfer));
    gpu_command(rig, vq, &flush, sizeof(flush));
}

static bool gpu_screen_shows_colour(SwiotlbRig *rig)
{
    static const uint8_t rgb[] = {
        GPU_COLOUR >> 16 & 0xff, GPU_COLOUR >> 8 & 0xff, GPU_COLOUR & 0xff,
    };
    g_autofree char *path = NULL;
    g_autofree char *ppm = NULL;
    bool found;
    gsize len;
    int fd = g_file_open_tmp("swiotlb-XXXXXX.ppm", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(rig->qts, "{'execute': 'screendump',"
                             " 'arguments': {'filename': %s,"
                             " 'device': 'dev0'}}", path);
    g_assert_true(g_file_get_contents(path, &ppm, &len, NULL));
    unlink(path);
    g_assert_cmpint(len, >, GPU_SIDE * GPU_SIDE * 3);
    found = memmem(ppm, len, rgb, sizeof(rgb));

    return found;
}

static void test_gpu_pages(const void *opaque)
{
    const Case *c = opaque;
    SwiotlbRig *source = swiotlb_rig_new(c->device, NULL);
    SwiotlbTarget *target = swiotlb_target_new(c->device, WINDOW, NULL);
    SwiotlbQueue *vq[2];

    up(source, vq, ARRAY_SIZE(vq), c->packed);
    gpu_up(source, vq[0]);
    disturb(source, c);
    migrate(source, target, vq, ARRAY_SIZE(vq));
    g_assert_false(gpu_screen_shows_colour(target->rig));
    if (!c->disturb) {
        /* Painted after all was loaded: only its own pages can show it. */
        for (int i = 0; i < GPU_SIDE * GPU_SIDE; i++) {
            qtest_writel(target->rig->qts, GPU_BACKING + i * 4, GPU_COLOUR);
        }
        gpu_show(target->rig, vq[0]);
        g_assert_true(gpu_screen_shows_colour(target->rig));
    }
    finish(source, target, vq, ARRAY_SIZE(vq));
}

static const Case scsi_cases[] = {
    { "window_stays", "virtio-scsi-pci" },
    { "window_stays/packed", "virtio-scsi-pci,packed=on", .packed = true },
    { "window_closed", "virtio-scsi-pci", swiotlb_driver_close_window },
    { "window_moved", "virtio-scsi-pci", swiotlb_driver_move_window },
};

static const Case gpu_cases[] = {
    { "window_stays", "virtio-gpu-pci" },
    { "window_closed", "virtio-gpu-pci", swiotlb_driver_close_window },
    { "window_moved", "virtio-gpu-pci", swiotlb_driver_move_window },
};

static void add(const char *what, const Case *cases, int n, GTestDataFunc test)
{
    for (int i = 0; i < n; i++) {
        g_autofree char *path =
            g_strdup_printf("/swiotlb/migration-device/%s/%s", what,
                            cases[i].name);

        qtest_add_data_func(path, &cases[i], test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    add("scsi_request_under_way", scsi_cases, ARRAY_SIZE(scsi_cases),
        test_scsi_request_under_way);
    if (qtest_has_device("virtio-gpu-pci")) {
        add("gpu_pages", gpu_cases, ARRAY_SIZE(gpu_cases), test_gpu_pages);
    }

    return g_test_run();
}
