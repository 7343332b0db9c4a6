/*
 * Attacks on the other device types, each where its back end could leak
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/sockets.h"
#include "qobject/qdict.h"
#include "swiotlb-rig.h"
#include "standard-headers/linux/input-event-codes.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_pci.h"
#include "standard-headers/linux/virtio_ring.h"
#include "standard-headers/linux/virtio_scsi.h"

#define MAX_SEGMENTS    4
/* Segments of one request lie this far apart. */
#define STRIDE          0x2000
/* Where nothing else is */
#define ELSEWHERE       0xe8000000ull

typedef struct Segment {
    const void *data;       /* NULL: the device writes @len bytes */
    uint32_t len;
} Segment;

/* A device under test and the file descriptor that its back end talks to. */
typedef struct Bench {
    SwiotlbRig *rig;
    bool packed;
    uint64_t features;
    int peer;
    SwiotlbQueue *vq[4];
} Bench;

static uint64_t segment_addr(int i)
{
    return RIG_BUFFERS + i * STRIDE;
}

static Bench *bench_new(bool packed, const char *type, const char *props,
                        const char *extra)
{
    g_autofree char *device = g_strdup_printf("%s,packed=%s%s", type,
                                              packed ? "on" : "off", props);
    Bench *b = g_new0(Bench, 1);

    b->packed = packed;
    b->peer = -1;
    b->rig = swiotlb_rig_new(device, extra);
    return b;
}

/* The same with one end of a socket pair, whose number @extra prints. */
static Bench *bench_new_with_peer(bool packed, int type, const char *device,
                                  const char *props, const char *extra)
{
    g_autofree char *args = NULL;
    Bench *b;
    int sv[2];

    g_assert_cmpint(socketpair(AF_UNIX, type, 0, sv), ==, 0);
    args = g_strdup_printf("%s%d", extra, sv[1]);
    b = bench_new(packed, device, props, args);
    close(sv[1]);
    b->peer = sv[0];
    return b;
}

static void bench_free_queues(Bench *b)
{
    for (int i = 0; i < ARRAY_SIZE(b->vq); i++) {
        swiotlb_queue_free(g_steal_pointer(&b->vq[i]));
    }
}

static void bench_free(Bench *b)
{
    bench_free_queues(b);
    swiotlb_rig_free(b->rig);
    if (b->peer >= 0) {
        close(b->peer);
    }
    g_free(b);
}

/* Reset, then negotiate and set up @queues queues in the window. */
static void bench_up(Bench *b, int queues)
{
    bench_free_queues(b);
    swiotlb_rig_negotiate(b->rig, b->features |
                          (b->packed ? 1ull << VIRTIO_F_RING_PACKED : 0));
    for (int i = 0; i < queues; i++) {
        b->vq[i] = swiotlb_rig_queue(b->rig, i);
    }
    swiotlb_rig_driver_ok(b->rig);
}

/*
 * Make a request available whose segment @bad lies in guest RAM, all others in
 * the window; none if @bad is negative.
 */
static void bench_post(Bench *b, int queue, const Segment *seg, int n, int bad)
{
    SwiotlbDesc desc[MAX_SEGMENTS];

    g_assert_cmpint(n, <=, MAX_SEGMENTS);
    for (int i = 0; i < n; i++) {
        desc[i] = (SwiotlbDesc) {
            .addr = i == bad ? RIG_TARGET : segment_addr(i),
            .len = seg[i].len,
            .device_writes = !seg[i].data,
        };
        if (seg[i].data) {
            qtest_memwrite(b->rig->qts, desc[i].addr, seg[i].data, seg[i].len);
        } else {
            qtest_memset(b->rig->qts, desc[i].addr, 0xff, seg[i].len);
        }
    }
    swiotlb_queue_add(b->vq[queue], desc, n);
}

static void bench_assert_refused(Bench *b, int queue, const Segment *bad)
{
    swiotlb_rig_assert_refused(b->rig, RIG_TARGET, bad->len,
                               bad->data ? "read" : "write", true);
    g_assert_false(swiotlb_queue_get(b->vq[queue], NULL));
}

static void bench_attack(Bench *b, int queue, const Segment *seg, int n,
                         int bad)
{
    bench_post(b, queue, seg, n, bad);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_kick(b->vq[queue]);
    bench_assert_refused(b, queue, &seg[bad]);
}

static uint32_t bench_request(Bench *b, int queue, const Segment *seg, int n)
{
    bench_post(b, queue, seg, n, -1);
    swiotlb_queue_kick(b->vq[queue]);
    return swiotlb_queue_wait(b->vq[queue]);
}

static void assert_peer_silent(Bench *b)
{
    char c;

    g_assert_cmpint(recv(b->peer, &c, 1, MSG_DONTWAIT), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
}

/* virtio-net: receive queue, transmit queue, control queue */

#define NET_HEADER      sizeof(struct virtio_net_hdr_mrg_rxbuf)

static const uint8_t packet[64] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5,
    'a', ' ', 's', 'e', 'c', 'r', 'e', 't',
};
static const uint8_t net_header[NET_HEADER];

static Bench *net_new(bool packed)
{
    return bench_new_with_peer(packed, SOCK_DGRAM, "virtio-net-pci",
                               ",netdev=n0,romfile=", "-netdev dgram,id=n0,"
                               "local.type=fd,local.str=");
}

