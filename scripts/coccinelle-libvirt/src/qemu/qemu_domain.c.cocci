// SPDX-License-Identifier: GPL-2.0-or-later
//
// Nor can that of a disk.

// hunks: 1
@header@
@@
#include "qemu_domain.h"
+#include "qemu_swiotlb.h"

// hunks: 1
@change@
identifier D, O;
statement S;
@@
qemuDomainDiskChangeSupported(...)
{
<...
+ if (!qemuSwiotlbDiskChangeSupported(D, O))
+     return false;
  if (STRNEQ(D->dst, O->dst)) S
...>
}
