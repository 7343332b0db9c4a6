/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio-pci device, modern interface, reached over qtest
 */

#ifndef BENCH_PCI_H
#define BENCH_PCI_H

#include "memory.h"
#include "qtest.h"

/* Feature bit and capability that come with a window */
#define VIRTIO_F_SWIOTLB 27
#define VIRTIO_PCI_CAP_SWIOTLB 10

typedef struct VirtioPci {
    Qtest *qtest;
    /* Slot on bus 0 */
    int slot;
    /* Where the registers are */
    uint64_t common;
    uint64_t notify;
    uint32_t notify_multiplier;
    uint64_t features;
} VirtioPci;

/*
 * Find the device, map its registers at @registers and its window, if it has
 * one, at @window.
 */
void virtio_pci_init(VirtioPci *dev, Qtest *qtest, int slot,
                     uint64_t registers, uint64_t window);
/* Reset it and agree on @features, all of which it must offer. */
void virtio_pci_negotiate(VirtioPci *dev, uint64_t features);
void virtio_pci_driver_ok(VirtioPci *dev);
/* Has the device given up? */
bool virtio_pci_needs_reset(VirtioPci *dev);

/*
 * Give the device a queue of @num descriptors.
 *
 * Returns: the address at which it is notified
 */
uint64_t virtio_pci_queue(VirtioPci *dev, uint16_t index, uint16_t num,
                          uint64_t desc, uint64_t driver, uint64_t device);

#endif