static void net_assert_works(Bench *b)
{
    const Segment tx[] = {
        { net_header, sizeof(net_header) }, { packet, sizeof(packet) },
    };
    const Segment rx[] = { { NULL, 1526 } };
    uint8_t buf[sizeof(packet)];

    bench_up(b, 2);
    bench_request(b, 1, tx, 2);
    g_assert_cmpint(recv(b->peer, buf, sizeof(buf), 0), ==, sizeof(packet));
    g_assert_cmpmem(buf, sizeof(buf), packet, sizeof(packet));

    bench_post(b, 0, rx, 1, -1);
    swiotlb_queue_kick(b->vq[0]);
    g_assert_cmpint(send(b->peer, packet, sizeof(packet), 0), ==,
                    sizeof(packet));
    g_assert_cmpint(swiotlb_queue_wait(b->vq[0]), ==,
                    NET_HEADER + sizeof(packet));
    qtest_memread(b->rig->qts, segment_addr(0) + NET_HEADER, buf, sizeof(buf));
    g_assert_cmpmem(buf, sizeof(buf), packet, sizeof(packet));
}

static void test_net_transmit(const void *opaque)
{
    const bool *packed = opaque;
    const Segment tx[] = {
        { net_header, sizeof(net_header) }, { packet, sizeof(packet) },
    };
    Bench *b = net_new(*packed);

    for (int bad = 0; bad < ARRAY_SIZE(tx); bad++) {
        bench_up(b, 2);
        bench_attack(b, 1, tx, 2, bad);
        assert_peer_silent(b);
    }
    net_assert_works(b);
    bench_free(b);
}

static void test_net_receive(const void *opaque)
{
    const bool *packed = opaque;
    const Segment rx[] = { { NULL, 1526 } };
    Bench *b = net_new(*packed);

    bench_up(b, 2);
    bench_post(b, 0, rx, 1, 0);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_kick(b->vq[0]);
    g_assert_cmpint(send(b->peer, packet, sizeof(packet), 0), ==,
                    sizeof(packet));
    bench_assert_refused(b, 0, &rx[0]);
    net_assert_works(b);
    bench_free(b);
}

static void test_net_control(const void *opaque)
{
    const bool *packed = opaque;
    const struct virtio_net_ctrl_hdr hdr = {
        .class = VIRTIO_NET_CTRL_RX,
        .cmd = VIRTIO_NET_CTRL_RX_PROMISC,
    };
    const uint8_t on = 1;
    const Segment ctrl[] = {
        { &hdr, sizeof(hdr) }, { &on, sizeof(on) }, { NULL, 1 },
    };
    Bench *b = net_new(*packed);

    b->features = (1ull << VIRTIO_NET_F_CTRL_VQ) |
                  (1ull << VIRTIO_NET_F_CTRL_RX);
    for (int bad = 0; bad < ARRAY_SIZE(ctrl); bad++) {
        bench_up(b, 3);
        bench_attack(b, 2, ctrl, 3, bad);
    }
    bench_up(b, 3);
    bench_request(b, 2, ctrl, 3);
    g_assert_cmpint(qtest_readb(b->rig->qts, segment_addr(2)), ==,
                    VIRTIO_NET_OK);
    net_assert_works(b);
    bench_free(b);
}

/* virtio-scsi: control queue, event queue, request queue */

/* @extra has a block node named disk. */
static Bench *scsi_new_full(bool packed, const char *extra)
{
    Bench *b = bench_new(packed, "virtio-scsi-pci", "", extra);

    qtest_qmp_device_add(b->rig->qts, "scsi-hd", "hd0",
                         "{'bus': 'dev0.0', 'drive': 'disk'}");
    return b;
}

static Bench *scsi_new(bool packed)
{
    return scsi_new_full(packed, "-blockdev driver=raw,node-name=disk,"
                         "file.driver=file,file.filename=%s ");
}

static struct virtio_scsi_cmd_req scsi_rw(bool write, uint8_t lba)
{
    return (struct virtio_scsi_cmd_req) {
        .lun = { 1, 0 },
        /* READ (10) or WRITE (10) of one block */
        .cdb = { write ? 0x2a : 0x28, 0, 0, 0, 0, lba, 0, 0, 1 },
    };
}

