// SPDX-License-Identifier: GPL-2.0-or-later
//
// A vDPA device maps what its listener sees.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-net.h"
+#include "hw/virtio/swiotlb.h"

// hunks: 1
@listen@
expression L;
identifier D;
@@
- memory_listener_register(L, D->vdev->dma_as)
+ memory_listener_register(L, swiotlb_vhost_as(D->vdev))
