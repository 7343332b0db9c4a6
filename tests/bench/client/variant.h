/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Ways in which a device reaches its driver's memory
 */

#ifndef BENCH_VARIANT_H
#define BENCH_VARIANT_H

#include "common.h"

typedef enum IommuType {
    IOMMU_NONE,
    IOMMU_INTEL,
    IOMMU_VIRTIO,
} IommuType;

typedef struct Variant {
    const char *name;
    /* The device has a window. */
    bool window;
    /* Features that its driver accepts for that */
    uint64_t features;
    /* More properties of the device, as JSON */
    const char *properties;
    IommuType iommu;
} Variant;

const Variant *variant_find(const char *name);

#endif
