/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A range of guest memory that serves as the window of virtio devices
 */

#ifndef HW_VIRTIO_SWIOTLB_POOL_H
#define HW_VIRTIO_SWIOTLB_POOL_H

#include "qom/object.h"
#include "qemu/bitmap.h"
#include "qemu/queue.h"
#include "hw/virtio/swiotlb.h"

#define TYPE_VIRTIO_DMA_POOL "virtio-dma-pool"
OBJECT_DECLARE_SIMPLE_TYPE(VirtioDMAPool, VIRTIO_DMA_POOL)

/* A transport's number is that of its bus, and has to fit into a uint16. */
#define SWIOTLB_TRANSPORTS (UINT16_MAX + 1)

struct VirtioDMAPool {
    Object parent_obj;

    /* Bytes; 0 if the user did not say */
    uint64_t size;
    char *memdev_id;
    /* Those that the pool is for, whatever their swiotlb-pool says */
    DECLARE_BITMAP(transports, SWIOTLB_TRANSPORTS);

    HostMemoryBackend *memdev;
    /* An alias of its memory, which takes the place of guest RAM */
    MemoryRegion alias;
    /* Guest-physical address, SWIOTLB_CLOSED until the machine gave it one */
    uint64_t base;
    /* In the devicetree that describes it; 0 before */
    uint32_t phandle;
    /* The devicetree is to say that it is for what is on PCI, too */
    bool pci;
    Notifier machine_done;
    QSIMPLEQ_ENTRY(VirtioDMAPool) next;
};

/* All pools, in the order of the command line; protected by the BQL */
extern QSIMPLEQ_HEAD(VirtioDMAPools, VirtioDMAPool) swiotlb_pools;

/* swiotlb_pool_find: the pool @id, which has a place. NULL with @errp set. */
VirtioDMAPool *swiotlb_pool_find(const char *id, Error **errp);

/*
 * swiotlb_pool_of: the id of the pool that is for the transport with @bus, or
 * NULL. Each transport asks once: a number that none has is a mistake.
 */
const char *swiotlb_pool_of(BusState *bus);

/*
 * swiotlb_pool_use_on_pci: @pool is for all on PCI that has one. The devicetree
 * can name one there, and does so once, when the machine starts.
 */
bool swiotlb_pool_use_on_pci(VirtioDMAPool *pool, Error **errp);

/* swiotlb_pool_id: what the user calls @pool */
static inline const char *swiotlb_pool_id(VirtioDMAPool *pool)
{
    return object_get_canonical_path_component(OBJECT(pool));
}

/* swiotlb_pool_setup: say that a window is @pool */
void swiotlb_pool_setup(VirtioDMAPool *pool, SwiotlbSetup *setup);

/* swiotlb_pool_ram: the memory of @pool */
static inline MemoryRegion *swiotlb_pool_ram(VirtioDMAPool *pool)
{
    return host_memory_backend_get_memory(pool->memdev);
}

#endif
