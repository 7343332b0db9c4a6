// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device's pool has done, for programs: files in the folder
 * virtio_swiotlb of the device below, a number in each. They are there as long
 * as the device is attached.
 */
#include <linux/sysfs.h>

#include "virtio_swiotlb.h"

static struct vsw_pool_stats stats_of(struct device *dev)
{
	struct vsw_pool_stats stats;

	vsw_pool_stats(vsw_of_dma_dev(dev)->pool, &stats);
	return stats;
}

static ssize_t size_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%zu\n", vsw_of_dma_dev(dev)->window.size);
}
static DEVICE_ATTR_RO(size);

#define STATS_ATTR(_name, _member)					\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%llu\n", (u64)stats_of(dev)._member);	\
}									\
static DEVICE_ATTR_RO(_name)

STATS_ATTR(rings, rings);
STATS_ATTR(mapped, mapped);
STATS_ATTR(used, used_bytes);
STATS_ATTR(taken, taken_bytes);
STATS_ATTR(peak, peak_bytes);
STATS_ATTR(full, full);
STATS_ATTR(copied_in, copied_in);
STATS_ATTR(copied_out, copied_out);
STATS_ATTR(locks, locks);
STATS_ATTR(batches, batches);

static struct attribute *attrs[] = {
	&dev_attr_size.attr,
	&dev_attr_rings.attr,
	&dev_attr_mapped.attr,
	&dev_attr_used.attr,
	&dev_attr_taken.attr,
	&dev_attr_peak.attr,
	&dev_attr_full.attr,
	&dev_attr_copied_in.attr,
	&dev_attr_copied_out.attr,
	&dev_attr_locks.attr,
	&dev_attr_batches.attr,
	NULL
};

static const struct attribute_group group = {
	.name = KBUILD_MODNAME,
	.attrs = attrs,
};

/* Without these files all else works. */
void vsw_stats_show(struct vsw_device *vd)
{
	vd->shows_stats = !sysfs_create_group(&vd->parent->kobj, &group);
}

/* No reader is left behind. */
void vsw_stats_hide(struct vsw_device *vd)
{
	if (vd->shows_stats)
		sysfs_remove_group(&vd->parent->kobj, &group);
	vd->shows_stats = false;
}