static void scsi_assert_status(Bench *b, int seg, uint8_t status)
{
    struct virtio_scsi_cmd_resp resp;

    qtest_memread(b->rig->qts, segment_addr(seg), &resp, sizeof(resp));
    g_assert_cmpint(resp.response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmpint(resp.status, ==, status);
}

static void scsi_up(Bench *b)
{
    const struct virtio_scsi_cmd_req test_unit_ready = { .lun = { 1, 0 } };
    const Segment seg[] = {
        { &test_unit_ready, sizeof(test_unit_ready) },
        { NULL, sizeof(struct virtio_scsi_cmd_resp) },
    };

    struct virtio_scsi_cmd_resp resp;

    bench_up(b, 3);
    /* What happened before has to be fetched first, one by one. */
    do {
        bench_request(b, 2, seg, ARRAY_SIZE(seg));
        qtest_memread(b->rig->qts, segment_addr(1), &resp, sizeof(resp));
        g_assert_cmpint(resp.response, ==, VIRTIO_SCSI_S_OK);
    } while (resp.status);
}

static void scsi_assert_works(Bench *b)
{
    const struct virtio_scsi_cmd_req write = scsi_rw(true, 9);
    const struct virtio_scsi_cmd_req read = scsi_rw(false, 10);
    uint8_t data[512];
    const Segment out[] = {
        { &write, sizeof(write) },
        { data, sizeof(data) },
        { NULL, sizeof(struct virtio_scsi_cmd_resp) },
    };
    const Segment in[] = {
        { &read, sizeof(read) },
        { NULL, sizeof(struct virtio_scsi_cmd_resp) },
        { NULL, sizeof(data) },
    };

    scsi_up(b);
    memset(data, 0xd1, sizeof(data));
    bench_request(b, 2, out, ARRAY_SIZE(out));
    scsi_assert_status(b, 2, 0);
    g_assert_cmpmem(b->rig->disk + 9 * 512, 512, data, sizeof(data));

    bench_request(b, 2, in, ARRAY_SIZE(in));
    scsi_assert_status(b, 1, 0);
    qtest_memread(b->rig->qts, segment_addr(2), data, sizeof(data));
    g_assert_cmpmem(b->rig->disk + 10 * 512, 512, data, sizeof(data));
}

static void test_scsi_requests(const void *opaque)
{
    const bool *packed = opaque;
    Bench *b = scsi_new(*packed);
    uint8_t data[512] = { 's', 'e', 'c', 'r', 'e', 't' };

    for (int write = 0; write < 2; write++) {
        const struct virtio_scsi_cmd_req req = scsi_rw(write, 3);
        const Segment response = { NULL, sizeof(struct virtio_scsi_cmd_resp) };
        const Segment payload = { write ? data : NULL, sizeof(data) };
        const Segment seg[] = {
            { &req, sizeof(req) },
            write ? payload : response,
            write ? response : payload,
        };

        for (int bad = 0; bad < ARRAY_SIZE(seg); bad++) {
            scsi_up(b);
            bench_attack(b, 2, seg, ARRAY_SIZE(seg), bad);
        }
    }
    scsi_assert_works(b);
    bench_free(b);
}

static void test_scsi_control(const void *opaque)
{
    const bool *packed = opaque;
    const struct virtio_scsi_ctrl_tmf_req reset = {
        .type = cpu_to_le32(VIRTIO_SCSI_T_TMF),
        .subtype = cpu_to_le32(VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET),
        .lun = { 1, 0 },
    };
    const Segment seg[] = {
        { &reset, sizeof(reset) },
        { NULL, sizeof(struct virtio_scsi_ctrl_tmf_resp) },
    };
    Bench *b = scsi_new(*packed);

    for (int bad = 0; bad < ARRAY_SIZE(seg); bad++) {
        scsi_up(b);
        bench_attack(b, 0, seg, ARRAY_SIZE(seg), bad);
    }
    scsi_up(b);
    bench_request(b, 0, seg, ARRAY_SIZE(seg));
    g_assert_cmpint(qtest_readb(b->rig->qts, segment_addr(1)), ==,
                    VIRTIO_SCSI_S_OK);
    scsi_assert_works(b);
    bench_free(b);
}

/* A disk comes: the device wants to tell, and has only guest RAM to do so. */
static void test_scsi_event(const void *opaque)
{
    const bool *packed = opaque;
    const Segment event[] = { { NULL, sizeof(struct virtio_scsi_event) } };
    Bench *b = bench_new(*packed, "virtio-scsi-pci", "",
                         "-blockdev driver=raw,node-name=disk,"
                         "file.driver=file,file.filename=%s ");

    b->features = 1ull << VIRTIO_SCSI_F_HOTPLUG;
    bench_up(b, 3);
    bench_post(b, 1, event, 1, 0);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_kick(b->vq[1]);
    qtest_qmp_device_add(b->rig->qts, "scsi-hd", "hd0",
                         "{'bus': 'dev0.0', 'drive': 'disk'}");
    bench_assert_refused(b, 1, &event[0]);
    scsi_assert_works(b);
    bench_free(b);
}

static void scsi_disk_io(Bench *b, const char *command)
{
    g_autofree char *printed = qtest_hmp(b->rig->qts, "qemu-io -d hd0 \"%s\"",
                                         command);

    g_assert_cmpstr(printed, ==, "");
}

#define FUA_LBA     11

/*
 * Start a read that has passed the check of its buffers and waits for the
 * flush that it forces; only then does the disk map the buffer for the data.
 */
static void scsi_start_suspended_read(Bench *b)
{
    struct virtio_scsi_cmd_req read = scsi_rw(false, FUA_LBA);
    const Segment seg[] = {
        { &read, sizeof(read) },
        { NULL, sizeof(struct virtio_scsi_cmd_resp) },
        { NULL, 512 },
    };

    /* Force unit access */
    read.cdb[1] = 0x08;
    scsi_up(b);
    scsi_disk_io(b, "break flush_to_os suspended");
    bench_post(b, 2, seg, ARRAY_SIZE(seg), -1);
    swiotlb_queue_kick(b->vq[2]);
    scsi_disk_io(b, "wait_break suspended");
    g_assert_false(swiotlb_queue_get(b->vq[2], NULL));
}

/*
 * The disk maps by itself what was let through before: at the old place of the
 * window there is a neighbour by then.
 */
static void test_scsi_window_moved(const void *opaque)
{
    const bool *packed = opaque;
    Bench *b = scsi_new_full(*packed, "-blockdev driver=raw,node-name=disk,"
                             "file.driver=blkdebug,file.image.driver=file,"
                             "file.image.filename=%s ");
    SwiotlbRig *rig = b->rig;
    SwiotlbDriver *neighbour = swiotlb_driver_new(rig->qts, rig->bus,
                                                  RIG_NEIGHBOUR_DEVFN,
                                                  "neighbour");
    g_autofree uint8_t *before = g_malloc(RIG_WINDOW_SIZE);
    g_autofree uint8_t *after = g_malloc(RIG_WINDOW_SIZE);

    QEMU_BUILD_BUG_ON(RIG_NEIGHBOUR_SIZE != RIG_WINDOW_SIZE);

    scsi_start_suspended_read(b);
    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, ELSEWHERE);
    swiotlb_driver_move_bar(neighbour, neighbour->window_bar, RIG_WINDOW);
    /* The rings stayed behind, which stops the device already. */
    g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_cmphex(qtest_readq(rig->qts, segment_addr(2)), ==,
                    ldq_le_p(rig->neighbour + segment_addr(2) - RIG_WINDOW));
    qtest_bufread(rig->qts, ELSEWHERE, before, RIG_WINDOW_SIZE);
    swiotlb_rig_snapshot(rig);

    scsi_disk_io(b, "resume suspended");
    /* The second wall is asked for the first byte only. */
    swiotlb_rig_assert_refused(rig, segment_addr(2), 1, "write", false);
    /* Neither data nor response nor used element */
    qtest_bufread(rig->qts, ELSEWHERE, after, RIG_WINDOW_SIZE);
    g_assert_cmpmem(after, RIG_WINDOW_SIZE, before, RIG_WINDOW_SIZE);

    swiotlb_driver_move_bar(neighbour, neighbour->window_bar, RIG_NEIGHBOUR);
    swiotlb_driver_move_bar(rig->drv, rig->drv->window_bar, RIG_WINDOW);
    g_assert_false(swiotlb_queue_get(b->vq[2], NULL));
    scsi_assert_works(b);

    /* Where the window stays, the same read gets its data. */
    scsi_start_suspended_read(b);
    swiotlb_rig_snapshot(rig);
    scsi_disk_io(b, "resume suspended");
    swiotlb_queue_wait(b->vq[2]);
    scsi_assert_status(b, 1, 0);
    qtest_memread(rig->qts, segment_addr(2), after, 512);
    g_assert_cmpmem(after, 512, rig->disk + FUA_LBA * 512, 512);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, rig->rejected_before);

    swiotlb_driver_free(neighbour);
    bench_free(b);
}

