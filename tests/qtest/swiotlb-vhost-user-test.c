/*
 * vhost-user back ends: they get the window, and nothing else
 *
 * Guest RAM is a shared file here, so that QEMU could hand it out, and the back
 * end is one that keeps whatever it gets and looks into all of it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "swiotlb-back-end.h"
#include "swiotlb-rig.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_gpio.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_ring.h"
#include "standard-headers/linux/virtio_snd.h"
#include "standard-headers/linux/virtio_vsock.h"

#define WAIT_US         (60 * G_USEC_PER_SEC)
#define WINDOW_END      (RIG_WINDOW + RIG_WINDOW_SIZE)
/* Where nothing else is */
#define ELSEWHERE       0xe8000000ull
#define HIGH            (1ull << 36)

#define MAX_QUEUES      4
#define BYTES           64
#define STRIDE          0x4000
#define PROTOCOL_MEM_SLOTS      (1ull << 15)
#define PROTOCOL_CONFIG         (1ull << 9)
#define PROTOCOL_INFLIGHT       (1ull << 12)

#define NET_MULTIQUEUE  (1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ)
#define WINDOW          "swiotlb=on,swiotlb-size=1M"

typedef struct Type {
    const char *name;
    const char *type;
    const char *props;
    const char *extra;
    /* Queues that the back end has, and those of them that it serves */
    int queues;
    bool packed;
    uint64_t features;
    /* Of these, what the driver accepts */
    uint64_t accepted;
    /* QEMU itself answers for the configuration space. */
    bool no_config;
} Type;

static const Type types[] = {
    { "vhost-user-blk", "vhost-user-blk-pci", "chardev=c0,num-queues=2", "",
      .queues = 2, .packed = true },
    { "vhost-user-blk-non-transitional",
      "vhost-user-blk-pci-non-transitional", "chardev=c0,num-queues=2", "",
      .queues = 2, .packed = true },
    { "vhost-user-fs", "vhost-user-fs-pci", "chardev=c0,tag=share", "",
      .queues = 2, .packed = true, .no_config = true },
    { "vhost-user-gpio", "vhost-user-gpio-pci", "chardev=c0", "",
      .queues = 2, .packed = true },
    { "vhost-user-gpu", "vhost-user-gpu-pci", "chardev=c0", "",
      .queues = 2, .packed = true, .features = 1 << VIRTIO_GPU_F_EDID },
    { "vhost-user-i2c", "vhost-user-i2c-pci", "chardev=c0", "",
      .queues = 1, .packed = true, .no_config = true,
      .features = 1 /* zero-length requests */ },
    { "vhost-user-input", "vhost-user-input-pci", "chardev=c0", "",
      .queues = 2, .packed = true },
    { "vhost-user-rng", "vhost-user-rng-pci", "chardev=c0", "",
      .queues = 1, .packed = true, .no_config = true },
    /* Stock code does not pass a packed ring on for scsi and vsock. */
    { "vhost-user-scsi", "vhost-user-scsi-pci", "chardev=c0,num_queues=1", "",
      .queues = 3, .no_config = true },
    { "vhost-user-scsi-non-transitional",
      "vhost-user-scsi-pci-non-transitional", "chardev=c0,num_queues=1", "",
      .queues = 3, .no_config = true },
    { "vhost-user-vsock", "vhost-user-vsock-pci", "chardev=c0", "",
      .queues = 2 },
    { "vhost-user-vsock-non-transitional",
      "vhost-user-vsock-pci-non-transitional", "chardev=c0", "",
      .queues = 2 },
    { "vhost-user-snd", "vhost-user-snd-pci", "chardev=c0", "",
      .queues = 4, .packed = true },
    { "vhost-user-test-device", "vhost-user-test-device-pci",
      "chardev=c0,virtio-id=4,num_vqs=1", "",
      .queues = 1, .packed = true, .no_config = true },
    { "vhost-user-vga", "vhost-user-vga", "chardev=c0,romfile=", "",
      .queues = 2, .packed = true, .features = 1 << VIRTIO_GPU_F_EDID },
    { "virtio-net", "virtio-net-pci", "netdev=n0,romfile=",
      "-netdev vhost-user,id=n0,chardev=c0",
      .queues = 2, .packed = true, .no_config = true },
    { "virtio-net-multiqueue", "virtio-net-pci", "netdev=n0,romfile=,mq=on",
      "-netdev vhost-user,id=n0,chardev=c0,queues=2",
      .queues = 4, .packed = true, .no_config = true,
      .features = NET_MULTIQUEUE, .accepted = NET_MULTIQUEUE },
};

/* The type whose life the other tests follow */
#define BLK             (&types[0])

/* A device under test with its back end */
typedef struct Bench {
    const Type *type;
    BackEndSetup setup;
    BackEnd *be;
    SwiotlbRig *rig;
    /* Driver and back end speak of packed rings. */
    bool packed;
    /* Where the driver put rings and buffers */
    uint64_t base;
    SwiotlbQueue *vq[MAX_QUEUES];
} Bench;

static void bench_init(Bench *b, const Type *type)
{
    *b = (Bench) {
        .type = type,
        .setup.queues = type->queues,
        .setup.features = type->features,
        .setup.hidden_protocol_features = type->no_config ? PROTOCOL_CONFIG : 0,
        .base = RIG_WINDOW,
    };
    if (type == BLK) {
        struct virtio_blk_config *config = (void *)b->setup.config;

        config->capacity = cpu_to_le64(2048);
        config->seg_max = cpu_to_le32(126);
        config->blk_size = cpu_to_le32(512);
        config->num_queues = cpu_to_le16(2);
    } else if (strstr(type->type, "gpio")) {
        struct virtio_gpio_config *config = (void *)b->setup.config;

        config->ngpio = cpu_to_le16(8);
    } else if (strstr(type->type, "snd")) {
        struct virtio_snd_config *config = (void *)b->setup.config;

        config->jacks = cpu_to_le32(1);
        config->streams = cpu_to_le32(2);
    } else if (strstr(type->type, "gpu") || strstr(type->type, "vga")) {
        struct virtio_gpu_config *config = (void *)b->setup.config;

        config->num_scanouts = cpu_to_le32(1);
    } else if (strstr(type->type, "vsock")) {
        struct virtio_vsock_config *config = (void *)b->setup.config;

        config->guest_cid = cpu_to_le64(3);
    }
}

