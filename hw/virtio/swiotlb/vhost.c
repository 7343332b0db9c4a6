/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an external back end is given: the window, and nothing else
 *
 * A back end in another process or in the kernel gets a table of memory, and
 * QEMU sees none of its accesses. So the table is the wall: stock vhost code
 * makes it from what its memory listener sees, and the listener of a confined
 * device sees an address space that holds the window alone, at the bus address
 * where it was when the back end started. When the window moves below live
 * rings, the device stops, and its back end with it.
 */

#include "qemu/osdep.h"
#include "qemu/memfd.h"
#include "hw/virtio/vhost.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/swiotlb.h"

void swiotlb_vhost_init(SwiotlbDevice *s, Object *owner)
{
    memory_region_init(&s->vhost_root, owner, "swiotlb-vhost", UINT64_MAX);
    memory_region_init_alias(&s->vhost_window, owner, "swiotlb-vhost-window",
                             s->ram, 0, s->window.size);
    memory_region_add_subregion(&s->vhost_root, 0, &s->vhost_window);
    address_space_init(&s->vhost_as, &s->vhost_root, "swiotlb-vhost");
}

void swiotlb_vhost_cleanup(SwiotlbDevice *s)
{
    memory_region_set_enabled(&s->vhost_root, false);
    address_space_destroy(&s->vhost_as);
}

VhostBackendType swiotlb_vhost_type(VirtIODevice *vdev)
{
    static const struct {
        const char *type_prefix;
        VhostBackendType backend;
    } types[] = {
        { "vhost-user-", VHOST_BACKEND_TYPE_USER },
        { "vhost-vdpa-", VHOST_BACKEND_TYPE_VDPA },
        { "vhost-", VHOST_BACKEND_TYPE_KERNEL },
    };
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);
    struct vhost_dev *hdev = vdc->get_vhost ? vdc->get_vhost(vdev) : NULL;
    int i;

    if (hdev) {
        return hdev->vhost_ops->backend_type;
    }
    /* Not every type has get_vhost. */
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        if (g_str_has_prefix(object_get_typename(OBJECT(vdev)),
                             types[i].type_prefix)) {
            return types[i].backend;
        }
    }
    return VHOST_BACKEND_TYPE_NONE;
}

AddressSpace *swiotlb_vhost_as(VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (!s) {
        return vdev->dma_as;
    }
    return swiotlb_is_ordinary(s) ? &address_space_memory : &s->vhost_as;
}

static void swiotlb_vhost_listen(struct vhost_dev *hdev, AddressSpace *as)
{
    memory_listener_unregister(&hdev->memory_listener);
    memory_listener_register(&hdev->memory_listener, as);
}

bool swiotlb_vhost_start(struct vhost_dev *hdev, VirtIODevice *vdev)
{
    SwiotlbDevice *s = vdev->swiotlb;
    uint64_t base;

    if (!s) {
        return true;
    }
    if (vdev->broken) {
        return false;
    }
    base = qatomic_read(&s->window.base);
    /* A closed window stays where it was: no ring can lie in it. */
    if (base != SWIOTLB_CLOSED) {
        memory_region_set_address(&s->vhost_window, base);
    }
    hdev->vdev = vdev;
    swiotlb_vhost_listen(hdev, swiotlb_vhost_as(vdev));
    return true;
}

void swiotlb_vhost_stop(struct vhost_dev *hdev, VirtIODevice *vdev)
{
    if (vdev->swiotlb) {
        hdev->vdev = NULL;
        swiotlb_vhost_listen(hdev, &address_space_memory);
    }
}

uint64_t swiotlb_vhost_features(VirtIODevice *vdev, uint64_t features)
{
    if (vdev->swiotlb) {
        features &= ~BIT_ULL(VIRTIO_F_SWIOTLB);
    }
    return features;
}

bool swiotlb_vhost_sees(VirtIODevice *vdev, MemoryRegion *mr)
{
    SwiotlbDevice *owner = swiotlb_device_of(mr);

    return !owner || owner->vdev == vdev;
}

void *swiotlb_vhost_map(VirtIODevice *vdev, hwaddr addr, hwaddr *len,
                        bool is_write)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (s && !swiotlb_is_ordinary(s)) {
        return swiotlb_dma_map(vdev, addr, len,
                               is_write ? DMA_DIRECTION_FROM_DEVICE :
                                          DMA_DIRECTION_TO_DEVICE,
                               MEMTXATTRS_UNSPECIFIED);
    }
    return address_space_map(s ? &address_space_memory :
                                 SWIOTLB_VHOST_RINGS_AS(vdev),
                             addr, len, is_write, MEMTXATTRS_UNSPECIFIED);
}

bool swiotlb_vhost_allows_iommu(VirtIODevice *vdev)
{
    return !vdev->swiotlb;
}

bool swiotlb_vhost_scans_log(VirtIODevice *vdev)
{
    return vdev && vdev->swiotlb;
}

struct vhost_log *
swiotlb_vhost_get_log(VirtIODevice *vdev, uint64_t size, bool share,
                      struct vhost_log *(*alloc)(uint64_t, bool))
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (!s) {
        return NULL;
    }
    if (s->vhost_log && s->vhost_log->size == size) {
        s->vhost_log->refcnt++;
    } else {
        s->vhost_log = alloc(size, share);
    }
    return s->vhost_log;
}

void swiotlb_vhost_free_log(VirtIODevice *vdev, struct vhost_log *log)
{
    SwiotlbDevice *s = vdev->swiotlb;

    if (s && s->vhost_log == log) {
        s->vhost_log = NULL;
    }
    if (log->fd >= 0) {
        qemu_memfd_free(log->log, log->size * sizeof(*log->log), log->fd);
    } else {
        g_free(log->log);
    }
}
