/*
 * Back ends in the kernel, vhost and vDPA: they get the window, nothing else
 *
 * A library in QEMU stands in for the kernel's devices and tells what they are
 * given (swiotlb-vhost-shim.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "swiotlb-rig.h"
#include "swiotlb-vhost-shim.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"

#define WAIT_US         (30 * G_USEC_PER_SEC)
#define ELSEWHERE       0xe8000000ull
#define WINDOW          "swiotlb=on,swiotlb-size=1M"
#define MAX_QUEUES      4
#define VDPA_NET_PROPS  "virtio-net-pci,romfile=,netdev="
#define VDPA_NET_DEV    "-netdev vhost-vdpa,vhostdev=" SHIM_VDPA_NET ",id="

/* Later versions map all memory before anybody knows for whom. */
#define VDPA_HAS_WINDOWS                                                    \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR == 0)

typedef struct Type {
    const char *name;
    const char *device;
    const char *extra;
    /* Queues of the device, and those of them that the kernel serves */
    int queues;
    int served;
    bool vdpa;
} Type;

static const Type types[] = {
    { "vhost-net", "virtio-net-pci,netdev=n0,romfile=",
      "-netdev tap,id=n0,vhost=on,fd=", .queues = 2, .served = 2 },
    { "vhost-scsi", "vhost-scsi-pci,wwpn=naa.5000000000000001,num_queues=1",
      "", .queues = 3, .served = 3 },
    { "vhost-scsi-non-transitional",
      "vhost-scsi-pci-non-transitional,wwpn=naa.5000000000000001,num_queues=1",
      "", .queues = 3, .served = 3 },
    { "vhost-vsock", "vhost-vsock-pci,guest-cid=3", "",
      .queues = 3, .served = 2 },
    { "vhost-vsock-non-transitional",
      "vhost-vsock-pci-non-transitional,guest-cid=3", "",
      .queues = 3, .served = 2 },
    { "vhost-vdpa", "vhost-vdpa-device-pci,vhostdev=" SHIM_VDPA_BLK, "",
      .queues = 1, .served = 1, .vdpa = true },
    { "vhost-vdpa-non-transitional",
      "vhost-vdpa-device-pci-non-transitional,vhostdev=" SHIM_VDPA_BLK, "",
      .queues = 1, .served = 1, .vdpa = true },
    { "vhost-vdpa-net", VDPA_NET_PROPS "n0", VDPA_NET_DEV "n0",
      .queues = 2, .served = 2, .vdpa = true },
};

typedef struct Bench {
    const Type *type;
    SwiotlbRig *rig;
    uint64_t base;
    int tap;
    char *dir;
    char *log;
} Bench;

static Bench bench_new(const Type *type, const char *window, const char *extra)
{
    Bench b = { .type = type, .base = RIG_WINDOW, .tap = -1 };
    g_autofree char *args = NULL;
    int sv[2] = { -1, -1 };

    b.dir = g_dir_make_tmp("swiotlb-XXXXXX", NULL);
    b.log = g_build_filename(b.dir, "log", NULL);
    g_assert_true(g_file_set_contents(b.log, "", 0, NULL));
    if (g_str_has_suffix(type->extra, "fd=")) {
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), ==, 0);
        b.tap = sv[0];
        args = g_strdup_printf("%s%d %s", type->extra, sv[1], extra);
    } else {
        args = g_strdup_printf("%s %s", type->extra, extra);
    }

    g_setenv(SHIM_LOG, b.log, true);
    swiotlb_rig_preload("libswiotlb-vhost-shim.so");
    if (strstr(extra, "intel-iommu")) {
        b.rig = swiotlb_rig_new_express_full(type->device, window, args);
    } else {
        b.rig = swiotlb_rig_new_full(type->device, window, args);
    }
    swiotlb_rig_preload(NULL);
    if (sv[1] >= 0) {
        close(sv[1]);
    }

    memcpy(b.rig->ram + RIG_TARGET, SHIM_SECRET, sizeof(SHIM_SECRET));
    memcpy(b.rig->neighbour + 0x1000, SHIM_SECRET, sizeof(SHIM_SECRET));
    return b;
}

static void bench_end(Bench *b)
{
    swiotlb_rig_free(b->rig);
    if (b->tap >= 0) {
        close(b->tap);
    }
    g_assert_cmpint(g_unlink(b->log) | g_rmdir(b->dir), ==, 0);
    g_free(b->log);
    g_free(b->dir);
}

