// SPDX-License-Identifier: GPL-2.0-only
/*
 * A BAR of a virtio PCI device as its window: from PCI capabilities to what they
 * point at.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/pci.h>
#include <linux/virtio_pci.h>

#include "capability.h"
#include "rogue.h"
#include "virtio_swiotlb.h"

/* Nothing in there minds being read, while nobody uses VIRTIO_PCI_CAP_PCI_CFG. */
static void read_config(struct pci_dev *pdev, u8 *config)
{
	unsigned int at;
	u32 value;

	for (at = 0; at < VSW_CONFIG_SIZE; at += sizeof(value)) {
		pci_read_config_dword(pdev, at, &value);
		put_unaligned_le32(value, config + at);
	}
	vsw_rogue_config(pdev, config);
}

static bool offered(struct device *parent)
{
	u8 config[VSW_CONFIG_SIZE];

	if (!dev_is_pci(parent))
		return false;
	read_config(to_pci_dev(parent), config);
	return vsw_capability_exists(config);
}

static int report(struct pci_dev *pdev, const struct vsw_fault *fault)
{
	dev_err(&pdev->dev, "wrong capability of the window: %s is %#llx, but %s: a fault of the device; set swiotlb=off until it is mended\n",
		fault->field, fault->value, fault->reason);
	return -EINVAL;
}

/* Where the device says that its window is, having checked all of it */
static int find_window(struct pci_dev *pdev, struct vsw_range *range)
{
	u8 config[VSW_CONFIG_SIZE];
	struct vsw_fault fault;
	struct resource *bar;

	read_config(pdev, config);
	if (!vsw_capability_read(config, range, &fault))
		return report(pdev, &fault);
	/* The kernel forgets the type of a BAR that it finds no place for. */
	bar = &pdev->resource[range->bar];
	if (!(bar->flags & IORESOURCE_MEM) || (bar->flags & IORESOURCE_UNSET) ||
	    !bar->start) {
		dev_err(&pdev->dev, "no address for the window's BAR %u: make room for %llu MiB of 64-bit prefetchable memory above this device, or make the window smaller (swiotlb-size)\n",
			range->bar, range->size >> 20);
		return -ENXIO;
	}
	if (!vsw_capability_fits(range, resource_size(bar), &fault))
		return report(pdev, &fault);
	return 0;
}

static int map_window(struct pci_dev *pdev, struct vsw_window *window)
{
	struct device *dev = &pdev->dev;
	struct pci_bus_region region;
	struct vsw_range range;
	struct resource *bar;
	u16 command;
	u64 size;
	int err;

	err = find_window(pdev, &range);
	if (err)
		return err;
	bar = &pdev->resource[range.bar];
	size = range.size;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	command = ~command & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (command) {
		dev_err(dev, "memory decoding or bus mastering is off, so the window cannot be reached: bind the PCI device to virtio-pci anew\n");
		return -EIO;
	}

	pcibios_resource_to_bus(pdev->bus, &region, bar);
	window->phys = bar->start + range.offset;
	window->bus = region.start + range.offset;
	window->size = size;
	if (!request_mem_region(window->phys, size, KBUILD_MODNAME)) {
		dev_err(dev, "the window at %pap is in use by another driver: see /proc/iomem\n",
			&window->phys);
		return -EBUSY;
	}
	window->mem = memremap(window->phys, size, MEMREMAP_WB);
	if (!window->mem) {
		dev_err(dev, "cannot map the window at %pap (%llu MiB): out of memory, or something else maps it uncached\n",
			&window->phys, size >> 20);
		release_mem_region(window->phys, size);
		return -ENOMEM;
	}
	if (!vsw_is_write_back(window->mem))
		dev_warn(dev, "the window at %pap is mapped uncached and I/O will be slow: firmware marks it so in the MTRRs, mostly below 4 GiB; have the BAR placed above 4 GiB\n",
			 &window->phys);
	return 0;
}

static void unmap_window(struct vsw_window *window)
{
	memunmap(window->mem);
	release_mem_region(window->phys, window->size);
}

static int open_bar(struct vsw_device *vd)
{
	int err;

	err = map_window(to_pci_dev(vd->parent), &vd->window);
	if (err)
		return err;
	vd->pool = vsw_pool_create(vd->window.size);
	if (!vd->pool) {
		unmap_window(&vd->window);
		return -ENOMEM;
	}
	vd->owner = 0;
	vd->share = vd->window.size;
	vd->longest_ring = SIZE_MAX;
	return 0;
}

static void close_bar(struct vsw_device *vd)
{
	vsw_pool_destroy(vd->pool);
	unmap_window(&vd->window);
}

/* A mapping besides virtio_pci's own, to be undone by pci_iounmap() */
static struct virtio_pci_common_cfg __iomem *map_common_cfg(struct pci_dev *pdev)
{
	const size_t size = sizeof(struct virtio_pci_common_cfg);
	u8 config[VSW_CONFIG_SIZE];
	struct vsw_range range;

	read_config(pdev, config);
	if (!vsw_capability_structure(config, VIRTIO_PCI_CAP_COMMON_CFG,
				      &range) ||
	    !vsw_window_holds(0, pci_resource_len(pdev, range.bar),
			      range.offset, size))
		return NULL;
	return pci_iomap_range(pdev, range.bar, range.offset, size);
}

static unsigned int count_queues(struct vsw_device *vd)
{
	struct pci_dev *pdev = to_pci_dev(vd->parent);
	struct virtio_pci_common_cfg __iomem *cfg = map_common_cfg(pdev);
	unsigned int queues;

	if (!cfg)
		return 0;
	queues = ioread16(&cfg->num_queues);
	pci_iounmap(pdev, cfg);
	return queues;
}

static unsigned int shorten_queues(struct vsw_device *vd, unsigned int queues)
{
	struct pci_dev *pdev = to_pci_dev(vd->parent);
	struct virtio_pci_common_cfg __iomem *cfg = map_common_cfg(pdev);
	unsigned int most, size, i;
	unsigned int shortened = 0;

	if (!cfg)
		return 0;
	for (i = 0; i < queues; i++) {
		iowrite16(i, &cfg->queue_select);
		size = ioread16(&cfg->queue_size);
		most = vsw_queue_limit(vd, queues, i);
		if (size <= most || ioread16(&cfg->queue_enable))
			continue;
		iowrite16(most, &cfg->queue_size);
		if (ioread16(&cfg->queue_size) == most)
			shortened++;
	}
	pci_iounmap(pdev, cfg);
	return shortened;
}

const struct vsw_source vsw_bar_source = {
	.size_option		= "swiotlb-size",
	.shortens_packed	= true,
	.offered		= offered,
	.open			= open_bar,
	.close			= close_bar,
	.count_queues		= count_queues,
	.shorten_queues		= shorten_queues,
};