/* virtio-rng: one queue */

static void test_rng(const void *opaque)
{
    const bool *packed = opaque;
    const Segment seg[] = { { NULL, 64 } };
    uint8_t nothing[64], got[64];
    Bench *b = bench_new(*packed, "virtio-rng-pci", "", NULL);
    uint32_t len;

    bench_up(b, 1);
    bench_attack(b, 0, seg, 1, 0);

    bench_up(b, 1);
    len = bench_request(b, 0, seg, 1);
    g_assert_cmpint(len, >, 0);
    g_assert_cmpint(len, <=, sizeof(got));
    memset(nothing, 0xff, sizeof(nothing));
    qtest_memread(b->rig->qts, segment_addr(0), got, sizeof(got));
    g_assert_true(memcmp(got, nothing, len) != 0);
    bench_free(b);
}

/* Devices that look ahead at what is available meet the table first. */
static void test_rng_table(const void *opaque)
{
    const bool *packed = opaque;
    const SwiotlbDesc desc = { segment_addr(0), 64, true };
    Bench *b = bench_new(*packed, "virtio-rng-pci", "", NULL);

    b->features = 1ull << VIRTIO_RING_F_INDIRECT_DESC;
    bench_up(b, 1);
    swiotlb_table_write(b->rig->drv, RIG_TARGET, &desc, 1);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_add_indirect(b->vq[0], RIG_TARGET, 16);
    swiotlb_queue_kick(b->vq[0]);
    swiotlb_rig_assert_refused(b->rig, RIG_TARGET, 16, "read", true);
    g_assert_false(swiotlb_queue_get(b->vq[0], NULL));

    bench_up(b, 1);
    swiotlb_table_write(b->rig->drv, RIG_TABLE, &desc, 1);
    swiotlb_queue_add_indirect(b->vq[0], RIG_TABLE, 16);
    swiotlb_queue_kick(b->vq[0]);
    g_assert_cmpint(swiotlb_queue_wait(b->vq[0]), >, 0);
    bench_free(b);
}

/* virtio-serial: a console, whose queues are receive and transmit */

static const char secret[] = "a secret of the guest";

static Bench *serial_new(bool packed)
{
    Bench *b = bench_new_with_peer(packed, SOCK_STREAM, "virtio-serial-pci",
                                   "", "-chardev socket,id=c0,fd=");

    qtest_qmp_device_add(b->rig->qts, "virtconsole", "console0",
                         "{'bus': 'dev0.0', 'chardev': 'c0'}");
    return b;
}

static void serial_assert_works(Bench *b)
{
    const Segment out[] = { { secret, sizeof(secret) } };
    const Segment in[] = { { NULL, sizeof(secret) } };
    char buf[sizeof(secret)];

    bench_up(b, 2);
    bench_request(b, 1, out, 1);
    g_assert_cmpint(recv(b->peer, buf, sizeof(buf), MSG_WAITALL), ==,
                    sizeof(secret));
    g_assert_cmpstr(buf, ==, secret);

    bench_post(b, 0, in, 1, -1);
    swiotlb_queue_kick(b->vq[0]);
    g_assert_cmpint(send(b->peer, secret, sizeof(secret), 0), ==,
                    sizeof(secret));
    g_assert_cmpint(swiotlb_queue_wait(b->vq[0]), ==, sizeof(secret));
    qtest_memread(b->rig->qts, segment_addr(0), buf, sizeof(buf));
    g_assert_cmpstr(buf, ==, secret);
}

