/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window of a virtio-pci device: properties, BAR or pool, capability,
 * feature bits
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/error-report.h"
#include "system/system.h"
#include "standard-headers/linux/virtio_pci.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/swiotlb.h"
#include "hw/virtio/swiotlb/pool.h"
#include "trace.h"

/* Config space bytes of a PCI capability that follows the PCI header */
#define CAP_MSIX_BYTES 12

static void swiotlb_get_size(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    visit_type_size(v, name, &VIRTIO_PCI(obj)->swiotlb.size, errp);
}

static void swiotlb_set_size(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    SwiotlbPCI *swiotlb = &VIRTIO_PCI(obj)->swiotlb;
    /* The first value is the default; nobody asked for it. */
    bool is_default = !swiotlb->size;

    if (visit_type_size(v, name, &swiotlb->size, errp)) {
        swiotlb->size_set = !is_default;
    }
}

static void swiotlb_default_size(ObjectProperty *op, const Property *prop)
{
    object_property_set_default_uint(op, prop->defval.u);
}

const PropertyInfo swiotlb_prop_size = {
    .type = "size",
    .description = "Size of the DMA window; a power of two, 1 MiB or more",
    .get = swiotlb_get_size,
    .set = swiotlb_set_size,
    .set_default_value = swiotlb_default_size,
};

static void swiotlb_get_bar(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    uint8_t bar = VIRTIO_PCI(obj)->swiotlb.bar;

    visit_type_uint8(v, name, &bar, errp);
}

const PropertyInfo swiotlb_prop_bar = {
    .type = "uint8",
    .description = "BAR that holds the DMA window; 255 without",
    .get = swiotlb_get_bar,
};

/* How the user asked for a window, NULL if not */
static const char *swiotlb_pci_asked(const SwiotlbPCI *swiotlb)
{
    if (swiotlb->enabled) {
        return "swiotlb=on";
    }
    return swiotlb->pool_id && *swiotlb->pool_id ? "swiotlb-pool" : NULL;
}

static bool swiotlb_pci_check_type(VirtIOPCIProxy *proxy, Error **errp)
{
    Object *vdev = object_resolve_path_component(OBJECT(proxy),
                                                 "virtio-backend");
    const char *instead;
    const char *refused = vdev ? swiotlb_refused_type(vdev, &instead) : NULL;

    if (refused) {
        error_setg(errp, "%s does not work with %s: %s; %s",
                   swiotlb_pci_asked(&proxy->swiotlb),
                   object_get_typename(OBJECT(proxy)), refused, instead);
    }
    return !refused;
}

static bool swiotlb_pci_check_properties(VirtIOPCIProxy *proxy, Error **errp)
{
    Object *vdev = object_resolve_path_component(OBJECT(proxy),
                                                 "virtio-backend");
    const char *name;
    const char *refused = vdev ? swiotlb_refused_property(vdev, &name) : NULL;

    if (refused) {
        error_setg(errp, "%s does not work with %s: %s; drop %s",
                   swiotlb_pci_asked(&proxy->swiotlb), name, refused, name);
    }
    return !refused;
}

static bool swiotlb_pci_check_file_size(uint64_t size, Error **errp)
{
    uint64_t most;

    if (swiotlb_file_fits(size, &most)) {
        return true;
    }
    error_setg(errp, "swiotlb-size=%" PRIu64 " is more than QEMU may make a "
               "file, %" PRIu64 "; raise that limit (ulimit -f) or use a "
               "smaller size", size, most);
    return false;
}

