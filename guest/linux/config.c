// SPDX-License-Identifier: GPL-2.0-only
/*
 * What changes in the configuration operations of an attached device: it
 * accepts feature bit 27, gets queues and shows storage drivers limits that fit
 * the window, and has its status watched.
 */
#include <linux/blk_types.h>
#include <linux/jiffies.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>

#include "virtio_swiotlb.h"

#define WATCH_PERIOD	HZ

static int vsw_finalize_features(struct virtio_device *vdev)
{
	struct vsw_device *vd = vsw_of_vdev(vdev);

	/* Without bit 33 the rings and buffers would not come to the window. */
	if (__virtio_test_bit(vdev, VIRTIO_F_ACCESS_PLATFORM))
		__virtio_set_bit(vdev, VIRTIO_F_SWIOTLB);
	else
		__virtio_clear_bit(vdev, VIRTIO_F_SWIOTLB);
	vsw_queues_negotiate(vd);
	return vd->stock_config->finalize_features(vdev);
}

static void vsw_set_status(struct virtio_device *vdev, u8 status)
{
	struct vsw_device *vd = vsw_of_vdev(vdev);

	vd->stock_config->set_status(vdev, status);
	/* From here on, until DRIVER_OK, the queues are set up. */
	if ((status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    !(status & VIRTIO_CONFIG_S_DRIVER_OK))
		vsw_queues_fit(vd);
}

static void limit32(void *field, u64 limit)
{
	__le32 *value = field;

	if (le32_to_cpu(*value) > limit)
		*value = cpu_to_le32(limit);
}

/*
 * A request which never fits the window as a whole would be put back and tried
 * again for ever, so drivers that build large ones are told what fits.
 */
static void vsw_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		    unsigned int len)
{
	struct vsw_device *vd = vsw_of_vdev(vdev);
	size_t request = vsw_max_request(vd);
	size_t segments = request / vsw_max_mapping(vd);

	vd->stock_config->get(vdev, offset, buf, len);
	if (len != sizeof(__le32))
		return;

	switch (vdev->id.device) {
	case VIRTIO_ID_BLOCK:
		if (offset == offsetof(struct virtio_blk_config, seg_max))
			limit32(buf, segments);
		break;
	case VIRTIO_ID_SCSI:
		if (offset == offsetof(struct virtio_scsi_config, seg_max))
			limit32(buf, segments);
		if (offset == offsetof(struct virtio_scsi_config, max_sectors)) {
			/* 0: the driver may choose. */
			if (!*(__le32 *)buf)
				*(__le32 *)buf = cpu_to_le32(U32_MAX);
			limit32(buf, request >> SECTOR_SHIFT);
		}
		break;
	}
}

static void watch(struct work_struct *work)
{
	struct vsw_device *vd = container_of(to_delayed_work(work),
					     struct vsw_device, watch);
	struct virtio_device *vdev = vd->vdev;
	u8 status = vd->stock_config->get_status(vdev);
	/* All ones: the device is gone. */
	bool needs_reset = status != 0xff &&
			   (status & VIRTIO_CONFIG_S_NEEDS_RESET);

	if (needs_reset && !vd->needs_reset) {
		/* Some drivers wait in a loop that only this ends. */
		virtio_break_device(vdev);
		dev_err(&vdev->dev,
			"the device has stopped (NEEDS_RESET): it was given a ring, indirect table or buffer outside its window, or met a broken ring. New requests fail, those under way never end. To recover, unbind its driver and bind it again in /sys/bus/virtio/drivers; a disk that waits for a request takes a restart of the guest\n");
	}
	vd->needs_reset = needs_reset;
	schedule_delayed_work(&vd->watch, WATCH_PERIOD);
}

void vsw_config_install(struct vsw_device *vd)
{
	vd->stock_config = vd->vdev->config;
	vd->config = *vd->stock_config;
	vd->config.finalize_features = vsw_finalize_features;
	vd->config.set_status = vsw_set_status;
	vd->config.get = vsw_get;
	vd->vdev->config = &vd->config;

	/*
	 * Drivers take no notice of NEEDS_RESET and many of them none of the
	 * configuration interrupt, which is not ours to see: look.
	 */
	vd->needs_reset = false;
	INIT_DEFERRABLE_WORK(&vd->watch, watch);
	schedule_delayed_work(&vd->watch, WATCH_PERIOD);
}

void vsw_config_restore(struct vsw_device *vd)
{
	cancel_delayed_work_sync(&vd->watch);
	vd->vdev->config = vd->stock_config;
}
