// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA operations of an attached device: rings live in its window, buffers
 * are copied through it.
 *
 * What a driver of a virtio device never asks for is refused by the absence of
 * the operation: pages (the window has no struct page), mmap, and in older
 * kernels mappings of other devices' registers, which newer ones mark.
 */
#include <linux/dma-map-ops.h>
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/virtio_ids.h>

#include "copy.h"
#include "rogue.h"
#include "slot.h"
#include "trace.h"
#include "virtio_swiotlb.h"

/* virtio_net's control queue has buffers up to here, its packets longer ones. */
#define CONTROL_BUFFER	128

static bool scrub;
module_param(scrub, bool, 0644);
MODULE_PARM_DESC(scrub, "clear the window's memory when a request is done with it (off)");

static __always_inline void copy_in(struct vsw_device *vd, size_t offset,
				    const struct vsw_slot *slot, size_t at,
				    size_t size)
{
	vsw_copy(vd->window.mem + offset, phys_to_virt(slot->buffer + at), size);
	vsw_pool_copied(vd->pool, DMA_TO_DEVICE, size);
}

static __always_inline void copy_out(struct vsw_device *vd, size_t offset,
				     const struct vsw_slot *slot, size_t at,
				     size_t size)
{
	vsw_copy(phys_to_virt(slot->buffer + at), vd->window.mem + offset, size);
	vsw_pool_copied(vd->pool, DMA_FROM_DEVICE, size);
}

/* All of the slot: behind the buffer may be data of a longer one before it. */
static noinline void wipe(struct vsw_device *vd, size_t offset, size_t size)
{
	memset(vd->window.mem + offset, 0, vsw_class_bytes(vsw_class(size)));
}

static void report_full(struct vsw_device *vd, size_t size)
{
	if (size > vsw_pool_max_slot(vd->pool))
		dev_warn_ratelimited(&vd->vdev->dev,
				     "a buffer of %zu bytes never fits a window of %zu KiB; give the device a larger one (%s)\n",
				     size, vd->window.size >> 10,
				     vd->source->size_option);
	else if (!xchg(&vd->told_full, true))
		dev_info(&vd->vdev->dev,
			 "the window of %zu KiB is full, so requests wait for others to end; a larger one (%s) is faster\n",
			 vd->window.size >> 10, vd->source->size_option);
}

static noinline bool is_mapped(struct vsw_device *vd, phys_addr_t buffer,
			       size_t size, enum dma_data_direction dir)
{
	struct vsw_slot slot = { .buffer = buffer, .size = size, .dir = dir,
				 .owner = vd->owner };

	return vsw_pool_holds(vd->pool, &slot);
}

/*
 * virtio_crypto hands over each entry of a scatterlist with all that follow it,
 * so that a request of several entries has later ones twice. The device fills
 * the first; the others must not be copied over it.
 */
static __always_inline bool is_repeated(struct vsw_device *vd,
					phys_addr_t buffer, size_t size,
					enum dma_data_direction dir)
{
	return dir == DMA_FROM_DEVICE &&
	       vd->vdev->id.device == VIRTIO_ID_CRYPTO &&
	       is_mapped(vd, buffer, size, dir);
}

/*
 * A device that writes less than the buffer must leave the rest of it as it
 * was, so buffers to be written are copied in as well. Not so for packets: of
 * their buffers virtio_net takes what the device says it wrote, and no more.
 * They are memory that others have freed, which is nothing for a device to see.
 */
static __always_inline bool is_copied_in(struct vsw_device *vd, size_t size,
					 enum dma_data_direction dir,
					 unsigned long attrs)
{
	switch (dir) {
	case DMA_TO_DEVICE:
		return !(attrs & DMA_ATTR_SKIP_CPU_SYNC);
	case DMA_FROM_DEVICE:
		return size <= CONTROL_BUFFER ||
		       vd->vdev->id.device != VIRTIO_ID_NET;
	default:
		return true;
	}
}

dma_addr_t vsw_map_phys(struct device *dev, phys_addr_t buffer, size_t size,
			enum dma_data_direction dir, unsigned long attrs)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);
	struct vsw_slot slot = { .buffer = buffer, .size = size, .dir = dir,
				 .owner = vd->owner };
	size_t offset;

	if (attrs & VSW_REFUSED_ATTRS)
		return DMA_MAPPING_ERROR;

	/* What lies in the window already is not copied a second time. */
	if (vsw_window_holds(vd->window.phys, vd->window.size, buffer, size))
		return vd->window.bus + (buffer - vd->window.phys);

	if (vsw_rogue_map(vd, buffer, size, dir))
		return buffer;

	if (is_repeated(vd, buffer, size, dir))
		slot.dir = DMA_TO_DEVICE;
	offset = vsw_pool_alloc(vd->pool, &slot);
	if (offset == VSW_NO_SLOT) {
		trace_vsw_full(vd, size, dir);
		if (!(attrs & DMA_ATTR_NO_WARN))
			report_full(vd, size);
		return DMA_MAPPING_ERROR;
	}
	if (is_copied_in(vd, size, dir, attrs))
		copy_in(vd, offset, &slot, 0, size);
	trace_vsw_map(vd, vd->window.bus + offset, buffer, size, slot.dir);
	return vd->window.bus + offset;
}

