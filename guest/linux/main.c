// SPDX-License-Identifier: GPL-2.0-only
/* The module: which devices are attached, and when. */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "virtio_swiotlb.h"

#ifdef VSW_UNTRIED
#pragma message(VSW_UNTRIED)
#endif

static LIST_HEAD(devices);
/* Guards the list, and 'attached' of each device in it */
static DEFINE_MUTEX(devices_lock);
static struct dentry *debugfs;

static const struct vsw_source *const sources[] = { &vsw_bar_source, &vsw_region_source };

static const struct vsw_source *source_of(struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;
	unsigned int i;

	for (i = 0; parent && i < ARRAY_SIZE(sources); i++) {
		if (sources[i]->offered(parent))
			return sources[i];
	}
	return NULL;
}

static struct vsw_device *find_device(struct virtio_device *vdev)
{
	struct vsw_device *vd;

	list_for_each_entry(vd, &devices, link) {
		if (vd->vdev == vdev)
			return vd;
	}
	return NULL;
}

static int check(struct vsw_device *vd)
{
	struct vsw_window *window = &vd->window;
	u64 features = vsw_device_features(vd->vdev);

	if (window->bus + window->size - 1 > dma_get_mask(vd->parent)) {
		dev_err(vd->parent, "the window at %pad is out of reach for the device's DMA mask %#llx: a fault of the device\n",
			&window->bus, dma_get_mask(vd->parent));
		return -EIO;
	}
	if (!(features & BIT_ULL(VIRTIO_F_SWIOTLB)) ||
	    !(features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))) {
		dev_err(&vd->vdev->dev, "has a window but does not offer feature bits %d and %d: a fault of the device\n",
			VIRTIO_F_SWIOTLB, VIRTIO_F_ACCESS_PLATFORM);
		return -EINVAL;
	}
	return 0;
}

static int attach(struct vsw_device *vd)
{
	int err;

	/* First: without memory decoding the features are no features. */
	err = vd->source->open(vd);
	if (err)
		return err;
	err = check(vd);
	if (err) {
		vd->source->close(vd);
		return err;
	}
	vsw_dma_install(vd);
	vsw_map_install(vd);
	vsw_config_install(vd);
	vsw_stats_show(vd);
	vd->attached = true;
	dev_info(&vd->vdev->dev, "DMA goes through the window of %zu MiB at %pap\n",
		 vd->window.size >> 20, &vd->window.phys);
	return 0;
}

static void detach(struct vsw_device *vd)
{
	struct device *dev = &vd->vdev->dev;
	struct vsw_left rings, mapped;

	vsw_stats_hide(vd);
	vsw_config_restore(vd);
	vsw_map_restore(vd);
	vsw_dma_reclaim(vd, &rings, &mapped);
	vsw_dma_restore(vd);
	vd->attached = false;

	if (rings.slots)
		dev_warn(dev, "%lu rings (%zu bytes) were not freed by the driver\n",
			 rings.slots, rings.bytes);
	/* virtio_rng and virtio_scsi leave buffers that wait for events. */
	if (mapped.slots)
		dev_info(dev, "%lu buffers (%zu bytes) were not unmapped by the driver and are reclaimed\n",
			 mapped.slots, mapped.bytes);
	vd->source->close(vd);
	vd->pool = NULL;
}

/* Called with the device's lock held, before the driver's probe */
static void before_probe(struct virtio_device *vdev)
{
	const struct vsw_source *source = source_of(vdev);
	struct vsw_device *vd;

	if (!source)
		return;

	mutex_lock(&devices_lock);
	vd = find_device(vdev);
	if (!vd) {
		vd = kzalloc(sizeof(*vd), GFP_KERNEL);
		if (!vd)
			goto unlock;
		vd->vdev = vdev;
		vd->parent = vdev->dev.parent;
		vd->source = source;
		list_add(&vd->link, &devices);
	}
	/*
	 * A bound driver calls into this module at any time: the module stays
	 * as long as a device is attached.
	 */
	if (vd->attached || !try_module_get(THIS_MODULE))
		goto unlock;
	if (attach(vd)) {
		dev_err(&vdev->dev, "not attached: if the device insists on its window, its driver will now be refused\n");
		module_put(THIS_MODULE);
	}
unlock:
	mutex_unlock(&devices_lock);
}

