/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows kernel versions and configurations. VSW_HAS_... come
 * from Kbuild, which looks into the kernel's headers.
 */
#ifndef VIRTIO_SWIOTLB_COMPAT_H
#define VIRTIO_SWIOTLB_COMPAT_H

#include <linux/acpi.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/version.h>
#include <linux/virtio_config.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/hex.h>
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif
#include <uapi/linux/virtio_net.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "this driver is for Linux 6.1 and later"
#endif
#if !defined(CONFIG_DMA_OPS) && !defined(CONFIG_ARCH_HAS_DMA_OPS)
#error "this kernel has no DMA operations for each device"
#endif
#ifdef CONFIG_HIGHMEM
#error "buffers are reached through the kernel's linear mapping"
#endif

/* main.c says so, once, and scripts/build-guest looks for it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#define VSW_UNTRIED "this driver was not tried with a kernel newer than 7.3"
#endif

/* Since 6.2 */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4	54
#define VIRTIO_NET_F_GUEST_USO6	55
#endif

/* Before 6.19, dma_map_ops takes buffers as pages. */
dma_addr_t vsw_map_phys(struct device *dev, phys_addr_t buffer, size_t size,
			enum dma_data_direction dir, unsigned long attrs);

#ifdef VSW_HAS_MAP_PHYS
#define vsw_map_op	vsw_map_phys
#else
static inline dma_addr_t vsw_map_op(struct device *dev, struct page *page,
				    unsigned long offset, size_t size,
				    enum dma_data_direction dir,
				    unsigned long attrs)
{
	return vsw_map_phys(dev, page_to_phys(page) + offset, size, dir, attrs);
}

#define map_phys	map_page
#define unmap_phys	unmap_page
#endif

/*
 * Before 6.4 memcpy() of x86 uses string instructions, however slow they are to
 * start.
 */
#if defined(CONFIG_X86) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#include <asm/cpufeature.h>

static __always_inline bool vsw_memcpy_is_fast(void)
{
	return static_cpu_has(X86_FEATURE_FSRM);
}
#else
static inline bool vsw_memcpy_is_fast(void)
{
	return true;
}
#endif

/* Such a kernel gives pools of the devicetree to their devices itself. */
#define VSW_KERNEL_HAS_POOLS	IS_ENABLED(CONFIG_DMA_RESTRICTED_POOL)

/* Then there is no pool of ACPI to be asked about. */
#ifndef CONFIG_ACPI
static inline int acpi_dev_get_memory_resources(struct acpi_device *adev,
						struct list_head *list)
{
	return -ENODEV;
}

static inline void acpi_dev_free_resource_list(struct list_head *list)
{
}
#endif

/* Not for a window: registers of other devices, and what must not be copied */
#ifndef DMA_ATTR_MMIO
#define DMA_ATTR_MMIO	0
#endif
#ifndef DMA_ATTR_REQUIRE_COHERENT
#define DMA_ATTR_REQUIRE_COHERENT	0
#endif
#define VSW_REFUSED_ATTRS	(DMA_ATTR_MMIO | DMA_ATTR_REQUIRE_COHERENT)

/* The first 64 feature bits; from 6.17 on there are more. */
static inline u64 vsw_device_features(struct virtio_device *vdev)
{
#ifdef VIRTIO_DECLARE_FEATURES
	u64 features[ARRAY_SIZE(vdev->features_array)];

	virtio_get_features(vdev, features);
	return features[0];
#else
	return vdev->config->get_features(vdev);
#endif
}

/* What a PCI device does its DMA with when it is not attached */
struct vsw_saved_dma {
	const struct dma_map_ops *ops;
	bool iommu;
	bool skip_sync;
};

/*
 * From 6.12 on, dev->dma_iommu makes the DMA API pass dma_ops by, and
 * dev->dma_skip_sync (6.10) makes it leave out every sync. Later they are flags
 * of the device.
 */
#if defined(VSW_HAS_DEV_FLAGS)
static inline bool vsw_set_dma_iommu(struct device *dev, bool value)
{
	bool old = dev_dma_iommu(dev);

	dev_assign_dma_iommu(dev, value);
	return old;
}
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && \
	defined(CONFIG_IOMMU_DMA)
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

#if defined(VSW_HAS_DEV_FLAGS)
static inline bool vsw_set_skip_sync(struct device *dev, bool value)
{
	bool old = dev_dma_skip_sync(dev);

	dev_assign_dma_skip_sync(dev, value);
	return old;
}
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0) && \
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
