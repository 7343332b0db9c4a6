// SPDX-License-Identifier: GPL-2.0-or-later
//
// The devicetree that firmware gets says where pools are.

// hunks: 1
@describe_pools@
expression FDT;
@@
dt_setup_microvm(...)
{
<...
  qemu_fdt_add_subnode(FDT, "/chosen");
  dt_setup_sys_bus(...);
+ swiotlb_describe_pools(FDT);
...>
}
