// SPDX-License-Identifier: GPL-2.0-or-later
//
// What cannot have a window, or not this one, is refused when it is defined.

// hunks: 1
@header@
@@
#include "qemu_process.h"
+#include "qemu_swiotlb.h"

// hunks: 1
@validate@
identifier D, C;
statement S;
@@
qemuValidateDomainDeviceDef(...)
{
<...
  if (qemuValidateDomainDeviceInfo(D, def, C) < 0) S
+ if (qemuValidateSwiotlb(D, C) < 0)
+     return -1;
...>
}
