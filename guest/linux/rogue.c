// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rogue driver (make ROGUE=1, for tests only): hands the device addresses
 * of the guest's own memory in place of addresses in the window. Module
 * parameter 'rogue', also /sys/module/virtio_swiotlb/parameters/rogue:
 *
 *	none | KIND [COUNT [DEVICE]]
 *
 * The next COUNT (1) things of KIND that DEVICE (any) is given lie outside:
 *
 *	buffer	 a buffer of 512 bytes or more
 *	header	 a smaller one: request headers, status bytes
 *	indirect an indirect table
 *	ring	 a ring, or a part of one; rings are made when a driver binds
 *
 * DEVICE is a name such as virtio3. Reading gives what is still to come, so it
 * says 'none' once the attack has been made.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/virtio_byteorder.h>
#include <uapi/linux/virtio_ring.h>

#include "rogue.h"

enum kind { NONE, BUFFER, HEADER, INDIRECT, RING };

static const char *const kind_name[] = {
	[NONE] = "none",
	[BUFFER] = "buffer",
	[HEADER] = "header",
	[INDIRECT] = "indirect",
	[RING] = "ring",
};

#define BUFFER_MIN	512

static DEFINE_SPINLOCK(plan_lock);
static enum kind plan_kind;
static unsigned int plan_count;
static char plan_device[32];

static int rogue_set(const char *value, const struct kernel_param *param)
{
	char name[16] = "", device[sizeof(plan_device)] = "";
	unsigned int count = 1;
	unsigned long flags;
	int kind;

	if (sscanf(value, "%15s %u %31s", name, &count, device) < 1)
		return -EINVAL;
	kind = match_string(kind_name, ARRAY_SIZE(kind_name), name);
	if (kind < 0)
		return -EINVAL;

	spin_lock_irqsave(&plan_lock, flags);
	plan_kind = count ? kind : NONE;
	plan_count = count;
	strscpy(plan_device, device, sizeof(plan_device));
	spin_unlock_irqrestore(&plan_lock, flags);
	return 0;
}

static int rogue_get(char *buffer, const struct kernel_param *param)
{
	unsigned long flags;
	int len;

	spin_lock_irqsave(&plan_lock, flags);
	if (plan_kind == NONE)
		len = sysfs_emit(buffer, "none\n");
	else
		len = sysfs_emit(buffer, "%s %u %s\n", kind_name[plan_kind],
				 plan_count, plan_device);
	spin_unlock_irqrestore(&plan_lock, flags);
	return len;
}

static const struct kernel_param_ops rogue_param = {
	.set = rogue_set,
	.get = rogue_get,
};

module_param_cb(rogue, &rogue_param, NULL, 0600);
MODULE_PARM_DESC(rogue, "attack to make: none, or buffer, header, indirect or ring with a count and a device");

/* Is it this one's turn? */
static bool take(struct vsw_device *vd, enum kind kind)
{
	unsigned long flags;
	bool mine;

	spin_lock_irqsave(&plan_lock, flags);
	mine = plan_kind == kind &&
	       (!*plan_device ||
		!strcmp(plan_device, dev_name(&vd->vdev->dev)));
	if (mine && --plan_count == 0)
		plan_kind = NONE;
	spin_unlock_irqrestore(&plan_lock, flags);
	return mine;
}

/* Tables come by the same way as buffers, but hold addresses in the window. */
static bool is_indirect(struct vsw_device *vd, phys_addr_t buffer, size_t size,
			enum dma_data_direction dir)
{
	struct vring_desc desc;
	size_t at;

	if (dir != DMA_TO_DEVICE || !size || size % sizeof(desc))
		return false;
	for (at = 0; at < size; at += sizeof(desc)) {
		memcpy(&desc, phys_to_virt(buffer + at), sizeof(desc));
		if (!vsw_window_holds(vd->window.bus, vd->window.size,
				      __virtio64_to_cpu(true, desc.addr),
				      __virtio32_to_cpu(true, desc.len)))
			return false;
	}
	return true;
}

bool vsw_rogue_map(struct vsw_device *vd, phys_addr_t buffer, size_t size,
		   enum dma_data_direction dir)
{
	enum kind kind = size < BUFFER_MIN ? HEADER : BUFFER;

	if (is_indirect(vd, buffer, size, dir))
		kind = INDIRECT;
	if (!take(vd, kind))
		return false;
	dev_notice(&vd->vdev->dev, "rogue: %s of %zu bytes at %pap\n",
		   kind_name[kind], size, &buffer);
	return true;
}

static bool outside(struct vsw_device *vd, dma_addr_t addr)
{
	return !vsw_window_holds(vd->window.bus, vd->window.size, addr, 0);
}

bool vsw_rogue_unmap(struct vsw_device *vd, dma_addr_t addr)
{
	return outside(vd, addr);
}

void *vsw_rogue_alloc(struct vsw_device *vd, size_t size, dma_addr_t *addr,
		      gfp_t gfp)
{
	void *mem;

	if (!take(vd, RING))
		return NULL;
	mem = alloc_pages_exact(size, gfp | __GFP_ZERO);
	if (!mem)
		return NULL;
	*addr = virt_to_phys(mem);
	dev_notice(&vd->vdev->dev, "rogue: ring of %zu bytes at %pad\n", size,
		   addr);
	return mem;
}

bool vsw_rogue_free(struct vsw_device *vd, size_t size, void *mem,
		    dma_addr_t addr)
{
	if (!outside(vd, addr))
		return false;
	free_pages_exact(mem, size);
	return true;
}
