/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an external back end is given: nothing. It would get a table of guest
 * memory and never meet the window.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/swiotlb.h"

bool swiotlb_vhost_may_start(VirtIODevice *vdev)
{
    if (vdev->swiotlb) {
        error_report("swiotlb: %s: a vhost back end would reach guest memory "
                     "outside the window; set swiotlb=off or use an in-process "
                     "back end", vdev->swiotlb->name);
        return false;
    }
    return true;
}
