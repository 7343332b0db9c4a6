// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map operations of an attached device, which virtio has from Linux 6.18
 * on. Rings and buffers of all drivers come by them; the DMA operations remain
 * for drivers that map something themselves, as virtio_gpu does.
 *
 * They are no mere shortcut. With the DMA API virtio_net would keep every page
 * mapped that it may receive into, also while a packet in it waits for some
 * program, and so use up the window.
 */
#include "virtio_swiotlb.h"

static dma_addr_t map_page(union virtio_map map, struct page *page,
			   unsigned long offset, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	return vsw_map_phys(map.dma_dev, page_to_phys(page) + offset, size, dir,
			    attrs);
}

static void unmap_page(union virtio_map map, dma_addr_t addr, size_t size,
		       enum dma_data_direction dir, unsigned long attrs)
{
	vsw_unmap_phys(map.dma_dev, addr, size, dir, attrs);
}

static void sync_single_for_cpu(union virtio_map map, dma_addr_t addr,
				size_t size, enum dma_data_direction dir)
{
	vsw_sync_single_for_cpu(map.dma_dev, addr, size, dir);
}

static void sync_single_for_device(union virtio_map map, dma_addr_t addr,
				   size_t size, enum dma_data_direction dir)
{
	vsw_sync_single_for_device(map.dma_dev, addr, size, dir);
}

static void *alloc_ring(union virtio_map map, size_t size, dma_addr_t *addr,
			gfp_t gfp)
{
	return vsw_alloc(map.dma_dev, size, addr, gfp, 0);
}

static void free_ring(union virtio_map map, size_t size, void *mem,
		      dma_addr_t addr, unsigned long attrs)
{
	vsw_free(map.dma_dev, size, mem, addr, attrs);
}

static bool need_sync(union virtio_map map, dma_addr_t addr)
{
	return true;
}

static int mapping_error(union virtio_map map, dma_addr_t addr)
{
	return addr == DMA_MAPPING_ERROR ? -ENOMEM : 0;
}

static size_t max_mapping_size(union virtio_map map)
{
	return vsw_max_mapping_size(map.dma_dev);
}

static const struct virtio_map_ops map_ops = {
	.map_page		= map_page,
	.unmap_page		= unmap_page,
	.sync_single_for_cpu	= sync_single_for_cpu,
	.sync_single_for_device	= sync_single_for_device,
	.alloc			= alloc_ring,
	.free			= free_ring,
	.need_sync		= need_sync,
	.mapping_error		= mapping_error,
	.max_mapping_size	= max_mapping_size,
};

void vsw_map_install(struct vsw_device *vd)
{
	vd->vdev->vmap.dma_dev = vd->parent;
	vd->vdev->map = &map_ops;
}

/* The transports set neither. */
void vsw_map_restore(struct vsw_device *vd)
{
	vd->vdev->map = NULL;
	vd->vdev->vmap.dma_dev = NULL;
}