/* The lines of the log that begin with @word, since line @from */
static GPtrArray *lines_of(Bench *b, const char *word, guint from)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *prefix = g_strdup_printf("%s ", word);
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(b->log, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] && *lines[i]; i++) {
        if (i >= from && (!*word || g_str_has_prefix(lines[i], prefix))) {
            g_ptr_array_add(found, g_strdup(lines[i]));
        }
    }
    return found;
}

static guint count_lines(Bench *b, const char *word, guint from)
{
    g_autoptr(GPtrArray) lines = lines_of(b, word, from);

    return lines->len;
}

/* All that was written so far */
static guint now(Bench *b)
{
    return count_lines(b, "", 0);
}

static void wait_lines(Bench *b, const char *word, guint from, guint count)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    while (count_lines(b, word, from) < count) {
        qtest_clock_step(b->rig->qts, 1000000);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

static const char *table_word(const Type *type)
{
    return type->vdpa ? "map" : "region";
}

static void enable_queues(Bench *b)
{
    for (int i = 0; i < b->type->queues; i++) {
        uint64_t area[RING_AREAS];
        SwiotlbQueue *vq;

        swiotlb_ring_areas_at(b->base + 0x10000 + i * 0x4000, area);
        vq = swiotlb_queue_new(b->rig->drv, i, area);
        swiotlb_queue_clear(vq);
        swiotlb_queue_enable(vq);
        swiotlb_queue_free(vq);
    }
}

static guint bench_run(Bench *b)
{
    guint from = now(b);

    enable_queues(b);
    swiotlb_rig_driver_ok(b->rig);
    wait_lines(b, "ring", from, b->type->served);
    swiotlb_rig_barrier(b->rig);
    return from;
}

static guint bench_up(Bench *b)
{
    swiotlb_rig_negotiate(b->rig, 0);
    qtest_memwrite(b->rig->qts, b->base + 0x1000, SHIM_MARK,
                   sizeof(SHIM_MARK));
    return bench_run(b);
}

static guint bench_up_plain(Bench *b)
{
    b->base = RIG_TARGET + 0x10000;
    g_assert_true(swiotlb_driver_negotiate(b->rig->drv,
                                           1ull << VIRTIO_F_VERSION_1 |
                                           (b->type->vdpa ? 1ull <<
                                            VIRTIO_F_ACCESS_PLATFORM : 0)));
    return bench_run(b);
}

/* From line @from on, the device got the window, and nothing else. */
static void assert_confined(Bench *b, guint from, bool inside)
{
    g_autofree char *region = g_strdup_printf("%s %" PRIx64 " %x 0 1",
                                              table_word(b->type), b->base,
                                              (unsigned)RIG_WINDOW_SIZE);
    g_autoptr(GPtrArray) memory = lines_of(b, table_word(b->type), from);
    g_autoptr(GPtrArray) rings = lines_of(b, "ring", from);
    g_autoptr(GPtrArray) features = lines_of(b, "features", from);

    g_assert_cmpint(memory->len, >, 0);
    for (guint i = 0; i < memory->len; i++) {
        g_assert_cmpstr(memory->pdata[i], ==, region);
    }
    g_assert_cmpint(rings->len, >, 0);
    for (guint i = 0; inside && i < rings->len; i++) {
        g_assert_true(g_str_has_suffix(rings->pdata[i], " 1"));
    }
    g_assert_cmpint(features->len, >, 0);
    for (guint i = 0; i < features->len; i++) {
        uint64_t bits = g_ascii_strtoull(strchr(features->pdata[i], ' '), NULL,
                                         16);

        g_assert_cmphex(bits & 1ull << SWIOTLB_F, ==, 0);
        /* vDPA cannot do without. */
        g_assert_cmphex(!!(bits & 1ull << VIRTIO_F_ACCESS_PLATFORM), ==,
                        b->type->vdpa);
    }
}

static void test_window(const void *opaque)
{
    Bench b = bench_new(opaque, WINDOW, "");
    guint from;

    for (int i = 0; i < 3; i++) {
        from = bench_up(&b);
        /* vDPA hears of rings before it hears of memory. */
        assert_confined(&b, from, !b.type->vdpa);
    }
    bench_end(&b);
}

static void test_iommu(const void *opaque)
{
    Bench b = bench_new(opaque, WINDOW, "-device intel-iommu,device-iotlb=on");
    guint from = bench_up(&b);

    assert_confined(&b, from, !b.type->vdpa);
    bench_end(&b);
}

static void test_plain(const void *opaque)
{
    const Type *type = opaque;
    g_autoptr(GPtrArray) memory = NULL;
    bool secret = false;
    guint from;
    Bench b;

    b = bench_new(type, type->vdpa && !strstr(type->device, "transitional") ?
                        "disable-legacy=on" : "", "");
    from = bench_up_plain(&b);
    memory = lines_of(&b, table_word(type), from);
    for (guint i = 0; i < memory->len; i++) {
        secret |= g_str_has_suffix(memory->pdata[i], " 1 0");
    }
    g_assert_true(secret);
    bench_end(&b);
}

static void test_window_moved(const void *opaque)
{
    Bench b = bench_new(opaque, WINDOW, "");

    for (int i = 0; i < 2; i++) {
        guint from = bench_up(&b);

        assert_confined(&b, from, !b.type->vdpa);
        from = now(&b);
        swiotlb_rig_snapshot(b.rig);
        b.base = i ? RIG_WINDOW : ELSEWHERE;
        swiotlb_driver_move_bar(b.rig->drv, b.rig->drv->window_bar, b.base);
        wait_lines(&b, "stop", from, b.type->served);
        swiotlb_rig_assert_stopped(b.rig, false);
        if (b.type->vdpa) {
            wait_lines(&b, "unmap", from, 1);
        }
        /* The machine pauses and goes on, but not this device. */
        swiotlb_rig_barrier(b.rig);
        g_assert_cmpint(count_lines(&b, "ring", from), ==, 0);
        g_assert_cmpint(count_lines(&b, table_word(b.type), from), ==, 0);
    }
    assert_confined(&b, bench_up(&b), !b.type->vdpa);
    bench_end(&b);
}

static void test_ring_outside(const void *opaque)
{
    const Type *type = opaque;
    Bench b = bench_new(type, WINDOW, "");

    for (int i = 0; i < RING_AREAS; i++) {
        uint64_t area[RING_AREAS];
        SwiotlbQueue *vq;
        guint from;

        swiotlb_rig_negotiate(b.rig, 0);
        from = now(&b);
        swiotlb_ring_areas_at(RIG_RINGS, area);
        area[i] = RIG_TARGET_RINGS;
        vq = swiotlb_queue_new(b.rig->drv, 0, area);
        swiotlb_queue_clear(vq);
        swiotlb_rig_snapshot(b.rig);
        swiotlb_queue_enable(vq);
        swiotlb_rig_driver_ok(b.rig);
        swiotlb_rig_assert_refused(b.rig, area[i], 0, NULL, true);
        swiotlb_queue_free(vq);
        g_assert_cmpint(count_lines(&b, "ring", from), ==, 0);
        g_assert_cmpint(count_lines(&b, table_word(type), from), ==, 0);
    }
    assert_confined(&b, bench_up(&b), !type->vdpa);
    bench_end(&b);
}

/* A second device, beside one without a window */
static void test_refused(const void *opaque)
{
    const Type *type = opaque;
    bool is_net = g_str_has_prefix(type->device, VDPA_NET_PROPS);
    Bench b = bench_new(type, "", is_net ? VDPA_NET_DEV "n1" : "");
    g_autofree char *said = NULL;

    said = qtest_hmp(b.rig->qts, "device_add %s,id=late,swiotlb=on",
                     is_net ? VDPA_NET_PROPS "n1" : type->device);
    g_assert_nonnull(strstr(said, "swiotlb=on does not work with a vDPA "
                            "device"));
    bench_end(&b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(const void *opaque);
        enum { ALWAYS, WITH_WINDOW, REFUSED } when;
    } tests[] = {
        { "kernel_gets_the_window_only", test_window, WITH_WINDOW },
        { "kernel_gets_the_window_only_behind_an_iommu", test_iommu,
          WITH_WINDOW },
        { "kernel_gets_guest_ram_without_a_window", test_plain, ALWAYS },
        { "window_moved_stops_back_end_until_reset", test_window_moved,
          WITH_WINDOW },
        { "ring_outside_window_starts_no_back_end", test_ring_outside,
          WITH_WINDOW },
        { "window_is_refused", test_refused, REFUSED },
    };

    g_test_init(&argc, &argv, NULL);
    for (int i = 0; i < ARRAY_SIZE(types); i++) {
        bool refused = types[i].vdpa && !VDPA_HAS_WINDOWS;

        for (int j = 0; j < ARRAY_SIZE(tests); j++) {
            g_autofree char *path = g_strdup_printf(
                "swiotlb/vhost-kernel/%s/%s", types[i].name, tests[j].name);

            if (tests[j].when == (refused ? WITH_WINDOW : REFUSED)) {
                continue;
            }
            qtest_add_data_func(path, &types[i], tests[j].fn);
        }
    }
    return g_test_run();
}