/* @window: its properties; @extra: other arguments. Both may be "". */
static void bench_start(Bench *b, const char *window, const char *extra)
{
    const Type *type = b->type;
    g_autofree char *device = NULL;
    g_autofree char *args = NULL;

    b->be = back_end_new(&b->setup);
    device = g_strdup_printf("%s,%s%s", type->type, type->props,
                             b->packed ? ",packed=on" : "");
    /* Most types insist on a connection from the start. */
    args = g_strdup_printf("-chardev socket,id=c0,path=%s%s %s %s",
                           back_end_path(b->be),
                           type == BLK ? ",reconnect-ms=50" : "", type->extra,
                           extra);
    if (strstr(extra, "intel-iommu")) {
        b->rig = swiotlb_rig_new_express_full(device, window, args);
    } else {
        b->rig = swiotlb_rig_new_full(device, window, args);
    }
}

static Bench bench_new(const Type *type, const char *window, const char *extra)
{
    Bench b;

    bench_init(&b, type);
    bench_start(&b, window, extra);
    return b;
}

static void bench_free_queues(Bench *b)
{
    for (int i = 0; i < MAX_QUEUES; i++) {
        swiotlb_queue_free(g_steal_pointer(&b->vq[i]));
    }
}

static void bench_end(Bench *b)
{
    bench_free_queues(b);
    swiotlb_rig_free(b->rig);
    back_end_free(b->be);
}

static void bench_enable_queues(Bench *b)
{
    bench_free_queues(b);
    for (int i = 0; i < b->type->queues; i++) {
        uint64_t area[RING_AREAS];

        swiotlb_ring_areas_at(b->base + 0x10000 + i * STRIDE, area);
        b->vq[i] = swiotlb_queue_new(b->rig->drv, i, area);
        swiotlb_queue_clear(b->vq[i]);
        swiotlb_queue_enable(b->vq[i]);
    }
}

static void bench_run(Bench *b)
{
    bench_enable_queues(b);
    swiotlb_rig_driver_ok(b->rig);
    back_end_wait_started(b->be);
}

static void bench_negotiate(Bench *b)
{
    swiotlb_rig_negotiate(b->rig, b->type->accepted |
                          (b->packed ? 1ull << VIRTIO_F_RING_PACKED : 0));
}

static void bench_up(Bench *b)
{
    bench_negotiate(b);
    bench_run(b);
}

/* A driver without any idea of windows */
static void bench_up_plain(Bench *b)
{
    b->base = RIG_TARGET;
    g_assert_true(swiotlb_driver_negotiate(b->rig->drv,
                                           1ull << VIRTIO_F_VERSION_1));
    bench_run(b);
}

static uint64_t sent_at(Bench *b, int i)
{
    return b->base + 0x80000 + i * STRIDE;
}

static uint64_t received_at(Bench *b, int i)
{
    return sent_at(b, i) + STRIDE / 2;
}

static void bench_post(Bench *b, int i, uint64_t from, uint64_t to)
{
    const SwiotlbDesc desc[] = {
        { from, BYTES, false }, { to, BYTES, true },
    };
    uint8_t data[BYTES];

    for (int j = 0; j < BYTES; j++) {
        data[j] = 17 * i + j;
    }
    qtest_memwrite(b->rig->qts, sent_at(b, i), data, BYTES);
    qtest_memset(b->rig->qts, received_at(b, i), 0xff, BYTES);
    swiotlb_queue_add(b->vq[i], desc, ARRAY_SIZE(desc));
}

static void assert_received(Bench *b, int i)
{
    uint8_t data[BYTES];

    qtest_memread(b->rig->qts, received_at(b, i), data, BYTES);
    for (int j = 0; j < BYTES; j++) {
        g_assert_cmphex(data[j], ==, BACK_END_XOR ^ (uint8_t)(17 * i + j));
    }
}

static void bench_exchange(Bench *b, int i)
{
    bench_post(b, i, sent_at(b, i), received_at(b, i));
    swiotlb_queue_kick(b->vq[i]);
    g_assert_cmpint(swiotlb_queue_wait(b->vq[i]), ==, BYTES);
    assert_received(b, i);
}

static void bench_exchange_all(Bench *b)
{
    for (int i = 0; i < b->type->queues; i++) {
        bench_exchange(b, i);
    }
}

static unsigned table_messages(const BackEndState *state)
{
    return state->count[MSG_SET_MEM_TABLE] + state->count[MSG_ADD_MEM_REG] +
           state->count[MSG_REM_MEM_REG];
}

static bool finds_guest_ram(Bench *b)
{
    return back_end_finds(b->be, b->rig->ram + RIG_TARGET + 0x90000, BYTES);
}

static bool finds_neighbour(Bench *b)
{
    return back_end_finds(b->be, b->rig->neighbour + 0x90000, BYTES);
}

/* The back end has the window at @base, and never had anything else. */
static void assert_confined(Bench *b, uint64_t base)
{
    BackEndState state = back_end_state(b->be);
    static const char mark[] = "the back end may see this";

    g_assert_cmpint(state.nregions, ==, 1);
    g_assert_cmphex(state.region[0].gpa, ==, base);
    g_assert_cmphex(state.region[0].size, ==, RIG_WINDOW_SIZE);
    g_assert_cmphex(state.region[0].offset, ==, 0);
    g_assert_false(back_end_was_given(b->be, b->rig->ram_inode));
    g_assert_false(back_end_was_given(b->be, b->rig->neighbour_inode));
    g_assert_false(finds_guest_ram(b));
    g_assert_false(finds_neighbour(b));
    /* Else the search proves nothing. */
    qtest_memwrite(b->rig->qts, base + 0xf0000, mark, sizeof(mark));
    g_assert_true(back_end_finds(b->be, mark, sizeof(mark)));

    g_assert_true(back_end_reaches(b->be, base));
    g_assert_true(back_end_reaches(b->be, base + RIG_WINDOW_SIZE - 1));
    g_assert_false(back_end_reaches(b->be, base - 1));
    g_assert_false(back_end_reaches(b->be, base + RIG_WINDOW_SIZE));
    g_assert_false(back_end_reaches(b->be, RIG_TARGET));

    g_assert_cmpint(state.count[MSG_IOTLB], ==, 0);
    g_assert_cmphex(state.features & (1ull << VIRTIO_F_ACCESS_PLATFORM |
                                      1ull << SWIOTLB_F), ==, 0);
}

