// SPDX-License-Identifier: GPL-2.0-or-later
//
// A virtio-pci device holds the properties and the BAR of its window.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb.h"

// hunks: 1
@proxy_has_window@
@@
struct VirtIOPCIProxy {
...
VirtioBusState bus;
+ SwiotlbPCI swiotlb;
};
