// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range of the guest's memory as the window of virtio-mmio devices. A node of
 * the devicetree says where it is, and the kernel keeps away from it; the nodes
 * of the devices name it in "memory-region". All of them share it.
 *
 * No resource is claimed: the kernel has the range in its own list of memory.
 * That nobody else uses it is what the node's "compatible" says.
 */
#include <linux/dma-direct.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "virtio_swiotlb.h"

/* As many as the transport can have */
#define MOST_QUEUES	1024

struct vsw_region {
	struct list_head link;
	struct device_node *node;
	unsigned int users;
	struct ida owners;
	/* Without the address for devices, who may see it elsewhere */
	struct vsw_window window;
	struct vsw_pool *pool;
};

/* Guarded as open() and close() are */
static LIST_HEAD(regions);

/* The node of the pool that a device's node names, to be put; NULL: none */
static struct device_node *find_node(const struct device_node *device)
{
	struct device_node *node;
	int i = 0;

	while ((node = of_parse_phandle(device, "memory-region", i++))) {
		if (of_device_is_compatible(node, "restricted-dma-pool") &&
		    of_device_is_available(node))
			return node;
		of_node_put(node);
	}
	return NULL;
}

static bool offered(struct device *parent)
{
	struct device_node *node;

	if (VSW_KERNEL_HAS_POOLS || !dev_is_platform(parent) ||
	    !parent->of_node)
		return false;
	node = find_node(parent->of_node);
	of_node_put(node);
	return node;
}

/* Whether it is memory that the kernel has mapped already or not ("no-map") */
static int map_window(struct device *dev, struct vsw_region *region)
{
	struct reserved_mem *mem = of_reserved_mem_lookup(region->node);
	struct vsw_window *window = &region->window;

	if (!mem) {
		dev_err(dev, "the kernel has not reserved %pOF: see the beginning of its log\n",
			region->node);
		return -ENODEV;
	}
	if (mem->size < SZ_1M || !IS_ALIGNED(mem->base | mem->size, SZ_4K)) {
		dev_err(dev, "%pOF has %pa bytes at %pa: a pool has 1 MiB or more, in whole pages of 4 KiB\n",
			region->node, &mem->size, &mem->base);
		return -EINVAL;
	}
	window->phys = mem->base;
	window->size = mem->size;
	window->mem = memremap(window->phys, window->size, MEMREMAP_WB);
	if (!window->mem) {
		dev_err(dev, "cannot map the window at %pap (%zu MiB): out of memory, or something else maps it uncached\n",
			&window->phys, window->size >> 20);
		return -ENOMEM;
	}
	return 0;
}

static int make_region(struct device *dev, struct device_node *node,
		       struct vsw_region **made)
{
	struct vsw_region *region;
	int err;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return -ENOMEM;
	region->node = node;
	err = map_window(dev, region);
	if (err)
		goto free;
	region->pool = vsw_pool_create(region->window.size);
	if (!region->pool) {
		err = -ENOMEM;
		goto unmap;
	}
	of_node_get(node);
	ida_init(&region->owners);
	list_add(&region->link, &regions);
	*made = region;
	return 0;
unmap:
	memunmap(region->window.mem);
free:
	kfree(region);
	return err;
}

static void put_region(struct vsw_region *region)
{
	if (--region->users)
		return;
	list_del(&region->link);
	ida_destroy(&region->owners);
	vsw_pool_destroy(region->pool);
	memunmap(region->window.mem);
	of_node_put(region->node);
	kfree(region);
}

static int get_region(struct device *dev, struct vsw_region **found)
{
	struct device_node *node = find_node(dev->of_node);
	struct vsw_region *region;
	int err = 0;

	list_for_each_entry(region, &regions, link) {
		if (region->node == node)
			goto found;
	}
	err = make_region(dev, node, &region);
	if (err)
		goto out;
found:
	region->users++;
	*found = region;
out:
	of_node_put(node);
	return err;
}

/* The devices that may come to share the window, whether they are there or not */
static unsigned int count_devices(const struct vsw_region *region)
{
	struct device_node *device, *node;
	unsigned int n = 0;

	for_each_node_with_property(device, "memory-region") {
		node = find_node(device);
		of_node_put(node);
		n += node == region->node;
	}
	return max(n, 1u);
}

static int open_region(struct vsw_device *vd)
{
	struct vsw_region *region;
	int owner, err;

	err = get_region(vd->parent, &region);
	if (err)
		return err;
	owner = ida_alloc_max(&region->owners, VSW_OWNERS - 1, GFP_KERNEL);
	if (owner < 0) {
		dev_err(vd->parent, "%pOF is shared by %d devices, and that is the most\n",
			region->node, VSW_OWNERS);
		put_region(region);
		return owner;
	}
	vd->region = region;
	vd->pool = region->pool;
	vd->window = region->window;
	vd->window.bus = phys_to_dma_unencrypted(vd->parent,
						 vd->window.phys);
	vd->owner = owner;
	vd->share = vd->window.size / count_devices(region);
	vd->longest_ring = SIZE_MAX;
	return 0;
}

static void close_region(struct vsw_device *vd)
{
	ida_free(&vd->region->owners, vd->owner);
	put_region(vd->region);
}

/* A mapping besides virtio_mmio's own, to be undone by iounmap() */
static void __iomem *map_registers(struct vsw_device *vd)
{
	struct platform_device *pdev = to_platform_device(vd->parent);
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 0);

	return res ? ioremap(res->start, resource_size(res)) : NULL;
}

/* Entries at most; 0: there is no such queue. */
static unsigned int queue_size(void __iomem *registers, unsigned int index)
{
	writel(index, registers + VIRTIO_MMIO_QUEUE_SEL);
	return readl(registers + VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static unsigned int count_queues(struct vsw_device *vd)
{
	void __iomem *registers = map_registers(vd);
	unsigned int n = 0;

	if (!registers)
		return 0;
	while (n < MOST_QUEUES && queue_size(registers, n))
		n++;
	iounmap(registers);
	return n;
}

/*
 * The size that virtio_mmio makes a ring of is no register to be written. But
 * if it finds no memory for a ring, it tries one of half the size.
 */
static unsigned int shorten_queues(struct vsw_device *vd, unsigned int queues)
{
	void __iomem *registers = map_registers(vd);
	unsigned int shortened = 0;
	unsigned int most = 0;
	unsigned int i;

	if (!registers)
		return 0;
	for (i = 0; i < queues; i++)
		most = max(most, vsw_queue_limit(vd, queues, i));
	for (i = 0; i < queues; i++)
		shortened += queue_size(registers, i) > most;
	vd->longest_ring = vring_size(most, PAGE_SIZE);
	iounmap(registers);
	return shortened;
}

const struct vsw_source vsw_region_source = {
	.size_option		= "size of the pool",
	.offered		= offered,
	.open			= open_region,
	.close			= close_region,
	.count_queues		= count_queues,
	.shorten_queues		= shorten_queues,
};