static bool find_slot(struct vsw_device *vd, dma_addr_t addr,
		      struct vsw_slot *slot, size_t *at)
{
	slot->owner = vd->owner;
	return vsw_window_holds(vd->window.bus, vd->window.size, addr, 0) &&
	       vsw_pool_find(vd->pool, addr - vd->window.bus, slot, at);
}

/*
 * Nothing to undo at that address: part of a ring or buffer, see vsw_map_phys().
 * A device that tampers with its ring can lead a driver to others.
 */
static noinline void not_retired(struct vsw_device *vd, dma_addr_t addr)
{
	struct vsw_slot slot;
	size_t at;

	if (!find_slot(vd, addr, &slot, &at))
		dev_warn_ratelimited(&vd->vdev->dev, "%pad is not mapped\n",
				     &addr);
}

void vsw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
		    enum dma_data_direction dir, unsigned long attrs)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);
	struct vsw_pool *pool = vd->pool;
	size_t offset = addr - vd->window.bus;
	struct vsw_slot slot = { .owner = vd->owner };

	if (vsw_rogue_unmap(vd, addr))
		return;
	/* An address outside gives an offset behind the pool's end. */
	if (!vsw_pool_retire(pool, offset, &slot)) {
		not_retired(vd, addr);
		return;
	}
	if (slot.dir != DMA_TO_DEVICE && dir != DMA_TO_DEVICE &&
	    !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		copy_out(vd, offset, &slot, 0, min(size, slot.size));
	trace_vsw_unmap(vd, addr, slot.buffer, slot.size, slot.dir);
	if (unlikely(READ_ONCE(scrub)))
		wipe(vd, offset, slot.size);
	vsw_pool_release(pool, offset, &slot);
}

/* Finds the mapping to sync; *@size is cut to what it holds from @addr on. */
static bool find_mapping(struct vsw_device *vd, dma_addr_t addr,
			 struct vsw_slot *slot, size_t *at, size_t *size)
{
	if (!find_slot(vd, addr, slot, at) || slot->dir == DMA_NONE ||
	    *at > slot->size)
		return false;
	*size = min(*size, slot->size - *at);
	return true;
}

void *vsw_alloc(struct device *dev, size_t size, dma_addr_t *addr, gfp_t gfp,
		unsigned long attrs)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);
	struct vsw_slot slot = { .size = size, .dir = DMA_NONE,
				 .owner = vd->owner };
	size_t offset;
	void *mem;

	if (size > vd->longest_ring)
		return NULL;
	mem = vsw_rogue_alloc(vd, size, addr, gfp);
	if (mem)
		return mem;

	offset = vsw_pool_alloc(vd->pool, &slot);
	if (offset == VSW_NO_SLOT) {
		trace_vsw_full(vd, size, DMA_NONE);
		if (!(gfp & __GFP_NOWARN))
			dev_err(&vd->vdev->dev,
				"no room for a ring of %zu bytes in a window of %zu KiB; give the device a larger one (%s) or fewer queues\n",
				size, vd->window.size >> 10,
				vd->source->size_option);
		return NULL;
	}
	mem = vd->window.mem + offset;
	memset(mem, 0, size);
	*addr = vd->window.bus + offset;
	return mem;
}

void vsw_free(struct device *dev, size_t size, void *mem, dma_addr_t addr,
	      unsigned long attrs)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);

	if (vsw_rogue_free(vd, size, mem, addr))
		return;
	if (READ_ONCE(scrub))
		wipe(vd, addr - vd->window.bus, size);
	WARN_ON_ONCE(!vsw_pool_free(vd->pool, addr - vd->window.bus,
				    vd->owner));
}

static void vsw_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		vsw_unmap_phys(dev, sg_dma_address(sg), sg_dma_len(sg), dir,
			       attrs);
}