static void test_serial_output(const void *opaque)
{
    const bool *packed = opaque;
    const Segment out[] = { { secret, sizeof(secret) } };
    Bench *b = serial_new(*packed);

    bench_up(b, 2);
    bench_attack(b, 1, out, 1, 0);
    assert_peer_silent(b);
    serial_assert_works(b);
    bench_free(b);
}

static void test_serial_input(const void *opaque)
{
    const bool *packed = opaque;
    const Segment in[] = { { NULL, sizeof(secret) } };
    Bench *b = serial_new(*packed);
    char c = 'x';

    bench_up(b, 2);
    bench_post(b, 0, in, 1, 0);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_kick(b->vq[0]);
    g_assert_cmpint(send(b->peer, &c, 1, 0), ==, 1);
    bench_assert_refused(b, 0, &in[0]);
    bench_free(b);

    b = serial_new(*packed);
    serial_assert_works(b);
    bench_free(b);
}

/* virtio-9p: one queue */

static void test_9p(const void *opaque)
{
    const bool *packed = opaque;
    static const uint8_t tversion[] = {
        21, 0, 0, 0, 100, 0xff, 0xff, 0, 0x20, 0, 0,
        8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L',
    };
    const Segment seg[] = {
        { tversion, sizeof(tversion) }, { NULL, 4096 },
    };
    Bench *b = bench_new(*packed, "virtio-9p-pci",
                         ",fsdev=fs0,mount_tag=tag",
                         "-fsdev synth,id=fs0");

    for (int bad = 0; bad < ARRAY_SIZE(seg); bad++) {
        bench_up(b, 1);
        bench_attack(b, 0, seg, ARRAY_SIZE(seg), bad);
    }
    bench_up(b, 1);
    g_assert_cmpint(bench_request(b, 0, seg, ARRAY_SIZE(seg)), ==,
                    sizeof(tversion));
    /* Rversion */
    g_assert_cmpint(qtest_readb(b->rig->qts, segment_addr(1) + 4), ==, 101);
    bench_free(b);
}

/* virtio-crypto: data queue, control queue */

#define KEY_LEN         16
#define BLOCK_LEN       16

/* With @attack, segment by segment, before it goes well. */
static uint64_t crypto_create_session(Bench *b, bool attack)
{
    static const uint8_t key[KEY_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    struct virtio_crypto_op_ctrl_req req = {
        .header.opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION),
        .header.algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
        .u.sym_create_session = {
            .u.cipher.para = {
                .algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
                .keylen = cpu_to_le32(KEY_LEN),
                .op = cpu_to_le32(VIRTIO_CRYPTO_OP_ENCRYPT),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };
    const Segment seg[] = {
        { &req, sizeof(req) }, { key, sizeof(key) },
        { NULL, sizeof(struct virtio_crypto_session_input) },
    };
    struct virtio_crypto_session_input input;

    for (int bad = 0; attack && bad < ARRAY_SIZE(seg); bad++) {
        bench_up(b, 2);
        bench_attack(b, 1, seg, ARRAY_SIZE(seg), bad);
    }
    bench_up(b, 2);
    bench_request(b, 1, seg, ARRAY_SIZE(seg));
    qtest_memread(b->rig->qts, segment_addr(2), &input, sizeof(input));
    g_assert_cmpint(le32_to_cpu(input.status), ==, VIRTIO_CRYPTO_OK);

    return le64_to_cpu(input.session_id);
}

static void test_crypto(const void *opaque)
{
    const bool *packed = opaque;
    static const uint8_t iv[BLOCK_LEN], plain[BLOCK_LEN] = "a secret";
    Bench *b = bench_new(*packed, "virtio-crypto-pci", ",cryptodev=crypto0",
                         "-object cryptodev-backend-builtin,id=crypto0");
    struct virtio_crypto_op_data_req req = {
        .header = {
            .opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_ENCRYPT),
            .algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
        },
        .u.sym_req = {
            .u.cipher.para = {
                .iv_len = cpu_to_le32(sizeof(iv)),
                .src_data_len = cpu_to_le32(sizeof(plain)),
                .dst_data_len = cpu_to_le32(sizeof(plain)),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };
    uint8_t request[sizeof(req) + sizeof(iv)];
    /* The last byte is the status. */
    const Segment seg[] = {
        { request, sizeof(request) }, { plain, sizeof(plain) },
        { NULL, sizeof(plain) + 1 },
    };
    uint8_t cipher[sizeof(plain) + 1];

    for (int bad = -1; bad < (int)ARRAY_SIZE(seg); bad++) {
        req.header.session_id = cpu_to_le64(crypto_create_session(b, bad < 0));
        memcpy(request, &req, sizeof(req));
        memcpy(request + sizeof(req), iv, sizeof(iv));
        if (bad >= 0) {
            bench_attack(b, 0, seg, ARRAY_SIZE(seg), bad);
            continue;
        }
        bench_request(b, 0, seg, ARRAY_SIZE(seg));
        qtest_memread(b->rig->qts, segment_addr(2), cipher, sizeof(cipher));
        g_assert_cmpint(cipher[sizeof(plain)], ==, VIRTIO_CRYPTO_OK);
        g_assert_true(memcmp(cipher, plain, sizeof(plain)) != 0);
    }
    bench_free(b);
}

/* virtio-gpu: control queue, cursor queue */

#define GPU_SIDE        64
#define GPU_BYTES       (GPU_SIDE * GPU_SIDE * 4)
#define GPU_RESOURCE    1
#define GPU_BACKING     (RIG_BUFFERS + 0x10000)
/* A colour, in memory order B, G, R, X */
#define GPU_COLOUR      0x00c0ffee

static void gpu_command(Bench *b, const void *cmd, size_t len)
{
    const Segment seg[] = {
        { cmd, len }, { NULL, sizeof(struct virtio_gpu_ctrl_hdr) },
    };

    bench_request(b, 0, seg, ARRAY_SIZE(seg));
    g_assert_cmphex(qtest_readl(b->rig->qts, segment_addr(1)), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
}

typedef struct GpuAttach {
    struct virtio_gpu_resource_attach_backing cmd;
    struct virtio_gpu_mem_entry entry;
} GpuAttach;

static GpuAttach gpu_attach(uint64_t addr, uint32_t len)
{
    return (GpuAttach) {
        .cmd = {
            .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
            .resource_id = cpu_to_le32(GPU_RESOURCE),
            .nr_entries = cpu_to_le32(1),
        },
        .entry.addr = cpu_to_le64(addr),
        .entry.length = cpu_to_le32(len),
    };
}

/* A resource on the screen that has no backing yet */
static void gpu_up(Bench *b)
{
    struct virtio_gpu_resource_create_2d create = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
        .resource_id = cpu_to_le32(GPU_RESOURCE),
        .format = cpu_to_le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = cpu_to_le32(GPU_SIDE),
        .height = cpu_to_le32(GPU_SIDE),
    };
    struct virtio_gpu_set_scanout scanout = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
        .r.width = cpu_to_le32(GPU_SIDE),
        .r.height = cpu_to_le32(GPU_SIDE),
        .resource_id = cpu_to_le32(GPU_RESOURCE),
    };
    struct virtio_gpu_resource_detach_backing detach = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING),
        .resource_id = cpu_to_le32(GPU_RESOURCE),
    };
    GpuAttach black = gpu_attach(GPU_BACKING, GPU_BYTES);

    bench_up(b, 2);
    qtest_memset(b->rig->qts, GPU_BACKING, 0, GPU_BYTES);
    gpu_command(b, &create, sizeof(create));
    /* A scanout asks for a backing, which then goes again. */
    gpu_command(b, &black, sizeof(black));
    gpu_command(b, &scanout, sizeof(scanout));
    gpu_command(b, &detach, sizeof(detach));
}

