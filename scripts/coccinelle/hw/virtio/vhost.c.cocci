// SPDX-License-Identifier: GPL-2.0-or-later
//
// An external back end is given the window and nothing else.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb.h"

// The table that the back end gets is made of what its listener sees.
// hunks: 1
@start@
identifier H, V;
@@
vhost_dev_start(struct vhost_dev *H, VirtIODevice *V, ...)
{
...
trace_vhost_dev_start(...);
+ if (!swiotlb_vhost_start(H, V)) {
+     return -EINVAL;
+ }
...
}

// Before each start, and with a table of requests in flight even earlier, the
// back end is told what the driver accepted.
// hunks: 1
@features@
identifier D, F;
@@
vhost_dev_set_features(struct vhost_dev *D, ...)
{
<...
(
- uint64_t F = D->acked_features;
+ uint64_t F = swiotlb_vhost_features(D->vdev, D->acked_features);
|
  virtio_features_copy(F, D->acked_features_ex);
+ F[0] = swiotlb_vhost_features(D->vdev, F[0]);
)
...>
}

// Whether it did not start or stops: from now on the table is nobody's.
// hunks: 2
@stop@
identifier F = {vhost_dev_start, vhost_dev_stop, do_vhost_dev_stop};
identifier H, V;
@@
F(struct vhost_dev *H, VirtIODevice *V, ...)
{
<...
  H->started = false;
+ swiotlb_vhost_stop(H, V);
...>
}

// Windows are RAM that the machine's memory map shows: each is its own
// device's.
// hunks: 1
@sections@
identifier D, S;
@@
vhost_section(struct vhost_dev *D, MemoryRegionSection *S)
{
...
MemoryRegion *mr = S->mr;
+ if (!swiotlb_vhost_sees(D->vdev, mr)) {
+     return false;
+ }
...
}

// Rings. Later versions map them through dma_as, which cannot show more of the
// window than a page.
// hunks: 1
@rings@
identifier D;
expression A, L, W;
@@
vhost_memory_map(struct vhost_dev *D, ...)
{
<...
(
- cpu_physical_memory_map(A, L, W)
+ swiotlb_vhost_map(D->vdev, A, L, W)
|
- address_space_map(D->vdev->dma_as, A, L, W, ...)
+ swiotlb_vhost_map(D->vdev, A, L, W)
)
...>
}

// Addresses in a window are on the device: no IOMMU translates them.
// hunks: 1
@iommu@
identifier V;
@@
vhost_dev_has_iommu(...)
{
<...
  virtio_host_has_feature(V, VIRTIO_F_IOMMU_PLATFORM)
+ && swiotlb_vhost_allows_iommu(V)
...>
}

// All that a back end can say of an address that it does not have
// hunks: 1
@ring_error@
identifier D;
expression N;
@@
vhost_virtqueue_error_notifier(...)
{
<...
  if (event_notifier_test_and_clear(N) && D->vdev) {
+     swiotlb_back_end_failed(D->vdev);
      ...
  }
...>
}

// One back end scans the log for all of its kind, but only the memory that it
// sees itself.
// hunks: 1
@scan_log@
identifier D;
expression E;
@@
vhost_dev_should_log(struct vhost_dev *D)
{
<...
- return D == E;
+ return swiotlb_vhost_scans_log(D->vdev) || D == E;
...>
}

// hunks: 1
@elect_logger@
identifier H, A;
@@
vhost_dev_elect_mem_logger(struct vhost_dev *H, bool A)
{
...
assert(H->vhost_ops);
+ if (swiotlb_vhost_scans_log(H->vdev)) {
+     return;
+ }
...
}

// A window may lie high, and the log has a bit for each page below: do not touch
// pages that are new, and zero, anyway.
// hunks: 1
@sparse_log@
identifier L;
expression S;
@@
vhost_log_alloc(...)
{
<...
- memset(L->log, 0, S);
...>
}

// A log that back ends share is read for the last time when the last of them
// lets go of it, by that one's table. The log of a window is its device's.
// hunks: 2
@get_log@
identifier F = {vhost_dev_start, vhost_dev_log_resize};
identifier D;
expression B, S, SH;
@@
F(struct vhost_dev *D, ...)
{
<...
- vhost_log_get(B, S, SH)
+ (swiotlb_vhost_get_log(D->vdev, S, SH, vhost_log_alloc) ?:
+  vhost_log_get(B, S, SH))
...>
}

// Stock code frees the logs that it knows.
// hunks: 1
@put_log@
identifier D, L;
expression B;
@@
vhost_log_put(struct vhost_dev *D, ...)
{
<...
  if (vhost_log[B] == L) {
  ...
  } else if (vhost_log_shm[B] == L) {
  ...
- }
+ } else {
+     swiotlb_vhost_free_log(D->vdev, L);
+ }
...>
}
