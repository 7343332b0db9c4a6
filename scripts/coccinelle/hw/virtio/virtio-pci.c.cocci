// SPDX-License-Identifier: GPL-2.0-or-later
//
// virtio-pci gives a device its window and shows it to the driver.

// hunks: 1
@properties@
@@
const Property virtio_pci_properties[] = {
+ SWIOTLB_PCI_PROPERTIES,
...
};

// Bit 27 is hidden from modern drivers as a legacy feature. 10.0 and 10.1
// compute all bits at once, later versions mask the legacy ones afterwards.
// hunks: 1
@offered_features@
identifier P, N, K;
expression E;
@@
(
- N = (vdev->host_features & ~K->legacy_features) >> (32 * P->dfselect);
+ N = swiotlb_offered_features(vdev, P->dfselect,
+         (vdev->host_features & ~K->legacy_features) >> (32 * P->dfselect));
|
  if (P->dfselect <= 1) {
      N &= E;
+     N = swiotlb_offered_features(vdev, P->dfselect, N);
  }
)

// Properties that cannot work are refused before anything exists.
// hunks: 1
@check@
identifier P;
expression Q;
@@
virtio_pci_dc_realize(...)
{
...
PCIDevice *pci_dev = &P->pci_dev;
+ if (!swiotlb_pci_check(P, errp)) {
+     return;
+ }
...
}

// The window's BAR and capability come first: BARs that can move make room.
// hunks: 1
@plug@
identifier P, M;
@@
virtio_pci_device_plugged(...)
{
<...
  M = virtio_pci_modern(P);
+ if (!swiotlb_pci_plug(P, errp)) {
+     return;
+ }
...>
}

// Ring indices beyond a new, smaller size would run into an assertion.
// hunks: 1
@queue_size@
identifier P, V;
@@
+ if (swiotlb_pci_keeps_queue_size(P)) {
+     break;
+ }
  P->vqs[V->queue_sel].num = val;

// A device that did not come up keeps no window.
// hunks: 1
@realized@
identifier K, P;
@@
virtio_pci_realize(...)
{
<...
  K->realize(P, errp);
+ swiotlb_pci_realized(P);
...>
}

// The window goes with the device.
// hunks: 1
@unplug@
identifier P;
expression D;
@@
virtio_pci_exit(...)
{
<...
  msix_uninit_exclusive_bar(D);
+ swiotlb_pci_unplug(proxy);
...>
}
