// SPDX-License-Identifier: GPL-2.0-or-later
//
// "info virtio-status" knows bit 27 by its name.

// hunks: 1
@header@
@@
#include "hw/virtio/vhost-user.h"
+#include "hw/virtio/swiotlb.h"

// Two adjacent calls
// hunks: 1
@name_features@
identifier V;
expression F;
@@
qmp_x_query_virtio_status(...)
{
<...
(
- qmp_decode_features(V->device_id, V->guest_features)
+ swiotlb_name_features(V, qmp_decode_features(V->device_id,
+                                              V->guest_features))
|
- qmp_decode_features(V->device_id, V->host_features)
+ swiotlb_name_features(V, qmp_decode_features(V->device_id,
+                                              V->host_features))
|
- qmp_decode_features(V->device_id, V->guest_features_ex)
+ swiotlb_name_features(V, qmp_decode_features(V->device_id,
+                                              V->guest_features_ex))
|
- qmp_decode_features(V->device_id, V->host_features_ex)
+ swiotlb_name_features(V, qmp_decode_features(V->device_id,
+                                              V->host_features_ex))
)
...>
}
