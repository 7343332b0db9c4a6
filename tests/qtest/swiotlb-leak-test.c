/*
 * However often a device loses its window, QEMU holds no more than before
 *
 * No CPU runs: what QEMU holds does not depend on how much it translates.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "swiotlb-blk.h"
#include "swiotlb-heap-shim.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_ring.h"

#define WAIT_US         (20 * G_USEC_PER_SEC)
/* Rounds until whatever is made once and kept has been made */
#define FIRST_ROUNDS    100
#define ROUNDS          150
/* Bytes; less than the smallest allocation that is left in each round */
#define SLACK           4000

typedef struct Held {
    uint64_t heap;      /* bytes in use */
    int mappings;       /* of windows */
    int files;
} Held;

/* One way for a device to lose its window; afterwards all has to work again. */
typedef struct End {
    const char *name;
    void (*happen)(SwiotlbRig *rig, SwiotlbQueue *vq);
    bool express;
    bool unplugged;     /* and another one comes */
} End;

typedef struct LeakCase {
    const BlkVariant *variant;
    const End *end;
} LeakCase;

/* The end of the socket that QEMU's heap is asked at */
static int heap_socket;

static SwiotlbRig *start(const LeakCase *c)
{
    g_autofree char *number = NULL;
    const BlkVariant *variant = c->variant;
    SwiotlbRig *rig;
    int sv[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), ==, 0);
    number = g_strdup_printf("%d", sv[1]);
    g_setenv(HEAP_SOCKET, number, true);
    swiotlb_rig_preload("libswiotlb-heap-shim.so");
    /* What threads keep for the next allocation would count as in use. */
    g_setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", true);
    rig = c->end->express ?
        swiotlb_rig_new_express(variant->device, variant->extra) :
        swiotlb_rig_new(variant->device, variant->extra);
    g_unsetenv("GLIBC_TUNABLES");
    swiotlb_rig_preload(NULL);
    g_unsetenv(HEAP_SOCKET);
    close(sv[1]);
    heap_socket = sv[0];

    return rig;
}

static int count_files(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    int count = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        count++;
    }
    return count;
}

static int count_windows(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *maps = NULL;
    int count = 0;

    g_assert_true(g_file_get_contents(path, &maps, NULL, NULL));
    for (char *p = maps; (p = strstr(p, "memfd:swiotlb")); p++) {
        count++;
    }
    return count;
}

static Held held(SwiotlbRig *rig)
{
    pid_t pid = qtest_pid(rig->qts);
    Held now = {
        .mappings = count_windows(pid),
        .files = count_files(pid),
    };

    g_assert_cmpint(write(heap_socket, "?", 1), ==, 1);
    g_assert_cmpint(read(heap_socket, &now.heap, sizeof(now.heap)), ==,
                    sizeof(now.heap));
    g_assert_cmpint(now.heap, >, 0);
    g_assert_cmpint(now.mappings, >, 0);
    return now;
}

/* QEMU frees after a grace period of RCU, tens of milliseconds. */
static Held held_at_rest(SwiotlbRig *rig)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    Held before, now = held(rig);

    do {
        before = now;
        g_usleep(100000);
        now = held(rig);
    } while (now.heap != before.heap && g_get_monotonic_time() < end);

    return now;
}

static void assert_held_no_more(SwiotlbRig *rig, const Held *before)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    Held now;

    do {
        now = held(rig);
        if (now.heap <= before->heap + SLACK &&
            now.mappings <= before->mappings && now.files <= before->files) {
            return;
        }
        g_usleep(10000);
    } while (g_get_monotonic_time() < end);

    g_assert_cmpint(now.mappings, <=, before->mappings);
    g_assert_cmpint(now.files, <=, before->files);
    g_assert_cmpint(now.heap, <=, before->heap + SLACK);
}

static void device_reset(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_driver_reset(rig->drv);
}

static void machine_reset(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    qtest_system_reset(rig->qts);
}

static void function_level_reset(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_driver_function_reset(rig->drv);
}

static void bus_reset(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_rig_reset_bus(rig);
}

static void window_moved(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_driver_move_window(rig->drv);
}

static void decoding_off(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_driver_command(rig->drv, 0, PCI_COMMAND_MEMORY);
}

static void bus_master_off(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    swiotlb_driver_take_mastering(rig->drv);
}

