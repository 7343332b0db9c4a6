// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range of the guest's memory as the window of virtio-mmio devices. A node of
 * the firmware's table, devicetree or ACPI, says where it is, and the kernel
 * keeps away from it; the nodes of the devices name it in "memory-region". All
 * of them share it. The two tables differ in where the range is written.
 */
#include <linux/acpi.h>
#include <linux/dma-direct.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "virtio_swiotlb.h"

/* As many as the transport can have */
#define MOST_QUEUES	1024

struct vsw_region {
	struct list_head link;
	struct fwnode_handle *node;
	unsigned int users;
	struct ida owners;
	/* Without the address for devices, who may see it elsewhere */
	struct vsw_window window;
	struct vsw_pool *pool;
};

/* Guarded as open() and close() are */
static LIST_HEAD(regions);

/* The node of the pool that a device's node names, to be put; NULL: none */
static struct fwnode_handle *find_node(const struct fwnode_handle *device)
{
	struct fwnode_handle *node;
	unsigned int i = 0;

	for (;;) {
		node = fwnode_find_reference(device, "memory-region", i++);
		if (IS_ERR(node))
			return NULL;
		if (fwnode_property_match_string(node, "compatible",
						 "restricted-dma-pool") >= 0 &&
		    fwnode_device_is_available(node))
			return node;
		fwnode_handle_put(node);
	}
}

static bool offered(struct device *parent)
{
	struct fwnode_handle *node;
	bool ours;

	if (!dev_is_platform(parent))
		return false;
	node = find_node(dev_fwnode(parent));
	ours = node && !(VSW_KERNEL_HAS_POOLS && is_of_node(node));
	fwnode_handle_put(node);
	return ours;
}

/* Of the devicetree: memory that the kernel has mapped or not ("no-map") */
static int find_reserved(struct device *dev, struct vsw_region *region)
{
	struct reserved_mem *mem;

	mem = of_reserved_mem_lookup(to_of_node(region->node));
	if (!mem) {
		dev_err(dev, "the kernel has not reserved %pfw: see the beginning of its log\n",
			region->node);
		return -ENODEV;
	}
	region->window.phys = mem->base;
	region->window.size = mem->size;
	return 0;
}

/* Of ACPI: what the pool's device has in _CRS */
static int find_resource(struct device *dev, struct vsw_region *region)
{
	struct acpi_device *pool = to_acpi_device_node(region->node);
	struct resource *res;
	LIST_HEAD(list);
	int n;

	n = acpi_dev_get_memory_resources(pool, &list);
	if (n == 1) {
		res = list_first_entry(&list, struct resource_entry, node)->res;
		region->window.phys = res->start;
		region->window.size = resource_size(res);
	}
	acpi_dev_free_resource_list(&list);
	if (n != 1) {
		dev_err(dev, "%pfw has %d ranges of memory in _CRS, and a pool has one: a fault of the firmware\n",
			region->node, max(n, 0));
		return -EINVAL;
	}
	return 0;
}

/*
 * The devicetree's range is in the kernel's own list of memory, for nobody else.
 * ACPI's must be no memory of the kernel's, and is ours once it is claimed.
 */
static bool claim(struct vsw_region *region)
{
	return is_of_node(region->node) ||
	       request_mem_region(region->window.phys, region->window.size,
				  KBUILD_MODNAME);
}

static void unclaim(struct vsw_region *region)
{
	if (!is_of_node(region->node))
		release_mem_region(region->window.phys, region->window.size);
}

static int map_window(struct device *dev, struct vsw_region *region)
{
	struct vsw_window *window = &region->window;
	int err;

	if (is_of_node(region->node))
		err = find_reserved(dev, region);
	else
		err = find_resource(dev, region);
	if (err)
		return err;
	if (window->size < SZ_1M ||
	    !IS_ALIGNED(window->phys | window->size, SZ_4K)) {
		dev_err(dev, "%pfw has %zu bytes at %pap: a pool has 1 MiB or more, in whole pages of 4 KiB\n",
			region->node, window->size, &window->phys);
		return -EINVAL;
	}
	if (!claim(region)) {
		dev_err(dev, "%pfw is at %pap, where the kernel or a driver has memory in use: see /proc/iomem; the firmware has to reserve it\n",
			region->node, &window->phys);
		return -EBUSY;
	}
	window->mem = memremap(window->phys, window->size, MEMREMAP_WB);
	if (!window->mem) {
		dev_err(dev, "cannot map the window at %pap (%zu MiB): out of memory, or something else maps it uncached\n",
			&window->phys, window->size >> 20);
		unclaim(region);
		return -ENOMEM;
	}
	return 0;
}

static void unmap_window(struct vsw_region *region)
{
	memunmap(region->window.mem);
	unclaim(region);
}

static int make_region(struct device *dev, struct fwnode_handle *node,
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
	fwnode_handle_get(node);
	ida_init(&region->owners);
	list_add(&region->link, &regions);
	*made = region;
	return 0;
unmap:
	unmap_window(region);
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
	unmap_window(region);
	fwnode_handle_put(region->node);
	kfree(region);
}

static int get_region(struct device *dev, struct vsw_region **found)
{
	struct fwnode_handle *node = find_node(dev_fwnode(dev));
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
	fwnode_handle_put(node);
	return err;
}

struct sharers {
	const struct vsw_region *region;
	unsigned int n;
};

static int count_device(struct device *dev, void *data)
{
	struct fwnode_handle *node = find_node(dev_fwnode(dev));
	struct sharers *sharers = data;

	sharers->n += node == sharers->region->node;
	fwnode_handle_put(node);
	return 0;
}

/* The transports that may come to share the window, with a device or without */
static unsigned int count_devices(const struct vsw_region *region)
{
	struct sharers sharers = { region };

	bus_for_each_dev(&platform_bus_type, NULL, &sharers, count_device);
	return max(sharers.n, 1u);
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
		dev_err(vd->parent, "%pfw is shared by %d devices, and that is the most\n",
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
