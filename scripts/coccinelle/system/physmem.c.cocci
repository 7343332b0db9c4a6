// SPDX-License-Identifier: GPL-2.0-or-later
//
// A BAR that one virtual CPU moves does not disturb the accesses of others: see
// hw/virtio/swiotlb/view.h. Nothing to do with windows, but guests that size
// and move BARs meet it, and windows are BARs.

// hunks: 1
@header@
@@
(
#include "exec/memory-internal.h"
+#include "hw/virtio/swiotlb/view.h"
|
#include "memory-internal.h"
+#include "hw/virtio/swiotlb/view.h"
)

// hunks: 1
@cpu_keeps_view@
@@
struct CPUAddressSpace {
...
AddressSpace *as;
+ FlatView *seen;
...
};

// hunks: 1
@number_is_of_view@
expression A;
@@
address_space_translate_for_iotlb(...)
{
<...
- address_space_to_dispatch(A.as)
+ flatview_to_dispatch(swiotlb_view(&A.seen, A.as))
...>
}

// hunks: 1
@view_has_number@
expression A;
@@
iotlb_to_section(...)
{
<...
- address_space_to_dispatch(A->as)
+ flatview_to_dispatch(swiotlb_view(&A->seen, A->as))
...>
}

// hunks: 1
@flushed_with_view@
typedef CPUState, CPUAddressSpace, run_on_cpu_data;
identifier CPU, DATA;
@@
tcg_commit_cpu(CPUState *CPU, run_on_cpu_data DATA)
{
tlb_flush(CPU);
+ swiotlb_forget_view(&((CPUAddressSpace *)DATA.host_ptr)->seen);
}

// hunks: 1
@cpu_is_gone@
expression CPUAS;
@@
cpu_destroy_address_spaces(...)
{
<...
  memory_listener_unregister(&CPUAS->tcg_as_listener);
+ swiotlb_forget_view(&CPUAS->seen);
...>
}
