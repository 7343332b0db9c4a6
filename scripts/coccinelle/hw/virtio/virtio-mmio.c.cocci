// SPDX-License-Identifier: GPL-2.0-or-later
//
// virtio-mmio gives a device the window of its transport.

// hunks: 1
@properties@
@@
const Property virtio_mmio_properties[] = {
+ SWIOTLB_MMIO_PROPERTIES,
...
};

// Bit 27 is hidden from modern drivers as a legacy feature.
// hunks: 1
@offered_features@
identifier P, V, K;
@@
- return (V->host_features & ~K->legacy_features) >> (32 * P->host_features_sel);
+ return swiotlb_offered_features(V, P->host_features_sel,
+         (V->host_features & ~K->legacy_features) >> (32 * P->host_features_sel));

// Ring indices beyond a new, smaller size would run into an assertion.
// hunks: 1
@queue_size@
@@
+ if (swiotlb_mmio_keeps_queue_size(proxy)) {
+     break;
+ }
  trace_virtio_mmio_queue_write(...);

// Properties that cannot work are refused before the transport exists. The
// name of its bus says which transport it is.
// hunks: 1
@check@
@@
virtio_mmio_realizefn(...)
{
...
qbus_init(...);
+ if (!swiotlb_mmio_check(proxy, errp)) {
+     return;
+ }
...
}

// The window comes and goes with the device.
// hunks: 1
@plug@
identifier K;
@@
virtio_mmio_bus_class_init(...)
{
<...
  K->pre_plugged = virtio_mmio_pre_plugged;
+ K->device_plugged = swiotlb_mmio_plug;
+ K->device_unplugged = swiotlb_mmio_unplug;
...>
}