static bool swiotlb_pci_check_memory(SwiotlbPCI *swiotlb, Error **errp)
{
    const char *id = swiotlb->memdev_id;
    HostMemoryBackend *memdev;
    uint64_t size;

    if (!id) {
        if (!swiotlb_window_size_valid(swiotlb->size)) {
            error_setg(errp, "swiotlb-size=%" PRIu64 " is not a power of two "
                       "of 1M or more; use for example swiotlb-size=64M",
                       swiotlb->size);
            return false;
        }
        return swiotlb_pci_check_file_size(swiotlb->size, errp);
    }

    if (swiotlb->size_set) {
        error_setg(errp, "swiotlb-size and swiotlb-memdev exclude each other; "
                   "drop swiotlb-size, the window is as large as memory "
                   "backend '%s'", id);
        return false;
    }
    memdev = swiotlb_memdev_find(id);
    if (!memdev) {
        error_setg(errp, "swiotlb-memdev: there is no memory backend '%s'; "
                   "create it with -object memory-backend-memfd,id=%s,size=64M",
                   id, id);
        return false;
    }
    if (host_memory_backend_is_mapped(memdev)) {
        error_setg(errp, "swiotlb-memdev: memory backend '%s' is in use; give "
                   "each device a backend of its own", id);
        return false;
    }
    size = memory_region_size(host_memory_backend_get_memory(memdev));
    if (!swiotlb_window_size_valid(size)) {
        error_setg(errp, "swiotlb-memdev: the size of memory backend '%s', %"
                   PRIu64 ", is not a power of two of 1M or more; set its "
                   "size, for example to 64M", id, size);
        return false;
    }
    return true;
}

static bool swiotlb_pci_is_shared(SwiotlbPCI *swiotlb)
{
    HostMemoryBackend *memdev = swiotlb_memdev_find(swiotlb->memdev_id);

    return memdev->share &&
           memory_region_get_fd(host_memory_backend_get_memory(memdev)) >= 0;
}

static bool swiotlb_pci_check_modern(VirtIOPCIProxy *proxy, Error **errp)
{
    const char *asked = swiotlb_pci_asked(&proxy->swiotlb);

    if (!virtio_pci_modern(proxy)) {
        error_setg(errp, "%s needs a modern device; drop disable-modern=on",
                   asked);
        return false;
    }
    if (virtio_pci_legacy(proxy)) {
        error_setg(errp, "%s needs a device without legacy interface; drop "
                   "disable-legacy=off, or use the generic or "
                   "non-transitional device type", asked);
        return false;
    }
    return true;
}

static bool swiotlb_pci_find_pool(VirtIOPCIProxy *proxy, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    if (swiotlb->enabled) {
        error_setg(errp, "swiotlb=on and swiotlb-pool exclude each other: a "
                   "window is a BAR or a pool; drop one of them");
        return false;
    }
    swiotlb->pool = swiotlb_pool_find(swiotlb->pool_id, errp);
    return swiotlb->pool && swiotlb_pool_use_on_pci(swiotlb->pool, errp);
}

bool swiotlb_pci_check(VirtIOPCIProxy *proxy, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    swiotlb->bar = -1;
    if (!swiotlb_pci_asked(swiotlb)) {
        return true;
    }
    if (!swiotlb_pci_check_type(proxy, errp) ||
        !swiotlb_pci_check_properties(proxy, errp) ||
        !swiotlb_pci_check_modern(proxy, errp)) {
        return false;
    }
    if (!(swiotlb->pool_id && *swiotlb->pool_id ?
          swiotlb_pci_find_pool(proxy, errp) :
          swiotlb_pci_check_memory(swiotlb, errp))) {
        return false;
    }
    virtio_pci_force_virtio_1(proxy);
    return true;
}

static bool swiotlb_pci_bar_free(const bool *used, unsigned first,
                                 unsigned count)
{
    unsigned i;

    for (i = first; i < first + count; i++) {
        if (i >= PCI_ROM_SLOT || used[i]) {
            return false;
        }
    }
    return true;
}

/* Move the one-slot BAR *@bar to a free slot unless it is at one already. */
static bool swiotlb_pci_place_bar(bool *used, uint32_t *bar)
{
    uint32_t place = used[*bar] ? 0 : *bar;

    while (place < PCI_ROM_SLOT && used[place]) {
        place++;
    }
    if (place == PCI_ROM_SLOT) {
        return false;
    }
    *bar = place;
    used[place] = true;
    return true;
}

/*
 * The window needs two adjacent slots. The BAR of virtio-pci itself and those
 * that the device type registered stay where they are; the MSI-X and port I/O
 * BARs make room if they must, as legacy, which needs them where they are, is
 * off.
 */
