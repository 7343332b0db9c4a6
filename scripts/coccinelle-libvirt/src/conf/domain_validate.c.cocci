// SPDX-License-Identifier: GPL-2.0-or-later
//
// Devices that are not virtio have no window.

// hunks: 1
@absent@
identifier V;
statement S;
@@
virDomainCheckVirtioOptionsAreAbsent(...)
{
<...
  if (V->page_per_vq != VIR_TRISTATE_SWITCH_ABSENT) S
+ if (virDomainSwiotlbCheckAbsent(&V->swiotlb) < 0)
+     return -1;
...>
}