static const struct virtio_gpu_transfer_to_host_2d gpu_transfer = {
    .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
    .r.width = GPU_SIDE,
    .r.height = GPU_SIDE,
    .resource_id = GPU_RESOURCE,
};

static const struct virtio_gpu_resource_flush gpu_flush = {
    .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
    .r.width = GPU_SIDE,
    .r.height = GPU_SIDE,
    .resource_id = GPU_RESOURCE,
};

/* Does the screen show the colour anywhere? */
static bool gpu_screen_shows_colour(Bench *b)
{
    static const uint8_t rgb[] = {
        GPU_COLOUR >> 16 & 0xff, GPU_COLOUR >> 8 & 0xff, GPU_COLOUR & 0xff,
    };
    g_autofree char *path = NULL;
    g_autofree char *ppm = NULL;
    bool found = false;
    gsize len;
    int fd = g_file_open_tmp("swiotlb-XXXXXX.ppm", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(b->rig->qts, "{'execute': 'screendump',"
                             " 'arguments': {'filename': %s,"
                             " 'device': 'dev0'}}", path);
    g_assert_true(g_file_get_contents(path, &ppm, &len, NULL));
    unlink(path);
    g_assert_cmpint(len, >, GPU_SIDE * GPU_SIDE * 3);
    for (gsize i = 0; i + sizeof(rgb) <= len && !found; i++) {
        found = memcmp(ppm + i, rgb, sizeof(rgb)) == 0;
    }
    return found;
}

static void paint(Bench *b, uint64_t addr)
{
    uint32_t *pixels = g_new(uint32_t, GPU_SIDE * GPU_SIDE);

    for (int i = 0; i < GPU_SIDE * GPU_SIDE; i++) {
        pixels[i] = cpu_to_le32(GPU_COLOUR);
    }
    qtest_bufwrite(b->rig->qts, addr, pixels, GPU_BYTES);
    g_free(pixels);
}

static void gpu_assert_works(Bench *b)
{
    GpuAttach attach = gpu_attach(GPU_BACKING, GPU_BYTES);

    gpu_up(b);
    paint(b, GPU_BACKING);
    g_assert_false(gpu_screen_shows_colour(b));
    gpu_command(b, &attach, sizeof(attach));
    gpu_command(b, &gpu_transfer, sizeof(gpu_transfer));
    gpu_command(b, &gpu_flush, sizeof(gpu_flush));
    g_assert_true(gpu_screen_shows_colour(b));
}

static void test_gpu_backing(const void *opaque)
{
    static const struct {
        uint64_t addr;
        uint32_t len;
    } places[] = {
        { RIG_TARGET, GPU_BYTES },
        { RIG_WINDOW - GPU_BYTES / 2, GPU_BYTES },
        { RIG_NEIGHBOUR - GPU_BYTES / 2, GPU_BYTES },
        { 0xd0000000, GPU_BYTES },
        { -0x1000ull, GPU_BYTES },
        { RIG_WINDOW, 0xfffffff0 },
    };
    const bool *packed = opaque;
    Bench *b = bench_new(*packed, "virtio-gpu-pci", "", NULL);

    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        GpuAttach attach = gpu_attach(places[i].addr, places[i].len);
        const Segment seg[] = {
            { &attach, sizeof(attach) },
            { NULL, sizeof(struct virtio_gpu_ctrl_hdr) },
        };

        gpu_up(b);
        paint(b, RIG_TARGET);
        bench_post(b, 0, seg, ARRAY_SIZE(seg), -1);
        swiotlb_rig_snapshot(b->rig);
        swiotlb_queue_kick(b->vq[0]);
        swiotlb_rig_assert_stopped(b->rig, true);
        g_assert_cmphex(qtest_readl(b->rig->qts, segment_addr(1)), !=,
                        VIRTIO_GPU_RESP_OK_NODATA);

        /* What a driver would do next, had it not been told. */
        bench_post(b, 0, (Segment[]) {
            { &gpu_transfer, sizeof(gpu_transfer) }, seg[1],
        }, 2, -1);
        bench_post(b, 0, (Segment[]) {
            { &gpu_flush, sizeof(gpu_flush) }, seg[1],
        }, 2, -1);
        swiotlb_queue_kick(b->vq[0]);
        swiotlb_rig_barrier(b->rig);
        g_assert_false(gpu_screen_shows_colour(b));
    }
    gpu_assert_works(b);
    bench_free(b);
}

