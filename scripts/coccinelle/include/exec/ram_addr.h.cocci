// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU: < 10.2
//
// Without KVM, CPUs have to ask again before they write to memory that was
// found dirty. Stock code makes them do so in other memory, unless the block is
// the first: writes to a window are missed, and a machine whose first block is
// a small window runs into an assertion.

// hunks: 1
@header@
@@
#include "exec/ramblock.h"
+#include "hw/virtio/swiotlb/dirty.h"

// hunks: 1
@cleared@
expression S, L;
typedef RAMBlock;
identifier RB;
@@
cpu_physical_memory_sync_dirty_bitmap(RAMBlock *RB, ...)
{
<...
- cpu_physical_memory_dirty_bits_cleared(S, L)
+ cpu_physical_memory_dirty_bits_cleared(S + swiotlb_dirty_offset(RB), L)
...>
}
