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

// hunks: 1
@back_end_declaration@
@@
struct VirtIODevice {
...
};
+bool swiotlb_stops_back_end(struct VirtIODevice *vdev);

// A back end that connects again, or a machine that goes on, does not start a
// device that has stopped.
// hunks: 1
@back_end_started@
typedef VirtIODevice;
identifier V;
@@
virtio_device_started(VirtIODevice *V, ...)
{
+ if (swiotlb_stops_back_end(V)) {
+     return false;
+ }
...
}
