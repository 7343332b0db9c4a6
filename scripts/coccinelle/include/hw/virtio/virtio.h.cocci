// SPDX-License-Identifier: GPL-2.0-or-later
//
// A virtio device knows its window.

// NULL without a window: the one test that every redirected call makes first.
// hunks: 1
@device_has_window@
@@
struct VirtIODevice {
...
AddressSpace *dma_as;
+ struct SwiotlbDevice *swiotlb;
...
};
