// SPDX-License-Identifier: GPL-2.0-or-later
//
// libvirt knows of each QEMU whether it has windows. Place and name must be in
// the same order, so both go before the last of stock libvirt's...

// hunks: 1
@capability@
@@
typedef enum {
...,
+ QEMU_CAPS_VIRTIO_SWIOTLB,
QEMU_CAPS_NETDEV_STREAM,
...
} virQEMUCapsFlags;
