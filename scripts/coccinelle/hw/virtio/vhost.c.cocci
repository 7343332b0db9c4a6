// SPDX-License-Identifier: GPL-2.0-or-later
//
// An external back end never meets the window.

// hunks: 1
@header@
@@
#include "hw/virtio/virtio-bus.h"
+#include "hw/virtio/swiotlb.h"

// The last chance to refuse, for whatever device type
// hunks: 1
@start@
identifier H, V;
@@
vhost_dev_start(struct vhost_dev *H, VirtIODevice *V, ...)
{
...
trace_vhost_dev_start(...);
+ if (!swiotlb_vhost_may_start(V)) {
+     return -EINVAL;
+ }
...
}