static int vsw_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	if (attrs & VSW_REFUSED_ATTRS)
		return -EINVAL;
	for_each_sg(sgl, sg, nents, i) {
		sg_dma_address(sg) = vsw_map_phys(dev, sg_phys(sg), sg->length,
						  dir, attrs);
		if (sg_dma_address(sg) == DMA_MAPPING_ERROR) {
			/* Nothing was done to these buffers: copy none back. */
			vsw_unmap_sg(dev, sgl, i, dir,
				     attrs | DMA_ATTR_SKIP_CPU_SYNC);
			return -ENOMEM;
		}
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

void vsw_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);
	struct vsw_slot slot;
	size_t at;

	if (!find_mapping(vd, addr, &slot, &at, &size) ||
	    slot.dir == DMA_TO_DEVICE || dir == DMA_TO_DEVICE)
		return;
	copy_out(vd, addr - vd->window.bus, &slot, at, size);
	trace_vsw_sync_for_cpu(vd, addr, slot.buffer + at, size, slot.dir);
}

void vsw_sync_single_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	struct vsw_device *vd = vsw_of_dma_dev(dev);
	struct vsw_slot slot;
	size_t at;

	if (!find_mapping(vd, addr, &slot, &at, &size) ||
	    slot.dir == DMA_FROM_DEVICE || dir == DMA_FROM_DEVICE)
		return;
	copy_in(vd, addr - vd->window.bus, &slot, at, size);
	trace_vsw_sync_for_device(vd, addr, slot.buffer + at, size, slot.dir);
}

static void vsw_sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl,
				int nents, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		vsw_sync_single_for_cpu(dev, sg_dma_address(sg), sg->length,
					dir);
}

static void vsw_sync_sg_for_device(struct device *dev, struct scatterlist *sgl,
				   int nents, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		vsw_sync_single_for_device(dev, sg_dma_address(sg), sg->length,
					   dir);
}

static u64 vsw_get_required_mask(struct device *dev)
{
	struct vsw_window *window = &vsw_of_dma_dev(dev)->window;

	return DMA_BIT_MASK(fls64(window->bus + window->size - 1));
}

static int vsw_dma_supported(struct device *dev, u64 mask)
{
	return mask >= vsw_get_required_mask(dev);
}

size_t vsw_max_mapping_size(struct device *dev)
{
	return vsw_max_mapping(vsw_of_dma_dev(dev));
}

struct reclaim {
	struct vsw_device *vd;
	struct vsw_left *rings, *mapped;
};

/*
 * In the way it was mapped, so that debugging of the DMA API forgets it, too,
 * and has nothing against the next use of that memory.
 */
static void reclaim(const struct vsw_slot *slot, size_t offset, void *data)
{
	struct reclaim *all = data;
	struct vsw_device *vd = all->vd;
	bool is_ring = slot->dir == DMA_NONE;
	struct vsw_left *left = is_ring ? all->rings : all->mapped;
	dma_addr_t addr = vd->window.bus + offset;
	void *mem = vd->window.mem + offset;

	left->slots++;
	left->bytes += slot->size;
	if (is_ring)
		vsw_free_left(vd->parent, slot->size, mem, addr);
	else
		vsw_unmap_left(vd->parent, addr, slot->size, slot->dir);
}

void vsw_dma_reclaim(struct vsw_device *vd, struct vsw_left *rings,
		     struct vsw_left *mapped)
{
	struct reclaim all = { vd, rings, mapped };

	*rings = (struct vsw_left) {};
	*mapped = (struct vsw_left) {};
	vsw_pool_each(vd->pool, vd->owner, reclaim, &all);
}

static const struct dma_map_ops vsw_ops = {
	.alloc			= vsw_alloc,
	.free			= vsw_free,
	.map_phys		= vsw_map_op,
	.unmap_phys		= vsw_unmap_phys,
	.map_sg			= vsw_map_sg,
	.unmap_sg		= vsw_unmap_sg,
	.sync_single_for_cpu	= vsw_sync_single_for_cpu,
	.sync_single_for_device	= vsw_sync_single_for_device,
	.sync_sg_for_cpu	= vsw_sync_sg_for_cpu,
	.sync_sg_for_device	= vsw_sync_sg_for_device,
	.dma_supported		= vsw_dma_supported,
	.get_required_mask	= vsw_get_required_mask,
	.max_mapping_size	= vsw_max_mapping_size,
};

void vsw_dma_install(struct vsw_device *vd)
{
	vd->told_full = false;
	/* Its own copy, so that the device is found by the table's address */
	memcpy((void *)&vd->dma_ops, &vsw_ops, sizeof(vsw_ops));
	vsw_swap_dma_ops(vd->parent, &vd->dma_ops, &vd->saved_dma);
}

void vsw_dma_restore(struct vsw_device *vd)
{
	vsw_restore_dma_ops(vd->parent, &vd->saved_dma);
}