static bool swiotlb_pci_choose_bar(VirtIOPCIProxy *proxy, Error **errp)
{
    static const unsigned choices[] = { 2, 4, 0 };
    bool fixed[PCI_ROM_SLOT] = {};
    int i;

    for (i = 0; i < PCI_ROM_SLOT; i++) {
        const PCIIORegion *region = &proxy->pci_dev.io_regions[i];

        if (region->size) {
            fixed[i] = true;
            if (region->type & PCI_BASE_ADDRESS_MEM_TYPE_64) {
                fixed[i + 1] = true;
            }
        }
    }
    fixed[proxy->modern_mem_bar_idx] = true;
    fixed[proxy->modern_mem_bar_idx + 1] = true;

    for (i = 0; i < ARRAY_SIZE(choices); i++) {
        bool used[PCI_ROM_SLOT];
        uint32_t msix = proxy->msix_bar_idx;
        uint32_t pio = proxy->modern_io_bar_idx;

        if (!swiotlb_pci_bar_free(fixed, choices[i], 2)) {
            continue;
        }
        memcpy(used, fixed, sizeof(used));
        used[choices[i]] = used[choices[i] + 1] = true;
        if ((proxy->nvectors && !swiotlb_pci_place_bar(used, &msix)) ||
            (proxy->flags & VIRTIO_PCI_FLAG_MODERN_PIO_NOTIFY &&
             !swiotlb_pci_place_bar(used, &pio))) {
            continue;
        }
        proxy->swiotlb.bar = choices[i];
        proxy->msix_bar_idx = msix;
        proxy->modern_io_bar_idx = pio;
        return true;
    }

    error_setg(errp, "swiotlb=on: no two adjacent BARs are free for the "
               "window; drop modern-pio-notify=on");
    return false;
}

/* pci_add_capability() asserts that there is room. */
static bool swiotlb_pci_check_config_space(VirtIOPCIProxy *proxy, Error **errp)
{
    unsigned needed = sizeof(struct virtio_pci_cap64) +
                      3 * sizeof(struct virtio_pci_cap) +
                      sizeof(struct virtio_pci_notify_cap) +
                      sizeof(struct virtio_pci_cfg_cap);
    unsigned available = 0;
    int i;

    if (proxy->flags & VIRTIO_PCI_FLAG_MODERN_PIO_NOTIFY) {
        needed += sizeof(struct virtio_pci_notify_cap);
    }
    if (proxy->nvectors) {
        needed += CAP_MSIX_BYTES;
    }
    for (i = PCI_CONFIG_HEADER_SIZE; i < PCI_CONFIG_SPACE_SIZE; i++) {
        available += !proxy->pci_dev.used[i];
    }
    if (available < needed) {
        error_setg(errp, "swiotlb=on: no room for one more capability in the "
                   "config space; drop modern-pio-notify=on, or plug the "
                   "device into the root bus");
        return false;
    }
    return true;
}

/*
 * Firmware has given the port above a hot-plugged device what room it has.
 * Some guests make more, so this is not an error.
 */
static void swiotlb_pci_check_room(VirtIOPCIProxy *proxy, uint64_t size)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(&proxy->pci_dev));
    g_autofree char *name = NULL;
    pcibus_t base, limit;

    if (!DEVICE(proxy)->hotplugged || !port ||
        !(pci_get_word(port->config + PCI_COMMAND) & PCI_COMMAND_MEMORY)) {
        return;
    }
    base = pci_bridge_get_base(port, PCI_BASE_ADDRESS_MEM_PREFETCH);
    limit = pci_bridge_get_limit(port, PCI_BASE_ADDRESS_MEM_PREFETCH);
    base = ROUND_UP(base, size);
    if (limit > base && limit - base >= size - 1) {
        return;
    }
    name = qdev_get_human_name(DEVICE(port));
    warn_report("swiotlb-size: port '%s' has no room for a window of %" PRIu64
                "M, so the guest may find no place for it; use a "
                "pcie-root-port with pref64-reserve=%" PRIu64 "M, or a "
                "smaller window", name, size / MiB, 2 * size / MiB);
}