/* Reset, and everything is as on the first day. */
static void assert_recovers(Bench *b)
{
    bench_up(b);
    bench_exchange_all(b);
    assert_confined(b, b->base);
}

/* What every type does */

static void test_moves_data(const void *opaque)
{
    const Type *type = opaque;

    for (int packed = 0; packed <= type->packed; packed++) {
        Bench b;

        bench_init(&b, type);
        b.packed = packed;
        /* Whether it knows these two bits is none of our business. */
        if (packed) {
            b.setup.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM |
                                1ull << SWIOTLB_F;
        }
        bench_start(&b, WINDOW, "");
        bench_up(&b);
        swiotlb_rig_snapshot(b.rig);
        bench_exchange_all(&b);
        /* Once around the ring and more */
        for (int i = 0; i < 2 * SWIOTLB_RING_NUM; i++) {
            bench_exchange(&b, 0);
        }
        assert_confined(&b, RIG_WINDOW);
        swiotlb_rig_assert_untouched(b.rig);
        g_assert_cmpuint(swiotlb_rig_rejected(b.rig), ==, 0);
        g_assert_cmphex(swiotlb_driver_status(b.rig->drv) &
                        VIRTIO_CONFIG_S_NEEDS_RESET, ==, 0);
        assert_recovers(&b);
        bench_end(&b);
    }
}

/* Some types are there for other types only. */
static bool can_be_created(QTestState *qts, const char *type)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'device_add',"
                           " 'arguments': {'driver': %s}}", type);
    QDict *error = qdict_get_qdict(rsp, "error");
    bool creatable;

    g_assert_nonnull(error);
    creatable = !strstr(qdict_get_str(error, "desc"), "pluggable device type");
    qobject_unref(rsp);
    return creatable;
}

static void test_every_type(void)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-list-types', 'arguments':"
                           " {'implements': 'virtio-pci', 'abstract': false}}");
    const QListEntry *entry;
    int count = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(rsp, "return"), entry) {
        const char *name = qdict_get_str(qobject_to(QDict,
                                                    qlist_entry_obj(entry)),
                                         "name");
        bool known = false;

        if (!g_str_has_prefix(name, "vhost-user-") ||
            g_str_has_suffix(name, "-pci-transitional")) {
            continue;
        }
        for (int i = 0; i < ARRAY_SIZE(types); i++) {
            known |= g_str_equal(types[i].type, name);
        }
        if (!known && can_be_created(qts, name)) {
            g_error("%s is in no test", name);
        }
        count++;
    }
    g_assert_cmpint(count, >, 0);
    qobject_unref(rsp);
    qtest_quit(qts);
}

/* The table */

static void test_scribble(const void *opaque)
{
    Bench b;

    bench_init(&b, BLK);
    b.setup.hidden_protocol_features = *(uint64_t *)opaque;
    bench_start(&b, WINDOW, "");
    bench_up(&b);
    bench_exchange_all(&b);
    swiotlb_rig_snapshot(b.rig);
    back_end_scribble(b.be, 0xee);
    swiotlb_rig_assert_untouched(b.rig);
    for (uint64_t i = 0; i < RIG_WINDOW_SIZE; i += 0x1001) {
        g_assert_cmphex(qtest_readb(b.rig->qts, RIG_WINDOW + i), ==, 0xee);
    }
    assert_recovers(&b);
    bench_end(&b);
}

static void test_private_ram(void)
{
    Bench b = bench_new(BLK, WINDOW, "-machine memory-backend=private -object "
                        "memory-backend-ram,id=private,size=4M,share=off");

    bench_up(&b);
    bench_exchange_all(&b);
    assert_recovers(&b);
    bench_end(&b);
}

static bool has_file(const BackEndState *state, ino_t inode)
{
    for (int i = 0; i < state->nregions; i++) {
        if (state->region[i].inode == inode) {
            return true;
        }
    }
    return false;
}

static void test_plain(void)
{
    Bench b = bench_new(BLK, "", "");
    BackEndState state;

    bench_up_plain(&b);
    bench_exchange_all(&b);
    state = back_end_state(b.be);
    g_assert_true(has_file(&state, b.rig->ram_inode));
    g_assert_true(finds_guest_ram(&b));
    g_assert_false(back_end_was_given(b.be, b.rig->neighbour_inode));
    g_assert_false(finds_neighbour(&b));
    for (int i = 0; i < state.nregions; i++) {
        g_assert_true(state.region[i].gpa + state.region[i].size <=
                      RIG_NEIGHBOUR ||
                      state.region[i].gpa >= RIG_NEIGHBOUR +
                      RIG_NEIGHBOUR_SIZE);
    }
    bench_end(&b);
}