/* An empty piece may lie right behind the window, but is no backing. */
static void test_gpu_empty_backing(const void *opaque)
{
    static const uint64_t places[] = { RIG_WINDOW, RIG_NEIGHBOUR };
    const bool *packed = opaque;
    Bench *b = bench_new(*packed, "virtio-gpu-pci", "", NULL);

    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        GpuAttach attach = gpu_attach(places[i], 0);
        const Segment seg[] = {
            { &attach, sizeof(attach) },
            { NULL, sizeof(struct virtio_gpu_ctrl_hdr) },
        };

        gpu_up(b);
        swiotlb_rig_snapshot(b->rig);
        bench_request(b, 0, seg, ARRAY_SIZE(seg));
        g_assert_cmphex(qtest_readl(b->rig->qts, segment_addr(1)), ==,
                        VIRTIO_GPU_RESP_ERR_UNSPEC);
        swiotlb_rig_assert_untouched(b->rig);
        gpu_assert_works(b);
    }
    bench_free(b);
}

static void test_gpu_commands(const void *opaque)
{
    const bool *packed = opaque;
    const struct virtio_gpu_update_cursor cursor = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_UPDATE_CURSOR),
    };
    const Segment control[] = {
        { &gpu_flush, sizeof(gpu_flush) },
        { NULL, sizeof(struct virtio_gpu_ctrl_hdr) },
    };
    const Segment move[] = { { &cursor, sizeof(cursor) } };
    Bench *b = bench_new(*packed, "virtio-gpu-pci", "", NULL);

    for (int bad = 0; bad < ARRAY_SIZE(control); bad++) {
        gpu_up(b);
        bench_attack(b, 0, control, ARRAY_SIZE(control), bad);
    }
    gpu_up(b);
    bench_attack(b, 1, move, 1, 0);
    gpu_assert_works(b);
    bench_free(b);
}

/* virtio-input: event queue, status queue */

static void press_key(Bench *b)
{
    qtest_qmp_assert_success(b->rig->qts, "{'execute': 'input-send-event',"
                             " 'arguments': {'events': [{'type': 'key',"
                             " 'data': {'down': true, 'key': {"
                             " 'type': 'qcode', 'data': 'a'}}}]}}");
}

static void test_input(const void *opaque)
{
    const bool *packed = opaque;
    const Segment event[] = { { NULL, sizeof(struct virtio_input_event) } };
    struct virtio_input_event got;
    Bench *b = bench_new(*packed, "virtio-keyboard-pci", "", NULL);

    bench_up(b, 2);
    /* An event and the report that ends it */
    bench_post(b, 0, event, 1, 0);
    bench_post(b, 0, event, 1, 0);
    swiotlb_rig_snapshot(b->rig);
    swiotlb_queue_kick(b->vq[0]);
    press_key(b);
    bench_assert_refused(b, 0, &event[0]);

    bench_up(b, 2);
    bench_post(b, 0, event, 1, -1);
    swiotlb_queue_add(b->vq[0], &(SwiotlbDesc) {
        segment_addr(1), sizeof(got), true,
    }, 1);
    swiotlb_queue_kick(b->vq[0]);
    press_key(b);
    g_assert_cmpint(swiotlb_queue_wait(b->vq[0]), ==, sizeof(got));
    qtest_memread(b->rig->qts, segment_addr(0), &got, sizeof(got));
    g_assert_cmpint(le16_to_cpu(got.type), ==, EV_KEY);
    g_assert_cmpint(le16_to_cpu(got.code), ==, KEY_A);
    bench_free(b);
}

static void test_input_status(const void *opaque)
{
    const bool *packed = opaque;
    const struct virtio_input_event led = {
        .type = cpu_to_le16(EV_LED),
        .code = cpu_to_le16(LED_CAPSL),
        .value = cpu_to_le32(1),
    };
    const Segment status[] = { { &led, sizeof(led) } };
    Bench *b = bench_new(*packed, "virtio-keyboard-pci", "", NULL);

    bench_up(b, 2);
    bench_attack(b, 1, status, 1, 0);
    bench_up(b, 2);
    bench_request(b, 1, status, 1);
    bench_free(b);
}