static void swiotlb_pci_add_capability(VirtIOPCIProxy *proxy, uint64_t size)
{
    PCIDevice *dev = &proxy->pci_dev;
    struct virtio_pci_cap64 cap = {
        .cap.cap_len = sizeof(cap),
        .cap.cfg_type = VIRTIO_PCI_CAP_SWIOTLB,
        .cap.bar = proxy->swiotlb.bar,
        .cap.length = cpu_to_le32(size),
        .length_hi = cpu_to_le32(size >> 32),
    };
    int offset;

    offset = pci_add_capability(dev, PCI_CAP_ID_VNDR, 0, cap.cap.cap_len,
                                &error_abort);
    memcpy(dev->config + offset + PCI_CAP_FLAGS, &cap.cap.cap_len,
           sizeof(cap) - PCI_CAP_FLAGS);
}

/* Where the window is now */
static uint64_t swiotlb_pci_base(VirtIOPCIProxy *proxy)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    if (!(pci_get_word(proxy->pci_dev.config + PCI_COMMAND) &
          PCI_COMMAND_MASTER)) {
        return SWIOTLB_CLOSED;
    }
    if (swiotlb->pool) {
        return swiotlb->pool->base;
    }
    /*
     * The address of a BAR that is being moved is stale between the two
     * commits of pci_update_mappings(), so ask the region first.
     */
    return memory_region_is_mapped(&swiotlb->bar_mr) ?
           proxy->pci_dev.io_regions[swiotlb->bar].addr : SWIOTLB_CLOSED;
}

/*
 * Called for each change of any address space, before the commit callback of
 * VirtIODevice::listener, which looks at the rings again.
 */
static void swiotlb_pci_commit(MemoryListener *listener)
{
    SwiotlbPCI *swiotlb = container_of(listener, SwiotlbPCI, listener);
    VirtIOPCIProxy *proxy = container_of(swiotlb, VirtIOPCIProxy, swiotlb);
    SwiotlbDevice *device = &swiotlb->device;
    uint64_t base = swiotlb_pci_base(proxy);

    if (!swiotlb_window_move(&device->window, base)) {
        return;
    }
    if (base == SWIOTLB_CLOSED) {
        trace_swiotlb_pci_close(device->name);
    } else {
        /* Not while it is loaded: that says by itself where the window was. */
        if (device->vdev->vm_running && !device->vdev->broken) {
            device->last_base = base;
        }
        trace_swiotlb_pci_open(device->name, base, device->window.size);
    }
}

static void swiotlb_pci_machine_reset(void *opaque)
{
    SwiotlbPCI *swiotlb = opaque;

    qatomic_set(&swiotlb->device.rejected, 0);
}

/* From now on a handler runs after those of all buses: it has the last word. */
static void swiotlb_pci_machine_done(Notifier *notifier, void *data)
{
    qemu_register_reset(swiotlb_pci_machine_reset,
                        container_of(notifier, SwiotlbPCI, machine_done));
}

/*
 * A file of our own, not RAM_SHARED anonymous memory: QEMU keeps the latter's
 * file descriptors by device path, and would hand the closed one of an
 * unplugged device to the next device in its place.
 */
static bool swiotlb_pci_init_ram(VirtIOPCIProxy *proxy, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;
    int fd = swiotlb_migration_open_ram(DEVICE(proxy), swiotlb->size, errp);

    if (fd < 0) {
        return false;
    }
    if (!memory_region_init_ram_from_fd(&swiotlb->ram, OBJECT(proxy),
                                        "swiotlb", swiotlb->size, RAM_SHARED,
                                        fd, 0, errp)) {
        swiotlb_migration_forget_ram(DEVICE(proxy));
        close(fd);
        return false;
    }
    return true;
}

