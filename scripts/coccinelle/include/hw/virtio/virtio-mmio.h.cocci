// SPDX-License-Identifier: GPL-2.0-or-later
//
// A virtio-mmio transport holds the properties and the pool of its window.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb.h"

// hunks: 1
@proxy_has_window@
@@
struct VirtIOMMIOProxy {
...
VirtioBusState bus;
+ SwiotlbMMIO swiotlb;
...
};
