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
 *
 * The other way round, parameter 'config' makes devices look hostile:
 *
 *	none | AT BYTES [DEVICE]
 *
 * is what the configuration space of DEVICE (any), a name such as 0000:00:03.0,
 * seems to hold at AT, both hexadecimal; up to 32 bytes.
 */
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/virtio_byteorder.h>
#include <uapi/linux/virtio_ring.h>

#include "capability.h"
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

/* Guarded by plan_lock */
static struct {
	unsigned int at, n;
	u8 bytes[32];
	char device[32];
} lie;

static int lie_set(const char *value, const struct kernel_param *param)
{
	char hex[2 * sizeof(lie.bytes) + 1], device[sizeof(lie.device)] = "";
	u8 bytes[sizeof(lie.bytes)];
	unsigned int at = 0, n = 0;
	unsigned long flags;

	if (!sysfs_streq(value, "none")) {
		if (sscanf(value, "%x %64s %31s", &at, hex, device) < 2)
			return -EINVAL;
		n = strlen(hex) / 2;
		if (at > VSW_CONFIG_SIZE - n || hex2bin(bytes, hex, n))
			return -EINVAL;
	}
	spin_lock_irqsave(&plan_lock, flags);
	lie.at = at;
	lie.n = n;
	memcpy(lie.bytes, bytes, n);
	strscpy(lie.device, device, sizeof(lie.device));
	spin_unlock_irqrestore(&plan_lock, flags);
	return 0;
}

static const struct kernel_param_ops lie_param = { .set = lie_set };

module_param_cb(config, &lie_param, NULL, 0200);
MODULE_PARM_DESC(config, "what configuration space seems to hold: none, or a place, bytes and a device");

void vsw_rogue_config(struct pci_dev *pdev, u8 *config)
{
	unsigned long flags;

	spin_lock_irqsave(&plan_lock, flags);
	if (!*lie.device || !strcmp(lie.device, pci_name(pdev)))
		memcpy(config + lie.at, lie.bytes, lie.n);
	spin_unlock_irqrestore(&plan_lock, flags);
}

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