/* Called with the device's lock held, when the driver has let go */
static void after_unbind(struct virtio_device *vdev)
{
	struct vsw_device *vd;

	mutex_lock(&devices_lock);
	vd = find_device(vdev);
	if (vd && vd->attached) {
		detach(vd);
		module_put(THIS_MODULE);
	}
	mutex_unlock(&devices_lock);
}

/*
 * Not before the device is gone: a reader of its sysfs files may still be
 * looking at the configuration operations in here.
 */
static void after_removal(struct virtio_device *vdev)
{
	struct vsw_device *vd;

	mutex_lock(&devices_lock);
	vd = find_device(vdev);
	if (vd) {
		list_del(&vd->link);
		kfree(vd);
	}
	mutex_unlock(&devices_lock);
}

static int notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct virtio_device *vdev = dev_to_virtio(data);

	switch (event) {
	case BUS_NOTIFY_BIND_DRIVER:
		before_probe(vdev);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		after_unbind(vdev);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		after_removal(vdev);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = notify };

/*
 * Locks a device that no driver uses. A driver that went without the window
 * may wait for its first request for ever, with the lock held.
 */
static bool lock_unused(struct device *dev)
{
	struct virtio_device *vdev = dev_to_virtio(dev);

	while (!device_trylock(dev)) {
		if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_DRIVER_OK)
			return false;
		msleep(20);
	}
	if (!dev->driver)
		return true;
	device_unlock(dev);
	return false;
}

/*
 * Devices that insisted on their window before this module was there were
 * refused. Let their drivers try again.
 */
static int retry(struct device *dev, void *unused)
{
	struct virtio_device *vdev = dev_to_virtio(dev);

	if (!source_of(vdev))
		return 0;

	if (!lock_unused(dev)) {
		if (!__virtio_test_bit(vdev, VIRTIO_F_SWIOTLB))
			dev_info(dev, "in use without its window already; unbind its driver and bind it again to change that\n");
		return 0;
	}
	vdev->config->reset(vdev);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	device_unlock(dev);

	if (device_attach(dev) < 0)
		dev_warn(dev, "could not be given to a driver again\n");
	return 0;
}

static int state_show(struct seq_file *file, void *unused)
{
	struct vsw_pool_stats stats;
	struct vsw_device *vd;

	mutex_lock(&devices_lock);
	list_for_each_entry(vd, &devices, link) {
		seq_printf(file, "%s %s", dev_name(&vd->vdev->dev),
			   dev_name(vd->parent));
		if (!vd->attached) {
			seq_puts(file, " detached\n");
			continue;
		}
		vsw_pool_stats(vd->pool, &stats);
		seq_printf(file, " window=%pap size=%zu used=%zu peak=%zu rings=%lu mapped=%lu full=%lu\n",
			   &vd->window.phys, vd->window.size, stats.used_bytes,
			   stats.peak_bytes, stats.rings, stats.mapped,
			   stats.full);
	}
	mutex_unlock(&devices_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

/* The way to the virtio bus, which has no symbol. It matches no device. */
static const struct virtio_device_id no_ids[] = { { 0 } };

static struct virtio_driver bus_handle = {
	.driver.name = KBUILD_MODNAME,
	.id_table = no_ids,
};

static int __init vsw_init(void)
{
	int err;

	err = register_virtio_driver(&bus_handle);
	if (err)
		return err;
	err = bus_register_notifier(bus_handle.driver.bus, &notifier);
	if (err) {
		unregister_virtio_driver(&bus_handle);
		return err;
	}
	debugfs = debugfs_create_file(KBUILD_MODNAME, 0400, NULL, NULL,
				      &state_fops);
	bus_for_each_dev(bus_handle.driver.bus, NULL, NULL, retry);
	return 0;
}

static void __exit vsw_exit(void)
{
	struct vsw_device *vd, *next;

	debugfs_remove(debugfs);
	bus_unregister_notifier(bus_handle.driver.bus, &notifier);
	unregister_virtio_driver(&bus_handle);

	/* See after_removal(): let readers get past what they looked up. */
	synchronize_rcu_tasks();
	list_for_each_entry_safe(vd, next, &devices, link)
		kfree(vd);
}

module_init(vsw_init);
module_exit(vsw_exit);

MODULE_DESCRIPTION("DMA of virtio devices through a window");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
