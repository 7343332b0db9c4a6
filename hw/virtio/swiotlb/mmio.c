/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window of a virtio-mmio device: a pool, properties, feature bits
 *
 * A transport is made by the machine, long before its device, and its pool has
 * a place by then. That never changes, so the window is open for as long as
 * the device exists.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "system/system.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/swiotlb.h"
#include "hw/virtio/swiotlb/pool.h"
#include "trace.h"

/* A pool that is for this transport goes before the one that is for all. */
static void swiotlb_mmio_choose_pool(VirtIOMMIOProxy *proxy)
{
    const char *own = swiotlb_pool_of(BUS(&proxy->bus));

    if (own) {
        g_free(proxy->swiotlb.pool_id);
        proxy->swiotlb.pool_id = g_strdup(own);
    }
}

bool swiotlb_mmio_check(VirtIOMMIOProxy *proxy, Error **errp)
{
    SwiotlbMMIO *swiotlb = &proxy->swiotlb;

    swiotlb_mmio_choose_pool(proxy);
    /* A later -global may take it away again. */
    if (!swiotlb->pool_id || !*swiotlb->pool_id) {
        return true;
    }
    if (proxy->legacy) {
        error_setg(errp, "swiotlb-pool needs a modern device; add -global "
                   "virtio-mmio.force-legacy=false");
        return false;
    }
    swiotlb->pool = swiotlb_pool_find(swiotlb->pool_id, errp);
    return swiotlb->pool;
}

static bool swiotlb_mmio_check_device(VirtIODevice *vdev, Error **errp)
{
    const char *type = object_get_typename(OBJECT(vdev));
    const char *instead;
    const char *refused = swiotlb_refused_type(OBJECT(vdev), &instead);
    const char *property;

    if (refused) {
        error_setg(errp, "swiotlb-pool does not work with %s: %s; use it on "
                   "virtio-pci, without swiotlb", type, refused);
        return false;
    }
    refused = swiotlb_refused_property(OBJECT(vdev), &property);
    if (refused) {
        error_setg(errp, "swiotlb-pool does not work with %s: %s; drop %s",
                   property, refused, property);
        return false;
    }
    if (swiotlb_vhost_type(vdev) != VHOST_BACKEND_TYPE_NONE) {
        error_setg(errp, "swiotlb-pool does not work with the back end of %s, "
                   "which is not in QEMU; use it on virtio-pci, with "
                   "swiotlb=on", type);
        return false;
    }
    return true;
}

static void swiotlb_mmio_machine_reset(void *opaque)
{
    SwiotlbMMIO *swiotlb = opaque;

    qatomic_set(&swiotlb->device.rejected, 0);
}

/* From now on a handler runs after those of all buses: it has the last word. */
static void swiotlb_mmio_machine_done(Notifier *notifier, void *data)
{
    qemu_register_reset(swiotlb_mmio_machine_reset,
                        container_of(notifier, SwiotlbMMIO, machine_done));
}

/* The pool's RAM travels by itself. */
static bool swiotlb_mmio_init_migration(SwiotlbMMIO *swiotlb, DeviceState *dev,
                                        Error **errp)
{
    SwiotlbSetup setup = { .required = swiotlb->required };

    swiotlb_pool_setup(swiotlb->pool, &setup);
    return swiotlb_migration_init(&swiotlb->device, dev, &setup, errp);
}

void swiotlb_mmio_plug(DeviceState *d, Error **errp)
{
    VirtIOMMIOProxy *proxy = VIRTIO_MMIO(d);
    SwiotlbMMIO *swiotlb = &proxy->swiotlb;
    VirtIODevice *vdev = virtio_bus_get_device(&proxy->bus);
    VirtioDMAPool *pool = swiotlb->pool;

    if (!pool && swiotlb->required) {
        error_setg(errp, "swiotlb-required=on needs a pool for %s; add -global "
                   "virtio-mmio.swiotlb-pool=ID, or transports=N to a pool",
                   BUS(&proxy->bus)->name);
        return;
    }
    if (!pool || !swiotlb_mmio_check_device(vdev, errp)) {
        return;
    }
    swiotlb_device_init(&swiotlb->device, vdev, DEVICE(vdev), OBJECT(proxy),
                        swiotlb_pool_ram(pool), &address_space_memory,
                        swiotlb->required ? SWIOTLB_DECLINED_REFUSED :
                                            SWIOTLB_DECLINED_CONFINED,
                        false);
    swiotlb_window_move(&swiotlb->device.window, pool->base);
    swiotlb->device.last_base = pool->base;
    virtio_add_feature(&vdev->host_features, VIRTIO_F_IOMMU_PLATFORM);
    virtio_add_feature(&vdev->host_features, VIRTIO_F_SWIOTLB);
    swiotlb->machine_done.notify = swiotlb_mmio_machine_done;
    qemu_add_machine_init_done_notifier(&swiotlb->machine_done);
    trace_swiotlb_mmio_plug(swiotlb->device.name, swiotlb->pool_id,
                            pool->base, pool->size);
    if (!swiotlb_mmio_init_migration(swiotlb, DEVICE(vdev), errp)) {
        swiotlb_mmio_unplug(d);
    }
}

void swiotlb_mmio_unplug(DeviceState *d)
{
    SwiotlbMMIO *swiotlb = &VIRTIO_MMIO(d)->swiotlb;

    if (!swiotlb->device.name) {
        return;
    }
    qemu_remove_machine_init_done_notifier(&swiotlb->machine_done);
    qemu_unregister_reset(swiotlb_mmio_machine_reset, swiotlb);
    swiotlb_migration_cleanup(&swiotlb->device);
    swiotlb_device_cleanup(&swiotlb->device);
}

bool swiotlb_mmio_keeps_queue_size(VirtIOMMIOProxy *proxy)
{
    VirtIODevice *vdev = virtio_bus_get_device(&proxy->bus);

    return vdev->swiotlb && proxy->vqs[vdev->queue_sel].enabled;
}
