/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Concepts
 *
 * window      All the memory that a device can reach: a BAR of its own, or a
 *             range of the guest's memory that devices share.
 * source      Where a window comes from: capability 10 of a virtio PCI device
 *             (window.c), or the node of a virtio-mmio device in a devicetree
 *             or in ACPI tables (region.c).
 * pool        Hands out the window's memory in slots. What it knows about them
 *             is kept in the guest's own memory, never in the window.
 * slot        A piece of the window that holds a ring, or the copy of one
 *             buffer or indirect table while that is mapped.
 * map, unmap  The DMA API's: take a slot and copy in; copy out and give the
 *             slot back.
 * attach      A device is attached from just before a driver binds to it until
 *             that driver has let go. Attached, its DMA goes through the window
 *             and its driver accepts feature bit 27.
 *
 * The stock transport, virtio_pci or virtio_mmio, goes on owning the device
 * below, its queues, interrupts and resets.
 */
#ifndef VIRTIO_SWIOTLB_H
#define VIRTIO_SWIOTLB_H

#include <linux/dma-map-ops.h>
#include <linux/sizes.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "pool.h"

#define VIRTIO_F_SWIOTLB	27

/* The most that one request of a disk with packed rings transfers */
#define VSW_PACKED_REQUEST	SZ_128K

struct vsw_window {
	void *mem;
	/* Where the guest's CPU finds it, and where the device does */
	phys_addr_t phys;
	dma_addr_t bus;
	size_t size;
};

struct vsw_device;

struct vsw_source {
	/* What the user makes larger if the window is too small, for the log */
	const char *size_option;
	/* Can it change how long a packed ring is? */
	bool shortens_packed;

	/* Does @parent, the device below a virtio device, have a window? */
	bool (*offered)(struct device *parent);
	/*
	 * Finds the window and its pool and sets what goes with them in @vd;
	 * undone by close(). Calls of both do not overlap with others.
	 */
	int (*open)(struct vsw_device *vd);
	void (*close)(struct vsw_device *vd);
	/* 0: nobody knows. */
	unsigned int (*count_queues)(struct vsw_device *vd);
	/* Keeps to vsw_queue_limit(). Returns how many are shorter now. */
	unsigned int (*shorten_queues)(struct vsw_device *vd,
				       unsigned int queues);
};

struct vsw_device {
	struct list_head link;
	struct virtio_device *vdev;
	/* What the DMA API knows the virtio device by */
	struct device *parent;
	const struct vsw_source *source;
	bool attached;

	/* From here on set by the source, see there */
	struct vsw_window window;
	struct vsw_pool *pool;
	/* The device's number in the pool */
	unsigned int owner;
	/* Bytes of the window that the device can count on */
	size_t share;
	/* Bytes of a ring; a longer one is refused, and made shorter */
	size_t longest_ring;
	/* Of a window that is shared */
	struct vsw_region *region;

	bool told_full;
	bool shows_stats;
	const struct dma_map_ops dma_ops;
	struct vsw_saved_dma saved_dma;

	struct virtio_config_ops config;
	const struct virtio_config_ops *stock_config;
	struct delayed_work watch;
	bool needs_reset;
};

/* window.c, region.c */
extern const struct vsw_source vsw_bar_source, vsw_region_source;

/* dma.c */
void vsw_dma_install(struct vsw_device *vd);
void vsw_dma_restore(struct vsw_device *vd);

struct vsw_left {
	unsigned long slots;
	size_t bytes;
};

/*
 * Takes back what a driver that is gone did not free, and looks at no buffer.
 * By way of the DMA operations, so before vsw_dma_restore().
 */
void vsw_dma_reclaim(struct vsw_device *vd, struct vsw_left *rings,
		     struct vsw_left *mapped);
void *vsw_alloc(struct device *dev, size_t size, dma_addr_t *addr, gfp_t gfp,
		unsigned long attrs);
void vsw_free(struct device *dev, size_t size, void *mem, dma_addr_t addr,
	      unsigned long attrs);
void vsw_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
		    enum dma_data_direction dir, unsigned long attrs);
void vsw_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir);
void vsw_sync_single_for_device(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir);
size_t vsw_max_mapping_size(struct device *dev);

/* map.c */
#ifdef VSW_HAS_VIRTIO_MAP
void vsw_map_install(struct vsw_device *vd);
void vsw_map_restore(struct vsw_device *vd);

static inline void vsw_free_left(struct device *dev, size_t size, void *mem,
				 dma_addr_t addr)
{
	vsw_free(dev, size, mem, addr, 0);
}

static inline void vsw_unmap_left(struct device *dev, dma_addr_t addr,
				  size_t size, enum dma_data_direction dir)
{
	vsw_unmap_phys(dev, addr, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
}
#else
static inline void vsw_map_install(struct vsw_device *vd)
{
}

static inline void vsw_map_restore(struct vsw_device *vd)
{
}

static inline void vsw_free_left(struct device *dev, size_t size, void *mem,
				 dma_addr_t addr)
{
	dma_free_coherent(dev, size, mem, addr);
}

static inline void vsw_unmap_left(struct device *dev, dma_addr_t addr,
				  size_t size, enum dma_data_direction dir)
{
	dma_unmap_page_attrs(dev, addr, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
}
#endif

/* stats.c */
void vsw_stats_show(struct vsw_device *vd);
void vsw_stats_hide(struct vsw_device *vd);

/* queues.c */
unsigned int vsw_queue_limit(struct vsw_device *vd, unsigned int queues,
			     unsigned int index);
void vsw_queues_negotiate(struct vsw_device *vd);
void vsw_queues_fit(struct vsw_device *vd);

/* config.c */
void vsw_config_install(struct vsw_device *vd);
void vsw_config_restore(struct vsw_device *vd);

static inline struct vsw_device *vsw_of_dma_dev(struct device *dev)
{
	return container_of(dev->dma_ops, struct vsw_device, dma_ops);
}

static inline struct vsw_device *vsw_of_vdev(struct virtio_device *vdev)
{
	return container_of(vdev->config, struct vsw_device, config);
}

/* Limits that drivers are told, see vsw_pool_max_request() and queues.c */
static inline size_t vsw_max_mapping(struct vsw_device *vd)
{
	if (__virtio_test_bit(vd->vdev, VIRTIO_F_RING_PACKED))
		return PAGE_SIZE;
	return vsw_pool_max_mapping(vd->pool);
}

static inline size_t vsw_max_request(struct vsw_device *vd)
{
	if (__virtio_test_bit(vd->vdev, VIRTIO_F_RING_PACKED))
		return VSW_PACKED_REQUEST;
	return vsw_pool_max_request(vd->pool);
}

/* Is all of [addr, addr + size) inside the window? */
static inline bool vsw_window_holds(u64 start, size_t window, u64 addr,
				    size_t size)
{
	return addr >= start && size <= window && addr - start <= window - size;
}

#endif
