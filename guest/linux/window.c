// SPDX-License-Identifier: GPL-2.0-only
/* From PCI capabilities to what they point at: above all, the window. */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/sizes.h>

#include "virtio_swiotlb.h"

#define CAP(field)	(offsetof(struct virtio_pci_cap64, field))

static int find_capability(struct pci_dev *pdev, u8 wanted, size_t min)
{
	u8 type, length;
	int pos;

	for (pos = pci_find_capability(pdev, PCI_CAP_ID_VNDR); pos;
	     pos = pci_find_next_capability(pdev, pos, PCI_CAP_ID_VNDR)) {
		pci_read_config_byte(pdev, pos + CAP(cap.cfg_type), &type);
		pci_read_config_byte(pdev, pos + CAP(cap.cap_len), &length);
		if (type == wanted && length >= min)
			return pos;
	}
	return 0;
}

static u64 read_lo_hi(struct pci_dev *pdev, int lo, int hi)
{
	u32 low, high;

	pci_read_config_dword(pdev, lo, &low);
	pci_read_config_dword(pdev, hi, &high);
	return (u64)high << 32 | low;
}

static int find_window(struct pci_dev *pdev)
{
	return find_capability(pdev, VIRTIO_PCI_CAP_SWIOTLB,
			       sizeof(struct virtio_pci_cap64));
}

bool vsw_window_offered(struct pci_dev *pdev)
{
	return find_window(pdev);
}

int vsw_window_map(struct pci_dev *pdev, struct vsw_window *window)
{
	struct device *dev = &pdev->dev;
	int pos = find_window(pdev);
	struct pci_bus_region region;
	struct resource *bar;
	u64 offset, size;
	u16 command;
	u8 index;

	pci_read_config_byte(pdev, pos + CAP(cap.bar), &index);
	offset = read_lo_hi(pdev, pos + CAP(cap.offset), pos + CAP(offset_hi));
	size = read_lo_hi(pdev, pos + CAP(cap.length), pos + CAP(length_hi));
	/* The kernel forgets the type of a BAR that it finds no place for. */
	if (index >= PCI_STD_NUM_BARS ||
	    (pci_resource_flags(pdev, index) &&
	     !(pci_resource_flags(pdev, index) & IORESOURCE_MEM))) {
		dev_err(dev, "window in BAR %u, which is no memory BAR: a fault of the device\n",
			index);
		return -EINVAL;
	}
	bar = &pdev->resource[index];
	if (!bar->flags || (bar->flags & IORESOURCE_UNSET) || !bar->start) {
		dev_err(dev, "no address for the window's BAR %u: make room for %llu MiB of 64-bit prefetchable memory above this device, or make the window smaller (swiotlb-size)\n",
			index, size >> 20);
		return -ENXIO;
	}
	if (size < SZ_1M || !IS_ALIGNED(offset | size, SZ_4K) ||
	    !vsw_window_holds(0, resource_size(bar), offset, size)) {
		dev_err(dev, "window at %#llx with %#llx bytes, but BAR %u is %pR: a fault of the device\n",
			offset, size, index, bar);
		return -EINVAL;
	}
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	command = ~command & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (command) {
		dev_err(dev, "memory decoding or bus mastering is off, so the window cannot be reached: bind the PCI device to virtio-pci anew\n");
		return -EIO;
	}

	pcibios_resource_to_bus(pdev->bus, &region, bar);
	window->phys = bar->start + offset;
	window->bus = region.start + offset;
	window->size = size;
	if (window->bus + size - 1 > dma_get_mask(dev)) {
		dev_err(dev, "the window at %pad is out of reach for the device's DMA mask %#llx: a fault of the device\n",
			&window->bus, dma_get_mask(dev));
		return -EIO;
	}

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

void vsw_window_unmap(struct vsw_window *window)
{
	memunmap(window->mem);
	release_mem_region(window->phys, window->size);
}

/* A mapping besides virtio_pci's own, to be undone by pci_iounmap() */
struct virtio_pci_common_cfg __iomem *vsw_map_common_cfg(struct pci_dev *pdev)
{
	int pos = find_capability(pdev, VIRTIO_PCI_CAP_COMMON_CFG,
				  sizeof(struct virtio_pci_cap));
	u32 offset;
	u8 index;

	if (!pos)
		return NULL;
	pci_read_config_byte(pdev, pos + CAP(cap.bar), &index);
	pci_read_config_dword(pdev, pos + CAP(cap.offset), &offset);
	if (index >= PCI_STD_NUM_BARS)
		return NULL;
	return pci_iomap_range(pdev, index, offset,
			       sizeof(struct virtio_pci_common_cfg));
}
