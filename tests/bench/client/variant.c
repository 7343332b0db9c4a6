/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Ways in which a device reaches its driver's memory
 */

#include <linux/virtio_config.h>
#include "pci.h"
#include "variant.h"

#define PLATFORM (1ull << VIRTIO_F_ACCESS_PLATFORM)
#define PLATFORM_PROPERTY ",\"iommu_platform\":true"

static const Variant variants[] = {
    { .name = "plain" },
    {
        .name = "swiotlb",
        .window = true,
        .features = PLATFORM | 1ull << VIRTIO_F_SWIOTLB,
        .properties = ",\"swiotlb\":true,\"swiotlb-memdev\":\"window\"",
    },
    {
        .name = "platform",
        .features = PLATFORM,
        .properties = PLATFORM_PROPERTY,
    },
    {
        .name = "intel-iommu",
        .features = PLATFORM,
        .properties = PLATFORM_PROPERTY,
        .iommu = IOMMU_INTEL,
    },
    {
        .name = "virtio-iommu",
        .features = PLATFORM,
        .properties = PLATFORM_PROPERTY,
        .iommu = IOMMU_VIRTIO,
    },
};

const Variant *variant_find(const char *name)
{
    for (int i = 0; i < G_N_ELEMENTS(variants); i++) {
        if (g_str_equal(variants[i].name, name)) {
            return &variants[i];
        }
    }
    die("there is no variant '%s'", name);
}