static int make_memfd(size_t size)
{
    int fd = memfd_create("pool", 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    return fd;
}

static void test_memdev(void)
{
    int fd = make_memfd(RIG_WINDOW_SIZE);
    g_autofree char *extra = g_strdup_printf(
        "-object memory-backend-file,id=mine,size=1M,share=on,"
        "mem-path=/proc/%d/fd/%d", getpid(), fd);
    Bench b = bench_new(BLK, "swiotlb=on,swiotlb-memdev=mine", extra);
    BackEndState state;
    struct stat st;

    bench_up(&b);
    bench_exchange_all(&b);
    assert_confined(&b, RIG_WINDOW);
    state = back_end_state(b.be);
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    g_assert_cmphex(state.region[0].inode, ==, st.st_ino);
    bench_end(&b);
    close(fd);
}

static void test_memdev_refused(void)
{
    static const char *const memdevs[] = { "ram", "memfd" };
    Bench b;

    bench_init(&b, BLK);
    b.be = back_end_new(&b.setup);
    {
        g_autofree char *extra = g_strdup_printf(
            "-chardev socket,id=c0,path=%s "
            "-object memory-backend-ram,id=ram,size=1M "
            "-object memory-backend-memfd,id=memfd,size=1M,share=off",
            back_end_path(b.be));

        b.rig = swiotlb_rig_new("virtio-rng-pci", extra);
    }
    for (int i = 0; i < ARRAY_SIZE(memdevs); i++) {
        QDict *rsp = qtest_qmp(b.rig->qts, "{'execute': 'device_add',"
                               " 'arguments': {'driver': 'vhost-user-blk-pci',"
                               " 'id': 'blk', 'chardev': 'c0',"
                               " 'swiotlb': true, 'swiotlb-memdev': %s}}",
                               memdevs[i]);
        QDict *error = qdict_get_qdict(rsp, "error");
        const char *desc;

        g_assert_nonnull(error);
        desc = qdict_get_str(error, "desc");
        g_assert_nonnull(strstr(desc, "swiotlb-memdev: "));
        g_assert_nonnull(strstr(desc, memdevs[i]));
        g_assert_nonnull(strstr(desc, "share=on"));
        g_assert_null(strchr(desc, '\n'));
        qobject_unref(rsp);
    }
    bench_end(&b);
}

/* The same machine with an IOMMU that everything else goes through */
#define IOMMU           "-device intel-iommu,device-iotlb=on"

static bool has_tlb(const BackEndState *state, uint64_t arg)
{
    return state->count[MSG_IOTLB];
}

static void test_iommu(void)
{
    BackEndState state;
    Bench b;

    bench_init(&b, BLK);
    b.setup.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
    bench_start(&b, WINDOW, IOMMU);
    bench_up(&b);
    bench_exchange_all(&b);
    assert_confined(&b, RIG_WINDOW);
    bench_end(&b);

    /* Without a window the back end does ask the IOMMU. */
    bench_init(&b, BLK);
    b.setup.features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
    bench_start(&b, "iommu_platform=on,ats=on", IOMMU);
    b.base = RIG_TARGET;
    g_assert_true(swiotlb_driver_negotiate(b.rig->drv,
                                           1ull << VIRTIO_F_VERSION_1 |
                                           1ull << VIRTIO_F_ACCESS_PLATFORM));
    bench_enable_queues(&b);
    swiotlb_rig_driver_ok(b.rig);
    back_end_wait(b.be, has_tlb, 0, "IOTLB message");
    state = back_end_state(b.be);
    g_assert_cmphex(state.features & 1ull << VIRTIO_F_ACCESS_PLATFORM, !=, 0);
    bench_end(&b);
}

static void test_miss(void)
{
    static const uint64_t outside[] = { RIG_TARGET, RIG_NEIGHBOUR, 0, HIGH };
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    back_end_miss(b.be, RIG_WINDOW + 0x1000);
    swiotlb_rig_barrier(b.rig);
    g_assert_cmpint(back_end_state(b.be).count[MSG_IOTLB], ==, 0);

    for (int i = 0; i < ARRAY_SIZE(outside); i++) {
        bench_up(&b);
        swiotlb_rig_snapshot(b.rig);
        back_end_miss(b.be, outside[i]);
        /* An access of the device is what such a question is taken for. */
        swiotlb_rig_assert_stopped(b.rig, false);
        g_assert_cmpint(back_end_state(b.be).count[MSG_IOTLB], ==, 0);
        assert_confined(&b, RIG_WINDOW);
    }
    assert_recovers(&b);
    bench_end(&b);
}

static void plug_memory(Bench *b, const char *id)
{
    g_autofree char *dimm = g_strdup_printf("%s-dimm", id);

    qtest_qmp_assert_success(b->rig->qts, "{'execute': 'object-add',"
                             " 'arguments': {'qom-type':"
                             " 'memory-backend-memfd', 'id': %s,"
                             " 'size': 33554432, 'share': true}}", id);
    qtest_qmp_assert_success(b->rig->qts, "{'execute': 'device_add',"
                             " 'arguments': {'driver': 'pc-dimm',"
                             " 'id': %s, 'memdev': %s}}", dimm, id);
}

static void test_memory_hotplug(const void *opaque)
{
    static const char more[] = "-m 4M,slots=4,maxmem=1G";
    BackEndState before, after;
    Bench b;

    bench_init(&b, BLK);
    b.setup.hidden_protocol_features = *(uint64_t *)opaque;
    bench_start(&b, WINDOW, more);
    bench_up(&b);
    before = back_end_state(b.be);
    plug_memory(&b, "more");
    plug_memory(&b, "yet-more");
    bench_exchange_all(&b);
    after = back_end_state(b.be);
    g_assert_cmpint(table_messages(&after), ==, table_messages(&before));
    assert_confined(&b, RIG_WINDOW);
    assert_recovers(&b);
    bench_end(&b);

    /* Without a window there is more to see. */
    bench_init(&b, BLK);
    b.setup.hidden_protocol_features = *(uint64_t *)opaque;
    bench_start(&b, "", more);
    bench_up_plain(&b);
    before = back_end_state(b.be);
    plug_memory(&b, "more");
    bench_exchange_all(&b);
    after = back_end_state(b.be);
    g_assert_cmpint(table_messages(&after), >, table_messages(&before));
    bench_end(&b);
}

/* Attacks */

typedef struct Place {
    const char *name;
    uint64_t addr;
    /* Of the thing put there, this many halves lie below @addr. */
    int halves;
} Place;

static const Place places[] = {
    { "in_guest_ram", RIG_TARGET_RINGS },
    { "just_below_window", RIG_WINDOW, 2 },
    { "over_window_start", RIG_WINDOW, 1 },
    { "over_window_end", WINDOW_END, 1 },
    { "just_past_window", WINDOW_END },
    { "in_neighbours_window", RIG_NEIGHBOUR + 0x8000 },
};

static void test_rings(const void *opaque)
{
    const Place *place = opaque;

    for (int packed = 0; packed < 2; packed++) {
        Bench b;

        bench_init(&b, BLK);
        b.packed = packed;
        bench_start(&b, WINDOW, "");
        /* The second queue, so that the first one would start */
        for (int i = 0; i < RING_AREAS; i++) {
            uint32_t len = swiotlb_ring_area_size(packed, i);
            uint64_t area[RING_AREAS];
            BackEndState before, after;

            bench_negotiate(&b);
            before = back_end_state(b.be);
            bench_free_queues(&b);
            b.vq[0] = swiotlb_rig_queue(b.rig, 0);
            swiotlb_ring_areas_at(RIG_RINGS + RIG_RINGS_STRIDE, area);
            area[i] = place->addr - len / 2 * place->halves;
            b.vq[1] = swiotlb_queue_new(b.rig->drv, 1, area);
            swiotlb_queue_clear(b.vq[1]);
            bench_post(&b, 1, sent_at(&b, 1), received_at(&b, 1));
            swiotlb_rig_snapshot(b.rig);
            swiotlb_queue_enable(b.vq[1]);
            swiotlb_rig_driver_ok(b.rig);
            swiotlb_queue_kick(b.vq[1]);
            swiotlb_rig_assert_refused(b.rig, area[i], 0, NULL, true);
            g_assert_false(swiotlb_queue_get(b.vq[1], NULL));

            after = back_end_state(b.be);
            g_assert_true(after.connected);
            g_assert_cmpint(after.started, ==, 0);
            g_assert_cmpint(after.count[MSG_SET_VRING_ADDR], ==,
                            before.count[MSG_SET_VRING_ADDR]);
            g_assert_cmpint(after.count[MSG_SET_VRING_KICK], ==,
                            before.count[MSG_SET_VRING_KICK]);
            g_assert_cmpint(after.popped, ==, before.popped);
        }
        assert_recovers(&b);
        bench_end(&b);
    }
}

static bool is_unreachable(const BackEndState *state, uint64_t before)
{
    return state->unreachable > before;
}

static void test_buffers(const void *opaque)
{
    const Place *place = opaque;
    uint64_t bad = place->addr - BYTES / 2 * place->halves;

    for (int packed = 0; packed < 2; packed++) {
        Bench b;

        bench_init(&b, BLK);
        b.packed = packed;
        bench_start(&b, WINDOW, "");
        for (int write = 0; write < 2; write++) {
            BackEndState before;

            bench_up(&b);
            before = back_end_state(b.be);
            bench_post(&b, 0, write ? sent_at(&b, 0) : bad,
                       write ? bad : received_at(&b, 0));
            swiotlb_rig_snapshot(b.rig);
            swiotlb_queue_kick(b.vq[0]);
            back_end_wait(b.be, is_unreachable, before.unreachable,
                          "address that cannot be reached");
            swiotlb_rig_assert_untouched(b.rig);
            g_assert_false(swiotlb_queue_get(b.vq[0], NULL));
            g_assert_cmpint(back_end_state(b.be).answered, ==,
                            before.answered);
            assert_confined(&b, RIG_WINDOW);
        }
        assert_recovers(&b);
        bench_end(&b);
    }
}

/* Ways to take the window away from a back end that runs */

static void move_window(Bench *b)
{
    swiotlb_driver_move_bar(b->rig->drv, b->rig->drv->window_bar, ELSEWHERE);
}

static void close_window(Bench *b)
{
    swiotlb_driver_command(b->rig->drv, 0, PCI_COMMAND_MEMORY);
    /* The registers are gone with it: there is a way around that. */
    b->rig->drv->use_cfg_cap = true;
}

static void stop_bus_mastering(Bench *b)
{
    swiotlb_driver_command(b->rig->drv, 0, PCI_COMMAND_MASTER);
}

static void take_window_away(Bench *b, void (*how)(Bench *b))
{
    BackEndState before = back_end_state(b->be);
    BackEndState after;

    swiotlb_rig_snapshot(b->rig);
    how(b);
    /* First: what comes next pauses the machine, and with it every back end. */
    back_end_wait_stopped(b->be);
    swiotlb_rig_assert_stopped(b->rig, false);
    after = back_end_state(b->be);
    g_assert_true(after.connected);
    g_assert_cmpint(after.connections, ==, before.connections);
    g_assert_cmpint(after.count[MSG_GET_VRING_BASE], ==,
                    before.count[MSG_GET_VRING_BASE] + b->type->queues);
    g_assert_cmpint(after.count[MSG_SET_VRING_KICK], ==,
                    before.count[MSG_SET_VRING_KICK]);
    g_assert_cmpint(table_messages(&after), ==, table_messages(&before));
}

/* Nothing that the driver does short of a reset starts it again. */
static void assert_stays_stopped(Bench *b)
{
    BackEndState before = back_end_state(b->be);
    BackEndState after;

    swiotlb_driver_set_status(b->rig->drv, VIRTIO_CONFIG_S_ACKNOWLEDGE |
                              VIRTIO_CONFIG_S_DRIVER |
                              VIRTIO_CONFIG_S_FEATURES_OK |
                              VIRTIO_CONFIG_S_DRIVER_OK);
    swiotlb_queue_kick(b->vq[0]);
    swiotlb_rig_barrier(b->rig);
    after = back_end_state(b->be);
    g_assert_cmpint(after.started, ==, 0);
    g_assert_cmpint(after.count[MSG_SET_VRING_KICK], ==,
                    before.count[MSG_SET_VRING_KICK]);
    g_assert_cmpint(after.count[MSG_SET_VRING_ADDR], ==,
                    before.count[MSG_SET_VRING_ADDR]);
    g_assert_cmphex(swiotlb_driver_status(b->rig->drv) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
}

static void test_window_moved(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    take_window_away(&b, move_window);
    assert_stays_stopped(&b);
    b.base = ELSEWHERE;
    assert_recovers(&b);
    /* And back */
    swiotlb_driver_reset(b.rig->drv);
    swiotlb_rig_map(b.rig);
    b.base = RIG_WINDOW;
    assert_recovers(&b);
    bench_end(&b);
}

static void test_window_closed(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    take_window_away(&b, close_window);
    b.rig->drv->use_cfg_cap = false;
    swiotlb_rig_map(b.rig);
    assert_stays_stopped(&b);
    assert_recovers(&b);
    bench_end(&b);
}

static void test_bus_mastering_off(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    take_window_away(&b, stop_bus_mastering);
    assert_stays_stopped(&b);
    swiotlb_rig_map(b.rig);
    assert_stays_stopped(&b);
    assert_recovers(&b);
    bench_end(&b);
}

/* Each type stops in a way of its own. */
static void test_type_stops(const void *opaque)
{
    Bench b = bench_new(opaque, WINDOW, "");

    for (int i = 0; i < 3; i++) {
        bench_up(&b);
        bench_exchange_all(&b);
        take_window_away(&b, move_window);
        assert_stays_stopped(&b);
        swiotlb_driver_reset(b.rig->drv);
        swiotlb_rig_map(b.rig);
    }
    assert_recovers(&b);
    bench_end(&b);
}

/* Connections */

static bool is_connected_again(const BackEndState *state, uint64_t before)
{
    return state->connected && state->connections > before;
}

static void reconnect(Bench *b)
{
    unsigned before = back_end_state(b->be).connections;

    back_end_disconnect(b->be);
    back_end_accept(b->be);
    back_end_wait(b->be, is_connected_again, before, "new connection");
}

static void test_reconnect(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    for (int i = 0; i < 3; i++) {
        bench_exchange_all(&b);
        reconnect(&b);
        back_end_wait_started(b.be);
        assert_confined(&b, RIG_WINDOW);
    }
    bench_exchange_all(&b);
    assert_recovers(&b);
    bench_end(&b);
}

static void test_reconnect_stopped(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    take_window_away(&b, move_window);
    reconnect(&b);
    assert_stays_stopped(&b);
    g_assert_cmpint(back_end_state(b.be).nregions, ==, 0);
    b.base = ELSEWHERE;
    assert_recovers(&b);
    bench_end(&b);
}

/* Whatever QEMU was about to say */
static void test_hang_up(void)
{
    static const int messages[] = {
        MSG_SET_FEATURES, MSG_SET_MEM_TABLE, MSG_SET_VRING_NUM,
        MSG_SET_VRING_BASE, MSG_SET_VRING_ADDR, MSG_SET_VRING_KICK,
        MSG_SET_VRING_CALL, MSG_SET_VRING_ENABLE,
    };
    unsigned before;
    Bench b;

    bench_init(&b, BLK);
    /* Else QEMU does not repeat what it said of memory. */
    b.setup.hidden_protocol_features = PROTOCOL_MEM_SLOTS;
    bench_start(&b, WINDOW, "");
    for (int i = 0; i < ARRAY_SIZE(messages); i++) {
        bench_negotiate(&b);
        before = back_end_state(b.be).connections;
        bench_enable_queues(&b);
        back_end_hang_up_at(b.be, messages[i]);
        swiotlb_rig_driver_ok(b.rig);
        back_end_wait(b.be, is_connected_again, before, "new connection");
        back_end_wait_started(b.be);
        bench_exchange_all(&b);
        assert_confined(&b, RIG_WINDOW);
    }
    before = back_end_state(b.be).connections;
    back_end_hang_up_at(b.be, MSG_GET_VRING_BASE);
    swiotlb_driver_reset(b.rig->drv);
    back_end_wait(b.be, is_connected_again, before, "new connection");
    assert_recovers(&b);
    bench_end(&b);
}

static bool has_popped(const BackEndState *state, uint64_t before)
{
    return state->popped > before;
}

static void test_inflight(void)
{
    BackEndState state;
    Bench b;

    bench_init(&b, BLK);
    b.setup.protocol_features = PROTOCOL_INFLIGHT;
    bench_start(&b, WINDOW, "");
    bench_up(&b);
    bench_exchange_all(&b);
    state = back_end_state(b.be);
    g_assert_cmpint(state.count[MSG_GET_INFLIGHT_FD], >, 0);
    g_assert_cmpint(state.count[MSG_SET_INFLIGHT_FD], >, 0);

    back_end_hold(b.be, true);
    bench_post(&b, 0, sent_at(&b, 0), received_at(&b, 0));
    swiotlb_queue_kick(b.vq[0]);
    back_end_wait(b.be, has_popped, state.popped, "request in flight");
    g_assert_false(swiotlb_queue_get(b.vq[0], NULL));

    back_end_disconnect(b.be);
    back_end_hold(b.be, false);
    back_end_accept(b.be);
    g_assert_cmpint(swiotlb_queue_wait(b.vq[0]), ==, BYTES);
    assert_received(&b, 0);
    g_assert_cmpint(back_end_state(b.be).count[MSG_SET_INFLIGHT_FD], >,
                    state.count[MSG_SET_INFLIGHT_FD]);
    g_assert_cmpint(back_end_state(b.be).inflight, ==, state.inflight);
    bench_exchange_all(&b);
    assert_confined(&b, RIG_WINDOW);
    bench_end(&b);
}

/* Life */

static void test_not_required(const void *opaque)
{
    BackEndState state;
    Bench b;

    bench_init(&b, BLK);
    b.setup.hidden_protocol_features = *(uint64_t *)opaque;
    bench_start(&b, WINDOW ",swiotlb-required=off", "");
    for (int i = 0; i < 2; i++) {
        bench_up_plain(&b);
        bench_exchange_all(&b);
        state = back_end_state(b.be);
        g_assert_true(has_file(&state, b.rig->ram_inode));
        g_assert_true(finds_guest_ram(&b));
        g_assert_false(finds_neighbour(&b));

        b.base = RIG_WINDOW;
        bench_up(&b);
        bench_exchange_all(&b);
        state = back_end_state(b.be);
        g_assert_cmpint(state.nregions, ==, 1);
        g_assert_cmphex(state.region[0].gpa, ==, RIG_WINDOW);
        g_assert_cmphex(state.region[0].size, ==, RIG_WINDOW_SIZE);
        g_assert_false(has_file(&state, b.rig->ram_inode));
        g_assert_false(finds_guest_ram(&b));
    }
    g_assert_cmphex(state.features & (1ull << VIRTIO_F_ACCESS_PLATFORM |
                                      1ull << SWIOTLB_F), ==, 0);
    bench_end(&b);
}

static void test_machine_pauses(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    qtest_qmp_assert_success(b.rig->qts, "{'execute': 'stop'}");
    back_end_wait_stopped(b.be);
    qtest_qmp_assert_success(b.rig->qts, "{'execute': 'cont'}");
    back_end_wait_started(b.be);
    bench_exchange_all(&b);
    assert_confined(&b, RIG_WINDOW);
    bench_end(&b);
}

static void test_machine_reset(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    qtest_system_reset(b.rig->qts);
    back_end_wait_stopped(b.be);
    swiotlb_rig_map(b.rig);
    assert_recovers(&b);
    bench_end(&b);
}

static bool is_gone(const BackEndState *state, uint64_t arg)
{
    return !state->connected;
}

static void test_unplug(void)
{
    Bench b = bench_new(BLK, WINDOW, "");

    bench_up(&b);
    bench_exchange_all(&b);
    swiotlb_rig_snapshot(b.rig);
    qtest_qmp_assert_success(b.rig->qts, "{'execute': 'device_del',"
                             " 'arguments': {'id': '" RIG_DEVICE "'}}");
    /* What the guest's ACPI code does then: slot 4 */
    qtest_outl(b.rig->qts, 0xae08, 1 << 4);
    qtest_qmp_eventwait(b.rig->qts, "DEVICE_DELETED");
    back_end_wait_stopped(b.be);
    qtest_qmp_assert_success(b.rig->qts, "{'execute': 'chardev-remove',"
                             " 'arguments': {'id': 'c0'}}");
    back_end_wait(b.be, is_gone, 0, "end of the connection");
    swiotlb_rig_assert_untouched(b.rig);
    bench_end(&b);
}

/* Migration: what the back end wrote, and nobody but it can know of */

typedef struct Side {
    Bench b;            /* the first device with a window... */
    BackEnd *second;    /* ... another, high up... */
    BackEnd *plain;     /* ... and one without */
    SwiotlbDriver *drv[2];
    SwiotlbQueue *vq[2];
} Side;

#define PLAIN_RINGS     (RIG_TARGET + 0x40000)

static void side_start(Side *s, const char *incoming)
{
    g_autofree char *extra = NULL;

    bench_init(&s->b, BLK);
    s->second = back_end_new(&s->b.setup);
    s->plain = back_end_new(&s->b.setup);
    extra = g_strdup_printf(
        "-chardev socket,id=c1,path=%s -chardev socket,id=c2,path=%s "
        "-device vhost-user-blk-pci,id=second,chardev=c1,num-queues=2,"
        "addr=6.0," WINDOW " "
        "-device vhost-user-blk-pci,id=plain,chardev=c2,num-queues=2,"
        "addr=7.0,disable-legacy=on %s", back_end_path(s->second),
        back_end_path(s->plain), incoming);
    bench_start(&s->b, WINDOW, extra);
    s->drv[0] = swiotlb_driver_new(s->b.rig->qts, s->b.rig->bus,
                                   QPCI_DEVFN(6, 0), "second");
    swiotlb_driver_map(s->drv[0], HIGH, 0xe0300000);
    s->drv[1] = swiotlb_driver_new(s->b.rig->qts, s->b.rig->bus,
                                   QPCI_DEVFN(7, 0), "plain");
    swiotlb_driver_map(s->drv[1], 0, 0xe0400000);
}

static void side_end(Side *s)
{
    for (int i = 0; i < 2; i++) {
        swiotlb_queue_free(s->vq[i]);
        swiotlb_driver_free(s->drv[i]);
    }
    bench_end(&s->b);
    back_end_free(s->second);
    back_end_free(s->plain);
}

/* One queue of the second (0) or the plain device (1), with rings at @base */
static void side_up(Side *s, int which, uint64_t features, uint64_t base)
{
    uint64_t area[RING_AREAS];

    g_assert_true(swiotlb_driver_negotiate(s->drv[which], features));
    swiotlb_ring_areas_at(base, area);
    s->vq[which] = swiotlb_queue_new(s->drv[which], 0, area);
    swiotlb_queue_clear(s->vq[which]);
    swiotlb_queue_enable(s->vq[which]);
    swiotlb_driver_add_status(s->drv[which], VIRTIO_CONFIG_S_DRIVER_OK);
    back_end_wait_started(which ? s->plain : s->second);
}

/* A request whose answer goes to a page of its own, @base + 0x8000 */
static void side_post(Side *s, int which, uint64_t base)
{
    const SwiotlbDesc desc[] = {
        { base + 0x6000, BYTES, false }, { base + 0x8000, BYTES, true },
    };

    qtest_memset(s->b.rig->qts, base + 0x6000, 0x11 * (which + 1), BYTES);
    qtest_memset(s->b.rig->qts, base + 0x8000, 0xff, 0x1000);
    swiotlb_queue_add(s->vq[which], desc, ARRAY_SIZE(desc));
}

static void side_assert_answer(Side *s, int which, uint64_t base)
{
    for (int i = 0; i < BYTES; i++) {
        g_assert_cmphex(qtest_readb(s->b.rig->qts, base + 0x8000 + i), ==,
                        BACK_END_XOR ^ (0x11 * (which + 1)));
    }
    g_assert_cmphex(qtest_readb(s->b.rig->qts, base + 0x8000 + BYTES), ==,
                    0xff);
}

static int64_t dirty_sync_count(QTestState *qts)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'query-migrate'}");
    QDict *info = qdict_get_qdict(rsp, "return");
    QDict *ram = qdict_get_qdict(info, "ram");
    int64_t count = ram ? qdict_get_int(ram, "dirty-sync-count") : 0;

    g_assert_cmpstr(qdict_get_str(info, "status"), !=, "failed");
    g_assert_cmpstr(qdict_get_str(info, "status"), !=, "completed");
    qobject_unref(rsp);
    return count;
}

