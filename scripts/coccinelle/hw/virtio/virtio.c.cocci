// SPDX-License-Identifier: GPL-2.0-or-later
//
// The core of virtio asks us about each access that a device makes, and tells
// us what the driver decides.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb/access.h"

// Rings and indirect tables. Unassigned memory would be cached as if it could
// be reached, so the address space alone does not refuse.
// hunks: 8
@rings_and_indirect_tables@
expression C, A, L, W;
identifier V;
@@
- address_space_cache_init(C, V->dma_as, A, L, W)
+ swiotlb_cache_init(C, V, A, L, W)

// Writes to rings: who writes says for which device.
// hunks: 5
@written_rings@
typedef VirtIODevice;
identifier F = {vring_packed_off_wrap_write,
                vring_packed_flags_write,
                vring_packed_desc_write_data,
                vring_packed_desc_write_flags};
identifier V;
expression C, A, L;
@@
F(VirtIODevice *V, ...)
{
<...
- address_space_cache_invalidate(C, A, L)
+ swiotlb_cache_invalidate(V, C, A, L)
...>
}

// hunks: 5
@written_queues@
typedef VirtQueue;
identifier F = {vring_used_write,
                vring_used_idx_set,
                vring_used_flags_set_bit,
                vring_used_flags_unset_bit,
                vring_set_avail_event};
identifier Q;
expression C, A, L;
@@
F(VirtQueue *Q, ...)
{
<...
- address_space_cache_invalidate(C, A, L)
+ swiotlb_cache_invalidate(Q->vdev, C, A, L)
...>
}

// Buffers. Unassigned memory would be mapped as a bounce buffer.
// hunks: 1
@buffers@
expression A, L, D, M;
identifier V;
@@
virtqueue_map_desc(...)
{
<...
- dma_memory_map(V->dma_as, A, L, D, M)
+ swiotlb_buffer_map(V, A, L, D, M)
...>
}

// Buffers in a window hold no reference, so there is none to give back, and the
// region is known that stock code looks for.
// hunks: 2
@unmapped_buffers@
typedef VirtQueue;
identifier Q;
expression AS, P, L, D, A;
@@
virtqueue_unmap_sg(VirtQueue *Q, ...)
{
<...
- dma_memory_unmap(AS, P, L, D, A)
+ swiotlb_buffer_unmap(Q->vdev, AS, P, L, D, A)
...>
}

// The same for a request that is given up half mapped, whose function has to be
// told the device...
// hunks: 2
@given_up_request@
typedef VirtIODevice;
identifier V;
expression list A;
@@
VirtIODevice *V = ...;
<...
- virtqueue_undo_map_desc(A)
+ virtqueue_undo_map_desc(V, A)
...>

// ... and says the direction by its number.
// hunks: 2
@given_up_buffers@
typedef VirtIODevice;
parameter list PL;
expression AS, P, L, W, A;
@@
- virtqueue_undo_map_desc(PL)
+ virtqueue_undo_map_desc(VirtIODevice *vdev, PL)
{
<...
(
- cpu_physical_memory_unmap(P, L, W, A)
+ swiotlb_buffer_unmap(vdev, &address_space_memory, P, L, W, A)
|
- address_space_unmap(AS, P, L, W, A)
+ swiotlb_buffer_unmap(vdev, AS, P, L, W, A)
)
...>
}

// Buffers of requests that were under way when the device was saved. They are
// where the window was then, and stock code ends QEMU for those that are not.
// hunks: 1
@restored_buffers@
expression S, A, L, D, M;
identifier V;
@@
virtqueue_map_iovec(...)
{
<...
- S.iov_base = dma_memory_map(V->dma_as, A, L, D, M)
+ S.iov_base = swiotlb_restore_segment(V, &S, A, L, D, M)
...>
}

// Stock code saves ndescs before the rest of a request and loads it after, so
// that no request of a packed ring can be loaded. A device that has a window
// does not save it there...
// hunks: 1
@saved_too_early@
typedef VirtIODevice;
identifier V;
@@
qemu_put_virtqueue_element(VirtIODevice *V, ...)
{
<...
- virtio_host_has_feature(V, VIRTIO_F_RING_PACKED)
+ virtio_host_has_feature(V, VIRTIO_F_RING_PACKED) && !V->swiotlb
...>
}

// ... but where it is looked for.
// hunks: 1
@saved_request@
typedef VirtIODevice, QEMUFile, VirtQueueElement;
identifier V, F, E;
expression D, L;
@@
qemu_put_virtqueue_element(VirtIODevice *V, QEMUFile *F, VirtQueueElement *E)
{
<...
  qemu_put_buffer(F, D, L);
+ swiotlb_saved(V, F, E->ndescs);
...>
}

// Only here can the load be made to fail for them.
// hunks: 1
@restored_request@
typedef VirtIODevice, QEMUFile;
identifier V, F, E;
@@
qemu_get_virtqueue_element(VirtIODevice *V, QEMUFile *F, ...)
{
<...
  virtqueue_map(V, E);
+ swiotlb_restored(V, F);
...>
}

// The rings of a stopped device may be anywhere, or nowhere. That is no reason
// for a migration to fail.
// hunks: 1
@restored_rings@
identifier V, I;
statement S;
@@
virtio_load(...)
{
<...
  if (
-     V->vq[I].vring.desc
+     V->vq[I].vring.desc && !swiotlb_stopped(V)
  ) S
...>
}

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

// Versions that do not ask this themselves find a packed ring that holds
// something, and take nothing out of it: a device type that empties its ring
// would try for ever.
// hunks: 1
@stopped_ring_is_empty@
identifier Q;
@@
virtio_queue_packed_empty(...)
{
<...
- virtio_queue_packed_empty_rcu(Q)
+ swiotlb_queues_stopped(Q->vdev) ||
+ virtio_queue_packed_empty_rcu(Q)
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

// Not for the window's sake. QEMU is built so that variables start as zeros:
// 24 KiB for each request, all of which is written before it is read. Later
// versions say so themselves.
// hunks: 4
// QEMU: < 10.2
// feature: pop-uninitialized
@pop_uninitialized@
attribute name QEMU_UNINITIALIZED;
identifier F = {virtqueue_split_pop, virtqueue_packed_pop};
identifier A = {addr, iov};
expression N;
type T;
@@
F(...)
{
<...
+ QEMU_UNINITIALIZED
 T
 A[N]
 ;
...>
}
