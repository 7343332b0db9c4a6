/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IOMMUs in front of the device, set up as a guest would do it
 */

#ifndef BENCH_IOMMU_H
#define BENCH_IOMMU_H

#include "pci.h"
#include "queue.h"

/*
 * Translation for the device in @slot. Tables and rings come from @tables,
 * whose addresses are guest-physical; what is mapped lies at @target there.
 */
typedef struct Iommu {
    Qtest *qtest;
    int slot;
    Arena *tables;
    uint64_t target;

    /* intel-iommu: the topmost page table */
    Area top;
    /* virtio-iommu: its request queue */
    VirtioPci dev;
    Ring ring;
    uint64_t notify;
    Area request;
} Iommu;

/* Where the device sees its memory: no machine here has RAM there. */
#define IOMMU_START (1024 * GIB)

/* @opaque of the map function is the Iommu. */
void intel_iommu_init(Iommu *iommu);
void intel_iommu_map(void *opaque, uint64_t bus, uint64_t offset,
                     uint64_t len);

/* @slot, @registers: of the virtio-iommu itself */
void virtio_iommu_init(Iommu *iommu, int slot, uint64_t registers);
void virtio_iommu_map(void *opaque, uint64_t bus, uint64_t offset,
                      uint64_t len);
void virtio_iommu_free(Iommu *iommu);

#endif
