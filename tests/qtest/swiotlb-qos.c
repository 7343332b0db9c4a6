/*
 * QEMU's own virtio tests, run through a window
 *
 * Turns the virtio-*-pci nodes of libqos into nodes with swiotlb=on.  What a
 * test or a libqos driver takes from the guest allocator it is given then
 * comes from the device's window: rings, tables, buffers, everything.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/libqos-malloc.h"
#include "tests/qtest/libqos/qgraph.h"
#include "tests/qtest/libqos/qgraph_internal.h"
#include "tests/qtest/libqos/virtio-pci.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_pci.h"
#include "swiotlb-driver.h"

typedef struct SwiotlbNode {
    const char *name;
    unsigned window_mib;
    const char *props;
    QOSCreateDriverFunc create;
} SwiotlbNode;

static SwiotlbNode nodes[] = {
    { "virtio-9p-pci", 8, "" },
    { "virtio-blk-pci", 8, "" },
    /* large_tx/uint_max sends a buffer of 64 MiB */
    { "virtio-net-pci", 128, ",romfile=" },
    { "virtio-rng-pci", 8, "" },
    { "virtio-scsi-pci", 8, "" },
    { "virtio-serial-pci", 8, "" },
};

#define MAX_QUEUES      64

/* The device of the running test; libqos runs one at a time. */
static struct {
    QVirtioPCIDevice *dev;
    SwiotlbNode *node;
    char *path;
    uint64_t window;
    uint64_t window_size;

    QOSStartFunct start_hw;
    QOSDestructorFunc destructor;
    const QVirtioBus *bus;
    QVirtioBus checked_bus;

    QGuestAllocator *alloc;
    QGuestAllocator ordinary_memory;

    uint64_t used[MAX_QUEUES];
    bool kicked[MAX_QUEUES];
} active;

static QTestState *active_qts(void)
{
    return active.dev->pdev->bus->qts;
}

/* The tests name their devices or not; the type finds them all the same. */
static char *find_qom_path(QTestState *qts, const char *type)
{
    static const char *const parents[] = {
        "/machine/peripheral", "/machine/peripheral-anon",
    };
    g_autofree char *child = g_strdup_printf("child<%s>", type);
    char *path = NULL;

    for (int i = 0; i < ARRAY_SIZE(parents); i++) {
        QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-list',"
                               " 'arguments': {'path': %s}}", parents[i]);
        QListEntry *e;

        QLIST_FOREACH_ENTRY(qdict_get_qlist(rsp, "return"), e) {
            QDict *prop = qobject_to(QDict, qlist_entry_obj(e));

            if (g_str_equal(qdict_get_str(prop, "type"), child)) {
                g_assert_null(path);
                path = g_strdup_printf("%s/%s", parents[i],
                                       qdict_get_str(prop, "name"));
            }
        }
        qobject_unref(rsp);
    }
    g_assert_nonnull(path);

    return path;
}

static uint64_t get_property(const char *property)
{
    QDict *rsp = qtest_qmp(active_qts(), "{'execute': 'qom-get', 'arguments':"
                           " {'path': %s, 'property': %s}}", active.path,
                           property);
    uint64_t val;

    g_assert_true(qdict_haskey(rsp, "return"));
    val = qdict_get_int(rsp, "return");
    qobject_unref(rsp);

    return val;
}

/* Returns the BAR's index, after checking the capability against it. */
static int find_window(QPCIDevice *pdev)
{
    uint8_t cap = 0;

    while ((cap = qpci_find_capability(pdev, PCI_CAP_ID_VNDR, cap))) {
        if (qpci_config_readb(pdev, cap + VIRTIO_PCI_CAP_CFG_TYPE) ==
            SWIOTLB_CAP) {
            g_assert_cmpint(qpci_config_readb(pdev, cap + VIRTIO_PCI_CAP_LEN),
                            ==, SWIOTLB_CAP_LEN);
            return qpci_config_readb(pdev, cap + VIRTIO_PCI_CAP_BAR);
        }
    }
    g_assert_not_reached();
}

static bool in_window(uint64_t addr, uint64_t len)
{
    return addr >= active.window &&
           addr + len <= active.window + active.window_size;
}

static void checked_set_features(QVirtioDevice *d, uint64_t features)
{
    uint64_t needed = (1ull << SWIOTLB_F) | (1ull << VIRTIO_F_ACCESS_PLATFORM);

    g_assert_cmphex(features & needed, ==, needed);
    active.bus->set_features(d, features);
}

static void checked_set_queue_address(QVirtioDevice *d, QVirtQueue *vq)
{
    g_assert_true(in_window(vq->desc, qvring_size(vq->size, vq->align)));
    g_assert_cmpint(vq->index, <, MAX_QUEUES);
    active.used[vq->index] = vq->used;
    active.kicked[vq->index] = false;
    active.bus->set_queue_address(d, vq);
}

