// SPDX-License-Identifier: GPL-2.0-or-later
//
// virtio-gpu maps the pages of its resources by itself.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio.h"
+#include "hw/virtio/swiotlb.h"

// hunks: 1
@resource_pages@
expression V, A, L, D, M;
@@
virtio_gpu_create_mapping_iov(...)
{
<...
- dma_memory_map(V->dma_as, A, L, D, M)
+ swiotlb_dma_map(V, A, L, D, M)
...>
}

// The same pages when the device is loaded: they are where the window was when
// it was saved.
// hunks: 1
@restored_pages@
expression V, A, L, D, M;
@@
virtio_gpu_load_restore_mapping(...)
{
<...
- dma_memory_map(V->dma_as, A, L, D, M)
+ swiotlb_restore_map(V, A, L, D, M)
...>
}
