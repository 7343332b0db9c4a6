// SPDX-License-Identifier: GPL-2.0-or-later
//
// The devicetree that firmware gets says where pools are.

// hunks: 1
@describe_pools@
identifier M;
@@
dt_setup_microvm(...)
{
<...
  dt_setup_sys_bus(M);
+ swiotlb_describe_pools(M->fdt);
...>
}
