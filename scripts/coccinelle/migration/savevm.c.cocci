// SPDX-License-Identifier: GPL-2.0-or-later
//
// A migration to a machine that does not fit is refused before RAM is loaded.

// hunks: 1
@header@
@@
#include "migration/vmstate.h"
+#include "hw/virtio/swiotlb.h"

// A window on one side only is nothing that a section of ours could tell: one
// side does not have it.
// hunks: 1
@section@
identifier S, ID, N;
@@
qemu_loadvm_section_start_full(...)
{
<...
  S = find_se(ID, N);
+ if (!swiotlb_section_fits(ID, S, SWIOTLB_LOADVM_ERRP)) {
+     return -EINVAL;
+ }
...>
}
