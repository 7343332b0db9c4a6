// SPDX-License-Identifier: GPL-2.0-or-later
//
// ... by a name for its cache, and because a device has the property.

// hunks: 1
@name@
declarer name VIR_ENUM_IMPL;
@@
VIR_ENUM_IMPL(virQEMUCaps, QEMU_CAPS_LAST,
  ...,
+ "virtio-pci.swiotlb",
  "netdev.stream",
  ...);

// All virtio devices on PCI have it, so one is asked.
// hunks: 1
@probe@
@@
struct virQEMUCapsDevicePropsFlags virQEMUCapsDevicePropsVirtioBlk[] = {
+ { "swiotlb", QEMU_CAPS_VIRTIO_SWIOTLB, NULL },
...
};