static MemoryRegion *swiotlb_pci_get_ram(VirtIOPCIProxy *proxy, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;
    MemoryRegion *ram = &swiotlb->ram;

    if (swiotlb->memdev_id) {
        /* It may be gone, or taken, since swiotlb_pci_check(). */
        if (!swiotlb_pci_check_memory(swiotlb, errp)) {
            return NULL;
        }
        swiotlb->memdev = swiotlb_memdev_find(swiotlb->memdev_id);
        host_memory_backend_set_mapped(swiotlb->memdev, true);
        ram = host_memory_backend_get_memory(swiotlb->memdev);
    } else if (!swiotlb_pci_init_ram(proxy, errp)) {
        error_prepend(errp, "swiotlb-size: no memory for the window (try a "
                      "smaller one): ");
        return NULL;
    }
    return ram;
}

/* What an external back end cannot do */
static bool swiotlb_pci_check_back_end(VirtIOPCIProxy *proxy,
                                       VhostBackendType type, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    if (SWIOTLB_VDPA_MAPS_EARLY && type == VHOST_BACKEND_TYPE_VDPA) {
        error_setg(errp, "swiotlb=on does not work with a vDPA device in this "
                   "version of QEMU, which maps all of guest memory for it; "
                   "set swiotlb=off");
        return false;
    }
    if (!swiotlb->required &&
        pci_device_iommu_address_space(&proxy->pci_dev) !=
        &address_space_memory) {
        error_setg(errp, "swiotlb-required=off does not work with a vhost "
                   "back end behind an IOMMU; drop swiotlb-required=off");
        return false;
    }
    if (swiotlb->memdev_id && type == VHOST_BACKEND_TYPE_USER &&
        !swiotlb_pci_is_shared(swiotlb)) {
        error_setg(errp, "swiotlb-memdev: a vhost-user back end cannot map "
                   "memory backend '%s'; use memory-backend-memfd or "
                   "memory-backend-file with share=on", swiotlb->memdev_id);
        return false;
    }
    return true;
}

/* A pool's RAM travels by itself. */
static bool swiotlb_pci_init_migration(SwiotlbPCI *swiotlb, DeviceState *dev,
                                       Error **errp)
{
    SwiotlbSetup setup = {
        .size = swiotlb->device.window.size,
        .bar = swiotlb->bar,
        .required = swiotlb->required,
        .memdev = swiotlb->memdev,
    };

    if (swiotlb->pool) {
        swiotlb_pool_setup(swiotlb->pool, &setup);
    } else if (!swiotlb_migration_add_ram(swiotlb->device.ram, "swiotlb", dev,
                                          errp)) {
        return false;
    }
    return swiotlb_migration_init(&swiotlb->device, dev, &setup, errp);
}

static void swiotlb_pci_init_bar(VirtIOPCIProxy *proxy, MemoryRegion *ram)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;
    uint64_t size = memory_region_size(ram);

    memory_region_init_alias(&swiotlb->bar_mr, OBJECT(proxy), "swiotlb-bar",
                             ram, 0, size);
    pci_register_bar(&proxy->pci_dev, swiotlb->bar,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_PREFETCH |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &swiotlb->bar_mr);
    swiotlb_pci_add_capability(proxy, size);
    swiotlb_pci_check_room(proxy, size);
}

static bool swiotlb_pci_check_pool(VirtIOPCIProxy *proxy,
                                   VhostBackendType back_end, Error **errp)
{
    /* A guest that uses an IOMMU looks for no pool. */
    if (pci_device_iommu_address_space(&proxy->pci_dev) !=
        &address_space_memory) {
        error_setg(errp, "swiotlb-pool does not work behind an IOMMU; use "
                   "swiotlb=on");
        return false;
    }
    if (back_end) {
        error_setg(errp, "swiotlb-pool does not work with the back end of %s, "
                   "which is not in QEMU; use swiotlb=on",
                   object_get_typename(OBJECT(proxy)));
        return false;
    }
    return true;
}

/* What the window can be made of, once it is known that it can be */
static MemoryRegion *swiotlb_pci_prepare(VirtIOPCIProxy *proxy,
                                         VhostBackendType back_end,
                                         Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    if (swiotlb->pool) {
        return swiotlb_pci_check_pool(proxy, back_end, errp) ?
               swiotlb_pool_ram(swiotlb->pool) : NULL;
    }
    if ((back_end && !swiotlb_pci_check_back_end(proxy, back_end, errp)) ||
        !swiotlb_pci_choose_bar(proxy, errp) ||
        !swiotlb_pci_check_config_space(proxy, errp)) {
        return NULL;
    }
    return swiotlb_pci_get_ram(proxy, errp);
}