/* Keep the migration from coming to an end: a second's work at each pass. */
static void dirty_until(Side *s, int64_t count)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    for (uint8_t byte = 0; dirty_sync_count(s->b.rig->qts) < count; byte++) {
        qtest_memset(s->b.rig->qts, 1 * MiB, byte, 1 * MiB);
        qtest_memset(s->b.rig->qts, 3 * MiB, byte, 1 * MiB);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

static void wait_migrated(QTestState *qts)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    bool done = false;

    while (!done) {
        QDict *rsp = qtest_qmp(qts, "{'execute': 'query-migrate'}");
        const char *status = qdict_get_try_str(qdict_get_qdict(rsp, "return"),
                                               "status");

        g_assert_cmpstr(status, !=, "failed");
        done = g_strcmp0(status, "completed") == 0;
        qobject_unref(rsp);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
}

static void assert_has_window_only(BackEnd *be, uint64_t base)
{
    BackEndState state = back_end_state(be);

    g_assert_cmpint(state.nregions, ==, 1);
    g_assert_cmphex(state.region[0].gpa, ==, base);
    g_assert_cmphex(state.region[0].size, ==, RIG_WINDOW_SIZE);
}

static void test_dirty_log(void)
{
    g_autofree char *path = NULL;
    g_autofree char *uri = NULL;
    const uint64_t ours = 1ull << VIRTIO_F_VERSION_1 |
                          1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << SWIOTLB_F;
    Side from = {}, to = {};
    int fd = g_file_open_tmp("swiotlb-XXXXXX", &path, NULL);
    int64_t passes;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    uri = g_strdup_printf("file:%s", path);

    side_start(&from, "");
    bench_up(&from.b);
    side_up(&from, 0, ours, HIGH);
    side_up(&from, 1, 1ull << VIRTIO_F_VERSION_1, PLAIN_RINGS);
    bench_post(&from.b, 0, sent_at(&from.b, 0), received_at(&from.b, 0));
    side_post(&from, 0, HIGH);
    side_post(&from, 1, PLAIN_RINGS);

    qtest_qmp_assert_success(from.b.rig->qts, "{'execute':"
                             " 'migrate-set-parameters', 'arguments': {"
                             " 'max-bandwidth': 2097152,"
                             " 'downtime-limit': 1}}");
    qtest_qmp_assert_success(from.b.rig->qts, "{'execute': 'migrate',"
                             " 'arguments': {'uri': %s}}", uri);
    /* All memory has been sent once when the log is read again. */
    dirty_until(&from, 2);
    swiotlb_queue_kick(from.b.vq[0]);
    swiotlb_queue_kick(from.vq[0]);
    swiotlb_queue_kick(from.vq[1]);
    swiotlb_queue_wait(from.b.vq[0]);
    swiotlb_queue_wait(from.vq[0]);
    swiotlb_queue_wait(from.vq[1]);
    passes = dirty_sync_count(from.b.rig->qts);
    dirty_until(&from, passes + 2);
    assert_has_window_only(from.b.be, RIG_WINDOW);
    assert_has_window_only(from.second, HIGH);
    g_assert_false(back_end_was_given(from.b.be, from.b.rig->ram_inode));
    g_assert_false(back_end_was_given(from.second, from.b.rig->ram_inode));
    qtest_qmp_assert_success(from.b.rig->qts, "{'execute':"
                             " 'migrate-set-parameters', 'arguments': {"
                             " 'max-bandwidth': 0,"
                             " 'downtime-limit': 10000}}");
    wait_migrated(from.b.rig->qts);
    back_end_wait_stopped(from.b.be);

    side_start(&to, "-incoming defer");
    qtest_qmp_assert_success(to.b.rig->qts, "{'execute': 'migrate-incoming',"
                             " 'arguments': {'uri': %s}}", uri);
    wait_migrated(to.b.rig->qts);
    back_end_wait_started(to.b.be);
    back_end_wait_started(to.second);
    back_end_wait_started(to.plain);
    assert_received(&to.b, 0);
    side_assert_answer(&to, 0, HIGH);
    side_assert_answer(&to, 1, PLAIN_RINGS);
    assert_has_window_only(to.b.be, RIG_WINDOW);
    assert_has_window_only(to.second, HIGH);
    g_assert_false(back_end_was_given(to.b.be, to.b.rig->ram_inode));
    /* And the driver goes on where it was. */
    for (int i = 0; i < 2; i++) {
        SwiotlbQueue *vq = from.b.vq[i];

        vq->drv = to.b.rig->drv;
        to.b.vq[i] = g_steal_pointer(&from.b.vq[i]);
        to.b.vq[i]->drv->features = from.b.rig->drv->features;
    }
    bench_exchange_all(&to.b);

    side_end(&to);
    side_end(&from);
    unlink(path);
}

static void add_places(const char *name, void (*fn)(const void *opaque))
{
    for (int i = 0; i < ARRAY_SIZE(places); i++) {
        g_autofree char *path = g_strdup_printf("swiotlb/vhost-user/%s/%s",
                                                name, places[i].name);

        qtest_add_data_func(path, &places[i], fn);
    }
}

/* How the table comes: whole, or piece by piece */
static void add_tables(const char *name, void (*fn)(const void *opaque))
{
    static const uint64_t whole = PROTOCOL_MEM_SLOTS, pieces;
    g_autofree char *path = g_strdup_printf("swiotlb/vhost-user/%s", name);
    g_autofree char *slots = g_strdup_printf("%s/memory_slots", path);
    g_autofree char *table = g_strdup_printf("%s/memory_table", path);

    qtest_add_data_func(table, &whole, fn);
    qtest_add_data_func(slots, &pieces, fn);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        { "every_type_is_tested", test_every_type },
        { "guest_ram_may_be_private", test_private_ram },
        { "device_without_window_gets_guest_ram_and_no_window", test_plain },
        { "memdev_is_what_the_back_end_gets", test_memdev },
        { "memdev_that_cannot_be_shared_is_refused", test_memdev_refused },
        { "iommu_is_never_asked", test_iommu },
        { "iotlb_miss_of_back_end_reaches_nothing", test_miss },
        { "window_moved_stops_back_end_until_reset", test_window_moved },
        { "window_closed_stops_back_end_until_reset", test_window_closed },
        { "bus_mastering_off_stops_back_end_until_reset",
          test_bus_mastering_off },
        { "reconnect_brings_the_same_table", test_reconnect },
        { "reconnect_does_not_start_a_stopped_device",
          test_reconnect_stopped },
        { "hanging_up_at_any_message_costs_a_connection_only",
          test_hang_up },
        { "requests_in_flight_survive_a_reconnect", test_inflight },
        { "machine_pauses_and_goes_on", test_machine_pauses },
        { "machine_reset_is_followed_by_a_new_start", test_machine_reset },
        { "unplug_while_running_ends_the_connection", test_unplug },
        { "migration_brings_what_back_ends_wrote", test_dirty_log },
    };

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *moves = g_strdup_printf(
            "swiotlb/vhost-user/%s/moves_data_through_the_window",
            types[i].name);
        g_autofree char *stops = g_strdup_printf(
            "swiotlb/vhost-user/%s/window_moved_stops_back_end_until_reset",
            types[i].name);

        if (qtest_has_device(types[i].type)) {
            qtest_add_data_func(moves, &types[i], test_moves_data);
            qtest_add_data_func(stops, &types[i], test_type_stops);
        }
    }
    for (int i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("swiotlb/vhost-user/%s",
                                                tests[i].name);

        qtest_add_func(path, tests[i].fn);
    }
    add_tables("back_end_writes_to_all_it_has_and_hits_the_window_only",
               test_scribble);
    add_tables("memory_hotplug_leaves_the_table_alone", test_memory_hotplug);
    add_tables("declining_driver_gets_guest_ram_and_the_next_one_none",
               test_not_required);
    add_places("ring_outside_window_starts_no_back_end", test_rings);
    add_places("buffer_outside_window_is_unreachable", test_buffers);

    return g_test_run();
}
