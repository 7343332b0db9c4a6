/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the core of virtio does for each request: inline, because it is so
 * often. A device without a window goes the stock way at once; what is not
 * plainly inside a confined device's window is decided in dma.c.
 */

#ifndef HW_VIRTIO_SWIOTLB_ACCESS_H
#define HW_VIRTIO_SWIOTLB_ACCESS_H

#include "hw/virtio/swiotlb.h"
#include "hw/virtio/virtio.h"
#include "system/xen.h"

/* The DMA rule for a confined device, as far as it lets something through */
static inline bool swiotlb_reaches(SwiotlbDevice *s, hwaddr addr, hwaddr len,
                                   hwaddr *offset)
{
    return (s->declined != SWIOTLB_DECLINED_ORDINARY ||
            qatomic_read(&s->phase) == SWIOTLB_CONFINED) &&
           qatomic_read(&s->vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK &&
           (s->declined == SWIOTLB_DECLINED_CONFINED ||
            virtio_vdev_has_feature(s->vdev, VIRTIO_F_SWIOTLB)) &&
           swiotlb_window_offset(&s->window, addr, len, offset);
}

/* Does @p point into the window's RAM? Before or behind it, @offset is huge. */
static inline bool swiotlb_holds(SwiotlbDevice *s, const void *p,
                                 hwaddr *offset)
{
    *offset = (uintptr_t)p - (uintptr_t)s->all.ptr;
    return *offset < s->window.size;
}

/* Does anybody want to know what is written to @mr? */
static inline bool swiotlb_logged(MemoryRegion *mr)
{
    return memory_region_get_dirty_log_mask(mr) || xen_enabled();
}

/*
 * swiotlb_buffer_map: dma_memory_map() for what belongs to a request of @vdev.
 * A pointer into its window holds no reference. Undo with
 * swiotlb_buffer_unmap().
 *
 * All of [@addr, @addr + *@len) has to lie inside the window of a confined
 * device.
 *
 * Returns: host pointer; NULL if the access was refused or is impossible
 * Context: any thread
 */
static inline void *swiotlb_buffer_map(VirtIODevice *vdev, dma_addr_t addr,
                                       dma_addr_t *len, DMADirection direction,
                                       MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    hwaddr offset;

    if (!s) {
        return dma_memory_map(vdev->dma_as, addr, len, direction, attrs);
    }
    /*
     * Nothing cannot be mapped, as with address_space_map(): behind the last
     * byte there is no pointer that could be unmapped.
     */
    if (likely(*len && swiotlb_reaches(s, addr, *len, &offset))) {
        return s->all.ptr + offset;
    }
    return swiotlb_buffer_map_slow(s, addr, len, direction, attrs);
}

/*
 * swiotlb_buffer_unmap: dma_memory_unmap() for what belongs to a request of
 * @vdev, wherever its window is by now.
 *
 * @as: where it is undone if it lies in no window of @vdev
 */
static inline void swiotlb_buffer_unmap(VirtIODevice *vdev, AddressSpace *as,
                                        void *p, dma_addr_t len,
                                        DMADirection direction,
                                        dma_addr_t access_len)
{
    SwiotlbDevice *s = vdev->swiotlb;
    hwaddr offset;

    if (!s || unlikely(!swiotlb_holds(s, p, &offset))) {
        dma_memory_unmap(as, p, len, direction, access_len);
    } else if (direction == DMA_DIRECTION_FROM_DEVICE && access_len &&
               swiotlb_logged(s->ram)) {
        swiotlb_buffer_written(s, offset, access_len);
    }
}

/*
 * swiotlb_cache_init: address_space_cache_init() for @vdev.
 *
 * Returns: the number of bytes that can be reached, which is 0 if the access
 *          was refused (@cache is then empty) and @len on success; negative if
 *          @len is 0
 * Context: any thread; within rcu_read_lock() until @cache is used no more
 */
static inline int64_t swiotlb_cache_init(MemoryRegionCache *cache,
                                         VirtIODevice *vdev, hwaddr addr,
                                         hwaddr len, bool is_write)
{
    SwiotlbDevice *s = vdev->swiotlb;
    hwaddr offset;

    if (!s) {
        return address_space_cache_init(cache, vdev->dma_as, addr, len,
                                        is_write);
    }
    if (is_write ||
        unlikely(!len || !swiotlb_reaches(s, addr, len, &offset))) {
        return swiotlb_cache_init_slow(cache, s, addr, len, is_write);
    }
    /* Without a region it holds no reference that had to be given back. */
    address_space_cache_init_empty(cache);
    cache->ptr = s->all.ptr + offset;
    cache->xlat = offset;
    cache->len = len;
    cache->is_write = false;
    return len;
}

/* swiotlb_cache_invalidate: address_space_cache_invalidate() for @vdev */
static inline void swiotlb_cache_invalidate(VirtIODevice *vdev,
                                            MemoryRegionCache *cache,
                                            hwaddr addr, hwaddr len)
{
    if (!vdev->swiotlb || swiotlb_logged(cache->mrs.mr)) {
        address_space_cache_invalidate(cache, addr, len);
    }
}

#endif