/* One segment lies in the window, the next one in guest RAM. */
static void buffer_refused(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    BlkRequest req;

    blk_request_init(&req, true, 1);
    req.seg[BLK_DATA].addr = RIG_TARGET;
    blk_request_fill(rig, &req);
    blk_request_add(rig, vq, &req, true);
    swiotlb_queue_kick(vq);
    g_assert_true(swiotlb_rig_await_stopped(rig));
}

static void table_refused(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    const uint32_t len = 3 * sizeof(struct vring_desc);

    swiotlb_queue_add_indirect(vq, RIG_TARGET, len);
    swiotlb_queue_kick(vq);
    g_assert_true(swiotlb_rig_await_stopped(rig));
}

static void rings_refused(SwiotlbRig *rig, SwiotlbQueue *vq)
{
    SwiotlbQueue *ram;

    swiotlb_rig_negotiate(rig, rig->features);
    ram = blk_queue_with_area_at(rig, 0, RING_DESC, RIG_TARGET_RINGS, false);
    swiotlb_queue_enable(ram);
    swiotlb_rig_driver_ok(rig);
    swiotlb_queue_kick(ram);
    g_assert_true(swiotlb_rig_await_stopped(rig));
    swiotlb_queue_free(ram);
}

static void nothing(SwiotlbRig *rig, SwiotlbQueue *vq)
{
}

static void plug_another(SwiotlbRig *rig, const char *device)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    QPCIDevice *pci;

    swiotlb_driver_free(rig->drv);
    qpci_unplug_acpi_device_test(rig->qts, RIG_DEVICE, 4);
    /* The disk is free once the device before has been. */
    do {
        g_autofree char *said =
            qtest_hmp(rig->qts, "device_add %s,id=" RIG_DEVICE ",addr=4.0,"
                      "swiotlb=on,swiotlb-size=1M", device);

        pci = qpci_device_find(rig->bus, RIG_DEVFN);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    } while (!pci);
    g_free(pci);
    rig->drv = swiotlb_driver_new(rig->qts, rig->bus, RIG_DEVFN, RIG_DEVICE);
}

static void round_of(SwiotlbRig *rig, const LeakCase *c)
{
    SwiotlbQueue *vq = blk_variant_go(rig, c->variant);

    c->end->happen(rig, vq);
    if (c->end->unplugged) {
        plug_another(rig, c->variant->device);
    }
    swiotlb_queue_free(vq);
    swiotlb_rig_map(rig);
}

static void test_end(const void *opaque)
{
    const LeakCase *c = opaque;
    SwiotlbRig *rig = start(c);
    Held before;

    for (int i = 0; i < FIRST_ROUNDS; i++) {
        round_of(rig, c);
    }
    before = held_at_rest(rig);
    for (int i = 0; i < ROUNDS; i++) {
        round_of(rig, c);
    }
    assert_held_no_more(rig, &before);
    swiotlb_rig_free(rig);
    close(heap_socket);
}

int main(int argc, char **argv)
{
    static const End ends[] = {
        { "device_reset", device_reset },
        { "machine_reset", machine_reset },
        { "function_level_reset", function_level_reset, .express = true },
        { "bus_reset", bus_reset, .express = true },
        { "window_moved", window_moved },
        { "decoding_off", decoding_off },
        { "bus_master_off", bus_master_off },
        { "buffer_refused", buffer_refused },
        { "table_refused", table_refused },
        { "rings_refused", rings_refused },
        { "unplugged", nothing, .unplugged = true },
        { "refused_and_unplugged", buffer_refused, .unplugged = true },
    };
    /* Split rings in the main loop, packed ones in an I/O thread */
    static const BlkVariant *const variants[] = {
        &blk_variants[0], &blk_variants[3],
    };
    static LeakCase cases[ARRAY_SIZE(variants) * ARRAY_SIZE(ends)];
    LeakCase *c = cases;

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(variants); i++) {
        for (int j = 0; j < ARRAY_SIZE(ends); j++) {
            g_autofree char *path = g_strdup_printf("swiotlb/leak/%s/%s",
                                                    variants[i]->name,
                                                    ends[j].name);

            *c = (LeakCase) { variants[i], &ends[j] };
            qtest_add_data_func(path, c++, test_end);
        }
    }

    return g_test_run();
}
