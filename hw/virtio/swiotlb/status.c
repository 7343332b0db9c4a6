/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * "info virtio-status": bit 27 by its name
 */

#include "qemu/osdep.h"
#include "qapi/qapi-types-virtio.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/swiotlb.h"

VirtioDeviceFeatures *swiotlb_name_features(VirtIODevice *vdev,
                                            VirtioDeviceFeatures *features)
{
    strList *entry;

    if (!vdev->swiotlb) {
        return features;
    }
    for (entry = features->transports; entry; entry = entry->next) {
        if (g_str_has_prefix(entry->value, "VIRTIO_F_ANY_LAYOUT:")) {
            g_free(entry->value);
            entry->value = g_strdup("VIRTIO_F_SWIOTLB: Device reaches only "
                                    "its own memory window");
        }
    }
    return features;
}
