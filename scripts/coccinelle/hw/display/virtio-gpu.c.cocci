// SPDX-License-Identifier: GPL-2.0-or-later
//
// virtio-gpu maps the pages of its resources by itself.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio.h"
+#include "hw/virtio/swiotlb.h"

// hunks: 2
@resource_pages@
expression V, A, L, D, M;
@@
- dma_memory_map(V->dma_as, A, L, D, M)
+ swiotlb_dma_map(V, A, L, D, M)
