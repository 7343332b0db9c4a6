// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets. Not for the window's sake, see pop_uninitialized in virtio.c.cocci:
// 32 KiB are zeroed for each of them.

// hunks: 1
// feature: pop-uninitialized
@header@
@@
#include "hw/virtio/virtio.h"
+#include "hw/virtio/swiotlb/compat.h"

// Of the arrays for what a packet lies in only as much is read as was written.
// hunks: 3
// QEMU: < 10.2
// feature: pop-uninitialized
@received_uninitialized@
attribute name QEMU_UNINITIALIZED;
identifier A = {elems, lens, mhdr_sg};
expression N;
type T;
@@
virtio_net_receive_rcu(...)
{
<...
+ QEMU_UNINITIALIZED
 T
 A[N]
 ;
...>
}

// The same. spatch cannot split the declaration, of two arrays and a pointer.
// hunks: 1
// feature: pop-uninitialized
@sent_uninitialized@
attribute name QEMU_UNINITIALIZED;
identifier A = {sg};
type T;
@@
virtio_net_flush_tx(...)
{
<...
+ QEMU_UNINITIALIZED
 T
 A
 ;
...>
}
