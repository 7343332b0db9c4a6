// SPDX-License-Identifier: GPL-2.0-or-later
//
// The core of virtio asks us about each access that a device makes, and tells
// us what the driver decides.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb.h"

// Rings and indirect tables. Unassigned memory would be cached as if it could
// be reached, so the address space alone does not refuse.
// hunks: 8
@rings_and_indirect_tables@
expression C, A, L, W;
identifier V;
@@
- address_space_cache_init(C, V->dma_as, A, L, W)
+ swiotlb_cache_init(C, V, A, L, W)

// Buffers. Unassigned memory would be mapped as a bounce buffer.
// hunks: 2
@buffers@
expression A, L, D, M;
identifier V;
@@
- dma_memory_map(V->dma_as, A, L, D, M)
+ swiotlb_dma_map(V, A, L, D, M)

// Stock code validates features only once VERSION_1 was accepted; a window
// needs the check always.
// hunks: 1
@features_ok@
identifier V, S;
@@
virtio_set_status(...)
{
...
trace_virtio_set_status(V, S);
+ if (!swiotlb_accepts_status(V, S)) {
+     return -EINVAL;
+ }
...
}

// A new status fixes the driver's choice, and cannot wipe NEEDS_RESET out.
// hunks: 1
@status_written@
identifier V, S;
@@
virtio_set_status(..., uint8_t S)
{
<...
  V->status = S;
+ swiotlb_status_written(V);
...>
}

// An external back end runs while the driver's status says so; one whose device
// has stopped is not to start, and is stopped.
// hunks: 1
@back_end_status@
identifier K, V, S;
@@
virtio_set_status(..., uint8_t S)
{
<...
- K->set_status(V, S)
+ K->set_status(V, swiotlb_back_end_status(V, S))
...>
}

// Only the window asks for ACCESS_PLATFORM: a driver that may decline the one
// may decline the other.
// hunks: 1
@access_platform@
identifier V;
@@
virtio_validate_features(...)
{
<...
  !virtio_vdev_has_feature(V, VIRTIO_F_IOMMU_PLATFORM)
+ && !swiotlb_excuses_access_platform(V)
...>
}

// In an I/O thread the interrupt would wait for the BQL, and so for ever if its
// holder waits for that thread.
// hunks: 1
@error_interrupt@
identifier V;
@@
virtio_error(...)
{
<...
- virtio_notify_config(V);
+ swiotlb_notify_error(V);
...>
}

// The driver's choice ends with the reset, once the queues are quiet.
// hunks: 1
@reset@
identifier V;
@@
virtio_reset(...)
{
<...
  V->broken = false;
+ swiotlb_reset(V);
...>
}

// Before anything looks at dma_as: the listener follows it for the device's
// whole life.
// hunks: 1
@confine@
identifier V;
@@
virtio_device_realize(...)
{
<...
+ swiotlb_confine(V);
  memory_listener_register(&V->listener, V->dma_as);
...>
}

// The rings of a stopped device are let go.
// hunks: 1
@stopped_rings@
identifier V, I;
@@
virtio_memory_listener_commit(...)
{
<...
+ if (swiotlb_stopped(V)) {
+     virtio_virtqueue_reset_region_cache(&V->vq[I]);
+     continue;
+ }
  virtio_init_region_cache(V, I);
...>
}
