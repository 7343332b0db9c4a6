// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU gets the window with the other options of a virtio device, on its
// command line and when a device is plugged.

// hunks: 1
@properties@
expression P, O;
@@
virJSONValueObjectAdd(P, ...,
  "T:page-per-vq", O->page_per_vq,
+ "T:swiotlb", O->swiotlb.enabled,
+ "P:swiotlb-size", O->swiotlb.size,
+ "T:swiotlb-required", O->swiotlb.required,
  NULL)
