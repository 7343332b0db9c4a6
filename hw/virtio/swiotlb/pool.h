/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A range of guest memory that serves as the window of virtio-mmio devices
 */

#ifndef HW_VIRTIO_SWIOTLB_POOL_H
#define HW_VIRTIO_SWIOTLB_POOL_H

#include "qom/object.h"
#include "qemu/queue.h"
#include "hw/virtio/swiotlb.h"

#define TYPE_VIRTIO_DMA_POOL "virtio-dma-pool"
OBJECT_DECLARE_SIMPLE_TYPE(VirtioDMAPool, VIRTIO_DMA_POOL)

struct VirtioDMAPool {
    Object parent_obj;

    /* Bytes; 0 if the user did not say */
    uint64_t size;
    char *memdev_id;

    HostMemoryBackend *memdev;
    /* An alias of its memory, which takes the place of guest RAM */
    MemoryRegion alias;
    /* Guest-physical address, SWIOTLB_CLOSED until the machine gave it one */
    uint64_t base;
    /* In the devicetree that describes it; 0 before */
    uint32_t phandle;
    Notifier machine_done;
    QSIMPLEQ_ENTRY(VirtioDMAPool) next;
};

/* All pools, in the order of the command line; protected by the BQL */
extern QSIMPLEQ_HEAD(VirtioDMAPools, VirtioDMAPool) swiotlb_pools;

/* swiotlb_pool_find: the pool @id, which has a place. NULL with @errp set. */
VirtioDMAPool *swiotlb_pool_find(const char *id, Error **errp);

/* swiotlb_pool_ram: the memory of @pool */
static inline MemoryRegion *swiotlb_pool_ram(VirtioDMAPool *pool)
{
    return host_memory_backend_get_memory(pool->memdev);
}

#endif