static void checked_virtqueue_kick(QVirtioDevice *d, QVirtQueue *vq)
{
    active.kicked[vq->index] = true;
    active.bus->virtqueue_kick(d, vq);
}

static void swiotlb_start_hw(QOSGraphObject *obj)
{
    QVirtioPCIDevice *dev = active.dev;
    QTestState *qts = active_qts();
    int bar = find_window(dev->pdev);

    active.path = find_qom_path(qts, active.node->name);
    g_assert_cmpint(get_property("swiotlb-bar"), ==, bar);
    active.window = qpci_iomap(dev->pdev, bar, &active.window_size).addr;
    g_assert_cmphex(active.window_size, ==, active.node->window_mib * MiB);

    /* A machine serves several tests, and not all of them write whole rings. */
    qpci_device_enable(dev->pdev);
    qtest_memset(qts, active.window, 0, active.window_size);

    active.ordinary_memory = *active.alloc;
    alloc_init(active.alloc, active.ordinary_memory.opts, active.window,
               active.window + active.window_size,
               active.ordinary_memory.page_size);

    active.bus = dev->vdev.bus;
    active.checked_bus = *active.bus;
    active.checked_bus.set_features = checked_set_features;
    active.checked_bus.set_queue_address = checked_set_queue_address;
    active.checked_bus.virtqueue_kick = checked_virtqueue_kick;
    dev->vdev.bus = &active.checked_bus;

    active.start_hw(obj);
}

static void swiotlb_destructor(QOSGraphObject *obj)
{
    QTestState *qts = active_qts();

    g_assert_cmpuint(get_property("swiotlb-rejected"), ==, 0);
    g_assert_cmphex(active.dev->vdev.bus->get_status(&active.dev->vdev) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, ==, 0);
    for (int i = 0; i < MAX_QUEUES; i++) {
        if (active.kicked[i]) {
            /* What the device has done, it has reported in the window. */
            g_assert_true(in_window(active.used[i], 4));
            g_assert_cmpint(qtest_readw(qts, active.used[i] +
                                        offsetof(struct vring_used, idx)),
                            !=, 0);
        }
    }

    if (active.destructor) {
        active.destructor(obj);
    }
    alloc_destroy(active.alloc);
    *active.alloc = active.ordinary_memory;
    g_free(active.path);
    memset(&active, 0, sizeof(active));
}

static void *swiotlb_create(SwiotlbNode *node, void *pci_bus,
                            QGuestAllocator *alloc, void *addr)
{
    QOSGraphObject *obj = node->create(pci_bus, alloc, addr);

    g_assert_null(active.dev);
    active.dev = container_of(obj, QVirtioPCIDevice, obj);
    active.node = node;
    active.alloc = alloc;
    active.start_hw = obj->start_hw;
    active.destructor = obj->destructor;
    obj->start_hw = swiotlb_start_hw;
    obj->destructor = swiotlb_destructor;

    return obj;
}

/* A constructor is not told which node it is called for: one for each. */
#define CREATE(i)                                                           \
    static void *create_##i(void *bus, QGuestAllocator *alloc, void *addr)  \
    {                                                                       \
        return swiotlb_create(&nodes[i], bus, alloc, addr);                 \
    }
CREATE(0)
CREATE(1)
CREATE(2)
CREATE(3)
CREATE(4)
CREATE(5)

static const QOSCreateDriverFunc create[] = {
    create_0, create_1, create_2, create_3, create_4, create_5,
};
QEMU_BUILD_BUG_ON(ARRAY_SIZE(create) != ARRAY_SIZE(nodes));

static void convert_nodes(void)
{
    QOSGraphNode *test;

    for (int i = 0; i < ARRAY_SIZE(nodes); i++) {
        QOSGraphNode *node = qos_graph_get_node(nodes[i].name);
        char *command_line;

        if (!node) {
            /* virtio-9p, in a build without virtfs */
            continue;
        }
        nodes[i].create = node->u.driver.constructor;
        node->u.driver.constructor = create[i];
        command_line = g_strdup_printf("%s,swiotlb=on,swiotlb-size=%uM%s",
                                       node->command_line,
                                       nodes[i].window_mib, nodes[i].props);
        g_free(node->command_line);
        node->command_line = command_line;
    }

    /* The window is PCI's: nothing here runs over virtio-mmio or -ccw. */
    qos_edge_destroy((void *)"virtio-bus");

    /* Its subject is the legacy interface, which the window excludes. */
    test = qos_graph_get_node("virtio-blk-pci-tests/nxvirtq");
    g_assert_nonnull(test);
    test->available = false;
}

/*
 * Nodes register themselves in link order.  A function registered while the
 * list is being walked is called last, when all of them are there.
 */
static void convert_nodes_last(void)
{
    register_module_init(convert_nodes, MODULE_INIT_LIBQOS);
}

libqos_init(convert_nodes_last);