/* Every queue of every type: no ring outside the window is ever used. */

typedef struct DeviceType {
    const char *type;
    const char *props;
    const char *extra;
} DeviceType;

static const DeviceType types[] = {
    { "virtio-9p-pci", ",fsdev=fs0,mount_tag=tag", "-fsdev synth,id=fs0" },
    { "virtio-crypto-pci", ",cryptodev=c0",
      "-object cryptodev-backend-builtin,id=c0" },
    { "virtio-gpu-pci", "", NULL },
    { "virtio-keyboard-pci", "", NULL },
    { "virtio-mouse-pci", "", NULL },
    { "virtio-multitouch-pci", "", NULL },
    { "virtio-net-pci", ",netdev=n0,romfile=",
      "-netdev hubport,hubid=0,id=n0" },
    { "virtio-rng-pci", "", NULL },
    { "virtio-scsi-pci", "", NULL },
    { "virtio-serial-pci", ",max_ports=2", NULL },
    { "virtio-sound-pci", ",audiodev=a0", "-audiodev none,id=a0" },
    { "virtio-tablet-pci", "", NULL },
    { "virtio-vga", ",romfile=", NULL },
};

static void test_all_rings(const void *opaque)
{
    const DeviceType *t = opaque;

    for (int packed = 0; packed < 2; packed++) {
        Bench *b = bench_new(packed, t->type, t->props, t->extra);
        SwiotlbDriver *drv = b->rig->drv;
        int queues = qtest_readw(b->rig->qts, drv->modern + drv->common +
                                 VIRTIO_PCI_COMMON_NUMQ);

        g_assert_cmpint(queues, >, 0);
        for (int i = 0; i < MIN(queues, 8); i++) {
            uint64_t area[RING_AREAS];
            SwiotlbQueue *vq;

            bench_up(b, 0);
            swiotlb_ring_areas_at(RIG_TARGET_RINGS, area);
            vq = swiotlb_queue_new(drv, i, area);
            swiotlb_queue_clear(vq);
            for (int j = 0; j < 4; j++) {
                swiotlb_queue_add(vq, (SwiotlbDesc[]) {
                    { RIG_TARGET, 64, false },
                    { RIG_TARGET + 0x1000, 64, true },
                }, 2);
            }
            swiotlb_rig_snapshot(b->rig);
            swiotlb_queue_enable(vq);
            swiotlb_rig_driver_ok(b->rig);
            swiotlb_queue_kick(vq);
            swiotlb_rig_assert_refused(b->rig, RIG_TARGET_RINGS, 0, NULL,
                                       true);
            g_assert_false(swiotlb_queue_get(vq, NULL));
            swiotlb_queue_free(vq);
        }
        bench_free(b);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        const char *type;
        void (*fn)(const void *);
    } tests[] = {
        { "net/transmit_outside_window_reaches_no_peer", "virtio-net-pci",
          test_net_transmit },
        { "net/receive_outside_window_changes_no_memory", "virtio-net-pci",
          test_net_receive },
        { "net/control_outside_window_is_not_obeyed", "virtio-net-pci",
          test_net_control },
        { "scsi/request_outside_window_reaches_no_disk", "virtio-scsi-pci",
          test_scsi_requests },
        { "scsi/control_outside_window_is_not_obeyed", "virtio-scsi-pci",
          test_scsi_control },
        { "scsi/event_outside_window_is_not_written", "virtio-scsi-pci",
          test_scsi_event },
        { "scsi/read_resumed_after_window_moved_reaches_nothing",
          "virtio-scsi-pci", test_scsi_window_moved },
        { "rng/entropy_outside_window_is_not_written", "virtio-rng-pci",
          test_rng },
        { "rng/table_outside_window_is_not_followed", "virtio-rng-pci",
          test_rng_table },
        { "serial/output_outside_window_reaches_no_peer", "virtio-serial-pci",
          test_serial_output },
        { "serial/input_outside_window_changes_no_memory", "virtio-serial-pci",
          test_serial_input },
        { "9p/message_outside_window_is_not_answered", "virtio-9p-pci",
          test_9p },
        { "crypto/key_and_data_outside_window_are_not_used",
          "virtio-crypto-pci", test_crypto },
        { "gpu/backing_outside_window_reaches_no_screen", "virtio-gpu-pci",
          test_gpu_backing },
        { "gpu/empty_backing_is_an_error_only", "virtio-gpu-pci",
          test_gpu_empty_backing },
        { "gpu/command_outside_window_is_not_obeyed", "virtio-gpu-pci",
          test_gpu_commands },
        { "input/event_outside_window_is_not_written", "virtio-keyboard-pci",
          test_input },
        { "input/status_outside_window_is_not_read", "virtio-keyboard-pci",
          test_input_status },
    };
    static const bool off, on = true;

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *split = g_strdup_printf("swiotlb/device/split/%s",
                                                 tests[i].name);
        g_autofree char *packed = g_strdup_printf("swiotlb/device/packed/%s",
                                                  tests[i].name);

        if (qtest_has_device(tests[i].type)) {
            qtest_add_data_func(split, &off, tests[i].fn);
            qtest_add_data_func(packed, &on, tests[i].fn);
        }
    }
    for (int i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *path = g_strdup_printf(
            "swiotlb/device/%s/no_ring_outside_window_is_used", types[i].type);

        if (qtest_has_device(types[i].type)) {
            qtest_add_data_func(path, &types[i], test_all_rings);
        }
    }

    return g_test_run();
}
