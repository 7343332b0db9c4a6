// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options of a virtio device know its window.

// hunks: 1
@header@
@@
#include "virdomainjob.h"
+#include "domain_swiotlb.h"

// hunks: 1
@options_have_window@
@@
struct _virDomainVirtioOptions {
...
virTristateSwitch page_per_vq;
+ virDomainSwiotlb swiotlb;
...
};