bool swiotlb_pci_plug(VirtIOPCIProxy *proxy, Error **errp)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;
    VirtIODevice *vdev = virtio_bus_get_device(&proxy->bus);
    SwiotlbDeclined declined = swiotlb->required ? SWIOTLB_DECLINED_REFUSED :
                               swiotlb->pool ? SWIOTLB_DECLINED_CONFINED :
                                               SWIOTLB_DECLINED_ORDINARY;
    MemoryRegion *ram;
    VhostBackendType back_end;

    if (!swiotlb_pci_asked(swiotlb)) {
        return true;
    }
    back_end = swiotlb_vhost_type(vdev);
    ram = swiotlb_pci_prepare(proxy, back_end, errp);
    if (!ram) {
        return false;
    }

    swiotlb_device_init(&swiotlb->device, vdev, DEVICE(proxy), OBJECT(proxy),
                        ram, pci_get_address_space(&proxy->pci_dev), declined,
                        back_end);
    if (!swiotlb->pool) {
        swiotlb_pci_init_bar(proxy, ram);
    }
    virtio_add_feature(&vdev->host_features, VIRTIO_F_IOMMU_PLATFORM);
    virtio_add_feature(&vdev->host_features, VIRTIO_F_SWIOTLB);

    swiotlb->listener = (MemoryListener) {
        .name = "swiotlb",
        .commit = swiotlb_pci_commit,
    };
    memory_listener_register(&swiotlb->listener, &address_space_memory);
    swiotlb->machine_done.notify = swiotlb_pci_machine_done;
    qemu_add_machine_init_done_notifier(&swiotlb->machine_done);
    trace_swiotlb_pci_plug(swiotlb->device.name, swiotlb->bar,
                           memory_region_size(ram));
    return swiotlb_pci_init_migration(swiotlb, DEVICE(proxy), errp);
}

void swiotlb_pci_unplug(VirtIOPCIProxy *proxy)
{
    SwiotlbPCI *swiotlb = &proxy->swiotlb;

    if (!swiotlb->device.name) {
        return;
    }
    qemu_remove_machine_init_done_notifier(&swiotlb->machine_done);
    qemu_unregister_reset(swiotlb_pci_machine_reset, swiotlb);
    memory_listener_unregister(&swiotlb->listener);
    swiotlb_migration_cleanup(&swiotlb->device);
    if (!swiotlb->pool) {
        swiotlb_migration_remove_ram(swiotlb->device.ram);
    }
    swiotlb_device_cleanup(&swiotlb->device);
    if (swiotlb->pool) {
        swiotlb->pool = NULL;
    } else if (swiotlb->memdev) {
        host_memory_backend_set_mapped(swiotlb->memdev, false);
        swiotlb->memdev = NULL;
    } else {
        swiotlb_migration_forget_ram(DEVICE(proxy));
    }
}

bool swiotlb_pci_keeps_queue_size(VirtIOPCIProxy *proxy)
{
    VirtIODevice *vdev = virtio_bus_get_device(&proxy->bus);

    return vdev->swiotlb && proxy->vqs[vdev->queue_sel].enabled;
}

void swiotlb_pci_realized(VirtIOPCIProxy *proxy)
{
    VirtIODevice *vdev = virtio_bus_get_device(&proxy->bus);

    if (!swiotlb_pci_asked(&proxy->swiotlb) ||
        (vdev && DEVICE(vdev)->realized)) {
        return;
    }
    swiotlb_pci_unplug(proxy);
    /*
     * Stock code would leave this address space, and with it the whole device.
     * See swiotlb_device_cleanup() for the transaction.
     */
    memory_region_transaction_begin();
    memory_region_set_enabled(&proxy->modern_bar, false);
    address_space_destroy(&proxy->modern_cfg_mem_as);
    memory_region_transaction_commit();
}
