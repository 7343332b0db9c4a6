/* SPDX-License-Identifier: GPL-2.0-only */
/* The one place that knows kernel versions and configurations. */
#ifndef VIRTIO_SWIOTLB_COMPAT_H
#define VIRTIO_SWIOTLB_COMPAT_H

#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "this driver is for Linux 6.1 and later"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#error "from Linux 6.18 on dma_map_ops takes addresses in place of pages"
#endif
#if !defined(CONFIG_DMA_OPS) && !defined(CONFIG_ARCH_HAS_DMA_OPS)
#error "this kernel has no DMA operations for each device"
#endif
#ifdef CONFIG_HIGHMEM
#error "buffers are reached through the kernel's linear mapping"
#endif

/* What a PCI device does its DMA with when it is not attached */
struct vsw_saved_dma {
	const struct dma_map_ops *ops;
	bool iommu;
	bool skip_sync;
};

/*
 * From 6.12 on, dev->dma_iommu makes the DMA API pass dma_ops by, and
 * dev->dma_skip_sync (6.10) makes it leave out every sync.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && defined(CONFIG_IOMMU_DMA)
static inline bool vsw_set_dma_iommu(struct device *dev, bool value)
{
	bool old = dev->dma_iommu;

	dev->dma_iommu = value;
	return old;
}
#else
static inline bool vsw_set_dma_iommu(struct device *dev, bool value)
{
	return false;
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0) && \
	defined(CONFIG_DMA_NEED_SYNC)
static inline bool vsw_set_skip_sync(struct device *dev, bool value)
{
	bool old = dev->dma_skip_sync;

	dev->dma_skip_sync = value;
	return old;
}
#else
static inline bool vsw_set_skip_sync(struct device *dev, bool value)
{
	return false;
}
#endif

static inline void vsw_swap_dma_ops(struct device *dev,
				    const struct dma_map_ops *ops,
				    struct vsw_saved_dma *saved)
{
	saved->ops = dev->dma_ops;
	set_dma_ops(dev, ops);
	saved->iommu = vsw_set_dma_iommu(dev, false);
	saved->skip_sync = vsw_set_skip_sync(dev, false);
}

static inline void vsw_restore_dma_ops(struct device *dev,
				       const struct vsw_saved_dma *saved)
{
	set_dma_ops(dev, saved->ops);
	vsw_set_dma_iommu(dev, saved->iommu);
	vsw_set_skip_sync(dev, saved->skip_sync);
}

/*
 * memremap() falls back to uncached without a word where the MTRRs demand it;
 * the page table has the truth.
 */
#ifdef CONFIG_X86
#include <asm/pgtable_types.h>

static inline bool vsw_is_write_back(void *mem)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)mem, &level);

	return !pte || !(pte_flags(*pte) & (_PAGE_PCD | _PAGE_PWT));
}
#else
static inline bool vsw_is_write_back(void *mem)
{
	return true;
}
#endif

#endif
